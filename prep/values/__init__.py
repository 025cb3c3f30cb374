"""One spelling per value: `normalise` brings every cell to the form that `prep.checks` accepts.

What cannot be brought there stays as it was, apart from invisible characters, and is rejected later.
Here nothing is guessed and nothing is rejected.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.errors import SettingsError
from prep.model import DateOrder
from prep.schema import Field
from prep.values.booleans import BOOLEAN
from prep.values.dates import date_rules, datetime_rules, is_timezone
from prep.values.email import IDN
from prep.values.normalisers import NORMALISERS
from prep.values.numbers import DECIMAL, INTEGER
from prep.values.rules import Rule, put
from prep.values.text import is_suspicious, text_rules

__all__ = ["Normalised", "Spelling", "normalise"]

_TYPE_RULES: Final[Mapping[str, tuple[Rule, ...]]] = MappingProxyType(
    {
        "boolean": (BOOLEAN,),
        "currency": (DECIMAL,),
        "email": (IDN,),
        "float": (DECIMAL,),
        "integer": (INTEGER,),
        "percent": (INTEGER,),
        "score": (INTEGER,),
    }
)
"""The rules of the types that need no setting; those not named have text rules only."""

_SPELLED_TYPES: Final = frozenset(
    {"boolean", "currency", "date", "datetime", "float", "integer", "percent", "score"}
)
"""Types with one spelling for each value. The type's own rule looks at whatever differs from it, so the text
rules need no look of their own, and there is nothing left for a field's normalisers to choose."""


@dataclass(frozen=True)
class Spelling:
    """How values are meant that can be read in more than one way.

    Attributes:
        date_order: Order of dates that do not begin with the year. `ISO` leaves those as they are.
        timezone: IANA name of the zone of date-times that name none. None leaves those without.

    Raises:
        SettingsError: There is no such zone.
    """

    date_order: DateOrder = DateOrder.ISO
    timezone: str | None = None

    def __post_init__(self) -> None:
        if self.timezone is not None and not is_timezone(self.timezone):
            raise SettingsError(
                f"--timezone does not know {self.timezone!r}",
                code="bad_timezone",
                hint="It takes names of the IANA database, such as Europe/Madrid or America/New_York.",
            )


@dataclass(frozen=True)
class Normalised:
    """What `normalise` returns.

    Attributes:
        frame: The same rows and columns in the same order.
        changes: How many cells each rule changed, by field and rule; a cell may count under several rules.
    """

    frame: pl.DataFrame
    changes: Mapping[tuple[str, str], int]


def normalise(frame: pl.DataFrame, fields: Mapping[str, Field], spelling: Spelling) -> Normalised:
    """Give each value its one spelling.

    Every cell is judged alone: neither other rows nor the borders of a batch matter. Normalising again
    changes nothing. Columns without anything to respell cost one look.

    Args:
        frame: A text column for each field, by REST name; null is blank. Columns whose name begins with
            an underscore are passed through.
        fields: Fields by REST name, at least those of the frame.
        spelling: How ambiguous values are meant.
    """
    names = [name for name in frame.columns if not name.startswith("_")]
    rules = {name: _value_rules(fields[name], spelling) for name in names}
    suspects = frame.select(_is_suspect(fields[name], rules[name]).alias(name) for name in names)
    changes: Counter[tuple[str, str]] = Counter()
    columns = []
    for name in names:
        rows = suspects[name].arg_true()
        if rows.is_empty():
            continue
        cells = frame[name].gather(rows)
        for rule in (*text_rules(fields[name].type), *rules[name]):
            cells, changed = rule.apply(cells)
            changes[name, rule.name] += changed
        columns.append(put(frame[name], rows, cells))
    return Normalised(frame.with_columns(columns), +changes)


def _value_rules(field: Field, spelling: Spelling) -> tuple[Rule, ...]:
    """The rules of the field's type, then its own. A type with a spelling of its own leaves it no choice."""
    if field.type in _SPELLED_TYPES:
        return _type_rules(field.type, spelling)
    return (*_type_rules(field.type, spelling), *(NORMALISERS[name] for name in field.normalisers))


def _type_rules(type_name: str, spelling: Spelling) -> tuple[Rule, ...]:
    match type_name:
        case "date":
            return date_rules(spelling.date_order)
        case "datetime":
            return datetime_rules(spelling.date_order, spelling.timezone)
        case _:
            return _TYPE_RULES.get(type_name, ())


def _is_suspect(field: Field, rules: tuple[Rule, ...]) -> pl.Expr:
    """True for every cell that some rule may change."""
    cell = pl.col(field.name)
    tests = [rule.needed(cell) for rule in rules]
    if field.type not in _SPELLED_TYPES:
        tests.append(is_suspicious(cell))
    return pl.any_horizontal(tests)
