"""What `submit` and `reconcile` share: the look before the first byte, and what is written afterwards."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import Final

from prep.config import Destination
from prep.errors import FolderError, MarketoError, SettingsError, TransientError
from prep.folder import RunFolder
from prep.jobs import ask_again, fetch_files
from prep.ledger import Ledger
from prep.listening import shielded
from prep.manifest import Manifest
from prep.marketo import Marketo
from prep.model import Exchange, Job, JobState, JobStatus
from prep.objects import ImportObject
from prep.preflight import check_destination, check_fields, find_destination
from prep.report import has_begun, read_jobs, write_report
from prep.settlement import find_doubts, find_missing, keep_files, open_ledger, settle_rows

_OUTAGE: Final = 3
"""Jobs in a row of which no answer is had, after which none is expected."""


def refuse_no_client(given: object) -> None:
    """Refuse what cannot ask Marketo, such as nothing, or a sandbox, before anything is looked at.

    Raises:
        SettingsError: It is no client.
    """
    if not isinstance(given, Marketo):
        raise SettingsError(
            f"what was given as a client is of type {type(given).__name__}",
            code="not_a_client",
            hint="Give prep.Marketo.from_settings(), or prep.Marketo(sandbox.url, client_id, client_secret).",
        )


def prepare_sending(
    folder: RunFolder, manifest: Manifest, client: Marketo, wanted: Destination | None
) -> Manifest:
    """What the folder is to know before the first byte is sent; later on that stays as it is."""
    has_sent = has_begun(folder)
    is_bound = has_sent or manifest.is_restore
    destination = find_destination(manifest.destination, client, wanted, is_bound=is_bound)
    if manifest.is_restore and not has_sent:
        _refuse_early(folder, manifest)
    ready = replace(manifest, goal="run", destination=destination, max_rejected=None)
    if has_sent or not manifest.results.chunks:
        return ready
    destination.refuse_misfit(manifest.into)
    destination, findings = check_destination(client, destination)
    findings += check_fields(folder, manifest, client, destination.target)
    return replace(ready, destination=destination, preflight=tuple(map(asdict, findings)))


def _refuse_early(folder: RunFolder, manifest: Manifest) -> None:
    """A way back is sent once: before the import it would put nothing back, and after it send nothing.

    Raises:
        FolderError: It lies in the folder of its run, of which nothing was sent.
    """
    run = RunFolder(folder.home)
    try:
        is_early = run.manifest().run_id == manifest.parent_run_id and not has_begun(run)
    except FolderError:
        return
    if is_early:
        raise FolderError(
            f"{folder.path}: nothing of {run.path} was sent yet, so there is nothing to put back",
            code="nothing_to_put_back",
            hint=f"prep submit {run.typed} sends it. If its rows came into Marketo in another way, move the "
            "way back out of that folder and submit it from there.",
            source=str(folder.path),
        )


def check_chunks(folder: RunFolder, manifest: Manifest) -> None:
    """Refuse to send any upload file while one that is still to be sent is not what cleaning wrote.

    Raises:
        FolderError: One is missing or changed.
    """
    given = {job.chunk for job in read_jobs(folder) if job.state is not JobState.PLANNED}
    for chunk in manifest.results.chunks:
        if chunk.file not in given:
            folder.read_chunk(chunk)


@contextmanager
def noting(client: Marketo, note: Callable[[Exchange], None]) -> Iterator[None]:
    """Take note of every call that the client makes meanwhile, before whoever listened to it is told."""
    before = client.on_exchange
    tell = shielded(before, "on_exchange")

    def both(exchange: Exchange) -> None:
        note(exchange)
        tell(exchange)

    client.on_exchange = both
    try:
        yield
    finally:
        client.on_exchange = before


@contextmanager
def recording(folder: RunFolder, manifest: Manifest, client: Marketo) -> Iterator[Ledger]:
    """The ledger of a run, which takes note of every call that the client makes meanwhile."""
    with open_ledger(folder, manifest) as ledger, noting(client, ledger.note):
        yield ledger


def finisher(folder: RunFolder, manifest: Manifest, ledger: Ledger) -> Callable[[Job, bytes, bytes], None]:
    """What is done with a finished job: its files are kept, and it is unknown if they leave doubts."""
    chunks = {chunk.file: chunk for chunk in manifest.results.chunks}

    def finish(job: Job, failures: bytes, warnings: bytes) -> None:
        chunk, files = chunks[job.chunk], (failures, warnings)
        doubts = find_doubts(folder, manifest, chunk, job, files)
        keep_files(folder, manifest, chunk, job, files, doubts=doubts)
        if doubts.failures and not job.assumed:
            ledger.unknown(job.chunk, doubts.failures)

    return finish


@contextmanager
def writing_down(folder: RunFolder, manifest: Manifest, ledger: Ledger) -> Iterator[None]:
    """Write down all that is known when the block ends; an error that ended it is told before one of that."""
    try:
        yield
    except BaseException:
        with suppress(FolderError, OSError):
            write_down(folder, manifest, ledger.jobs())
        raise
    write_down(folder, manifest, ledger.jobs())


def write_down(folder: RunFolder, manifest: Manifest, jobs: Sequence[Job]) -> None:
    """Write down all that is known, the report even where a table for people cannot be made."""
    try:
        settle_rows(folder, manifest, jobs)
    finally:
        write_report(folder)


def take_answers(folder: RunFolder, manifest: Manifest, ledger: Ledger, client: Marketo) -> None:
    """Take in what Marketo says now of unknown jobs, then of finished ones, where it leaves no doubt.

    The files are in place before the ledger says so: whoever is interrupted in between asks once more. Where
    doubts were left before and a file is gone, one with doubts takes its place.

    Raises:
        MarketoError: Marketo refuses to tell of a job, such as one whose batch id has expired, or its answer
            cannot be had now; it was asked about all others, unless it gave none to several in a row.
    """
    refusal: MarketoError | None = None
    in_vain = 0
    missing = find_missing(folder, ledger.jobs())
    chunks = {chunk.file: chunk for chunk in manifest.results.chunks}
    for job in sorted(ledger.jobs(), key=lambda job: job.state is not JobState.UNKNOWN):
        try:
            answer = _answer(ledger, client, job, manifest.into)
        except MarketoError as error:
            refusal = refusal or error
            in_vain = in_vain + 1 if isinstance(error, TransientError) else 0
            if in_vain == _OUTAGE:
                break
            continue
        if answer is None:
            continue
        in_vain = 0
        told, files = answer
        chunk = chunks[job.chunk]
        doubts = find_doubts(folder, manifest, chunk, told, files)
        was_doubtful = job.state is JobState.UNKNOWN or job.assumed
        if doubts.failures and not (was_doubtful and job.chunk in missing):
            continue
        keep_files(folder, manifest, chunk, told, files, doubts=doubts)
        if job.state is JobState.UNKNOWN and not doubts.failures:
            ledger.resolved(told)
    if refusal is not None:
        raise refusal


def _answer(
    ledger: Ledger, client: Marketo, job: Job, of: ImportObject
) -> tuple[Job, tuple[bytes, bytes]] | None:
    """A job with its failure and its warning file, as far as there is anything to be had."""
    if job.state is JobState.UNKNOWN:
        return ask_again(ledger, client, job)
    if job.state is JobState.RECONCILED and job.status is JobStatus.COMPLETE:
        return job, fetch_files(client, job, of)
    return None
