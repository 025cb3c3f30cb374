"""A mapping that is accepted once, kept in `prep.toml` or a file, and used again."""

import json
from pathlib import Path

import pytest

from .conftest import Prep, written

LEADS = "Work mail;Vorname;Zzz\nada@example.com;Ada;1\n"
ACCEPTED = ("--map", "Work mail=email", "--unknown", "drop")


@pytest.fixture
def leads(here: Path) -> Path:
    return written(here / "list.csv", LEADS)


def test_a_mapping_is_saved_and_found_by_later_runs(prep: Prep, here: Path, leads: Path) -> None:
    ended = prep("headers", "list.csv", *ACCEPTED, "--save")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith(
        "prep.toml: 3 columns added to [map]\n"
        "  'Work mail' = 'email'\n  'Vorname' = 'firstName'\n  'Zzz' = ''\n"
    )
    assert (here / "prep.toml").read_text() == (
        '[map]\n"Work mail" = "email"\n"Vorname" = "firstName"\n"Zzz" = ""\n'
    )
    assert prep("clean", "list.csv").code == 0
    manifest = json.loads((here / "list.prep/manifest.json").read_text())
    assert manifest["settings"]["map"] == {"Work mail": "email", "Vorname": "firstName", "Zzz": ""}
    assert [column["how"] for column in manifest["mapping"]] == ["map", "map", "dropped"]
    assert prep("headers", "list.csv", "--save", "--json").json["saved"] == {}
    assert prep("clean", "list.csv", "--map", "Vorname=lastName").error == (
        1,
        "Error: list.prep: was made with --map "
        '"Work mail=email", "Vorname=firstName", "Zzz=", '
        'now "Work mail=email", "Vorname=lastName", "Zzz="\n'
        "Hint: Choose another folder with -o DIR, or remove this one if it is not needed.\n",
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[map]\n"Work mail" = "email"\n"Vorname" = "firstName"\n"Zzz" = ""\n'),
        (
            '# ours\nkeep = "first"  # as agreed\n',
            '# ours\nkeep = "first"  # as agreed\n\n'
            '[map]\n"Work mail" = "email"\n"Vorname" = "firstName"\n"Zzz" = ""\n',
        ),
        (
            '[map]  # by Ana\n# mail\n"Work mail" = "email"\n\n# constants\n[set]\ncountry = "ES"\n',
            '[map]  # by Ana\n# mail\n"Work mail" = "email"\n"Vorname" = "firstName"\n"Zzz" = ""\n'
            '\n# constants\n[set]\ncountry = "ES"\n',
        ),
        (
            '[map]\r\nOther = "title"\r\n',
            '[map]\r\nOther = "title"\r\n"Work mail" = "email"\r\n"Vorname" = "firstName"\r\n"Zzz" = ""\r\n',
        ),
    ],
)
def test_what_stands_in_prep_toml_stays(prep: Prep, here: Path, leads: Path, before: str, after: str) -> None:
    (here / "prep.toml").write_bytes(before.encode())
    (here / "prep.toml").chmod(0o640)

    assert prep("headers", "list.csv", *ACCEPTED, "--save").code == 0

    assert (here / "prep.toml").read_bytes().decode() == after
    assert (here / "prep.toml").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("before", "decided", "message"),
    [
        ("", False, "list.csv: 'Work mail' is not a field"),
        ('[map]\n"Work mail" = "title"\n', True, "prep.toml: maps 'Work mail' to another field"),
        ('map = {"Other" = "title"}\n', True, "prep.toml: its table map cannot be added to"),
        ('map.Other = "title"\n', True, "prep.toml: its table map cannot be added to"),
    ],
)
def test_what_is_not_saved(prep: Prep, leads: Path, before: str, message: str, *, decided: bool) -> None:
    settings = written(leads.parent / "prep.toml", before)

    ended = prep("headers", "list.csv", *(ACCEPTED if decided else ()), "--save")

    assert ended.code == 1
    assert ended.err.startswith(f"Error: {message}")
    assert settings.read_text() == before


def test_a_saved_mapping_counts_for_the_columns_that_are_there(prep: Prep, here: Path, leads: Path) -> None:
    written(
        here / "saved.toml", '[map]\n"Work mail" = "email"\nGone = "title"\nZzz = ""\nLost = "no field"\n'
    )
    note = "columns of the saved mapping that are not here: 'Gone', 'Lost'"

    checked = prep("check", "list.csv", "--mapping", "saved.toml", "--json").json
    assert checked["counts"]["ready"] == 1
    assert checked["sources"][0]["notes"] == [note]
    assert f"note: {note}\n" in prep("headers", "list.csv", "--mapping", "saved.toml").out
    assert prep("clean", "list.csv", "--mapping", "saved.toml").code == 0
    manifest = json.loads((here / "list.prep/manifest.json").read_text())
    assert manifest["settings"]["map"] == {"Work mail": "email", "Zzz": ""}
    assert prep("resume", "list.prep").code == 0
    assert prep("clean", "list.csv", *ACCEPTED[:2], "--map", "Zzz=").code == 0
    assert prep("check", "list.csv", *ACCEPTED, "--map", "Gone=title").error == (
        1,
        "Error: --map: no source has a column 'Gone'\nHint: Columns: 'Work mail', 'Vorname', 'Zzz'.\n",
    )


def test_what_is_nearer_decides_a_column(prep: Prep, here: Path, leads: Path) -> None:
    written(here / "prep.toml", '[map]\n"Work mail" = "email"\nVorname = "title"\nZzz = ""\n')
    written(here / "saved.toml", '[map]\nVorname = "lastName"\n')

    def first_name(*options: str) -> str:
        mapping: list[dict[str, str]] = prep("headers", "list.csv", *options, "--json").json["mapping"]
        return mapping[1]["field"]

    assert first_name() == "title"
    assert first_name("--mapping", "saved.toml") == "lastName"
    assert first_name("--mapping", "saved.toml", "--map", "Vorname=firstName") == "firstName"
    written(here / "prep.toml", 'mapping = "saved.toml"\n' + (here / "prep.toml").read_text())
    assert first_name() == "title"


def test_what_is_nearer_decides_a_column_also_under_another_spelling(
    prep: Prep, here: Path, leads: Path
) -> None:
    written(here / "prep.toml", '[map]\n"Work mail" = "email"\nVorname = "title"\nZzz = ""\n')
    written(here / "saved.toml", '[map]\nvorname = "lastName"\n')

    def fields(*options: str) -> list[str | None]:
        mapping: list[dict[str, str | None]] = prep("headers", "list.csv", *options, "--json").json["mapping"]
        return [column["field"] for column in mapping]

    assert fields() == ["email", "title", None]
    assert fields("--map", "VORNAME=firstName") == ["email", "firstName", None]
    assert fields("--map", "VORNAME=") == ["email", None, None]
    assert fields("--mapping", "saved.toml") == ["email", "lastName", None]
    assert fields("--mapping", "saved.toml", "--map", "VORNAME=city") == ["email", "city", None]
    written(leads, "Work mail;Vorname;vorname;Zzz\nada@example.com;Ada;A.;1\n")
    assert fields("--map", "vorname=city") == ["email", "title", "city", None]
    assert fields("--mapping", "saved.toml", "--map", "Vorname=city") == ["email", "city", "lastName", None]


def test_a_retry_maps_a_column_also_under_another_spelling(prep: Prep, here: Path, leads: Path) -> None:
    written(leads, "Work mail;Job;Zzz\nada@example;Clerk;1\nbo@example.com;Cook;2\n")
    assert prep("clean", "list.csv", *ACCEPTED, "--map", "Job=title").code == 3
    table = here / "list.prep/rejected.csv"
    table.write_text(table.read_text("utf-8-sig").replace("ada@example;", "ada@example.com;"))

    assert prep("retry", "list.prep", "--map", "job=").code == 0
    assert (here / "list-retry1.prep/chunks/leads-0001.csv").read_text() == "email\nada@example.com\n"


def test_no_header_and_a_line_for_it(
    prep: Prep, here: Path, leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = "Error: --no-header and --header-line exclude each other: leave one out\n"
    ended = prep("check", "list.csv", "--no-header", "--header-line", "1")
    assert (ended.code, ended.err.startswith(refused)) == (2, True)
    written(here / "prep.toml", "no_header = true\n")
    assert prep("headers", "list.csv", "--header-line", "1", *ACCEPTED).code == 0
    written(here / "prep.toml", "header_line = 2\n")
    ended = prep("headers", "list.csv", "--no-header", "--map", "1=email", "--unknown", "drop", "--json")
    assert ended.json["sources"][0]["header_line"] == 0
    monkeypatch.setenv("PREP_HEADER_LINE", "1")
    ended = prep("headers", "list.csv", "--no-header", "--map", "1=email", "--unknown", "drop", "--json")
    assert ended.json["sources"][0]["header_line"] == 0
    monkeypatch.delenv("PREP_HEADER_LINE")
    written(here / "prep.toml", "no_header = true\nheader_line = 2\n")
    ended = prep("check", "list.csv")
    assert (ended.code, ended.err.startswith(refused.replace(": ", ": prep.toml: ", 1))) == (1, True)
    assert prep("headers", "list.csv", "--header-line", "1", *ACCEPTED).code == 0


def test_a_constant_that_imports_cannot_write_is_to_be_left_out(prep: Prep, here: Path) -> None:
    (here / "list.csv").write_text("email,Zzz\nada@example.com,1\n")

    assert prep("check", "list.csv", "--set", "id=4", "--unknown", "drop").error == (
        1,
        "Error: list.csv: '--set id' maps to 'id', which imports cannot write\nHint: Leave out --set id=….\n",
    )
    assert prep("check", "list.csv", "--set", "id=4").error == (
        1,
        "Error: list.csv: '--set id' maps to 'id', which imports cannot write; "
        "'Zzz' is not a field of the schema\n"
        "Hint: Leave out --set id=…. "
        'Map it with --map "Zzz=FIELD" or leave unknown columns out with --unknown drop.\n',
    )
