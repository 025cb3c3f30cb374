"""The transcripts of the tutorial and the how-to pages.

Each page is one walk: its console blocks are typed one after another into one shell, in a folder with the
sample files.

    .venv/bin/python -m docs.transcripts           walks all pages in a fresh environment, and writes what
                                                   is printed
    .venv/bin/python -m docs.transcripts NAME …    only these, such as unknown.md

README.es.md gets the code of README.md with every call.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[1]
DOCS: Final = PROJECT / "docs"
SET_UP: Final = ".venv"
"""Commands with this word make the environment; what they print is left out, and a test leaves them out."""

_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_STEP: Final = re.compile(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", re.MULTILINE)
_MARK: Final = "\x1e"


def pages() -> list[Path]:
    """The pages that are walks."""
    return [DOCS / "tutorial.md", DOCS / "unknown.md", *sorted((DOCS / "howto").glob("*.md"))]


def commands(text: str) -> list[str]:
    """What is typed on a page, in order; `> ` begins a line that goes on."""
    return [_typed(step[1]) for block in _BLOCK.finditer(text) for step in _STEP.finditer(block[1])]


def _typed(step: str) -> str:
    return step.rstrip("\n").replace("\n> ", "\n")


def rewritten(text: str, answers: Iterable[str]) -> str:
    """A page with what was printed after each command."""
    answer = iter(answers)

    def step(found: re.Match[str]) -> str:
        printed = next(answer).strip("\n")
        return f"$ {found[1]}{printed}\n" if printed else f"$ {found[1]}"

    return _BLOCK.sub(lambda block: f"```console\n{_STEP.sub(step, block[1])}```", text)


def with_code_of(translation: str, original: str) -> str:
    """A translation with the blocks of code of the page that it translates, in their order."""
    blocks = iter(_CODE.findall(original))
    return _CODE.sub(lambda found: next(blocks, found[0]), translation)


def in_a_shell(typed: Sequence[str], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Type commands into one shell; what each one printed, both streams as they came."""
    script = "".join(f"{{\n{command}\n}} 2>&1\nprintf '{_MARK}'\n" for command in typed)
    shell = subprocess.Popen(
        ["bash", "-c", script],  # noqa: S607 (whichever bash there is)
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with shell:
        assert shell.stdout  # noqa: S101 (asked for)
        *printed, _ = shell.stdout.read().split(_MARK)
    return printed


def lasting(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which no setting comes from outside, and no browser opens."""
    kept = {name: value for name, value in environment.items() if not name.startswith(("MARKETO_", "PREP_"))}
    return {**kept, "BROWSER": "true", "LC_ALL": "C.UTF-8"}


def _walk_in_a_fresh_environment(chosen: Sequence[Path], say: Callable[[str], object]) -> None:
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=PROJECT, text=True)  # noqa: S607
    with tempfile.TemporaryDirectory() as temporary:
        checkout = Path(temporary) / "prep"
        for name in filter(None, listed.split("\0")):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, checkout / name)
        path = f"{checkout / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**lasting(os.environ), "PATH": path, "VIRTUAL_ENV": str(checkout / ".venv")}
        for page in chosen:
            say(f"{page.relative_to(PROJECT)}\n")
            text = page.read_text(encoding="utf-8")
            folder = checkout
            if page.name != "tutorial.md":
                folder = Path(temporary) / page.stem
                folder.mkdir()
                (folder / "sample_data").symlink_to(PROJECT / "sample_data")
            set_up = [command for command in commands(text) if SET_UP in command]
            for command in set_up:  # what pip says is of this machine
                subprocess.run(["bash", "-c", command], cwd=folder, env=environment, check=True)  # noqa: S607
            typed = [":" if command in set_up else command for command in commands(text)]
            page.write_text(rewritten(text, in_a_shell(typed, folder, environment)), encoding="utf-8")


def main() -> None:
    """Walk through the pages that are named, or all; the tutorial comes first, it makes the environment."""
    named = sys.argv[1:]
    spanish, english = PROJECT / "README.es.md", PROJECT / "README.md"
    texts = (path.read_text(encoding="utf-8") for path in (spanish, english))
    spanish.write_text(with_code_of(*texts), encoding="utf-8")
    if named == [spanish.name]:
        return
    chosen = [page for page in pages() if not named or page.name in (*named, "tutorial.md")]
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    _walk_in_a_fresh_environment(chosen, sys.stdout.write)


if __name__ == "__main__":
    main()
