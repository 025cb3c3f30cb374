from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.ordeal import workshop
from tests.faults.runs import make_templates


@pytest.fixture(scope="session")
def templates() -> Iterator[dict[str, Path]]:
    with workshop() as folder:
        yield make_templates(folder)
