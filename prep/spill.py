"""Where frames wait until they are read again: in memory, or in files that go with the work folder."""

import shutil
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Final, Protocol

import polars as pl

from prep import durable

_PLAIN_TEXT: Final = pl.CompatLevel.oldest()
"""Text as offsets into one buffer: views of it are larger, and take longer both to write and to read back."""


class Spill(Protocol):
    """Where valid rows wait for the second pass."""

    def append(self, frame: pl.DataFrame, share: float | None = None, /) -> None:
        """Add the next batch: with it, how much of everything has come, from 0 to 1, if that is known."""

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yield the batches in the order in which they came."""

    def columns(self, names: Sequence[str], /) -> Iterator[pl.DataFrame]:
        """Yield some columns of the batches."""

    def beside(self, name: str, /) -> "Spill":
        """A further spill of the same kind."""


class MemorySpill:
    """Batches that wait in memory."""

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []

    def append(self, frame: pl.DataFrame, _: float | None = None, /) -> None:
        """Take a batch."""
        self._frames.append(frame)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return iter(self._frames)

    def columns(self, names: Sequence[str], /) -> Iterator[pl.DataFrame]:
        """Yield some columns of the batches."""
        return (frame.select(names) for frame in self._frames)

    def beside(self, _: str, /) -> "MemorySpill":
        """A further spill."""
        return MemorySpill()

    def clear(self) -> None:
        """Forget the batches."""
        self._frames.clear()


class DiskSpill:
    """Batches that wait in memory if all of them fit, else in files, one written while the next is made."""

    def __init__(self, folder: Path, writer: Executor, *, held_bytes: int = 0) -> None:
        """Begin with no batches.

        Args:
            folder: The files are put there; it must not exist.
            writer: Writes them.
            held_bytes: What the batches may take in memory: all of them, or none is held.
        """
        folder.mkdir(mode=durable.FOLDER_MODE)
        self._folder = folder.absolute()
        self._writer = writer
        self._held_bytes = held_bytes
        self._bytes = 0
        self._batches: list[pl.DataFrame | Path] = []
        self._pending: Future[None] | None = None

    def append(self, frame: pl.DataFrame, share: float | None = None, /) -> None:
        """Take a batch, once the one before is written."""
        self._wait()
        self._batches.append(frame)
        self._bytes += int(frame.estimated_size())
        if self._bytes > self._held_bytes * (share or 0):
            self._pending = self._writer.submit(self._store)

    def _store(self) -> None:
        """Write what is held."""
        for number, batch in enumerate(self._batches):
            if isinstance(batch, pl.DataFrame):
                file = self._folder / f"{number:06d}.arrow"
                batch.write_ipc(file, compat_level=_PLAIN_TEXT)
                self._batches[number] = file

    def clear(self) -> None:
        """Forget the batches, those of all spills beside too; the writer's thread deletes the files."""
        self._writer.submit(shutil.rmtree, self._folder, ignore_errors=True)

    def beside(self, name: str, /) -> "DiskSpill":
        """A further spill in a folder below this one's."""
        return DiskSpill(self._folder / name, self._writer)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        self._wait()
        return _read_in_turn(deque(self._batches), None)

    def columns(self, names: Sequence[str], /) -> Iterator[pl.DataFrame]:
        """Yield some columns of the batches; the others are not read."""
        self._wait()
        return _read_in_turn(deque(self._batches), list(names))

    def take(self, names: Sequence[str], /) -> Iterator[pl.DataFrame]:
        """As `columns`, but for the last time: a batch is not held once all who read are past it."""
        batches = self.columns(names)
        self._batches.clear()
        return batches

    def _wait(self) -> None:
        """Wait for the last file; where it failed, every thread that asks is told."""
        if self._pending is not None:
            self._pending.result()


def _read_in_turn(batches: deque[pl.DataFrame | Path], names: list[str] | None) -> Generator[pl.DataFrame]:
    while batches:
        yield _read(batches.popleft(), names)


def _read(batch: pl.DataFrame | Path, names: list[str] | None) -> pl.DataFrame:
    if isinstance(batch, Path):
        stored = pl.scan_ipc(batch, glob=False, hive_partitioning=False)
        return (stored if names is None else stored.select(names)).collect(engine="in-memory")
    return batch if names is None else batch.select(names)


class Parts:
    """Rows that are spread over so many spills, equal ones together."""

    def __init__(self, spill: Spill, name: str, count: int) -> None:
        """Begin with nothing in any part.

        Args:
            spill: The parts are spills of its kind.
            name: What the names of the spills begin with.
            count: How many parts there are.
        """
        self._spills = [spill.beside(f"{name}-{number}") for number in range(count)]

    def add(self, rows: pl.DataFrame, part: pl.Expr) -> None:
        """Add rows, each to the part whose number the expression gives."""
        if len(self._spills) == 1:
            self._spills[0].append(rows)
            return
        numbered = rows.with_columns(part.alias(_PART))
        parts = numbered.partition_by(_PART, as_dict=True, include_key=False, maintain_order=True)
        for (number,), found in parts.items():
            self._spills[number].append(found)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yield the rows of each part that has some, in the order in which they came."""
        for spill in self._spills:
            if frames := list(spill):
                yield pl.concat(frames)


class ByOrdinal:
    """Rows with ordinals that come in any order and are read in that of their ordinals."""

    def __init__(
        self,
        spill: Spill,
        name: str,
        schema: Mapping[str, pl.DataType | type[pl.DataType]],
        *,
        ordinal: str,
        ordinals: int,
        count: int,
    ) -> None:
        """Begin with no rows.

        Args:
            spill: The rows wait in spills of its kind.
            name: What the names of the spills begin with.
            schema: The columns.
            ordinal: The column of the ordinals.
            ordinals: How many there are; they begin with 0.
            count: In how many parts the rows wait, each of which is read at once.
        """
        self._parts = Parts(spill, name, count)
        self._nothing = pl.DataFrame(schema=schema)
        self._ordinal = ordinal
        self._step = -(-ordinals // count) or 1

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows; those of one ordinal keep their order."""
        self._parts.add(rows.select(self._nothing.columns), pl.col(self._ordinal) // self._step)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yield the rows by ordinal, part after part; at least one frame."""
        yield self._nothing
        for rows in self._parts:
            yield rows.sort(self._ordinal, maintain_order=True)

    def read(self) -> "Cursor":
        """Begin to read them."""
        return Cursor(iter(self), self._ordinal)


class Cursor:
    """How far rows with ordinals were read."""

    def __init__(self, frames: Iterator[pl.DataFrame], ordinal: str) -> None:
        self._frames = frames
        self._ordinal = ordinal
        self._held = next(frames)

    def take(self, stop: int) -> pl.DataFrame:
        """The next rows, those whose ordinals are below `stop`."""
        while self._held.is_empty() or self._held[self._ordinal][-1] < stop - 1:
            if (more := next(self._frames, None)) is None:
                break
            self._held = pl.concat([self._held, more])
        count = self._held[self._ordinal].search_sorted(stop)
        taken, self._held = self._held.head(count), self._held.slice(count)
        return taken


_PART: Final = "_part"
