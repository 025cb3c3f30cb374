"""`prep status`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from prep.cli import options
from prep.cli.look import show
from prep.cli.session import why_stopped
from prep.cli.terminal import say_json
from prep.errors import (
    EXIT_DONE,
    EXIT_INPUT,
    EXIT_RUNNING,
    EXIT_STOPPED,
    EXIT_UNKNOWN,
    FolderError,
    PrepError,
)
from prep.folding import quoted
from prep.limits import BATCH_ID_DAYS

if TYPE_CHECKING:
    from prep.model import Job

_GRAVEST_FIRST: Final = (EXIT_UNKNOWN, EXIT_STOPPED, EXIT_INPUT, EXIT_RUNNING, EXIT_DONE)
_DAY_SECONDS: Final = 24 * 60 * 60


@click.command("status", context_settings=options.CONTEXT)
@click.argument("folders", nargs=-1, required=True, metavar="DIR…", type=options.PATH)
@options.json_only
def command(folders: tuple[Path, ...], *, as_json: bool) -> int:
    """Show the jobs of runs and their states, as the run folders know them; asks nobody.

    Of one run every job is shown, of several a table: chunks that are settled, and the days until Marketo
    forgets the first batch id whose outcome was not fetched yet (seven after the upload).

    Ends with the gravest of: 6, the outcome of a chunk is unknown; 4, sending stopped before the last chunk
    and nothing is running; 1, a folder cannot be read, or its cleaning was interrupted; 5, jobs are still
    running; 0, all is settled or nothing was sent.

    \b
    Examples:
      prep status leads.prep
      prep status *.prep --json
    """
    if len(folders) == 1:
        runs = [_describe(folders[0])]
        lines = _lines(runs[0])
    else:
        runs = [_describe_whatever(folder) for folder in folders]
        lines = _table(runs)
    codes = {run["exit_code"] for run in runs}
    code = next(code for code in _GRAVEST_FIRST if code in codes)
    show(*lines, err=as_json)
    if as_json:
        errors = [error for run in runs if run["exit_code"] == code and (error := _error_of(run))]
        say_json({"runs": runs, "exit_code": code, **({"error": errors[0]} if errors else {})})
    return code


def _error_of(run: dict[str, Any]) -> dict[str, Any] | None:
    """Why a run ends the command with 1 or 4."""
    if "error" in run or run["cleaned"]:
        return run.get("error") or why_stopped(run["exit_code"], run["folder"]).get("error")
    return FolderError(
        f"{run['folder']}: cleaning was interrupted",
        code="not_cleaned",
        hint=f"prep resume {quoted(run['folder'])} carries on.",
        source=run["folder"],
    ).facts


def _lines(run: dict[str, Any]) -> list[str]:
    lines = [f"{run['folder']}: {_STATES[run['state']]}, target {run['target'] or 'none'}"]
    if not run["cleaned"]:
        lines = [f"{run['folder']}: cleaning was interrupted; prep resume {quoted(run['folder'])} carries on"]
    for job in run["jobs"]:
        facts = ""
        if job["processed"] is not None:
            facts = f", {job['processed']:,} processed"
            facts += f", {job['failed'] or 0:,} failed, {job['warned'] or 0:,} warned"
        if job["days_left"] is not None:
            facts += f", {_left(job['days_left'])}"
        lines.append(f"  {job['chunk']}  batch {job['batch_id'] or '-'}  {job['state']}{facts}")
    return lines


def _left(days: float) -> str:
    return f"batch id expires in {days:.1f} days" if days > 0 else "batch id has expired"


def _table(runs: Sequence[dict[str, Any]]) -> list[str]:
    """One line for each run, in columns as wide as they need to be."""
    rows = [("run", "state", "settled", "days left", "exit", "target"), *map(_row, runs)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    code = str(run["exit_code"])
    if "error" in run:
        return run["folder"], run["error"]["message"].removeprefix(f"{run['folder']}: "), "", "", code, ""
    settled = sum(job["state"] == "reconciled" for job in run["jobs"])
    days = "" if run["days_left"] is None else f"{max(run['days_left'], 0):.1f}"
    state = _STATES[run["state"]] if run["cleaned"] else "cleaning was interrupted"
    return run["folder"], state, f"{settled}/{run['chunks']}", days, code, run["target"] or "none"


def _describe_whatever(path: Path) -> dict[str, Any]:
    """A run, or why its folder cannot be read: the others are to be seen all the same."""
    try:
        return _describe(path)
    except PrepError as error:
        return {"folder": str(path), "exit_code": error.exit_code, "error": error.facts}


_STATES: Final = {
    "clean": "clean, nothing was sent",
    "submitting": "sent in part",
    "waiting": "with Marketo",
    "reconciled": "finished",
    "unknown": "outcome unknown",
}


def _describe(path: Path) -> dict[str, Any]:
    from prep.folder import RunFolder
    from prep.report import find_state, read_jobs
    from prep.report.numbers import is_stopped

    manifest = RunFolder.open(path).manifest()
    jobs = read_jobs(RunFolder(path))
    state = find_state(jobs)
    days = {job.chunk: _days_left(job) for job in jobs}
    sent = {"unknown": EXIT_UNKNOWN, "submitting": EXIT_RUNNING, "waiting": EXIT_RUNNING}
    code = sent.get(state, EXIT_DONE if manifest.cleaned else EXIT_INPUT)
    if code in {EXIT_DONE, EXIT_RUNNING} and is_stopped(manifest, jobs):
        code = EXIT_STOPPED
    return {
        "folder": str(path),
        "state": str(state),
        "target": manifest.destination.target if manifest.destination else None,
        "jobs": [
            {
                "chunk": job.chunk,
                "state": str(job.state),
                "batch_id": job.batch_id,
                "processed": job.processed,
                "failed": job.failed,
                "warned": job.warned,
                "message": job.message,
                "days_left": days[job.chunk],
            }
            for job in jobs
        ],
        "exit_code": code,
        "cleaned": manifest.cleaned is not None,
        "chunks": len(manifest.cleaned.chunks) if manifest.cleaned else 0,
        "days_left": min((left for left in days.values() if left is not None), default=None),
    }


def _days_left(job: "Job") -> float | None:
    """Days until Marketo forgets a batch id that there is still something to be had of."""
    from prep.model import JobState

    if job.batch_id is None or job.queued_at is None or job.state is JobState.RECONCILED:
        return None
    return round(BATCH_ID_DAYS - (time.time() - job.queued_at) / _DAY_SECONDS, 2)
