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

    A run belongs to the instance, list and partition that it was sent to first. As long as nothing was sent,
    it can be sent elsewhere, and its list and partition stay unless others are named.

    \b
    Examples:
      prep submit leads.prep --sandbox
      prep submit leads.prep --list-id 1001 --yes
      prep submit leads.prep --no-wait; prep resume leads.prep
      prep submit guests.prep --program 1014 --program-status "On List"
    """
    run = session.open_run(chosen["folder"])
    manifest = run.folder.manifest()
    destination = session.choose_destination(chosen, manifest.settings["object"], manifest.destination)
    limit = chosen["max_rejected"]
    if limit and limit.is_exceeded(run.counts) and not session.is_finished(run):
        return session.refuse(run, chosen, limit)
    note = session.FINISHED if session.is_finished(run) else ""
    if run.report["chunks"]:
        run = session.send(run, destination, chosen)
    return session.answer(run, chosen, note=note, waited=True)
