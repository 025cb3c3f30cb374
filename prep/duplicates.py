"""One row per lookup key | the rows that lost, and to whom."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from prep.model import Keep, KeepPolicy

ORDINAL = "_ordinal"
KEPT = "_kept"
KEY = "_key"
RANK = "_rank"


@dataclass(frozen=True)
class Merged:
    """What merging groups of duplicates gave.

    Attributes:
        rows: One row for each group: `_ordinal` of the survivor, and the fields with its blanks filled, or as
            they were where the filled row would not fit.
        discarded: `field`, `value`, `_ordinal` (the row it came from), `_kept` (the row it did not get into):
            every value of a losing row that the survivor does not carry, in the order of rows and fields.
    """

    rows: pl.DataFrame
    discarded: pl.DataFrame


def lookup_keys(values: pl.Series, type_name: str) -> pl.Series:
    """What makes two lookup values the same: addresses compare without case, all others exactly."""
    return (values.str.to_lowercase() if type_name == "email" else values).alias(KEY)


def rank(frame: pl.DataFrame, fields: Sequence[str], keep: Keep) -> pl.Series:
    """How much each row deserves to survive, higher is better; among equals the later row wins.

    Dates and date-times compare as moments; a blank one loses against any other.
    """
    value: pl.Expr
    match keep.policy:
        case KeepPolicy.FIRST:
            value = -pl.col(ORDINAL).cast(pl.Int64)
        case KeepPolicy.LAST | KeepPolicy.MERGE:
            value = pl.col(ORDINAL).cast(pl.Int64)
        case KeepPolicy.MOST_COMPLETE:
            value = pl.sum_horizontal(pl.col(field).is_not_null() for field in fields).cast(pl.Int64)
        case KeepPolicy.NEWEST:
            value = _moment(pl.col(str(keep.field)))
    return frame.select(value.alias(RANK)).to_series()


def _moment(text: pl.Expr) -> pl.Expr:
    """Microseconds since the epoch of an ISO date or date-time with zone, either as normalised."""
    full = pl.when(text.str.len_bytes() == len("2026-01-31")).then(text + "T00:00:00Z").otherwise(text)
    moment = full.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC")
    return moment.dt.epoch("us")


def find_losers(keys: pl.DataFrame) -> pl.DataFrame:
    """Decide which rows lose.

    Args:
        keys: `_ordinal` (unique, in source order), `_key` and `_rank` of every row still standing.

    Returns:
        `_ordinal` of each row that loses and `_kept`, the ordinal of the row that its key keeps, by ordinal.
    """
    perhaps = keys.filter(pl.col(KEY).hash().is_duplicated())  # cheap, and never misses one
    repeated = perhaps.filter(pl.col(KEY).is_duplicated())
    winners = (
        repeated.sort(RANK, ORDINAL, nulls_last=False).group_by(KEY).agg(pl.col(ORDINAL).last().alias(KEPT))
    )
    return (
        repeated.join(winners, on=KEY)
        .filter(pl.col(ORDINAL) != pl.col(KEPT))
        .select(ORDINAL, KEPT)
        .sort(ORDINAL)
    )


def merge(rows: pl.DataFrame, fields: Sequence[str], fit: Callable[[pl.DataFrame], pl.Series]) -> Merged:
    """Fill the blanks of each survivor from the rows that lost to it, the latest first.

    Args:
        rows: All rows of the groups: `_ordinal`, `_kept` (its own for a survivor) and the fields.
        fields: The columns to merge. A value is never overwritten, least of all by a blank.
        fit: Tells of each row whether it can be sent. A merge that gives one that cannot is not made.
    """
    is_winner = pl.col(ORDINAL) == pl.col(KEPT)
    ordered = rows.sort(KEPT, ~is_winner, -pl.col(ORDINAL).cast(pl.Int64))
    filled = ordered.group_by(KEPT, maintain_order=True).agg(
        pl.col(field).drop_nulls().first() for field in fields
    )
    fits = fit(filled)
    as_they_were = ordered.filter(is_winner).select(filled.columns).filter(~fits)
    merged = pl.concat([filled.filter(fits), as_they_were])
    values = ordered.filter(~is_winner).unpivot(
        fields, index=[ORDINAL, KEPT], variable_name="_field", value_name="_value"
    )
    carried = merged.unpivot(fields, index=KEPT, variable_name="_field", value_name="_carried")
    discarded = (
        values.drop_nulls("_value")
        .join(carried, on=[KEPT, "_field"], maintain_order="left")
        .filter(pl.col("_value").ne_missing(pl.col("_carried")))
        .select(pl.col("_field").alias("field"), pl.col("_value").alias("value"), ORDINAL, KEPT)
        .sort(ORDINAL, maintain_order=True)
    )
    return Merged(merged.rename({KEPT: ORDINAL}), discarded)
