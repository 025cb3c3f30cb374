"""Rows that failed or were corrected are tried again, and stay who they are."""

import csv
import errno
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Unpack

import openpyxl
import polars as pl
import pytest

from prep.config import CleanOptions
from prep.corrections import CHANGES, LEFT_OUT, Journal
from prep.errors import FolderError, HeaderError, MarketoError, SettingsError, SourceError
from prep.folder import RunFolder
from prep.marketo import Marketo
from prep.model import Advance
from prep.outcome_tables import CELLS_OF_ONE
from prep.pipeline import Run, clean, purge, reconcile, retry, submit
from prep.report.text import summarise
from prep.review import Desk
from prep.sandbox import Sandbox

LEADS = (
    "email,firstName,title,numberOfEmployees\n"
    "ana@example.com,Ana,=Chief,5\n"
    "bo(at)example.com,'Bo,+1 202 555 0100,6\n"
    'shared.mailbox@example.com,Dora,"two\r\nlines",7\n'
    "cy@example.com,Cy,-x,many\n"
    "ragged@example.com,R\n"
    "dee@@example.com,Dee,007,8\n"
)
Rows = list[list[str]]


@pytest.fixture
def client() -> Iterator[Marketo]:
    with Sandbox() as sandbox, Marketo(sandbox.url, "id", "secret") as client:
        yield client


@pytest.fixture
def run(tmp_path: Path, client: Marketo) -> Run:
    """Rows 1 imported, 3 failed, the others rejected."""
    (tmp_path / "leads.csv").write_bytes(LEADS.encode())
    return submit(clean(tmp_path / "leads.csv", tmp_path / "leads.prep"), client, poll_seconds=(0.05, 1))


def correct(path: Path, change: Callable[[Rows], None], **dialect: object) -> None:
    """What a spreadsheet does: read the table, change cells, save it in a way of its own."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, **{"quoting": csv.QUOTE_ALL, **dialect}).writerows(rows)  # type: ignore[arg-type]


def correct_workbook(path: Path, change: Callable[[Rows], None]) -> None:
    book = openpyxl.load_workbook(path)
    (sheet,) = book.worksheets
    rows = [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    change(rows)
    for line, cells in enumerate(rows, start=1):
        for place, cell in enumerate(cells, start=1):
            sheet.cell(line, place).value = cell or None
    book.save(path)


def mend_bo(rows: Rows) -> None:
    (row,) = [row for row in rows if row[0] == "bo(at)example.com"]
    row[0] = "bo@example.com"


def say_employees(text: str) -> Callable[[Rows], None]:
    """Of the row in which nobody can tell how many they are."""

    def change(rows: Rows) -> None:
        (row,) = [row for row in rows if row[0] == "cy@example.com"]
        row[3] = text

    return change


def delete_column(rows: Rows, name: str) -> None:
    place = rows[0].index(name)
    for row in rows:
        del row[place]


def delete_lines(rows: Rows) -> None:
    del rows[1:]


def uploads(run: Run) -> list[bytes]:
    return [path.read_bytes() for path in sorted((run.path / "chunks").iterdir())]


def identities(run: Run) -> list[tuple[str, int, int, str]]:
    rows = run.rows.select(pl.col("source").str.split("/").list.last(), "row", "line", "fate")
    return sorted(rows.rows(), key=lambda row: row[1])


def test_the_rejected_rows_are_those_that_the_tests_speak_of(run: Run) -> None:
    assert [fate for *_, fate in identities(run)] == [
        *("imported", "rejected", "failed", "rejected", "rejected", "rejected")
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_failed_rows_and_corrected_ones_keep_their_identity(run: Run, delimiter: str) -> None:
    correct(run.folder.rejected, mend_bo, delimiter=delimiter)

    again = retry(run)

    assert again.path == run.path.with_name("leads-retry1.prep")
    assert identities(again) == [("leads.csv", 2, 3, "ready"), ("leads.csv", 3, 4, "ready")]
    assert again.report["parent_run_id"] == run.report["run_id"]
    assert (again.path / "chunks/leads-0001.csv").read_text() == (
        "email,firstName,title,numberOfEmployees\n"
        'shared.mailbox@example.com,Dora,"two\nlines",7\n'
        "bo@example.com,'Bo,+1 202 555 0100,6\n"
    )


def test_a_workbook_that_was_saved_again(run: Run) -> None:
    correct_workbook(run.folder.rejected_workbook, mend_bo)
    assert identities(retry(run)) == [("leads.csv", 2, 3, "ready"), ("leads.csv", 3, 4, "ready")]


def test_cells_typed_into_the_workbook_are_what_the_spreadsheet_shows(tmp_path: Path) -> None:
    """Read as workbooks that are given are, so that a code keeps its zeros and what is blank is told."""
    typed: list[tuple[str | float | date | time, str, str]] = [
        (1234, "00000", "01234"),
        (0.1 + 0.2, "General", "0.3"),
        (time(9, 30), "hh:mm", "09:30:00"),
        (date(2026, 1, 31), "dd/mm/yyyy", "2026-01-31"),
        (datetime(2026, 2, 28, 13, 5), "dd/mm/yyyy hh:mm", "2026-02-28T13:05:00"),  # noqa: DTZ001 (as in a cell)
        ("#N/A", "General", ""),
        ("=1+1", "General", ""),
    ]
    lines = [f"a{number}(at)example.com,," for number in range(len(typed))]
    (tmp_path / "leads.csv").write_text("\n".join(["Anschrift,postalCode,title", *lines]))
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep", maps={"Anschrift": "email"})
    book = openpyxl.load_workbook(run.folder.rejected_workbook)
    (sheet,) = book.worksheets
    for line, (value, code, _) in enumerate(typed, start=2):
        sheet.cell(line, 1).value = f"a{line}@example.com"
        sheet.cell(line, 2).value = value
        sheet.cell(line, 2).number_format = code
    other = book.create_sheet("copy")
    other.append(["email"])
    book.save(run.folder.rejected_workbook)

    again = retry(run)

    sent = pl.read_csv(again.path / "chunks/leads-0001.csv", infer_schema=False)
    assert sent["postalCode"].fill_null("").to_list() == [shown for _, _, shown in typed]
    assert again.report["sources"][0]["notes"] == [
        "rejected.xlsx: The sheet 'copy' is left out. Rows that look like leads: 0.",
        "rejected.xlsx: Cells that hold an error such as #N/A are read as blank: 1.",
        "rejected.xlsx: Formulas that no spreadsheet program has calculated are read as blank: 1. "
        "Open the workbook in one and save it.",
    ]
    given = clean(run.folder.rejected_workbook, tmp_path / "given.prep", maps={"Anschrift": "email"})
    assert uploads(given) == uploads(again)


def test_the_header_of_a_table_of_ours_is_known_where_its_reasons_speak_of_mail(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("Anschrift,firstName\nana(at)example.com,Ana\n")
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep", maps={"Anschrift": "email"})
    given = clean(run.folder.rejected_workbook, tmp_path / "given.prep", maps={"Anschrift": "email"})
    assert identities(given) == [("leads.csv", 1, 2, "rejected")]


def test_a_table_saved_again_without_a_change_holds_nothing_new(run: Run) -> None:
    correct(run.folder.rejected, lambda _: None, lineterminator="\r\n")
    correct_workbook(run.folder.rejected_workbook, lambda _: None)
    assert identities(retry(run)) == [("leads.csv", 3, 4, "ready")]


def test_a_retry_is_sent_and_can_be_tried_again(run: Run, client: Marketo) -> None:
    correct(run.folder.rejected, mend_bo)
    again = submit(retry(run), client, poll_seconds=(0.05, 1))
    assert identities(again) == [("leads.csv", 2, 3, "imported"), ("leads.csv", 3, 4, "failed")]
    failed = pl.read_csv(again.folder.failed, infer_schema=False)
    assert failed.select("email", "title", "_row").rows() == [
        ("shared.mailbox@example.com", "two\nlines", "3")
    ]

    third = retry(again)
    assert third.path.name == "leads-retry1-retry1.prep"
    assert identities(third) == [("leads.csv", 3, 4, "ready")]


def test_a_row_that_is_still_wrong_is_rejected_again(run: Run) -> None:
    correct(run.folder.rejected, say_employees("few"))
    again = retry(run)
    assert identities(again) == [("leads.csv", 3, 4, "ready"), ("leads.csv", 4, 6, "rejected")]
    table = pl.read_csv(again.folder.rejected, infer_schema=False)
    assert table.columns == [
        *("email", "firstName", "title", "numberOfEmployees"),
        *("_source", "_row", "_line", "_reasons", "_raw"),
    ]
    assert table.row(0)[:4] == ("cy@example.com", "Cy", "'-x", "few")


def test_a_record_that_could_not_be_split_is_filled_in(run: Run) -> None:
    def fill(rows: Rows) -> None:
        (row,) = [row for row in rows if row[-1].startswith("ragged")]
        row[:2] = ["ragged@example.com", "R"]

    correct(run.folder.rejected, fill)
    assert identities(retry(run)) == [("leads.csv", 3, 4, "ready"), ("leads.csv", 5, 7, "ready")]


def rewrite_text(rows: Rows) -> None:
    """Of the record that could not be split, where a spreadsheet shows it."""
    (row,) = [row for row in rows if row[-1].startswith("ragged")]
    row[-1] = "ragged@example.com,R,,9"


REWRITTEN = "rows of {} changed in _raw alone, which is not read (fill their other cells instead): 1"


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_change_of_the_text_alone_is_no_correction_and_is_told(run: Run, suffix: str) -> None:
    table = run.folder.rejected.with_suffix(suffix)
    (correct if suffix == ".csv" else correct_workbook)(table, rewrite_text)
    again = retry(run)
    assert identities(again) == [("leads.csv", 3, 4, "ready")]
    assert again.report["sources"][0]["notes"] == [REWRITTEN.format(table.name)]


def test_where_only_a_text_was_changed_there_is_nothing_to_try_again(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("email,firstName\nragged@example.com\nana@example.com,Ana\n")
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep")
    correct(run.folder.rejected, rewrite_text)
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "nothing_to_retry"
    assert caught.value.message == (
        f"{run.path}: no row failed, and no rejected row was changed; {REWRITTEN.format('rejected.csv')}"
    )


def test_rows_whose_outcome_is_open_are_told(tmp_path: Path, client: Marketo) -> None:
    (tmp_path / "leads.csv").write_bytes(LEADS.encode())
    run = submit(clean(tmp_path / "leads.csv", tmp_path / "leads.prep"), client, wait=False)
    assert run.counts["sent"] == 2

    with pytest.raises(SourceError) as caught:
        retry(run)

    assert caught.value.message.endswith("; rows left out, whose outcome was not known yet: 2")
    again = retry(run, everything=True)
    assert "rows left out, whose outcome was not known yet: 2" in again.report["sources"][0]["notes"]


def test_a_record_that_nobody_filled_keeps_its_reason_and_its_text(run: Run, tmp_path: Path) -> None:
    correct(run.folder.rejected, rewrite_text)
    first = retry(run, everything=True)
    second = retry(first, everything=True)
    for again in (first, second):
        table = pl.read_csv(again.folder.rejected, infer_schema=False)
        assert table.filter(pl.col("_row") == "5").row(0) == (
            *(None, None, None, None),
            *(str(tmp_path / "leads.csv"), "5", "7", "unreadable_row", "ragged@example.com,R"),
        )
    own = clean(first.folder.rejected, tmp_path / "own.prep")
    assert own.folder.rejected.read_bytes() == first.folder.rejected.read_bytes()


def test_cells_that_a_spreadsheet_may_have_spoiled_are_told(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text(
        "email,postalCode,phone,mobilePhone,title\n"
        "ana(at)example.com,08001,+34910000012,123456789012,007\n"
        "bo(at)example.com,00,0034910000012,34910000012,0\n"
        "cy(at)example.com,01234,5,6,0x\n"
        "dee(at)example.com,+1,+2,1E+3,1\n"
    )
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep")

    def open_and_save(rows: Rows) -> None:
        rows[1][:5] = ["ana@example.com", "8001", "34910000012", "1,23457E+11", "Agent"]
        rows[2][:5] = ["bo@example.com", "0", "34910000012", "3.491E+10", "1"]
        rows[3][:5] = ["cy@example.com", "01235", "6", "06", "x"]

    correct(run.folder.rejected, open_and_save)
    again = retry(run)
    assert again.report["sources"][0]["notes"] == [
        "cells of rejected.csv from which a spreadsheet may have taken leading zeros, + or digits: "
        "'postalCode' (2), 'phone' (2), 'mobilePhone' (2)"
    ]
    assert (again.path / "chunks/leads-0001.csv").read_text() == (
        "email,postalCode,phone,mobilePhone,title\n"
        'ana@example.com,8001,34910000012,"1,23457E+11",Agent\n'
        "bo@example.com,0,34910000012,3.491E+10,1\n"
        "cy@example.com,01235,6,06,x\n"
    )


@pytest.mark.parametrize("has_source", [True, False])
def test_cells_of_failed_rows_that_a_spreadsheet_may_have_spoiled_are_told(
    tmp_path: Path, client: Marketo, *, has_source: bool
) -> None:
    """They are all tried again, so that nobody else would notice."""
    source = tmp_path / "l.csv"
    source.write_text("E-mail,Postal Code,Phone\nshared.mailbox@example.com,01234,+49301234\n")
    run = submit(clean(source, tmp_path / "l.prep"), client, poll_seconds=(0.05, 1))
    if not has_source:
        source.unlink()
        run = reconcile(run, client)
    correct(
        run.folder.failed, lambda rows: rows[1].__setitem__(slice(3), ["bo@example.com", "1234", "49301234"])
    )
    again = retry(run)
    postal, phone = ("Postal Code", "Phone") if has_source else ("postalCode", "phone")
    assert again.report["sources"][0]["notes"] == [
        "cells of failed.csv from which a spreadsheet may have taken leading zeros, + or digits: "
        f"{postal!r} (1), {phone!r} (1)"
    ]


def test_a_failed_row_that_was_merged_from_several_is_tried_again_as_it_was_sent(
    tmp_path: Path, client: Marketo
) -> None:
    """The source has the cells of one of them only."""
    source = tmp_path / "l.csv"
    source.write_text(
        "E-mail,First Name,Company,Birthday\n"
        "shared.mailbox@example.com,Dora,,31/12/1990\n"
        "ana@example.com,Ana,A,\n"
        "shared.mailbox@example.com,,Lind,\n"
    )
    maps = {"Birthday": "dateOfBirth"}
    run = submit(clean(source, tmp_path / "l.prep", keep="merge", maps=maps), client, poll_seconds=(0.05, 1))
    assert [fate for *_, fate in identities(run)] == ["duplicate", "imported", "failed"]
    again = retry(run)
    upload = "email,firstName,company,dateOfBirth\nshared.mailbox@example.com,Dora,Lind,1990-12-31\n"
    assert uploads(again) == [upload.encode()]
    assert identities(again) == [("l.csv", 3, 4, "ready")]

    correct(run.folder.failed, lambda rows: rows[1].__setitem__(0, "dora@example.com"))
    assert uploads(retry(run)) == [upload.replace("shared.mailbox@", "dora@").encode()]


def test_a_failed_row_that_was_merged_by_what_is_not_sent_is_told(tmp_path: Path, client: Marketo) -> None:
    """Values as sent lack what the rule compares, without which no row can be tried again."""
    source = tmp_path / "l.csv"
    source.write_text(
        "email,firstName,company,updatedAt\n"
        "shared.mailbox@example.com,Dora,,2026-01-01T00:00:00Z\n"
        "shared.mailbox@example.com,,Lind,2025-01-01T00:00:00Z\n"
    )
    prepared = clean(source, tmp_path / "l.prep", keep="merge", merge={"*": "newest:updatedAt"})
    run = submit(prepared, client, poll_seconds=(0.05, 1))
    assert run.report["remarks"] == [{"chunk": "failed.csv", "message": CELLS_OF_ONE}]
    upload = b"email,firstName,company\nshared.mailbox@example.com,Dora,Lind\n"
    assert uploads(run) == [upload]
    correct(run.folder.failed, lambda rows: rows[1].__setitem__(1, "Dora"))
    assert uploads(retry(run)) == [upload]


def test_tables_of_a_retry_are_separated_as_those_of_the_run(tmp_path: Path) -> None:
    """Else a spreadsheet that takes the one puts each row of the other into one cell."""
    lists = '"a;b,c;d"'
    (tmp_path / "leads.csv").write_text(
        f"email;title\nana(at)example.com;{lists}\nbo(at)example.com;{lists}\n"
    )
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep")
    table = run.folder.rejected.read_text("utf-8")
    run.folder.rejected.write_text(table.replace("ana(at)", "ana@"), encoding="utf-8")
    again = retry(run, everything=True)
    source = str(tmp_path / "leads.csv")
    assert again.folder.rejected.read_text("utf-8-sig") == (
        "email;title;_source;_row;_line;_reasons;_raw\n"
        f"bo(at)example.com;{lists};{source};2;3;email:invalid_email;\n"
    )
    assert (again.path / "chunks/leads-0001.csv").read_text() == 'email,title\nana@example.com,"a;b,c;d"\n'


def test_lines_of_delimiters_alone_are_no_rows(run: Run) -> None:
    def add_lines(rows: Rows) -> None:
        mend_bo(rows)
        rows.insert(2, [""] * len(rows[0]))
        rows += [[""] * len(rows[0])] * 2

    correct(run.folder.rejected, add_lines, delimiter=";", quoting=csv.QUOTE_MINIMAL)
    assert ";;;;;;;;\n" in run.folder.rejected.read_text().replace("\r", "")
    again = retry(run)
    assert identities(again) == [("leads.csv", 2, 3, "ready"), ("leads.csv", 3, 4, "ready")]


def test_all_rejected_rows(run: Run) -> None:
    again = retry(run, everything=True)
    assert [(row, fate) for _, row, _, fate in identities(again)] == [
        *[(2, "rejected"), (3, "ready"), (4, "rejected"), (5, "rejected"), (6, "rejected")]
    ]


def test_deleted_lines_are_left_alone(run: Run) -> None:
    def mend_and_keep_bo(rows: Rows) -> None:
        mend_bo(rows)
        keep_bo(rows)

    correct(run.folder.rejected, mend_and_keep_bo)
    assert identities(retry(run)) == [("leads.csv", 2, 3, "ready"), ("leads.csv", 3, 4, "ready")]
    assert run.counts["rejected"] == 4


def keep_bo(rows: Rows) -> None:
    del rows[2:]


@pytest.mark.parametrize("delete_in_workbook", [True, False])
def test_lines_deleted_in_either_table_stay_rejected_where_all_are_tried(
    run: Run, *, delete_in_workbook: bool
) -> None:
    if delete_in_workbook:
        book = openpyxl.load_workbook(run.folder.rejected_workbook)
        (sheet,) = book.worksheets
        sheet.delete_rows(3, 10)
        book.save(run.folder.rejected_workbook)
        correct(run.folder.rejected, mend_bo)
    else:
        correct(run.folder.rejected, keep_bo)
        correct_workbook(run.folder.rejected_workbook, mend_bo)

    again = retry(run, everything=True)

    assert identities(again) == [("leads.csv", 2, 3, "ready"), ("leads.csv", 3, 4, "ready")]
    corrected = "rejected.csv" if delete_in_workbook else "rejected.xlsx"
    note = f"rows of {corrected} that are deleted in the other table or left out in prep review, which stay"
    assert f"{note} rejected: 3" in str(summarise(again.report, str(again.path)))


def test_a_row_that_was_corrected_in_one_table_and_deleted_in_the_other_stays_rejected(run: Run) -> None:
    correct_workbook(run.folder.rejected_workbook, mend_bo)
    correct(run.folder.rejected, lambda rows: rows.__delitem__(1))
    again = retry(run)
    assert identities(again) == [("leads.csv", 3, 4, "ready")]
    assert "left out in prep review, which stay rejected: 1" in str(summarise(again.report, str(again.path)))


def test_a_row_that_was_left_out_in_review_is_not_taken_from_the_workbook(run: Run) -> None:
    place = {"table": "rejected.csv", "source": run.rows["source"][0], "place": LEFT_OUT}
    with Journal(run.folder.review) as journal:
        for steps in ([(2, "yes"), (4, "yes")], [(4, None)]):
            said = [{**place, "row": row, "value": value} for row, value in steps]
            journal.add("left out, or taken in again", pl.DataFrame(said, schema=CHANGES))
    correct_workbook(run.folder.rejected_workbook, say_employees("9"))
    run.folder.rejected.unlink()
    assert [row for _, row, *_ in identities(retry(run, everything=True))] == [3, 4, 5, 6]


@pytest.mark.parametrize(
    ("place", "text"), [(-4, ""), (-4, "x"), (-4, "99"), (-4, "1"), (-5, "other.csv"), (-5, "")]
)
def test_a_row_that_nobody_knows_is_an_error(run: Run, place: int, text: str) -> None:
    def spoil(rows: Rows) -> None:
        rows[1][place] = text

    correct(run.folder.rejected, spoil)
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "no_identity"
    assert "_row" in caught.value.hint
    assert not run.path.with_name("leads-retry1.prep").exists()


def test_both_tables_corrected(run: Run) -> None:
    correct(run.folder.rejected, mend_bo)
    correct_workbook(run.folder.rejected_workbook, mend_bo)
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "two_corrections"


def test_a_workbook_of_failed_rows_is_not_passed_over(run: Run) -> None:
    """Whoever saves failed.csv as a workbook and corrects it there would send the old cells again."""
    with run.folder.failed.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    workbook = run.folder.failed.with_suffix(".xlsx")
    book.save(workbook)

    with pytest.raises(SourceError) as caught:
        retry(run)

    assert (caught.value.code, caught.value.source) == ("unread_table", str(workbook))
    workbook.unlink()
    assert retry(run).counts["read"] == 1


def test_nothing_to_try_again(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("email\nana@example.com\nnobody\n")
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep")
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert (caught.value.code, caught.value.source) == ("nothing_to_retry", str(run.path))


def test_a_source_that_changed_is_refused(run: Run, tmp_path: Path) -> None:
    correct(run.folder.rejected, mend_bo)
    (tmp_path / "leads.csv").write_text(LEADS.replace("Ana", "Eva"))
    with pytest.raises(Exception, match="changed since it was cleaned"):
        retry(run)


def test_a_rejected_table_given_as_a_source_keeps_the_identity_too(run: Run, tmp_path: Path) -> None:
    def keep_bo(rows: Rows) -> None:
        mend_bo(rows)
        del rows[2:]

    correct(run.folder.rejected, keep_bo)
    again = clean(run.folder.rejected, tmp_path / "own.prep")
    assert identities(again) == [("leads.csv", 2, 3, "ready")]
    assert again.counts["read"] == 1


def test_failed_rows_must_be_rows_that_failed(run: Run) -> None:
    def spoil(rows: Rows) -> None:
        rows[1][rows[0].index("_row")] = "1"

    correct(run.folder.failed, spoil)
    with pytest.raises(SourceError, match="rows that were not failed in this run: 1; repeated rows: 0"):
        retry(run)


def test_what_a_retry_has_is_not_tried_a_second_time(run: Run, client: Marketo, tmp_path: Path) -> None:
    correct(run.folder.rejected, mend_bo)
    first = submit(retry(run, tmp_path / "elsewhere" / "first.prep"), client, poll_seconds=(0.05, 1))
    assert identities(first) == [("leads.csv", 2, 3, "imported"), ("leads.csv", 3, 4, "failed")]

    second = retry(run)
    assert identities(second) == [("leads.csv", 3, 4, "ready")], "Marketo refused it there too"
    assert second.report["sources"][0]["notes"] == ["rows that an earlier retry has, which are left out: 1"]
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried"
    assert str(second.path) in str(caught.value)
    assert not (tmp_path / "leads-retry2.prep").exists()

    def rename_bo(rows: Rows) -> None:
        (row,) = [row for row in rows if row[0] == "bo@example.com"]
        row[1] = "Bob"

    correct(run.folder.rejected, rename_bo)
    third = retry(run)
    assert identities(third) == [("leads.csv", 2, 3, "ready")], "it was corrected once more"


def test_of_two_retries_at_once_the_second_is_refused(run: Run) -> None:
    """Else both would send the rows."""
    codes = []

    def begin_another(advance: Advance) -> None:
        if advance.stage == "validate":
            with pytest.raises(FolderError) as caught:
                retry(run)
            codes.append(caught.value.code)

    assert identities(retry(run, progress=begin_another)) == [("leads.csv", 3, 4, "ready")]
    assert set(codes) == {"folder_in_use"}
    assert len(run.folder.manifest().retries) == 1


@pytest.mark.parametrize("name", [".", "../linked", "../leads.prep"])
def test_what_a_retry_has_is_not_tried_again_however_the_folder_was_called(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "linked").symlink_to(run.path)
    correct(run.folder.rejected, mend_bo)
    with monkeypatch.context() as patch:
        patch.chdir(run.path)
        assert retry(name).path.resolve().parent == tmp_path.resolve()
    with pytest.raises(SourceError, match="in a retry already"):
        retry(run)


def test_a_retry_that_older_code_made_without_noting_it_counts_too(run: Run) -> None:
    correct(run.folder.rejected, mend_bo)
    retry(run)
    run.folder.write_manifest(replace(run.folder.manifest(), retries=()))
    with pytest.raises(SourceError, match="in a retry already"):
        retry(run)


def test_what_the_retry_of_a_retry_has_is_not_tried_either(run: Run) -> None:
    correct(run.folder.rejected, say_employees("few"))
    first = retry(run)
    assert identities(first) == [("leads.csv", 3, 4, "ready"), ("leads.csv", 4, 6, "rejected")]
    assert identities(retry(run)) == [("leads.csv", 4, 6, "rejected")], "nobody sends it"
    correct(first.folder.rejected, say_employees("4"))
    assert identities(retry(first)) == [("leads.csv", 4, 6, "ready")]
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried"


def test_a_correction_that_the_retry_of_a_retry_has_is_not_sent_from_the_parent_too(run: Run) -> None:
    first = retry(run, everything=True)
    for folder in (first.folder, run.folder):
        correct(folder.rejected, mend_bo)
    second = retry(first)
    assert ("leads.csv", 2, 3, "ready") in identities(second)

    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried"


@pytest.mark.parametrize(("place", "name"), [("elsewhere/first.prep", "leads.prep"), ("a.prep", "b.prep")])
def test_what_another_retry_of_the_same_run_has_is_not_sent_twice(
    run: Run, client: Marketo, tmp_path: Path, place: str, name: str
) -> None:
    """A row that failed in one retry is in the table of its run still, from which another one takes it."""
    first = submit(retry(run, tmp_path / place), client, poll_seconds=(0.05, 1))
    assert identities(first) == [("leads.csv", 3, 4, "failed")]
    second = retry(run)
    assert identities(second) == [("leads.csv", 3, 4, "ready")]
    run.path.rename(tmp_path / name)

    with pytest.raises(SourceError) as caught:
        retry(first)

    assert caught.value.facts == {
        "code": "already_retried",
        "message": f"{first.path}: all rows to be tried again are in a retry already, such as {second.path}",
        "hint": f"prep status {second.path} tells how it went. Correct further rows to try these too.",
        "source": str(first.path),
        "row": None,
        "column": None,
    }
    correct(first.folder.failed, lambda rows: rows[1].__setitem__(1, "Dora Maria"))
    assert identities(retry(first)) == [("leads.csv", 3, 4, "ready")], "it was corrected since"


def test_a_retry_whose_run_is_gone_says_that_it_does_not_know_the_other_retries(
    run: Run, client: Marketo
) -> None:
    first = submit(retry(run), client, poll_seconds=(0.05, 1))
    shutil.rmtree(run.path)
    again = retry(first)
    assert identities(again) == [("leads.csv", 3, 4, "ready")]
    assert again.report["sources"][0]["notes"] == [
        f"{first.path} is a retry of a run that is not there: what other retries of that have is not known"
    ]


def test_failed_rows_are_tried_again_although_the_source_of_rejected_ones_is_gone(
    run: Run, client: Marketo, tmp_path: Path
) -> None:
    (tmp_path / "leads.csv").unlink()
    reconcile(run, client)

    again = retry(run)

    assert identities(again) == [("leads.csv", 3, 4, "ready")]
    (note,) = again.report["sources"][0]["notes"]
    assert note == f"rejected rows were not looked at: {tmp_path}/leads.csv: is gone"
    with pytest.raises(SourceError) as caught:
        retry(run, everything=True)
    assert caught.value.code == "no_such_file"


def test_failed_rows_whose_table_is_gone_are_told(run: Run, client: Marketo) -> None:
    run.folder.failed.unlink()
    words = f"{run.folder.failed}: is gone, although the run has failed rows: 1"
    hint = f"prep reconcile {run.path} writes it anew. Lines that you delete there are left out."
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert (caught.value.code, caught.value.message, caught.value.hint) == ("missing_table", words, hint)
    correct(run.folder.rejected, mend_bo)
    again = retry(run)
    assert identities(again) == [("leads.csv", 2, 3, "ready")]
    assert again.report["sources"][0]["notes"] == [f"{words}. {hint}"]
    with Marketo(f"http://{client.host}", "id", "wrong") as stranger, pytest.raises(MarketoError):
        reconcile(run, stranger)
    assert identities(retry(run)) == [("leads.csv", 3, 4, "ready")], "what Marketo sent is still there"
    run.folder.failed.unlink()
    reconcile(run, client)
    assert run.folder.failed.exists()


def test_rejected_rows_whose_tables_are_gone_are_told(run: Run) -> None:
    run.folder.rejected.unlink()
    run.folder.rejected_workbook.unlink()
    words = f"{run.folder.rejected}: is gone, although the run has rejected rows: 4"
    hint = "Restore it from a backup. Other rows were sent: a new run must have the rejected ones only."
    again = retry(run)
    assert identities(again) == [("leads.csv", 3, 4, "ready")]
    assert again.report["sources"][0]["notes"] == [f"{words}. {hint}"]
    correct(run.folder.failed, delete_lines)
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert (caught.value.code, caught.value.message, caught.value.hint) == ("missing_table", words, hint)


@pytest.mark.parametrize("is_workbook", [True, False])
def test_one_of_the_tables_of_rejected_rows_is_enough(run: Run, *, is_workbook: bool) -> None:
    if is_workbook:
        run.folder.rejected.unlink()
        correct_workbook(run.folder.rejected_workbook, mend_bo)
    else:
        run.folder.rejected_workbook.unlink()
        correct(run.folder.rejected, mend_bo)
    again = retry(run)
    assert identities(again) == [("leads.csv", 2, 3, "ready"), ("leads.csv", 3, 4, "ready")]
    assert again.report["sources"][0]["notes"] == []


def test_corrections_of_the_page_in_a_table_that_is_gone_are_told(run: Run) -> None:
    desk = Desk.open(run.path)
    desk.edit(0, 0, "bo@example.com")
    desk.close()
    run.folder.rejected.unlink()
    again = retry(run)
    assert identities(again) == [("leads.csv", 3, 4, "ready")]
    assert again.report["sources"][0]["notes"] == [
        "rejected.csv is gone: what was corrected in it in prep review is left out"
    ]


def test_a_damaged_workbook_can_be_done_without(run: Run) -> None:
    correct(run.folder.rejected, mend_bo)
    run.folder.rejected_workbook.write_bytes(b"no workbook")
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.hint == "Save it as .xlsx again, or delete it and use rejected.csv instead."
    run.folder.rejected_workbook.unlink()
    assert ("leads.csv", 2, 3, "ready") in identities(retry(run))


def test_what_a_purged_retry_had_is_not_tried_a_second_time(run: Run, client: Marketo) -> None:
    correct(run.folder.rejected, mend_bo)
    first = submit(retry(run), client, poll_seconds=(0.05, 1))
    purge(first)
    assert identities(retry(run)) == [("leads.csv", 3, 4, "ready")]


def test_rows_are_tried_again_by_other_settings(run: Run) -> None:
    retry(run, everything=True)
    again = retry(run, maps={"title": ""})
    assert [row for _, row, *_ in identities(again)] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ",", "encoding": "utf-8"},
        {"header_line": 1},
        {"maps": {"title": "company", "firstName": ""}},
        {"constants": {"leadSource": "Fair"}},
        {"keep": "merge", "phones": "e164", "dates": "dmy"},
    ],
)
def test_however_the_run_was_made_no_row_is_tried_twice(tmp_path: Path, options: CleanOptions) -> None:
    (tmp_path / "leads.csv").write_bytes(LEADS.encode())
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep", **options)
    correct(run.folder.rejected, mend_bo)
    assert identities(retry(run)) == [("leads.csv", 2, 3, "ready")]
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried"


@pytest.mark.parametrize("replaced", [False, True])
def test_where_a_retry_of_a_run_that_was_sent_is_gone_no_row_is_sent_again(
    run: Run, tmp_path: Path, *, replaced: bool
) -> None:
    correct(run.folder.rejected, mend_bo)
    place = retry(run).path
    shutil.rmtree(place)
    if replaced:
        other = clean(tmp_path / "leads.csv", tmp_path / "other.prep")
        correct(other.folder.rejected, mend_bo)
        assert identities(retry(other, place)) == [("leads.csv", 2, 3, "ready")]
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert (caught.value.code, caught.value.message) == (
        "missing_retry",
        f"{run.path}: retries of this run are not there any more: {place}",
    )
    assert caught.value.hint == (
        "Put them back: they tell which rows were sent already. If all rows may be sent again, give the "
        f"tables themselves, as in prep run {run.path}/failed.csv."
    )
    assert identities(clean(run.folder.failed, tmp_path / "again.prep")) == [("leads.csv", 3, 4, "ready")]


def test_a_run_that_was_moved_away_from_its_retry_sends_no_row_again(run: Run, tmp_path: Path) -> None:
    retry(run)
    (tmp_path / "elsewhere").mkdir()
    moved = run.path.rename(tmp_path / "elsewhere/leads.prep")
    with pytest.raises(SourceError) as caught:
        retry(moved)
    assert caught.value.code == "missing_retry"


def test_where_the_retry_of_a_retry_is_gone_no_row_is_sent_again(run: Run, client: Marketo) -> None:
    again = submit(retry(run), client, poll_seconds=(0.05, 1))
    correct(again.folder.failed, lambda rows: rows[1].__setitem__(0, "dora@example.com"))
    last = submit(retry(again), client, poll_seconds=(0.05, 1))
    assert identities(last) == [("leads.csv", 3, 4, "imported")]
    shutil.rmtree(last.path)
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert (caught.value.code, caught.value.message) == (
        "missing_retry",
        f"{again.path}: retries of this run are not there any more: {last.path}",
    )


def test_a_retry_that_cannot_be_noted_leaves_no_folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    place = run.path.with_name("again.prep")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as context:
        context.setattr(RunFolder, "write_manifest", fail)
        with pytest.raises(FolderError) as caught:
            retry(run, place)
    assert caught.value.code == "no_space"
    assert not place.exists()
    assert identities(retry(run, place)) == [("leads.csv", 3, 4, "ready")]


def test_where_a_retry_of_a_run_that_was_not_sent_is_gone_its_rows_are_tried_again(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_bytes(LEADS.encode())
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep")
    correct(run.folder.rejected, mend_bo)
    place = retry(run).path
    shutil.rmtree(place)
    again = retry(run)
    assert identities(again) == [("leads.csv", 2, 3, "ready")]
    told = "retries of this run that are not there any more, whose rows are tried again"
    assert f"{told}: {place}" in str(summarise(again.report, str(again.path)))


def test_a_retry_that_came_to_nothing_is_not_missed(tmp_path: Path, client: Marketo) -> None:
    """It fails while it is being cleaned, when its folder is there."""
    (tmp_path / "leads.csv").write_text("email,Annual Revenue\nana@example.com,many\ncy@example.com,1\n")
    run = submit(clean(tmp_path / "leads.csv", tmp_path / "leads.prep"), client, poll_seconds=(0.05, 1))
    correct(run.folder.rejected, lambda rows: rows[1].__setitem__(1, "1,234"))
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "ambiguous_numbers"
    assert not run.path.with_name("leads-retry1.prep").exists()
    correct(run.folder.rejected, lambda rows: rows[1].__setitem__(1, "1234"))
    assert identities(retry(run)) == [("leads.csv", 1, 2, "ready")]


def test_a_folder_that_is_there_is_left_as_it_is(run: Run) -> None:
    first = retry(run)
    before = {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file()}
    with pytest.raises(FolderError) as caught:
        retry(run, first.path, everything=True)
    assert caught.value.code == "folder_exists"
    assert {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file()} == before


def leave_out(run: Run, header: str) -> str:
    """What a table is answered that lacks columns of which this is the first one."""
    told = "Put them back under their names, or leave each out for good"
    return f'{told}: prep retry {run.path} --map "{header}=".'


def test_a_header_that_was_spoiled_leaves_no_folder(run: Run) -> None:
    def rename(rows: Rows) -> None:
        mend_bo(rows)
        rows[0][1] = "Nobody knows"

    correct(run.folder.rejected, rename)
    with pytest.raises(HeaderError) as caught:
        retry(run)
    assert caught.value.facts == {
        "code": "lost_columns",
        "message": f"{run.folder.rejected}: lacks columns that it had: 'firstName'",
        "hint": leave_out(run, "firstName"),
        "source": str(run.folder.rejected),
        "row": None,
        "column": "firstName",
    }
    assert not run.path.with_name("leads-retry1.prep").exists()


@pytest.mark.parametrize("name", ["rejected.csv", "failed.csv"])
def test_a_column_that_was_deleted_is_asked_for_and_can_be_left_out(run: Run, name: str) -> None:
    def delete(rows: Rows) -> None:
        for row in rows:
            del row[1:3]

    correct(run.folder.rejected, mend_bo)
    correct(run.path / name, delete)
    with pytest.raises(HeaderError) as caught:
        retry(run)
    assert (caught.value.code, caught.value.hint) == ("lost_columns", leave_out(run, "firstName"))
    assert caught.value.message == f"{run.path / name}: lacks columns that it had: 'firstName', 'title'"
    again = retry(run, maps={"firstName": "", "title": ""})
    assert (again.path / "chunks/leads-0001.csv").read_text() == (
        "email,numberOfEmployees\nshared.mailbox@example.com,7\nbo@example.com,6\n"
    )


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
@pytest.mark.parametrize("name", ["Phone", "Telefon"])
def test_a_column_is_asked_for_where_another_one_fills_its_field_too(
    tmp_path: Path, name: str, suffix: str
) -> None:
    """Else its values would be sent as blanks."""
    (tmp_path / "a.csv").write_text("Email,First Name,Phone\nbad1,B,+49 2\n")
    (tmp_path / "b.csv").write_text("E-Mail;Vorname;Telefon\nbad2;D;+49 4\n")
    run = clean([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "x.prep")

    def spoil(rows: Rows) -> None:
        rows[0][rows[0].index(name)] = "Deleted"
        for row in rows:
            row[:] = [cell.replace("bad", "b@example.com") for cell in row]

    (correct if suffix == ".csv" else correct_workbook)(run.folder.rejected.with_suffix(suffix), spoil)
    with pytest.raises(HeaderError) as caught:
        retry(run)
    assert caught.value.facts == {
        "code": "lost_columns",
        "message": f"{run.folder.rejected.with_suffix(suffix)}: lacks columns that it had: {name!r}",
        "hint": leave_out(run, name),
        "source": str(run.folder.rejected.with_suffix(suffix)),
        "row": None,
        "column": name,
    }
    assert not run.path.with_name("x-retry1.prep").exists()


def test_a_column_of_failed_rows_is_asked_for_where_another_one_fills_its_field_too(
    tmp_path: Path, client: Marketo
) -> None:
    (tmp_path / "a.csv").write_text("Email,Phone\nana@example.com,1\n")
    (tmp_path / "b.csv").write_text("E-Mail,Telefon\nshared.mailbox@example.com,4\n")
    run = clean([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "x.prep")
    run = submit(run, client, poll_seconds=(0.05, 1))
    correct(run.folder.failed, lambda rows: delete_column(rows, "Telefon"))
    with pytest.raises(HeaderError, match="lacks columns that it had: 'Telefon'"):
        retry(run)


def add_columns(rows: Rows) -> None:
    for number, row in enumerate(rows):
        row.insert(1, f"said {number}" if number else "Comment")
        row.append("call again" if number else "")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_columns_that_a_person_added_are_left_out_and_told(run: Run, suffix: str) -> None:
    table = run.folder.rejected.with_suffix(suffix)
    change = correct if suffix == ".csv" else correct_workbook
    change(table, mend_bo)
    change(table, add_columns)

    again = retry(run)

    assert identities(again) == [("leads.csv", 2, 3, "ready"), ("leads.csv", 3, 4, "ready")]
    assert again.report["sources"][0]["notes"] == [
        f"columns of {table.name} that are no fields, which are left out: 'Comment', ''"
    ]
    assert (again.path / "chunks/leads-0001.csv").read_text() == (
        "email,firstName,title,numberOfEmployees\n"
        'shared.mailbox@example.com,Dora,"two\nlines",7\n'
        "bo@example.com,'Bo,+1 202 555 0100,6\n"
    )


def test_a_column_that_a_person_adds_later_sends_no_row_a_second_time(run: Run) -> None:
    correct(run.folder.rejected, mend_bo)
    assert identities(retry(run)) == [("leads.csv", 2, 3, "ready"), ("leads.csv", 3, 4, "ready")]
    correct(run.folder.rejected, add_columns)
    correct(run.folder.failed, add_columns)
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried"


def test_columns_of_fields_that_are_added_later_send_no_row_a_second_time(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("Email,First Name\nbad1,B\nbad2,C\n")
    run = clean(tmp_path / "l.csv", tmp_path / "l.prep")

    def replace(old: str, new: str) -> None:
        text = run.folder.rejected.read_text("utf-8")
        assert old in text
        run.folder.rejected.write_text(text.replace(old, new), "utf-8")

    replace("bad1", "b@example.com")
    assert identities(retry(run)) == [("l.csv", 1, 2, "ready")]
    replace("First Name,", "First Name,City,")
    replace(",B,", ",B,,")
    replace("bad2,C,", "c@example.com,C,Bonn,")
    second = retry(run)
    assert identities(second) == [("l.csv", 2, 3, "ready")], "a field that a table lacks is blank in it"
    assert (second.path / "chunks/leads-0001.csv").read_text() == (
        "email,firstName,city\nc@example.com,C,Bonn\n"
    )
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried"
    replace(",B,,", ",B,Ulm,")
    assert identities(retry(run)) == [("l.csv", 1, 2, "ready")], "it has a value more"
    replace(",B,Ulm,", ",B,,")
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried"


def test_a_column_that_another_one_replaces_sends_no_row_a_second_time(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("email,First Name,Nick\nana@example.com,A,\nbad1,B,Bo\n")
    run = clean(tmp_path / "l.csv", tmp_path / "l.prep", unknown="drop")
    correct(run.folder.rejected, lambda rows: rows[1].__setitem__(0, "b@example.com"))
    assert identities(retry(run)) == [("l.csv", 2, 3, "ready")]
    correct(run.folder.rejected, lambda rows: rows[1].__setitem__(2, "B"))
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried", "no field holds what was changed"
    with pytest.raises(SourceError) as caught:
        retry(run, maps={"First Name": "", "Nick": "firstName"})
    assert caught.value.code == "already_retried", "the field holds what it held"
    correct(run.folder.rejected, lambda rows: rows[1].__setitem__(2, "Bob"))
    again = retry(run, maps={"First Name": "", "Nick": "firstName"})
    assert (again.path / "chunks/leads-0001.csv").read_text() == "email,firstName\nb@example.com,Bob\n"


def test_a_remark_without_a_name_sends_no_row_a_second_time(tmp_path: Path) -> None:
    """One nameless column of the source was left out before."""
    (tmp_path / "l.csv").write_text("email,,firstName\nbad1,x,B\nbad2,y,C\n")
    run = clean(tmp_path / "l.csv", tmp_path / "l.prep", unknown="drop")
    correct(run.folder.rejected, lambda rows: rows[1].__setitem__(0, "b@example.com"))
    assert identities(retry(run)) == [("l.csv", 1, 2, "ready")]

    def remark(rows: Rows) -> None:
        for number, row in enumerate(rows):
            row.append("call again" if number else "")

    correct(run.folder.rejected, remark)
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried"
    correct(run.folder.rejected, lambda rows: rows[2].__setitem__(0, "c@example.com"))
    again = retry(run)
    assert identities(again) == [("l.csv", 2, 3, "ready")]
    assert again.report["sources"][0]["notes"] == [
        "columns of rejected.csv that are no fields, which are left out: ''",
        "rows that an earlier retry has, which are left out: 1",
    ]


def test_a_column_that_a_person_adds_can_be_mapped(run: Run) -> None:
    def add(rows: Rows) -> None:
        mend_bo(rows)
        for row in rows:
            row[1:1] = ["Lives in", "Unsubscribed"] if row is rows[0] else ["Ulm", "true"]

    correct(run.folder.rejected, add)
    correct(run.folder.failed, delete_lines)
    first = retry(run)
    assert (first.path / "chunks/leads-0001.csv").read_text() == (
        "email,firstName,title,numberOfEmployees\nbo@example.com,'Bo,+1 202 555 0100,6\n"
    )
    assert first.report["sources"][0]["notes"] == [
        "failed rows that are not in failed.csv, which are left out: 1",
        "columns of rejected.csv that are no fields, which are left out: 'Lives in'",
    ]
    told = [line for line in summarise(first.report, str(first.path)) if "Unsubscribed" in line]
    assert told == ["  'Unsubscribed': prep retry with --map \"Unsubscribed=unsubscribed\" sends it"]

    again = retry(run, maps={"Lives in": "city", "unsubscribed": "unsubscribed"})
    assert (again.path / "chunks/leads-0001.csv").read_text() == (
        "email,city,unsubscribed,firstName,title,numberOfEmployees\n"
        "bo@example.com,Ulm,true,'Bo,+1 202 555 0100,6\n"
    )
    assert not [line for line in summarise(again.report, str(again.path)) if "Unsubscribed" in line]
    third = retry(again, everything=True)
    assert third.folder.manifest().settings["map"] == again.folder.manifest().settings["map"]


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({"Live in": "city"}, "--map: no source has a column 'Live in'"),
        ({"Lives in": "nonsense"}, "--map: 'nonsense' is not a field of schema 'lead'"),
    ],
)
def test_a_mapping_of_an_added_column_that_is_a_slip_is_refused(
    run: Run, maps: dict[str, str], message: str
) -> None:
    def add(rows: Rows) -> None:
        mend_bo(rows)
        for row in rows:
            row.insert(1, "Lives in" if row is rows[0] else "Ulm")

    correct(run.folder.rejected, add)
    with pytest.raises(SettingsError) as caught:
        retry(run, maps=maps)
    assert caught.value.message == message
    assert not run.path.with_name("leads-retry1.prep").exists()


@pytest.mark.parametrize("record", [5, 130])
def test_a_remark_beside_one_row_needs_a_column_with_a_name_where_it_is_no_column(
    tmp_path: Path, record: int
) -> None:
    """Only the first records show that there is a column without a name."""
    (tmp_path / "l.csv").write_text("email,firstName\n" + "".join(f"bad{row},N\n" for row in range(1, 201)))
    run = clean(tmp_path / "l.csv", tmp_path / "l.prep")
    lines = [f"{line}," for line in run.folder.rejected.read_text("utf-8").splitlines()]
    lines[1] = lines[1].replace("bad1", "b@example.com")
    lines[record] += "call again"
    run.folder.rejected.write_text("\n".join(lines), "utf-8")
    if record == 130:
        with pytest.raises(SourceError) as caught:
            retry(run)
        assert caught.value.facts == {
            "code": "unreadable_record",
            "message": f"{run.folder.rejected}: record 130 in line 131: "
            "the record cannot be split into the columns of the header",
            "hint": "Delete what stands in a column without a name, or give it a name in the header; "
            "else look for a missing or stray quote, save the table as UTF-8, or delete the line.",
            "source": str(run.folder.rejected),
            "row": 130,
            "column": None,
        }
        lines[0] += "Remark"
        run.folder.rejected.write_text("\n".join(lines), "utf-8")
    again = retry(run)
    assert identities(again) == [("l.csv", 1, 2, "ready")]
    name = "Remark" if record == 130 else ""
    assert again.report["sources"][0]["notes"] == [
        f"columns of rejected.csv that are no fields, which are left out: {name!r}"
    ]


def test_a_column_that_a_person_adds_is_no_second_one_of_a_field(run: Run) -> None:
    def add(rows: Rows) -> None:
        mend_bo(rows)
        for number, row in enumerate(rows):
            row.insert(0, "Robert" if number else "First Name")

    correct(run.folder.rejected, add)
    with pytest.raises(HeaderError) as caught:
        retry(run)
    assert caught.value.facts == {
        "code": "duplicate_header",
        "message": f"{run.folder.rejected}: 'firstName' maps to 'firstName', and so does 'First Name'",
        "hint": "Delete the columns that you added, and give the others the names that they had.",
        "source": str(run.folder.rejected),
        "row": None,
        "column": "firstName",
    }


def test_a_column_of_a_field_that_a_person_adds_is_sent(run: Run) -> None:
    def add(rows: Rows) -> None:
        mend_bo(rows)
        for number, row in enumerate(rows):
            row.insert(1, "Acme" if number else "company")

    correct(run.folder.rejected, add)
    correct(run.folder.failed, lambda rows: rows.__delitem__(1))
    again = retry(run)
    assert [(row, fate) for _, row, _, fate in identities(again)] == [
        *[(2, "ready"), (4, "rejected"), (5, "rejected"), (6, "rejected")]
    ]
    assert (again.path / "chunks/leads-0001.csv").read_text() == (
        "email,company,firstName,title,numberOfEmployees\nbo@example.com,Acme,'Bo,+1 202 555 0100,6\n"
    )


def test_a_table_that_cannot_be_read_asks_for_no_option_that_a_retry_lacks(run: Run) -> None:
    head, *rows = run.folder.rejected.read_text("utf-8-sig").splitlines()
    run.folder.rejected.write_bytes(f"{head}\n{rows[0]}".encode() + b"\n\x81\x8d\x8f\x90,\x81" * 9)
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "ambiguous_encoding"
    assert caught.value.message.startswith(f"{run.folder.rejected}: ")
    assert caught.value.hint == "Save it as CSV in UTF-8 under the same name, its header in line 1."


@pytest.mark.parametrize("has_source", [True, False])
def test_columns_mapped_to_protected_fields_are_sent_again(
    tmp_path: Path, client: Marketo, *, has_source: bool
) -> None:
    source = tmp_path / "leads.csv"
    source.write_text("email,Opt Out\nshared.mailbox@example.com,true\n")
    run = clean(source, tmp_path / "leads.prep", maps={"opt out": "unsubscribed"})
    if not has_source:
        source.unlink()
    again = retry(submit(run, client, poll_seconds=(0.05, 1)))
    (chunk,) = (again.path / "chunks").glob("*.csv")
    assert chunk.read_text() == "email,unsubscribed\nshared.mailbox@example.com,true\n"


def test_two_sources_may_call_one_field_by_two_names(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("email,Job Title\nana(at)example.com,Chief\n")
    (tmp_path / "two.csv").write_text("Phone,Email,title\n5,bo(at)example.com,Cook\n6,cy@example.com,\n")
    run = clean([tmp_path / "one.csv", tmp_path / "two.csv"], tmp_path / "both.prep")

    def mend(rows: Rows) -> None:
        for row in rows:
            row[:] = [cell.replace("(at)", "@") for cell in row]

    correct(run.folder.rejected, mend)
    again = retry(run)
    (chunk,) = (again.path / "chunks").glob("*.csv")
    assert chunk.read_text() == ("email,title,phone\nana@example.com,Chief,\nbo@example.com,Cook,5\n")
    assert identities(again) == [("one.csv", 1, 2, "ready"), ("two.csv", 1, 2, "ready")]


def test_constants_are_no_values_as_sent_and_are_put_there_again(tmp_path: Path, client: Marketo) -> None:
    """Their spelling differs from that of the settings."""
    source = tmp_path / "leads.csv"
    source.write_text("email,firstName\nana@example.com,Ana\nshared.mailbox@example.com,Dora\n")
    run = clean(
        source,
        tmp_path / "leads.prep",
        constants={"leadSource": "Fair", "country": "Spain"},
        countries="iso2",
    )
    source.unlink()
    run = submit(run, client, poll_seconds=(0.05, 1))
    assert run.folder.failed.read_text("utf-8-sig").startswith("email,firstName,_source,")
    again = retry(run)
    (chunk,) = (again.path / "chunks").glob("*.csv")
    assert chunk.read_text() == (
        "email,firstName,leadSource,country\nshared.mailbox@example.com,Dora,Fair,ES\n"
    )


def as_sent(source: Path, client: Marketo, text: str, **options: Unpack[CleanOptions]) -> Run:
    """A run whose source was gone when its outcome was known, and is back now."""
    source.write_text(text)
    run = clean(source, source.with_suffix(".prep"), **options)
    source.unlink()
    run = submit(run, client, poll_seconds=(0.05, 1))
    source.write_text(text)
    return run


SWAPPED = (
    "email,phone,mobilePhone,title\n"
    "shared.mailbox@example.com,+49 1,+49 2,Cook\nana@example.com,+49 3,+49 4,Chief\nbad,+49 5,+49 6,Cook\n"
)
CROSSWISE = {"phone": "mobilePhone", "mobilePhone": "phone"}


def test_values_as_sent_stay_in_their_fields_where_fields_are_mapped_crosswise(
    tmp_path: Path, client: Marketo
) -> None:
    run = as_sent(tmp_path / "g.csv", client, SWAPPED, maps=CROSSWISE)
    header, row = run.folder.failed.read_text("utf-8-sig").splitlines()
    assert header.startswith("email,mobilePhone,phone,title,_source,")
    assert row.startswith("shared.mailbox@example.com,+49 1,+49 2,Cook,")

    correct(run.folder.failed, lambda rows: rows[1].__setitem__(3, "Chef"))
    correct(run.folder.rejected, lambda rows: rows[1].__setitem__(0, "bo@example.com"))
    again = retry(run)
    upload = (again.path / "chunks/leads-0001.csv").read_text()
    assert upload == (
        "email,mobilePhone,phone,title\n"
        "shared.mailbox@example.com,+49 1,+49 2,Chef\nbo@example.com,+49 5,+49 6,Cook\n"
    )
    again = submit(again, client, poll_seconds=(0.05, 1))
    third = (retry(again).path / "chunks/leads-0001.csv").read_text()
    assert third == "email,mobilePhone,phone,title\nshared.mailbox@example.com,+49 1,+49 2,Chef\n"


def test_cells_of_the_source_stay_in_their_fields_too_where_it_came_back(
    tmp_path: Path, client: Marketo
) -> None:
    run = reconcile(as_sent(tmp_path / "g.csv", client, SWAPPED, maps=CROSSWISE), client)
    assert run.folder.failed.read_text("utf-8-sig").startswith("email,phone,mobilePhone,title,_source,")
    assert (retry(run).path / "chunks/leads-0001.csv").read_text() == (
        "email,mobilePhone,phone,title\nshared.mailbox@example.com,+49 1,+49 2,Cook\n"
    )


def test_a_table_of_values_as_sent_lacks_no_column_of_the_source(tmp_path: Path, client: Marketo) -> None:
    text = "Email,phone,Telephone,Note\nshared.mailbox@example.com,+49 1,+49 2,x\n"
    run = as_sent(tmp_path / "l.csv", client, text, maps={"phone": "mobilePhone"}, unknown="drop")
    assert run.folder.failed.read_text("utf-8-sig").startswith("email,mobilePhone,phone,_source,")
    again = retry(run)
    assert (again.path / "chunks/leads-0001.csv").read_text() == (
        "email,mobilePhone,phone\nshared.mailbox@example.com,+49 1,+49 2\n"
    )
    left_out = retry(run, maps={"Telephone": ""})
    assert (left_out.path / "chunks/leads-0001.csv").read_text() == (
        "email,mobilePhone\nshared.mailbox@example.com,+49 1\n"
    )


def test_values_as_sent_need_no_other_columns_that_their_names_meant_something_by(
    tmp_path: Path, client: Marketo
) -> None:
    """A column called Name is the last name only beside one called Vorname."""
    text = "Email,Name,Vorname\nshared.mailbox@example.com,Hooft,Ana\n"
    run = as_sent(tmp_path / "l.csv", client, text)
    upload = "email,lastName,firstName\nshared.mailbox@example.com,Hooft,Ana\n"
    assert (retry(run).path / "chunks/leads-0001.csv").read_text() == upload
    left_out = retry(run, maps={"Vorname": ""})
    assert (left_out.path / "chunks/leads-0001.csv").read_text() == (
        "email,lastName\nshared.mailbox@example.com,Hooft\n"
    )


def test_a_field_that_values_as_sent_lack_is_asked_for(tmp_path: Path, client: Marketo) -> None:
    run = as_sent(tmp_path / "g.csv", client, SWAPPED, maps=CROSSWISE)
    correct(run.folder.failed, lambda rows: delete_column(rows, "mobilePhone"))
    with pytest.raises(HeaderError) as caught:
        retry(run)
    assert caught.value.message == f"{run.folder.failed}: lacks columns that it had: 'mobilePhone'"
    assert caught.value.hint == leave_out(run, "phone")
    assert (retry(run, maps={"phone": ""}).path / "chunks/leads-0001.csv").read_text() == (
        "email,phone,title\nshared.mailbox@example.com,+49 2,Cook\n"
    )


PADDED = "email,firstName,Note\n shared.mailbox@example.com ,Dora,x\nana@example.com,Ana,y\n"


def test_values_as_sent_are_not_tried_a_second_time_where_a_retry_has_the_cells_of_the_source(
    tmp_path: Path, client: Marketo
) -> None:
    source = tmp_path / "l.csv"
    source.write_text(PADDED)
    run = submit(clean(source, tmp_path / "l.prep", unknown="drop"), client, poll_seconds=(0.05, 1))
    assert identities(retry(run)) == [("l.csv", 1, 2, "ready")]
    source.unlink()
    run = reconcile(run, client)
    assert run.folder.failed.read_text("utf-8-sig").splitlines()[1].startswith("shared.mailbox@example.com,")

    def remark(rows: Rows) -> None:
        for row, cell in zip(rows, ("Remark", "ask"), strict=True):
            row.insert(0, cell)

    correct(run.folder.failed, remark)
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried"

    correct(run.folder.failed, lambda rows: rows[1].__setitem__(2, "Dory"))
    again = retry(run)
    assert (again.path / "chunks/leads-0001.csv").read_text() == (
        "email,firstName\nshared.mailbox@example.com,Dory\n"
    )


@pytest.mark.parametrize("has_source", [True, False])
def test_failed_rows_whose_correction_was_overwritten_are_not_tried_a_second_time(
    tmp_path: Path, client: Marketo, *, has_source: bool
) -> None:
    source = tmp_path / "l.csv"
    source.write_text(PADDED)
    run = submit(clean(source, tmp_path / "l.prep", unknown="drop"), client, poll_seconds=(0.05, 1))
    correct(run.folder.failed, lambda rows: rows[1].__setitem__(0, "dora@example.com"))
    assert (submit(retry(run), client, poll_seconds=(0.05, 1))).counts["imported"] == 1
    if not has_source:
        source.unlink()
    run.folder.failed.unlink()
    run = reconcile(run, client)
    assert "dora" not in run.folder.failed.read_text()
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.code == "already_retried"


@pytest.mark.parametrize("sent", [True, False])
def test_a_constant_that_was_changed_in_one_row_is_refused(
    tmp_path: Path, client: Marketo, *, sent: bool
) -> None:
    text = "email,firstName\nana@example.com,Ana\nshared.mailbox@example.com,Dora\n"
    run = as_sent(tmp_path / "l.csv", client, text, constants={"leadSource": "Fair"})
    run = run if sent else reconcile(run, client)

    def say(rows: Rows) -> None:
        place = rows[0].index("_source")
        for row in rows:
            row[2:place] = ["leadSource" if row is rows[0] else "Web"]

    correct(run.folder.failed, say)
    with pytest.raises(HeaderError) as caught:
        retry(run)
    assert caught.value.code == "duplicate_header"


def test_apostrophes_around_a_cell_are_no_quotes(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("Email,First Name\nok@example.com,O\nbad,-Jo'\n")
    run = clean(tmp_path / "l.csv", tmp_path / "l.prep")
    table = run.folder.rejected.read_text("utf-8-sig")
    assert "\nbad,'-Jo',l.csv," in table.replace(str(tmp_path / "l.csv"), "l.csv")
    run.folder.rejected.write_text(table.replace("bad,", "bo@example.com,"), "utf-8")
    again = retry(run)
    upload = "email,firstName\nbo@example.com,-Jo'\n"
    assert (again.path / "chunks/leads-0001.csv").read_text() == upload
    for keep_source in (False, True):
        out = tmp_path / f"{keep_source}.prep"
        given = clean(run.folder.rejected, out, keep_source=keep_source)
        assert (given.path / "chunks/leads-0001.csv").read_text() == upload


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_only_the_apostrophes_that_prep_put_there_are_taken_off(tmp_path: Path, suffix: str) -> None:
    names = ["'t Hooft", "''x", "=1", "'=1", "O'Neil", "'"]
    lines = [f"a{number}(at)example.com,{name},-" for number, name in enumerate(names)]
    (tmp_path / "leads.csv").write_text("\n".join(["email,lastName,'s code", *lines]))
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep", maps={"'s code": "company"})

    def mend(rows: Rows) -> None:
        for row in rows[1:]:
            row[0] = row[0].replace("(at)", "@")
            row[2] = "'s-Hertogenbosch"

    table = run.folder.rejected.with_suffix(suffix)
    (correct if suffix == ".csv" else correct_workbook)(table, mend)
    again = retry(run)
    sent = pl.read_csv(again.path / "chunks/leads-0001.csv", infer_schema=False)
    assert sent.columns == ["email", "lastName", "company"]
    assert sent["lastName"].to_list() == names
    assert sent["company"].unique().to_list() == ["'s-Hertogenbosch"]
    assert identities(again) == [("leads.csv", row, row + 1, "ready") for row in range(1, 7)]


def test_apostrophes_of_a_table_without_its_reasons_are_taken_off_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("email,lastName\nnobody,''x\nno one,=1\n")
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep")

    def mend(rows: Rows) -> None:
        for number, row in enumerate(rows):
            del row[-2:]
            row[0] = f"a{number}@example.com" if number else row[0]

    correct(run.folder.rejected, mend)
    sent = pl.read_csv(retry(run).path / "chunks/leads-0001.csv", infer_schema=False)
    assert sent.rows() == [("a1@example.com", "''x"), ("a2@example.com", "=1")]


def test_an_apostrophe_typed_into_failed_rows_stays(run: Run) -> None:
    def rename(rows: Rows) -> None:
        rows[1][1] = "'t Hooft"

    correct(run.folder.failed, rename)
    again = retry(run)
    sent = pl.read_csv(again.path / "chunks/leads-0001.csv", infer_schema=False)
    assert sent["firstName"].to_list() == ["'t Hooft"]


def test_how_a_table_was_read_that_was_saved_in_an_old_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("email,firstName\na(at)example.com,José Müller\n", encoding="utf-8")
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep")
    text = run.folder.rejected.read_text("utf-8-sig").replace("(at)", "@")
    run.folder.rejected.write_text(text, encoding="mac_roman")
    again = retry(run)
    assert (again.path / "chunks/leads-0001.csv").read_text(encoding="utf-8") == (
        "email,firstName\na@example.com,José Müller\n"
    )
    assert again.report["sources"][0]["notes"] == ["rejected.csv: read as mac_roman (Western, old Macintosh)"]
