"""What shells, environments and disks do to the program: told in two lines, or of no effect."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prep.sandbox import Sandbox

from .conftest import CLEAN, PROGRAM, Prep, names, written
from .test_usage import without_privileges


@pytest.mark.parametrize("variable", ["PANDERA_VALIDATION_ENABLED", "PANDERA_VALIDATION_DEPTH"])
def test_switches_of_pandera_turn_no_rule_off(
    program: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, {"PANDERA_VALIDATION_ENABLED": "False"}.get(variable, "no such depth"))
    monkeypatch.setenv("POLARS_ENGINE_AFFINITY", "no such engine")

    ended = program("check", "leads.csv", "--json")

    assert (ended.code, ended.json["counts"]["rejected"], ended.json["counts"]["ready"]) == (3, 1, 2)


@pytest.mark.parametrize("threads", ["0", "many", ""])
def test_a_number_of_threads_that_is_none_is_as_good_as_none(
    program: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch, threads: str
) -> None:
    monkeypatch.setenv("POLARS_MAX_THREADS", threads)

    ended = program("check", "leads.csv")

    assert (ended.code, ended.err) == (3, "")


def test_an_empty_variable_asks_for_no_completions(
    program: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_PREP_COMPLETE", "")

    assert program("check", "leads.csv").code == 3


@pytest.mark.parametrize("arguments", ["--help", "--version", "clean --help", "clean -h"])
def test_help_that_nobody_reads_is_silent(arguments: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    ended = subprocess.run(
        [*PROGRAM, *arguments.split()], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )

    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_leads_that_arrived_are_no_failure_to_say_so(
    here: Path, marketo: Sandbox, json: tuple[str, ...]
) -> None:
    """Exit code 1 promises that nothing was sent."""
    written(here / "leads.csv", CLEAN)

    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = subprocess.run(
            [*PROGRAM, "run", "leads.csv", "--yes", *json],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert len(marketo.leads()) == 8
    assert ended.returncode == 4
    assert ended.stderr.splitlines()[-2:] == [
        "Error: leads.prep: No space left on device",
        "Hint: Free some space, then run the same command again. prep resume leads.prep carries on.",
    ]


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        (
            "prep clean - <&-",
            "Error: -: standard input is closed\nHint: Pipe a file in, or name it.\n",
        ),
        (
            "ln -s loop.csv loop.csv; prep clean loop.csv",
            "Error: loop.csv: the file cannot be read (Too many levels of symbolic links)\n"
            "Hint: Check the permissions and the disk.\n",
        ),
        (
            "mkdir prep.toml; prep clean leads.csv",
            "Error: prep.toml: is no file\nHint: Rename or remove it.\n",
        ),
        (
            "mkfifo prep.toml; prep clean leads.csv",
            "Error: prep.toml: is no file\nHint: Rename or remove it.\n",
        ),
    ],
    ids=["closed stdin", "loop of links", "folder prep.toml", "pipe prep.toml"],
)
def test_what_is_no_file(leads: Path, shell: str, said: str) -> None:
    command = shell.replace("prep clean", f"{sys.executable} -m prep clean")

    ended = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=60)

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", said)
    assert "leads.prep" not in names(leads.parent)


@pytest.mark.parametrize("name", ["file:leads.prep", "file:x?mode=memory"])
def test_a_folder_whose_name_looks_like_an_address(prep: Prep, here: Path, name: str) -> None:
    """SQLite takes a name that begins so for an address."""
    written(here / "leads.csv", CLEAN)

    assert prep("run", "leads.csv", "-o", name, "--sandbox", "--quiet").code == 0

    assert prep("report", name, "--json").json["counts"]["imported"] == 2
    assert "ledger.sqlite" in names(here / name)
    assert names(here)[0] == name


@pytest.mark.parametrize("place", ["manifest.json", "rows.parquet"])
def test_a_run_that_may_not_be_read_is_not_called_damaged(program: Prep, leads: Path, place: str) -> None:
    program("clean", "leads.csv")
    (leads.parent / "leads.prep" / place).chmod(0)

    assert program("report", "leads.prep", before=without_privileges()).error == (
        1,
        f"Error: leads.prep/{place}: cannot be read: Permission denied\n"
        "Hint: Check the permissions, and who you are.\n",
    )


def test_a_folder_that_may_not_be_entered(program: Prep, leads: Path) -> None:
    program("clean", "leads.csv")
    (leads.parent / "leads.prep").chmod(0)
    try:
        ended = program("submit", "leads.prep", "--sandbox", before=without_privileges())
    finally:
        (leads.parent / "leads.prep").chmod(0o700)

    assert (ended.code, ended.err.splitlines()[0]) == (
        1,
        "Error: leads.prep/manifest.json: cannot be read: Permission denied",
    )
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("has_news", [False, True])
def test_a_run_that_was_sent_is_shown_where_nothing_can_be_written(
    program: Prep, leads: Path, *, has_news: bool
) -> None:
    assert program("run", "leads.csv", "--sandbox").code == 3
    shown = [program(*command).out for command in (("status", "leads.prep"), ("report", "leads.prep"))]
    folder = leads.parent / "leads.prep"
    if has_news:
        written(folder / "ledger.sqlite-wal", "what another process is about to write")
        (folder / "ledger.sqlite-wal").chmod(0o400)
    (folder / "ledger.sqlite").chmod(0o400)
    folder.chmod(0o500)
    try:
        ended = [program(name, "leads.prep", before=without_privileges()) for name in ("status", "report")]
        stopped = program("resume", "leads.prep", before=without_privileges())
    finally:
        folder.chmod(0o700)

    if has_news:
        assert all("the ledger cannot be read or written" in each.err for each in ended)
    else:
        assert [each.out for each in ended] == shown
    assert stopped.code == 1
    assert "Traceback" not in stopped.err


FOLDER_NAME = (
    "Every name in the path of a run folder must be UTF-8: choose another one with -o DIR, or rename it."
)


@pytest.mark.parametrize("command", ["clean", "run --sandbox"])
def test_a_run_folder_whose_name_is_not_utf_8_is_not_made(program: Prep, leads: Path, command: str) -> None:
    ended = program(*command.split(), "leads.csv", "-o", os.fsdecode(b"\xff.prep"), "--json")

    assert (ended.code, ended.json["error"]["code"]) == (1, "bad_folder_name")
    assert (
        ended.json["error"]["message"]
        == f"{leads.parent}/\ufffd.prep: the path of the run folder is not UTF-8"
    )
    assert ended.json["error"]["hint"].startswith(FOLDER_NAME)
    assert names(leads.parent) == ["leads.csv"]


@pytest.mark.parametrize("name", [b"link", b"\xff"])
def test_a_run_folder_is_not_made_behind_a_link_with_such_a_name_or_end(
    program: Prep, leads: Path, name: bytes
) -> None:
    end = {b"link": b"\xff", b"\xff": b"end"}[name]
    os.mkdir(end)  # noqa: PTH102 (takes bytes)
    os.symlink(end, name)  # noqa: PTH211
    ended = program("clean", "leads.csv", "-o", os.fsdecode(name + b"/leads.prep"), "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "bad_folder_name")
    assert os.listdir(end) == []  # noqa: PTH208


@pytest.mark.parametrize("command", ["status", "report", "resume", "submit", "reconcile", "retry", "purge"])
def test_a_run_folder_that_got_such_a_name_is_not_opened(program: Prep, leads: Path, command: str) -> None:
    program("clean", "leads.csv")
    moved = os.fsdecode(b"\xff")
    Path(moved).mkdir()
    Path("leads.prep").rename(f"{moved}/leads.prep")

    ended = program(command, "leads.prep", cwd=leads.parent / moved)

    assert ended.error[0] == 1
    assert "leads.prep: the path of the run folder is not UTF-8\n" in ended.err


def test_names_are_utf_8_and_the_locale_is_not(
    program: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}.items():
        monkeypatch.setenv(name, value)

    ended = program("clean", "leads.csv", "-o", "é.prep")

    assert (ended.code, names(leads.parent)) == (1, ["leads.csv"])
    assert ended.err.endswith(f"{FOLDER_NAME} If they all are, set PYTHONUTF8=1.\n")
    monkeypatch.setenv("PYTHONUTF8", "1")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert program("clean", "leads.csv", "-o", "é.prep").code == 3
    assert program("status", "é.prep").out.startswith(r"\xe9.prep: clean")
