"""How often Marketo is called, and how often a call is repeated."""

import random
from collections import deque
from collections.abc import Callable
from typing import Final

_BASE_SECONDS: Final = 1.0
_CAP_SECONDS: Final = 30.0
_REFILL: Final = 0.5


class Throttle:
    """A sliding window: never more than so many calls in any stretch of so many seconds.

    Args:
        calls: Calls that fit into the window.
        window_seconds: Length of the window.
        clock: Monotonic seconds.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self, calls: int, window_seconds: float, *, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._calls = calls
        self._window_seconds = window_seconds
        self._clock = clock
        self._sleep = sleep
        self._starts: deque[float] = deque()

    def wait(self) -> None:
        """Return as soon as one more call fits into the window, and count it."""
        if len(self._starts) >= self._calls:
            free_at = self._starts.popleft() + self._window_seconds
            self._sleep(max(0.0, free_at - self._clock()))
        self._starts.append(self._clock())


class Retries:
    """Pauses between attempts: full jitter under a growing cap, within a budget.

    Each retry takes one from the budget and each success gives half a one back, so a server that
    is down is soon left alone, however many calls are waiting for it.
    The jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    Args:
        random: Source of the jitter.
        attempts: How often one call is made at most.
        budget: Retries of all calls together, until successes fill it up again.
    """

    def __init__(self, random: random.Random, *, attempts: int = 6, budget: int = 20) -> None:
        self._random = random
        self._attempts = attempts
        self._budget = self._left = float(budget)

    def pause(self, attempt: int, *, at_least: float = 0.0) -> float | None:
        """Return the seconds to wait after the failed attempt number `attempt` (the first is 0).

        Returns:
            None when the call must be given up.
        """
        if attempt + 1 >= self._attempts or self._left < 1:
            return None
        self._left -= 1
        return at_least + self._random.uniform(0, min(_CAP_SECONDS, _BASE_SECONDS * 2**attempt))

    def succeeded(self) -> None:
        """Give a part of the budget back."""
        self._left = min(self._budget, self._left + _REFILL)
