"""What really happened, by the sandbox's own journal, and whether a run folder says the same."""

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prep.config import Destination
from prep.ledger import ASSUMED
from prep.model import Fate, Format, Job, JobState
from prep.objects import parse_object
from prep.pipeline import Run, clean
from prep.report import read_jobs
from prep.sandbox import Outcome, Sandbox
from prep.schema_file import parse_schema

ROWS_OF_A_CHUNK = 12
MAX_BYTES = 1000
"""Smallest body that prep makes; so many of the rows below fit."""

FIELDS = ("email", "firstName", "title", "annualRevenue", "dateOfBirth")

_DELIMITERS = {file_format.value: file_format.delimiter for file_format in Format}
_TRUE_FATES = {
    Outcome.CREATED: Fate.IMPORTED,
    Outcome.UPDATED: Fate.IMPORTED,
    Outcome.FAILED: Fate.FAILED,
    Outcome.WARNED: Fate.WARNED,
}


@dataclass(frozen=True)
class Subject:
    """What the rows become, and how a file of them looks.

    Attributes:
        object: As `--object` says it.
        fields: The columns, each with the cells of `_lead` that it takes.
        key: Columns that identify a record.
        rejected: A row that breaks a rule.
        schema: Text of a schema of its own; the instance differs from it, so that rows fail.
        destination: Where the rows go, if not to the instance alone.
        looks: Calls that ask Marketo before the first upload.
        has_warnings: Whether rows can be warned.
        max_bytes: Size of a body that so many rows fill.
    """

    object: str
    fields: dict[str, int]
    key: tuple[str, ...]
    rejected: tuple[str, ...]
    schema: str = ""
    destination: Destination | None = None
    looks: int = 2
    has_warnings: bool = True
    max_bytes: int = MAX_BYTES

    @property
    def name(self) -> str:
        """What it is called in the names of tests and upload files."""
        return parse_object(self.object).chunk


_LEAD_FIELDS: Final = {name: place for place, name in enumerate(FIELDS)}
_BROKEN: Final = ("not-an-address", "Nemo", "1", "1.50", "1970-01-01")
LEADS: Final = Subject("leads", _LEAD_FIELDS, ("email",), _BROKEN)
MEMBERS: Final = Subject(
    "program-members",
    _LEAD_FIELDS,
    ("email",),
    _BROKEN,
    destination=Destination("sandbox", program_id=1014, program_status="On List"),
    looks=5,
)
CARS: Final = Subject(
    "customobjects/car_c",
    {"email": 0, "make": 1, "year": 2, "price": 3, "boughtOn": 4, "vin": 5},
    ("vin",),
    (*_BROKEN, ""),
    schema="""
[object]
name = "car_c"
dedupe_fields = ["vin"]
[fields.email]
type = "email"
[fields.make]
[fields.year]
[fields.price]
type = "currency"
[fields.boughtOn]
type = "date"
[fields.vin]
""",
    looks=1,
    max_bytes=1120,
)
SERVICES: Final = Subject(
    "customobjects/service_c",
    {"vin": 6, "garage": 7, "mileage": 2, "servicedOn": 4},
    ("vin", "servicedOn"),
    ("", "North", "1", "1970-01-01"),
    schema="""
[object]
name = "service_c"
dedupe_fields = ["vin", "servicedOn"]
[fields.vin]
[fields.servicedOn]
type = "date"
[fields.garage]
[fields.mileage]
""",
    looks=1,
    has_warnings=False,
)
OTHERS: Final = (MEMBERS, CARS, SERVICES)


def write_leads(
    path: Path, chunks: int, *, troubled: Callable[[int], bool] = lambda _: True, subject: Subject = LEADS
) -> Path:
    """Write a file that fills so many upload files, plus a row that is rejected and a duplicate.

    In the sandbox of `prepare_instance` every fourth row fails and every seventh is warned, in those
    chunks (0 is the first) of which `troubled` is true.
    """
    leads = [
        _lead(number, troubled=troubled(number // ROWS_OF_A_CHUNK))
        for number in range(chunks * ROWS_OF_A_CHUNK)
    ]
    lines = [tuple(lead[place] for place in subject.fields.values()) for lead in leads]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [tuple(subject.fields), lines[0], subject.rejected, *lines]
        )
    return path


def _lead(number: int, *, troubled: bool) -> tuple[str, ...]:
    """All leads are equally long. The two blanks are for servers that cut blanks."""
    return (
        f"{'_' if troubled and number % 7 == 2 else 'a'}lead{number:04}@example.com",
        f"First  {number:04}",
        f"Head {number:04}" if troubled and number % 4 == 1 else f"{number:09}",
        f"{1000 + number}.50",
        f"1970-01-{number % 28 + 1:02}",
        f"VIN {number:04}",
        f"VIN {number // 5:04}",
        f"Garage  {number:04} of the high North",
    )


def clean_leads(source: Path, folder: Path, *, file_format: str = "csv", subject: Subject = LEADS) -> Run:
    """Clean a file of `write_leads`."""
    schema = parse_schema(subject.schema, subject.name) if subject.schema else None
    run = clean(
        source,
        folder,
        schema=schema,
        destination=subject.destination,
        max_bytes=subject.max_bytes,
        format=file_format,
        object=subject.object,
    )
    assert {chunk["rows"] for chunk in run.report["chunks"]} == {ROWS_OF_A_CHUNK}
    return run


def prepare_instance(sandbox: Sandbox, subject: Subject = LEADS, chunks: int = 0) -> None:
    """Make the instance differ from what the schema says, so that rows fail that were found valid.

    Those to whom so many upload files of cars are linked are added.
    """
    sandbox.add_field("title", data_type="integer", display_name="Job Title")
    if subject is CARS:
        for number in range(chunks * ROWS_OF_A_CHUNK):
            for troubled in (False, True):
                sandbox.add_lead(email=_lead(number, troubled=troubled)[0])


@dataclass(frozen=True)
class Verdict:
    """How a run folder stands against the journal.

    Attributes:
        rows: Rows in chunks.
        lost: Rows that the journal does not have, although their chunk is not declared unknown or waiting.
        twice: Rows that the journal has more than once.
        false_successes: Rows that failed in the journal and are called imported or warned.
        false_failures: Rows that the journal took and that are called failed.
        unnoticed: Rows with a warning in the journal that are called imported; they were.
        misjudged: Rows with any other fate than the journal's, ready, sent and unknown left aside.
        unknown: Rows called unknown.
        assumed: Rows called imported on a person's word, and said to be; the journal may differ.
        unfinished: Rows called ready or sent.
    """

    rows: int
    lost: int
    twice: int
    false_successes: int
    false_failures: int
    unnoticed: int
    misjudged: int
    unknown: int
    assumed: int
    unfinished: int

    @property
    def is_true(self) -> bool:
        """Nothing is lost, doubled or called what it is not."""
        wrong = self.lost, self.twice, self.false_successes, self.false_failures, self.misjudged
        return not any(wrong)


def batches_of(sandbox: Sandbox, content: bytes) -> list[int]:
    """The jobs that the sandbox made of a file."""
    return [job.batch_id for job in sandbox.jobs() if sandbox.upload(job.batch_id) == content]


def judge(run: Run, sandbox: Sandbox) -> Verdict:
    """Hold a run against the journal of the sandbox where it was sent."""
    truth = _true_fates(sandbox)
    by_chunk = {job.chunk: job for job in read_jobs(run.folder)}
    tally: Counter[str] = Counter()
    sent = run.rows.drop_nulls("chunk")
    for key, chunk, told, message in sent.select("key", "chunk", "fate", "message").iter_rows():
        happened = truth[key]
        open_fate = told in {Fate.READY, Fate.SENT, Fate.UNKNOWN}
        tally["twice"] += len(happened) > 1
        tally["lost"] += not happened and by_chunk[chunk].state is JobState.RECONCILED
        tally["unknown"] += told == Fate.UNKNOWN
        tally["unfinished"] += told in {Fate.READY, Fate.SENT}
        tally["assumed"] += message == ASSUMED
        if open_fate or not happened or message == ASSUMED:
            continue
        tally["false_successes"] += happened[-1] is Fate.FAILED and told != Fate.FAILED
        tally["false_failures"] += happened[-1] is not Fate.FAILED and told == Fate.FAILED
        unnoticed = happened[-1] is Fate.WARNED and told == Fate.IMPORTED
        tally["unnoticed"] += unnoticed
        tally["misjudged"] += told != happened[-1] and not unnoticed
    counts = {name: tally[name] for name in Verdict.__annotations__ if name != "rows"}
    return Verdict(rows=sent.height, **counts)


def _true_fates(sandbox: Sandbox) -> dict[str, list[Fate]]:
    """What became of every address, once for each time that it was taken in."""
    outcomes: defaultdict[int, dict[int, Fate]] = defaultdict(dict)
    for event in sandbox.rows():
        outcomes[event.batch_id][event.row] = _TRUE_FATES[event.outcome]
    truth: defaultdict[str, list[Fate]] = defaultdict(list)
    for job in sandbox.jobs():
        if not job.is_finished:
            continue
        keys = _keys(sandbox.upload(job.batch_id), job.file_format, job.lookup_fields)
        for row, key in enumerate(keys, 1):
            truth[key].append(outcomes[job.batch_id].get(row, Fate.FAILED))
    return truth


def _keys(content: bytes, file_format: str, names: Sequence[str]) -> list[str]:
    lines = csv.DictReader(
        io.StringIO(content.decode(), newline=""), delimiter=_DELIMITERS[file_format], strict=True
    )
    if len(names) > 1:
        return [json.dumps({name: line[name] for name in names}, separators=(",", ":")) for line in lines]
    is_address = names[0] == "email"
    return [line[names[0]].lower() if is_address else line[names[0]] for line in lines]


def unknown_chunks(jobs: Sequence[Job]) -> list[str]:
    """The chunks that were declared unknown."""
    return [job.chunk for job in jobs if job.state is JobState.UNKNOWN]
