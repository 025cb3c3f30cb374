"""Yes and no: the words that stand for true and false."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.values.rules import Rule, or_as_it_was

BOOLEAN_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "true": "true", "t": "true", "yes": "true", "y": "true", "on": "true", "1": "true",
        "false": "false", "f": "false", "no": "false", "n": "false", "off": "false", "0": "false",
    }
)  # fmt: skip
"""Lower-case words and what they mean."""


def _spell(cells: pl.Series) -> pl.Series:
    spelled = cells.str.to_lowercase().replace_strict(BOOLEAN_WORDS, default=None, return_dtype=pl.String)
    return or_as_it_was(spelled, cells)


BOOLEAN: Final = Rule("boolean", lambda cell: ~cell.is_in(["true", "false"]), _spell)
"""The words above in any case → `true` or `false`."""
