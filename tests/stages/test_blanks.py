"""Blank cells: what is sent of them, and that what Marketo has survives them."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from prep import blanks, preparation
from prep.config import CleanOptions
from prep.errors import FolderError, SettingsError
from prep.marketo import Marketo
from prep.memory import Memory
from prep.model import Format
from prep.pipeline import Run, clean, prepare, purge, reconcile, retry, submit
from prep.sandbox import Behaviour, Sandbox

POLL = (0.02, 0.1)
FULL = (
    "email,firstName,title,phone,numberOfEmployees\n"
    "ana@example.com,Ana,CEO,1,10\n"
    "bo@example.com,Bo,Buyer,2,20\n"
    "cy@example.com,Cy,Clerk,3,30\n"
    "di@example.com,Di,Driver,4,40\n"
    "eva@example.com,Eva,Editor,5,50\n"
)
GAPS = (
    "email,firstName,title,phone,numberOfEmployees\n"
    "ana@example.com,Anna,,,\n"
    "bo@example.com,,Head,,n/a\n"
    "cy@example.com,NULL,,null,\n"
    "nobody,No,,,\n"
    "di@example.com,Diana,,,\n"
    "eva@example.com,,,,3000000000\n"
    "BO@example.com,,,22,\n"
)


@pytest.fixture(autouse=True)
def leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("leads.csv")
    path.write_text(GAPS)
    return path


@contextmanager
def marketo(**behaviour: Any) -> Iterator[tuple[Sandbox, Marketo]]:
    """A Marketo that has every person of `FULL` with every field, and clears a field for a blank cell."""
    switches = Behaviour(window_calls=10_000, **behaviour)
    with Sandbox(job_seconds=0, behaviour=switches) as sandbox:
        for person in csv.DictReader(FULL.splitlines()):
            sandbox.add_lead(**person)
        with Marketo(sandbox.url, "id", "secret") as client:
            yield sandbox, client


def people(sandbox: Sandbox) -> dict[str, dict[str, str | None]]:
    names = ("firstName", "title", "phone", "numberOfEmployees")
    return {
        email: {name: lead.get(name) for name in names}
        for lead in sandbox.leads()
        if (email := str(lead["email"]).lower()) in FULL
    }


def chunks(run: Run) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(run.folder.chunks.iterdir())}


def test_rows_that_fill_the_same_columns_are_sent_together_without_the_others(leads: Path) -> None:
    run = clean(leads, blanks="omit")
    assert chunks(run) == {
        "leads-0001.csv": "email,firstName\nana@example.com,Anna\ndi@example.com,Diana\n",
        "leads-0002.csv": "email\ncy@example.com\n",
        "leads-0003.csv": "email,numberOfEmployees\neva@example.com,3000000000\n",
        "leads-0004.csv": "email,phone\nBO@example.com,22\n",
    }
    assert run.rows.select("row", "fate", "chunk").rows() == [
        (1, "ready", "chunks/leads-0001.csv"),
        (2, "duplicate", None),
        (3, "ready", "chunks/leads-0002.csv"),
        (4, "rejected", None),
        (5, "ready", "chunks/leads-0001.csv"),
        (6, "ready", "chunks/leads-0003.csv"),
        (7, "ready", "chunks/leads-0004.csv"),
    ]
    assert run.report["blanks"] == "omit"
    again = clean(leads, "again.prep", blanks="omit")
    assert chunks(again) == chunks(run)


@pytest.mark.parametrize("blank_cell", ["clear", "keep"])
def test_not_one_value_changes_because_of_a_blank(leads: Path, blank_cell: str) -> None:
    with marketo(blank_cell=blank_cell) as (sandbox, client):
        before = people(sandbox)
        run = submit(clean(leads, blanks="omit"), client, poll_seconds=POLL)
        after = people(sandbox)
    assert dict(run.rows.select("row", "fate").rows()) == {
        1: "imported",
        2: "duplicate",
        3: "imported",
        4: "rejected",
        5: "imported",
        6: "failed",
        7: "imported",
    }
    changes = {
        (email, name): value
        for email, fields in after.items()
        for name, value in fields.items()
        if before[email][name] != value
    }
    assert changes == {
        ("ana@example.com", "firstName"): "Anna",
        ("bo@example.com", "phone"): "22",
        ("di@example.com", "firstName"): "Diana",
    }


def test_blanks_that_are_sent_are_counted_because_they_may_clear(leads: Path) -> None:
    with marketo() as (sandbox, client):
        run = submit(clean(leads), client, poll_seconds=POLL)
        after = people(sandbox)
    assert after["ana@example.com"] == {
        "firstName": "Anna",
        "title": None,
        "phone": None,
        "numberOfEmployees": None,
    }
    assert run.report["blanks"] == "send"
    assert run.report["blank_cells"] == [
        {"field": "title", "cells": 5},
        {"field": "numberOfEmployees", "cells": 4},
        {"field": "phone", "cells": 4},
        {"field": "firstName", "cells": 3},
    ]


def test_null_clears_the_fields_that_are_named_and_leaves_the_others(leads: Path) -> None:
    with marketo() as (sandbox, client):
        run = submit(clean(leads, blanks="null", clear=["title"]), client, poll_seconds=POLL)
        after = people(sandbox)
    assert run.report["cleared_cells"] == [{"field": "title", "cells": 5}]
    assert after == {
        "ana@example.com": {"firstName": "Anna", "title": None, "phone": "1", "numberOfEmployees": "10"},
        "bo@example.com": {"firstName": "Bo", "title": None, "phone": "22", "numberOfEmployees": "20"},
        "cy@example.com": {"firstName": "Cy", "title": None, "phone": "3", "numberOfEmployees": "30"},
        "di@example.com": {"firstName": "Diana", "title": None, "phone": "4", "numberOfEmployees": "40"},
        "eva@example.com": {"firstName": "Eva", "title": "Editor", "phone": "5", "numberOfEmployees": "50"},
    }


def test_a_cell_null_is_an_order_only_where_clear_says_so(leads: Path) -> None:
    leads.write_text(
        "email,firstName,title,numberOfEmployees\n"
        "ana@example.com,NULL,NULL, NULL \n"
        "bo@example.com,Null,null,NULL\n"
        "cy@example.com,Cy,,x\n"
    )
    with marketo() as (sandbox, client):
        run = submit(clean(leads, blanks="omit", clear=["numberOfEmployees"]), client, poll_seconds=POLL)
        after = people(sandbox)
    assert chunks(run) == {
        "leads-0001.csv": "email,numberOfEmployees\nana@example.com,NULL\n",
        "leads-0002.csv": "email,firstName,numberOfEmployees\nbo@example.com,Null,NULL\n",
    }
    assert [(reason["field"], reason["code"], reason["rows"]) for reason in run.report["reasons"]] == [
        ("numberOfEmployees", "not_integer", 1)
    ]
    assert [tuple(change.values()) for change in run.report["changes"]] == [
        ("firstName", "null", 1),
        ("title", "null", 2),
    ]
    assert [(lead["firstName"], lead["numberOfEmployees"]) for lead in list(after.values())[:2]] == [
        ("Ana", None),
        ("Null", None),
    ]
    assert prepare(leads, clear=["numberOfEmployees"]).ready["numberOfEmployees"].to_list() == ["NULL"] * 2


def test_groups_are_counted_after_merging(leads: Path) -> None:
    leads.write_text("email,title,phone\nana@example.com,CEO,\nana@example.com,,1\nbo@example.com,Boss,2\n")
    run = clean(leads, blanks="omit", keep="merge")
    assert chunks(run) == {
        "leads-0001.csv": "email,title,phone\nana@example.com,CEO,1\nbo@example.com,Boss,2\n"
    }


def test_an_order_to_clear_is_never_the_longest_value(leads: Path) -> None:
    leads.write_text(
        "email,city,title\nana@example.com,Rom,\nana@example.com,NULL,CEO\nana@example.com,,NULL\n"
    )
    options = {"clear": ["city", "title"], "keep": "merge"}
    longest = clean(leads, "longest.prep", merge={"*": "longest"}, **options)  # type: ignore[arg-type]  # any
    assert chunks(longest) == {"leads-0001.csv": "email,city,title\nana@example.com,Rom,CEO\n"}
    latest = clean(leads, "latest.prep", **options)  # type: ignore[arg-type]
    assert chunks(latest) == {"leads-0001.csv": "email,city,title\nana@example.com,NULL,NULL\n"}


def write_patterns(path: Path, columns: int) -> None:
    """Every way to fill so many columns, after one that is always filled, once in three rows."""
    names = ["title", "phone", "city", "country", "company", "department", "rating"][:columns]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "First Name", *names])
        for number, bits in enumerate(product([True, False], repeat=columns)):
            cells = [name if is_filled else "" for name, is_filled in zip(names, bits, strict=True)]
            for copy in range(3):
                writer.writerow([f"p{number}.{copy}@example.com", "Ana", *cells])


@pytest.mark.parametrize("keep", ["first", "merge"])
def test_groups_that_are_made_by_and_by_are_the_same(
    leads: Path, keep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_patterns(leads, 3)
    with leads.open("a") as file:
        file.writelines(f"P{number}.1@example.com,,CEO,,Lyon\n" for number in range(0, 8, 2))
    whole = clean(leads, "whole.prep", blanks="omit", keep=keep)
    monkeypatch.setattr(Memory, "rows", lambda *_: 2)
    monkeypatch.setattr(blanks, "_PORTION_ROWS", 3)
    monkeypatch.setattr(preparation, "_BATCH_CELLS", 10)
    parts = clean(leads, "parts.prep", blanks="omit", keep=keep)
    assert len(chunks(whole)) > 4
    assert (chunks(parts), parts.counts["duplicate"]) == (chunks(whole), 4)
    assert parts.rows.equals(whole.rows)


def test_too_many_groups_are_refused_before_anything_is_written(leads: Path) -> None:
    write_patterns(leads, 6)
    with pytest.raises(SettingsError) as caught:
        clean(leads, blanks="omit")
    assert (caught.value.code, caught.value.message) == (
        "too_many_groups",
        "the rows leave 64 different sets of columns blank, and each set needs uploads of its own; "
        "50 are the most",
    )
    assert caught.value.hint == (
        "Most come from 'title': without them there are 32. Leave them out with --map \"title=\", "
        "or send blank cells as they are with --blanks send."
    )
    assert sorted(path.name for path in Path().iterdir()) == ["leads.csv"]
    assert clean(leads, blanks="omit", maps={"title": ""}).counts["ready"] == 192


@pytest.mark.parametrize("file_format", list(Format))
def test_outcomes_are_joined_to_chunks_with_columns_of_their_own(leads: Path, file_format: Format) -> None:
    """Groups of a few rows, all of which fail; also with a source that is gone."""
    write_patterns(leads, 3)
    with leads.open("a") as file:
        file.writelines(f"bad{number}@example.com,Ana,{'x' * number},,y\n" for number in range(3))
    options: CleanOptions = {
        "blanks": "omit",
        "format": file_format,
        "max_bytes": 1_000,
        "constants": {"numberOfEmployees": "3000000000"},
    }
    with marketo(integer_bits=32) as (_, client):
        run = clean(leads, **options)
        files = chunks(run)
        run = submit(run, client, poll_seconds=POLL)
        assert len(files) >= 8
        assert run.counts["failed"] == run.counts["read"] == 27
        with run.folder.failed.open(encoding="utf-8-sig", newline="") as table:
            told = [(row["_row"], row["email"], row["city"]) for row in csv.DictReader(table)]
        assert told[0] == ("1", "p0.0@example.com", "city")
        assert {row for row, *_ in told} == {str(number) for number in range(1, 28)}
        leads.rename("elsewhere.csv")
        run = reconcile(run, client)
        with run.folder.failed.open(encoding="utf-8-sig", newline="") as table:
            assert {(row["_row"], row["email"], row["city"]) for row in csv.DictReader(table)} == set(told)
        Path("elsewhere.csv").rename(leads)
        second = retry(reconcile(run, client))
        assert second.folder.manifest().settings["blanks"] == "omit"
        assert chunks(second).keys() == files.keys()
        purge(run)
        assert run.report["counts"]["failed"] == 27


def test_a_folder_keeps_how_blanks_are_treated(leads: Path) -> None:
    clean(leads, blanks="null", clear=["title"])
    with pytest.raises(
        FolderError, match=r"with --blanks null, now omit; with --clear title, now without it$"
    ):
        clean(leads, blanks="omit")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"blanks": "null"}, "bad_blanks"),
        ({"blanks": "no"}, "bad_blanks"),
        ({"clear": ["email"]}, "bad_clear"),
        ({"clear": ["company"]}, "bad_clear"),
        ({"clear": ["nope"]}, "bad_clear"),
    ],
)
def test_what_cannot_be_cleared_is_refused(leads: Path, options: CleanOptions, code: str) -> None:
    with pytest.raises(SettingsError) as caught:
        prepare(leads, **options)
    assert caught.value.code == code
