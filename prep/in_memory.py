"""A plan → frames in memory; nothing is written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import polars as pl

from prep.cleaning import REJECTED_TAIL
from prep.conventions import settle
from prep.decision import Divided, decide, second_pass
from prep.duplicates import ORDINAL
from prep.errors import SourceError
from prep.fate_table import add_up
from prep.memory import USUAL, Memory
from prep.model import IDENTITY, LINE, ROW, Convention, Fate
from prep.places import name_line
from prep.plan import Plan, occurrences
from prep.preparation import FirstPass, Judged, UndecidedError, first_pass
from prep.sources import Source
from prep.spill import MemorySpill


@dataclass(frozen=True)
class Prepared:
    """Rows that were prepared in memory.

    Attributes:
        ready: Survivors in source order: the schema's fields, then `_source`, `_row`, `_line`.
        rejected: The sources' own columns as read (a name that is taken gets a number behind it), then
            `_source`, `_row`, `_line`, `_reasons` (list of `field:code`) and `_raw` (text of records that
            could not be split).
        duplicates: Rows that lost, as prepared, then `_source`, `_row`, `_line`, `_kept_source`, `_kept_row`.
        suppressed: Rows that must not be sent, in the shape of `rejected`.
        counts: Rows by fate; `read` is the sum of all others.
        merged: Values that merging left out: `field`, `value`, `_source`, `_row` (where they came from),
            `_kept_source`, `_kept_row` (where they did not go).
        conventions: How columns of dates or numbers were read, as their cells prove, where no option said it.
    """

    ready: pl.DataFrame
    rejected: pl.DataFrame
    duplicates: pl.DataFrame
    suppressed: pl.DataFrame
    counts: Mapping[str, int]
    merged: pl.DataFrame
    conventions: tuple[Convention, ...] = ()


def prepare_plan(plan: Plan) -> Prepared:
    """Run a plan's stages over batches that are held in memory.

    Raises:
        InputError: A source turns out to be unusable.
    """
    spill = MemorySpill()
    memory = Memory.parse(USUAL)
    rejected: list[pl.DataFrame] = []
    suppressed: list[pl.DataFrame] = []

    def note(judged: Judged, *_: object) -> None:
        rejected.append(judged.rejected)
        suppressed.append(judged.suppressed)

    try:
        first = first_pass(plan, spill, note, memory)
    except UndecidedError:
        plan = settle(plan)
        spill.clear()
        rejected.clear()
        suppressed.clear()
        first = first_pass(plan, spill, note, memory)
    decision = decide(plan, first, spill, memory)
    divided = list(second_pass(plan, spill, decision))
    return Prepared(
        ready=_named(pl.concat(batch.ready for batch in divided).select(*plan.fields, *IDENTITY)),
        rejected=_as_read(plan, rejected),
        suppressed=_as_read(plan, suppressed),
        duplicates=_named(pl.concat(batch.duplicates for batch in divided)),
        counts=_count(divided, first),
        merged=_named(pl.concat(decision.discarded).drop(ORDINAL)),
        conventions=tuple(convention for convention in plan.conventions if convention.value),
    )


def _as_read(plan: Plan, parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Rows under the names of the sources' columns."""
    names = _distinct([name for name, _ in plan.source_columns], REJECTED_TAIL)
    cells = (pl.col(str(place)).alias(name) for place, name in enumerate(names))
    return pl.concat(parts).select(*cells, *REJECTED_TAIL)


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the names of their sources as text."""
    return rows.with_columns(pl.col(pl.Categorical).cast(pl.String))


def read_cells(source: Source) -> pl.DataFrame:
    """All cells of a source as text, with the identity of each row.

    Raises:
        SourceError: It holds records that cannot be split.
    """
    batches = list(source.read())
    unreadable = pl.concat([batch.rejected for batch in batches])
    if unreadable.height:
        row, line = unreadable.select(ROW, LINE).row(0)
        first = name_line(row, line, in_sheet=source.reading.sheet is not None)
        raise SourceError(
            f"{source.path}: {unreadable.height} records cannot be read, the first on {first}",
            code="unreadable_rows",
            hint="Correct them, or use prep.prepare, which reads the rest and lists these.",
            source=source.path,
            row=row,
        )
    cells = pl.concat([batch.cells for batch in batches])
    return cells.select(
        *(pl.col(str(place)).alias(name) for place, name in enumerate(_distinct(source.columns, IDENTITY))),
        pl.lit(source.path).alias("_source"),
        "_row",
        "_line",
    )


def _distinct(columns: Sequence[str], reserved: Sequence[str]) -> list[str]:
    """Number the names that come again, or that are reserved, such that no two are the same."""
    taken = {*columns, *reserved}
    names = []
    for name, before in occurrences(columns):
        free = name
        if before or name in reserved:
            free = next(other for number in count(2) if (other := f"{name}_{number}") not in taken)
        taken.add(free)
        names.append(free)
    return names


def _count(divided: Sequence[Divided], first: FirstPass) -> dict[str, int]:
    found: dict[str, int] = {
        Fate.READY: sum(batch.ready.height for batch in divided),
        Fate.DUPLICATE: sum(batch.duplicates.height for batch in divided),
        **first.fates,
    }
    return add_up(found, first.read)
