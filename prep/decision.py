"""All valid rows → which of them lose, and to whom; then the second pass, which tells them apart.

Memory holds a few bytes of each row; the rows themselves are read from the spill batch by batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from prep import blanks
from prep.duplicates import KEPT, KEY, ORDINAL, RANK, find_losers, merge
from prep.errors import BalanceError
from prep.model import Chunk, Fate, KeepPolicy
from prep.plan import Plan
from prep.preparation import HASH, IDENTITY, RECORD, ROW, SOURCE, FirstPass, Spill
from prep.validation import REASONS


@dataclass(frozen=True)
class Decision:
    """Which valid rows lose, and what becomes of the groups that merge.

    Attributes:
        kept: For each valid row by ordinal: the ordinal of the row it lost to, null for a survivor.
        merged: Survivors whose cells other rows completed: `_ordinal` and the fields.
        discarded: See `duplicates.Merged`.
        groups: Survivors that fill the same fields, if blank cells are left out.
    """

    kept: pl.Series
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
    repeated = _repeated_keys(plan, first.index, spill)
    buckets = _buckets(first.index[HASH].gather(repeated[ORDINAL]))
    losers = pl.concat([find_losers(repeated[rows]) for rows in buckets]).sort(ORDINAL)
    kept = _by_ordinal(first.index.height, losers[ORDINAL], losers[KEPT])
    nothing = pl.DataFrame(schema={ORDINAL: pl.UInt32, **dict.fromkeys(plan.fields, pl.String)})
    if plan.settings.keep.policy is not KeepPolicy.MERGE or losers.is_empty():
        empty = {"field": pl.String, "value": pl.String, ORDINAL: pl.UInt32, KEPT: pl.UInt32}
        return Decision(kept, nothing, pl.DataFrame(schema=empty))
    groups = pl.concat([losers, losers.select(pl.col(KEPT).alias(ORDINAL), KEPT).unique()])
    rows = pl.concat([batch.join(groups, on=ORDINAL) for batch in spill])
    merged = merge(rows, plan.fields, plan.settings.merge, plan.fit)
    return Decision(kept, pl.concat([nothing, merged.rows.select(nothing.columns)]), merged.discarded)


def _repeated_keys(plan: Plan, index: pl.DataFrame, spill: Spill) -> pl.DataFrame:
    """`_ordinal`, `_key` and `_rank` of all rows whose key another row has.

    The hash of a key finds them, and perhaps a few others; only their keys are read back.
    """
    repeated = pl.repeat(False, index.height, dtype=pl.Boolean, eager=True)
    for bucket in _buckets(index[HASH]):
        repeated = repeated.scatter(bucket.filter(index[HASH].gather(bucket).is_duplicated()), True)
    batches = spill.columns([ORDINAL, *plan.key_fields])
    rows = (batch.filter(repeated.slice(_first(batch), batch.height)) for batch in batches)
    ordinals = pl.concat([batch.select(ORDINAL, plan.keys(batch)) for batch in rows])
    return ordinals.with_columns(index[RANK].gather(ordinals[ORDINAL]))


def _buckets(hashes: pl.Series) -> Iterator[pl.Series]:
    """Positions by ordinal, equal hashes together, a million or so at a time: finding equals needs memory."""
    count = -(-len(hashes) // _BUCKET_ROWS) or 1
    for bucket in range(count):
        yield (hashes % count == bucket).arg_true()


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


def second_pass(plan: Plan, spill: Spill, decision: Decision, first: FirstPass) -> Iterator[Divided]:
    """Read the valid rows back and tell those that are left from those that lost."""
    for batch in spill:
        kept = _of_batch(decision.kept, batch)
        stands = kept.is_null()
        ready = batch.filter(stands)
        lost = batch.filter(~stands).select(
            *plan.fields, *IDENTITY, *_kept_identity(kept.filter(~stands), first.index)
        )
        complete = ready.update(decision.merged, on=ORDINAL) if decision.merged.height else ready
        yield Divided(plan.as_sent(complete), lost)


def discarded(decision: Decision, first: FirstPass) -> pl.DataFrame:
    """The values that merging did not take over.

    Returns:
        `field`, `value`, `_source`, `_row`, `_kept_source`, `_kept_row`.
    """
    origin = _identities(decision.discarded[ORDINAL], first.index, SOURCE, ROW)
    into = _kept_identity(decision.discarded[KEPT], first.index)
    return decision.discarded.select("field", "value", *origin, *into)


def _first(batch: pl.DataFrame) -> int:
    """The ordinal of a batch's first row; those of the others follow."""
    return int(batch[ORDINAL][0]) if batch.height else 0


def _of_batch(by_ordinal: pl.Series, batch: pl.DataFrame) -> pl.Series:
    return by_ordinal.slice(_first(batch), batch.height)


def _kept_identity(kept: pl.Series, index: pl.DataFrame) -> list[pl.Series]:
    return _identities(kept, index, "_kept_source", "_kept_row")


def _identities(ordinals: pl.Series, index: pl.DataFrame, source: str, row: str) -> list[pl.Series]:
    return [
        index[SOURCE].gather(ordinals).cast(pl.String).alias(source),
        index[ROW].gather(ordinals).alias(row),
    ]


def fates(
    plan: Plan, spill: Spill, decision: Decision, first: FirstPass, chunks: Sequence[Chunk]
) -> Iterator[pl.DataFrame]:
    """The fate of every source row after cleaning, in source order, batch by batch.

    Yields:
        The columns `source`, `row`, `line`, `key`, `fate`, `kept_source`, `kept_row`, `chunk` and `reasons`.

    Raises:
        BalanceError: The chunks hold more or fewer rows than are left.
    """
    held = find_chunks(decision.kept, chunks, decision.groups)
    files = pl.Series([chunk.file for chunk in chunks], dtype=pl.String)
    columns = [ORDINAL, RECORD, *IDENTITY]
    batches = spill.columns([*columns, *plan.key_fields])
    for batch, refused, suppressed in zip(batches, first.rejected, first.suppressed, strict=True):
        kept = _of_batch(decision.kept, batch)
        stands = pl.lit(kept.is_null())
        valid = batch.select(
            RECORD,
            *_UNMARKED,
            pl.when(stands)
            .then(pl.lit(Fate.READY.value))
            .otherwise(pl.lit(Fate.DUPLICATE.value))
            .alias("fate"),
            plan.keys(batch).alias("key"),
            *_identities(kept, first.index, "kept_source", "kept_row"),
            files.gather(_of_batch(held, batch)).alias("chunk"),
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


_UNMARKED: Final = [pl.col(name).alias(name.removeprefix("_")) for name in IDENTITY]


def find_chunks(kept: pl.Series, chunks: Sequence[Chunk], groups: blanks.Groups | None = None) -> pl.Series:
    """Which chunk holds each valid row: they hold the rows that are left in order, group after group.

    Args:
        kept: See `Decision`.
        chunks: All chunks of the run.
        groups: See `Decision`.

    Returns:
        The position of the chunk by ordinal, null for a row that lost.

    Raises:
        BalanceError: The chunks hold more or fewer rows.
    """
    ready = kept.is_null().arg_true()
    if groups is not None:
        ready = ready.to_frame("row").sort(groups.numbers.gather(ready), maintain_order=True)["row"]
    rows = pl.Series([chunk.rows for chunk in chunks], dtype=pl.UInt32)
    positions = pl.select(pl.int_range(len(rows), dtype=pl.UInt32).repeat_by(rows).explode()).to_series()
    if len(ready) != rows.sum():
        raise BalanceError(
            f"{len(ready)} rows are ready, but the upload files hold {rows.sum()}",
            code="unbalanced",
            hint="This is a defect of prep; nothing of this run may be sent.",
        )
    return _by_ordinal(len(kept), ready, positions)
