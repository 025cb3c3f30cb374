from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from prep.sandbox import Sandbox

START = 1500674753.888  # 0x15d672f8560 milliseconds
BATCH = "/bulk/v1/leads/batch"

Start = Callable[..., tuple[Sandbox, requests.Session]]
ImportFile = Callable[..., int]


class _Api(requests.Session):
    """A session that knows where the sandbox is and carries its token."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._base = sandbox.url
        self.trust_env = False
        query = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
        token = self.get("/identity/oauth/token", params=query).json()["access_token"]
        self.headers["Authorization"] = f"Bearer {token}"

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        return super().request(method, urljoin(self._base, str(url)), *args, **kwargs)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start sandboxes whose time stands still and whose jobs take one second, rows included or not."""
    with ExitStack() as stack:

        def _start(**settings: Any) -> tuple[Sandbox, requests.Session]:
            defaults: dict[str, Any] = {"time_scale": 0, "started_at": START, "job_seconds": 1}
            sandbox = stack.enter_context(Sandbox(**(defaults | settings)))
            return sandbox, stack.enter_context(_Api(sandbox))

        yield _start


@pytest.fixture
def running(start: Start) -> tuple[Sandbox, requests.Session]:
    return start()


@pytest.fixture
def sandbox(running: tuple[Sandbox, requests.Session]) -> Sandbox:
    return running[0]


@pytest.fixture
def api(running: tuple[Sandbox, requests.Session]) -> requests.Session:
    return running[1]


@pytest.fixture
def import_file() -> ImportFile:
    """Upload a file, let its job end and return the batch id."""

    def _import_file(
        sandbox: Sandbox, api: requests.Session, content: str | bytes, **query: str | int
    ) -> int:
        reply = api.post("/bulk/v1/leads.json", params=query, files={"file": ("leads.csv", content)})
        batch_id: int = reply.json()["result"][0]["batchId"]
        sandbox.advance(60)
        return batch_id

    return _import_file
