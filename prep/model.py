"""The words that every part of prep shares: fates, reasons, chunks and jobs. No frames, no files."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Self

from prep.errors import SettingsError
from prep.folding import counted

SOURCE: Final = "_source"
ROW: Final = "_row"
LINE: Final = "_line"
IDENTITY: Final = (SOURCE, ROW, LINE)
"""Columns that say which row of a source a row is: the source's name, its record, the physical line."""

RECORD: Final = "_record"
"""Column of the record's number in the file that is read, where a table of prep's own came back."""

SANDBOX: Final = "sandbox"
"""Target of what is sent to the local stand-in for Marketo."""


class Fate(StrEnum):
    """What became of a source row. Every row has exactly one."""

    REJECTED = "rejected"
    SUPPRESSED = "suppressed"
    DUPLICATE = "duplicate"
    READY = "ready"
    SENT = "sent"
    IMPORTED = "imported"
    WARNED = "warned"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a row was rejected or suppressed, or why a header cannot be used."""

    UNREADABLE_ROW = "unreadable_row"
    ENCODING = "encoding"
    MISSING_LOOKUP = "missing_lookup"
    INVALID_EMAIL = "invalid_email"
    EMAIL_NOT_ASCII = "email_not_ascii"
    NOT_INTEGER = "not_integer"
    NOT_POSITIVE = "not_positive"
    NOT_NUMBER = "not_number"
    NOT_BOOLEAN = "not_boolean"
    NOT_DATE = "not_date"
    NOT_DATETIME = "not_datetime"
    NO_TIMEZONE = "no_timezone"
    NOT_URL = "not_url"
    TOO_LONG = "too_long"
    NOT_ALLOWED = "not_allowed"
    REQUIRED = "required"
    TOO_LARGE = "too_large"
    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    UNKNOWN_HEADER = "unknown_header"
    DUPLICATE_HEADER = "duplicate_header"
    EMPTY_HEADER = "empty_header"
    READ_ONLY_HEADER = "read_only_header"
    MISSING_LOOKUP_HEADER = "missing_lookup_header"

    @property
    def meaning(self) -> str:
        """What the code says, in a few words."""
        return _MEANINGS[self]

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return _REMEDIES[self]


_MEANINGS: Final = {
    Reason.UNREADABLE_ROW: "the record cannot be split into the columns of the header",
    Reason.ENCODING: "the line holds bytes that are not valid in the file's encoding",
    Reason.MISSING_LOOKUP: "the lookup field is blank",
    Reason.INVALID_EMAIL: "not a valid email address",
    Reason.EMAIL_NOT_ASCII: "Marketo takes ASCII letters only before the @",
    Reason.NOT_INTEGER: "not a whole number of at most 64 bits",
    Reason.NOT_POSITIVE: "a Marketo id is a whole number above zero",
    Reason.NOT_NUMBER: "not a plain number such as 1234.5",
    Reason.NOT_BOOLEAN: "neither true nor false (nor yes, no, 1, 0)",
    Reason.NOT_DATE: "not a calendar date in the order that --dates names",
    Reason.NOT_DATETIME: "not a date with a time in the order that --dates names",
    Reason.NO_TIMEZONE: "a time without zone or offset (--timezone says which one is meant), or one that "
    "clocks of that zone never show",
    Reason.NOT_URL: "not a web address",
    Reason.TOO_LONG: "longer than the field holds",
    Reason.NOT_ALLOWED: "not one of the values that the schema allows",
    Reason.REQUIRED: "blank, but the schema requires a value",
    Reason.TOO_LARGE: "the row alone is larger than an upload may be",
    Reason.SUPPRESSED: "on a suppression list",
    Reason.NO_CONSENT: "without the consent that the settings require",
    Reason.UNKNOWN_HEADER: "no field of the schema has this name",
    Reason.DUPLICATE_HEADER: "another column already maps to the same field",
    Reason.EMPTY_HEADER: "the column has no name",
    Reason.READ_ONLY_HEADER: "Marketo does not let imports write this field",
    Reason.MISSING_LOOKUP_HEADER: "no column maps to the lookup field",
}


_NEVER_READ: Final = "years of two digits, names of months and serial numbers of Excel are never read"

_REMEDIES: Final = {
    Reason.UNREADABLE_ROW: "look for a missing or stray quote or delimiter in that line of the source",
    Reason.ENCODING: "name the file's encoding with --encoding, or export it again as UTF-8",
    Reason.MISSING_LOOKUP: "fill the cell; without it Marketo cannot tell whose row it is",
    Reason.INVALID_EMAIL: "correct the address: one address in each cell, with a name, an @ and a domain; "
    "one that looks right may hold a letter of another alphabet",
    Reason.EMAIL_NOT_ASCII: "ask for the address without accents; prep never takes them off by itself",
    Reason.NOT_INTEGER: "write digits only, without decimals, ranges or words",
    Reason.NOT_POSITIVE: "take the id from Marketo, where it stands in the address of the person's page",
    Reason.NOT_NUMBER: "write a plain number; --decimal says what stands before its decimals",
    Reason.NOT_BOOLEAN: "write true or false, or leave the cell blank",
    Reason.NOT_DATE: f"write year-month-day, or say with --dates which order is meant; {_NEVER_READ}",
    Reason.NOT_DATETIME: "write 2026-05-07T15:02:11Z, or say with --dates which order is meant; "
    f"{_NEVER_READ}",
    Reason.NO_TIMEZONE: "name the zone with --timezone, such as --timezone Europe/Madrid; correct a time "
    "in the hour that clocks skip in spring",
    Reason.NOT_URL: "write the whole address, beginning with https://",
    Reason.TOO_LONG: "shorten the value, or let --truncate FIELD cut it",
    Reason.NOT_ALLOWED: "use one of the schema's values, or add this one to the schema",
    Reason.REQUIRED: "fill the cell, or fill all of them with --set FIELD=VALUE",
    Reason.TOO_LARGE: "shorten the longest cells of the row, or allow larger uploads with --max-bytes",
    Reason.SUPPRESSED: "nothing: the person must not be sent; take them off the list if that is wrong",
    Reason.NO_CONSENT: "nothing, unless there is a consent that the source does not tell of",
    Reason.UNKNOWN_HEADER: 'name its field with --map "COLUMN=FIELD", or leave it out with --map "COLUMN="',
    Reason.DUPLICATE_HEADER: 'leave all but one of them out with --map "COLUMN="',
    Reason.EMPTY_HEADER: "give the column a name, or leave columns without a field out with --unknown drop",
    Reason.READ_ONLY_HEADER: 'leave the column out with --map "COLUMN="',
    Reason.MISSING_LOOKUP_HEADER: 'name the column with --map "COLUMN=FIELD", or choose --lookup-field',
}


class Unknown(StrEnum):
    """What to do with source columns that no field of the schema matches."""

    ERROR = "error"
    DROP = "drop"


class Blanks(StrEnum):
    """What becomes of blank cells: sent, left out with their columns, or made orders to clear the field."""

    SEND = "send"
    OMIT = "omit"
    NULL = "null"


class DateOrder(StrEnum):
    """How dates that do not begin with the year are to be read; `ISO`: as their column proves."""

    ISO = "iso"
    DMY = "dmy"
    MDY = "mdy"


class KeepPolicy(StrEnum):
    """Which row of several with one lookup value survives."""

    FIRST = "first"
    LAST = "last"
    MOST_COMPLETE = "most-complete"
    NEWEST = "newest"
    MERGE = "merge"


Goal = Literal["clean", "run"]
"""What a run folder is for: `run` if its rows are to be sent."""

Assumption = Literal["landed", "lost"]
"""What a person may say of a chunk whose outcome is unknown: Marketo has its rows, or has none of them."""


@dataclass(frozen=True)
class Keep:
    """A survivor policy, with the date field that `newest` compares."""

    policy: KeepPolicy = KeepPolicy.LAST
    field: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `first`, `last`, `most-complete`, `merge` or `newest:FIELD`.

        Raises:
            SettingsError: The text is none of these.
        """
        name, _, field = text.partition(":")
        if name not in set(KeepPolicy) or (name == KeepPolicy.NEWEST) != bool(field):
            raise SettingsError(
                f"--keep does not know {text!r}",
                code="bad_keep",
                hint="It takes first, last, most-complete, merge or newest:FIELD.",
            )
        return cls(KeepPolicy(name), field or None)

    def __str__(self) -> str:
        return f"{self.policy}:{self.field}" if self.field else str(self.policy)


class MergePolicy(StrEnum):
    """Which value of several rows that merge a field keeps."""

    LAST = "last"
    FIRST = "first"
    LONGEST = "longest"
    MOST_FREQUENT = "most-frequent"
    NEWEST = "newest"
    SOURCE = "source"


CLEARING: Final = "NULL"
"""The cell that orders Marketo to clear a field; see `prep.blanks`."""

ALL_FIELDS: Final = "*"
"""Stands in the rules of merging for every field that has none of its own."""


@dataclass(frozen=True)
class MergeRule:
    """How one field merges.

    Attributes:
        policy: Which value it keeps; blanks never take part, among equals the later row counts.
        of: The date field that `newest` compares, or the path or file name that `source` prefers.
    """

    policy: MergePolicy = MergePolicy.LAST
    of: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `last`, `first`, `longest`, `most-frequent`, `newest:FIELD` or `source:FILE`.

        Raises:
            SettingsError: The text is none of these.
        """
        name, _, of = text.partition(":")
        if name not in set(MergePolicy) or (name in {MergePolicy.NEWEST, MergePolicy.SOURCE}) != bool(of):
            raise SettingsError(
                f"--merge does not know {text!r}",
                code="bad_merge",
                hint="It takes last, first, longest, most-frequent, newest:FIELD or source:FILE.",
            )
        return cls(MergePolicy(name), of or None)

    def __str__(self) -> str:
        return f"{self.policy}:{self.of}" if self.of else str(self.policy)


class Format(StrEnum):
    """File formats that bulk import takes."""

    CSV = "csv"
    TSV = "tsv"
    SSV = "ssv"

    @property
    def delimiter(self) -> str:
        """The character between two cells."""
        return {Format.CSV: ",", Format.TSV: "\t", Format.SSV: ";"}[self]


@dataclass(frozen=True)
class Chunk:
    """One upload file.

    Attributes:
        file: Path inside the run folder, such as `chunks/leads-0001.csv`.
        rows: Data rows, the header not counted.
        bytes: Size of the file.
        sha256: Digest of the file, in hexadecimal.
    """

    file: str
    rows: int
    bytes: int
    sha256: str


class JobState(StrEnum):
    """Where a chunk stands between us and Marketo; the ledger's word."""

    PLANNED = "planned"
    INTENDED = "intended"
    QUEUED = "queued"
    IMPORTING = "importing"
    COMPLETE = "complete"
    FAILED = "failed"
    UNKNOWN = "unknown"
    RECONCILED = "reconciled"


class JobStatus(StrEnum):
    """What Marketo says of a job.

    https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-lead-import
    """

    QUEUED = "Queued"
    IMPORTING = "Importing"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True)
class Job:
    """What the ledger knows of one chunk's import.

    Attributes:
        chunk: The chunk's file, as in `Chunk.file`.
        state: Our own state.
        batch_id: Marketo's id of the job, once it is known.
        status: Marketo's last word, once there was one.
        processed: Rows that Marketo took, warned ones included, failed ones not.
        failed: Rows that Marketo refused.
        warned: Rows that Marketo took with a warning.
        message: Marketo's message, or why the outcome is unknown.
        assumed: The person running prep said that this chunk landed; nobody could ask Marketo.
        queued_at: When Marketo accepted the upload, in seconds since the epoch.
    """

    chunk: str
    state: JobState
    batch_id: int | None = None
    status: JobStatus | None = None
    processed: int | None = None
    failed: int | None = None
    warned: int | None = None
    message: str = ""
    assumed: bool = False
    queued_at: float | None = None


@dataclass(frozen=True)
class Exchange:
    """One call of Marketo's API in brief: no parameters, no token, no values.

    Attributes:
        at: When it began, in seconds since the epoch.
        method: HTTP method.
        path: Path of the address, without its query.
        status: HTTP status; None when no answer came.
        code: Name of what went wrong, such as `marketo_606`; empty when nothing did.
        seconds: How long it took.
    """

    at: float
    method: str
    path: str
    status: int | None
    code: str
    seconds: float


@dataclass(frozen=True)
class Advance:
    """How far a stage is.

    Attributes:
        stage: `read` (finding out how the sources are written), `validate`, `write`, `import`; of a preview
            `look up`, `compare`.
        rows: Rows that it has dealt with.
        share: How much of it is done, from 0 to 1: of the rows, or of the sources' bytes as long as nobody
            knows how many rows these hold; None where that is not known either.
        jobs: While importing, all jobs in the order in which their files are sent.
    """

    stage: str
    rows: int = 0
    share: float | None = None
    jobs: "tuple[Job, ...]" = ()


class EmailCase(StrEnum):
    """How the letters of addresses are to be written; which address it is never depends on that."""

    KEEP = "keep"
    LOWER = "lower"


class Phones(StrEnum):
    """How phone numbers are to be spelled."""

    KEEP = "keep"
    E164 = "e164"


class Countries(StrEnum):
    """How countries are to be spelled."""

    KEEP = "keep"
    ISO2 = "iso2"
    NAME = "name"


class DecimalMark(StrEnum):
    """What stands before the decimals of a number; the other one may stand between thousands."""

    POINT = "point"
    COMMA = "comma"


POINT_OR_THOUSANDS: Final = r"^-?[1-9][0-9]{0,2}\.[0-9]{3}$"
"""What is one number in Madrid and a thousand times as much in London, where it is text."""


@dataclass(frozen=True)
class Convention:
    """How one column of a source spells its dates or numbers, by the proof of all its cells.

    Attributes:
        source: The source of the rows.
        field: REST name of the field that the column maps to.
        column: The column's header.
        setting: The setting that would say so: `dates` or `decimal`.
        value: What it would say: `dmy`, `mdy`, `point` or `comma`; empty where nothing is proven, and cells
            that can be read in more than one way are rejected.
        cells: How many cells can be read in no other way.
    """

    source: str
    field: str
    column: str
    setting: str
    value: str = ""
    cells: int = 0

    @property
    def sentence(self) -> str:
        """What is to be said of it."""
        return (
            f"{self.column!r} ({self.field}) is read with {_CONVENTIONS[self.value]}, as by --{self.setting} "
            f"{self.value}: proven by {counted(self.cells, 'cell')}, contradicted by none"
        )


_CONVENTIONS: Final = {
    "dmy": "the day first",
    "mdy": "the month first",
    "point": "decimal points",
    "comma": "decimal commas",
}


class States(StrEnum):
    """How states and provinces are to be spelled."""

    KEEP = "keep"
    CODE = "code"
    NAME = "name"


@dataclass(frozen=True)
class Reading:
    """How a source is read. What is None is found out; an opened source holds what was found.

    Attributes:
        encoding: Name of a Python codec; None where bytes are no text (a workbook, Parquet).
        delimiter: The character between two cells.
        quote: The character around a cell that holds delimiters or line ends.
        escape: What makes a quote inside such a cell a character like others: `double` or `backslash`.
        header_line: The physical line (in a workbook: the sheet's row) where the header starts, 0 where there
            is none and the columns are called `1`, `2`, ….
        sheet: Name of a workbook's sheet.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header_line: int | None = None
    sheet: str | None = None


FIND_OUT: Final = Reading()
"""Nothing is known of how a source is read."""
