"""What all tests share."""

import os
import shutil
import signal
import sqlite3
import tempfile
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import settings

from tests.depth import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


_MEMORY = Path("/dev/shm")  # noqa: S108 (the folders in it are our own)
_MEMORY_BYTES = 4 << 30
"""Far more than the tests fill."""
_AFTER_ITS_OWN_FOLDERS = -200
"""When multiprocessing, which has temporary folders itself, ends: those come at -100."""


def pytest_configure() -> None:
    """Assert no durations. Hear signals that a shell said to ignore, which programs under test inherit."""
    settings.register_profile("prep", deadline=None, max_examples=examples(100))
    settings.load_profile("prep")
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    if "TMPDIR" not in os.environ and _has_room(_MEMORY):  # workers inherit it
        folder = tempfile.mkdtemp(prefix="prep-tests-", dir=_MEMORY)
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        Path(folder).chmod(0o755)  # PostgreSQL is another user
        Finalize(None, shutil.rmtree, [folder], {"ignore_errors": True}, _AFTER_ITS_OWN_FOLDERS)


def _has_room(memory: Path) -> bool:
    """Whether files are kept there, where it costs nothing that runs write everything through to the disk."""
    if not os.access(memory, os.W_OK):
        return False
    told = os.statvfs(memory)
    return told.f_bavail * told.f_frsize >= _MEMORY_BYTES and not told.f_flag & os.ST_NOEXEC


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is at hand that tests need, a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("PREP_FORBID_SKIPS") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("Skips are forbidden here (PREP_FORBID_SKIPS is set).", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def every_database_is_closed() -> "Iterator[None]":
    """Connections to SQLite are closed where they are opened.

    Python warns of others from 3.13 on, when they are collected as garbage, in whatever test is at work then.
    """
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def kept(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    with mock.patch.object(sqlite3, "connect", kept):
        yield
    left = [connection for connection in opened if _is_open(connection)]
    for connection in left:
        connection.close()
    assert not left, "connections to SQLite were left open"


def _is_open(connection: sqlite3.Connection) -> bool:
    try:
        return connection.total_changes >= 0
    except sqlite3.ProgrammingError:
        return False


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Chromium as the system has it, or as PREP_CHROMIUM names it."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (few tests need it)

    path = os.environ.get("PREP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium here: install it, or name one in PREP_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()
