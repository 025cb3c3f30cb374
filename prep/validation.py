"""pandera decides: valid rows | rejected rows with all their reasons."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from prep.schema import Schema, find_failures

if TYPE_CHECKING:
    import pandera.polars as pa

REASONS = "_reasons"


@dataclass(frozen=True)
class Validated:
    """The two halves of a judged frame; their heights add up to its height.

    Attributes:
        valid: Rows that broke no rule, in order, all columns.
        rejected: The others, in order, all columns, and `_reasons`: a list of `field:code`, each once, in
            the order of the judge's columns and rules.
    """

    valid: pl.DataFrame
    rejected: pl.DataFrame


def compile_judge(schema: Schema, fields: Collection[str], lookup_field: str) -> "pa.DataFrameSchema":
    """The pandera schema that judges rows with these fields.

    Fields that are required, or that rules over several fields speak of, always belong to it.
    """
    required = [field.name for field in schema.fields.values() if field.required]
    ruled = [name for rule in schema.rules for name in rule.fields]
    return schema.to_pandera(lookup_field=lookup_field, fields=dict.fromkeys([*fields, *required, *ruled]))


def validate(frame: pl.DataFrame, judge: "pa.DataFrameSchema") -> Validated:
    """Judge normalised rows.

    Args:
        frame: Text columns named by REST name, null where blank; columns that begin with `_` are carried
            along. Columns that the judge knows and the frame lacks count as blank.
        judge: From `compile_judge`.
    """
    absent = [pl.lit(None, pl.String).alias(name) for name in judge.columns if name not in frame.columns]
    failures = find_failures(judge, frame.select(pl.col(set(judge.columns) & set(frame.columns)), *absent))
    if failures.is_empty():
        return Validated(frame, frame.clear().with_columns(pl.lit(None, pl.List(pl.String)).alias(REASONS)))
    reasons = (
        failures.select("index", pl.format("{}:{}", "column", "check").alias(REASONS))
        .unique(maintain_order=True)
        .group_by("index", maintain_order=True)
        .agg(REASONS)
        .sort("index")
    )
    is_broken = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True).scatter(reasons["index"], True)
    return Validated(frame.filter(~is_broken), frame.filter(is_broken).with_columns(reasons[REASONS]))
