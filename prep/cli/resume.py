"""`prep resume`."""

from typing import Any

import click

from prep.cli import options, session
from prep.cli.progress import show_progress
from prep.tolerance import Limit


@click.command("resume", context_settings=options.CONTEXT)
@options.folder
@click.option(
    "--assume",
    "decisions",
    type=(click.Choice(["landed", "lost"]), str),
    multiple=True,
    metavar="landed|lost CHUNK",
    help="Settle a chunk whose outcome is unknown, after you looked in Marketo. Repeatable.",
)
@click.option(
    "--batch-id",
    type=click.IntRange(1),
    metavar="N",
    help="Marketo's id of a chunk that is assumed landed: fetches what can be had of it.",
)
@options.memory
@options.waiting
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Carry on to a run's goal from wherever it stopped: a crash, Ctrl-C, a full day's quota.

    The folder knows sources, settings and destination. A run that was only to be cleaned is not sent:
    prep submit does that. A chunk whose outcome is unknown stays so until --assume says that it landed
    (its rows count as imported) or was lost (its rows are sent once more).

    \b
    Examples:
      prep resume leads.prep
      prep resume leads.prep --timeout 600 || echo "exit code $?"
      prep resume leads.prep --assume lost leads-0003.csv
    """
    from prep.pipeline import resume_cleaning, settle

    session.begin(chosen["folder"])
    if chosen["batch_id"] and [decision for decision, _ in chosen["decisions"]] != ["landed"]:
        raise click.UsageError("--batch-id goes with one --assume landed CHUNK.")
    for decision, chunk in chosen["decisions"]:
        settle(chosen["folder"], chunk, decision, batch_id=chosen["batch_id"])
    with show_progress(quiet=chosen["quiet"]) as board:
        run = resume_cleaning(chosen["folder"], memory=chosen["memory"], progress=board.advance)
    manifest = run.folder.manifest()
    if manifest.goal == "clean" or not run.report["chunks"]:
        return session.answer(run, chosen)
    limit = Limit.parse(manifest.max_rejected) if manifest.max_rejected else None
    if limit and limit.is_exceeded(run.counts):
        return session.refuse(run, chosen, limit)
    destination = session.known_destination(run, chosen)
    note = session.FINISHED if session.is_finished(run) else ""
    return session.answer(session.send(run, destination, chosen), chosen, note=note, waited=True)
