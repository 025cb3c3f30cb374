"""What a record is: the exact rules, over bytes of UTF-8 in which every line ends with LF.

Cells stand between delimiters. A quote opens a cell only as its first character; inside, two quotes stand
for one, and the quote that closes it must be followed by a delimiter or a line end. Any other quote is a
character like others (`5" pipe`).
"""

import re
from dataclasses import dataclass, field
from functools import cached_property

QUOTE = b'"'
WHITESPACE = b" \t\v\f"


@dataclass(frozen=True)
class Layout:
    """How the records of one source are laid out.

    Attributes:
        delimiter: The ASCII character between two cells.
        columns: How many cells a record must have.
    """

    delimiter: str
    columns: int
    delimiter_byte: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "delimiter_byte", self.delimiter.encode())

    @cached_property
    def record(self) -> re.Pattern[bytes]:
        """Matches one record of the right number of cells, its line end included."""
        return _record(_cell(self.delimiter_byte), self.delimiter_byte, self.columns)

    @cached_property
    def regular_record(self) -> re.Pattern[bytes]:
        """Like `record`, but quotes occur only where cells are quoted: every CSV parser agrees on these."""
        return _record(_regular_cell(self.delimiter_byte), self.delimiter_byte, self.columns)

    @cached_property
    def line_pattern(self) -> str:
        """Like `regular_record` for a single line without its end and without NUL, for Rust's regex."""
        stop = re.escape(self.delimiter)
        cell = rf'(?:"(?:[^"\x00]|"")*"|[^"\x00{stop}]*)'
        return rf"^(?:{cell}{stop}){{{self.columns - 1}}}{cell}$"

    @cached_property
    def open_record(self) -> re.Pattern[bytes]:
        """Matches a record whose quoted cell is still open where the text ends."""
        delimiter = re.escape(self.delimiter_byte)
        cells = rb"(?:(?:%b)%b){0,%d}" % (_cell(self.delimiter_byte), delimiter, self.columns - 1)
        return re.compile(cells + rb'"[^"]*+(?:""[^"]*+)*+\Z')

    def opens_quotes(self, text: bytes) -> bool:
        """Tell whether any quote could open a cell: one that stands first in a line or after a delimiter."""
        return QUOTE in text and (
            self.delimiter_byte + QUOTE in text or b'\n"' in text or b'\r"' in text or text.startswith(QUOTE)
        )

    def is_blank(self, line: bytes) -> bool:
        """Tell whether a line, given without its end, is no record: empty, or undivided white space."""
        if self.columns == 1:
            return not line
        return not line.strip(WHITESPACE) and self.delimiter_byte not in line


def with_line_feeds(text: bytes) -> bytes:
    """End every line with LF."""
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def split(text: bytes, start: int, delimiter: bytes) -> tuple[list[bytes], int] | None:
    """Split the record that begins at `start`.

    Args:
        text: Lines that each end with LF, the last one too.
        start: Where the record begins.
        delimiter: The byte between two cells.

    Returns:
        The cells without their quotes, and where the next record begins; nothing if the quoting is broken
        or a quoted cell is still open where the text ends.
    """
    pattern = re.compile(_cell(delimiter))
    cells = []
    position = start
    while cell := pattern.match(text, position):
        cells.append(unquote(cell.group()))
        position = cell.end() + 1
        mark = text[cell.end() : position]
        if mark == b"\n":
            return cells, position
        if mark != delimiter:
            break
    return None


def unquote(cell: bytes) -> bytes:
    """Take the quotes off a cell that has them."""
    return cell[1:-1].replace(b'""', QUOTE) if cell.startswith(QUOTE) else cell


def requote(cells: list[bytes], delimiter: bytes) -> bytes:
    """Write a record so that quotes occur only where cells are quoted, with LF at its end."""
    return delimiter.join(b'"%b"' % cell.replace(QUOTE, b'""') for cell in cells) + b"\n"


def _record(cell: bytes, delimiter: bytes, columns: int) -> re.Pattern[bytes]:
    return re.compile(rb"(?:(?:%b)%b){%d}(?:%b)\n" % (cell, re.escape(delimiter), columns - 1, cell))


def _cell(delimiter: bytes) -> bytes:
    stop = re.escape(delimiter) + rb"\n"
    return rb'%b(?=[%b])|[^"%b][^%b]*+|' % (_QUOTED, stop, stop, stop)


def _regular_cell(delimiter: bytes) -> bytes:
    stop = re.escape(delimiter) + rb"\n"
    return rb'%b(?=[%b])|[^"%b]*+' % (_QUOTED, stop, stop)


_QUOTED = rb'"[^"]*+(?:""[^"]*+)*+"'
