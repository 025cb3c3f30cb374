import http.client
import socket
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from prep.sandbox import RequestRecord, RowRecord, Sandbox, serve

Start = Callable[..., tuple[Sandbox, requests.Session]]
ImportFile = Callable[..., int]

STATUS = "/bulk/v1/leads/batch/1001.json"


def submit(api: requests.Session, content: str = "email\nnew@example.com\n") -> requests.Response:
    return api.post("/bulk/v1/leads.json", files={"file": ("leads.csv", content)})


def test_a_sandbox_on_the_same_file_goes_on_where_the_last_one_was(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    first, api = start(path=path)
    authorization = str(api.headers["Authorization"])
    submit(api, "email\nnew@example.com\nabcds\n")
    first.add_list("Webinar")
    first.add_field("badge")
    first.advance(0.5)
    journal, url = first.journal(), first.url
    first.stop()

    second, api = start(path=path)
    api.headers["Authorization"] = authorization
    assert second.url != url or second.now > 0
    assert second.journal()[:-1] == journal
    assert [job.status for job in second.jobs()] == ["Importing"]
    second.advance(1)
    assert api.get(STATUS).json()["result"][0]["numOfLeadsProcessed"] == 2
    assert api.get("/bulk/v1/leads/batch/1001/warnings.json").text.endswith("abcds,Invalid email address\n")
    assert [lead["email"] for lead in second.leads()[6:]] == ["new@example.com", "abcds"]
    assert second.add_list("Another") == 1005
    assert second.add_lead(badge="7") == 1008
    assert submit(api).json()["result"][0]["batchId"] == 1002


def test_time_does_not_go_back_on_the_same_file(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    first, _ = start(path=path)
    first.advance(1000)
    moment = first.now
    first.stop()
    second, _ = start(path=path)
    assert second.now == moment


def test_the_file_is_for_its_owner_only(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    start(path=path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_sandbox_killed_in_the_middle_loses_nothing_it_has_answered(start: Start, tmp_path: Path) -> None:
    path, copy = tmp_path / "sandbox.sqlite", tmp_path / "copy.sqlite"
    _, api = start(path=path)
    submit(api)
    for suffix in ("", "-wal"):  # what a kill leaves on the disk
        (tmp_path / f"copy.sqlite{suffix}").write_bytes((tmp_path / f"sandbox.sqlite{suffix}").read_bytes())
    sandbox, _ = start(path=copy)
    assert [job.batch_id for job in sandbox.jobs()] == [1001]
    assert sandbox.upload(1001) == b"email\nnew@example.com\n"


def test_the_journal_tells_every_request_and_row_and_no_secret(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile
) -> None:
    import_file(sandbox, api, 'email\nnew@example.com\nADA.winter@example.com\nabcds\n""\n', listId=1001)
    api.get(STATUS, params={"access_token": "never"})
    api.get("/nowhere")
    requests_seen = [
        (
            record.number,
            record.method,
            record.path,
            record.query,
            record.place,
            record.status,
            record.code,
            record.batch_id,
        )
        for record in sandbox.requests()
    ]
    assert requests_seen == [
        (
            1,
            "GET",
            "/identity/oauth/token",
            ("grant_type", "client_id", "client_secret"),
            "identity",
            200,
            None,
            None,
        ),
        (2, "POST", "/bulk/v1/leads.json", ("listId",), "import", 200, None, 1001),
        (3, "GET", STATUS, ("access_token",), "status", 200, None, 1001),
        (4, "GET", "/nowhere", (), "other", 200, "610", None),
    ]
    assert [(row.row, row.outcome, row.lead_id, row.message) for row in sandbox.rows(1001)] == [
        (1, "created", 1006, ""),
        (2, "updated", 1000, ""),
        (3, "warned", 1007, "Invalid email address"),
        (4, "failed", None, "Value for lookup field 'email' not found"),
    ]
    assert sandbox.rows(1002) == []
    kinds = [type(record) for record in sandbox.journal()]
    assert kinds == [RequestRecord] * 2 + [RowRecord] * 4 + [RequestRecord] * 2
    authorization = str(api.headers["Authorization"]).removeprefix("Bearer ")
    assert not any(secret in repr(sandbox.journal()) for secret in (authorization, "never", "'secret'"))


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("LOCALHOST:99", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example", 403),
     ("localhost.evil.example", 403), ("127.0.0.1.evil.example:80", 403), ("", 403)],
)  # fmt: skip
def test_only_loopback_host_names_are_served(api: requests.Session, host: str, status: int) -> None:
    assert api.get("/rest/v1/stats/usage.json", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("host", ["0.0.0.0", "example.com", ""])  # noqa: S104 - refused is what is tested
def test_other_interfaces_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match="serves this machine only"):
        Sandbox(host=host)


def test_a_taken_port_is_an_error_and_leaves_nothing_open(sandbox: Sandbox) -> None:
    port = urlsplit(sandbox.url).port
    assert port is not None
    second = Sandbox(port=port)
    with pytest.raises(OSError, match="in use"):
        second.start()
    with pytest.raises(RuntimeError, match="not running"):
        second.leads()


def test_start_and_stop_may_be_called_again(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "sandbox.sqlite")
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.url
    sandbox.stop()
    for expected in (1006, 1007):
        assert sandbox.start() is sandbox
        with pytest.raises(RuntimeError, match="running already"):
            sandbox.start()
        assert sandbox.add_lead(email="again@example.com") == expected
        sandbox.stop()
        sandbox.stop()


def test_stopping_ends_idle_connections_and_uploads_under_way(start: Start) -> None:
    sandbox, api = start()
    api.get("/nowhere")  # leaves a connection open
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
    connection.putrequest("POST", "/bulk/v1/leads.json")
    connection.putheader("Content-Length", "10")
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 100")
    sandbox.stop()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()
    connection.close()
    with pytest.raises(requests.ConnectionError):
        api.get("/nowhere")


def test_a_client_that_leaves_in_the_middle_of_an_upload_submits_nothing(
    sandbox: Sandbox, api: requests.Session
) -> None:
    address = urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(
            b"POST /bulk/v1/leads.json HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"--b\r\n")
    assert submit(api).json()["result"][0]["batchId"] == 1001
    assert [record.place for record in sandbox.requests()] == ["identity", "import"]


def test_calls_from_many_threads_are_all_answered_and_recorded(start: Start) -> None:
    sandbox, api = start(job_seconds=0)

    def work(number: int) -> int:
        batch_id: int = submit(api, f"email\nthread{number}@example.com\n").json()["result"][0]["batchId"]
        sandbox.leads()
        return batch_id

    with ThreadPoolExecutor(4) as pool:
        batch_ids = list(pool.map(work, range(40)))
    assert sorted(batch_ids) == list(range(1001, 1041))
    assert len(sandbox.leads()) == 46
    assert [record.number for record in sandbox.requests()] == list(range(1, 42))


def test_serve_tells_where_it_listens_and_ends_when_told() -> None:
    found: list[Any] = []
    stopped = threading.Event()

    def ready(url: str) -> None:
        found.extend([url, requests.get(f"{url}/nowhere", timeout=10).json()["errors"][0]["code"]])
        stopped.set()

    serve(ready=ready, stopped=stopped, client_id="a", client_secret="b")
    url, code = found
    assert url.startswith("http://127.0.0.1:")
    assert code == "610"
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


def test_serve_ends_quietly_when_it_is_interrupted() -> None:
    def ready(_: str) -> None:
        raise KeyboardInterrupt

    serve(ready=ready)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda sandbox: sandbox.add_lead(nickname="x"), "no such field: nickname"),
        (lambda sandbox: sandbox.add_field("a'b"), "not a REST name"),
        (lambda sandbox: sandbox.add_field("a", data_type="number"), "unknown type 'number'"),
        (lambda sandbox: sandbox.advance(-1), "time only goes forward"),
    ],
)
def test_wrong_arguments_are_told(sandbox: Sandbox, call: Callable[[Sandbox], None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(sandbox)


@pytest.mark.parametrize("port", [65536, -1])
def test_a_port_that_cannot_be_is_an_error(port: int) -> None:
    sandbox = Sandbox(port=port)
    with pytest.raises(OverflowError, match="0-65535"):
        sandbox.start()


def test_a_file_that_holds_something_else_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("email\nada@example.com\n" * 10)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        Sandbox(path).start()


def test_a_negative_time_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        Sandbox(time_scale=-1).start()


def test_time_passes_by_itself_unless_told_otherwise() -> None:
    with Sandbox(time_scale=1e9) as sandbox:
        first = sandbox.now
        assert sandbox.now > first
