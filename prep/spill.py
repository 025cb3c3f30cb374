"""Where frames wait until they are read again: in memory, or in files that go with the work folder."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Protocol

import polars as pl

from prep import durable


class Spill(Protocol):
    """Where valid rows wait for the second pass."""

    def append(self, frame: pl.DataFrame, /) -> None:
        """Add the next batch."""

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

    def append(self, frame: pl.DataFrame, /) -> None:
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
    """Batches that wait in files; one is being written while the next one is made."""

    def __init__(self, folder: Path, writer: Executor) -> None:
        folder.mkdir(mode=durable.FOLDER_MODE)
        self._folder = folder
        self._writer = writer
        self._files: list[Path] = []
        self._pending: Future[None] | None = None

    def append(self, frame: pl.DataFrame, /) -> None:
        """Take a batch, once the one before is written."""
        self._wait()
        self._files.append(self._folder / f"{len(self._files):06d}.arrow")
        self._pending = self._writer.submit(frame.write_ipc, self._files[-1])

    def beside(self, name: str, /) -> "DiskSpill":
        """A further spill in a folder below this one's."""
        return DiskSpill(self._folder / name, self._writer)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        self._wait()
        return (pl.read_ipc(file) for file in self._files)

    def columns(self, names: Sequence[str], /) -> Iterator[pl.DataFrame]:
        """Yield some columns of the batches; the others are not read."""
        self._wait()
        return (pl.read_ipc(file, columns=list(names)) for file in self._files)

    def _wait(self) -> None:
        """Wait for the last file; where it failed, every thread that asks is told."""
        if self._pending is not None:
            self._pending.result()
