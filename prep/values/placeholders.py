"""Words for no value, such as n/a, where they fill the whole cell and no value is such a word."""

from typing import Final

import polars as pl

from prep.values.rules import Rule, contains
from prep.values.words import NOBODY, NONE, NOTHING


def _blanking(words: frozenset[str]) -> Rule:
    """The rule `placeholder`: a cell that is one of these words in any case → blank."""
    listed = sorted(words)

    def respell(cells: pl.Series) -> pl.Series:
        return cells.set(cells.str.to_lowercase().is_in(listed), None)

    return Rule("placeholder", contains(f"(?i)^(?:{'|'.join(map(pl.escape_regex, listed))})$"), respell)


PLACEHOLDER: Final = _blanking(NOTHING | NONE)
BOOLEAN_PLACEHOLDER: Final = _blanking(NOTHING)
EMAIL_PLACEHOLDER: Final = _blanking(NOTHING | NONE | NOBODY)
COUNTRY_PLACEHOLDER: Final = _blanking((NOTHING | NONE) - {"na"})
"""NA is the code of Namibia."""

STATE_PLACEHOLDER: Final = _blanking((NOTHING | NONE) - {"na", "nd", "n.d."})
"""ND is North Dakota, NA the province of Naples."""
