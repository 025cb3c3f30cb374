"""`prep retry`."""

from pathlib import Path
from typing import Any

import click

from prep.cli import arguments, callbacks, options, session
from prep.cli.progress import show_progress


@click.command("retry", context_settings=options.CONTEXT)
@options.folder
@click.option("--all", "everything", is_flag=True, help="All rejected rows, changed or not.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    callback=callbacks.run_folder,
    metavar="DIR",
    help="Folder of the new run.  [default: DIR-retry1.prep, and so on]",
)
@options.maps
@options.meaning
@options.memory
@options.waiting
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Make a new run of failed rows and of rejected rows that you corrected; send it if the first was sent.

    Correct rows in rejected.csv or rejected.xlsx of the run folder, with any spreadsheet program, and save.
    Leave the columns _source, _row and _line alone: they tell which row is which. Lines that you delete in
    either stay rejected. A column that you add counts if it has the name of a field, or --map gives it one;
    else it is left out and named. One that you delete is asked for. Rows that could not be split are
    corrected in their cells, not in _raw.
    With --map, --dates, --timezone or --decimal all rejected rows are tried again, since their cells mean
    something else; the order of dates that a column proved in the run is kept.
    Rows that were sent are not touched; prep clean with --map makes a run of the whole file.

    \b
    Examples:
      prep retry leads.prep
      prep retry leads.prep --map "Work mail=email" --map "Mail="
      prep retry leads.prep --map "Q7=dateOfBirth" --dates dmy
      prep retry leads.prep --all -o second.prep
    """
    from prep.pipeline import retry
    from prep.retrying import next_folder

    out = chosen["out"] or next_folder(chosen["folder"])
    session.begin(out)
    with show_progress(quiet=chosen["quiet"]) as board:
        run = retry(
            chosen["folder"],
            out,
            everything=chosen["everything"],
            maps=arguments.maps_said_now(chosen),
            **arguments.said_now(chosen, "dates", "timezone", "decimal"),
            memory=chosen["memory"],
            progress=board.advance,
        )
    if run.folder.manifest().goal == "clean" or not run.report["chunks"]:
        return session.answer(run, chosen)
    destination = session.known_destination(run, chosen)
    return session.answer(session.send(run, destination, chosen), chosen, waited=True)
