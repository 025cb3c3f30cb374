"""pandera decides: valid rows | rejected rows with all their reasons."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from prep.checks import Check
from prep.judge import compile_checks, compile_sieve, find_failures
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
    """What rows are held against.

    Attributes:
        checks: The checks of each column, in order.
        sieve: The pandera schema that tells which rows break any: most break none.
    """

    checks: Mapping[str, Sequence[Check]]
    sieve: "pa.DataFrameSchema"


def compile_judge(schema: Schema, fields: Collection[str], lookup_field: str) -> Judge:
    """What judges rows with these fields.

    Fields that are required, or that rules over several fields speak of, always belong to it.
    """
    required = [field.name for field in schema.fields.values() if field.required]
    ruled = [name for rule in schema.rules for name in rule.fields]
    names = dict.fromkeys([*fields, *required, *ruled])
    checks = schema.checks(lookup_field, names)
    return Judge(checks, compile_sieve(checks))


def validate(frame: pl.DataFrame, judge: Judge) -> Validated:
    """Judge normalised rows.

    Args:
        frame: Text columns named by REST name, null where blank; columns that begin with `_` are carried
            along. Columns that the judge knows and the frame lacks count as blank.
        judge: From `compile_judge`.

    Raises:
        TypeError: As `find_failures`.
    """
    known = set(frame.columns)
    cells = frame.select(
        pl.col(name) if name in known else pl.lit(None, pl.String).alias(name) for name in judge.checks
    )
    rows = find_failures(judge.sieve, cells)["index"]
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
    """The failures of rows all of which break something, by the checks that some of them do not pass."""
    listed = [(name, check) for name, checks in judge.checks.items() for check in checks]
    passed = broken.select(
        check.verdict(name).all(ignore_nulls=False).alias(str(place))
        for place, (name, check) in enumerate(listed)
    )
    failing = defaultdict[str, list[Check]](list)
    for (name, check), is_passed in zip(listed, passed.row(0), strict=True):
        if not is_passed:
            failing[name].append(check)
    return find_failures(compile_checks(failing), broken)
