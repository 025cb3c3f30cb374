import csv
import io
import re
import zipfile
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prep.formulas import defuse, defuse_frame, unguard
from prep.people import Table
from prep.workbook import fits_workbook, write_workbook
from tests.depth import examples
from tests.strategies import NASTY_CELLS

FORMULAS = [
    *("=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "+A1", "-A1", "-1+A1", "+1+cmd|'x'!A0", "-", "+", "+(1)"),
    *("\t=1", "\r=1", "\n=1", "＝1+1", "＋A1", "－A1", "＠SUM(A1)"),  # noqa: RUF001
]
HARMLESS = [
    *("-5", "+5", "-1.5", "-1,5", "+34 910 000 012", "+1 (555) 010-0100", "+44/20-7946", "-1 000.00"),
    *("a=1", "1-2", "a@example.com", "", " =1", "x'", "#REF!", "日本"),
]


def defused(cell: str | None) -> str | None:
    shown: str | None = defuse_frame(pl.DataFrame({"c": [cell]}, schema={"c": pl.String})).item()
    return shown


@pytest.mark.parametrize("cell", FORMULAS)
def test_formulas_are_defused(cell: str) -> None:
    assert defused(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", [*HARMLESS, None])
def test_other_cells_are_left_alone(cell: str | None) -> None:
    assert defused(cell) == cell


@pytest.mark.parametrize("cell", ["'", "'x", "''", "'=1"])
def test_an_apostrophe_is_doubled(cell: str) -> None:
    assert defused(cell) == f"'{cell}"


@given(st.lists(st.none() | st.text(max_size=3) | NASTY_CELLS | st.sampled_from(["'", "''", "'=1", "''=1"])))
@example([*FORMULAS, *HARMLESS, "'", "'x", "''", "'=1", "'-5", "''=1", "'\r\n", None])
@settings(max_examples=examples(300), deadline=None)
def test_unguarding_what_was_defused_gives_every_cell_back(cells: list[str | None]) -> None:
    frame = pl.DataFrame({"c": cells}, schema={"c": pl.String})
    assert defuse_frame(frame).select(unguard(pl.all())).equals(frame)


@pytest.mark.parametrize("cell", ["'t Hooft", "'s-Hertogenbosch", "'90s", "'", "x'", None])
def test_an_apostrophe_that_was_not_put_there_stays(cell: str | None) -> None:
    assert pl.select(unguard(pl.lit(cell, pl.String))).item() == cell


@given(st.lists(st.text(max_size=3) | NASTY_CELLS | NASTY_CELLS.map("'{}".format)))
@settings(max_examples=examples(300), deadline=None)
def test_unguarding_takes_nothing_but_an_apostrophe_before_a_sign_or_another_one(cells: list[str]) -> None:
    unguarded = pl.Series(cells, dtype=pl.String).to_frame("cell").select(unguard(pl.col("cell")))
    for cell, found in zip(cells, unguarded.to_series(), strict=True):
        is_guarded = cell[:1] == "'" and cell[1:2] in {*"'=+-@\t\r\n＝＋－＠"}  # noqa: RUF001
        assert found == (cell[1:] if is_guarded else cell)


def test_a_guarded_cell_that_was_corrected_to_a_number_is_that_number() -> None:
    assert pl.select(defuse(pl.lit("+1 202 x"))).item() == "'+1 202 x"
    assert pl.select(unguard(pl.lit("'+1 202 555 0100"))).item() == "+1 202 555 0100"


CONTROLS = "".join(map(chr, [*range(32), 127, 133]))
CELLS = [
    *FORMULAS,
    *HARMLESS[:-3],
    *(
        "'x",
        "a\rb",
        "a\r\nb",
        "a\nb",
        CONTROLS,
        "_x0041_",
        "\ufffe\uffff",
        " lead ",
        '&<>"',
        "😀",
        "0007",
        "1e5",
    ),
    *("TRUE", "2026-01-31", "=HYPERLINK(1)", "https://example.com", "mailto:x", "x" * 255, None),
]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_table_gives_every_cell_back(delimiter: str) -> None:
    file = io.BytesIO()
    table = Table(file, ["=h", "h", "h"], delimiter=delimiter)
    rows = pl.DataFrame({"0": CELLS, "1": range(len(CELLS)), "2": list(reversed(CELLS))}, strict=False)
    table.append(rows.head(5))
    table.append(rows.slice(5))
    assert table.rows == len(CELLS)
    text = file.getvalue().decode("utf-8")
    assert text.startswith("\ufeff'=h" + delimiter + "h" + delimiter + "h\n")
    lines = list(csv.reader(io.StringIO(text[1:], newline=""), delimiter=delimiter, strict=True))[1:]
    found = [[cell.removeprefix("'") for cell in line] for line in lines]
    assert found == [[cell or "", str(number), last or ""] for cell, number, last in rows.rows()]


def test_exact_bytes_of_a_table() -> None:
    file = io.BytesIO()
    table = Table(file, ["a", "b"])
    table.append(pl.DataFrame({"x": ["=1", None, 'q"'], "y": [1, 2, None]}))
    table.append_defused(pl.LazyFrame({"x": ["'=1"], "y": ["-5"]}))
    assert file.getvalue() == '\ufeffa,b\n\'=1,1\n,2\n"q""",\n\'=1,-5\n'.encode()


def test_a_table_without_rows_has_its_header() -> None:
    file = io.BytesIO()
    Table(file, ["a", "b"], delimiter=";")
    assert file.getvalue() == "\ufeffa;b\n".encode()


NAMESPACE = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def _unescaped(text: str) -> str:
    """Undo `_x000D_` as Excel does."""
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)


def _shown(cell: ET.Element) -> str:
    """The text of a cell; a spreadsheet drops spaces around it that it was not told to preserve."""
    text = cell.find("m:is/m:t", NAMESPACE)
    assert text is not None
    is_kept = text.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
    return (text.text or "") if is_kept else (text.text or "").strip()


def sheet_of(content: bytes) -> tuple[list[list[str | None]], set[tuple[str | None, str | None]]]:
    """Cells of the only sheet by row, and every pair of cell type and number format that occurs."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))  # noqa: S314
        styles = ET.fromstring(archive.read("xl/styles.xml"))  # noqa: S314
    codes = {"49": "@"} | {
        entry.attrib["numFmtId"]: entry.attrib["formatCode"]
        for entry in styles.findall("m:numFmts/m:numFmt", NAMESPACE)
    }
    formats = [codes.get(style.attrib["numFmtId"]) for style in styles.findall("m:cellXfs/m:xf", NAMESPACE)]
    assert sheet.findall(".//m:f", NAMESPACE) == []
    assert sheet.findall(".//m:v", NAMESPACE) == []
    rows: list[list[str | None]] = []
    kinds = set()
    for row in sheet.findall("m:sheetData/m:row", NAMESPACE):
        cells: list[str | None] = [None, None]
        for cell in row.findall("m:c", NAMESPACE):
            kinds.add((cell.get("t"), formats[int(cell.get("s", "0"))]))
            column = "AB".index(cell.attrib["r"][0])
            cells[column] = _unescaped(_shown(cell))
        rows.append(cells)
    return rows, kinds


def test_a_workbook_holds_text_only_and_gives_every_cell_back() -> None:
    file = io.BytesIO()
    rows = pl.DataFrame({"0": CELLS, "1": range(len(CELLS))}, strict=False)
    write_workbook(file, ["=head", "number"], rows)
    (header, *cells), kinds = sheet_of(file.getvalue())
    assert header == ["'=head", "number"]
    assert kinds == {("inlineStr", "@")}
    assert [[cell or None, number] for cell, number in cells] == [
        [defused(cell) or None, str(number)] for cell, number in rows.rows()
    ]


def test_a_column_with_one_odd_cell_is_written_as_any_other() -> None:
    cells = [*CONTROLS, *'&<>"', "_x0041_", "=1", "x"]
    for cell in cells:
        file = io.BytesIO()
        write_workbook(file, ["a"], pl.DataFrame({"0": ["plain", cell]}))
        assert sheet_of(file.getvalue())[0] == [["a", None], ["plain", None], [defused(cell), None]]


@pytest.mark.parametrize(
    ("rows", "fits"),
    [
        (pl.DataFrame({"a": ["x" * 32_766]}), True),
        (pl.DataFrame({"a": ["x" * 32_767]}), False),
        (pl.DataFrame({"a": ["é" * 32_766]}), True),
        (pl.DataFrame({"a": ["😀" * 16_383]}), True),
        (pl.DataFrame({"a": ["😀" * 16_384]}), False),
        (pl.DataFrame({"a": [None]}, schema={"a": pl.String}), True),
        (pl.DataFrame({"a": []}, schema={"a": pl.String}), True),
        (pl.DataFrame({"a": [1] * 100_000}), True),
        (pl.DataFrame({"a": [1] * 100_001}), False),
        (pl.DataFrame({str(number): ["x"] for number in range(16_384)}), True),
        (pl.DataFrame({str(number): ["x"] for number in range(16_385)}), False),
    ],
    ids=range(11),
)
def test_what_a_workbook_can_hold(rows: pl.DataFrame, *, fits: bool) -> None:
    assert fits_workbook(rows) is fits


@given(st.lists(st.none() | st.text(max_size=3) | NASTY_CELLS, max_size=8))
@settings(max_examples=examples(300), deadline=None)
def test_a_whole_column_is_defused_like_each_of_its_cells(cells: list[str | None]) -> None:
    frame = pl.DataFrame({"a": cells, "b": cells[::-1]}, schema={"a": pl.String, "b": pl.String})
    assert defuse_frame(frame).equals(frame.select(defuse(pl.all())))
