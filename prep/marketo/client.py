"""The calls of Marketo's REST API that an import needs."""

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Self, TypeVar
from urllib.parse import urlencode

from prep import multipart
from prep.credentials import load_credentials
from prep.errors import PrepError, SettingsError, TerminalError
from prep.limits import CALL_WINDOW_SECONDS, CALLS_PER_WINDOW, OWN_CALLS_PER_WINDOW, POLL_SECONDS
from prep.listening import shielded
from prep.marketo import codes, records, replies
from prep.marketo.auth import TokenSource
from prep.marketo.codes import Action
from prep.marketo.records import (
    ChannelRecord,
    CustomObjectRecord,
    FieldRecord,
    JobRecord,
    LeadRecord,
    ListRecord,
    PartitionRecord,
    PersonRecord,
    ProgramRecord,
    UsageRecord,
)
from prep.marketo.replies import Grant, Problem
from prep.marketo.throttle import Retries, Throttle
from prep.marketo.transport import Call, Reply, Secret, SendError, Transport
from prep.model import Exchange, Format
from prep.objects import LEADS, ImportObject, Target

_T = TypeVar("_T")
_IMPORT_READ_SECONDS: Final = 120.0
_NEW_TOKENS: Final = 2
_LOCAL_POLL_SECONDS: Final = (0.1, 1.0)
_MESSAGE_CHARACTERS: Final = 500
_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def _nothing(*_: object) -> None:
    """Do nothing: the hook of those who do not listen."""


class Marketo:
    """A client for one Marketo instance, for one thread.

    Nothing is sent before the first call, and nothing to any other host: redirects are not followed.
    Reads are repeated after passing faults; an import only when it provably was not executed.

    Args:
        endpoint: Address of the instance, with or without a trailing `/rest`.
        client_id: Of the API user's service in LaunchPoint; white space around it does not count.
        client_secret: Likewise; never shown.
        allow_host: The one host besides `*.mktorest.com` and this machine that may be talked to.
        calls_per_window: Calls made in any 20 seconds at most; the instance's share for others is the rest.
        on_exchange: Told of every exchange in brief, until it raises an error, which becomes a warning.
        on_wait: Told before each pause that a fault makes necessary: what happened, and the seconds. Of a
            full queue, or a busy list, before the first of them.
        clock: Monotonic seconds.
        now: Seconds since the epoch.
        sleep: Waits for a number of seconds.
        jitter: Randomness of the pauses between retries.

    Raises:
        SettingsError: The endpoint may not be talked to, a credential is missing, or no call may be made.
    """

    def __init__(
        self,
        endpoint: str,
        client_id: str,
        client_secret: str,
        *,
        allow_host: str | None = None,
        calls_per_window: int = OWN_CALLS_PER_WINDOW,
        on_exchange: Callable[[Exchange], None] = _nothing,
        on_wait: Callable[[PrepError, float], None] = _nothing,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        jitter: random.Random | None = None,
    ) -> None:
        self.on_exchange = shielded(on_exchange, "on_exchange")
        self.on_wait = on_wait
        self._transport = Transport(endpoint, allow_host=allow_host)
        self._client_secret = Secret((client_secret or "").strip())
        self._identity = _identity_form((client_id or "").strip(), self._client_secret.value)
        self._tokens = TokenSource(self._grant, clock=clock, sleep=sleep)
        if calls_per_window < 1:
            raise SettingsError(
                f"calls_per_window is {calls_per_window}",
                code="bad_calls_per_window",
                hint=f"It takes 1 or more; Marketo takes {CALLS_PER_WINDOW} of all integrations together.",
            )
        self._throttle = Throttle(calls_per_window, CALL_WINDOW_SECONDS, clock=clock, sleep=sleep)
        self._retries = Retries(jitter or random.Random())  # noqa: S311  # spreads load, guards nothing
        self._clock = clock
        self._now = now
        self._sleep = sleep

    @classmethod
    def from_settings(cls, *, allow_host: str | None = None) -> Self:
        """Make a client of the instance that the environment or `prep.toml` names.

        Raises:
            SettingsError: Endpoint or credentials are missing or cannot be used.
        """
        found = load_credentials(allow_host=allow_host)
        return cls(found.endpoint, found.client_id, found.client_secret, allow_host=found.allow_host)

    def __repr__(self) -> str:
        return f"Marketo({self.host!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def host(self) -> str:
        """Host that this client talks to, with its port if it is not the usual one."""
        return self._transport.host

    @property
    def poll_seconds(self) -> tuple[float, float]:
        """Shortest and longest pause between two looks at jobs: as Marketo asks for, less on this machine."""
        return _LOCAL_POLL_SECONDS if self._transport.is_local else POLL_SECONDS

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._transport.close()

    def import_leads(
        self,
        file_name: str,
        content: bytes,
        *,
        format: Format = Format.CSV,  # noqa: A002  # Marketo's word
        lookup_field: str = "email",
        list_id: int | None = None,
        partition_name: str | None = None,
        announce: Callable[[], None] = _nothing,
        withdraw: Callable[[], None] = _nothing,
    ) -> int:
        """Queue a file of leads, as `import_file`.

        Args:
            file_name: Name of the file part, such as `leads-0001.csv`.
            content: The file, sent byte for byte.
            format: Of the file.
            lookup_field: REST name of the field that tells which lead a row means.
            list_id: A static list that the rows join.
            partition_name: The partition that new leads go to.
            announce: As in `import_file`.
            withdraw: Likewise.
        """
        target = Target(self.host, list_id, partition_name, format, lookup_field)
        return self.import_file(file_name, content, target, announce=announce, withdraw=withdraw)

    def import_file(
        self,
        file_name: str,
        content: bytes,
        target: Target,
        *,
        announce: Callable[[], None] = _nothing,
        withdraw: Callable[[], None] = _nothing,
    ) -> int:
        """Queue a file for import.

        Args:
            file_name: Name of the file part, such as `leads-0001.csv`.
            content: The file, sent byte for byte.
            target: What its rows become, and where.
            announce: Called right before each time the file goes out, token and throttle being ready.
            withdraw: Called after each of them that provably was not executed.

        Returns:
            The batch id.

        Raises:
            OutcomeUnknownError: Marketo may have queued the job; nothing was repeated or withdrawn.
            TransientError: Not queued; it may work later. The code is one of `codes.QUEUE_IS_BUSY` when that
                means: as soon as other imports are done.
            TerminalError: Not queued; something must be changed first.
        """
        body, content_type = multipart.encode(file_name, content)
        call = Call(
            "POST",
            target.upload_path,
            target.parameters,
            body,
            content_type,
            is_bulk=True,
            is_import=True,
            read_seconds=_IMPORT_READ_SECONDS,
        )
        return self._ask(call, _one(records.batch_id), announce=announce, withdraw=withdraw)

    def job(self, batch_id: int, of: ImportObject = LEADS) -> JobRecord:
        """Ask where an import job stands, one of leads unless it is said to be of something else.

        Raises:
            TerminalError: With code `unknown_batch` when Marketo does not know the id, or no longer.
            MarketoError: Marketo refuses or cannot be reached.
        """
        call = Call("GET", of.status_path(batch_id), is_bulk=True)
        read = _one(lambda value: _same(batch_id, records.job_record(value)))
        record = self._of_batch(batch_id, lambda: self._ask(call, read))
        return replace(record, message=self._printable(record.message))

    def failures(self, batch_id: int, of: ImportObject = LEADS) -> bytes:
        """Return the file of refused rows exactly as received; empty when there is none.

        Raises:
            TerminalError: With code `unknown_batch` when Marketo does not know the id, or no longer.
            MarketoError: Marketo refuses or cannot be reached.
        """
        return self._file(batch_id, of, "failures")

    def warnings(self, batch_id: int, of: ImportObject = LEADS) -> bytes:
        """Return the file of rows taken with a warning, in the way of `failures`."""
        return self._file(batch_id, of, "warnings")

    def describe(self) -> tuple[FieldRecord, ...]:
        """Return the lead fields that have a REST name, in Marketo's order."""
        return self._list("/rest/v1/leads/describe.json", {}, records.field_record)

    def describe2(self) -> LeadRecord:
        """Return the lead fields once more, with those that leads can be looked up by."""
        return self._ask(Call("GET", "/rest/v1/leads/describe2.json"), _one(records.lead_record))

    def describe_members(self) -> tuple[FieldRecord, ...]:
        """Return the fields of program members, which are not those of their leads."""
        return self._ask(Call("GET", "/rest/v1/programs/members/describe.json"), _one(records.fields_record))

    def describe_custom_object(self, name: str) -> CustomObjectRecord:
        """Return what Marketo tells of a custom object."""
        call = Call("GET", f"/rest/v1/customobjects/{name}/describe.json")
        return self._ask(call, _one(records.custom_object_record))

    def program(self, program_id: int) -> ProgramRecord | None:
        """Return a program, None if there is none of this id."""
        return self._only(f"/rest/asset/v1/program/{program_id:d}.json", {}, records.program_record)

    def channel(self, name: str) -> ChannelRecord | None:
        """Return a channel, None if there is none of this name."""
        return self._only("/rest/asset/v1/channel/byName.json", {"name": name}, records.channel_record)

    def lists(self, *, name: str | None = None, list_id: int | None = None) -> tuple[ListRecord, ...]:
        """Return the static lists with this name or id, or all of them.

        Marketo takes a comma for the next name, so a name with one is looked for among all lists.
        """
        params = {} if name is None or "," in name else {"name": name}
        if list_id is not None:
            params["id"] = str(list_id)
        found = self._list("/rest/v1/lists.json", params, records.list_record)
        return tuple(record for record in found if name in {None, record.name})

    def partitions(self) -> tuple[PartitionRecord, ...]:
        """Return the lead partitions that the API user can see."""
        return self._list("/rest/v1/leads/partitions.json", {}, records.partition_record)

    def people(
        self, lookup_field: str, keys: Sequence[str], fields: Sequence[str]
    ) -> tuple[PersonRecord, ...]:
        """Look leads up: one call for each 300 that are found, at least one.

        Args:
            lookup_field: REST name of the field that holds the keys.
            keys: At most 300 values, none with a comma in it: Marketo takes a comma for the next value.
            fields: Whose values are wanted.

        Raises:
            TerminalError: With code `codes.NOT_ANSWERABLE` when more than 1,000 leads match, among others.
            MarketoError: Marketo refuses or cannot be reached.
        """
        form = {"filterType": lookup_field, "filterValues": ",".join(keys), "fields": ",".join(fields)}
        return self._list(
            "/rest/v1/leads.json", form, partial(records.person_record, fields=fields), by_post=True
        )

    def usage(self) -> UsageRecord:
        """Return today's number of API calls."""
        return self._ask(Call("GET", "/rest/v1/stats/usage.json"), _one(records.usage_record))

    def _only(self, path: str, params: dict[str, str], read: Callable[[object], _T | None]) -> _T | None:
        """Ask for one asset; one that is not there is an answer without a result, or code 702 or 718."""
        try:
            found = self._list(path, params, read)
        except TerminalError as error:
            if error.code not in codes.NO_SUCH_ASSET:
                raise
            return None
        return found[0] if found else None

    def _file(self, batch_id: int, of: ImportObject, kind: str) -> bytes:
        call = Call("GET", of.file_path(batch_id, kind), is_bulk=True)
        return self._of_batch(batch_id, lambda: self._ask(call, replies.file))

    def _of_batch(self, batch_id: int, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except TerminalError as error:
            if error.code not in codes.NO_SUCH_BATCH:
                raise
            raise TerminalError(
                f"Marketo does not know batch {batch_id}, or no longer ({error.code})",
                code=codes.UNKNOWN_BATCH,
            ) from error

    def _list(
        self, path: str, params: dict[str, str], read: Callable[[object], _T | None], *, by_post: bool = False
    ) -> tuple[_T, ...]:
        found: list[_T] = []
        page = ""
        while True:
            asked = params | ({"nextPageToken": page} if page else {})
            values, page = self._ask(_posted(path, asked) if by_post else Call("GET", path, asked), _page)
            found += [record for value in values if (record := read(value)) is not None]
            if not page or not values:
                return tuple(found)

    def _grant(self) -> Grant:
        # In the body, because addresses end up in logs.
        form = self._identity.value.encode()
        call = Call("POST", "/identity/oauth/token", {}, form, "application/x-www-form-urlencoded")
        return self._ask(call, replies.grant, is_identity=True)

    def _ask(
        self,
        call: Call,
        read: Callable[[Call, Reply, float], _T | Problem],
        *,
        is_identity: bool = False,
        announce: Callable[[], None] = _nothing,
        withdraw: Callable[[], None] = _nothing,
    ) -> _T:
        """Make a call, and again where the table of codes says so and the retries last."""
        attempt = new_tokens = 0
        while True:
            token = None if is_identity else self._admission()
            announce()
            answer = self._exchange(call, token, read)
            if not isinstance(answer, Problem):
                self._retries.succeeded()
                return answer
            if answer.action is not Action.UNKNOWN:
                withdraw()
            if answer.action is Action.NEW_TOKEN and new_tokens < _NEW_TOKENS:
                self._tokens.discard()
                new_tokens += 1
            else:
                self._prepare_retry(answer, attempt)
                attempt += 1

    def _admission(self) -> Secret:
        self._throttle.wait()
        return self._tokens.token()

    def _exchange(
        self, call: Call, token: Secret | None, read: Callable[[Call, Reply, float], _T | Problem]
    ) -> _T | Problem:
        at, started, status = self._now(), self._clock(), None
        answer: _T | Problem
        try:
            reply = self._transport.send(call, token)
        except SendError as failure:
            answer = replies.unanswered(call, failure)
        else:
            status = reply.status
            answer = read(call, reply, self._now())
        code = answer.error.code if isinstance(answer, Problem) else ""
        self.on_exchange(Exchange(at, call.method, call.path, status, code, self._clock() - started))
        return answer

    def _prepare_retry(self, problem: Problem, attempt: int) -> None:
        match problem.action:
            case Action.RETRY:
                pause = self._retries.pause(attempt, at_least=problem.pause_seconds)
                if pause is None:
                    raise problem.error
                self.on_wait(problem.error, pause)
                self._sleep(pause)
            case _:
                raise problem.error

    def _printable(self, message: str) -> str:
        """Make Marketo's own sentence fit for terminals and files, even if it echoed what it should not."""
        safe = self._tokens.redacted(message).replace(self._client_secret.value, "***")
        return _CONTROL_CHARACTERS.sub(" ", safe)[:_MESSAGE_CHARACTERS]


def _identity_form(client_id: str, client_secret: str) -> Secret:
    if not client_id or not client_secret:
        raise SettingsError(
            "the client id or the client secret is missing",
            code="missing_credentials",
            hint="Set MARKETO_CLIENT_ID and MARKETO_CLIENT_SECRET (or MARKETO_CLIENT_SECRET_FILE).",
        )
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return Secret(urlencode(form))


def _posted(path: str, params: dict[str, str]) -> Call:
    """A call that reads, with parameters that an address has no room for, and that no log of addresses gets.

    https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/leads
    """
    form = urlencode(params).encode()
    return Call("POST", path, {"_method": "GET"}, form, "application/x-www-form-urlencoded")


def _one(read: Callable[[object], _T | None]) -> Callable[[Call, Reply, float], _T | Problem]:
    """Make a reader of answers whose result has one row."""

    def read_first(call: Call, reply: Reply, now: float) -> _T | Problem:
        rows = replies.rows(call, reply, now)
        if isinstance(rows, Problem):
            return rows
        record = read(rows[0]) if rows else None
        return replies.unclear(call) if record is None else record

    return read_first


def _same(batch_id: int, record: JobRecord | None) -> JobRecord | None:
    """Return the record if it is about the job that was asked for."""
    return record if record is not None and record.batch_id == batch_id else None


def _page(call: Call, reply: Reply, now: float) -> tuple[list[object], str] | Problem:
    rows = replies.rows(call, reply, now)
    return rows if isinstance(rows, Problem) else (rows, replies.next_page(reply))
