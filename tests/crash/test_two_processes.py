"""One run folder, two processes."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prep import pipeline
from prep.cli.main import run as run_command
from prep.errors import FolderError
from prep.folder import RunFolder
from prep.ledger import Ledger
from prep.marketo import Marketo
from prep.pipeline import aim, submit
from prep.sandbox import Sandbox
from tests.crash.journal import clean_leads, prepare_instance, write_leads
from tests.crash.victims import Victim, hold, send_run

LEAVES_WITHIN_SECONDS = 5  # of product.md; it is a matter of milliseconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return clean_leads(write_leads(tmp_path / "leads.csv", 2), tmp_path / "run").path


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(time_scale=0, job_seconds=5) as sandbox:
        prepare_instance(sandbox)
        yield sandbox


def test_the_second_one_leaves_with_a_message(
    folder: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("ENDPOINT", sandbox.url), ("CLIENT_ID", "id"), ("CLIENT_SECRET", "secret")):
        monkeypatch.setenv(f"MARKETO_{name}", value)
    first = Victim(hold, folder)
    first.wait_for("holds")
    started = time.monotonic()

    code = run_command(["submit", str(folder), "--yes"])

    assert time.monotonic() - started < LEAVES_WITHIN_SECONDS
    assert code == 1
    assert "another prep is working on this run" in capsys.readouterr().err
    assert sandbox.requests() == [], "it did not even ask for a token"
    assert first.kill()


def test_what_the_first_one_sends_meanwhile_is_not_taken_for_the_second_ones(
    folder: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ENDPOINT", sandbox.url), ("CLIENT_ID", "id"), ("CLIENT_SECRET", "secret")):
        monkeypatch.setenv(f"MARKETO_{name}", value)
    assert run_command(["submit", str(folder), "--yes", "--no-wait", "--queue-slots", "1"]) == 5
    report = (folder / "report.json").read_bytes()
    first = Victim(hold, folder)
    first.wait_for("holds")

    def aim_late(*given: Any) -> None:
        with Ledger(folder / "ledger.sqlite") as ledger:
            ledger.intend(ledger.jobs()[1].chunk)
        aim(*given)

    monkeypatch.setattr(pipeline, "aim", aim_late)
    code = run_command(["resume", str(folder)])

    assert code == 1, "nothing was sent by this one"
    assert (folder / "report.json").read_bytes() == report, "it is the first one's to write"
    assert first.kill()


def test_the_lock_of_a_killed_process_heals(folder: Path, sandbox: Sandbox) -> None:
    first = Victim(hold, folder)
    first.wait_for("holds")
    with Marketo(sandbox.url, "id", "secret") as client, pytest.raises(FolderError) as caught:
        submit(folder, client)
    assert caught.value.code == "folder_in_use"
    assert first.kill()

    assert Victim(send_run, folder, sandbox.url, sandbox.now).end(sandbox).error == ""
    assert len(sandbox.jobs()) == 2


def test_two_that_start_at_once_send_each_chunk_once(folder: Path, sandbox: Sandbox) -> None:
    both = [Victim(send_run, folder, sandbox.url, sandbox.now) for _ in range(2)]

    ended = [victim.end(sandbox) for victim in both]

    assert {process.error for process in ended} <= {"", "folder_in_use"}
    assert "" in {process.error for process in ended}
    assert len(sandbox.jobs()) == 2
    with RunFolder(folder).lock():
        pass
