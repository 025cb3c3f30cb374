"""Runs over real HTTP, and an instance whose people are the test's own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import prep
from prep.sandbox import Behaviour, Sandbox

People = list[dict[str, str | None]]
Start = Callable[..., Sandbox]
POLL = (0.01, 0.02)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start an instance in which nobody has to wait."""
    with ExitStack() as stack:

        def _start(**settings: Any) -> Sandbox:
            switches = {"window_calls": 10_000} | settings.pop("behaviour", {})
            return stack.enter_context(Sandbox(job_seconds=0, behaviour=Behaviour(**switches), **settings))

        yield _start


@pytest.fixture
def sandbox(start: Start) -> Sandbox:
    return start()


def client_of(sandbox: Sandbox, **settings: Any) -> prep.Marketo:
    """A client that never waits."""
    return prep.Marketo(
        sandbox.url, "id", "secret", calls_per_window=10_000, sleep=lambda _: None, **settings
    )


def cleaned(folder: Path, rows: Sequence[Sequence[str]], **options: Any) -> prep.Run:
    """A run of a file with these rows, the header first."""
    source = folder / "leads.csv"
    source.write_text("".join(f"{';'.join(row)}\n" for row in rows), encoding="utf-8")
    return prep.clean(source, folder / "leads.prep", delimiter=";", **options)


def kept(
    sandbox: Sandbox, ids: Sequence[str | None] | None = None
) -> dict[str | None, dict[str, str | None]]:
    """Every field that people have, by id, but for the times that Marketo writes itself."""
    return {
        lead["id"]: {
            name: value for name, value in lead.items() if value and name not in {"createdAt", "updatedAt"}
        }
        for lead in sandbox.leads()
        if ids is None or lead["id"] in ids
    }
