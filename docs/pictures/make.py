"""The pictures of the README, made from a real run of a sample file.

From the root of the checkout, with Chromium installed (or named in PREP_CHROMIUM):

    .venv/bin/python -m docs.pictures.make
"""

import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from fcntl import ioctl
from io import StringIO
from pathlib import Path
from queue import Queue
from termios import TIOCSWINSZ
from threading import Thread
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from prep.review import serve

FOLDER: Final = Path(__file__).parent
SAMPLE: Final = FOLDER.parents[1] / "sample_data" / "webinar_export.csv"
COMMAND: Final = ("prep", "run", SAMPLE.name, "--sandbox", "--allow-rejects")
COLUMNS: Final = 104
WINDOW: Final = (1280, 960)
"""Width and height of the pictures of pages."""

_THEME: Final = TerminalTheme(
    (22, 27, 34),
    (230, 237, 243),
    [
        *((72, 79, 88), (255, 123, 114), (86, 211, 100), (227, 179, 65)),
        *((121, 192, 255), (210, 168, 255), (86, 212, 221), (230, 237, 243)),
    ],
)
_REMOTE_FONTS: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def draw_terminal(folder: Path) -> str:
    """Run the sample in a folder, and draw what a terminal shows of it as SVG."""
    shutil.copy(SAMPLE, folder)
    shown = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    shown.print(Text(f"$ {' '.join(COMMAND)}", style="bold"), end="\n\n")
    shown.print(Text.from_ansi(_run(folder)))
    drawn = shown.export_svg(title="prep", theme=_THEME, unique_id="prep")
    return _REMOTE_FONTS.sub("", drawn)


def _run(folder: Path) -> str:
    """What the command prints on a terminal; progress, which passes, is left out."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    program = subprocess.Popen(
        [sys.executable, "-m", *COMMAND],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", "PYTHONPATH": str(FOLDER.parents[1])},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    with program, os.fdopen(ours, "rb", buffering=0) as terminal:
        printed = b"".join(iter(lambda: _read(terminal.fileno()), b""))
    return printed.decode().replace("\r\n", "\n").rstrip("\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux tells that the other side is closed
        return b""


def photograph(folder: Path, browser: Browser, out: Path) -> None:
    """Take pictures of the pages of the run that is in a folder."""
    run = folder / f"{SAMPLE.stem}.prep"
    for name, scheme in (("report.png", "light"), ("report-dark.png", "dark")):
        with _opened(browser, (run / "report.html").as_uri(), scheme) as page:
            page.screenshot(path=out / name)
    with chdir(folder), _served(Path(run.name)) as address, _opened(browser, address, "light") as page:
        page.wait_for_selector("body[data-ready]")
        page.get_by_role("button", name="→ lena.koch@example.com").click()
        page.wait_for_selector(".changed")
        page.screenshot(path=out / "review.png")
        page.locator("#done").click()
        page.wait_for_selector("#goodbye:not([hidden])")


@contextmanager
def _opened(browser: Browser, address: str, scheme: str) -> Iterator[Page]:
    width, height = WINDOW
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page.goto(address)
    yield page
    page.close()


@contextmanager
def _served(run: Path) -> Iterator[str]:
    """The page of `prep review`, until somebody presses Done there."""
    addresses = Queue[str]()
    server = Thread(target=serve, args=(run,), kwargs={"ready": addresses.put})
    server.start()
    yield addresses.get(timeout=60)
    server.join(timeout=60)


def main() -> None:
    """Make all pictures anew."""
    chromium = os.environ.get("PREP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        (FOLDER / "terminal.svg").write_text(draw_terminal(folder), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        photograph(folder, browser, FOLDER)
        browser.close()


if __name__ == "__main__":
    main()
