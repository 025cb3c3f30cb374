"""`prep status`."""

from pathlib import Path
from typing import Any, Final

import click

from prep.cli import options
from prep.cli.terminal import quoted, say, say_json

_GRAVEST_FIRST: Final = (6, 4, 5, 0)


@click.command("status", context_settings=options.CONTEXT)
@click.argument("folders", nargs=-1, required=True, metavar="DIR…", type=options.PATH)
@options.json_only
def command(folders: tuple[Path, ...], *, as_json: bool) -> int:
    """Show the jobs of runs and their states, as the run folders know them; asks nobody.

    Ends with the gravest of: 6, the outcome of a chunk is unknown; 4, sending stopped before the last chunk
    and nothing is running; 5, jobs are still running; 0, all is settled or nothing was sent.

    \b
    Examples:
      prep status leads.prep
      prep status *.prep --json
    """
    runs = [_describe(folder) for folder in folders]
    codes = {run["exit_code"] for run in runs}
    code = next(code for code in _GRAVEST_FIRST if code in codes)
    for run in runs:
        say(*_lines(run), err=as_json)
    if as_json:
        say_json({"runs": runs, "exit_code": code})
    return code


def _lines(run: dict[str, Any]) -> list[str]:
    lines = [f"{run['folder']}: {_STATES[run['state']]}, target {run['target'] or 'none'}"]
    if not run["cleaned"]:
        lines = [f"{run['folder']}: cleaning was interrupted; prep resume {quoted(run['folder'])} carries on"]
    for job in run["jobs"]:
        facts = ""
        if job["processed"] is not None:
            facts = f", {job['processed']:,} processed"
            facts += f", {job['failed'] or 0:,} failed, {job['warned'] or 0:,} warned"
        lines.append(f"  {job['chunk']}  batch {job['batch_id'] or '-'}  {job['state']}{facts}")
    return lines


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
    code = {"unknown": 6, "submitting": 5, "waiting": 5}.get(state, 0)
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
            }
            for job in jobs
        ],
        "exit_code": 4 if code in {0, 5} and is_stopped(manifest, jobs) else code,
        "cleaned": manifest.cleaned is not None,
    }
