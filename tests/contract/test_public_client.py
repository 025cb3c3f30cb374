"""A client that nobody here wrote imports through the sandbox: `marketorestpython` from PyPI.

It sees the sandbox over HTTP only; nothing of it is replaced but its address. PyPI has it as a source archive
only, so it is an extra of its own (see `pyproject.toml`), and these tests are skipped where it is missing.

What the client (0.5.25) does wrong by itself, and what these tests do about it:

- it never closes the file that it uploads: Python's warning about that is let pass;
- a failure or warning file is whatever text comes back, an error of Marketo's included: the state of the job
  is asked first;
- told that its token died (601, 602) it repeats the call ten times with the same token, because its own clock
  says that the token still lives, and then returns None as if that were an answer: no token dies here;
- it puts client id and secret into the address, and the file's whole path into the upload;
- it is made for `https://….mktorest.com` alone: the address is set after it was made.
"""

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import prep
from prep.sandbox import Sandbox
from prep.sandbox.instance import LEADS

public_client = pytest.importorskip(
    "marketorestpython.client", reason="pip install --no-binary marketorestpython -e '.[contract]' brings it"
)
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

JOB_SECONDS = 0.2
SEEDED = len(LEADS)
HEADER = "Email Address,First Name,Last Name,Lead Score,City\n"
ROWS = (
    'ann@example.com,Ann,"Example, Jr.",1,Zürich\n',
    "ben@example.com,Ben,Sample,3000000000,Vigo\n",  # more than the 32 bits that Marketo takes
    "+cy@example.com,Cy,Test,3,León\n",  # an address that Marketo doubts
    'dee@example.com,Dee,"Say ""hi""",,Łódź\n',
    "not an address,Eve,Left,5,Gent\n",  # rejected before anything is sent
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(job_seconds=JOB_SECONDS) as running:
        yield running


@pytest.fixture
def call(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The client's documented way in, `execute(method=…)`, aimed at the sandbox."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = public_client.MarketoClient("000-AAA-000", "id", "secret", max_retry_time=10)
    client.host = sandbox.url
    return lambda method, **arguments: client.execute(method=method, **arguments)


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """A file for Marketo as prep writes it."""
    source = tmp_path / "partner list.csv"
    source.write_text(HEADER + "".join(ROWS), encoding="utf-8")
    run = prep.clean(source, tmp_path / "out.prep")
    (chunk,) = run.report["chunks"]
    return run.path / str(chunk["file"])


def await_end(call: Callable[..., Any], batch_id: int) -> dict[str, Any]:
    patience = time.monotonic() + 30
    while (job := call("get_import_lead_status", id=batch_id)[0])["status"] not in {"Complete", "Failed"}:
        assert time.monotonic() < patience
        time.sleep(JOB_SECONDS / 4)
    return dict(job)


def records(content: bytes | str) -> list[dict[str, str]]:
    text = content.decode() if isinstance(content, bytes) else content
    return list(csv.DictReader(io.StringIO(text)))


def imported(sandbox: Sandbox, fields: Sequence[str]) -> list[dict[str, str]]:
    """The leads that imports made, with these fields, blank where nothing was ever written."""
    return [{field: lead.get(field) or "" for field in fields} for lead in sandbox.leads()[SEEDED:]]


def test_it_imports_a_file_that_prep_wrote(sandbox: Sandbox, call: Callable[..., Any], upload: Path) -> None:
    (submitted,) = call("import_lead", format="csv", file=str(upload), lookupField="email")
    assert submitted["status"] == "Queued"
    job = await_end(call, submitted["batchId"])
    assert job == submitted | {
        "status": "Complete",
        "numOfLeadsProcessed": 3,
        "numOfRowsFailed": 1,
        "numOfRowsWithWarning": 1,
        "message": "Import completed with errors, 3 records imported (3 members), 1 failed, 1 warning.",
    }

    sent = records(upload.read_bytes())
    assert sandbox.upload(submitted["batchId"]) == upload.read_bytes()
    assert imported(sandbox, list(sent[0])) == [row for row in sent if row["firstName"] != "Ben"]
    failed, warned = (row for row in sent if row["firstName"] in {"Ben", "Cy"})
    assert records(call("get_import_failure_file", id=submitted["batchId"])) == [
        failed | {"Import Failure Reason": "Invalid data type in field Lead Score"}
    ]
    assert records(call("get_import_warning_file", id=submitted["batchId"])) == [
        warned | {"Import Warning Reason": "Invalid email address"}
    ]


def test_it_finds_the_leads_that_it_imported(
    sandbox: Sandbox, call: Callable[..., Any], upload: Path
) -> None:
    (submitted,) = call("import_lead", format="csv", file=str(upload), lookupField="email")
    await_end(call, submitted["batchId"])
    fields = ["id", "email", "firstName", "lastName", "city"]
    found = call(
        "get_multiple_leads_by_filter_type",
        filterType="email",
        filterValues=[row["email"] for row in records(upload.read_bytes())],
        fields=",".join(fields),
    )
    known = [{field: str(lead[field] or "") for field in fields} for lead in found]
    assert known == imported(sandbox, fields)
    assert len(known) == 3


def test_a_second_import_updates_the_leads_and_joins_them_to_a_list(
    sandbox: Sandbox, call: Callable[..., Any], upload: Path
) -> None:
    batches = []
    for _ in range(2):
        (submitted,) = call("import_lead", format="csv", file=str(upload), lookupField="email", listId=1001)
        await_end(call, submitted["batchId"])
        batches.append(submitted["batchId"])
    leads = imported(sandbox, ["id"])
    assert len(leads) == 3
    assert sandbox.members(1001) == [int(lead["id"]) for lead in leads]
    outcomes = [row.outcome for row in sandbox.rows(batches[-1])]
    assert outcomes == ["updated", "failed", "warned", "updated"]


def test_it_is_told_why_when_marketo_refuses(call: Callable[..., Any]) -> None:
    with pytest.raises(Exception, match="not found") as refused:
        call("get_import_lead_status", id=4711)
    assert refused.value.args[0]["code"] == "1013"
