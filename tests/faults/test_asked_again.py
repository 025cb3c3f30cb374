"""`prep reconcile` asks Marketo again about unknown chunks whose batch id is known."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import polars as pl
import pytest

from prep.errors import FolderError, TerminalError
from prep.ledger import Ledger
from prep.marketo import Marketo
from prep.model import Job, JobState
from prep.pipeline import reconcile, settle, submit
from prep.sandbox import Fault, FaultKind
from prep.sandbox.faults import Place
from tests.crash.journal import ROWS_OF_A_CHUNK, clean_leads, write_leads
from tests.faults.runs import Attempt, sending

Trying = Callable[..., AbstractContextManager[Attempt]]
DAY = 24 * 60 * 60
ONCE = (
    Fault(kind=FaultKind.FILE_SHORT, times=1),
    Fault(kind=FaultKind.FILE_EMPTY, times=1),
    Fault(kind=FaultKind.BROKEN_JSON, place=Place.FAILURES),  # the file breaks off in the middle
    Fault(kind=FaultKind.EMPTY_RESULT, place=Place.FAILURES),
)


@pytest.fixture
def attempt_with(templates: dict[str, Path]) -> Trying:
    folder = templates["csv"].parent / "run"
    return lambda *faults: sending(templates["csv"], folder, faults=faults)


def ask_again(attempt: Attempt) -> None:
    with attempt.client() as client:
        reconcile(attempt.run, client)


def states(attempt: Attempt) -> list[JobState]:
    return [job.state for job in attempt.jobs]


def history(attempt: Attempt) -> list[tuple[str, float]]:
    first, _ = attempt.jobs
    with Ledger(attempt.run.folder.ledger) as ledger:
        return [(moved.state, moved.at) for moved in ledger.history() if moved.chunk == first.chunk]


@pytest.mark.parametrize("fault", ONCE, ids=lambda fault: str(fault.kind))
def test_a_file_that_was_broken_once_is_fetched_again(attempt_with: Trying, fault: Fault) -> None:
    with attempt_with(fault) as attempt:
        attempt.submit()
        assert attempt.verdict.unknown > 0
        assert (attempt.run.report["state"], attempt.run.report["exit_code"]) == ("unknown", 6)
        assert states(attempt) == [JobState.UNKNOWN, JobState.RECONCILED]

        ask_again(attempt)

        assert attempt.verdict.unknown == 0
        assert (attempt.run.report["state"], attempt.run.report["exit_code"]) == ("reconciled", 3)
        assert attempt.run.report["assumed"] == 0
        (before, then), (after, now) = history(attempt)[-2:]
        assert (before, after) == ("unknown", "reconciled")
        assert then <= now
        assert len(attempt.sandbox.jobs()) == 2


@pytest.mark.parametrize("kind", [FaultKind.FILE_SHORT, FaultKind.FILE_EMPTY])
def test_doubts_that_stay_leave_it_unknown_until_a_person_decides(
    attempt_with: Trying, kind: FaultKind
) -> None:
    with attempt_with(Fault(kind=kind)) as attempt:
        attempt.submit()
        counts, moves = attempt.run.counts, history(attempt)

        ask_again(attempt)

        assert attempt.run.counts == counts
        assert history(attempt) == moves
        assert attempt.run.report["exit_code"] == 6
        settle(attempt.run, attempt.jobs[0].chunk, "landed")
        attempt.submit()
        assert attempt.run.counts["unknown"] == 0
        assert attempt.run.counts["warned"] == 1
        assert attempt.run.report["assumed"] == ROWS_OF_A_CHUNK - len(failed_rows(attempt)) - 1


def test_after_seven_days_it_stays_unknown(attempt_with: Trying) -> None:
    with attempt_with(ONCE[0]) as attempt:
        attempt.submit()
        attempt.sandbox.advance(8 * DAY)
        counts = attempt.run.counts

        ask_again(attempt)

        assert attempt.run.counts == counts
        assert states(attempt) == [JobState.UNKNOWN, JobState.RECONCILED]


def test_marketo_is_asked_whatever_the_clock_said_at_the_upload(attempt_with: Trying) -> None:
    with attempt_with(ONCE[0]) as attempt:
        attempt.submit()
        with closing(sqlite3.connect(attempt.run.folder.ledger)) as database, database:
            database.execute("UPDATE jobs SET queued_at = queued_at - ?", (8 * DAY,))

        ask_again(attempt)

        assert attempt.verdict.unknown == 0
        assert states(attempt) == [JobState.RECONCILED, JobState.RECONCILED]


def test_a_job_that_marketo_has_not_finished_stays_unknown(
    attempt_with: Trying,
) -> None:
    """As when Marketo once did not know a batch id that it had just given."""
    with attempt_with() as attempt:
        attempt.submit(wait=False)
        with Ledger(attempt.run.folder.ledger) as ledger:
            for job in ledger.jobs():
                ledger.unknown(job.chunk, "Marketo does not know the batch")
        ask_again(attempt)
        assert states(attempt) == [JobState.UNKNOWN, JobState.UNKNOWN]

        attempt.sandbox.advance(60)
        ask_again(attempt)

        assert states(attempt) == [JobState.RECONCILED, JobState.RECONCILED]
        assert attempt.verdict.unknown == 0
        assert all(job.status == "Complete" for job in attempt.jobs)


def test_a_job_that_ended_as_failed_is_settled_too(attempt_with: Trying) -> None:
    with attempt_with(Fault(kind=FaultKind.JOB_FAILED)) as attempt:
        attempt.submit(wait=False)
        with Ledger(attempt.run.folder.ledger) as ledger:
            ledger.unknown(attempt.jobs[0].chunk, "Marketo does not know the batch")
        attempt.submit()

        ask_again(attempt)

        assert states(attempt) == [JobState.RECONCILED, JobState.RECONCILED]
        assert attempt.verdict.unknown == 0
        assert attempt.run.counts["failed"] == ROWS_OF_A_CHUNK


def test_an_interruption_between_file_and_ledger_costs_nothing(
    attempt_with: Trying, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: Ledger, job: Job) -> None:
        raise KeyboardInterrupt(job.chunk)

    with attempt_with(ONCE[0]) as attempt:
        attempt.submit()
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "resolved", stop)
            with pytest.raises(KeyboardInterrupt):
                ask_again(attempt)
        assert states(attempt) == [JobState.UNKNOWN, JobState.RECONCILED]
        assert attempt.run.report["exit_code"] == 6
        assert attempt.verdict.is_true

        ask_again(attempt)

        assert states(attempt) == [JobState.RECONCILED, JobState.RECONCILED]
        assert attempt.verdict.unknown == 0


def test_a_second_file_that_is_broken_spoils_nothing(
    attempt_with: Trying,
) -> None:
    with attempt_with(Fault(kind=FaultKind.FILE_SHORT, at=2, times=1)) as attempt:
        attempt.submit()
        counts = attempt.run.counts
        assert attempt.verdict.unknown == 0

        ask_again(attempt)

        assert attempt.run.counts == counts
        assert attempt.verdict.unknown == 0


@pytest.mark.parametrize("kind", [FaultKind.FILE_SHORT, FaultKind.FILE_EMPTY, FaultKind.BROKEN_JSON])
def test_a_second_warning_file_that_is_broken_spoils_nothing(attempt_with: Trying, kind: FaultKind) -> None:
    with attempt_with(Fault(kind=kind, at=2, place=Place.WARNINGS)) as attempt:
        attempt.submit()
        rows = attempt.run.rows
        assert attempt.run.counts["warned"] == 1

        ask_again(attempt)

        assert attempt.run.rows.equals(rows)
        assert attempt.run.report["remarks"] == []


def test_a_warning_file_that_was_broken_once_is_fetched_again(attempt_with: Trying) -> None:
    with attempt_with(Fault(kind=FaultKind.FILE_SHORT, place=Place.WARNINGS, times=1)) as attempt:
        attempt.submit()
        warned = attempt.run.counts["warned"]
        assert attempt.run.report["remarks"] != []

        ask_again(attempt)

        assert attempt.run.counts["warned"] == warned + 1
        assert attempt.run.report["remarks"] == []


@pytest.mark.parametrize("file", ["failures", "warnings"])
def test_a_page_of_somebody_else_takes_the_place_of_no_file(
    attempt_with: Trying, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """As a gateway may answer, with 200 and in more bytes than what Marketo sent before."""
    with attempt_with(ONCE[0]) as attempt:
        attempt.submit()
        before = attempt.run.rows.filter(pl.col("matched_by").is_not_null())
        assert {*before["fate"]} == {"failed", "unknown"}  # the one that was warned may have failed too
        settle(attempt.run, attempt.jobs[0].chunk, "landed")
        monkeypatch.setattr(Marketo, file, lambda *_: b"no healthy upstream\n" * 1000)

        attempt.submit()

        told = attempt.run.rows.filter(pl.col("fate").is_in(["failed", "warned"]))
        assert before.join(told, on=["row", "message"], how="anti").is_empty()


def assumed_rows(attempt: Attempt) -> int:
    return attempt.run.rows.filter(message="assumed landed").height


def failed_rows(attempt: Attempt) -> set[int]:
    return set(attempt.run.rows.filter(fate="failed")["row"])


@pytest.mark.parametrize("then", ["forgotten", "empty", "shorter"])
def test_rows_named_as_failed_stay_so_when_a_person_says_landed(attempt_with: Trying, then: str) -> None:
    faults = {
        "forgotten": (),
        "empty": (Fault(kind=FaultKind.FILE_EMPTY, at=2),),
        "shorter": (Fault(kind=FaultKind.FILE_SHORT, at=2), Fault(kind=FaultKind.FILE_SHORT, at=2)),
    }[then]
    with attempt_with(ONCE[0], *faults) as attempt:
        attempt.submit()
        named = failed_rows(attempt)
        assert len(named) > 1
        settle(attempt.run, attempt.jobs[0].chunk, "landed")
        if then == "forgotten":
            attempt.sandbox.advance(8 * DAY)

        attempt.submit()

        assert failed_rows(attempt) == named
        assert states(attempt) == [JobState.RECONCILED, JobState.RECONCILED]
        assert assumed_rows(attempt) == ROWS_OF_A_CHUNK - len(named) - attempt.run.counts["warned"]
        assert attempt.run.report["assumed"] == assumed_rows(attempt)


@pytest.mark.parametrize("kind", [FaultKind.FILE_SHORT, FaultKind.FILE_EMPTY])
def test_a_worse_file_spoils_no_job_that_a_person_settled(attempt_with: Trying, kind: FaultKind) -> None:
    with attempt_with(ONCE[0], Fault(kind=kind, at=3)) as attempt:
        attempt.submit()
        settle(attempt.run, attempt.jobs[0].chunk, "landed")
        attempt.submit()
        named = failed_rows(attempt)
        assert assumed_rows(attempt) == attempt.run.report["assumed"] == 0, "Marketo told after all"

        ask_again(attempt)

        assert failed_rows(attempt) == named


def test_an_empty_file_that_was_kept_calls_nothing_imported_by_marketo(attempt_with: Trying) -> None:
    with attempt_with(ONCE[1]) as attempt:
        attempt.submit()
        settle(attempt.run, attempt.jobs[0].chunk, "landed")
        attempt.sandbox.advance(8 * DAY)

        attempt.submit()

        assert assumed_rows(attempt) == ROWS_OF_A_CHUNK - attempt.run.counts["warned"]


def test_the_batch_of_another_chunk_is_not_taken_for_this_one(attempt_with: Trying) -> None:
    with attempt_with(Fault(kind=FaultKind.HTTP_503, at=2)) as attempt:
        attempt.submit()
        first, second = attempt.jobs
        assert (first.state, second.state) == (JobState.RECONCILED, JobState.UNKNOWN)

        with pytest.raises(FolderError) as caught:
            settle(attempt.run, second.chunk, "landed", batch_id=first.batch_id)

        assert caught.value.code == "other_chunks_batch"
        assert attempt.jobs == (first, second)
        assert attempt.run.counts["unknown"] == ROWS_OF_A_CHUNK


def remove_received(attempt: Attempt) -> None:
    for received in attempt.run.folder.received.iterdir():
        received.unlink()


def test_a_batch_that_marketo_forgot_keeps_no_other_from_being_asked_about(
    templates: dict[str, Path],
) -> None:
    """The second upload is four days younger than the first; its file is gone when that one's id dies."""
    folder = templates["csv"].parent
    source = write_leads(folder / "troubled.csv", 2, troubled=lambda _: True)
    template = clean_leads(source, folder / "troubled").path
    with sending(template, folder / "run") as attempt:
        with attempt.client() as client:
            submit(attempt.run, client, queue_slots=1, wait=False)
        attempt.sandbox.advance(4 * DAY)
        attempt.submit()
        attempt.sandbox.advance(4 * DAY)
        before = attempt.run.rows
        first, second = attempt.jobs
        assert {job.state for job in attempt.jobs} == {JobState.RECONCILED}
        for received in attempt.run.folder.received.glob(f"*.{second.batch_id}.*"):
            received.unlink()
        with attempt.client() as client, pytest.raises(TerminalError) as caught:
            reconcile(attempt.run, client)
        assert f"batch {first.batch_id}" in caught.value.message

        attempt.submit()

        assert attempt.run.rows.equals(before)


@pytest.mark.parametrize("is_decided", [False, True])
def test_doubtful_files_that_are_gone_are_fetched_again(attempt_with: Trying, *, is_decided: bool) -> None:
    with attempt_with(Fault(kind=FaultKind.FILE_SHORT)) as attempt:
        attempt.submit()
        if is_decided:
            settle(attempt.run, attempt.jobs[0].chunk, "landed")
            attempt.submit()
        before = attempt.run.rows
        assert len(failed_rows(attempt)) > 1
        remove_received(attempt)
        with pytest.raises(FolderError) as caught:
            attempt.submit()
        assert caught.value.code == "missing_received"
        assert attempt.run.rows.equals(before)

        ask_again(attempt)

        assert attempt.run.rows.equals(before)
        attempt.submit()


def test_a_row_that_failed_is_not_called_imported_where_nobody_can_be_asked(attempt_with: Trying) -> None:
    with attempt_with(ONCE[0]) as attempt:
        attempt.submit()
        settle(attempt.run, attempt.jobs[0].chunk, "landed")
        attempt.sandbox.advance(8 * DAY)
        attempt.submit()
        named = failed_rows(attempt)
        assert len(named) > 1
        remove_received(attempt)

        with pytest.raises(FolderError) as caught:
            attempt.submit()

        assert caught.value.code == "missing_received"
        assert failed_rows(attempt) == named


def test_nothing_is_decided_while_a_file_is_gone(attempt_with: Trying) -> None:
    with attempt_with(ONCE[0]) as attempt:
        attempt.submit()
        chunk, known, moves = attempt.jobs[0].chunk, states(attempt), history(attempt)
        assert len(failed_rows(attempt)) > 1
        for received in attempt.run.folder.received.glob(f"{Path(chunk).stem}.*"):
            received.unlink()
        with pytest.raises(FolderError) as caught:
            settle(attempt.run, chunk, "landed")
        assert caught.value.code == "missing_received"
        assert (states(attempt), history(attempt)) == (known, moves)
        settle(attempt.run, chunk, "lost")
        assert states(attempt)[0] is JobState.PLANNED


def test_a_file_of_rows_that_are_unknown_all_the_same_is_not_needed(attempt_with: Trying) -> None:
    with attempt_with(Fault(kind=FaultKind.FILE_EMPTY, place=Place.FAILURES, times=1)) as attempt:
        attempt.submit()
        chunk = attempt.jobs[0].chunk
        named = attempt.run.rows.filter(pl.col("chunk") == chunk).drop_nulls("matched_by")
        assert {*named["fate"]} == {"unknown"}
        for received in attempt.run.folder.received.glob(f"{Path(chunk).stem}.*"):
            received.unlink()
        attempt.sandbox.advance(8 * DAY)
        settle(attempt.run, chunk, "landed")
        attempt.submit()
        assert attempt.run.counts["unknown"] == 0
