"""`prep status`."""

import json
from pathlib import Path
from typing import Any

import click

from prep.cli import options

_GRAVEST_FIRST = (6, 5, 0)


@click.command("status", context_settings=options.CONTEXT)
@click.argument("folders", nargs=-1, required=True, metavar="DIR…", type=click.Path(path_type=Path))
@options.json_only
def command(folders: tuple[Path, ...], *, as_json: bool) -> int:
    """Show the jobs of runs and their states, as the run folders know them; asks nobody.

    Ends with 0 when all is settled or nothing was sent, 5 when jobs are still running, 6 when the outcome
    of a chunk is unknown.

    \b
    Examples:
      prep status leads.prep
      prep status *.prep --json
    """
    from prep.folder import RunFolder

    runs = [_describe(folder, RunFolder.open(folder)) for folder in folders]
    codes = {run["exit_code"] for run in runs}
    code = next(code for code in _GRAVEST_FIRST if code in codes)
    for run in runs:
        click.echo(f"{run['folder']}: {run['state']}, target {run['target'] or 'none'}", err=as_json)
        for job in run["jobs"]:
            facts = (
                ""
                if job["processed"] is None
                else f", {job['processed']:,} processed, {job['failed'] or 0:,} failed"
            )
            click.echo(
                f"  {job['chunk']}  batch {job['batch_id'] or '-'}  {job['state']}{facts}", err=as_json
            )
    if as_json:
        click.echo(json.dumps({"runs": runs, "exit_code": code}, ensure_ascii=False))
    return code


def _describe(path: Path, folder: Any) -> dict[str, Any]:
    from prep.report import find_state, read_jobs

    jobs = read_jobs(folder)
    state = find_state(jobs)
    destination = folder.manifest().destination
    return {
        "folder": str(path),
        "state": str(state),
        "target": destination.target if destination else None,
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
        "exit_code": {"unknown": 6, "submitting": 5, "waiting": 5}.get(state, 0),
    }
