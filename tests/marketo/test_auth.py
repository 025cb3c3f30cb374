"""Tokens: fetched late, kept as long as they live, replaced when they are refused."""

from urllib.parse import parse_qs

import pytest

from prep.errors import TerminalError, TransientError
from prep.marketo import Marketo

from .conftest import HTML, RESET, SECRET, TOKEN, Answer, Clock, Script, envelope, errors, grant

USAGE = envelope({"date": "2026-11-21", "total": 5})


def bearers(script: Script) -> list[str]:
    return [request.headers["Authorization"].removeprefix("Bearer ") for request in script.api_calls]


def test_nothing_is_asked_before_the_first_call(client: Marketo, script: Script) -> None:
    assert client.host in script.url
    assert script.calls == []


def test_the_secret_travels_in_the_body(client: Marketo, script: Script) -> None:
    script.answers = [USAGE]
    client.usage()

    identity = script.requests[0]
    assert (identity.method, identity.path, identity.query) == ("POST", "/identity/oauth/token", "")
    assert parse_qs(identity.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["id"],
        "client_secret": [SECRET],
    }


def test_a_token_is_used_until_it_dies(client: Marketo, script: Script, clock: Clock) -> None:
    script.answers = [USAGE] * 3
    script.grants = [grant("first", 100), grant("second", 3599)]

    client.usage()
    clock.seconds += 99
    client.usage()
    clock.seconds += 1
    client.usage()

    assert bearers(script) == ["first", "first", "second"]


def test_a_token_without_life_is_not_used(client: Marketo, script: Script, clock: Clock) -> None:
    script.answers = [USAGE]
    script.grants = [grant("dying", 0), grant("dying", 0), grant("new", 3599)]

    client.usage()

    assert bearers(script) == ["new"]
    assert clock.slept == [1, 1]


def test_a_token_that_never_lives_is_given_up(client: Marketo, script: Script) -> None:
    script.grants = [grant("dying", 0)] * 50

    with pytest.raises(TransientError) as caught:
        client.usage()

    assert caught.value.code == "dead_token"
    assert len(script.calls) == 10


@pytest.mark.parametrize("code", ["601", "602", "600"])
def test_a_refused_token_is_replaced(client: Marketo, script: Script, code: str) -> None:
    script.answers = [errors(code), USAGE]
    script.grants = [grant("old"), grant("new")]

    client.usage()

    assert bearers(script) == ["old", "new"]


def test_a_refused_token_that_is_still_handed_out_is_outlived(
    client: Marketo, script: Script, clock: Clock
) -> None:
    script.answers = [errors("602"), USAGE]
    script.grants = [grant("old", 4), grant("old", 3), grant("new", 3599)]

    client.usage()

    assert bearers(script) == ["old", "new"]
    assert clock.slept == [4]


def test_a_token_that_expires_while_a_call_is_repeated_is_replaced(client: Marketo, script: Script) -> None:
    script.answers = [*[errors("606")] * 3, errors("602"), errors("606"), USAGE]
    script.grants = [grant("old"), grant("new")]

    client.usage()

    assert bearers(script) == [*["old"] * 4, *["new"] * 2]


def test_tokens_that_are_all_refused_are_given_up(client: Marketo, script: Script) -> None:
    script.answers = [errors("601")] * 50

    with pytest.raises(TransientError) as caught:
        client.usage()

    assert caught.value.code == "marketo_601"
    assert len(script.api_calls) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=401, body=b'{"error":"invalid_client","error_description":"Bad client credentials"}'),
        Answer(status=401, body=b"<html>"),
        Answer(status=400, body=b'{"error":"unauthorized_client"}'),
    ],
)
def test_wrong_credentials_stop_at_once(client: Marketo, script: Script, answer: Answer) -> None:
    script.grants = [answer]

    with pytest.raises(TerminalError) as caught:
        client.usage()

    assert caught.value.code == "bad_credentials"
    assert "MARKETO_CLIENT_ID" in caught.value.hint
    assert len(script.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        RESET,
        Answer(status=503),
        Answer(body=b"{}"),
        grant("", 3599),
        grant("two\r\nlines", 3599),
        grant("naïve", 3599),
        grant(TOKEN, "soon"),
        grant(TOKEN, -5),
    ],
)
def test_a_passing_fault_of_the_identity_service_is_outlived(
    client: Marketo, script: Script, answer: Answer
) -> None:
    script.grants = [answer, grant("good")]
    script.answers = [USAGE]

    client.usage()

    assert bearers(script) == ["good"]


def test_a_redirected_identity_service_is_not_followed(client: Marketo, script: Script) -> None:
    script.grants = [Answer(status=307, headers={"Location": f"{script.url}/stolen"})]

    with pytest.raises(TerminalError) as caught:
        client.usage()

    assert caught.value.code == "http_307"
    assert script.calls == ["POST /identity/oauth/token"]
