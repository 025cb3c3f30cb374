"""The summary of a run for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl

from prep.model import Fate, Reason

_FATES: Final = {
    Fate.IMPORTED: "taken by Marketo",
    Fate.WARNED: "taken by Marketo, with a warning",
    Fate.FAILED: "refused by Marketo",
    Fate.UNKNOWN: "nobody can tell; see below",
    Fate.SENT: "with Marketo, no outcome yet",
    Fate.READY: "in upload files that were not sent",
    Fate.SUPPRESSED: "on a suppression list or without consent",
    Fate.DUPLICATE: "lost to another row with the same {lookup_field}",
    Fate.REJECTED: "broke a rule or could not be read; not sent",
}
_TOP_REASONS: Final = 10
_FIRST_ROWS: Final = 5
_ARROWS: Final = {"suggested": "?", "unknown": "✗", "dropped": "✗"}


def summarise(report: Mapping[str, Any], folder: str) -> str:
    """What happened to how many rows, why, and what to do next; ends without a line end."""
    return "\n".join([*_counts(report), *_reasons(report), *_jobs(report), *_next(report, folder)])


def describe_check(report: Mapping[str, Any], rows: pl.DataFrame) -> str:
    """What a check found: counts, the commonest problems with the first rows that have them, the mapping.

    Args:
        report: The report of the cleaned run.
        rows: Its table of fates.
    """
    problems = rows.filter(pl.col("reasons").is_not_null()).explode("reasons")
    return "\n".join([*_counts(report), *_problems(report, problems), *_changes(report), *_mapping(report)])


def _problems(report: Mapping[str, Any], problems: pl.DataFrame) -> Iterator[str]:
    if not report["reasons"]:
        return
    yield ""
    yield "Problems"
    for reason in report["reasons"][:_TOP_REASONS]:
        text = ":".join(filter(None, [reason["field"], reason["code"]]))
        found = problems.filter(pl.col("reasons") == text)["row"]
        first = ", ".join(str(row) for row in found.head(_FIRST_ROWS))
        more = ", …" if len(found) > _FIRST_ROWS else ""
        yield f"  {reason['rows']:>9,}  {text} ({Reason(reason['code']).meaning}); row {first}{more}"
    if len(report["reasons"]) > _TOP_REASONS:
        yield f"  … and {len(report['reasons']) - _TOP_REASONS} more kinds; prep clean lists every row"


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


def describe_mapping(mapping: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each column: its header, its field and how that was found."""
    width = max((len(repr(column["source"])) for column in mapping), default=0)
    for column in mapping:
        mark = _ARROWS.get(column["how"], "→")
        yield f"  {column['source']!r:<{width}}  {mark} {column['field'] or '':<24} {column['how']}"


def _counts(report: Mapping[str, Any]) -> Iterator[str]:
    counts = report["counts"]
    yield f"{counts['read']:,} rows read"
    for fate, meaning in _FATES.items():
        if counts[fate]:
            yield f"  {counts[fate]:>9,}  {fate:<10}  {meaning.format_map(report)}"


def _reasons(report: Mapping[str, Any]) -> Iterator[str]:
    reasons = report["reasons"]
    if not reasons:
        return
    yield ""
    yield "Why rows were rejected"
    for reason in reasons[:_TOP_REASONS]:
        place = f"{reason['field']}: " if reason["field"] else ""
        yield f"  {reason['rows']:>9,}  {place}{reason['code']} ({Reason(reason['code']).meaning})"
    if len(reasons) > _TOP_REASONS:
        yield f"  … and {len(reasons) - _TOP_REASONS} more, in report.json"


def _jobs(report: Mapping[str, Any]) -> Iterator[str]:
    unknown = [chunk["file"] for chunk in report["chunks"] if chunk["state"] == "unknown"]
    if unknown:
        yield ""
        yield f"Outcome unknown: {', '.join(unknown)}"
        for job in report["jobs"]:
            if job["chunk"] in unknown and job["message"]:
                yield f"  {job['chunk']}: {job['message']}"


def _next(report: Mapping[str, Any], folder: str) -> Iterator[str]:
    steps = list(_steps(report, folder))
    if steps:
        yield ""
        yield "Next"
        yield from (f"  {step}" for step in steps)


def _steps(report: Mapping[str, Any], folder: str) -> Iterator[str]:
    counts, state = report["counts"], report["state"]
    if state == "unknown":
        yield f"prep resume {folder} --assume landed|lost CHUNK   once you looked in Marketo"
    if state in {"submitting", "waiting"}:
        yield f"prep resume {folder}   carries on"
    if state == "clean" and counts[Fate.READY]:
        yield f"prep submit {folder}   sends {counts[Fate.READY]:,} rows in {len(report['chunks'])} file(s)"
    if counts[Fate.REJECTED]:
        yield f"{folder}/rejected.csv   every rejected row with its reasons; correct the source and run again"
    if counts[Fate.FAILED]:
        yield f"{folder}/failed.csv   what Marketo said of each row that it refused"
    if counts[Fate.WARNED]:
        yield f"{folder}/warnings.csv   what Marketo said of each row that it took with a warning"
