"""`prep run`."""

from typing import Any

import click

from prep.cli import arguments, options, session
from prep.cli.progress import show_progress


@click.command("run", context_settings=options.CONTEXT)
@options.inputs
@options.out
@options.keep_source
@options.cleaning
@options.sending
@options.max_rejected
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Clean lead files, send them to Marketo, wait, and account for every row.

    \b
    Examples:
      prep run leads.csv --sandbox                          a rehearsal; needs no account
      prep run leads.csv --list "Trade fair 2026" --max-rejected 5%
      prep run a.csv b.csv -o both.prep --keep merge --set "leadSource=Trade fair"
      prep run updates.tsv --lookup-field id --yes --json   updates only, for a script
      prep run guests.csv --object program-members --program 1014 --program-status "On List"
      prep run cars.csv --object customobjects/car_c --schema car_c.toml

    Everything about the run is in its folder, here leads.prep. The same command again carries on if the run
    was interrupted, as prep resume leads.prep does, and sends nothing if it was finished.

    Endpoint and credentials come from MARKETO_ENDPOINT, MARKETO_CLIENT_ID and MARKETO_CLIENT_SECRET, or from
    files that hold them, named in MARKETO_CLIENT_SECRET_FILE and so on. On a terminal one question is asked
    before the first upload.
    """
    from prep.intake import default_folder
    from prep.pipeline import clean

    given = arguments.given(chosen)
    session.begin(chosen["out"] or default_folder(given[0]))
    destination = session.choose_destination(chosen, chosen["object_name"])
    limit = chosen["max_rejected"]
    with show_progress(quiet=chosen["quiet"]) as board:
        run = clean(
            given,
            chosen["out"],
            schema=chosen["schema"],
            destination=destination,
            max_rejected=limit.text if limit else None,
            keep_source=chosen["keep_source"],
            memory=chosen["memory"],
            progress=board.advance,
            **arguments.clean_options(chosen),
        )
    if limit and limit.is_exceeded(run.counts) and not session.is_finished(run):
        return session.refuse(run, chosen, limit)
    note = session.FINISHED if session.is_finished(run) else ""
    if run.report["chunks"]:
        run = session.send(run, destination, chosen)
    return session.answer(run, chosen, note=note, waited=True)
