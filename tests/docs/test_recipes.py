"""The recipes for bash, run as they stand, against a sandbox at the other end of real HTTP."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from prep.folder import RunFolder
from prep.sandbox import Sandbox

PAGE = (Path(__file__).parents[2] / "docs/recipes.md").read_text(encoding="utf-8")
SCRIPTS = {
    re.search(r"^# ([\w-]+\.sh)", script, re.MULTILINE)[1]: script  # type: ignore[index]  # each has one
    for script in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
}
CLEAN = "email,firstName\nada@example.com,Ada\nben@example.org,Ben\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with all scripts of the page."""
    for name, script in SCRIPTS.items():
        (tmp_path / name).write_text(script, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "inbox").mkdir()
    return tmp_path


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(job_seconds=0) as running:
        yield running


def run(place: Path, url: str, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("MARKETO_", "PREP_"))
    }
    settings: Mapping[str, str] = {
        "PATH": f"{place}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "MARKETO_ENDPOINT": url,
        "MARKETO_CLIENT_ID": "id",
        "MARKETO_CLIENT_SECRET": "secret",
        "PREP_POLL_SECONDS": "0.1",
    }
    return subprocess.run(
        command, cwd=place, env={**inherited, **settings, **more}, capture_output=True, text=True, check=False
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def moved(folder: Path) -> list[str]:
    """The files of a folder, without the checksums that their names begin with."""
    return sorted(re.sub(r"^\d+-", "", name) for name in names(folder))


def test_an_inbox_is_emptied_file_by_file(place: Path, sandbox: Sandbox) -> None:
    (place / "inbox/good.csv").write_text(CLEAN)
    (place / "inbox/half.csv").write_text(f"{CLEAN}not-an-address,Nemo\n")
    (place / "inbox/none.csv").write_text("colour\nred\n")
    (place / "inbox/poor.csv").write_text("email\nfay@example.com\nnobody\nno one\n")
    done = run(place, sandbox.url, "./import-all.sh")
    assert done.returncode == 3
    assert (moved(place / "imported"), moved(place / "refused"), names(place / "inbox")) == (
        ["good.csv", "half.csv"],
        ["none.csv", "poor.csv"],
        [],
    )
    (numbers,) = (place / "runs").glob("*-half.csv.json")
    report = json.loads(numbers.read_text())
    assert (report["counts"]["imported"], report["counts"]["rejected"], report["exit_code"]) == (2, 1, 0)
    assert run(place, sandbox.url, "./summary.sh", str(numbers.with_suffix(".prep"))).stdout == (
        "reconciled read=3 rejected=1 imported=2\n"
    )
    assert len(sandbox.jobs()) == 2


def test_rows_are_corrected_after_their_file_was_moved(place: Path, sandbox: Sandbox) -> None:
    (place / "inbox/half.csv").write_text(f"{CLEAN}not-an-address,Nemo\n")
    assert run(place, sandbox.url, "./import-all.sh").returncode == 0
    (folder,) = (place / "runs").glob("*.prep")
    table = folder / "rejected.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("not-an-address", "nemo@example.com"), "utf-8")
    assert run(place, sandbox.url, "prep", "retry", str(folder), "--quiet").stderr == ""
    retried = folder.with_name(f"{folder.stem}-retry1.prep")
    assert "nemo@example.com" in (retried / "chunks/leads-0001.csv").read_text(encoding="utf-8")


def test_files_of_one_name_are_runs_of_their_own(place: Path, sandbox: Sandbox) -> None:
    contents = [f"email\n{name}@example.com\n" for name in ("ada", "ben", "ben")]
    for content in contents:
        (place / "inbox/leads.csv").write_text(content)
        assert run(place, sandbox.url, "./import-all.sh").returncode == 0
    kept = [path.read_text() for path in (place / "imported").iterdir()]
    assert (sorted(kept), len(sandbox.jobs())) == (contents[:2], 2)


def test_what_marketo_refused_is_carried_on_by_the_next_call(place: Path) -> None:
    (place / "inbox/leads.csv").write_text(CLEAN)
    with Sandbox(job_seconds=0, faults=["daily-quota:1"]) as sandbox:
        first = run(place, sandbox.url, "./import-all.sh")
        assert (first.returncode, names(place / "inbox")) == (4, ["leads.csv"])
        assert "leads.csv: not done, the next call carries on" in first.stderr
        assert run(place, sandbox.url, "./import-all.sh").returncode == 0
        assert (moved(place / "imported"), len(sandbox.jobs())) == (["leads.csv"], 1)


def test_a_file_that_another_call_imports_stays_where_it_is(place: Path) -> None:
    (place / "inbox/leads.csv").write_text(CLEAN)
    with Sandbox(job_seconds=0, faults=["daily-quota:1"]) as sandbox:
        assert run(place, sandbox.url, "./import-all.sh").returncode == 4
        (folder,) = (place / "runs").glob("*.prep")
        with RunFolder(folder).lock():
            second = run(place, sandbox.url, "./import-all.sh")
        assert (second.returncode, "another call imports it" in second.stderr) == (1, True)
    assert run(place, "", "./import-all.sh").returncode == 1
    assert (names(place / "inbox"), names(place / "refused")) == (["leads.csv"], [])


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("http://127.0.0.1:9", {"MARKETO_CLIENT_SECRET": "", "MARKETO_CLIENT_SECRET_FILE": "not-mounted"}),
        ("http://example.org", {}),
    ],
)
def test_a_machine_that_is_not_ready_refuses_no_file(place: Path, url: str, more: dict[str, str]) -> None:
    (place / "inbox/leads.csv").write_text(CLEAN)
    assert run(place, url, "./import-all.sh", **more).returncode == 1
    assert (names(place / "inbox"), names(place / "refused")) == (["leads.csv"], [])


def test_a_lost_answer_is_told_and_waits_for_a_decision(place: Path) -> None:
    (place / "inbox/leads.csv").write_text(CLEAN)
    with Sandbox(job_seconds=0, faults=["lost-reply"]) as sandbox:
        done = run(place, sandbox.url, "./import-all.sh")
        assert (done.returncode, names(place / "inbox")) == (6, ["leads.csv"])
        assert re.search(r"decide with prep resume 'runs/\d+-leads\.csv\.prep' --assume", done.stderr)


def test_a_dbt_model_is_imported_once_a_day(place: Path, sandbox: Sandbox) -> None:
    with closing(sqlite3.connect(place / "warehouse.db")) as database, database:
        database.execute("CREATE TABLE leads_for_marketo (email TEXT, first_name TEXT)")
        database.execute("INSERT INTO leads_for_marketo VALUES ('zoe@example.com', 'Zoe')")
    (place / "dbt").write_text('#!/bin/sh\necho "$@" >>dbt.log\n')
    (place / "dbt").chmod(0o755)
    for _ in range(2):
        done = run(
            place,
            sandbox.url,
            "./dbt-to-marketo.sh",
            "2026-11-22",
            PREP_DB_URL=f"sqlite:///{place}/warehouse.db",
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert (place / "dbt.log").read_text() == "build --quiet --select leads_for_marketo\n"
    assert len(sandbox.jobs()) == 1
