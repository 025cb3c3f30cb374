"""One row per lookup key | the rows that lost, and to whom."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from prep.model import ALL_FIELDS, CLEARING, SOURCE, Keep, KeepPolicy, MergePolicy, MergeRule

ORDINAL = "_ordinal"
KEPT = "_kept"
KEY = "_key"
RANK = "_rank"


@dataclass(frozen=True)
class Merged:
    """What merging groups of duplicates gave.

    Attributes:
        rows: One row for each group: `_ordinal` of the survivor, and the merged fields, or its own as they
            were where the merged row may not be sent.
        discarded: `field`, `value`, `_ordinal` (the row it came from), `_kept` (the row it did not get into):
            every value of the group, the survivor's own included, that the merged row does not carry, in the
            order of rows and fields.
    """

    rows: pl.DataFrame
    discarded: pl.DataFrame


def lookup_keys(values: pl.Series, type_name: str) -> pl.Series:
    """What makes two lookup values the same: addresses compare without case, all others exactly."""
    return (values.str.to_lowercase() if type_name == "email" else values).alias(KEY)


def compound_keys(values: pl.DataFrame, types: Mapping[str, str]) -> pl.Series:
    """What makes two compound keys the same: each of their values.

    Args:
        values: The fields of the key, in its order; none is blank.
        types: Type of each field.

    Returns:
        A JSON object of the values of each row, so that no two keys have one spelling.
    """
    alike = [lookup_keys(values[name], types[name]).alias(name) for name in values.columns]
    return values.select(pl.struct(alike).struct.json_encode().alias(KEY)).to_series()


def rank(frame: pl.DataFrame, fields: Sequence[str], keep: Keep) -> pl.Series:
    """How much each row deserves to survive, higher is better; among equals the later row wins.

    Dates and date-times compare as moments; a blank one loses against any other. An order to clear a field
    fills nothing.
    """
    value: pl.Expr
    match keep.policy:
        case KeepPolicy.FIRST:
            value = -pl.col(ORDINAL).cast(pl.Int64)
        case KeepPolicy.LAST | KeepPolicy.MERGE:
            value = pl.repeat(0, pl.len(), dtype=pl.Int8)
        case KeepPolicy.MOST_COMPLETE:
            value = pl.sum_horizontal((pl.col(field) != CLEARING).fill_null(value=False) for field in fields)
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
        keys: `_ordinal` (unique, in source order), `_key`, `_rank` and any further columns of every row still
            standing; rows whose key no other row has may be missing.

    Returns:
        `_ordinal` of each row that loses, and of the row that its key keeps `_kept`, its ordinal, and the
        further columns, such as `_kept_row` where there is a `_row`; by ordinal.
    """
    further = [name for name in keys.columns if name not in {ORDINAL, KEY, RANK}]
    kept = [pl.col(ORDINAL).alias(KEPT), *(pl.col(name).alias(f"{KEPT}{name}") for name in further)]
    ranked = keys.sort(RANK, ORDINAL, nulls_last=False)
    losers = ranked.select(ORDINAL, *(column.last().over(KEY) for column in kept))
    return losers.filter(pl.col(ORDINAL) != pl.col(KEPT)).sort(ORDINAL)


def merge(
    rows: pl.DataFrame,
    fields: Sequence[str],
    rules: Mapping[str, MergeRule],
    fit: Callable[[pl.DataFrame], pl.Series],
    sources: Sequence[str] = (),
) -> Merged:
    """Make one row of each group: for every field one of the values that its rows have.

    A blank never counts: a field is blank only where it is so in all rows. Without a rule a field keeps the
    survivor's value, else that of the latest other row. Neither other groups nor the borders of batches
    matter.

    Args:
        rows: All rows of the groups: `_ordinal`, `_kept` (its own for a survivor), the fields, and `_source`
            if a rule asks for it.
        fields: The columns to merge.
        rules: Field → which value it keeps; `*` stands for all fields without a rule of their own.
        fit: Tells of each row whether it may be sent. A merge that gives one that cannot is not made.
        sources: The paths of all sources, if a rule asks for one: it is meant that has the very path.
    """
    is_winner = pl.col(ORDINAL) == pl.col(KEPT)
    ordered = rows.sort(KEPT, ~is_winner, -pl.col(ORDINAL).cast(pl.Int64))
    chosen = {field: rules.get(field, rules.get(ALL_FIELDS, MergeRule())) for field in fields}
    merged = _merged(ordered, chosen, sources)
    fits = fit(merged)
    as_they_were = ordered.filter(is_winner).select(merged.columns).filter(~fits)
    final = pl.concat([merged.filter(fits), as_they_were])
    return Merged(final.rename({KEPT: ORDINAL}), _discarded(ordered, final, fields))


def _merged(ordered: pl.DataFrame, rules: Mapping[str, MergeRule], sources: Sequence[str]) -> pl.DataFrame:
    """`_kept` and the fields of each group, whose rows stand in the order in which they count."""
    scores = {
        field: score
        for field, rule in rules.items()
        if (score := _score(ordered, field, rule, sources)) is not None
    }
    scored = ordered.with_columns(score.alias(f"_score_{field}") for field, score in scores.items())
    by_score = {
        field: pl.col(field).sort_by(f"_score_{field}", descending=True, nulls_last=True, maintain_order=True)
        for field in scores
    }
    return scored.group_by(KEPT, maintain_order=True).agg(
        by_score.get(field, pl.col(field)).drop_nulls().first() for field in rules
    )


def _score(rows: pl.DataFrame, field: str, rule: MergeRule, sources: Sequence[str]) -> pl.Expr | None:
    """What makes a row's value of this field better, higher is; None where order alone decides."""
    match rule.policy:
        case MergePolicy.LAST:
            return None
        case MergePolicy.FIRST:
            return -pl.col(ORDINAL).cast(pl.Int64)
        case MergePolicy.LONGEST:
            return pl.when(pl.col(field) == CLEARING).then(0).otherwise(pl.col(field).str.len_chars())
        case MergePolicy.MOST_FREQUENT:
            return pl.len().over(KEPT, field)
        case MergePolicy.NEWEST:
            return _moment(pl.col(str(rule.of)))
        case MergePolicy.SOURCE:
            paths = {*sources, *rows[SOURCE].unique()}
            called = [path for path in paths if is_called(path, str(rule.of))]
            return pl.col(SOURCE).is_in([rule.of] if rule.of in paths else called)


def is_called(path: str, name: str) -> bool:
    """Whether a source is meant by this name: its path or the end of it, or the archive that holds it."""
    archive, _, member = path.partition("!")
    return any(f"/{part}".endswith(f"/{name}") for part in (path, archive, member))


def _discarded(rows: pl.DataFrame, merged: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
    values = rows.unpivot(fields, index=[ORDINAL, KEPT], variable_name="_field", value_name="_value")
    carried = merged.unpivot(fields, index=KEPT, variable_name="_field", value_name="_carried")
    return (
        values.drop_nulls("_value")
        .join(carried, on=[KEPT, "_field"], maintain_order="left")
        .filter(pl.col("_value").ne_missing(pl.col("_carried")))
        .select(pl.col("_field").alias("field"), pl.col("_value").alias("value"), ORDINAL, KEPT)
        .sort(ORDINAL, maintain_order=True)
    )
