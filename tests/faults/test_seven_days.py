"""Marketo forgets a batch after seven days; nobody can tell then what became of its rows."""

import sqlite3
from pathlib import Path
from typing import Literal

import pytest

from prep.cli.main import run as run_command
from prep.pipeline import settle
from tests.crash.journal import ROWS_OF_A_CHUNK
from tests.faults.runs import Attempt, sending

DAY = 24 * 60 * 60


@pytest.fixture
def folder(templates: dict[str, Path]) -> Path:
    return templates["csv"].parent / "run"


def _age_ledger(attempt: Attempt, seconds: float) -> None:
    """Let the ledger's own clock find the batch ids older than they are."""
    with sqlite3.connect(attempt.run.folder.ledger) as database:
        database.execute("UPDATE jobs SET queued_at = queued_at - ?", (seconds,))
    database.close()


def test_after_seven_days_every_row_is_unknown(
    templates: dict[str, Path], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sending(templates["csv"], folder) as attempt:
        attempt.submit(wait=False)
        assert attempt.run.report["exit_code"] == 5
        attempt.sandbox.advance(8 * DAY)

        attempt.submit()

        assert attempt.verdict.unknown == attempt.verdict.rows == 2 * ROWS_OF_A_CHUNK
        assert attempt.run.report["state"] == "unknown"
        assert attempt.run.report["exit_code"] == 6
        assert run_command(["status", str(folder)]) == 6
        uploads = len(attempt.sandbox.jobs())
        attempt.submit()
        assert len(attempt.sandbox.jobs()) == uploads == 2, "nothing is sent again by itself"
        assert "unknown" in capsys.readouterr().out


def test_a_clock_that_was_wrong_makes_nothing_unknown(templates: dict[str, Path], folder: Path) -> None:
    with sending(templates["csv"], folder) as attempt:
        attempt.submit(wait=False)
        _age_ledger(attempt, 8 * DAY)

        attempt.submit()

        assert attempt.verdict.unknown == 0
        assert attempt.run.report["state"] == "reconciled"


def test_within_seven_days_nothing_is(templates: dict[str, Path], folder: Path) -> None:
    with sending(templates["csv"], folder) as attempt:
        attempt.submit(wait=False)
        attempt.sandbox.advance(7 * DAY - 60)
        _age_ledger(attempt, 7 * DAY - 60)

        attempt.submit()

        assert attempt.verdict.unknown == 0
        assert attempt.run.report["exit_code"] == 3


@pytest.mark.parametrize("decision", ["landed", "lost"])
def test_a_person_settles_what_expired(
    templates: dict[str, Path], folder: Path, decision: Literal["landed", "lost"]
) -> None:
    """Nobody can ask any more: what the person says counts, right or wrong, and is marked."""
    with sending(templates["csv"], folder) as attempt:
        attempt.submit(wait=False)
        attempt.sandbox.advance(8 * DAY)
        attempt.submit()
        for job in attempt.jobs:
            settle(attempt.run, job.chunk, decision)

        attempt.submit()

        counts, report = attempt.run.counts, attempt.run.report
        assert counts["unknown"] == counts["sent"] == counts["ready"] == 0
        assert report["state"] == "reconciled"
        assert report["assumed"] == (2 * ROWS_OF_A_CHUNK if decision == "landed" else 0)
        assert len(attempt.sandbox.jobs()) == (2 if decision == "landed" else 4)
