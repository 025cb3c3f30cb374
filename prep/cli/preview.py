"""`prep preview`."""

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from prep.cli import options, session
from prep.cli.ending import Declined
from prep.cli.progress import Board, show_progress
from prep.cli.terminal import is_terminal, say, say_json
from prep.errors import EXIT_DONE
from prep.folding import printable, quoted
from prep.model import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prep.folder import RunFolder
    from prep.preflight import Finding
    from prep.previewing import Estimate


@click.command("preview", context_settings=options.CONTEXT)
@options.folder
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="ROWS",
    help="Look up so many rows only, spread over all: an estimate, and no way back.",
)
@options.max_calls
@click.option("--yes", is_flag=True, help="Do not ask before people are looked up.")
@options.target
@options.answering
def command(**chosen: Any) -> int:
    """See what sending a run would change in Marketo, and get a way back. Nothing is changed.

    Looks every row up by its key, 300 to a call, and says how many people are created, updated, or several
    with one key; for each field how many values change and how many blanks come over values. preview.csv in
    the run folder lists every difference. restore/ in it is a run folder of its own with the values as they
    are now: prep submit DIR/restore puts them back after the import.

    Before anybody is looked up it says how many calls that takes. Whoever is interrupted, or out of calls,
    carries on with the same command. Ends with 0 when all was looked up, with 1 if it needs too many calls or
    something was sent already, with 4 if Marketo refuses or cannot be reached.

    \b
    Examples:
      prep preview leads.prep
      prep preview leads.prep --sample 1000              an estimate for seven calls
      prep preview leads.prep && prep submit leads.prep
      prep submit leads.prep/restore                     after an import that went wrong
      prep preview leads.prep --json --yes | jq .preview.counts
    """
    from prep.config import Destination
    from prep.pipeline import preview
    from prep.report import describe_preview

    run = session.open_run(chosen["folder"])
    sample = chosen["sample"]
    session.situation().again = f"preview --sample {sample}" if sample else "preview"
    target = SANDBOX if chosen["sandbox"] else None
    with (
        session.connect(run.folder, target, allow_host=chosen["allow_host"], quiet=chosen["quiet"]) as client,
        ExitStack() as showing,
    ):
        destination = Destination(target or client.host)
        board = Board()

        def ready(estimate: "Estimate", findings: "Sequence[Finding]") -> None:
            nonlocal board
            if not chosen["quiet"]:
                say(*(f"note: {finding.message}" for finding in findings), err=True)
            if target is None:
                _announce(run.folder, destination.target, estimate, chosen)
            board = showing.enter_context(show_progress(quiet=chosen["quiet"]))

        run = preview(
            run,
            client,
            destination,
            sample=sample,
            max_calls=chosen["max_calls"],
            on_ready=ready,
            progress=lambda advance: board.advance(advance),  # noqa: PLW0108 (the board is another one by then)
        )
    report = {**run.report, "exit_code": EXIT_DONE}
    if not chosen["quiet"]:
        say(*describe_preview(report, os.fspath(run.path)), err=chosen["as_json"])
    if chosen["as_json"]:
        say_json(report)
    return EXIT_DONE


def _announce(folder: "RunFolder", target: str, estimate: "Estimate", chosen: dict[str, Any]) -> None:
    """Say what it will take, and ask on a terminal whether to go on.

    Raises:
        Declined: The answer was no.
    """
    what = f"{estimate.rows:,} rows in {target}"
    if not chosen["quiet"]:
        say(f"Looking up {what}: {estimate.sentence}", err=True)
    is_asked = estimate.lookups and not chosen["yes"] and is_terminal(sys.stdin, sys.stdout, sys.stderr)
    if is_asked and not click.confirm(printable(f"Look up {what}?"), err=True):
        raise Declined(f"Nobody was looked up; prep submit {quoted(folder.path)} sends without a preview")
