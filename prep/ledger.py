"""The ledger: where each chunk stands with Marketo, durable before anyone acts on it.

One SQLite file in the run folder. Each public verb of `Ledger` is one transition in one transaction
that is on the disk when the verb returns. A file that cannot be trusted is refused, never read as done.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, Self

from prep.errors import FolderError
from prep.model import Chunk, Exchange, Format, Job, JobState, JobStatus
from prep.objects import Target

SCHEMA_VERSION: Final = 2
_APPLICATION_ID: Final = 0x70726570  # "prep"
_BUSY_SECONDS: Final = 5.0

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

_TABLES: Final = {
    "target": """CREATE TABLE target (
        host TEXT NOT NULL, list_id INTEGER, partition_name TEXT,
        format TEXT NOT NULL CHECK (format IN ('csv', 'tsv', 'ssv')),
        lookup_field TEXT NOT NULL, object TEXT NOT NULL, program_id INTEGER, program_status TEXT,
        only_one INTEGER NOT NULL DEFAULT 1 UNIQUE CHECK (only_one = 1)
    ) STRICT""",
    "jobs": """CREATE TABLE jobs (
        ordinal INTEGER PRIMARY KEY, chunk TEXT NOT NULL UNIQUE,
        rows INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN
            ('planned', 'intended', 'queued', 'importing', 'complete', 'failed', 'unknown', 'reconciled')),
        batch_id INTEGER,
        status TEXT CHECK (status IN ('Queued', 'Importing', 'Complete', 'Failed')),
        processed INTEGER, failed INTEGER, warned INTEGER,
        message TEXT NOT NULL DEFAULT '', assumed INTEGER NOT NULL DEFAULT 0, queued_at REAL,
        CHECK (batch_id IS NOT NULL OR state NOT IN ('queued', 'importing', 'failed'))
    ) STRICT""",
    "transitions": """CREATE TABLE transitions (
        chunk TEXT NOT NULL, state TEXT NOT NULL, at REAL NOT NULL
    ) STRICT""",
    "exchanges": """CREATE TABLE exchanges (
        at REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER, code TEXT NOT NULL,
        seconds REAL NOT NULL
    ) STRICT""",
}
_TARGET_OF_LEADS: Final = """CREATE TABLE target (
        host TEXT NOT NULL, list_id INTEGER, partition_name TEXT,
        format TEXT NOT NULL CHECK (format IN ('csv', 'tsv', 'ssv')),
        lookup_field TEXT NOT NULL, only_one INTEGER NOT NULL DEFAULT 1 UNIQUE CHECK (only_one = 1)
    ) STRICT"""
_UPGRADE: Final = (
    "ALTER TABLE target RENAME TO target_of_leads",
    _TABLES["target"],
    """INSERT INTO target (host, list_id, partition_name, format, lookup_field, object)
        SELECT host, list_id, partition_name, format, lookup_field, 'leads' FROM target_of_leads""",
    "DROP TABLE target_of_leads",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
"""What makes a ledger of version 1, when there were only leads, one of today."""

_PRIMARY_CODE: Final = 0xFF
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
    }
)
"""Primary result codes of a file that is sound but cannot be used now; any other means damage.
https://www.sqlite.org/rescode.html"""

_SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What `sqlite3` raises; the latter where its message would quote broken text."""

_STATES: Final = {
    JobStatus.IMPORTING: JobState.IMPORTING,
    JobStatus.COMPLETE: JobState.COMPLETE,
    JobStatus.FAILED: JobState.FAILED,
}
_STRAYS: Final = """SELECT
    (SELECT count(*) FROM jobs WHERE state IS NOT
        (SELECT state FROM transitions WHERE transitions.chunk = jobs.chunk ORDER BY rowid DESC LIMIT 1))
    + (SELECT count(*) FROM transitions WHERE chunk NOT IN (SELECT chunk FROM jobs))"""
_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "fullfsync = ON",  # macOS: past the drive's own cache
    "wal_autocheckpoint = 1",  # the file alone is complete, even if somebody copies it without its -wal
)
ASSUMED: Final = "assumed landed"
"""Message of a job that only a person's word calls complete."""

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
        if not path.is_file():
            raise FolderError(
                f"{path}: there is no ledger",
                code="missing_ledger",
                hint="Restore it from a copy: without it nobody can tell which chunks were sent.",
            )
        self._database = _connected(path)
        try:
            self._check()
        except BaseException:
            self._database.close()
            raise

    @classmethod
    def create(cls, path: Path, *, clock: Callable[[], float] = time.time) -> Self:
        """Make an empty ledger that only its owner can read.

        Raises:
            FolderError: There is a ledger already, code `ledger_exists`, or it cannot be written.
        """
        if path.exists():
            raise FolderError(f"{path}: there is a ledger already", code="ledger_exists")
        unborn = path.with_name(f".{path.name}.new")
        try:
            unborn.unlink(missing_ok=True)
            os.close(os.open(unborn, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            _lay_out(unborn)
            unborn.replace(path)
            _sync_folder(path.parent)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from None
        return cls(path, clock=clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what was noted and close the file; closing twice does no harm."""
        try:
            self.flush()
        finally:
            self._database.close()

    @property
    def target(self) -> Target | None:
        """The folder's target, once it was set."""
        for host, list_id, partition_name, file_format, *others in self._rows(
            f"SELECT {_TARGET_COLUMNS} FROM target"  # noqa: S608
        ):
            return Target(host, list_id, partition_name, Format(file_format), *others)
        return None

    @property
    def has_begun(self) -> bool:
        """Whether any chunk was ever about to be sent, refused ones included."""
        return bool(self._rows("SELECT 1 FROM transitions WHERE state != 'planned' LIMIT 1"))

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
                hint="Something altered the run folder. Restore it, or clean into a new one.",
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
        rows = self._rows(f"SELECT {_CHUNK_COLUMNS} FROM jobs ORDER BY ordinal")  # noqa: S608
        return tuple(Chunk(*row) for row in rows)

    def jobs(self) -> tuple[Job, ...]:
        """Return the job of every chunk, in sending order."""
        rows = self._rows(f"SELECT {_JOB_COLUMNS} FROM jobs ORDER BY ordinal")  # noqa: S608
        return tuple(_job(row) for row in rows)

    def job(self, chunk: str) -> Job:
        """Return the job of one chunk.

        Raises:
            FolderError: There is no such chunk, code `no_such_chunk`.
        """
        for row in self._rows(f"SELECT {_JOB_COLUMNS} FROM jobs WHERE chunk = ?", chunk):  # noqa: S608
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

    def settle(self, chunk: str, decision: Literal["landed", "lost"], *, batch_id: int | None = None) -> None:
        """Carry out a person's decision on an unknown chunk.

        `lost` makes it ready to be sent again. `landed` without any batch id makes the job complete as it
        stands. With an id that was not known before, the job is like any other and can become unknown again,
        because the person said where it is and not what became of it. With the id that was known,
        Marketo is asked once more for what can be had, and the rest is as the person said.
        """
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
        rows = self._rows("SELECT chunk, state, at FROM transitions ORDER BY rowid")
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
        rows = self._rows("SELECT at, method, path, status, code, seconds FROM exchanges ORDER BY rowid")
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
        self._database.execute("INSERT INTO transitions VALUES (?, ?, ?)", (chunk, state, self._clock()))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Make everything inside durable together, with the exchanges noted so far, or nothing of it."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.executemany(
                    "INSERT INTO exchanges VALUES (?, ?, ?, ?, ?, ?)",
                    [astuple(noted) for noted in self._noted],
                )
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except _SQLITE_ERRORS as error:
            raise _unusable(self.path, error) from None
        self._noted.clear()

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(query, values).fetchall()
        except _SQLITE_ERRORS as error:
            raise _unusable(self.path, error) from None

    def _check(self) -> None:
        """Refuse a ledger that cannot be trusted; bring an old one up to date."""
        version = self._rows("PRAGMA user_version")[0][0]
        if version > SCHEMA_VERSION:
            raise _damaged(self.path, "it was written by a newer prep", "Update prep.")
        tables: dict[str, str] = dict(self._rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table'"))
        expected = {**_TABLES, "target": _TARGET_OF_LEADS} if version == 1 else _TABLES
        if self._rows("PRAGMA application_id") != [(_APPLICATION_ID,)] or tables != expected:
            raise _damaged(self.path, "its tables are not those of a ledger")
        if self._rows("PRAGMA quick_check") != [("ok",)]:
            raise _damaged(self.path, "it fails SQLite's integrity check")
        if self._rows(_STRAYS) != [(0,)]:
            raise _damaged(self.path, "the states of its jobs are not where their transitions led")
        if version == 1:
            with self._transaction() as database:
                for statement in _UPGRADE:
                    database.execute(statement)


def _connected(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
        )
        try:
            for pragma in _PRAGMAS:
                database.execute(f"PRAGMA {pragma}")
        except BaseException:
            database.close()
            raise
    except _SQLITE_ERRORS as error:
        raise _unusable(path, error) from None
    return database


def _lay_out(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN")
        for statement in _TABLES.values():
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        database.execute("COMMIT")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def _unusable(path: Path, error: Exception) -> FolderError:
    """Tell a file that cannot be used now from one that cannot be trusted."""
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(error, OSError) and (code is None or code & _PRIMARY_CODE not in _PASSING):
        return _damaged(path, "SQLite cannot read it")
    return FolderError(
        f"{path}: the ledger cannot be read or written ({error})",
        code="unusable_ledger",
        hint="Check free space, permissions, and whether another process holds the file.",
    )


def _damaged(path: Path, what: str, hint: str = "") -> FolderError:
    return FolderError(
        f"{path}: the ledger cannot be trusted: {what}",
        code="damaged_ledger",
        hint=hint or "Restore the file from a copy. Without it nobody can tell which chunks were sent.",
    )


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
