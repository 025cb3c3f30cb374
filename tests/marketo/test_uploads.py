"""Chunks under answers that the sandbox never gives: what the ledger says afterwards."""

import re
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from prep.errors import OutcomeUnknownError, TerminalError, TransientError
from prep.interrupts import HeldInterrupts
from prep.jobs import run_jobs
from prep.ledger import Ledger
from prep.marketo import Marketo
from prep.model import Chunk, Exchange, Format, Job
from prep.objects import Target

from .conftest import HTML, QUEUED, RESET, SECRET, TOKEN, Answer, Clock, Script, envelope, errors, grant


@pytest.fixture
def ledger(tmp_path: Path, client: Marketo) -> Iterator[Ledger]:
    with Ledger.create(tmp_path / "ledger.sqlite") as ledger:
        client.on_exchange = ledger.note
        ledger.aim(Target("sandbox", None, None, Format.CSV, "email"))
        yield ledger


def plan(ledger: Ledger, count: int) -> None:
    ledger.plan(Chunk(f"chunks/leads-{number:04}.csv", 1, 10, "0" * 64) for number in range(1, count + 1))


def go(ledger: Ledger, client: Marketo, clock: Clock, *, timeout_seconds: float | None = None) -> bool:
    finished: list[Job] = []
    return run_jobs(
        ledger,
        client,
        lambda _: b"email\nada@example.com\n",
        on_finished=lambda job, *_: finished.append(job),
        timeout_seconds=timeout_seconds,
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
    assert "prep resume DIR" in caught.value.hint, "where the folder's name is put in"
    assert states(ledger) == ["unknown"] * 3 + ["planned"] * 2


def test_an_upload_that_is_answered_with_the_batch_of_another_one_is_unknown(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock
) -> None:
    plan(ledger, 2)
    script.answers = [QUEUED, QUEUED, complete(3404)]

    assert go(ledger, client, clock)

    assert states(ledger) == ["reconciled", "unknown"], "nobody may have read the file"
    assert "3404" in ledger.jobs()[1].message
    assert ledger.jobs()[1].batch_id is None


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

    with pytest.raises(TerminalError, match="daily quota"):
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
    assert script.answers == [], "files are asked for where counts are missing"


def answering(look: Callable[[int], Answer]) -> Callable[[str], Answer]:
    """Answers that give a token, queue each upload under the next number, and say `look` of a batch."""
    batches = count(1)

    def answer(path: str) -> Answer:
        if path.startswith("/identity/"):
            return grant()
        batch = re.search(r"/batch/(\d+)", path)
        if batch is None:
            return envelope({"batchId": next(batches), "status": "Queued"})
        return look(int(batch[1]))

    return answer


def test_two_jobs_that_stay_importing_hold_up_no_other(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More chunks than the queue has places: the last ones are sent only when others are seen to be done."""
    plan(ledger, 12)

    def look(batch: int) -> Answer:
        return complete(batch) if batch > 2 else envelope({"batchId": batch, "status": "Importing"})

    monkeypatch.setattr(script, "next", answering(look))

    assert not go(ledger, client, clock, timeout_seconds=600)

    assert states(ledger) == ["importing"] * 2 + ["reconciled"] * 10
    assert len(script.api_calls) < 12 + 2 * 60 + 100


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

    def fill_the_disk(exchange: Exchange) -> None:
        if exchange.path.startswith("/bulk/"):
            ledger._file.database.execute("PRAGMA query_only = ON")

    client.on_exchange = fill_the_disk

    with pytest.raises(OutcomeUnknownError) as caught:
        go(ledger, client, clock)
    ledger._file.database.execute("PRAGMA query_only = OFF")

    assert caught.value.code == "unwritten_batch"
    assert "3404" in caught.value.message
    assert states(ledger) == ["intended"]
    assert go(ledger, client, clock)
    assert states(ledger) == ["unknown"]


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """The signals that came through to the handlers of whoever runs the jobs."""
    heard: list[int] = []

    def end(number: int, _: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in ENDING}
    yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_waits_for_the_answer_to_an_upload(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock, *, heard: list[int], number: signal.Signals
) -> None:
    plan(ledger, 2)
    script.answers = [replace(QUEUED, signals=(number,), delay_seconds=0.1)]

    with pytest.raises(KeyboardInterrupt):
        go(ledger, client, clock)

    assert heard == [number]
    assert states(ledger) == ["queued", "planned"]


def test_a_signal_does_not_wait_for_another_attempt(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock, heard: list[int]
) -> None:
    plan(ledger, 1)
    script.answers = [replace(errors("611"), signals=(signal.SIGINT,))]

    with pytest.raises(KeyboardInterrupt):
        go(ledger, client, clock)

    assert heard == [signal.SIGINT]
    assert states(ledger) == ["planned"]


def test_a_signal_that_is_ignored_stays_ignored(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock, heard: list[int]
) -> None:
    """As under nohup; the program holds out, and so does the grace."""
    plan(ledger, 1)
    done = envelope({"batchId": 3404, "status": "Complete", "numOfRowsFailed": 0, "numOfRowsWithWarning": 0})
    script.answers = [replace(QUEUED, signals=(signal.SIGHUP, signal.SIGHUP), delay_seconds=0.1), done]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    assert go(ledger, client, clock)

    assert heard == []
    assert states(ledger) == ["reconciled"]


def test_a_second_signal_does_not_wait(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock, heard: list[int]
) -> None:
    plan(ledger, 2)
    script.answers = [replace(QUEUED, signals=(signal.SIGINT, signal.SIGTERM), delay_seconds=1)]

    with pytest.raises(KeyboardInterrupt):
        go(ledger, client, clock)

    assert heard == [signal.SIGINT], "it was kept, and given back in the end"
    assert states(ledger) == ["unknown", "planned"]


def test_a_signal_does_not_wait_for_ever(heard: list[int]) -> None:
    held = HeldInterrupts(grace_seconds=0.01)
    held.hold()
    signal.raise_signal(signal.SIGTERM)
    assert heard == []

    with pytest.raises(KeyboardInterrupt):
        threading.Event().wait(10)
    with pytest.raises(KeyboardInterrupt):
        held.release()

    assert heard == [signal.SIGTERM]


def test_a_signal_while_handlers_are_put_back_leaves_no_alarm(
    heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    put = signal.signal

    def late(number: int, handler: Any) -> Any:
        before = put(number, handler)
        if number == signal.SIGHUP:
            signal.raise_signal(signal.SIGTERM)
        return before

    held = HeldInterrupts()
    held.hold()
    with monkeypatch.context() as during:
        during.setattr(signal, "signal", late)
        with pytest.raises(KeyboardInterrupt):
            held.release()

    assert (heard, signal.getitimer(signal.ITIMER_REAL)) == ([signal.SIGTERM], (0.0, 0.0))


def test_other_threads_leave_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    held = HeldInterrupts()
    thread = threading.Thread(target=held.hold)
    thread.start()
    thread.join()

    assert signal.getsignal(signal.SIGINT) is before


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


def test_nothing_is_sent_into_an_outage_in_which_a_file_cannot_be_had(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock
) -> None:
    """What is sent while a gateway says 502 may be with Marketo or not: somebody would have to decide."""
    plan(ledger, 2)
    ledger.aim(Target("sandbox", 1001, None, Format.CSV, "email"))
    failed = {"batchId": 3404, "status": "Complete", "numOfRowsFailed": 1, "numOfRowsWithWarning": 0}
    script.answers = [QUEUED, envelope(failed), *[Answer(status=502)] * 30]

    with pytest.raises(TransientError) as caught:
        go(ledger, client, clock)

    assert caught.value.code == "http_502"
    assert states(ledger) == ["complete", "planned"]


def test_looks_of_one_moment_are_one_look_at_a_batch_that_is_not_known(
    ledger: Ledger, client: Marketo, script: Script, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others that are done have the oldest looked at again at once, which tells nothing new."""
    plan(ledger, 4)
    before = clock()

    def look(batch: int) -> Answer:
        return Answer(status=404) if batch == 1 and clock() < before + 6 else complete(batch)

    monkeypatch.setattr(script, "next", answering(look))

    assert go(ledger, client, clock)

    assert states(ledger) == ["reconciled"] * 4
