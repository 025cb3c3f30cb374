"""What a call is, and what is replied to it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple

from prep.sandbox.errors import MarketoError
from prep.sandbox.state import State

JSON_TYPE: Final = "application/json;charset=UTF-8"


@dataclass(frozen=True)
class Call:
    """One request, read in full.

    Attributes:
        method: The HTTP method, after `_method` has been obeyed.
        parameters: Parameters of the query and the body; the query wins.
        upload: Content of the multipart part `file`, None when there is none.
        argument: The id inside the path, if any.
        name: The name of an object inside the path, if any.
    """

    method: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    upload: bytes | None = None
    argument: int = 0
    name: str = ""


class Answer(NamedTuple):
    """A reply, before anything happens to it on the way.

    Attributes:
        content: The body.
        status: The HTTP status; None closes the connection instead.
        content_type: The header.
        code: Marketo's error code inside, for the journal.
        batch_id: The job concerned, for the journal.
        location: The header of a redirect.
        delay_seconds: Real seconds to wait before it is sent.
    """

    content: bytes
    status: int | None = 200
    content_type: str = JSON_TYPE
    code: str | None = None
    batch_id: int | None = None
    location: str | None = None
    delay_seconds: float = 0


def envelope(state: State, **content: object) -> bytes:
    """Return a JSON body of Marketo's usual form."""
    body = {"requestId": state.next_request_id(), **content}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def success(state: State, result: Iterable[object], **more: object) -> Answer:
    """Return a reply that carries results."""
    return Answer(envelope(state, result=list(result), success=True, **more))


def refusal(state: State, error: MarketoError) -> Answer:
    """Return a reply that carries an error; HTTP says 200 all the same."""
    code: str | int = int(error.code) if state.behaviour.numeric_codes else error.code
    warnings: dict[str, object] = {"warnings": []} if error.code == "610" else {}
    errors = [{"code": code, "message": error.message}]
    return Answer(envelope(state, success=False, **warnings, errors=errors), code=error.code)


def page(status: int) -> Answer:
    """Return the HTML page that a web server in front of Marketo would send."""
    title = HTTPStatus(status).phrase
    html = f"<html><head><title>{status} {title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Answer(html.encode(), status, "text/html")
