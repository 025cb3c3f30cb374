"""Judges replies: what was asked for, or a problem and what to do about it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prep.errors import OutcomeUnknownError, PrepError, TerminalError, TransientError
from prep.marketo import codes
from prep.marketo.codes import Action, Code
from prep.marketo.records import mapping, whole
from prep.marketo.transport import Call, Reply, Secret, SendError

_OK = 200
_UNAUTHORIZED = 401
_BAD_REQUEST = 400
_QUOTA_USED_UP = "marketo_607"


@dataclass(frozen=True)
class Problem:
    """An answer that is not what was asked for.

    Attributes:
        action: What to do.
        error: What to raise when nothing helps.
        pause_seconds: Shortest pause before a retry.
    """

    action: Action
    error: PrepError
    pause_seconds: float = 0.0


@dataclass(frozen=True)
class Grant:
    """A token and the seconds that it still lives."""

    token: Secret
    expires_in: int


def rows(call: Call, reply: Reply, now: float) -> list[object] | Problem:
    """Return the `result` of an envelope that reports success; a missing one is empty."""
    if reply.status != _OK:
        return refused(call, codes.http(reply.status), now)
    envelope = _decoded(reply.content)
    numbers, result = _codes(envelope), envelope.get("result")
    has_succeeded = envelope.get("success") is True
    if has_succeeded and not numbers:
        return result if isinstance(result, list) else []
    if has_succeeded or result or not numbers or None in numbers:
        return unclear(call)
    return refused(call, _worst(call, numbers), now)


def next_page(reply: Reply) -> str:
    """Return the token of the next page, empty on the last one."""
    token = _decoded(reply.content).get("nextPageToken")
    return token if isinstance(token, str) else ""


def file(call: Call, reply: Reply, now: float) -> bytes | Problem:
    """Return a failure or warning file as received; none at all is empty.

    What the Content-Type says is not relied upon: the specification and real instances differ.
    """
    if reply.status == codes.NO_FILE:
        return b""
    if reply.status != _OK:
        return refused(call, codes.http(reply.status), now)
    start = reply.content[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):  # a page or XML: no name of a field begins so
        return unclear(call)
    if start.startswith(b"{") and _decoded(reply.content).keys() & {"success", "errors"}:
        answer = rows(call, reply, now)
        return answer if isinstance(answer, Problem) else b""
    return reply.content


def grant(call: Call, reply: Reply, now: float) -> Grant | Problem:
    """Return the token of an identity answer."""
    body = _decoded(reply.content)
    if reply.status == _UNAUTHORIZED or (reply.status == _BAD_REQUEST and "error" in body):
        return Problem(Action.STOP, _bad_credentials())
    if reply.status != _OK:
        return refused(call, codes.http(reply.status), now)
    token, seconds = body.get("access_token"), whole(body.get("expires_in"))
    if not isinstance(token, str) or not _is_printable(token) or seconds is None:
        numbers = _codes(body)
        return refused(call, _worst(call, numbers), now) if numbers and None not in numbers else unclear(call)
    return Grant(Secret(token), seconds)


def refused(call: Call, row: Code, now: float) -> Problem:
    """Return the problem that a row of the table describes."""
    action = row.action_for(importing=call.is_import)
    message, hint = f"{call}: Marketo answered with {row.label}: {row.meaning}", row.hint
    if row.name == _QUOTA_USED_UP:
        reset = codes.quota_reset(datetime.fromtimestamp(now, UTC))
        local, universal = f"{reset:%Y-%m-%d %H:%M %Z}", f"{reset.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        message += f"; it starts anew at {local} ({universal})"
        hint = "prep resume DIR carries on after that."
    return Problem(action, _error(action, message, row.name, hint), row.pause_seconds)


def unanswered(call: Call, failure: SendError) -> Problem:
    """Return the problem that no answer is: an import may have arrived, unless its body never left whole."""
    error = failure.error
    if call.is_import and failure.left_whole:
        return Problem(Action.UNKNOWN, _error(Action.UNKNOWN, error.message, error.code, _UNKNOWN_HINT))
    return Problem(Action.STOP if isinstance(error, TerminalError) else Action.RETRY, error)


def unclear(call: Call) -> Problem:
    """Return the problem that an answer is which cannot be understood."""
    action = Action.UNKNOWN if call.is_import else Action.RETRY
    return Problem(action, _error(action, f"{call}: the answer cannot be understood", "unclear_reply"))


_UNKNOWN_HINT = "Look in Marketo whether the rows arrived, then `prep resume DIR --assume landed|lost CHUNK`."


def _error(action: Action, message: str, code: str, hint: str = "") -> PrepError:
    match action:
        case Action.STOP:
            return TerminalError(message, code=code, hint=hint)
        case Action.UNKNOWN:
            return OutcomeUnknownError(message, code=code, hint=_UNKNOWN_HINT)
        case Action.RETRY | Action.NEW_TOKEN | Action.WAIT:
            return TransientError(message, code=code, hint=hint)


def _bad_credentials() -> TerminalError:
    return TerminalError(
        "Marketo does not accept the client id and secret",
        code="bad_credentials",
        hint="Compare MARKETO_CLIENT_ID and MARKETO_CLIENT_SECRET with Admin > Integration > LaunchPoint.",
    )


def _decoded(content: bytes) -> dict[str, object]:
    try:
        return mapping(json.loads(content))
    except (ValueError, RecursionError):
        return {}


def _codes(envelope: dict[str, object]) -> list[int | None]:
    """Return the codes of all errors, None for one that cannot be read."""
    errors = envelope.get("errors")
    return [whole(mapping(error).get("code")) for error in errors] if isinstance(errors, list) else []


def _worst(call: Call, numbers: Sequence[int | None]) -> Code:
    """Return the row of the first code, unless a later one says that an import may have been executed."""
    found = [codes.marketo(number) for number in numbers if number is not None]
    doubtful = (row for row in found if row.action_for(importing=call.is_import) is Action.UNKNOWN)
    return next(doubtful, found[0])


def _is_printable(token: str) -> bool:
    return bool(token) and token.isascii() and token.isprintable() and " " not in token
