"""Yes and no: the words that stand for true and false."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.values.rules import Rule, or_as_it_was
from prep.values.words import FALSE, TRUE

BOOLEAN_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(TRUE, "true") | dict.fromkeys(FALSE, "false")
)
"""Lower-case words and what they mean, in whatever language."""


def _spell(cells: pl.Series) -> pl.Series:
    spelled = cells.str.to_lowercase().replace_strict(BOOLEAN_WORDS, default=None, return_dtype=pl.String)
    return or_as_it_was(spelled, cells)


BOOLEAN: Final = Rule("boolean", lambda cell: ~cell.is_in(["true", "false"]), _spell)
"""The words above in any case → `true` or `false`."""
