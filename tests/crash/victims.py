"""What runs in the processes that are killed, and how the harness starts them.

They are forked from a server that has imported prep but never used it, so that each starts in
milliseconds and is a process of its own for the kernel: with its own locks, sockets and open files.
"""

import math
import multiprocessing
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import prep.pipeline
from prep.errors import PrepError
from prep.folder import RunFolder
from prep.limits import POLL_SECONDS
from prep.marketo import Marketo
from prep.memory import Memory
from prep.sandbox import Sandbox
from tests.crash.steps import Steps

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ANY_MOMENT = "any moment"
_LONGEST_SECONDS = 120.0
"""Real seconds without a sign of life after which something hangs."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__, "pandera.polars"])


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        killed_at: The step before which it was killed; "" if it was not, "any moment" if from outside.
        error: Code of the error that it raised, "" if it raised none.
        steps: Steps that it took, if it was not killed.
    """

    killed_at: str = ""
    error: str = ""
    steps: int = 0


class VirtualClock:
    """The sandbox's time on the other side of a pipe: it passes only in pauses."""

    def __init__(self, pipe: "Connection[Any, Any]", now: float) -> None:
        self._pipe = pipe
        self._now = now

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass in the sandbox."""
        self._pipe.send(("sleep", seconds))
        self._now = self._pipe.recv()


def send_run(pipe: "Connection[Any, Any]", steps: Steps, folder: Path, url: str, now: float) -> None:
    """Submit a run, or carry on with it."""
    clock = VirtualClock(pipe, now)
    steps.install()
    with Marketo(
        url,
        "id",
        "secret",
        clock=clock.now,
        now=clock.now,
        sleep=clock.sleep,
        jitter=random.Random(0),  # noqa: S311
    ) as client:
        prep.pipeline.submit(folder, client, poll_seconds=POLL_SECONDS, clock=clock.now, sleep=clock.sleep)


def clean_run(_: "Connection[Any, Any]", steps: Steps, source: Path, folder: Path, rows_at_once: int) -> None:
    """Clean a source into a folder, or carry on; all rows wait on the disk, and what is more than that."""
    steps.install()
    with mock.patch.object(Memory, "rows", return_value=rows_at_once), mock.patch.object(Memory, "held", 0):
        if (folder / "manifest.json").exists():
            prep.pipeline.resume_cleaning(folder)
        else:
            prep.pipeline.clean(source, folder, keep="merge", max_bytes=10_000)


def hold(pipe: "Connection[Any, Any]", _: Steps, folder: Path) -> None:
    """Work on a run folder and never finish."""
    with RunFolder(folder).lock():
        pipe.send(("holds",))
        pipe.recv()


def _live(
    pipe: "Connection[Any, Any]", work: Callable[..., None], die_at: int | str, *arguments: Any
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    steps = Steps(die_at, lambda step: pipe.send(("dies", step)))
    try:
        work(pipe, steps, *arguments)
    except PrepError as error:
        pipe.send(("ends", error.code, steps.count))
    except BaseException as error:
        pipe.send(("ends", repr(error), steps.count))
        raise
    else:
        pipe.send(("ends", "", steps.count))


class Victim:
    """A process that works on a run folder and may be killed."""

    def __init__(self, work: Callable[..., None], *arguments: Any, die_at: int | str = 0) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_live, args=(theirs, work, die_at, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def wait_for(self, message: str) -> None:
        """Return when the process says so."""
        (said,) = self._pipe.recv()
        assert said == message

    def kill(self) -> bool:
        """Kill it now; return when it is dead, and whether it still lived."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
        return self._process.exitcode == -signal.SIGKILL

    def end(self, sandbox: Sandbox | None = None, *, kill_after: float = math.inf) -> Ended:
        """Serve the process the sandbox's time until it ends.

        Args:
            sandbox: Whose time passes when the process pauses.
            kill_after: Real seconds after which it is killed, wherever it is.
        """
        ended = Ended()
        deadline = time.monotonic() + kill_after
        with suppress(EOFError, ConnectionError):
            while self._pipe.poll(min(max(0.0, deadline - time.monotonic()), _LONGEST_SECONDS)):
                match self._pipe.recv():
                    case "sleep", seconds if sandbox is not None:
                        sandbox.advance(seconds)
                        self._pipe.send(sandbox.now)
                    case "dies", step:
                        ended = Ended(step)
                    case "ends", error, steps:
                        ended = Ended("", error, steps)
                    case unheard:
                        raise AssertionError(unheard)
            was_killed = self.kill()
            assert math.isfinite(kill_after), "it gives no sign of life"
            return Ended(ANY_MOMENT) if was_killed else ended
        self._process.join()
        was_killed = self._process.exitcode == -signal.SIGKILL
        assert was_killed == bool(ended.killed_at), self._process.exitcode
        self._pipe.close()
        return ended
