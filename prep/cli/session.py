"""What commands share: the client, the question before the first upload, the answer."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click

from prep.cli.ending import Declined, Situation
from prep.cli.look import show
from prep.cli.progress import Board, show_progress
from prep.cli.terminal import is_terminal, say, say_json
from prep.errors import (
    EXIT_RUNNING,
    EXIT_STOPPED,
    EXIT_UNKNOWN,
    EXIT_WITH_REJECTS,
    FolderError,
    PrepError,
    SettingsError,
    TransientError,
)
from prep.folding import printable, quoted
from prep.limits import POLL_SECONDS
from prep.model import SANDBOX
from prep.tolerance import Limit

if TYPE_CHECKING:
    from prep.config import Destination
    from prep.credentials import Credentials
    from prep.folder import RunFolder
    from prep.marketo import Marketo
    from prep.model import Job
    from prep.pipeline import Run
    from prep.preflight import Finding
    from prep.sandbox import Sandbox

_SANDBOX_CREDENTIALS: Final = ("id", "secret")

_IN_USE: Final = "folder_in_use"

_BUSY: Final = (
    "Other imports fill Marketo's queue, or one into the same list is running: the rest was not sent yet."
)
FINISHED: Final = "This run was finished before: nothing was sent now."


def situation() -> Situation:
    """What is known of the command that runs."""
    found = click.get_current_context().obj
    return found if isinstance(found, Situation) else Situation()


@contextmanager
def connect(
    folder: "RunFolder", target: str | None, *, allow_host: str | None, quiet: bool = False
) -> Iterator["Marketo"]:
    """A client of the target: the instance of the settings, or a stand-in that lives in the run folder.

    Args:
        folder: Where a stand-in keeps its state.
        target: What the folder belongs to; None is whatever instance the settings name.
        allow_host: Further host that may be talked to.
        quiet: Say nothing when Marketo has to be waited for.

    Raises:
        SettingsError: Endpoint or credentials are missing or cannot be used.
        FolderError: The settings name another instance than the target.
    """
    from prep.marketo import Marketo

    with ExitStack() as stack:
        if target == SANDBOX:
            sandbox = _stand_in(folder)
            stack.callback(sandbox.stop)
            yield stack.enter_context(Marketo(sandbox.url, *_SANDBOX_CREDENTIALS))
            return
        client = stack.enter_context(_client(_credentials(allow_host)))
        if target is not None and client.host != target:
            raise _other_endpoint(folder, target, client.host)
        if not quiet:
            client.on_wait = _say_wait
        yield client


@contextmanager
def visit(*, sandbox: bool, allow_host: str | None) -> Iterator["Marketo"]:
    """A client of the instance that the settings name, or of a new stand-in, without any run folder.

    Raises:
        SettingsError: Endpoint or credentials are missing or cannot be used.
    """
    from prep.folder import RunFolder

    with TemporaryDirectory(prefix="prep-visit-") as temporary:
        target = SANDBOX if sandbox else None
        with connect(RunFolder(temporary), target, allow_host=allow_host) as client:
            yield client


def _say_wait(error: PrepError, seconds: float) -> None:
    say(f"{error.message}; trying again in {seconds:.1f} s", err=True)


def _other_endpoint(folder: "RunFolder", target: str, host: str) -> FolderError:
    from prep.report import has_begun

    way_out = "clean the sources into another folder (-o DIR)"
    if not has_begun(folder):
        way_out = f"prep submit {quoted(folder.path)} sends it to {host} instead: nothing was sent yet"
    return FolderError(
        f"{folder.path}: the run belongs to {target}, and MARKETO_ENDPOINT names {host}",
        code="other_target",
        hint=f"Set MARKETO_ENDPOINT to {'http' if _is_here(target) else 'https'}://{target}, or {way_out}.",
        source=os.fspath(folder.path),
    )


def _stand_in(folder: "RunFolder") -> "Sandbox":
    """A started sandbox whose state is in the run folder.

    Raises:
        FolderError: Its file is damaged or cannot be written.
    """
    import sqlite3

    from prep.sandbox import Sandbox

    client_id, client_secret = _SANDBOX_CREDENTIALS
    try:
        return Sandbox(folder.sandbox, client_id=client_id, client_secret=client_secret).start()
    except sqlite3.Error as error:
        raise FolderError(
            f"{folder.sandbox}: the sandbox cannot use it ({error})",
            code="bad_state_file",
            hint="Check free space and permissions; a damaged file can be removed, with all that it knows.",
            source=os.fspath(folder.sandbox),
        ) from None


def _credentials(allow_host: str | None) -> "Credentials":
    from prep.credentials import load_credentials

    return load_credentials(allow_host=allow_host)


def _client(found: "Credentials") -> "Marketo":
    from prep.marketo import Marketo

    return Marketo(found.endpoint, found.client_id, found.client_secret, allow_host=found.allow_host)


def choose_destination(
    chosen: Mapping[str, Any], into: str, known: "Destination | None" = None
) -> "Destination":
    """The destination that a command's flags name; checks the credentials, without the network.

    Args:
        chosen: The command's parameters.
        into: What the rows become, as `--object` says it.
        known: Where the folder belongs; its list, partition and program hold as long as the flags name no
            other, a list that was given by name as the list of that name in the instance that is named now.

    Raises:
        SettingsError: Endpoint or credentials are missing or cannot be used, the pauses are too short, or the
            destination does not go with what the rows become.
    """
    from prep.config import Destination
    from prep.objects import FLAGS, parse_object

    if chosen["sandbox"]:
        target = SANDBOX
    else:
        with _client(_credentials(chosen["allow_host"])) as client:
            target = client.host
    _refuse_haste(target, chosen["poll_seconds"])
    details = {name: chosen[name] for name in FLAGS if chosen[name] is not None}
    if known and ("list_name" in details or (known.list_name is not None and known.target != target)):
        known = replace(known, list_id=None)
    if known and "list_id" in details:
        known = replace(known, list_name=None)
    destination = replace(known or Destination(target), target=target, **details)
    destination.refuse_misfit(parse_object(into))
    return destination


def known_destination(run: "Run", chosen: Mapping[str, Any]) -> "Destination":
    """Where a run sends its rows, by its own folder.

    Raises:
        FolderError: It has not been sent anywhere, or --sandbox was said of a run that belongs elsewhere.
    """
    destination = run.folder.manifest().destination
    if destination is None:
        raise FolderError(
            f"{run.path}: nothing was sent yet",
            code="not_sent",
            hint=f"prep submit {quoted(run.path)} sends it.",
            source=os.fspath(run.path),
        )
    if chosen["sandbox"] and destination.target != SANDBOX:
        raise FolderError(
            f"{run.path}: the run belongs to {destination.target}, not to the sandbox",
            code="other_target",
            hint="Leave --sandbox out, or clean the sources into another folder with -o DIR.",
            source=os.fspath(run.path),
        )
    return destination


def _refuse_haste(target: str, poll_seconds: float | None) -> None:
    if poll_seconds is not None and poll_seconds < POLL_SECONDS[0] and not _is_here(target):
        raise SettingsError(
            f"--poll-seconds {poll_seconds:g} is too often for {target}",
            code="bad_poll_seconds",
            hint=f"Marketo asks for {POLL_SECONDS[0]} seconds or more; less is for this machine only.",
        )


def _is_here(target: str) -> bool:
    """Whether a target is this machine."""
    host = urlsplit(f"//{target}").hostname or ""
    try:
        return target == SANDBOX or ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def send(run: "Run", destination: "Destination", chosen: Mapping[str, Any]) -> "Run":
    """Submit a run as a command's flags say, after the question if there is somebody to ask.

    Raises:
        Declined: The answer was no.
    """
    from prep.model import JobState
    from prep.pipeline import aim, submit
    from prep.report import note_preview, read_jobs

    is_sandbox = destination.target == SANDBOX
    _refuse_haste(destination.target, chosen["poll_seconds"])
    asked = chosen["poll_seconds"]
    before = read_jobs(run.folder)
    chunks = {chunk["file"]: chunk for chunk in run.report["chunks"]}
    with (
        connect(
            run.folder, destination.target, allow_host=chosen["allow_host"], quiet=chosen["quiet"]
        ) as client,
        ExitStack() as showing,
    ):
        board = Board()
        poll_seconds = (asked, max(asked, POLL_SECONDS[1])) if asked else client.poll_seconds

        def ready(findings: "Sequence[Finding]") -> None:
            nonlocal board
            if not chosen["quiet"]:
                notes = [finding.message for finding in findings]
                if all(job.state is JobState.PLANNED for job in before):
                    notes += note_preview(run.report)
                say(*(f"note: {note}" for note in notes), err=True)
            if not is_sandbox:
                _announce(run, destination, chosen, poll_seconds)
            board = showing.enter_context(show_progress(quiet=chosen["quiet"]))
            board.sending(before, chunks)

        try:
            aim(run, destination)
            sent = submit(
                run,
                client,
                destination,
                wait=not chosen["no_wait"],
                timeout_seconds=chosen["timeout"],
                queue_slots=chosen["queue_slots"],
                poll_seconds=poll_seconds,
                on_ready=ready,
                progress=lambda advance: board.sending(advance.jobs, chunks),
            )
        except Declined:
            raise
        except BaseException as error:
            showing.close()
            if getattr(error, "code", "") != _IN_USE:  # what has moved since is another process's work
                _note_failure(run, before)
            raise
        _note_progress(run, before)
        return sent


def _note_progress(run: "Run", before: "Sequence[Job]") -> None:
    """Find out whether anything was sent: whatever fails from now on cannot promise the opposite."""
    from prep.model import JobState
    from prep.report import read_jobs

    now = situation()
    now.has_begun = True
    with suppress(Exception):  # the folder may be what failed
        jobs = read_jobs(run.folder)
        now.has_begun = jobs != tuple(before) and any(job.state is not JobState.PLANNED for job in jobs)
        now.resumes = run.folder.manifest().goal == "run"


def _note_failure(run: "Run", before: "Sequence[Job]") -> None:
    """Find out how far sending came before it failed, for the last words of the command."""
    from prep.report import write_report

    _note_progress(run, before)
    with suppress(Exception):
        situation().facts.update(run.report)
        situation().keep = partial(write_report, run.folder)


def is_finished(run: "Run") -> bool:
    """Whether every row of a run that was sent has its final fate."""
    return bool(run.report["state"] == "reconciled")


def _announce(
    run: "Run", destination: "Destination", chosen: Mapping[str, Any], poll_seconds: tuple[float, float]
) -> None:
    """Say on a terminal what sending will take, and ask before the first upload.

    Raises:
        Declined: The answer was no.
    """
    from prep.jobs import estimate
    from prep.model import Fate, JobState
    from prep.report import read_jobs

    report = run.report
    rows = report["counts"][Fate.READY]
    if not rows:
        return
    files = sum(chunk["state"] == JobState.PLANNED for chunk in report["chunks"])
    static_list = destination.list_name or destination.list_id
    if is_terminal(sys.stderr) and not chosen["quiet"]:
        cost = estimate(
            files,
            one_at_a_time=static_list is not None,
            queue_slots=chosen["queue_slots"],
            poll_seconds=poll_seconds,
        )
        say(
            f"{rows:,} rows in {files} file(s) for {destination.target}: at least {cost.calls} API calls "
            f"and {cost.seconds:,.0f} s",
            err=True,
        )
    is_first = all(job.state is JobState.PLANNED for job in read_jobs(run.folder))
    if is_first and not chosen["yes"] and is_terminal(sys.stdin, sys.stdout, sys.stderr):
        where = _place(destination, report["object"])
        if not click.confirm(printable(f"Send {rows:,} rows to {destination.target}, {where}?"), err=True):
            raise Declined(f"Nothing was sent; prep resume {quoted(run.path)} carries on")


def _place(destination: "Destination", into: str) -> str:
    """Where in the instance the rows go, for the question before the first upload."""
    from prep.objects import LEADS, parse_object

    if into != str(LEADS):
        return "as " + parse_object(into).rows(destination.program_id, destination.program_status)
    static_list = destination.list_name or destination.list_id
    where = f"list {static_list}" if static_list else "no list"
    return f"{where}, partition {destination.partition_name}" if destination.partition_name else where


def refuse(run: "Run", chosen: Mapping[str, Any], limit: Limit) -> int:
    """Answer for a run that is not sent, by `prep resume` neither, because too many rows were rejected.

    What was sent of it before, and is unknown or under way, decides about the exit code all the same.
    """
    from prep.pipeline import withhold
    from prep.report import build_report

    withhold(run, limit.text)
    is_open = build_report(run.folder)["exit_code"] in {EXIT_RUNNING, EXIT_UNKNOWN}
    code = None if is_open else EXIT_WITH_REJECTS
    return answer(run, chosen, exit_code=code, note=limit.refusal(run.counts))


def answer(
    run: "Run",
    chosen: Mapping[str, Any],
    *,
    exit_code: int | None = None,
    note: str = "",
    waited: bool = False,
    more: Mapping[str, Any] | None = None,
) -> int:
    """Print a run's numbers as text and, if asked, as JSON.

    Args:
        run: The run.
        chosen: The command's parameters.
        exit_code: The exit code, if it is not the one that the numbers mean.
        note: What the numbers alone do not tell.
        waited: The command sent and waited as long as it was to, and nobody refused anything.
        more: What the JSON answer has besides.

    Returns:
        The exit code.
    """
    from prep.report import build_report, summarise, write_report

    report = build_report(run.folder, allow_rejects=chosen.get("allow_rejects", False))
    if exit_code is not None:
        report["exit_code"] = exit_code
    elif waited and report["exit_code"] == EXIT_STOPPED:
        report["exit_code"], note = EXIT_RUNNING, _BUSY
    write_report(run.folder, report)
    if not chosen.get("quiet"):
        show(*summarise(report, os.fspath(run.path), note), err=chosen["as_json"])
    if chosen["as_json"]:
        say_json({**report, **(more or {}), **why_stopped(report["exit_code"], os.fspath(run.path))})
    code: int = report["exit_code"]
    return code


def why_stopped(exit_code: int, folder: str) -> dict[str, Any]:
    """What the JSON answer has besides where uploads are left to be sent and nothing is running."""
    if exit_code != EXIT_STOPPED:
        return {}
    error = TransientError(
        f"{folder}: sending stopped before the last upload, and nothing is running",
        code="sending_stopped",
        hint=f"prep resume {quoted(folder)} carries on.",
        source=folder,
    )
    return {"error": error.facts}


def begin(folder: Path | None = None) -> None:
    """Say that work begins, after polars was imported; note the run folder that is worked on.

    Polars handles Ctrl-C in such a way that the system takes up a read again which it interrupted: nobody
    would get out of the question, or out of a pipe that nothing comes from.
    """
    signal.siginterrupt(signal.SIGINT, True)
    situation().folder = folder


def open_run(path: Path) -> "Run":
    """Open a run folder that was cleaned.

    Raises:
        FolderError: It is no run folder, is damaged, or its cleaning was interrupted.
    """
    from prep.pipeline import Run

    begin(path)
    return Run.open(path)
