"""`prep submit`."""

from typing import Any

import click

from prep.cli import options, session


@click.command("submit", context_settings=options.CONTEXT)
@options.folder
@options.sending
@options.max_rejected
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Send a cleaned run, wait, and account for every row. Safe to repeat: nothing is sent twice.

    \b
    Examples:
      prep submit leads.prep --sandbox
      prep submit leads.prep --list-id 1001 --yes
      prep submit leads.prep --no-wait && prep resume leads.prep
    """
    from prep.folder import RunFolder
    from prep.pipeline import Run

    limit = session.Limit.parse(chosen["max_rejected"])
    run = Run(RunFolder.open(chosen["folder"]))
    if limit.is_exceeded(run.counts):
        return session.answer(run, chosen, exit_code=3)
    if run.report["chunks"]:
        run = session.send(run, session.choose_destination(chosen), chosen)
    return session.answer(run, chosen)
