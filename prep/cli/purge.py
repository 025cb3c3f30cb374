"""`prep purge`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prep.cli import options, session
from prep.cli.ending import Declined
from prep.cli.terminal import is_terminal, say
from prep.errors import EXIT_DONE, FolderError
from prep.folding import printable, quoted

if TYPE_CHECKING:
    from prep.folder import RunFolder


@click.command("purge", context_settings=options.CONTEXT)
@options.folder
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.answering
def command(**chosen: Any) -> int:
    """Delete the personal data of a finished run; counts, row numbers and batch ids stay.

    Upload files, rejected.csv and the other tables, Marketo's files and the local sandbox go. The source
    files are not touched, and nothing is deleted in Marketo. What still holds rows of the same people is
    named: retries of the run, each purged by itself, and files in the folder that prep did not make, such as
    copies of tables. Ends with 0 also where rows were rejected or failed: report.json keeps the run's code.

    \b
    Example:
      prep purge leads.prep
    """
    from prep.pipeline import purge

    session.begin(chosen["folder"])
    run = session.open_run(chosen["folder"])
    is_asked = not chosen["yes"] and is_terminal(sys.stdin, sys.stdout, sys.stderr)
    if is_asked and not click.confirm(printable(f"Delete all rows of {run.path}?"), err=True):
        raise Declined("Nothing was deleted")
    purged = purge(run)
    retries = list(_unpurged_retries(run.folder))
    strangers = run.folder.strangers()
    named = {"retries": [*map(str, retries)], "strangers": [*map(str, strangers)]}
    session.answer(purged, {**chosen, "quiet": True}, more={**named, "exit_code": EXIT_DONE})
    if not chosen["quiet"]:
        say(f"{run.path}: the rows' data is deleted; report.json keeps the numbers.", err=chosen["as_json"])
        for path in retries:
            still = f"{path}: still holds rows of these people: prep purge {quoted(path)}"
            say(still, err=chosen["as_json"])
        for path in strangers:
            say(f"{path}: is not prep's, and still there", err=chosen["as_json"])
    return EXIT_DONE


def _unpurged_retries(folder: "RunFolder") -> Iterator[Path]:
    """Retries of a run and of its way back, and theirs, whose rows are still there.

    One that cannot be read counts as such.
    """
    from prep.folder import RunFolder

    way_back = RunFolder(folder.restore)
    if way_back.manifest_file.exists():
        yield from _unpurged_retries(way_back)
    manifest = folder.manifest()
    beside = folder.path.parent
    home = beside if beside.samefile(folder.home) else folder.home
    for name in manifest.retries:
        retry = RunFolder(home / name)
        if not retry.manifest_file.exists():
            continue
        try:
            known = retry.manifest()
        except FolderError:
            yield retry.path
            continue
        if known.parent_run_id == manifest.run_id:
            if not known.is_purged:
                yield retry.path
            yield from _unpurged_retries(retry)
