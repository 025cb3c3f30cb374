"""Plain numbers. Thousand separators and decimal commas are never guessed."""

from typing import Final

import polars as pl

from prep.values.rules import Rule, lacks

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
