"""Failure and warning files, byte for byte."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from prep.sandbox import Behaviour, Sandbox

Start = Callable[..., tuple[Sandbox, requests.Session]]
ImportFile = Callable[..., int]

BATCH = "/bulk/v1/leads/batch"


@dataclass(frozen=True, kw_only=True)
class FileCase:
    shows: str
    content: str
    failures: bytes = b""
    warnings: bytes = b""
    file_format: str = "csv"
    switches: dict[str, Any] = field(default_factory=dict)


FILE_CASES = [
    FileCase(
        shows="the known file of 86 bytes",
        content=("email,firstName,lastName\nok@example.com,Joss,Carter\nabcds,John,Reese\n"),
        warnings=(
            b"email,firstName,lastName,Import Warning Reason\nabcds,John,Reese,Invalid email address\n"
        ),
    ),
    FileCase(
        shows="failed and warned rows apart, in source order",
        content=("email,leadScore\nb@example.com,x\nabcds,1\na@example.com,y\nabcds,z\nbad,2\n"),
        failures=(
            b"email,leadScore,Import Failure Reason\n"
            b"b@example.com,x,Invalid data type in field Lead Score\n"
            b"a@example.com,y,Invalid data type in field Lead Score\n"
            b"abcds,z,Invalid data type in field Lead Score\n"
        ),
        warnings=(
            b"email,leadScore,Import Warning Reason\n"
            b"abcds,1,Invalid email address\n"
            b"bad,2,Invalid email address\n"
        ),
    ),
    FileCase(
        shows="values and unknown columns as uploaded",
        content=('"_row",email,"city",leadScore\r\n07, A@Example.com,"New York","x"\r\n'),
        failures=(
            b"_row,email,city,leadScore,Import Failure Reason\n"
            b"07, A@Example.com,New York,x,Invalid data type in field Lead Score\n"
        ),
    ),
    FileCase(
        shows="quotes only where needed",
        content='email,city,leadScore\na@example.com,"a,""b""\nc",x\n',
        failures=(
            b"email,city,leadScore,Import Failure Reason\n"
            b'a@example.com,"a,""b""\n'
            b'c",x,Invalid data type in field Lead Score\n'
        ),
    ),
    FileCase(
        shows="tab-separated",
        file_format="tsv",
        content="email\tleadScore\na@example.com\t1,5\n",
        failures=(
            b"email\tleadScore\tImport Failure Reason\n"
            b"a@example.com\t1,5\tInvalid data type in field Lead Score\n"
        ),
    ),
    FileCase(
        shows="semicolon-separated",
        file_format="ssv",
        content="email;leadScore\na@example.com;1,5\n",
        failures=(
            b"email;leadScore;Import Failure Reason\n"
            b"a@example.com;1,5;Invalid data type in field Lead Score\n"
        ),
    ),
    FileCase(
        shows="an empty last lookup column is lost",
        content=("firstName,lastName,phone,email\nBenji,Nordstrom,212-555-2323,\n"),
        failures=(
            b"firstName,lastName,phone,Import Failure Reason\n"
            b"Benji,Nordstrom,212-555-2323,Value for lookup field 'email' not found\n"
        ),
    ),
    FileCase(
        shows="but not when one row has a value in it",
        content="leadScore,email\n1,\nx,a@example.com\n",
        failures=(
            b"leadScore,email,Import Failure Reason\n"
            b"1,,Value for lookup field 'email' not found\n"
            b"x,a@example.com,Invalid data type in field Lead Score\n"
        ),
    ),
    FileCase(
        shows="nor when it stands elsewhere",
        content="email,city\n,Rome\n",
        failures=(b"email,city,Import Failure Reason\n,Rome,Value for lookup field 'email' not found\n"),
    ),
    FileCase(
        shows="the quirk can be switched off",
        switches={"trailing_lookup_quirk": False},
        content="city,email\nRome,\n",
        failures=(b"city,email,Import Failure Reason\nRome,,Value for lookup field 'email' not found\n"),
    ),
    FileCase(
        shows="rows with too few or too many cells",
        content="email,city,country\na@example.com\nb@example.com,B,C,D\n",
        failures=(
            b"email,city,country,Import Failure Reason\n"
            b"a@example.com,,,Number of values differs from the header\n"
            b"b@example.com,B,C,D,Number of values differs from the header\n"
        ),
    ),
    FileCase(
        shows="characters outside ASCII are UTF-8",
        content="email,city\nbad,Zürich\n",
        warnings="email,city,Import Warning Reason\nbad,Zürich,Invalid email address\n".encode(),
    ),
    FileCase(
        shows="truncated values are echoed in full",
        switches={"too_long": "truncate"},
        content=("email,sicCode\nbad,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"),
        warnings=(
            b"email,sicCode,Import Warning Reason\n"
            b"bad,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,Invalid email address\n"
        ),
    ),
]


@pytest.mark.parametrize("case", FILE_CASES, ids=[case.shows for case in FILE_CASES])
def test_failure_and_warning_files(start: Start, import_file: ImportFile, case: FileCase) -> None:
    sandbox, api = start(behaviour=Behaviour(**case.switches))
    batch_id = import_file(sandbox, api, case.content, format=case.file_format)
    replies = [api.get(f"{BATCH}/{batch_id}/{kind}.json") for kind in ("failures", "warnings")]
    assert [reply.content for reply in replies] == [case.failures, case.warnings]
    assert {reply.headers["content-type"] for reply in replies} == {"text/csv;charset=UTF-8"}
    assert {reply.status_code for reply in replies} == {200}


def test_the_known_file_is_86_bytes_long(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile
) -> None:
    import_file(sandbox, api, "email,firstName,lastName\nabcds,John,Reese\n")
    assert len(api.get(f"{BATCH}/1001/warnings.json").content) == 86


def test_files_without_rows_may_be_http_404(start: Start, import_file: ImportFile) -> None:
    sandbox, api = start(behaviour=Behaviour(no_rows_file="not-found"))
    import_file(sandbox, api, "email\nabcds\n")
    statuses = [api.get(f"{BATCH}/1001/{kind}.json").status_code for kind in ("failures", "warnings")]
    assert statuses == [404, 200]


@pytest.mark.parametrize(("switches", "code"), [({}, "1003"), ({"unfinished_file_code": "1013"}, "1013")])
def test_files_of_an_unfinished_job_are_an_error(start: Start, switches: dict[str, Any], code: str) -> None:
    _, api = start(behaviour=Behaviour(**switches))
    api.post("/bulk/v1/leads.json", files={"file": ("leads.csv", "email\na@example.com\n")})
    reply = api.get(f"{BATCH}/1001/failures.json")
    assert reply.headers["content-type"] == "application/json;charset=UTF-8"
    assert reply.json()["errors"] == [{"code": code, "message": "Import is not finished"}]


def test_other_formats_may_have_another_content_type(start: Start, import_file: ImportFile) -> None:
    sandbox, api = start(behaviour=Behaviour(other_content_type="text/plain"))
    for file_format in ("csv", "tsv", "ssv"):
        import_file(sandbox, api, "email\nbad\n", format=file_format)
    types = [
        api.get(f"{BATCH}/{number}/warnings.json").headers["content-type"] for number in (1001, 1002, 1003)
    ]
    assert types == ["text/csv;charset=UTF-8", "text/plain", "text/plain"]


def test_the_sentence_may_leave_warnings_out_when_rows_failed(start: Start, import_file: ImportFile) -> None:
    sandbox, api = start(behaviour=Behaviour(mixed_message="failures"))
    import_file(sandbox, api, 'email\nbad\n""\n')
    (job,) = sandbox.jobs()
    assert job.message == "Import completed with errors, 1 records imported (1 members), 1 failed"
    assert (job.processed, job.failed, job.warned) == (1, 1, 1)


def test_files_are_not_compressed(sandbox: Sandbox, api: requests.Session, import_file: ImportFile) -> None:
    import_file(sandbox, api, "email\n" + "bad\n" * 100)
    reply = api.get(f"{BATCH}/1001/warnings.json", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in reply.headers
    assert len(reply.content) > 1024
