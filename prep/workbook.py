"""A workbook in which every cell is text, written as fast as a CSV file.

XlsxWriter makes the workbook around the rows; the rows themselves are rendered by polars, because a call for
each cell costs ten times as much as everything else that is done to a rejected row.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from typing import BinaryIO, Final

import polars as pl

from prep.formulas import defuse_frame
from prep.people import defused

WORKBOOK_ROWS: Final = 100_000
"""A workbook with more rows than this is of no use to a person; the CSV file has them all."""

_WORKBOOK_COLUMNS: Final = 16_384
_CELL_UNITS: Final = 32_767
"""Columns of a sheet, and the longest cell in units of UTF-16.
https://support.microsoft.com/en-us/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3"""

_SHEET: Final = "xl/worksheets/sheet1.xml"
_ROWS_AT_ONCE: Final = 20_000
_CONTROLS: Final = [chr(code) for code in (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0xFFFE, 0xFFFF)]
_ESCAPED_CONTROLS: Final = [f"_x{ord(control):04X}_" for control in _CONTROLS]
"""Characters that XML cannot hold, as workbooks write them.
https://learn.microsoft.com/en-us/openspecs/office_standards/ms-oi29500/e34316d4-1a69-463c-bed2-66e64d6ba6cc"""

_EDGES: Final = r"^\s|\s$"
_PRESERVE: Final = ' xml:space="preserve"'
"""Without it spaces before and after the text of a cell are lost."""

_ESCAPE: Final = r"_(x[0-9A-Fa-f]{4}_)"
_SPECIAL: Final = f"[&<>\r{''.join(_CONTROLS)}]|{_ESCAPE}"


def fits_workbook(rows: pl.DataFrame) -> bool:
    """Whether a workbook can hold these rows without cutting a cell, and is of use to a person."""
    if rows.height > WORKBOOK_ROWS or rows.width > _WORKBOOK_COLUMNS:
        return False
    cells = pl.all().cast(pl.String).str
    if _longest(rows, cells.len_bytes()) < _CELL_UNITS:  # a character has no more units than bytes
        return True
    return _longest(rows, cells.len_chars() + cells.count_matches(r"[\u{10000}-\u{10FFFF}]")) < _CELL_UNITS


def _longest(rows: pl.DataFrame, sizes: pl.Expr) -> int:
    return int(rows.select(pl.max_horizontal(sizes.max())).item() or 0)


def write_workbook(file: BinaryIO, columns: Sequence[str], rows: pl.DataFrame) -> None:
    """Write rows as a workbook in which every cell is text, defused as in the CSV file; blanks stay empty."""
    blank, style = _blank_workbook(defused([columns]).row(0))
    with (
        zipfile.ZipFile(blank) as source,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as into,
    ):
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename != _SHEET:
                into.writestr(entry, content)
                continue
            content = re.sub(rb"<dimension [^>]*/>", b"", content)
            before, after = re.split(rb'<row r="2".*?</row>', content, maxsplit=1)
            with into.open(_SHEET, "w") as sheet:
                sheet.write(before)
                for start in range(0, rows.height, _ROWS_AT_ONCE):
                    part = defuse_frame(rows.slice(start, _ROWS_AT_ONCE))
                    sheet.write(_render(part, style, start + 2))
                sheet.write(after)


def _blank_workbook(columns: Sequence[str]) -> tuple[io.BytesIO, str]:
    """A workbook with the header and one sample row, and the number of the style that makes a cell text."""
    from xlsxwriter import Workbook  # noqa: PLC0415 (only for runs with rejected rows)

    file = io.BytesIO()
    with Workbook(file, {"constant_memory": True, "strings_to_formulas": False}) as workbook:
        sheet = workbook.add_worksheet("rejected")
        text = workbook.add_format({"num_format": "@"})
        heading = workbook.add_format({"num_format": "@", "bold": True})
        sheet.set_column(0, len(columns) - 1, 22, text)
        sheet.freeze_panes(1, 0)
        for place, name in enumerate(columns):
            sheet.write_string(0, place, name, heading)
        sheet.write_string(1, 0, "sample", text)
    with zipfile.ZipFile(file) as archive:
        sample = re.search(rb'<c r="A2" s="(\d+)"', archive.read(_SHEET))
    if sample is None:
        raise TypeError("XlsxWriter writes cells in another way than expected")
    return file, sample[1].decode()


def _render(rows: pl.DataFrame, style: str, first_line: int) -> bytes:
    """The rows as elements, one on a line each."""
    line = pl.int_range(first_line, first_line + rows.height).cast(pl.String)
    has_edges = rows.select(pl.all().str.contains(_EDGES).any()).row(0)
    cells = (
        pl.concat_str(
            pl.lit(f'<c r="{_letters(place)}'),
            line,
            pl.lit(f'" s="{style}" t="inlineStr"><is><t{_PRESERVE if is_edged else ""}>'),
            pl.col(name),
            pl.lit("</t></is></c>"),
        ).alias(name)
        for place, (name, is_edged) in enumerate(zip(rows.columns, has_edges, strict=True))
    )
    elements = _escape(rows).select(
        pl.concat_str(pl.lit('<row r="'), line, pl.lit('">')).alias("<row>"),
        *cells,
        pl.lit("</row>").alias("</row>"),
    )
    content = io.BytesIO()
    elements.write_csv(content, include_header=False, separator="\n", quote_style="never")
    return content.getvalue()


def _escape(rows: pl.DataFrame) -> pl.DataFrame:
    """Spell out what XML cannot hold; one search through a whole column finds the columns that have some."""
    found = rows.select(pl.all().str.join("").str.contains(_SPECIAL)).row(0)
    names = [name for name, is_found in zip(rows.columns, found, strict=True) if is_found]
    literal = pl.col(names).str.replace_all(_ESCAPE, "_x005F_$1")
    return rows.with_columns(
        literal.str.replace_many(
            ["&", "<", ">", "\r", *_CONTROLS], ["&amp;", "&lt;", "&gt;", "&#13;", *_ESCAPED_CONTROLS]
        )
    )


def _letters(place: int) -> str:
    """The letters of a column: A to Z, then AA and so on."""
    letters = ""
    while place >= 0:
        place, letter = divmod(place, 26)
        letters = chr(ord("A") + letter) + letters
        place -= 1
    return letters
