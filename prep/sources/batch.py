"""What every kind of source has in common, and what its reader hands on."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import polars as pl

from prep.errors import SourceError
from prep.model import Reading
from prep.sources.files import Digesting, changed, digest, stamp

REJECTED_SCHEMA: Final = pl.Schema(
    {"_row": pl.UInt32(), "_line": pl.UInt32(), "reason": pl.String(), "raw": pl.String()}
)

MOST_SKIPPED: Final = 100_000
"""Each line that holds no row is listed; a source, or a run, with more of them is refused."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A physical line that belongs to no record.

    Attributes:
        kind: Why it was skipped: `header`, `blank`, `preamble`, `comment`, `repeated_header` or `footer`.
        line: Its 1-based number.
    """

    kind: str
    line: int


@dataclass(frozen=True)
class Batch:
    """Consecutive records of a source.

    Attributes:
        cells: The readable records in source order: a String column per source column, named `0`, `1`, …
            by position, a blank cell being null; then `_row` and `_line` (UInt32; `_line` is null where a
            source has no lines). Where cells have types, also `_numbers` (see `typed.NUMBERS`).
        rejected: The unreadable records in source order: `_row`, `_line`, `reason` (`unreadable_row` or
            `encoding`) and `raw`, their text with LF as line end and bytes that are not UTF-8 escaped.
        skipped: The lines that belong to no record, in order.
    """

    cells: pl.DataFrame
    rejected: pl.DataFrame
    skipped: tuple[Skipped, ...] = ()


class Reader(Protocol):
    """The batches of a source, and what is known once they were taken. It can be iterated over once."""

    @property
    def rows(self) -> int:
        """How many records were read so far, rejected ones included."""

    @property
    def sha256(self) -> str:
        """Digest of the whole source in hexadecimal; empty until the last batch was taken."""

    @property
    def share(self) -> float | None:
        """How much of the source was read so far, from 0 to 1; None where nobody knows how much there is."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches; the first may be without records, it tells of the lines above them."""


@dataclass(frozen=True)
class Source(ABC):
    """An opened source: what was found out before its rows are read.

    Attributes:
        path: The source as the user gave it; a member of an archive as `a.zip!b.csv`.
        reading: How it is read, complete: opening it again with this reads the same rows.
        columns: The header's cells exactly as written; empty and repeated names are kept.
        notes: What was decided and may be wrong, a sentence each.
        stored: The copy that is read instead of `path`: of standard input, a database's answer or a file.
        digesting: Its digest, where that is being computed.
        stamp: That of its file before anything of it was looked at, by which a later change is noticed.
        is_guarded: Whether prep put apostrophes before cells of it, which have to be taken off again.
    """

    path: str
    reading: Reading
    columns: tuple[str, ...]
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    stored: str | None = field(default=None, kw_only=True)
    digesting: Digesting | None = field(default=None, kw_only=True, repr=False, compare=False)
    stamp: tuple[int, ...] = field(default=(), kw_only=True, repr=False, compare=False)
    is_guarded: bool = field(default=False, kw_only=True)

    @property
    def may_be_guarded(self) -> bool:
        """Whether it is of a kind in which tables for people come back: delimited text or a workbook."""
        return False

    def sha256(self) -> str:
        """SHA-256 of the file, in hexadecimal: what `Reader.sha256` is in the end.

        Raises:
            SourceError: It cannot be read, or is no longer the file that was opened.
        """
        found = self.digesting.result() if self.digesting else digest(self.stored or self.path)
        if self.stamp and self.stamp != stamp(self.path):
            raise changed(self.path)
        return found

    @abstractmethod
    def read(self, lookup_position: int | None = None) -> Reader:
        """Read the records.

        Args:
            lookup_position: Which column holds the lookup field, counted from 0. Lines at the end with fewer
                cells and none in it are a footer; without it no line is.

        Returns:
            A reader to iterate over.

        Raises:
            SourceError: While iterating: the source cannot be read any further.
        """


def refuse_many_skipped(count: int, path: str, *, all_sources: bool = False) -> None:
    """Refuse more lines without a row than are listed.

    Args:
        count: How many there are so far.
        path: The source that is being read.
        all_sources: They are those of all sources up to here, not of this one alone.

    Raises:
        SourceError: There are too many (`too_many_skipped`).
    """
    if count > MOST_SKIPPED:
        raise SourceError(
            f"{path}: more than {MOST_SKIPPED} lines{' up to here' * all_sources} hold no row:"
            " they are blank, comments, or the header again",
            code="too_many_skipped",
            hint="Delete them. This takes blank ones out of text: grep '[^[:space:],;]' leads.csv > rows.csv",
            source=path,
        )
