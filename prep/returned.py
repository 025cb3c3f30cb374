"""Tables that prep wrote for people and that came back: each row keeps the identity it had."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

import polars as pl

from prep.errors import SourceError
from prep.formulas import unguard
from prep.model import IDENTITY, LINE, RECORD, ROW, SOURCE, Reason
from prep.places import name_line
from prep.sources import Batch, Source

REASONS, RAW = "_reasons", "_raw"
"""Why a row of a table was rejected, and the text of one that could not be split into cells."""

_TAILS: Final = (
    (REASONS, RAW),
    ("_chunk", "_batch_id", "_message", "_matched_by", "_field", "_advice"),
    ("_kept_source", "_kept_row", "_kept_fate"),
)
OWN_COLUMNS: Final = (*IDENTITY, *chain.from_iterable(_TAILS))
"""What prep adds to the columns of a source in its tables of rows."""

_ONLY_FOR_PEOPLE: Final = set(OWN_COLUMNS).difference(IDENTITY, {"_kept_source", "_kept_row"})
"""Columns that tell a table for people from what `prep.read` or `prep.prepare` returned, saved as a file."""


def own_places(columns: Sequence[str]) -> dict[str, str]:
    """Where a table of prep's own has the columns that prep added; nothing for any other file.

    A source may have columns of these names as well: prep's is the last one of its name, and stands behind
    `_source` unless a person moved it, which shows where the other columns of its tail are all there.

    Returns:
        Name → position, as `Batch.cells` names columns.
    """
    last = {name: place for place, name in enumerate(columns) if name in OWN_COLUMNS}
    if not set(IDENTITY) <= set(columns):
        return {}
    whole = {name for tail in _TAILS if set(tail) <= set(last) for name in tail}
    return {
        name: str(place)
        for name, place in last.items()
        if name in IDENTITY or name in whole or place > last[SOURCE]
    }


def adopt(source: Source) -> Source:
    """A source as it was before prep made it safe for spreadsheets, if prep wrote it for people.

    Typed tables, such as frames, never are one: whoever made them has the cells as they are.
    """
    is_for_people = own_places(source.columns) and _ONLY_FOR_PEOPLE.intersection(source.columns)
    return without_guards(source) if source.may_be_guarded and is_for_people else source


def without_guards(source: Source) -> Source:
    """A table that prep wrote for people, as it was before it was made safe for spreadsheets."""
    names = pl.select(unguard(pl.lit(pl.Series(source.columns)))).to_series()
    return replace(source, columns=tuple(names), is_guarded=True)


def identify(source: Source, batch: Batch) -> Batch:
    """Say of each record which row it is.

    Returns:
        The batch with `_record`, the record's number in the file, and `_source`, `_row`, `_line`: for a table
        of prep's own the ones that stand in it, else the file itself, the record and its line. A row of such
        a table that could not be split, and whose cells nobody filled, is as unreadable as it was.

    Raises:
        SourceError: A record of a table of prep's own cannot be read or does not say which row it is.
    """
    if not own_places(source.columns):
        record, path = pl.col(ROW).alias(RECORD), pl.lit(source.path).alias(SOURCE)
        return replace(
            batch,
            cells=batch.cells.with_columns(record, path),
            rejected=batch.rejected.with_columns(record, path),
        )
    rows = own_rows(source, batch)
    unsplit = _unsplit(source, rows)
    split = rows.join(unsplit, on=RECORD, how="anti", maintain_order="left")
    return replace(batch, cells=split, rejected=unsplit)


def _unsplit(source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    """Those rows of a table of prep's own that still have nothing but their text, as `Batch.rejected`."""
    own = own_places(source.columns)
    reason, raw = (pl.col(own[name]) if name in own else pl.lit(None, pl.String) for name in (REASONS, RAW))
    others = [str(place) for place in range(len(source.columns)) if str(place) not in own.values()]
    is_blank = pl.all_horizontal(pl.lit(True), *(pl.col(place).is_null() for place in others))
    return rows.filter(reason.is_in(_UNREADABLE) & raw.is_not_null() & is_blank).select(
        ROW, LINE, reason.alias("reason"), raw.alias("raw"), RECORD, SOURCE
    )


_UNREADABLE: Final = [Reason.UNREADABLE_ROW.value, Reason.ENCODING.value]


def own_rows(source: Source, batch: Batch) -> pl.DataFrame:
    """The rows of a table of prep's own: cells, `_record`, and the `_source`, `_row`, `_line` that they have.

    Raises:
        SourceError: As `identify`.
    """
    _refuse_unreadable(source, batch)
    own = own_places(source.columns)
    record = pl.col(ROW).alias(RECORD)
    written = pl.exclude(ROW, LINE)
    cells = batch.cells.select(unguard(written) if source.is_guarded else written, record, LINE).with_columns(
        pl.col(own[SOURCE]).alias(SOURCE),
        pl.col(own[ROW]).cast(pl.UInt32, strict=False).alias(ROW),
        pl.col(own[LINE]).cast(pl.UInt32, strict=False).alias("_own_line"),
    )
    nameless = cells.filter(pl.col(SOURCE).is_null() | pl.col(ROW).fill_null(0).eq(0))
    for record, line in nameless.select(RECORD, LINE).head(1).rows():
        where = name_line(record, line, in_sheet=source.reading.sheet is not None)
        raise SourceError(
            f"{source.path}: record {record} in {where} does not say which row it is",
            code="no_identity",
            hint=f"Leave the columns {SOURCE}, {ROW} and {LINE} as prep wrote them, or delete the line.",
            source=source.path,
            row=record,
        )
    return cells.drop(LINE).rename({"_own_line": LINE})


def _refuse_unreadable(source: Source, batch: Batch) -> None:
    """Refuse a record that has cells behind the last name of the header, or cannot be read otherwise."""
    for row, line, reason in batch.rejected.select(ROW, LINE, "reason").head(1).rows():
        where = name_line(row, line, in_sheet=source.reading.sheet is not None)
        raise SourceError(
            f"{source.path}: record {row} in {where}: {Reason(reason).meaning}",
            code="unreadable_record",
            hint="Delete what stands in a column without a name, or give it a name in the header; else look "
            "for a missing or stray quote, save the table as UTF-8, or delete the line.",
            source=source.path,
            row=row,
        )
