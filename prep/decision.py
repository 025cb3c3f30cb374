"""All valid rows → which of them lose, and to whom; then the second pass, which tells them apart.

Memory holds one bit of each row. What is decided together, rows with equal hashes of their keys, and all else
that rows need, waits beside the spill where it is too much to be held.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final, TypeVar

import polars as pl

from prep import blanks
from prep.duplicates import KEPT, KEY, ORDINAL, RANK, find_losers, merge
from prep.errors import BalanceError
from prep.memory import Memory
from prep.model import IDENTITY, LINE, RECORD, ROW, SOURCE, Chunk, Fate, KeepPolicy
from prep.plan import Plan
from prep.preparation import HASH, FirstPass
from prep.spill import ByOrdinal, DiskSpill, MemorySpill, Parts, Spill
from prep.validation import REASONS


@dataclass(frozen=True)
class Decision:
    """Which valid rows lose, and what becomes of the groups that merge.

    Attributes:
        stands: Whether each valid row survives, by ordinal.
        lost: The rows that lost: `_ordinal`, and `_kept_source` and `_kept_row` of the row they lost to.
        merged: Survivors whose cells other rows completed: `_ordinal` and the fields.
        discarded: The values that merging did not take over: `_ordinal`, `field`, `value`, `_source`, `_row`,
            `_kept_source`, `_kept_row`.
        sizes: `size` and `groups`: how many groups of duplicates have how many rows, the kept one too.
        groups: Survivors that fill the same fields, if blank cells are left out.
    """

    stands: pl.Series
    lost: ByOrdinal
    merged: ByOrdinal
    discarded: ByOrdinal
    sizes: pl.DataFrame
    groups: blanks.Groups | None = None


def decide(plan: Plan, first: FirstPass, spill: Spill, memory: Memory) -> Decision:
    """Settle the duplicates once all rows were judged, and which rows are sent together.

    Raises:
        SettingsError: Blank cells are to be left out, and too many different columns hold some.
    """
    decision = _decide_duplicates(plan, first, spill, memory)
    return replace(decision, groups=_group(plan, first, decision)) if plan.leaves_blanks_out else decision


def _group(plan: Plan, first: FirstPass, decision: Decision) -> blanks.Groups:
    """Group the survivors by what they fill after merging."""
    filled = first.filled
    for merged in decision.merged:
        now = plan.as_sent(merged).select(pl.col(plan.fields).is_not_null())
        filled = filled.select(column.scatter(merged[ORDINAL], now[column.name]) for column in filled)
    return blanks.group_rows(filled, decision.stands, plan.headers_of_fields)


def _decide_duplicates(plan: Plan, first: FirstPass, spill: Spill, memory: Memory) -> Decision:
    """Decide about equal keys together, some of them at a time; the hash of a key finds them, and others."""
    is_merging = plan.settings.keep.policy is KeepPolicy.MERGE
    repeated = _find_repeated(first.valid, spill, memory)
    row_bytes = _KEY_BYTES + is_merging * (_FIELD_BYTES * len(plan.judged) + 4 * first.row_bytes)
    count = -(-int(repeated.sum()) // memory.rows(row_bytes)) or 1
    beside = _beside(spill, count)
    keys = Parts(beside, "keys", count)
    for rows in spill.columns([ORDINAL, SOURCE, ROW, KEY, HASH, RANK, *(plan.judged if is_merging else ())]):
        keys.add(rows.filter(_of_batch(repeated, rows)), pl.col(HASH) % count)

    def ordered(name: str, schema: Mapping[str, Any]) -> ByOrdinal:
        return ByOrdinal(
            beside, name, {ORDINAL: pl.UInt32, **schema}, ordinal=ORDINAL, ordinals=first.valid, count=count
        )

    lost, discarded = ordered("lost", _KEPT_ROW), ordered("discarded", _DISCARDED)
    merged = ordered("merged", dict.fromkeys(plan.fields, pl.String))
    stands = pl.repeat(True, first.valid, dtype=pl.Boolean, eager=True)
    sizes = [pl.DataFrame(schema={"size": pl.UInt32, "groups": pl.UInt32})]
    for rows in keys:
        losers = find_losers(rows.select(ORDINAL, KEY, RANK, SOURCE, ROW))
        stands.scatter(losers[ORDINAL], False)
        lost.add(losers)
        of_group = losers.group_by(KEPT).agg(pl.len().alias("size") + 1)
        sizes.append(of_group.group_by("size").agg(pl.len().alias("groups")))
        if is_merging and losers.height:
            _merge(plan, rows, losers, merged, discarded)
    counted = pl.concat(sizes).group_by("size").agg(pl.col("groups").sum()).sort("size")
    return Decision(stands, lost, merged, discarded, counted)


_KEPT_ROW: Final = {"_kept_source": pl.Categorical, "_kept_row": pl.UInt32}
_DISCARDED: Final = {
    "field": pl.String,
    "value": pl.String,
    SOURCE: pl.Categorical,
    ROW: pl.UInt32,
    **_KEPT_ROW,
}

_HASH_BYTES: Final = 40
_KEY_BYTES: Final = 200
_FIELD_BYTES: Final = 160
"""What a row takes while repeated hashes are looked for, or losers; and more for each field that merges."""


def _as_kept(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as those that others lost to: `_kept`, `_kept_source`, `_kept_row`."""
    return rows.select(
        pl.col(ORDINAL).alias(KEPT), pl.col(SOURCE).alias("_kept_source"), pl.col(ROW).alias("_kept_row")
    )


def _merge(
    plan: Plan, rows: pl.DataFrame, losers: pl.DataFrame, into: ByOrdinal, discarded: ByOrdinal
) -> None:
    """Merge whole groups of rows: see `Decision`. What is not sent a merged row has from the survivor."""
    survivors = losers.select(pl.col(KEPT).alias(ORDINAL), KEPT).unique()
    groups = pl.concat([losers.select(ORDINAL, KEPT), survivors])
    own = rows.select(pl.col(ORDINAL).alias(KEPT), *(name for name in plan.judged if name not in plan.fields))

    def fit(merged: pl.DataFrame) -> pl.Series:
        return plan.fit(merged) & plan.keep_rules(merged.join(own, on=KEPT, maintain_order="left"))

    paths = [source.path for source in plan.sources]
    merged = merge(rows.join(groups, on=ORDINAL), plan.fields, plan.settings.merge, fit, paths)
    into.add(merged.rows)
    of = rows.select(ORDINAL, SOURCE, ROW)
    discarded.add(
        merged.discarded.join(of, on=ORDINAL, maintain_order="left").join(
            _as_kept(rows), on=KEPT, maintain_order="left"
        )
    )


def _beside(spill: Spill, count: int) -> Spill:
    """Where so many parts wait: one that fits is kept in memory."""
    return spill if count > 1 else MemorySpill()


def _find_repeated(valid: int, spill: Spill, memory: Memory) -> pl.Series:
    """Whether the hash of each valid row's key is that of another row too, by ordinal."""
    count = -(-valid // memory.rows(_HASH_BYTES)) or 1
    parts = Parts(_beside(spill, count), "hashes", count)
    for rows in spill.columns([ORDINAL, HASH]):
        parts.add(rows, pl.col(HASH) % count)
    repeated = pl.repeat(False, valid, dtype=pl.Boolean, eager=True)
    for rows in parts:
        ordered = rows[HASH].sort()
        found = ordered.filter(ordered == ordered.shift()).unique()
        repeated.scatter(rows.filter(pl.col(HASH).is_in(found.implode()))[ORDINAL], True)
    return repeated


@dataclass(frozen=True)
class Divided:
    """A batch of valid rows after the decision, in source order.

    Attributes:
        ready: The rows that are left, merged where that was decided, as they are sent: `_ordinal`,
            `_position`, `_record`, `_source`, `_row`, `_line` and the judged fields.
        duplicates: The rows that lost: the plan's fields, `_source`, `_row`, `_line`, `_kept_source`,
            `_kept_row`.
    """

    ready: pl.DataFrame
    duplicates: pl.DataFrame


def second_pass(plan: Plan, spill: Spill, decision: Decision) -> Iterator[Divided]:
    """Read the valid rows back and tell those that are left from those that lost."""
    lost, merged = decision.lost.read(), decision.merged.read()

    def divide(batch: pl.DataFrame) -> Divided:
        stop = _stop(batch)
        stands = _of_batch(decision.stands, batch)
        completed = merged.take(stop)
        ready = batch.filter(stands)
        complete = ready.update(completed, on=ORDINAL) if completed.height else ready
        kept = lost.take(stop).select(*_KEPT_ROW)
        duplicates = batch.filter(~stands).select(*plan.fields, *IDENTITY).hstack(kept)
        return Divided(plan.as_sent(complete), duplicates)

    return map(divide, spill.columns([ORDINAL, *IDENTITY, *plan.fields]))


_ByOrdinal = TypeVar("_ByOrdinal", pl.Series, pl.DataFrame)


def _of_batch(by_ordinal: _ByOrdinal, batch: pl.DataFrame) -> _ByOrdinal:
    """The part for a batch, whose ordinals follow one another."""
    return by_ordinal.slice(int(batch[ORDINAL][0]) if batch.height else 0, batch.height)


def _stop(batch: pl.DataFrame) -> int:
    """The ordinal behind the last one of a batch; 0 for an empty one."""
    return int(batch[ORDINAL][-1]) + 1 if batch.height else 0


def fates(
    spill: DiskSpill, decision: Decision, first: FirstPass, chunks: Iterable[Chunk]
) -> Iterator[pl.DataFrame]:
    """The fate of every source row after cleaning, in source order, batch by batch.

    Args:
        spill: The valid rows, which nobody begins to read afterwards.
        decision: What was decided about them.
        first: The other rows.
        chunks: All chunks of the run; taken only as far as the rows of a batch need it.

    Yields:
        The columns `source`, `row`, `line`, `key`, `fate`, `kept_source`, `kept_row`, `chunk` and `reasons`.

    Raises:
        BalanceError: The chunks hold more or fewer rows than are left.
    """
    places = Places(decision.stands, chunks, decision.groups)
    lost = decision.lost.read()
    batches = spill.take([ORDINAL, RECORD, *IDENTITY, KEY])
    for batch, left_out in zip(batches, first.left_out, strict=True):
        stands = _of_batch(decision.stands, batch)
        kept = lost.take(_stop(batch))
        place = pl.select(pl.when(~stands).then((~stands).cum_sum() - 1)).to_series()
        valid = batch.select(
            RECORD,
            *_UNMARKED,
            pl.when(stands)
            .then(pl.lit(Fate.READY.value))
            .otherwise(pl.lit(Fate.DUPLICATE.value))
            .alias("fate"),
            pl.col(KEY).alias("key"),
            kept["_kept_source"].gather(place).alias("kept_source"),
            kept["_kept_row"].gather(place).alias("kept_row"),
            places.of(batch).alias("chunk"),
        )
        others = left_out.select(
            RECORD, *_UNMARKED, pl.col(KEY).alias("key"), "fate", pl.col(REASONS).alias("reasons")
        )
        yield pl.concat([valid, others], how="diagonal").sort(RECORD).drop(RECORD)
    places.close()


_UNMARKED: Final = [
    pl.col(SOURCE).cast(pl.String).alias("source"),
    pl.col(ROW).alias("row"),
    pl.col(LINE).alias("line"),
]


class Places:
    """Which upload file holds each row that is left: they hold these rows in order, group after group."""

    def __init__(
        self, stands: pl.Series, chunks: Iterable[Chunk], groups: blanks.Groups | None = None
    ) -> None:
        """Begin with the first batch.

        Args:
            stands: See `Decision`.
            chunks: All chunks of the run; taken only as far as they are needed.
            groups: See `Decision`.
        """
        self._stands = stands
        self._rows = int(stands.sum())
        self._groups = groups
        self._numbered = [0] if groups is None else _before_each(groups)
        self._chunks = iter(chunks)
        self._files: list[str] = []
        self._ends: list[int] = []

    def of(self, batch: pl.DataFrame) -> pl.Series:
        """The file of each row of the next batch, null for one that lost.

        Raises:
            BalanceError: The chunks hold fewer rows than are left.
        """
        is_left = _of_batch(self._stands, batch)
        numbers = self._number(batch, is_left)
        last = numbers.filter(is_left).max()
        while isinstance(last, int) and last > self._held:
            self._take()
        places = pl.Series(self._ends, dtype=pl.UInt32).search_sorted(numbers, side="left")
        place = pl.select(pl.when(is_left).then(places)).to_series()
        return pl.Series(self._files, dtype=pl.String).gather(place)

    def _number(self, batch: pl.DataFrame, is_left: pl.Series) -> pl.Series:
        """The number of each row that is left among those of all files, from 1; of the others, any."""
        if self._groups is None:
            numbers = is_left.cum_sum() + self._numbered[0]
            self._numbered[0] += int(is_left.sum())
            return numbers
        groups = _of_batch(self._groups.numbers, batch)
        before = pl.Series(self._numbered, dtype=pl.UInt32).gather(groups)
        within = groups.to_frame("group").select(pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("group"))
        for group, rows in groups.drop_nulls().value_counts().rows():
            self._numbered[group] += rows
        return before + within.to_series()

    @property
    def _held(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _take(self) -> None:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            raise self._unbalanced() from None
        self._files.append(chunk.file)
        self._ends.append(self._held + chunk.rows)

    def close(self) -> None:
        """Take the chunks that are left over, after the last batch.

        Raises:
            BalanceError: They hold more rows than are left.
        """
        self._ends += accumulate((chunk.rows for chunk in self._chunks), initial=self._held)
        if self._held != self._rows:
            raise self._unbalanced()

    def _unbalanced(self) -> BalanceError:
        return BalanceError(
            f"{self._rows} rows are ready, but the upload files hold {self._held}",
            code="unbalanced",
            hint="This is a defect of prep; nothing of this run may be sent.",
        )


def _before_each(groups: blanks.Groups) -> list[int]:
    """How many rows stand before those of each group."""
    sizes = dict(groups.numbers.drop_nulls().value_counts().rows())
    return list(accumulate((sizes.get(number, 0) for number in range(len(groups.fields))), initial=0))
