"""Words for no value, such as n/a, where they fill the whole cell and no value is such a word."""

from typing import Final

import polars as pl

from prep.values.rules import Rule
from prep.values.words import NOBODY, NONE, NOTHING


def _blanking(words: frozenset[str]) -> Rule:
    """The rule `placeholder`: a cell that is one of these words in any case → blank."""
    longest = max(len(word.encode()) for word in words)
    listed = sorted(words)

    def needed(cell: pl.Expr) -> pl.Expr:
        is_short = cell.str.len_bytes() <= longest
        return is_short & pl.when(is_short).then(cell).str.to_lowercase().is_in(listed)

    return Rule("placeholder", needed, lambda cells: cells.clear(cells.len()))


PLACEHOLDER: Final = _blanking(NOTHING | NONE)
BOOLEAN_PLACEHOLDER: Final = _blanking(NOTHING)
EMAIL_PLACEHOLDER: Final = _blanking(NOTHING | NONE | NOBODY)
COUNTRY_PLACEHOLDER: Final = _blanking((NOTHING | NONE) - {"na"})
"""NA is the code of Namibia."""
