"""The summary of a run for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

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


def summarise(report: Mapping[str, Any], folder: str) -> str:
    """What happened to how many rows, why, and what to do next; ends without a line end."""
    return "\n".join([*_counts(report), *_reasons(report), *_jobs(report), *_next(report, folder)])


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
