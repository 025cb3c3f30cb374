"""How probable is it that a word is of some language? Told by its letters, for telling code pages apart."""

import tomllib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from math import log
from pathlib import Path
from types import MappingProxyType
from typing import Final

_DATA: Final = Path(__file__).with_name("languages.toml")

_START, _END = "^", "$"
_WORD_WEIGHT = 3  # a pair in a word of ours beside one in 6,000 pairs of general text
_PRIOR_PAIRS = 12.0  # how many pairs of a letter must be seen until they count half
_MANY_LETTERS = 3  # of a script, to call it the language's own
_LISTED = 0.2  # of all words: those in the list
_LEVEL_1_BYTES: Final[Mapping[str, tuple[str, int, int]]] = MappingProxyType(
    {
        "ja": ("euc_jp", 0xB0, 0xCF),
        "zh-Hans": ("gb2312", 0xB0, 0xD7),
        "zh-Hant": ("big5", 0xA4, 0xC6),
        "ko": ("euc_kr", 0xB0, 0xC8),
    }
)
"""The national character sets put their common characters first: codec, first and last lead byte."""

_KANA: Final = "".join(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FB), 0x30FC, 0x3005)))


class Alphabetic:
    """A language whose words are spelled: letters follow each other with a probability."""

    def __init__(self, words: Iterable[str], pairs: Mapping[tuple[str, str], int]) -> None:
        self._words = frozenset(words)
        counts = Counter(pairs)
        for word in self._words:
            for pair in pairwise(f"{_START}{word}{_END}"):
                counts[pair] += _WORD_WEIGHT
        self.counts: Mapping[tuple[str, str], int] = counts
        self._firsts: Counter[str] = Counter()
        self._letters: Counter[str] = Counter()
        for (first, second), count in counts.items():
            self._firsts[first] += count
            self._letters[second] += count
        self._total = sum(self._letters.values())
        self.scripts: frozenset[str] = _scripts(self._letters)
        self._log_listed = log(_LISTED / max(len(self._words), 1))
        self._cache: dict[tuple[str, str], float] = {}

    def log_probability(self, word: str) -> float:
        """Judge a word of folded letters; natural logarithm."""
        spelled = sum(map(self._log_pair, pairwise(f"{_START}{word}{_END}")))
        if word in self._words:
            return max(spelled, self._log_listed)
        return spelled

    def _log_pair(self, pair: tuple[str, str]) -> float:
        found = self._cache.get(pair)
        if found is None:
            first, second = pair
            seen = self._firsts.get(first, 0)
            share = self._letters.get(second, 0) / self._total
            backed = 0.98 * share + 0.02 * self._unseen(second)
            found = log((self.counts.get(pair, 0) + _PRIOR_PAIRS * backed) / (seen + _PRIOR_PAIRS))
            self._cache[pair] = found
        return found

    def _unseen(self, letter: str) -> float:
        """The probability of a letter that the language does not have."""
        if letter.isascii():
            return 1 / 50
        return 1 / 1_000 if script(letter) in self.scripts else 1 / 100_000


class Logographic:
    """A language with thousands of characters: each stands for itself."""

    def __init__(self, name: str, words: Iterable[str]) -> None:
        self._words = frozenset(words)
        self._counts = Counter("".join(words))
        self._total = sum(self._counts.values())
        self._level_1 = _level_1(name)
        self._kana = _KANA if name == "ja" else ""
        self._log_listed = log(_LISTED / len(self._words))
        self._cache: dict[str, float] = {}

    def log_probability(self, word: str) -> float:
        """Judge a run of characters; natural logarithm."""
        spelled = sum(map(self._log_character, word))
        if word in self._words:
            return max(spelled, self._log_listed)
        return spelled

    def _log_character(self, character: str) -> float:
        found = self._cache.get(character)
        if found is None:
            share = 0.7 * self._counts.get(character, 0) / self._total
            if character in self._level_1:
                share += 0.2 / len(self._level_1)
            elif character in self._kana:
                share += 0.06 / len(_KANA)
            elif character.isascii():
                share += 0.05 / 26
            elif "\uff61" <= character <= "\uff9f":
                share += 0.005 / 63
            else:
                share += 0.01 / 20_000
            found = self._cache[character] = log(share)
        return found


Language = Alphabetic | Logographic


def folded(word: str) -> str:
    """One spelling for the cases of a letter, and for letters that code pages do not tell apart."""
    return unicodedata.normalize("NFC", word.lower()).translate(_SAME)


@cache
def languages() -> Mapping[str, Language]:
    """The languages by name; `any` is all that are written in Latin letters."""
    found: dict[str, Language] = {}
    mixed: Counter[tuple[str, str]] = Counter()
    for name, data in tomllib.loads(_DATA.read_text("utf-8")).items():
        words = {folded(word) for word in _letter_runs(data["words"])}
        if name in _LEVEL_1_BYTES:
            found[name] = Logographic(name, sorted(words))
            continue
        language = found[name] = Alphabetic(words, _pairs(data["pairs"]))
        if "latin" in language.scripts:
            mixed.update(language.counts)
    found["any"] = Alphabetic((), mixed)
    return MappingProxyType(found)


_SAME: Final = str.maketrans("șțı̇", "şţı̇")


def _pairs(text: str) -> dict[tuple[str, str], int]:
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for item in text.split():
        first, second = folded(item[0]), folded(item[1])
        counts[first, second] += int(item[2:])
    return counts


def _letter_runs(text: str) -> list[str]:
    return "".join(char if char.isalpha() or is_mark(char) else " " for char in text).split()


def is_mark(character: str) -> bool:
    """Tell whether a character goes with the letter before it."""
    return unicodedata.category(character)[0] == "M"


def _level_1(name: str) -> frozenset[str]:
    codec, first, last = _LEVEL_1_BYTES[name]
    rows = (bytes((lead, trail)) for lead in range(first, last + 1) for trail in range(0x40, 0xFF))
    return frozenset("".join(row.decode(codec, "ignore") for row in rows)) - frozenset(map(chr, range(0x80)))


@cache
def script(letter: str) -> str:
    """Name the writing system of a letter."""
    return unicodedata.name(letter, "").partition(" ")[0].lower()


def _scripts(letters: Iterable[str]) -> frozenset[str]:
    counted = Counter(script(letter) for letter in letters if letter.isalpha())
    return frozenset(name for name, count in counted.items() if count >= _MANY_LETTERS)
