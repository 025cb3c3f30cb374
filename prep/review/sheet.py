"""The tables of a run that a person repairs, as one: which rows and columns there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from prep.advice import Advice, advise, known_schema
from prep.corrections import CHANGES
from prep.errors import FolderError
from prep.folder import RunFolder
from prep.manifest import Manifest
from prep.model import IDENTITY, Fate
from prep.places import Place
from prep.plan import occurrences
from prep.retry_mapping import name_as_in_sources
from prep.retrying import find_missing, sources_of
from prep.returned_tables import Returned, correct, locate, read_returned

ID, TABLE, RAW, MESSAGE = "_record", "_table", "_raw", "_message"

MARKETO = "marketo."
"""Stands before the codes of `advice.toml`, where they are reasons."""


@dataclass(frozen=True)
class Sheet:
    """Rows that were rejected, then those that failed, as the tables of the run folder have them.

    Attributes:
        tables: The tables by name: `rejected.csv` and `failed.csv`, as far as there are rows.
        columns: Header and which of that name, of all tables.
        rows: `_record` (counted from 0), `_table`, `_source`, `_row`, `_line`, `_raw`, `_message` (Marketo's
            words), `_reasons` (as cleaning or Marketo gave them, `field:code` joined by `; `), and the cells,
            named by position in `columns`.
        advice: What Marketo's words mean, by the code in `_reasons`.
        closed: Tables that cannot be repaired, or are gone → why.
    """

    tables: Mapping[str, Returned]
    columns: tuple[tuple[str, int], ...]
    rows: pl.DataFrame
    advice: Mapping[str, Advice]
    closed: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """What the columns of cells are called."""
        return [str(place) for place in range(len(self.columns))]

    @cached_property
    def places(self) -> Mapping[str, Mapping[int, int]]:
        """Place in `columns` → place in a table, by table."""
        numbers = {column: place for place, column in enumerate(self.columns)}
        return {
            name: {numbers[column]: place for place, column in enumerate(occurrences(table.columns))}
            for name, table in self.tables.items()
        }

    def locate(self, changes: pl.DataFrame) -> pl.DataFrame:
        """Corrections of the rows, each cell once, with the places that their columns have in the tables.

        Raises:
            SourceError: They contradict a table.
        """
        for table in self.tables.values():
            correct(table, changes, table.path)
        found = [locate(table, changes) for table in self.tables.values()]
        return pl.concat([CHANGES.to_frame(), *found])

    def as_table(self, name: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of this sheet as `Judge.judge` takes those of a table."""
        places = self.places[name]
        cells = [pl.col(str(place)).alias(str(own)) for place, own in places.items()]
        return rows.select(ID, *IDENTITY, *cells)


def place_of(row: Mapping[str, Any]) -> Place:
    """Where a row of a sheet is in its source."""
    return Place(*(row[name] for name in IDENTITY))


def open_sheet(folder: RunFolder, manifest: Manifest) -> Sheet:
    """Read the rows of a run that can be repaired.

    Raises:
        SourceError: A table came back damaged, or is gone and nothing else is there.
        FolderError: The table of fates is.
    """
    fates = folder.query_rows(
        lambda rows: rows.filter(pl.col("fate").is_in([Fate.REJECTED, Fate.FAILED])).select(
            pl.col("source").alias("_source"), pl.col("row").alias("_row"), "fate", "reasons", "message"
        )
    )
    found = {
        path.name: (fate, read_returned(path))
        for fate, path in ((Fate.REJECTED, folder.rejected), (Fate.FAILED, folder.failed))
        if path.exists()
    }
    tables = {name: table for name, (_, table) in found.items() if table.rows.height}
    if folder.failed.name in tables:
        tables[folder.failed.name] = name_as_in_sources(tables[folder.failed.name], manifest)
    columns = tuple(
        dict.fromkeys(chain.from_iterable(occurrences(table.columns) for table in tables.values()))
    )
    advice = _advice(fates, manifest)
    frames = [
        _rows_of(name, tables[name], columns, fates.filter(pl.col("fate") == found[name][0]), advice)
        for name in tables
    ]
    missing = find_missing(folder)
    if not frames:
        for error in missing.values():
            raise error
        raise FolderError(
            f"{folder.path}: no row is left in rejected.csv or failed.csv"
            if fates.height
            else f"{folder.path}: no row was rejected, and none failed",
            code="nothing_to_repair",
            source=str(folder.path),
        )
    rows = pl.concat(frames).with_row_index(ID)
    codes = {_code(told): told for told in advice.values()}
    gone = {name: f"{error.message}. {error.hint}" for name, error in missing.items()}
    return Sheet(tables, columns, rows, codes, {**gone, **_closed(folder, manifest, tables)})


def _advice(fates: pl.DataFrame, manifest: Manifest) -> dict[str, Advice]:
    """What each message of Marketo means."""
    messages = fates.filter(pl.col("fate") == Fate.FAILED)["message"].unique().to_list()
    schema = known_schema(manifest.schema)
    return {message or "": advise(message or "", schema, manifest.into) for message in messages}


def _code(advice: Advice) -> str:
    return f"{advice.field or ''}:{MARKETO}{advice.code}"


def _rows_of(
    name: str,
    table: Returned,
    columns: tuple[tuple[str, int], ...],
    fates: pl.DataFrame,
    advice: Mapping[str, Advice],
) -> pl.DataFrame:
    """The rows of one table under the columns of all."""
    own = {column: str(place) for place, column in enumerate(occurrences(table.columns))}
    codes = {message: _code(told) for message, told in advice.items()}
    told = pl.col("message").fill_null("").replace_strict(codes, default=None, return_dtype=pl.String)
    rows = table.rows.join(fates, on=["_source", "_row"], how="left", maintain_order="left")
    return rows.select(
        pl.lit(name).alias(TABLE),
        *IDENTITY,
        RAW,
        pl.col("message").alias(MESSAGE),
        pl.when(pl.col("fate") == Fate.FAILED)
        .then(told)
        .otherwise(pl.col("reasons").list.join("; "))
        .fill_null("")
        .alias("_reasons"),
        *(
            (pl.col(own[column]) if column in own else pl.lit(None, pl.String)).alias(str(place))
            for place, column in enumerate(columns)
        ),
    )


def _closed(folder: RunFolder, manifest: Manifest, tables: Mapping[str, Returned]) -> dict[str, str]:
    """Rejected rows are compared with their sources when they are tried again: these must be there."""
    if folder.rejected.name not in tables:
        return {}
    needed = sources_of(tables[folder.rejected.name], manifest)
    gone = [record.path for record in needed if not folder.holds(record)]
    if not gone:
        return {}
    paths = ", ".join(gone)
    is_relative = not all(Path(path).is_absolute() for path in gone)
    place = f"not in {Path.cwd()}" if is_relative else "not there any more"
    elsewhere = "give the command in the folder where the run was made, or " if is_relative else ""
    return {
        folder.rejected.name: f"{paths}: {place}. Rejected rows are compared with their source "
        f"when they are tried again: {elsewhere}put it back to repair them."
    }
