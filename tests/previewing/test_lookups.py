"""Look-ups over real HTTP: what they cost, what may go wrong, and whom they cannot be asked about."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import prep
from prep.errors import FolderError, SettingsError, TerminalError
from prep.folder import RunFolder
from prep.previewing import Estimate, making, questions
from prep.report import describe_preview
from prep.sandbox import Fault, FaultKind, Sandbox
from prep.sandbox.faults import Place

from .conftest import Start, cleaned, client_of, kept

PEOPLE = [[f"p{number}@example.com", f"C{number}"] for number in range(20)]
ROWS = [["email", "company"], *PEOPLE]
BEFORE_LOOKUPS = 3
"""Calls: the usage of the day, and the fields twice."""


@pytest.fixture(autouse=True)
def few_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three keys to a call, so that twenty rows take seven calls."""
    monkeypatch.setattr(questions, "LOOKUP_KEYS", 3)


@pytest.fixture
def filled(sandbox: Sandbox) -> Sandbox:
    return populate(sandbox)


def populate(sandbox: Sandbox) -> Sandbox:
    for number in range(0, 20, 2):
        sandbox.add_lead(email=f"P{number}@example.com", company=f"C{number}", phone="1")
    return sandbox


def lookups(sandbox: Sandbox) -> int:
    return sum(request.path == "/rest/v1/leads.json" for request in sandbox.requests())


def content(run: prep.Run) -> dict[str, Any]:
    """All that a preview wrote, but for ids and times."""
    chunks = {path.name: path.read_bytes() for path in (run.path / "restore/chunks").iterdir()}
    report = {
        name: value
        for name, value in run.report["preview"].items()
        if name not in {"asked_from", "asked_until", "calls", "target"}
    }
    return {"table": (run.path / "preview.csv").read_bytes(), "report": report, **chunks}


def table(run: prep.Run) -> pl.DataFrame:
    return pl.read_csv(run.path / "preview.csv", separator=";").sort("_row")


def undisturbed(folder: Path, start: Start) -> dict[str, Any]:
    folder.mkdir()
    run = cleaned(folder, ROWS)
    (run.path.parent / "leads.csv").rename(folder / "other.csv")  # a missing source is no obstacle
    prep.preview(run, client_of(populate(start())))
    return {
        **content(run),
        "table": content(run)["table"].replace(str(folder).encode(), str(folder.parent).encode()),
    }


def test_it_is_known_before_anybody_is_looked_up_what_it_takes(tmp_path: Path, filled: Sandbox) -> None:
    run = cleaned(tmp_path, ROWS)
    told: list[Estimate] = []

    def refuse(estimate: Estimate, _: object) -> None:
        told.append(estimate)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prep.preview(run, client_of(filled), on_ready=refuse)

    assert lookups(filled) == 0
    assert told == [Estimate(rows=20, lookups=7, used_today=0)]
    assert told[0].sentence == (
        "about 7 API calls, at least 3 s; 0.0 % of the 50,000 that are left today if the quota is the usual "
        "50,000"
    )
    assert "preview" not in run.path.parent.name
    assert run.report["preview"] is None


def test_calls_are_the_look_ups_and_three_more(tmp_path: Path, filled: Sandbox) -> None:
    run = prep.preview(cleaned(tmp_path, ROWS), client_of(filled))
    assert run.report["preview"]["calls"] == 7 + BEFORE_LOOKUPS
    assert lookups(filled) == 7
    assert {request.query for request in filled.requests() if request.path == "/rest/v1/leads.json"} == {
        ("_method",)
    }  # no key stands in an address
    assert run.report["preview"]["counts"]["created"] == 10
    assert not (run.path / "preview.sqlite").exists()
    assert not (run.path / ".preview").exists()


def test_a_preview_that_needs_too_many_calls_asks_nobody(tmp_path: Path, filled: Sandbox) -> None:
    run = cleaned(tmp_path, ROWS)
    with pytest.raises(SettingsError) as caught:
        prep.preview(run, client_of(filled), max_calls=9)
    assert caught.value.message == "look-ups still to be made: 7; API calls that --max-calls allows: 9"
    assert caught.value.hint == (
        "Allow them with --max-calls 10, or ask about some rows with --sample 1000, which gives an estimate "
        "and no way back."
    )
    assert lookups(filled) == 0


def test_a_preview_that_asked_nobody_stands_in_nobodys_way(
    tmp_path: Path, filled: Sandbox, start: Start
) -> None:
    run = cleaned(tmp_path, ROWS)
    with pytest.raises(SettingsError):
        prep.preview(run, client_of(filled), max_calls=9)
    assert prep.preview(run, client_of(filled), sample=4).report["preview"]["sample"] == 4

    def refuse(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prep.preview(run, client_of(filled), on_ready=refuse)
    assert prep.preview(run, client_of(populate(start()))).report["preview"]["sample"] is None


def test_calls_that_nobody_foresaw_count_too_and_it_carries_on(tmp_path: Path, start: Start) -> None:
    sandbox = populate(start(faults=[Fault(kind=FaultKind.SYSTEM_ERROR, place=Place.OTHER, at=5, times=3)]))
    run = cleaned(tmp_path, ROWS)
    with pytest.raises(SettingsError) as caught:
        prep.preview(run, client_of(sandbox), max_calls=7 + BEFORE_LOOKUPS)
    assert caught.value.message == "10 API calls were made, and --max-calls allows no more"
    before = lookups(sandbox)

    prep.preview(run, client_of(sandbox), max_calls=7 + BEFORE_LOOKUPS)

    assert lookups(sandbox) == before + 3
    assert content(run) == undisturbed(tmp_path / "other", start)


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.RATE_LIMIT,
        FaultKind.HTTP_502,
        FaultKind.CLOSED,
        FaultKind.LOST_REPLY,
        FaultKind.BROKEN_JSON,
        FaultKind.HTML_REPLY,
        FaultKind.TOKEN_EXPIRED,
        FaultKind.TOKEN_INVALID,
        FaultKind.API_UNAVAILABLE,
    ],
)
def test_a_fault_that_passes_changes_nothing(tmp_path: Path, start: Start, kind: FaultKind) -> None:
    sandbox = populate(start(faults=[Fault(kind=kind, place=Place.OTHER, at=6)]))
    run = prep.preview(cleaned(tmp_path, ROWS), client_of(sandbox))
    assert content(run) == undisturbed(tmp_path / "other", start)


@pytest.mark.parametrize("kind", [FaultKind.DAILY_QUOTA, FaultKind.ACCESS_DENIED, FaultKind.REDIRECT])
def test_a_refusal_ends_it_and_the_answers_stay(tmp_path: Path, start: Start, kind: FaultKind) -> None:
    sandbox = populate(start(faults=[Fault(kind=kind, place=Place.OTHER, at=6)]))
    run = cleaned(tmp_path, ROWS)
    with pytest.raises(TerminalError):
        prep.preview(run, client_of(sandbox))
    assert not (run.path / "restore").exists()
    assert not (run.path / "preview.csv").exists()
    before = lookups(sandbox)

    prep.preview(run, client_of(sandbox))

    assert lookups(sandbox) == before + 5  # two were answered before
    assert content(run) == undisturbed(tmp_path / "other", start)


KILLED = """
import os, signal, sys
import prep
from prep.previewing import questions
from prep.previewing.answers import Answers

url, folder, moment = sys.argv[1:]
questions.LOOKUP_KEYS = 3
keep, left = Answers.keep, [3]

def keep_or_die(self, batch, answer):
    left[0] -= 1
    if moment == "before" and not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    keep(self, batch, answer)
    if moment == "after" and not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

Answers.keep = keep_or_die
if moment == "renaming":
    from prep.previewing import restoring
    die = lambda: os.kill(os.getpid(), signal.SIGKILL)
    restoring.shutil.rmtree = lambda path, **_: str(path).endswith("restore") and die()
prep.preview(folder, prep.Marketo(url, "id", "secret"))
"""


@pytest.mark.parametrize(("moment", "asked_again"), [("before", 5), ("after", 4), ("renaming", 0)])
def test_a_preview_that_was_killed_carries_on(
    tmp_path: Path, start: Start, moment: str, asked_again: int
) -> None:
    sandbox = populate(start())
    run = cleaned(tmp_path, ROWS)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, sandbox.url, str(run.path), moment], check=False, env=dict(os.environ)
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (run.path / "restore").exists()
    assert not (run.path / "preview.csv").exists() or moment == "renaming"
    before = lookups(sandbox)

    prep.preview(run, client_of(sandbox))

    assert lookups(sandbox) == before + asked_again
    assert content(run) == undisturbed(tmp_path / "other", start)


def test_answers_to_other_questions_are_not_taken(tmp_path: Path, start: Start) -> None:
    sandbox = populate(start(faults=[Fault(kind=FaultKind.DAILY_QUOTA, place=Place.OTHER, at=6)]))
    run = cleaned(tmp_path, ROWS)
    with pytest.raises(TerminalError):
        prep.preview(run, client_of(sandbox))
    with pytest.raises(FolderError) as caught:
        prep.preview(run, client_of(sandbox), sample=4)
    answers = run.path / "preview.sqlite"
    assert caught.value.message == f"{answers}: an interrupted preview is there, with other --sample"
    answers.unlink()
    assert prep.preview(run, client_of(sandbox), sample=4).report["preview"]["sample"] == 4


def test_damaged_answers_are_no_defect(tmp_path: Path, filled: Sandbox) -> None:
    run = cleaned(tmp_path, ROWS)
    (run.path / "preview.sqlite").write_bytes(b"not a database, and longer than its header would be" * 4)
    with pytest.raises(FolderError) as caught:
        prep.preview(run, client_of(filled))
    assert (caught.value.code, caught.value.message) == (
        "damaged_answers",
        f"{run.path}/preview.sqlite: cannot be used (DatabaseError)",
    )


def test_a_sample_is_an_estimate_without_a_way_back(tmp_path: Path, filled: Sandbox) -> None:
    run = cleaned(tmp_path, ROWS)
    prep.preview(run, client_of(filled))
    assert (run.path / "restore").exists()

    preview = prep.preview(run, client_of(filled), sample=5).report["preview"]

    assert (preview["sample"], preview["restore"]) == (5, None)
    assert preview["counts"] == {
        **dict.fromkeys(["several", "unclear", "not_found", "unchanged"], 0),
        "created": 2,
        "updated": 3,
        "not_asked": 15,
    }
    assert not (run.path / "restore").exists()
    assert table(run)["_row"].unique().to_list() == [1, 7, 13]
    everybody = prep.preview(run, client_of(filled), sample=20).report["preview"]
    assert everybody["sample"] is None
    assert everybody["restore"]["people"] == 10


def test_a_sample_of_nobody_is_refused_and_hinders_no_preview(tmp_path: Path, filled: Sandbox) -> None:
    run = cleaned(tmp_path, ROWS)
    with pytest.raises(SettingsError) as caught:
        prep.preview(run, client_of(filled), sample=0)
    assert caught.value.code == "bad_sample"
    assert prep.preview(run, client_of(filled)).report["preview"]["restore"]["people"] == 10


def test_a_key_with_a_comma_is_not_asked_for(tmp_path: Path, sandbox: Sandbox) -> None:
    schema = tmp_path / "mine.toml"
    schema.write_text('extends = "lead"\n[fields.eventCode]\ntype = "string"\n')
    for code in ("A", "B", "A,B"):
        sandbox.add_lead(eventCode=code, city="Graz")
    rows = [["eventCode", "city"], ["A,B", "Linz"], ["A", "Linz"], ["C", "Linz"]]
    run = cleaned(tmp_path, rows, lookup_field="eventCode", schema=schema)

    preview = prep.preview(run, client_of(sandbox)).report["preview"]

    assert {name: count for name, count in preview["counts"].items() if count} == {
        "created": 1,
        "updated": 1,
        "not_asked": 1,
    }
    assert table(run).select("_row", "_outcome", "id", "field").rows() == [
        (1, "not_asked", None, None),
        (2, "updated", 1006, "city"),
    ]


def test_the_way_back_tells_of_rows_that_were_not_asked_for(tmp_path: Path, sandbox: Sandbox) -> None:
    schema = tmp_path / "mine.toml"
    schema.write_text('extends = "lead"\n[fields.eventCode]\ntype = "string"\n')
    for code in ("A", "A,B"):
        sandbox.add_lead(eventCode=code, city="Graz")
    rows = [["eventCode", "city"], ["A,B", "Linz"], ["A", "Linz"]]
    run = cleaned(tmp_path, rows, lookup_field="eventCode", schema=schema)
    limit = "  1 row was not looked up: whoever it is about cannot be put back"
    told = describe_preview(prep.preview(run, client_of(sandbox)).report, "x.prep")
    assert told[-3:] == [
        "The way back: x.prep/restore has 1 person in 1 file, as of now",
        "  prep submit x.prep/restore  puts them back after the import",
        limit,
    ]

    (tmp_path / "same").mkdir()
    same = cleaned(
        tmp_path / "same", [rows[0], rows[1], ["A", "Graz"]], lookup_field="eventCode", schema=schema
    )
    told = describe_preview(prep.preview(same, client_of(sandbox)).report, "x.prep")
    assert told[-2:] == ["No way back was made: nobody who was looked up would change", limit]


def test_a_lookup_field_that_nobody_can_read_back_is_asked_key_by_key(tmp_path: Path, start: Start) -> None:
    sandbox = start()
    sandbox.add_lead(sfdcLeadId="00Q1", city="Graz")
    rows = [["sfdcLeadId", "city"], ["00Q1", "Linz"], ["00Q2", "Linz"]]
    run = cleaned(tmp_path, rows, lookup_field="sfdcLeadId")
    client = client_of(sandbox)
    described = [field for field in client.describe() if field.name != "sfdcLeadId"]
    more = client.describe2()
    before = kept(sandbox)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prep.Marketo, "describe", lambda _: tuple(described))
        fields = tuple(field for field in more.fields if field.name != "sfdcLeadId")
        patch.setattr(prep.Marketo, "describe2", lambda _: type(more)(fields, more.searchable))
        preview = prep.preview(run, client).report["preview"]
        prep.submit(run, client, poll_seconds=(0.01, 0.02))
        prep.submit(run.path / "restore", client, poll_seconds=(0.01, 0.02))

    assert preview["unreadable"] == ["sfdcLeadId"]
    assert (preview["counts"]["updated"], preview["counts"]["created"]) == (1, 1)
    assert lookups(sandbox) == 2
    assert kept(sandbox, list(before)) == before


def test_keys_with_too_many_people_are_told_apart_from_the_others(tmp_path: Path, sandbox: Sandbox) -> None:
    schema = tmp_path / "mine.toml"
    schema.write_text('extends = "lead"\n[fields.eventCode]\ntype = "string"\n')
    values = [{"eventCode": "crowd", "city": "Graz"}] * 1001 + [{"eventCode": "few", "city": "Graz"}] * 2
    for value in values:
        sandbox.add_lead(**value)
    rows = [["eventCode", "city"], ["crowd", "Linz"], ["few", "Linz"], ["nobody", "Linz"]]
    run = cleaned(tmp_path, rows, lookup_field="eventCode", schema=schema)

    preview = prep.preview(run, client_of(sandbox)).report["preview"]

    assert {name: count for name, count in preview["counts"].items() if count} == {
        "created": 1,
        "several": 1,
        "not_asked": 1,
    }
    assert preview["restore"]["people"] == 2


def test_a_run_of_which_something_was_sent_is_refused(tmp_path: Path, sandbox: Sandbox) -> None:
    run = cleaned(tmp_path, ROWS)
    client = client_of(sandbox)
    prep.submit(run, client, poll_seconds=(0.01, 0.02))
    with pytest.raises(FolderError) as caught:
        prep.preview(run, client)
    assert caught.value.code == "already_sent"


def test_a_way_back_goes_to_its_own_instance_only(tmp_path: Path, sandbox: Sandbox, start: Start) -> None:
    sandbox.add_lead(email="p1@example.com", company="Oldcompany")
    run = prep.preview(cleaned(tmp_path, ROWS), client_of(sandbox))
    restore = run.path / "restore"
    for destination in (
        None,
        prep.Destination("127.0.0.1:1"),
        prep.Destination(client_of(sandbox).host, list_id=1001),
    ):
        other = client_of(sandbox if destination and destination.list_id else start())
        with pytest.raises(FolderError) as caught:
            prep.submit(restore, other, destination)
        assert caught.value.code == "other_target"
    away = restore.rename(tmp_path / "away.prep")
    assert prep.submit(away, client_of(sandbox), poll_seconds=(0.01, 0.02)).counts["imported"] == 1
    away.rename(restore)
    with pytest.raises(FolderError, match="was sent, and a new preview would replace it"):
        prep.preview(run, client_of(sandbox))


def test_a_way_back_is_not_used_up_before_the_import(tmp_path: Path, sandbox: Sandbox) -> None:
    """Sent before, it would put nothing back; after the import it is finished and would send nothing."""
    sandbox.add_lead(email="p1@example.com", company="Oldcompany")
    before = kept(sandbox)
    client = client_of(sandbox)
    run = prep.preview(cleaned(tmp_path, ROWS), client)
    restore = run.path / "restore"

    link = tmp_path / "link"
    link.symlink_to(restore, target_is_directory=True)
    for way_back in (restore, link):
        with pytest.raises(FolderError) as caught:
            prep.submit(way_back, client)
        assert (caught.value.code, caught.value.source) == ("nothing_to_put_back", str(way_back))
    prep.submit(run, client, poll_seconds=(0.01, 0.02))
    assert kept(sandbox, list(before)) != before
    prep.submit(restore, client, poll_seconds=(0.01, 0.02))
    assert kept(sandbox, list(before)) == before


def test_what_a_preview_knows_of_people_goes_with_purge(tmp_path: Path, sandbox: Sandbox) -> None:
    sandbox.add_lead(email="p1@example.com", company="Oldcompany")
    client = client_of(sandbox)
    run = prep.preview(cleaned(tmp_path, ROWS), client)
    prep.submit(run, client, poll_seconds=(0.01, 0.02))
    counted = run.report["preview"]
    prep.submit(run.path / "restore", client, wait=False)
    sandbox.advance(60)
    with pytest.raises(FolderError, match="restore: still has rows that are sent"):
        prep.purge(run)
    prep.submit(run.path / "restore", client, poll_seconds=(0.01, 0.02))

    prep.purge(run)

    assert not (run.path / "preview.csv").exists()
    assert not (run.path / "restore/chunks").exists()
    assert run.report["preview"] == counted
    assert prep.Run(RunFolder(run.path / "restore")).counts["imported"] == 1
    left = b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())
    assert b"Oldcompany" not in left
    assert b"p1@example.com" not in left


def test_a_way_back_that_was_not_used_is_purged_as_a_whole(tmp_path: Path, sandbox: Sandbox) -> None:
    sandbox.add_lead(email="p1@example.com", company="Oldcompany")
    client = client_of(sandbox)
    run = prep.preview(cleaned(tmp_path, ROWS), client)
    prep.submit(run, client, poll_seconds=(0.01, 0.02))
    prep.purge(run)
    assert not (run.path / "restore").exists()


def test_the_table_ends_where_a_spreadsheet_would(
    tmp_path: Path, filled: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MOST_LINES", 4)
    run = prep.preview(cleaned(tmp_path, [["email", "city"], *PEOPLE]), client_of(filled))
    assert run.report["preview"]["differences"] == {"found": 20, "lines": 4}
    assert table(run).height == 4


def test_no_value_of_anybody_leaves_the_tables(tmp_path: Path, filled: Sandbox) -> None:
    filled.add_lead(email="canary@example.com", company="=Canary", city="CanaryTown")
    rows = [["email", "company", "city"], ["Canary@Example.com", "Songbird", "Songville"]]
    run = prep.preview(cleaned(tmp_path, rows), client_of(filled))
    for path in (run.path / "report.json", run.path / "report.html", run.path / "restore/report.json"):
        text = path.read_text(encoding="utf-8")
        assert not [word for word in ("Canary", "canary", "Song") if word in text]
    table = (run.path / "preview.csv").read_text(encoding="utf-8-sig")
    assert "1;updated;1;1016;company;changed;'=Canary;Songbird" in table
