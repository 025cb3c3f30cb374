"""What Marketo sent → lines with the chunk's columns, however oddly they were written."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import polars as pl

from prep.limits import TEXT_BYTES
from prep.outcomes.spelling import printable

_REASONS: Final = ("import failure reason", "import warning reason")
"""The names of the column that Marketo appends.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-program-member-import"""

_DELIMITERS: Final = (",", "\t", ";")
_BOM: Final = "\ufeff"
_LONGEST_HEADER: Final = 100_000
"""Characters in which the header ends; a thousand columns need half of them."""

_LONGEST_CELL: Final = 4 * TEXT_BYTES
"""Characters after which an opening quote counts as text; it keeps a file of stray quotes from costing n²."""


def cell(name: str) -> str:
    """Name the frame column that holds a column of the chunk, apart from the frame's own columns."""
    return f"={name}"


@dataclass(frozen=True)
class Received:
    """The lines of one failure or warning file.

    Attributes:
        readings: `line` (0-based), `reading`, `message` and `=NAME` for each of `columns`. A line whose cells
            are not as many as the header's can be read in several ways and then stands there several times.
        columns: The columns of the chunk that the file has, in the chunk's order.
        unreadable: Lines that could not be split into the header's columns.
    """

    readings: pl.DataFrame
    columns: tuple[str, ...]
    unreadable: int


def read(received: bytes, sent_columns: Sequence[str], keys: Sequence[str], delimiter: str) -> Received:
    """Read a failure or warning file as Marketo sent it.

    Tolerated: a byte order mark, any line ends, everything or nothing quoted, unescaped quotes, another
    delimiter than the chunk's, header names in another case or order, missing and additional columns, a
    reason with unquoted delimiters, a blank cell too many at the front, the lookup field's cell missing.

    Args:
        received: The body of the answer; empty when there is nothing to tell.
        sent_columns: The header of the chunk.
        keys: The columns whose cell may be missing from a line when it is blank.
        delimiter: The chunk's, tried before the others.

    Returns:
        Every line that is not blank, as a reading or in `unreadable`. A file without a header that names the
        reason and at least one column of the chunk is unreadable as a whole; so is a last line that lacks
        cells and its end: what is left of it may be another row's cells.
    """
    text = received.decode(errors="replace").lstrip(_BOM)
    layout = _find_layout(text, sent_columns, keys, delimiter)
    if layout is None:
        lines = sum(not line.isspace() for line in text.splitlines(keepends=True))
        return Received(_frame([], {"message": 0}), (), unreadable=lines)
    readings: list[tuple[int, int, list[str]]] = []
    records = [record for record in _split(text, layout.delimiter)[1:] if record not in ([], [""])]
    is_cut = bool(records) and len(records[-1]) < len(layout.columns) and not text.endswith(("\n", "\r"))
    unreadable = int(is_cut)
    for line, record in enumerate(records[:-1] if is_cut else records):
        ways = layout.readings(record)
        readings.extend((line, way, cells) for way, cells in enumerate(ways))
        unreadable += not ways
    columns = tuple(name for name in sent_columns if name in layout.columns)
    places = {cell(name): layout.columns.index(name) for name in columns}
    return Received(_frame(readings, places | {"message": layout.reason}), columns, unreadable)


@dataclass(frozen=True)
class _Layout:
    """How a file is laid out.

    Attributes:
        delimiter: The character between two cells.
        columns: The chunk's column at each place; None for the reason, a blank and a strange name.
        reason: The place of the reason.
        gaps: Places whose cell may be missing from a line.
        has_key: Whether a key is among the columns. Without, nothing bears out how a longer line is read,
            unless a blank cell in front may stand for the key.
    """

    delimiter: str
    columns: tuple[str | None, ...]
    reason: int
    gaps: tuple[int, ...]
    has_key: bool

    @classmethod
    def of_header(
        cls, header: Sequence[str], sent: Sequence[str], keys: Sequence[str], delimiter: str
    ) -> Self | None:
        """Recognise the columns of a header; None if it is not one."""
        names = [name.strip() for name in header]
        folded = [" ".join(name.casefold().split()) for name in names]
        reason = next((place for place, name in enumerate(folded) if name in _REASONS), None)
        by_name = {name.casefold(): name for name in sent} | {name: name for name in sent}
        columns: list[str | None] = []
        for place, name in enumerate(names):
            column = by_name.get(name, by_name.get(name.casefold()))
            columns.append(None if place == reason or column in columns else column)
        if reason is None or not any(columns):
            return None
        nameless = [place for place, name in enumerate(names) if not name]
        lookups = [place for place, column in enumerate(columns) if column in keys]
        return cls(delimiter, tuple(columns), reason, (*lookups, *nameless, reason), bool(lookups))

    def readings(self, record: Sequence[str]) -> list[list[str]]:
        """Give each way to spread a record over the columns, the likeliest first; none if there is none."""
        width = len(self.columns)
        if len(record) == width:
            return [list(record)]
        if len(record) == width - 1:
            return [[*record[:gap], "", *record[gap:]] for gap in self.gaps]
        if len(record) < width:
            return []
        shifted = [] if record[0].strip() else [self._fit(record[1:])]
        return [self._fit(record), *shifted] if self.has_key or shifted else []

    def _fit(self, record: Sequence[str]) -> list[str]:
        """Give what is too much to the reason."""
        behind = len(record) - (len(self.columns) - self.reason - 1)
        reason = self.delimiter.join(record[self.reason : behind])
        return [*record[: self.reason], reason, *record[behind:]]


def _find_layout(text: str, sent: Sequence[str], keys: Sequence[str], delimiter: str) -> _Layout | None:
    """Take the delimiter under which the header names the reason and most columns of the chunk."""
    best: _Layout | None = None
    for candidate in dict.fromkeys((delimiter, *_DELIMITERS)):
        header = next(csv.reader(io.StringIO(text[:_LONGEST_HEADER], newline=""), delimiter=candidate), [])
        layout = _Layout.of_header(header, sent, keys, candidate)
        if layout and (best is None or _known(layout) > _known(best)):
            best = layout
    return best


def _known(layout: _Layout) -> int:
    return sum(column is not None for column in layout.columns)


def _frame(readings: list[tuple[int, int, list[str]]], places: dict[str, int]) -> pl.DataFrame:
    numbers = pl.DataFrame(
        {"line": [line for line, _, _ in readings], "reading": [way for _, way, _ in readings]},
        schema={"line": pl.UInt32, "reading": pl.UInt32},
    )
    cells = {
        name: pl.Series(name, [record[place] for *_, record in readings], pl.String)
        for name, place in places.items()
    }
    return numbers.with_columns(**cells).with_columns(printable(pl.col("message")))


def _split(text: str, delimiter: str) -> list[list[str]]:
    """Split a file into records and cells, strictly where it is well-formed."""
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return list(_split_loosely(text, delimiter))


def _split_loosely(text: str, delimiter: str) -> Iterator[list[str]]:
    """Split a file in which quotes are not escaped.

    A quoted cell ends at a quote that a delimiter, a line end or the end of the file follows; other quotes
    in it are text. A quote that is never closed is text.
    """
    bare = re.compile(rf"[^{re.escape(delimiter)}\r\n]*")
    quotes = re.compile(rf'("+)({re.escape(delimiter)}|[\r\n]|\Z)?')
    position = 0
    record: list[str] = []
    while position < len(text):
        closed = _closed_cell(text, position, quotes) if text[position] == '"' else None
        value, position = closed or _bare_cell(text, position, bare)
        record.append(value)
        if text.startswith(delimiter, position):
            position += 1
            if position < len(text):
                continue
            record.append("")
        yield record
        record = []
        position += 2 if text.startswith("\r\n", position) else 1


def _bare_cell(text: str, start: int, bare: re.Pattern[str]) -> tuple[str, int]:
    match = bare.match(text, start)
    value = match.group() if match else ""
    return value, start + len(value)


def _closed_cell(text: str, start: int, quotes: re.Pattern[str]) -> tuple[str, int] | None:
    """Read a quoted cell and where it ends; None if nothing closes it."""
    parts: list[str] = []
    position = start + 1
    escaped = True
    for match in quotes.finditer(text, position):
        if match.start() > start + _LONGEST_CELL:
            break
        run = len(match[1])
        parts.append(text[position : match.start()])
        position = match.end(1)
        if match[2] is None:
            escaped &= run % 2 == 0
            parts.append('"' * ((run + 1) // 2))
        elif run % 2 or not escaped or text[match.start() - 1] == "\\":
            parts.append('"' * (run // 2 if escaped else run - 1))
            return "".join(parts), position
        else:
            parts.append('"' * (run // 2))
    return None
