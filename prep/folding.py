"""Names as people read, compare and type them: headers, fields, values, paths."""

import os
import re
import shlex
import unicodedata
from collections.abc import Sequence
from typing import Final

_ACCENTS: Final = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\ufe00-\ufe0f]")
"""Marks of Latin, Greek, Cyrillic, Hebrew and Arabic that people leave out, and variation selectors.
Those of Thai, Devanagari and others are letters to their readers and stay."""

_LIKE_LETTERS: Final = str.maketrans(
    {
        **dict(zip("ıłøđħðþ", "ilodhdt", strict=True)),
        **dict(zip("ىیکة", "ييكه", strict=True)),
        **dict.fromkeys("\u0640\u02bc\u02be\u02bf", ""),
        "æ": "ae",
        "œ": "oe",
        "°": "o",
    }
)
"""Letters that stand for each other without being composed; N° is Nº is No. Tatweel and letters that are
apostrophes go."""

_OTHER_SPACES: Final = re.compile(r"[^\S ]+")
_SPECIAL_IN_QUOTES: Final = re.compile(r'[$`\\"]')

_ASCII_SIGNS: Final = {code: None for code in range(128) if not chr(code).isalnum()}


def fold(spelling: str) -> str:
    """A name without case, accents, width, spaces and punctuation, for comparison."""
    if spelling.isascii():
        return spelling.lower().translate(_ASCII_SIGNS)
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", spelling).casefold())
    letters = unicodedata.normalize("NFC", _ACCENTS.sub("", plain)).translate(_LIKE_LETTERS)
    if letters.isalnum():
        return letters
    return "".join(
        letter for letter in letters if letter.isalnum() or unicodedata.category(letter) in {"Mn", "Mc"}
    )


def fold_header(header: str) -> str:
    """A header as it compares with others: folded, unless nothing of it is left then."""
    return fold(header) or header


def as_typed(header: str) -> str:
    """A header as it can be pasted between a shell's double quotes, so that `--map` knows its column."""
    plain = "".join(letter for letter in _OTHER_SPACES.sub(" ", header) if letter.isprintable())
    return _SPECIAL_IN_QUOTES.sub(r"\\\g<0>", plain)


def counted(count: int, one: str, many: str = "") -> str:
    """So many of something: `1 row`, `1,200 rows`; `many` where no `s` makes the plural."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def quoted(path: str | os.PathLike[str]) -> str:
    """A path as it can be typed into a shell behind the name of a command."""
    text = os.fspath(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def printable(text: str) -> str:
    """A text on one line, in which control and other invisible characters are shown as escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


MOST_NAMED: Final = 20
"""How many columns a message names: a list of answers to a form can have thousands."""


def name_some(headers: Sequence[str], most: int = MOST_NAMED) -> str:
    """Headers in a row for a message; of very many the first ones, and how many more there are."""
    named = ", ".join(map(repr, headers[:most]))
    return f"{named} and {len(headers) - most:,} more" if len(headers) > most else named
