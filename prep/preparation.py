"""The frame stages over batches: the first pass over the rows.

It judges every row. Valid ones wait in a spill for the second pass (see `decision`), the others beside it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

import polars as pl

from prep import blanks, headers
from prep.ahead import ahead, cores, side_by_side
from prep.duplicates import KEY, ORDINAL, rank
from prep.errors import SourceError
from prep.memory import Memory
from prep.model import IDENTITY, RECORD, ROW, SOURCE, Fate, Reason
from prep.plan import Plan, occurrences
from prep.returned import identify, own_places
from prep.sources import Batch, Skipped
from prep.sources.batch import refuse_many_skipped
from prep.sources.files import stored_bytes
from prep.spill import Spill
from prep.suppression import hold_back
from prep.validation import REASONS, validate
from prep.values import Normalised, Note, Noted, find_notes, find_spoiled, normalise
from prep.values.evidence import has_doubt
from prep.values.names import clean_names, split_names

POSITION, RAW = "_position", "_raw"
HASH = "_hash"


@dataclass(frozen=True)
class Judged:
    """One batch after the first pass; its records are those of `valid`, `rejected` and `suppressed`.

    Attributes:
        valid: `_position` (of the source in the plan), `_record`, `_source`, `_row`, `_line`, the judged
            fields, normalised, and `_key`; in source order.
        filled: Which of the upload's fields each valid row fills, if that decides what is sent; else empty.
        rejected: The source's cells as read, one column for each of the plan's `source_columns` named by
            position, then `_position`, `_source`, `_row`, `_line`, `_reasons`, `_raw`; in source order.
        suppressed: The same of rows that must not be sent, with `_key`.
        changes: How many cells each rule changed, by field and rule.
        notes: Values that are sent as they are but deserve a look, by field and code.
        skipped: Physical lines that hold no row.
    """

    valid: pl.DataFrame
    filled: pl.DataFrame
    rejected: pl.DataFrame
    suppressed: pl.DataFrame
    changes: Mapping[tuple[str, str], int]
    notes: Mapping[tuple[str, Note], Noted]
    skipped: Sequence[Skipped]


@dataclass
class FirstPass:
    """What is left of the first pass beside the spill.

    Attributes:
        valid: How many rows are valid.
        row_bytes: What one of them takes, on average.
        left_out: `_record`, `_source`, `_row`, `_line`, `_key` (of a suppressed row), `fate` and `_reasons`
            of the rejected and suppressed rows, batch by batch as in the spill.
        fates: How many these are, by fate.
        reasons: How many of them have each reason, by field (empty for the whole row) and code.
        filled: Which fields each valid row fills, by ordinal, if that decides what is sent; else empty.
        rows: Records of each source, as the reader counted them.
        digests: SHA-256 of each source as it was read, in hexadecimal.
        skipped: Physical lines of each source that hold no row.
        changes: How many cells each rule changed, by field and rule.
        notes: Values that are sent as they are but deserve a look, by field and code.
    """

    valid: int
    row_bytes: int
    left_out: Spill
    fates: Counter[str]
    reasons: Counter[tuple[str, str]]
    filled: pl.DataFrame
    rows: Sequence[int]
    digests: Sequence[str]
    skipped: Sequence[Sequence[Skipped]]
    changes: Counter[tuple[str, str]]
    notes: Mapping[tuple[str, Note], Noted]

    @property
    def read(self) -> int:
        """Records of all sources."""
        return sum(self.rows)


def first_pass(
    plan: Plan, spill: Spill, note: Callable[[Judged, int, float | None], None], memory: Memory
) -> FirstPass:
    """Read, map, normalise and judge all rows of all sources.

    Args:
        plan: The plan.
        spill: Takes the valid rows in: `Judged.valid`, numbered by `_ordinal`, `_source` as a categorical,
            with `_hash` (of the key) and `_rank`.
        note: Called with each batch, how many rows have been judged so far, and how much of the sources that
            is (from 0 to 1; None if nobody knows).
        memory: What may be held at a time.

    Raises:
        SourceError: There are no rows, one stands in a returned table twice, or too many lines hold none.
        UndecidedError: A column must be surveyed first. What `spill` and `note` were given is void.
    """
    left_out = spill.beside("left-out")
    counts = Counter[str]()
    reasons = Counter[tuple[str, str]]()
    returned: list[pl.DataFrame] = []
    own = [source.path for source in plan.sources if own_places(source.columns)]
    filled: list[pl.DataFrame] = []
    rows: list[int] = []
    digests: list[str] = []
    skipped: list[list[Skipped]] = [[] for _ in plan.sources]
    changes = Counter[tuple[str, str]]()
    notes: defaultdict[tuple[str, Note], Noted] = defaultdict(Noted)
    ordinal = read = size = 0

    def judge(portion: _Portion) -> tuple[int, float | None, Judged]:
        return portion.position, portion.share, judge_batch(plan, portion.position, portion.batch)

    threads = cores()
    with ahead(_read(plan, rows, digests, portion(memory, threads))) as batches:
        for position, share, judged in side_by_side(judge, batches, threads):
            valid = judged.valid.with_row_index(ORDINAL, offset=ordinal).with_columns(
                pl.col(SOURCE).cast(pl.Categorical)
            )
            ordinal += valid.height
            size += int(valid.estimated_size())
            read += valid.height + judged.rejected.height + judged.suppressed.height
            spill.append(valid.with_columns(_KEY_HASH, rank(valid, plan.fields, plan.settings.keep)), share)
            if own:
                returned += (
                    part.select(pl.col(SOURCE).cast(pl.Categorical), ROW)
                    for part in (judged.valid, judged.rejected, judged.suppressed)
                )
            left_out.append(fated := _left_out(judged))
            counts.update(dict(fated["fate"].value_counts().rows()))
            reasons.update(_count_reasons(fated))
            filled.append(judged.filled)
            skipped[position].extend(judged.skipped)
            refuse_many_skipped(sum(map(len, skipped)), plan.sources[position].path, all_sources=True)
            changes.update(judged.changes)
            for place, noted in judged.notes.items():
                notes[place] += noted
            note(judged, read, share)
    if own:
        _refuse_repeats(own, pl.concat(returned))
    if not sum(rows):
        raise _no_rows(plan, sum(entry.kind == "footer" for entry in chain.from_iterable(skipped)))
    return FirstPass(
        valid=ordinal,
        row_bytes=size // (ordinal or 1),
        left_out=left_out,
        fates=counts,
        reasons=reasons,
        filled=pl.concat(filled),
        rows=rows,
        digests=digests,
        skipped=skipped,
        changes=changes,
        notes=notes,
    )


def _no_rows(plan: Plan, footer_lines: int) -> SourceError:
    path, lookup_field = plan.sources[0].path, plan.settings.lookup_field
    hint = "A lead file has a header and at least one row below it."
    if footer_lines:
        hint += f" Lines that were taken for a footer, with a blank {lookup_field}: {footer_lines:,}."
    return SourceError(f"{path}: there are no data rows", code="no_rows", hint=hint, source=path)


def portion(memory: Memory, threads: int) -> float:
    """How large batches are, from 0 to 1 of the usual size, with so many judged at the same time."""
    return min(1.0, (memory.free - _READ_BYTES) / ((threads + 2) * _JUDGED_BYTES))


def _left_out(judged: Judged) -> pl.DataFrame:
    """The rows of a batch that are not sent: see `FirstPass.left_out`."""
    rejected, suppressed = (
        rows.select(RECORD, *IDENTITY, key, pl.lit(fate.value).alias("fate"), REASONS)
        for rows, key, fate in (
            (judged.rejected, pl.lit(None, pl.String).alias(KEY), Fate.REJECTED),
            (judged.suppressed, pl.col(KEY), Fate.SUPPRESSED),
        )
    )
    return pl.concat([rejected, suppressed])


def _count_reasons(rows: pl.DataFrame) -> Counter[tuple[str, str]]:
    """How many rows have each reason, by field and code."""
    counted = Counter[tuple[str, str]]()
    for reason, number in rows[REASONS].explode().drop_nulls().value_counts().rows():
        field, _, code = reason.rpartition(":")
        counted[field, code] += number
    return counted


_BATCH_CELLS: Final = 1_400_000
"""How many cells are judged together: 140,000 rows of ten columns. More take memory, fewer take time."""

_BATCH_BYTES: Final = 28_000_000
"""How many bytes are judged together, which long texts reach first."""

_READ_BYTES: Final = 85_000_000
"""What the blocks take that are read at a time, and what the allocator has not given back."""

_JUDGED_BYTES: Final = 84_000_000
"""What a batch takes while it is judged. One for each processor is, and one more is read and one written."""

_KEY_HASH: Final = pl.col(KEY).hash().alias(HASH)


class _Portion(NamedTuple):
    """A batch, the position of its source, and how much of all sources was read with it, if that is known."""

    position: int
    batch: Batch
    share: float | None


def _read(plan: Plan, rows: list[int], digests: list[str], size: float) -> Generator[_Portion]:
    """The batches of all sources, of so much of the usual size; `rows` and `digests` are added to."""
    sizes = [stored_bytes(source.stored or source.path) for source in plan.sources]
    whole = sum(sizes) or 1
    for position, source in enumerate(plan.sources):
        reader = source.read(plan.lookup_position(position))
        for batch in _joined(reader, len(source.columns) or 1, size):
            before, share = sum(sizes[:position]), reader.share
            yield _Portion(
                position,
                identify(source, batch),
                None if share is None else (before + share * sizes[position]) / whole,
            )
        rows.append(reader.rows)
        digests.append(reader.sha256)


def _joined(batches: Iterable[Batch], columns: int, portion: float) -> Iterator[Batch]:
    """The same records in larger batches, since each has its price: of so much of the usual size."""
    rows, most = portion * _BATCH_CELLS // columns, portion * _BATCH_BYTES
    waiting: list[Batch] = []
    height = size = 0
    for batch in batches:
        waiting.append(batch)
        height += batch.cells.height
        size += int(batch.cells.estimated_size())
        if height >= rows or size >= most:
            joined = _join(waiting)
            waiting, height, size = [], 0, 0
            yield joined
    if waiting:
        yield _join(waiting)


def _join(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return Batch(
        pl.concat([batch.cells for batch in batches], rechunk=True),
        pl.concat([batch.rejected for batch in batches]),
        tuple(chain.from_iterable(batch.skipped for batch in batches)),
    )


def _refuse_repeats(own: Sequence[str], rows: pl.DataFrame) -> None:
    """Refuse a row that tables of prep's own hold twice: it would have two fates.

    Raises:
        SourceError: There is one.
    """
    if repeated := rows.height - rows.n_unique():
        raise SourceError(
            f"{', '.join(own)}: {repeated} rows stand in it more than once",
            code="repeated_row",
            hint="Delete all lines but one for each row.",
            source=own[0],
        )


def judge_batch(plan: Plan, position: int, batch: Batch) -> Judged:
    """Judge one batch of the source at `position`.

    Raises:
        UndecidedError: As `first_pass`.
    """
    _refuse_unsettled(plan, position, batch.cells)
    of_names = Counter[tuple[str, str]]()
    cells = as_fields(plan, position, batch.cells, of_names)
    cells = blanks.set_orders_aside(cells, plan.settings.clear)
    normalised = _normalise(plan, position, cells)
    validated = validate(normalised.frame, plan.judge)
    _refuse_doubts(plan, validated.rejected)
    finite, infinite = _split_infinite(plan, position, batch.cells, validated.valid)
    fitting, oversized = _split_oversized(plan, blanks.give_orders(finite, plan.settings.clear))
    broken = pl.concat(rows.select(RECORD, REASONS) for rows in (validated.rejected, infinite, oversized))
    keyed = fitting.with_columns(plan.keys(fitting))
    valid, held = hold_back(keyed, plan.suppression, plan.consent, plan.settings.consent_countries)
    return Judged(
        valid=valid,
        filled=_filled(plan, valid),
        rejected=_rejected(plan, position, batch, broken),
        suppressed=_as_read(plan, position, batch, held.select(RECORD, REASONS, KEY)),
        changes=of_names + Counter(normalised.changes),
        notes={
            **({} if plan.settings.repair_mojibake else find_spoiled(cells)),
            **_find_notes(plan, position, blanks.without_orders(valid, plan.settings.clear)),
            **normalised.notes,
        },
        skipped=batch.skipped,
    )


def _filled(plan: Plan, rows: pl.DataFrame) -> pl.DataFrame:
    return blanks.find_filled(plan.as_sent(rows), plan.fields) if plan.leaves_blanks_out else pl.DataFrame()


def _normalise(plan: Plan, position: int, cells: pl.DataFrame) -> Normalised:
    fields = plan.known_fields
    parts = [normalise(part, fields, spelling) for spelling, part in plan.by_source(position, cells)]
    if len(parts) == 1:
        return parts[0]
    changes = sum((Counter(part.changes) for part in parts), Counter[tuple[str, str]]())
    notes: defaultdict[tuple[str, Note], Noted] = defaultdict(Noted)
    for part in parts:
        for place, noted in part.notes.items():
            notes[place] += noted
    return Normalised(pl.concat(part.frame for part in parts).sort(RECORD), changes, notes)


def _find_notes(plan: Plan, position: int, rows: pl.DataFrame) -> Mapping[tuple[str, Note], Noted]:
    notes: defaultdict[tuple[str, Note], Noted] = defaultdict(Noted)
    for spelling, part in plan.by_source(position, rows):
        for place, noted in find_notes(part, plan.schema.fields, spelling).items():
            notes[place] += noted
    return notes


def _split_infinite(
    plan: Plan, position: int, cells: pl.DataFrame, valid: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows without infinite numbers, which a field of text would take for words; `_reasons` of the others."""
    no_rows = valid.clear().select(RECORD, pl.lit(None, pl.List(pl.String)).alias(REASONS))
    masks = plan.infinite_numbers(position, cells)
    if not masks:
        return valid, no_rows
    named = [
        pl.when(mask).then(pl.lit(f"{field}:{Reason.NOT_NUMBER}")).otherwise(None)
        for field, mask in masks.items()
    ]
    reasons = cells.select(RECORD, pl.concat_list(named).list.drop_nulls().alias(REASONS))
    infinite = reasons.filter(pl.col(REASONS).list.len() > 0)
    return (
        valid.join(infinite, on=RECORD, how="anti", maintain_order="left"),
        infinite.join(valid, on=RECORD, how="semi", maintain_order="left"),
    )


class UndecidedError(Exception):
    """A column must be surveyed: `settle` the plan and begin again.

    A row was rejected that it may save, or a cell is a number by its type that text leaves open.
    """


def _refuse_unsettled(plan: Plan, position: int, cells: pl.DataFrame) -> None:
    settled = {(column.source, column.field) for column in plan.conventions}
    for field, is_number in plan.typed_numbers(position, cells).items():
        if not settled.issuperset((source, field) for source in cells.filter(is_number)[SOURCE].unique()):
            raise UndecidedError


def _refuse_doubts(plan: Plan, rejected: pl.DataFrame) -> None:
    if rejected.is_empty():
        return
    settled = {(column.source, column.field) for column in plan.conventions}
    for name, setting in plan.open_fields.items():
        known = [source for source, field in settled if field == name]
        if has_doubt(rejected[name].filter(~rejected[SOURCE].is_in(known)), setting):
            raise UndecidedError


def _identity(position: int) -> list[pl.Expr]:
    return [pl.lit(position, pl.UInt16).alias(POSITION), pl.col(RECORD), *(pl.col(name) for name in IDENTITY)]


def as_fields(
    plan: Plan, position: int, cells: pl.DataFrame, changes: Counter[tuple[str, str]] | None = None
) -> pl.DataFrame:
    """Cells of one source under REST names, constants filled in, fields of other sources blank.

    Full names are cleaned before they are split; `changes` counts that.

    Returns:
        `_position`, `_record`, `_source`, `_row`, `_line` and the plan's fields.
    """
    columns = {field: str(index) for index, field in plan.mappings[position].fields.items()}
    constants = plan.settings.constants
    if (full := columns.pop(headers.FULL_NAME, None)) is not None:
        names, changed = clean_names(cells[full], repairs=plan.settings.repair_mojibake)
        if changes is not None:
            changes.update({(headers.FULL_NAME, rule): count for rule, count in changed.items()})
        parts = split_names(names)
        columns |= {part: part for part in headers.NAME_PARTS}
        cells = cells.with_columns(parts[part].alias(part) for part in headers.NAME_PARTS)
    return cells.select(
        *_identity(position),
        *(
            pl.col(columns[field]).alias(field)
            if field in columns
            else pl.lit(constants.get(field), pl.String).alias(field)
            for field in plan.judged
        ),
    )


def _split_oversized(plan: Plan, valid: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that fit into an upload, and those that alone are too large for one."""
    longest = plan.as_sent(valid).select(pl.col(plan.fields).str.len_bytes().max())
    most_bytes = sum(size or 0 for size in longest.row(0))
    no_rows = valid.clear().with_columns(pl.lit(None, pl.List(pl.String)).alias(REASONS))
    if 2 * most_bytes + 4 * len(plan.fields) < plan.largest_line_bytes:  # even with every character quoted
        return valid, no_rows
    fits = plan.fit(valid)
    oversized = valid.filter(~fits).with_columns(pl.lit([Reason.TOO_LARGE.value]).alias(REASONS))
    return valid.filter(fits), pl.concat([no_rows, oversized])


def _rejected(plan: Plan, position: int, batch: Batch, broken: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows of a batch with the source's own cells, those that could not be split with their text."""
    broken_rows = _as_read(plan, position, batch, broken)
    if batch.rejected.is_empty():
        return broken_rows
    unreadable = batch.rejected.select(
        *(pl.lit(None, pl.String).alias(str(index)) for index in range(len(plan.source_columns))),
        *_identity(position),
        pl.concat_list(pl.col("reason")).alias(REASONS),
        pl.col("raw").alias(RAW),
    )
    return pl.concat([broken_rows, unreadable]).sort(RECORD)


def _as_read(plan: Plan, position: int, batch: Batch, chosen: pl.DataFrame) -> pl.DataFrame:
    """Rows of a batch, given by `_record`, with the source's own cells and what else is given of each."""
    places = {column: str(index) for index, column in enumerate(occurrences(plan.sources[position].columns))}
    cells = [
        (pl.col(places[column]) if column in places else pl.lit(None, pl.String)).alias(str(index))
        for index, column in enumerate(plan.source_columns)
    ]
    records = batch.cells if chosen.height else batch.cells.clear()
    return records.join(chosen, on=RECORD, how="inner", maintain_order="left").select(
        *cells, *_identity(position), *chosen.drop(RECORD).columns, pl.lit(None, pl.String).alias(RAW)
    )
