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

    The folder knows sources, settings and destination. A run that was only to be cleaned is not sent:
    prep submit does that.

    \b
    Examples:
      prep resume leads.prep
      prep resume leads.prep --timeout 600 || echo "exit code $?"
    """
    from prep.pipeline import resume_cleaning

    session.begin(chosen["folder"])
    with session.show_progress(quiet=chosen["quiet"]) as progress:
        run = resume_cleaning(chosen["folder"], progress=progress)
    if run.folder.manifest().destination is None or not run.report["chunks"]:
        return session.answer(run, chosen)
    destination = session.known_destination(run, chosen)
    note = session.FINISHED if session.is_finished(run) else ""
    return session.answer(session.send(run, destination, chosen), chosen, note=note, waited=True)
