"""SQLite: what Marketo answered to look-ups, so that whoever is interrupted asks nothing twice."""

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from prep.errors import FolderError

Facts = Mapping[str, object]
"""What a preview asks of whom: answers to anything else are of no use to it."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS facts (content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answer (
    batch INTEGER PRIMARY KEY, at REAL NOT NULL, people BLOB NOT NULL, refused BLOB NOT NULL
);
"""


@dataclass(frozen=True)
class Answer:
    """What Marketo told about one batch of keys.

    Attributes:
        at: When, in seconds since the epoch.
        people: Id and values of every lead that was found, the values in the order of the fields.
        refused: Keys that Marketo would not look up, not even alone.
    """

    at: float
    people: list[list[str | None]] = field(repr=False)
    refused: list[str] = field(repr=False)


class Answers:
    """The answers to the look-ups of one preview; each is durable once `keep` returns.

    Args:
        path: The file; begun if there is none.
        facts: What is asked, of whom.

    Raises:
        FolderError: The file holds answers to other questions, is damaged or cannot be written.
    """

    def __init__(self, path: Path, facts: Facts) -> None:
        self._path = path
        with self._errors():
            self._database = sqlite3.connect(path.absolute(), isolation_level=None)
            try:
                path.chmod(0o600)
                self._database.execute("PRAGMA synchronous = FULL")
                self._database.executescript(_TABLES)
                self._agree(json.loads(json.dumps(facts)))
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def _agree(self, facts: Facts) -> None:
        kept = self._database.execute(
            "SELECT content FROM facts WHERE EXISTS (SELECT 1 FROM answer)"
        ).fetchone()
        if kept is None:  # where nobody was asked yet, anything may be asked
            self._database.execute("DELETE FROM facts")
            self._database.execute("INSERT INTO facts VALUES (?)", (json.dumps(facts),))
            return
        known = json.loads(kept[0])
        if differing := [name for name, value in facts.items() if known.get(name) != value]:
            raise FolderError(
                f"{self._path}: an interrupted preview is there, with other {' and '.join(differing)}",
                code="other_preview",
                hint="Carry on with it, by the same command as before, or delete the file to begin anew.",
                source=str(self._path),
            )

    def keep(self, batch: int, answer: Answer) -> None:
        """Take an answer down."""
        with self._errors():
            self._database.execute(
                "INSERT INTO answer VALUES (?, ?, ?, ?)",
                (batch, answer.at, _packed(answer.people), _packed(answer.refused)),
            )

    def known(self) -> set[int]:
        """The batches that were answered."""
        with self._errors():
            return {batch for (batch,) in self._database.execute("SELECT batch FROM answer")}

    def answer(self, batch: int) -> Answer:
        """What was answered to a batch that is known."""
        with self._errors():
            query = "SELECT at, people, refused FROM answer WHERE batch = ?"
            at, people, refused = self._database.execute(query, (batch,)).fetchone()
            return Answer(at, _unpacked(people), _unpacked(refused))

    def span(self) -> tuple[datetime, datetime]:
        """When the first and the last of the answers came, in UTC."""
        with self._errors():
            first, last = self._database.execute("SELECT min(at), max(at) FROM answer").fetchone()
        return datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, zlib.error, ValueError) as error:
            raise FolderError(
                f"{self._path}: cannot be used ({type(error).__name__})",
                code="damaged_answers",
                hint="It holds what Marketo answered so far: delete it to ask again.",
                source=str(self._path),
            ) from None


def _packed(content: object) -> bytes:
    return zlib.compress(json.dumps(content, ensure_ascii=False).encode(), 1)


def _unpacked(content: bytes) -> Any:
    return json.loads(zlib.decompress(content))
