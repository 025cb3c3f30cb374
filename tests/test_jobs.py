"""Chunks become jobs, each once: against the sandbox over real HTTP, in its virtual time."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from prep.errors import (
    FolderError,
    MarketoError,
    SettingsError,
    TerminalError,
    TransientError,
)
from prep.jobs import Cost, are_settled, estimate, fetch_files, run_jobs
from prep.ledger import Ledger
from prep.marketo import Marketo
from prep.marketo.records import JobRecord
from prep.model import Chunk, Format, Job, JobState, JobStatus
from prep.objects import LEADS, ImportObject, Target
from prep.sandbox import Fault, FaultKind, Sandbox

_DAY = 24 * 60 * 60


@dataclass
class Run:
    """A sandbox whose time passes only in pauses, a client, a ledger, and what was handed on."""

    sandbox: Sandbox
    client: Marketo
    ledger: Ledger
    files: dict[str, bytes] = field(default_factory=dict)
    finished: list[tuple[Job, bytes, bytes]] = field(default_factory=list)

    def plan(self, *files: bytes, list_id: int | None = None) -> None:
        self.files = {f"chunks/leads-{number:04}.csv": file for number, file in enumerate(files, 1)}
        self.ledger.aim(Target("sandbox", list_id, None, Format.CSV, "email"))
        self.ledger.plan(Chunk(name, 1, len(file), "0" * 64) for name, file in self.files.items())

    def plan_leads(self, count: int, *, list_id: int | None = None) -> None:
        self.plan(
            *(f"email\nlead{number}@example.com\n".encode() for number in range(count)), list_id=list_id
        )

    def go(
        self,
        *,
        on_finished: Callable[[Job, bytes, bytes], None] | None = None,
        on_progress: Callable[[tuple[Job, ...]], None] = lambda _: None,
        queue_slots: int = 10,
        wait: bool = True,
        timeout_seconds: float | None = None,
    ) -> bool:
        return run_jobs(
            self.ledger,
            self.client,
            self.files.__getitem__,
            on_finished=on_finished or (lambda *finished: self.finished.append(finished)),
            on_progress=on_progress,
            queue_slots=queue_slots,
            wait=wait,
            timeout_seconds=timeout_seconds,
            clock=lambda: self.sandbox.now,
            sleep=self.sandbox.advance,
        )

    @property
    def states(self) -> list[str]:
        return [str(job.state) for job in self.ledger.jobs()]

    @property
    def imports(self) -> Counter[str]:
        """How often the rows of each file were imported, by the sandbox's own journal."""
        return Counter(self.sandbox.upload(job.batch_id).decode() for job in self.sandbox.jobs())

    @property
    def calls(self) -> Counter[str]:
        return Counter(request.place for request in self.sandbox.requests())


@contextmanager
def _running(folder: Path, *, job_seconds: float = 60, faults: Sequence[Fault] = ()) -> Iterator[Run]:
    with Sandbox(job_seconds=job_seconds, time_scale=0, faults=faults) as sandbox:

        def clock() -> float:
            return sandbox.now

        with (
            Marketo(sandbox.url, "id", "secret", clock=clock, now=clock, sleep=sandbox.advance) as client,
            Ledger.create(folder / "ledger.sqlite", clock=clock) as ledger,
        ):
            client.on_exchange = ledger.note
            yield Run(sandbox, client, ledger)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with _running(tmp_path) as run:
        yield run


def test_every_chunk_is_imported_once_and_handed_on(run: Run) -> None:
    run.plan(
        b"email,annualRevenue\nada@example.com,5\ngrace@example.com,lots\n",
        b"email\nnot-an-address\n",
        b"email\nalan@example.com\n",
    )

    assert run.go()

    assert run.states == ["reconciled"] * 3
    assert [(job.chunk, job.processed, job.failed, job.warned) for job, _, _ in run.finished] == [
        ("chunks/leads-0001.csv", 1, 1, 0),
        ("chunks/leads-0002.csv", 1, 0, 1),
        ("chunks/leads-0003.csv", 1, 0, 0),
    ]
    assert [len(failures.splitlines()) for _, failures, _ in run.finished] == [2, 0, 0]
    assert [len(warnings.splitlines()) for _, _, warnings in run.finished] == [0, 2, 0]
    assert run.calls["failures"] == run.calls["warnings"] == 1, "files are fetched where rows are counted"


def test_rows_that_marketo_is_done_with_are_told_while_it_is_at_work(tmp_path: Path) -> None:
    with _running(tmp_path, job_seconds=60) as run:
        run.plan("\n".join(["email", *(f"lead{number}@example.com" for number in range(99)), ""]).encode())
        told: list[tuple[str, int | None]] = []
        assert run.go(on_progress=lambda jobs: told.append((str(jobs[0].state), jobs[0].processed)))
    at_work = [processed or 0 for state, processed in told if state == "importing"]
    assert at_work == sorted(at_work)
    assert len(set(at_work)) > 1


@pytest.mark.parametrize("job_seconds", [20, 60, 300])
def test_forty_chunks_take_hardly_longer_than_marketo_itself(tmp_path: Path, job_seconds: int) -> None:
    with _running(tmp_path, job_seconds=job_seconds) as run:
        run.plan_leads(40)
        started = run.sandbox.now
        waiting: list[int] = []

        def count(jobs: tuple[Job, ...]) -> None:
            waiting.append(sum(job.state in {JobState.QUEUED, JobState.IMPORTING} for job in jobs))

        assert run.go(on_progress=count)

        ideal = sum(job.ends_at - job.starts_at for job in run.sandbox.jobs()) / 2
        assert ideal == pytest.approx(job_seconds * 20, rel=1e-3)
        assert run.sandbox.now - started <= 1.05 * ideal
        assert max(waiting) == 10
        assert [request for request in run.sandbox.requests() if request.code == "1016"] == []
        assert set(run.imports.values()) == {1}
        times = [request.time for request in run.sandbox.requests() if request.place != "identity"]
        assert len(times) > 50
        assert all(later - earlier >= 20 for earlier, later in zip(times, times[50:], strict=False))


UNCLEAR = {
    FaultKind.HTTP_502,
    FaultKind.HTTP_503,
    FaultKind.HTTP_504,
    FaultKind.LOST_REPLY,
    FaultKind.HTTP_502_AFTER,
    FaultKind.HTTP_503_AFTER,
    FaultKind.HTTP_504_AFTER,
    FaultKind.HTML_REPLY,
    FaultKind.BROKEN_JSON,
    FaultKind.EMPTY_RESULT,
    FaultKind.CLOSED,
    FaultKind.TRANSIENT_ERROR,
}


@pytest.mark.parametrize("kind", FaultKind)
def test_under_each_fault_nothing_is_lost_or_doubled(tmp_path: Path, kind: FaultKind) -> None:
    with _running(tmp_path, faults=[Fault(kind=kind, at=2, seconds=0.01)]) as run:
        run.plan(*(f"email,annualRevenue\nlead{number}@example.com,lots\n".encode() for number in range(4)))

        for _ in range(3):
            with suppress(MarketoError):
                run.go()

        assert are_settled(run.ledger.jobs())
        assert run.states.count("unknown") == (kind in UNCLEAR)
        for job in run.ledger.jobs():
            times = run.imports[run.files[job.chunk].decode()]
            assert times == 1 if job.state is JobState.RECONCILED else times <= 1
        counted = [job.failed for job, _, _ in run.finished if job.status is JobStatus.COMPLETE]
        assert counted == [1] * (4 - (kind in UNCLEAR or kind is FaultKind.JOB_FAILED))


def test_a_static_list_gets_one_job_at_a_time(run: Run) -> None:
    run.plan_leads(4, list_id=1001)

    assert run.go()

    assert [request.code for request in run.sandbox.requests() if request.place == "import"] == [None] * 4
    assert len(run.sandbox.members(1001)) == 4


def test_a_queue_filled_by_others_is_waited_for(run: Run) -> None:
    others = Marketo(run.sandbox.url, "id", "secret")
    for number in range(9):
        others.import_leads("x.csv", f"email\nother{number}@example.com\n".encode())
    run.plan_leads(5)

    assert run.go()

    refused = [request for request in run.sandbox.requests() if request.code == "1016"]
    pauses = [later.time - earlier.time for earlier, later in pairwise(refused)]
    assert max(pauses) > 15, "it asks less and less often"
    assert len(refused) < 20
    assert run.states == ["reconciled"] * 5
    assert set(run.imports.values()) == {1}


def test_a_file_that_cannot_be_had_holds_up_no_other_chunk(tmp_path: Path) -> None:
    """More chunks than the queue has places, and the file of the first one stays out of reach for a while."""
    out_of_reach = Fault(kind=FaultKind.FILE_502, times=12)
    with _running(tmp_path, faults=[out_of_reach]) as run:
        run.plan(b"email\n,\n", *(f"email\nlead{number}@example.com\n".encode() for number in range(12)))

        with pytest.raises(TransientError) as caught:
            run.go()

        assert caught.value.code == "http_502"
        assert "/failures.json" in caught.value.message
        assert run.states == ["complete", *["reconciled"] * 12]
        assert run.calls["failures"] == 12, "two calls, each repeated as often as any"
        assert run.go()
        assert run.states == ["reconciled"] * 13
        assert set(run.imports.values()) == {1}


@pytest.mark.parametrize("chunks", [3, 12])
def test_a_job_that_marketo_does_not_tell_of_holds_up_no_other_chunk(
    run: Run, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    run.plan_leads(chunks)
    ask = run.client.job

    def ask_in_vain(batch_id: int, of: ImportObject) -> JobRecord:
        if batch_id == run.ledger.jobs()[0].batch_id:
            raise TransientError("the answer cannot be understood", code="unclear_reply")
        return ask(batch_id, of)

    monkeypatch.setattr(run.client, "job", ask_in_vain)
    for _ in range(2):
        with pytest.raises(TransientError) as caught:
            run.go()
        assert caught.value.code == "unclear_reply"
        assert run.states == ["queued"] + ["reconciled"] * (chunks - 1)

    monkeypatch.undo()
    assert run.go()
    assert set(run.imports.values()) == {1}


def test_a_file_that_could_not_be_had_is_asked_for_again_when_all_others_are_done(tmp_path: Path) -> None:
    with _running(tmp_path, faults=[Fault(kind=FaultKind.FILE_502, times=6)]) as run:
        run.plan(b"email\n,\n", *(f"email\nlead{number}@example.com\n".encode() for number in range(12)))
        assert run.go()
        assert run.states == ["reconciled"] * 13
        assert len(run.finished[-1][1].splitlines()) == 2


@pytest.mark.parametrize("name", [None, "Fair"])
def test_a_job_that_marketo_did_not_tell_of_is_looked_at_again_when_all_others_are_done(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    """To a list nothing else is sent meanwhile."""
    run.plan_leads(4, list_id=run.sandbox.add_list(name) if name else None)
    ask, looks = run.client.job, Counter[int]()

    def ask_in_vain_once(batch_id: int, of: ImportObject) -> JobRecord:
        looks[batch_id] += 1
        if batch_id == run.ledger.jobs()[1].batch_id and looks[batch_id] == 1:
            raise TransientError("the answer cannot be understood", code="unclear_reply")
        return ask(batch_id, of)

    monkeypatch.setattr(run.client, "job", ask_in_vain_once)
    assert run.go()
    assert run.states == ["reconciled"] * 4
    assert set(run.imports.values()) == {1}


def test_a_list_whose_job_marketo_does_not_tell_of_takes_no_other(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.plan_leads(3, list_id=run.sandbox.add_list("Fair"))

    def ask_in_vain(*_: object) -> JobRecord:
        raise TransientError("the answer cannot be understood", code="unclear_reply")

    monkeypatch.setattr(run.client, "job", ask_in_vain)
    with pytest.raises(TransientError):
        run.go()
    assert run.states == ["queued", "planned", "planned"]


def test_a_list_that_others_import_into_is_waited_for(run: Run) -> None:
    Marketo(run.sandbox.url, "id", "secret").import_leads(
        "x.csv", b"email\nother@example.com\n", list_id=1001
    )
    run.plan_leads(1, list_id=1001)

    assert run.go()

    assert "1019" in [request.code for request in run.sandbox.requests()]
    assert set(run.imports.values()) == {1}


def test_fewer_slots_leave_room_for_others(run: Run) -> None:
    run.plan_leads(6)

    run.go(queue_slots=3, wait=False)

    assert Counter(run.states) == {"queued": 3, "planned": 3}


@pytest.mark.parametrize(
    "options", [{"wait": False}, {"timeout_seconds": 0.0}, {"timeout_seconds": 30.0}], ids=str
)
def test_the_wait_can_end_before_the_jobs(run: Run, options: dict[str, float]) -> None:
    run.plan_leads(12)
    started = run.sandbox.now

    assert not run.go(**options)  # type: ignore[arg-type]  # a table of one option each

    assert run.sandbox.now - started == options.get("timeout_seconds", 0)
    assert Counter(run.states) in ({"queued": 10, "planned": 2}, {"importing": 2, "queued": 8, "planned": 2})
    assert run.go()
    assert run.states == ["reconciled"] * 12
    assert set(run.imports.values()) == {1}


def test_a_finished_run_sends_nothing(run: Run) -> None:
    run.plan_leads(2)
    run.go()
    before = run.calls

    assert run.go()

    assert run.calls == before
    assert len(run.finished) == 2


def test_an_intent_without_an_answer_is_unknown_and_never_sent_again(run: Run) -> None:
    run.plan_leads(3)
    run.ledger.intend("chunks/leads-0002.csv")

    assert run.go()

    assert run.states == ["reconciled", "unknown", "reconciled"]
    assert "lead1@example.com" not in "".join(run.imports)
    assert (
        run.ledger.job("chunks/leads-0002.csv").message
        == "prep ended before Marketo's answer was written down"
    )


@pytest.mark.parametrize("seconds", [_DAY, 7 * _DAY - 100])
def test_a_run_is_carried_on_within_seven_days(run: Run, seconds: float) -> None:
    run.plan_leads(2)
    run.go(wait=False)
    run.sandbox.advance(seconds)

    assert run.go()

    assert run.states == ["reconciled"] * 2


def test_batches_older_than_seven_days_are_unknown(run: Run) -> None:
    run.plan_leads(2)
    run.go(wait=False)
    run.sandbox.advance(7 * _DAY + 1)

    assert run.go()

    assert run.states == ["unknown"] * 2
    assert "older than 7 days" in run.ledger.jobs()[0].message
    assert run.finished == []


def test_a_batch_that_marketo_does_not_know_is_unknown(run: Run) -> None:
    run.plan_leads(2)
    run.ledger.intend("chunks/leads-0001.csv")
    run.ledger.queued("chunks/leads-0001.csv", 999_999)

    assert run.go()

    assert run.states == ["unknown", "reconciled"]
    assert "999999" in run.ledger.jobs()[0].message


def test_a_batch_that_is_not_known_for_a_moment_is_looked_at_again(run: Run) -> None:
    """As when a gateway answers in place of Marketo, with a status that means: there is no such thing."""
    run.plan_leads(1)
    run.go(wait=False)
    known = run.ledger.job("chunks/leads-0001.csv").batch_id
    with closing(sqlite3.connect(run.ledger.path)) as database, database:
        database.execute("UPDATE jobs SET batch_id = 999999")

    assert not run.go(timeout_seconds=4)

    assert run.states == ["queued"]
    with closing(sqlite3.connect(run.ledger.path)) as database, database:
        database.execute("UPDATE jobs SET batch_id = ?", (known,))
    assert run.go()
    assert run.states == ["reconciled"]


def test_lost_is_sent_once(run: Run) -> None:
    run.plan_leads(1)
    run.ledger.intend("chunks/leads-0001.csv")
    run.go()
    run.ledger.settle("chunks/leads-0001.csv", "lost")

    assert run.go()

    assert run.states == ["reconciled"]
    assert list(run.imports.values()) == [1]


def test_landed_without_a_batch_id_counts_as_it_stands(run: Run) -> None:
    run.plan_leads(1)
    run.ledger.intend("chunks/leads-0001.csv")
    run.go()
    run.ledger.settle("chunks/leads-0001.csv", "landed")

    assert run.go()

    ((job, failures, warnings),) = run.finished
    assert (job.assumed, job.message, failures, warnings) == (True, "assumed landed", b"", b"")
    assert run.states == ["reconciled"]
    assert run.calls == {}, "nobody can be asked"


def test_landed_with_a_batch_id_fetches_what_can_be_had(run: Run) -> None:
    run.plan(b"email,annualRevenue\nada@example.com,5\ngrace@example.com,lots\n")
    batch_id = run.client.import_leads("x.csv", run.files["chunks/leads-0001.csv"])
    run.ledger.intend("chunks/leads-0001.csv")
    run.go()
    run.ledger.settle("chunks/leads-0001.csv", "landed", batch_id=batch_id)

    assert run.go()

    ((job, failures, _),) = run.finished
    assert (job.assumed, job.processed, job.failed) == (False, 1, 1)
    assert len(failures.splitlines()) == 2


def test_landed_with_a_batch_id_that_marketo_does_not_know_is_unknown_until_said_again(run: Run) -> None:
    run.plan_leads(1)
    run.ledger.intend("chunks/leads-0001.csv")
    run.go()
    run.ledger.settle("chunks/leads-0001.csv", "landed", batch_id=999_999)

    assert run.go()
    assert run.states == ["unknown"]
    run.ledger.settle("chunks/leads-0001.csv", "landed")

    assert run.go()
    ((job, _, _),) = run.finished
    assert (job.assumed, job.message, run.states) == (True, "assumed landed", ["reconciled"])


def test_landed_with_an_expired_batch_id_counts_as_it_stands(run: Run) -> None:
    run.plan_leads(1)
    run.go(wait=False)
    run.sandbox.advance(8 * _DAY)
    run.go()
    run.ledger.settle("chunks/leads-0001.csv", "landed")

    assert run.go()

    ((job, failures, warnings),) = run.finished
    assert (job.assumed, job.message, failures, warnings) == (True, "assumed landed", b"", b"")


def test_a_job_whose_failures_do_not_add_up_stays_unknown(run: Run) -> None:
    run.plan_leads(2)

    def doubt(job: Job, _: bytes, __: bytes) -> None:
        if job.chunk == "chunks/leads-0001.csv":
            run.ledger.unknown(job.chunk, "1 failure counted, none told")

    assert run.go(on_finished=doubt)

    assert run.states == ["unknown", "reconciled"]


def test_a_refused_upload_leaves_its_chunk_planned(run: Run) -> None:
    run.plan_leads(1, list_id=4242)

    with pytest.raises(TerminalError) as caught:
        run.go()

    assert caught.value.code == "marketo_1013"
    assert "--list-id" in caught.value.hint
    assert run.states == ["planned"]
    assert run.imports == {}


def test_jobs_under_way_are_finished_before_a_refusal_is_raised(run: Run) -> None:
    run.plan(b"email\nada@example.com\n", b"", b"email\ngrace@example.com\n")

    with pytest.raises(TerminalError) as caught:
        run.go()

    assert caught.value.code == "marketo_1003"
    assert run.states == ["reconciled", "planned", "planned"]


class _StopError(Exception):
    """Something in the caller's own code goes wrong."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, _StopError])
def test_a_run_that_ends_while_a_job_is_handed_on_hands_it_on_again(
    run: Run, error: type[BaseException]
) -> None:
    run.plan_leads(3)

    def fail(*_: object) -> None:
        raise error

    with pytest.raises(error):
        run.go(on_finished=fail)
    assert "complete" in run.states

    assert run.go()
    assert len(run.finished) == 3
    assert set(run.imports.values()) == {1}


def test_a_chunk_that_changed_is_not_sent(run: Run) -> None:
    run.plan_leads(1)
    del run.files["chunks/leads-0001.csv"]

    with pytest.raises(KeyError):
        run.go()

    assert run.states == ["planned"]


def test_a_server_that_is_gone_leaves_everything_planned(run: Run) -> None:
    run.plan_leads(3)
    run.client = Marketo("http://127.0.0.1:1", "id", "secret", sleep=run.sandbox.advance)

    with pytest.raises(TransientError) as caught:
        run.go()

    assert caught.value.code == "no_connection"
    assert run.states == ["planned"] * 3


def test_the_files_of_a_reconciled_job_can_be_fetched_again(run: Run) -> None:
    run.plan(b"email,annualRevenue\nada@example.com,5\ngrace@example.com,lots\n")
    run.go()
    ((_, failures, warnings),) = run.finished

    assert fetch_files(run.client, run.ledger.jobs()[0], LEADS) == (failures, warnings)
    assert are_settled(run.ledger.jobs())


@pytest.mark.parametrize("slots", [0, 11])
def test_slots_that_cannot_be_are_refused(run: Run, slots: int) -> None:
    run.plan_leads(1)

    with pytest.raises(SettingsError):
        run.go(queue_slots=slots)


def test_a_ledger_without_a_target_is_refused(run: Run) -> None:
    with pytest.raises(FolderError) as caught:
        run.go()

    assert caught.value.code == "no_target"


@pytest.mark.parametrize(
    ("uploads", "one_at_a_time", "queue_slots", "shortest_pause", "expected"),
    [
        (1, False, 10, 5, Cost(1, 2, 5)),
        (40, False, 10, 5, Cost(40, 80, 20)),
        (40, True, 10, 5, Cost(40, 80, 200)),
        (40, False, 2, 5, Cost(40, 80, 100)),
        (1000, False, 10, 5, Cost(1000, 2000, 780)),
        (1, False, 10, 0.25, Cost(1, 2, 0.25)),
    ],
)
def test_the_estimate(
    uploads: int,
    one_at_a_time: bool,  # noqa: FBT001
    queue_slots: int,
    shortest_pause: float,
    expected: Cost,
) -> None:
    cost = estimate(
        uploads, one_at_a_time=one_at_a_time, queue_slots=queue_slots, poll_seconds=(shortest_pause, 30)
    )
    assert cost == expected
