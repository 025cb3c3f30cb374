"""`prep status` over one run folder and over many."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from prep.sandbox import Sandbox

from .conftest import CLEAN, Prep, connect, written

DAY = 24 * 60 * 60


@pytest.fixture
def runs(prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs that are clean, finished, with Marketo, and unknown, and a folder that is none."""
    written(here / "l.csv", CLEAN)
    for name in ("clean", "finished", "waiting", "unknown"):
        prep("clean", "l.csv", "-o", f"{name}.prep")
    (here / "broken.prep").mkdir()
    with Sandbox(job_seconds=0) as marketo:
        connect(monkeypatch, marketo.url)
        assert prep("submit", "finished.prep").code == 0
    with Sandbox(job_seconds=3600) as marketo:
        connect(monkeypatch, marketo.url)
        assert prep("submit", "waiting.prep", "--no-wait").code == 5
    with Sandbox(faults=["lost-reply:1"]) as marketo:
        connect(monkeypatch, marketo.url)
        assert prep("submit", "unknown.prep").code == 6
    return here


def make_older(folder: Path, days: float) -> None:
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE jobs SET queued_at = queued_at - ?", (days * DAY,))


def test_many_runs_are_a_table_and_the_gravest_code_counts(prep: Prep, runs: Path) -> None:
    make_older(runs / "waiting.prep", 4.5)
    names = ("clean", "finished", "waiting", "unknown", "broken")
    ended = prep("status", *(f"{name}.prep" for name in names))
    table = [line.split("  ") for line in ended.out.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in table]
    assert ended.code == 6
    assert [line[:-1] for line in cells[:5]] == [
        ["run", "state", "settled", "days left", "exit"],
        ["clean.prep", "clean, nothing was sent", "0/1", "0"],
        ["finished.prep", "finished", "1/1", "0"],
        ["waiting.prep", "with Marketo", "0/1", "2.5", "5"],
        ["unknown.prep", "outcome unknown", "0/1", "6"],
    ]
    assert cells[5] == ["broken.prep", "not a run folder (it has no manifest.json)", "1"]

    answer = prep("status", *(f"{name}.prep" for name in names), "--json").json
    assert [run["exit_code"] for run in answer["runs"]] == [0, 0, 5, 6, 1]
    assert answer["runs"][2]["days_left"] == answer["runs"][2]["jobs"][0]["days_left"] == 2.5
    assert [run.get("days_left") for run in answer["runs"]] == [None, None, 2.5, None, None]
    assert answer["runs"][4]["error"]["code"]
    assert (answer["exit_code"], "error" in answer) == (6, False)


def test_the_first_folder_that_cannot_be_read_is_the_error(prep: Prep, runs: Path) -> None:
    answer = prep("status", "clean.prep", "broken.prep", "nowhere.prep", "--json").json

    assert answer["exit_code"] == 1
    assert answer["error"] == answer["runs"][1]["error"]
    assert answer["error"]["source"] == "broken.prep"


def test_a_run_whose_cleaning_was_interrupted_is_an_error(prep: Prep, runs: Path) -> None:
    manifest = runs / "clean.prep/manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "cleaned": None}))

    for folders in (["clean.prep"], ["finished.prep", "clean.prep"]):
        answer = prep("status", *folders, "--json").json
        assert (answer["exit_code"], answer["error"]) == (
            1,
            {
                "code": "not_cleaned",
                "message": "clean.prep: cleaning was interrupted",
                "hint": "prep resume clean.prep carries on.",
                "source": "clean.prep",
                "row": None,
                "column": None,
            },
        )


@pytest.mark.parametrize(
    ("names", "code"),
    [(("clean", "finished"), 0), (("clean", "waiting"), 5), (("waiting", "broken"), 1), (("broken",), 1)],
)
def test_the_exit_code_is_the_gravest(prep: Prep, runs: Path, names: tuple[str, ...], code: int) -> None:
    assert prep("status", *(f"{name}.prep" for name in names)).code == code


@pytest.mark.parametrize(
    ("days", "text"), [(0, "batch id expires in 7.0 days"), (6.9, "in 0.1 days"), (8, "batch id has expired")]
)
def test_one_run_tells_of_every_job_how_long_it_can_be_asked_about(
    prep: Prep, runs: Path, days: float, text: str
) -> None:
    make_older(runs / "waiting.prep", days)
    first, job = prep("status", "waiting.prep").out.splitlines()
    assert first.startswith("waiting.prep: with Marketo, target 127.0.0.1:")
    assert job.startswith("  chunks/leads-0001.csv  batch 1001  queued, ")
    assert job.endswith(text)
