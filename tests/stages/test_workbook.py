"""Workbooks: every cell as a person means it, every row of the sheet accounted for, harm kept out."""

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.errors import SourceError
from prep.model import Reading
from prep.sources.batch import Batch
from prep.sources.cell_values import Numbers, plain
from prep.sources.ods import OdsBook
from prep.sources.sheets import Row
from prep.sources.signatures import kind_of
from prep.sources.workbook import WorkbookSource, open_workbook
from prep.sources.workbook_child import EngineBook
from prep.sources.xlsx import Xlsx, open_package
from tests.depth import examples

HEADER = ["Email", "First Name", "Last Name", "Phone"]
LONG_NUMBERS = "Numbers of more than 15 digits, of which spreadsheet programs keep 15: 1."
Cells = Sequence[Sequence[object]]


def save(path: Path, sheets: Mapping[str, Cells], hidden: Iterable[str] = ()) -> Path:
    book = openpyxl.Workbook(write_only=True)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    book.save(path)
    return path


def person(number: int) -> list[object]:
    return [f"p{number}@example.com", f"First{number}", f"Last{number}", f"+1202555{number:04}"]


def read(source: WorkbookSource, lookup_position: int | None = 0) -> list[Batch]:
    reader = source.read(lookup_position)
    batches = list(reader)
    assert reader.rows == sum(batch.cells.height + batch.rejected.height for batch in batches)
    assert len(reader.sha256) == 64
    return batches


def rows(batches: Iterable[Batch]) -> list[tuple[Any, ...]]:
    return [row for batch in batches for row in batch.cells.drop("_numbers", "_row", "_line").rows()]


def fates(batches: Iterable[Batch]) -> dict[int, str]:
    """What became of each row of the sheet."""
    found: dict[int, str] = {}
    for batch in batches:
        lines = [(line, "record") for line in batch.cells["_line"]]
        lines += [(line, "rejected") for line in batch.rejected["_line"]]
        lines += [(skipped.line, skipped.kind) for skipped in batch.skipped]
        assert not found.keys() & {line for line, _ in lines}
        found |= dict(lines)
    return dict(sorted(found.items()))


def pack(path: Path, sheet: str | bytes, *, strings: str = "", styles: str = "", dates: str = "") -> Path:
    """Write a workbook of one sheet by hand."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{relations}">{dates}<sheets>'
        '<sheet name="Leads" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships><Relationship Id="rId1" Type="{relations}/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet,
        "xl/sharedStrings.xml": f"<sst {main}>{strings}</sst>",
        "xl/styles.xml": f"<styleSheet {main}>{styles}</styleSheet>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path


def sheet_of(content: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<worksheet '
        f'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{content}</sheetData></worksheet>'
    )


def text_row(line: int, *cells: str) -> str:
    filled = "".join(
        f'<c r="{chr(65 + column)}{line}" t="inlineStr"><is><t>{cell}</t></is></c>'
        for column, cell in enumerate(cells)
    )
    return f'<row r="{line}">{filled}</row>'


def in_process(path: Path) -> list[Row]:
    with path.open("rb") as file:
        return list(Xlsx(open_package(file, path.stat().st_size)).rows(0))


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        ("00123", "", "00123"),
        ("4111111111111111", "@", "4111111111111111"),
        (12000000000, "", "12000000000"),
        (1.2e10, "0.00E+00", "12000000000"),
        (1e21, "", "1000000000000000000000"),
        (5.0, "0.00", "5"),
        (2 / 3, "", "0.666666666666667"),
        (0.1 + 0.2, "", "0.3"),
        (20.33 * 1.21, "", "24.5993"),
        (999999999999999.5, "", "1000000000000000"),
        (123456789012.345, "", "123456789012.345"),
        (1e-7, "", "0.0000001"),
        (-2.5, "#,##0.00 [$€-407];[Red]-#,##0.00", "-2.5"),
        (0.19, "0%", "0.19"),
        (4843, "00000", "04843"),
        (123456789, "00000-0000", "12345-6789"),
        (12345678, r"00000\-0000", "01234-5678"),
        (1234, '00000"-"0000', "00000-1234"),
        (612345678, '0#" "##" "##" "##" "##', "06 12 34 56 78"),
        (612345678, r"00\ 00\ 00\ 00\ 00;@", "06 12 34 56 78"),
        (12, "#00000", "00012"),
        (1234567, r"#\-##00", "123-4567"),
        (12, r"#\-##00", "12"),
        (612345678, '"0"#', "0612345678"),
        (34612345678, r"\+00\ 000\ 000\ 000", "+34 612 345 678"),
        (612345678, '[$-40C]"(+34) "000\\ 000\\ 000_)', "(+34) 612 345 678"),
        (1234, '"DE"00000', "01234"),
        (1234, r"0\.000", "1234"),
        (12.5, "00000", "12.5"),
        (-12, "00000", "-12"),
        (7, "+0;-0;0", "7"),
        (7, '0"/10"', "7"),
        (500, '#\\ ##0"+"', "500"),
        (12, '0" (24/7)"', "12"),
        (1234, "[<=99999]00000;00000-0000", "01234"),
        (123456789, "[<=99999]00000;00000-0000", "12345-6789"),
        (1234, "[>99999]00000-0000;00000", "01234"),
        (123456789, "[>99999]00000-0000;[Red]00000", "12345-6789"),
        (6005550100, "[<=9999999]000-0000;(000) 000-0000", "(600) 555-0100"),
        (7, "[<10]0;[<1000]0000;00000", "7"),
        (77, "[<10]0;[<1000]0000;00000", "0077"),
        (7777, "[<10]0;[<1000]0000;00000", "07777"),
        (7, '[>9]000;[>8]"0;0"', "7"),
        (1234, "#,##0", "1234"),
        (1234, "000.00", "1234"),
        (7, "# 0/00", "7"),
        (True, "", "true"),
        (False, "", "false"),
        (date(2017, 7, 11), "dd/mm/yyyy", "2017-07-11"),
        (date(2017, 7, 11), "[$-409]d-mmm-yy;@", "2017-07-11"),
        (datetime.fromisoformat("2017-07-11T09:05:59"), "m/d/yy h:mm", "2017-07-11T09:05:59"),
        (datetime.fromisoformat("2017-07-11T23:59:59.900"), "d.m.yyyy", "2017-07-12"),
        (time(9, 5), "h:mm AM/PM", "09:05:00"),
        (timedelta(hours=30), "[h]:mm:ss", "30:00:00"),
        (3, '0 "days"', "3"),
        (2, "mmm", "1900-01-02"),
        (" spaced ", "", " spaced "),
        ("two\r\nlines", "", "two\nlines"),
        ("a\x0bb", "", "a\x0bb"),
        ("_x0041_", "", "_x0041_"),
        ("Ærøskøbing 東京 🙂 <&>", "", "Ærøskøbing 東京 🙂 <&>"),
        ("=1+1", "", "=1+1"),
    ],
)
def test_a_cell_is_the_text_that_a_person_means(
    tmp_path: Path, value: object, number_format: str, text: str
) -> None:
    path = tmp_path / "values.xlsx"
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_numbers": False}) as book:
        sheet = book.add_worksheet()
        style = book.add_format({"num_format": number_format} if number_format else {})
        if isinstance(value, str):
            sheet.write_string(1, 1, value, style)
        else:
            sheet.write(1, 1, value, style)
    assert in_process(path) == [Row(2, {1: text})]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1.2E+10", "12000000000"),
        ("24.599299999999999", "24.5993"),
        ("12345678901234567", "12345678901234567"),
        ("-12345678901234567890", "-12345678901234567890"),
        ("1.2345678901234568E+16", "12345678901234568"),
        *(("-0", "0"), ("5.0", "5"), ("1e999", "1e999"), ("x", "x"), ("007", "7")),
    ],
)
def test_numbers_as_the_file_spells_them(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("serial", "epoch", "text"),
    [
        ("42927", 1900, "2017-07-11"),
        ("41465", 1904, "2017-07-11"),
        ("1", 1900, "1900-01-01"),
        ("59", 1900, "1900-02-28"),
        ("60", 1900, "60"),
        ("61", 1900, "1900-03-01"),
        ("0", 1900, "0"),
        ("0", 1904, "1904-01-01"),
        ("-3", 1900, "-3"),
        ("2958465", 1900, "9999-12-31"),
        ("2958466", 1900, "2958466"),
        ("1e300", 1900, plain("1e300")),
        ("soon", 1900, "soon"),
    ],
)
def test_days_of_both_calendars(serial: str, epoch: int, text: str) -> None:
    assert Numbers([14], {}, is_1904=epoch == 1904).text(serial, 0) == text


def test_an_extension_does_not_change_the_calendar(tmp_path: Path) -> None:
    dates = '<workbookPr date1904="1"/><x15:workbookPr xmlns:x15="urn:x" chartTrackingRefBase="1"/>'
    styles = '<cellXfs count="1"><xf numFmtId="14"/></cellXfs>'
    sheet = sheet_of('<row r="1"><c r="A1" s="0"><v>41465</v></c></row>')
    assert in_process(pack(tmp_path / "a.xlsx", sheet, styles=styles, dates=dates)) == [
        Row(1, {0: "2017-07-11"})
    ]


def test_every_row_of_the_sheet_has_one_fate(tmp_path: Path) -> None:
    table: list[Sequence[object]] = [
        ["Spring fair, all leads"],
        [],
        ["Owner", "Ann"],
        HEADER,
        *map(person, range(1, 70)),
        [],
        ["  ", None],
        HEADER,
        person(70),
        [*person(71), "beyond"],
        [None, "Nobody", "Known", "5"],
        [],
        ["", "Total: 71"],
        [],
    ]
    path = save(tmp_path / "fair.xlsx", {"Leads": table})
    source = open_workbook(path)
    batches = read(source)
    assert source.columns == tuple(HEADER)
    assert source.reading == Reading(sheet="Leads", header_line=4)
    assert source.notes == ("Rows above the header in sheet row 4, which are left out: 2.",)
    found = fates(batches)
    assert list(found) == list(range(1, 82))
    assert [found.pop(line) for line in range(1, 5)] == ["preamble", "blank", "preamble", "header"]
    assert {found.pop(line) for line in range(5, 74)} == {"record"}
    assert list(found.values()) == [
        *("blank", "blank", "repeated_header", "record", "rejected", "record", "blank", "footer")
    ]
    assert rows(batches) == [
        *(tuple(person(number)) for number in range(1, 71)),
        (None, "Nobody", "Known", "5"),
    ]
    (rejected,) = [row for batch in batches for row in batch.rejected.rows()]
    assert rejected == (71, 78, "unreadable_row", "\t".join([*map(str, person(71)), "beyond"]))


def test_a_footer_needs_the_lookup_column(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"Leads": [HEADER, person(1), ["Total", None, None, 1]]})
    source = open_workbook(path)
    assert set(fates(read(source, None)).values()) == {"header", "record"}
    assert fates(read(source, 1))[3] == "record"  # half of the cells are filled: that may be a lead
    path = save(tmp_path / "b.xlsx", {"Leads": [HEADER, person(1), ["Total"], person(2), [None, "Total"]]})
    assert fates(read(open_workbook(path), 0)) == {
        1: "header",
        2: "record",
        3: "record",
        4: "record",
        5: "footer",
    }


@pytest.mark.parametrize(
    ("row", "fate"),
    [
        ([None, "Nora", None, "Known", None, None, None, None, None], "record"),
        ([None, "山田", None, None, "東京", None, None, None, None], "record"),
        ([None, "Nora", None, None, "+353 1 555 0000", None, None, None, None], "footer"),
        ([None, "Total", None, 71, "€ 1,234.50", 45, None, None, None], "footer"),
        ([None, None, None, 71, 1234.5, 45, None, None, None], "footer"),
        ([None, "Total", None, 71, 1234.5, 45, 1, None, None], "record"),
        ([None, "Written by b@example.com", None, None, None, None, None, None, None], "footer"),
        ([None, " b@example.com ", None, None, "555", None, None, None, None], "record"),
    ],
)
def test_a_footer_has_one_cell_of_words_and_few_figures(tmp_path: Path, row: list[object], fate: str) -> None:
    header = [*HEADER, *"ABCDE"]
    path = save(tmp_path / "a.xlsx", {"Leads": [header, [*person(1), *"vwxyz"], row]})
    assert fates(read(open_workbook(path), 0)) == {1: "header", 2: "record", 3: fate}


def test_a_lead_with_nothing_but_the_lookup_value_is_no_footer(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"Leads": [HEADER, person(1), ["b@example.com"]]})
    assert fates(read(open_workbook(path), 0)) == {1: "header", 2: "record", 3: "record"}


def test_a_header_that_is_told_is_taken(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"Cover": [["x"]], "Leads": [HEADER, ["E", "F", "L", "P"], person(1)]})
    source = open_workbook(path, Reading(header_line=2))
    assert (source.reading, source.columns) == (Reading(sheet="Leads", header_line=2), ("E", "F", "L", "P"))
    assert fates(read(source)) == {1: "preamble", 2: "header", 3: "record"}


def test_error_cells_are_blank_and_keep_their_row(tmp_path: Path) -> None:
    path = tmp_path / "errors.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Leads")
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, person(1))
        sheet.write_formula(1, 3, "=NA()", None, "#N/A")
        sheet.write_formula(2, 0, "=NA()", None, "#N/A")
    source = open_workbook(path)
    assert rows(read(source)) == [(*person(1)[:3], None), (None, None, None, None)]
    assert source.notes == ("Cells that hold an error such as #N/A are read as blank: 2.",)


@pytest.mark.parametrize("extra", ["", "<!-- read by the parser -->"])
def test_formulas_that_were_never_calculated_keep_their_row_and_are_counted(
    tmp_path: Path, extra: str
) -> None:
    content = (
        text_row(1, "Email", "Name", "City")
        + '<row r="2"><c r="A2" t="inlineStr"><is><t>a@example.com</t></is></c>'
        '<c r="B2"><f>UPPER("ann")</f><v/></c><c r="C2" t="str"><f>""</f><v></v></c></row>'
        '<row r="3"><c r="A3"><f>Sheet2!A1</f></c><c r="B3" s="0"><f t="shared" si="0"/><v></v></c></row>'
        '<row r="4"><c r="C4" t="str"><f>""</f><v></v></c></row>'
    )
    source = open_workbook(pack(tmp_path / "a.xlsx", sheet_of(content + extra)))
    assert rows(read(source)) == [("a@example.com", None, None), (None, None, None)]
    assert source.notes == (
        "Formulas that no spreadsheet program has calculated are read as blank: 3. "
        "Open the workbook in one and save it.",
    )


def test_formulas_give_their_last_value_and_merged_cells_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Leads")
        sheet.write_row(0, 0, ["Email", "Name", "Age"])
        sheet.write_formula(1, 0, '=WEBSERVICE("http://127.0.0.1:9/")', None, "a@example.com")
        sheet.merge_range(1, 1, 2, 1, "Ann")
        sheet.write_formula(1, 2, "=40+2", None, 42)
        sheet.write_string(2, 0, "b@example.com")
    assert rows(read(open_workbook(path))) == [("a@example.com", "Ann", "42"), ("b@example.com", None, None)]


MERGED_CELLS = "Cells merged over several rows have their value in the first of these rows alone: 1."


def test_cells_merged_over_several_rows_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Leads")
        sheet.merge_range("A1:B2", "Guests")
        sheet.write_row("A3", ["Company", "Email"])
        sheet.merge_range("A4:A6", "Acme")
        sheet.write_column("B4", ["a@example.com", "b@example.com", "c@example.com"])
        sheet.merge_range("A7:B7", "d@example.com")
    people = [("Acme", "a@example.com"), (None, "b@example.com"), (None, "c@example.com")]
    source = open_workbook(path)
    assert rows(read(source, 1)) == [*people, ("d@example.com", None)]
    assert source.notes == ("Rows above the header in sheet row 3, which are left out: 1.", MERGED_CELLS)

    spanning = '<table:table-cell table:number-rows-spanned="3" office:value-type="string"><text:p>'
    table = [
        ods_row(*map(ods_text, ["Company", "Email"])),
        ods_row(f"{spanning}Acme</text:p></table:table-cell>", ods_text("a@example.com")),
        *(ods_row("<table:covered-table-cell/>", ods_text(f"{name}@example.com")) for name in "bc"),
    ]
    source = open_workbook(save_ods(tmp_path / "a.ods", ODS.format(rows="".join(table))))
    assert (rows(read(source, 1)), source.notes) == (people, (MERGED_CELLS,))

    others = "".join(f"<tr><td>{name}@example.com</td></tr>" for name in "bc")
    page = tmp_path / "page.xls"
    page.write_text(
        "<table><tr><th rowspan=2>Company</th><th>Email</th></tr><tr></tr>"
        f"<tr><td rowspan=3>Acme</td><td>a@example.com</td></tr>{others}</table>"
    )
    source = open_workbook(page)
    assert (rows(read(source, 1)), source.notes) == (people, (MERGED_CELLS,))

    def cell(text: str, attributes: str = "") -> str:
        return f'<Cell {attributes}><Data ss:Type="String">{text}</Data></Cell>'

    lines = [
        cell("Company") + cell("Email"),
        cell("Acme", 'ss:MergeDown="2"') + cell("a@example.com"),
        *(cell(f"{name}@example.com", 'ss:Index="2"') for name in "bc"),
    ]
    sheet_2003 = "".join(f"<Row>{line}</Row>" for line in lines)
    page.write_text(
        f'{SPREADSHEETML.partition("<Worksheet")[0]}<Worksheet ss:Name="Leads"><Table>{sheet_2003}</Table>'
        "</Worksheet></Workbook>"
    )
    source = open_workbook(page)
    assert (rows(read(source, 1)), source.notes) == (people, (MERGED_CELLS,))


def test_what_a_spreadsheet_did_to_cells_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Leads")
        sheet.write_row(0, 0, ["Email", "Card"])
        sheet.write_row(1, 0, ["a@example.com", 4111111111111111])
        sheet.set_row(1, None, None, {"hidden": True})
    source = open_workbook(path)
    assert rows(read(source)) == [("a@example.com", "4111111111111111")]
    assert source.notes == ("Rows that are hidden in the sheet are read like others: 1.", LONG_NUMBERS)


HIDDEN_COLUMNS = "Columns that are hidden in the sheet are read like others: {}."


def test_columns_that_nobody_sees_are_noted(tmp_path: Path) -> None:
    """They are sent like others; those beside the table, which some hide all, say nothing."""
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name in ("Leads", "More"):
            sheet = book.add_worksheet(name)
            for column, cell in enumerate(["", "Email", "Score", "Remark", "City"]):
                sheet.write_column(0, column, [cell, cell and f"{column}@example.com"])
            for first, last in ((0, 0), (2, 3), (7, 16383)):
                sheet.set_column(first, last, 8, None, {"hidden": True})
    assert open_workbook(path, Reading(sheet="More")).notes == (HIDDEN_COLUMNS.format(2),)

    hidden = '<table:table-column table:number-columns-repeated="2" table:visibility="collapse"/>'
    columns = f"<table:table-column/>{hidden}{hidden.replace('2', '9')}"
    table = [
        ods_row(*(ods_text(cell) for cell in cells)) for cells in (["Email", *"ABC"], ["a@b.example"] * 4)
    ]
    ods = save_ods(tmp_path / "a.ods", ODS.format(rows=columns + "".join(table)))
    assert open_workbook(ods).notes == (HIDDEN_COLUMNS.format(3),)

    export = tmp_path / "export.xls"
    columns = '<Column/><Column ss:Index="2" ss:Span="1" ss:Hidden="1"/><Column ss:Hidden="1"/>'
    export.write_text(SPREADSHEETML.replace("<Table>", f"<Table>{columns}"), "utf-8")
    assert HIDDEN_COLUMNS.format(2) in open_workbook(export).notes


def test_what_an_engine_gives_of_long_numbers_is_noted() -> None:
    """It reads xls and xlsb; text of as many digits is whole."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as made:
        sheet = made.add_worksheet("Leads")
        sheet.write_row(0, 0, ["Card", "Text", "Revenue"])
        sheet.write_row(1, 0, [4111111111111111, "4111111111111111", 1.234])
        sheet.write_row(2, 0, [-12345678901234567, "x", 123456789012345])
    book = EngineBook(content.getvalue())
    assert [row.numbers for row in book.rows(0)] == [(), (2,), ()]
    assert book.facts == {"rounded_number": 2}


def test_nameless_columns(tmp_path: Path) -> None:
    table: Cells = [["Email", None, "Name", "Email"], ["a@example.com", "x", "Ann", "b@example.com", "1"]]
    source = open_workbook(save(tmp_path / "a.xlsx", {"Leads": table}))
    assert source.columns == ("Email", "", "Name", "Email", "")
    table = [
        ["Email", "Name"],
        *([f"{n}@example.com", "Ann"] for n in range(9)),
        ["z@example.com", "Ann", "1"],
    ]
    source = open_workbook(save(tmp_path / "b.xlsx", {"Leads": table}))
    assert source.columns == ("Email", "Name")
    assert fates(read(source))[11] == "rejected"


def test_a_table_that_does_not_begin_in_column_a(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Leads")
        sheet.write("B1", "Guests of the fair")
        sheet.write_row("C3", ["Email", None, "Rate"])
        for number in range(60):
            sheet.write_row(number + 3, 2, [f"p{number}@example.com", "x", 1.234])
        sheet.write("A60", " ")
        sheet.write_row("C65", ["Total", None, 60])
    source = open_workbook(path)
    assert source.columns == ("Email", "", "Rate")
    batches = read(source)
    assert rows(batches)[:2] == [("p0@example.com", "x", "1.234"), ("p1@example.com", "x", "1.234")]
    assert batches[0].cells["_numbers"][0] == "2"
    assert [fates(batches)[line] for line in (1, 2, 3, 4, 60, 63, 65)] == [
        *("preamble", "blank", "header", "record", "record", "record", "record")
    ]
    again = open_workbook(path, source.reading)
    assert (again.columns, rows(read(again))) == (source.columns, rows(batches))


def test_columns_before_the_header_that_hold_something_are_columns(tmp_path: Path) -> None:
    people = ([None, f"p{number}@example.com"] for number in range(60))
    table: Cells = [[None, "Email"], *people, ["asked to be left alone", "z@example.com"]]
    source = open_workbook(save(tmp_path / "a.xlsx", {"Leads": table}))
    assert source.columns == ("", "Email")
    batches = read(source, 1)
    assert rows(batches)[-1] == ("asked to be left alone", "z@example.com")
    assert set(fates(batches).values()) == {"header", "record"}


def test_the_sheet_with_the_leads_is_read(tmp_path: Path) -> None:
    sheets: dict[str, Cells] = {
        "Read me": [["Ask Ann before you use this"]],
        "Old": [HEADER, person(1), person(2)],
        "Leads": [HEADER, *map(person, range(5))],
        "More": [HEADER, person(7)],
    }
    path = save(tmp_path / "a.xlsx", sheets, hidden=["Old"])
    source = open_workbook(path)
    assert source.reading.sheet == "Leads"
    assert source.notes == (
        "The hidden sheet 'Old' is left out; --sheet reads it instead. Rows that look like leads: 2.",
        "The sheet 'More' is left out; --sheet reads it instead. Rows that look like leads: 1.",
        "Left out, as no lists of leads: 'Read me'.",
    )
    named = open_workbook(path, Reading(sheet="Old"))
    assert (len(rows(read(named))), named.notes) == (2, ())
    with pytest.raises(
        SourceError, match="there is no sheet 'Leeds'; it has 'Read me', 'Old', 'Leads', 'More'"
    ):
        open_workbook(path, Reading(sheet="Leeds"))


@pytest.mark.parametrize(
    "name", ["Correo electrónico", "Courriel", "E-post", "Почта", "メールアドレス", "이메일"]
)
def test_the_sheet_with_addresses_is_known_in_other_languages(tmp_path: Path, name: str) -> None:
    sheets: dict[str, Cells] = {
        "Notes": [["Topic", "Text", "By"], ["x", "y", "z"]],
        "Leads": [[name, "A"], ["x", "y"]],
    }
    assert open_workbook(save(tmp_path / "book.xlsx", sheets)).reading.sheet == "Leads"


def test_a_hidden_sheet_is_read_when_no_other_holds_leads(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"Cover": [["Hello"]], "Leads": [HEADER, person(1)]}, hidden=["Leads"])
    source = open_workbook(path)
    assert source.reading.sheet == "Leads"
    assert source.notes[0] == "No visible sheet holds leads: the hidden sheet 'Leads' is read."


def test_a_visible_sheet_with_addresses_is_read_whatever_its_columns_are_called(tmp_path: Path) -> None:
    sheets: dict[str, Cells] = {
        "Summary": [["Region", "Count"], ["ES", 3]],
        "People": [["Kontakt", "Name"], ["a@example.com", "Ann"]],
        "Old": [HEADER, person(1)],
    }
    source = open_workbook(save(tmp_path / "a.xlsx", sheets, hidden=["Old"]))
    assert (source.reading.sheet, source.reading.header_line) == ("People", 1)
    assert source.notes == (
        "No row of sheet 'People' looks like a header of leads: sheet row 1 is taken for it.",
        "The hidden sheet 'Old' is left out; --sheet reads it instead. Rows that look like leads: 1.",
        "Left out, as no lists of leads: 'Summary'.",
    )
    source = open_workbook(save(tmp_path / "a.xlsx", sheets, hidden=["People", "Old"]))
    assert source.reading.sheet == "Old"
    del sheets["Old"]
    source = open_workbook(save(tmp_path / "a.xlsx", sheets, hidden=["People"]))
    assert source.reading.sheet == "People"
    sheets["Old"] = [HEADER, person(1)]
    source = open_workbook(save(tmp_path / "a.xlsx", sheets))
    assert source.reading.sheet == "Old"
    assert source.notes == (
        "The sheet 'People' is left out; --sheet reads it instead. Rows that look like leads: 1.",
        "Left out, as no lists of leads: 'Summary'.",
    )


def test_without_a_header(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"Leads": [person(1), person(2)]})
    source = open_workbook(path)
    assert (source.reading.header_line, source.columns) == (0, ("1", "2", "3", "4"))
    assert source.notes == ("Sheet 'Leads' has no header: its first row holds an address.",)
    assert rows(read(source)) == [tuple(person(1)), tuple(person(2))]


def test_reading_again_as_it_was_found_gives_the_same(tmp_path: Path) -> None:
    tables: list[Cells] = [
        [["Fair"], HEADER, person(1), ["Total"]],
        [person(1), person(2)],
        [["a", "b"], [1, 2, 3]],
    ]
    for table in tables:
        path = save(tmp_path / "a.xlsx", {"Cover": [["x"]], "Leads": table})
        first = open_workbook(path)
        again = open_workbook(path, first.reading)
        assert (again.columns, again.reading) == (first.columns, first.reading)
        assert fates(read(again)) == fates(read(first))
        assert rows(read(again)) == rows(read(first))


def test_a_blank_row_is_no_header(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"Leads": [HEADER, [], person(1)]})
    with pytest.raises(SourceError) as caught:
        open_workbook(path, Reading(header_line=2))
    assert (caught.value.code, caught.value.source) == ("broken_header", str(path))
    assert caught.value.message == f"{path}: row 2 of the sheet is blank, so it cannot be the header"


@pytest.mark.parametrize("table", [[], [[]], [[" "], ["\t"]]])
def test_an_empty_workbook(tmp_path: Path, table: list[list[object]]) -> None:
    with pytest.raises(SourceError) as caught:
        open_workbook(save(tmp_path / "a.xlsx", {"Sheet": table}))
    assert caught.value.code == "empty_source"


def test_a_header_alone(tmp_path: Path) -> None:
    (batch,) = read(open_workbook(save(tmp_path / "a.xlsx", {"Sheet": [HEADER]})))
    assert (batch.cells.columns, batch.cells.height) == (["0", "1", "2", "3", "_numbers", "_row", "_line"], 0)


def test_rows_are_numbered_over_all_batches(tmp_path: Path) -> None:
    count = 90_000
    lines = "".join(text_row(line, f"p{line}@example.com", "Ann", "Ray") for line in range(2, count + 2))
    content = text_row(1, "Email", "First", "Last") + lines + text_row(count + 3, "", "Total")
    batches = read(open_workbook(pack(tmp_path / "a.xlsx", sheet_of(content))))
    assert len(batches) > 1
    numbers = [row for batch in batches for row in batch.cells.select("_row", "_line").rows()]
    assert numbers == [(line - 1, line) for line in range(2, count + 2)]
    assert fates(batches)[count + 3] == "footer"


def test_thousands_of_styled_blank_rows_are_nothing(tmp_path: Path) -> None:
    blank = "".join(
        f'<row r="{line}"><c r="A{line}" s="1"/><c r="B{line}" s="1"/></row>' for line in range(3, 20_003)
    )
    content = text_row(1, "Email") + text_row(2, "a@example.com") + blank
    assert fates(read(open_workbook(pack(tmp_path / "a.xlsx", sheet_of(content))))) == {
        1: "header",
        2: "record",
    }


PLAIN = [
    *('<row r="1"><c r="A1" t="inlineStr"><is><t>Email</t></is></c></row>',),
    '<row r="2" spans="1:3" hidden="1"><c r="A2" t="s"><v>0</v></c><c r="C2" s="1"><v>42927.5</v></c></row>',
    '<row r="4"><c r="A4" t="str"><f>"a"&amp;"b"</f><v>x &lt;&#10;y</v></c>'
    '<c r="B4" t="e"><v>#N/A</v></c></row>',
    '<row r="5"><c r="AA5" t="b"><v>1</v></c><c r="AB5"><f ca="1"/><v>1234567890123456789</v></c></row>',
    '<row r="7"/><row r="9"><c r="A9" s="1" /><c r="B9"><v>7</v></c></row>',
]


@pytest.mark.parametrize(
    "change",
    [
        lambda sheet: sheet,
        lambda sheet: sheet.replace("<sheetData>", "<sheetData><!-- </row> -->"),
        lambda sheet: sheet.replace('<row r="4">', '<row r="4"><?excel </row>?>'),
        lambda sheet: sheet.replace("<v>0</v>", "<v><![CDATA[0]]></v>"),
        lambda sheet: sheet.replace('<c r="A2" t="s">', "<c t='s' r='A2'>"),
        lambda sheet: sheet.replace("</c><c", "</c>\r\n<c"),
        lambda sheet: sheet.replace("&#10;", "&#x0a;"),
        lambda sheet: re.sub(r"(</?)(?=\w)(?!\?)", r"\1x:", sheet).replace("xmlns=", "xmlns:x="),
        lambda sheet: sheet.replace("UTF-8", "UTF-16").encode("utf-16"),
        lambda sheet: sheet.replace(
            "<is><t>Email</t></is>", "<is><r><t>Em</t></r><rPh><t>x</t></rPh><r><t>ail</t></r></is>"
        ),
    ],
)
def test_xml_may_be_written_in_many_ways(tmp_path: Path, change: Any) -> None:
    styles = '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
    strings = '<si><r><t>Ann</t></r><r><t xml:space="preserve"> Ray</t></r></si>'
    path = pack(tmp_path / "a.xlsx", change(sheet_of("\n".join(PLAIN))), strings=strings, styles=styles)
    assert in_process(path) == [
        Row(1, {0: "Email"}),
        Row(2, {0: "Ann Ray", 2: "2017-07-11T12:00:00"}),
        Row(4, {0: "x <\ny"}, 1),
        Row(5, {26: "true", 27: "1234567890123456789"}),
        Row(9, {1: "7"}),
    ]


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\0\ufffe\uffff"), max_size=8),
    st.dates(min_value=date(1900, 3, 1)),
)


@settings(max_examples=examples(60), deadline=None)
@given(table=st.lists(st.lists(CELLS, max_size=5), max_size=8), way=st.sampled_from(["shared", "inline"]))
def test_what_is_written_is_read(table: list[list[Any]], way: str) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(
        file, {"constant_memory": way == "inline", "default_date_format": "yyyy-mm-dd", "in_memory": True}
    ) as book:
        sheet = book.add_worksheet()
        for line, row in enumerate(table):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    sheet.write_string(line, column, cell)
                elif cell is not None:
                    sheet.write(line, column, cell)
    expected = [
        Row(line, {column: text for column, cell in enumerate(row) if (text := spelled(cell))})
        for line, row in enumerate(table, start=1)
    ]
    size = len(file.getvalue())
    for written in (file, io.BytesIO(with_comments(file))):
        found = list(Xlsx(open_package(written, size)).rows(0))
        assert found == [row for row in expected if row.cells]


def spelled(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    return plain(f"{cell:.16G}") if isinstance(cell, int | float) else str(cell)


def with_comments(file: io.BytesIO) -> bytes:
    """The same workbook, written so that nothing of it is plain."""
    changed = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(changed, "w") as into:
        for entry in source.infolist():
            content = source.read(entry).replace(b"</sheetData>", b"<!-- --></sheetData>")
            into.writestr(
                entry.filename, content.replace(b"<row ", b"<!-- --><row ").replace(b"<si>", b"<!-- --><si>")
            )
    return changed.getvalue()


def refuse(path: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        open_workbook(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('<row r="1"><c r="A1" t="s"><v>3</v></c></row>', "broken_workbook"),
        ('<row r="1"><c r="A1" t="s"><v>-1</v></c></row>', "broken_workbook"),
        ('<row r="1"><c r="XFE1"><v>3</v></c></row>', "broken_workbook"),
        ('<row r="1"><c r="a1"><v>3</v></c></row>', "broken_workbook"),
        ('<row r="1048577"><c r="A1"><v>3</v></c></row>', "broken_workbook"),
        ('<row r="2"><c r="A2"><v>3</v></c></row><row r="1"><c r="A1"><v>3</v></c></row>', "broken_workbook"),
        ('<row r="1"><c r="A1"><v>3</c></row>', "broken_workbook"),
        ('<row r="1"><c r="A1"><v>&bomb;</v></c></row>', "broken_workbook"),
        (text_row(1, "Email") + '<row r="1048576"><c r="XFD1048576"><v>3</v></c></row>', "far_cell"),
    ],
)
def test_damaged_sheets(tmp_path: Path, content: str, code: str) -> None:
    path = pack(tmp_path / "a.xlsx", sheet_of(content), strings="<si><t>Email</t></si>")
    assert refuse(path).code == code


def test_document_types(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]>'
    path = tmp_path / "a.xlsx"
    assert refuse(pack(path, sheet_of("").replace("\n", bomb))).code == "unsafe_workbook"
    assert refuse(
        pack(path, sheet_of("").replace("\n", bomb).replace("UTF-8", "UTF-16").encode("utf-16"))
    ).code == ("unsafe_workbook")


@pytest.mark.parametrize(
    "name", ["../evil.xml", "/etc/evil.xml", "a/../../evil.xml", "..\\evil.xml", "C:\\evil.xml"]
)
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    path = pack(tmp_path / "a.xlsx", sheet_of(text_row(1, "Email")))
    with zipfile.ZipFile(path, "a") as package:
        package.writestr(name, "x")
    assert refuse(path).code == "unsafe_workbook"


def test_bombs(tmp_path: Path) -> None:
    path = pack(tmp_path / "spaces.xlsx", sheet_of(text_row(1, "Email") + " " * 100_000_000))
    assert refuse(path).code == "workbook_too_large"
    lying = bytearray(path.read_bytes())
    place = lying.rindex(b"xl/worksheets/sheet1.xml") - 46 + 24
    lying[place : place + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(lying)
    assert refuse(path).code == "broken_workbook"


def test_many_cells_that_share_a_long_text_are_refused(tmp_path: Path) -> None:
    cells = text_row(1, "Email")
    cells += "".join(f'<row r="{line}"><c r="A{line}" t="s"><v>0</v></c></row>' for line in range(2, 40_000))
    path = pack(tmp_path / "a.xlsx", sheet_of(cells), strings=f"<si><t>{'x' * 32_000}</t></si>")
    assert refuse(path).code == "workbook_too_large"


def test_memory_and_computing_are_bounded() -> None:
    code = (
        "import resource; from prep.sources import workbook_child; workbook_child._limit(2_000_000)\n"
        "print(resource.getrlimit(resource.RLIMIT_CPU))\n"
        "bytearray(200_000_000)\n"
        "try: bytearray(500_000_000)\n"
        "except MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("(17, 17)\nrefused\n", "")


def test_waiting_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.xlsx", {"Leads": [HEADER]})
    monkeypatch.setattr("prep.sources.workbook._LEAST_SECONDS", 0)
    monkeypatch.setattr("prep.sources.workbook._SECONDS_PER_MEGABYTE", 0)
    assert refuse(path).code == "workbook_too_large"


def test_nothing_is_left_in_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    source = open_workbook(save(tmp_path / "a.xlsx", {"Leads": [HEADER, person(1)]}))
    assert list(folder.iterdir()) == []
    assert len(rows(read(source))) == 1
    refuse(pack(tmp_path / "b.xlsx", "no xml"))
    assert list(folder.iterdir()) == []


def test_protected_zip_and_ods(tmp_path: Path) -> None:
    path = save_ods(tmp_path / "a.ods", "<x/>", manifest="<manifest:encryption-data/>")
    assert refuse(path).code == "protected_workbook"
    path = pack(tmp_path / "a.xlsx", sheet_of(""))
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert refuse(path).code == "protected_workbook"


def save_ods(path: Path, content: str, manifest: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        package.writestr("META-INF/manifest.xml", f"<manifest:manifest>{manifest}</manifest:manifest>")
        package.writestr("content.xml", content)
    return path


ODS = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:spreadsheet><table:table table:name="Leads">{rows}</table:table></office:spreadsheet>
</office:body></office:document-content>"""


def ods_row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def ods_text(text: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def test_ods(tmp_path: Path) -> None:
    table = [
        '<table:table-row table:number-rows-repeated="2"><table:table-cell/></table:table-row>',
        ods_row(*map(ods_text, ["Email", "Code", "Since", "Count"])),
        ods_row(
            ods_text("a@example.com"),
            ods_text("00123"),
            '<table:table-cell office:value-type="date" office:date-value="2017-07-11"/>',
            '<table:table-cell office:value-type="float" office:value="12000000000"/>',
        ),
        '<table:table-row table:number-rows-repeated="1048000"><table:table-cell/></table:table-row>',
    ]
    path = save_ods(tmp_path / "a.ods", ODS.format(rows="".join(table)))
    source = open_workbook(path)
    assert rows(read(source)) == [("a@example.com", "00123", "2017-07-11", "12000000000")]
    assert fates(read(source)) == {1: "blank", 2: "blank", 3: "header", 4: "record"}
    bomb = ODS.replace("\n", "<!DOCTYPE a>", 1).format(rows="")
    assert refuse(save_ods(tmp_path / "b.ods", bomb)).code == "unsafe_workbook"


def ods_cell(attributes: str, shown: str = "") -> str:
    return f"<table:table-cell {attributes}><text:p>{shown}</text:p></table:table-cell>"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (ods_text("two<text:line-break/>lines"), "two\nlines"),
        (ods_text("two</text:p><text:p>lines"), "two\nlines"),
        (ods_text('a <text:s text:c="2"/>b<text:tab/>c\n  d'), "a   b\tc d"),
        (ods_text("A<text:span>nn<text:a> Ray</text:a></text:span>"), "Ann Ray"),
        (ods_text("Ann<office:annotation><text:p>asked</text:p></office:annotation>"), "Ann"),
        (ods_cell('office:value-type="float" office:value="4843"', "04843"), "04843"),
        (ods_cell('office:value-type="float" office:value="123456789"', "12345-6789"), "12345-6789"),
        (ods_cell('office:value-type="float" office:value="1234"', "1.234"), "1234"),
        (ods_cell('office:value-type="float" office:value="-12"', "-00012"), "-12"),
        (ods_cell('office:value-type="float" office:value="1.2E+10"', "1.20E+10"), "12000000000"),
        (ods_cell('office:value-type="percentage" office:value="0.19"', "19%"), "0.19"),
        (ods_cell('office:value-type="currency" office:value="12.5"', "12,50 €"), "12.5"),
        (ods_cell('office:value-type="boolean" office:boolean-value="true"', "TRUE"), "true"),
        (ods_cell('office:value-type="date" office:date-value="2017-07-11"', "11/07/17"), "2017-07-11"),
        (
            ods_cell(
                'office:value-type="date" office:date-value="2017-07-11T23:59:59.999999581"', "12/07/17"
            ),
            "2017-07-12",
        ),
        (
            ods_cell('office:value-type="date" office:date-value="2017-07-11T09:05:00.4"'),
            "2017-07-11T09:05:00",
        ),
        (
            ods_cell('office:value-type="date" office:date-value="9999-12-31T23:59:59.9"'),
            "9999-12-31T23:59:59",
        ),
        (ods_cell('office:value-type="time" office:time-value="PT08H59M59.999999999S"', "9:00"), "09:00:00"),
        (ods_cell('office:value-type="time" office:time-value="PT09H05M00S"', "9:05"), "09:05:00"),
        (ods_cell('office:value-type="time" office:time-value="PT30H05M00.4S"', "30:05"), "30:05:00"),
        ('<table:table-cell office:value-type="string" office:string-value="Ann"/>', "Ann"),
        (ods_cell('table:formula="of:=A1" office:value-type="string"', "Ann"), "Ann"),
    ],
)
def test_a_cell_of_ods_is_the_text_that_a_person_means(tmp_path: Path, cell: str, text: str) -> None:
    path = save_ods(tmp_path / "a.ods", ODS.format(rows=ods_row(ods_text("Email")) + ods_row(cell)))
    assert rows(read(open_workbook(path))) == [(text,)]


def test_what_ods_does_not_tell_is_noted(tmp_path: Path) -> None:
    table = [
        ods_row(*map(ods_text, ["Email", "Name", "Age"])),
        ods_row(
            ods_text("a@example.com"),
            ods_cell(
                'table:formula="of:=NA()" office:value-type="string" calcext:value-type="error"', "#N/A"
            ),
            ods_cell('table:formula="of:=1/0" office:value-type="float" office:value="0"', "Err:532"),
        ),
        ods_row('<table:table-cell table:formula="of:=A1"/>').replace(
            "-row>", '-row table:visibility="filter">', 1
        ),
        ods_row(
            ods_cell('table:number-columns-repeated="2" office:value-type="string"', "b@example.com")
        ).replace("-row>", '-row table:number-rows-repeated="2">', 1),
        ods_row(
            ods_text("c@example.com"),
            "<table:covered-table-cell><text:p>beneath</text:p></table:covered-table-cell>",
            ods_cell('office:value-type="float" office:value="12345678901234567890"', "1.23E+19"),
        ),
    ]
    content = ODS.format(rows="".join(table)).replace('xmlns:text="', 'xmlns:calcext="urn:c" xmlns:text="')
    source = open_workbook(save_ods(tmp_path / "a.ods", content))
    assert rows(read(source)) == [
        ("a@example.com", None, None),
        (None, None, None),
        ("b@example.com", "b@example.com", None),
        ("b@example.com", "b@example.com", None),
        ("c@example.com", None, "12345678901234567890"),
    ]
    assert [line for line, fate in fates(read(source)).items() if fate == "record"] == [2, 3, 4, 5, 6]
    assert source.notes == (
        "Cells that hold an error such as #N/A are read as blank: 2.",
        "Formulas that no spreadsheet program has calculated are read as blank: 1. "
        "Open the workbook in one and save it.",
        "Rows that are hidden in the sheet are read like others: 1.",
        LONG_NUMBERS,
    )


def test_sheets_of_ods(tmp_path: Path) -> None:
    leads = "".join(ods_row(ods_text(cell)) for cell in ("Email", "a@example.com"))
    other = '</table:table><table:table table:name="More" table:style-name="ta2">{}</table:table>'
    styles = (
        '<office:automatic-styles xmlns:style="urn:s"><style:style style:name="ta2"><style:table-properties '
        'table:display="false"/></style:style></office:automatic-styles><office:body>'
    )
    content = ODS.replace("<office:body>", styles).replace("</table:table>", other.format(leads))
    path = save_ods(tmp_path / "a.ods", content.format(rows=ods_row(ods_text("Read me"))))
    source = open_workbook(path)
    assert (source.reading.sheet, rows(read(source))) == ("More", [("a@example.com",)])
    assert source.notes[0] == "No visible sheet holds leads: the hidden sheet 'More' is read."
    for broken in (
        content.replace("</office:body>", ""),
        ODS.format(rows=ods_row(ods_text("a")) * 2).replace(
            "-row>", '-row table:number-rows-repeated="1048576">', 1
        ),
    ):
        assert refuse(save_ods(tmp_path / "b.ods", broken)).code == "broken_workbook"
    far = '<table:table-cell table:number-columns-repeated="16384"/>' + ods_text("a")
    assert refuse(save_ods(tmp_path / "b.ods", ODS.format(rows=ods_row(far)))).code == "broken_workbook"


@pytest.mark.parametrize("change", ["", "bom", "utf-16", "comment"])
def test_each_sheet_of_ods_is_read_from_where_it_begins(tmp_path: Path, change: str) -> None:
    inner = '<draw:object><table:table table:name="in">{}</table:table></draw:object>'
    tables = [
        '<table:table table:name="ärzte"/>',
        *(
            f'<table:table table:name="Ünits {number}">'
            + ods_row(
                f"<table:table-cell><text:p>é{number}</text:p>{inner.format(ods_row(ods_text('x')))}"
            ).replace("</draw:object>", "</draw:object></table:table-cell>")
            + "</table:table><table:named-expressions/>"
            for number in range(40)
        ),
        '<table:table table:name="none"></table:table>',
    ]
    content = ODS.replace('xmlns:text="', 'xmlns:draw="urn:d" xmlns:text="').replace("<table:table ", "<x ")
    content = content.replace("<x ", "".join([*tables, "<table:table "]), 1).format(rows="")
    if change == "comment":
        content = content.replace("?>", "?><!-- made by hand -->", 1)
    if change == "utf-16":
        content = content.replace("UTF-8", "UTF-16")
    path = tmp_path / "a.ods"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        encoding = {"bom": "utf-8-sig", "utf-16": "utf-16"}.get(change, "utf-8")
        package.writestr("content.xml", content.encode(encoding))
    book = OdsBook(zipfile.ZipFile(path))
    assert [sheet.name for sheet in book.sheets][:3] == ["ärzte", "Ünits 0", "Ünits 1"]
    found = [[*book.rows(sheet)] for sheet in range(len(book.sheets))]
    assert found == [[], *([Row(1, {0: f"é{number}"})] for number in range(40)), [], []]


def test_many_sheets_of_ods_are_unpacked_and_parsed_once(tmp_path: Path) -> None:
    table = "".join(ods_row(ods_text(f"p{number}@example.com")) for number in range(300))
    tables = "".join(f'<table:table table:name="{name}">{table}</table:table>' for name in range(50))
    content = ODS.replace('<table:table table:name="Leads">{rows}</table:table>', tables)
    book = OdsBook(zipfile.ZipFile(save_ods(tmp_path / "a.ods", content)))
    asked = 0

    class Counting:
        def __init__(self, file: IO[bytes]) -> None:
            self.tell, self.seek = file.tell, file.seek
            self._file = file

        def read(self, size: int) -> bytes:
            nonlocal asked
            asked += size
            return self._file.read(size)

    book._content = Counting(book._content)  # type: ignore[assignment]
    assert [sum(1 for _ in book.rows(sheet)) for sheet in range(50)] == [300] * 50
    assert asked < len(content)


SPREADSHEETML = """<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"
 xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Worksheet ss:Name="Leads"><Table><Row><Cell><Data ss:Type="String">Email</Data></Cell>
<Cell><Data ss:Type="String">Since</Data></Cell><Cell><Data ss:Type="String">Count</Data></Cell></Row>
<Row ss:Index="3"><Cell><Data ss:Type="String">a@example.com</Data>
<Comment ss:Author="Ann"><ss:Data>seen</ss:Data></Comment></Cell>
<Cell><Data ss:Type="DateTime">2017-07-11T00:00:00.000</Data></Cell>
<Cell><Data ss:Type="Number">1.2E+10</Data></Cell></Row>
<Row><Cell ss:Index="3"><Data ss:Type="Error">#N/A</Data></Cell></Row></Table></Worksheet></Workbook>"""


def test_the_xml_of_excel_2003(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    path.write_text(SPREADSHEETML, "utf-8")
    source = open_workbook(path)
    assert rows(read(source)) == [("a@example.com", "2017-07-11", "12000000000"), (None, None, None)]
    assert fates(read(source)) == {1: "header", 2: "blank", 3: "record", 4: "record"}
    path.write_text(SPREADSHEETML.replace("<Workbook", "<!DOCTYPE a><Workbook"), "utf-8")
    assert refuse(path).code == "unsafe_workbook"
    path.write_text(SPREADSHEETML[:-20], "utf-8")
    assert refuse(path).code == "broken_workbook"


def test_what_the_xml_of_excel_2003_does_not_tell_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    content = SPREADSHEETML.replace("1.2E+10", "23851234567890123").replace(
        '<Data ss:Type="Error">#N/A</Data></Cell>',
        '<Data ss:Type="Error">#N/A</Data></Cell></Row><Row><Cell ss:Formula="=R[-2]C"/>'
        '<Cell ss:Formula="=T(R1C9)"><Data ss:Type="String"></Data></Cell>',
    )
    path.write_text(content, "utf-8")
    source = open_workbook(path)
    assert rows(read(source)) == [
        ("a@example.com", "2017-07-11", "23851234567890123"),
        (None, None, None),
        (None, None, None),
    ]
    assert fates(read(source)) == {1: "header", 2: "blank", 3: "record", 4: "record", 5: "record"}
    assert source.notes == (
        "Cells that hold an error such as #N/A are read as blank: 1.",
        "Formulas that no spreadsheet program has calculated are read as blank: 1. "
        "Open the workbook in one and save it.",
        LONG_NUMBERS,
    )


def test_hidden_rows_of_the_xml_of_excel_2003_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    path.write_text(re.sub(r"<Row>.*?</Row>", "", SPREADSHEETML, flags=re.DOTALL), "utf-8")
    path.write_text(path.read_text("utf-8").replace("<Row ", '<Row ss:Hidden="1" '), "utf-8")
    source = open_workbook(path, Reading(header_line=0))
    assert source.notes == ("Rows that are hidden in the sheet are read like others: 1.",)


MERGED = """<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"
 xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Styles><Style ss:ID="code"><NumberFormat ss:Format="00000"/></Style>
<Style ss:ID="bold" ss:Parent="code"><Font ss:Bold="1"/></Style>
<Style ss:ID="usual" ss:Parent="code"><NumberFormat/></Style></Styles>
<Worksheet ss:Name="Leads"><Table><Row><Cell ss:MergeAcross="1"><Data ss:Type="String">Name</Data></Cell>
<Cell><Data ss:Type="String">Email</Data></Cell><Cell><Data ss:Type="String">Postal Code</Data></Cell></Row>
<Row><Cell ss:MergeAcross="1"><Data ss:Type="String">Ann</Data></Cell>
<Cell><Data ss:Type="String">a@example.com</Data></Cell>
<Cell ss:StyleID="bold"><Data ss:Type="Number">4843</Data></Cell></Row>
<Row><Cell><Data ss:Type="String">Bo</Data></Cell><Cell><Data ss:Type="String">Ray</Data></Cell>
<Cell><Data ss:Type="String">b@example.com</Data></Cell>
<Cell ss:StyleID="code"><Data ss:Type="Number">12345</Data></Cell></Row>
<Row ss:Span="2"/>
<Row ss:Hidden="1"><Cell ss:Index="3"><Data ss:Type="String">c@example.com</Data></Cell>
<Cell ss:StyleID="usual"><Data ss:Type="Number">4843</Data></Cell></Row></Table></Worksheet></Workbook>"""


def test_merged_cells_and_formats_of_excel_2003(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    path.write_text(MERGED, "utf-8")
    source = open_workbook(path)
    assert source.columns == ("Name", "", "Email", "Postal Code")
    assert rows(read(source)) == [
        ("Ann", None, "a@example.com", "04843"),
        ("Bo", "Ray", "b@example.com", "12345"),
        (None, None, "c@example.com", "4843"),
    ]
    assert [line for line, fate in fates(read(source)).items() if fate == "record"] == [2, 3, 7]
    assert source.notes == ("Rows that are hidden in the sheet are read like others: 1.",)


@pytest.mark.parametrize(
    ("code", "number", "text"),
    [
        ("Short Date", "46150", "2026-05-08"),
        ("dd/mm/yyyy\\ hh:mm", "46150.5", "2026-05-08T12:00:00"),
        ("Medium Time", "0.25", "06:00:00"),
        ("[h]:mm", "1.25", "30:00:00"),
        ("Short Date", "-1", "-1"),
        *((code, "46150.5", "46150.5") for code in ("Fixed", "Standard", "Currency", "General Number", "")),
    ],
)
def test_numbers_of_excel_2003_that_are_formatted_as_dates(
    tmp_path: Path, code: str, number: str, text: str
) -> None:
    """Programs that export lists write dates so; Excel itself writes them out."""
    path = tmp_path / "export.xls"
    content = MERGED.replace('<NumberFormat ss:Format="00000"/>', f'<NumberFormat ss:Format="{code}"/>')
    path.write_text(content.replace(">12345<", f">{number}<"), "utf-8")
    assert rows(read(open_workbook(path)))[1][3] == text


def test_days_of_excel_2003_that_are_counted_from_1904(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    content = MERGED.replace('"00000"', '"Short Date"').replace(">12345<", ">44688<")
    epoch = "<ExcelWorkbook><Date1904/></ExcelWorkbook><Styles>"
    path.write_text(content.replace("<Styles>", epoch), "utf-8")
    assert rows(read(open_workbook(path)))[1][3] == "2026-05-08"


def test_files_that_are_no_workbooks(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    assert refuse(path).code == "no_such_file"
    assert refuse(tmp_path).code == "not_a_file"
    for content, code in [
        (b"", "empty_source"),
        (b"Email\na@example.com\n", "not_a_workbook"),
        (b"PK\x03\x04[Content_Types].xml", "not_a_workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "broken_workbook"),
    ]:
        path.write_bytes(content)
        assert refuse(path).code == code


def test_a_workbook_cut_short(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"Leads": [HEADER, *map(person, range(99))]})
    content = path.read_bytes()
    for size in (len(content) - 1, len(content) - 30, len(content) // 2, 700, 100):
        path.write_bytes(content[:size])
        assert refuse(path).code in {"broken_workbook", "not_a_workbook"}
    path.write_bytes(content)
    with zipfile.ZipFile(path) as package:
        place = package.getinfo("xl/worksheets/sheet1.xml").header_offset + 300
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    assert refuse(path).code == "broken_workbook"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", "empty"),
        (b"Email,Name\n", "text"),
        (b"\xef\xbb\xbfEmail\n", "text"),
        ("Email\tName\n".encode("utf-16"), "text"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"(\xb5/\xfd", "zstd"),
        (b"BZh9", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"PAR1\x15", "parquet"),
        (b"ARROW1\x00\x00", "arrow"),
        (b'{"email": "a@example.com"}', "json"),
        (b'\n[\n  {"email": 1}]', "json"),
        (b"[Email];Name\n", "text"),
        (b"%PDF-1.7", "pdf"),
        (b"  <!DOCTYPE HTML><html>", "html"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><!-- x --><HTML xmlns:x='urn:x'>", "html"),
        ("<html><table>".encode("utf-16"), "html"),
        (b"<table border=1>", "html"),
        (b"<!-- 1 -->\n" * 60 + b"<table>", "html"),
        (b"<!-- 1 -->\n" * 60 + b"<span>", "text"),
        (b"<!-- <table>" * 60, "text"),
        (b"<not@example.com>,Ann", "text"),
        (b"<?xml version='1.0'?><leads/>", "xml"),
        (SPREADSHEETML.encode(), "spreadsheetml"),
        (bytes(257) + b"ustar", "tar"),
        (b"MIME-Version: 1.0\r\n", "mhtml"),
        (b"PK\x05\x06" + bytes(18), "zip"),
        (b"PK\x03\x04", "zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
    ],
)
def test_kinds(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


def test_kinds_of_archives(tmp_path: Path) -> None:
    book = save(tmp_path / "a.xlsx", {"Leads": [HEADER]})
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as package:
        package.write(book, "inner.xlsx")
        package.writestr("leads.csv", "Email\n")
    assert [kind_of(path.read_bytes()[:64], path) for path in (book, archive)] == ["xlsx", "zip"]
    assert kind_of(archive.read_bytes()) == "zip"
    assert kind_of(book.read_bytes()) == "xlsx"
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("preview.jpg", "")
        package.writestr("Index/Document.iwa", bytes(99))
    assert kind_of(archive.read_bytes(), archive) == "iwork"
    ods = save_ods(tmp_path / "a.ods", "")
    assert kind_of(ods.read_bytes(), ods) == kind_of(ods.read_bytes()) == "ods"
