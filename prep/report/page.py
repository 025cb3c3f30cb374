"""`report.html`: one page for people, made from the content of `report.json` alone.

The template shows what stands here and decides nothing. Texts that come from files or from Marketo become
text only: never an element, an attribute or a style.
"""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from prep.errors import MarketoError
from prep.model import Fate, Reason
from prep.values.notes import Note

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE: Final = "page.html.jinja"

_SANDBOX: Final = "sandbox"

_STATES: Final = {
    "clean": ("Prepared, not sent", "calm"),
    "submitting": ("Sent in part", "busy"),
    "waiting": ("Sent, Marketo is at work", "busy"),
    "reconciled": ("Finished", "good"),
    "unknown": ("Outcome unknown", "bad"),
}
"""Each state of a run in words, with its tone."""

_HELD: Final = {
    Fate.REJECTED: "broke a rule or could not be read; not sent",
    Fate.SUPPRESSED: "on a suppression list or without consent; not sent",
    Fate.DUPLICATE: "lost to another row with the same {lookup_field}; not sent",
}
"""The fates of rows that stand in no upload file."""

_UPLOADED: Final = {
    Fate.READY: "in an upload file that was not sent",
    Fate.SENT: "with {place}, no outcome yet",
    Fate.IMPORTED: "taken by {place}",
    Fate.WARNED: "taken by {place}, with a warning",
    Fate.FAILED: "refused by {place}",
    Fate.UNKNOWN: "nobody can tell; never counted as success",
}
"""The fates of rows that stand in an upload file."""

_OUTCOMES: Final = (Fate.IMPORTED, Fate.WARNED, Fate.FAILED, Fate.UNKNOWN, Fate.SENT, Fate.READY)
_LOSSES: Final = (Fate.DUPLICATE, Fate.SUPPRESSED, Fate.REJECTED)
"""The order in which the picture shows them."""

_RULES: Final = {
    "blank": "nothing but space made blank",
    "boolean": "spelled true or false",
    "angles": "address taken out of <…>",
    "collapse_spaces": "runs of spaces made one",
    "control": "invisible characters taken out",
    "date": "spelled year-month-day",
    "datetime": "spelled as Marketo reads it",
    "idn": "domain in the ASCII form that Marketo takes",
    "integer": "spelled as a plain whole number",
    "lower": "in small letters",
    "mailto": "mailto: taken off",
    "mojibake": "text that was decoded wrongly repaired",
    "nfkc": "letters of unusual width made plain ones",
    "nfc": "accents and letters made one character",
    "number": "spelled as a plain number",
    "punctuation": "punctuation at the ends taken off",
    "phone": "spelled as E.164",
    "placeholder": "words for nothing made blank",
    "country": "spelled as --countries says",
    "state": "spelled as --states says",
    "separators": "thousands and decimals as Marketo reads them",
    "spaces": "unusual spaces made plain ones",
    "timezone": "zone written out",
    "title": "first letters made capital",
    "null": "the word NULL made blank",
    "trim": "space at the ends taken off",
    "upper": "in capital letters",
}
"""What the commonest rules of normalising do; the others go by their name alone."""

_HOWS: Final = {
    "exact": "has the field's own name",
    "folded": "has the field's name, but for case and punctuation",
    "alias": "is a known name of the field",
    "map": "chosen with --map",
    "set": "one value for every row",
    "suggested": "not used; the field is a guess",
    "unknown": "not used; no field has this name",
    "dropped": "left out on purpose",
}
_UNUSED: Final = frozenset({"suggested", "unknown", "dropped"})

_CHUNK_STATES: Final = {
    "planned": ("not sent", "calm"),
    "intended": ("being sent", "busy"),
    "queued": ("in Marketo's queue", "busy"),
    "importing": ("Marketo is at work", "busy"),
    "complete": ("finished, not joined yet", "busy"),
    "failed": ("refused, not joined yet", "bad"),
    "unknown": ("outcome unknown", "bad"),
    "reconciled": ("settled", "good"),
}

_DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_FIRST_LINES: Final = 5
_SOURCES_TO_TYPE: Final = 5


@dataclass(frozen=True)
class Share:
    """A count, named and explained, as part of a whole.

    Attributes:
        name: A fixed word, which also names its colour; never text from a file.
        rows: How many.
        part: Its share of the whole in words, such as `57.8 %`.
        meaning: What the name says, in a few words.
        place: 0 for what was read, 1 for the fates under it.
    """

    name: str
    rows: int
    part: str = ""
    meaning: str = ""
    place: int = 1


@dataclass(frozen=True)
class Bar:
    """One line of a bar chart, with the text that says the same.

    Attributes:
        label: What is counted.
        code: Its code, as `report.json` has it.
        meaning: What the code says; empty if that is not known.
        count: How many.
        width: Length of the bar in percent of the longest one.
    """

    label: str
    code: str
    meaning: str
    count: int
    width: str


@dataclass(frozen=True)
class Step:
    """What can be done now: a command or a file, and what for."""

    what: str
    why: str


@dataclass(frozen=True)
class Upload:
    """One upload file and what Marketo said of it."""

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


def render_page(report: Mapping[str, Any], *, folder: str) -> str:
    """Make the page of a run.

    Args:
        report: The content of `report.json`.
        folder: The run folder, as the user named it.

    Returns:
        HTML that needs nothing else: no script, no other file, no network. It holds names and counts, but no
        cell of a source.
    """
    counts = report["counts"]
    place = _place(report)
    state, tone = _state(report)
    return _template().render(
        report=report,
        folder=folder,
        counts=counts,
        place=place,
        is_rehearsal=report["target"] == _SANDBOX,
        state=state,
        tone=tone,
        verdict=_verdict(report, place),
        remarks=list(_remarks(counts, place, is_final=report["state"] == "reconciled")),
        closes=report["balanced"] and sum(counts[fate] for fate in Fate) == counts["read"],
        sum=" + ".join(f"{counts[fate]:,}" for fate in Fate if counts[fate]) or "0",
        accounted=sum(counts[fate] for fate in Fate),
        uploaded=_shares(counts, _OUTCOMES),
        held=_shares(counts, _LOSSES),
        fates=list(_fates(report, place)),
        reasons=_bars(report["reasons"], "code", "rows", {str(reason): reason.meaning for reason in Reason}),
        notes=[_noted(note) for note in report["notes"]],
        changes=_bars(report["changes"], "rule", "cells", _RULES),
        messages=report["messages"],
        steps=list(_steps(report, folder)),
        tables=list(_files(counts, place)),
        uploads=list(_uploads(report)),
        upload_states=_in_words(upload.state for upload in _uploads(report)),
        mapping=[_mapped(column) for column in report["mapping"]],
        mapping_kinds=_in_words(column["how"] for column in report["mapping"]),
        sources=[_source(source) for source in report["sources"]],
        static_list=_static_list(report),
        partition=report.get("partition_name"),
        error=report.get("error"),
    )


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 (`--help` need not pay for it)

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["grouped"] = lambda number: None if number is None else f"{number:,}"
    source = files("prep.report").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source)


def _shown(value: Any) -> Any:
    """Whatever the template shows: control and other invisible characters as escapes, nothing as a dash."""
    if value is None:
        return "—"
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in value
    )


def _place(report: Mapping[str, Any]) -> str:
    return "the local sandbox" if report["target"] == _SANDBOX else "Marketo"


def _state(report: Mapping[str, Any]) -> tuple[str, str]:
    """The state in words, and its tone."""
    words, tone = _STATES[report["state"]]
    if report["state"] == "reconciled" and report["exit_code"]:
        return f"{words}, with rows to look at", "fair"
    if report["state"] == "submitting" and report["exit_code"] == MarketoError.exit_code:
        return "Stopped while sending", "bad"
    if report["state"] == "waiting" and report["target"] == _SANDBOX:
        return "Sent, the sandbox is at work", tone
    return words, tone


def _verdict(report: Mapping[str, Any], place: str) -> str:
    """What became of the rows, in one sentence."""
    counts = report["counts"]
    taken = counts[Fate.IMPORTED] + counts[Fate.WARNED]
    actor = place[0].upper() + place[1:]
    match report["state"]:
        case "clean" if not counts[Fate.READY]:
            return f"Nothing can be sent: {_of(0, counts)} stand in an upload file."
        case "clean":
            return f"{_of(counts[Fate.READY], counts, capital=True)} can be sent; nothing was sent yet."
        case "submitting":
            begun = taken + counts[Fate.FAILED] + counts[Fate.SENT]
            return f"Sent so far: {_of(begun, counts)}; still to be sent: {counts[Fate.READY]:,}."
        case "waiting":
            return f"{actor} has yet to say what became of {_of(counts[Fate.SENT], counts)}."
        case "unknown":
            lost = counts[Fate.UNKNOWN]
            return f"Nobody can tell what became of {_of(lost, counts) if lost else 'at least one upload'}."
        case _:
            return f"{actor} took {_of(taken, counts)}."


def _of(count: int, counts: Mapping[str, int], *, capital: bool = False) -> str:
    """How many of the rows that were read, in words where that is all or none."""
    read = counts["read"]
    rows = "row" if read == 1 else "rows"
    if count == read:
        text = f"all {read:,} {rows}" if read > 1 else f"the one {rows}"
    else:
        text = f"{count:,} of {read:,} {rows}" if count else f"none of the {read:,} {rows}"
    return text[0].upper() + text[1:] if capital else text


def _remarks(counts: Mapping[str, int], place: str, *, is_final: bool) -> Iterator[str]:
    """What the verdict leaves out, in short sentences."""
    taken = counts[Fate.IMPORTED] + counts[Fate.WARNED]
    if taken and not is_final:
        yield f"Taken by {place} so far: {taken:,}."
    held = [f"{counts[fate]:,} {fate}" for fate in _HELD if counts[fate]]
    if held:
        yield f"Held back before sending: {', '.join(held)}."
    if counts[Fate.FAILED]:
        yield f"Refused by {place}: {counts[Fate.FAILED]:,}."
    if counts[Fate.WARNED]:
        yield f"Taken with a warning: {counts[Fate.WARNED]:,}."


def _shares(counts: Mapping[str, int], fates: Iterable[Fate]) -> list[Share]:
    return [
        Share(str(fate), counts[fate], _percent(counts[fate], counts["read"]))
        for fate in fates
        if counts[fate]
    ]


def _fates(report: Mapping[str, Any], place: str) -> Iterator[Share]:
    """What was read, then every fate, zeros included."""
    counts = report["counts"]
    read = counts["read"]
    yield Share("read", read, _percent(read, read), "data rows of all sources", place=0)
    for fate, meaning in (_HELD | _UPLOADED).items():
        text = meaning.format(place=place, lookup_field=report["lookup_field"])
        yield Share(str(fate), counts[fate], _percent(counts[fate], read), text)


def _percent(part: int, whole: int) -> str:
    """A share that says neither none nor all when it is only nearly so."""
    if not part or part == whole:
        return "100 %" if part else "—"
    text = f"{100 * part / whole:.1f} %"
    return {"0.0 %": "< 0.1 %", "100.0 %": "> 99.9 %"}.get(text, text)


def _bars(
    found: Sequence[Mapping[str, Any]], code: str, count: str, meanings: Mapping[str, str]
) -> list[Bar]:
    """A bar for each, the longest first."""
    longest = max((entry[count] for entry in found), default=0)
    return [
        Bar(
            label=entry["field"] or "whole row",
            code=entry[code],
            meaning=meanings.get(entry[code], ""),
            count=entry[count],
            width=f"{100 * entry[count] / (longest or 1):.2f}",
        )
        for entry in sorted(found, key=lambda entry: -entry[count])
    ]


def _steps(report: Mapping[str, Any], folder: str) -> Iterator[Step]:
    """The commands that make sense now, the most pressing first."""
    counts, typed = report["counts"], _typed(folder)
    yield from _steps_of_sending(report, typed)
    if counts[Fate.REJECTED] and len(report["sources"]) <= _SOURCES_TO_TYPE:
        sources = " ".join(_typed(source["path"]) for source in report["sources"])
        yield Step(
            f"prep check {sources}", "tells whether the corrected source is fine; leaves nothing behind"
        )
    if counts[Fate.FAILED] + counts[Fate.WARNED] and report["state"] == "reconciled":
        yield Step(f"prep reconcile {typed}", "fetches failures and warnings again and joins them anew")
    yield Step(f"prep report {typed} --json", "these numbers, for a program")


def _steps_of_sending(report: Mapping[str, Any], typed: str) -> Iterator[Step]:
    counts, state = report["counts"], report["state"]
    if state == "unknown":
        yield Step(
            f"prep resume {typed} --assume landed|lost CHUNK",
            "settles an upload whose outcome is unknown, once you looked in Marketo whether its "
            "rows arrived; none is sent again by itself",
        )
    if any(chunk["state"] == "unknown" and chunk["batch_id"] for chunk in report["chunks"]):
        yield Step(
            f"prep reconcile {typed}",
            "asks Marketo again about unknown uploads whose batch id is known, for seven days",
        )
    if state in {"submitting", "waiting"} or (state == "unknown" and counts[Fate.READY] + counts[Fate.SENT]):
        yield Step(f"prep resume {typed}", "carries on from where it stopped; nothing is sent twice")
        if state != "unknown":
            yield Step(f"prep status {typed}", "the jobs and how far they are")
    if state == "clean" and counts[Fate.READY]:
        command = "resume" if report["target"] else "submit"
        yield Step(
            f"prep {command} {typed}",
            f"sends {_counted(counts[Fate.READY], 'row')} in {_counted(len(report['chunks']), 'file')}",
        )


def _files(counts: Mapping[str, int], place: str) -> Iterator[Step]:
    """The tables for people that have something to say."""
    tables = {
        Fate.REJECTED: (
            "rejected.csv",
            "every rejected row with its reasons; correct rows there, then prep retry",
        ),
        Fate.FAILED: ("failed.csv", f"every row that {place} refused, with its message"),
        Fate.WARNED: ("warnings.csv", "every row that was taken with a warning, with its message"),
        Fate.DUPLICATE: ("duplicates.csv", "every row that lost, with the row that it lost to"),
    }
    yield from (Step(*table) for fate, table in tables.items() if counts[fate])
    yield Step("rows.parquet", "the fate of every single row")


def _typed(path: str) -> str:
    """A path as it can be typed into a shell behind the name of a command."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _uploads(report: Mapping[str, Any]) -> Iterator[Upload]:
    """Every upload file with its job, then jobs without a file."""
    jobs = {job["chunk"]: job for job in report["jobs"]}
    for chunk in report["chunks"]:
        job = jobs.pop(chunk["file"], {})
        yield _upload(chunk, job)
    for name, job in jobs.items():
        yield _upload({"file": name, "rows": None, "bytes": None, "state": "unknown", "batch_id": None}, job)


def _upload(chunk: Mapping[str, Any], job: Mapping[str, Any]) -> Upload:
    state, tone = _CHUNK_STATES.get(chunk["state"], (chunk["state"], "calm"))
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
    )


def _in_words(kinds: Iterable[str]) -> str:
    return " · ".join(f"{count:,} {kind}" for kind, count in Counter(kinds).most_common())


def _noted(note: Mapping[str, Any]) -> dict[str, Any]:
    known = Note(note["code"])
    return {**note, "cause": known.cause, "remedy": known.remedy}


def _mapped(column: Mapping[str, Any]) -> dict[str, Any]:
    how = column["how"]
    return {**column, "meaning": _HOWS.get(how, ""), "is_used": how not in _UNUSED}


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    delimiter = source["delimiter"]
    reading = {
        "Encoding": source["encoding"],
        "Delimiter": _DELIMITERS.get(delimiter, delimiter),
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


def _static_list(report: Mapping[str, Any]) -> str | None:
    name, number = report.get("list_name"), report.get("list_id")
    if name and number:
        return f"{name} ({number})"
    return name or (str(number) if number else None)
