"""The program itself, in this process for speed and in one of its own where process behaviour matters."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prep.cli.main import run
from prep.sandbox import Behaviour, Sandbox

LEADS = """email,firstName,company
ada@example.com,Ada,Winter Clocks
not-an-address,Nemo,
ADA@example.com,Ada,Winter Clocks Ltd
ben@example.org,Ben,Fischer Tools
"""
"""Four rows: one is rejected, one loses to another one, two are ready."""

CLEAN = "email,firstName\nada@example.com,Ada\nben@example.org,Ben\n"


@dataclass(frozen=True)
class Ended:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The JSON answer: the last line of stdout, and nothing else may be there."""
        (line,) = self.out.splitlines()
        answer: dict[str, Any] = json.loads(line)
        return answer

    @property
    def error(self) -> tuple[int, str]:
        """Exit code and the two lines of an error, without its example; stdout must be empty."""
        assert self.out == ""
        *lines, last = self.err.splitlines(keepends=True)
        return self.code, self.err if not last.startswith("Example: prep ") else "".join(lines)


Prep = Callable[..., Ended]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and an environment without settings."""
    for name in os.environ:
        if name.startswith(("MARKETO_", "PREP_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def prep(capsys: pytest.CaptureFixture[str]) -> Prep:
    """Run a command line in this process."""

    def call(*arguments: object) -> Ended:
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return call


@pytest.fixture
def program() -> Prep:
    """Run a command line as a process of its own."""

    def call(*arguments: object, before: tuple[str, ...] = (), **options: Any) -> Ended:
        command = [*before, *PROGRAM, *map(str, arguments)]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return call


SECRET = "secret"
"""Of the sandbox; opens nothing."""

PROGRAM = (sys.executable, "-m", "prep")


@pytest.fixture
def marketo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """An instance at the other end of real HTTP, with its address and credentials in the environment."""
    with Sandbox(job_seconds=0, behaviour=Behaviour(window_calls=10_000)) as sandbox:
        connect(monkeypatch, sandbox.url)
        yield sandbox


def connect(monkeypatch: pytest.MonkeyPatch, url: str, secret: str = SECRET) -> None:
    monkeypatch.setenv("MARKETO_ENDPOINT", url)
    monkeypatch.setenv("MARKETO_CLIENT_ID", "id")
    monkeypatch.setenv("MARKETO_CLIENT_SECRET", secret)
    monkeypatch.setenv("PREP_POLL_SECONDS", "0.05")


@pytest.fixture
def leads(here: Path) -> Path:
    """`leads.csv` in the current folder: four rows, one rejected, one duplicate, two ready."""
    return written(here / "leads.csv", LEADS)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def names(folder: Path) -> list[str]:
    """Everything below a folder, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
