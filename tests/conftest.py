"""What all tests share."""

import os
import signal

import pytest


def pytest_configure() -> None:
    """Hear the signals that a shell said to ignore: the programs under test would inherit that."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is at hand that tests need, a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("PREP_FORBID_SKIPS") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("Skips are forbidden here (PREP_FORBID_SKIPS is set).", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
