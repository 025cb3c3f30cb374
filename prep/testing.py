"""pytest fixtures: a local stand-in for Marketo under the tests of your own pipelines.

Ask for them in the `conftest.py` at the root of your tests; nothing is loaded in test runs that do not:

    pytest_plugins = ["prep.testing"]

pytest comes with your tests; it is no dependency of this package.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prep.marketo import Marketo
    from prep.sandbox import Sandbox

CLIENT_ID = "id"
CLIENT_SECRET = "secret"  # noqa: S105  # opens nothing


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, as `--strict-markers` wants it."""
    config.addinivalue_line(
        "markers",
        "marketo(faults=(), job_seconds=0, …): arguments of prep.Sandbox for the fixtures of prep.testing",
    )


@pytest.fixture
def marketo_sandbox(request: pytest.FixtureRequest) -> "Iterator[Sandbox]":
    """A sandbox of this test's own, over real HTTP: the same few leads at the start, gone at the end.

    Jobs are done when anybody next asks. The marker `marketo` orders otherwise, and what shall go wrong:

        @pytest.mark.marketo(faults=["lost-reply"], job_seconds=2)
    """
    from prep.sandbox import Sandbox  # noqa: PLC0415  # a web server, for the tests that want one

    marker = request.node.get_closest_marker("marketo")
    ordered = dict(marker.kwargs) if marker else {}
    settings = {"job_seconds": 0, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **ordered}
    with Sandbox(**settings) as sandbox:
        yield sandbox


@pytest.fixture
def marketo(marketo_sandbox: "Sandbox") -> "Iterator[Marketo]":
    """A client of the sandbox."""
    from prep.marketo import Marketo  # noqa: PLC0415

    with Marketo(marketo_sandbox.url, CLIENT_ID, CLIENT_SECRET) as client:
        yield client


@pytest.fixture
def marketo_settings(marketo_sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch) -> "Sandbox":
    """The sandbox, named by the environment: for code that calls `Marketo.from_settings` or the program."""
    monkeypatch.setenv("MARKETO_ENDPOINT", marketo_sandbox.url)
    monkeypatch.setenv("MARKETO_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("MARKETO_CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.delenv("MARKETO_ENDPOINT_FILE", raising=False)
    monkeypatch.setenv("PREP_POLL_SECONDS", "0.1")
    return marketo_sandbox
