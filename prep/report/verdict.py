"""What became of a run, in one sentence and a few more."""

from collections.abc import Iterator, Mapping
from typing import Any

from prep.errors import MarketoError
from prep.model import SANDBOX, Fate
from prep.objects import LEADS, parse_object
from prep.report import words


def name_place(report: Mapping[str, Any]) -> str:
    """Who takes the rows, in the middle of a sentence."""
    return "the local sandbox" if report["target"] == SANDBOX else "Marketo"


def describe_rows(report: Mapping[str, Any]) -> str:
    """What the rows become, if not leads."""
    into = parse_object(report.get("object", str(LEADS)))
    return "" if into == LEADS else into.rows(report["program_id"], report["program_status"])


def describe_state(report: Mapping[str, Any]) -> tuple[str, str]:
    """The state in words, and its tone."""
    text, tone = words.STATES[report["state"]]
    if report["state"] == "reconciled" and report["exit_code"]:
        return f"{text}, with rows to look at", "fair"
    if report["state"] == "submitting" and report["exit_code"] == MarketoError.exit_code:
        return "Stopped while sending", "bad"
    if report["state"] == "waiting" and report["target"] == SANDBOX:
        return "Sent, the sandbox is at work", tone
    return text, tone


def make_verdict(report: Mapping[str, Any], place: str) -> str:
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
            rows = describe_rows(report)
            return f"{actor} took {_of(taken, counts)}{f' as {rows}' if rows else ''}."


def _of(count: int, counts: Mapping[str, int], *, capital: bool = False) -> str:
    """How many of the rows that were read, in words where that is all or none."""
    read = counts["read"]
    rows = "row" if read == 1 else "rows"
    if count == read:
        text = f"all {read:,} {rows}" if read > 1 else f"the one {rows}"
    else:
        text = f"{count:,} of {read:,} {rows}" if count else f"none of the {read:,} {rows}"
    return text[0].upper() + text[1:] if capital else text


def make_remarks(counts: Mapping[str, int], place: str, *, is_final: bool) -> Iterator[str]:
    """What the verdict leaves out, in short sentences."""
    taken = counts[Fate.IMPORTED] + counts[Fate.WARNED]
    if taken and not is_final:
        yield f"Taken by {place} so far: {taken:,}."
    held = [f"{counts[fate]:,} {fate}" for fate in words.HELD if counts[fate]]
    if held:
        yield f"Held back before sending: {', '.join(held)}."
    if counts[Fate.FAILED]:
        yield f"Refused by {place}: {counts[Fate.FAILED]:,}."
    if counts[Fate.WARNED]:
        yield f"Taken with a warning: {counts[Fate.WARNED]:,}."
