"""`prep run`."""

from typing import Any

import click

from prep.cli import options, session


@click.command("run", context_settings=options.CONTEXT)
@options.files
@options.out
@options.cleaning
@options.sending
@options.max_rejected
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Clean lead files, send them to Marketo, wait, and account for every row.

    \b
    Examples:
      prep run leads.csv --sandbox
      prep run leads.csv --list "Trade fair 2026" --max-rejected 5%
      prep run updates.tsv --lookup-field id --yes --json

    Endpoint and credentials come from MARKETO_ENDPOINT, MARKETO_CLIENT_ID and MARKETO_CLIENT_SECRET, or
    from files named in …_FILE. An interrupted run is taken up again with prep resume DIR.
    """
    from prep.pipeline import clean

    limit = session.Limit.parse(chosen["max_rejected"])
    destination = session.choose_destination(chosen)
    with session.show_progress(quiet=chosen["quiet"]) as progress:
        run = clean(
            chosen["files"],
            chosen["out"],
            schema=chosen["schema"],
            destination=destination,
            progress=progress,
            **options.clean_options(chosen),
        )
    if limit.is_exceeded(run.counts):
        return session.answer(run, chosen, exit_code=3)
    if run.report["chunks"]:
        run = session.send(run, destination, chosen)
    return session.answer(run, chosen)
