"""Signals that end a process wait for what must not be torn apart."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final, Self

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_SECONDS: Final = 25.0


class HeldInterrupts:
    """Lets signals that end wait while an upload is on its way, so that its answer is not thrown away.

    A second signal does not wait, and the first one not longer than the grace: it then ends
    the upload as KeyboardInterrupt. Signals belong to the main thread; in others this does nothing.
    """

    def __init__(self, grace_seconds: float = _GRACE_SECONDS) -> None:
        self._grace_seconds = grace_seconds
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._waiting: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def hold(self) -> None:
        """Let signals wait from now on."""
        if threading.current_thread() is threading.main_thread() and not self._handlers:
            for number in _ENDING:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
                    self._handle(number, self._keep)

    def release(self) -> None:
        """Put the old handlers back, and let them have the signal that came meanwhile."""
        while self._handlers:
            number, handler = self._handlers.popitem()
            if number == signal.SIGALRM:  # also where a signal has set it within this loop
                signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            signal.raise_signal(waiting)

    def _handle(self, number: int, handler: Callable[[int, FrameType | None], object]) -> None:
        self._handlers[number] = signal.signal(number, handler)

    def _keep(self, number: int, _: FrameType | None) -> None:
        if self._waiting is not None:
            raise KeyboardInterrupt
        self._waiting = number
        self._handle(signal.SIGALRM, self._end)
        signal.setitimer(signal.ITIMER_REAL, self._grace_seconds)

    def _end(self, number: int, _: FrameType | None) -> None:
        del number
        raise KeyboardInterrupt
