"""The table of fates: one line for each source row, and numbers that close."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Final

import polars as pl
from polars.io.plugins import register_io_source

from prep import durable
from prep.errors import BalanceError
from prep.model import Chunk, Fate

ROWS: Final[Mapping[str, pl.DataType | type[pl.DataType]]] = {
    "source": pl.String,
    "row": pl.UInt32,
    "line": pl.UInt32,
    "fate": pl.String,
    "reasons": pl.List(pl.String),
    "key": pl.String,
    "kept_source": pl.String,
    "kept_row": pl.UInt32,
    "chunk": pl.String,
    "batch_id": pl.Int64,
    "message": pl.String,
    "matched_by": pl.String,
}
"""Columns of `rows.parquet`."""


def write_table(parts: Iterable[pl.DataFrame], file: BinaryIO) -> None:
    """Write parts of the table as they come; columns of `ROWS` that are missing are blank.

    Raises:
        OSError: The file cannot be written.
    """
    table = register_io_source(lambda *_: map(_complete, parts), schema=pl.Schema(ROWS), is_pure=False)
    with durable.errors_of_the_system():
        table.sink_parquet(file, compression_level=1, statistics=False, engine="streaming")


def _complete(rows: pl.DataFrame) -> pl.DataFrame:
    absent = [pl.lit(None, kind).alias(name) for name, kind in ROWS.items() if name not in rows.columns]
    return rows.with_columns(absent).select(pl.col(name).cast(kind) for name, kind in ROWS.items())


def add_up(found: Mapping[str, int], read: int) -> dict[str, int]:
    """Complete the numbers of rows by fate.

    Args:
        found: How many rows have each fate.
        read: How many rows the sources have.

    Returns:
        `read`, then every fate, zeros included.

    Raises:
        BalanceError: The fates do not add up to `read`.
    """
    counts = {str(fate): found.get(fate, 0) for fate in Fate}
    if sum(counts.values()) != read:
        raise BalanceError(
            f"{read} rows were read, but {sum(counts.values())} have a fate",
            code="unbalanced",
            hint="This is a defect of prep; nothing that it says of this run can be relied upon.",
        )
    return {"read": read, **counts}


def balanced(parts: Iterable[pl.DataFrame], read: int) -> Iterator[pl.DataFrame]:
    """Hand parts of the table on, and refuse to end if their fates do not add up to `read` rows.

    Raises:
        BalanceError: They do not.
    """
    found = Counter[str]()
    for rows in parts:
        found.update(dict(rows.group_by("fate").len().rows()))
        yield rows
    add_up(found, read)


def beside_chunks(
    parts: Iterable[pl.DataFrame], chunks: Sequence[Chunk], of_chunk: Callable[[str], pl.DataFrame]
) -> Iterator[pl.DataFrame]:
    """Put beside each row what is known of the rows of its upload file, which has them in the same order.

    Args:
        parts: Parts of the table; need `chunk`.
        chunks: All upload files of the run.
        of_chunk: Name of an upload file → a row for each of its rows; asked once for each, when its first
            row comes by. A column that a part has as well takes the place of the part's.

    Yields:
        The parts with the further columns, blank for rows that are in no upload file.

    Raises:
        BalanceError: The table has more or fewer rows of an upload file than that has.
    """
    left = {chunk.file: chunk.rows for chunk in chunks}
    waiting: dict[str, pl.DataFrame] = {}
    for part in parts:
        found = []
        numbered = part.with_row_index(_PLACE)
        for (file,), rows in numbered.partition_by("chunk", as_dict=True, maintain_order=True).items():
            if file is not None:
                if left.get(file, 0) < rows.height:
                    raise _unlike(file)
                known = waiting.pop(file) if file in waiting else of_chunk(file)
                rows = rows.with_columns(known.head(rows.height))  # noqa: PLW2901
                left[file] -= rows.height
                if left[file]:
                    waiting[file] = known.slice(rows.height)
            found.append(rows)
        yield pl.concat(found, how="diagonal").sort(_PLACE).drop(_PLACE) if found else part
    if absent := [file for file, rows in left.items() if rows]:
        raise _unlike(absent[0])


_PLACE: Final = "_place"


def _unlike(file: str) -> BalanceError:
    return BalanceError(
        f"{file} does not have the rows that the table of fates says",
        code="unbalanced",
        hint="Restore rows.parquet and manifest.json from a backup. Do not send the rows by another run: "
        "they may be in Marketo.",
    )


class InTurn:
    """Rows of the table, taken so many at a time."""

    def __init__(self, parts: Iterator[pl.DataFrame]) -> None:
        """Begin with the first row of the first part; there is at least one part."""
        self._parts = parts
        self._held = next(parts)

    def take(self, count: int) -> pl.DataFrame:
        """The next rows, as many as there are."""
        while self._held.height < count and (more := next(self._parts, None)) is not None:
            self._held = pl.concat([self._held, more])
        taken, self._held = self._held.head(count), self._held.slice(count)
        return taken
