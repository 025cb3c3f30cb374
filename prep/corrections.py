"""What a person corrected on the page of `prep review`: a journal, beside tables that stay as they are.

Cells were corrected, and columns were given to other fields.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import polars as pl

from prep.errors import FolderError

LEFT_OUT: Final = -1
"""Stands for the place of a column where a whole row is left out, as if its line were deleted: its value is
any text, null once the row was taken in again."""

CHANGES: Final = pl.Schema(
    {
        "table": pl.String(),
        "source": pl.String(),
        "row": pl.UInt32(),
        "place": pl.Int32(),
        "base": pl.String(),
        "value": pl.String(),
        "header": pl.String(),
        "occurrence": pl.Int32(),
    }
)
"""One cell of a table that was corrected: which table, row and column (counted from 0), what the table has
there and what shall stand there instead; null is blank. The column is the one with this header, and so many
of its name before it, wherever it stands now; null in journals of older code, where the place counts."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS step (
    id INTEGER PRIMARY KEY, label TEXT NOT NULL, is_undone INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS change (
    step INTEGER NOT NULL REFERENCES step(id),
    "table" TEXT NOT NULL, source TEXT NOT NULL, row INTEGER NOT NULL,
    place INTEGER NOT NULL, base TEXT, value TEXT, header TEXT, occurrence INTEGER
);
CREATE INDEX IF NOT EXISTS change_of_step ON change(step);
CREATE TABLE IF NOT EXISTS mapped (
    step INTEGER NOT NULL REFERENCES step(id), header TEXT NOT NULL, field TEXT
);
"""

_ADDED: Final = {"header": "TEXT", "occurrence": "INTEGER"}
"""Columns of `change` that journals of older code lack."""

_CELLS: Final = 'SELECT "table", source, row, place, base, value, header, occurrence FROM change'

_CURRENT: Final = f"{_CELLS} JOIN step ON step.id = change.step WHERE NOT is_undone ORDER BY change.step"

_MAPS: Final = """
SELECT header, field FROM mapped JOIN step ON step.id = mapped.step WHERE NOT is_undone ORDER BY mapped.step
"""


@dataclass(frozen=True)
class Steps:
    """What can be taken back and done again: the label of the next step of each, None if there is none."""

    undo: str | None
    redo: str | None


class Journal:
    """The corrections of one run, step by step, in an SQLite file; each is durable once its call returns."""

    def __init__(self, path: Path) -> None:
        """Open the journal, or begin it.

        Raises:
            FolderError: It is damaged or cannot be written.
        """
        self._path = path
        with self._errors():
            self._database = sqlite3.connect(path.absolute(), isolation_level=None, check_same_thread=False)
            try:
                path.chmod(0o600)
                self._database.execute("PRAGMA synchronous = FULL")
                self._database.executescript(_TABLES)
                self._add_columns()
            except BaseException:
                self.close()
                raise

    def _add_columns(self) -> None:
        known = {name for _, name, *_ in self._database.execute("PRAGMA table_info(change)")}
        for name, kind in _ADDED.items():
            if name not in known:
                self._database.execute(f"ALTER TABLE change ADD COLUMN {name} {kind}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(
        self, label: str, changes: pl.DataFrame | None = None, *, maps: Mapping[str, str | None] | None = None
    ) -> None:
        """Take down one step; what was undone before can no longer be done again.

        Args:
            label: What was done, without cell values.
            changes: As `CHANGES`.
            maps: Columns that become another field: header → field, empty to leave the column out, None to
                give it back the field that it has in the run.
        """
        with self._transaction():
            for table in ("change", "mapped"):
                undone = "SELECT id FROM step WHERE is_undone"
                self._database.execute(f"DELETE FROM {table} WHERE step IN ({undone})")  # noqa: S608 (ours)
            self._database.execute("DELETE FROM step WHERE is_undone")
            step = self._database.execute("INSERT INTO step (label) VALUES (?)", (label,)).lastrowid
            cells = CHANGES.to_frame() if changes is None else changes.select(CHANGES.names())
            rows: Iterable[tuple[object, ...]] = cells.iter_rows()
            self._database.executemany(
                "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", ((step, *row) for row in rows)
            )
            self._database.executemany(
                "INSERT INTO mapped VALUES (?, ?, ?)",
                ((step, header, field) for header, field in (maps or {}).items()),
            )

    def undo(self) -> AbstractContextManager[pl.DataFrame]:
        """Take the last step back, unless the block raises.

        Returns:
            For a `with` block: the cells that it changed; none if there is no step.
        """
        return self._turn("SELECT max(id) FROM step WHERE NOT is_undone", is_undone=True)

    def redo(self) -> AbstractContextManager[pl.DataFrame]:
        """Do the step again that was taken back last, unless the block raises.

        Returns:
            For a `with` block: the cells that it changes; none if there is no step.
        """
        return self._turn("SELECT min(id) FROM step WHERE is_undone", is_undone=False)

    def steps(self) -> Steps:
        """What can be taken back and done again."""
        with self._errors():
            done = "SELECT label FROM step WHERE NOT is_undone ORDER BY id DESC LIMIT 1"
            undone = "SELECT label FROM step WHERE is_undone ORDER BY id LIMIT 1"
            labels = [self._database.execute(query).fetchone() for query in (done, undone)]
        return Steps(*(label[0] if label else None for label in labels))

    def current(self) -> pl.DataFrame:
        """What was corrected, as `CHANGES`: of what was put into one cell, the last counts."""
        return self._frame(_CURRENT)

    def maps(self) -> dict[str, str]:
        """The columns that have another field now than in the run: header → field, empty if left out."""
        with self._errors():
            latest = dict(self._database.execute(_MAPS).fetchall())
        return {header: field for header, field in latest.items() if field is not None}

    @contextmanager
    def _turn(self, query: str, *, is_undone: bool) -> Iterator[pl.DataFrame]:
        with self._transaction():
            (step,) = self._database.execute(query).fetchone()
            self._database.execute("UPDATE step SET is_undone = ? WHERE id = ?", (is_undone, step))
            yield self._frame(f"{_CELLS} WHERE step = ?", (step,))

    def _frame(self, query: str, parameters: tuple[object, ...] = ()) -> pl.DataFrame:
        with self._errors():
            rows = self._database.execute(query, parameters).fetchall()
        return pl.DataFrame(rows, schema=CHANGES, orient="row")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise FolderError(
                f"{self._path}: cannot be used ({error})",
                code="damaged_journal",
                hint="It holds what was corrected in prep review: restore it, or delete it to begin again.",
                source=str(self._path),
            ) from None


def read_corrections(path: Path) -> pl.DataFrame:
    """What was corrected in a run, as `CHANGES`; nothing where no page was opened.

    Raises:
        FolderError: The journal is damaged.
    """
    if not path.exists():
        return CHANGES.to_frame()
    with Journal(path) as journal:
        return journal.current()


def read_maps(path: Path) -> dict[str, str]:
    """The columns of a run that were given to other fields; nothing where no page was opened.

    Raises:
        FolderError: The journal is damaged.
    """
    if not path.exists():
        return {}
    with Journal(path) as journal:
        return journal.maps()
