import time


class Clock:
    """Virtual time: the one clock every part of the sandbox reads.

    Args:
        start: Virtual time at which the clock starts, in seconds since 1970.
        scale: Virtual seconds that pass in one real second. 3600 lets an hour pass in a second; 0 stands
            still until `advance` is called.
    """

    def __init__(self, start: float, scale: float) -> None:
        if scale < 0:
            raise ValueError(f"time_scale must not be negative, got {scale}")
        self._base = start
        self._scale = scale
        self._started = time.monotonic()

    def now(self) -> float:
        """Return the virtual time in seconds since 1970."""
        return self._base + (time.monotonic() - self._started) * self._scale

    def advance(self, seconds: float) -> None:
        """Let virtual seconds pass at once."""
        if seconds < 0:
            raise ValueError(f"time only goes forward, got {seconds} seconds")
        self._base += seconds
