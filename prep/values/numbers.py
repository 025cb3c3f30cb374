"""Plain numbers. Thousand separators and decimal commas are never guessed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.model import DecimalMark
from prep.values.rules import Rule, contains, lacks

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

DECIMAL: Final = _number("number", _DECIMAL, _DECIMAL_IN_OTHER_WORDS, _TO_DECIMAL)
"""`+1.5` → `1.5`, `.5` → `0.5`, `5.` → `5`. Digits stay as typed, exponents are not understood."""

_SEPARATORS: Final[Mapping[DecimalMark, str]] = MappingProxyType(
    {DecimalMark.COMMA: ".' \u2019", DecimalMark.POINT: ",' \u2019"}
)
"""What may stand between thousands, by the decimal mark."""

POINT_OR_THOUSANDS: Final = r"^-?[1-9][0-9]{0,2}\.[0-9]{3}$"
"""What is one number in Madrid and a thousand times as much in London."""


def separator_rules(mark: DecimalMark | None, *, whole: bool) -> tuple[Rule, ...]:
    """The rule `separators`: `1.234,5` or `1,234.5` → `1234.5`; none where nobody said which is which.

    With decimal commas `1,234` becomes `1.2340`, so that whoever reads it again does not see thousands. In a
    field of whole numbers what has decimals stays as it was.
    """
    if mark is None:
        return ()
    point = "," if mark is DecimalMark.COMMA else "[.]"
    grouped = "|".join(f"[1-9][0-9]{{0,2}}(?:[{one}][0-9]{{3}})+" for one in _SEPARATORS[mark])
    understood = rf"^[+-]?(?:(?:{grouped}|[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+)$"
    separator = f"[{_SEPARATORS[mark]}]"

    def respell(cells: pl.Series) -> pl.Series:
        spelled = cells.str.replace_all(separator, "").str.replace(",", ".", literal=True)
        if mark is DecimalMark.COMMA:
            spelled = spelled.str.replace(r"^([+-]?[0-9]{1,3}\.[0-9]{3})$", "${1}0")
        is_meant = cells.str.contains(understood)
        if whole:
            is_meant &= spelled.str.contains(_INTEGER_IN_OTHER_WORDS)
        return spelled.zip_with(is_meant, cells)

    return (Rule("separators", contains(f"[,{_SEPARATORS[mark]}]"), respell),)
