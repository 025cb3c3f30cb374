"""Chunks of which nobody can tell are settled by a person; a finished run's data is deleted on request."""

import json
import resource
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from prep import Run
from prep.ledger import Ledger
from prep.marketo import Marketo
from prep.model import Assumption
from prep.sandbox import Fault, FaultKind, Sandbox

from .conftest import LEADS, Prep, connect, names, written

KEPT = [".lock", "ledger.sqlite", "manifest.json", "report.html", "report.json", "rows.parquet"]


@pytest.fixture
def unclear(here: Path, monkeypatch: pytest.MonkeyPatch, prep: Prep) -> Iterator[Sandbox]:
    """The answer to the only upload of `leads.prep` was lost; Marketo has its two rows."""
    written(here / "leads.csv", LEADS)
    with Sandbox(job_seconds=0, faults=["lost-reply:1"]) as sandbox:
        connect(monkeypatch, sandbox.url)
        assert prep("run", "leads.csv").code == 6
        yield sandbox


def uploads(sandbox: Sandbox) -> int:
    return len(sandbox.jobs())


def test_the_summary_says_how_to_settle_it(unclear: Sandbox, prep: Prep) -> None:
    told = prep("report", "leads.prep")
    assert told.code == 6
    assert "  prep resume leads.prep --assume landed|lost leads-0001.csv  settles an" in told.out


def test_nothing_is_sent_again_by_itself(unclear: Sandbox, prep: Prep) -> None:
    for command in ("resume", "submit"):
        ended = prep(command, "leads.prep", "--json")
        assert (ended.code, ended.json["counts"]["unknown"], ended.json["assumed"]) == (6, 2, 0)
    assert uploads(unclear) == 1


def test_landed_without_a_batch_id_counts_as_imported(unclear: Sandbox, prep: Prep) -> None:
    answer = prep("resume", "leads.prep", "--assume", "landed", "leads-0001.csv", "--json").json
    assert (answer["counts"]["imported"], answer["assumed"], answer["state"]) == (2, 2, "reconciled")
    told = Run.open("leads.prep").rows.filter(pl.col("fate") == "imported")["message"]
    assert told.to_list() == ["assumed landed"] * 2
    assert uploads(unclear) == 1


def test_purge_keeps_how_many_rows_are_assumed(unclear: Sandbox, prep: Prep) -> None:
    prep("resume", "leads.prep", "--assume", "landed", "leads-0001.csv")
    assert prep("purge", "leads.prep", "--yes", "--json").json["assumed"] == 2
    assert prep("report", "leads.prep", "--json").json["assumed"] == 2
    assert uploads(unclear) == 1


def test_landed_with_a_batch_id_asks_marketo(unclear: Sandbox, prep: Prep) -> None:
    (job,) = unclear.jobs()
    decision = ("--assume", "landed", "chunks/leads-0001.csv", "--batch-id", job.batch_id)
    answer = prep("resume", "leads.prep", *decision, "--json").json
    assert (answer["counts"]["imported"], answer["state"]) == (2, "reconciled")
    assert answer["jobs"][0]["processed"] == 2
    assert uploads(unclear) == 1


def test_a_batch_id_of_an_import_of_more_or_fewer_rows_leaves_them_unknown(
    unclear: Sandbox, prep: Prep
) -> None:
    with Marketo(unclear.url, "id", "secret") as client:
        batch_id = client.import_leads("other.csv", b"email\nada@example.com\n")
    decision = ("--assume", "landed", "leads-0001.csv", "--batch-id", batch_id)
    answer = prep("resume", "leads.prep", *decision, "--json").json
    assert (answer["counts"]["unknown"], answer["counts"]["imported"], answer["state"]) == (2, 0, "unknown")
    told = Run.open("leads.prep").rows.filter(pl.col("fate") == "unknown")["message"]
    assert told.to_list() == ["rows: 2 were sent, Marketo counts 1 processed and 0 failed"] * 2
    assert prep("reconcile", "leads.prep").code == 6


def test_lost_is_sent_once_more(unclear: Sandbox, prep: Prep) -> None:
    answer = prep("resume", "leads.prep", "--assume", "lost", "leads-0001.csv", "--json").json
    assert (answer["counts"]["imported"], answer["assumed"], answer["state"]) == (2, 0, "reconciled")
    assert uploads(unclear) == 2


def test_a_batch_id_that_a_full_disk_does_not_take_is_told_and_can_be_given_back(
    here: Path, monkeypatch: pytest.MonkeyPatch, prep: Prep
) -> None:
    """The disk is full between the upload and the answer; the command of the hint is the next one typed."""
    written(here / "leads.csv", LEADS)
    prep("clean", "leads.csv")
    with Sandbox(job_seconds=0, faults=[Fault(kind=FaultKind.SLOW_REPLY, seconds=1)]) as sandbox:
        connect(monkeypatch, sandbox.url)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill_the_disk() -> None:
            while not sandbox.jobs():
                time.sleep(0.01)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))

        filling = threading.Thread(target=fill_the_disk)
        filling.start()
        try:
            ended = prep("submit", "leads.prep")
        finally:
            filling.join()
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        (job,) = sandbox.jobs()
        settling = f"--assume landed leads-0001.csv --batch-id {job.batch_id}"
        assert (ended.code, ended.err.splitlines()[-2:]) == (
            6,
            [
                f"Error: chunks/leads-0001.csv is with Marketo as batch {job.batch_id}, but that cannot be "
                "written down",
                "Hint: Check free space, permissions, and whether another process holds the file. "
                f"Then `prep resume leads.prep {settling}`.",
            ],
        )
        answer = prep("resume", "leads.prep", *settling.split(), "--json").json
        assert (answer["counts"]["imported"], answer["assumed"], answer["state"]) == (2, 0, "reconciled")
        assert uploads(sandbox) == 1


@pytest.mark.parametrize(("decision", "sent"), [("landed", 1), ("lost", 2)])
def test_an_upload_that_prep_was_killed_in_can_be_decided_at_once(
    here: Path, monkeypatch: pytest.MonkeyPatch, prep: Prep, decision: str, sent: int
) -> None:
    written(here / "leads.csv", LEADS)
    with Sandbox(job_seconds=0, faults=["lost-reply:1"]) as sandbox:
        connect(monkeypatch, sandbox.url)
        with monkeypatch.context() as dying:
            dying.setattr(Ledger, "unknown", lambda *_: None)  # as if it had been killed before that
            prep("run", "leads.csv")
        with Ledger(here / "leads.prep" / "ledger.sqlite") as ledger:
            assert [job.state for job in ledger.jobs()] == ["intended"]

        answer = prep("resume", "leads.prep", "--assume", decision, "leads-0001.csv", "--json").json

        assert (answer["counts"]["imported"], answer["state"]) == (2, "reconciled")
        assert uploads(sandbox) == sent


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("--assume", "lost", "leads-0007.csv"), 1, "no_such_chunk"),
        (("--assume", "gone", "leads-0001.csv"), 2, "usage"),
        (("--batch-id", "7"), 2, "usage"),
        (("--assume", "lost", "leads-0001.csv", "--batch-id", "7"), 2, "usage"),
    ],
)
def test_a_decision_that_makes_no_sense(
    unclear: Sandbox, prep: Prep, arguments: tuple[str, ...], code: int, error: str
) -> None:
    ended = prep("resume", "leads.prep", *arguments, "--json")
    assert (ended.code, ended.json["exit_code"], ended.json["error"]["code"]) == (code, code, error)
    assert uploads(unclear) == 1


@pytest.mark.parametrize(
    ("decision", "code", "fate"), [("lost", 4, "ready"), ("landed", 5, "sent")], ids=["lost", "landed"]
)
def test_a_decision_after_which_prep_was_killed_is_told_with_what_carries_on(
    unclear: Sandbox, prep: Prep, decision: Assumption, code: int, fate: str
) -> None:
    with Ledger(Path("leads.prep/ledger.sqlite")) as ledger:
        ledger.settle("chunks/leads-0001.csv", decision)

    told = prep("report", "leads.prep")

    assert told.code == code
    assert f"          2  {fate} " in told.out
    assert "\n  prep resume leads.prep  " in told.out
    assert "unknown" not in told.out
    assert prep("resume", "leads.prep", "--allow-rejects").code == 0


def test_rows_that_were_sent_are_unknown_as_soon_as_the_ledger_says_so(
    leads: Path, prep: Prep, here: Path
) -> None:
    assert prep("run", "leads.csv", "--sandbox", "--no-wait").code == 5
    with Ledger(Path("leads.prep/ledger.sqlite")) as ledger:
        ledger.unknown("chunks/leads-0001.csv", "batch 1001 is older than 7 days")

    told = prep("report", "leads.prep", "--json")

    assert (told.code, told.json["state"]) == (6, "unknown")
    assert (told.json["counts"]["unknown"], told.json["counts"]["sent"]) == (2, 0)


def test_nothing_is_decided_while_a_source_is_another_one(unclear: Sandbox, prep: Prep, here: Path) -> None:
    (here / "leads.csv").write_text(LEADS + "eve@example.com,Eve,\n")
    decision = ("resume", "leads.prep", "--assume", "lost", "leads-0001.csv")

    ended = prep(*decision)

    assert (ended.code, ended.err.count("leads.csv: changed since")) == (1, 1)
    assert prep("report", "leads.prep", "--json").json["chunks"][0]["state"] == "unknown"
    (here / "leads.csv").rename(here / "moved.csv")
    assert prep(*decision, "--allow-rejects").code == 0, "as the hint said"
    assert uploads(unclear) == 2


def test_a_chunk_that_is_settled_needs_no_decision(unclear: Sandbox, prep: Prep) -> None:
    prep("resume", "leads.prep", "--assume", "landed", "leads-0001.csv")
    ended = prep("resume", "leads.prep", "--assume", "lost", "leads-0001.csv", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "not_unknown")
    assert ended.json["error"]["hint"] == "prep status leads.prep shows which chunks are unknown."
    assert uploads(unclear) == 1


def test_purge_keeps_the_numbers_and_nothing_of_the_people(leads: Path, prep: Prep, here: Path) -> None:
    before = prep("run", leads, "--sandbox", "--json").json
    ended = prep("purge", "leads.prep", "--yes")
    assert (ended.code, ended.out) == (
        0,
        "leads.prep: the rows' data is deleted; report.json keeps the numbers.\n",
    )
    assert names(here / "leads.prep") == KEPT
    told = prep("report", "leads.prep", "--json").json
    assert (told["counts"], told["purged"], before["purged"]) == (before["counts"], True, False)
    assert (
        json.loads((here / "leads.prep" / "report.json").read_bytes())["exit_code"] == told["exit_code"] == 3
    )
    assert prep("purge", "leads.prep", "--yes", "--json").json["exit_code"] == 0
    assert prep("report", "leads.prep").out.endswith(
        "\nThe rows' data was deleted with prep purge; their numbers stay.\n"
        "\n"
        "Next\n"
        "  prep report leads.prep --json  these numbers, for a program\n"
    )
    page = (here / "leads.prep" / "report.html").read_text(encoding="utf-8")
    assert "rejected.csv" not in page
    assert "prep retry" not in page
    assert "was deleted with prep purge" in page
    for name in KEPT:
        content = (here / "leads.prep" / name).read_bytes()
        assert [word for word in (b"ada@", b"ben@", b"Winter", b"not-an") if word in content.lower()] == []
    assert leads.exists()


def test_purge_names_copies_of_tables_that_somebody_made(leads: Path, prep: Prep, here: Path) -> None:
    prep("run", leads, "--sandbox")
    copy = Path("leads.prep/rejected (1).csv")
    copy.write_bytes(Path("leads.prep/rejected.csv").read_bytes())
    purged = prep("purge", "leads.prep", "--yes")
    assert purged.out == (
        "leads.prep: the rows' data is deleted; report.json keeps the numbers.\n"
        "leads.prep/rejected (1).csv: is not prep's, and still there\n"
    )
    assert copy.exists()
    assert prep("purge", "leads.prep", "--yes", "--json").json["strangers"] == [str(copy)]


def test_purge_names_the_retries_that_hold_the_same_people(leads: Path, prep: Prep, here: Path) -> None:
    prep("run", leads, "--sandbox")
    for folder, then, now in (
        ("leads.prep", "not-an-address", "nemo@example"),
        ("leads-retry1.prep", "nemo@example", "nemo@example.com"),
    ):
        table = here / folder / "rejected.csv"
        table.write_text(table.read_text("utf-8").replace(then, now, 1), "utf-8")
        prep("retry", folder, "-q")
    (second,) = Run.open("leads-retry1.prep").folder.manifest().retries
    done = "the rows' data is deleted; report.json keeps the numbers.\n"
    hold = "still holds rows of these people: prep purge"
    of_first = f"leads-retry1.prep: {hold} leads-retry1.prep\n"
    of_second = f"{second}: {hold} {second}\n"

    assert prep("purge", "leads.prep", "--yes").out == f"leads.prep: {done}{of_first}{of_second}"
    assert prep("purge", "leads-retry1.prep", "--yes").out == f"leads-retry1.prep: {done}{of_second}"
    again = prep("purge", "leads.prep", "--yes", "--json")
    assert (again.err, again.json["retries"]) == (f"leads.prep: {done}{of_second}", [second])
    assert prep("purge", second, "--yes").out == f"{second}: {done}"
    assert prep("purge", "leads.prep", "--yes").out == f"leads.prep: {done}"
    assert prep("purge", "leads.prep", "--yes", "--json").json["retries"] == []


def test_purge_names_retries_of_the_way_back_which_lie_in_the_run_folder(prep: Prep, here: Path) -> None:
    written(here / "leads.csv", "email,company\nada.winter@example.com,Winter Ltd\n")
    prep("clean", "leads.csv")
    for command in ("preview", "submit"):
        prep(command, "leads.prep", "--sandbox", "--yes")
    with closing(sqlite3.connect("leads.prep/sandbox.sqlite")) as database, database:
        database.execute("DELETE FROM leads")
    assert prep("submit", "leads.prep/restore", "--sandbox").code == 3
    prep("retry", "leads.prep/restore", "--sandbox")

    purged = prep("purge", "leads.prep", "--yes", "--json")

    again = "leads.prep/restore-retry1.prep"
    assert purged.json["retries"] == [again]
    assert purged.err == (
        "leads.prep: the rows' data is deleted; report.json keeps the numbers.\n"
        f"{again}: still holds rows of these people: prep purge {again}\n"
    )
    prep("purge", again, "--yes")
    assert prep("purge", "leads.prep", "--yes", "--json").json["retries"] == []


def test_purge_names_retries_wherever_it_was_typed(
    leads: Path, prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prep("run", leads, "--sandbox")
    prep("retry", "leads.prep", "--all", "-q")
    monkeypatch.chdir("leads.prep")
    assert prep("purge", ".", "--yes", "--json").json["retries"] == [str(here / "leads-retry1.prep")]


def people_in(folder: Path) -> list[str]:
    """Files that hold something of a person."""
    words = (b"ada@", b"ben@", b"Winter", b"not-an")
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(word in path.read_bytes() for word in words)]


@pytest.mark.parametrize("at", ["prep.folder.shutil.rmtree", "prep.folder.RunFolder.write_rows"])
def test_a_purge_that_was_killed_is_finished_by_another_one(
    leads: Path, prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    before = prep("run", leads, "--sandbox", "--json").json

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(at, killed)
        assert prep("purge", "leads.prep", "--yes").code == 130
    assert people_in(here / "leads.prep") != []
    assert prep("purge", "leads.prep", "--yes").code == 0
    assert names(here / "leads.prep") == KEPT
    assert people_in(here / "leads.prep") == []
    assert prep("report", "leads.prep", "--json").json["counts"] == before["counts"]


def test_purge_deletes_what_a_killed_settling_left(leads: Path, prep: Prep, here: Path) -> None:
    prep("run", leads, "--sandbox")
    for name in ("failed.csv", "warnings.csv", "duplicates.csv", "rows.parquet", "preview.csv"):
        written(here / f"leads.prep/{name}.tmp", "ada@example.com\n")
    assert prep("purge", "leads.prep", "--yes").code == 0
    assert names(here / "leads.prep") == KEPT


def test_purge_does_not_claim_what_it_could_not_delete(leads: Path, prep: Prep, here: Path) -> None:
    """Of a folder that somebody moved to another disk only the link could go."""
    prep("run", leads, "--sandbox")
    chunks = here / "leads.prep/chunks"
    chunks.rename(here / "elsewhere")
    chunks.symlink_to(here / "elsewhere")
    ended = prep("purge", "leads.prep", "--yes")
    assert (ended.code, ended.err.partition(": cannot be deleted: ")[0]) == (1, "Error: leads.prep/chunks")
    chunks.unlink()
    assert prep("purge", "leads.prep", "--yes").code == 0
    assert people_in(here / "leads.prep") == []


@pytest.mark.parametrize("command", ["resume", "submit --sandbox", "reconcile", "retry"])
def test_a_purged_run_cannot_be_worked_on(leads: Path, prep: Prep, command: str) -> None:
    prep("run", leads, "--sandbox")
    prep("purge", "leads.prep", "--yes")
    ended = prep(*command.split(), "leads.prep", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "purged")


@pytest.mark.parametrize(
    "command", ["clean leads.csv --keep-source", "clean leads.csv", "run leads.csv --sandbox"]
)
def test_nothing_comes_back_into_a_purged_run(leads: Path, prep: Prep, command: str) -> None:
    prep("run", "leads.csv", "--sandbox", "--keep-source")
    prep("purge", "leads.prep", "--yes")
    left = names(leads.parent)

    ended = prep(*command.split(), "--json")

    assert (ended.code, ended.json["error"]["code"]) == (1, "purged")
    assert names(leads.parent) == left


def test_a_run_that_is_not_finished_is_not_purged(unclear: Sandbox, prep: Prep, here: Path) -> None:
    ended = prep("purge", "leads.prep", "--yes")
    assert (ended.code, ended.err) == (
        1,
        "Error: leads.prep: still has rows that are unknown\n"
        "Hint: prep status leads.prep tells more. To give the run up, delete the folder.\n",
    )
    assert (here / "leads.prep/chunks/leads-0001.csv").exists()


def test_retry_from_the_command_line(leads: Path, prep: Prep, here: Path) -> None:
    prep("run", leads, "--sandbox")
    table = here / "leads.prep/rejected.csv"
    table.write_text(table.read_text("utf-8").replace("not-an-address", "nemo@example.com"), "utf-8")

    ended = prep("retry", "leads.prep", "--json", "-q")

    assert ended.code == 0
    assert {name: rows for name, rows in ended.json["counts"].items() if rows} == {"read": 1, "imported": 1}
    assert (here / "leads-retry1.prep/report.json").exists()
    assert prep("retry", "leads-retry1.prep", "--json").json["error"]["code"] == "nothing_to_retry"


def test_a_run_whose_cleaning_was_interrupted_is_not_tried_again(
    prep: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("prep.cleaning._fill", stop)
        prep("clean", "leads.csv", "-o", "a b.prep")
    assert prep("retry", "a b.prep").error == (
        1,
        "Error: a b.prep: cleaning was interrupted\nHint: prep resume 'a b.prep' carries on.\n",
    )
