"""What `report.json` says beside the counts: shapes, the profile of columns, duplicates, times."""

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

import prep
from prep.report import build_report, describe_check

LEADS = """email,firstName,annualRevenue
ana@example.com,Ana,12
ANA@example.com,Ana María,
bo@example.org,,7
bo@example.org,Bo,7
bo@example.org,Bo,7
cy@example.net,Cy,7
not an address,Di,lots
,Ed,some
"""


@pytest.fixture
def run(tmp_path: Path) -> prep.Run:
    (tmp_path / "leads.csv").write_text(LEADS, encoding="utf-8")
    return prep.clean(tmp_path / "leads.csv", tmp_path / "leads.prep")


def test_a_clean_run_tells_what_its_columns_hold(run: prep.Run) -> None:
    report = run.report
    assert report["reasons"] == [
        {"code": "not_number", "field": "annualRevenue", "rows": 2, "shapes": ["aaaa"]},
        {"code": "invalid_email", "field": "email", "rows": 1, "shapes": ["aaa aa aaaaaaa"]},
        {"code": "missing_lookup", "field": "email", "rows": 1, "shapes": []},
    ]
    assert report["profile"] == {
        "rows": 6,
        "sampled": 6,
        "columns": [
            {"field": "email", "filled": 6, "distinct": 4, "longest": 15},
            {"field": "firstName", "filled": 5, "distinct": 4, "longest": 9},
            {"field": "annualRevenue", "filled": 5, "distinct": 2, "longest": 2},
        ],
    }
    assert report["duplicates"] == [{"size": 2, "groups": 1}, {"size": 3, "groups": 1}]
    assert report["transitions"] == []


def test_a_sent_run_tells_when_its_chunks_moved(run: prep.Run) -> None:
    before = datetime.now(UTC)
    with prep.Sandbox() as sandbox:
        client = prep.Marketo(sandbox.url, "id", "secret")
        prep.submit(run, client, poll_seconds=(0.05, 0.05))
    found = build_report(run.folder)["transitions"]
    assert {entry["chunk"] for entry in found} == {"chunks/leads-0001.csv"}
    states = [entry["state"] for entry in found]
    assert states[:3] == ["planned", "intended", "queued"]
    assert states[-2:] == ["complete", "reconciled"]
    times = [datetime.fromisoformat(entry["at"]) for entry in found]
    assert times == sorted(times)
    assert (times[0] - before).total_seconds() > -0.001
    assert {moment.utcoffset() for moment in times} == {UTC.utcoffset(None)}


def test_what_a_check_says_takes_no_memory_for_each_rejected_row(tmp_path: Path) -> None:
    rows = "info@example.com\n" + "not an address\n" * 20_000
    (tmp_path / "leads.csv").write_text(f"email\n{rows}", encoding="utf-8")
    run = prep.clean(tmp_path / "leads.csv", tmp_path / "leads.prep")
    report, told = build_report(run.folder), run.folder.query_rows(lambda rows: rows)
    assert report["notes"]
    tracemalloc.start()
    try:
        describe_check(report, told)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000
