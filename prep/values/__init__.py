"""One spelling per value: `normalise` brings every cell to the form that `prep.checks` accepts.

What cannot be brought there stays as it was, apart from invisible characters, and is rejected later.
Here nothing is guessed and nothing is rejected.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from prep.model import Countries, DecimalMark, EmailCase, Phones, States
from prep.schema import Field
from prep.values.allowed import allowed_rule
from prep.values.booleans import BOOLEAN
from prep.values.countries import country_codes, country_of, country_rules, is_country, is_state
from prep.values.dates import date_rules, datetime_rules
from prep.values.email import email_rules
from prep.values.evidence import DECIMAL_TYPES, INTEGER_TYPES
from prep.values.mojibake import MOJIBAKE
from prep.values.normalisers import NORMALISERS
from prep.values.notes import Note, Noted, find_notes, find_spoiled, note_rows
from prep.values.numbers import DECIMAL, INTEGER, UNDECIDED_INTEGER, separator_rules, sign_rule
from prep.values.phones import phone_rules
from prep.values.placeholders import (
    BOOLEAN_PLACEHOLDERS,
    COUNTRY_PLACEHOLDERS,
    EMAIL_PLACEHOLDERS,
    KEY_PLACEHOLDERS,
    PLACEHOLDER,
    PLACEHOLDERS,
    ROUNDED_KEY,
    STATE_PLACEHOLDERS,
    TEXT_PLACEHOLDERS,
    placeholder_rule,
)
from prep.values.rules import BesideCountry, Rule, any_of, needed_rows, put, true_somewhere
from prep.values.spelling import Spelling
from prep.values.states import state_rules
from prep.values.text import SUSPICIOUS, text_rules
from prep.values.truncation import TRUNCATE, truncation_rule

__all__ = [
    "Countries",
    "DecimalMark",
    "Normalised",
    "Note",
    "Noted",
    "Phones",
    "Spelling",
    "States",
    "find_notes",
    "find_spoiled",
    "needs_country",
    "normalise",
]

_SPELLED_TYPES: Final = frozenset(
    {"boolean", "currency", "date", "datetime", "float", "integer", "percent", "score"}
)
"""Types with one spelling for each value. The type's own rule looks at whatever differs from it, so the text
rules and words for nothing need no look of their own, and there is nothing left for a field's normalisers to
choose."""


@dataclass(frozen=True)
class Normalised:
    """What `normalise` returns.

    Attributes:
        frame: The same rows and columns in the same order.
        changes: How many cells each rule changed, by field and rule; a cell may count under several rules.
        notes: What was cut, by field and code.
    """

    frame: pl.DataFrame
    changes: Mapping[tuple[str, str], int]
    notes: Mapping[tuple[str, Note], Noted] = dataclasses.field(default_factory=dict)


def normalise(frame: pl.DataFrame, fields: Mapping[str, Field], spelling: Spelling) -> Normalised:
    """Give each value its one spelling.

    Every cell is judged alone, but for phones and states on request, which are read with the country of their
    row; neither other rows nor the borders of a batch matter. Normalising again changes nothing. Columns
    without anything to respell cost one look.

    Args:
        frame: A text column for each field, by REST name; null is blank. Columns whose name begins with
            an underscore are passed through; the row's identity is needed where values are to be cut.
        fields: Fields by REST name, at least those of the frame.
        spelling: How ambiguous values are meant, and how values are wanted.
    """
    names = [name for name in frame.columns if not name.startswith("_")]
    rules = {name: _value_rules(fields[name], spelling) for name in names}
    suspects = frame.select(
        _is_suspect(fields[name], (*_decoding_rules(spelling), *rules[name])).alias(name) for name in names
    )
    changes: Counter[tuple[str, str]] = Counter()
    notes = {}
    columns = []
    for name in true_somewhere(suspects):
        rows = suspects[name].arg_true()
        cells = frame[name].gather(rows)
        decoding = _decoding_rules(spelling)
        texts = text_rules(fields[name].type) if decoding or needed_rows(cells, SUSPICIOUS).len() else ()
        for rule in (*decoding, *texts, *rules[name]):
            before = cells
            cells, changed = rule.apply(cells)
            changes[name, rule.name] += changed
            if changed and rule.name == TRUNCATE:
                notes[name, Note.TRUNCATED] = note_rows(frame, rows.filter(cells.ne_missing(before)))
        columns.append(put(frame[name], rows, cells))
    spelled = frame.with_columns(columns)
    columns = list(_beside_country(spelled, [fields[name] for name in names], spelling, changes))
    return Normalised(spelled.with_columns(columns), +changes, notes)


def _beside_country(
    frame: pl.DataFrame, fields: Sequence[Field], spelling: Spelling, changes: Counter[tuple[str, str]]
) -> Iterator[pl.Series]:
    """The columns that the country of their row helps to read; `changes` counts their changes."""
    for field in fields:
        for rule in _country_rules(field, spelling):
            country = country_of(field, frame.columns)
            blank = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
            countries = country_codes(frame[country]) if country else blank
            cells, changed = rule.apply(frame[field.name], countries)
            changes[field.name, rule.name] += changed
            yield cells


def needs_country(field: Field, spelling: Spelling) -> bool:
    """Whether the country of their row helps to read a field's values."""
    return bool(_country_rules(field, spelling))


def _country_rules(field: Field, spelling: Spelling) -> tuple[BesideCountry, ...]:
    if field.type == "phone":
        return phone_rules(spelling.phones, spelling.region)
    return state_rules(spelling.states) if is_state(field) else ()


def _decoding_rules(spelling: Spelling) -> tuple[Rule, ...]:
    """What comes before the text rules, which delete characters that it needs."""
    return (MOJIBAKE,) if spelling.repair_mojibake else ()


def _value_rules(field: Field, spelling: Spelling) -> tuple[Rule, ...]:
    """The rules of the field's type and its own, among them the one for words that stand for nothing.

    What the country of its row is to read is never cut before, nor is a country: half the name of a state or
    country is another one.
    """
    own = [NORMALISERS[name] for name in field.normalisers if _leaves_room(field, spelling, name)]
    listed = (allowed_rule(field.allowed),) if field.allowed else ()
    is_whole = is_country(field) or needs_country(field, spelling)
    cut = (truncation_rule(field),) if field.truncate and not is_whole else ()
    nothing = placeholder_rule(_words_for_nothing(field, spelling), field.allowed)
    is_key = field.type == "string" and field.name == spelling.lookup_field
    rounded = (ROUNDED_KEY,) if is_key else ()
    return (*_type_rules(field, spelling), *own, *listed, nothing, *rounded, *cut)


def _leaves_room(field: Field, spelling: Spelling, normaliser: str) -> bool:
    """Whether the values of a field may be spelled in more than one way, so that it may choose one."""
    if field.allowed:
        return False
    if field.type == "email":
        return normaliser != "collapse_spaces"
    if field.type == "phone":
        return spelling.phones is Phones.KEEP
    if is_country(field):
        return spelling.countries is Countries.KEEP
    if is_state(field):
        return spelling.states is States.KEEP
    return field.type not in _SPELLED_TYPES


def _words_for_nothing(field: Field, spelling: Spelling) -> frozenset[str]:
    """Words that are no value of the field; a person may be called Null."""
    if field.type == "email":
        return EMAIL_PLACEHOLDERS
    if field.type == "boolean":
        return BOOLEAN_PLACEHOLDERS
    if is_country(field):
        return COUNTRY_PLACEHOLDERS
    if is_state(field):
        return STATE_PLACEHOLDERS
    if field.type in _SPELLED_TYPES | {"phone", "url"}:
        return PLACEHOLDERS
    return KEY_PLACEHOLDERS if field.name == spelling.lookup_field else TEXT_PLACEHOLDERS


def _type_rules(field: Field, spelling: Spelling) -> tuple[Rule, ...]:
    if field.type in DECIMAL_TYPES | INTEGER_TYPES:
        return _number_rules(field, spelling.mark_of(field.name))
    match field.type:
        case "boolean":
            return (BOOLEAN,)
        case "date":
            return date_rules(spelling.order_of(field.name))
        case "datetime":
            return datetime_rules(spelling.order_of(field.name), spelling.timezone)
        case "email":
            small = (NORMALISERS["lower"],) if spelling.email_case is EmailCase.LOWER else ()
            return (*email_rules(repair=spelling.repair_emails), *small)
        case _:
            return country_rules(spelling.countries) if is_country(field) else ()


def _number_rules(field: Field, mark: DecimalMark | None) -> tuple[Rule, ...]:
    whole = field.type in INTEGER_TYPES
    number = DECIMAL if not whole else INTEGER if mark else UNDECIDED_INTEGER
    return (
        sign_rule(percent=field.type == "percent", whole=whole),
        *separator_rules(mark, whole=whole),
        number,
    )


def _is_suspect(field: Field, rules: tuple[Rule, ...]) -> pl.Expr:
    """True for every cell that some rule may change."""
    is_spelled = field.type in _SPELLED_TYPES
    tests = [rule.needed for rule in rules if not (is_spelled and rule.name == PLACEHOLDER)]
    return any_of(tests if is_spelled else [*tests, SUSPICIOUS])(pl.col(field.name))
