"""The table of fates: one line for each source row, and numbers that close."""

import os
from collections.abc import Iterable, Mapping
from typing import BinaryIO, Final

import polars as pl
from polars.io.plugins import register_io_source

from prep import durable
from prep.errors import BalanceError
from prep.model import Fate

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
        OSError: The file cannot be written; polars calls it an error of computing.
    """
    table = register_io_source(lambda *_: map(_complete, parts), schema=pl.Schema(ROWS), is_pure=False)
    try:
        table.sink_parquet(file, compression_level=1, statistics=False, engine="streaming")
    except pl.exceptions.ComputeError as error:
        if number := durable.error_number(error):
            raise OSError(number, os.strerror(number)) from error
        raise


def _complete(rows: pl.DataFrame) -> pl.DataFrame:
    absent = [pl.lit(None, kind).alias(name) for name, kind in ROWS.items() if name not in rows.columns]
    return rows.with_columns(absent).select(pl.col(name).cast(kind) for name, kind in ROWS.items())


def count_fates(rows: pl.DataFrame, read: int) -> dict[str, int]:
    """Count rows by fate.

    Args:
        rows: The table of fates; needs `fate`.
        read: How many rows the sources have.

    Returns:
        `read`, then every fate, zeros included.

    Raises:
        BalanceError: The fates do not add up to `read`.
    """
    return add_up(dict(rows.group_by("fate").len().rows()), read)


def add_up(found: Mapping[str, int], read: int) -> dict[str, int]:
    """As `count_fates`, of rows that were counted."""
    counts = {str(fate): found.get(fate, 0) for fate in Fate}
    if sum(counts.values()) != read:
        raise BalanceError(
            f"{read} rows were read, but {sum(counts.values())} have a fate",
            code="unbalanced",
            hint="This is a defect of prep; nothing that it says of this run can be relied upon.",
        )
    return {"read": read, **counts}
