"""`prep check`."""

import tempfile
from pathlib import Path
from typing import Any

import click

from prep.cli import arguments, options, session
from prep.cli.look import show
from prep.cli.progress import show_progress
from prep.cli.terminal import say_json
from prep.errors import EXIT_WITH_REJECTS


@click.command("check", context_settings=options.CONTEXT)
@options.inputs
@options.cleaning
@options.max_rejected
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Tell what would be rejected, merged and mapped; leaves nothing behind.

    Shows the ten commonest problems with the first rows that have them, the cells that would be respelled,
    and to which field each column maps.

    \b
    Examples:
      prep check leads.csv
      prep check leads.csv --dates dmy --timezone Europe/Madrid
      prep check leads.csv --json | jq .counts
      prep check leads.csv --max-rejected 5% --allow-rejects --quiet && echo good enough
    """
    import polars as pl

    from prep import pipeline
    from prep.report import build_report, describe_check

    given = arguments.given(chosen)
    session.begin()
    limit = chosen["max_rejected"]
    with (
        tempfile.TemporaryDirectory(prefix="prep-check-") as temporary,
        show_progress(quiet=chosen["quiet"]) as board,
    ):
        run = pipeline.check(
            given,
            Path(temporary) / "check.prep",
            schema=chosen["schema"],
            memory=chosen["memory"],
            progress=board.advance,
            **arguments.clean_options(chosen),
        )
        report = build_report(run.folder, allow_rejects=chosen["allow_rejects"])
        told = run.folder.query_rows(lambda rows: rows.filter(pl.col("reasons").is_not_null()))
    del report["chunks"], report["jobs"]
    note = ""
    if limit and limit.is_exceeded(report["counts"]):
        report["exit_code"], note = EXIT_WITH_REJECTS, limit.refusal(report["counts"])
    if not chosen["quiet"]:
        show(*describe_check(report, told, note), err=chosen["as_json"])
    if chosen["as_json"]:
        say_json(report)
    code: int = report["exit_code"]
    return code
