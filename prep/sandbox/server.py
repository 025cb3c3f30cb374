import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from prep.sandbox.application import Application
from prep.sandbox.database import Database
from prep.sandbox.faults import Behaviour, Fault
from prep.sandbox.instance import Field
from prep.sandbox.jobs import Job
from prep.sandbox.state import RequestRecord, RowRecord, State

LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
JOB_SECONDS: Final = 0.4
ROWS_PER_JOB_TIME: Final = 40_000
"""Rows that take as long again as the fixed part of a job."""

KEEP_ALIVE_SECONDS: Final = 60
STOP_SECONDS: Final = 5

_NOT_RUNNING: Final = "the sandbox is not running; use it in a with statement or call start()"


class Sandbox:
    """An unofficial local stand-in for Marketo, over real HTTP on the loopback interface.

    Written from observed behaviour; it is not Adobe's and promises nothing about the real service.
    Use it as a context manager, or call `start` and `stop`. Everything but `start` needs a started sandbox.

    Args:
        path: SQLite file with everything the sandbox remembers, so that a sandbox started again on it goes
            on where the last one was; None keeps it in memory until `stop`.
        host: A loopback name or address.
        port: The port; 0 takes a free one.
        client_id: The client id that gets a token.
        client_secret: The secret that goes with it.
        job_seconds: Virtual seconds that a job takes, and once more for every 40,000 rows. With 0 a job is
            complete when anybody next asks; the reply to the upload says `Queued` all the same.
        time_scale: Virtual seconds per real second: 3600 lets an hour pass in a second, 0 stands still.
        started_at: Virtual time at the start in seconds since 1970, the real time if None.
        behaviour: Switches for what Marketo leaves undocumented.
        faults: What shall go wrong, as `Fault` or in its short form (`lost-reply:2`).
        fields: Lead fields that are there besides, or otherwise than in the standard instance.
        absent: REST names of standard fields that are not there.

    Raises:
        ValueError: The host is not a loopback name, or there is no such fault.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        client_id: str = "id",
        client_secret: str = "secret",  # noqa: S107 - opens nothing
        job_seconds: float = JOB_SECONDS,
        time_scale: float = 1.0,
        started_at: float | None = None,
        behaviour: Behaviour | None = None,
        faults: Iterable[Fault | str] = (),
        fields: Iterable[Field] = (),
        absent: Iterable[str] = (),
    ) -> None:
        if host not in LOOPBACK_HOSTS:
            raise ValueError(
                f"the sandbox serves this machine only ({', '.join(sorted(LOOPBACK_HOSTS))}), not {host}"
            )
        self._host = host
        self._port = port
        self._path = None if path is None else Path(path)
        self._make_state = partial(
            State,
            behaviour=behaviour or Behaviour(),
            faults=tuple(fault if isinstance(fault, Fault) else Fault.parse(fault) for fault in faults),
            credentials=(client_id, client_secret),
            time_scale=time_scale,
            started_at=started_at,
            job_seconds=job_seconds,
            row_seconds=job_seconds / ROWS_PER_JOB_TIME,
            fields=tuple(fields),
            absent=tuple(absent),
        )
        self._opened: State | None = None
        self._server: _Server | None = None

    def start(self) -> Self:
        """Open the database and listen.

        Raises:
            OSError: The port is taken.
            OverflowError: There is no such port.
            RuntimeError: It is running already.
        """
        if self._opened is not None:
            raise RuntimeError("the sandbox is running already")
        database = Database(self._path)
        try:
            state = self._make_state(database)
            server = _Server(Application(state), self._host, self._port)
            server.start()
        except BaseException:
            database.close()
            raise
        self._opened, self._server = state, server
        return self

    def stop(self) -> None:
        """Stop listening, end connections and close the database. Does nothing when it is not running."""
        if self._server is not None:
            self._server.stop()
        if self._opened is not None:
            self._opened.close()
        self._opened = self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens, for example `http://127.0.0.1:40321`."""
        if self._server is None:
            raise RuntimeError(_NOT_RUNNING)
        name = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{name}:{self._server.port}"

    @property
    def now(self) -> float:
        """Virtual time, in seconds since 1970."""
        return self._state.clock.now()

    def advance(self, seconds: float) -> None:
        """Let virtual time pass at once."""
        self._state.advance(seconds)

    def leads(self) -> list[dict[str, str | None]]:
        """Return the lead database by id: every field that was ever written, with `id` and the two times."""
        return [lead.as_dict() for lead in self._state.leads()]

    def members(self, list_id: int) -> list[int]:
        """Return the ids of the leads on a static list, ascending."""
        return self._state.members(list_id)

    def program_members(self, program_id: int) -> dict[int, dict[str, str | None]]:
        """Return the members of a program by id of the lead: `status`, and their own fields."""
        return self._state.program_members(program_id)

    def records(self, api_name: str) -> list[dict[str, str | None]]:
        """Return the records of a custom object in the order in which they were made: every field by name."""
        return [record.as_dict() for record in self._state.records(api_name)]

    def jobs(self) -> list[Job]:
        """Return every job as it stands now, in order of submission."""
        return self._state.jobs.all()

    def upload(self, batch_id: int) -> bytes:
        """Return the file that a job was given, byte for byte; empty when there is no such job."""
        return self._state.jobs.file(batch_id, "upload")

    def requests(self) -> list[RequestRecord]:
        """Return every HTTP request so far, in order, but for those that never arrived in full."""
        return self._state.requests()

    def rows(self, batch_id: int | None = None) -> list[RowRecord]:
        """Return what became of every row of the jobs that have ended, or of one job."""
        return [event for event in self._state.row_events() if batch_id in (None, event.batch_id)]

    def journal(self) -> list[RequestRecord | RowRecord]:
        """Return requests and rows together, in order of virtual time."""
        return sorted([*self.requests(), *self.rows()], key=lambda record: record.time)

    def add_lead(self, **values: str | None) -> int:
        """Add a lead with these fields by REST name, even to an address that is there, and return its id."""
        return self._state.add_lead(values)

    def add_field(
        self,
        rest_name: str,
        *,
        data_type: str = "string",
        display_name: str | None = None,
        length: int | None = None,
        read_only: bool = False,
    ) -> None:
        """Add a custom field, or replace one; the display name is the REST name unless given."""
        self._state.add_field(
            Field(rest_name, display_name or rest_name, data_type, length, read_only=read_only, custom=True)
        )

    def remove_field(self, rest_name: str) -> None:
        """Let the instance have no such field."""
        self._state.remove_field(rest_name)

    def add_list(self, name: str, *, description: str = "", program_name: str = "") -> int:
        """Add a static list and return its id."""
        return self._state.add_list(name, description=description, program_name=program_name)

    @property
    def _state(self) -> State:
        if self._opened is None:
            raise RuntimeError(_NOT_RUNNING)
        return self._opened


def serve(
    path: str | Path | None = None,
    *,
    ready: Callable[[str], None],
    host: str = "127.0.0.1",
    port: int = 0,
    client_id: str = "id",
    client_secret: str = "secret",  # noqa: S107 - opens nothing
    job_seconds: float = JOB_SECONDS,
    time_scale: float = 1.0,
    behaviour: Behaviour | None = None,
    faults: Iterable[Fault | str] = (),
    fields: Iterable[Field] = (),
    absent: Iterable[str] = (),
    stopped: threading.Event | None = None,
) -> None:
    """Run a sandbox until it is interrupted (Ctrl-C) or `stopped` is set. Prints nothing.

    Args:
        path: As for `Sandbox`, like the arguments not named here.
        ready: Called once with the URL, when the sandbox listens.
        host: A loopback name or address.
        port: The port; 0 takes a free one.
        client_id: The client id that gets a token.
        client_secret: The secret that goes with it.
        job_seconds: Virtual seconds that a job takes.
        time_scale: Virtual seconds per real second.
        behaviour: Switches for what Marketo leaves undocumented.
        faults: What shall go wrong.
        fields: Fields that are there besides, or otherwise.
        absent: Fields that are not there.
        stopped: Set it to end the sandbox from another thread.
    """
    sandbox = Sandbox(
        path,
        host=host,
        port=port,
        client_id=client_id,
        client_secret=client_secret,
        job_seconds=job_seconds,
        time_scale=time_scale,
        behaviour=behaviour,
        faults=faults,
        fields=fields,
        absent=absent,
    )
    with sandbox, suppress(KeyboardInterrupt):
        ready(sandbox.url)
        (stopped or threading.Event()).wait()


class _Protocol(H11Protocol):
    """Lets the application reach the connection that a request came on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _Server:
    """uvicorn's protocol on an event loop of its own, in a thread.

    `uvicorn.Server` is not used: it ends the process when the port is taken and takes 0.2 seconds to stop.
    """

    def __init__(self, application: Application, host: str, port: int) -> None:
        self.port = port
        self._host = host
        self._config = Config(
            application,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._connections = ServerState()
        self._thread = threading.Thread(target=self._live, name="sandbox", daemon=True)
        self._listening: Future[int] = Future()

    def start(self) -> None:
        self._thread.start()
        self.port = self._listening.result()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    def _live(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # whatever it is, somebody waits in `start`
            if self._listening.done():
                raise
            self._listening.set_exception(error)

    async def _run(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        self._config.load()
        server = await self._loop.create_server(self._protocol, self._host, self.port)
        self._listening.set_result(server.sockets[0].getsockname()[1])
        await self._ending.wait()
        server.close()
        await self._end_connections()

    def _protocol(self) -> _Protocol:
        return _Protocol(config=self._config, server_state=self._connections, app_state={})

    async def _end_connections(self) -> None:
        for connection in list(self._connections.connections):
            if isinstance(connection, _Protocol):
                connection.transport.abort()
        if self._connections.tasks:
            await asyncio.wait(self._connections.tasks, timeout=STOP_SECONDS)
        await asyncio.sleep(0)
