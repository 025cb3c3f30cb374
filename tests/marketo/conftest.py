"""A real HTTP server that gives the answers that a test lists, and a clock that nobody waits for."""

import json
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from prep.marketo import Marketo
from prep.model import Exchange

SECRET = "canary-secret-5f1c"
TOKEN = "canary-token-93ab:int"


@dataclass(frozen=True)
class Answer:
    """What the server does with one request.

    `reads` is how many bytes of the body it takes before it acts; `signals` are sent to the test's own main
    thread; `resets` drops the connection instead of answering; `declares` is the Content-Length to claim
    instead of the true one.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    reads: int | None = None
    resets: bool = False
    declares: int | None = None
    delay_seconds: float = 0.0
    signals: tuple[signal.Signals, ...] = ()


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: Message
    body: bytes
    port: int


def envelope(*result: object, **more: object) -> Answer:
    return Answer(
        body=json.dumps({"requestId": "d01f#1", "success": True, "result": result, **more}).encode()
    )


def errors(*codes: object) -> Answer:
    listed = [{"code": code, "message": "in Marketo's words"} for code in codes]
    return Answer(body=json.dumps({"requestId": "d01f#1", "success": False, "errors": listed}).encode())


def grant(token: str = TOKEN, expires_in: object = 3599) -> Answer:
    return Answer(
        body=json.dumps({"access_token": token, "token_type": "bearer", "expires_in": expires_in}).encode()
    )


QUEUED = envelope({"batchId": 3404, "importId": "3404", "status": "Queued"})
RESET = Answer(resets=True)
HTML = Answer(body=b"<html><body>Please log in</body></html>")


class Script:
    """Listed answers, and the requests that came. Token calls have a list of their own."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.grants: list[Answer] = []
        self.requests: list[Request] = []
        self.url = ""

    @property
    def calls(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    @property
    def api_calls(self) -> list[Request]:
        return [request for request in self.requests if not request.path.startswith("/identity/")]

    def next(self, path: str) -> Answer:
        if path.startswith("/identity/"):
            return self.grants.pop(0) if self.grants else grant()
        return self.answers.pop(0)


class _Server(ThreadingHTTPServer):
    script: Script
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that hangs up is part of many tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one(self) -> None:
        path, _, query = self.path.partition("?")
        answer = self.server.script.next(path)
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length if answer.reads is None else min(answer.reads, length))
        self.server.script.requests.append(
            Request(self.command, path, query, self.headers, body, self.client_address[1])
        )
        for number in answer.signals:
            signal.pthread_kill(threading.main_thread().ident or 0, number)
        if answer.delay_seconds:
            threading.Event().wait(answer.delay_seconds)
        if answer.resets:
            self.reset()
        else:
            self.answer(answer)

    do_GET = do_POST = handle_one  # noqa: N815  # the names that http.server looks for

    def answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        length = len(answer.body) if answer.declares is None else answer.declares
        for name, value in {"Content-Length": str(length), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = answer.declares is not None or answer.reads is not None

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""


@pytest.fixture
def script() -> Iterator[Script]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.script = Script()
        server.script.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server.script
        server.shutdown()
        thread.join()


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exchanges() -> list[Exchange]:
    return []


@pytest.fixture
def client(script: Script, clock: Clock, exchanges: list[Exchange]) -> Iterator[Marketo]:
    with Marketo(
        script.url,
        "id",
        SECRET,
        clock=clock,
        now=lambda: 1_795_000_000.0 + clock.seconds,
        sleep=clock.sleep,
        on_exchange=exchanges.append,
    ) as marketo:
        yield marketo
