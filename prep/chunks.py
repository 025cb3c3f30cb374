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

_WRITTEN_CELLS: Final = 150_000
"""How many cells are written at a time: with six times as many, fetching memory costs half as much again."""


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


def render(frame: pl.DataFrame, fields: Sequence[str], file_format: Format) -> bytes:
    """Write a frame as lines, in UTF-8: RFC 4180, quoted only where a cell needs it, blanks empty.

    https://www.rfc-editor.org/rfc/rfc4180
    """
    file = BytesIO()
    cells = frame.select(pl.col(fields))
    cells.write_csv(file, include_header=False, separator=file_format.delimiter, quote_style="necessary")
    return file.getvalue()


def _ends(content: bytes, rows: int) -> pl.Series:
    """Offset behind each row; a line that breaks inside of quotes is none.

    Raises:
        TypeError: These are not the lines of so many rows: a defect of prep only.
    """
    whole = pl.Series("line", [content], dtype=pl.Binary).cast(pl.String)
    lines = whole.str.split("\n").explode().head(-1)  # behind the last line end there is nothing
    ends = (lines.str.len_bytes().cast(pl.Int64) + 1).cum_sum()
    if len(lines) != rows:
        ends = ends.filter(lines.str.count_matches('"', literal=True).cum_sum() % 2 == 0)
    if len(ends) != rows:
        raise TypeError(f"{rows} rows were written as {len(ends)}")
    return ends


def largest_line_bytes(
    fields: Sequence[str], file_format: Format, max_bytes: int, *, stem: str = _LEADS
) -> int:
    """The longest line, its end included, that every upload file with this header can hold."""
    name = _name(stem, _MOST_FILES, file_format)
    return max_bytes - 1 - framing_bytes(name) - len(_header(fields, file_format))


def line_bytes(frame: pl.DataFrame, fields: Sequence[str], file_format: Format) -> pl.Series:
    """Size of each row in an upload file, its line end included."""
    cells = pl.col(fields)
    needs_quotes = cells.str.contains(f'^$|["\\n\\r{file_format.delimiter}]')
    quotes = pl.when(needs_quotes).then(2 + cells.str.count_matches('"', literal=True)).otherwise(0)
    size = pl.sum_horizontal(cells.str.len_bytes().cast(pl.Int64) + quotes) + len(fields)
    return frame.select(size.alias("bytes")).to_series()


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
    slices = (part for batch in batches for part in batch.iter_slices(_WRITTEN_CELLS // len(fields) or 1))
    for part in slices:
        for number, content, rows in writer.add(render(part, fields, file_format), part.height):
            yield Piece(_name(stem, number, file_format), content, rows)
    for number, content, rows in writer.finish():
        yield Piece(_name(stem, number, file_format), content, rows)


def _header(fields: Sequence[str], file_format: Format) -> bytes:
    names = pl.DataFrame({field: [field] for field in fields})
    return render(names, fields, file_format)


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
        self._parts = [self._header]  # no views: only bytes are joined while other threads go on
        self._left = self._room(self._number) - len(self._header)
        self._rows = 0

    def add(self, lines: bytes, rows: int) -> Iterator[tuple[int, bytes, int]]:
        """Take lines of so many rows in; give back each file that they close."""
        if len(lines) <= self._left:
            self._take(lines, rows)
            return
        ends = _ends(lines, rows)
        start, written = 0, 0
        while start < rows:
            stop = int(ends.search_sorted(written + self._left, side="right"))
            if stop > start:
                end = int(ends[stop - 1])
                self._take(lines[written:end], stop - start)
                start, written = stop, end
            elif self._rows == 0:
                raise ValueError("a row is larger than an upload may be")
            if start < rows:
                yield from self.finish()

    def _take(self, lines: bytes, rows: int) -> None:
        self._parts.append(lines)
        self._left -= len(lines)
        self._rows += rows

    def finish(self) -> Iterator[tuple[int, bytes, int]]:
        """Close the file that is open, if it holds a row."""
        if self._rows:
            yield self._number, b"".join(self._parts), self._rows
            self._number += 1
            self._begin()
