import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS fields (
    rest_name TEXT PRIMARY KEY, display_name TEXT, data_type TEXT, length INTEGER, read_only INTEGER,
    soap_name TEXT, custom INTEGER
);
CREATE TABLE IF NOT EXISTS partitions (id INTEGER PRIMARY KEY, name TEXT, description TEXT);
CREATE TABLE IF NOT EXISTS lists (
    id INTEGER PRIMARY KEY, name TEXT, description TEXT, program_name TEXT, workspace_name TEXT
);
CREATE TABLE IF NOT EXISTS leads (
    id INTEGER PRIMARY KEY, email_key TEXT, fields TEXT, created_at REAL, updated_at REAL
);
CREATE INDEX IF NOT EXISTS leads_by_email ON leads (email_key);
CREATE TABLE IF NOT EXISTS members (
    list_id INTEGER, lead_id INTEGER, PRIMARY KEY (list_id, lead_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, expires_at REAL);
CREATE TABLE IF NOT EXISTS jobs (
    batch_id INTEGER PRIMARY KEY, format TEXT, lookup_field TEXT, list_id INTEGER, partition_name TEXT,
    submitted_at REAL, starts_at REAL, ends_at REAL,
    status TEXT, processed INTEGER DEFAULT 0, failed INTEGER DEFAULT 0, warned INTEGER DEFAULT 0,
    message TEXT DEFAULT '', doomed INTEGER DEFAULT 0
);
CREATE TABLE IF NOT EXISTS job_kinds (
    batch_id INTEGER PRIMARY KEY, kind TEXT, program_id INTEGER, program_status TEXT
);
CREATE TABLE IF NOT EXISTS program_members (
    program_id INTEGER, lead_id INTEGER, fields TEXT, PRIMARY KEY (program_id, lead_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    object TEXT, key TEXT, guid TEXT, fields TEXT, created_at REAL, updated_at REAL, UNIQUE (object, key)
);
CREATE TABLE IF NOT EXISTS files (batch_id INTEGER, kind TEXT, content BLOB, PRIMARY KEY (batch_id, kind));
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY, time REAL, method TEXT, path TEXT, query TEXT, place TEXT, status INTEGER,
    code TEXT, batch_id INTEGER, counted INTEGER
);
CREATE INDEX IF NOT EXISTS requests_by_time ON requests (time);
CREATE TABLE IF NOT EXISTS row_events (
    batch_id INTEGER, row INTEGER, time REAL, outcome TEXT, lead_id INTEGER, message TEXT,
    PRIMARY KEY (batch_id, row)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS strikes (fault TEXT PRIMARY KEY, times INTEGER);
CREATE TABLE IF NOT EXISTS clock (seconds REAL);
CREATE TEMP TABLE wanted (key PRIMARY KEY);
"""


class Database:
    """One SQLite connection that several threads share, one at a time.

    Args:
        path: The file, made (readable by its owner only) when it does not exist; None for memory.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.touch(mode=0o600)
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(
            ":memory:" if path is None else path.absolute(), check_same_thread=False, isolation_level=None
        )
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.executescript(SCHEMA)
        except BaseException:  # the file is none of SQLite's
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the connection; every later call raises `sqlite3.ProgrammingError`."""
        with self.lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock, then commit everything or, on an exception, nothing. May be nested."""
        with self.lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def execute(self, statement: str, *parameters: object) -> None:
        """Run one statement."""
        with self.lock:
            self._connection.execute(statement, parameters)

    def execute_many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Run one statement for each row of parameters."""
        with self.transaction():
            self._connection.executemany(statement, rows)

    def rows(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self.lock:
            return self._connection.execute(query, parameters).fetchall()

    def value(self, query: str, *parameters: object) -> Any:
        """Return the first column of the first row, None when there is no row."""
        with self.lock:
            row = self._connection.execute(query, parameters).fetchone()
        return None if row is None else row[0]
