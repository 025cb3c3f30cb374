"""Tables for people: CSV and workbook files that a spreadsheet opens without running or spoiling anything."""

from collections.abc import Sequence
from typing import BinaryIO

import polars as pl
import polars.selectors as cs

from prep import durable
from prep.formulas import defuse_frame
from prep.model import Reading

AS_WRITTEN = Reading(quote='"', escape="double")
"""How cells of such a table are quoted, by prep and by whatever saves it again."""


class Table:
    """A CSV file for people, written batch by batch: UTF-8 with byte order mark, defused cells."""

    def __init__(self, file: BinaryIO, columns: Sequence[str], *, delimiter: str = ",") -> None:
        """Begin the table.

        Args:
            file: Where it goes.
            columns: Header texts; they may repeat.
            delimiter: Between cells.
        """
        self._file = file
        self._delimiter = delimiter
        self._file.write(b"\xef\xbb\xbf")
        self.rows = 0
        self._write(defused([columns]))

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows; the frame has as many columns as the header, by position.

        Each value of a categorical column is looked at once, and whole numbers are as harmless as they look.
        """
        if frame.is_empty():
            return
        text = defuse_frame(frame.select(~(cs.categorical() | cs.integer())))
        few = map(_defuse_each_value, frame.select(cs.categorical()))
        self._write(frame.with_columns(*text, *few))
        self.rows += frame.height

    def append_defused(self, query: pl.LazyFrame) -> None:
        """Add rows that a query makes of such a table, in order; memory holds some of them at a time.

        Raises:
            OSError: They cannot be written.
        """
        with durable.errors_of_the_system():
            query.sink_csv(
                self._file,
                include_header=False,
                separator=self._delimiter,
                quote_style="necessary",
                engine="streaming",
                optimizations=pl.QueryOptFlags(projection_pushdown=False),  # else it cuts long lines off
            )

    def _write(self, cells: pl.DataFrame) -> None:
        """Write cells, quoted where they need it or are empty but not blank."""
        cells.write_csv(self._file, include_header=False, separator=self._delimiter, quote_style="necessary")


def _defuse_each_value(column: pl.Series) -> pl.Series:
    values = column.unique().drop_nulls()
    cells = defuse_frame(values.to_frame()).to_series()
    return column.replace_strict(values, cells, return_dtype=pl.String)


def defused(rows: Sequence[Sequence[str]]) -> pl.DataFrame:
    """A few rows as a frame of defused text."""
    names = [str(position) for position in range(len(rows[0]))]
    return defuse_frame(pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"))
