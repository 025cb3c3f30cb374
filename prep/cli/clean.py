"""`prep clean`."""

from typing import Any

import click

from prep.cli import arguments, options, session
from prep.cli.progress import show_progress


@click.command("clean", context_settings=options.CONTEXT)
@options.inputs
@options.out
@options.keep_source
@options.cleaning
@options.max_rejected
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Make upload files from lead files; stops before the network.

    The run folder holds chunks/ to upload, rejected.csv with every row that broke a rule and why,
    duplicates.csv with every row that lost to another one, and rows.parquet with the fate of every row.

    \b
    Examples:
      prep clean leads.csv                                   makes leads.prep
      prep clean a.csv b.csv -o both.prep --keep merge --merge phone=longest
      prep clean export.csv --map "Work mail=email" --unknown drop
      prep clean -- -odd-name.csv                            a name that begins with -
    """
    from prep.intake import default_folder
    from prep.pipeline import clean

    given = arguments.given(chosen)
    session.begin(chosen["out"] or default_folder(given[0]))
    with show_progress(quiet=chosen["quiet"]) as board:
        run = clean(
            given,
            chosen["out"],
            schema=chosen["schema"],
            keep_source=chosen["keep_source"],
            memory=chosen["memory"],
            progress=board.advance,
            **arguments.clean_options(chosen),
        )
    limit = chosen["max_rejected"]
    if limit and limit.is_exceeded(run.counts):
        return session.refuse(run, chosen, limit)
    return session.answer(run, chosen)
