"""All valid rows → which of them lose, and to whom; then the second pass, which tells them apart.

Memory holds a few bytes of each row; the rows themselves are read from the spill batch by batch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final, TypeVar

import polars as pl

from prep import blanks
from prep.duplicates import KEPT, KEY, ORDINAL, find_losers, merge
from prep.errors import BalanceError
from prep.model import Chunk, Fate, KeepPolicy
from prep.plan import Plan
from prep.preparation import HASH, IDENTITY, LINE, RECORD, ROW, SOURCE, FirstPass
from prep.spill import Spill
from prep.validation import REASONS


@dataclass(frozen=True)
class Decision:
    """Which valid rows lose, and what becomes of the groups that merge.

    Attributes:
        kept: For each valid row by ordinal: the place in `winners` of the row it lost to, null for a
            survivor.
        winners: `_source` (categorical) and `_row` of the rows that others lost to.
        merged: Survivors whose cells other rows completed: `_ordinal` and the fields.
        discarded: The values that merging did not take over: `field`, `value`, `_source`, `_row`,
            `_kept_source`, `_kept_row`.
        groups: Survivors that fill the same fields, if blank cells are left out.
    """

    kept: pl.Series
    winners: pl.DataFrame
    merged: pl.DataFrame
    discarded: pl.DataFrame
    groups: blanks.Groups | None = None

    @property
    def sizes(self) -> pl.DataFrame:
        """`size` and `groups`: how many groups of duplicates have how many rows, the kept one too."""
        lost = self.kept.drop_nulls().to_frame("kept").group_by("kept").len("lost")
        sizes = lost.group_by(pl.col("lost").alias("size") + 1).len("groups")
        return sizes.sort("size")


def decide(plan: Plan, first: FirstPass, spill: Spill) -> Decision:
    """Settle the duplicates once all rows were judged, and which rows are sent together.

    Raises:
        SettingsError: Blank cells are to be left out, and too many different columns hold some.
    """
    decision = _decide_duplicates(plan, first, spill)
    return replace(decision, groups=_group(plan, first, decision)) if plan.leaves_blanks_out else decision


def _group(plan: Plan, first: FirstPass, decision: Decision) -> blanks.Groups:
    """Group the survivors by what they fill after merging."""
    filled = first.filled
    if decision.merged.height:
        merged = plan.as_sent(decision.merged).select(ORDINAL, pl.col(plan.fields).is_not_null())
        filled = filled.with_row_index(ORDINAL).update(merged, on=ORDINAL).drop(ORDINAL)
    return blanks.group_rows(filled, decision.kept.is_null(), plan.headers_of_fields)


def _decide_duplicates(plan: Plan, first: FirstPass, spill: Spill) -> Decision:
    found = [_find_losers(rows) for rows in _rows_with_repeated_keys(first.index, spill)]
    losers = pl.concat([losers for losers, _ in found]).sort(ORDINAL)
    winners = pl.concat([winners for _, winners in found]).sort(ORDINAL)
    kept = _by_ordinal(first.index.height, losers[ORDINAL], winners[ORDINAL].search_sorted(losers[KEPT]))
    merged, discarded = _merge(plan, losers, spill)
    return Decision(kept, winners.select(SOURCE, ROW), merged, discarded)


def _find_losers(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that lose and to whom (`find_losers`), and `_ordinal`, `_source` and `_row` of those who win."""
    losers = find_losers(rows)
    winners = rows.join(losers, left_on=ORDINAL, right_on=KEPT, how="semi")
    return losers, winners.select(ORDINAL, SOURCE, ROW)


def _merge(plan: Plan, losers: pl.DataFrame, spill: Spill) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What merging makes of the groups, if that is wanted: see `Decision`."""
    nothing = pl.DataFrame(schema={ORDINAL: pl.UInt32, **dict.fromkeys(plan.fields, pl.String)})
    if plan.settings.keep.policy is not KeepPolicy.MERGE or losers.is_empty():
        return nothing, pl.DataFrame(schema=_DISCARDED)
    groups = pl.concat([losers, losers.select(pl.col(KEPT).alias(ORDINAL), KEPT).unique()])
    rows = pl.concat([batch.join(groups, on=ORDINAL) for batch in spill])
    merged = merge(rows, plan.fields, plan.settings.merge, plan.fit)
    of = rows.select(ORDINAL, SOURCE, ROW)
    into = of.rename({ORDINAL: KEPT, SOURCE: "_kept_source", ROW: "_kept_row"})
    discarded = (
        merged.discarded.join(of, on=ORDINAL, maintain_order="left")
        .join(into, on=KEPT, maintain_order="left")
        .select(*_DISCARDED)
    )
    return pl.concat([nothing, merged.rows.select(nothing.columns)]), discarded


_DISCARDED: Final = {
    "field": pl.String,
    "value": pl.String,
    SOURCE: pl.Categorical,
    ROW: pl.UInt32,
    "_kept_source": pl.Categorical,
    "_kept_row": pl.UInt32,
}


def _rows_with_repeated_keys(index: pl.DataFrame, spill: Spill) -> Iterator[pl.DataFrame]:
    """Which rows have a key that another row has, equal keys together, a million or so rows at a time.

    The hash of a key finds them, and perhaps a few others. If there are more, the keys wait on the disk.

    Yields:
        `_ordinal`, `_source`, `_row`, `_key`, `_hash` and `_rank`, by ordinal.
    """
    repeated = _are_repeated(index[HASH])
    count = _buckets(int(repeated.sum()))
    found = (
        pl.concat([batch, _of_batch(index, batch)], how="horizontal").filter(_of_batch(repeated, batch))
        for batch in spill.columns([ORDINAL, SOURCE, ROW, KEY])
    )
    if count == 1:
        yield pl.concat(found)
        return
    buckets = [spill.beside(f"keys-{number}") for number in range(count)]
    for rows in found:
        for number, bucket in enumerate(buckets):
            bucket.append(rows.filter(pl.col(HASH) % count == number))
    for bucket in buckets:
        yield pl.concat(bucket)


def _are_repeated(hashes: pl.Series) -> pl.Series:
    """Whether each hash occurs more than once; a million or so are sorted at a time."""
    count = _buckets(len(hashes))
    repeated = []
    for bucket in range(count):
        ordered = hashes.filter(hashes % count == bucket).sort()
        repeated.append(ordered.filter(ordered == ordered.shift()).unique())
    return hashes.is_in(pl.concat(repeated).implode())


def _buckets(rows: int) -> int:
    return -(-rows // _BUCKET_ROWS) or 1


_BUCKET_ROWS: Final = 1_000_000


def _by_ordinal(rows: int, ordinals: pl.Series, values: pl.Series) -> pl.Series:
    """Values of some of the valid rows as one value for each, null for the others."""
    return pl.repeat(None, rows, dtype=pl.UInt32, eager=True).scatter(ordinals, values)


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
    for batch in spill.columns([ORDINAL, *IDENTITY, *plan.fields]):
        kept = _of_batch(decision.kept, batch)
        stands = kept.is_null()
        ready, lost = batch.filter(stands), batch.filter(~stands)
        complete = ready.update(decision.merged, on=ORDINAL) if decision.merged.height else ready
        into = _kept_identity(kept.drop_nulls(), decision.winners, "_kept_source", "_kept_row")
        yield Divided(plan.as_sent(complete), lost.select(*plan.fields, *IDENTITY, *into))


_ByOrdinal = TypeVar("_ByOrdinal", pl.Series, pl.DataFrame)


def _of_batch(by_ordinal: _ByOrdinal, batch: pl.DataFrame) -> _ByOrdinal:
    """The part for a batch, whose ordinals follow one another."""
    return by_ordinal.slice(int(batch[ORDINAL][0]) if batch.height else 0, batch.height)


def _kept_identity(kept: pl.Series, winners: pl.DataFrame, source: str, row: str) -> list[pl.Series]:
    return [winners[SOURCE].gather(kept).alias(source), winners[ROW].gather(kept).alias(row)]


def fates(
    spill: Spill, decision: Decision, first: FirstPass, chunks: Iterable[Chunk]
) -> Iterator[pl.DataFrame]:
    """The fate of every source row after cleaning, in source order, batch by batch.

    Args:
        spill: The valid rows.
        decision: What was decided about them.
        first: The other rows.
        chunks: All chunks of the run; taken only as far as the rows of a batch need it.

    Yields:
        The columns `source`, `row`, `line`, `key`, `fate`, `kept_source`, `kept_row`, `chunk` and `reasons`.

    Raises:
        BalanceError: The chunks hold more or fewer rows than are left.
    """
    places = Places(decision.kept, chunks, decision.groups)
    batches = spill.columns([ORDINAL, RECORD, *IDENTITY, KEY])
    for batch, refused, suppressed in zip(batches, first.rejected, first.suppressed, strict=True):
        kept = _of_batch(decision.kept, batch)
        valid = batch.select(
            RECORD,
            *_UNMARKED,
            pl.when(kept.is_null())
            .then(pl.lit(Fate.READY.value))
            .otherwise(pl.lit(Fate.DUPLICATE.value))
            .alias("fate"),
            pl.col(KEY).alias("key"),
            *_kept_identity(kept, decision.winners, "kept_source", "kept_row"),
            places.of(batch).alias("chunk"),
        )
        rejected = refused.select(
            RECORD, *_UNMARKED, pl.lit(Fate.REJECTED.value).alias("fate"), pl.col(REASONS).alias("reasons")
        )
        held_back = suppressed.select(
            RECORD,
            *_UNMARKED,
            pl.col(KEY).alias("key"),
            pl.lit(Fate.SUPPRESSED.value).alias("fate"),
            pl.col(REASONS).alias("reasons"),
        )
        yield pl.concat([valid, rejected, held_back], how="diagonal").sort(RECORD).drop(RECORD)
    places.close()


_UNMARKED: Final = [
    pl.col(SOURCE).cast(pl.String).alias("source"),
    pl.col(ROW).alias("row"),
    pl.col(LINE).alias("line"),
]


class Places:
    """Which upload file holds each row that is left: they hold these rows in order, group after group."""

    def __init__(self, kept: pl.Series, chunks: Iterable[Chunk], groups: blanks.Groups | None = None) -> None:
        """Begin with the first batch.

        Args:
            kept: See `Decision`.
            chunks: All chunks of the run; taken only as far as they are needed.
            groups: See `Decision`.
        """
        self._kept = kept
        self._numbers = None if groups is None else _number(kept, groups)
        self._numbered = 0
        self._chunks = iter(chunks)
        self._files: list[str] = []
        self._ends: list[int] = []

    def of(self, batch: pl.DataFrame) -> pl.Series:
        """The file of each row of the next batch, null for one that lost.

        Raises:
            BalanceError: The chunks hold fewer rows than are left.
        """
        is_left = _of_batch(self._kept, batch).is_null()
        if self._numbers is None:
            numbers = is_left.cum_sum() + self._numbered
            self._numbered += int(is_left.sum())
        else:
            numbers = _of_batch(self._numbers, batch)
        last = numbers.filter(is_left).max()
        while isinstance(last, int) and last > self._held:
            self._take()
        places = pl.Series(self._ends, dtype=pl.UInt32).search_sorted(numbers, side="left")
        place = pl.select(pl.when(is_left).then(places)).to_series()
        return pl.Series(self._files, dtype=pl.String).gather(place)

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
        if self._held != self._kept.null_count():
            raise self._unbalanced()

    def _unbalanced(self) -> BalanceError:
        return BalanceError(
            f"{self._kept.null_count()} rows are ready, but the upload files hold {self._held}",
            code="unbalanced",
            hint="This is a defect of prep; nothing of this run may be sent.",
        )


def _number(kept: pl.Series, groups: blanks.Groups) -> pl.Series:
    """The number of each row that is left, from 1, where one group comes after the other; by ordinal."""
    left = kept.is_null().arg_true().to_frame(ORDINAL)
    ordered = left.sort(groups.numbers.gather(left[ORDINAL]), maintain_order=True)[ORDINAL]
    return _by_ordinal(len(kept), ordered, pl.int_range(1, len(ordered) + 1, dtype=pl.UInt32, eager=True))
