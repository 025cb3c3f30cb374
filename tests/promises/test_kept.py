"""Promises that no other test proves; docs/promises.md lists them all."""

import json
import shutil
import socket
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import prep
from prep.cli.main import run
from prep.marketo import Marketo
from prep.sandbox import Sandbox

ROOT = Path(__file__).parents[2]

DEFAULTS = {
    "lookup_field": "email",
    "format": "csv",
    "map": {},
    "unknown": "error",
    "set": {},
    "keep": "last",
    "merge": {},
    "max_bytes": 10_000_000,
    "dates": "iso",
    "timezone": None,
    "decimal": None,
    "email_case": "keep",
    "phones": "keep",
    "region": None,
    "countries": "keep",
    "states": "keep",
    "repair_mojibake": False,
    "split_name": False,
    "truncate": [],
    "blanks": "send",
    "clear": [],
    "allow_protected": [],
    "suppress": [],
    "suppress_salt_file": None,
    "consent": None,
    "consent_countries": [],
    "encoding": None,
    "delimiter": None,
    "header_line": None,
    "sheet": None,
    "object": "leads",
}
PROMISED = (
    *("--schema", "--lookup-field", "--format", "--map", "--unknown", "--set", "--keep", "--max-bytes"),
    *("--phones", "--region", "--countries", "--dates", "--timezone", "--blanks", "--clear", "--suppress"),
    *("--memory", "--max-rejected", "--allow-rejects", "--json", "--quiet"),
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leads.csv").write_text("email\nana@example.com\nnobody\n", encoding="utf-8")
    return tmp_path


def test_the_defaults_are_those_that_are_promised(here: Path) -> None:
    assert run(["clean", "leads.csv", "--quiet"]) == 3
    manifest = json.loads((here / "leads.prep/manifest.json").read_text())
    assert manifest["settings"] == prep.clean("leads.csv", "api").report["settings"] == DEFAULTS
    assert manifest["schema"]["name"] == "lead"


def options_of(command: str) -> dict[str, Any]:
    module = import_module(f"prep.cli.{command}")
    return {flag: (each.name, each.default) for each in module.command.params for flag in each.opts}


def test_the_options_of_cleaning_are_the_same_in_every_command() -> None:
    of_run, of_check, of_clean = map(options_of, ("run", "check", "clean"))
    for flag in PROMISED:
        assert of_run[flag] == of_check[flag] == of_clean[flag]
    assert of_run["-o"] == of_clean["-o"]
    assert {"--list-id", "--list", "--partition-name", "--no-wait", "--timeout", "--yes"} <= of_run.keys()


def test_received_files_are_marketos_bytes(here: Path) -> None:
    shutil.copy(ROOT / "sample_data/webinar_export.csv", here / "webinar.csv")
    with Sandbox(job_seconds=0) as sandbox, Marketo(sandbox.url, "id", "secret") as client:
        outcome = prep.submit(prep.clean("webinar.csv", "out"), client)
        (job,) = outcome.report["jobs"]
        sent = {"failures": client.failures(job["batch_id"]), "warnings": client.warnings(job["batch_id"])}
    assert all(sent.values())
    for kind, content in sent.items():
        assert (here / f"out/received/leads-0001.{job['batch_id']}.{kind}.csv").read_bytes() == content


def test_prepare_writes_nothing_and_needs_no_network(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert prep.prepare("leads.csv").counts["ready"] == 1
    assert [path.name for path in here.iterdir()] == ["leads.csv"]


def test_a_retry_takes_exactly_one_apostrophe_off(here: Path) -> None:
    (here / "leads.csv").write_text("email,company\nnobody,''x\nno one,'y\n", encoding="utf-8")
    parent = prep.clean("leads.csv", "first")
    table = parent.folder.rejected.read_text("utf-8-sig")
    assert "nobody,'''x," in table
    mended = table.replace("nobody", "bo@example.org").replace("no one", "cy@example.net")
    parent.folder.rejected.write_text(mended, encoding="utf-8")
    again = prep.retry(parent, "second")
    chunk = (here / "second/chunks/leads-0001.csv").read_text()
    assert chunk == "email,company\nbo@example.org,''x\ncy@example.net,'y\n"
    assert again.counts["ready"] == 2
