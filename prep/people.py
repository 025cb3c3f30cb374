"""Tables for people: CSV and workbook files that a spreadsheet opens without running or spoiling anything."""

from collections.abc import Sequence
from typing import BinaryIO, Final

import polars as pl

WORKBOOK_ROWS: Final = 100_000
"""A workbook with more rows than this is of no use to a person; the CSV file has them all."""

_WORKBOOK_COLUMNS: Final = 16_384
_CELL_UNITS: Final = 32_767
"""Columns of a sheet, and the longest cell in units of UTF-16.
https://support.microsoft.com/en-us/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3"""

_FORMULA: Final = "^[=+\\-@\t\r\n＝＋－＠]"  # noqa: RUF001 (the full-width twins are meant)  # fmt: skip
_SIGNED_NUMBER: Final = r"^[+-][\d][\d .,()/-]*$"
"""Plain signed numbers and phone numbers: a spreadsheet reads them as numbers, never as formulas."""


def defuse(cells: pl.Expr) -> pl.Expr:
    """Put an apostrophe before text that a spreadsheet could run, and before an apostrophe that is there.

    Taking one leading apostrophe off gives the cell back. Blank cells stay blank.
    https://owasp.org/www-community/attacks/CSV_Injection
    """
    runs = cells.str.contains(_FORMULA) & ~cells.str.contains(_SIGNED_NUMBER)
    return pl.when(~(runs | cells.str.starts_with("'"))).then(cells).otherwise("'" + cells)


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
        """Add rows; the frame has as many columns as the header, by position."""
        self.append_defused(frame.select(defuse(pl.col(name).cast(pl.String)) for name in frame.columns))

    def append_defused(self, frame: pl.DataFrame) -> None:
        """Add rows that come from such a table."""
        self._write(frame)
        self.rows += frame.height

    def _write(self, frame: pl.DataFrame) -> None:
        frame.write_csv(self._file, include_header=False, separator=self._delimiter)


def defused(rows: Sequence[Sequence[str]]) -> pl.DataFrame:
    """A few rows as a frame of defused text."""
    names = [str(position) for position in range(len(rows[0]))]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row").select(defuse(pl.all()))


def fits_workbook(rows: pl.DataFrame) -> bool:
    """Whether a workbook can hold these rows without cutting a cell, and is of use to a person."""
    cells = pl.all().cast(pl.String).str
    units = cells.len_chars() + cells.count_matches(r"[\u{10000}-\u{10FFFF}]")
    longest = rows.select(pl.max_horizontal(units.max())).item()
    return rows.height <= WORKBOOK_ROWS and rows.width <= _WORKBOOK_COLUMNS and (longest or 0) < _CELL_UNITS


def write_workbook(file: BinaryIO, columns: Sequence[str], rows: pl.DataFrame) -> None:
    """Write rows as a workbook in which every cell is text, defused as in the CSV file."""
    from xlsxwriter import Workbook  # noqa: PLC0415 (only for runs with rejected rows)

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(file, options) as workbook:
        sheet = workbook.add_worksheet("rejected")
        text = workbook.add_format({"num_format": "@"})
        heading = workbook.add_format({"num_format": "@", "bold": True})
        sheet.set_column(0, len(columns) - 1, 22, text)
        sheet.freeze_panes(1, 0)
        for position, name in enumerate(defused([columns]).row(0)):
            sheet.write_string(0, position, name, heading)
        safe = rows.select(defuse(pl.col(name).cast(pl.String)) for name in rows.columns)
        for line, cells in enumerate(safe.iter_rows(), start=1):
            for position, cell in enumerate(cells):
                if cell is not None:
                    sheet.write_string(line, position, cell, text)
