"""Plain numbers. Thousand separators and decimal commas are never guessed: a setting or the column tells."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.model import POINT_OR_THOUSANDS, DecimalMark
from prep.values.rules import OPEN, PLAIN, Rule, Test, contains, lacks

_INTEGER: Final = r"^(?:0|-?[1-9][0-9]*)$"
_INTEGER_IN_OTHER_WORDS: Final = r"^[+-]?[0-9]+(?:\.0*)?$"
_TO_INTEGER: Final = ((r"^\+", ""), (r"\.0*$", ""), (r"^(-?)0+([0-9])", "$1$2"), (r"^-0$", "0"))

_DECIMAL: Final = r"^-?[0-9]+(?:\.[0-9]+)?$"
_DECIMAL_IN_OTHER_WORDS: Final = r"^[+-]?(?:[0-9]+\.?|[0-9]*\.[0-9]+)$"
_TO_DECIMAL: Final = ((r"^\+", ""), (r"\.$", ""), (r"^(-?)\.", "${1}0."))


def _number(name: str, canonical: str, understood: str, replacements: tuple[tuple[str, str], ...]) -> Rule:
    def respell(cells: pl.Series) -> pl.Series:
        spelled = cells
        for pattern, replacement in replacements:
            spelled = spelled.str.replace(pattern, replacement)
        return spelled.zip_with(cells.str.contains(understood), cells)

    return Rule(name, lacks(canonical), respell)


INTEGER: Final = _number("integer", _INTEGER, _INTEGER_IN_OTHER_WORDS, _TO_INTEGER)
"""`+5`, `05`, `5.0` and `5.` → `5`; `-0` → `0`. Nothing is rounded: `5.5` stays."""

UNDECIDED_INTEGER: Final = _number(
    "integer", _INTEGER, r"^[+-]?(?:[0-9]+(?:\.(?:0{0,2}|0{4,}))?|(?:0[0-9]*|[0-9]{4,})\.0+)$", _TO_INTEGER
)
"""The same where nobody knows whether `5.000` is five: it stays."""

DECIMAL: Final = _number("number", _DECIMAL, _DECIMAL_IN_OTHER_WORDS, _TO_DECIMAL)
"""`+1.5` → `1.5`, `.5` → `0.5`, `5.` → `5`. Digits stay as typed, exponents are not understood."""

ROUNDED: Final = r"^[+-]?[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]+$"
"""How spreadsheets show, and save, long numbers in cells that are no text: 34910123456 as 3.49E+10."""


def sign_rule(*, percent: bool, whole: bool) -> Rule:
    """The rule `sign`: the minus of typography → `-`, and in a percentage `85 %` → `85`."""
    marks = ((r"^\u{2212}([0-9.])", "-$1"), (r"^([+-]?[0-9][0-9.,' \u{2019}]*?) ?%$", "$1"))

    def respell(cells: pl.Series) -> pl.Series:
        for pattern, replacement in marks if percent else marks[:1]:
            cells = cells.str.replace(pattern, replacement)
        return cells

    return Rule("sign", lacks(_INTEGER if whole else _DECIMAL), respell)


_GROUPING: Final = "' \u2019"
_SEPARATORS: Final[Mapping[DecimalMark, str]] = MappingProxyType(
    {DecimalMark.COMMA: f".{_GROUPING}", DecimalMark.POINT: f",{_GROUPING}"}
)
"""What may stand between thousands, by the decimal mark."""


def separator_rules(mark: DecimalMark | None, *, whole: bool) -> tuple[Rule, ...]:
    """The rule `separators`: `1.234,5` or `1,234.5` → `1234.5`, as the mark says.

    Without a mark only what means the same with either: `1 234`. With decimal commas `1,234` becomes
    `1.2340`, so that whoever reads it again does not see thousands. In a field of whole numbers what has
    decimals stays as it was.
    """
    marks = tuple(DecimalMark) if mark is None else (mark,)

    def respell(cells: pl.Series) -> pl.Series:
        spelled, *others = (_read(cells, mark) for mark in marks)
        is_meant = spelled.is_not_null()
        for other in others:
            is_meant &= spelled.eq_missing(other)
        if whole:
            is_meant &= spelled.str.contains(_INTEGER_IN_OTHER_WORDS).fill_null(value=False)
        return spelled.zip_with(is_meant, cells)

    needed: Test = lacks(
        _INTEGER if whole else _DECIMAL
    )  # as the rule that follows, so that one look is enough
    if mark is DecimalMark.COMMA and not whole:
        needed = contains(f"[,{_SEPARATORS[mark]}]")  # 1.234 lacks nothing, but is meant for 1234
    return (Rule("separators", needed, respell),)


def _read(cells: pl.Series, mark: DecimalMark) -> pl.Series:
    """The cells without separators and with a decimal point; null where they are no number so written."""
    point = "," if mark is DecimalMark.COMMA else "[.]"
    grouped = "|".join(f"[1-9][0-9]{{0,2}}(?:[{one}][0-9]{{3}})+" for one in _SEPARATORS[mark])
    understood = rf"^[+-]?(?:(?:{grouped}|[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+)$"
    spelled = cells.str.replace_all(f"[{_SEPARATORS[mark]}]", "").str.replace(",", ".", literal=True)
    if mark is DecimalMark.COMMA:
        spelled = spelled.str.replace(r"^([+-]?[0-9]{1,3}\.[0-9]{3})$", "${1}0")
    return spelled.to_frame("cell").select(pl.when(cells.str.contains(understood)).then("cell")).to_series()


def number_evidence(cells: pl.Series) -> pl.DataFrame:
    """What each cell says about the decimal mark of the numbers in its column.

    Returns:
        `spelling`, the same for all, and `verdict`: `point` or `comma` where the other one makes no number of
        it, `open` where it makes another number, `plain` where it is one of four digits or more without any
        separator. Others have none.
    """
    read = pl.DataFrame({str(mark): _read(cells, mark) for mark in DecimalMark})
    point, comma = pl.col(DecimalMark.POINT), pl.col(DecimalMark.COMMA)
    verdict = (
        pl.when(comma.is_null() & point.is_null())
        .then(None)
        .when(comma.is_null())
        .then(pl.lit(DecimalMark.POINT.value))
        .when(point.is_null())
        .then(pl.lit(DecimalMark.COMMA.value))
        .when(point != comma)
        .then(pl.lit(OPEN))
        .when(cells.str.contains("^[+-]?[0-9]{4,}$"))
        .then(pl.lit(PLAIN))
    )
    return read.select(pl.lit("").alias("spelling"), verdict.alias("verdict"))


def is_plain_number(cells: pl.Series) -> pl.Series:
    """True for a number that nobody would write otherwise, decimals with a point included."""
    return cells.str.contains(_DECIMAL) & ~cells.str.contains(POINT_OR_THOUSANDS)
