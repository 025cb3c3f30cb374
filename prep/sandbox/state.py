"""Everything the sandbox remembers: the instance, its leads and jobs, tokens, limits and the journal."""

import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from prep.sandbox import instance
from prep.sandbox.clock import Clock
from prep.sandbox.database import Database
from prep.sandbox.errors import MarketoError
from prep.sandbox.faults import Behaviour, Fault, FaultKind, Phase, Place
from prep.sandbox.instance import Field, Partition, StaticList, check_field
from prep.sandbox.jobs import CUSTOM, Jobs
from prep.sandbox.leads import Lead, Leads, Outcome, Values
from prep.sandbox.objects import PROGRAMS, CustomObject
from prep.sandbox.records import Record, Records
from prep.sandbox.rules import kept

US_CENTRAL: Final = "America/Chicago"
"""The daily quota starts again at midnight there;
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/marketo-integration-best-practices"""

UNCOUNTED: Final = frozenset({"601", "602", "604", "605", "606", "607", "608", "611", "615"})
"""Calls answered with these count neither for the rate limit nor for the quota;
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/error-codes
606, 607 and 615 are our own addition: a refused call must not prolong its own refusal."""


@dataclass(frozen=True, kw_only=True)
class RequestRecord:
    """One HTTP request and its answer.

    Attributes:
        number: 1 for the first request the sandbox ever got.
        time: Virtual time, in seconds since 1970.
        method: The HTTP method.
        path: The path without the query.
        query: The names of the query parameters; never their values.
        place: Which call it was.
        status: The HTTP status answered, None when the connection was closed without an answer.
        code: Marketo's error code in the answer, if any.
        batch_id: The job concerned, if any.
    """

    number: int
    time: float
    method: str
    path: str
    query: tuple[str, ...]
    place: Place
    status: int | None
    code: str | None
    batch_id: int | None


@dataclass(frozen=True, kw_only=True)
class RowRecord:
    """What an import did with one row.

    Attributes:
        time: Virtual time at which the job ended.
        batch_id: The job.
        row: Number of the record in the upload, 1 for the first after the header; blank lines do not count.
        outcome: `created`, `updated`, `failed` or `warned`.
        lead_id: The lead that was written, None when the row failed or is of a custom object.
        message: The reason of a failure or warning, else empty.
    """

    time: float
    batch_id: int
    row: int
    outcome: Outcome
    lead_id: int | None
    message: str


class State:
    """The sandbox's memory. May be used by several threads; all times come from its clock.

    Args:
        database: Where everything is kept; `close` closes it.
        behaviour: The switches.
        faults: What shall go wrong.
        credentials: The client id and the secret that get a token.
        time_scale: Virtual seconds per real second.
        started_at: Virtual time at which the clock starts; the real time if None. A file that has got
            further in virtual time goes on from there.
        job_seconds: Virtual seconds that every job takes.
        row_seconds: Virtual seconds that a job takes for each row, on top.
        fields: Fields that are there besides, or otherwise.
        absent: REST names of fields that are not there.
    """

    def __init__(
        self,
        database: Database,
        behaviour: Behaviour,
        faults: tuple[Fault, ...],
        *,
        credentials: tuple[str, str],
        time_scale: float,
        started_at: float | None,
        job_seconds: float,
        row_seconds: float,
        fields: tuple[Field, ...] = (),
        absent: tuple[str, ...] = (),
    ) -> None:
        self.behaviour = behaviour
        self._faults = faults
        self.credentials = credentials
        self.database = database
        start = time.time() if started_at is None else started_at
        self.clock = Clock(max(start, self._latest_moment()), time_scale)
        self.all_leads = Leads(self.database)
        self.all_records = Records(self.database)
        self.programs = {program.id: program for program in PROGRAMS}
        if not self.database.value("SELECT count(*) FROM fields"):
            self._fill()
        self.fields = {
            field.rest_name: field for field in map(_field, self.database.rows("SELECT * FROM fields"))
        }
        for field in fields:
            self.add_field(field)
        for name in absent:
            self.remove_field(name)
        self.jobs = Jobs(
            self.database,
            self.all_leads,
            self.fields,
            self.clock,
            behaviour,
            job_seconds=job_seconds,
            row_seconds=row_seconds,
        )

    def add_field(self, field: Field) -> None:
        """Add a field, or replace the one of the same REST name; what Marketo has itself stays its own."""
        known = self.fields.get(check_field(field).rest_name)
        field = replace(field, custom=known.custom if known else True)
        with self.database.lock:
            self._insert_field(field)
            self.fields[field.rest_name] = field

    def remove_field(self, rest_name: str) -> None:
        """Let the instance have no such field; doing it again changes nothing."""
        with self.database.lock:
            self.database.execute("DELETE FROM fields WHERE rest_name = ?", rest_name)
            self.fields.pop(rest_name, None)

    def add_list(self, name: str, *, description: str, program_name: str) -> int:
        """Add a static list and return its id."""
        with self.database.lock:
            number = 1 + int(self.database.value("SELECT max(id) FROM lists"))
            self._insert_list(StaticList(number, name, description, program_name))
            return number

    def add_lead(self, values: Mapping[str, str | None]) -> int:
        """Add a lead, whatever leads there are, and return its id."""
        if unknown := sorted(values.keys() - self.fields.keys()):
            raise ValueError(f"no such field: {', '.join(unknown)}")
        with self.database.lock:
            now = self.clock.now()
            known = {name: value and kept(self.fields[name], value) for name, value in values.items()}
            lead = Lead(self.all_leads.next_id(), known, now, now)
            self.all_leads.write([lead])
            return lead.id

    def partitions(self) -> list[Partition]:
        """Return the lead partitions by id."""
        return [Partition(*row) for row in self.database.rows("SELECT * FROM partitions ORDER BY id")]

    def lists(self) -> list[StaticList]:
        """Return the static lists by id."""
        return [StaticList(*row) for row in self.database.rows("SELECT * FROM lists ORDER BY id")]

    def leads(self) -> list[Lead]:
        """Return the leads by id, as of now."""
        with self.database.lock:
            self.jobs.settle()
            return self.all_leads.all()

    def members(self, list_id: int) -> list[int]:
        """Return the ids of the leads on a static list, ascending, as of now."""
        with self.database.lock:
            self.jobs.settle()
            return self.all_leads.members(list_id)

    def custom_object(self, name: str) -> CustomObject:
        """Return a custom object.

        Raises:
            MarketoError: There is none of this name.
        """
        if name not in CUSTOM:
            raise MarketoError("1013", f"Object '{name}' not found")
        return CUSTOM[name]

    def records(self, name: str) -> list[Record]:
        """Return the records of a custom object in the order in which they were made, as of now."""
        with self.database.lock:
            self.jobs.settle()
            return self.all_records.all(name)

    def program_members(self, program_id: int) -> dict[int, Values]:
        """Return the members of a program, their status among their values, by id of the lead, as of now."""
        with self.database.lock:
            self.jobs.settle()
            return self.all_records.members(program_id)

    def matching(self, lookup: Field, keys: list[str | int]) -> list[Lead]:
        """Return the leads that have one of the keys, by id, as of now."""
        with self.database.lock:
            self.jobs.settle()
            found = self.all_leads.matching(lookup, keys)
        return sorted((lead for leads in found.values() for lead in leads), key=lambda lead: lead.id)

    def token(self) -> tuple[str, float]:
        """Return the access token and its remaining seconds; a new one when the last has expired."""
        now = self.clock.now()
        with self.database.lock:
            rows = self.database.rows("SELECT token, expires_at FROM tokens WHERE expires_at > ?", now)
            if rows:
                return rows[0]["token"], rows[0]["expires_at"] - now
            token = f"{uuid.uuid4()}:int"
            self.database.execute(
                "INSERT INTO tokens VALUES (?, ?)", token, now + self.behaviour.token_seconds
            )
            return token, self.behaviour.token_seconds

    def check_token(self, token: str | None) -> None:
        """Refuse a call without a token that is valid now.

        Raises:
            MarketoError: 603 without a token, 601 for one never given out, 602 for one that has expired.
        """
        if not token:
            raise MarketoError("603", "Access denied")
        expires_at = self.database.value("SELECT expires_at FROM tokens WHERE token = ?", token)
        if expires_at is None:
            raise MarketoError("601", "Access token invalid")
        if expires_at <= self.clock.now():
            raise MarketoError("602", "Access token expired")

    def check_limits(self) -> None:
        """Refuse a call beyond the rate limit or the daily quota.

        Raises:
            MarketoError: 606 or 607.
        """
        calls, seconds = self.behaviour.window_calls, self.behaviour.window_seconds
        if self._calls_since(self.clock.now() - seconds) >= calls:
            raise MarketoError("606", f"Max rate limit '{calls}' exceeded with in '{seconds:g}' secs")
        if self.calls_today() >= self.behaviour.daily_calls:
            raise MarketoError("607", "Daily quota reached")

    def calls_today(self) -> int:
        """Return how many calls have counted since midnight, US Central time."""
        return self._calls_since(self.midnight().timestamp())

    def midnight(self) -> datetime:
        """Return when the day of the quota began, in US Central time."""
        now = datetime.fromtimestamp(self.clock.now(), ZoneInfo(US_CENTRAL))
        return now.replace(hour=0, minute=0, second=0, microsecond=0)

    def end_token(self, *, forget: bool) -> None:
        """Let the token expire now, or forget that it was ever given out."""
        if forget:
            self.database.execute("DELETE FROM tokens")
        else:
            now = self.clock.now()
            self.database.execute("UPDATE tokens SET expires_at = ? WHERE expires_at > ?", now, now)

    def take_fault(self, phase: Phase, place: Place) -> Fault | None:
        """Return the first fault that strikes the request being answered, and remember that it did."""
        with self.database.lock:
            for fault in self._due_faults(phase, place):
                self._strike(fault)
                return fault
        return None

    def take_file_faults(self, place: Place) -> list[FaultKind]:
        """Return every change that befalls the file being given, and remember that it did."""
        with self.database.lock:
            faults = list(self._due_faults(Phase.FILE, place))
            for fault in faults:
                self._strike(fault)
        return [fault.kind for fault in faults]

    def record(
        self,
        *,
        method: str,
        path: str,
        query: tuple[str, ...],
        place: Place,
        status: int | None,
        code: str | None,
        batch_id: int | None,
    ) -> None:
        """Write one request and its answer into the journal."""
        counted = place is not Place.IDENTITY and status is not None and code not in UNCOUNTED
        self.database.execute(
            "INSERT INTO requests (time, method, path, query, place, status, code, batch_id, counted)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self.clock.now(), method, path, "\n".join(query), place, status, code, batch_id, counted,
        )  # fmt: skip

    def next_request_id(self) -> str:
        """Return an id for the request being answered: a running number and the time, both hexadecimal."""
        number = 1 + int(self.database.value("SELECT max(number) FROM requests") or 0)
        return f"{number % 0x100000:x}#{int(self.clock.now() * 1000):x}"

    def requests(self) -> list[RequestRecord]:
        """Return every request so far, in order."""
        return [_request_record(row) for row in self.database.rows("SELECT * FROM requests ORDER BY number")]

    def row_events(self) -> list[RowRecord]:
        """Return what happened to every row of every finished job, in order of the jobs' ends."""
        with self.database.lock:
            self.jobs.settle()
            rows = self.database.rows("SELECT * FROM row_events ORDER BY time, batch_id, row")
        return [_row_record(row) for row in rows]

    def advance(self, seconds: float) -> None:
        """Let virtual time pass at once, also for a later sandbox on the same file."""
        with self.database.transaction():
            self.clock.advance(seconds)
            self.database.execute("DELETE FROM clock")
            self.database.execute("INSERT INTO clock VALUES (?)", self.clock.now())

    def close(self) -> None:
        """Close the database; nothing can be asked afterwards."""
        self.database.close()

    def _due_faults(self, phase: Phase, place: Place) -> Iterator[Fault]:
        for fault in self._faults:
            if fault.strikes(phase, place):
                struck = self.database.value("SELECT times FROM strikes WHERE fault = ?", repr(fault)) or 0
                if fault.is_due(self._request_number(fault), struck):
                    yield fault

    def _request_number(self, fault: Fault) -> int:
        """Return the number of the request being answered among those that a fault may strike."""
        place = fault.place or fault.kind.place
        if place is Place.ANY:
            query = "SELECT count(*) FROM requests WHERE place != ?"
            return 1 + int(self.database.value(query, Place.IDENTITY))
        return 1 + int(self.database.value("SELECT count(*) FROM requests WHERE place = ?", place))

    def _strike(self, fault: Fault) -> None:
        self.database.execute(
            "INSERT INTO strikes VALUES (?, 1) ON CONFLICT (fault) DO UPDATE SET times = times + 1",
            repr(fault),
        )

    def _latest_moment(self) -> float:
        last_request = self.database.value("SELECT max(time) FROM requests")
        return max(last_request or 0.0, self.database.value("SELECT seconds FROM clock") or 0.0)

    def _calls_since(self, moment: float) -> int:
        return int(self.database.value("SELECT count(*) FROM requests WHERE time > ? AND counted", moment))

    def _fill(self) -> None:
        """Set up the standard instance in an empty database."""
        with self.database.transaction():
            for field in instance.standard_fields():
                self._insert_field(field)
            for static_list in instance.STATIC_LISTS:
                self._insert_list(static_list)
            for partition in instance.PARTITIONS:
                row = (partition.id, partition.name, partition.description)
                self.database.execute("INSERT INTO partitions VALUES (?, ?, ?)", *row)
            now = self.clock.now()
            first = self.all_leads.next_id()
            self.all_leads.write(
                Lead(number, dict(lead), now, now) for number, lead in enumerate(instance.LEADS, first)
            )

    def _insert_field(self, field: Field) -> None:
        self.database.execute(
            "INSERT OR REPLACE INTO fields VALUES (?, ?, ?, ?, ?, ?, ?)",
            field.rest_name, field.display_name, field.data_type, field.length, field.read_only,
            field.soap_name, field.custom,
        )  # fmt: skip

    def _insert_list(self, added: StaticList) -> None:
        row = (added.id, added.name, added.description, added.program_name, added.workspace_name)
        self.database.execute("INSERT INTO lists VALUES (?, ?, ?, ?, ?)", *row)


def _field(row: sqlite3.Row) -> Field:
    return Field(
        rest_name=row["rest_name"],
        display_name=row["display_name"],
        data_type=row["data_type"],
        length=row["length"],
        read_only=bool(row["read_only"]),
        soap_name=row["soap_name"],
        custom=bool(row["custom"]),
    )


def _request_record(row: sqlite3.Row) -> RequestRecord:
    return RequestRecord(
        number=row["number"],
        time=row["time"],
        method=row["method"],
        path=row["path"],
        query=tuple(row["query"].split("\n")) if row["query"] else (),
        place=Place(row["place"]),
        status=row["status"],
        code=row["code"],
        batch_id=row["batch_id"],
    )


def _row_record(row: sqlite3.Row) -> RowRecord:
    return RowRecord(
        time=row["time"],
        batch_id=row["batch_id"],
        row=row["row"],
        outcome=Outcome(row["outcome"]),
        lead_id=row["lead_id"],
        message=row["message"],
    )
