"""The view of the page as a whole, from reports of sample files; `regenerate.py` renews what is expected."""

import json
from pathlib import Path
from typing import Any

import pytest

from prep.model import Fate, JobState
from prep.report.steps import next_commands
from prep.report.view import make_view
from tests.golden.regenerate import GOLDEN, SAMPLES
from tests.report.regenerate import VIEWS, view_of
from tests.report.samples import sample_report


@pytest.mark.parametrize("sample", [Path(sample).stem for sample in SAMPLES])
def test_the_view_is_as_it_was(sample: str) -> None:
    expected = json.loads((VIEWS / f"{sample}.json").read_text(encoding="utf-8"))
    assert view_of(GOLDEN / sample / "report.json") == expected


def test_large_groups_of_duplicates_are_counted_together() -> None:
    found = [{"size": size, "groups": 1} for size in (2, 5, 6, 10, 11, 100, 101, 1000, 1001, 90_000)]
    view = make_view(sample_report(duplicates=found), folder="leads.prep")
    assert [(bar.label, bar.count) for bar in view.duplicates] == [
        ("groups of 2 rows", 1),
        ("groups of 5 rows", 1),
        ("groups of 6 to 10 rows", 2),
        ("groups of 11 to 100 rows", 2),
        ("groups of 101 to 1,000 rows", 2),
        ("groups of 1,001 rows and more", 2),
    ]


def test_of_very_many_uploads_the_first_are_shown_and_the_others_counted() -> None:
    (chunk,) = sample_report()["chunks"]
    chunks = [{**chunk, "file": f"chunks/leads-{number:04d}.csv"} for number in range(1, 1_001)]
    view = make_view(sample_report(chunks=chunks, jobs=[]), folder="leads.prep")
    assert (len(view.uploads), view.uploads_left_out) == (200, 800)
    assert view.upload_states == "1,000 settled"


def test_settings_that_somebody_chose_stand_apart() -> None:
    view = make_view(sample_report("last"), folder="leads.prep")
    assert view.settings == (("set", "leadSource=last"), ("max-bytes", "9,000,000"))
    assert view.defaults == "keep last, dates iso"


def test_columns_without_a_valid_row_are_not_shown() -> None:
    nothing: dict[str, Any] = {"rows": 0, "sampled": 0, "columns": sample_report()["profile"]["columns"]}
    assert make_view(sample_report(profile=nothing), folder="leads.prep").columns == ()


def test_a_masked_report_names_no_source_in_its_commands() -> None:
    report = sample_report(parent_run_id=None)
    assert any("check" in step.what for step in next_commands(report, "DIR"))
    assert not any("check" in step.what for step in next_commands({**report, "masked": True}, "DIR"))


def test_what_is_no_file_of_the_user_is_not_to_be_checked() -> None:
    report = sample_report(parent_run_id=None)
    (source,) = report["sources"]
    for changes in (
        {"parent_run_id": "4c87d77f"},
        {"sources": [{**source, "path": "-", "copy": "0001"}]},
        {"sources": [{**source, "path": "sqlite:///leads.db", "copy": "0001.parquet"}]},
    ):
        assert not any("check" in step.what for step in next_commands({**report, **changes}, "DIR"))
    kept = {**source, "path": "leads.csv", "copy": "0001.csv"}
    assert any("check" in step.what for step in next_commands({**report, "sources": [kept]}, "DIR"))


def test_every_state_of_a_chunk_has_words() -> None:
    for state in JobState:
        (chunk,) = sample_report()["chunks"]
        view = make_view(sample_report(chunks=[{**chunk, "state": str(state)}]), folder="leads.prep")
        assert view.uploads[0].state
        assert {share.name for share in view.fates} == {"read", *Fate}
