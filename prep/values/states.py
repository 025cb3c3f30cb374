"""States and provinces, where the row's country is one whose addresses name them: code or English name."""

from collections.abc import Mapping
from functools import cache, partial
from importlib import resources
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.model import States
from prep.values.countries import fold_country
from prep.values.rules import BesideCountry

_FILE: Final = "states.tsv"


def state_rules(wanted: States) -> tuple[BesideCountry, ...]:
    """The rule `state`: a code or name → the code, or the English name; none where cells stay as they are."""
    if wanted is States.KEEP:
        return ()

    return (BesideCountry("state", pl.Expr.is_not_null, partial(_spell, wanted)),)


def find_state(cell: str, country: str | None) -> str | None:
    """The code of the state that a cell names in the country with this ISO code; None if it names none."""
    return _states().get(country or "", {}).get(fold_country(cell))


def has_states(country: str | None) -> bool:
    """Whether the states of this country are known here."""
    return country in _states()


def _spell(wanted: States, cell: str, country: str | None) -> str | None:
    code = find_state(cell, country)
    return _names()[country or "", code] if code and wanted is States.NAME else code


@cache
def _states() -> Mapping[str, Mapping[str, str]]:
    """Country → folded spelling → code."""
    found: dict[str, dict[str, str]] = {}
    for country, code, name, others in _lines():
        spellings = [code, name, *others.split("|")]
        found.setdefault(country, {}).update(
            (fold_country(spelling), code) for spelling in spellings if spelling
        )
    return MappingProxyType(found)


@cache
def _names() -> Mapping[tuple[str, str], str]:
    return {(country, code): name for country, code, name, _ in _lines()}


def _lines() -> list[list[str]]:
    text = resources.files("prep.values").joinpath(_FILE).read_text("utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
