"""The queue of import jobs: first in, first out, two at a time, ten in all."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from prep.sandbox.clock import Clock
from prep.sandbox.database import Database
from prep.sandbox.errors import MarketoError
from prep.sandbox.faults import Behaviour
from prep.sandbox.instance import Field
from prep.sandbox.leads import Leads, Taken, Upsert
from prep.sandbox.objects import CUSTOM_OBJECTS, MEMBER_FIELDS
from prep.sandbox.records import Records, member_values, split_members, take_records
from prep.sandbox.rules import FAILURE_COLUMN, WARNING_COLUMN, Examined, UnreadableFileError, examine, render

FIRST_BATCH_ID: Final = 1001
DAY_SECONDS: Final = 86_400

LEADS: Final = "leads"
MEMBERS: Final = "members"
BLANK_KEY: Final = "missing.dedupe.fields"
"""https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-custom-object-import"""


_JOBS: Final = (
    "SELECT jobs.*, coalesce(kind, 'leads') AS kind, program_id, program_status"
    " FROM jobs LEFT JOIN job_kinds USING (batch_id)"
)
CUSTOM: Final = {known.api_name: known for known in CUSTOM_OBJECTS}


@dataclass(frozen=True, kw_only=True)
class Upload:
    """What one call asks to import."""

    content: bytes
    file_format: str
    lookup_fields: tuple[str, ...]
    list_id: int | None = None
    partition_name: str | None = None
    kind: str = LEADS
    program_id: int | None = None
    program_status: str | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """One import job as it stands now.

    Attributes:
        batch_id: Its number.
        status: `Queued`, `Importing`, `Complete` or `Failed`.
        processed: Rows imported so far, those with a warning included.
        failed: Rows refused so far.
        warned: Rows with a warning so far.
        message: Marketo's sentence about a finished job.
        file_format: `csv`, `tsv` or `ssv`.
        lookup_fields: The fields that records were looked up by.
        list_id: The static list the rows became members of.
        partition_name: The partition new leads were made in.
        submitted_at: Virtual time of the upload, in seconds since 1970.
        starts_at: When it started or will start.
        ends_at: When it ended or will end.
        kind: What the rows became: `leads`, `members`, or the name of a custom object.
        program_id: The program the rows became members of.
        program_status: The status they got there.
    """

    batch_id: int
    status: str
    processed: int
    failed: int
    warned: int
    message: str
    file_format: str
    lookup_fields: tuple[str, ...]
    list_id: int | None
    partition_name: str | None
    submitted_at: float
    starts_at: float
    ends_at: float
    kind: str = LEADS
    program_id: int | None = None
    program_status: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the job has ended, well or badly."""
        return self.status in ("Complete", "Failed")


def completion_message(processed: int, failed: int, warned: int, behaviour: Behaviour) -> str:
    """Return the sentence that a finished job carries."""
    outcome = "completed with errors" if failed else "succeeded"
    message = f"Import {outcome}, {processed} records imported ({processed} members)"
    if failed:
        message += f", {failed} failed"
    if warned and not (failed and behaviour.mixed_message == "failures"):
        message += f", {warned} warning."
    return message


class Jobs:
    """The queue. Jobs move with the clock: whoever asks first after a job's end takes its rows in.

    Args:
        database: Where jobs, files and row events are kept.
        leads: The lead database that finished jobs write.
        fields: The instance's fields by REST name.
        clock: The time.
        behaviour: The switches.
        job_seconds: Virtual seconds that every job takes.
        row_seconds: Virtual seconds that a job takes for each row, on top.
    """

    def __init__(
        self,
        database: Database,
        leads: Leads,
        fields: dict[str, Field],
        clock: Clock,
        behaviour: Behaviour,
        *,
        job_seconds: float,
        row_seconds: float,
    ) -> None:
        self._database = database
        self._leads = leads
        self._records = Records(database)
        self._fields = fields
        self._clock = clock
        self._behaviour = behaviour
        self._job_seconds = job_seconds
        self._row_seconds = row_seconds
        self._examined: dict[int, Examined] = {}

    def submit(self, upload: Upload) -> int:
        """Put an upload into the queue and return its batch id.

        Raises:
            MarketoError: 1016 when the queue is full, 1019 when the static list is being imported to.
        """
        with self._database.transaction():
            now = self._clock.now()
            self._check_queue(upload.list_id, now)
            starts_at = max(now, self._next_free_place())
            ends_at = starts_at + self._job_seconds + _rows_about(upload.content) * self._row_seconds
            batch_id = 1 + int(self._database.value("SELECT max(batch_id) FROM jobs") or FIRST_BATCH_ID - 1)
            self._database.execute(
                "INSERT INTO jobs (batch_id, format, lookup_field, list_id, partition_name,"
                " submitted_at, starts_at, ends_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                batch_id, upload.file_format, ",".join(upload.lookup_fields), upload.list_id,
                upload.partition_name, now, starts_at, ends_at,
            )  # fmt: skip
            self._database.execute(
                "INSERT INTO job_kinds VALUES (?, ?, ?, ?)",
                batch_id, upload.kind, upload.program_id, upload.program_status,
            )  # fmt: skip
            self._store(batch_id, "upload", upload.content)
            return batch_id

    def doom(self, batch_id: int | None) -> None:
        """Let a job end as `Failed`."""
        self._database.execute("UPDATE jobs SET doomed = 1 WHERE batch_id = ?", batch_id)

    def job(self, batch_id: int) -> Job:
        """Return a job as it stands now.

        Raises:
            MarketoError: The batch id never was or has expired.
        """
        with self._database.lock:
            self.settle()
            now = self._clock.now()
            rows = self._database.rows(f"{_JOBS} WHERE batch_id = ?", batch_id)
            if not rows or now > rows[0]["submitted_at"] + self._behaviour.batch_days * DAY_SECONDS:
                raise MarketoError(self._behaviour.unknown_batch_code, "Object not found")
            return self._job(rows[0], now)

    def all(self) -> list[Job]:
        """Return every job as it stands now, expired ones included, in order of submission."""
        with self._database.lock:
            self.settle()
            now = self._clock.now()
            return [self._job(row, now) for row in self._database.rows(f"{_JOBS} ORDER BY batch_id")]

    def file(self, batch_id: int, kind: str) -> bytes:
        """Return a file of a job: `upload`, `failures` or `warnings`; empty when there is none."""
        query = "SELECT content FROM files WHERE batch_id = ? AND kind = ?"
        return bytes(self._database.value(query, batch_id, kind) or b"")

    def settle(self) -> None:
        """Take the rows of every job that has ended by now into the lead database, in order of their ends."""
        query = f"{_JOBS} WHERE status IS NULL AND ends_at <= ? ORDER BY ends_at, batch_id"
        with self._database.lock:
            for row in self._database.rows(query, self._clock.now()):
                with self._database.transaction():
                    self._finish(row)
                self._examined.pop(row["batch_id"], None)

    def _finish(self, row: sqlite3.Row) -> None:
        try:
            examined = self._examine(row)
        except UnreadableFileError as error:
            self._close(row, "Failed", (0, 0, 0), f"Import failed: {error}")
            return
        if row["doomed"]:
            self._close(row, "Failed", (0, 0, 0), "Import failed")
            return
        taken = self._take(row, examined)
        for kind, reasons, column in (
            ("failures", taken.failures, FAILURE_COLUMN),
            ("warnings", taken.warnings, WARNING_COLUMN),
        ):
            content = render(examined, reasons, column, row["format"], self._behaviour)
            self._store(row["batch_id"], kind, content)
        counts = (len(taken.outcomes) - len(taken.failures), len(taken.failures), len(taken.warnings))
        self._close(row, "Complete", counts, completion_message(*counts, self._behaviour))

    def _take(self, row: sqlite3.Row, examined: Examined) -> Taken:
        now = row["ends_at"]
        if row["kind"] in CUSTOM:
            known = CUSTOM[row["kind"]]
            taken = take_records(
                self._records, self._leads, known, examined, behaviour=self._behaviour, now=now
            )
        elif row["kind"] == MEMBERS:
            taken = self._take_members(row, examined)
        else:
            taken = self._take_leads(row, examined)
        self._database.execute_many(
            "INSERT INTO row_events VALUES (?, ?, ?, ?, ?, ?)",
            ((row["batch_id"], number, now, *outcome) for number, outcome in enumerate(taken.outcomes, 1)),
        )
        return taken

    def _take_leads(self, row: sqlite3.Row, examined: Examined) -> Taken:
        lookup, constants = self._fields[row["lookup_field"]], self._partition_value(row["partition_name"])
        upsert = Upsert(
            self._leads, examined, lookup, self._behaviour, now=row["ends_at"], constants=constants
        )
        taken = upsert.run()
        self._leads.write(taken.leads.values())
        if row["list_id"] is not None:
            self._leads.join(row["list_id"], taken.leads)
        return taken

    def _take_members(self, row: sqlite3.Row, examined: Examined) -> Taken:
        of_leads, own = split_members(examined, self._member_fields)
        taken = self._take_leads(row, of_leads)
        self._records.join(
            row["program_id"], member_values(taken, own, row["program_status"], self._behaviour)
        )
        return taken

    @property
    def _member_fields(self) -> dict[str, Field]:
        """Fields that members have and leads have not."""
        return {one.rest_name: one for one in MEMBER_FIELDS if one.rest_name not in self._fields}

    def _partition_value(self, name: str | None) -> dict[str, str]:
        number = self._database.value("SELECT id FROM partitions WHERE name = ?", name)
        return {} if number is None else {"leadPartitionId": str(number)}

    def _close(self, row: sqlite3.Row, status: str, counts: tuple[int, int, int], message: str) -> None:
        self._database.execute(
            "UPDATE jobs SET status = ?, processed = ?, failed = ?, warned = ?, message = ?"
            " WHERE batch_id = ?",
            status, *counts, message, row["batch_id"],
        )  # fmt: skip

    def _store(self, batch_id: int, kind: str, content: bytes) -> None:
        self._database.execute("INSERT INTO files VALUES (?, ?, ?)", batch_id, kind, content)

    def _examine(self, row: sqlite3.Row) -> Examined:
        batch_id = row["batch_id"]
        if batch_id not in self._examined:
            fields, blank_key = self._fields_of(row["kind"])
            keys = [fields[name] for name in row["lookup_field"].split(",")]
            content = self.file(batch_id, "upload")
            self._examined[batch_id] = examine(
                content, row["format"], keys, fields, self._behaviour, blank_key=blank_key
            )
        return self._examined[batch_id]

    def _fields_of(self, kind: str) -> tuple[dict[str, Field], str]:
        """The fields that rows of a kind can have, and the reason of rows without key if it has its own."""
        if kind in CUSTOM:
            return {field.rest_name: field for field in CUSTOM[kind].fields}, BLANK_KEY
        return (self._fields | self._member_fields if kind == MEMBERS else self._fields), ""

    def _job(self, row: sqlite3.Row, now: float) -> Job:
        status = row["status"] or ("Queued" if now <= row["starts_at"] else "Importing")
        counts = (row["processed"], row["failed"], row["warned"])
        processed, failed, warned = self._counts_so_far(row, now) if status == "Importing" else counts
        return Job(
            batch_id=row["batch_id"],
            status=status,
            processed=processed,
            failed=failed,
            warned=warned,
            message=row["message"],
            file_format=row["format"],
            lookup_fields=tuple(row["lookup_field"].split(",")),
            list_id=row["list_id"],
            partition_name=row["partition_name"],
            submitted_at=row["submitted_at"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            kind=row["kind"],
            program_id=row["program_id"],
            program_status=row["program_status"],
        )

    def _counts_so_far(self, row: sqlite3.Row, now: float) -> tuple[int, int, int]:
        try:
            examined = self._examine(row)
        except UnreadableFileError:
            return 0, 0, 0
        done = int(len(examined.rows) * (now - row["starts_at"]) / (row["ends_at"] - row["starts_at"]))
        failed = sum(position < done for position in examined.failures)
        return done - failed, failed, sum(position < done for position in examined.warnings)

    def _check_queue(self, list_id: int | None, now: float) -> None:
        limit = self._behaviour.queue_jobs
        if self._database.value("SELECT count(*) FROM jobs WHERE ends_at > ?", now) >= limit:
            raise MarketoError(
                "1016", f"There are {limit} imports currently being processed. Please try again later"
            )
        busy = self._database.value("SELECT 1 FROM jobs WHERE ends_at > ? AND list_id = ?", now, list_id)
        if busy and self._behaviour.busy_list:
            raise MarketoError("1019", "Import in progress")

    def _next_free_place(self) -> float:
        """Return when a place for a running job falls free, 0 when one never was taken."""
        places = self._behaviour.running_jobs
        query = "SELECT ends_at FROM jobs ORDER BY ends_at DESC LIMIT 1 OFFSET ?"
        return float(self._database.value(query, places - 1) or 0)


def _rows_about(content: bytes) -> int:
    return max(content.rstrip(b"\r\n").count(b"\n"), 0)
