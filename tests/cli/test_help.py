"""Help, version, and what it costs to ask for them."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from .conftest import Prep, written

TOP = ["run", "check", "clean", "submit", "status", "resume", "reconcile", "retry", "review", "report"]
TOP += ["headers", "schema", "sandbox", "purge", "doctor", "preview"]
COMMANDS = [*TOP, "schema-list", "schema-show", "schema-check", "schema-pull", "schema-diff"]
HEAVY = ("polars", "pandera", "requests", "rich", "uvicorn", "starlette", "sqlite3", "rapidfuzz")


def test_version(prep: Prep) -> None:
    assert prep("--version") == type(prep("--version"))(0, f"prep {version('leadprep')}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_a_worked_example(prep: Prep, command: str) -> None:
    ended = prep(*command.split("-"), "--help")

    assert (ended.code, ended.err) == (0, "")
    assert f"\n    prep {command.replace('-', ' ')}" in ended.out.partition("Example")[2]


def test_help_lists_every_command_and_every_exit_code(prep: Prep) -> None:
    shown = prep("--help").out

    for command in TOP:
        assert f"\n  {command} " in shown
    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        assert f"\n    {code:<3}  " in shown


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help"), ("run", "--bogus")])
def test_asking_for_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code = (
        "import json, sys\n"
        "from prep.cli.main import run\n"
        f"run({list(arguments)!r})\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(ended.stdout.splitlines()[-1]) == []


def test_help_is_there_although_prep_toml_is_wrong(prep: Prep, here: Path) -> None:
    written(here / "prep.toml", "nonsense = 1")

    assert prep("run", "--help").code == 0
    assert prep("status", "x.prep").code == 1


def test_no_command_at_all_shows_the_help(prep: Prep) -> None:
    ended = prep()

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: prep [OPTIONS] COMMAND")
    assert prep("--json").json["exit_code"] == 2
