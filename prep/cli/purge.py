"""`prep purge`."""

import sys
from typing import Any

import click

from prep.cli import options, session
from prep.cli.ending import Declined
from prep.cli.terminal import is_terminal, printable, say


@click.command("purge", context_settings=options.CONTEXT)
@options.folder
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.answering
def command(**chosen: Any) -> int:
    """Delete the personal data of a finished run; counts, row numbers and batch ids stay.

    Upload files, rejected.csv and the other tables, Marketo's files and the local sandbox go. The source
    files are not touched, and nothing is deleted in Marketo.

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
    code = session.answer(purge(run), {**chosen, "quiet": True})
    if not chosen["quiet"]:
        say(f"{run.path}: the rows' data is deleted; report.json keeps the numbers.", err=chosen["as_json"])
    return code
