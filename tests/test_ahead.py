import gc
import threading
import time
from collections.abc import Generator

import pytest

from prep.ahead import ahead, side_by_side


@pytest.mark.parametrize("waiting", [1, 3])
def test_the_next_items_are_made_while_one_is_used(waiting: int) -> None:
    made: list[int] = []
    enough_are_made = threading.Event()

    def items() -> Generator[int]:
        for number in range(6):
            made.append(number)
            if number == waiting:
                enough_are_made.set()
            yield number

    used = []
    with ahead(items(), waiting=waiting) as coming:
        for number in coming:
            if number == 0:
                assert enough_are_made.wait(5)
                time.sleep(0.05)
                assert made == list(range(waiting + 1)), "so many items wait, not more"
            used.append(number)
    assert used == [0, 1, 2, 3, 4, 5]


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


def test_results_come_in_order_though_several_are_made_at_a_time() -> None:
    together = threading.Barrier(2, timeout=5)

    def work(number: int) -> int:
        together.wait()
        time.sleep(0.02 * (number % 2 == 0))
        return 10 * number

    assert list(side_by_side(work, range(6), 2)) == [0, 10, 20, 30, 40, 50]


def test_an_error_comes_where_its_result_would_have_come() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise ValueError("the third")
        return number

    results = side_by_side(work, range(5), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(results)


def test_no_more_is_begun_than_there_is_room_for() -> None:
    taken: list[int] = []

    def items() -> Generator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    results = side_by_side(lambda number: number, items(), 2)
    assert next(results) == 0
    assert taken == [0, 1, 2]
    results.close()
