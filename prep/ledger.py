"""The ledger: where each chunk stands with Marketo, durable before anyone acts on it.

Each public verb of `Ledger` is one transition in one transaction that is on the disk when the verb returns.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from prep.errors import FolderError
from prep.ledger_file import LedgerFile
from prep.model import Assumption, Chunk, Exchange, Format, Job, JobState, JobStatus
from prep.objects import Target

VERBS: Final[dict[str, frozenset[JobState]]] = {
    "intend": frozenset({JobState.PLANNED}),
    "refused": frozenset({JobState.INTENDED}),
    "queued": frozenset({JobState.INTENDED}),
    "observed": frozenset({JobState.QUEUED, JobState.IMPORTING}),
    "unknown": frozenset({JobState.INTENDED, JobState.QUEUED, JobState.IMPORTING, JobState.COMPLETE}),
    "settle": frozenset({JobState.UNKNOWN}),
    "presumed": frozenset({JobState.QUEUED, JobState.IMPORTING}),
    "resolved": frozenset({JobState.UNKNOWN}),
    "reconciled": frozenset({JobState.COMPLETE, JobState.FAILED}),
}
"""The states in which each verb of `Ledger` applies; in any other it is refused.
Out of `unknown` lead only `settle`, a person's decision, and `resolved`, Marketo's full answer to a batch id
that was known all along. Nothing leads out of `reconciled`."""

_STATES: Final = {
    JobStatus.IMPORTING: JobState.IMPORTING,
    JobStatus.COMPLETE: JobState.COMPLETE,
    JobStatus.FAILED: JobState.FAILED,
}
ASSUMED: Final = "assumed landed"
"""Message of a job that only a person's word calls complete, and of rows that it alone calls imported."""

_JOB_COLUMNS: Final = ", ".join(field.name for field in fields(Job))
_CHUNK_COLUMNS: Final = ", ".join("chunk" if field.name == "file" else field.name for field in fields(Chunk))
_TARGET_COLUMNS: Final = ", ".join(field.name for field in fields(Target))


@dataclass(frozen=True)
class Transition:
    """That a chunk entered a state, and when, in seconds since the epoch."""

    chunk: str
    state: JobState
    at: float


class Ledger:
    """The ledger of one run folder; use it as a context manager.

    Args:
        path: An existing ledger.
        clock: Seconds since the epoch.

    Raises:
        FolderError: With code `missing_ledger`, or `damaged_ledger` when it cannot be trusted.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._noted: list[Exchange] = []
        self._file = LedgerFile(path)

    @classmethod
    def create(cls, path: Path, *, clock: Callable[[], float] = time.time) -> Self:
        """Make an empty ledger that only its owner can read.

        Raises:
            FolderError: There is a ledger already, code `ledger_exists`, or it cannot be written.
        """
        LedgerFile.create(path)
        return cls(path, clock=clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with suppress(FolderError) if kind else nullcontext():  # an error that came first is told first
            self.close()

    def close(self) -> None:
        """Write what was noted and close the file; closing twice does no harm."""
        try:
            self.flush()
        finally:
            self._file.close()

    @property
    def target(self) -> Target | None:
        """The folder's target, once it was set."""
        for host, list_id, partition_name, file_format, *others in self._file.rows(
            f"SELECT {_TARGET_COLUMNS} FROM target"  # noqa: S608
        ):
            return Target(host, list_id, partition_name, Format(file_format), *others)
        return None

    @property
    def has_begun(self) -> bool:
        """Whether any chunk was ever about to be sent, refused ones included."""
        return bool(self._file.rows("SELECT 1 FROM transitions WHERE state != 'planned' LIMIT 1"))

    def aim(self, target: Target) -> None:
        """Set the folder's target; setting the same one again changes nothing.

        As long as no chunk was about to be sent, the folder belongs to nobody and can be aimed elsewhere.

        Raises:
            FolderError: The folder belongs to another target, code `other_target`.
        """
        known = self.target
        if known == target:
            return
        if known is not None and self.has_begun:
            raise _other_target(known, target)
        with self._transaction() as database:
            database.execute("DELETE FROM target")
            database.execute(
                f"INSERT INTO target ({_TARGET_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                astuple(target),
            )

    def plan(self, chunks: Iterable[Chunk]) -> None:
        """Enter the run's chunks in the order in which they will be sent; the same ones again change nothing.

        Raises:
            FolderError: The ledger holds other chunks, code `other_chunks`.
        """
        wanted = tuple(chunks)
        known = self.chunks()
        if known and known != wanted:
            raise FolderError(
                f"{self.path}: the ledger holds {len(known)} chunks and not the run's {len(wanted)}",
                code="other_chunks",
                hint="Something altered the run folder: restore manifest.json from a backup. "
                "Do not send the rows by another run: they may be in Marketo.",
            )
        if not known:
            with self._transaction() as database:
                database.executemany(
                    f"INSERT INTO jobs ({_CHUNK_COLUMNS}, state) VALUES (?, ?, ?, ?, 'planned')",  # noqa: S608
                    [astuple(chunk) for chunk in wanted],
                )
                for chunk in wanted:
                    self._enter(chunk.file, JobState.PLANNED)

    def chunks(self) -> tuple[Chunk, ...]:
        """Return the planned chunks in sending order."""
        rows = self._file.rows(f"SELECT {_CHUNK_COLUMNS} FROM jobs ORDER BY ordinal")  # noqa: S608
        return tuple(Chunk(*row) for row in rows)

    def jobs(self) -> tuple[Job, ...]:
        """Return the job of every chunk, in sending order."""
        rows = self._file.rows(f"SELECT {_JOB_COLUMNS} FROM jobs ORDER BY ordinal")  # noqa: S608
        return tuple(_job(row) for row in rows)

    def job(self, chunk: str) -> Job:
        """Return the job of one chunk.

        Raises:
            FolderError: There is no such chunk, code `no_such_chunk`.
        """
        for row in self._file.rows(f"SELECT {_JOB_COLUMNS} FROM jobs WHERE chunk = ?", chunk):  # noqa: S608
            return _job(row)
        raise FolderError(
            f"{self.path}: there is no chunk {chunk!r}",
            code="no_such_chunk",
            hint="`prep status` lists the chunks.",
        )

    def intend(self, chunk: str) -> None:
        """Say that the chunk is about to be sent."""
        self._move("intend", chunk, JobState.INTENDED)

    def refused(self, chunk: str) -> None:
        """Say that the chunk provably was not taken: it can be sent again."""
        self._move("refused", chunk, JobState.PLANNED)

    def queued(self, chunk: str, batch_id: int) -> None:
        """Say that Marketo took the chunk, under this batch id."""
        self._move(
            "queued",
            chunk,
            JobState.QUEUED,
            batch_id=batch_id,
            status=JobStatus.QUEUED,
            message="",
            queued_at=self._clock(),
        )

    def observed(
        self,
        chunk: str,
        status: JobStatus,
        *,
        processed: int | None = None,
        failed: int | None = None,
        warned: int | None = None,
        message: str = "",
    ) -> None:
        """Record what Marketo says of a job that is with it; `Queued` is no news."""
        facts = {"processed": processed, "failed": failed, "warned": warned, "message": message}
        state = _STATES.get(status)
        if state is None:
            self._move("observed", chunk, self.job(chunk).state, **facts)
        else:
            self._move("observed", chunk, state, status=status, **facts)

    def unknown(self, chunk: str, why: str) -> None:
        """Say that nobody can tell what became of the chunk; `why` becomes the job's message."""
        self._move("unknown", chunk, JobState.UNKNOWN, message=why)

    def settle(self, chunk: str, decision: Assumption, *, batch_id: int | None = None) -> None:
        """Carry out a person's decision on an unknown chunk.

        `lost` makes it ready to be sent again. `landed` without any batch id makes the job complete as it
        stands. With an id that was not known before, the job is like any other and can become unknown again,
        because the person said where it is and not what became of it. With the id that was known,
        Marketo is asked once more for what can be had, and the rest is as the person said.

        Raises:
            FolderError: The batch id is that of another chunk, code `other_chunks_batch`.
        """
        others = {job.batch_id: job.chunk for job in self.jobs() if job.chunk != chunk}
        if batch_id is not None and batch_id in others:
            raise FolderError(
                f"batch {batch_id} is the import of {others[batch_id]}, not of {chunk}",
                code="other_chunks_batch",
                hint="Look in Marketo for the import of this file; `prep status` lists the known ids.",
            )
        known = self.job(chunk).batch_id
        asked_again = batch_id in {None, known}
        known_id = batch_id or known
        blank = dict.fromkeys(("status", "processed", "failed", "warned", "queued_at"))
        if decision == "lost":
            self._move("settle", chunk, JobState.PLANNED, **blank, batch_id=None, message="", assumed=False)
        elif known_id is None:
            self._move("settle", chunk, JobState.COMPLETE, **blank, message=ASSUMED, assumed=True)
        else:
            message = ASSUMED if asked_again else ""
            self._move(
                "settle",
                chunk,
                JobState.QUEUED,
                **blank,
                batch_id=known_id,
                message=message,
                assumed=asked_again,
            )

    def presumed(self, chunk: str) -> None:
        """Say that Marketo cannot tell of a chunk that a person declared landed: that word counts."""
        self._move("presumed", chunk, JobState.COMPLETE, message=ASSUMED)

    def resolved(self, job: Job) -> None:
        """Say that Marketo told after all what became of an unknown chunk, and that its rows are settled.

        Args:
            job: The job with Marketo's final status, counts and message.
        """
        self._move(
            "resolved",
            job.chunk,
            JobState.RECONCILED,
            status=job.status,
            processed=job.processed,
            failed=job.failed,
            warned=job.warned,
            message=job.message,
        )

    def reconciled(self, chunk: str) -> None:
        """Say that the fate of each of the chunk's rows has been settled."""
        self._move("reconciled", chunk, JobState.RECONCILED)

    def history(self) -> tuple[Transition, ...]:
        """Return all transitions, oldest first."""
        rows = self._file.rows("SELECT chunk, state, at FROM transitions ORDER BY rowid")
        return tuple(Transition(chunk, JobState(state), at) for chunk, state, at in rows)

    def age_seconds(self, job: Job) -> float:
        """Return for how long a job's batch id has existed; 0 when that is not known."""
        return 0.0 if job.queued_at is None else self._clock() - job.queued_at

    def note(self, exchange: Exchange) -> None:
        """Keep an exchange in mind; the next transition, `flush` or `close` writes it.

        Nothing is written at once, so that a batch id is on the disk before anything else.
        """
        self._noted.append(exchange)

    def flush(self) -> None:
        """Write the exchanges noted so far."""
        if self._noted:
            with self._transaction():
                pass

    def exchanges(self) -> tuple[Exchange, ...]:
        """Return all exchanges written so far, oldest first."""
        rows = self._file.rows("SELECT at, method, path, status, code, seconds FROM exchanges ORDER BY rowid")
        return tuple(Exchange(*row) for row in rows)

    def _move(self, verb: str, chunk: str, state: JobState, **facts: object) -> None:
        """Bring a chunk into a state, with its facts, if the verb applies where it stands."""
        with self._transaction() as database:
            job = self.job(chunk)
            if job.state not in VERBS[verb] or not _fits(verb, job):
                raise FolderError(
                    f"{chunk} is {job.state} in the ledger and cannot become {state}",
                    code="illegal_transition",
                )
            columns = ", ".join(f"{column} = ?" for column in ("state", *facts))
            values = (state, *facts.values(), chunk)
            database.execute(f"UPDATE jobs SET {columns} WHERE chunk = ?", values)  # noqa: S608
            if state is not job.state:
                self._enter(chunk, state)

    def _enter(self, chunk: str, state: JobState) -> None:
        self._file.database.execute("INSERT INTO transitions VALUES (?, ?, ?)", (chunk, state, self._clock()))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Make everything inside durable together, with the exchanges noted so far, or nothing of it."""
        with self._file.transaction() as database:
            yield database
            database.executemany(
                "INSERT INTO exchanges VALUES (?, ?, ?, ?, ?, ?)", [astuple(noted) for noted in self._noted]
            )
        self._noted.clear()


def _job(row: tuple[Any, ...]) -> Job:
    chunk, state, batch_id, status, processed, failed, warned, message, assumed, queued_at = row
    return Job(
        chunk,
        JobState(state),
        batch_id,
        JobStatus(status) if status else None,
        processed,
        failed,
        warned,
        message,
        bool(assumed),
        queued_at,
    )


def _fits(verb: str, job: Job) -> bool:
    """What a verb needs of a job besides its state."""
    match verb:
        case "presumed":
            return job.assumed
        case "resolved":
            return job.batch_id is not None
        case _:
            return True


def _other_target(known: Target, wanted: Target) -> FolderError:
    differences = [
        f"{field.name} {getattr(known, field.name)} and not {getattr(wanted, field.name)}"
        for field in fields(Target)
        if getattr(known, field.name) != getattr(wanted, field.name)
    ]
    return FolderError(
        f"the run folder belongs to another target: {'; '.join(differences)}",
        code="other_target",
        hint="Use the same settings as before, or clean into a new folder.",
    )
