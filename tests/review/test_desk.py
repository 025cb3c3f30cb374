"""Rows under repair: what is wrong with them, what a person does, and that nothing of it is lost."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

import prep
from prep.errors import FolderError, PrepError, SourceError
from prep.pipeline import Run, retry
from prep.review import Desk
from prep.review.desk import View

from .conftest import LEADS

EMAIL, FIRST, CALL, BIRTH, NOTES = range(5)
INVALID, NO_DATE, NO_BOOLEAN = "email:invalid_email", "dateOfBirth:not_date", "doNotCall:not_boolean"


@pytest.fixture
def desk(run: Run) -> Iterator[Desk]:
    desk = Desk.open(run.path)
    yield desk
    desk.close()


def reasons(desk: Desk) -> list[str]:
    return desk.rows["_reasons"].to_list()


def cells(desk: Desk, place: int) -> list[str | None]:
    return desk.rows[str(place)].to_list()


def test_rows_come_with_their_reasons(desk: Desk) -> None:
    assert desk.rows["_row"].to_list() == [1, 2, 3, 5, 6]
    assert reasons(desk) == [INVALID, f"{INVALID}; {NO_BOOLEAN}", NO_DATE, INVALID, "email:missing_lookup"]
    assert desk.reasons() == [(INVALID, 3), (NO_DATE, 1), (NO_BOOLEAN, 1), ("email:missing_lookup", 1)]
    assert desk.counts() == {"open": 5, "repaired": 0, "left out": 0, "rows": 5}


def test_an_edit_is_judged_as_the_run_judges(desk: Desk) -> None:
    desk.edit(0, EMAIL, " ANA@example.com ")
    desk.edit(1, EMAIL, "ben@example.org")
    desk.edit(2, BIRTH, "03/04/1990")
    assert reasons(desk)[:3] == ["", NO_BOOLEAN, NO_DATE]
    desk.edit(0, EMAIL, "ana")
    assert reasons(desk)[0] == INVALID
    desk.edit(0, EMAIL, "")
    assert reasons(desk)[0] == "email:missing_lookup"


def test_an_edit_waits_for_a_replacement_that_is_under_way(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the replacement puts what it found before over what was typed since."""
    select = desk.select
    editing = threading.Thread(target=desk.edit, args=(0, EMAIL, "good@example.com"))

    def select_slowly(view: View) -> pl.DataFrame:
        rows = select(view)
        editing.start()
        editing.join(0.3)
        return rows

    monkeypatch.setattr(desk, "select", select_slowly)
    replaced = desk.replace(View(), EMAIL, "a", "b")
    editing.join()
    assert replaced > 1
    assert cells(desk, EMAIL)[0] == "good@example.com"


def test_steps_are_taken_back_and_done_again(desk: Desk) -> None:
    before = desk.rows
    desk.edit(0, EMAIL, "ana@example.com")
    desk.edit(0, EMAIL, "anna@example.com")
    desk.fill(View(reason=INVALID), CALL, "no")
    desk.leave_out([3], is_left_out=True)
    after = desk.rows
    for _ in range(4):
        desk.undo()
    assert desk.rows.equals(before)
    assert desk.steps().undo is None
    desk.redo()
    assert cells(desk, EMAIL)[0] == "ana@example.com"
    for _ in range(3):
        desk.redo()
    assert desk.rows.equals(after)
    desk.undo()
    desk.edit(4, EMAIL, "fay@example.com")
    assert desk.steps().redo is None


def test_what_is_undone_with_nothing_done_changes_nothing(desk: Desk) -> None:
    before = desk.rows
    desk.undo()
    desk.redo()
    assert desk.rows.equals(before)


def test_many_rows_at_once(desk: Desk) -> None:
    assert desk.replace(View(reason=INVALID), EMAIL, ",", ".") == 1
    assert cells(desk, EMAIL)[0] == "ana@gmial.com"
    assert desk.fill(View(text="ture"), CALL, "yes") == 1
    assert desk.accept(View(), INVALID) == 1
    assert cells(desk, EMAIL)[1] == "ben@example.org"
    assert desk.leave_out(desk.select(View(state="open"))["_record"], is_left_out=True) == 3
    assert desk.counts() == {"open": 0, "repaired": 2, "left out": 3, "rows": 5}
    assert desk.leave_out([2], is_left_out=False) == 1
    assert desk.counts()["left out"] == 2


def test_what_a_view_shows(desk: Desk) -> None:
    def shown(view: View) -> list[int]:
        return desk.select(view)["_row"].to_list()

    assert shown(View(reason=INVALID)) == [1, 2, 5]
    assert shown(View(text="TWO\nLINES")) == [3]
    assert shown(View(text="[", place=EMAIL)) == []
    assert shown(View(sort=FIRST)) == [5, 1, 2, 3, 6]
    assert shown(View(sort=-1, descending=True)) == [6, 5, 3, 2, 1]
    desk.edit(0, EMAIL, "ana@example.com")
    assert shown(View(state="repaired")) == [1]
    assert shown(View(reason=INVALID)) == [1, 2, 5]
    assert shown(View(reason=INVALID, state="open")) == [2, 5]


def test_the_new_run_is_the_one_that_an_edited_table_makes(run: Run, desk: Desk, tmp_path: Path) -> None:
    twin = prep.clean("leads.csv", "twin.prep", schema="mine.toml", maps={"Do Not Call": "doNotCall"})
    desk.edit(0, EMAIL, "ana@example.com")
    desk.edit(1, EMAIL, '"ben@example.org')
    desk.edit(2, BIRTH, "1990-12-25")
    desk.edit(2, NOTES, "'=1+1\nline")
    desk.edit(3, EMAIL, "eve@example.com")
    desk.leave_out([3], is_left_out=True)
    table = twin.folder.rejected
    text = table.read_text(encoding="utf-8-sig")
    lines = text.replace('"ana@gmial,com"', "ana@example.com").replace(
        "ben at example.org", '"""ben@example.org"'
    )
    lines = lines.replace("25.13.1990", "1990-12-25").replace('"two\nlines"', "\"''=1+1\nline\"")
    table.write_text("".join(f"{line}\n" for line in lines.splitlines() if "no-address" not in line))
    mine, theirs = retry(run), retry(twin)
    assert mine.counts == theirs.counts
    assert mine.rows.equals(theirs.rows)
    files = ["chunks/leads-0001.csv", "rejected.csv", "source/rejected.csv"]
    assert [(mine.path / name).read_bytes() for name in files] == [
        (theirs.path / name).read_bytes() for name in files
    ]
    assert mine.rows["row"].to_list() == [1, 2, 3]
    assert run.rows["fate"].to_list().count("rejected") == 5


def test_nothing_changed_is_nothing_to_try_again(run: Run, desk: Desk) -> None:
    desk.edit(0, EMAIL, "ana@example.com")
    desk.undo()
    desk.leave_out([1], is_left_out=True)
    with pytest.raises(SourceError) as raised:
        retry(run)
    assert raised.value.code == "nothing_to_retry"


def test_repairs_outlive_a_process_that_is_killed(run: Run) -> None:
    script = """
        import os, signal
        from prep.review import Desk
        from prep.review.desk import View
        desk = Desk.open("leads.prep")
        desk.edit(0, 0, "ana@example.com")
        desk.edit(1, 0, "gone@example.com")
        desk.undo()
        desk.fill(View(), 1, "Ann")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert killed.returncode == -signal.SIGKILL
    desk = Desk.open(run.path)
    assert cells(desk, EMAIL)[:2] == ["ana@example.com", "ben at example.org"]
    assert cells(desk, FIRST) == ["Ann"] * 5
    assert reasons(desk)[0] == ""
    desk.undo()
    assert cells(desk, FIRST) == ["Ana", "Ben", "Cyd", "=Eve", "Fay"]
    desk.close()


def test_a_table_that_is_edited_meanwhile_is_told_and_loses_nothing(run: Run, desk: Desk) -> None:
    desk.edit(0, EMAIL, "ana@example.com")
    table = run.folder.rejected
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("25.13.1990", "1990-12-25"))
    assert desk.is_stale
    with pytest.raises(FolderError) as raised:
        desk.edit(1, EMAIL, "ben@example.org")
    assert raised.value.code == "changed_meanwhile"
    again = Desk.open(run.path)
    assert (cells(again, EMAIL)[0], cells(again, BIRTH)[2]) == ("ana@example.com", "1990-12-25")
    assert reasons(again)[2] == ""
    again.close()
    assert retry(run).counts["ready"] == 2


def test_a_cell_that_is_corrected_in_two_places_is_refused(run: Run, desk: Desk) -> None:
    desk.edit(0, EMAIL, "ana@example.com")
    table = run.folder.rejected
    table.write_text(table.read_text(encoding="utf-8").replace("ana@gmial,com", "anna@example.com"))
    for work in (lambda: Desk.open(run.path), lambda: retry(run)):
        with pytest.raises(SourceError, match="1 cells were changed in it") as raised:
            work()
        assert raised.value.code == "two_corrections"


def test_rows_cannot_be_repaired_where_their_source_is_gone(run: Run) -> None:
    Path("leads.csv").unlink()
    desk = Desk.open(run.path)
    closed = desk.sheet.closed["rejected.csv"]
    assert f"leads.csv: not in {Path.cwd()}." in closed
    assert "give the command in the folder where the run was made, or put it back" in closed
    with pytest.raises(SourceError, match="put it back"):
        desk.edit(0, EMAIL, "ana@example.com")
    assert desk.fill(View(), FIRST, "Ann") == 0
    desk.close()


def test_what_is_not_there_cannot_be_repaired(desk: Desk) -> None:
    for work in (
        lambda: desk.edit(5, EMAIL, "x"),
        lambda: desk.edit(0, 9, "x"),
        lambda: desk.edit(-1, EMAIL, "x"),
        lambda: desk.replace(View(), EMAIL, "", "x"),
    ):
        with pytest.raises(PrepError) as raised:
            work()
        assert raised.value.code == "cannot_repair"


def test_records_that_could_not_be_split_show_their_text_until_they_are_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("leads.csv").write_text("email,firstName\nana@example.com,Ana,López,1\nben@example.org,Ben\n")
    run = prep.clean("leads.csv")
    desk = Desk.open(run.path)
    assert desk.rows.select("_raw", "_reasons").rows() == [("ana@example.com,Ana,López,1", "unreadable_row")]
    desk.edit(0, 0, "ana@example.com")
    assert reasons(desk) == [""]
    desk.close()
    assert retry(run).counts["ready"] == 1


def test_purging_deletes_the_repairs_and_waits_for_the_page(run: Run, tmp_path: Path) -> None:
    Path("bad.csv").write_text("email,firstName\nno-address,Ana\n")
    bad = prep.clean("bad.csv")
    desk = Desk.open(bad.path)
    desk.edit(0, 0, "ana@example.com")
    desk.close()
    with bad.folder.review_lock(), pytest.raises(FolderError) as raised:
        prep.purge(bad)
    assert raised.value.code == "folder_in_use"
    prep.purge(bad)
    assert not bad.folder.review.exists()
    with pytest.raises(FolderError) as raised:
        Desk.open(bad.path)
    assert raised.value.code == "purged"


COMMENTED: Final = ["Comment", "Email", "First Name", "Do Not Call", "Date of Birth", "Notes"]
SWAPPED: Final = ["Notes", "First Name", "Do Not Call", "Date of Birth", "Email"]


def rearrange(table: Path, columns: Sequence[str]) -> None:
    """What a spreadsheet does: a column is inserted, moved or deleted."""
    cells = pl.read_csv(table, infer_schema=False)
    tail = [name for name in cells.columns if name.startswith("_")]
    cells = cells.with_columns(pl.lit(None, pl.String).alias(name) for name in columns if name not in cells)
    cells.select(*columns, *tail).write_csv(table)


@pytest.mark.parametrize("columns", [COMMENTED, SWAPPED])
def test_corrections_stay_in_their_columns_wherever_these_go(
    run: Run, desk: Desk, columns: Sequence[str]
) -> None:
    desk.edit(4, EMAIL, "fay@example.com")
    desk.edit(4, NOTES, "none")
    rearrange(run.folder.rejected, columns)
    again = Desk.open(run.path)
    notes = columns.index("Notes")
    assert (cells(again, columns.index("Email"))[4], cells(again, notes)[4]) == ("fay@example.com", "none")
    again.edit(4, notes, "many")
    again.undo()
    assert cells(again, notes)[4] == "none"
    again.undo()
    assert cells(again, notes)[4] is None
    again.redo()
    assert cells(again, notes)[4] == "none"
    again.close()
    (chunk,) = (retry(run).path / "chunks").iterdir()
    (row,) = pl.read_csv(chunk, infer_schema=False).rows(named=True)
    assert (row["email"], row["notes"]) == ("fay@example.com", "none")


def test_columns_of_one_name_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("leads.csv").write_text("note,note,email\n,,no-address\n")
    run = prep.clean("leads.csv", unknown="drop")
    desk = Desk.open(run.path)
    desk.edit(0, 1, "second")
    desk.close()
    table = run.folder.rejected
    header, row = table.read_text("utf-8-sig").splitlines()
    table.write_text(f"Comment,{header}\n,{row}\n")
    again = Desk.open(run.path)
    assert [cells(again, place)[0] for place in range(4)] == [None, None, "second", "no-address"]
    again.close()


def test_corrections_of_a_column_that_is_gone_are_told(run: Run, desk: Desk) -> None:
    desk.edit(4, NOTES, "none")
    rearrange(run.folder.rejected, SWAPPED[1:])
    for work in (lambda: Desk.open(run.path), lambda: retry(run)):
        with pytest.raises(SourceError) as raised:
            work()
        assert raised.value.code == "lost_columns"
        assert raised.value.message.endswith(
            "lacks columns of which cells were corrected in prep review: 'Notes'"
        )
        assert "Restore the table, or delete review.sqlite" in raised.value.hint


def test_what_a_table_has_no_column_for_any_more_is_not_done_again(run: Run) -> None:
    rearrange(run.folder.rejected, COMMENTED)
    desk = Desk.open(run.path)
    desk.edit(4, 0, "called")
    desk.undo()
    desk.close()
    rearrange(run.folder.rejected, COMMENTED[1:])
    again = Desk.open(run.path)
    with pytest.raises(SourceError) as raised:
        again.redo()
    assert raised.value.code == "lost_columns"
    assert (again.steps().undo, again.steps().redo) == (None, "one cell of row 6")
    again.close()


OLD_JOURNAL: Final = """
CREATE TABLE step (id INTEGER PRIMARY KEY, label TEXT NOT NULL, is_undone INTEGER NOT NULL DEFAULT 0);
CREATE TABLE change (
    step INTEGER NOT NULL REFERENCES step(id),
    "table" TEXT NOT NULL, source TEXT NOT NULL, row INTEGER NOT NULL,
    place INTEGER NOT NULL, base TEXT, value TEXT
);
CREATE TABLE mapped (step INTEGER NOT NULL REFERENCES step(id), header TEXT NOT NULL, field TEXT);
INSERT INTO step (label) VALUES ('one cell of row 6'), ('1 rows left out');
INSERT INTO change VALUES (1, 'rejected.csv', 'leads.csv', 6, 4, NULL, 'none');
INSERT INTO change VALUES (2, 'rejected.csv', 'leads.csv', 1, -1, NULL, 'yes');
"""
"""As it was before headers were taken down."""


def test_a_journal_of_older_code_goes_on(run: Run) -> None:
    with closing(sqlite3.connect(run.folder.review)) as database:
        database.executescript(OLD_JOURNAL)
    desk = Desk.open(run.path)
    assert (cells(desk, NOTES)[4], desk.counts()["left out"]) == ("none", 1)
    desk.edit(4, NOTES, "many")
    with closing(Desk.open(run.path)) as again:
        assert again.rows["4"][4] == "many"
    desk.undo()
    assert cells(desk, NOTES)[4] == "none"
    desk.close()
    rearrange(run.folder.rejected, SWAPPED[1:])
    for work in (lambda: Desk.open(run.path), lambda: retry(run)):
        with pytest.raises(SourceError, match="'column 5'") as raised:
            work()
        assert raised.value.code == "lost_columns"


def test_a_damaged_journal_is_told(run: Run) -> None:
    run.folder.review.write_bytes(b"no database, but long enough to be one" * 100)
    with pytest.raises(FolderError) as raised:
        Desk.open(run.path)
    assert raised.value.code == "damaged_journal"


@pytest.mark.parametrize("is_damaged", [True, False])
def test_a_page_that_cannot_be_opened_leaves_no_journal_open(
    run: Run, monkeypatch: pytest.MonkeyPatch, *, is_damaged: bool
) -> None:
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connect_noted(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    if is_damaged:
        run.folder.review.write_bytes(b"no database, but long enough to be one" * 100)
    else:
        table = run.folder.rejected
        table.write_text(table.read_text(encoding="utf-8").replace("First Name", "Given"), encoding="utf-8")
    monkeypatch.setattr(sqlite3, "connect", connect_noted)
    with pytest.raises(PrepError):
        Desk.open(run.path)
    assert opened
    for database in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            database.execute("SELECT 1")


def test_the_journal_is_for_its_owner_only_and_holds_no_more_than_it_must(desk: Desk, run: Run) -> None:
    desk.edit(0, EMAIL, "ana@example.com")
    assert oct(run.folder.review.stat().st_mode & 0o777) == "0o600"
    assert desk.steps().undo == "one cell of row 1"
    assert Path("leads.csv").read_text(encoding="utf-8") == LEADS
    assert isinstance(desk.rows, pl.DataFrame)


def test_sources_that_call_a_field_by_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("Email,First Name\nno-address,Ana\n")
    Path("b.csv").write_text("First Name,E-Mail\nBen,ben at example.org\nCyd,\n")
    run = prep.clean(["a.csv", "b.csv"])
    desk = Desk.open(run.path)
    assert [name for name, _ in desk.sheet.columns] == ["Email", "First Name", "E-Mail"]
    assert reasons(desk) == [INVALID, INVALID, "email:missing_lookup"]
    assert [desk.place_of("rejected.csv", source, "email") for source in ("a.csv", "b.csv")] == [0, 2]
    desk.edit(0, 0, "ana@example.com")
    assert desk.accept(View(), INVALID) == 1
    desk.edit(2, 2, "cyd@example.net")
    assert reasons(desk) == ["", "", ""]
    desk.close()
    assert retry(run).counts["ready"] == 3


def test_a_column_that_a_person_added_to_the_table_changes_nothing_else(run: Run) -> None:
    table = pl.read_csv(run.folder.rejected, infer_schema=False)
    table.insert_column(0, pl.lit("called").alias("Comment")).write_csv(run.folder.rejected)
    desk = Desk.open(run.path)
    desk.edit(0, EMAIL + 1, "ana@example.com")
    assert reasons(desk)[:2] == ["", f"{INVALID}; {NO_BOOLEAN}"]
    desk.close()
    assert retry(run).rows.select("row", "fate").rows() == [(1, "ready")]
