"""Counts what a process does to disk, ledger and network, and kills it at a chosen step.

Only ever installed in a process that was made to be killed. A step is a moment between two effects:
before and after each commit of the ledger, each rename, each part of a request and its reply.
"""

import os
import select
import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from urllib3.connection import HTTPConnection

from prep.marketo.transport import Transport


class Steps:
    """Counts steps; the process dies at one of them.

    Args:
        die_at: The number of that step, from 1, or words in its name; 0 is never.
        last_words: Told what the step was.
    """

    def __init__(self, die_at: int | str, last_words: Callable[[str], None]) -> None:
        self.count = 0
        self.call = ""
        self._die_at = die_at
        self._last_words = last_words

    def pass_by(self, step: str) -> None:
        """Count a step, and die if it is the one."""
        self.count += 1
        is_due = self._die_at in step if isinstance(self._die_at, str) else self._die_at == self.count
        if is_due:
            self._last_words(step)
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Stand beside every effect from now on, until the process ends."""
        for change in (self._files(), self._ledger(), self._requests(), self._replies(), self._sockets()):
            change.start()

    def _files(self) -> Any:
        replace = Path.replace

        def counted(path: Path, target: Path) -> Path:
            self.pass_by(f"file: before {target.name} gets its name")
            result = replace(path, target)
            self.pass_by(f"file: after {target.name} got its name")
            return result

        return mock.patch.object(Path, "replace", counted)

    def _ledger(self) -> Any:
        steps, connect = self, sqlite3.connect

        class Connection(sqlite3.Connection):
            def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
                if statement != "COMMIT":
                    return super().execute(statement, *parameters)
                steps.pass_by("ledger: before a commit")
                cursor = super().execute(statement, *parameters)
                steps.pass_by("ledger: after a commit")
                return cursor

        def connect_counted(*arguments: Any, **options: Any) -> sqlite3.Connection:
            return connect(*arguments, **options, factory=Connection)

        return mock.patch.object(sqlite3, "connect", connect_counted)

    def _requests(self) -> Any:
        steps, send = self, Transport.send

        def counted(self: Transport, call: Any, token: Any) -> Any:
            steps.call = _name(call)
            steps.pass_by(f"http: {steps.call}: before anything left")
            reply = send(self, call, token)
            steps.pass_by(f"http: {steps.call}: the reply was read")
            return reply

        return mock.patch.object(Transport, "send", counted)

    def _replies(self) -> Any:
        steps, getresponse = self, HTTPConnection.getresponse

        def counted(self: HTTPConnection) -> Any:
            steps.pass_by(f"http: {steps.call}: all of it left, the reply has not come")
            select.select([self.sock], [], [])
            steps.pass_by(f"http: {steps.call}: the reply has come and was not read")
            return getresponse(self)

        return mock.patch.object(HTTPConnection, "getresponse", counted)

    def _sockets(self) -> Any:
        steps, sendall = self, socket.socket.sendall

        def counted(self: socket.socket, data: Any, *flags: int) -> None:
            content = bytes(data)
            half = len(content) // 2
            sendall(self, content[:half], *flags)
            steps.pass_by(f"http: {steps.call}: half of a block left")
            sendall(self, content[half:], *flags)

        return mock.patch.object(socket.socket, "sendall", counted)


def _name(call: Any) -> str:
    last = str(call.path).rpartition("/")[2]
    kind = {"leads.json": "upload", "import.json": "upload", "token": "token"}.get(
        last, last.removesuffix(".json")
    )
    return "status" if kind.isdecimal() else kind
