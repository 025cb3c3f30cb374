"""The tutorial and the how-to pages, walked through as a reader would; what is printed is what they show."""

import os
import re
import shlex
import sys
import webbrowser
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from docs.transcripts import PROJECT, SET_UP, commands, in_a_shell, lasting, pages, rewritten
from prep.cli.main import run
from prep.sandbox import Sandbox

SPECIAL = re.compile(r"[|&;<>()$`*\n]")
"""What a shell is needed for."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sample files; settings come from nowhere, and no browser opens."""
    (tmp_path / "sample_data").symlink_to(PROJECT / "sample_data")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("MARKETO_", "PREP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(webbrowser, "open", lambda _: True)
    return tmp_path


def environment() -> dict[str, str]:
    return {**lasting(os.environ), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def printed(command: str, folder: Path) -> str:
    """What a command prints; `prep` runs in this process where no shell is needed."""
    if not command.startswith("prep ") or SPECIAL.search(command):
        return in_a_shell([command], folder, environment())[0]
    stream = StringIO()
    with redirect_stdout(stream), redirect_stderr(stream):
        run(shlex.split(command)[1:])
    return stream.getvalue()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_walk_prints_what_the_page_shows(page: Path, folder: Path) -> None:
    text = page.read_text(encoding="utf-8")
    typed = commands(text)
    shown = rewritten(text, ["" for _ in typed])
    assert shown.count("$ ") >= len(typed) > 0
    if any(re.search(r"^(export|cd) |&(?!&)", command) for command in typed):
        assert rewritten(text, in_a_shell(typed, folder, environment())) == text
    else:
        answers = ["" if SET_UP in command else printed(command, folder) for command in typed]
        assert rewritten(text, answers) == text


@pytest.mark.parametrize("page", [page for page in pages() if "```toml" in page.read_text(encoding="utf-8")])
def test_settings_that_a_page_shows_are_understood(page: Path, folder: Path) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (folder / "prep.toml").write_text(block, encoding="utf-8")
    (folder / "never.txt").write_text("nobody@example.com\n", encoding="utf-8")
    assert run(["check", "sample_data/crm_export_duplicates.csv", "--quiet"]) == 0


def test_the_way_to_an_instance_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (PROJECT / "docs/tutorial.md").read_text(encoding="utf-8")
    credentials, block = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert re.findall(r"\w+(?==)", credentials) == [
        "MARKETO_ENDPOINT",
        "MARKETO_CLIENT_ID",
        "MARKETO_CLIENT_SECRET_FILE",
    ]
    (folder / "secret").write_text("secret\n")
    with Sandbox(job_seconds=0) as sandbox:
        monkeypatch.setenv("MARKETO_ENDPOINT", sandbox.url)
        monkeypatch.setenv("MARKETO_CLIENT_ID", "id")
        monkeypatch.setenv("MARKETO_CLIENT_SECRET_FILE", str(folder / "secret"))
        monkeypatch.setenv("PREP_POLL_SECONDS", "0.1")
        codes = [run(shlex.split(line, comments=True)[1:]) for line in block.splitlines()]
        assert len(sandbox.jobs()) == 1
    assert codes == [0, 3, 0, 3]
