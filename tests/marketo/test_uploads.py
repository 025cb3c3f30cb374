"""Chunks under answers that the sandbox never gives: what the ledger says afterwards."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from prep.errors import FolderError, OutcomeUnknownError, TransientError
from prep.jobs import run_jobs
from prep.ledger import Ledger, Target
from prep.marketo import Marketo
from prep.model import Chunk, Format, Job

from .conftest import HTML, QUEUED, RESET, SECRET, TOKEN, Answer, Clock, Script, envelope, errors


@pytest.fixture
def ledger(tmp_path: Path, client: Marketo) -> Iterator[Ledger]:
    with Ledger.create(tmp_path / "ledger.sqlite") as ledger:
        client.on_exchange = ledger.note
        ledger.aim(Target("sandbox", None, None, Format.CSV, "email"))
        yield ledger


def plan(ledger: Ledger, count: int) -> None:
    ledger.plan(Chunk(f"chunks/leads-{number:04}.csv", 1, 10, "0" * 64) for number in range(1, count + 1))


def go(ledger: Ledger, client: Marketo, clock: Clock) -> bool:
    finished: list[Job] = []
    return run_jobs(
        ledger,
        client,
        lambda _: b"email\nada@example.com\n",
        on_finished=lambda job, *_: finished.append(job),
        clock=clock,
        sleep=clock.sleep,
    )


def states(ledger: Ledger) -> list[str]:
    return [str(job.state) for job in ledger.jobs()]


def complete(batch_id: int) -> Answer:
    counts = {"numOfLeadsProcessed": 1, "numOfRowsFailed": 0, "numOfRowsWithWarning": 0}
    return envelope({"batchId": batch_id, "status": "Complete", **counts})


@pytest.mark.parametrize("ambiguous", [RESET, HTML, Answer(status=503), envelope()])
def test_an_unclear_upload_is_unknown_and_the_others_go_on(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock, ambiguous: Answer
) -> None:
    plan(ledger, 2)
    script.answers = [ambiguous, QUEUED, complete(3404)]

    assert go(ledger, client, clock)

    assert states(ledger) == ["unknown", "reconciled"]
    assert ledger.jobs()[0].message


def test_after_three_unclear_uploads_in_a_row_no_more_are_tried(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock
) -> None:
    plan(ledger, 5)
    script.answers = [HTML, HTML, HTML]

    with pytest.raises(TransientError) as caught:
        go(ledger, client, clock)

    assert caught.value.code == "unclear_uploads"
    assert states(ledger) == ["unknown"] * 3 + ["planned"] * 2


def test_a_job_that_failed_is_handed_on(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock
) -> None:
    plan(ledger, 1)
    script.answers = [QUEUED, envelope({"batchId": 3404, "status": "Failed", "message": "no"})]

    assert go(ledger, client, clock)

    assert states(ledger) == ["reconciled"]
    assert [str(step.state) for step in ledger.history()] == [
        "planned",
        "intended",
        "queued",
        "failed",
        "reconciled",
    ]


def test_a_used_up_quota_leaves_a_state_to_carry_on_from(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock
) -> None:
    plan(ledger, 2)
    script.answers = [QUEUED, errors("607"), errors("607")]

    with pytest.raises(Exception, match="daily quota"):
        go(ledger, client, clock)
    assert states(ledger) == ["queued", "planned"]

    script.answers = [
        complete(3404),
        envelope({"batchId": 3405}),
        envelope({"batchId": 3405, "status": "Complete"}),
        Answer(status=404),
        Answer(),
    ]
    assert go(ledger, client, clock)
    assert states(ledger) == ["reconciled"] * 2


def test_files_that_are_gone_make_a_job_unknown(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock
) -> None:
    plan(ledger, 1)
    counted = envelope({"batchId": 3404, "status": "Complete", "numOfRowsFailed": 1})
    script.answers = [QUEUED, counted, errors("1013")]

    assert go(ledger, client, clock)

    assert states(ledger) == ["unknown"]


def test_files_that_cannot_be_had_now_leave_a_job_complete(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock
) -> None:
    plan(ledger, 1)
    counted = envelope({"batchId": 3404, "status": "Complete", "numOfRowsFailed": 1})
    script.answers = [QUEUED, counted, *[Answer(status=502)] * 6]

    with pytest.raises(TransientError):
        go(ledger, client, clock)

    assert states(ledger) == ["complete"]


def test_a_batch_id_that_cannot_be_written_down_is_told(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock
) -> None:
    plan(ledger, 1)
    script.answers = [QUEUED]
    client.on_exchange = lambda _: ledger._database.execute("PRAGMA query_only = ON") and None

    with pytest.raises(FolderError):
        go(ledger, client, clock)
    ledger._database.execute("PRAGMA query_only = OFF")
    client.on_exchange = lambda exchange: (
        ledger._database.execute("PRAGMA query_only = ON") and None if "bulk" in exchange.path else None
    )

    with pytest.raises(OutcomeUnknownError) as caught:
        go(ledger, client, clock)
    ledger._database.execute("PRAGMA query_only = OFF")

    assert caught.value.code == "unwritten_batch"
    assert "3404" in caught.value.message
    assert states(ledger) == ["intended"]
    assert go(ledger, client, clock)
    assert states(ledger) == ["unknown"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_answer_to_an_upload(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock, number: int
) -> None:
    plan(ledger, 2)
    script.answers = [Answer(body=QUEUED.body, delay_seconds=0.3)]
    heard: list[int] = []

    def end(number: int, _: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    timer = threading.Timer(0.1, os.kill, (os.getpid(), number))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            go(ledger, client, clock)
    finally:
        timer.join()
        for each, handler in before.items():
            signal.signal(each, handler)

    assert heard == [number]
    assert states(ledger) == ["queued", "planned"]


def test_a_second_signal_does_not_wait(ledger: Ledger, client: Marketo, script: Script, clock: Clock) -> None:
    plan(ledger, 2)
    script.answers = [Answer(body=QUEUED.body, delay_seconds=0.5)]
    timers = [threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)) for seconds in (0.1, 0.2)]
    for timer in timers:
        timer.start()

    with pytest.raises(KeyboardInterrupt):
        go(ledger, client, clock)
    for timer in timers:
        timer.join()

    assert states(ledger) == ["unknown", "planned"]


def test_no_secret_reaches_the_ledger(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock, tmp_path: Path
) -> None:
    plan(ledger, 2)
    told = f"{TOKEN} and {SECRET}"
    script.answers = [
        QUEUED,
        RESET,
        envelope({"batchId": 3404, "status": "Complete", "numOfRowsFailed": 0, "message": told}),
        Answer(),
    ]

    go(ledger, client, clock)

    assert ledger.jobs()[0].message == "*** and ***"
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"/bulk/v1/leads.json" in written
    assert SECRET.encode() not in written
    assert TOKEN.encode() not in written
