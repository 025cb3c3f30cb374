"""One block of lines → readable cells, rejected records and skipped lines.

A block in which no quote opens a cell costs one call of polars' parser and a sum that proves its result. In
any other block regular expressions in Rust pick out the odd lines; only these are looked at in Python, which
finds where their records end and cuts from the text what must not reach the parser. The rest is parsed in
one call again. So exotic rows cost Python and ordinary ones never do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import polars as pl

from prep.model import Reason
from prep.sources.batch import REJECTED_SCHEMA, Batch, Skipped
from prep.sources.encoding import BOM, is_utf8, mask_invalid
from prep.sources.records import QUOTE, Layout, requote, split, with_line_feeds

MAX_RECORD_BYTES: Final = 10_000_000
"""A cell that is still open when its record is as long as this was never meant to be open."""

_NUL = b"\0"
_MISREAD_STARTS = (BOM, b"x\x01", b"x^")  # polars drops the first and takes the others for zlib streams
_MAX_PATTERN_COLUMNS = 1000  # beyond it the Rust pattern takes long to compile


class Place(NamedTuple):
    """A position in a source: how many records and how many physical lines come before."""

    rows: int
    lines: int


OddLine = tuple[int, int, int]


@dataclass(frozen=True)
class Block:
    """What one block of lines holds.

    Attributes:
        batch: Its records and skipped lines.
        end: The place after its last line that was read.
        unread: The rest of the block: a record that does not end within it.
        is_broken: Some bytes are not valid UTF-8.
    """

    batch: Batch
    end: Place
    unread: bytes = b""
    is_broken: bool = False


def read_block(text: bytes, layout: Layout, start: Place, *, final: bool) -> Block:
    """Read a block of whole lines that begins where a record begins.

    Args:
        text: The lines, each ended by LF, CRLF or CR.
        layout: The delimiter and the number of columns.
        start: What comes before the block.
        final: Nothing follows; otherwise a record may be left unread at the block's end.
    """
    cells = _read_clean(text, layout)
    if cells is None:
        return _read_odd(with_line_feeds(text), layout, start, final=final)
    numbers = pl.int_range(1, cells.height + 1, dtype=pl.UInt32)
    cells = cells.with_columns(_row=numbers + start.rows, _line=numbers + start.lines)
    end = Place(start.rows + cells.height, start.lines + cells.height)
    return Block(Batch(cells, REJECTED_SCHEMA.to_frame()), end)


def _read_clean(text: bytes, layout: Layout) -> pl.DataFrame | None:
    """Parse a block without quoted cells; return nothing if any line of it is out of order."""
    carriage_returns = text.count(b"\r")
    if (
        layout.opens_quotes(text)
        or _NUL in text
        or (carriage_returns and text.count(b"\r\n") != carriage_returns)
    ):
        return None
    try:
        cells = _parse(text, layout, quote_char=None)
    except (pl.exceptions.PolarsError, OSError):
        return None
    return cells if _adds_up(cells, len(text) - carriage_returns, layout) else None


def _adds_up(cells: pl.DataFrame, text_bytes: int, layout: Layout) -> bool:
    """Prove that the parser made nothing up: cells, delimiters and line ends have as many bytes as the text.

    The parser raises on long records. A delimiter that a short or blank line lacks, and a CR that is left in
    a cell, can only make the sum larger than the text without CRs. In a single column nulls are blank lines.
    """
    lengths = cells.select(pl.all().str.len_bytes().sum())
    total = sum(lengths.row(0)) + cells.height * layout.columns
    return total == text_bytes and (layout.columns > 1 or not cells.to_series().has_nulls())


def _read_odd(text: bytes, layout: Layout, start: Place, *, final: bool) -> Block:
    """Read a block that may hold anything; its lines end with LF."""
    masked, lines = text, _lines(text)
    if lines is None:
        masked = mask_invalid(text)
        lines = pl.Series(masked.decode().split("\n")[:-1], dtype=pl.String())
    quotes = layout.opens_quotes(text)
    walk = _Walk(text, masked, layout, final=final)
    walk.visit(_odd_lines(lines, layout, quotes=quotes, nuls=walk.holds_nul))
    records, readable = walk.masks(lines.len())
    rows = records.cast(pl.UInt32).cum_sum() + start.rows
    cells = _parse_good(walk.kept(), layout, _count(readable), quote_char='"' if quotes else None)
    cells = cells.with_columns(
        rows.filter(readable).alias("_row"), (readable.arg_true() + start.lines + 1).alias("_line")
    )
    skipped = tuple(Skipped("blank", line + start.lines + 1) for line in walk.blank_lines)
    end = Place(start.rows + _count(records), start.lines + records.len())
    batch = Batch(cells, walk.rejected_records(rows, start), skipped)
    return Block(batch, end, text[walk.end :], is_broken=walk.is_broken)


def _lines(text: bytes) -> pl.Series | None:
    """Split into physical lines; return nothing where polars cannot, such as for bytes that are not UTF-8."""
    try:
        lines = pl.read_lines(text).to_series() if text else pl.Series(dtype=pl.String())
    except (pl.exceptions.PolarsError, OSError):
        return None
    return lines if lines.str.len_bytes().sum() + lines.len() == len(text) else None


def _odd_lines(lines: pl.Series, layout: Layout, *, quotes: bool, nuls: bool) -> Iterator[OddLine]:
    """Find the lines that are not, all alone, a record that every parser reads alike.

    Args:
        lines: The physical lines.
        layout: The delimiter and the number of columns.
        quotes: Some quotes may open cells; otherwise all of them are characters like others.
        nuls: There may be NUL characters.

    Returns:
        Each line's index, the position of its first byte and that of the next line's, in order.
    """
    if quotes:
        quoted = lines.str.contains('"', literal=True)
        odd = ~_are_plain(lines.filter(~quoted), layout, nuls=nuls)
        odd_quoted = ~_are_regular(lines.filter(quoted), layout)
        if not odd.any() and not odd_quoted.any():
            return iter(())
        index = pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)
        odd_index = index.filter(~quoted).filter(odd).append(index.filter(quoted).filter(odd_quoted)).sort()
    else:
        odd_index = (~_are_plain(lines, layout, nuls=nuls)).arg_true()
    lengths = lines.str.len_bytes().cast(pl.UInt64) + 1
    ends = lengths.cum_sum().gather(odd_index)
    starts = ends - lengths.gather(odd_index)
    return zip(odd_index.to_list(), starts.to_list(), ends.to_list(), strict=True)


def _are_plain(lines: pl.Series, layout: Layout, *, nuls: bool) -> pl.Series:
    """Tell which lines are records, if quotes mean nothing in them."""
    plain = lines.str.count_matches(layout.delimiter, literal=True) == layout.columns - 1
    if nuls:
        plain &= ~lines.str.contains("\0", literal=True)
    return plain & (lines != "") if layout.columns == 1 else plain


def _are_regular(lines: pl.Series, layout: Layout) -> pl.Series:
    """Tell which lines are records whose quotes enclose whole cells."""
    if layout.columns > _MAX_PATTERN_COLUMNS:
        return pl.repeat(False, lines.len(), eager=True)
    return lines.str.contains(layout.line_pattern)


class _Walk:
    """The way through a block from one odd line to the next.

    Lines are indexes within the block. `kept` gives the text of the readable records, such that polars'
    parser splits them exactly as `records.split` would.
    """

    def __init__(self, text: bytes, masked: bytes, layout: Layout, *, final: bool) -> None:
        self.text = text
        self.masked = masked
        self.layout = layout
        self.final = final
        self.end = len(text)
        self.end_line: int | None = None
        self.rejected: list[tuple[int, Reason, str]] = []
        self.blank_lines: list[int] = []
        self.inner_lines: list[int] = []
        self.edits: list[tuple[int, int, bytes]] = []
        self.is_broken = masked != text
        self.holds_nul = _NUL in masked

    def visit(self, odd_lines: Iterator[OddLine]) -> None:
        """Decide what each odd line is; those inside a record that began above are passed over."""
        next_start = 0
        for line, start, end in odd_lines:
            if start < next_start:
                continue
            next_start = end
            if self.layout.is_blank(self.text[start : end - 1]):
                self.blank_lines.append(line)
                self.edits.append((start, end, b""))
            elif self.text.find(QUOTE, start, end) < 0:
                self._reject(line, start, end)
            elif record_end := self._record(line, start, end):
                next_start = record_end
            elif self._continues_below(start):
                self.end, self.end_line = start, line
                return
            else:
                self._reject(line, start, end)

    def masks(self, lines: int) -> tuple[pl.Series, pl.Series]:
        """Tell for each line whether a record starts there, and whether a readable one does."""
        count = lines if self.end_line is None else self.end_line
        records = pl.repeat(True, count, dtype=pl.Boolean, eager=True)
        records = records.scatter(self.inner_lines + self.blank_lines, False)
        readable = records.clone().scatter([line for line, _, _ in self.rejected], False)
        return records, readable

    def rejected_records(self, rows: pl.Series, start: Place) -> pl.DataFrame:
        """Give the table of unreadable records, with the row number that `rows` holds for their line."""
        lines = pl.Series([line for line, _, _ in self.rejected], dtype=pl.UInt32())
        return pl.DataFrame(
            {
                "_row": rows.gather(lines),
                "_line": lines + start.lines + 1,
                "reason": [reason.value for _, reason, _ in self.rejected],
                "raw": [raw for _, _, raw in self.rejected],
            },
            schema=REJECTED_SCHEMA,
        )

    def kept(self) -> bytes:
        """Give the text of the readable records."""
        if not self.edits:
            return self.text[: self.end]
        view = memoryview(self.text)
        pieces: list[bytes | memoryview] = []
        position = 0
        for start, end, replacement in self.edits:
            pieces += (view[position:start], replacement)
            position = end
        return b"".join((*pieces, view[position : self.end]))

    def _record(self, line: int, start: int, line_end: int) -> int:
        """Take the record that begins here with all its lines; give its end, or 0 if there is none."""
        limit = max(start + MAX_RECORD_BYTES, line_end)
        regular = self.layout.regular_record.match(self.text, start, limit)
        match = regular or self.layout.record.match(self.text, start, limit)
        if match is None:
            return 0
        end = match.end()
        self.inner_lines.extend(range(line + 1, line + self.text.count(b"\n", start, end)))
        if self.holds_nul and self.masked.find(_NUL, start, end) >= 0:
            self._reject(line, start, end)
        elif regular is None:
            self._requote(start, end)
        return end

    def _requote(self, start: int, end: int) -> None:
        record = split(self.text, start, self.layout.delimiter_byte)
        if record is not None:
            self.edits.append((start, end, requote(record[0], self.layout.delimiter_byte)))

    def _continues_below(self, start: int) -> bool:
        """Tell whether the next block may close what is open here."""
        if self.final or self.end - start >= MAX_RECORD_BYTES:
            return False
        return self.layout.open_record.match(self.text, start) is not None

    def _reject(self, line: int, start: int, end: int) -> None:
        raw = self.text[start : end - 1]
        reason = Reason.ENCODING if self.is_broken and not is_utf8(raw) else Reason.UNREADABLE_ROW
        self.rejected.append((line, reason, raw.decode(errors="backslashreplace")))
        self.edits.append((start, end, b""))


def _count(mask: pl.Series) -> int:
    return int(mask.sum() or 0)


def _parse_good(text: bytes, layout: Layout, records: int, *, quote_char: str | None) -> pl.DataFrame:
    """Parse text of good records; should polars ever disagree about their number, without it."""
    if not records:
        return _schema(layout).to_frame()
    try:
        cells = _parse(text, layout, quote_char=quote_char)
    except (pl.exceptions.PolarsError, OSError):
        return _parse_exactly(text, layout)
    return cells if cells.height == records else _parse_exactly(text, layout)


def _parse(text: bytes, layout: Layout, *, quote_char: str | None) -> pl.DataFrame:
    guarded = text.startswith(_MISREAD_STARTS)
    if guarded:
        text = layout.delimiter_byte * (layout.columns - 1) + b"\n" + text
    cells = pl.read_csv(
        text,
        has_header=False,
        schema=_schema(layout),
        separator=layout.delimiter,
        quote_char=quote_char,
        null_values=None if quote_char is None else [""],
    )
    return cells.slice(1) if guarded else cells


def _parse_exactly(text: bytes, layout: Layout) -> pl.DataFrame:
    rows = []
    position = 0
    while record := split(text, position, layout.delimiter_byte) if position < len(text) else None:
        cells, position = record
        rows.append([cell.decode() or None for cell in cells])
    return pl.DataFrame(rows, schema=_schema(layout), orient="row")


def _schema(layout: Layout) -> pl.Schema:
    return pl.Schema({str(position): pl.String() for position in range(layout.columns)})
