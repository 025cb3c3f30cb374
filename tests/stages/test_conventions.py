"""Columns that prove how their dates and numbers are to be read; others stop the run. Nothing is guessed."""

import csv
import json
import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from functools import partialmethod
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter
from hypothesis import example, given, settings
from hypothesis import strategies as st

import prep.cleaning
from prep.errors import SourceError
from prep.intake import Query
from prep.model import Convention
from prep.pipeline import clean, prepare, resume_cleaning, retry
from prep.sources.delimited import DelimitedSource
from tests.depth import examples

HEADERS = {"dateOfBirth": "Born", "leadScore": "Lead Score", "annualRevenue": "Annual Revenue"}
MAPS = {"Born": "dateOfBirth"}


def write(path: Path, field: str, *cells: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["email", HEADERS[field]])
        lines.writerows((f"{number}@example.com", cell) for number, cell in enumerate(cells, 1))
    return path


def options(field: str) -> dict[str, Any]:
    return {"maps": MAPS} if field == "dateOfBirth" else {}


PROVEN = [
    ("dateOfBirth", "dmy 1", "13/04/1990 03/04/1991", "1990-04-13 1991-04-03"),
    ("dateOfBirth", "mdy 2", "4/13/1990 03/04/1991 1/31/2001", "1990-04-13 1991-03-04 2001-01-31"),
    ("dateOfBirth", "dmy 1", "2001-02-03 13.04.1990 3.4.1991T00:00", "2001-02-03 1990-04-13 1991-04-03"),
    ("dateOfBirth", "dmy 2", "13.4.1990 03/04/1991 31/1/1991", "1990-04-13 1991-04-03 1991-01-31"),
    ("annualRevenue", "comma 1", "1.234,56 1.234 1,234 70", "1234.56 1234 1.2340 70"),
    ("annualRevenue", "point 2", "1,234.56 1,234 0.123", "1234.56 1234 0.123"),
    ("annualRevenue", "comma 1", "1.234.567 12.345", "1234567 12345"),
    ("leadScore", "comma 1", "1.234 1.234,0", "1234 1234"),
    ("leadScore", "point 1", "1,234 1,234,567 5.000", "1234 1234567 5"),
]


@pytest.mark.parametrize(("field", "proof", "before", "after"), PROVEN)
def test_a_column_that_leaves_no_choice_is_read_so_and_that_is_said(
    tmp_path: Path, field: str, proof: str, before: str, after: str
) -> None:
    path = write(tmp_path / "leads.csv", field, *before.split())
    setting, (value, cells) = "dates" if field == "dateOfBirth" else "decimal", proof.split()
    expected = Convention(str(path), field, HEADERS[field], setting, value, int(cells))
    prepared = prepare(path, **options(field))
    assert prepared.ready[field].to_list() == after.split()
    assert prepared.conventions == (expected,)
    run = clean(path, tmp_path / "leads.prep", **options(field))
    chunk = (run.path / "chunks/leads-0001.csv").read_text().splitlines()
    assert [line.partition(",")[2] for line in chunk] == [field, *after.split()]
    assert run.report["conventions"] == [vars(expected)]
    assert run.report["sources"][0]["notes"] == [expected.sentence]
    assert run.folder.manifest().conventions == (expected,)
    said = prepare(path, **options(field), **{setting: value})  # type: ignore[arg-type]
    assert said.ready.equals(prepared.ready)
    assert said.conventions == ()


OPEN = [
    ("dateOfBirth", ["03/04/1990"], "1 date (row 1) may begin with the day or with the month"),
    (
        "dateOfBirth",
        ["13/04/1990", "04/13/1990", "1/2/1990"],
        "1 date (row 1) can only begin with the day, 1 date (row 2) can only begin with the month, "
        "1 date (row 3) may begin with the day or with the month",
    ),
    (
        "dateOfBirth",
        ["13.04.1990", *["03/04/1991"] * 7],
        "1 date (row 1) can only begin with the day, "
        "7 dates (rows 2, 3, 4, 5, 6, …) may begin with the day or with the month",
    ),
    ("annualRevenue", ["1,234", "5"], "1 number (row 1) may have thousands or decimals behind the separator"),
    ("leadScore", ["5.000"], "1 number (row 1) may have thousands or decimals behind the separator"),
    ("leadScore", ["1.234", "7"], "1 number (row 1) may have thousands or decimals behind the separator"),
    (
        "annualRevenue",
        ["1.234,5", "1,234.5"],
        "1 number (row 1) can only have a decimal comma, 1 number (row 2) can only have a decimal point",
    ),
]


@pytest.mark.parametrize(("field", "cells", "found"), OPEN)
def test_a_column_that_leaves_it_open_stops_everything(
    tmp_path: Path, field: str, cells: list[str], found: str
) -> None:
    path = write(tmp_path / "leads.csv", field, *cells)
    with pytest.raises(SourceError) as caught:
        clean(path, tmp_path / "leads.prep", **options(field))
    dates = field == "dateOfBirth"
    assert caught.value.facts == {
        "code": "ambiguous_dates" if dates else "ambiguous_numbers",
        "message": f"{path}: column {HEADERS[field]!r} ({field}): {found}",
        "hint": "Say which with --dates dmy or --dates mdy, or write them as 2026-04-13."
        if dates
        else "Say which with --decimal comma or --decimal point, or write them as 1234.5.",
        "source": str(path),
        "row": 1,
        "column": HEADERS[field],
    }
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(SourceError, match=r"can only|may"):
        prepare(path, **options(field))


@pytest.mark.parametrize(
    ("field", "cells", "rejected"),
    [
        ("dateOfBirth", ["1990-01-01", "1990-01-02", "03/04/1990"], [3]),
        ("dateOfBirth", ["05/05/1990", "1990-01-02"], []),
        ("dateOfBirth", ["13/13/1990", "45/01/1990", "13/04/26", "44197"], [1, 2, 3, 4]),
        ("leadScore", ["1500", "2500", "1,234"], [3]),
        ("leadScore", ["12.5"], [1]),
        ("annualRevenue", ["1.234"], []),
    ],
)
def test_what_is_no_question_of_the_column_is_judged_as_ever(
    tmp_path: Path, field: str, cells: list[str], rejected: list[int]
) -> None:
    """An exception among plain cells is rejected; dates that read the same either way are read."""
    prepared = prepare(write(tmp_path / "leads.csv", field, *cells), **options(field))
    assert prepared.rejected["_row"].to_list() == rejected
    assert prepared.conventions == ()


def test_each_source_speaks_for_itself_and_a_retry_remembers(tmp_path: Path) -> None:
    spain = write(tmp_path / "spain.csv", "dateOfBirth", "13/04/1990", "03/04/1990")
    texas = write(tmp_path / "texas.csv", "dateOfBirth", "04/13/1990", "03/04/1990")
    for path in (spain, texas):
        path.write_text(path.read_text().replace("2@example.com", f"2@@{path.stem}.example.com"))
    run = clean([spain, texas], tmp_path / "leads.prep", maps=MAPS)
    assert run.counts["rejected"] == 2
    with run.folder.rejected.open(encoding="utf-8-sig", newline="") as file:
        rows = [[cell.replace("@@", "@") for cell in row] for row in csv.reader(file)]
    with run.folder.rejected.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    again = retry(run)
    chunk = "email,dateOfBirth\n2@spain.example.com,1990-04-03\n2@texas.example.com,1990-03-04\n"
    assert (again.path / "chunks/leads-0001.csv").read_text() == chunk
    assert again.report["conventions"] == run.report["conventions"]
    assert [convention["value"] for convention in run.report["conventions"]] == ["dmy", "mdy"]
    assert len(again.report["sources"][0]["notes"]) == 2


def test_what_was_settled_outlives_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "leads.csv", "dateOfBirth", "13/04/1990", "03/04/1990")
    whole = clean(path, tmp_path / "whole.prep", maps=MAPS)
    with monkeypatch.context() as patch:
        patch.setattr(prep.cleaning, "decide", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            clean(path, tmp_path / "leads.prep", maps=MAPS)
    settled = json.loads((tmp_path / "leads.prep/manifest.json").read_text())["conventions"]
    assert settled == whole.report["conventions"]
    with monkeypatch.context() as patch:
        patch.delattr(prep.cleaning, "settle")
        run = resume_cleaning(tmp_path / "leads.prep")
    assert run.report["conventions"] == whole.report["conventions"]
    assert (run.path / "chunks/leads-0001.csv").read_bytes() == (
        whole.path / "chunks/leads-0001.csv"
    ).read_bytes()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


WRITTEN = {"dmy": "{0.day:02}{1}{0.month:02}{1}{0.year}", "mdy": "{0.month:02}{1}{0.day:02}{1}{0.year}"}
MONTHS = 12
DAYS = st.dates(date(1950, 1, 1), date(2020, 1, 1)) | st.dates(date(2001, 1, 1), date(2001, 1, 12))


@given(
    rows=st.lists(
        st.tuples(DAYS, st.sampled_from(["iso", "iso", "dmy", "mdy"]), st.sampled_from("/.")), max_size=8
    ),
    order=st.sampled_from(["dmy", "mdy", None]),
)
@example(rows=[(date(2001, 5, 12), "dmy", "/")], order=None)
@example(rows=[(date(2001, 5, 12), "mdy", "/")], order=None)
@settings(max_examples=examples(80), deadline=None)
def test_no_date_is_ever_guessed(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[date, str, str]], order: str | None
) -> None:
    """Either a cell leaves no choice, or its whole column does, or everything stops, whatever the batches."""
    written = [(day, form if form == "iso" else order or form, mark) for day, form, mark in rows]
    cells = [
        day.isoformat() if form == "iso" else WRITTEN[form].format(day, mark) for day, form, mark in written
    ]
    path = write(tmp_path_factory.mktemp("guess") / "leads.csv", "dateOfBirth", *cells, "2000-01-01")
    outcomes = []
    for read in (DelimitedSource.read, partialmethod(DelimitedSource.read, block_bytes=64)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DelimitedSource, "read", read)
            try:
                prepared = prepare(path, maps=MAPS)
            except SourceError as error:
                assert error.code == "ambiguous_dates"  # noqa: PT017 (or it is proven, below)
                outcomes.append(error.message)
                continue
            outcomes.append(str(prepared.ready.rows()) + str(prepared.conventions))
        sure = {(form, mark) for day, form, mark in written if form != "iso" and day.day > MONTHS}
        for row, spelled in prepared.ready.select("_row", "dateOfBirth").rows()[:-1]:
            day, form, mark = written[row - 1]
            if form == "iso" or day.day == day.month:
                assert spelled == day.isoformat()
                continue
            ((proven, _),) = {(form, "") for form, _ in sure}
            assert (proven, mark) in sure
            assert WRITTEN[proven].format(date.fromisoformat(spelled), mark) == cells[row - 1]
    assert outcomes[0] == outcomes[1]


TYPED = pl.DataFrame(
    {
        "email": ["1@example.com", "2@example.com", "3@example.com"],
        "annualRevenue": [1.234, -999.125, 12.5],
        "numberOfEmployees": pl.Series([5, 12, 2000]).cast(pl.Decimal(10, 3)),
        "company": [1.125, 2.5, None],
    }
)
FLOATS = TYPED.cast({"numberOfEmployees": pl.Float64})


def _database(path: Path) -> Query:
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE people ({', '.join(FLOATS.columns)})")
    connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", FLOATS.rows())
    connection.commit()
    connection.close()
    return Query("SELECT * FROM people", f"sqlite:///{path}")


def _spreadsheetml(path: Path) -> Path:
    cells = [[f'<Data ss:Type="String">{name}</Data>' for name in FLOATS.columns]] + [
        [f'<Data ss:Type="String">{row[0]}</Data>']
        + [f'<Data ss:Type="Number">{cell}</Data>' if cell else "" for cell in row[1:]]
        for row in FLOATS.rows()
    ]
    rows = "".join(f"<Row>{''.join(f'<Cell>{cell}</Cell>' for cell in row)}</Row>" for row in cells)
    path.write_text(
        '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"'
        ' xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet ss:Name="S"><Table>'
        f"{rows}</Table></Worksheet></Workbook>"
    )
    return path


def _ods(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    def cell(value: Any) -> str:
        if isinstance(value, float):
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        return (
            f'<table:table-cell office:value-type="string"><text:p>{value or ""}</text:p></table:table-cell>'
        )

    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    table = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        package.writestr(
            "content.xml",
            f'<office:document-content {names}><office:body><office:spreadsheet><table:table table:name="S">'
            f"{table}</table:table></office:spreadsheet></office:body></office:document-content>",
        )
        package.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
    return path


def _saved(path: Path, save: Callable[[Path], object]) -> Path:
    save(path)
    return path


def _xlsx(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    for line, row in enumerate(rows):
        for column, cell in enumerate(row):
            sheet.write(line, column, cell)
    book.close()
    return path


def _lines(frame: pl.DataFrame, ending: str) -> str:
    """JSON objects with exponents and escapes too, which the reader by shape leaves to the decoder."""
    lines = frame.write_ndjson().replace("1.234", "1234e-3").splitlines()
    return f"{ending.join(lines)}\n"


TYPED_SOURCES: dict[str, Callable[[Path], Any]] = {
    "frame": lambda _: TYPED,
    "lazy": lambda _: TYPED.lazy(),
    "parquet": lambda path: _saved(path / "x", TYPED.write_parquet),
    "arrow": lambda path: _saved(path / "x", TYPED.write_ipc),
    "stream": lambda path: _saved(path / "x", TYPED.write_ipc_stream),
    "json": lambda path: _saved(path / "x", FLOATS.write_json),
    "ndjson": lambda path: _saved(path / "x", FLOATS.write_ndjson),
    "exponents": lambda path: _saved(path / "x", lambda file: file.write_text(_lines(FLOATS, "\n"))),
    "xlsx": lambda path: _xlsx(path / "x.xlsx", [FLOATS.columns, *FLOATS.rows()]),
    "ods": lambda path: _ods(path / "x.ods", [FLOATS.columns, *FLOATS.rows()]),
    "spreadsheetml": lambda path: _spreadsheetml(path / "x.xml"),
    "sqlite": lambda path: _database(path / "x.db"),
}


@pytest.mark.parametrize("kind", TYPED_SOURCES)
@pytest.mark.parametrize("decimal", ["comma", "point", None])
def test_a_number_by_type_is_that_number_whatever_the_settings_say(
    tmp_path: Path, kind: str, decimal: str | None
) -> None:
    said: dict[str, Any] = {"decimal": decimal} if decimal else {}
    source = TYPED_SOURCES[kind](tmp_path)
    prepared = prepare(source, **said)
    assert prepared.ready.select(TYPED.columns).rows() == [
        ("1@example.com", "1.234", "5", "1.125"),
        ("2@example.com", "-999.125", "12", "2.5"),
        ("3@example.com", "12.5", "2000", None),
    ]
    assert prepared.rejected.is_empty()
    found = [(known.field, known.value, known.cells) for known in prepared.conventions]
    whole = (
        [("numberOfEmployees", "point", 2)] if kind in {"frame", "lazy", "parquet", "arrow", "stream"} else []
    )
    assert found == ([] if decimal == "point" else [("annualRevenue", "point", 3), *whole])
    run = clean(source, tmp_path / "leads.prep", **said)
    assert (run.path / "chunks/leads-0001.csv").read_text() == (
        "email,annualRevenue,numberOfEmployees,company\n1@example.com,1.234,5,1.125\n"
        "2@example.com,-999.125,12,2.5\n3@example.com,12.5,2000,\n"
    )
    assert [note for note in run.report["notes"] if note["code"] == "point_or_thousands"] == []


def test_a_number_by_type_is_the_same_in_a_retry(tmp_path: Path) -> None:
    frame = TYPED.with_columns(email=pl.lit("none"))
    run = clean(frame, tmp_path / "leads.prep", decimal="comma")
    text = run.folder.rejected.read_text(encoding="utf-8-sig")
    assert "none,1.234,5.000,1.125,frame 1,1" in text
    run.folder.rejected.write_text(text.replace("none,1.234", "1@example.com,1.234"))
    again = retry(run)
    assert (again.path / "chunks/leads-0001.csv").read_text() == (
        "email,annualRevenue,numberOfEmployees,company\n1@example.com,1.234,5,1.125\n"
    )


def test_a_number_by_type_is_the_same_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _database(tmp_path / "x.db")
    with monkeypatch.context() as patch:
        patch.setattr(prep.cleaning, "_fill_settled", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            clean(source, tmp_path / "leads.prep", decimal="comma")
    assert not (tmp_path / "leads.prep/manifest.json").exists()
    with monkeypatch.context() as patch:
        patch.setattr(prep.cleaning, "decide", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            clean(source, tmp_path / "leads.prep", decimal="comma")
    run = resume_cleaning(tmp_path / "leads.prep")
    assert (run.path / "chunks/leads-0001.csv").read_text().splitlines()[1:3] == [
        "1@example.com,1.234,5,1.125",
        "2@example.com,-999.125,12,2.5",
    ]


@pytest.mark.parametrize(
    ("cells", "decimal", "found"),
    [
        ([1.234, "n/a", "-"], "comma", ["1.234", None, None]),
        ([1.234, "2000", 7], "comma", ["1.234", "2000", "7"]),
        ([1.234, "2,000.5"], None, ["1.234", "2000.5"]),
        ([1.5, "1.500", "0,5"], "comma", ["1.5", "1500", "0.5"]),
        ([1.234, "1.500"], "point", ["1.234", "1.500"]),
        ([1.234, "0,5"], "comma", "1 number (row 2) can only have a decimal comma, {typed}"),
        ([1.234, "0,5"], None, "1 number (row 2) can only have a decimal comma, {typed}"),
        (
            [1.234, "1.500"],
            "comma",
            "{typed}, 1 number (row 2) may have thousands or decimals behind the separator",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["xlsx", "ods", "json", "ndjson", "sqlite"])
def test_numbers_and_text_in_one_column(
    tmp_path: Path, kind: str, cells: list[Any], decimal: str | None, found: Any
) -> None:
    """Text is read as the settings say, unless its neighbours are numbers that it would be mistaken for."""
    rows = [(f"{number}@example.com", cell) for number, cell in enumerate(cells, 1)]
    records = [{"email": address, "annualRevenue": cell} for address, cell in rows]
    source: Any = tmp_path / f"x.{kind}"
    if kind in {"xlsx", "ods"}:
        save = _xlsx if kind == "xlsx" else _ods
        save(
            source,
            [("email", "annualRevenue"), *((one, float(two) if two == 7 else two) for one, two in rows)],
        )
    elif kind == "sqlite":
        connection = sqlite3.connect(source)
        connection.execute("CREATE TABLE people (email, annualRevenue)")
        connection.executemany("INSERT INTO people VALUES (?, ?)", rows)
        connection.commit()
        connection.close()
        source = Query("SELECT * FROM people", f"sqlite:///{source}")
    else:
        lines = "\n".join(map(json.dumps, records))
        source.write_text(json.dumps(records) if kind == "json" else lines)
    said: dict[str, Any] = {"decimal": decimal} if decimal else {}
    if isinstance(found, list):
        assert prepare(source, **said).ready["annualRevenue"].to_list() == found
        return
    with pytest.raises(SourceError) as caught:
        prepare(source, **said)
    typed = "1 number (row 1) can only have a decimal point, by the type of the cell"
    said_of_rows = found.format(typed=typed)
    if kind in {"xlsx", "ods"}:
        said_of_rows = said_of_rows.replace("row 2", "sheet row 3").replace("row 1", "sheet row 2")
    assert caught.value.code == "mixed_numbers"
    assert caught.value.message.endswith(f": column 'annualRevenue' (annualRevenue): {said_of_rows}")
    assert caught.value.hint == (
        "Make all cells of the column numbers, or say --decimal point if its text has decimal points."
    )
    assert (caught.value.row, caught.value.column) == (1, "annualRevenue")


def test_text_of_one_source_and_numbers_of_another(tmp_path: Path) -> None:
    europe = write(tmp_path / "eu.csv", "annualRevenue", "1.234,50", "1.234")
    prepared = prepare([europe, TYPED.head(1).with_columns(email=pl.lit("9@example.com"))])
    assert prepared.ready["annualRevenue"].to_list() == ["1234.50", "1234", "1.234"]
    assert [known.value for known in prepared.conventions] == ["comma", "point", "point"]
