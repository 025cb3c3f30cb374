import re
from collections.abc import Callable

import pytest
import requests

from prep.sandbox import Behaviour, Sandbox

Start = Callable[..., tuple[Sandbox, requests.Session]]

TOKEN = "/identity/oauth/token"
USAGE = "/rest/v1/stats/usage.json"
CREDENTIALS = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}


def test_a_token_reply_has_marketos_form(api: requests.Session) -> None:
    reply = api.get(TOKEN, params=CREDENTIALS)
    body = reply.json()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:int", body.pop("access_token"))
    assert body == {"token_type": "bearer", "expires_in": 3600, "scope": "sandbox@example.com"}
    assert reply.headers["content-type"] == "application/json;charset=UTF-8"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["pragma"] == "no-cache"


@pytest.mark.parametrize("place", ["params", "data"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_credentials_may_stand_in_the_query_or_the_form(
    api: requests.Session, method: str, place: str
) -> None:
    arguments = {place: CREDENTIALS}
    assert api.request(method, TOKEN, **arguments).json()["token_type"] == "bearer"  # type: ignore[arg-type]  # one of two keywords


@pytest.mark.parametrize(
    "wrong",
    [{"client_id": "other"}, {"client_secret": "other"}, {"grant_type": "password"}, {"client_id": None}],
)
def test_wrong_credentials_get_http_401_without_the_usual_envelope(
    api: requests.Session, wrong: dict[str, str | None]
) -> None:
    reply = api.get(TOKEN, params={**CREDENTIALS, **wrong})
    assert reply.status_code == 401
    assert reply.text == '{"error":"invalid_client","error_description":"Bad client credentials"}'


def test_the_same_token_comes_back_with_its_remaining_seconds_until_it_expires(
    sandbox: Sandbox, api: requests.Session
) -> None:
    replies = []
    for seconds in (0, 1000.5, 2599.4, 0.1):
        sandbox.advance(seconds)
        body = api.get(TOKEN, params=CREDENTIALS).json()
        replies.append((body["access_token"], body["expires_in"]))
    tokens = [token for token, _ in replies]
    assert [seconds for _, seconds in replies] == [3600, 2599, 0, 3600]
    assert len(set(tokens[:3])) == 1
    assert tokens[3] != tokens[0]


@pytest.mark.parametrize(
    ("header", "code", "message"),
    [
        (None, "603", "Access denied"),
        ("Basic abc", "603", "Access denied"),
        ("Bearer ", "603", "Access denied"),
        ("Bearer unknown:int", "601", "Access token invalid"),
    ],
)
def test_calls_without_a_valid_token_are_refused(
    api: requests.Session, header: str | None, code: str, message: str
) -> None:
    reply = api.get(USAGE, headers={"Authorization": header})
    assert reply.status_code == 200
    assert reply.json()["errors"] == [{"code": code, "message": message}]
    assert reply.json()["success"] is False


def test_an_expired_token_is_told_from_an_unknown_one(sandbox: Sandbox, api: requests.Session) -> None:
    sandbox.advance(3600)
    assert api.get(USAGE).json()["errors"] == [{"code": "602", "message": "Access token expired"}]


@pytest.mark.parametrize(("legacy", "codes"), [(False, ["603", "603"]), (True, [None, None])])
def test_tokens_outside_the_header_count_only_with_the_switch(
    start: Start, *, legacy: bool, codes: list[str | None]
) -> None:
    sandbox, api = start(behaviour=Behaviour(legacy_token=legacy))
    token = str(api.headers.pop("Authorization")).removeprefix("Bearer ")
    api.get(USAGE, params={"access_token": token})
    api.post("/bulk/v1/leads.json", data={"access_token": token}, files={"file": ("leads.csv", "email\n")})
    assert [request.code for request in sandbox.requests()[1:]] == codes
