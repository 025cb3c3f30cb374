"""`prep resume`."""

from typing import Any

import click

from prep.cli import options, session


@click.command("resume", context_settings=options.CONTEXT)
@options.folder
@options.waiting
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Carry on to a run's goal from wherever it stopped: a crash, Ctrl-C, a full day's quota.

    The folder knows sources, settings and destination. A run that was only cleaned stays so.

    \b
    Examples:
      prep resume leads.prep
      prep resume leads.prep --timeout 600
    """
    from prep.pipeline import resume_cleaning

    with session.show_progress(quiet=chosen["quiet"]) as progress:
        run = resume_cleaning(chosen["folder"], progress=progress)
    destination = run.folder.manifest().destination
    if destination and run.report["chunks"]:
        run = session.send(run, destination, chosen)
    return session.answer(run, chosen)
