import gc
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
    with ahead(items()) as coming:
        for number in coming:
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

    with ahead(items()) as coming:
        assert [next(coming), next(coming)] == [1, 2]
        for _ in range(2):
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
        with ahead(items()) as coming:
            for number in coming:
                used.append(number)
                if number == 1:
                    raise KeyError

    before = set(threading.enumerate())
    with pytest.raises(KeyError):
        use_two()
    assert used == [0, 1]
    assert closed.is_set()
    assert set(threading.enumerate()) <= before


def test_what_is_thrown_away_is_not_waited_for() -> None:
    """The collector may do that anywhere, also while the thread needs what its own thread holds."""
    lock, closed = threading.Lock(), threading.Event()

    def items() -> Generator[int]:
        try:
            yield 0
            with lock:
                yield 1
        finally:
            closed.set()

    def used() -> Generator[int]:
        with ahead(items()) as coming:
            yield from coming

    cycle: list[object] = [used()]
    cycle.append(cycle)
    with lock:
        assert next(cycle[0]) == 0  # type: ignore[call-overload]
        del cycle
        gc.collect()
    assert closed.wait(5)
