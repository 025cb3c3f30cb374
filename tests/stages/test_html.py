"""Web pages that call themselves workbooks."""

import zipfile
from pathlib import Path

import pytest

from prep.errors import SourceError
from prep.model import Reading
from prep.sources import open_source
from prep.sources.encoding import find_encoding
from prep.sources.html import HtmlBook
from prep.sources.sheets import Row
from prep.sources.workbook import open_workbook


def table(content: str | bytes) -> list[Row]:
    book = HtmlBook(content if isinstance(content, bytes) else content.encode())
    return list(book.rows(0))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("a@example.com", "a@example.com"),
        (" \n two \t words ", "two words"),
        ("M&uuml;ller &amp; S&#246;hne &#x1F642;", "Müller & Söhne 🙂"),
        ("one<br>two<BR/> three", "one\ntwo\nthree"),
        ("<b>Ann</b> <i>Ray</i><!-- x -->", "Ann Ray"),
        ("<style>td {color: red}</style>Ann<script>alert('x')</script>", "Ann"),
        ("00123", "00123"),
        ("1 &lt; 2 &gt; 0 <3", "1 < 2 > 0 <3"),
        ("a&nbsp;b", "a\xa0b"),
        ("\ue000", "\ufffd"),
    ],
)
def test_a_cell_is_what_the_screen_shows(cell: str, text: str) -> None:
    assert table(f"<table><tr><td>{cell}</td></tr></table>") == [Row(1, {0: text})]


@pytest.mark.parametrize(
    ("page", "rows"),
    [
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", [Row(1, {0: "a", 1: "b"}), Row(2, {0: "1", 1: "2"})]),
        ("<table><tr><td colspan=2>a</td><td>b</td></tr></table>", [Row(1, {0: "a", 2: "b"})]),
        (
            "<table><tr><td rowspan=2>a</td><td>b</td></tr><tr><td>c</td></tr><tr><td>d</td></tr></table>",
            [Row(1, {0: "a", 1: "b"}), Row(2, {1: "c"}), Row(3, {0: "d"})],
        ),
        ("<table><tr></tr><tr><td>&nbsp;</td></tr><tr><td>a</td></tr>", [Row(3, {0: "a"})]),
        ("<table><td>a", [Row(1, {0: "a"}, is_cut=True)]),
        (
            "<table><tr><td>a<table><tr><td>inner</td></tr></table></td><td>b</td></tr></table>",
            [Row(1, {0: "a", 1: "b"})],
        ),
        ("<table><tr><td colspan='x' rowspan='99999999999'>a</td></tr></table>", [Row(1, {0: "a"})]),
        ("</td></tr></table><table><tr><td>a</td></tr></table>", [Row(1, {0: "a"})]),
        (
            "<table><tr><td>a</tr><td>b</tr><td>c",
            [Row(1, {0: "a"}), Row(2, {0: "b"}), Row(3, {0: "c"}, is_cut=True)],
        ),
        (
            "<table><thead><th>a<th>b</thead><tbody><td>1<td>2<tfoot><td>3</table>",
            [Row(1, {0: "a", 1: "b"}), Row(2, {0: "1", 1: "2"}), Row(3, {0: "3"})],
        ),
    ],
)
def test_tables_as_browsers_read_them(page: str, rows: list[Row]) -> None:
    assert table(page) == rows


@pytest.mark.parametrize(("rest", "has_whole_row"), [("", True), ("<tr><td>b@exam", False), ("<tr>", True)])
def test_a_page_that_was_cut_short_is_noted_and_half_a_row_rejected(
    tmp_path: Path, rest: str, *, has_whole_row: bool
) -> None:
    path = tmp_path / "export.xls"
    page = "<table><tr><th>Email</th></tr><tr><td>a@example.com</td></tr>"
    path.write_text(page + rest, "utf-8")
    source = open_workbook(path)
    (batch,) = source.read(0)
    assert batch.cells["0"].to_list() == ["a@example.com"]
    assert batch.rejected.rows() == ([] if has_whole_row else [(2, 3, "unreadable_row", "b@exam")])
    assert source.notes == (
        "The page ends within the table, as one that was cut short; rows may be missing.",
    )
    path.write_text(f"<table><tr><td>{page}</table>", "utf-8")
    assert open_workbook(path).notes == ()


def test_a_page_that_ends_itself_was_not_cut_short_though_its_table_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    page = "<html><table><tr><th>Email<tr><td>a@example.com</body>\n</html>\n"
    path.write_text(page, "utf-8")
    source = open_workbook(path)
    (batch,) = source.read(0)
    assert (batch.cells["0"].to_list(), batch.rejected.rows()) == (["a@example.com"], [])
    assert source.notes == ()
    path.write_text(f"{page}<tr><td>b@exam", "utf-8")
    (batch,) = open_workbook(path).read(0)
    assert batch.rejected.rows() == [(2, 3, "unreadable_row", "b@exam")]


@pytest.mark.parametrize(
    ("head", "codec", "found"),
    [
        ("", "utf-8", "utf-8"),
        ("", "cp1252", "cp1252"),
        ("", "utf-16", "utf-16"),
        ("", "utf-8-sig", "utf-8-sig"),
        ('<meta charset="utf-8">', "utf-8", "utf-8"),
        ("<META http-equiv=Content-Type content='text/html; charset=iso-8859-1'>", "cp1252", "cp1252"),
        ("<meta charset=windows-1250>", "cp1250", "cp1250"),
        ("<meta charset=no-such>", "utf-8", "utf-8"),
    ],
)
def test_encodings(tmp_path: Path, head: str, codec: str, found: str) -> None:
    path = tmp_path / "export.xls"
    path.write_bytes(f"<html>{head}<table><tr><td>Email<tr><td>Zoë € Müller</td></tr></table>".encode(codec))
    source = open_workbook(path)
    (batch,) = source.read()
    assert (batch.cells["0"].to_list(), source.reading.encoding) == (["Zoë € Müller"], found)


@pytest.mark.parametrize(
    ("codec", "names"),
    [
        ("cp1250", ["Łukasz Kołodziej", "Małgorzata Wiśniewska", "Żaneta Dąbrowska", "Grzegorz Błaszczyk"]),
        ("cp1251", ["Иван Петров", "Мария Сидорова", "Ольга Кузнецова", "Сергей Смирнов"]),
        ("cp1252", ["José Müller", "Zoë Peña", "Anaïs Lefèvre", "Jürgen Weiß"]),
    ],
)
def test_the_encoding_of_a_page_that_does_not_say_is_found_as_that_of_text(
    tmp_path: Path, codec: str, names: list[str]
) -> None:
    path = tmp_path / "export.xls"
    people = "".join(f"<tr><td>{name}</td><td>a@example.com</td></tr>" for name in names)
    path.write_bytes(f"<table><tr><th>Name</th><th>Email</th></tr>{people}</table>".encode(codec))
    source = open_source(path)
    (batch,) = source.read(1)
    assert batch.cells["0"].to_list() == names
    assert source.reading.encoding == codec
    assert source.notes == find_encoding(str(path)).notes
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b.xls", path.read_bytes())
    assert open_source(f"{tmp_path}/a.zip!b.xls").reading.encoding == codec


def test_the_table_with_the_leads_is_read(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    layout = "<table><tr><td>Report of Ann</td></tr></table>"
    leads = "<tr><th>E-Mail</th><th>Name</th></tr><tr><td>a@example.com</td><td>Z&eacute;</td></tr>"
    path.write_bytes(f"<html><body>{layout}<table>{leads}</table></body></html>".encode())
    source = open_workbook(path)
    assert source.reading == Reading(encoding="utf-8", sheet="table 2", header_line=1)
    assert source.columns == ("E-Mail", "Name")
    assert source.notes == ("Left out, as no lists of leads: 'table 1'.",)
    (batch,) = source.read()
    assert batch.cells.drop("_numbers").rows() == [("a@example.com", "Zé", 1, 2)]
    again = open_workbook(path, source.reading)
    assert (again.columns, again.reading) == (source.columns, source.reading)


@pytest.mark.parametrize("attribute", ["style='height:0; Display : none'", "hidden"])
def test_hidden_rows_are_noted(tmp_path: Path, attribute: str) -> None:
    path = tmp_path / "export.xls"
    path.write_text(
        "<table><tr><td>Email</td></tr><tr style='color:red'><td>a@example.com</td></tr>"
        f"<tr {attribute}><td>b@example.com</td></tr><tr {attribute}></tr></table>"
    )
    source = open_workbook(path)
    assert sum(batch.cells.height for batch in source.read(0)) == 2
    assert source.notes == ("Rows that are hidden in the sheet are read like others: 1.",)


def test_no_row_is_lost_where_its_beginning_was_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    people = "".join(f"<td>{name}@example.com</td><td>{name}</td></tr>" for name in ("ann", "bob"))
    path.write_text(f"<table><tr><th>Email</th><th>First Name</th></tr>{people}</table>", "utf-8")
    (batch,) = open_workbook(path).read(0)
    assert batch.cells.drop("_numbers").rows() == [
        ("ann@example.com", "ann", 1, 2),
        ("bob@example.com", "bob", 2, 3),
    ]
    assert [(entry.kind, entry.line) for entry in batch.skipped] == [("header", 1)]


@pytest.mark.parametrize(
    ("page", "reading", "code"),
    [
        (b"<html><h1>Please log in</h1></html>", Reading(), "no_table"),
        (b"<html><meta charset=utf-8><table><tr><td>Z\xeb</td></tr></table>", Reading(), "bad_encoding"),
        (b"<table><tr><td>Z\xeb</td></tr></table>", Reading(encoding="ascii"), "bad_encoding"),
        (b"<html><table></table>", Reading(), "empty_source"),
        (b"<table><tr>" + b"<td colspan=16384>a</td>" * 2 + b"</table>", Reading(), "broken_workbook"),
    ],
)
def test_pages_that_are_refused(tmp_path: Path, page: bytes, reading: Reading, code: str) -> None:
    path = tmp_path / "export.xls"
    path.write_bytes(page)
    with pytest.raises(SourceError) as caught:
        open_workbook(path, reading)
    assert caught.value.code == code
    assert caught.value.message.startswith(f"{path}: ")
