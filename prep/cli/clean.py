"""`prep clean`."""

from typing import Any

import click

from prep.cli import options, session


@click.command("clean", context_settings=options.CONTEXT)
@options.files
@options.out
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
      prep clean leads.csv
      prep clean a.csv b.csv -o both.prep --keep merge
      prep clean export.csv --map "Work mail=email" --unknown drop
    """
    from prep.pipeline import clean

    limit = session.Limit.parse(chosen["max_rejected"])
    with session.show_progress(quiet=chosen["quiet"]) as progress:
        run = clean(
            chosen["files"],
            chosen["out"],
            schema=chosen["schema"],
            progress=progress,
            **options.clean_options(chosen),
        )
    return session.answer(run, chosen, exit_code=3 if limit.is_exceeded(run.counts) else None)
