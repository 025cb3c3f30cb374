"""Tables of prep's own as they came back from a person."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from prep.corrections import CHANGES, LEFT_OUT
from prep.errors import SourceError
from prep.folder import RunFolder
from prep.folding import name_some
from prep.model import IDENTITY, LINE, ROW, SOURCE
from prep.people import AS_WRITTEN
from prep.plan import occurrences
from prep.returned import RAW, REASONS, own_places, own_rows, without_guards
from prep.sources import Batch, Source, open_source
from prep.sources.workbook import open_workbook


@dataclass(frozen=True)
class Returned:
    """A table of prep's own as it came back.

    Attributes:
        path: Where it is.
        columns: The sources' columns, as headers.
        rows: Cells named by position, then `_source`, `_row`, `_line` and, if the table has them, `_reasons`
            and `_raw`.
        is_sent: Whether the cells are values as sent.
        notes: What was noticed in reading it, such as cells that are blank because they hold an error.
    """

    path: Path
    columns: tuple[str, ...]
    rows: pl.DataFrame
    is_sent: bool = False
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """What the columns of `rows` are called."""
        return [str(place) for place in range(len(self.columns))]


def read_returned(path: Path) -> Returned:
    """Read `rejected.csv`, `rejected.xlsx` or `failed.csv`, whatever a spreadsheet made of it.

    Raises:
        SourceError: It cannot be read, or a row does not say which one it is.
    """
    source = without_guards(_open_table(path))
    own = own_places(source.columns)
    if not own:
        raise SourceError(
            f"{path}: lacks the columns {SOURCE}, {ROW} and {LINE}",
            code="no_identity",
            hint="prep wrote them to know each row again; restore them.",
            source=str(path),
        )
    places = [str(place) for place, name in enumerate(source.columns) if str(place) not in own.values()]
    frames = [_kept(own_rows(source, _without_blank_lines(batch)), places, own) for batch in source.read()]
    columns = tuple(source.columns[int(place)] for place in places)
    notes = tuple(f"{path.name}: {_OPTIONS.sub('', note)}" for note in source.notes)
    return Returned(path, columns, pl.concat(frames), notes=notes)


_OPTIONS: Final = re.compile(r"; --.*?(?=\.(?:\s|$)|$)")
"""What a note says of options that `prep retry` does not have."""


def _without_blank_lines(batch: Batch) -> Batch:
    """The records of a batch but for those that hold delimiters only, as spreadsheets write below a table."""
    is_filled = pl.any_horizontal(pl.exclude(ROW, LINE).is_not_null())
    return replace(batch, cells=batch.cells.filter(is_filled))


def _open_table(path: Path) -> Source:
    if path.suffix == ".xlsx":
        try:
            return open_workbook(path, AS_WRITTEN)
        except SourceError as error:
            hint = f"Save it as .xlsx again, or delete it and use {path.stem}.csv instead."
            raise SourceError(error.message, code=error.code, hint=hint, source=error.source) from error
    try:
        return open_source(path, AS_WRITTEN)
    except SourceError as error:
        if "--" not in error.hint:
            raise
        raise SourceError(
            error.message,
            code=error.code,
            hint="Save it as CSV in UTF-8 under the same name, its header in line 1.",
            source=error.source,
            row=error.row,
        ) from error


def _kept(cells: pl.DataFrame, places: Sequence[str], own: Mapping[str, str]) -> pl.DataFrame:
    renamed = [pl.col(place).alias(str(index)) for index, place in enumerate(places)]
    told = [
        (pl.col(own[name]) if name in own else pl.lit(None, pl.String)).alias(name) for name in (REASONS, RAW)
    ]
    return cells.select(*renamed, *IDENTITY, *told)


def locate(table: Returned, changes: pl.DataFrame) -> pl.DataFrame:
    """Corrections of a table's rows, each cell once, with the places that their columns have in it now.

    Args:
        table: The table as it is now, named as in the sources.
        changes: Corrections (`corrections.CHANGES`); those of other tables and of lines that are gone do
            not count.

    Raises:
        SourceError: A column is not in it any more.
    """
    changes = changes.filter(pl.col("table") == table.path.name).join(
        table.rows, left_on=["source", "row"], right_on=[SOURCE, ROW], how="semi", maintain_order="left"
    )
    columns = [(*column, place) for place, column in enumerate(occurrences(table.columns))]
    known = pl.DataFrame(
        columns, {"header": pl.String, "occurrence": pl.Int32, "_now": pl.Int32}, orient="row"
    )
    is_place = pl.col("header").is_null() & (pl.col("place") < len(columns))
    found = changes.join(known, on=["header", "occurrence"], how="left", maintain_order="left")
    found = found.with_columns(pl.when(is_place).then("place").otherwise("_now").alias("_now"))
    named = pl.col("header").fill_null(pl.format("column {}", pl.col("place") + 1))
    lost = found.filter(pl.col("_now").is_null()).select(named.unique(maintain_order=True)).to_series()
    if len(lost):
        raise SourceError(
            f"{table.path}: lacks columns of which cells were corrected in prep review: {name_some([*lost])}",
            code="lost_columns",
            hint=f"Restore the table{_how(table)}, or delete review.sqlite, which holds what was corrected "
            "in prep review.",
            source=str(table.path),
            column=lost[0],
        )
    placed = found.with_columns(place="_now").select(CHANGES.names())
    return placed.unique(["source", "row", "place"], keep="last", maintain_order=True)


def _how(table: Returned) -> str:
    """How the cells of the sources come back into a table that was corrected when it had them."""
    how = " (put the sources back and give prep reconcile, for their cells instead of values as sent)"
    return how if table.is_sent else ""


def correct(table: Returned, changes: pl.DataFrame, path: Path) -> Returned:
    """A table with what was corrected on the page of `prep review`, as if it had been edited.

    Args:
        table: The table as it is now, named as in the sources.
        changes: Corrections (`corrections.CHANGES`); those of other tables and of lines that are gone do
            not count.
        path: Where the table is.

    Raises:
        SourceError: A cell was corrected on the page, and since then in the table as well, or its column is
            not there any more.
    """
    changes = locate(table, changes)
    left_out = changes.filter((pl.col("place") == LEFT_OUT) & pl.col("value").is_not_null())
    rows = table.rows.join(left_out, left_on=[SOURCE, ROW], right_on=["source", "row"], how="anti")
    contradicted = 0
    for (place,), cells in changes.filter(pl.col("place") != LEFT_OUT).group_by("place"):
        name = str(place)
        known = rows.select(SOURCE, ROW, name).join(
            cells.select(
                pl.col("source").alias(SOURCE), pl.col("row").alias(ROW), "base", "value", found=True
            ),
            on=[SOURCE, ROW],
            how="left",
            maintain_order="left",
        )
        agrees = plain_text(name).eq_missing(plain_text("base")) | plain_text(name).eq_missing(
            plain_text("value")
        )
        contradicted += known.filter(pl.col("found") & ~agrees).height
        rows = rows.with_columns(
            known.select(pl.when("found").then("value").otherwise(name)).to_series().alias(name)
        )
    if contradicted:
        raise SourceError(
            f"{path}: {contradicted} cells were changed in it that were corrected in prep review before",
            code="two_corrections",
            hint=f"Restore the table{_how(table)}, or delete review.sqlite, which holds what was corrected "
            "in prep review.",
            source=str(path),
        )
    return replace(table, rows=rows)


def plain_text(name: str) -> pl.Expr:
    """The cells of a column with line breaks of one kind, as they compare."""
    return pl.col(name).str.replace_all(r"\r\n?", "\n")


def differs(name: str) -> pl.Expr:
    """Whether the cells of a column are others than those beside them, as `beside_written` calls these."""
    return plain_text(name).ne_missing(plain_text(f"{name}_written"))


def beside_written(columns: Sequence[str], written: Sequence[str]) -> list[pl.Expr]:
    """The cells of columns with the same names in a table as prep has it.

    Args:
        columns: The headers of the table that came back.
        written: Those of the other one, whose cells are named by position.

    Returns:
        `0_written` …; blank where the other table has no such column.
    """
    places = {column: str(place) for place, column in enumerate(occurrences(written))}
    return [
        (pl.col(places[column]) if column in places else pl.lit(None, pl.String)).alias(f"{index}_written")
        for index, column in enumerate(occurrences(columns))
    ]


NOBODY: Final = pl.DataFrame(schema={SOURCE: pl.String(), ROW: pl.UInt32()})
"""`_source` and `_row` of no row."""


def rows_with(folder: RunFolder, fates: pl.Expr) -> pl.DataFrame:
    """`_source` and `_row` of the rows of a run with such fates."""
    identity = [pl.col("source").alias(SOURCE), pl.col("row").alias(ROW)]
    return folder.query_rows(lambda rows: rows.filter(fates).select(identity))
