"""The program as a process: signals, pipes, terminals, and the sandbox as a server of its own."""

import gc
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prep.cli.main import _delay_collection
from prep.sandbox import FaultKind, Sandbox

from .conftest import CLEAN, LEADS, PROGRAM, Ended, Prep, connect, names, written
from .terminals import on_terminal


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """An instance whose jobs never end by themselves: its time stands still."""
    with Sandbox(job_seconds=60, time_scale=0) as sandbox:
        connect(monkeypatch, sandbox.url)
        yield sandbox


def until(condition: bool, process: subprocess.Popen[str]) -> bool:  # noqa: FBT001
    assert process.poll() is None, process.communicate()
    return condition


def interrupted(slow: Sandbox, number: signal.Signals, *options: str) -> Ended:
    """A run that gets a signal while it waits for its job."""
    process = subprocess.Popen(
        [*PROGRAM, "run", "l.csv", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not until(any(request.place == "status" for request in slow.requests()), process):
        select.select([], [], [], 0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return Ended(process.returncode, out, err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_with_its_state_kept(
    prep: Prep, here: Path, slow: Sandbox, number: signal.Signals
) -> None:
    written(here / "l.csv", CLEAN)

    assert interrupted(slow, number) == Ended(130, "", "Interrupted. prep resume l.prep carries on.\n")

    assert prep("status", "l.prep").code == 5
    slow.advance(120)
    assert prep("resume", "l.prep").code == 0
    assert sum(request.place == "import" for request in slow.requests()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_an_upload_waits_for_its_answer(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    written(here / "l.csv", CLEAN)
    with Sandbox(faults=["slow-reply:2"]) as marketo:
        connect(monkeypatch, marketo.url)
        process = subprocess.Popen(
            [*PROGRAM, "run", "l.csv"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while not until(bool(marketo.jobs()), process):
            select.select([], [], [], 0.02)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)

        assert (process.returncode, said) == (130, "Interrupted. prep resume l.prep carries on.\n")
        (job,) = prep("status", "l.prep", "--json").json["runs"][0]["jobs"]
        assert (job["state"], job["batch_id"]) == ("queued", marketo.jobs()[0].batch_id)
        assert prep("resume", "l.prep").code == 0
        assert len(marketo.jobs()) == 1


def test_an_interrupted_run_answers_in_json_too(here: Path, slow: Sandbox) -> None:
    written(here / "l.csv", CLEAN)

    ended = interrupted(slow, signal.SIGINT, "--json")

    assert (ended.code, ended.json["exit_code"], ended.json["error"]["code"]) == (130, 130, "interrupted")
    assert ended.json["counts"]["sent"] == 2


def test_an_interrupt_before_there_is_a_folder(prep: Prep, here: Path) -> None:
    """Nobody writes to standard input: prep waits for it."""
    command = [*PROGRAM, "clean", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (here / "stdin.prep/source/0001.new.tmp").exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        err = process.stderr.read()

    assert (process.returncode, err) == (130, "Interrupted.\n")
    assert names(here) == []


@pytest.mark.parametrize(
    "command", ["report leads.prep", "report leads.prep --json", "schema show lead", "report nothing --json"]
)
def test_a_broken_pipe_is_silent(prep: Prep, leads: Path, command: str) -> None:
    prep("clean", leads)
    reading, writing = os.pipe()
    os.close(reading)  # whoever should read is gone before the first line

    ended = subprocess.run(
        [*PROGRAM, *command.split()], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )

    os.close(writing)
    assert ended.returncode == {"leads.prep": 3, "lead": 0, "show": 0, "nothing": 1}[command.split()[1]]
    assert "Traceback" not in ended.stderr
    assert "Broken" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


def test_a_run_goes_on_although_nobody_reads_what_it_says(leads: Path) -> None:
    shell = f"{sys.executable} -m prep run leads.csv --sandbox 2>&1 | head -0"

    ended = subprocess.run(shell, shell=True, capture_output=True, text=True, check=False)

    assert (ended.stdout, ended.stderr) == ("", "")
    report = json.loads((leads.parent / "leads.prep/report.json").read_text())
    assert report["counts"]["imported"] == 2


def test_a_full_stdout_is_one_line(prep: Prep, leads: Path) -> None:
    prep("clean", leads)
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = subprocess.run(
            [*PROGRAM, "report", "leads.prep"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert ended.returncode == 1
    assert ended.stderr == (
        "Error: leads.prep: No space left on device\n"
        "Hint: Free some space, then run the same command again.\n"
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(prep: Prep, leads: Path, closed: str) -> None:
    prep("clean", leads)
    ended = subprocess.run(
        f"{sys.executable} -m prep report leads.prep {closed}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3
    assert ended.stderr == ""


def test_output_in_an_encoding_without_the_letters(program: Prep, here: Path) -> None:
    written(here / "Größe.csv", "email,Straße\na@example.com,x\n")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}

    shown = program("headers", "Größe.csv", "--unknown", "drop", env=environment)
    answered = program("headers", "Größe.csv", "--unknown", "drop", "--json", env=environment)

    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines()[1].split() == ["'email'", "\\u2192", "email", "exact"]
    assert answered.json["mapping"][1]["source"] == "Straße"


QUESTION = "Send 2 rows to {host}, list Newsletter, partition Europe? [y/N]: "


def test_the_question_before_the_first_upload(prep: Prep, here: Path, marketo: Sandbox) -> None:
    written(here / "l.csv", CLEAN)
    host = marketo.url.removeprefix("http://")
    line = ("run", "l.csv", "--list", "Newsletter", "--partition-name", "Europe")

    with on_terminal(*line) as terminal:
        terminal.read_until(QUESTION.format(host=host))
        assert {request.method for request in marketo.requests() if request.place != "identity"} == {"GET"}
        terminal.type("n\n")
        assert terminal.end() == 130
    assert "Nothing was sent; prep resume l.prep carries on." in terminal.shown
    assert f"2 rows in 1 file(s) for {host}: at least 2 API calls and 0 s" in terminal.shown
    assert {request.method for request in marketo.requests() if request.place != "identity"} == {"GET"}

    with on_terminal(*line) as terminal:
        terminal.read_until(QUESTION.format(host=host))
        terminal.interrupt()
        assert terminal.end() == 130
    assert {request.method for request in marketo.requests() if request.place != "identity"} == {"GET"}

    with on_terminal(*line) as terminal:
        terminal.read_until(QUESTION.format(host=host))
        terminal.type("y\n")
        assert terminal.end() == 0
    assert "finished" in terminal.shown
    assert len(marketo.members(1002)) == 2

    with on_terminal("submit", "l.prep") as terminal:  # it was asked once
        assert terminal.end() == 0
    assert "[y/N]" not in terminal.shown


def test_the_question_before_anybody_is_looked_up(prep: Prep, here: Path, marketo: Sandbox) -> None:
    written(here / "l.csv", CLEAN)
    prep("clean", "l.csv")
    host = marketo.url.removeprefix("http://")

    with on_terminal("preview", "l.prep") as terminal:
        terminal.read_until(f"Look up 2 rows in {host}? [y/N]: ")
        terminal.type("n\n")
        assert terminal.end() == 130
    assert f"Looking up 2 rows in {host}: about 1 API call, at least 0 s; 0.0 %" in terminal.shown
    assert "Nobody was looked up; prep submit l.prep sends without a preview." in terminal.shown
    assert "/rest/v1/leads.json" not in {request.path for request in marketo.requests()}
    assert not (here / "l.prep/preview.csv").exists()

    with on_terminal("preview", "l.prep", "--yes") as terminal:
        assert terminal.end() == 0
    assert "[y/N]" not in terminal.shown
    assert "2  created" in terminal.shown


def test_the_question_before_a_run_is_purged(prep: Prep, here: Path) -> None:
    written(here / "l.csv", CLEAN)
    prep("run", "l.csv", "--sandbox")
    before = names(here)

    with on_terminal("purge", "l.prep") as terminal:
        terminal.read_until("Delete all rows of l.prep? [y/N]: ")
        terminal.type("n\n")
        assert terminal.end() == 130
    assert terminal.shown.endswith("Nothing was deleted.\r\n")
    assert names(here) == before

    assert prep("purge", "l.prep", "--json").json["counts"]["imported"] == 2  # nobody is there to be asked
    assert names(here) != before


@pytest.mark.parametrize("unasked", [("--yes",), ("--sandbox",)])
def test_who_is_not_asked(here: Path, marketo: Sandbox, unasked: tuple[str, ...]) -> None:
    written(here / "l.csv", CLEAN)

    with on_terminal("run", "l.csv", *unasked) as terminal:
        assert terminal.end() == 0

    assert "[y/N]" not in terminal.shown
    assert marketo.url


@contextmanager
def served(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [*PROGRAM, "sandbox", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_run_against_the_sandbox_as_a_process(
    program: Prep, prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "leads.csv", LEADS)
    with served("--state", "state.sqlite") as (url, server):
        assert url.startswith("http://127.0.0.1:")
        connect(monkeypatch, url)

        ended = program("run", "leads.csv", "--json")

        assert ended.code == 3
        assert ended.json["counts"]["imported"] == 2
        assert ended.json["target"] == url.removeprefix("http://")
        port = url.rpartition(":")[2]
        assert prep("sandbox", "--port", port).error == (
            1,
            f"Error: port {port} is taken by another program\n"
            "Hint: --port 0 takes a free one and prints its address.\n",
        )
    assert server.returncode == 0
    with Sandbox("state.sqlite") as sandbox:
        assert len(sandbox.leads()) == 8


def test_the_sandbox_lists_its_faults_and_has_them(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = prep("sandbox", "--faults")
    assert shown.code == 0
    assert "lost-reply        queued, but the connection closes without a reply\n" in shown.out
    written(here / "l.csv", CLEAN)
    with served("--job-seconds", "0", "--fault", "lost-reply:1") as (url, _):
        connect(monkeypatch, url)
        assert prep("run", "l.csv").code == 6


def test_the_help_of_the_sandbox_names_every_fault(prep: Prep) -> None:
    shown = prep("sandbox", "--help").out
    assert [kind for kind in FaultKind if f"\n  {kind} " not in shown] == []


def test_the_sandbox_takes_a_scenario(prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(here / "l.csv", "email,firstName\nada@example.com,Ada\nben@example.org,NULL\n")
    scenario = '[behaviour]\nunknown_batch_code = "1003"\n[[fault]]\nkind = "lost-reply"\nat = 1\n'
    written(here / "monday.toml", scenario)
    with served("--job-seconds", "0", "--scenario", "monday.toml") as (url, _):
        connect(monkeypatch, url)
        assert prep("run", "l.csv").code == 6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "monday.toml: No such file or directory"),
        ('[[fault]]\nkind = "flood"\n', "monday.toml: unknown fault 'flood'; the faults are closed, "),
        ("[behaviour]\nbom = 1\n", "monday.toml: bom is one of keep, strip, not 1"),
        ("[behaviour", "monday.toml: "),
    ],
)
def test_a_scenario_that_cannot_be_used(prep: Prep, here: Path, content: str | None, said: str) -> None:
    if content is not None:
        written(here / "monday.toml", content)
    code, shown = prep("sandbox", "--port", 0, "--scenario", "monday.toml").error
    assert code == 1
    assert shown.startswith(f"Error: {said}")
    assert shown.endswith("\nHint: prep sandbox --help tells what a scenario file holds.\n")


def test_a_sandbox_that_cannot_keep_its_state(prep: Prep, here: Path) -> None:
    ended = prep("sandbox", "--port", 0, "--state", "none/state.sqlite")
    assert ended.error[0] == 1
    assert ended.err.count("\n") == 2
    assert names(here) == []


def test_garbage_is_looked_for_as_usual_once_start_up_is_over() -> None:
    usual = gc.get_threshold()
    _delay_collection()
    assert gc.get_threshold() > usual
    gc.collect()
    assert gc.get_threshold() == usual


def test_the_process_ends_without_a_last_look_for_garbage() -> None:
    code = (
        "import atexit, gc\n"
        "from prep.cli.main import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > len(gc.get_objects())))\n"
        "main(['--version'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.endswith("True\n")


def test_a_check_loads_nothing_of_what_sends_previews_and_writes_for_people(here: Path) -> None:
    written(here / "l.csv", "Email,First Name\nana@example.com,Íñigo Ordóñez\nnobody,Bo\n")
    unneeded = [
        *("prep.sending", "prep.preflight", "prep.previewing", "prep.retrying", "prep.outcomes"),
        *("prep.marketo.client", "prep.marketo.records", "prep.report.view", "prep.sources.workbook"),
        *("ftfy", "jinja2", "requests", "xlsxwriter"),
    ]
    code = (
        "import json, sys\n"
        "from prep.cli.main import run\n"
        "assert run(['check', 'l.csv', '--quiet']) == 3\n"
        f"print(json.dumps([name for name in {unneeded!r} if name in sys.modules]))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == []


def test_no_import_is_left_in_its_middle(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = here / "slow/pandera"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "polars.py").write_text("import time\ntime.sleep(1.5)\nopen('imported', 'w').close()\n")
    monkeypatch.setenv("PYTHONPATH", str(here / "slow"))
    ended = subprocess.run([*PROGRAM, "check", "missing.csv"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (
        1,
        "Error: missing.csv: there is no such file",
    )
    assert (here / "imported").exists()
