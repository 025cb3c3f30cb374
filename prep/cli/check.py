"""`prep check`."""

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from prep.cli import options, session


@click.command("check", context_settings=options.CONTEXT)
@options.files
@options.cleaning
@options.max_rejected
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Tell what would be rejected, merged and mapped; leaves nothing behind.

    \b
    Examples:
      prep check leads.csv
      prep check leads.csv --json | jq .counts
    """
    from prep.pipeline import clean
    from prep.report import build_report, describe_check

    limit = session.Limit.parse(chosen["max_rejected"])
    with (
        tempfile.TemporaryDirectory(prefix="prep-check-") as temporary,
        session.show_progress(quiet=chosen["quiet"]) as progress,
    ):
        run = clean(
            chosen["files"],
            Path(temporary) / "check.prep",
            schema=chosen["schema"],
            progress=progress,
            **options.clean_options(chosen),
        )
        report = build_report(run.folder, allow_rejects=chosen["allow_rejects"])
        text = describe_check(report, run.rows)
    if limit.is_exceeded(report["counts"]):
        report["exit_code"] = 3
    if not chosen["quiet"]:
        click.echo(text, err=chosen["as_json"])
    if chosen["as_json"]:
        del report["chunks"], report["jobs"]
        click.echo(json.dumps(report, ensure_ascii=False))
    code: int = report["exit_code"]
    return code
