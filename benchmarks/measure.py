"""How long a command takes and how much memory it holds at most, each run in a process of its own.

Nothing here may import polars: Linux counts the memory of the process that starts a command to that
command's peak.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

MAXRSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
"""Bytes in one unit of `ru_maxrss`; POSIX leaves it open."""


@dataclass(frozen=True)
class Measurement:
    """One run of a command, its start-up included.

    Attributes:
        seconds: Wall time.
        cpu_seconds: Time on all processors, by the command and the processes that it waited for.
        peak_bytes: Largest resident memory of any one of them.
        stdout: What the command answered.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    stdout: str


class CommandFailedError(Exception):
    """A command ended with an exit code that is no success."""


def user_environment() -> dict[str, str]:
    """That of a user, whose modules are compiled once and not at every start."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def measure(command: Sequence[str], *, exit_codes: Collection[int] = (0,)) -> Measurement:
    """Run a command to its end.

    Raises:
        CommandFailedError: Its exit code is none of `exit_codes`; the text is what it wrote to stderr.
    """
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=user_environment())
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in exit_codes:
            stderr.seek(0)
            raise CommandFailedError(f"{' '.join(command)}: exit code {process.returncode}\n{stderr.read()}")
        stdout.seek(0)
        return Measurement(
            seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MAXRSS_UNIT, stdout.read()
        )


def best(measurements: Sequence[Measurement]) -> Measurement:
    """The quickest of several runs of one command, with the largest peak of them all."""
    quickest = min(measurements, key=lambda measurement: measurement.seconds)
    peak = max(measurement.peak_bytes for measurement in measurements)
    return Measurement(quickest.seconds, quickest.cpu_seconds, peak, quickest.stdout)
