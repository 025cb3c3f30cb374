"""`clean`, `check`, `headers`, `report`: everything before the network."""

import fcntl
import json
import os
import tempfile
from pathlib import Path

import pytest

from .conftest import CLEAN, LEADS, Prep, names, written

SUMMARY = """leads.prep: clean; nothing was sent yet
4 rows read
          2  ready       in an upload file that was not sent
          1  duplicate   lost to another row with the same email; not sent
          1  rejected    broke a rule or could not be read; not sent

Why rows were rejected
          1  email:invalid_email (not a valid email address)

Tables
  leads.prep/rejected.csv    every rejected row with its reasons; rejected.xlsx says the same
  leads.prep/duplicates.csv  every row that lost, with the row that it lost to

Next
  prep submit leads.prep  sends 2 rows in 1 file
  prep review leads.prep  shows rejected and failed rows on a local page, to repair them
  prep retry leads.prep   a new run of failed rows, and of rejected rows that were corrected
"""
FILES = [
    "chunks",
    "chunks/leads-0001.csv",
    "duplicates.csv",
    "manifest.json",
    "rejected.csv",
    "rejected.xlsx",
]


def test_clean(prep: Prep, leads: Path) -> None:
    ended = prep("clean", "leads.csv")

    assert (ended.code, ended.out, ended.err) == (3, SUMMARY, "")
    assert set(FILES) < set(names(leads.parent / "leads.prep"))
    assert (leads.parent / "leads.prep/chunks/leads-0001.csv").read_text() == (
        "email,firstName,company\nADA@example.com,Ada,Winter Clocks Ltd\nben@example.org,Ben,Fischer Tools\n"
    )


def test_clean_of_a_file_where_nothing_is_wrong(prep: Prep, here: Path) -> None:
    written(here / "good.csv", CLEAN)

    ended = prep("clean", "good.csv")

    assert (ended.code, ended.out) == (
        0,
        "good.prep: clean; nothing was sent yet\n"
        "2 rows read\n"
        "          2  ready       in an upload file that was not sent\n"
        "\n"
        "Next\n"
        "  prep submit good.prep         sends 2 rows in 1 file\n"
        "  prep report good.prep --json  these numbers, for a program\n",
    )


def test_clean_names_columns_that_one_option_left_out(prep: Prep, here: Path) -> None:
    written(here / "leads.csv", "email,,Colour\nana@example.com,,red\n")
    assert prep("clean", "leads.csv", "--unknown", "drop").out.splitlines()[:3] == [
        "leads.prep: clean; nothing was sent yet",
        "  note: 2 columns left out: '', 'Colour'",
        "1 row read",
    ]
    questions = [f"Question {number}" for number in range(1_000)]
    written(here / "form.csv", f"email,{','.join(questions)}\nana@example.com{',' * 1_000}\n")
    ended = prep("clean", "form.csv", "--unknown", "drop", "--map", "Question 0=title")
    names = ", ".join(f"'Question {number}'" for number in range(1, 6))
    assert ended.out.splitlines()[1] == f"  note: 999 columns left out: {names} and 994 more"


def test_clean_again_says_the_same(prep: Prep, leads: Path) -> None:
    prep("clean", leads)
    manifest = (leads.parent / "leads.prep/manifest.json").read_bytes()

    assert prep("clean", leads).out == SUMMARY
    assert (leads.parent / "leads.prep/manifest.json").read_bytes() == manifest


@pytest.mark.parametrize("command", ["clean", "report", "resume"])
def test_json_is_the_report_and_all_else_goes_to_stderr(prep: Prep, leads: Path, command: str) -> None:
    prep("clean", "leads.csv")

    ended = prep(command, "leads.csv" if command == "clean" else "leads.prep", "--json")

    assert ended.code == 3
    assert ended.err == SUMMARY
    assert ended.json == json.loads((leads.parent / "leads.prep/report.json").read_text())
    assert ended.json["counts"] == {
        "read": 4,
        "rejected": 1,
        "suppressed": 0,
        "duplicate": 1,
        "ready": 2,
        "sent": 0,
        "imported": 0,
        "warned": 0,
        "failed": 0,
        "unknown": 0,
    }


@pytest.mark.parametrize("options", [("--allow-rejects",), ("--allow-rejects", "--max-rejected", "0")])
def test_the_report_file_has_the_exit_code_that_the_command_had(
    prep: Prep, leads: Path, options: tuple[str, ...]
) -> None:
    ended = prep("clean", "leads.csv", *options, "--json")

    assert ended.code == (3 if "--max-rejected" in options else 0)
    assert ended.json == json.loads((leads.parent / "leads.prep/report.json").read_text())
    assert ended.json["exit_code"] == ended.code


def test_quiet_says_nothing_and_quiet_json_only_that(prep: Prep, leads: Path) -> None:
    assert prep("clean", leads, "--quiet") == type(prep("--version"))(3, "", "")
    ended = prep("clean", leads, "-q", "--json")
    assert (ended.err, ended.json["exit_code"]) == ("", 3)


def test_allow_rejects(prep: Prep, leads: Path, here: Path) -> None:
    assert prep("clean", leads, "--allow-rejects").code == 0
    assert prep("report", "leads.prep").code == 3
    assert prep("report", "leads.prep", "--allow-rejects").code == 0
    written(here / "bad.csv", "email\nnobody\n")
    assert prep("clean", "bad.csv", "--allow-rejects").code == 3
    assert prep("check", "bad.csv", "--allow-rejects").code == 3


@pytest.mark.parametrize(
    ("limit", "stops"),
    [("0", True), ("1", False), ("24.9%", True), ("25%", False), ("0%", True), ("100%", False)],
)
@pytest.mark.parametrize("command", ["clean", "check"])
def test_max_rejected(prep: Prep, leads: Path, command: str, limit: str, stops: bool) -> None:  # noqa: FBT001
    ended = prep(command, leads, "--max-rejected", limit, "--allow-rejects")

    assert ended.code == (3 if stops else 0)
    said = f"Nothing is sent: 1 of 4 rows were rejected, more than --max-rejected {limit} allows.\n"
    assert (said in ended.out) == stops


CHECKED = """leads.csv: 3 columns, utf-8, delimiter ','
4 rows read
          2  ready       would be sent
          1  duplicate   would not: they lose to another row with the same email
          1  rejected    would not: they break a rule or cannot be read

Problems
          1  email:invalid_email (not a valid email address): row 2

Columns
  'email'      → email                    exact
  'firstName'  → firstName                exact
  'company'    → company                  exact

Next
  prep clean leads.csv          with the same options: writes every rejected row with its reasons
  prep run leads.csv --sandbox  with the same options: a rehearsal of the whole import
"""


def test_check_leaves_nothing_behind(
    prep: Prep, leads: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(here / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)

    ended = prep("check", "leads.csv")

    assert (ended.code, ended.out, ended.err) == (3, CHECKED, "")
    assert names(here) == ["leads.csv", "tmp"]


def test_check_json(prep: Prep, leads: Path) -> None:
    checked = prep("check", "leads.csv", "--json").json
    cleaned = prep("clean", "leads.csv", "--json").json

    assert cleaned.keys() - checked.keys() == {"chunks", "jobs"}
    same = checked.keys() - {"run_id", "seconds"}
    assert {key: checked[key] for key in same} == {key: cleaned[key] for key in same}
    assert checked["mapping"][0] == {"source": "email", "field": "email", "how": "exact"}


def test_check_shows_the_ten_commonest_problems_with_their_first_rows(prep: Prep, here: Path) -> None:
    columns = "email,numberOfEmployees,unsubscribed,dateOfBirth,website,annualRevenue,leadScore,doNotCall"
    columns += ",mktoAcquisitionDate,mktoIsPartner,urgency,priority,rating"
    bad = "x,x,x,x,no url,x,x,x,x,x,x,x," + "r" * 300
    rows = [bad, *["y,,,,,,,,,,,,"] * 6]
    written(here / "bad.csv", "\n".join([columns, *rows, "ok@example.com,,,,,,,,,,,,"]) + "\n")

    shown = prep("check", "bad.csv").out.partition("Problems\n")[2].partition("\n\n")[0].splitlines()

    assert shown[0] == "          7  email:invalid_email (not a valid email address): rows 1, 2, 3, 4, 5, …"
    assert all(line.endswith(": row 1") for line in shown[1:10])
    assert len(shown) == 11
    assert shown[10].startswith("  … and ")


def test_check_names_the_file_of_each_row_where_there_are_several(
    prep: Prep, leads: Path, here: Path
) -> None:
    written(here / "more.csv", "email\nx\n")

    assert "): leads.csv row 2, more.csv row 1\n" in prep("check", "leads.csv", "more.csv").out


def test_nothing_wrong_is_said_too(prep: Prep, here: Path) -> None:
    written(here / "good.csv", CLEAN)

    assert "\nNo problems\n" in prep("check", "good.csv").out


def test_headers(prep: Prep, here: Path) -> None:
    written(here / "list.csv", "E-mail;Vorname;Zzz\na@example.com;A;z\n")

    ended = prep(
        "headers", "list.csv", "--map", "Vorname=firstName", "--unknown", "drop", "--set", "title=Dr="
    )

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        "list.csv: 3 columns, utf-8, delimiter ';'\n"
        "  '--set title'  → title                    set\n"
        "  'E-mail'       → email                    folded\n"
        "  'Vorname'      → firstName                map\n"
        "  'Zzz'          ✗                          dropped\n"
    )


def test_headers_json_also_when_nothing_maps_to_the_lookup_field(prep: Prep, here: Path) -> None:
    written(here / "list.csv", "Frst Name,Zzz\nA,z\n")

    ended = prep("headers", "list.csv", "--json")

    assert ended.code == 1
    assert ended.json["sources"] == [
        {
            "path": "list.csv",
            "encoding": "utf-8",
            "delimiter": ",",
            "quote": '"',
            "escape": "double",
            "header_line": 1,
            "sheet": None,
            "columns": ["Frst Name", "Zzz"],
            "notes": [],
        }
    ]
    assert ended.json["mapping"] == [
        {"source": "Frst Name", "field": "firstName", "how": "suggested"},
        {"source": "Zzz", "field": None, "how": "unknown"},
    ]
    assert ended.json["error"]["code"] == "unknown_header"
    assert "no column maps to 'email'" in ended.json["error"]["message"]
    assert ended.err.count("Error:") == 1


def test_headers_json(prep: Prep, leads: Path) -> None:
    ended = prep("headers", "leads.csv", "--json")

    assert (ended.code, ended.json["exit_code"]) == (0, 0)
    assert [column["field"] for column in ended.json["mapping"]] == ["email", "firstName", "company"]
    assert ended.json["sources"][0]["columns"] == ["email", "firstName", "company"]


def test_resume_of_a_run_that_was_only_cleaned_sends_nothing_and_names_submit(
    prep: Prep, leads: Path
) -> None:
    prep("clean", "leads.csv")

    assert prep("resume", "leads.prep").out == SUMMARY
    assert "ledger.sqlite" not in names(leads.parent / "leads.prep")


def test_reconcile_of_a_run_that_was_not_sent(prep: Prep, leads: Path) -> None:
    prep("clean", "leads.csv")

    assert prep("reconcile", "leads.prep").error == (
        1,
        "Error: leads.prep: nothing was sent yet\nHint: prep submit leads.prep sends it.\n",
    )


ESCAPE = "\x1b[31mred\x1b[0m\x07\u202e\x9b2J"


def test_nothing_in_a_file_reaches_the_terminal_as_an_escape(prep: Prep, here: Path) -> None:
    written(here / f"a{ESCAPE}.csv", f"email,{ESCAPE},firstName\na@example.com,x,y\n")
    written(here / f"b{ESCAPE}.csv", f"email,firstName\n{ESCAPE},{ESCAPE}\nc@example.com,d\n")
    written(
        here / "bad.toml",
        f'[fields.email]\nlength = "{ESCAPE}"'.replace("\x1b", "\\u001b").replace("\x07", ""),
    )
    lines = [
        ("headers", f"a{ESCAPE}.csv"),
        ("headers", f"a{ESCAPE}.csv", "--unknown", "drop"),
        ("headers", f"a{ESCAPE}.csv", "--unknown", "drop", "--json"),
        ("clean", f"a{ESCAPE}.csv"),
        ("clean", f"a{ESCAPE}.csv", "--json"),
        ("check", f"b{ESCAPE}.csv", "--json"),
        ("clean", f"b{ESCAPE}.csv"),
        ("clean", f"b{ESCAPE}.csv", "--json"),
        ("report", f"b{ESCAPE}.prep"),
        ("status", f"b{ESCAPE}.prep", "--json"),
        ("clean", f"{ESCAPE}.csv"),
        ("clean", f"--{ESCAPE}"),
        (ESCAPE,),
        ("clean", "x.csv", "--keep", ESCAPE),
        ("clean", "x.csv", "--format", ESCAPE),
        ("clean", f"b{ESCAPE}.csv", "--lookup-field", ESCAPE),
        ("schema", "show", ESCAPE),
        ("schema", "check", "bad.toml"),
        ("run", f"b{ESCAPE}.csv", "-o", f"c{ESCAPE}", "--sandbox"),
    ]
    for line in lines:
        ended = prep(*line)
        shown = ended.out + ended.err
        assert shown, line
        assert all(character.isprintable() or character == "\n" for character in shown), line


def test_json_stays_one_line_whatever_the_file_holds(prep: Prep, here: Path) -> None:
    name = "u\u2028v\x85w"
    written(here / "list.csv", f"email,{name}\na@example.com,1\n")

    ended = prep("headers", "list.csv", "--unknown", "drop", "--json")

    assert ended.json["mapping"][1]["source"] == name


def test_a_second_prep_is_kept_out(prep: Prep, leads: Path) -> None:
    prep("clean", "leads.csv")
    with (leads.parent / "leads.prep/.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert prep("clean", "leads.csv").error == (
            1,
            "Error: leads.prep: another prep is working on this run\n"
            "Hint: Wait for it; prep status leads.prep shows how far it is.\n",
        )


LIMITED = ("prlimit", "--fsize=4000")


def test_no_space(program: Prep, prep: Prep, leads: Path) -> None:
    leads.write_text(LEADS + "".join(f"p{number}@example.com,P,Q\n" for number in range(400)))

    full = program("clean", "leads.csv", "--json", before=LIMITED)

    error = full.json["error"]
    assert (full.code, error["code"], full.err.count("\n")) == (1, "no_space", 2)
    assert names(leads.parent) == ["leads.csv"]
    assert prep("clean", "leads.csv").code == 3


def test_no_space_for_a_check(program: Prep, leads: Path) -> None:
    leads.write_text(LEADS + "".join(f"p{number}@example.com,P,Q\n" for number in range(400)))

    full = program("check", "leads.csv", "--json", before=LIMITED)

    assert (full.code, full.json["error"]["code"]) == (1, "no_space")
    assert names(leads.parent) == ["leads.csv"]


def test_a_defect_is_one_line_without_values(
    prep: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing causes one on purpose: a module that is missing stands for it."""
    monkeypatch.setattr("prep.cli.check.tempfile", None)

    code, said = prep("check", leads).error

    assert code == 1
    assert said.splitlines()[0].startswith("Error: unexpected AttributeError in cli/check.py:")
    assert said.splitlines()[1].startswith("Hint: This is a defect of prep.")
    assert "Traceback" not in said
    monkeypatch.setenv("PREP_DEBUG", "1")
    assert "Traceback" in prep("check", leads).err


def test_a_folder_that_vanishes(prep: Prep, here: Path) -> None:
    (here / "gone").mkdir()
    os.chdir(here / "gone")
    (here / "gone").rmdir()

    assert prep("clean", "leads.csv").code == 1
