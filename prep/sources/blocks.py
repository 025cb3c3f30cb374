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
from prep.sources.records import Layout, split, with_line_feeds

MAX_RECORD_BYTES: Final = 10_000_000
"""A cell that is still open when its record is as long as this was never meant to be open."""

_NUL = b"\0"
_MISREAD_STARTS = (BOM, b"x\x01", b"x^")  # polars drops the first and takes the others for zlib streams
MAX_FOOTER_LINES: Final = 100
"""How many lines at the end of a source may be its footer, blank ones among them included."""

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
        unread: The rest of the block: a record that does not end within it, or lines that are a footer if
            nothing else follows.
    """

    batch: Batch
    end: Place
    unread: bytes = b""


def read_block(text: bytes, layout: Layout, start: Place, *, final: bool) -> Block:
    """Read a block of whole lines that begins where a record begins.

    Args:
        text: The lines, each ended by LF, CRLF or CR.
        layout: How records are laid out.
        start: What comes before the block.
        final: Nothing follows; otherwise a record may be left unread at the block's end.
    """
    cells = _read_clean(text, layout)
    lines: pl.Series | None = None
    if cells is None:
        text = with_line_feeds(text)
        lines = _lines(text)
        cells = None if lines is None else _read_quoted(text, lines, layout)
    if cells is None or _repeat_header(cells, layout) is not None:
        text = with_line_feeds(text)
        return _read_odd(text, _lines(text) if lines is None else lines, layout, start, final=final)
    numbers = pl.int_range(1, cells.height + 1, dtype=pl.UInt32)
    cells = cells.with_columns(_row=numbers + start.rows, _line=numbers + start.lines)
    end = Place(start.rows + cells.height, start.lines + cells.height)
    return Block(Batch(cells, REJECTED_SCHEMA.to_frame()), end)


def _repeat_header(cells: pl.DataFrame, layout: Layout) -> pl.Series | None:
    """Tell which records are the header again; return nothing if none is."""
    repeats: pl.Series | None = None
    for position, name in enumerate(layout.header):
        column = cells.to_series(position)
        same = column == name if name else column.is_null()
        repeats = same.fill_null(False) if repeats is None else repeats & same.fill_null(False)
        if not repeats.any():
            return None
    return repeats


def _read_clean(text: bytes, layout: Layout) -> pl.DataFrame | None:
    """Parse a block without quoted cells; return nothing if any line of it is out of order."""
    carriage_returns = text.count(b"\r") if b"\r" in text else 0
    if (
        layout.dialect.opens_quotes(text)
        or _NUL in text
        or (carriage_returns and text.count(b"\r\n") != carriage_returns)
    ):
        return None
    try:
        cells = _parse(text, layout, quote_char=None)
    except (pl.exceptions.PolarsError, OSError):
        return None
    if not _adds_up(cells, len(text) - carriage_returns, layout):
        return None
    return cells.select(_schema(layout).names()) if layout.surplus else cells


def _read_quoted(text: bytes, lines: pl.Series, layout: Layout) -> pl.DataFrame | None:
    """Parse a block in which quotes enclose whole cells of one line; return nothing otherwise.

    Lines with quotes are proved one by one, by a pattern that all parsers agree on; for the others there is
    the sum of `_adds_up`, once the quotes that the parser took off are added.
    """
    quote = layout.dialect.quote
    if layout.columns == 1 or _NUL in text or not layout.dialect.opens_quotes(text):
        return None
    has_quotes = lines.str.contains(quote, literal=True)
    quoted = lines.filter(has_quotes)
    if not _are_regular(quoted, layout).all():
        return None
    try:
        cells = _parse(text, layout, quote_char=quote)
    except (pl.exceptions.PolarsError, OSError):
        return None
    if cells.height != lines.len():
        return None
    kept = cells.filter(has_quotes).select(pl.all().str.count_matches(quote, literal=True).sum()).row(0)
    taken = quoted.str.count_matches(quote, literal=True).sum() - sum(kept)
    if not _adds_up(cells, len(text) - taken, layout):
        return None
    return cells.select(_schema(layout).names()) if layout.surplus else cells


def _adds_up(cells: pl.DataFrame, text_bytes: int, layout: Layout) -> bool:
    """Prove that the parser made nothing up: cells, delimiters and line ends have as many bytes as the text.

    The parser raises on long records. A delimiter that a short or blank line lacks, and a CR that is left in
    a cell, can only make the sum larger than the text without CRs. In a single column nulls are blank lines.
    """
    lengths = cells.select(pl.all().str.len_bytes().sum()).row(0)
    if layout.surplus and lengths[-1]:
        return False
    total = sum(lengths) + cells.height * cells.width
    return total == text_bytes and (layout.columns > 1 or not cells.to_series().has_nulls())


def _read_odd(text: bytes, lines: pl.Series | None, layout: Layout, start: Place, *, final: bool) -> Block:
    """Read a block that may hold anything; its lines end with LF, and were split where that was possible."""
    masked = text
    if lines is None:
        masked = mask_invalid(text)
        lines = pl.Series(masked.decode().split("\n")[:-1], dtype=pl.String())
    quotes = layout.dialect.opens_quotes(text)
    walk = _Walk(text, masked, layout, final=final)
    walk.visit(_odd_lines(lines, layout, quotes=quotes, nuls=walk.holds_nul), lines.len())
    records, readable = walk.masks()
    cells = _parse_good(walk.kept(), layout, _count(readable), quotes=quotes)
    repeats = _repeat_header(cells, layout)
    if repeats is not None:
        again = readable.arg_true().filter(repeats)
        walk.skip_repeated_headers(again.to_list())
        records, readable = walk.masks()
        cells = cells.filter(~repeats)
    rows = records.cast(pl.UInt32).cum_sum() + start.rows
    cells = cells.with_columns(
        rows.filter(readable).alias("_row"), (readable.arg_true() + start.lines + 1).alias("_line")
    )
    end = Place(start.rows + _count(records), start.lines + records.len())
    batch = Batch(cells, walk.rejected_records(rows, start), walk.skipped_lines(start))
    return Block(batch, end, text[walk.end :])


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
        layout: How records are laid out.
        quotes: Some quotes may open cells; otherwise all of them are characters like others.
        nuls: There may be NUL characters.

    Returns:
        Each line's index, the position of its first byte and that of the next line's, in order.
    """
    if quotes:
        quoted = lines.str.contains(layout.dialect.quote, literal=True)
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
    delimiters = lines.str.count_matches(layout.dialect.delimiter, literal=True)
    plain = delimiters == layout.columns - 1
    if layout.surplus:
        plain |= (delimiters == layout.columns) & lines.str.ends_with(layout.dialect.delimiter)
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
        self.lines = 0
        self.rejected: list[tuple[int, Reason, str]] = []
        self.skipped: list[tuple[int, str]] = []
        self.loose: list[tuple[int, int, bool]] = []
        self.inner_lines: list[int] = []
        self.edits: list[tuple[int, int, bytes]] = []
        self.is_broken = masked != text
        self.holds_nul = _NUL in masked

    def visit(self, odd_lines: Iterator[OddLine], lines: int) -> None:
        """Decide what each odd line is; those inside a record that began above are passed over."""
        self.lines = lines
        next_start = 0
        for line, start, end in odd_lines:
            if start < next_start:
                continue
            next_start = end
            if kind := self._kind(start, end):
                self._skip(line, start, end, kind)
            elif not self._holds_quote(start, end):
                self._reject(line, start, end)
            elif record_end := self._record(line, start, end):
                next_start = record_end
            elif self._continues_below(start):
                self.end, self.lines = start, line
                return
            else:
                self._reject(line, start, end)
        self._end_with_footer()

    def masks(self) -> tuple[pl.Series, pl.Series]:
        """Tell for each line whether a record starts there, and whether a readable one does."""
        records = pl.repeat(True, self.lines, dtype=pl.Boolean, eager=True)
        records = records.scatter(self.inner_lines + [line for line, _ in self.skipped], False)
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

    def skipped_lines(self, start: Place) -> tuple[Skipped, ...]:
        """Give the lines that belong to no record, in order."""
        return tuple(Skipped(kind, line + start.lines + 1) for line, kind in sorted(self.skipped))

    def skip_repeated_headers(self, lines: list[int]) -> None:
        """Take these readable records for the header, with all lines of each."""
        inner = sum(name.count("\n") for name in self.layout.header)
        self.skipped += [(first + more, "repeated_header") for first in lines for more in range(inner + 1)]

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

    def _kind(self, start: int, end: int) -> str | None:
        """Name what a line is that is no record."""
        if self.layout.is_blank(self.text[start : end - 1]):
            return "blank"
        if self.text.startswith(b"#", start) and self.layout.is_comment(self.masked[start:end]):
            return "comment"
        return None

    def _holds_quote(self, start: int, end: int) -> bool:
        quote = self.layout.dialect.quote_byte
        return bool(quote) and self.text.find(quote, start, end) >= 0

    def _record(self, line: int, start: int, line_end: int) -> int:
        """Take the record that begins here with all its lines; give its end, or 0 if there is none."""
        limit = max(start + MAX_RECORD_BYTES, line_end)
        regular = self.layout.regular_record.match(self.text, start, limit)
        match = regular or self.layout.record.match(self.text, start, limit)
        if match is None:
            return 0
        end = match.end()
        if end > line_end and self.layout.swallows_records(self.text[line_end:end]):
            self._reject(line, start, line_end)
            return line_end
        self.inner_lines.extend(range(line + 1, line + self.text.count(b"\n", start, end)))
        if self.holds_nul and self.masked.find(_NUL, start, end) >= 0:
            self._reject(line, start, end)
        elif regular is None:
            self._requote(start, end)
        return end

    def _requote(self, start: int, end: int) -> None:
        dialect = self.layout.dialect
        record = split(self.text, start, dialect)
        if record is not None:
            self.edits.append((start, end, dialect.requote(record[0])))

    def _continues_below(self, start: int) -> bool:
        """Tell whether the next block may close what is open here."""
        if self.final or self.end - start >= MAX_RECORD_BYTES:
            return False
        return self.layout.open_record.match(self.text, start) is not None

    def _skip(self, line: int, start: int, end: int, kind: str) -> None:
        self.skipped.append((line, kind))
        self.loose.append((line, start, False))
        self.edits.append((start, end, b""))

    def _reject(self, line: int, start: int, end: int) -> None:
        raw = self.text[start : end - 1]
        reason = Reason.ENCODING if self.is_broken and not is_utf8(raw) else Reason.UNREADABLE_ROW
        self.rejected.append((line, reason, raw.decode(errors="backslashreplace")))
        self.edits.append((start, end, b""))
        if self.layout.is_loose(self.masked[start:end]) and _NUL not in self.masked[start:end]:
            self.loose.append((line, start, True))

    def _end_with_footer(self) -> None:
        """Take the loose lines at the end for a footer, or leave them unread where something may follow."""
        first, position = self._loose_end()
        if first is None:
            return
        self.rejected = [entry for entry in self.rejected if entry[0] < first]
        if self.final:
            taken = {line for line, _ in self.skipped}
            footer = (line for line, _, _ in self.loose if line >= first and line not in taken)
            self.skipped += [(line, "footer") for line in footer]
        else:
            self.skipped = [entry for entry in self.skipped if entry[0] < first]
            self.edits = [edit for edit in self.edits if edit[0] < position]
            self.end, self.lines = position, first

    def _loose_end(self) -> tuple[int | None, int]:
        """Find the first line that may be of the footer, and where it starts."""
        first, position = None, self.end
        expected = self.lines - 1
        for line, start, may_be_footer in reversed(self.loose):
            if line != expected or self.lines - line > MAX_FOOTER_LINES:
                break
            if may_be_footer:
                first, position = line, start
            expected = line - 1
        return first, position


def _count(mask: pl.Series) -> int:
    return int(mask.sum() or 0)


def _parse_good(text: bytes, layout: Layout, records: int, *, quotes: bool) -> pl.DataFrame:
    """Parse text of good records; should polars ever disagree about their number, without it."""
    if not records:
        return _schema(layout).to_frame()
    try:
        cells = _parse(text, layout, quote_char=layout.dialect.quote if quotes else None)
    except (pl.exceptions.PolarsError, OSError):
        return _parse_exactly(text, layout)
    if cells.height != records:
        return _parse_exactly(text, layout)
    return cells.select(_schema(layout).names()) if layout.surplus else cells


def _parse(text: bytes, layout: Layout, *, quote_char: str | None) -> pl.DataFrame:
    guarded = text.startswith(_MISREAD_STARTS)
    if guarded:
        text = layout.dialect.delimiter_byte * (layout.columns - 1) + b"\n" + text
    schema = _schema(layout)
    if layout.surplus:
        schema["surplus"] = pl.String()
    cells = pl.read_csv(
        text,
        has_header=False,
        schema=schema,
        separator=layout.dialect.delimiter,
        quote_char=quote_char,
        null_values=None if quote_char is None else [""],
    )
    return cells.slice(1) if guarded else cells


def _parse_exactly(text: bytes, layout: Layout) -> pl.DataFrame:
    rows = []
    position = 0
    dialect = layout.dialect.doubling
    while record := split(text, position, dialect) if position < len(text) else None:
        cells, position = record
        rows.append([cell.decode() or None for cell in cells[: layout.columns]])
    return pl.DataFrame(rows, schema=_schema(layout), orient="row")


def _schema(layout: Layout) -> pl.Schema:
    return pl.Schema({str(position): pl.String() for position in range(layout.columns)})
