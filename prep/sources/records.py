"""What a record is: the exact rules, over bytes of UTF-8 in which every line ends with LF.

Cells stand between delimiters. A quote opens a cell only as its first character; inside, two quotes stand
for one (or a backslash and a quote, where the dialect says so), and the quote that closes it must be followed
by a delimiter or a line end, with blanks before these at most. Any other quote is a character like others
(`5" pipe`). Byte order marks before a record are no part of it; elsewhere they are characters like others.
"""

import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final, Self

DOUBLE: Final = "double"
BACKSLASH: Final = "backslash"
WHITESPACE: Final = b" \t\v\f"
MARKS: Final = re.compile(rb"^(?:%b)+" % BOM_UTF8, re.MULTILINE)


_FEWEST_COLUMNS_TO_TELL = 2
_ADDRESS = re.compile(rb"[^@\s,;<>]+@[^@\s,;<>][^@\s,;<>.]*\.[^@\s,;<>]+")


@dataclass(frozen=True)
class Dialect:
    """How cells are told apart.

    Attributes:
        delimiter: The ASCII character between two cells.
        quote: The ASCII character around a cell that holds delimiters or line ends; empty where none does so.
        escape: What makes a quote inside such a cell a character like others: `double` or `backslash`.
    """

    delimiter: str
    quote: str = '"'
    escape: str = DOUBLE

    @cached_property
    def delimiter_byte(self) -> bytes:
        """The delimiter, encoded."""
        return self.delimiter.encode()

    @cached_property
    def quote_byte(self) -> bytes:
        """The quote, encoded."""
        return self.quote.encode()

    @property
    def doubling(self) -> Self:
        """The dialect that `requote` writes: the same delimiter and quote, and quotes doubled."""
        return type(self)(self.delimiter, self.quote)

    @cached_property
    def cell(self) -> bytes:
        """Pattern of one cell. What follows is a delimiter or a line end, or else the quoting is broken."""
        stop = re.escape(self.delimiter_byte) + rb"\n"
        if not self.quote:
            return rb"[^%b]*+" % stop
        quote = re.escape(self.quote_byte)
        blanks = b"" if self.delimiter == " " else b" *+"
        return rb"%b%b(?=[%b])|[^%b%b][^%b]*+|" % (self._quoted, blanks, stop, quote, stop, stop)

    @cached_property
    def regular_cell(self) -> bytes:
        """Like `cell`, but quotes occur only where cells are quoted, and doubled: all CSV parsers agree."""
        stop = re.escape(self.delimiter_byte) + rb"\n"
        if not self.quote:
            return self.cell
        quote = re.escape(self.quote_byte)
        inner = rb"[^%b\\]" % quote if self.escape == BACKSLASH else rb"[^%b]" % quote
        quoted = rb"%b%b*+(?:%b%b%b*+)*+%b" % (quote, inner, quote, quote, inner, quote)
        return rb"%b(?=[%b])|[^%b%b]*+" % (quoted, stop, quote, stop)

    @cached_property
    def first_cell(self) -> re.Pattern[bytes]:
        """Matches `cell`."""
        return re.compile(self.cell)

    @cached_property
    def open_cell(self) -> bytes:
        """Pattern of a quoted cell that is still open where the text ends."""
        return rb"%b\Z" % self._opened

    @cached_property
    def _opened(self) -> bytes:
        quote = re.escape(self.quote_byte)
        if self.escape == BACKSLASH:
            inner = rb"[^%b\\]*+" % quote
            return rb"%b%b(?:(?:\\[\x00-\xff]|%b%b)%b)*+" % (quote, inner, quote, quote, inner)
        inner = rb"[^%b]*+" % quote
        return rb"%b%b(?:%b%b%b)*+" % (quote, inner, quote, quote, inner)

    @cached_property
    def _quoted(self) -> bytes:
        return self._opened + re.escape(self.quote_byte)

    def opens_quotes(self, text: bytes) -> bool:
        """Tell whether any quote could open a cell: one that stands first in a line or after a delimiter."""
        quote = self.quote_byte
        return (
            bool(quote)
            and quote in text
            and (
                self.delimiter_byte + quote in text
                or b"\n" + quote in text
                or b"\r" + quote in text
                or text.startswith(quote)
            )
        )

    def unquote(self, cell: bytes) -> bytes:
        """Take the quotes off a cell that has them."""
        quote = self.quote_byte
        if not quote or not cell.startswith(quote):
            return cell
        inner = cell.rstrip(b" ")[1:-1]
        if self.escape == BACKSLASH:
            return self._escapes.sub(rb"\1\2", inner)
        return inner.replace(quote * 2, quote)

    @cached_property
    def _escapes(self) -> re.Pattern[bytes]:
        quote = re.escape(self.quote_byte)
        return re.compile(rb"\\([\\%b])|%b(%b)" % (quote, quote, quote))

    def requote(self, cells: list[bytes]) -> bytes:
        """Write a record so that quotes occur only where cells are quoted, with LF at its end."""
        quote = self.quote_byte
        quoted = (quote + cell.replace(quote, quote * 2) + quote for cell in cells)
        return self.delimiter_byte.join(quoted) + b"\n"


@dataclass(frozen=True)
class Layout:
    """How the records of one source are laid out.

    Attributes:
        dialect: How cells are told apart.
        columns: How many cells a record must have.
        header: The header's cells, so that it is known where it comes again; empty where there is none.
        lookup_position: Which column holds the lookup field, counted from 0.
        surplus: How many delimiters more a record may end with, nothing between and behind them.
    """

    dialect: Dialect
    columns: int
    header: tuple[str, ...] = ()
    lookup_position: int | None = None
    surplus: int = 0

    @cached_property
    def record(self) -> re.Pattern[bytes]:
        """Matches one record of the right number of cells, its line end included."""
        return self._record(self.dialect.cell)

    @cached_property
    def regular_record(self) -> re.Pattern[bytes]:
        """Like `record`, but quotes occur only where cells are quoted: every CSV parser agrees on these."""
        return self._record(self.dialect.regular_cell)

    @cached_property
    def line_pattern(self) -> str:
        """Like `regular_record` for a single line without its end and without NUL, for Rust's regex."""
        cell, stop = self._line_cell, re.escape(self.dialect.delimiter)
        nothing = re.escape(self.dialect.quote * 2)
        return rf"^(?:{cell}{stop}){{{self.columns - 1}}}{cell}(?:{stop}(?:{nothing})?){{0,{self.surplus}}}$"

    @cached_property
    def enclosing_line(self) -> str:
        """Like `line_pattern` without surplus for any number of cells: all that quotes do is enclose some."""
        return rf"^(?:{self._line_cell}{re.escape(self.dialect.delimiter)})*{self._line_cell}$"

    @cached_property
    def enclosed_cell(self) -> str:
        """Pattern of each quoted cell, with its quotes, of a line that matches `enclosing_line`."""
        quote = re.escape(self.dialect.quote)
        return rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote}"

    @cached_property
    def _line_cell(self) -> str:
        stop, quote = re.escape(self.dialect.delimiter), re.escape(self.dialect.quote)
        backslash = r"\\" if self.dialect.escape == BACKSLASH else ""
        quoted = rf"{quote}(?:[^{quote}\x00{backslash}]|{quote}{quote})*{quote}"
        return rf"(?:{quoted}|[^{quote}\x00{stop}]*)"

    @cached_property
    def open_record(self) -> re.Pattern[bytes]:
        """Matches a record whose quoted cell is still open where the text ends."""
        delimiter = re.escape(self.dialect.delimiter_byte)
        cells = rb"(?:(?:%b)%b){0,%d}" % (self.dialect.cell, delimiter, self.columns - 1)
        return re.compile(cells + self.dialect.open_cell)

    def _record(self, cell: bytes) -> re.Pattern[bytes]:
        delimiter = re.escape(self.dialect.delimiter_byte)
        nothing = re.escape(self.dialect.quote_byte * 2)
        tail = rb"(?:%b(?:%b)?){0,%d}\n" % (delimiter, nothing, self.surplus)
        return re.compile(rb"(?:(?:%b)%b){%d}(?:%b)%b" % (cell, delimiter, self.columns - 1, cell, tail))

    def short_cells(self, line: bytes) -> list[bytes] | None:
        """Split a line, given with its end, that is a record with fewer cells than the header has."""
        found = split(line, 0, self.dialect) if self.columns > 1 else None
        return found[0] if found and len(found[0]) < self.columns else None

    def is_comment(self, line: bytes) -> bool:
        """Tell whether a line, given with its end, can be nothing but a remark.

        It begins with #, has too few cells and no lookup value. What stands behind the # may be one where
        the lookup field comes first: an address, or a number such as `#1001`.
        """
        if not line.startswith(b"#") or b"@" in line:
            return False
        cells = self.short_cells(line)
        if cells is None:
            return False
        return self._lacks_lookup(cells) or (self.lookup_position == 0 and _is_remark(cells[0]))

    def is_loose(self, line: bytes) -> bool:
        """Tell whether a line, given with its end, may be a footer.

        It has too few cells and no lookup value, and letters in one cell at most: a total is not like a name.
        Nor does it hold an address by itself: that is a person, whatever became of the other cells.
        """
        if self.lookup_position is None:
            return False
        cells = self.short_cells(line)
        if cells is None or not self._lacks_lookup(cells) or sum(map(_holds_letters, cells)) > 1:
            return False
        return not any(map(self._holds_address, cells))

    def _holds_address(self, cell: bytes) -> bool:
        """True for an address, and for a whole row in quotes that holds one: `"Bo,Lee,bo@example.com"`."""
        around = WHITESPACE + self.dialect.quote_byte
        parts = cell.split(self.dialect.delimiter_byte) if b"@" in cell else ()
        return any(_ADDRESS.fullmatch(part.strip(around)) for part in parts)

    def swallows_records(self, lines: bytes) -> bool:
        """Tell whether a record cannot be one because it would take whole records below with it.

        Args:
            lines: What it holds below its first line. A line there, but for the last one, that is a record of
                its own, an address in its lookup cell, shows that a quote above was never closed. With two
                columns ordinary notes look like that, but for the blanks behind their delimiters.
        """
        if self.lookup_position is None or self.columns < _FEWEST_COLUMNS_TO_TELL:
            return False
        candidates = [line for line in _lines(lines)[:-1] if b"@" in line]
        if self.columns == _FEWEST_COLUMNS_TO_TELL:
            candidates = [line for line in candidates if self.dialect.delimiter_byte + b" " not in line]
        return any(self._is_row(split(line, 0, self.dialect)) for line in candidates)

    def may_be_two(self, record: bytes) -> bool:
        """Tell whether a record of several lines may be two rows: lines at its beginning, and all below them.

        A stray quote in the second row, as of `24"`, would close one above that was never meant to be open.
        Blanks behind the delimiters are signs of a note, such as `bo@example.com, Bo, Sales`.
        """
        if self.lookup_position is None or self.columns < _FEWEST_COLUMNS_TO_TELL or b"@" not in record:
            return False
        first, *below = _lines(record)
        starts = accumulate(map(len, below[:-1]), initial=len(first))
        return any(
            self._is_row_to_the_end(record, start, line) and self._is_row_once_closed(record[:start])
            for start, line in zip(starts, below, strict=True)
        )

    def _is_row_to_the_end(self, record: bytes, start: int, line: bytes) -> bool:
        """Whether a row begins with this line, its first cell on it, and ends where the record does."""
        delimiter = self.dialect.delimiter_byte
        if delimiter not in line or delimiter + b" " in line:
            return False
        found = split(record, start, self.dialect)
        return found is not None and found[1] == len(record) and self._is_row(found)

    def _is_row_once_closed(self, lines: bytes) -> bool:
        """Whether lines whose last quote is open would be a row without it."""
        closed = split(lines[:-1] + self.dialect.quote_byte + b"\n", 0, self.dialect)
        if closed is None:
            return False
        *cells, opened = closed[0]
        return self._is_row(([*cells, *opened.split(self.dialect.delimiter_byte)], 0))

    def _is_row(self, found: tuple[list[bytes], int] | None) -> bool:
        """True for as many cells as the header has, an address in that of the lookup field."""
        if found is None or self.lookup_position is None or not self._is_whole(found[0]):
            return False
        return _ADDRESS.fullmatch(found[0][self.lookup_position]) is not None

    def _is_whole(self, cells: list[bytes]) -> bool:
        return self.columns <= len(cells) <= self.columns + self.surplus and not any(cells[self.columns :])

    def _lacks_lookup(self, cells: list[bytes]) -> bool:
        position = self.lookup_position
        return position is None or position >= len(cells) or not cells[position].strip()

    def is_blank(self, line: bytes) -> bool:
        """Tell whether a line, given without its end, holds nothing: delimiters, or undivided white space."""
        if self.columns == 1:
            return not line
        delimiter = self.dialect.delimiter_byte
        return not line.strip(delimiter) or (delimiter not in line and not line.strip(WHITESPACE))


def _lines(text: bytes) -> list[bytes]:
    return [line + b"\n" for line in text.split(b"\n")[:-1]]


def _holds_letters(cell: bytes) -> bool:
    return any(map(str.isalpha, cell.decode(errors="replace")))


def _is_remark(cell: bytes) -> bool:
    return len(cell.split()) > 1 or not any(character in b"0123456789" for character in cell)


def has_marks(text: bytes) -> bool:
    """Tell whether byte order marks begin lines, where files were put together that begin with one."""
    return text.startswith(BOM_UTF8) or b"\n" + BOM_UTF8 in text


def without_marks(text: bytes) -> bytes:
    """Leave out the byte order marks that begin lines; the header would not be known again behind one."""
    return MARKS.sub(b"", text) if has_marks(text) else text


def with_line_feeds(text: bytes) -> bytes:
    """End every line with LF."""
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def split(text: bytes, start: int, dialect: Dialect) -> tuple[list[bytes], int] | None:
    """Split the record that begins at `start`.

    Args:
        text: Lines that each end with LF, the last one too.
        start: Where the record begins.
        dialect: How cells are told apart.

    Returns:
        The cells without their quotes, and where the next record begins; nothing if the quoting is broken
        or a quoted cell is still open where the text ends.
    """
    found = split_raw(text, start, dialect)
    return found and ([dialect.unquote(cell) for cell in found[0]], found[1])


def split_raw(text: bytes, start: int, dialect: Dialect) -> tuple[list[bytes], int] | None:
    """Like `split`, the cells being as they are written."""
    match = dialect.first_cell.match
    cells = []
    position = start
    while cell := match(text, position):
        cells.append(cell.group())
        position = cell.end() + 1
        mark = text[cell.end() : position]
        if mark == b"\n":
            return cells, position
        if mark != dialect.delimiter_byte:
            break
    return None
