"""Full names → first and last name, where that is certain enough."""

import re
from collections import Counter
from typing import Final

import polars as pl

from prep.values.mojibake import MOJIBAKE, spoiled_rows
from prep.values.rules import put
from prep.values.text import NULL, text_rules

FIRST, LAST = "firstName", "lastName"

_PARTICLES: Final = frozenset(
    """
    af al av bin bint da dal de degli dei del della den der di do dos du el ibn la las le los ten ter van
    vom von zu zum
    عبد بن ابن آل أبو ابو
    """.split()  # noqa: SIM905 (one line for each word says no more)
)
"""Words that begin a last name, in lower case."""

_NO_NAMES: Final = frozenset(
    """
    dr dra prof ing mag dipl mr mrs ms miss mx sir dame herr frau m mme mlle sr sra srta sig dott jr snr ii
    iii iv phd md mba esq and und et e y i og och en ja
    rev hon capt lic mtro mtra arq engr drs ir dhr mw hr fru hra univ née nee geb geborene
    acca bsc cbe cfa cfp cissp cpa dds dmd dvm edd lcsw llb llm lpn mbe mph msc obe pharmd pmp psyd rn sphr
    ceo cfo coo cto corp gmbh inc llc ltd plc sarl srl
    """.split()  # noqa: SIM905
)
"""Titles, degrees, generations, births, offices, companies, and words that join two people. In lower case,
without dots. A name with a word that may be either, such as Hon or Nee, stays whole; those that mostly are
names, such as Ma and Don, are not among them."""

_LAST_COMES_FIRST: Final = frozenset(
    """
    nguyễn trần lê phạm huỳnh hoàng phan vũ võ đặng bùi đỗ hồ ngô dương lý trịnh đinh đoàn trương lương
    nguyen tran pham huynh
    """.split()  # noqa: SIM905
)
"""Vietnamese last names: a full name that begins with one is probably in that order, but not for certain.
Without accents those only that are no names elsewhere."""

_PATRONYMIC: Final = re.compile("(?i).*(?:вич|вна|ична|ильич|лукич|кузьмич|ілліч)")
"""In Russian and Ukrainian it stands behind the first name: at the end of a name it says that the last name
came first, or is missing. Some last names end alike."""

_EAST_ASIAN: Final = re.compile(
    "[\u3005\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff]+"
)
_INITIAL: Final = re.compile("[A-Z][.]")
"""Behind another name M. is no Monsieur, and E. joins no two people."""

_LETTERS_OF_A_DEGREE: Final = re.compile(r"(?:[A-Z]\.?){2,}[a-z]*\.?")
"""JD, M.A., MSc: behind a comma and several names in small letters these are no initials for certain."""

_MOST_INITIALS: Final = 2
"""So many in one word without points, as in AJ."""

_KATAKANA: Final = re.compile("[\u30a1-\u30fa\u30fc]+")
_WORD: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f\u0900-\u0dff\u0e31-\u0e4e'\u2019\u02bc.-])*")


_CLEANING: Final = tuple(rule for rule in text_rules("string") if rule.name not in {"blank", "null"})
"""What is done to a whole name before it is split. What NULL means is settled afterwards."""


def clean_names(values: pl.Series, *, repairs: bool) -> tuple[pl.Series, Counter[str]]:
    """Take out of full names what any text loses, lest a mark that nobody sees keep one from being split.

    Args:
        values: Text; blanks are null.
        repairs: Whether text that was decoded wrongly before is repaired. Else it stays as it is.

    Returns:
        The names, in order, and how many of them each rule changed.
    """
    rows = pl.int_range(len(values), eager=True)
    if not repairs:
        rows = rows.filter(~rows.is_in(spoiled_rows(values).to_list()))
    cells = values.gather(rows)
    changes = Counter[str]()
    for rule in (MOJIBAKE, *_CLEANING) if repairs else _CLEANING:
        cells, changed = rule.apply(cells)
        changes[rule.name] += changed
    return put(values, rows, cells), +changes


def split_names(values: pl.Series) -> pl.DataFrame:
    """Split full names.

    "Last, First" is split at the comma. Of a name in Chinese characters, Hiragana or Hangul with one space
    the first word is the last name. Of all other names of two words and more the last word is the last name,
    together with particles such as `van` or `de la` right before it.

    Args:
        values: As `clean_names` returns them.

    Returns:
        `firstName` and `lastName`, in order. A name that does not split for certain (one word, digits, a
        title, a degree, two people, also in two lines, NULL beside a name, text that was decoded wrongly, a
        last name that may come first) is in `lastName` as it was, and `firstName` is blank.
    """
    distinct = values.drop_nulls().unique()
    spoiled = set(distinct.gather(spoiled_rows(distinct)))
    parts = [(None, name) if name in spoiled else split_name(name) for name in distinct]
    table = pl.DataFrame(
        {
            "name": distinct,
            FIRST: [first for first, _ in parts],
            LAST: [last for _, last in parts],
        },
        schema={"name": pl.String, FIRST: pl.String, LAST: pl.String},
    )
    return (
        pl.DataFrame({"name": values}, schema={"name": pl.String})
        .join(table, on="name", how="left", maintain_order="left")
        .select(FIRST, LAST)
    )


def split_name(name: str) -> tuple[str | None, str | None]:
    """Split one full name into first and last; see `split_names`."""
    words = name.split()
    if len(words) > 1 and set(words) <= set(NULL):
        return None, None
    lines = [line.split() for line in name.strip().splitlines()]
    if len(lines) > 1 and any(len(line) > 1 for line in lines):
        return None, name
    first_word, *other_words = words or [""]
    before, comma, after = name.partition(",")
    if comma:
        first, last = after.split(), before.split()
        is_whole = len(last) > 1 and first_word.casefold() not in _PARTICLES and not before.isupper()
        is_degree = is_whole and any(map(_LETTERS_OF_A_DEGREE.fullmatch, first))
        if "," not in after and first and last and not is_degree and _are_names([*first, *last]):
            return " ".join(first), " ".join(last)
    elif len(other_words) == 1 and all(_EAST_ASIAN.fullmatch(word) for word in words):
        if not all(_KATAKANA.fullmatch(word) for word in words):
            return other_words[0], first_word
    elif other_words and _are_names(words) and not _may_begin_with_last(words):
        start = len(words) - 1
        while start > 1 and words[start - 1].casefold() in _PARTICLES:
            start -= 1
        return " ".join(words[:start]), " ".join(words[start:])
    return None, name


def _may_begin_with_last(words: list[str]) -> bool:
    """Whether the last name may come first: by its word, in capitals before others, before a patronymic."""
    *others, end = words
    if words[0].casefold() in _PARTICLES | _LAST_COMES_FIRST:
        return True
    if _PATRONYMIC.fullmatch(end) and not _PATRONYMIC.fullmatch(others[-1]):
        return True
    return not end.isupper() and any(map(_is_in_capitals, others))


def _is_in_capitals(word: str) -> bool:
    """Whether a word is in capitals, as a last name is before others in French; no initials."""
    return word.isupper() and "." not in word and len(word) > _MOST_INITIALS


def _are_names(words: list[str]) -> bool:
    return all(
        _WORD.fullmatch(word)
        and (_NO_NAMES.isdisjoint(_parts(word.casefold())) or (place and _INITIAL.fullmatch(word)))
        and word not in NULL
        and not _EAST_ASIAN.search(word)
        for place, word in enumerate(words)
    )


def _parts(word: str) -> list[str]:
    """A word without dots, and what stands between them, as in Prof.Dr. and Dipl.-Ing.; but no initials."""
    return [word.replace(".", ""), *(part for part in re.split(r"[.]-?", word) if len(part) > 1)]
