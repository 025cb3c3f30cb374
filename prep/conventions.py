"""How columns spell dates and numbers of which no setting speaks: their cells prove it, or prep asks."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from prep.errors import SourceError
from prep.model import ROW, SOURCE, Convention
from prep.plan import Plan
from prep.preparation import as_fields
from prep.returned import identify
from prep.values import Noted, normalise
from prep.values.evidence import DATES, Evidence, Proof, find_evidence, prove
from prep.values.rules import OPEN

Column = tuple[str, str, str]
"""Source, field and header."""

_WHAT: Final = {
    "dmy": "{cells} can only begin with the day",
    "mdy": "{cells} can only begin with the month",
    "point": "{cells} can only have a decimal point",
    "comma": "{cells} can only have a decimal comma",
}
_OPEN: Final = {
    "dates": "{cells} may begin with the day or with the month",
    "decimal": "{cells} may have thousands or decimals behind the separator",
}
_HINTS: Final = {
    "dates": "Say which with --dates dmy or --dates mdy, or write them as 2026-04-13.",
    "decimal": "Say which with --decimal comma or --decimal point, or write them as 1234.5.",
}
_CODES: Final = {"dates": "ambiguous_dates", "decimal": "ambiguous_numbers"}


def settle(plan: Plan) -> Plan:
    """Read all sources once, and settle how each column spells what cannot be read without knowing it.

    Returns:
        The plan with a convention for each column of dates or numbers of which no setting speaks. Those that
        it had already stay.

    Raises:
        SourceError: A column proves nothing, or two things.
    """
    return settle_by(plan, survey(plan))


def settle_by(plan: Plan, found: Mapping[Column, Evidence]) -> Plan:
    """As `settle`, by what a survey of all rows found."""
    known = {(convention.source, convention.field) for convention in plan.conventions}
    proofs = {
        column: prove(evidence) for column, evidence in found.items() if (column[0], column[1]) not in known
    }
    if ambiguous := {column: proof for column, proof in proofs.items() if proof.is_ambiguous}:
        raise _ambiguity(plan, ambiguous)
    settled = [
        Convention(*column, setting=plan.open_fields[column[1]], value=proof.value, cells=proof.cells)
        for column, proof in proofs.items()
    ]
    return replace(plan, conventions=(*plan.conventions, *settled))


def survey(plan: Plan) -> Mapping[Column, Evidence]:
    """Read all sources, for what the cells of each column in question tell about it."""
    found: dict[Column, defaultdict[tuple[str, str], Noted]] = {}
    fields = {name: plan.schema.fields[name] for name in plan.open_fields}
    for position, source in enumerate(plan.sources):
        headers = dict(_headers(plan, position))
        for batch in source.read(plan.lookup_position(position)):
            cells = as_fields(plan, position, identify(source, batch).cells).select(SOURCE, ROW, *fields)
            cells = normalise(cells, fields, plan.spelling()).frame
            for name, setting in plan.open_fields.items():
                header = headers.get(name, name)
                for path in cells[SOURCE].unique(maintain_order=True):
                    found.setdefault((path, name, header), defaultdict(Noted))
                for path, verdict, noted in find_evidence(cells, name, setting):
                    found[path, name, header][verdict] += noted
    return found


def _headers(plan: Plan, position: int) -> Iterator[tuple[str, str]]:
    """Field → header of a source."""
    for place, field in plan.mappings[position].fields.items():
        yield field, plan.sources[position].columns[place]


def _ambiguity(plan: Plan, columns: dict[Column, Proof]) -> SourceError:
    settings = [plan.open_fields[field] for _, field, _ in columns]
    (path, _, header), proof = next(iter(columns.items()))
    return SourceError(
        "; ".join(_describe(*column, plan, proof) for column, proof in columns.items()),
        code=_CODES[settings[0]],
        hint=" ".join(_HINTS[setting] for setting in dict.fromkeys(settings)),
        source=path,
        row=min(row for noted in proof.readings.values() for _, row in noted.rows),
        column=header,
    )


def _describe(path: str, field: str, header: str, plan: Plan, proof: Proof) -> str:
    setting = plan.open_fields[field]
    found = [
        (_OPEN[setting] if verdict == OPEN else _WHAT[verdict]).format(cells=_cells(noted, setting))
        for verdict, noted in sorted(proof.readings.items())
    ]
    return f"{path}: column {header!r} ({field}): {', '.join(found)}"


def _cells(noted: Noted, setting: str) -> str:
    one, several = ("date", "dates") if setting == DATES else ("number", "numbers")
    rows = ", ".join(str(row) for _, row in noted.rows)
    more = ", …" if noted.cells > len(noted.rows) else ""
    return (
        f"{noted.cells:,} {one if noted.cells == 1 else several} (row{'s' * (noted.cells > 1)} {rows}{more})"
    )
