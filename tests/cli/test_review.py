"""`prep review`: what the terminal shows."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .conftest import CLEAN, PROGRAM, Prep, written


@contextmanager
def none_left(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Leave no process behind that a test, which fails, did not come to end."""
    try:
        yield
    finally:
        process.kill()


def test_the_address_is_printed_once_and_is_good_until_ctrl_c(leads: Path, prep: Prep) -> None:
    prep("clean", leads, "--quiet")
    command = [*PROGRAM, "review", "leads.prep", "--no-browser"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as shown,
        none_left(shown),
    ):
        assert shown.stdout is not None
        address = shown.stdout.readline().strip()
        parts = urlsplit(address)
        assert parts.hostname == "127.0.0.1"
        connection = HTTPConnection(parts.netloc)
        connection.request("GET", f"/?{parts.query}")
        assert connection.getresponse().status == 303
        connection.close()
        refused = prep("review", "leads.prep", "--no-browser")
        assert refused.error == (
            1,
            "Error: leads.prep: prep review is open for this run\n"
            "Hint: Go on there, or end it first, with Done or Ctrl-C.\n",
        )
        shown.send_signal(signal.SIGINT)
        out, err = shown.communicate(timeout=30)
        assert (shown.returncode, out) == (0, "")
        assert err.count("\n") == 1
        assert "Traceback" not in err


def test_a_run_without_anything_to_repair_is_no_error(here: Path, prep: Prep) -> None:
    prep("clean", written(here / "leads.csv", CLEAN), "--quiet")
    ended = prep("review", "leads.prep")
    assert (ended.code, ended.out, ended.err) == (
        0,
        "leads.prep: no row was rejected, and none failed: nothing is to be repaired.\n",
        "",
    )


def test_a_run_all_of_whose_lines_were_deleted_is_no_error(here: Path, prep: Prep) -> None:
    prep("clean", written(here / "l.csv", "email\nbad\n"), "--quiet")
    table = here / "l.prep/rejected.csv"
    table.write_text(table.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    ended = prep("review", "l.prep")
    assert (ended.code, ended.out, ended.err) == (
        0,
        "l.prep: no row is left in rejected.csv or failed.csv: nothing is to be repaired.\n",
        "",
    )


def test_a_table_that_is_gone_is_named(here: Path, prep: Prep) -> None:
    prep("clean", written(here / "l.csv", "email\nbad\n"), "--quiet")
    (here / "l.prep/rejected.csv").unlink()
    found = "Error: l.prep/rejected.csv: is gone, although the run has rejected rows: 1\n"
    assert prep("review", "l.prep").error == (
        1,
        f"{found}Hint: Save rejected.xlsx under this name as CSV UTF-8, or correct it and give "
        "prep retry l.prep.\n",
    )
    (here / "l.prep/rejected.xlsx").unlink()
    assert prep("review", "l.prep").error == (
        1,
        f"{found}Hint: Restore it from a backup, or make a new run with -o DIR.\n",
    )


def test_folders_that_cannot_be_reviewed(leads: Path, prep: Prep, here: Path) -> None:
    assert prep("review", "none.prep").code == 1
    prep("clean", leads, "--quiet")
    leads.write_text("email\nother@example.com\n", encoding="utf-8")
    ended = prep("review", "leads.prep", "--no-browser")
    assert (ended.code, "changed since it was cleaned" in ended.err) == (1, True)


def test_a_table_that_lacks_a_column_names_a_call_that_leaves_it_out(here: Path, prep: Prep) -> None:
    prep("clean", written(here / "l.csv", "email,title,company\nbad,Cook,Acme\n"), "--quiet")
    table = here / "l.prep/rejected.csv"
    table.write_text(table.read_text("utf-8").replace("title,", "").replace("Cook,", ""), "utf-8")
    told = (
        1,
        "Error: l.prep/rejected.csv: lacks columns that it had: 'title'\n"
        "Hint: Put them back under their names, or leave each out for good: "
        'prep retry l.prep --map "title=".\n',
    )
    ended = prep("review", "l.prep", "--no-browser")
    assert (ended.code, ended.err.partition("Example:")[0]) == told
    table.write_text(table.read_text("utf-8").replace("bad,", "bo@example.com,"), "utf-8")
    ended = prep("retry", "l.prep")
    assert (ended.code, ended.err.partition("Example:")[0]) == told
    assert prep("retry", "l.prep", "--map", "title=").code == 0
    assert (here / "l-retry1.prep/chunks/leads-0001.csv").read_text() == (
        "email,company\nbo@example.com,Acme\n"
    )


@pytest.mark.parametrize("arguments", [("--port", "x"), ("--port", "70000"), ("--bogus",)])
def test_a_wrong_command_line(prep: Prep, arguments: tuple[str, ...]) -> None:
    assert prep("review", "leads.prep", *arguments).code == 2
