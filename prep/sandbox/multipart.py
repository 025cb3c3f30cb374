from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from prep.sandbox.errors import MarketoError


def parse_multipart(content_type: str, body: bytes) -> dict[str, bytes]:
    """Split a `multipart/form-data` body into its parts by name.

    Args:
        content_type: The request's header, with the boundary.
        body: The whole body.

    Returns:
        The content of each part, the last one where a name repeats.

    Raises:
        MarketoError: 613, the body is not well-formed or stops before the closing boundary.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise MarketoError("613", "Invalid Multipart Request")
    parts = _Parts()
    try:
        parts.read(boundary, body)
    except FormParserError as error:
        raise MarketoError("613", "Invalid Multipart Request") from error
    if not parts.closed:
        raise MarketoError("613", "Invalid Multipart Request")
    return parts.contents


class _Parts:
    """Collects what the parser reports."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.closed = False
        self._header = bytearray()
        self._value = bytearray()
        self._name = ""
        self._pieces: list[bytes] = []

    def read(self, boundary: bytes, body: bytes) -> None:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._end_header,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._close,
            },
        )
        parser.write(body)

    def _begin(self) -> None:
        self._name = ""
        self._pieces = []

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._name = (
                parse_options_header(bytes(self._value))[1].get(b"name", b"").decode(errors="replace")
            )
        self._header.clear()
        self._value.clear()

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append(data[start:end])

    def _end(self) -> None:
        self.contents[self._name] = b"".join(self._pieces)

    def _close(self) -> None:
        self.closed = True
