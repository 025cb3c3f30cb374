"""Members of a program and records of custom objects, from the file to the fate of every row."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from prep.folder import RunFolder
from prep.sandbox import Sandbox
from tests.cli.conftest import Ended, Prep

INTO_PROGRAM = ("--object", "program-members", "--program", "1014", "--program-status", "On List")
INTO_CARS = ("--object", "customobjects/car_c", "--schema", "car_c.toml")
INTO_SERVICES = ("--object", "customobjects/service_c", "--schema", "service_c.toml")


def pull(prep: Prep, what: str, file: str) -> None:
    assert prep("schema", "pull", "--object", what, "-o", file).code == 0


def fates(folder: str) -> list[tuple[int, str, str | None]]:
    rows = RunFolder(folder).read_rows().sort("row")
    return list(rows.select("row", "fate", "matched_by").iter_rows())


def report(folder: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(Path(folder, "report.json").read_text())
    assert told["balanced"]
    assert told["counts"]["read"] == sum(count for fate, count in told["counts"].items() if fate != "read")
    return told


def test_members_join_their_program(prep: Prep, marketo: Sandbox, guests: Path) -> None:
    pull(prep, "program-members", "member.toml")
    ended = prep("run", guests, *INTO_PROGRAM, "--schema", "member.toml")
    assert (ended.code, ended.err) == (3, "")
    host = marketo.url.removeprefix("http://")
    assert ended.out.startswith(f"guests.prep: sent to {host}, members of program 1014 (On List); finished\n")
    assert fates("guests.prep") == [
        (1, "duplicate", None),
        (2, "rejected", None),
        (3, "imported", None),
        (4, "failed", "exact"),
        (5, "warned", "exact"),
        (6, "imported", None),
    ]
    (job,) = marketo.jobs()
    assert marketo.upload(job.batch_id).decode() == (
        "email,firstName,company,seats,registrationCode\n"
        "ADA.Winter@example.com,Ada,Winter Clocks,3,R-3\n"
        "shared.mailbox@example.com,Dora,Lind,1,R-4\n"
        "_odd@example.org,Odd,,1,R-5\n"
        "new.guest@example.net,Nora,North,,R-6\n"
    )
    addresses = {int(lead["id"] or 0): lead["email"] for lead in marketo.leads()}
    members = {addresses[lead]: values for lead, values in marketo.program_members(1014).items()}
    assert members == {
        "ADA.Winter@example.com": {"status": "On List", "seats": "3", "registrationCode": "R-3"},
        "_odd@example.org": {"status": "On List", "seats": "1", "registrationCode": "R-5"},
        "new.guest@example.net": {"status": "On List", "seats": None, "registrationCode": "R-6"},
    }
    assert "seats" not in marketo.leads()[0], "it is the member's, not the lead's"
    told = report("guests.prep")
    assert [told[name] for name in ("object", "program_id", "program_status", "lookup_field")] == [
        "program-members",
        1014,
        "On List",
        "email",
    ]
    assert [chunk["file"] for chunk in told["chunks"]] == ["chunks/members-0001.csv"]
    assert [message["code"] for message in told["messages"]] == ["several_leads", "email_doubtful"]
    page = Path("guests.prep/report.html").read_text()
    assert "took 3 of 6 rows as members of program 1014 (On List)." in page
    assert [request.path for request in marketo.requests() if request.path.startswith("/bulk")] == [
        "/bulk/v1/program/1014/members/import.json",
        f"/bulk/v1/program/members/import/{job.batch_id}/status.json",
        f"/bulk/v1/program/members/import/{job.batch_id}/failures.json",
        f"/bulk/v1/program/members/import/{job.batch_id}/warnings.json",
    ]


def test_records_of_a_custom_object(prep: Prep, marketo: Sandbox, cars: Path) -> None:
    marketo.add_lead(email="_odd@example.org")
    pull(prep, "customobjects/car_c", "car_c.toml")
    ended = prep("run", cars, *INTO_CARS)
    assert (ended.code, ended.err) == (3, "")
    assert ", car_c records; finished\n" in ended.out
    assert "failed, link_missing: import what it links to first, or correct the link" in ended.out
    assert fates("cars.prep") == [
        (1, "duplicate", None),
        (2, "imported", None),
        (3, "imported", None),
        (4, "rejected", None),
        (5, "failed", "exact"),
        (6, "rejected", None),
        (7, "warned", "exact"),
    ]
    kept = [
        {name: car[name] for name in ("vin", "email", "year", "price")} for car in marketo.records("car_c")
    ]
    assert kept == [
        {"vin": "wba4r7c55hk895912", "email": "bruno.salas@example.org", "year": "2017", "price": None},
        {"vin": "WBA4R7C55HK895912", "email": "ada.winter@example.com", "year": "2018", "price": "21500.75"},
        {"vin": "VSSZZZ6JZ9R000003", "email": "_odd@example.org", "year": "2021", "price": None},
    ]
    (job,) = marketo.jobs()
    assert [request.path for request in marketo.requests() if request.path.startswith("/bulk")] == [
        "/bulk/v1/customobjects/car_c/import.json",
        f"/bulk/v1/customobjects/car_c/import/{job.batch_id}/status.json",
        f"/bulk/v1/customobjects/car_c/import/{job.batch_id}/failures.json",
        f"/bulk/v1/customobjects/car_c/import/{job.batch_id}/warnings.json",
    ]
    told = report("cars.prep")
    assert (told["object"], told["lookup_field"]) == ("customobjects/car_c", "vin")
    assert {(reason["field"], reason["code"]) for reason in told["reasons"]} == {
        ("vin", "missing_lookup"),
        ("year", "not_integer"),
    }


def test_a_compound_key_identifies_records(prep: Prep, marketo: Sandbox, services: Path) -> None:
    pull(prep, "customobjects/service_c", "service_c.toml")
    ended = prep("run", services, *INTO_SERVICES, "--keep", "merge")
    assert (ended.code, ended.err) == (3, "")
    assert "lost to another row with the same vin,servicedOn" in ended.out
    assert [fate for _, fate, _ in fates("services.prep")] == [
        "duplicate", "imported", "imported", "imported", "rejected",
    ]  # fmt: skip
    kept = [(one["vin"], one["servicedOn"], one["mileage"]) for one in marketo.records("service_c")]
    assert kept == [("A", "2026-01-05", "120"), ("A", "2026-01-06", "130"), ("B", "2026-01-05", "9")]
    keys = pl.read_parquet("services.prep/rows.parquet").sort("row")["key"]
    assert keys[2] == '{"vin":"A","servicedOn":"2026-01-06"}'


@pytest.mark.parametrize("what", ["members", "cars"])
def test_corrected_and_failed_rows_are_tried_again_with_the_same_destination(
    prep: Prep, marketo: Sandbox, guests: Path, cars: Path, what: str
) -> None:
    source, options = (guests, INTO_PROGRAM) if what == "members" else (cars, INTO_CARS)
    kind, schema = ("program-members", "member.toml") if what == "members" else (INTO_CARS[1], INTO_CARS[3])
    pull(prep, kind, schema)
    assert prep("run", source, *options, *([] if what == "cars" else ["--schema", schema])).code == 3
    folder = source.with_suffix(".prep")
    known = RunFolder(folder).manifest()
    before = len(marketo.jobs())
    ended = prep("retry", folder)
    again = RunFolder(f"{folder.with_suffix('')}-retry1.prep").manifest()
    assert ended.code == 3, "what failed fails again"
    assert (again.destination, again.settings["object"]) == (known.destination, known.settings["object"])
    assert len(marketo.jobs()) == before + 1
    assert prep("resume", folder).out.startswith(f"{folder}: sent to")
    assert prep("reconcile", folder).code == 3
    (status,) = prep("status", folder, "--json").json["runs"]
    assert [job["state"] for job in status["jobs"]] == ["reconciled"]
    assert len(marketo.jobs()) == before + 1, "looking again sends nothing"


def test_cleaned_first_and_sent_later(prep: Prep, marketo: Sandbox, guests: Path) -> None:
    pull(prep, "program-members", "member.toml")
    cleaned = prep("clean", guests, "--object", "program-members", "--schema", "member.toml")
    assert "prep submit guests.prep --program … --program-status …" in cleaned.out
    code, told = prep("submit", "guests.prep").error
    assert (code, told.splitlines()[0]) == (
        1,
        "Error: --program, --program-status: needed with --object program-members",
    )
    assert prep("submit", "guests.prep", "--program", 1014, "--program-status", "Registered").code == 3
    code, told = prep("submit", "guests.prep", "--program", 1015, "--program-status", "Invited").error
    assert code == 1
    assert "belongs to" in told
    assert "program 1014, status Registered" in told
    assert {values["status"] for values in marketo.program_members(1014).values()} == {"Registered"}
    assert marketo.program_members(1015) == {}


def test_another_object_on_the_same_folder_is_refused(prep: Prep, guests: Path) -> None:
    guests.write_text("email\nada.winter@example.com\n")
    assert prep("clean", guests).code == 0
    code, told = prep("clean", guests, "--object", "program-members").error
    assert code == 1
    assert "with --object leads, now program-members" in told


def test_the_stand_in_needs_no_account(prep: Prep, guests: Path) -> None:
    guests.write_text("email\nada.winter@example.com\nbo@example.org\n")
    ended = prep("run", guests, *INTO_PROGRAM, "--sandbox")
    assert (ended.code, ended.err) == (0, "")
    assert "2  imported" in ended.out.replace("    ", "")
    assert prep("resume", "guests.prep").code == 0
    assert prep("check", guests, *INTO_PROGRAM[:2]).code == 0


def test_what_is_set_in_the_settings_file_holds(prep: Prep, marketo: Sandbox, guests: Path) -> None:
    guests.write_text("email\nada.winter@example.com\n")
    Path("prep.toml").write_text('object = "program-members"\nprogram = 1014\nprogram_status = "On List"\n')
    assert prep("run", guests).code == 0
    assert len(marketo.program_members(1014)) == 1


def test_what_the_instance_describes_is_what_rows_are_held_against(prep: Prep, marketo: Sandbox) -> None:
    """Describe, schema pull, check: the same fields, types, lengths and key all the way."""
    pull(prep, "customobjects/car_c", "car_c.toml")
    differs = prep("schema", "diff", "car_c.toml", "instance")
    assert (differs.code, differs.out) == (0, "car_c.toml and instance: no differences\n")
    Path("own.toml").write_text('extends = "./car_c.toml"\n[fields.make]\nallowed = ["BMW", "Seat"]\n')
    Path("cars.csv").write_text(
        "vin,marketoGUID,make,year\nWBA4R7C55HK895912-TOO-LONG,,BMW,2017\nA,,Opel,20.5\nB,,bmw,\n"
    )
    checked: Ended = prep(
        "check",
        "cars.csv",
        "--object",
        INTO_CARS[1],
        "--schema",
        "own.toml",
        "--map",
        "marketoGUID=",
        "--json",
    )
    assert {(reason["field"], reason["code"]): reason["rows"] for reason in checked.json["reasons"]} == {
        ("vin", "too_long"): 1,
        ("make", "not_allowed"): 1,
        ("year", "not_integer"): 1,
    }
    code, told = prep("check", "cars.csv", "--object", INTO_CARS[1], "--schema", "own.toml").error
    assert (code, "'marketoGUID', which imports cannot write" in told) == (1, True)


WRONG = [
    (("--object", "cars"), 2, "--object does not know 'cars'"),
    (("--object", "program-members"), 1, "--program, --program-status: needed with --object program-members"),
    (INTO_PROGRAM[:4], 1, "--program-status: needed with --object program-members"),
    ((*INTO_PROGRAM, "--list-id", "1001"), 1, "--list-id: does not go with --object program-members"),
    ((*INTO_PROGRAM, "--partition-name", "Europe"), 1, "--partition-name: does not go with"),
    ((*INTO_PROGRAM, "--lookup-field", "id"), 1, "up by email alone"),
    ((*INTO_PROGRAM[:3], "99", *INTO_PROGRAM[4:]), 4, "Marketo has no program 99"),
    ((*INTO_PROGRAM[:5], "Met"), 4, "program 1014 has no status 'Met'"),
    (("--program", "1014"), 1, "--program: does not go with --object leads"),
    (("--object", "customobjects/car_c"), 1, "only Marketo knows its fields, and no schema is given"),
    (("--object", "customobjects/car_c", "--schema", "lead"), 1, "schema 'lead' is of no custom object"),
    (("--schema", "car_c.toml"), 1, "schema 'car_c' is of customobjects/car_c, not of leads"),
    (("--object", "customobjects/service_c", "--schema", "car_c.toml"), 1, "is of customobjects/car_c, and"),
    ((*INTO_CARS, "--list", "Newsletter"), 1, "--list: does not go with --object customobjects/car_c"),
    ((*INTO_CARS, "--lookup-field", "marketoGUID"), 1, "Marketo looks car_c records up by vin alone"),
    (INTO_SERVICES, 1, "no column maps to 'vin', 'servicedOn'; saw 'email'"),
]


@pytest.mark.parametrize(("options", "code", "told"), WRONG)
def test_what_does_not_go_together_is_said_before_anything_is_sent(
    prep: Prep, marketo: Sandbox, guests: Path, *, options: tuple[str, ...], code: int, told: str
) -> None:
    guests.write_text("email\nada.winter@example.com\n")
    pull(prep, "customobjects/car_c", "car_c.toml")
    pull(prep, "customobjects/service_c", "service_c.toml")
    found = prep("run", guests, *options).error
    assert (found[0], told in found[1], "Hint: " in found[1]) == (code, True, True), found[1]
    assert marketo.jobs() == []


def test_an_object_that_is_not_there(prep: Prep, marketo: Sandbox, cars: Path) -> None:
    code, told = prep("schema", "pull", "--object", "customobjects/bike_c", "-o", "bike_c.toml").error
    assert (code, "there is no custom object bike_c" in told) == (4, True)
    Path("bike_c.toml").write_text(CUSTOM.format(name="bike_c"))
    code, told = prep("run", cars, "--object", "customobjects/bike_c", "--schema", "bike_c.toml").error
    assert (code, "there is no custom object bike_c" in told) == (4, True)
    assert marketo.jobs() == []


def test_another_key_than_marketos_is_found_before_the_first_byte(
    prep: Prep, marketo: Sandbox, cars: Path
) -> None:
    Path("car_c.toml").write_text(CUSTOM.format(name="car_c").replace('["vin"]', '["vin", "make"]'))
    code, told = prep("run", cars, *INTO_CARS).error
    assert (code, "car_c records are identified by vin, not by vin,make" in told) == (1, True)
    assert marketo.jobs() == []


CUSTOM = """
[object]
name = "{name}"
dedupe_fields = ["vin"]
[fields.vin]
[fields.email]
display = "Driver"
[fields.make]
[fields.year]
[fields.price]
[fields.boughtOn]
display = "Bought On"
"""


def test_the_page_for_forwarding_hides_the_status(prep: Prep, marketo: Sandbox, guests: Path) -> None:
    guests.write_text("email\nada.winter@example.com\n")
    assert prep("run", guests, *INTO_PROGRAM).code == 0
    assert prep("report", "guests.prep", "--mask").code == 0
    masked = Path("guests.prep/report-masked.html").read_text()
    assert ("On List" in masked, "members of program 1014 (hidden)" in masked) == (False, True)
