"""Programs on terminals, as a person has them."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from .conftest import PROGRAM

_PATIENCE_SECONDS = 60
_SLEEP_LOOKS = 5
_SIZE = ("COLUMNS", "LINES")
"""What pytest-xdist sets for its workers; programs believe it rather than the terminal."""


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: list[str], columns: int, **environment: str) -> None:
        self._process, self._terminal = pty.fork()
        if self._process == 0:  # the child
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
            inherited = {name: value for name, value in os.environ.items() if name not in _SIZE}
            os.execvpe(command[0], command, {**inherited, "TERM": "xterm", **environment})
        self.shown = ""

    def read_until(self, text: str) -> None:
        while text not in self.shown:
            assert self._read(), self.shown

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C once the program sleeps in wait of an answer; an instant earlier is too early."""
        asleep = 0
        while asleep < _SLEEP_LOOKS:
            state = Path(f"/proc/{self._process}/stat").read_text().rpartition(")")[2].split()[0]
            asleep = asleep + 1 if state == "S" else 0
            time.sleep(0.02)
        self.type("\x03")

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._terminal)
        _, status = os.waitpid(self._process, 0)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], _PATIENCE_SECONDS)[0]:
            os.kill(self._process, signal.SIGKILL)
            pytest.fail(f"nothing more came after {self.shown!r}")
        with suppress(OSError):  # how Linux tells that the other side is closed
            if content := os.read(self._terminal, 65536):
                self.shown += content.decode(errors="replace")
                return True
        return False


@contextmanager
def on_terminal(*arguments: str, columns: int = 80, **environment: str) -> Iterator[Terminal]:
    terminal = Terminal([*PROGRAM, *arguments], columns, **environment)
    yield terminal
