"""What the footer of a Parquet file says of its columns' sizes, before anything is unpacked.

The footer is one record in Thrift's compact protocol:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

import os
from typing import Any, BinaryIO, Final, NamedTuple

from prep.errors import SourceError

_MAGIC: Final = b"PAR1"
_ENCRYPTED: Final = b"PARE"
_TAIL_BYTES: Final = 8
_FOOTER_BYTES: Final = 64 * 1024 * 1024
_MOST_DEPTH: Final = 16

_ROW_GROUPS, _COLUMNS, _METADATA, _UNPACKED, _PACKED = 4, 1, 3, 6, 7  # ids in parquet.thrift
_TRUE, _FALSE = 1, 2


class ColumnChunk(NamedTuple):
    """One column in one group of rows.

    Attributes:
        packed_bytes: Its size in the file.
        unpacked_bytes: Its size before compression.
    """

    packed_bytes: int
    unpacked_bytes: int


def read_footer(file: BinaryIO, path: str) -> list[ColumnChunk]:
    """Read the sizes of all columns in all groups of rows.

    Args:
        file: A Parquet file.
        path: What it is called, for messages.

    Raises:
        SourceError: The footer is damaged or encrypted (`damaged_table`).
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _TAIL_BYTES, 0))
    tail = file.read(_TAIL_BYTES)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] == _ENCRYPTED:
        raise _damaged(path, "the table is encrypted", "Write it again without encryption.")
    if tail[4:] != _MAGIC or length > min(size - _TAIL_BYTES, _FOOTER_BYTES):
        raise _damaged(path, "the table was cut short, or its end is damaged", "Fetch or write it again.")
    file.seek(size - _TAIL_BYTES - length)
    try:
        record = _Record(file.read(length)).struct()
        chunks = [column[_METADATA] for group in record[_ROW_GROUPS] for column in group[_COLUMNS]]
        return [ColumnChunk(int(chunk[_PACKED]), int(chunk[_UNPACKED])) for chunk in chunks]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, "the table's footer is damaged or encrypted", "Write it again.") from error


def _damaged(path: str, found: str, hint: str) -> SourceError:
    return SourceError(f"{path}: {found}", code="damaged_table", hint=hint, source=path)


class _Record:
    """Reads values of the compact protocol, one after the other; raises IndexError where they end early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Read fields until the stop mark: id → value."""
        if depth > _MOST_DEPTH:
            raise ValueError("nested too deep")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            step = head >> 4
            number = number + step if step else _signed(self._number())
            kind = head & 15
            fields[number] = kind == _TRUE if kind in {_TRUE, _FALSE} else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2 | 3:  # a byte; elements of lists that are true or false take one too
                return self._byte()
            case 4 | 5 | 6:  # integers
                return _signed(self._number())
            case 7:  # a double
                return self._skip(8)
            case 8:  # bytes
                return self._skip(self._number())
            case 9 | 10:  # a list, a set
                return self._list(depth)
            case 12:
                return self.struct(depth + 1)
            case _:
                raise ValueError("a kind of value that Parquet does not use")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4
        if count == 15:  # noqa: PLR2004
            count = self._number()
        if count > len(self._data):
            raise IndexError
        return [self._value(head & 15, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        self._place += 1
        return self._data[self._place - 1]

    def _number(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:  # noqa: PLR2004
                raise ValueError("a number without end")
        return value | byte << shift

    def _skip(self, size: int) -> None:
        self._place += size


def _signed(number: int) -> int:
    return number >> 1 ^ -(number & 1)
