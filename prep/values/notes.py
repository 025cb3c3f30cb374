"""Notes: values that are sent but deserve a look. Nothing is rejected or altered here."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from prep.folding import fold
from prep.model import IDENTITY, POINT_OR_THOUSANDS, Countries, Phones, States
from prep.places import Place
from prep.schema import Field
from prep.values.countries import (
    UNKNOWN,
    country_codes,
    country_of,
    is_ambiguous,
    is_country,
    is_not_spelled,
    is_state,
)
from prep.values.mojibake import spoiled_rows, suspicious_columns
from prep.values.numbers import ROUNDED
from prep.values.phones import E164, EXTENDED
from prep.values.rules import true_somewhere
from prep.values.spelling import Spelling
from prep.values.states import find_state, has_states

ROWS_NAMED: Final = 5
"""How many rows are named for each note of a field; the others are counted."""

_DOMAINS_KNOWN: Final = 100_000
"""Of how many domains it is remembered what was found out."""

_EXACT_FLOAT: Final = 100_000
"""https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/field-types"""

_LAST_OF_DIGITS: Final = ":"
"""What begins with a digit or a sign comes before it; most text begins with letters, which come behind."""
_LIKELY_YEARS: Final = ("1901", "2200")
"""From the first to before the second. Others stand for no date, are of other calendars, or lost digits."""


class Note(StrEnum):
    """What is noted of a value."""

    ROUNDED_NUMBER = "rounded_number"
    UNREADABLE_PHONE = "unreadable_phone"
    PHONE_EXTENSION = "phone_extension"
    MARKED_PHONE = "marked_phone"
    UNKNOWN_COUNTRY = "unknown_country"
    AMBIGUOUS_COUNTRY = "ambiguous_country"
    UNKNOWN_STATE = "unknown_state"
    ROLE_ACCOUNT = "role_account"
    DISPOSABLE_DOMAIN = "disposable_domain"
    LIKELY_TYPO = "likely_typo"
    LEADING_APOSTROPHE = "leading_apostrophe"
    UNLIKELY_YEAR = "unlikely_year"
    LARGE_FLOAT = "large_float"
    POINT_OR_THOUSANDS = "point_or_thousands"
    MOJIBAKE = "mojibake"
    TRUNCATED = "truncated"

    @property
    def cause(self) -> str:
        """Why it is noted."""
        return str(_table()["notes"][self]["cause"])

    @property
    def example(self) -> str:
        """An invented value that is noted so."""
        return str(_table()["notes"][self]["example"])

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return str(_table()["notes"][self]["remedy"])


@dataclass(frozen=True)
class Noted:
    """How often something was noted.

    Attributes:
        cells: How many cells.
        rows: Where the first of them are.
    """

    cells: int = 0
    rows: tuple[Place, ...] = ()

    def __add__(self, later: "Noted") -> "Noted":
        return Noted(self.cells + later.cells, (*self.rows, *later.rows)[:ROWS_NAMED])


def find_notes(
    frame: pl.DataFrame, fields: Mapping[str, Field], spelling: Spelling
) -> dict[tuple[str, Note], Noted]:
    """Look through normalised values: each cell alone, or with the country of its row.

    Args:
        frame: As `normalise` returns it, with `_source`, `_row` and `_line`.
        fields: Fields by REST name, at least those of the frame.
        spelling: How values were normalised; phones, countries and states are looked at only if they were.

    Returns:
        What was noted, by field and code.
    """
    names = [name for name in frame.columns if not name.startswith("_")]
    looks = {
        f"{name}:{note}": (name, note, is_noted)
        for name in names
        for note, is_noted in _look(frame, fields[name], spelling)
    }
    verdicts = frame.select(is_noted.alias(place) for place, (_, _, is_noted) in looks.items())
    found = {}
    for place in true_somewhere(verdicts):
        name, note, _ = looks[place]
        found[name, note] = note_rows(frame, verdicts[place].arg_true())
    return found


def find_spoiled(frame: pl.DataFrame) -> dict[tuple[str, Note], Noted]:
    """Look for text that was decoded wrongly before it came here, in cells as they were read.

    Args:
        frame: As `normalise` takes it, with `_source`, `_row` and `_line`.
    """
    found = {}
    fields = [name for name in frame.columns if not name.startswith("_")]
    for name in suspicious_columns(frame.select(fields)):
        rows = spoiled_rows(frame[name])
        if rows.len():
            found[name, Note.MOJIBAKE] = note_rows(frame, rows)
    return found


def note_rows(frame: pl.DataFrame, rows: pl.Series) -> Noted:
    """The cells of a column at these positions, with `_source`, `_row` and `_line` of the first ones."""
    return Noted(rows.len(), first_places(frame[rows.head(ROWS_NAMED)]))


def first_places(frame: pl.DataFrame) -> tuple[Place, ...]:
    """Where the first rows of a frame are, as many as are named."""
    return tuple(map(Place._make, frame.select(IDENTITY).head(ROWS_NAMED).rows()))


_Verdicts = Iterator[tuple[Note, pl.Expr | pl.Series]]


def _look(frame: pl.DataFrame, field: Field, spelling: Spelling) -> _Verdicts:
    cells = pl.col(field.name)
    if field.type == "string":
        yield from _look_at_numbers(frame[field.name])
    if field.type == "email":
        yield from _look_at_emails(frame[field.name])
    elif field.type in {"float", "currency"}:
        if field.type == "float":
            yield Note.LARGE_FLOAT, cells.cast(pl.Float64, strict=False).abs() > _EXACT_FLOAT
        if spelling.mark_of(field.name) is None:
            yield Note.POINT_OR_THOUSANDS, cells.str.contains(POINT_OR_THOUSANDS)
    elif field.type in {"date", "datetime"}:
        yield Note.UNLIKELY_YEAR, (cells < _LIKELY_YEARS[0]) | (cells >= _LIKELY_YEARS[1])
    elif field.type == "phone":
        yield from _look_at_phones(cells, spelling.phones)
    elif is_country(field) and spelling.countries is not Countries.KEEP:
        yield from _look_at_countries(frame[field.name], spelling.countries)
    elif is_state(field) and spelling.states is not States.KEEP:
        country = country_of(field, frame.columns)
        blank = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
        countries = country_codes(frame[country]) if country else blank
        yield Note.UNKNOWN_STATE, _unknown_states(frame[field.name], countries.fill_null(UNKNOWN))


def _look_at_numbers(cells: pl.Series) -> _Verdicts:
    begin_so = (cells <= _LAST_OF_DIGITS).arg_true()
    rounded = begin_so.filter(cells.gather(begin_so).str.contains(ROUNDED))
    if rounded.len():
        yield Note.ROUNDED_NUMBER, pl.repeat(False, cells.len(), eager=True).scatter(rounded, True)


def _look_at_phones(cells: pl.Expr, wanted: Phones) -> _Verdicts:
    rounded = cells.str.contains(ROUNDED)
    yield Note.ROUNDED_NUMBER, rounded
    if wanted is Phones.KEEP:
        yield Note.MARKED_PHONE, cells.str.starts_with("'") | cells.str.starts_with("p:")
        return
    extended = cells.str.contains(EXTENDED)
    yield Note.PHONE_EXTENSION, extended
    yield Note.UNREADABLE_PHONE, ~cells.str.contains(E164) & ~extended & ~rounded


def _look_at_countries(cells: pl.Series, wanted: Countries) -> _Verdicts:
    doubtful = cells.to_frame("cell").select(is_not_spelled(wanted)(pl.col("cell"))).to_series()
    ambiguous = [cell for cell in cells.filter(doubtful).unique() if is_ambiguous(cell)]
    is_several = cells.is_in(ambiguous)
    yield Note.AMBIGUOUS_COUNTRY, is_several
    yield Note.UNKNOWN_COUNTRY, doubtful & ~is_several


def _unknown_states(cells: pl.Series, countries: pl.Series) -> pl.Series:
    pairs = pl.DataFrame({"cell": cells, "country": countries})
    unknown = [
        (cell, country)
        for cell, country in pairs.drop_nulls().unique().iter_rows()
        if country == UNKNOWN or (has_states(country) and not find_state(cell, country))
    ]
    listed = pl.DataFrame(unknown, schema={"cell": pl.String, "country": pl.String}, orient="row")
    marked = listed.with_columns(unknown=True)
    return pairs.join(marked, on=["cell", "country"], how="left", maintain_order="left")["unknown"]


def _look_at_emails(cells: pl.Series) -> _Verdicts:
    yield Note.ROLE_ACCOUNT, cells.str.contains(_role_account())
    yield Note.LEADING_APOSTROPHE, cells.str.starts_with("'")
    behind_at = pl.col("cell").str.slice(pl.col("cell").str.find("@", literal=True) + 1)
    domains = cells.to_frame("cell").select(behind_at).to_series()
    known = {domain: domain.lower() for domain in domains.drop_nulls().unique()}
    typos = {domain for domain, lower in known.items() if probable_domain(lower)}
    if typos:
        yield Note.LIKELY_TYPO, domains.is_in(sorted(typos))
    others = known.keys() - typos  # such providers love misspellings
    disposable = sorted(domain for domain in others if is_disposable(known[domain]))
    if disposable:
        yield Note.DISPOSABLE_DOMAIN, domains.is_in(disposable)


@lru_cache(_DOMAINS_KNOWN)
def is_disposable(domain: str) -> bool:
    """Whether a domain in lower case, or one above it, belongs to a provider of throw-away addresses."""
    from disposable_email_domains import blocklist  # noqa: PLC0415 (it reads a file)

    labels = domain.split(".")
    return any(".".join(labels[start:]) in blocklist for start in range(len(labels) - 1))


@lru_cache(_DOMAINS_KNOWN)
def probable_domain(domain: str) -> str | None:
    """The well-known domain of which this one, in lower case, is a frequent misspelling; else None."""
    rest, _, ending = domain.rpartition(".")
    if domain in _typos():
        return _typos()[domain]
    if rest and ending in _endings():
        return f"{rest}.{_endings()[ending]}"
    read = _as_read(domain)
    return None if read.isascii() else _without_accents().get(fold(read))


def _as_read(domain: str) -> str:
    """A domain in the letters that people see."""
    try:
        return re.sub(r"\bxn--([a-z0-9-]+)", lambda label: label[1].encode().decode("punycode"), domain)
    except UnicodeError:
        return domain


@cache
def _role_account() -> str:
    words = map(pl.escape_regex, _table()["roles"]["words"].split())
    return f"(?i)^(?:{'|'.join(words)})@"


@cache
def _typos() -> Mapping[str, str]:
    return _turned("typos")


@cache
def _without_accents() -> Mapping[str, str]:
    """Well-known domains by their folded names: with accents they are others."""
    return MappingProxyType({fold(domain): domain for domain in _table()["typos"]})


@cache
def _endings() -> Mapping[str, str]:
    return _turned("endings")


def _turned(table: str) -> Mapping[str, str]:
    """Misspelling → what it stands for."""
    return MappingProxyType(
        {word: right for right, words in _table()[table].items() for word in words.split()}
    )


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("prep.values").joinpath("notes.toml").read_text("utf-8"))
