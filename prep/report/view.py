"""What the page shows: `report.json` in the words and figures of people. The template decides nothing."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prep.config import CleanSettings
from prep.model import SANDBOX, Fate, Reason
from prep.places import Place, number_row
from prep.report import words
from prep.report.changes import PreviewView, view_preview
from prep.report.flow import NARROW, WIDE, Flow, draw_flow
from prep.report.steps import ALL_ROWS, Step, next_commands, tables_to_read
from prep.report.timeline import Course, Timeline, draw_timeline
from prep.report.verdict import (
    describe_rows,
    describe_state,
    make_remarks,
    make_verdict,
    name_place,
)
from prep.values.notes import Note

_FIRST_LINES: Final = 5
_UPLOADS_SHOWN: Final = 200
_GROUPS: Final = (5, 10, 100, 1000)
"""Groups of duplicates up to the first of these are counted one size at a time, larger ones together."""


@dataclass(frozen=True)
class Share:
    """A count, named and explained, as part of a whole.

    Attributes:
        name: A fixed word, which also names its colour; never text from a file.
        rows: How many.
        part: Its share of the whole in words, such as `57.8 %`.
        meaning: What the name says, in a few words.
    """

    name: str
    rows: int
    part: str
    meaning: str


@dataclass(frozen=True)
class Bar:
    """One line of a bar chart, with the text that says the same.

    Attributes:
        label: What is counted.
        code: Its code, as `report.json` has it; may be empty.
        meaning: What the code says; empty if that is not known.
        remedy: What to do about it; may be empty.
        shapes: The form of values, without any letter or digit of them.
        count: How many.
        width: Length of the bar in percent of the longest one.
    """

    label: str
    code: str
    meaning: str
    remedy: str
    shapes: tuple[str, ...]
    count: int
    width: float


@dataclass(frozen=True)
class ColumnFigures:
    """What one column of the prepared rows holds.

    Attributes:
        field: REST name.
        filled: Cells that are not blank.
        part: Their share in words.
        width: Their share in percent.
        distinct: Different values in the sample.
        longest: Characters of the longest value.
        changes: How often a rule respelled a cell.
    """

    field: str
    filled: int
    part: str
    width: float
    distinct: int
    longest: int
    changes: int


@dataclass(frozen=True)
class Upload:
    """One upload file, what Marketo said of it, and when."""

    file: str
    rows: int | None
    size: int | None
    state: str
    tone: str
    batch_id: str | None
    status: str | None
    processed: int | None
    failed: int | None
    warned: int | None
    message: str
    course: Course | None
    times: str


@dataclass(frozen=True)
class View:
    """Everything that the page shows, in the order of the page.

    Attributes:
        folder: The run folder, as the user named it.
        place: Who takes the rows, in the middle of a sentence.
        state: How far the run is, in words.
        tone: Of the state: `good`, `fair`, `bad`, `busy` or `calm`.
        verdict: What became of the rows, in one sentence.
        remarks: What the verdict leaves out, in short sentences.
        error: Why the last command ended early.
        is_rehearsal: Nothing went to Marketo.
        is_masked: Names that may tell of people or of the instance are hidden.
        assumed: Rows that count as imported on somebody's word.
        wide: The flow of rows for a wide page; None where no row was read.
        narrow: The same for a phone.
        fates: What was read, then every fate, zeros included.
        closes: The fates add up to the rows read.
        sum: The fates as a sum.
        accounted: What it comes to.
        read: The rows read.
    """

    folder: str
    place: str
    state: str
    tone: str
    verdict: str
    remarks: tuple[str, ...]
    error: Mapping[str, Any] | None
    is_rehearsal: bool
    is_masked: bool
    assumed: int
    wide: Flow | None
    narrow: Flow | None
    fates: tuple[Share, ...]
    closes: bool
    sum: str
    accounted: int
    read: int
    preview: PreviewView | None
    commands: tuple[Step, ...]
    tables: tuple[Step, ...]
    reasons: tuple[Bar, ...]
    messages: Sequence[Mapping[str, Any]]
    notes: tuple[Mapping[str, Any], ...]
    duplicates: tuple[Bar, ...]
    uploads: tuple[Upload, ...]
    uploads_left_out: int
    upload_states: str
    timeline: Timeline | None
    timeline_words: str
    blanks: tuple[Bar, ...]
    changes: tuple[Bar, ...]
    columns: tuple[ColumnFigures, ...]
    columns_words: str
    mapping: tuple[Mapping[str, Any], ...]
    mapping_kinds: str
    sources: tuple[Mapping[str, Any], ...]
    settings: tuple[tuple[str, str], ...]
    defaults: str
    facts: tuple[tuple[str, Any], ...]
    version: int


def make_view(report: Mapping[str, Any], *, folder: str) -> View:
    """Put a report into the words and figures of the page.

    Args:
        report: The content of `report.json`.
        folder: The run folder, as the user named it.
    """
    counts = report["counts"]
    place = name_place(report)
    state, tone = describe_state(report)
    timeline = draw_timeline(report["transitions"])
    uploads = tuple(_uploads(report, timeline))
    accounted = sum(counts[fate] for fate in Fate)
    chosen, defaults = _settings(report["settings"])
    return View(
        folder=folder,
        place=place,
        state=state,
        tone=tone,
        verdict=make_verdict(report, place),
        remarks=(
            *make_remarks(counts, place, is_final=report["state"] == "reconciled"),
            *(f"{remark['chunk']}: {remark['message']}." for remark in report["remarks"]),
            *([words.PURGED] if report["purged"] else []),
        ),
        error=report.get("error"),
        is_rehearsal=report["target"] == SANDBOX,
        is_masked=report.get("masked", False),
        assumed=report["assumed"],
        wide=draw_flow(counts, WIDE),
        narrow=draw_flow(counts, NARROW),
        fates=tuple(_fates(report, place)),
        closes=report["balanced"] and accounted == counts["read"],
        sum=" + ".join(f"{counts[fate]:,}" for fate in Fate if counts[fate]) or "0",
        accounted=accounted,
        read=counts["read"],
        preview=view_preview(report, folder),
        commands=tuple(next_commands(report, folder)),
        tables=(*tables_to_read(report, place), ALL_ROWS),
        reasons=_bars(report["reasons"], "code", "rows", _reason_words),
        messages=report["messages"],
        notes=tuple(_noted(note, report["sheets"]) for note in report["notes"]),
        duplicates=_groups(report["duplicates"]),
        uploads=uploads[:_UPLOADS_SHOWN],
        uploads_left_out=max(0, len(uploads) - _UPLOADS_SHOWN),
        upload_states=_in_words(upload.state for upload in uploads),
        timeline=timeline,
        timeline_words=_timeline_words(timeline),
        blanks=_blanks(report),
        changes=_bars(report["changes"], "rule", "cells", lambda rule: (words.RULES.get(rule, ""), "")),
        columns=tuple(_columns(report)) if report["profile"]["rows"] else (),
        columns_words=_columns_words(report["profile"]),
        mapping=tuple(_mapped(column) for column in report["mapping"]),
        mapping_kinds=_in_words(column["how"] for column in report["mapping"]),
        sources=tuple(_source(source) for source in report["sources"]),
        settings=chosen,
        defaults=defaults,
        facts=tuple(_facts(report)),
        version=report["version"],
    )


def _fates(report: Mapping[str, Any], place: str) -> Iterator[Share]:
    counts = report["counts"]
    read = counts["read"]
    yield Share("read", read, _percent(read, read), "data rows of all sources")
    for fate, meaning in words.FATES.items():
        text = meaning.format(place=place, lookup_field=report["lookup_field"])
        yield Share(str(fate), counts[fate], _percent(counts[fate], read), text)


def _percent(part: int, whole: int) -> str:
    """A share that says neither none nor all when it is only nearly so."""
    if not part or part == whole:
        return "100 %" if part else "—"
    text = f"{100 * part / whole:.1f} %"
    return {"0.0 %": "< 0.1 %", "100.0 %": "> 99.9 %"}.get(text, text)


def _reason_words(code: str) -> tuple[str, str]:
    known = {str(reason): reason for reason in Reason}.get(code)
    return (known.meaning, known.remedy) if known else ("", "")


def _bars(
    found: Sequence[Mapping[str, Any]], code: str, count: str, explain: Callable[[str], tuple[str, str]]
) -> tuple[Bar, ...]:
    """A bar for each, the longest first."""
    longest = max((entry[count] for entry in found), default=0)
    return tuple(
        Bar(
            label=entry["field"] or "whole row",
            code=entry[code],
            meaning=explain(entry[code])[0],
            remedy=explain(entry[code])[1],
            shapes=tuple(entry.get("shapes", ())),
            count=entry[count],
            width=_width(entry[count], longest),
        )
        for entry in sorted(found, key=lambda entry: -entry[count])
    )


def _blanks(report: Mapping[str, Any]) -> tuple[Bar, ...]:
    kinds = (("cleared", "cleared_cells"), (report.get("blanks"), "blank_cells"))
    found = [{**cells, "code": code} for code, key in kinds for cells in report.get(key, ())]
    return _bars(found, "code", "cells", lambda code: (words.BLANKS[code], ""))


def _width(count: int, longest: int) -> float:
    return round(100 * count / (longest or 1), 2)


def _groups(found: Sequence[Mapping[str, int]]) -> tuple[Bar, ...]:
    """Groups of duplicates by size, large sizes together."""
    counted = Counter[tuple[int, int]]()
    for entry in found:
        counted[_group(entry["size"])] += entry["groups"]
    longest = max(counted.values(), default=0)
    return tuple(
        Bar(_group_words(*group), "", "", "", (), groups, _width(groups, longest))
        for group, groups in sorted(counted.items())
    )


def _group(size: int) -> tuple[int, int]:
    """The smallest and the largest size that are counted together with one; the largest may be 0 for none."""
    if size <= _GROUPS[0]:
        return size, size
    below = max(bound for bound in _GROUPS if bound < size)
    return below + 1, min((bound for bound in _GROUPS if bound >= size), default=0)


def _group_words(smallest: int, largest: int) -> str:
    if smallest == largest:
        return f"groups of {smallest:,} rows"
    return (
        f"groups of {smallest:,} to {largest:,} rows" if largest else f"groups of {smallest:,} rows and more"
    )


def _uploads(report: Mapping[str, Any], timeline: Timeline | None) -> Iterator[Upload]:
    """Every upload file with its job, then jobs without a file."""
    jobs = {job["chunk"]: job for job in report["jobs"]}
    courses = timeline.courses if timeline else {}
    for chunk in report["chunks"]:
        yield _upload(chunk, jobs.pop(chunk["file"], {}), courses.get(chunk["file"]))
    for name, job in jobs.items():
        bare = {"file": name, "rows": None, "bytes": None, "state": "unknown", "batch_id": None}
        yield _upload(bare, job, courses.get(name))


def _upload(chunk: Mapping[str, Any], job: Mapping[str, Any], course: Course | None) -> Upload:
    state, tone = words.CHUNK_STATES.get(chunk["state"], (chunk["state"], "calm"))
    batch_id = chunk["batch_id"] if chunk["batch_id"] is not None else job.get("batch_id")
    return Upload(
        file=chunk["file"],
        rows=chunk["rows"],
        size=chunk["bytes"],
        state=state,
        tone="fair" if tone == "good" and (job.get("failed") or job.get("warned")) else tone,
        batch_id=None if batch_id is None else str(batch_id),
        status=job.get("status"),
        processed=job.get("processed"),
        failed=job.get("failed"),
        warned=job.get("warned"),
        message=job.get("message") or "",
        course=course,
        times=f"{course.begin:%H:%M:%S}, took {_duration(course.seconds)}" if course else "",
    )


def _timeline_words(timeline: Timeline | None) -> str:
    if timeline is None:
        return ""
    whole = _duration((timeline.end - timeline.begin).total_seconds())
    return f"First upload {timeline.begin:%Y-%m-%d %H:%M:%S} UTC; the last news came {whole} later."


def _duration(seconds: float) -> str:
    """A duration in the two units that matter."""
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _columns(report: Mapping[str, Any]) -> Iterator[ColumnFigures]:
    changes = Counter[str]()
    for change in report["changes"]:
        changes[change["field"]] += change["cells"]
    rows = report["profile"]["rows"]
    for column in report["profile"]["columns"]:
        field, filled = column["field"], column["filled"]
        yield ColumnFigures(
            field,
            filled,
            _percent(filled, rows),
            _width(filled, rows),
            column["distinct"],
            column["longest"],
            changes[field],
        )


def _columns_words(profile: Mapping[str, Any]) -> str:
    rows, sampled = profile["rows"], profile["sampled"]
    text = f"Of {rows:,} rows that broke no rule, duplicates included."
    if sampled < rows:
        text += f" Distinct values are counted in the first {sampled:,} of them."
    return text


def _in_words(kinds: Iterable[str]) -> str:
    return " · ".join(f"{count:,} {kind}" for kind, count in Counter(kinds).most_common())


def _noted(note: Mapping[str, Any], sheets: Sequence[str]) -> dict[str, Any]:
    known = Note(note["code"])
    places = [Place(**row) for row in note["rows"]]
    rows = [(place.source, *number_row(place, sheets)) for place in places]
    return {**note, "rows": rows, "cause": known.cause, "remedy": known.remedy, "example": known.example}


def _mapped(column: Mapping[str, Any]) -> dict[str, Any]:
    how = column["how"]
    return {**column, "meaning": words.HOWS.get(how, ""), "is_used": how not in words.UNUSED}


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    delimiter = source["delimiter"]
    reading = {
        "Encoding": source["encoding"],
        "Delimiter": words.DELIMITERS.get(delimiter, delimiter),
        "Sheet": source["sheet"],
    }
    return {
        **source,
        "reading": {name: value for name, value in reading.items() if value},
        "skipped": [_skipped(kind, source["skipped"]) for kind in _kinds(source["skipped"])],
    }


def _kinds(skipped: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(entry["kind"] for entry in skipped))


def _skipped(kind: str, skipped: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many lines of one kind hold no row, and the first of them."""
    lines = [entry["line"] for entry in skipped if entry["kind"] == kind]
    first = ", ".join(f"{line:,}" for line in lines[:_FIRST_LINES] if line is not None)
    more = ", …" if len(lines) > _FIRST_LINES else ""
    return {"kind": kind.replace("_", " "), "count": len(lines), "lines": f"{first}{more}"}


def _settings(settings: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], str]:
    """The settings that somebody chose, and the others in one line; both in the words of the flags."""
    usual = CleanSettings().to_json()
    chosen = [(_flag(name), _setting(value)) for name, value in settings.items() if value != usual.get(name)]
    others = [
        f"{_flag(name)} {_setting(value)}"
        for name, value in settings.items()
        if value == usual.get(name) and value not in (None, False, {}, [])
    ]
    return tuple(chosen), ", ".join(others)


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}={entry}" for name, entry in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _facts(report: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "Target", report["target"]
    if rows := describe_rows(report):
        yield "Rows become", rows
    yield "Static list", _static_list(report)
    yield "Partition", report.get("partition_name")
    yield "Lookup field", report["lookup_field"]
    yield "Upload format", report["format"]
    yield "Schema", report["schema"]["name"]
    yield "Goal", report["goal"]
    yield "State", report["state"]
    yield "Exit code", report["exit_code"]
    for stage, seconds in report["seconds"].items():
        yield f"Time to {stage}", f"{seconds} s"
    yield "Run", report["run_id"]
    if report["parent_run_id"]:
        what = "Puts back what changes" if report.get("is_restore") else "Tries again rows of"
        yield what, report["parent_run_id"]
    yield "Schema fingerprint", report["schema"]["fingerprint"]


def _static_list(report: Mapping[str, Any]) -> str | None:
    name, number = report.get("list_name"), report.get("list_id")
    if name and number:
        return f"{name} ({number})"
    return name or (str(number) if number else None)
