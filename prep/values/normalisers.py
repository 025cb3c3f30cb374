"""Spellings that a field of the schema may ask for by name, beyond those of its type."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.values.rules import Rule, contains, once_for_each_value, replacing
from prep.values.text import NFC

_NON_ASCII: Final = r"[^\x00-\x7F]"

_WORD: Final = re.compile(
    r"""
    (?P<tail> (?<=[^\W\d_]{3}['\u2019]) [^\W\d_]+ | (?<=['\u2019]) [^\W\d_] (?![^\W\d_]) )
    | (?<!\w) [^\W\d_]+
    """,
    re.VERBOSE,
)
"""A run of letters that does not go on from a digit, such as 5th. It is the tail of another word after an
apostrophe, if it is one letter long (the s in Women's) or three letters stand before the apostrophe
(Dell'acqua); not so the Neil in O'Neil."""


def _composed(cells: pl.Series) -> pl.Series:
    """A letter without a counterpart in the other case comes apart, such as ΐ in capitals."""
    return NFC.apply(cells)[0]


def _lower(cells: pl.Series) -> pl.Series:
    return _composed(cells.str.to_lowercase())


def _upper(cells: pl.Series) -> pl.Series:
    return _composed(cells.str.to_uppercase())


@once_for_each_value
def _title(cells: pl.Series) -> pl.Series:
    return _composed(pl.Series([_WORD.sub(_title_word, cell) for cell in cells], dtype=pl.String))


def _title_word(match: re.Match[str]) -> str:
    """A word in one case with a capital first letter; one in mixed case, such as McDonald, as it is."""
    word = match[0]
    if not (word.isupper() or word.islower()):
        return word
    return word.lower() if match["tail"] else word.title()


NORMALISERS: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "collapse_spaces": replacing("collapse_spaces", (r"[ \t\n]+", " ")),
        "lower": Rule("lower", contains(r"[A-Z]", _NON_ASCII), _lower),
        "title": Rule("title", contains(r"\b[a-z]", r"[A-Z]{2}", _NON_ASCII), _title),
        "upper": Rule("upper", contains(r"[a-z]", _NON_ASCII), _upper),
    }
)
"""The rule behind each name of `prep.schema.NORMALISERS`."""
