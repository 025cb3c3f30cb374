"""pandera decides: valid rows | rejected rows, with every rule that they break."""

from collections import defaultdict
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
_AT, _FAILED = "_at", "_failed"


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
    is_broken = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True).scatter(rows, True)
    reasons = _find_reasons(cells.filter(is_broken), judge)
    return Validated(frame.filter(~is_broken), frame.filter(is_broken).with_columns(reasons))


def _find_reasons(broken: pl.DataFrame, judge: Judge) -> pl.Series:
    """The reasons of rows all of which break something, in the order of the judge's columns and rules.

    Raises:
        TypeError: A row breaks nothing after all.
    """
    verdicts = defaultdict[str, list[pl.Expr]](list)
    for name, checks in judge.checks.items():
        for check in checks:
            verdicts[f"{name}:{check.reason}"].append(check.verdict(name))
    failed = broken.select(
        (~pl.all_horizontal(of_reason).fill_null(False)).alias(reason)
        for reason, of_reason in verdicts.items()
    )
    is_named = failed.select(pl.all().any()).row(0, named=True)
    if named := [reason for reason in failed.columns if is_named[reason]]:
        listed = failed.with_row_index(_AT).unpivot(
            named, index=_AT, variable_name=REASONS, value_name=_FAILED
        )
        by_row = listed.filter(_FAILED).sort(_AT, maintain_order=True).group_by(_AT, maintain_order=True)
        reasons = by_row.agg(REASONS)[REASONS]
        if reasons.len() == broken.height:
            return reasons
    raise TypeError("rows break a rule that nobody can name")
