import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import requests

from prep.sandbox import Behaviour, Sandbox

Start = Callable[..., tuple[Sandbox, requests.Session]]

USAGE = "/rest/v1/stats/usage.json"


def code(reply: requests.Response) -> str | None:
    errors = reply.json().get("errors")
    return str(errors[0]["code"]) if errors else None


def test_a_hundred_calls_in_twenty_seconds_and_no_more(sandbox: Sandbox, api: requests.Session) -> None:
    assert {code(api.get(USAGE)) for _ in range(100)} == {None}
    refused = api.get(USAGE)
    assert refused.status_code == 200
    assert refused.json()["errors"] == [
        {"code": "606", "message": "Max rate limit '100' exceeded with in '20' secs"}
    ]
    sandbox.advance(19.9)
    assert code(api.get(USAGE)) == "606"
    sandbox.advance(0.1)
    assert code(api.get(USAGE)) is None


def test_the_window_slides_and_refused_calls_do_not_count(start: Start) -> None:
    sandbox, api = start(behaviour=Behaviour(window_calls=2, window_seconds=10))
    seen = []
    for _ in range(8):
        seen.append(code(api.get(USAGE)))
        sandbox.advance(4)
    assert seen == [None, None, "606", None, None, "606", None, None]


def test_calls_that_marketo_does_not_count(start: Start) -> None:
    _, api = start(behaviour=Behaviour(window_calls=1))
    for _ in range(3):
        assert code(api.get(USAGE, headers={"Authorization": "Bearer x"})) == "601"
        assert code(api.delete(USAGE)) == "605"
        query = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
        assert api.get("/identity/oauth/token", params=query).status_code == 200
    assert code(api.get(USAGE)) is None


def test_the_daily_quota_starts_again_at_midnight_us_central(start: Start) -> None:
    half_past_four_utc = 1_500_611_400  # 2017-07-21T04:30:00Z, 23:30 of the day before in Chicago
    sandbox, api = start(behaviour=Behaviour(daily_calls=2), started_at=half_past_four_utc)
    seen = []
    for seconds in (0, 0, 0, 1799, 2, 0, 0, 86_300, 200):
        sandbox.advance(seconds)
        if seconds > 80_000:
            api.headers["Authorization"] = token(sandbox)
        seen.append(code(api.get(USAGE)))
    assert seen == [None, None, "607", "607", None, None, "607", "607", None]
    assert sandbox.requests()[3].code == "607"


def token(sandbox: Sandbox) -> str:
    query = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
    reply = requests.get(f"{sandbox.url}/identity/oauth/token", params=query, timeout=10)
    return f"Bearer {reply.json()['access_token']}"


def begin_upload(sandbox: Sandbox, api: requests.Session) -> http.client.HTTPConnection:
    """Send the head of an upload; the sandbox's "100 Continue" proves that the call is under way."""
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
    connection.putrequest("POST", "/bulk/v1/leads.json")
    connection.putheader("Authorization", str(api.headers["Authorization"]))
    connection.putheader("Content-Length", "10")
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    assert connection.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    return connection


def test_the_eleventh_call_at_the_same_time_is_refused(sandbox: Sandbox, api: requests.Session) -> None:
    uploads = [begin_upload(sandbox, api) for _ in range(10)]
    assert api.get(USAGE).json()["errors"] == [{"code": "615", "message": "Concurrent access limit reached"}]
    first = uploads.pop()
    first.send(b"email\na@b\n")
    assert first.sock.recv(15) == b"HTTP/1.1 200 OK"
    assert code(api.get(USAGE)) is None
    for connection in [first, *uploads]:
        connection.close()


@pytest.mark.parametrize(("length", "status"), [(8192, 200), (8193, 414)])
def test_the_uri_holds_eight_kilobytes(api: requests.Session, length: int, status: int) -> None:
    path = f"{USAGE}?x="
    assert api.get(path + "y" * (length - len(path))).status_code == status


@pytest.mark.parametrize(("length", "status"), [(1_000_000, 200), (1_000_001, 413)])
def test_other_bodies_hold_one_megabyte(api: requests.Session, length: int, status: int) -> None:
    assert api.post("/rest/v1/leads.json", data=b"x" * length).status_code == status
