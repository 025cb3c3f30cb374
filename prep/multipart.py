"""The multipart body of an import, framed so that its size is known before it is built."""

import secrets
from typing import Final

_BOUNDARY_BYTES: Final = 16


def encode(file_name: str, content: bytes) -> tuple[bytes, str]:
    """Wrap a file as the `file` part of a multipart body.

    The boundary is random, of fixed length and does not occur in the content, so the framing
    of a file name always has the same size: `framing_bytes(file_name)`.
    https://www.rfc-editor.org/rfc/rfc7578

    Args:
        file_name: A name of prep's own: ASCII, without quotation marks.
        content: What the file holds.

    Returns:
        The body, and the value of its Content-Type header.
    """
    boundary = secrets.token_hex(_BOUNDARY_BYTES)
    while boundary.encode() in content:
        boundary = secrets.token_hex(_BOUNDARY_BYTES)
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    body = b"".join((head.encode(), content, f"\r\n--{boundary}--\r\n".encode()))
    return body, f"multipart/form-data; boundary={boundary}"


def framing_bytes(file_name: str) -> int:
    """How many bytes the multipart body adds to the content of a file with this name."""
    body, _ = encode(file_name, b"")
    return len(body)
