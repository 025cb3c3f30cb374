import random
from collections.abc import Iterator

import pytest

from tests.crash.cleaning import Cleaning
from tests.crash.ordeal import Death, workshop


@pytest.fixture(scope="module")
def cleaning() -> Iterator[Cleaning]:
    with workshop() as folder:
        yield Cleaning(folder)


@pytest.mark.parametrize("step", [2, 17, 30, 33, 36])
def test_killed_at_a_step(cleaning: Cleaning, step: int) -> None:
    assert cleaning.endure([Death(step)]) == (1, [])


def test_killed_again_while_recovering(cleaning: Cleaning) -> None:
    assert cleaning.endure([Death(31), Death(1), Death(34)]) == (3, [])


@pytest.mark.parametrize("seed", range(3))
def test_killed_by_chance(cleaning: Cleaning, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # not for secrets
    _, different = cleaning.endure([Death(seconds=chance.uniform(0, 0.6))])

    assert different == []
