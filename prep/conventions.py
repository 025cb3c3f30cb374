"""How columns spell dates and numbers of which no setting speaks: their cells prove it, or prep asks."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

from prep.errors import SourceError
from prep.model import IDENTITY, SOURCE, Convention
from prep.places import name_rows
from prep.plan import Plan
from prep.preparation import as_fields
from prep.returned import identify
from prep.values import Noted, normalise
from prep.values.evidence import DATES, NUMBER, Evidence, Proof, find_evidence, is_typed, prove
from prep.values.rules import OPEN

Column = tuple[str, str, str]
"""Source, field and header."""

_WHAT: Final = {
    "dmy": "{cells} can only begin with the day",
    "mdy": "{cells} can only begin with the month",
    "point": "{cells} can only have a decimal point",
    "comma": "{cells} can only have a decimal comma",
    NUMBER: "{cells} can only have a decimal point, by the type of the cell",
}
_MIXED: Final = "mixed"
_OPEN: Final = {
    "dates": "{cells} may begin with the day or with the month",
    "decimal": "{cells} may have thousands or decimals behind the separator",
}
_HINTS: Final = {
    "dates": "Say which with --dates dmy or --dates mdy, or write them as 2026-04-13.",
    "decimal": "Say which with --decimal comma or --decimal point, or write them as 1234.5.",
    _MIXED: "Make all cells of the column numbers, or say --decimal point if its text has decimal points.",
}
_CODES: Final = {"dates": "ambiguous_dates", "decimal": "ambiguous_numbers", _MIXED: "mixed_numbers"}


def settle(plan: Plan) -> Plan:
    """Read all sources once, and settle how each column spells what cannot be read without knowing it.

    Returns:
        The plan with a convention for each column of dates or numbers of which no setting speaks, and for
        each that holds numbers by their type. Those that it had already stay.

    Raises:
        SourceError: A column proves nothing, or two things, or mixes numbers with text that is no plain one.
    """
    return settle_by(plan, survey(plan))


def settle_by(plan: Plan, found: Mapping[Column, Evidence]) -> Plan:
    """As `settle`, by what a survey of all rows found."""
    known = {(convention.source, convention.field) for convention in plan.conventions}
    proofs = {
        column: prove(evidence)
        for column, evidence in found.items()
        if (column[0], column[1]) not in known and (column[1] in plan.open_fields or is_typed(evidence))
    }
    if ambiguous := {column: proof for column, proof in proofs.items() if proof.is_ambiguous}:
        raise _ambiguity(plan, ambiguous)
    settled = [
        Convention(*column, setting=plan.surveyed_fields[column[1]], value=proof.value, cells=proof.cells)
        for column, proof in proofs.items()
    ]
    return replace(plan, conventions=(*plan.conventions, *settled))


def survey(plan: Plan) -> Mapping[Column, Evidence]:
    """Read all sources, for what the cells of each column in question tell about it."""
    found: dict[Column, defaultdict[tuple[str, str], Noted]] = {}
    fields = {name: plan.schema.fields[name] for name in plan.surveyed_fields}
    spelling = replace(plan.spelling(), decimal=None)
    for position, source in enumerate(plan.sources):
        headers = dict(_headers(plan, position))
        for batch in source.read(plan.lookup_position(position)):
            known = identify(source, batch).cells
            numbers = plan.typed_numbers(position, known)
            cells = as_fields(plan, position, known).select(*IDENTITY, *fields)
            cells = normalise(cells, fields, spelling).frame
            for name, setting in plan.surveyed_fields.items():
                header = headers.get(name, name)
                for path in cells[SOURCE].unique(maintain_order=True):
                    found.setdefault((path, name, header), defaultdict(Noted))
                for path, verdict, noted in find_evidence(cells, name, setting, numbers.get(name)):
                    found[path, name, header][verdict] += noted
    return found


def _headers(plan: Plan, position: int) -> Iterator[tuple[str, str]]:
    """Field → header of a source."""
    for place, field in plan.mappings[position].fields.items():
        yield field, plan.sources[position].columns[place]


def _ambiguity(plan: Plan, columns: dict[Column, Proof]) -> SourceError:
    questions = [
        _MIXED if NUMBER in proof.readings else plan.surveyed_fields[field]
        for (_, field, _), proof in columns.items()
    ]
    (path, _, header), proof = next(iter(columns.items()))
    return SourceError(
        "; ".join(_describe(*column, plan, proof) for column, proof in columns.items()),
        code=_CODES[questions[0]],
        hint=" ".join(_HINTS[question] for question in dict.fromkeys(questions)),
        source=path,
        row=min(place.row for noted in proof.readings.values() for place in noted.rows),
        column=header,
    )


def _describe(path: str, field: str, header: str, plan: Plan, proof: Proof) -> str:
    setting = plan.surveyed_fields[field]
    found = [
        (_OPEN[setting] if verdict == OPEN else _WHAT[verdict]).format(
            cells=_cells(noted, setting, plan.sheets)
        )
        for verdict, noted in sorted(proof.readings.items())
    ]
    return f"{path}: column {header!r} ({field}): {', '.join(found)}"


def _cells(noted: Noted, setting: str, sheets: Collection[str]) -> str:
    one, several = ("date", "dates") if setting == DATES else ("number", "numbers")
    rows = name_rows(noted.rows, noted.cells, sheets)
    return f"{noted.cells:,} {one if noted.cells == 1 else several} ({rows})"
