"""Chunks become Marketo jobs, each once, and each finished job is handed on with its files.

The ledger is right at every moment: the intent is on the disk before a chunk goes out, the batch id
before anything else happens, and a job counts as reconciled only after its files were dealt with.
So a run can end anywhere, by any means, and the next `run_jobs` carries on.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, TypeVar

from prep.errors import (
    FolderError,
    MarketoError,
    OutcomeUnknownError,
    SettingsError,
    TerminalError,
    TransientError,
)
from prep.interrupts import HeldInterrupts
from prep.ledger import Ledger
from prep.limits import (
    BATCH_ID_DAYS,
    CALL_WINDOW_SECONDS,
    JOBS_QUEUED,
    JOBS_RUNNING,
    OWN_CALLS_PER_WINDOW,
    POLL_SECONDS,
)
from prep.marketo.codes import QUEUE_IS_BUSY, UNKNOWN_BATCH
from prep.model import Job, JobState, JobStatus
from prep.objects import ImportObject, Target, parse_object

if TYPE_CHECKING:
    from prep.marketo import Marketo

_Job = TypeVar("_Job")

_BATCH_ID_SECONDS: Final = BATCH_ID_DAYS * 24 * 60 * 60
_PAUSE_GROWTH: Final = 1.25
_UNCLEAR_IN_A_ROW: Final = 3
DENIALS: Final = 3
"""Looks in a row after which it is believed that a batch id is not known: a gateway may have answered 404."""

_WITH_MARKETO: Final = frozenset({JobState.QUEUED, JobState.IMPORTING})
_FINISHED: Final = frozenset({JobState.COMPLETE, JobState.FAILED})
_SETTLED: Final = frozenset({JobState.RECONCILED, JobState.UNKNOWN})


@dataclass(frozen=True)
class Cost:
    """What a submission costs at the very least; Marketo's own time for the rows comes on top.

    Attributes:
        uploads: Files to send.
        calls: API calls, when each job is found finished at the first look.
        seconds: Pauses between looks at the queue, or the rate limit where that is slower.
    """

    uploads: int
    calls: int
    seconds: float


def estimate(
    uploads: int,
    *,
    one_at_a_time: bool,
    queue_slots: int,
    poll_seconds: tuple[float, float],
) -> Cost:
    """Tell what it takes at least to import so many files.

    Args:
        uploads: Files to send.
        one_at_a_time: They go to a static list.
        queue_slots: Places of the import queue that may be used.
        poll_seconds: Shortest and longest pause between two looks.
    """
    calls = 2 * uploads
    looks = math.ceil(uploads / (1 if one_at_a_time else queue_slots))
    windows = max(0, math.ceil(calls / OWN_CALLS_PER_WINDOW) - 1)
    return Cost(uploads, calls, max(looks * poll_seconds[0], windows * CALL_WINDOW_SECONDS))


def run_jobs(
    ledger: Ledger,
    client: "Marketo",
    read_chunk: Callable[[str], bytes],
    *,
    on_finished: Callable[[Job, bytes, bytes], None],
    on_progress: Callable[[tuple[Job, ...]], None] = lambda _: None,
    queue_slots: int = JOBS_QUEUED,
    wait: bool = True,
    timeout_seconds: float | None = None,
    poll_seconds: tuple[float, float] = POLL_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Send every planned chunk, wait for the jobs, and hand each on as it finishes.

    A chunk whose upload got no clear answer becomes unknown and the others go on; after three of them in
    a row nothing more is sent. When Marketo refuses an upload, that chunk stays planned, nothing
    more is sent, and the error is raised once the jobs that are under way are finished. When Marketo answers,
    but does not tell of one job, or does not give the files of a finished one, the others go on; when they
    are done it is asked once more, and if that is in vain, the job stays as it is and the error is raised.

    Args:
        ledger: Holds the target and the planned chunks.
        client: Of that target.
        read_chunk: Returns the bytes of a chunk's file, or raises if they are not what was planned.
        on_finished: Takes a complete or failed job, its failure file and its warning file, both empty if
            there is none. The job is reconciled when this returns, unless it declared the job unknown.
            After a crash it can be called again for the same job.
        on_progress: Takes all jobs after each change, and when Marketo processed more rows of one.
        queue_slots: Places of Marketo's import queue that may be used. A static list takes one job at a time.
        wait: Stay until all jobs are finished; otherwise fill the queue once.
        timeout_seconds: Longest stay.
        poll_seconds: Shortest and longest pause between two looks; it grows while nothing changes.
        clock: Monotonic seconds.
        sleep: Waits for a number of seconds.

    Returns:
        Whether everything is settled: each chunk reconciled or unknown. If not, jobs are still running
        or chunks still planned, and a later call carries on.

    Raises:
        MarketoError: Marketo refused an upload, or could not be asked.
        OutcomeUnknownError: A batch id could not be written down.
        FolderError: The ledger has no target, or cannot be written.
        SettingsError: The slots or the pauses make no sense.
    """
    _check(queue_slots, poll_seconds)
    scheduler = _Scheduler(
        ledger,
        client,
        read_chunk,
        on_finished=on_finished,
        on_progress=on_progress,
        queue_slots=queue_slots,
        poll_seconds=poll_seconds,
        clock=clock,
        sleep=sleep,
    )
    return scheduler.run(wait=wait, timeout_seconds=math.inf if timeout_seconds is None else timeout_seconds)


def fetch_files(client: "Marketo", job: Job, of: ImportObject) -> tuple[bytes, bytes]:
    """Return the failure file and the warning file of a finished job, empty where nothing was counted.

    Args:
        client: The instance that has the job.
        job: The job.
        of: What its rows become.

    Raises:
        TerminalError: With code `unknown_batch` when Marketo does not know the job any more.
        MarketoError: Marketo refuses or cannot be reached.
    """
    if job.batch_id is None or job.status is JobStatus.FAILED:
        return b"", b""
    failures = b"" if job.failed == 0 else client.failures(job.batch_id, of)
    warnings = b"" if job.warned == 0 else client.warnings(job.batch_id, of)
    return failures, warnings


def ask_again(ledger: Ledger, client: "Marketo", job: Job) -> tuple[Job, tuple[bytes, bytes]] | None:
    """Ask Marketo once more about a job whose outcome is unknown; the ledger stays as it is.

    Returns:
        The job with Marketo's final word, and its failure and its warning file. None when there is no batch
        id, or when Marketo does not know the job, or no longer, or has not finished it.

    Raises:
        MarketoError: Marketo refuses or cannot be reached.
    """
    if job.batch_id is None:
        return None
    try:
        of = parse_object(_target(ledger).object)
        record = client.job(job.batch_id, of)
        if record.status not in {JobStatus.COMPLETE, JobStatus.FAILED}:
            return None
        told = replace(
            job,
            status=record.status,
            processed=record.processed,
            failed=record.failed,
            warned=record.warned,
            message=record.message,
        )
        return told, fetch_files(client, told, of)
    except TerminalError as error:
        if error.code != UNKNOWN_BATCH:
            raise
        return None


def are_settled(jobs: Iterable[Job]) -> bool:
    """Tell whether nothing is left to send, to wait for or to fetch."""
    return all(job.state in _SETTLED for job in jobs)


def declare_crashed(ledger: Ledger) -> bool:
    """Whatever was about to be sent when an earlier process ended may have been sent: it is unknown.

    Returns:
        Whether there was any such chunk.
    """
    crashed = [job for job in ledger.jobs() if job.state is JobState.INTENDED]
    for job in crashed:
        ledger.unknown(job.chunk, "prep ended before Marketo's answer was written down")
    return bool(crashed)


def oldest_and_one(jobs: Sequence[_Job], turn: int) -> list[_Job]:
    """Of jobs in the order of the queue, those that Marketo works on, and one of the others in turn."""
    oldest, others = jobs[:JOBS_RUNNING], jobs[JOBS_RUNNING:]
    return [*oldest, others[turn % len(others)]] if others else list(oldest)


class _Scheduler:
    """One stay with Marketo's queue. All that must survive it is in the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        client: "Marketo",
        read_chunk: Callable[[str], bytes],
        *,
        on_finished: Callable[[Job, bytes, bytes], None],
        on_progress: Callable[[tuple[Job, ...]], None],
        queue_slots: int,
        poll_seconds: tuple[float, float],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._ledger = ledger
        self._target = _target(ledger)
        self._object = parse_object(self._target.object)
        self._client = client
        self._read_chunk = read_chunk
        self._on_finished = on_finished
        self._on_progress = on_progress
        self._slots = 1 if self._target.list_id is not None else queue_slots
        self._shortest_pause, self._longest_pause = poll_seconds
        self._clock = clock
        self._sleep = sleep
        self._interrupts = HeldInterrupts()
        self._refusal: MarketoError | None = None
        self._withheld: dict[str, MarketoError] = {}
        self._recalled = set[str]()
        self._denials = Counter[str]()
        self._denied = set[str]()
        self._waits = True
        self._unclear_in_a_row = 0
        self._is_busy = False
        self._untold: MarketoError | None = None
        self._pause_seconds = 0.0
        self._turns = count()
        self._has_changed = True

    def run(self, *, wait: bool, timeout_seconds: float) -> bool:
        deadline = self._clock() + timeout_seconds
        self._waits = wait
        self._declare_crashed()
        while True:
            self._look_around()
            self._fill_queue()
            again = set() if self._is_worth_waiting() else self._withheld.keys() - self._recalled
            if not (wait and (again or self._is_worth_waiting())) or not self._pause(deadline):
                break
            self._recall(again)
        for error in (self._refusal, *self._withheld.values()):
            if error is not None:
                raise error
        return are_settled(self._ledger.jobs())

    def _declare_crashed(self) -> None:
        if declare_crashed(self._ledger):
            self._changed()

    def _is_worth_waiting(self) -> bool:
        waited_for = self._waited_for()
        stuck = len(self._jobs_in(_WITH_MARKETO)) - len(waited_for)
        may_send = self._refusal is None and stuck < self._slots
        return bool(waited_for) or (may_send and bool(self._jobs_in({JobState.PLANNED})))

    def _waited_for(self) -> list[Job]:
        """The jobs that are with Marketo, but for those that it does not tell of this time."""
        return [job for job in self._jobs_in(_WITH_MARKETO) if job.chunk not in self._withheld]

    def _pause(self, deadline: float) -> bool:
        """Wait until the next look is due; False when the time is up."""
        longer = min(max(self._pause_seconds * _PAUSE_GROWTH, self._shortest_pause), self._longest_pause)
        self._pause_seconds = self._shortest_pause if self._has_changed else longer
        self._has_changed = False
        left = deadline - self._clock()
        if left <= 0:
            return False
        seconds = min(self._pause_seconds, left)
        if self._untold is not None:
            self._client.on_wait(self._untold, seconds)
            self._untold = None
        self._sleep(seconds)
        return True

    def _look_around(self) -> None:
        """Look at the jobs that are being processed, hand on what is finished, until nothing more is."""
        self._denied.clear()
        try:
            self._hand_on()
            while any([self._look_at(job) for job in self._due()]):  # noqa: C419  # all of them
                self._hand_on()
        except MarketoError:
            if self._refusal is not None:
                raise self._refusal from None
            raise

    def _due(self) -> list[Job]:
        """The jobs to look at: all at first, then the oldest, and one more in turn while nothing moves.

        The queue is first in, first out, and so many are processed at once: only these should have moved. But
        those that seem to be stuck must not hide that others are done. One that was denied is left to the
        next time: a gateway that is in trouble says the same once more.
        """
        jobs = sorted(self._waited_for(), key=lambda job: job.queued_at or 0.0)
        jobs = [job for job in jobs if job.chunk not in self._denied]
        if not self._pause_seconds:
            return jobs
        if self._pause_seconds < self._longest_pause:
            return jobs[:JOBS_RUNNING]
        return oldest_and_one(jobs, next(self._turns))

    def _look_at(self, job: Job) -> bool:
        """Ask Marketo about a job; True when it is not waiting any more."""
        try:
            record = self._client.job(_batch_id(job), self._object)
        except MarketoError as error:
            if error.code != UNKNOWN_BATCH:
                self._withhold(job, error)
                return False
            is_old = self._ledger.age_seconds(job) > _BATCH_ID_SECONDS
            self._denials[job.chunk] += 1
            self._denied.add(job.chunk)
            if self._waits and not (is_old or job.assumed) and self._denials[job.chunk] < DENIALS:
                return False
            too_old = f"batch {job.batch_id} is older than {BATCH_ID_DAYS} days: Marketo keeps no outcome"
            self._lose(job, too_old if is_old else error.message)
            return True
        del self._denials[job.chunk]
        self._ledger.observed(
            job.chunk,
            record.status,
            processed=record.processed,
            failed=record.failed,
            warned=record.warned,
            message=record.message,
        )
        now = self._ledger.job(job.chunk)
        if now.state is not job.state:
            self._changed()
        elif now != job:
            self._on_progress(self._ledger.jobs())
        return record.status in {JobStatus.COMPLETE, JobStatus.FAILED}

    def _withhold(self, job: Job, error: MarketoError) -> None:
        """Leave a job that Marketo does not tell of until all others are done, so that it holds up none.

        Raises:
            MarketoError: Marketo does not tell of another job either, or there is none to ask about.
        """
        others = [other for other in self._ledger.jobs() if other.batch_id not in {None, job.batch_id}]
        others = [other for other in others if other.chunk not in self._withheld]
        if not others:
            raise error
        try:
            self._client.job(_batch_id(others[-1]), self._object)
        except MarketoError as again:
            if again.code != UNKNOWN_BATCH:
                raise error from None
        self._withheld[job.chunk] = error

    def _recall(self, chunks: Iterable[str]) -> None:
        """Give jobs that were withheld another chance, each once, when there is nothing else to wait for."""
        for chunk in chunks:
            del self._withheld[chunk]
            self._recalled.add(chunk)

    def _lose(self, job: Job, why: str) -> None:
        """Nobody can tell what became of a job, unless a person did."""
        if job.assumed:
            self._ledger.presumed(job.chunk)
        else:
            self._ledger.unknown(job.chunk, why)
        self._changed()

    def _hand_on(self) -> None:
        """Give each finished job to whoever settles its rows, unless its files cannot be had this time."""
        for job in self._jobs_in(_FINISHED):
            if job.chunk in self._withheld:
                continue
            try:
                files = self._files(job)
            except MarketoError as error:
                self._withheld[job.chunk] = error
                self._refuse_outage(job)
                continue
            if files is not None:
                self._on_finished(job, *files)
                if self._ledger.job(job.chunk).state is job.state:
                    self._ledger.reconciled(job.chunk)
            self._changed()

    def _refuse_outage(self, job: Job) -> None:
        """See that Marketo answers otherwise: what is sent into an outage may be with it or not.

        Raises:
            TransientError: It does not.
        """
        with suppress(TerminalError):
            self._client.job(_batch_id(job), self._object)

    def _files(self, job: Job) -> tuple[bytes, bytes] | None:
        """Fetch a finished job's files; None when they are gone, which makes the job unknown."""
        try:
            return fetch_files(self._client, job, self._object)
        except TerminalError as error:
            if error.code != UNKNOWN_BATCH:
                raise
            if job.assumed:
                return b"", b""
            self._ledger.unknown(job.chunk, error.message)
            return None

    def _fill_queue(self) -> None:
        while (job := self._next_to_send()) is not None and self._send(job):
            self._changed()

    def _next_to_send(self) -> Job | None:
        is_full = len(self._jobs_in(_WITH_MARKETO)) >= self._slots
        if is_full or self._refusal is not None:
            return None
        return next(iter(self._jobs_in({JobState.PLANNED})), None)

    def _send(self, job: Job) -> bool:
        """Send a chunk; True when the next one may follow at once, without another look at the queue."""
        content = self._read_chunk(job.chunk)
        with self._interrupts:
            try:
                batch_id = self._post(job.chunk, content)
            except OutcomeUnknownError as error:
                self._ledger.unknown(job.chunk, error.message)
                self._count_unclear()
                self._changed()
            except MarketoError as error:
                if error.code not in QUEUE_IS_BUSY:
                    self._refusal = error
                elif not self._is_busy:
                    self._is_busy, self._untold = True, error
            except BaseException:
                self._declare_crashed()
                raise
            else:
                self._write_down(job.chunk, batch_id)
                self._unclear_in_a_row = 0
                self._is_busy = False
                return True
        return False

    def _post(self, chunk: str, content: bytes) -> int:
        def announce() -> None:
            self._interrupts.hold()
            self._ledger.intend(chunk)

        def withdraw() -> None:
            self._ledger.refused(chunk)
            self._interrupts.release()

        others = {job.batch_id: job.chunk for job in self._ledger.jobs()}
        name = PurePosixPath(chunk).name
        batch_id = self._client.import_file(name, content, self._target, announce=announce, withdraw=withdraw)
        if batch_id in others:
            raise OutcomeUnknownError(
                f"the answer names batch {batch_id}, which is the import of {others[batch_id]}",
                code="repeated_batch",
            )
        return batch_id

    def _write_down(self, chunk: str, batch_id: int) -> None:
        try:
            self._ledger.queued(chunk, batch_id)
        except FolderError as error:
            raise OutcomeUnknownError(
                f"{chunk} is with Marketo as batch {batch_id}, but that cannot be written down",
                code="unwritten_batch",
                hint=f"{error.hint} Then `prep resume DIR --assume landed {PurePosixPath(chunk).name} "
                f"--batch-id {batch_id}`.",
            ) from error

    def _count_unclear(self) -> None:
        self._unclear_in_a_row += 1
        if self._unclear_in_a_row >= _UNCLEAR_IN_A_ROW:
            self._refusal = TransientError(
                f"{self._unclear_in_a_row} uploads in a row got no clear answer; no more were tried",
                code="unclear_uploads",
                hint="Find out what stands between here and Marketo, then `prep resume DIR` sends the rest.",
            )

    def _jobs_in(self, states: Iterable[JobState]) -> list[Job]:
        return [job for job in self._ledger.jobs() if job.state in states]

    def _changed(self) -> None:
        self._has_changed = True
        self._on_progress(self._ledger.jobs())


def _check(queue_slots: int, poll_seconds: tuple[float, float]) -> None:
    if not 1 <= queue_slots <= JOBS_QUEUED:
        raise SettingsError(
            f"{queue_slots} queue slots are not possible",
            code="bad_queue_slots",
            hint=f"Marketo's queue holds {JOBS_QUEUED}: use 1 to {JOBS_QUEUED}.",
        )
    if not 0 < poll_seconds[0] <= poll_seconds[1]:
        raise SettingsError(
            f"pauses from {poll_seconds[0]:g} to {poll_seconds[1]:g} seconds are not possible",
            code="bad_poll_seconds",
            hint="The shortest pause is above zero and not above the longest.",
        )


def _target(ledger: Ledger) -> Target:
    if (target := ledger.target) is None:
        raise FolderError(f"{ledger.path}: the run folder has no target yet", code="no_target")
    return target


def _batch_id(job: Job) -> int:
    if job.batch_id is None:
        raise FolderError(f"{job.chunk} is with Marketo, but without a batch id", code="damaged_ledger")
    return job.batch_id
