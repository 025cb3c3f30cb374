"""What each answer of Marketo means and what to do about it: the one table that everything else consults.

A code of the HTTP status line and a code inside the body are different things with the same digits,
so each row names its level. Codes that are not listed fall back to their hundred: see `http`
and `marketo`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from prep.limits import CALL_WINDOW_SECONDS

_DOCS = "https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest"
_ERROR_CODES: Final = f"{_DOCS}/error-codes"
_AUTHENTICATION: Final = f"{_DOCS}/authentication"
_BULK_IMPORT: Final = f"{_DOCS}/bulk-import/bulk-import"
_HTTP: Final = "https://www.rfc-editor.org/rfc/rfc9110#section-15"


class Action(StrEnum):
    """What to do about an answer."""

    RETRY = "retry"
    """Not executed; the same request may work after a pause."""

    NEW_TOKEN = "new token"  # noqa: S105  # a thing to do, not a password
    """Not executed; ask for a new token and repeat."""

    WAIT = "wait"
    """Not executed; repeat when a slot of the import queue is free. The scheduler waits, not the client."""

    STOP = "stop"
    """Not executed; it will fail again until something is changed."""

    UNKNOWN = "unknown"
    """Perhaps executed: an import must not be repeated without a decision."""


class Level(StrEnum):
    """Where in an answer a code stands."""

    HTTP = "http"
    RESPONSE = "response"
    RECORD = "record"


@dataclass(frozen=True)
class Code:
    """One row of the table.

    Attributes:
        level: Where the code stands.
        code: Its number.
        action: What to do about it.
        meaning: What happened, in one clause.
        hint: What a person can do; empty when it heals by itself or nobody can do anything.
        import_action: What to do when the call was an import, if that differs.
        pause_seconds: Shortest pause before a retry.
        source: The page that documents the code.
    """

    level: Level
    code: int
    action: Action
    meaning: str
    hint: str = ""
    import_action: Action | None = None
    pause_seconds: float = 0.0
    source: str = _ERROR_CODES

    @property
    def name(self) -> str:
        """The stable name that errors carry as their `code`, such as `marketo_606` or `http_503`."""
        return f"{'http' if self.level is Level.HTTP else 'marketo'}_{self.code}"

    @property
    def label(self) -> str:
        """The code as people write it, such as `code 606` or `HTTP 503`."""
        return f"{'HTTP' if self.level is Level.HTTP else 'code'} {self.code}"

    def action_for(self, *, importing: bool) -> Action:
        """What to do, given whether the call was an import."""
        return self.import_action or self.action if importing else self.action


def _http(
    code: int,
    action: Action,
    meaning: str,
    hint: str = "",
    *,
    importing: Action | None = None,
    pause: float = 0,
) -> Code:
    return Code(Level.HTTP, code, action, meaning, hint, importing, pause, _HTTP)


def _response(
    code: int,
    action: Action,
    meaning: str,
    hint: str = "",
    *,
    importing: Action | None = None,
    pause: float = 0,
    source: str = _ERROR_CODES,
) -> Code:
    return Code(Level.RESPONSE, code, action, meaning, hint, importing, pause, source)


def _record(code: int, action: Action, meaning: str, hint: str = "") -> Code:
    return Code(Level.RECORD, code, action, meaning, hint)


_ENDPOINT_HINT = "Compare MARKETO_ENDPOINT with Admin > Integration > Web Services > REST API."
_FIELD_HINT = (
    "Compare --lookup-field and the columns with `prep schema show lead` and Admin > Field Management."
)
_PLACE_HINT = (
    "Check --list-id, or --program: the number stands in the address of the list or program in Marketo; "
    "the list must be a static one."
)
_PARTITION_HINT = "Check --partition-name and the workspaces that the API user's role covers."
_SUPPORT_HINT = "Ask Marketo support and name the code."

TABLE: Final[tuple[Code, ...]] = (
    # A redirect is never followed. After 302 and 303 the request may already have been executed.
    _http(301, Action.STOP, "the address redirects elsewhere", _ENDPOINT_HINT),
    _http(302, Action.STOP, "the address redirects elsewhere", _ENDPOINT_HINT, importing=Action.UNKNOWN),
    _http(303, Action.STOP, "the address redirects elsewhere", _ENDPOINT_HINT, importing=Action.UNKNOWN),
    _http(307, Action.STOP, "the address redirects elsewhere", _ENDPOINT_HINT),
    _http(308, Action.STOP, "the address redirects elsewhere", _ENDPOINT_HINT),
    _http(401, Action.STOP, "the credentials are not accepted", "Check the client id and secret."),
    _http(
        403, Action.STOP, "access denied", "Check the allow-list of addresses of the instance, and any proxy."
    ),
    _http(404, Action.STOP, "no such address", _ENDPOINT_HINT),
    _http(408, Action.RETRY, "the server gave up waiting", importing=Action.UNKNOWN),
    _http(
        413,
        Action.STOP,
        "the upload is too large",
        "Have the limit of Marketo or of a proxy raised; or, only if nothing of the run was sent yet, clean "
        "again with a smaller --max-bytes.",
    ),
    _http(414, Action.STOP, "the address is too long"),
    _http(429, Action.RETRY, "too many calls", pause=CALL_WINDOW_SECONDS),
    _http(500, Action.RETRY, "internal error", importing=Action.UNKNOWN),
    _http(502, Action.RETRY, "bad gateway", importing=Action.UNKNOWN),
    _http(503, Action.RETRY, "not available", importing=Action.UNKNOWN),
    _http(504, Action.RETRY, "the gateway timed out", importing=Action.UNKNOWN),
    _response(500, Action.RETRY, "internal error", importing=Action.UNKNOWN),
    _response(502, Action.RETRY, "bad gateway", importing=Action.UNKNOWN),
    _response(600, Action.NEW_TOKEN, "no access token"),
    _response(601, Action.NEW_TOKEN, "the access token is not valid", source=_AUTHENTICATION),
    _response(602, Action.NEW_TOKEN, "the access token has expired", source=_AUTHENTICATION),
    _response(
        603,
        Action.STOP,
        "access denied",
        "The API user's role needs the permission Read-Write Lead, or Read-Write Custom Object for a custom "
        "object, and this machine's address must be on the instance's allow-list, if it has one.",
    ),
    _response(604, Action.RETRY, "the request timed out"),
    _response(605, Action.STOP, "the HTTP method is not supported", _ENDPOINT_HINT),
    _response(606, Action.RETRY, "too many calls in 20 seconds", pause=CALL_WINDOW_SECONDS),
    _response(607, Action.STOP, "the daily quota of API calls is used up"),
    _response(608, Action.RETRY, "the API is not available for the moment"),
    _response(609, Action.STOP, "the request holds invalid JSON", _SUPPORT_HINT),
    _response(610, Action.STOP, "no such resource", _ENDPOINT_HINT),
    _response(611, Action.RETRY, "system error"),
    _response(612, Action.STOP, "the content type is not supported", _SUPPORT_HINT),
    _response(613, Action.STOP, "the multipart body cannot be read", _SUPPORT_HINT),
    _response(
        614, Action.RETRY, "the subscription cannot be reached", "Check MARKETO_ENDPOINT if this lasts."
    ),
    _response(615, Action.RETRY, "too many calls at the same time"),
    _response(
        616, Action.STOP, "the subscription type does not allow this call", "Ask the owner of the instance."
    ),
    _response(701, Action.STOP, "a required parameter is blank"),
    _response(702, Action.STOP, "no data found"),
    _response(703, Action.STOP, "the feature is not enabled", "Ask the owner of the instance."),
    _response(704, Action.STOP, "a date has an invalid format"),
    _response(709, Action.STOP, "a business rule forbids it"),
    _response(710, Action.STOP, "the parent folder was not found"),
    _response(711, Action.STOP, "the folder type does not fit"),
    _response(712, Action.STOP, "the records cannot be merged"),
    # Of every 6xx Marketo says that nothing was executed, of a 7xx only that the request failed.
    _response(713, Action.RETRY, "a passing fault", importing=Action.UNKNOWN),
    _response(714, Action.STOP, "no default record type", _SUPPORT_HINT),
    _response(718, Action.STOP, "no such asset"),
    _response(719, Action.RETRY, "a lock was not free in time", importing=Action.UNKNOWN),
    _response(
        1003,
        Action.STOP,
        "the data is not valid; for an import: the file is empty",
        "Run `prep check` on the source: an upload needs a header and at least one row.",
    ),
    _response(1006, Action.STOP, "a field or the lookup field does not exist", _FIELD_HINT),
    _response(1008, Action.STOP, "the partition is not open to the API user", _PARTITION_HINT),
    _response(1009, Action.STOP, "a partition must be named", _PARTITION_HINT),
    _response(1011, Action.STOP, "the field cannot be used for look-up", _FIELD_HINT),
    _response(1013, Action.STOP, "the list, program, batch or other object does not exist", _PLACE_HINT),
    _response(
        1016,
        Action.WAIT,
        "the import queue is full",
        "Other integrations share the ten places; fewer can be used with --queue-slots.",
        source=_BULK_IMPORT,
    ),
    _response(
        1019,
        Action.WAIT,
        "another import into the same list is running",
        "One import at a time is possible for each static list.",
    ),
    _response(1022, Action.RETRY, "the object is in use"),
    _response(1029, Action.STOP, "the quota of bulk exports is used up"),
    _record(1001, Action.STOP, "the value does not fit the type of the field"),
    _record(1002, Action.STOP, "a required parameter is missing"),
    _record(1004, Action.STOP, "the lead does not exist"),
    _record(1005, Action.STOP, "the lead exists already"),
    _record(
        1007, Action.STOP, "several leads match the lookup value", "Merge the leads in Marketo, then retry."
    ),
    _record(1010, Action.STOP, "the lead cannot change its partition", _PARTITION_HINT),
    _record(1012, Action.STOP, "the cookie value is not valid"),
    _record(1014, Action.STOP, "the object could not be created", _SUPPORT_HINT),
    _record(1015, Action.STOP, "the lead is not in the list"),
    _record(1017, Action.STOP, "the object exists already"),
    _record(1018, Action.STOP, "the CRM integration manages this object"),
    _record(1021, Action.STOP, "company fields cannot be updated this way"),
    _record(
        1025,
        Action.STOP,
        "the program status does not exist",
        "Check --program-status: it must be a status of the program's channel.",
    ),
    _record(1026, Action.STOP, "custom objects are not enabled"),
    _record(1036, Action.STOP, "the input names one object twice"),
)

QUEUE_IS_BUSY: Final = frozenset(row.name for row in TABLE if row.action is Action.WAIT)
"""Names of the refusals after which the scheduler waits for a free slot."""

NO_SUCH_BATCH: Final = frozenset(
    {"http_404", "http_410", "marketo_610", "marketo_702"}
    | {f"marketo_{number}" for number in (1001, 1002, 1003, 1004, 1013)}
)
"""Refusals of a status call that can mean that Marketo does not know the batch id, or no longer.
What it really answers is not documented."""

NOT_ANSWERABLE: Final = "marketo_1003"
"""What a look-up is refused with that more than 1,000 leads match, or that holds a value Marketo cannot take.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/leads"""

NOT_OFFERED: Final = frozenset({"marketo_603", "marketo_610", "marketo_616", "marketo_703"})
"""Refusals of a call that tell of nothing but this call: the role may not make it, or there is none."""

NO_SUCH_ASSET: Final = frozenset({"marketo_702", "marketo_718"})
"""Refusals of a call for one asset that mean that there is none; mostly the answer is just empty."""

NO_SUCH_OBJECT: Final = frozenset({"marketo_1013", "marketo_1003", "marketo_702"})
"""Refusals of a describe call that can mean that there is no such custom object.
What it really answers is not documented."""

NO_FILE: Final = 404
"""HTTP status of a failure or warning file that does not exist. Documented for custom objects only:
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-custom-object-import"""

UNKNOWN_BATCH: Final = "unknown_batch"
"""Code of the error that says so."""

_BY_NUMBER: Final = {(row.level is Level.HTTP, row.code): row for row in TABLE}
_REFUSALS = range(400, 500)
_SERVER_ERRORS = range(500, 600)
_PLATFORM_ERRORS = range(600, 700)


def http(status: int) -> Code:
    """Return the row of an HTTP status; of unlisted ones, only a 4xx says that nothing was executed."""
    return _BY_NUMBER.get((True, status)) or _unlisted_http(status)


def marketo(code: int) -> Code:
    """Return the row of a code in the body; of unlisted ones, 6xx may pass and all others stop."""
    return _BY_NUMBER.get((False, code)) or _unlisted_marketo(code)


def _unlisted_http(status: int) -> Code:
    if status in _REFUSALS:
        return _http(status, Action.STOP, "the request is refused", _ENDPOINT_HINT)
    action = Action.RETRY if status in _SERVER_ERRORS else Action.STOP
    return _http(status, action, "an unexpected status", _ENDPOINT_HINT, importing=Action.UNKNOWN)


def _unlisted_marketo(code: int) -> Code:
    action = Action.RETRY if code in _PLATFORM_ERRORS else Action.STOP
    return _response(code, action, "a code that prep does not know", _SUPPORT_HINT)


QUOTA_ZONE: Final = ZoneInfo("America/Chicago")
"""The daily quota of calls starts anew at midnight of this zone.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/marketo-integration-best-practices"""


def quota_reset(moment: datetime) -> datetime:
    """Return the next midnight in US Central, in that zone, after an aware moment."""
    tomorrow = moment.astimezone(QUOTA_ZONE).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=QUOTA_ZONE)
