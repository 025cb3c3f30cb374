"""`prep report`."""

import os
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prep.cli import options, session
from prep.cli.look import show
from prep.cli.terminal import say, say_json

if TYPE_CHECKING:
    from prep.folder import RunFolder


@click.command("report", context_settings=options.CONTEXT)
@options.folder
@click.option("--open", "opens", is_flag=True, help="Make report.html anew and show it in the browser.")
@options.mask
@options.allow_rejects
@options.answering
def command(**chosen: Any) -> int:
    """Show the numbers of a run, as its folder knows them; the exit code is the run's.

    With --mask files, columns that are not named as in the schema, lists, hosts and what was typed freely go
    by numbers or not at all, in summary, --json and a page of its own, report-masked.html.

    \b
    Examples:
      prep report leads.prep
      prep report leads.prep --json | jq .counts
      prep report leads.prep --open
      prep report leads.prep --mask              makes report-masked.html, for forwarding
    """
    from prep.report import MASKED_FOLDER, build_report, mask_report, summarise

    run = session.open_run(chosen["folder"])
    report = build_report(run.folder, allow_rejects=chosen["allow_rejects"])
    name = os.fspath(run.path)
    if chosen["mask"]:
        report, name = mask_report(report), MASKED_FOLDER
    if not chosen["quiet"]:
        show(*summarise(report, name), err=chosen["as_json"])
    if chosen["mask"] or chosen["opens"]:
        page = _write_page(run.folder, report, name)
        if not chosen["quiet"]:
            say(f"{page}: written", err=True)
        if chosen["opens"] and not webbrowser.open(page.absolute().as_uri()):
            say(f"{page}: no browser answers; open the file with one", err=True)
    if chosen["as_json"]:
        say_json({**report, **session.why_stopped(report["exit_code"], name)})
    code: int = report["exit_code"]
    return code


def _write_page(folder: "RunFolder", report: dict[str, Any], name: str) -> Path:
    """Make the page of a report anew; a masked one is a file of its own."""
    from prep.report import render_page

    path = folder.masked_page if report.get("masked") else folder.page
    folder.write_page(path, render_page(report, folder=name))
    return path
