"""The window and the retries, in time that passes only in sleep."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.marketo.throttle import Retries, Throttle

from .conftest import Clock


def _seeded() -> random.Random:
    return random.Random(1)  # noqa: S311  # a test repeats itself


@settings(deadline=None)  # a busy machine is no failure
@given(
    calls=st.integers(1, 5),
    gaps=st.lists(st.floats(0, 30, allow_nan=False), max_size=40),
    window_seconds=st.floats(0.1, 30),
)
def test_no_window_ever_holds_more_calls(calls: int, gaps: list[float], window_seconds: float) -> None:
    clock = Clock()
    throttle = Throttle(calls, window_seconds, clock=clock, sleep=clock.sleep)
    starts = []
    for gap in gaps:
        clock.seconds += gap
        throttle.wait()
        starts.append(clock.seconds)

    spans = [later - earlier for earlier, later in zip(starts, starts[calls:], strict=False)]
    assert all(span >= window_seconds - 1e-6 for span in spans)


def test_calls_that_fit_do_not_wait() -> None:
    clock = Clock()
    throttle = Throttle(50, 20, clock=clock, sleep=clock.sleep)

    for _ in range(50):
        throttle.wait()
    assert clock.slept == []
    throttle.wait()
    assert clock.slept == [20]


def test_pauses_grow_to_their_cap_and_vary_fully() -> None:
    retries = Retries(_seeded(), attempts=100, budget=1_000_000)

    pauses = [[retries.pause(attempt) or 0.0 for _ in range(500)] for attempt in range(8)]

    for attempt, of_attempt in enumerate(pauses):
        cap = min(30, 2**attempt)
        assert 0.95 * cap < max(of_attempt) <= cap
        assert min(of_attempt) < 0.05 * cap


def test_a_shortest_pause_is_kept() -> None:
    pause = Retries(_seeded()).pause(0, at_least=20)

    assert pause is not None
    assert 20 <= pause <= 21


@pytest.mark.parametrize(("attempt", "is_given_up"), [(0, False), (4, False), (5, True), (6, True)])
def test_attempts_are_counted(attempt: int, is_given_up: bool) -> None:  # noqa: FBT001
    assert (Retries(_seeded(), attempts=6).pause(attempt) is None) == is_given_up


def test_the_budget_is_shared_and_filled_up_by_success() -> None:
    retries = Retries(_seeded(), budget=3)

    assert [retries.pause(0) is None for _ in range(5)] == [False, False, False, True, True]
    retries.succeeded()
    assert retries.pause(0) is None
    retries.succeeded()
    assert retries.pause(0) is not None
    for _ in range(100):
        retries.succeeded()
    assert [retries.pause(0) is None for _ in range(4)] == [False, False, False, True]
