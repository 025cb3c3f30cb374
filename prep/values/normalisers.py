"""Spellings that a field of the schema may ask for by name, beyond those of its type."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.values.rules import NON_ASCII, Rule, contains, once_for_each_value, replacing
from prep.values.text import NFC, NULL

_LETTER: Final = r"[^\W\d_]"
_MARK: Final = r"[\u0300-\u036F]"
_LETTERS: Final = f"{_LETTER}(?:{_LETTER}|{_MARK})*"
_WORD: Final = re.compile(
    rf"""
    (?P<tail> (?<={_LETTER}{{3}}['\u2019]) {_LETTERS}
            | (?<=['\u2019]) {_LETTER} {_MARK}* (?!{_LETTER}|{_MARK}) )
    | (?<!\w) (?<!{_MARK}) {_LETTERS}
    """,
    re.VERBOSE,
)
"""Letters with their accents that do not go on from a digit, such as 5th. They are the tail of another word
after an apostrophe if there is only one (the s in Women's) or if three letters stand before the apostrophe
(Dell'acqua); not so the Neil in O'Neil."""


def _composed(cells: pl.Series) -> pl.Series:
    """A letter without a counterpart in the other case comes apart, such as ΐ in capitals."""
    return NFC.apply(cells)[0]


def _unless_null(spelled: pl.Series, cells: pl.Series) -> pl.Series:
    """Somebody called Null stays so: in one case it would be a word that clears the field."""
    return cells.zip_with(spelled.is_in(NULL), spelled)


def _lower(cells: pl.Series) -> pl.Series:
    return _unless_null(_composed(cells.str.to_lowercase()), cells)


def _upper(cells: pl.Series) -> pl.Series:
    return _unless_null(_composed(cells.str.to_uppercase()), cells)


@once_for_each_value
def _title(cells: pl.Series) -> pl.Series:
    return _composed(pl.Series([_WORD.sub(_title_word, cell) for cell in cells], dtype=pl.String))


def _title_word(match: re.Match[str]) -> str:
    """A word in one case with a capital first letter; one in mixed case, such as McDonald, as it is.

    The dotted capital İ, alone in becoming two characters, is a plain i in the languages that use it. Whether
    a small sigma is a final one its place in the word decides.
    """
    word = match[0]
    if not (word.isupper() or word.islower()):
        return word
    small = word.replace("İ", "i").lower()
    return small if match["tail"] else _capital(word[0]) + small[1:]


def _capital(letter: str) -> str:
    """A ligature or ß, whose capital would be two letters, stays as it is: it begins no name."""
    return letter.title() if len(letter.title()) == 1 else letter


NORMALISERS: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "collapse_spaces": replacing("collapse_spaces", (r"[ \t\n]+", " ")),
        "lower": Rule("lower", contains(r"[A-Z]", NON_ASCII), _lower),
        "title": Rule("title", contains(r"\b[a-z]", r"[A-Z]{2}", NON_ASCII), _title),
        "upper": Rule("upper", contains(r"[a-z]", NON_ASCII), _upper),
    }
)
"""The rule behind each name of `prep.schema.NORMALISERS`."""
