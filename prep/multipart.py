"""The multipart body of an import, framed so that its size is known before it is built."""

import secrets

from urllib3.filepost import encode_multipart_formdata

_BOUNDARY_BYTES = 16


def encode(file_name: str, content: bytes) -> tuple[bytes, str]:
    """Wrap a file as the `file` part of a multipart body.

    The boundary is random, of fixed length and does not occur in the content, so the framing
    of a file name always has the same size: `framing_bytes(file_name)`.

    Returns:
        The body, and the value of its Content-Type header.
    """
    boundary = secrets.token_hex(_BOUNDARY_BYTES)
    while boundary.encode() in content:
        boundary = secrets.token_hex(_BOUNDARY_BYTES)
    return encode_multipart_formdata({"file": (file_name, content, "text/csv")}, boundary)


def framing_bytes(file_name: str) -> int:
    """How many bytes the multipart body adds to the content of a file with this name."""
    body, _ = encode(file_name, b"")
    return len(body)
