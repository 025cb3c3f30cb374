"""One block of lines → readable cells, rejected records and skipped lines.

Polars parses; nothing that it gives is believed unproved. In a block in which no quote opens a cell, or all
enclose whole cells of single lines, one sum over all cells proves that every line is a record. Where some
lines have too few cells or too many, each row is measured against its line, and the lines that differ are
looked at in Python. In any other block regular expressions in Rust pick out the odd lines; Python finds
where their records end and cuts from the text what must not reach the parser. So exotic rows cost Python and
ordinary ones never do.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import polars as pl

from prep.sources.batch import MOST_SKIPPED, REJECTED_SCHEMA, Batch
from prep.sources.encoding import mask_invalid
from prep.sources.records import Layout, has_marks, split, with_line_feeds
from prep.sources.unpacked import MISREAD_STARTS, read_lines
from prep.sources.walk import OddLine, Walk

_NUL = b"\0"
_MARK = BOM_UTF8.decode()
_LONE_CR: Final = re.compile(rb"\r(?!\n)")
_MAX_PATTERN_COLUMNS = 1000  # beyond it the Rust pattern takes long to compile


class Place(NamedTuple):
    """A position in a source: how many records and how many physical lines come before."""

    rows: int
    lines: int


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


class Parsed(NamedTuple):
    """What polars makes of a block on its own.

    Attributes:
        cells: A row for each line, short ones filled up.
        is_proved: Every line is a record that every parser reads alike, and none is the header again.
        lines: The lines, where some had to be looked at and what was found proves nothing.
    """

    cells: pl.DataFrame
    is_proved: bool
    lines: pl.Series | None = None


def parse(text: bytes, layout: Layout) -> Parsed | None:
    """Parse a block of whole lines as if a record began with it, whatever comes before.

    Args:
        text: The lines, each ended by LF, CRLF or CR.
        layout: How records are laid out.

    Returns:
        What polars makes of it; nothing where a cell may go over several lines, a line is too long, or the
        text holds what polars must not see, such as byte order marks before lines.
    """
    if _NUL in text or has_marks(text) or (b"\r" in text and _LONE_CR.search(text)):
        return None
    if not layout.dialect.opens_quotes(text):
        cells = _parse(text, layout, quote_char=None)
        return cells if cells is None else Parsed(cells, _is_proved(cells, text, layout))
    lines = _lines(text)
    quote_bytes = None if lines is None else _enclosing_bytes(lines, layout)
    if lines is None or quote_bytes is None:
        return None
    cells = _parse(text, layout, quote_char=layout.dialect.quote)
    if cells is None or cells.height != lines.len():
        return None
    is_proved = _is_proved(cells, text, layout, quote_bytes)
    return Parsed(cells, is_proved, None if is_proved else lines)


def read_block(
    text: bytes, layout: Layout, start: Place, *, final: bool, parsed: Parsed | None = None
) -> Block:
    """Read a block of whole lines that begins where a record begins.

    Args:
        text: The lines, each ended by LF, CRLF or CR.
        layout: How records are laid out.
        start: What comes before the block.
        final: Nothing follows; otherwise a record may be left unread at the block's end.
        parsed: What `parse` made of it, if that is known.
    """
    if parsed and parsed.is_proved:
        return _whole(_without_surplus(parsed.cells, layout), start)
    if b"\r" in text and _LONE_CR.search(text):
        text = with_line_feeds(text)
    block = None
    lines = parsed.lines if parsed else None
    if lines is None and _NUL not in text and not has_marks(text):
        lines = _lines(text)
    if lines is not None:
        cells = parsed.cells if parsed else None
        block = _read_line_by_line(text, lines, cells, layout, start, final=final)
    return block or _read_odd(text, layout, start, final=final)


def _whole(cells: pl.DataFrame, start: Place) -> Block:
    """Number the records of a block in which every line is one that can be read."""
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


def _find_blanks(cells: pl.DataFrame, layout: Layout) -> pl.Series | None:
    """Tell which records hold nothing, as spreadsheets save formatted rows; return nothing if none does."""
    blank: pl.Series | None = None
    for position in range(layout.columns):
        column = cells.to_series(position)
        if not column.has_nulls():
            return None
        blank = column.is_null() if blank is None else blank & column.is_null()
        if not blank.any():
            return None
    return blank


def _enclosing_bytes(lines: pl.Series, layout: Layout) -> int | None:
    """Count what quotes add to the cells that they enclose, in lines in which that is all they do.

    Returns:
        Their bytes: two for each such cell, and one for each quote within it. None if a quote opens a cell
        that it does not enclose as a whole, or that goes over several lines, or if that is not known.
    """
    if layout.surplus:
        return None
    quote = layout.dialect.quote
    quoted = lines.filter(lines.str.contains(quote, literal=True))
    if not quoted.str.contains(layout.enclosing_line).all():
        return None
    doubled = quoted.filter(quoted.str.contains(quote * 2, literal=True))
    cells = _count(doubled.str.count_matches(layout.enclosed_cell))
    inner = _count(doubled.str.count_matches(quote, literal=True)) - 2 * cells
    return _count(quoted.str.count_matches(quote, literal=True)) - inner // 2


def _is_proved(cells: pl.DataFrame, text: bytes, layout: Layout, quote_bytes: int = 0) -> bool:
    if not _adds_up(cells, text, layout, quote_bytes):
        return False
    return _are_rows(_without_surplus(cells, layout), layout)


def _are_rows(cells: pl.DataFrame, layout: Layout) -> bool:
    return _repeat_header(cells, layout) is None and _find_blanks(cells, layout) is None


def _adds_up(cells: pl.DataFrame, text: bytes, layout: Layout, quote_bytes: int) -> bool:
    """Prove that the parser made nothing up: cells, delimiters and line ends have as many bytes as the text.

    The parser raises on long records. A delimiter that a short or blank line lacks can only make the sum
    larger. In a single column nulls are blank lines. Line ends are LF, or all of them CRLF: fewer CRs than
    lines can only make the sum larger too.
    """
    lengths = cells.select(pl.all().str.len_bytes().sum()).row(0)
    if any(lengths[layout.columns :]):
        return False
    line_end_bytes = 2 if b"\r" in text else 1
    total = sum(lengths) + quote_bytes + cells.height * (cells.width - 1 + line_end_bytes)
    return total == len(text) and (layout.columns > 1 or not cells.to_series(0).has_nulls())


def _read_line_by_line(
    text: bytes, lines: pl.Series, cells: pl.DataFrame | None, layout: Layout, start: Place, *, final: bool
) -> Block | None:
    """Read a block in which no quoted cell goes over several lines; return nothing if one may do so.

    Args:
        text: The block.
        lines: Its lines.
        cells: What was parsed of it, if it was.
        layout: How records are laid out.
        start: What comes before the block.
        final: Nothing follows.
    """
    is_quoted = None
    if layout.dialect.opens_quotes(text):
        is_quoted = lines.str.contains(layout.dialect.quote, literal=True)
        if not _are_regular(lines.filter(is_quoted), layout).all():
            return None
    if cells is None:
        quote = None if is_quoted is None else layout.dialect.quote
        cells = _parse(text, layout, quote_char=quote, is_cutting=True)
    if cells is None or cells.height != lines.len():
        return None
    fits = _fit(cells, lines, layout)
    if is_quoted is not None:
        fits |= is_quoted
    cells = _without_surplus(cells, layout)
    if fits.all() and _are_rows(cells, layout):
        return _whole(cells, start)
    index = (~fits).arg_true()
    odd = lines.gather(index)
    walk = Walk((odd + "\n").str.join().item().encode(), layout, final=final)
    walk.visit(_places(index, odd), lines.len())
    _, readable = walk.masks()
    return _block(walk, cells.head(walk.lines).filter(readable), layout, start)


def _fit(cells: pl.DataFrame, lines: pl.Series, layout: Layout) -> pl.Series:
    """Tell which rows have as many bytes as their lines, which tells how many cells these have.

    A parser that fills short lines up gives a row more delimiters than its line has, one that cuts long lines
    off fewer bytes. A blank line in a single column has as many.
    """
    lengths = cells.select(pl.sum_horizontal(pl.all().str.len_bytes())).to_series() + cells.width
    line_lengths = lines.str.len_bytes() + 1
    if layout.surplus:
        behind = cells.select(pl.sum_horizontal(pl.nth(*_behind(layout)).str.len_bytes())).to_series()
        fits = lengths.is_between(line_lengths, line_lengths + layout.surplus) & (behind == 0)
    else:
        fits = lengths == line_lengths
    return fits & (lines != "") if layout.columns == 1 else fits


def _read_odd(text: bytes, layout: Layout, start: Place, *, final: bool) -> Block:
    """Read a block that may hold anything."""
    text = with_line_feeds(text)
    lines = _lines(text)
    masked = text
    if lines is None:
        masked = mask_invalid(text)
        lines = pl.Series(masked.decode().split("\n")[:-1], dtype=pl.String())
    marks = has_marks(text)
    quotes = bool(layout.dialect.quote) and (marks or layout.dialect.opens_quotes(text))
    walk = Walk(text, layout, masked=masked, final=final)
    odd_lines = _odd_lines(lines, layout, quotes=quotes, nuls=walk.holds_nul, marks=marks)
    walk.visit(odd_lines, lines.len())
    _, readable = walk.masks()
    return _block(walk, _parse_good(walk.kept(), layout, _count(readable), quotes=quotes), layout, start)


def _block(walk: Walk, cells: pl.DataFrame, layout: Layout, start: Place) -> Block:
    """Number what was found on the way through a block.

    Args:
        walk: The way, which is over.
        cells: The records that it found readable.
        layout: How records are laid out.
        start: What comes before the block.
    """
    records, readable = walk.masks()
    for kind, find in (("repeated_header", _repeat_header), ("blank", _find_blanks)):
        if (found := find(cells, layout)) is not None:
            is_none = found & (found.cum_sum() <= MOST_SKIPPED + 1)
            walk.skip_records(readable.arg_true().filter(is_none).to_list(), kind)
            records, readable = walk.masks()
            cells = cells.filter(~is_none)
    rows = records.cast(pl.UInt32).cum_sum() + start.rows
    cells = cells.with_columns(
        rows.filter(readable).alias("_row"), (readable.arg_true() + start.lines + 1).alias("_line")
    )
    end = Place(start.rows + _count(records), start.lines + records.len())
    batch = Batch(cells, walk.rejected_records(rows, start.lines), walk.skipped_lines(start.lines))
    return Block(batch, end, walk.unread)


def _lines(text: bytes) -> pl.Series | None:
    """Split into physical lines, which end with LF or CRLF.

    Returns:
        The lines; nothing where polars cannot split them, such as for bytes that are not UTF-8.
    """
    if not text:
        return pl.Series(dtype=pl.String())
    try:
        lines = read_lines(text)
    except (pl.exceptions.PolarsError, OSError):
        return None
    length = int(lines.str.len_bytes().sum() or 0) + lines.len()
    returns = text.count(b"\r") if b"\r" in text else 0  # looking for none is quicker than counting
    return lines if length + returns == len(text) else None


def _odd_lines(
    lines: pl.Series, layout: Layout, *, quotes: bool, nuls: bool, marks: bool
) -> Iterator[OddLine]:
    """Find the lines that are not, all alone, a record that every parser reads alike.

    Args:
        lines: The physical lines.
        layout: How records are laid out.
        quotes: Some quotes may open cells; otherwise all of them are characters like others.
        nuls: There may be NUL characters.
        marks: Lines may begin with byte order marks.

    Returns:
        Each in order, with its place in the text of all lines.
    """
    if quotes:
        quoted = lines.str.contains(layout.dialect.quote, literal=True)
        odd = ~_are_plain(lines.filter(~quoted), layout, nuls=nuls)
        odd_quoted = ~_are_regular(lines.filter(quoted), layout)
        if not (marks or odd.any() or odd_quoted.any()):
            return iter(())
        index = pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)
        odd_index = index.filter(~quoted).filter(odd).append(index.filter(quoted).filter(odd_quoted)).sort()
    else:
        odd_index = (~_are_plain(lines, layout, nuls=nuls)).arg_true()
    if marks:
        odd_index = odd_index.append(lines.str.starts_with(_MARK).arg_true()).unique().sort()
    lengths = lines.str.len_bytes().cast(pl.UInt64) + 1
    ends = lengths.cum_sum().gather(odd_index)
    starts = ends - lengths.gather(odd_index)
    return zip(odd_index, starts, ends, strict=True)


def _places(index: pl.Series, lines: pl.Series) -> Iterator[OddLine]:
    """Give lines, which have these indexes in their block, with their places in their own text."""
    lengths = lines.str.len_bytes().cast(pl.UInt64) + 1
    ends = lengths.cum_sum()
    return zip(index, ends - lengths, ends, strict=True)


def _are_plain(lines: pl.Series, layout: Layout, *, nuls: bool) -> pl.Series:
    """Tell which lines are records, if quotes mean nothing in them."""
    delimiters = lines.str.count_matches(layout.dialect.delimiter, literal=True)
    plain = delimiters == layout.columns - 1
    if layout.surplus:
        behind = lines.str.len_bytes() - lines.str.strip_chars_end(layout.dialect.delimiter).str.len_bytes()
        is_longer = delimiters.is_between(layout.columns, layout.columns + layout.surplus - 1)
        plain |= is_longer & (behind + layout.columns > delimiters)
    if nuls:
        plain &= ~lines.str.contains("\0", literal=True)
    return plain & (lines != "") if layout.columns == 1 else plain


def _are_regular(lines: pl.Series, layout: Layout) -> pl.Series:
    """Tell which lines are records whose quotes enclose whole cells."""
    if layout.columns + layout.surplus > _MAX_PATTERN_COLUMNS:
        return pl.repeat(False, lines.len(), eager=True)
    return lines.str.contains(layout.line_pattern)


def _count(mask: pl.Series) -> int:
    return int(mask.sum() or 0)


def _parse_good(text: bytes, layout: Layout, records: int, *, quotes: bool) -> pl.DataFrame:
    """Parse text of good records; should polars ever disagree about their number, without it."""
    if not records:
        return _schema(layout).to_frame()
    cells = _parse(text, layout, quote_char=layout.dialect.quote if quotes else None)
    if cells is None or cells.height != records:
        return _parse_exactly(text, layout)
    return _without_surplus(cells, layout)


def _parse(
    text: bytes, layout: Layout, *, quote_char: str | None, is_cutting: bool = False
) -> pl.DataFrame | None:
    """Let polars parse: columns more at the end where there may be a surplus; nothing where it raises.

    It fills short lines up. At a long one it raises, or it cuts it off.
    """
    guarded = text.startswith(MISREAD_STARTS)
    if guarded:
        text = layout.dialect.delimiter_byte * (layout.columns - 1) + b"\n" + text
    schema = _schema(layout)
    schema.update({str(position): pl.String() for position in _behind(layout)})
    try:
        cells = pl.read_csv(
            text,
            has_header=False,
            schema=schema,
            separator=layout.dialect.delimiter,
            quote_char=quote_char,
            null_values=None if quote_char is None else [""],
            truncate_ragged_lines=is_cutting,
        )
    except (pl.exceptions.PolarsError, OSError):
        return None
    return cells.slice(1) if guarded else cells


def _parse_exactly(text: bytes, layout: Layout) -> pl.DataFrame:
    rows = []
    position = 0
    dialect = layout.dialect.doubling
    while record := split(text, position, dialect) if position < len(text) else None:
        cells, position = record
        rows.append([cell.decode() or None for cell in cells[: layout.columns]])
    return pl.DataFrame(rows, schema=_schema(layout), orient="row")


def _without_surplus(cells: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    return cells.select(_schema(layout).names()) if layout.surplus else cells


def _behind(layout: Layout) -> range:
    """Positions of the cells that a surplus of delimiters makes."""
    return range(layout.columns, layout.columns + layout.surplus)


def _schema(layout: Layout) -> pl.Schema:
    return pl.Schema({str(position): pl.String() for position in range(layout.columns)})
