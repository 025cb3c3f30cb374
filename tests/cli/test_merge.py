"""`--merge`: rows of several files become one, field by field."""

import json
from pathlib import Path

import pytest

from .conftest import Prep, names, written

CRM = (
    "email,firstName,company,phone,title,updatedAt\n"
    "ana@example.com,Ana,Winter Clocks,,Buyer,2026-03-01T00:00:00Z\n"
    "bo@example.org,,Hat Works,+34 910 000 001,,\n"
)
FAIR = (
    "Email,Company,Phone,Job Title,updatedAt,City\n"
    "ANA@example.com,Winter,+34 910 000 000 ext. 7,Head of Buying,2026-02-01T00:00:00Z,Oslo\n"
    "ana@example.com,Winter,+34 910 000 000,Intern,,\n"
    "bo@example.org,,,Hatter,2026-01-01T00:00:00Z,\n"
    "cy@example.net,Solo,,,,\n"
)
RULES = (
    *("--merge", "phone=longest"),
    *("--merge", "company=source:crm.csv"),
    *("--merge", "title=newest:updatedAt"),
)


@pytest.fixture
def files(here: Path) -> list[str]:
    written(here / "crm.csv", CRM)
    written(here / "fair.csv", FAIR)
    return ["crm.csv", "fair.csv"]


def test_a_row_of_one_file_completes_a_row_of_another(prep: Prep, here: Path, files: list[str]) -> None:
    ended = prep("clean", *files, "--keep", "merge", *RULES, "-o", "both.prep")

    assert ended.code == 0
    assert ended.out.split("\n\n")[2].splitlines() == [
        "Tables",
        "  both.prep/duplicates.csv  every row that lost, with the row that it lost to",
        "  both.prep/merged.csv      every value that did not get into a merged row",
    ]
    page = (here / "both.prep/report.html").read_text("utf-8")
    assert page.count("every value that did not get into a merged row") == 1
    assert (here / "both.prep/chunks/leads-0001.csv").read_text() == (
        "email,firstName,company,phone,title,city\n"
        "ana@example.com,Ana,Winter Clocks,+34 910 000 000 ext. 7,Buyer,Oslo\n"
        "bo@example.org,,Hat Works,+34 910 000 001,Hatter,\n"
        "cy@example.net,,Solo,,,\n"
    )
    assert (here / "both.prep/merged.csv").read_text(encoding="utf-8-sig") == (
        "field,value,_source,_row,_kept_source,_kept_row\n"
        "email,ANA@example.com,fair.csv,1,fair.csv,2\n"
        "company,Winter,fair.csv,1,fair.csv,2\n"
        "title,Head of Buying,fair.csv,1,fair.csv,2\n"
        "company,Winter,fair.csv,2,fair.csv,2\n"
        "phone,+34 910 000 000,fair.csv,2,fair.csv,2\n"
        "title,Intern,fair.csv,2,fair.csv,2\n"
    )


def test_without_rules_the_latest_value_stays(prep: Prep, here: Path, files: list[str]) -> None:
    assert prep("clean", *files, "--keep", "merge", "--map", "updatedAt=", "-o", "both.prep").code == 0

    lines = (here / "both.prep/chunks/leads-0001.csv").read_text().splitlines()
    assert lines[1] == "ana@example.com,Ana,Winter,+34 910 000 000,Intern,Oslo"
    assert lines[2] == "bo@example.org,,Hat Works,+34 910 000 001,Hatter,"


def test_rules_of_prep_toml_count_are_recorded_and_dates_are_not_sent(
    prep: Prep, here: Path, files: list[str]
) -> None:
    rules = 'phone = "longest"\n"*" = "newest:updatedAt"\n'
    written(here / "prep.toml", f'keep = "merge"\n[merge]\n{rules}')

    assert prep("clean", *files).code == 0
    recorded = json.loads((here / "crm.prep/manifest.json").read_text())["settings"]
    assert recorded["merge"] == {"phone": "longest", "*": "newest:updatedAt"}
    assert (here / "crm.prep/chunks/leads-0001.csv").read_text().splitlines()[1] == (
        "ana@example.com,Ana,Winter Clocks,+34 910 000 000 ext. 7,Buyer,Oslo"
    )
    other = ("--merge", "phone=first", "--merge", "*=newest:updatedAt")
    assert prep("clean", *files, *other).error == (
        1,
        'Error: crm.prep: was made with --merge "phone=longest", "*=newest:updatedAt", '
        'now "phone=first", "*=newest:updatedAt"\n'
        "Hint: Choose another folder with -o DIR, or remove this one if it is not needed.\n",
    )
    assert prep("clean", *files, "--keep", "newest:updatedAt", "-o", "newest.prep").code == 0
    assert (here / "newest.prep/chunks/leads-0001.csv").read_text().splitlines()[:2] == [
        "email,firstName,company,phone,title,city",
        "ana@example.com,Ana,Winter Clocks,,Buyer,",
    ]


def test_a_retry_merges_by_the_same_rules(prep: Prep, here: Path, files: list[str]) -> None:
    written(here / "crm.csv", "email,company,phone\ncy@,Sole,+34 910 000 009 ext. 1\n")
    written(here / "fair.csv", "email,company,phone\ncy@@example.net,Soloist,+34 910 000 009\n")
    merging = ("--keep", "merge", "--merge", "phone=longest", "--merge", "company=source:crm.csv")
    assert prep("clean", *files, *merging, "-o", "both.prep").code == 3
    rejected = here / "both.prep/rejected.csv"
    rejected.write_text(
        rejected.read_text(encoding="utf-8-sig")
        .replace("cy@,", "cy@example.net,")
        .replace("cy@@example.net", "cy@example.net"),
        encoding="utf-8-sig",
    )

    assert prep("retry", "both.prep", "--sandbox").code == 0

    assert (here / "both-retry1.prep/chunks/leads-0001.csv").read_text() == (
        "email,company,phone\ncy@example.net,Sole,+34 910 000 009 ext. 1\n"
    )


@pytest.mark.parametrize(
    ("options", "ended"),
    [
        (
            ["--merge", "phone=longest"],
            (
                1,
                "Error: --merge says how rows merge, but --keep is last\n"
                "Hint: Add --keep merge, or leave --merge out.\n",
            ),
        ),
        (
            ["--keep", "merge", "--merge", "phone=shortest"],
            (
                2,
                "Error: --merge does not know 'shortest'\n"
                "Hint: It takes last, first, longest, most-frequent, newest:FIELD or source:FILE.\n",
            ),
        ),
        (
            ["--keep", "merge", "--merge", "phone"],
            (
                2,
                "Error: --merge 'phone' is not of the form FIELD=RULE\n"
                "Hint: Such as --merge phone=longest.\n",
            ),
        ),
        (
            ["--keep", "merge", "--merge", "phones=longest"],
            (1, "Error: --merge: 'phones' is not a field of schema 'lead'\nHint: Did you mean phone?\n"),
        ),
        (
            ["--keep", "merge", "--merge", "phone=newest:title"],
            (
                1,
                "Error: --merge phone: no source has a date column that maps to 'title'\n"
                "Hint: Date columns here: none.\n",
            ),
        ),
        (
            ["--keep", "merge", "--merge", "phone=source:CRM"],
            (1, "Error: --merge phone: no source is called 'CRM'\nHint: Sources here: crm.csv, fair.csv.\n"),
        ),
    ],
)
def test_rules_that_cannot_be_followed(
    prep: Prep, here: Path, files: list[str], options: list[str], ended: tuple[int, str]
) -> None:
    assert prep("clean", *files, *options, "--map", "updatedAt=").error == ended
    assert names(here) == files


def test_a_table_of_merged_values_is_named_only_where_rows_were_merged(
    prep: Prep, here: Path, files: list[str]
) -> None:
    written(here / "one.csv", "email\nana@example.com\n")
    alone = prep("clean", "one.csv", "--keep", "merge")
    last = prep("clean", *files, "--map", "updatedAt=", "-o", "last.prep")

    assert (alone.code, "merged.csv" in alone.out) == (0, False)
    assert (last.code, "duplicates.csv" in last.out, "merged.csv" in last.out) == (0, True, False)
    assert names(here / "last.prep").count("merged.csv") == 0
