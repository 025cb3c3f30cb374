"""Tables that prep wrote for people and that came back: each row keeps the identity it had."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from prep.errors import SourceError
from prep.formulas import unguard
from prep.model import IDENTITY, LINE, RECORD, ROW, SOURCE
from prep.sources import Batch, Source

OWN_COLUMNS: Final = (
    *(*IDENTITY, "_reasons", "_raw"),
    *("_chunk", "_batch_id", "_message", "_matched_by", "_field", "_advice"),
)
"""What prep adds to the columns of a source in `rejected.csv`, `failed.csv` and `warnings.csv`."""


def own_places(columns: Sequence[str]) -> dict[str, str]:
    """Where a table of prep's own has the columns that prep added; nothing for any other file.

    Returns:
        Name → position, as `Batch.cells` names columns.
    """
    if not set(IDENTITY) <= set(columns):
        return {}
    return {name: str(place) for place, name in enumerate(columns) if name in OWN_COLUMNS}


def adopt(source: Source) -> Source:
    """A source with the header that it had before prep made it safe for spreadsheets."""
    if not own_places(source.columns):
        return source
    names = pl.select(unguard(pl.lit(pl.Series(source.columns)))).to_series()
    return replace(source, columns=tuple(names))


def identify(source: Source, batch: Batch) -> Batch:
    """Say of each record which row it is.

    Returns:
        The batch with `_record`, the record's number in the file, and `_source`, `_row`, `_line`: for a table
        of prep's own the ones that stand in it, else the file itself, the record and its line.

    Raises:
        SourceError: A record of a table of prep's own cannot be read or does not say which row it is.
    """
    own = own_places(source.columns)
    record, path = pl.col(ROW).alias(RECORD), pl.lit(source.path).alias(SOURCE)
    if not own:
        return replace(
            batch,
            cells=batch.cells.with_columns(record, path),
            rejected=batch.rejected.with_columns(record, path),
        )
    cells = batch.cells.select(unguard(pl.exclude(ROW, LINE)), record, LINE).with_columns(
        pl.col(own[SOURCE]).alias(SOURCE),
        pl.col(own[ROW]).cast(pl.UInt32, strict=False).alias(ROW),
        pl.col(own[LINE]).cast(pl.UInt32, strict=False).alias("_own_line"),
    )
    nameless = cells.filter(pl.col(SOURCE).is_null() | pl.col(ROW).fill_null(0).eq(0))[RECORD].to_list()
    if lost := [*batch.rejected[ROW].to_list(), *nameless]:
        raise SourceError(
            f"{source.path}: record {min(lost)} does not say which row it is",
            code="no_identity",
            hint=f"Leave the columns {SOURCE}, {ROW} and {LINE} as prep wrote them, or delete the line.",
            source=source.path,
            row=min(lost),
        )
    rejected = batch.rejected.with_columns(record, path)
    return replace(batch, cells=cells.drop(LINE).rename({"_own_line": LINE}), rejected=rejected)
