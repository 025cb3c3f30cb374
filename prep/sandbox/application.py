"""HTTP in and out: from a request to a call, from its answer to a reply, and the faults between them."""

import asyncio
import gzip
import re
from contextlib import suppress
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from prep.sandbox.errors import MarketoError
from prep.sandbox.faults import Fault, FaultKind, Phase, Place
from prep.sandbox.multipart import parse_multipart
from prep.sandbox.replies import Answer, Call, envelope, page, refusal
from prep.sandbox.routes import ROUTES, Route
from prep.sandbox.state import State

MAX_OTHER_BODY_BYTES: Final = 1_000_000
MAX_URI_BYTES: Final = 8 * 1024
"""Both: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/error-codes"""

GZIP_FROM_BYTES: Final = 1024
"""https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/performance"""

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
OTHER_HOST: Final = "https://elsewhere.invalid"

_GATEWAY_STATUS: Final = {
    FaultKind.FILE_502: 502,
    FaultKind.HTTP_502: 502,
    FaultKind.HTTP_503: 503,
    FaultKind.HTTP_504: 504,
    FaultKind.HTTP_502_AFTER: 502,
    FaultKind.HTTP_503_AFTER: 503,
    FaultKind.HTTP_504_AFTER: 504,
    FaultKind.HTML_REPLY: 200,
}

_REFUSALS: Final = {
    FaultKind.RATE_LIMIT: ("606", "Max rate limit '100' exceeded with in '20' secs"),
    FaultKind.DAILY_QUOTA: ("607", "Daily quota reached"),
    FaultKind.API_UNAVAILABLE: ("608", "API Temporarily Unavailable"),
    FaultKind.SYSTEM_ERROR: ("611", "System error"),
    FaultKind.TRANSIENT_ERROR: ("713", "Transient Error"),
    FaultKind.ACCESS_DENIED: ("603", "Access denied"),
    FaultKind.QUEUE_FULL: ("1016", "There are 10 imports currently being processed. Please try again later"),
}


class Named(NamedTuple):
    """What a path names: an id, and the name of an object."""

    argument: int = 0
    name: str = ""


class Application:
    """The ASGI application.

    Args:
        state: What the sandbox remembers.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._calls_under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        self._calls_under_way += 1
        try:
            answer = await self._answer(request)
            await _wait(answer.delay_seconds, receive)
        except ClientDisconnect:
            return
        finally:
            self._calls_under_way -= 1
        if answer.status is None:
            await _close(request, receive)
        else:
            await _response(request, answer, answer.status)(scope, receive, send)

    async def _answer(self, request: Request) -> Answer:
        route, named = _route(_path(request))
        place = route.place if route else Place.OTHER
        if fault := self._state.take_fault(Phase.ARRIVAL, place):
            answer = await _struck(fault, request)
        else:
            limit = self._state.behaviour.max_body_bytes if place is Place.IMPORT else MAX_OTHER_BODY_BYTES
            body = await _body(request, limit)
            with self._state.database.lock:
                answer = self._judge(request, route, named, body)
                if answer.status == HTTPStatus.OK and answer.code is None:
                    answer = self._after(self._state.take_fault(Phase.REPLY, place), answer)
        self._record(request, place, named.argument, answer)
        return answer

    def _record(self, request: Request, place: Place, argument: int, answer: Answer) -> None:
        with_job = place in (Place.STATUS, Place.FAILURES, Place.WARNINGS)
        self._state.record(
            method=request.method,
            path=_path(request),
            query=tuple(name for name, _ in parse_qsl(_query(request), keep_blank_values=True)),
            place=place,
            status=answer.status,
            code=answer.code,
            batch_id=argument if with_job else answer.batch_id,
        )

    def _judge(self, request: Request, route: Route | None, named: Named, body: bytes | None) -> Answer:
        if _host(request) not in LOOPBACK_NAMES:
            return page(403)
        if _uri_length(request) > MAX_URI_BYTES:
            return page(414)
        if body is None:
            return page(413)
        try:
            return self._perform(request, route, named, body)
        except MarketoError as error:
            return refusal(self._state, error)

    def _perform(self, request: Request, route: Route | None, named: Named, body: bytes) -> Answer:
        if route is None:
            raise MarketoError("610", "Requested resource not found")
        if route.place is Place.IDENTITY:
            return route.handler(self._state, _call(request, named, body))
        if self._calls_under_way > self._state.behaviour.concurrent_calls:
            raise MarketoError("615", "Concurrent access limit reached")
        fault = self._state.take_fault(Phase.CALL, route.place)
        if fault and fault.kind in (FaultKind.TOKEN_EXPIRED, FaultKind.TOKEN_INVALID):
            self._state.end_token(forget=fault.kind is FaultKind.TOKEN_INVALID)
        self._state.check_token(self._token(request, named, body))
        self._state.check_limits()
        if fault and fault.kind in _REFUSALS:
            raise MarketoError(*_REFUSALS[fault.kind])
        call = _call(request, named, body)
        if call.method not in route.methods:
            raise MarketoError("605", "HTTP Method not supported")
        return route.handler(self._state, call)

    def _token(self, request: Request, named: Named, body: bytes) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
        if self._state.behaviour.legacy_token:
            return _call(request, named, body).parameters.get("access_token")
        return None

    def _after(self, fault: Fault | None, answer: Answer) -> Answer:
        """Return what becomes of an answer that went well."""
        if fault is None:
            return answer
        content = answer.content
        match fault.kind:
            case FaultKind.LOST_REPLY:
                answer = answer._replace(status=None)
            case FaultKind.SLOW_REPLY:
                answer = answer._replace(delay_seconds=fault.seconds)
            case FaultKind.BROKEN_JSON:
                answer = answer._replace(content=content[: len(content) // 2])
            case FaultKind.EMPTY_RESULT:
                answer = answer._replace(content=envelope(self._state, result=[], success=True))
            case FaultKind.JOB_FAILED:
                self._state.jobs.doom(answer.batch_id)
            case FaultKind.EXPIRES_IN_0:
                self._state.end_token(forget=False)
                answer = answer._replace(content=re.sub(rb'"expires_in":[0-9]+', b'"expires_in":0', content))
            case kind:
                answer = page(_GATEWAY_STATUS[kind])._replace(batch_id=answer.batch_id)
        return answer


async def _struck(fault: Fault, request: Request) -> Answer:
    """Answer a request that is not looked at."""
    if fault.kind is FaultKind.CLOSED:
        return Answer(b"", status=None)
    await _body(request, 0)
    if fault.kind is FaultKind.REDIRECT:
        return Answer(b"", 307, location=OTHER_HOST + _path(request))
    return page(_GATEWAY_STATUS[fault.kind])


async def _wait(seconds: float, receive: Receive) -> None:
    """Let real seconds pass, or fewer when the client leaves."""
    if seconds:
        with suppress(TimeoutError):
            await asyncio.wait_for(receive(), seconds)


async def _close(request: Request, receive: Receive) -> None:
    """Close the connection without a reply."""
    request.state.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _route(path: str) -> tuple[Route | None, Named]:
    for route in ROUTES:
        if match := route.pattern.fullmatch(path):
            found = match.groupdict()
            return route, Named(int(found.get("argument", 0)), found.get("name", ""))
    return None, Named()


def _path(request: Request) -> str:
    return str(request.scope["path"])


def _query(request: Request) -> str:
    return bytes(request.scope["query_string"]).decode("ascii", errors="replace")


def _uri_length(request: Request) -> int:
    query = _query(request)
    return len(request.scope["raw_path"]) + (1 + len(query) if query else 0)


def _host(request: Request) -> str:
    return re.sub(r":[0-9]+$", "", request.headers.get("host", "")).lower()


async def _body(request: Request, limit: int) -> bytes | None:
    """Read a body to its end; None when it is longer than allowed, which is told only after reading it."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
    return b"".join(chunks) if size <= limit else None


def _call(request: Request, named: Named, body: bytes) -> Call:
    query = _parameters(_query(request))
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        parts = parse_multipart(content_type, body)
        upload = parts.pop("file", None)
        form = {name: content.decode(errors="replace") for name, content in parts.items()}
        return Call(request.method, form | query, upload, *named)
    if kind == "application/x-www-form-urlencoded":
        parameters = _parameters(body.decode(errors="replace")) | query
        return Call(parameters.get("_method", request.method).upper(), parameters, None, *named)
    if request.method == "POST" and _path(request).startswith("/bulk/"):
        raise MarketoError("612", "Invalid Content Type")
    return Call(request.method, query, None, *named)


def _parameters(text: str) -> dict[str, str]:
    """Return parameters by name; a name that repeats holds its values joined by commas."""
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _response(request: Request, answer: Answer, status: int) -> Response:
    headers = {"content-type": answer.content_type}
    if answer.location:
        headers["location"] = answer.location
    if _path(request).startswith("/identity/"):
        headers |= {"cache-control": "no-store", "pragma": "no-cache"}
    content = answer.content
    compressible = len(content) >= GZIP_FROM_BYTES and not _path(request).startswith("/bulk/")
    if compressible and "gzip" in request.headers.get("accept-encoding", ""):
        content = gzip.compress(content, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(content, status, headers)
