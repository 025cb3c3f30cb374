"""Which legacy code page is a text in that is not Unicode?

Each candidate decodes a sample of the file's words, and each reading is judged by how probable it is: letters
as its languages put them together, capitals where words have them, signs where text has them. Candidates
that give the same text are one; when the best two that differ stay close, nobody but the user can tell.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from math import exp, log
from typing import Final

from prep.errors import SourceError
from prep.sources.files import opened
from prep.sources.languages import folded, is_mark, languages, script
from prep.sources.survey import Survey

_WESTERN = ("en", "de", "fr", "es", "it", "pt", "ca", "nl", "sv", "da", "fi", "is", "et")
_CENTRAL = ("pl", "cs", "sk", "hu", "hr", "ro", "de", "en")
_CYRILLIC = ("ru", "uk", "bg", "sr", "en")
_BALTIC = ("lt", "lv", "et", "pl", "de", "en")


@dataclass(frozen=True)
class CodePage:
    """A candidate.

    Attributes:
        name: The Python codec.
        region: What people call its repertoire.
        languages: Which languages are written in it, by their names in `prep.sources.languages`.
        rarity: How many times rarer it is among lead files than cp1252; natural logarithm, our estimate.
    """

    name: str
    region: str
    languages: tuple[str, ...]
    rarity: float

    def __str__(self) -> str:
        return f"{self.name} ({self.region})"


CODE_PAGES: Final = (
    CodePage("cp1252", "Western", _WESTERN, 0.0),
    CodePage("iso-8859-15", "Western", _WESTERN, 4.0),
    CodePage("iso-8859-1", "Western", _WESTERN, 5.0),
    CodePage("mac_roman", "Western, old Macintosh", _WESTERN, 5.0),
    CodePage("cp850", "Western, DOS", _WESTERN, 5.0),
    CodePage("cp437", "Western, DOS", _WESTERN, 5.5),
    CodePage("cp1250", "Central European", _CENTRAL, 2.0),
    CodePage("iso-8859-2", "Central European", _CENTRAL, 4.0),
    CodePage("cp852", "Central European, DOS", _CENTRAL, 6.0),
    CodePage("cp1251", "Cyrillic", _CYRILLIC, 2.0),
    CodePage("koi8-r", "Cyrillic", ("ru", "en"), 4.0),
    CodePage("koi8-u", "Cyrillic", ("uk", "ru", "en"), 5.0),
    CodePage("iso-8859-5", "Cyrillic", _CYRILLIC, 6.0),
    CodePage("cp866", "Cyrillic, DOS", _CYRILLIC, 5.0),
    CodePage("cp1253", "Greek", ("el", "en"), 3.0),
    CodePage("iso-8859-7", "Greek", ("el", "en"), 4.0),
    CodePage("cp1254", "Turkish", ("tr", "de", "en"), 3.0),
    CodePage("iso-8859-9", "Turkish", ("tr", "de", "en"), 4.5),
    CodePage("cp1255", "Hebrew", ("he", "en"), 3.0),
    CodePage("iso-8859-8", "Hebrew", ("he", "en"), 5.0),
    CodePage("cp1256", "Arabic", ("ar", "fr", "en"), 3.0),
    CodePage("cp1257", "Baltic", _BALTIC, 3.0),
    CodePage("iso-8859-13", "Baltic", _BALTIC, 5.0),
    CodePage("cp1258", "Vietnamese", ("vi", "fr", "en"), 4.0),
    CodePage("cp874", "Thai", ("th", "en"), 3.0),
    CodePage("cp932", "Japanese", ("ja", "en"), 2.0),
    CodePage("euc_jp", "Japanese", ("ja", "en"), 4.0),
    CodePage("gb18030", "Chinese", ("zh-Hans", "en"), 2.0),
    CodePage("big5", "Chinese", ("zh-Hant", "en"), 3.0),
    CodePage("cp949", "Korean", ("ko", "en"), 3.0),
    CodePage("cp865", "Nordic, DOS", ("da", "sv", "is", "en"), 8.0),
    CodePage("cp860", "Portuguese, DOS", ("pt", "en"), 8.0),
    CodePage("iso-8859-4", "Baltic", _BALTIC, 8.0),
    CodePage("cp775", "Baltic, DOS", _BALTIC, 8.0),
    CodePage("cp857", "Turkish, DOS", ("tr", "en"), 8.0),
    CodePage("cp737", "Greek, DOS", ("el", "en"), 8.0),
    CodePage("cp862", "Hebrew, DOS", ("he", "en"), 8.0),
    CodePage("iso-8859-6", "Arabic", ("ar", "en"), 8.0),
    CodePage("mac_latin2", "Central European, old Macintosh", _CENTRAL, 8.0),
    CodePage("mac_cyrillic", "Cyrillic, old Macintosh", _CYRILLIC, 8.0),
    CodePage("mac_greek", "Greek, old Macintosh", ("el", "en"), 8.0),
    CodePage("mac_turkish", "Turkish, old Macintosh", ("tr", "en"), 8.0),
)


_UTF_8: Final = CodePage(
    "utf-8", "Unicode", tuple(dict.fromkeys(name for page in CODE_PAGES for name in page.languages)), 0.0
)

_FAMILY: Final = frozenset({"cp1252", "iso-8859-15", "iso-8859-1"})
"""What a file from Western Europe or America is in, unless something speaks against it."""

_CLEAR: Final = 8.0
"""By how much the best reading must beat the next one to be believed; natural logarithm. Of some 6,000 small
files with one to three telling words, wrong readings won by 6.5 at most."""

_DOUBTFUL_FIT, _POOR_FIT = -4.7, -5.5
_TELLING_BYTES = 60
"""Words of any language here in their own code page stay above -4, random bytes below -7; a few rare words
say nothing."""

_NAMED_LINES = 5


class AmbiguousEncodingError(SourceError):
    """Several encodings fit a file, and they do not give the same text.

    Attributes:
        detail: The words that differ, in each reading. They are cell values: for the terminal alone.
    """

    detail: str = ""


def decide(path: str, bom_bytes: int, found: Survey) -> tuple[str, tuple[str, ...]]:
    """Choose the code page of a file that is not Unicode.

    Args:
        path: The file.
        bom_bytes: How many bytes to leave out at its start.
        found: What `survey` says of it.

    Returns:
        The name of its codec, and what must be said about the choice.

    Raises:
        SourceError: No code page fits (`ambiguous_encoding`).
        AmbiguousEncodingError: Several fit, and the text depends on the choice (the same code).
    """
    readings = rank(found)
    best = readings[0].page
    rivals = [reading.page for reading in readings[1:] if reading.score > readings[0].score - _CLEAR]
    is_told = sum(map(len, found.words)) >= _TELLING_BYTES
    if is_told and readings[0].fit < (_POOR_FIT if best.name in _FAMILY else _DOUBTFUL_FIT):
        raise SourceError(
            f"{path}: no encoding known here makes likely words of this text; the nearest is {best}",
            code="ambiguous_encoding",
            hint="Give the right one: --encoding NAME takes every text codec of Python.",
            source=path,
        )
    if best.name not in _FAMILY and rivals:
        raise _ambiguous(path, bom_bytes, (best, *rivals[:2]))
    if best.name not in _FAMILY:
        return best.name, (f"read as {best}; --encoding NAME decides otherwise",)
    if rivals:
        return best.name, (f"read as {best}, but {rivals[0]} is possible; --encoding NAME decides otherwise",)
    return best.name, ()


def is_likely_utf8(found: Survey) -> bool:
    """Tell whether the few lines that are valid UTF-8 are so by intention.

    Two or three characters in a legacy code page may be valid by accident; they make no likely word then.
    """
    words = found.valid_words
    if found.broken_lines:
        broken = tuple(word for word in found.words if word not in words)
        return _score(_UTF_8, words) >= _score(rank(replace(found, words=broken))[0].page, words)
    if all(_is_of_one_script(word.decode()) for word in words):
        return True
    return _score(_UTF_8, words) + _CLEAR >= max(_score(page, words) for page in CODE_PAGES)


def _is_of_one_script(text: str) -> bool:
    """Tell whether a text holds beyond ASCII letters of one script only, or no letter at all."""
    others = [char for char in text if not char.isascii()]
    scripts = {script(char) for char in others if char.isalpha()}
    return not scripts or (all(map(_is_letter, others)) and len(scripts) == 1)


def _ambiguous(path: str, bom_bytes: int, pages: tuple[CodePage, ...]) -> AmbiguousEncodingError:
    differences = list(islice(_differences(path, bom_bytes, pages), _NAMED_LINES))
    columns = list(dict.fromkeys(difference.column for difference in differences))
    named = ", ".join(column if column.isdecimal() else repr(column) for column in columns)
    lines = list(dict.fromkeys(difference.line for difference in differences))
    options = _either(f"--encoding {page.name}" for page in pages)
    error = AmbiguousEncodingError(
        f"{path}: the encoding may be {_either(map(str, pages))}: they differ in column {named},"
        f" {'line' if len(lines) == 1 else 'lines'} {', '.join(map(str, lines))}",
        code="ambiguous_encoding",
        hint=f"Look at the names there and give the right one: {options}.",
        source=path,
        column=columns[0],
    )
    error.detail = "\n".join(
        f"line {difference.line}: "
        + ", ".join(f"{text} ({page.name})" for text, page in zip(difference.texts, pages, strict=True))
        for difference in differences
    )
    return error


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"


@dataclass(frozen=True)
class _Difference:
    line: int
    column: str
    texts: tuple[str, ...]


def _differences(path: str, bom_bytes: int, pages: Sequence[CodePage]) -> Iterator[_Difference]:
    """Find the cells that the code pages read differently; the cells are split at a likely delimiter."""
    header: tuple[str, ...] = ()
    delimiter = ","
    with opened(path) as file:
        file.read(bom_bytes)
        number = 0
        while text := file.readline(_CHUNK_BYTES):
            for line in text.splitlines() or [b""]:
                number += 1
                if not header and line.strip():
                    delimiter = max(_DELIMITERS, key=line.count).decode()
                    header = tuple(_cells(line, pages[0], delimiter))
                if line.isascii():
                    continue
                for place, texts in enumerate(
                    zip(*(_cells(line, page, delimiter) for page in pages), strict=False)
                ):
                    if len(set(texts)) > 1:
                        yield _Difference(number, _column_name(header, place, number), texts)


_CHUNK_BYTES = 1 << 20
_DELIMITERS: Final = (b",", b";", b"\t", b"|")


def _cells(line: bytes, page: CodePage, delimiter: str) -> list[str]:
    text = line.decode(page.name, "replace")
    return [cell.strip().strip('"') for cell in text.split(delimiter)]


def _column_name(header: Sequence[str], place: int, line: int) -> str:
    """Name a column by its header where that is beyond doubt, by its position otherwise."""
    name = header[place] if place < len(header) and line > 1 else ""
    return name if name and name.isascii() and name.isprintable() else str(place + 1)


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
    rough = {page: _score(page, few) for page in CODE_PAGES}
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
    words = max(_score(page, found.words) for page in speakers)
    score = max(_score(page, found.words, found.plain, homes) for page in speakers)
    return Reading(pages, score, words / max(sum(map(len, found.words)), 1))


def _texts(page: CodePage, words: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(word.decode(page.name, "surrogateescape") for word in words)


def _score(
    page: CodePage,
    words: tuple[bytes, ...],
    plain: Sequence[bytes] = (),
    homes: Sequence[frozenset[str]] = (),
) -> float:
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


def _is_letter(char: str) -> bool:
    return (char.isalpha() or is_mark(char)) and char not in _NO_LETTERS


def _runs(text: str) -> list[str]:
    return "".join(char if _is_letter(char) else " " for char in text).split()


def _signs(text: str) -> float:
    """Judge what does not depend on the language: signs and capitals, each beside its neighbours."""
    total = 0.0
    padded = f" {text} "
    for place, char in enumerate(text, 1):
        if char.isascii():
            continue
        before, after = padded[place - 1], padded[place + 1]
        if _is_letter(char):
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
        before, after = _is_letter(left[-1]), _is_letter(right[0])
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
