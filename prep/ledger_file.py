"""The SQLite file of the ledger: made as a whole, brought up to date, refused where it cannot be trusted."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from prep import durable
from prep.errors import FolderError

_VERSION: Final = 2
_APPLICATION_ID: Final = 0x70726570  # "prep"
_BUSY_SECONDS: Final = 5.0

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
    f"PRAGMA user_version = {_VERSION}",
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

_NOT_WRITABLE: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})

_SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What `sqlite3` raises; the latter where its message would quote broken text."""

_STRAYS: Final = """SELECT
    (SELECT count(*) FROM jobs
        LEFT JOIN (SELECT chunk, state, max(rowid) FROM transitions GROUP BY chunk) AS last USING (chunk)
        WHERE jobs.state IS NOT last.state)
    + (SELECT count(*) FROM transitions WHERE chunk NOT IN (SELECT chunk FROM jobs))"""
"""Beside `max(rowid)` stands the state of that row: https://www.sqlite.org/lang_select.html#bareagg"""
_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "fullfsync = ON",  # macOS: past the drive's own cache
    "wal_autocheckpoint = 1",  # the file alone is complete, even if somebody copies it without its -wal
)


class LedgerFile:
    """The file of one ledger, opened.

    Args:
        path: An existing ledger; one of an older version is brought up to date.

    Raises:
        FolderError: With code `missing_ledger`, `damaged_ledger` when it cannot be trusted, or
            `unusable_ledger` when it cannot be read or written now.

    Attributes:
        database: The connection, for statements inside a `transaction`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise FolderError(
                f"{path}: there is no ledger",
                code="missing_ledger",
                hint="Restore it from a copy: without it nobody can tell which chunks were sent.",
            )
        self.database = _connected(path)
        try:
            self._check()
        except BaseException:
            self.database.close()
            raise

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty file that only its owner can read.

        Raises:
            FolderError: There is one already, code `ledger_exists`, or it cannot be written.
        """
        if path.exists():
            raise FolderError(f"{path}: there is a ledger already", code="ledger_exists")
        unborn = path.with_name(f".{path.name}.new")
        try:
            unborn.unlink(missing_ok=True)
            os.close(os.open(unborn, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            _lay_out(unborn)
            unborn.replace(path)
            durable.sync_directory(path.parent)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from None

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        self.database.close()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query.

        Raises:
            FolderError: The file cannot be read, or be trusted.
        """
        try:
            return self.database.execute(query, values).fetchall()
        except _SQLITE_ERRORS as error:
            raise _unusable(self._path, error) from None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Make everything inside durable together, or nothing of it.

        Raises:
            FolderError: The file cannot be written.
        """
        try:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield self.database
                self.database.execute("COMMIT")
            except BaseException:
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
                raise
        except _SQLITE_ERRORS as error:
            raise _unusable(self._path, error) from None

    def _check(self) -> None:
        """Refuse a ledger that cannot be trusted; bring an old one up to date."""
        version = self.rows("PRAGMA user_version")[0][0]
        if version > _VERSION:
            raise _damaged(self._path, "it was written by a newer prep", "Update prep.")
        tables: dict[str, str] = dict(self.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table'"))
        expected = {**_TABLES, "target": _TARGET_OF_LEADS} if version == 1 else _TABLES
        if self.rows("PRAGMA application_id") != [(_APPLICATION_ID,)] or tables != expected:
            raise _damaged(self._path, "its tables are not those of a ledger")
        if self.rows("PRAGMA quick_check") != [("ok",)]:
            raise _damaged(self._path, "it fails SQLite's integrity check")
        if self.rows(_STRAYS) != [(0,)]:
            raise _damaged(self._path, "the states of its jobs are not where their transitions led")
        if version == 1:
            with self.transaction() as database:
                for statement in _UPGRADE:
                    database.execute(statement)


def _connected(path: Path) -> sqlite3.Connection:
    """Open the file; only to be read where nothing can be written, such as the files beside it."""
    try:
        try:
            return _opened(path, "mode=rw", _PRAGMAS)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE not in _NOT_WRITABLE or _has_news(path):
                raise
            return _opened(path, "mode=ro&immutable=1")
    except _SQLITE_ERRORS as error:
        raise _unusable(path, error) from None


def _opened(path: Path, how: str, pragmas: Iterable[str] = ()) -> sqlite3.Connection:
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
    )
    try:
        for pragma in pragmas:
            database.execute(f"PRAGMA {pragma}")
    except BaseException:
        database.close()
        raise
    return database


def _has_news(path: Path) -> bool:
    """Whether there are changes that the file alone does not tell of."""
    news = path.with_name(f"{path.name}-wal")
    return news.exists() and news.stat().st_size > 0


def _lay_out(path: Path) -> None:
    with closing(sqlite3.connect(path.absolute(), isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN")
        for statement in _TABLES.values():
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {_VERSION}")
        database.execute("COMMIT")


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
