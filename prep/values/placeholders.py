"""Words for no value, such as n/a, where they fill the whole cell and no value is such a word."""

from collections.abc import Set as AbstractSet
from functools import cache
from typing import Final

import polars as pl

from prep.values.numbers import ROUNDED
from prep.values.rules import Rule, contains
from prep.values.words import ERRORS, NOBODY, NONE, NOTHING

PLACEHOLDER: Final = "placeholder"

PLACEHOLDERS: Final = NOTHING | NONE | ERRORS
BOOLEAN_PLACEHOLDERS: Final = NOTHING | ERRORS
EMAIL_PLACEHOLDERS: Final = PLACEHOLDERS | NOBODY
TEXT_PLACEHOLDERS: Final = ERRORS
"""A person may be called by any word, and by none of these."""

COUNTRY_PLACEHOLDERS: Final = PLACEHOLDERS - {"na"}
"""NA is the code of Namibia."""

STATE_PLACEHOLDERS: Final = PLACEHOLDERS - {"na", "nd", "n.d."}
"""ND is North Dakota, NA the province of Naples."""

KEY_PLACEHOLDERS: Final = STATE_PLACEHOLDERS
"""A record of a custom object may be called by such a code."""


ROUNDED_KEY: Final = Rule(
    PLACEHOLDER, contains(ROUNDED), lambda cells: cells.set(cells.str.contains(ROUNDED), None)
)
"""What is left of many numbers stands for none of them: it would make one of their rows."""


def placeholder_rule(words: AbstractSet[str], allowed: tuple[str, ...] = ()) -> Rule:
    """The rule `placeholder`: a cell that is one of these words in any case → blank.

    Args:
        words: In lower case.
        allowed: Values that are none of them, whatever the words say.
    """
    return _blanking(frozenset(words) - set(map(str.lower, allowed)))


@cache
def _blanking(words: frozenset[str]) -> Rule:
    listed = sorted(words)

    def respell(cells: pl.Series) -> pl.Series:
        return cells.set(cells.str.to_lowercase().is_in(listed), None)

    if words <= ERRORS:
        return Rule(PLACEHOLDER, contains("^#"), respell)  # one sign is found sooner than many words
    return Rule(PLACEHOLDER, contains(f"(?i)^(?:{'|'.join(map(pl.escape_regex, listed))})$"), respell)
