import threading
import time
from collections.abc import Generator

import pytest

from prep.ahead import ahead


def test_the_next_item_is_made_while_one_is_used() -> None:
    made: list[int] = []
    second_is_made = threading.Event()

    def items() -> Generator[int]:
        for number in range(3):
            made.append(number)
            if number == 1:
                second_is_made.set()
            yield number

    used = []
    for number in ahead(items()):
        if number == 0:
            assert second_is_made.wait(5)
            time.sleep(0.05)
            assert made == [0, 1], "one item waits, not more"
        used.append(number)
    assert used == [0, 1, 2]


def test_an_error_comes_in_its_place() -> None:
    def items() -> Generator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    coming = ahead(items())
    assert [next(coming), next(coming)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(coming)


def test_whoever_stops_early_finds_the_generator_closed() -> None:
    closed = threading.Event()

    def items() -> Generator[int]:
        try:
            yield from range(10)
        finally:
            closed.set()

    used = []

    def use_two() -> None:
        for number in ahead(items()):
            used.append(number)
            if number == 1:
                raise KeyError

    with pytest.raises(KeyError):
        use_two()
    assert used == [0, 1]
    assert closed.wait(5)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prep-ahead")]
