"""Values that are longer than their field holds, cut where nothing that a reader sees is split."""

import unicodedata
from typing import Final

import polars as pl

from prep.checks import longest
from prep.limits import STRING_CHARACTERS
from prep.schema import Field
from prep.values.rules import Rule
from prep.values.text import NULL

TRUNCATE: Final = "truncate"

_JOINER: Final = "\u200d"
_TRAILING: Final = " \t\n\u200c\u200d"
_SKIN_TONES: Final = ("\U0001f3fb", "\U0001f3ff")
_TAGS: Final = ("\U000e0020", "\U000e007f")
_FLAG_LETTERS: Final = ("\U0001f1e6", "\U0001f1ff")
"""https://www.unicode.org/reports/tr29/#Grapheme_Cluster_Boundary_Rules (GB9, GB9a, GB11, GB12)"""


def truncation_rule(field: Field) -> Rule:
    """The rule `truncate`: what is too long → its beginning, without blanks at its end."""
    in_bytes = field.type == "text"
    most = longest(field.type, field.length) or STRING_CHARACTERS

    def is_too_long(cell: pl.Expr) -> pl.Expr:
        return (cell.str.len_bytes() if in_bytes else cell.str.len_chars()) > most

    def respell(cells: pl.Series) -> pl.Series:
        return pl.Series([truncated(cell, most, in_bytes=in_bytes) for cell in cells], dtype=pl.String)

    return Rule(TRUNCATE, is_too_long, respell)


def truncated(text: str, most: int, *, in_bytes: bool) -> str:
    """The longest beginning of at most so many characters or bytes of UTF-8 that splits no visible character.

    A text whose first visible character alone is longer stays as it is, and so does one whose beginning would
    be a word that clears the field.
    """
    end = len(text.encode()[:most].decode(errors="ignore")) if in_bytes else most
    if end >= len(text):
        return text
    while end and not _is_boundary(text, end):
        end -= 1
    beginning = text[:end].rstrip(_TRAILING)
    return text if beginning in {"", *NULL} else beginning


def _is_boundary(text: str, end: int) -> bool:
    """Whether a reader sees one character end before this position, and another one begin."""
    before, after = text[end - 1], text[end]
    if _JOINER in {before, after} or unicodedata.category(after).startswith("M"):
        return False
    if _is_between(after, _SKIN_TONES) or _is_between(after, _TAGS):
        return False
    if not _is_between(after, _FLAG_LETTERS):
        return True
    letters = 0
    while letters < end and _is_between(text[end - 1 - letters], _FLAG_LETTERS):
        letters += 1
    return letters % 2 == 0


def _is_between(letter: str, ends: tuple[str, str]) -> bool:
    return ends[0] <= letter <= ends[1]
