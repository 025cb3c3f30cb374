"""Rows → upload files under the limit, exact to the byte."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import polars as pl

from prep.model import Format
from prep.multipart import framing_bytes

_LEADS: Final = "leads"
_MOST_FILES: Final = 999_999
"""More than any run has. A longer number makes a file name, and so the body, a little longer."""


@dataclass(frozen=True)
class Piece:
    """The content of one upload file.

    Attributes:
        name: File name, such as `leads-0001.csv`.
        content: UTF-8 without byte order mark, LF, a header of REST names.
        rows: How many of the rows that went in it holds, following the previous piece's.
    """

    name: str
    content: bytes
    rows: int


@dataclass(frozen=True)
class Lines:
    """Rows as the lines of an upload file.

    Attributes:
        content: UTF-8, each line with its end.
        ends: Offset behind each line.
    """

    content: bytes
    ends: pl.Series


def render(frame: pl.DataFrame, fields: Sequence[str], file_format: Format) -> Lines:
    """Write a frame as lines: RFC 4180, quoted only where a cell needs it, blanks empty.

    https://www.rfc-editor.org/rfc/rfc4180
    """
    cells = quote(frame.select(fields), file_format.delimiter)
    content = BytesIO()
    cells.write_csv(content, include_header=False, separator=file_format.delimiter, quote_style="never")
    return Lines(content.getvalue(), _sizes(cells).cum_sum())


def _sizes(quoted: pl.DataFrame) -> pl.Series:
    cells = pl.sum_horizontal(pl.all().str.len_bytes().cast(pl.Int64))
    return quoted.select((cells + quoted.width).alias("bytes")).to_series()


def quote(frame: pl.DataFrame, delimiter: str) -> pl.DataFrame:
    """Quote the cells of text that need it; one search through a whole column finds those that have some."""
    special = f'["\\n\\r{delimiter}]'
    searched = frame.select(pl.col(pl.String).str.join("").str.contains(special))
    names = [column.name for column in searched if column.item()]
    return frame.with_columns(_quote_cells(frame[name], special) for name in names)


def _quote_cells(column: pl.Series, special: str) -> pl.Series:
    needs_quotes = column.str.contains(special).fill_null(value=False)
    inner = pl.col(column.name).str.replace_all('"', '""', literal=True)
    quoted = column.filter(needs_quotes).to_frame().select(pl.concat_str(pl.lit('"'), inner, pl.lit('"')))
    return column.clone().scatter(needs_quotes.arg_true(), quoted.to_series())


def largest_line_bytes(
    fields: Sequence[str], file_format: Format, max_bytes: int, *, stem: str = _LEADS
) -> int:
    """The longest line, its end included, that every upload file with this header can hold."""
    name = _name(stem, _MOST_FILES, file_format)
    return max_bytes - 1 - framing_bytes(name) - len(_header(fields, file_format))


def line_bytes(frame: pl.DataFrame, fields: Sequence[str], file_format: Format) -> pl.Series:
    """Size of each row in an upload file, its line end included."""
    return _sizes(quote(frame.select(fields), file_format.delimiter))


def split(
    batches: Iterable[pl.DataFrame],
    fields: Sequence[str],
    file_format: Format,
    *,
    max_bytes: int,
    first_number: int = 1,
    stem: str = _LEADS,
) -> Iterator[Piece]:
    """Cut rows into upload files whose whole multipart body stays below `max_bytes`.

    Rows keep their order. A file closes only when the next row would not fit. Equal rows give equal files,
    whatever the batches. The files are numbered from `first_number`; their names begin with `stem`.

    Raises:
        ValueError: A row alone does not fit; `largest_line_bytes` tells beforehand.
    """
    header = _header(fields, file_format)
    writer = _Writer(
        header, lambda number: max_bytes - 1 - framing_bytes(_name(stem, number, file_format)), first_number
    )
    for batch in batches:
        for number, content, rows in writer.add(render(batch, fields, file_format)):
            yield Piece(_name(stem, number, file_format), content, rows)
    for number, content, rows in writer.finish():
        yield Piece(_name(stem, number, file_format), content, rows)


def _header(fields: Sequence[str], file_format: Format) -> bytes:
    names = pl.DataFrame({field: [field] for field in fields})
    return render(names, fields, file_format).content


def _name(stem: str, number: int, file_format: Format) -> str:
    return f"{stem}-{number:04d}.{file_format}"


class _Writer:
    """Fills one file after the other with lines."""

    def __init__(self, header: bytes, room: Callable[[int], int], first_number: int) -> None:
        self._header = header
        self._room = room
        self._number = first_number
        self._begin()

    def _begin(self) -> None:
        self._parts: list[bytes | memoryview] = [self._header]
        self._left = self._room(self._number) - len(self._header)
        self._rows = 0

    def add(self, lines: Lines) -> Iterator[tuple[int, bytes, int]]:
        """Take lines in; give back each file that they close."""
        content, ends = memoryview(lines.content), lines.ends
        start, written = 0, 0
        while start < len(ends):
            stop = int(ends.search_sorted(written + self._left, side="right"))
            if stop > start:
                end = int(ends[stop - 1])
                self._parts.append(content[written:end])
                self._left -= end - written
                self._rows += stop - start
                start, written = stop, end
            elif self._rows == 0:
                raise ValueError("a row is larger than an upload may be")
            if start < len(ends):
                yield from self.finish()

    def finish(self) -> Iterator[tuple[int, bytes, int]]:
        """Close the file that is open, if it holds a row."""
        if self._rows:
            yield self._number, b"".join(self._parts), self._rows
            self._number += 1
            self._begin()
