"""How probable is what a code page makes of a text?

Each code page decodes a sample of the file's words, and each reading is judged: letters as its languages put
them together, capitals where words have them, signs where text has them. Code pages that give the same text
are one.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log
from typing import Final

from prep.sources.codepages import CODE_PAGES, CodePage
from prep.sources.languages import folded, is_mark, languages
from prep.sources.survey import Survey


@dataclass(frozen=True)
class Reading:
    """What one or several code pages that give the same text make of a sample.

    Attributes:
        pages: The code pages, the commonest first.
        score: Natural logarithm of the probability, but for a constant.
        fit: The same for the words alone, for each byte of theirs.
    """

    pages: tuple[CodePage, ...]
    score: float
    fit: float

    @property
    def page(self) -> CodePage:
        """The commonest of the code pages."""
        return self.pages[0]


def rank(found: Survey) -> list[Reading]:
    """Judge all code pages; the best reading comes first."""
    few = found.words[:_FEW_WORDS]
    rough = {page: likelihood(page, few) for page in CODE_PAGES}
    hopeless = max(rough.values()) - _HOPELESS
    groups: dict[tuple[str, ...], list[CodePage]] = {}
    for page in sorted(CODE_PAGES, key=lambda page: page.rarity):
        if rough[page] > hopeless:
            groups.setdefault(_texts(page, found.words), []).append(page)
    homes = _homes(found)
    readings = [_reading(tuple(pages), found, homes) for pages in groups.values()]
    return sorted(readings, key=lambda reading: -reading.score)


_FEW_WORDS = 40
_HOPELESS = 150.0


def _reading(pages: tuple[CodePage, ...], found: Survey, homes: Sequence[frozenset[str]]) -> Reading:
    """Judge pages that give the same text; of those with the same languages, the commonest speaks for all."""
    speakers = {page.languages: page for page in reversed(pages)}.values()
    words = max(likelihood(page, found.words) for page in speakers)
    score = max(likelihood(page, found.words, found.plain, homes) for page in speakers)
    return Reading(pages, score, words / max(sum(map(len, found.words)), 1))


def _texts(page: CodePage, words: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(word.decode(page.name, "surrogateescape") for word in words)


def likelihood(
    page: CodePage,
    words: tuple[bytes, ...],
    plain: Sequence[bytes] = (),
    homes: Sequence[frozenset[str]] = (),
) -> float:
    """Judge what a code page makes of words.

    Args:
        page: The code page.
        words: Words that are not ASCII.
        plain: Words that are; they tell of the languages.
        homes: The languages that each address and number speaks for.

    Returns:
        Natural logarithm of the probability, but for a constant.
    """
    names = (*page.languages, "any")
    table, signs = _judged_words(names, _texts(page, words))
    plain_table = [_by_language(word.decode("ascii"), names) for word in plain]
    plain_table += [[log(_AT_HOME if name in home else _ABROAD) for name in names] for home in homes]
    shares = _shares(names, table, plain_table)
    return (
        -page.rarity
        + signs
        + sum(_mixed(row, shares) for row in table)
        + _PLAIN_WEIGHT * sum(_mixed(row, shares) for row in plain_table)
    )


def _judged_words(names: tuple[str, ...], texts: tuple[str, ...]) -> tuple[list[list[float]], float]:
    return [_by_language(text, names) for text in texts], sum(map(_signs, texts))


_PLAIN_WEIGHT = 0.3
_AT_HOME, _ABROAD = 0.5, 0.001
_MOST_OF_A_COUNTRY = 5

_COUNTRIES: Final[Mapping[str, str]] = {
    "de": "de at ch 49 43 41",
    "fr": "fr be ch 33 32 41",
    "es": "es mx ar co cl pe 34 52 54 57 56 51",
    "it": "it ch 39",
    "pt": "pt br 351 55",
    "ca": "es 34",
    "nl": "nl be 31 32",
    "sv": "se fi 46",
    "da": "dk no 45 47",
    "fi": "fi 358",
    "is": "is 354",
    "en": "uk au ie nz us 44 61 353 64",
    "pl": "pl 48",
    "cs": "cz 420",
    "sk": "sk 421",
    "hu": "hu 36",
    "hr": "hr si rs ba me 385 386 381 387 382",
    "ro": "ro md 40 373",
    "tr": "tr 90",
    "lt": "lt 370",
    "lv": "lv 371",
    "et": "ee 372",
    "ru": "ru by kz 7 375",
    "uk": "ua 380",
    "bg": "bg 359",
    "sr": "rs 381",
    "el": "gr cy 30 357",
    "he": "il 972",
    "ar": "sa ae eg ma dz tn jo lb kw qa bh om iq 966 971 20 212 213 216 962 961 965 974 973 968 964",
    "vi": "vn 84",
    "th": "th 66",
    "ja": "jp 81",
    "zh-Hans": "cn sg 86 65",
    "zh-Hant": "tw hk mo 886 852 853",
    "ko": "kr 82",
}
"""Domains and dialling codes of the countries where a language is written.
https://www.iana.org/domains/root/db and https://www.itu.int/pub/T-SP-E.164D"""


def _homes(found: Survey) -> list[frozenset[str]]:
    """The languages that each address and number speaks for, a few of each country."""
    counts: Counter[str] = Counter(found.domains)
    for digits, count in found.dialling_codes.items():
        counts[next((digits[:size] for size in (3, 2, 1) if digits[:size] in _LANGUAGES_OF), "")] += count
    return [
        _LANGUAGES_OF[country]
        for country, count in counts.items()
        if country in _LANGUAGES_OF
        for _ in range(min(count, _MOST_OF_A_COUNTRY))
    ]


_LANGUAGES_OF: Final = {
    country: frozenset(name for name, countries in _COUNTRIES.items() if country in countries.split())
    for countries in _COUNTRIES.values()
    for country in countries.split()
}


def _mixed(row: Sequence[float], shares: Sequence[float]) -> float:
    best = max(row)
    return best + log(sum(share * exp(value - best) for value, share in zip(row, shares, strict=True)))


def _shares(
    names: Sequence[str], table: Sequence[Sequence[float]], plain: Sequence[Sequence[float]]
) -> list[float]:
    """Find how much of the words each language explains, in three rounds from equal shares."""
    shares = [1 / len(names)] * len(names)
    for _ in range(3):
        sums = [1.0] * len(names)
        for rows, weight in ((table, 1.0), (plain, _PLAIN_WEIGHT)):
            for row in rows:
                best = max(row)
                parts = [share * exp(value - best) for value, share in zip(row, shares, strict=True)]
                total = sum(parts)
                for place, part in enumerate(parts):
                    sums[place] += weight * part / total
        whole = sum(sums)
        shares = [value / whole for value in sums]
    return shares


@lru_cache(1 << 16)
def _run_in(language: str, run: str) -> float:
    return languages()[language].log_probability(run)


def _by_language(text: str, names: Sequence[str]) -> list[float]:
    runs = [folded(run) for run in _runs(text)]
    return [sum(_run_in(name, run) for run in runs) for name in names]


_NO_LETTERS: Final = frozenset("ªºµ")


def is_letter(char: str) -> bool:
    """Tell whether a character is part of a word."""
    return (char.isalpha() or is_mark(char)) and char not in _NO_LETTERS


def _runs(text: str) -> list[str]:
    return "".join(char if is_letter(char) else " " for char in text).split()


def _signs(text: str) -> float:
    """Judge what does not depend on the language: signs and capitals, each beside its neighbours."""
    total = 0.0
    padded = f" {text} "
    for place, char in enumerate(text, 1):
        if char.isascii():
            continue
        before, after = padded[place - 1], padded[place + 1]
        if is_letter(char):
            total += _capital(char, padded[place - 2] if place > 1 else " ", before, after)
        else:
            total += _sign(char, padded[:place], padded[place + 1 :])
    return total


def _capital(char: str, second: str, before: str, after: str) -> float:
    if char.isupper():
        if before.islower():
            return -5.0
        return -3.0 if before.isupper() and after.islower() else 0.0
    if char.islower():
        if after.isupper():
            return -4.0
        return -3.0 if before.isupper() and second.isupper() else 0.0
    return 0.0


_NEVER: Final = frozenset({"Cc", "Cn", "Co", "Cs"})
_SIGNS: Final[Mapping[str, tuple[float, float, float]]] = {
    sign: (alone, after_letter, before_letter)
    for signs, alone, after_letter, before_letter in (
        ("\u00a0\u3000", -5.0, 0.0, 0.0),
        ("\u2013\u2014", -6.0, -2.0, -2.0),
        ("\u2026", -8.0, 0.0, -5.0),
        ("\u00aa\u00ba", -7.0, 0.0, -6.0),
        ("\u201e\u201a\u2039\u00a1\u00bf", -7.0, -6.0, 0.0),
        ("\u201c\u201d\u00ab\u00bb\u2018\u203a", -7.0, 0.0, 0.0),
        ("\u20ac\u00a3\u00a5\u00a2\u00b0\u00b2\u00b3\u00bc\u00bd\u00be\u00b1\u00d7\u2030", -7.0, -6.0, -6.0),
        ("\u00ae\u2122\u00a9\u00a7\u2020\u2021\u2022\u00b9", -8.0, 0.0, -5.0),
        ("\u00b7\u30fb", -8.0, 0.0, 0.0),
    )
    for sign in signs
}
"""Signs that people use: the probability alone, what a letter before takes from it and what one after it;
natural logarithm, our estimate."""
_INSIDE = -4.0  # more, where letters are on both sides
_IDEOGRAPHIC_SIGN = -9.0
_OTHER_SIGN = -15.0
_NO_SIGN = -26.0


def _sign(char: str, left: str, right: str) -> float:
    if char in _APOSTROPHES:
        return -5.0 if _ELISION.search(f"{left}\u2019{right}", max(len(left) - 8, 0)) else -13.0
    if char in _SIGNS:
        alone, after_letter, before_letter = _SIGNS[char]
        before, after = is_letter(left[-1]), is_letter(right[0])
        return alone + before * after_letter + after * before_letter + (before and after) * _INSIDE
    if unicodedata.category(char) in _NEVER:
        return _NO_SIGN
    if "\u3001" <= char <= "\u303f" or "\uff01" <= char <= "\uff60":
        return _IDEOGRAPHIC_SIGN
    return _OTHER_SIGN


_APOSTROPHES: Final = frozenset("\u2019\u00b4")
_ELISION: Final = re.compile(
    r"(?<![^\W\d_])(?:[^\W\d_]{1,2}|(?i:all|dall|dell|nell|sull|quest|quell|sant|jusqu|lorsqu|puisqu|quelqu))"
    r"\u2019[^\W\d_] | [^\W\d_]\u2019[^\W\d_]?(?![^\W\d_])",
    re.VERBOSE,
)
"""An apostrophe as in O'Neil, dell'Arte, Women's or Jones'."""
