"""What commands share: progress, the client, the question before the first upload, the answer."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from prep.errors import FolderError, SettingsError

if TYPE_CHECKING:
    from prep.config import Destination
    from prep.folder import RunFolder
    from prep.marketo import Marketo
    from prep.model import Job
    from prep.pipeline import Run

SANDBOX: Final = "sandbox"
_SANDBOX_CREDENTIALS: Final = ("id", "secret")
_SANDBOX_POLL_SECONDS: Final = 0.1
_LONGEST_POLL_SECONDS: Final = 30.0


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """Show how far each stage is, on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield lambda _stage, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


@contextmanager
def connect(folder: "RunFolder", target: str, *, allow_host: str | None) -> Iterator["Marketo"]:
    """A client of the target: the instance of the settings, or a stand-in that lives in the run folder."""
    from prep.config import load_credentials
    from prep.marketo import Marketo

    with ExitStack() as stack:
        if target == SANDBOX:
            from prep.sandbox import Sandbox

            client_id, client_secret = _SANDBOX_CREDENTIALS
            sandbox = stack.enter_context(
                Sandbox(folder.sandbox, client_id=client_id, client_secret=client_secret)
            )
            yield stack.enter_context(Marketo(sandbox.url, client_id, client_secret))
        else:
            found = load_credentials(allow_host=allow_host)
            yield stack.enter_context(
                Marketo(found.endpoint, found.client_id, found.client_secret, allow_host=found.allow_host)
            )


def choose_destination(chosen: Mapping[str, Any]) -> "Destination":
    """The destination that a command's flags name; checks the credentials, without the network.

    Raises:
        SettingsError: Endpoint or credentials are missing or cannot be used.
    """
    from prep.config import Destination, load_credentials

    target = SANDBOX
    if not chosen["sandbox"]:
        from prep.marketo import Marketo

        found = load_credentials(allow_host=chosen["allow_host"])
        with Marketo(
            found.endpoint, found.client_id, found.client_secret, allow_host=found.allow_host
        ) as client:
            target = client.host
    return Destination(target, chosen["list_id"], chosen["list_name"], chosen["partition_name"])


def send(run: "Run", destination: "Destination", chosen: Mapping[str, Any]) -> "Run":
    """Submit a run as a command's flags say, after the question if there is somebody to ask.

    Raises:
        click.Abort: The answer was no.
    """
    from prep.pipeline import submit

    is_sandbox = destination.target == SANDBOX
    first_poll = _SANDBOX_POLL_SECONDS if is_sandbox else chosen["poll_seconds"]
    if not is_sandbox:
        _announce(run, destination, chosen)
    with (
        connect(run.folder, destination.target, allow_host=chosen["allow_host"]) as client,
        show_progress(quiet=chosen["quiet"]) as show,
    ):
        try:
            return submit(
                run,
                client,
                destination,
                wait=not chosen["no_wait"],
                timeout_seconds=chosen["timeout"],
                queue_slots=chosen["queue_slots"],
                poll_seconds=(first_poll, max(first_poll, _LONGEST_POLL_SECONDS)),
                progress=lambda jobs: _show_jobs(jobs, show),
            )
        finally:
            remember(run.report)


def remember(facts: Mapping[str, Any]) -> None:
    """Keep what is known so far for the JSON answer, should the command end with an error."""
    click.get_current_context().obj.update(facts)


def known_destination(run: "Run") -> "Destination":
    """Where a run sends its rows, by its own folder.

    Raises:
        FolderError: It has not been sent anywhere.
    """
    destination = run.folder.manifest().destination
    if destination is None:
        raise FolderError(
            f"{run.path}: nothing was sent yet",
            code="not_sent",
            hint=f"prep submit {run.path} sends it.",
            source=os.fspath(run.path),
        )
    return destination


def _show_jobs(jobs: "Sequence[Job]", show: Callable[[str, int, int | None], None]) -> None:
    from prep.model import JobState

    sent = [job for job in jobs if job.state not in {JobState.PLANNED, JobState.INTENDED}]
    finished = [job for job in sent if job.state in {JobState.RECONCILED, JobState.UNKNOWN}]
    show("upload", len(sent), len(jobs))
    show("import", len(finished), len(jobs))


def _announce(run: "Run", destination: "Destination", chosen: Mapping[str, Any]) -> None:
    """Say what sending will take and, on a terminal, ask."""
    from prep.jobs import estimate
    from prep.model import Fate
    from prep.report import read_jobs

    report = run.report
    rows = report["counts"][Fate.READY]
    files = sum(chunk["state"] == "planned" for chunk in report["chunks"])
    static_list = destination.list_id or destination.list_name
    cost = estimate(files, one_at_a_time=static_list is not None, queue_slots=chosen["queue_slots"])
    if rows and not chosen["quiet"]:
        click.echo(
            f"{rows:,} rows in {files} file(s) for {destination.target}: at least {cost.calls} API calls "
            f"and {cost.seconds:,.0f} s",
            err=True,
        )
    is_first = not read_jobs(run.folder)
    if rows and is_first and not chosen["yes"] and sys.stdin.isatty():
        where = f"list {static_list}" if static_list else "no list"
        click.confirm(f"Send {rows:,} rows to {destination.target}, {where}?", abort=True, err=True)


def answer(run: "Run", chosen: Mapping[str, Any], *, exit_code: int | None = None) -> int:
    """Print a run's numbers as text and, if asked, as JSON.

    Returns:
        The exit code: the given one, else the one that the numbers mean.
    """
    from prep.report import build_report, summarise

    report = build_report(run.folder, allow_rejects=chosen.get("allow_rejects", False))
    if exit_code is not None:
        report["exit_code"] = exit_code
    run.folder.write_report(report)
    if not chosen.get("quiet"):
        click.echo(summarise(report, os.fspath(run.path)), err=chosen["as_json"])
    if chosen["as_json"]:
        click.echo(json.dumps(report, ensure_ascii=False))
    code: int = report["exit_code"]
    return code


@dataclass(frozen=True)
class Limit:
    """How many rows may be rejected: so many, or so many of a hundred."""

    number: float
    is_share: bool

    @classmethod
    def parse(cls, text: str | None) -> "Limit":
        """Read `100` or `5%`; None is no limit.

        Raises:
            SettingsError: The text is neither.
        """
        if text is None:
            return cls(float("inf"), is_share=False)
        digits = text.removesuffix("%")
        if not digits.replace(".", "", 1).isdecimal():
            raise SettingsError(
                f"--max-rejected does not know {text!r}",
                code="bad_max_rejected",
                hint="Write a number of rows such as 100, or a share such as 5%.",
            )
        return cls(float(digits), is_share=text.endswith("%"))

    def is_exceeded(self, counts: Mapping[str, int]) -> bool:
        """Whether a run with these counts has too many rejected rows."""
        bound = self.number * counts["read"] / 100 if self.is_share else self.number
        return counts["rejected"] > bound
