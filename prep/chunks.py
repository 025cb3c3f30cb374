"""Rows → upload files under the limit, exact to the byte."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import polars as pl

from prep.model import Format
from prep.multipart import framing_bytes

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


def render(frame: pl.DataFrame, fields: Sequence[str], file_format: Format) -> pl.Series:
    """The lines of a frame, without line end: RFC 4180, quoted only where a cell needs it, blanks empty.

    https://www.rfc-editor.org/rfc/rfc4180
    """
    cells = [_quote(frame[field], file_format.delimiter) for field in fields]
    return pl.select(pl.concat_str(cells, separator=file_format.delimiter).alias("line")).to_series()


def _quote(column: pl.Series, delimiter: str) -> pl.Series:
    needs_quotes = column.str.contains(f'["\\n\\r{delimiter}]').fill_null(value=False)
    if not needs_quotes.any():
        return column.fill_null("")
    inner = pl.col(column.name).str.replace_all('"', '""', literal=True)
    quoted = column.filter(needs_quotes).to_frame().select(pl.concat_str(pl.lit('"'), inner, pl.lit('"')))
    return column.fill_null("").scatter(needs_quotes.arg_true(), quoted.to_series())


def largest_line_bytes(fields: Sequence[str], file_format: Format, max_bytes: int) -> int:
    """The longest line, its end included, that every upload file with this header can hold."""
    name = _name(_MOST_FILES, file_format)
    return max_bytes - 1 - framing_bytes(name) - len(_header(fields, file_format))


def line_bytes(frame: pl.DataFrame, fields: Sequence[str], file_format: Format) -> pl.Series:
    """Size of each row in an upload file, its line end included."""
    return render(frame, fields, file_format).str.len_bytes() + 1


def split(
    batches: Iterable[pl.DataFrame], fields: Sequence[str], file_format: Format, *, max_bytes: int
) -> Iterator[Piece]:
    """Cut rows into upload files whose whole multipart body stays below `max_bytes`.

    Rows keep their order. A file closes only when the next row would not fit. Equal rows give equal files,
    whatever the batches.

    Raises:
        ValueError: A row alone does not fit; `largest_line_bytes` tells beforehand.
    """
    header = _header(fields, file_format)
    writer = _Writer(header, lambda number: max_bytes - 1 - framing_bytes(_name(number, file_format)))
    for batch in batches:
        lines = render(batch, fields, file_format)
        for number, content, rows in writer.add(lines):
            yield Piece(_name(number, file_format), content, rows)
    for number, content, rows in writer.finish():
        yield Piece(_name(number, file_format), content, rows)


def _header(fields: Sequence[str], file_format: Format) -> bytes:
    names = pl.DataFrame({field: [field] for field in fields})
    return f"{render(names, fields, file_format).item()}\n".encode()


def _name(number: int, file_format: Format) -> str:
    return f"leads-{number:04d}.{file_format}"


class _Writer:
    """Fills one file after the other with lines."""

    def __init__(self, header: bytes, room: Callable[[int], int]) -> None:
        self._header = header
        self._room = room
        self._number = 1
        self._begin()

    def _begin(self) -> None:
        self._parts = [self._header]
        self._left = self._room(self._number) - len(self._header)
        self._rows = 0

    def add(self, lines: pl.Series) -> Iterator[tuple[int, bytes, int]]:
        """Take lines in; give back each file that they close."""
        ends = (lines.str.len_bytes().cast(pl.Int64) + 1).cum_sum()
        start, written = 0, 0
        while start < len(lines):
            stop = int(ends.search_sorted(written + self._left, side="right"))
            if stop > start:
                self._take(lines[start:stop], int(ends[stop - 1]) - written)
                start, written = stop, int(ends[stop - 1])
            elif self._rows == 0:
                raise ValueError("a row is larger than an upload may be")
            if start < len(lines):
                yield from self.finish()

    def _take(self, lines: pl.Series, size: int) -> None:
        text = BytesIO()
        lines.to_frame().write_csv(text, include_header=False, quote_style="never")
        self._parts.append(text.getvalue())
        self._left -= size
        self._rows += len(lines)

    def finish(self) -> Iterator[tuple[int, bytes, int]]:
        """Close the file that is open, if it holds a row."""
        if self._rows:
            yield self._number, b"".join(self._parts), self._rows
            self._number += 1
            self._begin()
