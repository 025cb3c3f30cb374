"""The page's server: this machine only, until the user is done."""

import errno
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from uvicorn import Config, Server

from prep.errors import SettingsError
from prep.folder import RunFolder
from prep.review.application import make_application
from prep.review.desk import Desk

LOOPBACK: Final = "127.0.0.1"
_TOKEN_BYTES: Final = 24
_STOP_SECONDS: Final = 5


def serve(path: str | Path, *, ready: Callable[[str], None], port: int = 0) -> None:
    """Show the rows of a run that can be repaired, until the user is done or interrupts. Prints nothing.

    Args:
        path: The run folder.
        ready: Called once with the address, which can be opened once.
        port: Where to listen; 0 takes a free port.

    Raises:
        FolderError: There is no such run, it was not finished, another page is open for it, or nothing is
            to be repaired.
        SourceError: A source changed, or a table came back damaged.
        SettingsError: The port is taken.
    """
    with RunFolder.open(path).review_lock():
        desk = Desk.open(path)

        def reopen() -> Desk:
            nonlocal desk
            fresh = Desk.open(path)
            desk.close()
            desk = fresh
            return fresh

        try:
            _serve(desk, reopen, ready, port)
        finally:
            desk.close()


def _serve(desk: Desk, reopen: Callable[[], Desk], ready: Callable[[str], None], port: int) -> None:
    with _listen(port) as listening:
        bound: int = listening.getsockname()[1]
        token, key = secrets.token_urlsafe(_TOKEN_BYTES), secrets.token_urlsafe(_TOKEN_BYTES)
        server: Server

        def stop() -> None:
            server.should_exit = True

        application = make_application(desk, reopen=reopen, token=token, key=key, port=bound, on_done=stop)
        config = Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        server = Server(config)
        ready(f"http://{LOOPBACK}:{bound}/?token={token}")
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        raise SettingsError(
            f"port {port} is taken by another program",
            code="port_taken",
            hint="Leave --port out: a free one is taken.",
        ) from None
