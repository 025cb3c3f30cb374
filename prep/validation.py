"""pandera decides: valid rows | rejected rows with all their reasons."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from prep.checks import Check
from prep.judge import compile_sieve, find_failures
from prep.schema import Schema

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


@dataclass(frozen=True)
class Judge:
    """What rows are held against, compiled twice, since most rows break nothing.

    Attributes:
        checks: The checks of each column, in order.
        whole: The pandera schema that tells which rows break any, in one look at all columns.
        each: The pandera schema that names what they break.
    """

    checks: Mapping[str, Sequence[Check]]
    whole: "pa.DataFrameSchema"
    each: "pa.DataFrameSchema"


def compile_judge(schema: Schema, fields: Collection[str], lookup_field: str) -> Judge:
    """What judges rows with these fields.

    Fields that are required, or that rules over several fields speak of, always belong to it.
    """
    required = [field.name for field in schema.fields.values() if field.required]
    ruled = [name for rule in schema.rules for name in rule.fields]
    names = dict.fromkeys([*fields, *required, *ruled])
    checks = schema.checks(lookup_field, names)
    return Judge(checks, compile_sieve(checks), schema.to_pandera(lookup_field=lookup_field, fields=names))


def validate(frame: pl.DataFrame, judge: Judge) -> Validated:
    """Judge normalised rows.

    Args:
        frame: Text columns named by REST name, null where blank; columns that begin with `_` are carried
            along. Columns that the judge knows and the frame lacks count as blank.
        judge: From `compile_judge`.

    Raises:
        TypeError: As `find_failures`.
    """
    cells = frame.select(
        pl.col(name) if name in frame.columns else pl.lit(None, pl.String).alias(name)
        for name in judge.checks
    )
    rows = find_failures(judge.whole, cells)["index"]
    if rows.is_empty():
        return Validated(frame, frame.clear().with_columns(pl.lit(None, pl.List(pl.String)).alias(REASONS)))
    failures = _find_reasons(cells[rows], judge)
    reasons = (
        failures.select("index", pl.format("{}:{}", "column", "check").alias(REASONS))
        .unique(maintain_order=True)
        .group_by("index", maintain_order=True)
        .agg(REASONS)
        .sort("index")
    )
    if reasons.height != rows.len():
        raise TypeError("rows break a rule that nobody can name")
    is_broken = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True).scatter(rows, True)
    return Validated(frame.filter(~is_broken), frame.filter(is_broken).with_columns(reasons[REASONS]))


def _find_reasons(broken: pl.DataFrame, judge: Judge) -> pl.DataFrame:
    """The failures of rows all of which break something, found in the columns in which one does."""
    verdicts = broken.select(
        pl.all_horizontal(check.verdict(name) for check in checks).all().alias(name)
        for name, checks in judge.checks.items()
        if checks
    )
    names = [name for name, is_sound in verdicts.row(0, named=True).items() if is_sound is not True]
    return find_failures(judge.each.select_columns(names), broken)
