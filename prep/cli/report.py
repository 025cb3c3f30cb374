"""`prep report`."""

import json
from typing import Any

import click

from prep.cli import options


@click.command("report", context_settings=options.CONTEXT)
@options.folder
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Show the numbers of a run; the exit code is the run's.

    \b
    Examples:
      prep report leads.prep
      prep report leads.prep --json | jq .counts
    """
    from prep.folder import RunFolder
    from prep.report import build_report, summarise

    report = build_report(RunFolder.open(chosen["folder"]), allow_rejects=chosen["allow_rejects"])
    if not chosen["quiet"]:
        click.echo(summarise(report, str(chosen["folder"])), err=chosen["as_json"])
    if chosen["as_json"]:
        click.echo(json.dumps(report, ensure_ascii=False))
    code: int = report["exit_code"]
    return code
