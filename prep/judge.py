"""pandera, called in one way: checks are compiled to it, and frames judged by it."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

import polars as pl

from prep.checks import Check
from prep.model import Reason

if TYPE_CHECKING:
    import pandera.polars as pa


def compile_checks(
    checks: Mapping[str, Iterable[Check]], of_frame: Check | None = None
) -> "pa.DataFrameSchema":
    """A schema over text columns, none of them mandatory, with the checks of each, by the reason of each.

    Args:
        checks: Name of a column → its checks.
        of_frame: A check with one verdict about the whole frame, however many rows it has.
    """
    import pandera.polars as pa  # noqa: PLC0415 (half a second that `--help` need not pay)

    return pa.DataFrameSchema(
        {
            name: pa.Column(pl.String, list(map(_pandera_check, rules)), nullable=True, required=False)
            for name, rules in checks.items()
        },
        checks=_pandera_check(of_frame) if of_frame else None,
    )


def _pandera_check(rule: Check) -> "pa.Check":
    import pandera.polars as pa  # noqa: PLC0415

    def passes(data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(rule.verdict(data.key))

    return pa.Check(passes, error=rule.reason.value, ignore_na=False)


def compile_sieve(checks: Mapping[str, Iterable[Check]]) -> "pa.DataFrameSchema":
    """One rule over all columns: whether a row passes all of these checks, judged side by side at once.

    Its failures name the first column, whose cells have nothing to do with it.
    """
    verdict = pl.all_horizontal(rule.verdict(name) for name, rules in checks.items() for rule in rules)
    whole = Check(Reason.NOT_ALLOWED, lambda _: verdict, judges_blanks=True)
    return compile_checks({next(iter(checks)): [whole]})


def import_judge_ahead() -> None:
    """Begin to import pandera in a thread: it takes half a second, in which sources can be looked at.

    Python waits for it in the end: left in the middle of a library in Rust, it brings the process down.
    """
    Thread(target=_import_judge, name="prep-import").start()


def _import_judge() -> None:
    with suppress(ImportError):  # whoever needs it meets the error
        import_module("pandera.polars")


def find_failures(judge: "pa.DataFrameSchema", frame: pl.DataFrame) -> pl.DataFrame:
    """Let pandera judge a frame, whatever its own settings in the environment say.

    Returns:
        One line for each broken rule: `column`, `check` (the rule's `error`) and `index` (0-based position of
        the row; meaningless for rules over the whole frame), in the order of columns, rules and rows. It
        holds no cell values; pandera's own exception does, and goes no further than here.

    Raises:
        TypeError: The frame's shape does not fit the schema, or a rule raised: defects of prep only.
    """
    import pandera.polars as pa  # noqa: PLC0415
    from pandera.config import ValidationDepth, config_context  # noqa: PLC0415

    depth = ValidationDepth.SCHEMA_AND_DATA
    with config_context(validation_enabled=True, validation_depth=depth):
        try:
            judge.validate(frame.lazy().collect(), lazy=True)  # the values of a LazyFrame would go unseen
        except pa.errors.SchemaErrors as errors:
            found: pl.DataFrame = errors.failure_cases.select("column", "check", "index", "schema_context")
        else:
            return pl.DataFrame(schema={"column": pl.String, "check": pl.String, "index": pl.Int32})
    if foreign := set(found["check"].unique()) - set(Reason):
        raise TypeError(f"pandera reports {', '.join(sorted(map(str, foreign)))}")
    # Pandera reports a rule that raises like one that is broken, but without a row.
    crashed = found.filter(pl.col("index").is_null() & (pl.col("schema_context") == "Column"))
    if crashed.height:
        rules = (f"{column}:{check}" for column, check in crashed.select("column", "check").rows())
        raise TypeError(f"rules that could not be judged: {', '.join(rules)}")
    return found.drop("schema_context")
