"""Countries: from a name in whatever language, or a code, to the ISO code or the English name.

Names are compared whole, without case, accents and punctuation; nothing is guessed by likeness. What more
than one country goes by, such as Korea, stays as it was.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.model import Countries
from prep.schema import Field
from prep.values.rules import Rule, once_for_each_value, or_as_it_was

UNKNOWN: Final = "ZZ"
"""The code of what is no country: https://www.unicode.org/reports/tr35/#unknown-or-invalid-identifiers"""

AMBIGUOUS: Final = "-"
"""What the tables have for a code where more than one country goes by a name."""

_COUNTRY: Final = re.compile(r"(?i)^(?P<whose>.*)country(?P<custom>__c)?$")
_STATE: Final = re.compile(
    r"(?i)^(?!(?:.*(?:real|_))?estate(?:__c)?$|(?-i:.*Estate)(?:__c)?$)"
    r"(?P<whose>.*)(?:state|province)(?P<custom>__c)?$"
)
"""An estate is no state, but that of an office is one."""

_ACCENTS: Final = re.compile("[\u0300-\u036f]")
_NO_LETTER: Final = re.compile(r"[^\w\u0300-\U0010ffff]|[\u2000-\u206f\u3000-\u303f_]")

ENGLISH_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CD": "Democratic Republic of the Congo",
        "CG": "Republic of the Congo",
        "HK": "Hong Kong",
        "MM": "Myanmar",
        "MO": "Macao",
        "PS": "Palestine",
        "TR": "Turkey",
    }
)
"""English names where CLDR's is unusual in address data; accents in the others become ASCII."""


def fold_country(name: str) -> str:
    """A name for comparison: no case, accents, punctuation, spaces, English article; Saint is St."""
    plain = unicodedata.normalize("NFKC", name).casefold().replace("&", " and ").replace("\u0131", "i")
    plain = re.sub(r"^the\s+", "", plain.strip())
    plain = re.sub(r"\bsaint\b", "st", plain)
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", plain))
    return _NO_LETTER.sub("", unicodedata.normalize("NFC", plain))


def country_codes(cells: pl.Series) -> pl.Series:
    """The ISO code of the country that each cell names; `ZZ` for none or several, null if blank."""
    values = cells.drop_nulls().unique()
    codes = pl.Series([find_country(value) or UNKNOWN for value in values], dtype=pl.String)
    return cells.replace_strict(values, codes, return_dtype=pl.String)


def find_country(cell: str) -> str | None:
    """The ISO code of the country that a cell names; None if it names none, or several."""
    found = _find(cell)
    return None if found == AMBIGUOUS else found


def is_ambiguous(cell: str) -> bool:
    """Whether more than one country goes by this name."""
    return _find(cell) == AMBIGUOUS


def _find(cell: str) -> str | None:
    table = _table()
    by_code, by_name = table.codes.get(_code(cell)), table.names.get(fold_country(cell))
    if by_code and by_name and by_code != by_name and cell.istitle():
        return AMBIGUOUS  # Nga is Russia in Vietnamese, NGA the code of Nigeria
    return by_code or by_name


def country_rules(wanted: Countries) -> tuple[Rule, ...]:
    """The rule `country`: a name or code → the code, or the English name; none if cells are kept."""
    if wanted is Countries.KEEP:
        return ()

    @once_for_each_value
    def respell(cells: pl.Series) -> pl.Series:
        codes = [find_country(cell) for cell in cells]
        english = _table().english
        spelled = [code and (code if wanted is Countries.ISO2 else english[code]) for code in codes]
        return or_as_it_was(pl.Series(spelled, dtype=pl.String), cells)

    return (Rule("country", is_not_spelled(wanted), respell),)


def is_not_spelled(wanted: Countries) -> Callable[[pl.Expr], pl.Expr]:
    """A test for cells that do not hold a country in the wanted spelling."""

    def test(cell: pl.Expr) -> pl.Expr:
        names = english_names()
        return ~cell.is_in(list(names if wanted is Countries.ISO2 else names.values()))

    return test


def english_names() -> Mapping[str, str]:
    """The English name of every country by its ISO code."""
    return _table().english


def is_country(field: Field) -> bool:
    """Whether a field holds countries, by its name: `country`, `billingCountry`, `Mailing_Country__c`."""
    return field.type == "string" and _COUNTRY.match(field.name) is not None


def is_state(field: Field) -> bool:
    """Whether a field holds states, by its name likewise."""
    return field.type == "string" and _STATE.match(field.name) is not None


def country_of(field: Field, names: Sequence[str]) -> str | None:
    """Which of these fields names the country of a phone or state, as `billingCountry` of `billingState`."""
    state = _STATE.match(field.name)
    wanted = [f"{state['whose']}country{state['custom'] or ''}".lower()] if state else []
    known = {name.lower(): name for name in names}
    return next((known[name] for name in [*wanted, "country"] if name in known), None)


def _code(cell: str) -> str:
    """A cell as a code: `u.s.a.` → `USA`; accents make it a name, a point among digits an amount."""
    text = unicodedata.normalize("NFKC", cell).strip()
    return re.sub(r"(?<=[A-Za-z])[\s.]+", "", text).upper()


@dataclass(frozen=True)
class _Table:
    """What a cell means.

    Attributes:
        codes: ISO codes of two and three letters and of three digits → the one of two letters.
        names: Folded names in all languages → the same, `-` for the ambiguous.
        english: Code of two letters → the English name.
    """

    codes: Mapping[str, str]
    names: Mapping[str, str]
    english: Mapping[str, str]


@cache
def _table() -> _Table:
    """The names of CLDR and ours; ours decide, also that a name or code is ambiguous."""
    codes: dict[str, str] = {"UK": "GB"}
    names: dict[str, str] = {}
    english: dict[str, str] = {}
    for code, three, number, name, folded in _lines("countries_cldr.tsv"):
        names |= dict.fromkeys(folded.split("|"), code)
        if code != AMBIGUOUS:
            codes |= {code: code, three: code, number: code}
            english[code] = ENGLISH_NAMES.get(code, _to_ascii(name))
    for code, listed in _lines("countries_more.tsv"):
        spellings = listed.split("|")
        names |= dict.fromkeys(map(fold_country, spellings), code)
        codes |= {spelling: code for spelling in spellings if spelling in codes and code == AMBIGUOUS}
    names |= {fold_country(name): code for code, name in english.items()}
    return _Table(codes, names, english)


def _lines(file: str) -> list[list[str]]:
    text = resources.files("prep.values").joinpath(file).read_text("utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def _to_ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("\u2019", "'").replace("&", "and"))
    return _ACCENTS.sub("", plain)
