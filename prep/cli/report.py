"""`prep report`."""

import os
from typing import Any

import click

from prep.cli import options, session
from prep.cli.terminal import say, say_json


@click.command("report", context_settings=options.CONTEXT)
@options.folder
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Show the numbers of a run, as its folder knows them; the exit code is the run's.

    \b
    Examples:
      prep report leads.prep
      prep report leads.prep --json | jq .counts
    """
    from prep.report import build_report, summarise

    run = session.open_run(chosen["folder"])
    report = build_report(run.folder, allow_rejects=chosen["allow_rejects"])
    if not chosen["quiet"]:
        say(*summarise(report, os.fspath(run.path)), err=chosen["as_json"])
    if chosen["as_json"]:
        say_json(report)
    code: int = report["exit_code"]
    return code
