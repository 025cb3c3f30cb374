"""How a text is delimited and quoted: found by reading a sample in each way that may be meant."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

from prep.model import FIND_OUT, Reading
from prep.sources.heading import Record, find_header, usual_width
from prep.sources.records import BACKSLASH, DOUBLE, WHITESPACE, Dialect, split_raw

CANDIDATES: Final = (",", ";", "\t", "|")
QUOTES: Final = ('"', "'")
SAMPLE_BYTES: Final = 512 * 1024
"""How much of a text is looked at. Records count that begin in its first half: the last one would be cut."""

_SAMPLE_RECORDS = 100
_SURE = 0.9
_CLEAR_LEAD = 0.2
_PREAMBLE_DISCOUNT = 0.7
_OFTEN = 0.5
_FEWEST_COLUMNS = 2


@dataclass(frozen=True)
class Sample:
    """The first records of a text, read in one dialect.

    Attributes:
        dialect: How they were read.
        records: Those that are not blank.
        header: Index of the header; none where the text is said to have none.
        columns: How many cells a record of the table has.
        surplus: How many delimiters more records may end with, nothing between and behind them: where most
            end with one too many, or where columns at the end have neither a name nor a value.
    """

    dialect: Dialect
    records: tuple[Record, ...]
    header: int | None
    columns: int
    surplus: int = 0

    @property
    def widths(self) -> range:
        """How many cells a record of the table may have."""
        return range(self.columns, self.columns + self.surplus + 1)

    @property
    def body(self) -> tuple[Record, ...]:
        """The records below the header."""
        return self.records if self.header is None else self.records[self.header + 1 :]

    @property
    def consistency(self) -> float:
        """The share of records that have the table's width, the header counted and what is above it not."""
        body = [record for record in self.body if not record.is_remark]
        headers = 0 if self.header is None else 1
        fitting = headers + sum(record.width in self.widths for record in body)
        return fitting / max(len(body) + headers, 1)

    @property
    def score(self) -> float:
        """How well this is a table: a mark from 0, where the delimiter divides nothing, to 1."""
        if self.columns == 1 or not self.records:
            return 0
        mark = self.consistency
        if self.header is not None:
            header = self.records[self.header]
            mark *= (1 + len({cell.strip() for cell in header.filled}) / header.width) / 2
            if any(not record.is_remark for record in self.records[: self.header]):
                mark *= _PREAMBLE_DISCOUNT
        return mark

    @property
    def share_with_loose_quotes(self) -> float:
        """The share of records that hold cells with quotes around them and a space before these."""
        loose = sum(any(map(self._has_loose_quotes, record.cells or ())) for record in self.records)
        return loose / max(len(self.records), 1)

    def _has_loose_quotes(self, cell: str) -> bool:
        quote = self.dialect.quote
        if not (quote and cell.startswith(" ")):
            return False
        inner = cell.strip()
        return inner.startswith(quote) and inner[1:].endswith(quote)

    @property
    def share_quoted(self) -> float:
        """The share of records that hold quoted cells."""
        return sum(record.has_quotes for record in self.records) / max(len(self.records), 1)


@dataclass(frozen=True)
class Finding:
    """How a text is read best.

    Attributes:
        sample: Its first records, read so. With no delimiter that divides them, a comma stands for one.
        confident: False where another delimiter reads the sample about as well, or none reads it well.
        rival: The delimiter that reads it second best; empty where no other divides it.
    """

    sample: Sample
    confident: bool
    rival: str = ""


def detect(text: bytes, known: Reading = FIND_OUT) -> Finding:
    """Find the dialect of a text.

    Each delimiter is judged by what it makes of the first records: a header of several filled, different
    cells, and records with as many cells as the header. Where no candidate divides the header there is one
    column. A quote or an escape other than the usual one must read more records.

    Args:
        text: UTF-8, each line ended by LF, cut at a line end; what comes first is the header or stands above
            it.
        known: What is known already: its delimiter, quote and escape are taken, and its header line is, where
            there is one, the first line of the text.
    """
    delimiters = CANDIDATES if known.delimiter is None else (known.delimiter,)
    samples = [_best_marks(text, delimiter, known) for delimiter in delimiters]
    best, *others = sorted(samples, key=lambda sample: (sample.score, sample.columns), reverse=True)
    if known.delimiter is not None:
        return Finding(best, confident=True)
    if best.score == 0:
        comma = samples[0]
        return Finding(comma, confident=not any(candidate.encode() in text for candidate in CANDIDATES))
    runner_up = others[0]
    if runner_up.score == 0:
        return Finding(best, confident=best.consistency > _OFTEN)
    sure = best.consistency >= _SURE and best.score - runner_up.score >= _CLEAR_LEAD
    return Finding(best, confident=sure, rival=runner_up.dialect.delimiter)


def escape_of(text: bytes, sample: Sample) -> str:
    """Find the escape from lines with a backslash before a quote, wherever they stand in a text.

    Args:
        text: UTF-8, each line ended by LF.
        sample: The text's first records, read with quotes doubled.
    """
    quote = sample.dialect.quote_byte
    if not quote or b"\\" not in text or b"\\" + quote not in text:  # one byte is found ten times as fast
        return sample.dialect.escape
    pattern = re.compile(rb"^.*\\%b.*\n" % re.escape(quote), re.MULTILINE)
    lines = [match.group() for _, match in zip(range(_SAMPLE_RECORDS), pattern.finditer(text), strict=False)]
    fitting = {
        escape: sum(
            _fits(line, Dialect(sample.dialect.delimiter, sample.dialect.quote, escape), sample)
            for line in lines
        )
        for escape in (DOUBLE, BACKSLASH)
    }
    return BACKSLASH if fitting[BACKSLASH] > fitting[DOUBLE] else DOUBLE


def _fits(line: bytes, dialect: Dialect, sample: Sample) -> bool:
    found = split_raw(line, 0, dialect)
    return found is not None and len(found[0]) in sample.widths


def _best_marks(text: bytes, delimiter: str, known: Reading) -> Sample:
    """Read a text with one delimiter and each quote and escape that may be meant; give the best sample.

    Single quotes count where no cell begins with a double one, and more records can be read so or half of
    them hold such cells.
    """
    usual, *others = (_sample(text, dialect, known) for dialect in _dialects(text, delimiter, known))
    best = usual
    for sample in others:
        is_other_quote = sample.dialect.quote != usual.dialect.quote
        if is_other_quote and usual.dialect.opens_quotes(text):
            continue
        is_common = is_other_quote and sample.share_quoted >= _OFTEN
        if sample.consistency > best.consistency or (is_common and sample.consistency == best.consistency):
            best = sample
    return best


def _dialects(text: bytes, delimiter: str, known: Reading) -> Iterator[Dialect]:
    quotes = QUOTES if known.quote is None else (known.quote,)
    escapes = (DOUBLE, BACKSLASH) if known.escape is None else (known.escape,)
    for quote, escape in product(quotes, escapes):
        dialect = Dialect(delimiter, quote, escape)
        is_usual = quote == quotes[0] and escape == escapes[0]
        if is_usual or (_may_quote(text, dialect, quotes) and _may_escape(text, dialect, escapes)):
            yield dialect


def _may_quote(text: bytes, dialect: Dialect, quotes: tuple[str, ...]) -> bool:
    if dialect.quote == quotes[0]:
        return True
    return dialect.quote != dialect.delimiter and dialect.opens_quotes(text)


def _may_escape(text: bytes, dialect: Dialect, escapes: tuple[str, ...]) -> bool:
    if dialect.escape == escapes[0]:
        return True
    return dialect.delimiter != "\\" and bool(dialect.quote) and b"\\" + dialect.quote_byte in text


def _sample(text: bytes, dialect: Dialect, known: Reading) -> Sample:
    records = tuple(_records(text, dialect))
    if known.header_line == 0:
        return Sample(dialect, records, None, usual_width(records))
    if not records:
        return Sample(dialect, records, None, 1)
    header = find_header(records) if known.header_line is None else 0
    columns = max(records[header].width, 1)
    body = [record for record in records[header + 1 :] if not record.is_remark]
    longer = [record for record in body if record.width == columns + 1]
    surplus = int(columns > 1 and sum(not record.last.strip() for record in longer) > len(body) * _OFTEN)
    if not surplus and columns > 1 and not records[header].last.strip():
        columns -= bool(body) and usual_width(body) == columns - 1
    rows = (record for record in body if record.width <= columns + surplus)
    used = min(columns, max(_FEWEST_COLUMNS, _used(records[header]), *map(_used, rows)))
    surplus += records[header].width - used
    return Sample(dialect, records, header, used, surplus)


def _used(record: Record) -> int:
    """Count the cells without the empty ones at the end."""
    cells = record.cells or []
    return next((place for place in range(len(cells), 0, -1) if cells[place - 1]), 0)


def _records(text: bytes, dialect: Dialect) -> Iterator[Record]:
    """Split the first records that are not blank."""
    position = line = 0
    for _ in range(_SAMPLE_RECORDS):
        while position < len(text) and not text[position : text.index(b"\n", position)].strip(WHITESPACE):
            position = text.index(b"\n", position) + 1
            line += 1
        if position >= min(len(text), SAMPLE_BYTES // 2):
            return
        found = split_raw(text, position, dialect)
        cells, end = found or (None, text.index(b"\n", position) + 1)
        yield _record(line, cells, dialect)
        line += text.count(b"\n", position, end)
        position = end


def _record(line: int, cells: list[bytes] | None, dialect: Dialect) -> Record:
    if cells is None:
        return Record(line, None)
    has_quotes = bool(dialect.quote) and any(cell.startswith(dialect.quote_byte) for cell in cells)
    return Record(line, [dialect.unquote(cell).decode(errors="replace") for cell in cells], has_quotes)
