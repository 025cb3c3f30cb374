"""Preview, import, way back: afterwards the instance holds, field by field, what it held before."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import prep
from prep.sandbox import Fault, FaultKind, Sandbox
from prep.sandbox.faults import Place
from tests.depth import examples

from .conftest import POLL, Start, cleaned, client_of, kept

ROWS = [
    ["email", "firstName", "company", "leadScore", "urgency", "unsubscribed", "dateOfBirth",
     "lastReferredVisit"],
    ["ADA.winter@example.com", "Ada", "Winter, Clocks", "13", "1.50", "yes", "1990-02-01",
     "2024-01-01T01:00:00+01:00"],
    ["new@example.com", "New", "", "1", "", "", "", ""],
    ["shared.mailbox@example.com", "Gus", "Lind", "", "", "no", "", ""],
    ["fay.moss@example.com", "", "", "", "", "", "", ""],
    ["bruno.salas@example.org", "Bruno", "Salas y Hijos", "", "", "", "", ""],
]  # fmt: skip


def there_and_back(sandbox: Sandbox, run: prep.Run) -> tuple[dict[str, Any], prep.Run | None]:
    """Preview a run, send it and send its way back; nobody who was there may differ then."""
    client = client_of(sandbox)
    before = kept(sandbox)
    preview: dict[str, Any] = prep.preview(run, client).report["preview"]
    assert kept(sandbox) == before
    prep.submit(run, client, poll_seconds=POLL)
    back = None
    if preview["restore"]:
        back = prep.submit(run.path / "restore", client, poll_seconds=POLL)
        assert back.counts["imported"] == back.counts["read"] == preview["restore"]["people"]
        assert back.report["exit_code"] == 0
    assert kept(sandbox, list(before)) == before
    return preview, back


@pytest.mark.parametrize(
    ("blank_cell", "several_matches", "file_format"), [("clear", "newest", "csv"), ("keep", "fail", "ssv")]
)
def test_everything_that_an_import_changes_comes_back(
    tmp_path: Path, start: Start, blank_cell: str, several_matches: str, file_format: str
) -> None:
    sandbox = start(behaviour={"blank_cell": blank_cell, "several_matches": several_matches})
    sandbox.add_lead(
        email="Gwen@example.com", company='a;"b",\nc', leadScore="7", lastReferredVisit="2024-01-01T00:00:00Z"
    )
    rows = [*ROWS, ["gwen@EXAMPLE.com", "", "", "7.0", "", "", "", "2024-01-01T00:00:00.5Z"]]
    run = cleaned(tmp_path, rows, allow_protected=["unsubscribed"], format=file_format)

    preview, _ = there_and_back(sandbox, run)

    assert {name: count for name, count in preview["counts"].items() if count} == {
        "created": 1,
        "updated": 3,
        "unchanged": 1,
        "several": 1,
    }
    assert {field.pop("field"): [*field.values()] for field in preview["fields"]} == {
        # changed, filled, cleared, blank over a value, protected
        "email": [3, 0, 0, 0, False],
        "firstName": [0, 0, 0, 1, False],
        "company": [1, 0, 0, 1, False],
        "leadScore": [1, 0, 0, 0, False],
        "urgency": [0, 1, 0, 0, False],
        "unsubscribed": [0, 1, 0, 0, True],
        "dateOfBirth": [0, 1, 0, 0, False],
        "lastReferredVisit": [0, 1, 0, 0, False],
    }
    assert len(sandbox.leads()) == 8  # who was created stays


@pytest.mark.parametrize(("blanks", "clear"), [("omit", ["company"]), ("null", ["company"]), ("send", [])])
def test_blanks_and_orders_to_clear_come_back(
    tmp_path: Path, sandbox: Sandbox, blanks: str, clear: list[str]
) -> None:
    company = "NULL" if clear else "Winter"
    rows = [
        ["email", "company", "lastName"],
        ["ada.winter@example.com", company, ""],
        ["bruno.salas@example.org", "", "Salas"],
    ]
    run = cleaned(tmp_path, rows, blanks=blanks, clear=clear)

    preview, _ = there_and_back(sandbox, run)

    found = {
        field["field"]: (field["changed"], field["cleared"], field["blank"]) for field in preview["fields"]
    }
    assert (
        found
        == {
            "omit": {"company": (0, 1, 0)},
            "null": {"company": (0, 2, 0)},
            "send": {"company": (1, 0, 1), "lastName": (0, 0, 1)},
        }[blanks]
    )


def test_constants_are_compared_like_columns(tmp_path: Path, sandbox: Sandbox) -> None:
    rows = [["email"], ["ada.winter@example.com"], ["chidi.obi@example.net"]]
    run = cleaned(tmp_path, rows, constants={"country": "Austria", "unsubscribed": "false"})

    preview, _ = there_and_back(sandbox, run)

    assert [(f["field"], f["changed"], f["filled"], f["is_protected"]) for f in preview["fields"]] == [
        ("country", 0, 1, False),
        ("unsubscribed", 1, 1, True),
    ]


@pytest.fixture
def event_schema(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(
        'extends = "lead"\n[fields.eventCode]\ntype = "string"\n[fields.loyaltyPoints]\ntype = "integer"\n'
    )
    return path


@pytest.mark.parametrize("lookup_field", ["id", "eventCode", "loyaltyPoints"])
def test_people_are_found_by_any_lookup_field(
    tmp_path: Path, sandbox: Sandbox, event_schema: Path, lookup_field: str
) -> None:
    sandbox.add_lead(email="x@example.com", eventCode="FAIR-02", loyaltyPoints="9")
    keys = {"id": ("1006", "77"), "eventCode": ("FAIR-02", "FAIR-03"), "loyaltyPoints": ("9", "10")}
    known, unknown = keys[lookup_field]
    run = cleaned(
        tmp_path,
        [[lookup_field, "city"], [known, "Graz"], [unknown, "Linz"]],
        lookup_field=lookup_field,
        schema=event_schema,
    )

    preview, back = there_and_back(sandbox, run)

    found = "not_found" if lookup_field == "id" else "created"
    assert {name: count for name, count in preview["counts"].items() if count} == {"updated": 1, found: 1}
    assert back is not None
    assert back.rows["key"].to_list() == ["1006"]


def test_a_key_that_differs_in_capitals_only_is_unclear_and_covered(
    tmp_path: Path, sandbox: Sandbox, event_schema: Path
) -> None:
    rows = [
        ["eventCode", "city", "title"],
        ["fair-01", "Graz", ""],
        ["FAIR-01", "", "b"],
        ["FAIR-9", "Linz", "c"],
    ]
    run = cleaned(tmp_path, rows, lookup_field="eventCode", schema=event_schema)
    answers = prep.Marketo.people

    def in_any_case(self: prep.Marketo, lookup_field: str, keys: list[str], fields: list[str]) -> Any:
        return answers(self, lookup_field, [key.upper() for key in keys], fields)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prep.Marketo, "people", in_any_case)
        preview, back = there_and_back(sandbox, run)

    assert {name: count for name, count in preview["counts"].items() if count} == {
        "created": 1,
        "updated": 1,
        "unclear": 1,
    }
    assert back is not None
    assert back.counts["read"] == 1  # found for two rows, put back once


def test_text_that_reads_like_an_order_is_counted_and_left_alone(tmp_path: Path, start: Start) -> None:
    sandbox = start()
    sandbox.add_lead(email="n@example.com", company="NULL", city="Graz")
    run = cleaned(tmp_path, [["email", "company", "city"], ["n@example.com", "Novak", "Linz"]])

    report = prep.preview(run, client_of(sandbox)).report["preview"]

    assert report["not_restorable"] == [{"field": "company", "cells": 1}]
    assert (run.path / "restore/chunks/leads-0001.csv").read_text() == "id,city\n1006,Graz\n"


def test_too_many_kinds_of_people_go_back_in_one_kind(tmp_path: Path, sandbox: Sandbox) -> None:
    names = ["firstName", "lastName", "company", "city", "title", "country"]
    rows = [["email", *names]]
    for number in range(64):
        sandbox.add_lead(email=f"p{number}@example.com", **dict.fromkeys(names, "old"), phone=str(number))
        cells = ["new" if number >> place & 1 else "old" for place in range(6)]
        rows.append([f"p{number}@example.com", *cells])
    run = cleaned(tmp_path, rows)

    preview, _ = there_and_back(sandbox, run)

    assert preview["restore"] == {"people": 63, "files": 1, "fields": names}


def test_a_way_back_has_a_way_back(tmp_path: Path, sandbox: Sandbox) -> None:
    run = cleaned(tmp_path, ROWS)
    client = client_of(sandbox)
    prep.preview(run, client)
    prep.submit(run, client, poll_seconds=POLL)
    imported = kept(sandbox)
    prep.preview(run.path / "restore", client)
    prep.submit(run.path / "restore", client, poll_seconds=POLL)
    prep.submit(run.path / "restore/restore", client, poll_seconds=POLL)
    assert kept(sandbox) == imported


def test_a_role_that_may_not_ask_for_fields_previews_by_the_schema(tmp_path: Path, start: Start) -> None:
    sandbox = start(faults=[Fault(kind=FaultKind.ACCESS_DENIED, place=Place.OTHER, times=2)])
    run = cleaned(tmp_path, ROWS)
    client, before = client_of(sandbox), kept(sandbox)
    told: list[Any] = []
    prep.preview(run, client, on_ready=lambda *found: told.extend(found))
    estimate, (finding,) = told
    assert isinstance(estimate, prep.Estimate)
    assert estimate.sentence == "about 1 API call, at least 0 s"
    assert finding.code == "not_checked"
    prep.submit(run, client, poll_seconds=POLL)
    prep.submit(run.path / "restore", client, poll_seconds=POLL)
    assert kept(sandbox, list(before)) == before


TEXTS = st.sampled_from(["", "Ada", "ada", "O'Neil", 'a "b", c', "a; b\nc", "=1+1", "ñandú 東", "null", "0"])
MOMENTS = st.sampled_from(["", "2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00", "2024-05-05T10:00:00Z"])
FIELDS = {
    "firstName": TEXTS,
    "company": TEXTS,
    "leadScore": st.integers(-3, 3).map(str) | st.just(""),
    "annualRevenue": st.sampled_from(["", "1", "1.5", "1000000", "0.1"]),
    "optIn": st.sampled_from(["", "true", "false"]),
    "lastReferredVisit": MOMENTS,
}
KEYS = st.sampled_from(
    [f"p{number}@example.com" for number in range(6)] + ["P0@example.com", "P1@Example.com"]
)
PEOPLE = st.lists(st.fixed_dictionaries({"email": KEYS, **FIELDS}), max_size=8)
NAMES = ["email", *FIELDS]


@settings(
    max_examples=examples(24),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(
    people=PEOPLE,
    rows=PEOPLE.filter(len),
    behaviour=st.fixed_dictionaries(
        {
            "blank_cell": st.sampled_from(["clear", "keep"]),
            "several_matches": st.sampled_from(["fail", "newest"]),
        }
    ),
    blanks=st.sampled_from(["send", "omit", "null"]),
)
def test_whatever_is_imported_everybody_who_was_there_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    start: Start,
    *,
    people: list[dict[str, str]],
    rows: list[dict[str, str]],
    behaviour: dict[str, str],
    blanks: str,
) -> None:
    sandbox = start(behaviour=behaviour)
    sandbox.add_field("optIn", data_type="boolean")
    for person in people:
        sandbox.add_lead(**{name: value or None for name, value in person.items()})
    folder = tmp_path_factory.mktemp("run")
    schema = folder / "mine.toml"
    schema.write_text('extends = "lead"\n[fields.optIn]\ntype = "boolean"\n', encoding="utf-8")
    source = folder / "leads.ndjson"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    run = prep.clean(source, folder / "leads.prep", schema=schema, blanks=blanks, clear=["company"])

    preview, _ = there_and_back(sandbox, run)

    assert sum(preview["counts"].values()) == run.counts["imported"] + run.counts["failed"]
    created = len(sandbox.leads()) - len(people) - 6
    assert created == preview["counts"]["created"]
    sandbox.stop()
