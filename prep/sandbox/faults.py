"""What Marketo leaves undocumented, as switches, and what can go wrong, as faults to order."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Self


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How the sandbox acts where Marketo is undocumented, and the sizes of Marketo's limits.

    The defaults are the cautious choice: a client that works here also works where Marketo is kinder.

    Attributes:
        header_case: Whether `EMAIL` or the SOAP name `Email` is understood as `email` (`lenient`) or not.
        unknown_column: A column that is no field is ignored, or makes every row warned or failed.
        read_only_column: The same for a column that imports cannot write.
        bom: Whether a byte order mark becomes part of the first column's name (`keep`) or is taken off.
        quotes: Wrong quotes (text after the closing one, none at the end) end the job as `Failed`, or pass.
        ragged_row: A row with too few or too many cells fails, or is filled up and cut.
        missing_lookup_column: Without the lookup column every row fails (`rows`), or the job ends `Failed`.
        blank_cell: A blank cell clears the lead's value, or leaves it as it was.
        null_text: Whether a cell with the text `NULL` clears the lead's value.
        too_long: A value longer than its field fails the row, or is cut.
        integer_bits: Size of integers, 32 or 64; fields synchronised with Salesforce hold 32.
        boolean_words: Whether `yes`, `no`, `y`, `n`, `1` and `0` are taken beside `true` and `false`.
        several_matches: A key that matches several leads fails the row, or updates the newest lead.
        repeated_key: A key that comes twice in a file updates the lead just made, or makes a second one.
        trailing_lookup_quirk: Failure files lose a last column that is the lookup field and empty throughout.
        no_rows_file: The failure or warning file of a job that has none: an empty body, or HTTP 404.
        unfinished_file_code: Error code for the failure or warning file of a job that is not finished.
        unknown_batch_code: Error code for a batch id that never was or has expired.
        unknown_partition_code: Error code for a partition name that the instance does not have.
        empty_file_message: The text beside error 1003 for an upload without content.
        mixed_message: The message of a job with failures and warnings names both, or the failures only.
        other_content_type: Content type of failure and warning files in tsv and ssv.
        import_id: Whether replies about jobs carry `importId` beside `batchId`; older ones did not.
        numeric_codes: Whether error codes are JSON numbers; one recorded reply has them so.
        busy_list: Whether a second import to a static list is refused with 1019 while one is under way.
        legacy_token: Whether `access_token` is also taken from the query or the form.
        max_body_bytes: Largest body of an import, all of it; whether 10 MB is decimal is not documented.
            https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/error-codes
        queue_jobs: Jobs that may be queued or running.
            https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-lead-import
        running_jobs: Jobs processed at once; same page.
        batch_days: Days for which a batch id is known; same page.
        window_calls: Calls allowed in any `window_seconds`.
            https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/marketo-integration-best-practices
        window_seconds: Length of that window; same page.
        concurrent_calls: Calls answered at the same time; same page.
        daily_calls: Calls allowed between two midnights of US Central time; same page.
        token_seconds: Lifetime of an access token.
            https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/authentication
    """

    header_case: Literal["strict", "lenient"] = "strict"
    unknown_column: Literal["ignore", "warn", "fail"] = "ignore"
    read_only_column: Literal["ignore", "warn", "fail"] = "ignore"
    bom: Literal["keep", "strip"] = "keep"
    quotes: Literal["strict", "lenient"] = "strict"
    ragged_row: Literal["fail", "fill"] = "fail"
    missing_lookup_column: Literal["rows", "job"] = "rows"
    blank_cell: Literal["clear", "keep"] = "clear"
    null_text: bool = True
    too_long: Literal["fail", "truncate"] = "fail"
    integer_bits: Literal[32, 64] = 32
    boolean_words: bool = False
    several_matches: Literal["fail", "newest"] = "fail"
    repeated_key: Literal["update", "create"] = "update"
    trailing_lookup_quirk: bool = True
    no_rows_file: Literal["empty", "not-found"] = "empty"
    unfinished_file_code: str = "1003"
    unknown_batch_code: str = "1013"
    unknown_partition_code: str = "1008"
    empty_file_message: str = "Empty file"
    mixed_message: Literal["both", "failures"] = "both"
    other_content_type: str = "text/csv;charset=UTF-8"
    import_id: bool = True
    numeric_codes: bool = False
    busy_list: bool = True
    legacy_token: bool = False
    max_body_bytes: int = 10_000_000
    queue_jobs: int = 10
    running_jobs: int = 2
    batch_days: float = 7
    window_calls: int = 100
    window_seconds: float = 20
    concurrent_calls: int = 10
    daily_calls: int = 50_000
    token_seconds: float = 3600


class Place(StrEnum):
    """The calls that faults and the journal tell apart."""

    IDENTITY = "identity"
    IMPORT = "import"
    STATUS = "status"
    FAILURES = "failures"
    WARNINGS = "warnings"
    OTHER = "other"
    ANY = "any"  # for faults: every call but identity


class Phase(StrEnum):
    """When in the life of a request a fault strikes."""

    ARRIVAL = "arrival"  # the request is not looked at
    CALL = "call"  # it is refused with one of Marketo's errors
    REPLY = "reply"  # it has been obeyed in full
    FILE = "file"  # the file in the reply is changed


class Number(StrEnum):
    """What the number in a fault's text means."""

    WHICH = "which request"
    TIMES = "how many requests"
    SECONDS = "seconds"


class _Group(NamedTuple):
    """What kinds of faults have in common."""

    place: Place
    phase: Phase
    number: Number


_UNREAD = _Group(Place.IMPORT, Phase.ARRIVAL, Number.WHICH)
_OBEYED = _Group(Place.IMPORT, Phase.REPLY, Number.WHICH)
_OBEYED_LATE = _Group(Place.IMPORT, Phase.REPLY, Number.SECONDS)
_NO_TOKEN = _Group(Place.ANY, Phase.CALL, Number.WHICH)
_REFUSED = _Group(Place.ANY, Phase.CALL, Number.TIMES)
_LOOKED_UP = _Group(Place.OTHER, Phase.CALL, Number.TIMES)
_QUEUE = _Group(Place.IMPORT, Phase.CALL, Number.TIMES)
_IDENTITY = _Group(Place.IDENTITY, Phase.REPLY, Number.TIMES)
_NO_FILE = _Group(Place.FAILURES, Phase.ARRIVAL, Number.TIMES)
_FILE = _Group(Place.FAILURES, Phase.FILE, Number.TIMES)


class FaultKind(StrEnum):
    """Everything that can be made to go wrong.

    Attributes:
        place: The call it strikes unless a fault says otherwise.
        phase: When it strikes.
        number: What the number in its text means.
        description: One line for people.
    """

    place: Place
    phase: Phase
    number: Number
    description: str

    def __new__(cls, value: str, group: _Group, description: str) -> Self:
        """Make a member out of its name and its facts."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.place, member.phase, member.number = group
        member.description = description
        return member

    CLOSED = "closed", _UNREAD, "the connection closes before the upload is read"
    HTTP_502 = "http-502", _UNREAD, "HTTP 502, nothing is queued"
    HTTP_503 = "http-503", _UNREAD, "HTTP 503, nothing is queued"
    HTTP_504 = "http-504", _UNREAD, "HTTP 504, nothing is queued"
    REDIRECT = "redirect", _UNREAD, "a redirect to another host, nothing is queued"

    LOST_REPLY = "lost-reply", _OBEYED, "queued, but the connection closes without a reply"
    HTTP_502_AFTER = "http-502-after", _OBEYED, "queued, but the reply is HTTP 502"
    HTTP_503_AFTER = "http-503-after", _OBEYED, "queued, but the reply is HTTP 503"
    HTTP_504_AFTER = "http-504-after", _OBEYED, "queued, but the reply is HTTP 504"
    HTML_REPLY = "html-reply", _OBEYED, "queued, but the reply is HTTP 200 with an HTML page"
    BROKEN_JSON = "broken-json", _OBEYED, "queued, but the reply breaks off in the middle"
    EMPTY_RESULT = "empty-result", _OBEYED, "queued, but the reply holds no result"
    JOB_FAILED = "job-failed", _OBEYED, "queued, but the job ends as Failed"
    SLOW_REPLY = "slow-reply", _OBEYED_LATE, "queued, but the reply comes seconds later"

    QUEUE_FULL = "queue-full", _QUEUE, "1016, the imports of others fill the queue"
    RATE_LIMIT = "rate-limit", _REFUSED, "606, too many calls in 20 seconds"
    DAILY_QUOTA = "daily-quota", _REFUSED, "607, the daily quota is used up"
    API_UNAVAILABLE = "api-unavailable", _REFUSED, "608, temporarily unavailable"
    SYSTEM_ERROR = "system-error", _REFUSED, "611, an unhandled error"
    TRANSIENT_ERROR = "transient-error", _REFUSED, "713, a transient error"
    ACCESS_DENIED = "access-denied", _LOOKED_UP, "603, the role lacks the permission for look-up calls"

    TOKEN_INVALID = "token-invalid", _NO_TOKEN, "601 until a new token is fetched"
    TOKEN_EXPIRED = "token-expired", _NO_TOKEN, "602 until a new token is fetched"
    EXPIRES_IN_0 = "expires-in-0", _IDENTITY, "a token that has no seconds left"

    FILE_502 = "file-502", _NO_FILE, "HTTP 502 first, then the failure file"
    FILE_NO_LOOKUP = "file-no-lookup", _FILE, "the lookup column is missing"
    FILE_REORDERED = "file-reordered", _FILE, "the rows stand in reverse order"
    FILE_TRIMMED = "file-trimmed", _FILE, "blanks around and inside values are cut"
    FILE_RECASED = "file-recased", _FILE, "values come back in lower case"
    FILE_REDATED = "file-redated", _FILE, "dates come back as month/day/year"
    FILE_ROUNDED = "file-rounded", _FILE, "decimal numbers come back rounded"
    FILE_SHORT = "file-short", _FILE, "one row less than was counted"
    FILE_TWICE = "file-twice", _FILE, "the first row comes twice, with two reasons"
    FILE_EMPTY = "file-empty", _FILE, "an empty file although rows failed"
    FILE_ODD_REASONS = "file-odd-reasons", _FILE, "reasons hold delimiters, quotes and line breaks"
    FILE_QUOTED = "file-quoted", _FILE, "every value is quoted"
    FILE_BOM_CRLF = "file-bom-crlf", _FILE, "a byte order mark and CRLF"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that shall go wrong.

    Each request meets the first fault of the list that is due, so faults of one place follow one another.
    What has struck is remembered with the sandbox's state and does not strike again after a restart.

    Attributes:
        kind: What goes wrong.
        at: The first request it may strike: 1 for the first ever at its place, refused ones included.
        times: How many requests it strikes; None for one, or for every one if the kind changes files.
        seconds: How long a slow reply takes, in real seconds.
        place: The call it strikes; None for the kind's own.
    """

    kind: FaultKind
    at: int = 1
    times: int | None = None
    seconds: float = 1.0
    place: Place | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the short form: a kind, and a number after a colon that the kind gives its meaning.

        `lost-reply:2` strikes the second upload, `queue-full:3` three uploads, `slow-reply:5` takes 5 s.

        Raises:
            ValueError: There is no such kind, or the number is none; the message names what there is.
        """
        name, colon, number = text.partition(":")
        kind = kind_of(name)
        if not colon:
            return cls(kind=kind)
        if not (number.isascii() and number.isdecimal() and int(number) > 0):
            raise ValueError(
                f"{text!r}: after the colon comes a whole number, {kind.number} for {kind}; {_known()}"
            )
        match kind.number:
            case Number.WHICH:
                return cls(kind=kind, at=int(number))
            case Number.TIMES:
                return cls(kind=kind, times=int(number))
            case Number.SECONDS:
                return cls(kind=kind, seconds=int(number))

    def strikes(self, phase: Phase, place: Place) -> bool:
        """Return whether it concerns a request at a place in a phase."""
        wanted = self.place or self.kind.place
        return self.kind.phase is phase and (
            wanted is place or (wanted is Place.ANY and place is not Place.IDENTITY)
        )

    def is_due(self, request_number: int, struck: int) -> bool:
        """Return whether it strikes the so many-th request at its place, having struck so often before."""
        times = self.times
        if times is None and self.kind.phase is not Phase.FILE:
            times = 1
        return request_number >= self.at and (times is None or struck < times)


def kind_of(name: str) -> FaultKind:
    """Return the kind that is called so.

    Raises:
        ValueError: There is none; the message names what there is.
    """
    for kind in FaultKind:
        if kind == name:
            return kind
    raise ValueError(f"unknown fault {name!r}; {_known()}")


def _known() -> str:
    return f"the faults are {', '.join(FaultKind)}"
