"""`prep reconcile`."""

from typing import Any

import click

from prep.cli import options, session


@click.command("reconcile", context_settings=options.CONTEXT)
@options.folder
@options.target
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Fetch failures and warnings of a run's finished jobs again and join them to the rows again.

    Chunks whose outcome is unknown are asked about again if their batch id is known and not older than seven
    days: what Marketo now tells without a doubt settles them. Jobs that are still running are left to
    prep resume.

    \b
    Examples:
      prep reconcile leads.prep
      prep reconcile leads.prep --json
    """
    from prep.pipeline import reconcile

    run = session.open_run(chosen["folder"])
    destination = session.known_destination(run, chosen)
    with session.connect(
        run.folder, destination.target, allow_host=chosen["allow_host"], quiet=chosen["quiet"]
    ) as client:
        run = reconcile(run, client)
    return session.answer(run, chosen)
