"""A run with rows to repair, and its page as a client that speaks HTTP sees it."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import prep
from prep.pipeline import Run
from prep.review import serve
from prep.review.application import HEADER, cookie_name

LEADS = """Email,First Name,Do Not Call,Date of Birth,Notes
"ana@gmial,com",Ana,yes,1990-05-04,
ben at example.org,Ben,ture,1991-05-04,
cyd@example.net,Cyd,no,25.13.1990,"two
lines"
dan@example.com,Dan,no,1992-01-01,
no-address,=Eve,no,1993-01-01,'quoted
,Fay,no,1994-01-01,
"""
"""Six rows, of which one is ready; row 2 has two reasons."""

MINE = """name = "mine"
extends = "lead"

[fields.notes]
type = "string"
display = "Notes"
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A cleaned run, five rows of which were rejected."""
    monkeypatch.chdir(tmp_path)
    Path("leads.csv").write_text(LEADS, encoding="utf-8")
    Path("mine.toml").write_text(MINE, encoding="utf-8")
    return prep.clean("leads.csv", schema="mine.toml", maps={"Do Not Call": "doNotCall"})


class Client:
    """Speaks to a page as the browser does, or otherwise."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.address = address
        self.host = parts.netloc
        self.token = parts.query.removeprefix("token=")
        self._cookie_name = cookie_name(parts.port or 0)
        self.key = ""

    @property
    def cookie(self) -> str:
        """What the browser sends with every request."""
        return f"{self._cookie_name}={self.key}"

    def enter(self) -> tuple[int, dict[str, str], str]:
        """Open the address, as the browser does first, and keep the cookie."""
        answer = self.ask(f"/?token={self.token}", cookie=None)
        self.key = answer[1]["set-cookie"].partition(";")[0].partition("=")[2]
        return answer

    def ask(
        self, path: str, body: dict[str, Any] | bytes | None = None, **headers: str | None
    ) -> tuple[int, dict[str, str], str]:
        """Send a request, bytes as they are; headers are those of the page, but for what is given."""
        own = {"cookie": self.cookie, "host": self.host, HEADER: self.key if body is not None else None}
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in {**own, **told}.items() if value is not None}
        connection = HTTPConnection(self.host, timeout=30)
        method = "GET" if body is None else "POST"
        connection.request(method, path, json.dumps(body) if isinstance(body, dict) else body, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text

    def json(self, path: str, body: dict[str, Any] | None = None) -> Any:
        status, _, text = self.ask(path, body)
        assert status == 200, text
        return json.loads(text)


@pytest.fixture
def client(run: Run) -> Iterator[Client]:
    """The page of the run, served by a thread."""
    with served(run.path) as client:
        yield client


class served:  # noqa: N801 (reads as a function)
    """Serve the page of a run folder in a thread, until the block ends."""

    def __init__(self, folder: Path, *, is_entered: bool = True) -> None:
        self._folder = folder
        self._is_entered = is_entered
        self._address = ""
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        serve(self._folder, ready=self._ready)

    def _ready(self, address: str) -> None:
        self._address = address
        self._is_ready.set()

    def __enter__(self) -> Client:
        self._thread.start()
        assert self._is_ready.wait(60)
        self._client = Client(self._address)
        if self._is_entered:
            self._client.enter()
        return self._client

    def __exit__(self, *_: object) -> None:
        with suppress(ConnectionError):  # the page may be done already
            self._client.ask("/api/done", {})
        self._thread.join(30)
        assert not self._thread.is_alive()
