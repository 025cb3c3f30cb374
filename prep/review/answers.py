"""What the page is told: rows with their reasons in words, suggestions, counts. JSON, and texts only."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import polars as pl

from prep.errors import FolderError
from prep.folder import RunFolder
from prep.manifest import Manifest
from prep.model import Reason
from prep.pipeline import Run
from prep.places import number_row
from prep.plan import columns_of_all
from prep.report import build_report, words
from prep.report.steps import next_commands
from prep.review.desk import CHANGED, IS_LEFT_OUT, OPEN, OUT, REASONS, REPAIRED, Desk, View
from prep.review.sheet import ID, MARKETO, MESSAGE, RAW, TABLE, place_of
from prep.review.suggestions import suggest, suggest_domain

_LIKELY_TYPO: Final = "the domain looks misspelled; the address is sent as it is"


def describe(desk: Desk) -> dict[str, Any]:
    """What holds for the whole page."""
    with desk.lock:
        return {
            "version": desk.version,
            "folder": str(desk.folder.path),
            "columns": [
                {"title": name, "field": field}
                for (name, _), field in zip(desk.sheet.columns, _fields(desk), strict=True)
            ],
            "counts": desk.counts(),
            "reasons": [
                {"key": reason, "rows": rows, **_in_words(desk, reason)} for reason, rows in desk.reasons()
            ],
            "steps": asdict(desk.steps()),
            "maps": list(desk.maps.items()),
            "notices": list(_notices(desk)),
            "stale": desk.is_stale,
        }


def describe_mapping(desk: Desk) -> dict[str, Any]:
    """How columns map, what else they can become, and the rows that are not concerned."""
    with desk.lock:
        return {
            "columns": list(_mapping(desk)),
            "fields": [{"name": field.name, "display": field.display} for field in desk.judge.choices],
            "elsewhere": desk.elsewhere,
            "sources": [source.path for source in desk.manifest.sources],
        }


def _mapping(desk: Desk) -> Iterator[dict[str, Any]]:
    """The columns of the sources, each once, and the constants, which cannot be given to another field."""
    columns = {column["source"]: column for column in desk.manifest.mapping}
    of_sources = {name for name, _ in columns_of_all(source.columns for source in desk.manifest.sources)}
    for name, column in columns.items():
        is_used = column["how"] not in words.UNUSED
        yield {
            "source": name,
            "field": column["field"] if is_used else None,
            "why": words.HOWS[column["how"]],
            "isFixed": column["how"] == "set" or name not in of_sources,
            "isChanged": name in desk.maps,
            "likely": desk.judge.likely_fields(name),
        }


def page(desk: Desk, view: View, number: int, size: int) -> dict[str, Any]:
    """One page of the rows that a view shows, as Tabulator wants it; `number` counts from 1."""
    with desk.lock:
        found = desk.select(view)
        rows = found.slice((number - 1) * size, size)
        return {
            "last_page": max(1, -(-found.height // size)),
            "last_row": found.height,
            "data": show_rows(desk, rows),
        }


def show_rows(desk: Desk, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with all that is to be said of them."""
    changed = desk.changed_places(rows)
    meant = _suggestions(desk, rows)
    return [
        {
            "id": row[ID],
            "row": row["_row"],
            "line": row["_line"],
            "called": number_row(place_of(row), desk.manifest.sheets),
            "source": row["_source"],
            "table": row[TABLE],
            "state": OUT if row[IS_LEFT_OUT] else OPEN if row[REASONS] else REPAIRED,
            "isChanged": row[CHANGED],
            "isClosed": row[TABLE] in desk.sheet.closed,
            "changed": changed[row[ID]],
            "message": row[MESSAGE],
            "raw": row[RAW],
            "problems": _problems(desk, row, meant),
            **{f"c{name}": row[name] for name in desk.sheet.names},
        }
        for row in rows.iter_rows(named=True)
    ]


def describe_run(run: Run) -> dict[str, Any]:
    """What the page says of the new run."""
    report = build_report(run.folder)
    step = next(next_commands(report, str(run.path)))
    return {"folder": str(run.path), "counts": report["counts"], "command": step.what, "why": step.why}


def _fields(desk: Desk) -> list[str | None]:
    """The field that each column maps to."""
    found: dict[int, str] = {}
    for field in desk.judge.fields:
        for table, source in desk.origins:
            place = desk.place_of(table, source, field)
            if place is not None:
                found.setdefault(place, field)
    return [found.get(place) for place in range(len(desk.sheet.columns))]


def _in_words(desk: Desk, reason: str) -> dict[str, Any]:
    field, _, code = reason.rpartition(":")
    told = desk.sheet.advice.get(reason)
    if told is not None:
        meaning, remedy = told.cause, told.remedy
    else:
        meaning, remedy = Reason(code).meaning, Reason(code).remedy
    places = (desk.place_of(table, source, field) for table, source in desk.origins)
    place = next((place for place in places if place is not None), None)
    return {
        "field": field or None,
        "code": code,
        "place": place,
        "meaning": meaning,
        "remedy": remedy,
        "isMarketos": code.startswith(MARKETO),
    }


_Suggestions = Mapping[str, Mapping[str, list[str]]]
"""Reason → cell → what it may mean."""


def _suggestions(desk: Desk, rows: pl.DataFrame) -> _Suggestions:
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows.iter_rows(named=True):
        for reason in filter(None, row[REASONS].split("; ")):
            place = desk.place_of(row[TABLE], row["_source"], reason.rpartition(":")[0])
            if place is not None and row[str(place)]:
                wanted[reason].add(row[str(place)])
    found = {}
    for reason, cells in wanted.items():
        field, _, code = reason.rpartition(":")
        found[reason] = suggest(desk.judge.fields[field], code, cells)
    return found


def _problems(desk: Desk, row: Mapping[str, Any], meant: _Suggestions) -> list[dict[str, Any]]:
    """What is wrong with a row, each with the column that it concerns, if there is one."""
    found = []
    told = set()
    for reason in filter(None, row[REASONS].split("; ")):
        field = reason.rpartition(":")[0]
        place = desk.place_of(row[TABLE], row["_source"], field)
        cell = row[str(place)] if place is not None else None
        words = _in_words(desk, reason)
        told.add(place)
        found.append(
            {
                "key": reason,
                "place": place,
                "field": field or None,
                "text": words["meaning"],
                "remedy": words["remedy"],
                "suggestions": meant.get(reason, {}).get(cell or "", []),
            }
        )
    for field, known in desk.judge.fields.items():
        place = desk.place_of(row[TABLE], row["_source"], field) if known.type == "email" else None
        if place is not None and place not in told and (likely := suggest_domain(row[str(place)])):
            found.append(
                {
                    "key": None, "place": place, "field": field, "text": _LIKELY_TYPO, "remedy": "",
                    "suggestions": [likely],
                }
            )  # fmt: skip
    return found


def _notices(desk: Desk) -> list[str]:
    """What happened to the run that whoever repairs it should know."""
    notices = [*desk.sheet.closed.values()]
    if desk.is_stale:
        notices.append(
            "The tables of this run were changed meanwhile. Reload them; your corrections are kept."
        )
    notices += [
        f"Rows of this run were tried again already, in {child}. Repairs go into another new run."
        for child in find_retries(desk.folder, desk.manifest)
    ]
    return notices


def find_retries(folder: RunFolder, manifest: Manifest) -> list[Path]:
    """Run folders beside this one that try its rows again."""
    found = []
    for path in sorted(folder.path.parent.glob("*.prep")):
        other = RunFolder(path)
        if path.name != folder.path.name and other.manifest_file.exists():
            try:
                if other.manifest().parent_run_id == manifest.run_id:
                    found.append(path)
            except FolderError:
                continue
    return found
