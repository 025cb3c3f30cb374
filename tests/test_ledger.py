"""The ledger: what it keeps, what it allows, and what it refuses to believe."""

import inspect
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from prep.errors import FolderError
from prep.ledger import VERBS, Ledger, Transition
from prep.model import Chunk, Exchange, Format, Job, JobState, JobStatus
from prep.objects import Target

ONE = "chunks/leads-0001.csv"
TWO = "chunks/leads-0002.csv"
CHUNKS = (Chunk(ONE, 10, 200, "a" * 64), Chunk(TWO, 5, 100, "b" * 64))
TARGET = Target("123-abc-456.mktorest.com", 7, None, Format.CSV, "email")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.create(path, clock=iter(range(100, 200)).__next__) as ledger:
        ledger.plan(CHUNKS)
        yield ledger


def test_planned_chunks_are_kept_in_order(ledger: Ledger) -> None:
    assert ledger.chunks() == CHUNKS
    assert ledger.jobs() == (Job(ONE, JobState.PLANNED), Job(TWO, JobState.PLANNED))


def test_a_job_on_its_way(ledger: Ledger, path: Path) -> None:
    ledger.intend(ONE)
    ledger.queued(ONE, 3404)
    ledger.observed(ONE, JobStatus.QUEUED)
    ledger.observed(ONE, JobStatus.IMPORTING, processed=3)
    ledger.observed(ONE, JobStatus.IMPORTING, processed=6)
    ledger.observed(ONE, JobStatus.QUEUED, processed=6)
    ledger.observed(ONE, JobStatus.COMPLETE, processed=9, failed=1, warned=2, message="Import completed")
    ledger.reconciled(ONE)
    ledger.close()

    with Ledger(path) as reopened:
        assert reopened.job(ONE) == Job(
            ONE,
            JobState.RECONCILED,
            batch_id=3404,
            status=JobStatus.COMPLETE,
            processed=9,
            failed=1,
            warned=2,
            message="Import completed",
            queued_at=103,
        )
        assert reopened.history() == (
            Transition(ONE, JobState.PLANNED, 100),
            Transition(TWO, JobState.PLANNED, 101),
            Transition(ONE, JobState.INTENDED, 102),
            Transition(ONE, JobState.QUEUED, 104),
            Transition(ONE, JobState.IMPORTING, 105),
            Transition(ONE, JobState.COMPLETE, 106),
            Transition(ONE, JobState.RECONCILED, 107),
        )


STEPS: dict[str, Callable[[Ledger], None]] = {
    "intend": lambda ledger: ledger.intend(ONE),
    "refused": lambda ledger: ledger.refused(ONE),
    "queued": lambda ledger: ledger.queued(ONE, 3404),
    "still queued": lambda ledger: ledger.observed(ONE, JobStatus.QUEUED),
    "importing": lambda ledger: ledger.observed(ONE, JobStatus.IMPORTING),
    "complete": lambda ledger: ledger.observed(ONE, JobStatus.COMPLETE),
    "failed": lambda ledger: ledger.observed(ONE, JobStatus.FAILED),
    "unknown": lambda ledger: ledger.unknown(ONE, "no answer"),
    "presumed": lambda ledger: ledger.presumed(ONE),
    "landed": lambda ledger: ledger.settle(ONE, "landed"),
    "landed as 5": lambda ledger: ledger.settle(ONE, "landed", batch_id=5),
    "lost": lambda ledger: ledger.settle(ONE, "lost"),
    "resolved": lambda ledger: ledger.resolved(replace(ledger.job(ONE), status=JobStatus.COMPLETE)),
    "reconciled": lambda ledger: ledger.reconciled(ONE),
}
WAYS: dict[JobState, list[str]] = {
    JobState.PLANNED: [],
    JobState.INTENDED: ["intend"],
    JobState.QUEUED: ["intend", "queued"],
    JobState.IMPORTING: ["intend", "queued", "importing"],
    JobState.COMPLETE: ["intend", "queued", "complete"],
    JobState.FAILED: ["intend", "queued", "failed"],
    JobState.UNKNOWN: ["intend", "unknown"],
    JobState.RECONCILED: ["intend", "queued", "complete", "reconciled"],
}
ALLOWED: dict[JobState, dict[str, str]] = {
    JobState.PLANNED: {"intend": "intended"},
    JobState.INTENDED: {"refused": "planned", "queued": "queued", "unknown": "unknown"},
    JobState.QUEUED: {
        "still queued": "queued",
        "importing": "importing",
        "complete": "complete",
        "failed": "failed",
        "unknown": "unknown",
    },
    JobState.IMPORTING: {
        "still queued": "importing",
        "importing": "importing",
        "complete": "complete",
        "failed": "failed",
        "unknown": "unknown",
    },
    JobState.COMPLETE: {"unknown": "unknown", "reconciled": "reconciled"},
    JobState.FAILED: {"reconciled": "reconciled"},
    JobState.UNKNOWN: {"landed": "complete", "landed as 5": "queued", "lost": "planned"},
    JobState.RECONCILED: {},
}


@pytest.mark.parametrize("verb", STEPS)
@pytest.mark.parametrize("state", JobState)
def test_each_verb_in_each_state(ledger: Ledger, state: JobState, verb: str) -> None:
    for step in WAYS[state]:
        STEPS[step](ledger)
    before, history = ledger.jobs(), ledger.history()
    expected = ALLOWED[state].get(verb)

    if expected is None:
        with pytest.raises(FolderError) as caught:
            STEPS[verb](ledger)
        assert caught.value.code == "illegal_transition"
        assert (ledger.jobs(), ledger.history()) == (before, history)
    else:
        STEPS[verb](ledger)
        assert ledger.job(ONE).state == expected


def test_each_verb_has_its_row() -> None:
    """Whatever moves a job, which is what takes one and returns nothing."""
    moving = {
        name
        for name, verb in inspect.getmembers(Ledger, inspect.isfunction)
        if {"chunk", "job"} & inspect.signature(verb).parameters.keys()
        and inspect.signature(verb).return_annotation is None
        and not name.startswith("_")
    }
    assert moving == set(VERBS)


def test_an_unknown_job_with_a_batch_id_can_be_resolved(ledger: Ledger) -> None:
    for step in ("intend", "queued", "complete", "unknown"):
        STEPS[step](ledger)
    told = replace(
        ledger.job(ONE),
        status=JobStatus.COMPLETE,
        processed=9,
        failed=1,
        warned=2,
        message="Import completed",
    )
    ledger.resolved(told)
    assert ledger.job(ONE) == replace(told, state=JobState.RECONCILED)
    assert [moved.state for moved in ledger.history() if moved.chunk == ONE][-2:] == ["unknown", "reconciled"]
    assert ledger.history()[-1].at > ledger.history()[-2].at


def test_lost_forgets_what_was_known(ledger: Ledger) -> None:
    for step in ("intend", "queued", "importing", "unknown", "lost"):
        STEPS[step](ledger)

    assert ledger.job(ONE) == Job(ONE, JobState.PLANNED)


def test_landed_asks_marketo_again_where_a_batch_id_is_known(ledger: Ledger) -> None:
    for step in ("intend", "queued", "unknown", "landed"):
        STEPS[step](ledger)

    job = ledger.job(ONE)
    assert (job.state, job.batch_id, job.assumed, job.queued_at) == (JobState.QUEUED, 3404, True, None)
    assert ledger.age_seconds(job) == 0, "a person's word does not expire"
    ledger.presumed(ONE)
    assert ledger.job(ONE).state is JobState.COMPLETE


def test_landed_with_another_batch_id_is_a_job_like_any_other(ledger: Ledger) -> None:
    for step in ("intend", "queued", "unknown"):
        STEPS[step](ledger)
    ledger.settle(ONE, "landed", batch_id=3405)

    job = ledger.job(ONE)
    assert (job.state, job.batch_id, job.assumed, job.message) == (JobState.QUEUED, 3405, False, "")


def test_a_folder_can_be_aimed_elsewhere_until_a_chunk_is_about_to_be_sent(ledger: Ledger) -> None:
    other = replace(TARGET, host="sandbox", list_id=None)
    ledger.aim(TARGET)
    ledger.aim(other)
    assert ledger.target == other

    ledger.intend(ONE)
    assert ledger.has_begun
    with pytest.raises(FolderError, match="belongs to another target"):
        ledger.aim(TARGET)
    assert ledger.target == other


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (Target("sandbox", 7, None, Format.CSV, "email"), "host 123-abc-456.mktorest.com and not sandbox"),
        (Target("123-abc-456.mktorest.com", 8, None, Format.CSV, "email"), "list_id 7 and not 8"),
        (Target("123-abc-456.mktorest.com", 7, "EU", Format.CSV, "email"), "partition_name None and not EU"),
        (Target("123-abc-456.mktorest.com", 7, None, Format.TSV, "email"), "format csv and not tsv"),
        (Target("123-abc-456.mktorest.com", 7, None, Format.CSV, "id"), "lookup_field email and not id"),
    ],
)
def test_a_folder_has_one_target(ledger: Ledger, other: Target, named: str) -> None:
    assert ledger.target is None
    ledger.aim(TARGET)
    ledger.aim(TARGET)
    for step in ("intend", "refused"):
        STEPS[step](ledger)

    with pytest.raises(FolderError) as caught:
        ledger.aim(other)

    assert caught.value.code == "other_target"
    assert named in caught.value.message
    assert ledger.target == TARGET


def test_the_same_plan_again_changes_nothing(ledger: Ledger) -> None:
    ledger.intend(ONE)

    ledger.plan(CHUNKS)

    assert [job.state for job in ledger.jobs()] == [JobState.INTENDED, JobState.PLANNED]


@pytest.mark.parametrize(
    "other", [CHUNKS[:1], CHUNKS[::-1], (CHUNKS[0], Chunk(TWO, 5, 100, "c" * 64)), ()], ids=len
)
def test_another_plan_is_refused(ledger: Ledger, other: tuple[Chunk, ...]) -> None:
    with pytest.raises(FolderError) as caught:
        ledger.plan(other)

    assert caught.value.code == "other_chunks"


def test_exchanges_are_written_with_the_next_transition(ledger: Ledger, path: Path) -> None:
    first = Exchange(1.5, "POST", "/bulk/v1/leads.json", 200, "", 0.25)
    second = Exchange(2.5, "GET", "/bulk/v1/leads/batch/1.json", None, "timed_out", 60.0)

    ledger.intend(ONE)
    ledger.note(first)
    assert ledger.exchanges() == ()
    ledger.queued(ONE, 3404)
    assert ledger.exchanges() == (first,)
    ledger.note(second)
    ledger.close()

    with Ledger(path) as reopened:
        assert reopened.exchanges() == (first, second)


def test_everything_is_durable_before_a_verb_returns(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    for verb, state in (("intend", "intended"), ("queued", "queued"), ("complete", "complete")):
        STEPS[verb](ledger)
        shutil.copy(path, copy)  # as after a crash, and even without the write-ahead log
        with Ledger(copy) as copied:
            assert copied.job(ONE).state == state


def test_the_settings_that_make_it_durable(ledger: Ledger) -> None:
    assert ledger._file.rows("PRAGMA journal_mode") == [("wal",)]
    assert ledger._file.rows("PRAGMA synchronous") == [(2,)]


def test_only_the_owner_can_read_it(ledger: Ledger, path: Path) -> None:
    ledger.intend(ONE)

    files = [file for file in path.parent.iterdir() if file.name.startswith("ledger")]

    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_there_is_one_ledger_in_a_folder(ledger: Ledger, path: Path) -> None:
    with pytest.raises(FolderError) as caught:
        Ledger.create(path)

    assert caught.value.code == "ledger_exists"
    assert ledger.chunks() == CHUNKS


def test_a_missing_ledger_is_not_an_empty_one(path: Path) -> None:
    with pytest.raises(FolderError) as caught:
        Ledger(path)

    assert caught.value.code == "missing_ledger"
    assert not path.exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FolderError) as caught:
        Ledger.create(tmp_path / "absent" / "ledger.sqlite")

    assert caught.value.code == "unusable_ledger"


def test_an_unknown_chunk_is_named(ledger: Ledger) -> None:
    with pytest.raises(FolderError) as caught:
        ledger.intend("chunks/leads-0003.csv")

    assert caught.value.code == "no_such_chunk"


def test_another_writer_is_not_waited_for_without_end(ledger: Ledger, path: Path) -> None:
    ledger._file.database.execute("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(FolderError) as caught:
            ledger.intend(ONE)

    assert caught.value.code == "unusable_ledger"
    assert ledger.job(ONE).state is JobState.PLANNED


def _execute(*statements: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for statement in statements:
                database.execute(statement)

    return damage


def _overwrite(start: int, content: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(content)

    return damage


def _overwrite_table(name: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            (page,) = database.execute(
                "SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)
            ).fetchone()
            (size,) = database.execute("PRAGMA page_size").fetchone()
        _overwrite((page - 1) * size, b"\xff" * size)(path)

    return damage


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: os.truncate(path, 0),
    "cut short": lambda path: os.truncate(path, 5000),
    "not a database": _overwrite(0, b"all done\n" * 10_000),
    "header overwritten": _overwrite(0, bytes(100)),
    "pages overwritten": _overwrite(4096, b"\xff" * 12000),
    "a table that nobody asks yet": _overwrite_table("exchanges"),
    "an index": _overwrite_table("sqlite_autoindex_jobs_1"),
    "table missing": _execute("DROP TABLE transitions"),
    "column missing": _execute("ALTER TABLE jobs DROP COLUMN message"),
    "newer version": _execute("PRAGMA user_version = 3"),
    "another application": _execute("PRAGMA application_id = 1"),
    "state without a transition": _execute("UPDATE jobs SET state = 'reconciled' WHERE ordinal = 1"),
    "job gone": _execute("DELETE FROM jobs WHERE ordinal = 1"),
    "transitions gone": _execute("DELETE FROM transitions"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_never_read_as_done(ledger: Ledger, path: Path, damage: str) -> None:
    ledger.intend(ONE)
    ledger.close()
    DAMAGES[damage](path)

    with pytest.raises(FolderError) as caught:
        Ledger(path)

    assert caught.value.code == "damaged_ledger"
    assert caught.value.hint


@pytest.mark.parametrize("start", range(0, 24576, 1024))
def test_a_flipped_page_part_is_found_or_harmless(ledger: Ledger, path: Path, start: int) -> None:
    ledger.intend(ONE)
    expected = ledger.jobs()
    ledger.close()
    _overwrite(start, b"\xa5" * 64)(path)

    with suppress(FolderError), Ledger(path) as reopened:
        assert reopened.jobs() == expected


_BEFORE_OBJECTS = """
DROP TABLE target;
CREATE TABLE target (
        host TEXT NOT NULL, list_id INTEGER, partition_name TEXT,
        format TEXT NOT NULL CHECK (format IN ('csv', 'tsv', 'ssv')),
        lookup_field TEXT NOT NULL, only_one INTEGER NOT NULL DEFAULT 1 UNIQUE CHECK (only_one = 1)
    ) STRICT;
INSERT INTO target (host, list_id, partition_name, format, lookup_field)
    VALUES ('123-abc-456.mktorest.com', 7, NULL, 'csv', 'email');
PRAGMA user_version = 1;
"""
"""Makes a ledger as the first version wrote it, when there were only leads."""


def test_a_ledger_of_the_first_version_goes_on(path: Path) -> None:
    with Ledger.create(path) as ledger:
        ledger.plan(CHUNKS)
        ledger.intend(ONE)
        ledger.queued(ONE, 1001)
        jobs, history = ledger.jobs(), ledger.history()
    with closing(sqlite3.connect(path)) as database:
        database.executescript(_BEFORE_OBJECTS)
    for _ in range(2):
        with Ledger(path) as ledger:
            assert (ledger.target, ledger.jobs(), ledger.history()) == (TARGET, jobs, history)


@pytest.mark.parametrize(
    "target",
    [
        Target("sandbox", None, None, Format.TSV, "email", "program-members", 1014, "On List"),
        Target("sandbox", None, None, Format.CSV, "vin,servicedOn", "customobjects/service_c"),
    ],
)
def test_what_rows_become_is_part_of_the_target(path: Path, target: Target) -> None:
    with Ledger.create(path) as ledger:
        ledger.aim(target)
        ledger.plan(CHUNKS)
        ledger.intend(ONE)
    with Ledger(path) as ledger:
        assert ledger.target == target
        with pytest.raises(FolderError, match=f"object {target.object} and not leads"):
            ledger.aim(replace(target, object="leads"))
