"""What commands read besides plain files, and the options that say how a file is read."""

import gzip
import html
import io
import json
import re
import sqlite3
import subprocess
import zipfile
from contextlib import closing
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from prep.review import Desk, answers

from .conftest import CLEAN, LEADS, PROGRAM, Prep, names, written

CHUNK = "email,firstName\nada@example.com,Ada\nben@example.org,Ben\n"


def piped(content: bytes, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *map(str, arguments)]
    ended = subprocess.run(command, input=content, capture_output=True, check=False)
    return subprocess.CompletedProcess(
        command, ended.returncode, ended.stdout.decode(), ended.stderr.decode()
    )


def chunk(folder: Path) -> str:
    return (folder / "chunks/leads-0001.csv").read_text()


def test_standard_input_is_kept_in_the_run_folder(here: Path) -> None:
    ended = piped(LEADS.encode(), "clean", "-", "--json")

    report = json.loads(ended.stdout)
    assert ended.returncode == 3
    assert report["counts"]["read"] == 4
    assert [source["path"] for source in report["sources"]] == ["-"]
    assert (here / "stdin.prep/source/0001").read_text() == LEADS
    rejected = pl.read_csv(here / "stdin.prep/rejected.csv", infer_schema=False)
    assert rejected["_source"].to_list() == ["'-"]


def test_standard_input_is_read_also_beside_a_run_folder_of_its_name(here: Path) -> None:
    (here / "-").mkdir()
    written(here / "-/manifest.json", "{}")

    assert json.loads(piped(CLEAN.encode(), "check", "-", "--json").stdout)["sources"][0]["path"] == "-"


def test_standard_input_may_be_an_archive_of_one_file(here: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("leads.csv", CLEAN)
    ended = piped(packed.getvalue(), "run", "-", "--sandbox", "--json")

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert [source["path"] for source in report["sources"]] == ["-"]
    assert report["counts"]["imported"] == report["counts"]["read"] > 0
    assert (here / "stdin.prep/source/0001").read_bytes() == packed.getvalue()
    assert piped(packed.getvalue(), "clean", "-", "-o", "stdin.prep").returncode == 0

    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("more.csv", CLEAN)
    ended = piped(packed.getvalue(), "check", "-")
    assert (ended.returncode, ended.stderr) == (
        1,
        "Error: -: the archive holds 2 files\n"
        "Hint: Save it as a file and give that: its name stands for all of them.\n",
    )


def test_the_same_standard_input_again_is_the_same_run(here: Path) -> None:
    first = json.loads(piped(CLEAN.encode(), "clean", "-", "--json").stdout)
    again = json.loads(piped(CLEAN.encode(), "clean", "-", "--json").stdout)
    other = piped(LEADS.encode(), "clean", "-")

    assert again["run_id"] == first["run_id"]
    assert (other.returncode, other.stdout) == (1, "")
    assert other.stderr.startswith("Error: stdin.prep: was made before a source changed\n")
    assert (here / "stdin.prep/source/0001").read_text() == CLEAN
    assert names(here / "stdin.prep/source") == ["0001"]


def test_rows_of_standard_input_can_be_corrected_and_tried_again(here: Path) -> None:
    assert piped(LEADS.encode(), "run", "-", "--sandbox", "--quiet").returncode == 3
    rejected = here / "stdin.prep/rejected.csv"
    rejected.write_text(
        rejected.read_text("utf-8-sig").replace("not-an-address", "nemo@example.com"), "utf-8"
    )

    ended = piped(b"", "retry", "stdin.prep", "--sandbox", "--json")

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["counts"] == {
        **dict.fromkeys(["rejected", "suppressed", "duplicate", "ready", "sent", "warned"], 0),
        "failed": 0,
        "imported": 1,
        "read": 1,
        "unknown": 0,
    }


@pytest.mark.parametrize("command", ["check", "headers"])
def test_standard_input_is_read_by_commands_that_leave_nothing(here: Path, command: str) -> None:
    ended = piped(CLEAN.encode(), command, "-", "--json")

    assert (ended.returncode, ended.stderr.count("error")) == (0, 0)
    assert json.loads(ended.stdout)["sources"][0]["path"] == "-"
    assert names(here) == []


def test_an_error_in_standard_input_speaks_of_it_and_leaves_nothing(here: Path) -> None:
    ended = piped(b"", "clean", "-")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Error: -: the file is empty\n")
    assert names(here) == []


def test_a_kept_source_is_what_is_read_from_then_on(prep: Prep, here: Path) -> None:
    leads = written(here / "leads.csv", LEADS)
    assert prep("clean", "leads.csv", "--keep-source", "--quiet").code == 3
    leads.write_text("something else")

    assert prep("submit", "leads.prep", "--sandbox", "--yes", "--quiet").code == 3

    assert (here / "leads.prep/source/0001.csv").read_text() == LEADS
    manifest = json.loads((here / "leads.prep/manifest.json").read_text())
    assert [source["copy"] for source in manifest["sources"]] == ["0001.csv"]
    assert [source["path"] for source in manifest["sources"]] == ["leads.csv"]


def test_a_kept_copy_that_changed_is_refused(prep: Prep, here: Path) -> None:
    written(here / "leads.csv", LEADS)
    prep("clean", "leads.csv", "--keep-source", "--quiet")
    (here / "leads.prep/source/0001.csv").write_text(CLEAN)

    code, message = prep("submit", "leads.prep", "--sandbox", "--yes").error

    assert (code, message.splitlines()[0]) == (1, "Error: leads.csv: changed since it was cleaned")


def test_rows_of_a_database(prep: Prep, here: Path) -> None:
    with closing(sqlite3.connect(here / "crm.db")) as database, database:
        database.execute("CREATE TABLE people (email TEXT, firstName TEXT, numberOfEmployees INTEGER)")
        database.execute(
            "INSERT INTO people VALUES ('ada@example.com', 'Ada', 5), ('ben@example.org', NULL, 6)"
        )

    ended = prep("clean", "--db", "sqlite:///crm.db", "--query", "SELECT * FROM people ORDER BY 1", "--json")

    assert ended.code == 0
    assert chunk(here / "query.prep") == (
        "email,firstName,numberOfEmployees\nada@example.com,Ada,5\nben@example.org,,6\n"
    )
    assert pl.read_parquet(here / "query.prep/rows.parquet")["line"].to_list() == [None, None]


def test_what_to_do_after_checking_a_query_names_its_options_and_no_file(prep: Prep, leads: Path) -> None:
    with closing(sqlite3.connect("crm.db")) as database, database:
        database.execute("CREATE TABLE people (email TEXT)")
        database.execute("INSERT INTO people VALUES ('ada@example.com'), ('nobody')")
    query = ("--db", "sqlite:///crm.db", "--query", "SELECT email FROM people")

    alone, beside = prep("check", *query).out, prep("check", leads.name, *query).out

    assert alone.endswith("""
Next
  prep clean --db … --query …          with the same options: writes every rejected row with its reasons
  prep run --db … --query … --sandbox  with the same options: a rehearsal of the whole import
""")
    assert "\n  prep run leads.csv --db … --query … --sandbox  with the same options: " in beside


def test_a_password_belongs_into_the_environment(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, message = prep("clean", "--db", "postgresql://me:hush-hush@host/crm", "--query", "SELECT 1").error
    assert (code, "PREP_DB_URL" in message, "hush" in message) == (1, True, False)

    with closing(sqlite3.connect(here / "crm.db")) as database, database:
        database.execute("CREATE TABLE people (email TEXT)")
        database.execute("INSERT INTO people VALUES ('ada@example.com')")
    monkeypatch.setenv("PREP_DB_URL", "sqlite:///crm.db")
    assert prep("clean", "--query", "SELECT email FROM people", "--quiet").code == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "missing argument 'FILE…'"),
        (("--db", "sqlite:///crm.db"), "--db needs --query, which says what to read"),
    ],
)
def test_half_a_source_is_a_mistake_of_usage(prep: Prep, arguments: tuple[str, ...], problem: str) -> None:
    code, message = prep("clean", *arguments).error
    assert (code, problem in message) == (2, True)


def test_how_a_file_is_read_can_be_said(prep: Prep, here: Path) -> None:
    (here / "leads.csv").write_bytes("Export\nada@example.com\tJosé\n".encode("cp1252"))
    ended = prep(
        *("clean", "leads.csv", "--encoding", "cp1252", "--delimiter", "tab", "--header-line", "1"),
        *("--map", "Export=email", "--json"),
    )
    assert (ended.code, ended.json["counts"]["rejected"]) == (3, 1)

    (here / "bare.csv").write_bytes("ada@example.com\tJosé\n".encode("cp1252"))
    ended = prep(
        *("clean", "bare.csv", "--encoding", "cp1252", "--delimiter", "tab", "--no-header"),
        *("--map", "1=email", "--map", "2=firstName", "--json"),
    )
    source = ended.json["sources"][0]
    assert (ended.code, source["encoding"], source["delimiter"], source["header_line"]) == (
        0,
        "cp1252",
        "\t",
        0,
    )
    assert chunk(here / "bare.prep") == "email,firstName\nada@example.com,José\n"


def test_a_run_remembers_how_its_files_are_read(prep: Prep, here: Path) -> None:
    (here / "bare.csv").write_bytes("ada@example.com;José\nnobody;Ana\n".encode("cp1252"))
    options = ("--encoding", "cp1252", "--no-header", "--map", "1=email", "--map", "2=firstName")
    assert prep("run", "bare.csv", *options, "--sandbox", "--quiet").code == 3
    assert prep("reconcile", "bare.prep", "--quiet").code == 3
    code, message = prep("clean", "bare.csv", *options[2:]).error
    assert (code, "with --encoding cp1252, now without it" in message) == (1, True)


def test_a_workbook_and_its_sheet(prep: Prep, here: Path) -> None:
    pl.DataFrame({"email": ["ada@example.com"], "postalCode": ["01234"]}).write_excel(
        here / "leads.xlsx", worksheet="People"
    )
    ended = prep("clean", "leads.xlsx", "--sheet", "People", "--json")
    assert (ended.code, ended.json["sources"][0]["sheet"]) == (0, "People")
    assert chunk(here / "leads.prep") == "email,postalCode\nada@example.com,01234\n"

    code, message = prep("clean", "leads.xlsx", "--sheet", "Nobody", "-o", "other").error
    assert (code, "People" in message) == (1, True)


def test_a_compressed_source_is_kept_as_it_is(prep: Prep, here: Path) -> None:
    (here / "leads.csv.gz").write_bytes(gzip.compress(LEADS.encode()))
    kept = prep("clean", "leads.csv.gz", "--keep-source", "--json").json
    again = prep("clean", "leads.csv.gz", "--json").json
    assert (here / "leads.prep/source/0001.gz").read_bytes() == (here / "leads.csv.gz").read_bytes()
    assert again["run_id"] == kept["run_id"]
    (here / "leads.csv.gz").unlink()
    assert prep("run", "leads.csv.gz", "--sandbox").error[0] == 1
    assert prep("submit", "leads.prep", "--sandbox", "--quiet").code == 3


def test_a_source_with_a_relative_path_is_looked_for_in_this_folder(
    prep: Prep, here: Path, leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prep("clean", leads.name).code == 3
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    compares = "Hint: prep compares corrected rows with their source:"

    assert prep("retry", "../leads.prep", "--all").error == (
        1,
        f"Error: leads.csv: is not in {here / 'elsewhere'}\n"
        f"{compares} give the command in the folder where the run was made, or put it back where it was.\n",
    )
    assert prep("clean", leads, "-o", "absolute.prep").code == 3
    leads.unlink()
    assert prep("retry", "absolute.prep", "--all").error == (
        1,
        f"Error: {leads}: is gone\n{compares} put it back where it was.\n",
    )


def test_where_the_header_is_can_be_said_of_a_report_of_several_parts(prep: Prep, here: Path) -> None:
    attended = "Attended,User Name,Email,Join Time,Leave Time\nYes,Ana,ana@example.com,08:55,10:00\n"
    written(
        here / "report.csv",
        f"Attendee Report\nReport Generated:,2026-06-01\nTopic,ID,Start,Registered\nFair,1,2026-06-01,10\n"
        f"Host Details,\n{attended}Attendee Details,\n{attended}",
    )

    ended = prep("check", "report.csv")

    assert ended.code == 1
    assert "--header-line N" in ended.err.splitlines()[1]
    assert "--delimiter CHAR" in ended.err.splitlines()[1]
    ended = prep("check", "report.csv", "--header-line", 9, "--unknown", "drop")
    assert "1 row" in ended.out


def test_a_folder_that_was_there_stays_when_the_input_is_wrong(prep: Prep, here: Path) -> None:
    (here / "mine").mkdir()
    written(here / "leads.csv", "zzz\n1\n")
    assert prep("clean", "leads.csv", "-o", "mine").code == 1
    assert names(here) == ["leads.csv", "mine"]


@pytest.mark.parametrize(
    "url", ["https://example.com/leads.csv", "http://me:hush@example.com/x", "s3://bucket/leads.csv"]
)
def test_nothing_is_fetched_from_elsewhere(prep: Prep, here: Path, url: str) -> None:
    code, message = prep("clean", url).error
    assert (code, "prep fetches no files from elsewhere" in message, "hush" in message) == (1, True, False)
    assert names(here) == []


REMARK = (
    "email,firstName,title\nana@example.com,Ana,x\n#1001,x\nshared.mailbox@example.com,Dora,v\nnobody,Fay,u\n"
)
OPEN_QUOTE = (
    'firstName,email,title\nAna,ana@example.com,x\n"Bo,bo@example.com,x\nCy,cy@example.com,w\n'
    'Eva",eva@example.com,z\nDora,shared.mailbox@example.com,v\nFay,nobody,u\n'
)


@pytest.mark.parametrize("text", [REMARK, OPEN_QUOTE], ids=["remark", "open quote"])
def test_rows_are_found_again_by_the_numbers_that_they_had(prep: Prep, here: Path, text: str) -> None:
    """What counts as a record depends on the lookup column, so it must be the same column again."""
    written(here / "leads.csv", text)

    assert prep("run", "leads.csv", "--sandbox", "--quiet").code == 3

    failed = pl.read_csv(here / "leads.prep/failed.csv", infer_schema=False)
    assert failed["email"].to_list() == ["shared.mailbox@example.com"]
    assert prep("reconcile", "leads.prep", "--quiet").code == 3
    failed.clear().write_csv(here / "leads.prep/failed.csv")
    code, message = prep("retry", "leads.prep", "--sandbox").error
    assert (code, "no rejected row was changed" in message) == (1, True)


@pytest.mark.parametrize(
    "name", ["leads[1]", "leads [final]", "leads?", "leads*", "{leads}", "~", "a=1", "50%#"]
)
def test_names_are_no_patterns(prep: Prep, here: Path, name: str) -> None:
    """Polars takes some signs for patterns, browsers put them into the names of files."""
    decoy = "email\neve@example.com\n"
    for other in ("leads1", "leadsX"):
        written(here / f"{other}.csv", decoy)
        assert prep("clean", f"{other}.csv").code == 0
    folder = here / name
    folder.mkdir()
    rows = "".join(f"person{row}@example.com,Ana\n" for row in range(3))
    written(folder / f"{name}.csv", f"email,First Name\n{rows}person1@example.com,Bea\nnobody,\n")
    run = f"{name}/{name}.prep"
    ended = prep("clean", f"{name}/{name}.csv", "-o", run, "--memory", "400MB", "--keep", "merge")
    assert ended.code == 3, ended.err
    assert prep("submit", run, "--sandbox").code == 3
    assert prep("reconcile", run).code == 3
    report = prep("report", run, "--json").json
    assert {fate: count for fate, count in report["counts"].items() if count} == {
        "read": 5,
        "rejected": 1,
        "duplicate": 1,
        "imported": 3,
    }
    duplicates = (here / run / "duplicates.csv").read_text(encoding="utf-8-sig").splitlines()
    assert duplicates[1].endswith(",4,imported")
    assert prep("retry", run, "--all", "-o", f"{name}/again").code == 3
    assert prep("purge", run, "--yes").code == 0


@pytest.mark.parametrize("command", [("clean",), ("check",), ("run", "--sandbox", "--yes")])
def test_lines_that_were_taken_for_no_row_are_told(here: Path, prep: Prep, command: tuple[str, ...]) -> None:
    header, person = "First Name,City,Phone,E-Mail", "Pat,Cork,555-0100,p{}@example.com"
    people = [line for number in range(1, 7) for line in (person.format(number), "# asked twice")]
    written(
        here / "a.csv", "\n".join([header, *people, "", header, person.format(7), "", "Nora", ",,1", "", "x"])
    )
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for line in ["Fair", f"{header},A,B", person.format(8), "", "Nora,,+353 1 555 0101"]:
        sheet.append(line.split(","))
    book.save(here / "b.xlsx")

    ended = prep(*command, "a.csv", "b.xlsx", "--unknown", "drop")

    notes = [line.removeprefix("  note: ") for line in ended.out.splitlines() if line.startswith("  note: ")]
    assert ended.code == 0
    assert notes[:5] == [
        "a.csv: lines 3, 5, 7, 9, 11 and 1 more taken for comments and not read",
        "a.csv: line 15 taken for the header again and not read",
        "a.csv: lines 18 to 19, 21 taken for a footer and not read; "
        "if people are among them, give each a value in 'E-Mail'",
        "b.xlsx: Rows above the header in sheet row 2, which are left out: 1.",
        "b.xlsx: sheet row 5 taken for a footer and not read; if it is a person, give it a value in 'E-Mail'",
    ]
    if command != ("check",):
        page = html.unescape((here / "a.prep/report.html").read_text())
        assert [note for note in notes[:5] if note.partition(": ")[2] not in page] == []


def test_the_sheet_without_the_lookup_field_is_named_as_the_one_that_was_read(here: Path, prep: Prep) -> None:
    book = openpyxl.Workbook(write_only=True)
    for name, column in (("Summary", "Region"), ("People", "E-Post an"), ("More", "Kontakt")):
        sheet = book.create_sheet(name)
        sheet.append([column])
        sheet.append(["x"])
    book.save(here / "a.xlsx")
    said = "in another line than line 1 of sheet {!r}, say which: --header-line N or --sheet NAME."
    assert said.format("People") in prep("check", "a.xlsx").err
    assert said.format("More") in prep("check", "a.xlsx", "--sheet", "More").err


@pytest.mark.parametrize(
    ("name", "content"), [("readme.txt", "Dear all,\nsee the list.\n"), ("a.pdf", "%PDF-1.4\n")]
)
def test_a_file_of_an_archive_that_is_no_list_has_a_way_around_it(
    here: Path, prep: Prep, name: str, content: str
) -> None:
    with zipfile.ZipFile(here / "a.zip", "w") as archive:
        archive.writestr(name, content)
        archive.writestr("leads.csv", CLEAN)
    for command in ("check", "headers"):
        ended = prep(command, "a.zip")
        assert ended.code == 1
        hint = "To read other files of the archive alone, name them, as in 'a.zip!leads.csv'."
        assert hint in ended.err
    assert prep("check", "a.zip!leads.csv").code == 0
    assert "other files of the archive" not in prep("check", f"a.zip!{name}").err


def test_a_sheet_of_no_workbook_is_told(here: Path, prep: Prep) -> None:
    """Whoever names one believes that the file is a workbook; beside one it is meant for that."""
    written(here / "a.csv", CLEAN)
    _fair(here, "Email", "fair@example.com")
    told = ": --sheet 'Sheet' says nothing here: no source is a workbook\n"
    for command in ("headers", "check", "clean"):
        assert told in prep(command, "a.csv", "--sheet", "Sheet").out
    assert "--sheet" not in prep("check", "a.csv", "fair.xlsx", "--sheet", "Sheet").out


def test_a_check_names_rows_as_the_sheet_numbers_them(here: Path, prep: Prep) -> None:
    """A person looks for them there: with a title above and a blank row between, row 2 is the sixth."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    people = [["a@example.com", "Narnia"], [], ["b", "Spain"], ["c@example.com", "Narnia"], ["d", "Spain"]]
    for line in [["Fair 2026"], [], ["Email", "Country"], *people]:
        sheet.append(line)
    book.save(here / "fair.xlsx")
    written(here / "more.csv", "Email,Country\ne@example.com,Narnia\nf,Spain\n")
    command = ("check", "--countries", "iso2")

    alone = [line.rpartition("): ")[2] for line in prep(*command, "fair.xlsx").out.splitlines()]
    beside = [line.rpartition("): ")[2] for line in prep(*command, "fair.xlsx", "more.csv").out.splitlines()]

    assert {"sheet rows 6, 8", "sheet rows 4, 7"} <= {*alone}
    assert "fair.xlsx sheet row 6, fair.xlsx sheet row 8, more.csv row 2" in beside
    assert "fair.xlsx sheet row 4, fair.xlsx sheet row 7, more.csv row 1" in beside


def test_summary_page_and_repairs_name_rows_as_the_sheet_numbers_them(here: Path, prep: Prep) -> None:
    """So do a check of a table of rows of the sheet, and a retry, whose own source is one."""
    people = [["info@example.com", "Narnia"], [], ["b", "Spain"], ["sales@example.com", "Spain"]]
    _fair(here, "Fair 2026", "", "Email,Country", *(",".join(line) for line in people))
    told = "email:role_account (the address of a function, not of a person): "

    summary = prep("clean", "fair.xlsx", "--countries", "iso2").out
    assert f"{told}sheet rows 4, 7\n" in summary
    page = html.unescape((here / "fair.prep/report.html").read_text())
    assert ">sheet row 4, sheet row 7<" in re.sub(r"\s+", " ", page)
    assert json.loads((here / "fair.prep/report.json").read_text())["sheets"] == ["fair.xlsx"]
    masked = prep("report", "fair.prep", "--mask", "--json", "--allow-rejects")
    assert (masked.json["sheets"], "fair.xlsx" in masked.out) == (["source 1"], False)
    assert f"{told}sheet rows 4, 7\n" in masked.err
    assert "sheet row 6\n" in prep("check", "fair.prep/rejected.csv").out
    desk = Desk.open(here / "fair.prep")
    (row,) = answers.show_rows(desk, desk.rows)
    desk.edit(0, 0, "info@example.net")
    undo = desk.steps().undo
    desk.close()
    assert (row["called"], undo) == (("sheet row", 6), "one cell of sheet row 6")
    assert f"{told}sheet row 6\n" in prep("retry", "fair.prep").out


def test_a_question_about_dates_names_rows_as_the_sheet_numbers_them(here: Path, prep: Prep) -> None:
    people = ["a@example.com,03/04/2026", "", "b@example.com,05/06/2026"]
    _fair(here, "Fair 2026", "", "Email,Date of Birth", *people)
    written(here / "fair.csv", "\n".join(["Email,Date of Birth", *people]))

    command = ("check", "--json", "--schema", "lead")
    sheet, text = (prep(*command, name).json["error"] for name in ("fair.xlsx", "fair.csv"))

    found = "column 'Date of Birth' (dateOfBirth): 2 dates"
    assert sheet["message"].startswith(f"fair.xlsx: {found} (sheet rows 4, 6) may begin")
    assert text["message"].startswith(f"fair.csv: {found} (rows 1, 2) may begin")
    assert (sheet["row"], text["row"]) == (1, 1)


def test_a_list_of_people_and_a_returned_table_name_rows_of_their_sheets(here: Path, prep: Prep) -> None:
    _fair(here, "Email,City", "a@example.com,Rome", "b,Rome")
    _fair(here, "email", "", "nobody", name="never.xlsx")
    refused = prep("check", "fair.xlsx", "--suppress", "never.xlsx").err
    assert "never.xlsx: sheet row 3 of the suppression list is neither" in refused

    prep("clean", "fair.xlsx")
    table = here / "fair.prep/rejected.xlsx"
    book = openpyxl.load_workbook(table)
    rows = book[book.sheetnames[0]]
    rows.append([])
    rows.append(["c@example.com", "Rome"])
    book.save(table)
    assert "record 2 in sheet row 4 does not say which row it is" in prep("retry", "fair.prep").err
    rows.cell(4, rows.max_column + 1, "beside")
    book.save(table)
    assert "record 2 in sheet row 4: the record cannot be split" in prep("retry", "fair.prep").err


def _fair(here: Path, *lines: str, name: str = "fair.xlsx") -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for line in lines:
        sheet.append(line.split(",") if line else [])
    book.save(here / name)


def test_a_file_of_a_footer_alone_says_so(here: Path, prep: Prep) -> None:
    written(here / "a.csv", "First Name,City,E-Mail\nNora\n\nNick\n")
    assert prep("clean", "a.csv").error == (
        1,
        "Error: a.csv: there are no data rows\n"
        "Hint: A lead file has a header and at least one row below it. "
        "Lines that were taken for a footer, with a blank email: 2.\n",
    )


@pytest.mark.parametrize("options", [(), ("--unknown", "drop")])
def test_a_title_row_of_groups_is_passed_over_as_the_hint_says(
    here: Path, prep: Prep, options: tuple[str, ...]
) -> None:
    written(here / "a.csv", "\n\nPerson,Person,Company\nE-Mail,First Name,City\na@example.com,Ada,Cork\n")
    error = prep("clean", "a.csv", *options).err
    assert error.count("no column maps to 'email'; saw 'Person', 'Person', 'Company'\n") == 1
    assert "If the column names stand in another line than line 3, say which: --header-line N.\n" in error

    ended = prep("clean", "a.csv", *options, "--header-line", "4", "--json")
    assert (ended.code, ended.json["counts"]["ready"], ended.json["counts"]["read"]) == (0, 1, 1)


def test_a_table_without_lines_has_no_header_elsewhere(here: Path, prep: Prep) -> None:
    pl.DataFrame({"firstName": ["Ada"]}).write_parquet(here / "a.parquet")
    assert prep("clean", "a.parquet").error == (
        1,
        "Error: a.parquet: no column maps to 'email'; saw 'firstName'\n"
        'Hint: Say which one it is with --map "COLUMN=email", or choose another --lookup-field.\n',
    )


def test_a_single_column_may_be_several(here: Path, prep: Prep) -> None:
    written(here / "a.csv", "Company\nAcme, Inc\nBolt\n")
    assert prep("clean", "a.csv").error == (
        1,
        "Error: a.csv: no column maps to 'email'; saw 'Company'\n"
        "Hint: If the file has more columns, say where their names stand with --header-line N, or what "
        "separates the cells with --delimiter CHAR. "
        'Say which one it is with --map "COLUMN=email", or choose another --lookup-field.\n',
    )


SPLIT_LINES = (
    "Hint: If each line is one cell, in quotes or pasted into one column, split it with a spreadsheet (Text "
    "to Columns) and save it again."
)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ('"Email,First Name"\n"a@example.com,Ada"\n"b@example.com,""Bo, jr"""\n', ()),
        ("Email\tFirst Name\na@example.com\tAda\n", ("--delimiter", ";")),
    ],
)
def test_a_table_of_whole_lines_is_to_be_split(
    here: Path, prep: Prep, content: str, options: tuple[str, ...]
) -> None:
    written(here / "a.csv", content)
    ended = prep("clean", "a.csv", "--unknown", "drop", *options)
    assert (ended.code, ended.err.splitlines()[1]) == (
        1,
        f"{SPLIT_LINES} If the file has more columns, say where their names stand with --header-line N, or "
        "what separates the cells with --delimiter CHAR.",
    )


def test_a_sheet_of_whole_lines_is_to_be_split(here: Path, prep: Prep) -> None:
    pl.DataFrame({"Email;Name": ["a@example.com;Ada"]}).write_excel(here / "a.xlsx")
    ended = prep("clean", "a.xlsx", "--unknown", "drop")
    assert (ended.code, ended.err.splitlines()[1]) == (
        1,
        f"{SPLIT_LINES} If the column names stand in another line than line 1 of sheet 'Sheet1', say which: "
        "--header-line N or --sheet NAME.",
    )


def test_delimiters_behind_every_line_are_no_columns(here: Path, prep: Prep) -> None:
    written(
        here / "a.csv", "email;firstName;;\n" + "ada@example.com;Ada;;\n" * 100 + "ben@example.org;Ben;x;\n"
    )
    ended = prep("clean", "a.csv")
    assert (ended.code, ended.out.splitlines()[1:5]) == (
        3,
        [
            "  note: a.csv: 2 columns at the end without name and value left out; "
            "rows with a value there are rejected",
            "101 rows read",
            "          1  ready       in an upload file that was not sent",
            "         99  duplicate   lost to another row with the same email; not sent",
        ],
    )
    (row,) = pl.read_csv(here / "a.prep/rejected.csv", separator=";", infer_schema=False).rows(named=True)
    assert (row["_row"], row["_reasons"], row["_raw"]) == ("101", "unreadable_row", "ben@example.org;Ben;x;")
