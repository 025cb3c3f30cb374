"""Which addresses may be talked to, and that no foreign exception escapes."""

import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
import urllib3

from prep.errors import SettingsError, TerminalError, TransientError
from prep.marketo import Marketo
from prep.marketo.transport import _FOREIGN, Call, Secret, SendError, Transport
from prep.sandbox import Sandbox

from .conftest import Answer, Clock, Script


@pytest.mark.parametrize(
    ("endpoint", "allow_host", "host"),
    [
        ("https://123-ABC-456.mktorest.com", None, "123-abc-456.mktorest.com"),
        ("https://123-abc-456.mktorest.com/", None, "123-abc-456.mktorest.com"),
        (" https://123-abc-456.mktorest.com/rest ", None, "123-abc-456.mktorest.com"),
        ("https://123-abc-456.mktorest.com/rest/", None, "123-abc-456.mktorest.com"),
        ("https://123-abc-456.mktorest.com:443", None, "123-abc-456.mktorest.com"),
        ("https://123-abc-456.mktorest.com:", None, "123-abc-456.mktorest.com"),
        ("https://gateway.example.com/rest", "gateway.example.com", "gateway.example.com"),
        ("https://gateway.example.com:8443", "Gateway.example.com:8443", "gateway.example.com:8443"),
        ("http://127.0.0.1:8080", None, "127.0.0.1:8080"),
        ("http://localhost:8080/rest", None, "localhost:8080"),
        ("http://[::1]:8080", None, "[::1]:8080"),
        ("http://[::1]:80", None, "[::1]"),
        ("http://127.0.0.1:443", None, "127.0.0.1:443"),
    ],
)
def test_endpoints_that_may_be_talked_to(endpoint: str, allow_host: str | None, host: str) -> None:
    client = Marketo(endpoint, "id", "secret", allow_host=allow_host)

    assert client.host == host
    assert repr(client) == f"Marketo({host!r})"


@pytest.mark.parametrize(
    ("endpoint", "allow_host"),
    [
        ("http://123-abc-456.mktorest.com", None),
        ("http://gateway.example.com", "gateway.example.com"),
        ("https://example.com", None),
        ("https://example.com", "example.org"),
        ("https://example.com", ""),
        ("https://mktorest.com", None),
        ("https://.mktorest.com", None),
        ("https://evilmktorest.com", None),
        ("https://123.mktorest.com.example.com", None),
        ("https://example.com/.mktorest.com", None),
        ("https://example.com\\.mktorest.com", None),
        ("https://example.com#.mktorest.com", None),
        ("https://example.com?.mktorest.com", None),
        ("https://123.mktorest.com@example.com", None),
        ("https://id:secret@123.mktorest.com", None),
        ("https://123.mktorest.com:8443", None),
        ("https://123.mktorest.com:port", None),
        ("https://123.mktorest.com/identity", None),
        ("https://123.mktorest.com/rest?token=x", None),
        ("https://123.mktorest.com\u3002example.com", None),
        ("https://[::1", None),
        ("123.mktorest.com", None),
        ("ftp://123.mktorest.com", None),
        ("http://127.0.0.1.example.com", None),
        ("http://10.0.0.1", None),
        ("", None),
    ],
)
def test_endpoints_that_are_refused(endpoint: str, allow_host: str | None) -> None:
    with pytest.raises(SettingsError) as caught:
        Marketo(endpoint, "id", "secret", allow_host=allow_host)

    assert caught.value.code == "bad_endpoint"
    assert caught.value.hint
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("client_id", "client_secret"), [("", "secret"), ("id", " "), (None, "secret"), ("id", None)]
)
def test_missing_credentials(client_id: Any, client_secret: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        Marketo("https://123.mktorest.com", client_id, client_secret)

    assert caught.value.code == "missing_credentials"


def test_a_missing_endpoint() -> None:
    nothing: Any = os.environ.get("NO_SUCH_VARIABLE")
    with pytest.raises(SettingsError) as caught:
        Marketo(nothing, "id", "secret")

    assert caught.value.code == "bad_endpoint"


@pytest.mark.parametrize("calls", [0, -1])
def test_a_client_that_may_make_no_call(calls: int) -> None:
    with pytest.raises(SettingsError) as caught:
        Marketo("https://123.mktorest.com", "id", "secret", calls_per_window=calls)

    assert (caught.value.code, caught.value.message) == (
        "bad_calls_per_window",
        f"calls_per_window is {calls}",
    )


def test_line_ends_around_credentials_are_no_part_of_them() -> None:
    with Sandbox() as sandbox, Marketo(f"{sandbox.url}\n", "id\n", " secret\n") as client:
        assert client.usage().calls == 0


def test_a_silent_server_is_given_up(script: Script) -> None:
    script.answers = [Answer(delay_seconds=0.5)]

    with pytest.raises(SendError) as caught:
        Transport(script.url).send(Call("GET", "/rest/v1/x.json", read_seconds=0.05), None)

    assert caught.value.error.code == "timed_out"
    assert isinstance(caught.value.error, TransientError)


def test_a_name_that_does_not_resolve() -> None:
    transport = Transport("https://no-such-instance.invalid", allow_host="no-such-instance.invalid")

    with pytest.raises(SendError) as caught:
        transport.send(Call("POST", "/bulk/v1/leads.json", body=b"x", is_import=True), Secret("t"))

    assert caught.value.error.code == "no_connection"
    assert not caught.value.left_whole


def test_a_proxy_is_used_for_marketo_and_never_for_this_machine(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    script.answers = [Answer()]

    assert Transport(script.url).send(Call("GET", "/rest/v1/x.json"), None).status == 200
    with pytest.raises(SendError, match="proxy"):
        Transport("https://123.mktorest.com").send(Call("GET", "/rest/v1/x.json"), None)


@pytest.mark.parametrize("size", [1, 65_536, 10_000_000])
def test_a_body_that_left_is_known_to_have_left(script: Script, size: int) -> None:
    script.answers = [Answer(resets=True)]

    with pytest.raises(SendError) as caught:
        Transport(script.url).send(Call("POST", "/bulk/v1/leads.json", body=bytes(size)), None)

    assert caught.value.left_whole
    assert len(script.requests[0].body) == size


def test_no_foreign_exception_hangs_on_an_error(script: Script) -> None:
    script.answers = [Answer(resets=True)]

    with pytest.raises(SendError) as caught:
        Transport(script.url).send(Call("GET", "/rest/v1/x.json"), Secret("t"))

    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("library", [requests.exceptions, urllib3.exceptions], ids=lambda item: item.__name__)
def test_every_exception_of_the_libraries_has_a_root_that_is_caught(library: ModuleType) -> None:
    root = library.__name__.partition(".")[0]
    raised = [
        item
        for item in vars(library).values()
        if isinstance(item, type)
        and issubclass(item, Exception)
        and not issubclass(item, Warning)
        and item.__module__.startswith(root)
    ]

    assert len(raised) > 20
    assert [item for item in raised if not issubclass(item, _FOREIGN)] == []


def test_a_missing_bundle_of_certificates_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    transport = Transport("https://no-such-instance.invalid", allow_host="no-such-instance.invalid")

    with pytest.raises(SendError) as caught:
        transport.send(Call("GET", "/rest/v1/x.json"), None)

    assert isinstance(caught.value.error, TerminalError)
    assert "REQUESTS_CA_BUNDLE" in caught.value.error.hint


@pytest.fixture
def wrong_certificate(tmp_path: Path) -> Iterator[str]:
    """An https server whose certificate nobody vouches for."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a failed handshake is the point
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_wrong_certificate_stops_at_once(wrong_certificate: str, clock: Clock) -> None:
    client = Marketo(wrong_certificate, "id", "secret", sleep=clock.sleep)

    with pytest.raises(TerminalError) as caught:
        client.usage()

    assert caught.value.code == "bad_certificate"
    assert clock.slept == []
