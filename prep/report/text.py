"""The summary of a run for a terminal, line by line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import polars as pl

from prep.folding import as_typed, counted, fold, name_some
from prep.model import SANDBOX, Blanks, Fate, Reason
from prep.places import Place, name_rows
from prep.report import words
from prep.report.steps import Step, commands_after_check, next_commands, tables_to_read
from prep.report.verdict import describe_rows, name_place
from prep.returned import OWN_COLUMNS
from prep.values.notes import Note

_ORDER: Final = (
    *(Fate.IMPORTED, Fate.WARNED, Fate.FAILED, Fate.UNKNOWN, Fate.SENT, Fate.READY),
    *(Fate.SUPPRESSED, Fate.DUPLICATE, Fate.REJECTED),
)
_FATES: Final = {fate: words.FATES[fate] for fate in _ORDER}
_FATES_OF_CHECK: Final = {
    **_FATES,
    Fate.READY: "would be sent",
    Fate.REJECTED: "would not: they break a rule or cannot be read",
    Fate.SUPPRESSED: "would not: on a suppression list or without consent",
    Fate.DUPLICATE: "would not: they lose to another row with the same {lookup_field}",
}
_TOP_REASONS: Final = 10
_FIRST_ROWS: Final = 5
_FIRST_FIELDS: Final = 3
_NEXT_COMMANDS: Final = 3
_COLUMNS_NAMED: Final = 5
_ARROWS: Final = {"suggested": "?", "unknown": "✗", "dropped": "✗", "protected": "✗"}


def summarise(report: Mapping[str, Any], folder: str, note: str = "") -> list[str]:
    """What happened to how many rows, why, and what to do next.

    Args:
        report: The content of `report.json`.
        folder: The run folder, as the user named it.
        note: A sentence that the numbers alone do not tell.
    """
    return [
        f"{folder}: {_headline(report)}",
        *_noted(note),
        *_source_notes(report),
        *_left_out(report),
        *(f"  note: {finding['message']}" for finding in report["preflight"]),
        *(f"  note: {remark['chunk']}: {remark['message']}" for remark in report["remarks"]),
        *_counts(report, _FATES),
        *_reasons(report),
        *_protected(report),
        *_blanks(report),
        *_notes(report),
        *_messages(report),
        *_unknown(report),
        *_tables(report, folder),
        *_next(next_commands(report, folder)),
    ]


def describe_check(report: Mapping[str, Any], told: pl.DataFrame, note: str = "") -> list[str]:
    """What a check found: counts, the commonest problems with the first rows that have them, the mapping.

    Args:
        report: The report of the cleaned run.
        told: Rows of its table of fates, at least those that have reasons.
        note: A sentence that the numbers alone do not tell.
    """
    problems = told.explode("reasons").drop_nulls("reasons")
    return [
        *(describe_source(source) for source in report["sources"]),
        *_noted(note),
        *_source_notes(report),
        *_counts(report, _FATES_OF_CHECK),
        *_problems(report, problems),
        *_blanks(report),
        *_notes(report),
        *_changes(report),
        *_mapping(report),
        *_next(commands_after_check(report)),
    ]


def describe_source(source: Mapping[str, Any]) -> str:
    """One line for a source: its path and how it is read."""
    columns = len(source["columns"])
    delimiter = source["delimiter"] and f"delimiter {source['delimiter']!r}"
    parts = [f"{columns} column{'s' * (columns != 1)}", source["encoding"], delimiter, source["sheet"]]
    return f"{source['path']}: {', '.join(part for part in parts if part)}"


def describe_mapping(mapping: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each column: its header, its field and how that was found."""
    width = max((len(repr(column["source"])) for column in mapping), default=0)
    for column in mapping:
        mark = _ARROWS.get(column["how"], "→")
        yield f"  {column['source']!r:<{width}}  {mark} {column['field'] or '':<24} {column['how']}"


def _source_notes(report: Mapping[str, Any]) -> Iterator[str]:
    for source in report["sources"]:
        for note in source["notes"]:
            yield f"  note: {source['path']}: {note}"


def _left_out(report: Mapping[str, Any]) -> Iterator[str]:
    """Columns that were left out on purpose, where whole lists of them may be meant by one option."""
    headers = [
        column["source"]
        for column in report["mapping"]
        if column["how"] == "dropped" and column["source"] not in OWN_COLUMNS
    ]
    if headers:
        yield f"  note: {counted(len(headers), 'column')} left out: {name_some(headers, _COLUMNS_NAMED)}"


def _headline(report: Mapping[str, Any]) -> str:
    to = f"to {_where(report)}"
    match report["state"]:
        case "clean" if not report["chunks"]:
            return "clean; there is nothing to send"
        case "clean":
            return "clean; nothing was sent yet"
        case "submitting":
            return f"sent in part {to}"
        case "waiting":
            return f"sent {to}; Marketo is at work"
        case "unknown":
            return f"sent {to}; not every outcome is known"
        case _:
            return f"sent {to}; finished"


def _where(report: Mapping[str, Any]) -> str:
    target = "the local sandbox" if report["target"] == SANDBOX else report["target"]
    static_list = report["list_name"] or report["list_id"]
    parts = [target, describe_rows(report), static_list and f"list {static_list}"]
    parts.append(report["partition_name"] and f"partition {report['partition_name']}")
    return ", ".join(filter(None, parts))


def _noted(note: str) -> Iterator[str]:
    if note:
        yield note


def _counts(report: Mapping[str, Any], meanings: Mapping[Fate, str]) -> Iterator[str]:
    counts = report["counts"]
    yield f"{counted(counts['read'], 'row')} read"
    for fate, meaning in meanings.items():
        if counts[fate]:
            text = meaning.format(place=name_place(report), lookup_field=report["lookup_field"])
            yield f"  {counts[fate]:>9,}  {fate:<10}  {text}"


def _reasons(report: Mapping[str, Any]) -> Iterator[str]:
    reasons = report["reasons"]
    if not reasons:
        return
    yield ""
    yield "Why rows were held back" if report["counts"][Fate.SUPPRESSED] else "Why rows were rejected"
    for reason in reasons[:_TOP_REASONS]:
        yield f"  {reason['rows']:>9,}  {_named(reason)} ({_meaning(reason)})"
    if len(reasons) > _TOP_REASONS:
        yield f"  … and {len(reasons) - _TOP_REASONS} more kinds, in report.json"


def _messages(report: Mapping[str, Any]) -> Iterator[str]:
    if not report["messages"]:
        return
    yield ""
    yield "What Marketo said of rows"
    for kind in report["messages"][:_TOP_REASONS]:
        yield f"  {kind['rows']:>9,}  {kind['fate']}, {_named(kind)}: {kind['remedy']}"
    if len(report["messages"]) > _TOP_REASONS:
        yield f"  … and {len(report['messages']) - _TOP_REASONS} more kinds, in report.json"


def _problems(report: Mapping[str, Any], problems: pl.DataFrame) -> Iterator[str]:
    reasons = report["reasons"]
    yield ""
    yield "Problems" if reasons else "No problems"
    for reason in reasons[:_TOP_REASONS]:
        found = problems.filter(pl.col("reasons") == _named(reason))
        places = found.head(_FIRST_ROWS).select(Place._fields).rows()
        first = _name_rows(report, map(Place._make, places), found.height)
        label = f"{_named(reason)}{_in_columns(report, reason['field'])}"
        yield f"  {reason['rows']:>9,}  {label} ({_meaning(reason)}): {first}"
    if len(reasons) > _TOP_REASONS:
        yield f"  … and {len(reasons) - _TOP_REASONS} more kinds; prep clean lists every row"


def _in_columns(report: Mapping[str, Any], field: str | None) -> str:
    """The columns that a field comes from, where they are called otherwise, but for case and punctuation."""
    names = [
        column["source"]
        for column in report["mapping"]
        if field is not None and column["field"] == field and column["how"] not in words.UNUSED | {"set"}
    ]
    others = [repr(name) for name in dict.fromkeys(names) if fold(name) != fold(field or "")]
    return f" in {' and '.join(others)}" if others else ""


def _meaning(reason: Mapping[str, Any]) -> str:
    """What a reason says, with the rules over several fields that it may come from."""
    return "; rule: ".join([Reason(reason["code"]).meaning, *reason.get("rules", ())])


def _named(reason: Mapping[str, Any]) -> str:
    return ":".join(filter(None, [reason["field"], reason["code"]]))


def _name_rows(report: Mapping[str, Any], first: Iterable[Place], found: int) -> str:
    return name_rows(list(first), found, report["sheets"], with_sources=len(report["sources"]) > 1)


def _notes(report: Mapping[str, Any]) -> Iterator[str]:
    if report["notes"]:
        yield ""
        yield "Worth a look, sent all the same"
    for note in report["notes"][:_TOP_REASONS]:
        first = (Place(**row) for row in note["rows"])
        label = f"{note['field']}:{note['code']} ({Note(note['code']).cause})"
        yield f"  {note['cells']:>9,}  {label}: {_name_rows(report, first, note['cells'])}"
    if len(report["notes"]) > _TOP_REASONS:
        yield f"  … and {len(report['notes']) - _TOP_REASONS} more kinds, in report.json"


def _blanks(report: Mapping[str, Any]) -> Iterator[str]:
    """What becomes of cells without a value, as far as it may change what Marketo has."""
    is_sent = report["blanks"] == Blanks.SEND and report["blank_cells"]
    if not is_sent and not report["cleared_cells"]:
        return
    yield ""
    yield "Cells that may take something from Marketo"
    if report["cleared_cells"]:
        yield f"  {_cells(report['cleared_cells'])}: sent as NULL, which clears the field"
    if is_sent:
        yield f"  {_cells(report['blank_cells'])}: sent as blanks; nobody documents what these do"
        yield f"  {'':>9}  --blanks omit leaves blank cells out, and existing values alone"


def _protected(report: Mapping[str, Any]) -> Iterator[str]:
    """Columns that were left out because they decide whether people may be written to."""
    columns = [column for column in report["mapping"] if column["how"] == "protected"]
    if columns:
        yield ""
        yield "Columns left out, because their fields decide who may be written to"
    for column in columns:
        way = f"--allow-protected {column['field']}"
        if report["parent_run_id"]:  # a retry has the settings of its run
            way = f'prep retry with --map "{as_typed(column["source"])}={column["field"]}"'
        yield f"  {column['source']!r}: {way} sends it"


def _cells(fields: Sequence[Mapping[str, Any]]) -> str:
    """How many cells, and of which fields."""
    total = sum(cells["cells"] for cells in fields)
    listed = [f"{cells['field']} {cells['cells']:,}" for cells in fields[:_FIRST_FIELDS]]
    more = len(fields) - _FIRST_FIELDS
    if more > 0:
        listed.append(f"{more} more field{'s' * (more > 1)}")
    return f"{total:>9,}  in {', '.join(listed)}"


def _changes(report: Mapping[str, Any]) -> Iterator[str]:
    if report["changes"]:
        yield ""
        yield "Cells that would be respelled"
    for change in report["changes"]:
        yield f"  {change['cells']:>9,}  {change['field']}: {change['rule']}"


def _mapping(report: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield "Columns"
    yield from describe_mapping(report["mapping"])


def _unknown(report: Mapping[str, Any]) -> Iterator[str]:
    unknown = {chunk["file"] for chunk in report["chunks"] if chunk["state"] == "unknown"}
    if not unknown:
        return
    yield ""
    yield "Outcome unknown: look in Marketo whether these rows arrived; they are not sent again by themselves"
    for job in report["jobs"]:
        if job["chunk"] in unknown:
            yield f"  {job['chunk']}: {job['message']}"


def _next(commands: Iterator[Step]) -> Iterator[str]:
    """What can be done now, and what for."""
    yield from _listed("Next", list(islice(commands, _NEXT_COMMANDS)))


def _tables(report: Mapping[str, Any], folder: str) -> Iterator[str]:
    """The tables of the run folder that have something to say."""
    if report["purged"]:
        yield ""
        yield words.PURGED
    tables = tables_to_read(report, name_place(report))
    yield from _listed("Tables", [Step(f"{folder}/{table.what}", table.why) for table in tables])


def _listed(title: str, steps: Sequence[Step]) -> Iterator[str]:
    if steps:
        yield ""
        yield title
    width = max((len(step.what) for step in steps), default=0)
    for step in steps:
        yield f"  {step.what:<{width}}  {step.why}"
