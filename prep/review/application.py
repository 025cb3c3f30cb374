"""HTTP in and out: every request is held against token and host before anything else happens."""

import json
import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from hmac import compare_digest
from importlib.resources import files
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from prep.errors import PrepError
from prep.pipeline import retry
from prep.report.page import read_style
from prep.review.answers import describe, describe_mapping, describe_run, page, show_rows
from prep.review.desk import OPEN, OUT, REPAIRED, Desk, View

HEADER: Final = "x-prep-token"
_CHANGING: Final = frozenset({"POST"})
_MAX_BODY_BYTES: Final = 4_000_000
_MAX_PAGE: Final = 200
_MAX_NUMBER: Final = 2**31
_BY_ROW: Final = -1

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_USED: Final = (
    "This address was opened already, and is good once. The page stays open in the browser that was first.\n"
    "To open it here, or if that was not you, end prep review with Ctrl-C and run the same command again: "
    "that gives a new address, and corrections are kept."
)

_ASSETS: Final = {
    "tabulator.min.js": "text/javascript",
    "tabulator.min.css": "text/css",
    "review.js": "text/javascript",
    "grid.js": "text/javascript",
    "review.css": "text/css",
}


class Gate:
    """Lets requests pass that know the key and mean this server; others get 403, whatever they ask for.

    The token of the address is good once, and gives the key as a cookie: the address stands on the command
    line of the browser, where others on this machine can read it. A page of another site cannot read the key,
    and a name that was made to point here does not help: the
    `Host` header must be the loopback address that was printed.
    """

    def __init__(self, application: ASGIApp, *, token: str, key: str, port: int) -> None:
        self._application = application
        self._token = token
        self._is_used = False
        self._key = key
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = cookie_name(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let somebody answer who sits behind."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        refusal = self._refuse(request)
        if refusal is None and request.method == "GET" and "token" in request.query_params:
            self._is_used = True
            answer: ASGIApp = RedirectResponse("/", 303)
            answer.set_cookie(self._cookie, self._key, httponly=True, samesite="strict", path="/")  # type: ignore[attr-defined]
        else:
            answer = refusal or self._application

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                guard = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *guard]}
            await send(message)

        is_shown = os.environ.get("PREP_DEBUG")
        with nullcontext() if is_shown else suppress(Exception):  # it was answered; tracebacks hold cells
            await answer(scope, receive, send_guarded)

    def _refuse(self, request: Request) -> Response | None:
        origin = request.headers.get("origin")
        if request.headers.get("host") not in self._hosts:
            return _forbidden("This address is not the one that prep review printed.")
        if origin is not None and origin.removeprefix("http://") not in self._hosts:
            return _forbidden("Requests of other pages are refused.")
        if request.method in _CHANGING:
            shown = request.headers.get(HEADER)
        else:
            shown = request.cookies.get(self._cookie)
        if _is_same(shown, self._key):
            return None
        if request.method == "GET" and _is_same(request.query_params.get("token"), self._token):
            return _forbidden(_USED) if self._is_used else None
        return _forbidden("Open the address that prep review printed; each start has its own.")


def _is_same(shown: str | None, known: str) -> bool:
    return shown is not None and compare_digest(shown.encode(), known.encode())


def cookie_name(port: int) -> str:
    """Cookies do not tell ports apart: each server has a name of its own."""
    return f"prep_review_{port}"


def make_application(
    desk: Desk, *, reopen: Callable[[], Desk], token: str, key: str, port: int, on_done: Callable[[], None]
) -> ASGIApp:
    """The page and what it calls, behind the gate.

    Args:
        desk: The rows.
        reopen: Closes the rows, and gives them as they are now.
        token: What the address holds; it is good once.
        key: What every other request has to know.
        port: Where the server listens.
        on_done: Called when the user is done.
    """
    calls = _Calls(desk, reopen, key, on_done)
    routes = [
        Route("/", calls.index),
        Route("/static/{name}", calls.asset),
        Route("/api/state", calls.state),
        Route("/api/rows", calls.rows),
        Route("/api/mapping", calls.mapping),
        *(Route(f"/api/{name}", calls.change(name), methods=["POST"]) for name in _Calls.CHANGES),
    ]
    handlers = {PrepError: _tell, HTTPException: _say, Exception: _admit}
    application = Starlette(routes=routes, exception_handlers=handlers)
    return Gate(application, token=token, key=key, port=port)


class _Calls:
    """What the page calls; work on rows is done beside the event loop."""

    CHANGES: Final = (
        *("edit", "fill", "replace", "accept", "leave", "map"),
        *("undo", "redo", "reload", "run", "done"),
    )

    def __init__(self, desk: Desk, reopen: Callable[[], Desk], key: str, on_done: Callable[[], None]) -> None:
        self._desk = desk
        self._reopen = reopen
        self._key = key
        self._on_done = on_done

    async def index(self, _: Request) -> Response:
        """The page; it knows the key, and nothing else of the run."""
        text = _read("index.html").replace("{{token}}", self._key)
        return Response(text, media_type="text/html; charset=utf-8")

    async def asset(self, request: Request) -> Response:
        """Style and script."""
        name = request.path_params["name"]
        if name == "report.css":
            return Response(read_style(), media_type="text/css; charset=utf-8")
        if name not in _ASSETS:
            raise HTTPException(404)
        return Response(_read(name), media_type=f"{_ASSETS[name]}; charset=utf-8")

    async def state(self, _: Request) -> Response:
        """What holds for the whole page."""
        return JSONResponse(await run_in_threadpool(describe, self._desk))

    async def mapping(self, _: Request) -> Response:
        """How columns map, and what else they can become."""
        return JSONResponse(await run_in_threadpool(describe_mapping, self._desk))

    async def rows(self, request: Request) -> Response:
        """One page of rows."""
        asked = request.query_params
        view = self._view(dict(asked))
        number, size = _number(asked.get("page", "1")), _number(asked.get("size", "50"))
        return JSONResponse(
            await run_in_threadpool(page, self._desk, view, max(1, number), max(1, min(size, _MAX_PAGE)))
        )

    def change(self, name: str) -> Callable[[Request], Any]:
        """What answers a POST."""

        async def answer(request: Request) -> Response:
            length = _number(request.headers.get("content-length", "0"))
            if length > _MAX_BODY_BYTES:
                raise HTTPException(413)
            told = _told(await request.body()) if length else {}
            return JSONResponse(await run_in_threadpool(getattr(self, f"_{name}"), told))

        return answer

    def _edit(self, told: dict[str, Any]) -> dict[str, Any]:
        record, value = _integer(told, "id"), told.get("value")
        self._desk.edit(record, self._column(told), None if value is None else _text(told, "value"))
        return self._after(records=[record])

    def _fill(self, told: dict[str, Any]) -> dict[str, Any]:
        count = self._desk.fill(self._told_view(told), self._column(told), _text(told, "value"))
        return self._after(cells=count)

    def _replace(self, told: dict[str, Any]) -> dict[str, Any]:
        find, value = _text(told, "find"), _text(told, "value")
        return self._after(cells=self._desk.replace(self._told_view(told), self._column(told), find, value))

    def _accept(self, told: dict[str, Any]) -> dict[str, Any]:
        return self._after(cells=self._desk.accept(self._told_view(told), _text(told, "reason")))

    def _leave(self, told: dict[str, Any]) -> dict[str, Any]:
        is_left_out = bool(told.get("leftOut", True))
        if "id" in told:
            records = [_integer(told, "id")]
            if records[0] >= self._desk.rows.height:
                raise HTTPException(400)
            self._desk.leave_out(records, is_left_out=is_left_out)
            return self._after(records=records)
        records_shown = self._desk.select(self._told_view(told))["_record"]
        return self._after(cells=self._desk.leave_out(records_shown, is_left_out=is_left_out))

    def _map(self, told: dict[str, Any]) -> dict[str, Any]:
        self._desk.remap(_maps(told))
        return self._after()

    def _undo(self, _: dict[str, Any]) -> dict[str, Any]:
        self._desk.undo()
        return self._after()

    def _redo(self, _: dict[str, Any]) -> dict[str, Any]:
        self._desk.redo()
        return self._after()

    def _reload(self, _: dict[str, Any]) -> dict[str, Any]:
        with self._desk.lock:
            fresh = self._reopen()
            fresh.version = self._desk.version + 1
            self._desk = fresh
        return self._after()

    def _run(self, _: dict[str, Any]) -> dict[str, Any]:
        with self._desk.lock:
            run = retry(self._desk.folder.path)
        return {"run": describe_run(run), **self._after()}

    def _done(self, _: dict[str, Any]) -> dict[str, Any]:
        self._on_done()
        return {}

    def _after(self, *, records: list[int] | None = None, cells: int | None = None) -> dict[str, Any]:
        """What the page is to know after a change."""
        with self._desk.lock:
            rows = show_rows(self._desk, self._desk.rows[records]) if records else []
            return {"state": describe(self._desk), "rows": rows, "cells": cells}

    def _column(self, told: dict[str, Any]) -> int:
        place = _integer(told, "place")
        if str(place) not in self._desk.sheet.names:
            raise HTTPException(400)
        return place

    def _told_view(self, told: dict[str, Any]) -> View:
        view = told.get("view")
        if not isinstance(view, dict):
            raise HTTPException(400)
        return self._view(view)

    def _view(self, asked: dict[str, Any]) -> View:
        reason, state = asked.get("reason") or None, asked.get("state") or None
        if state not in (None, OPEN, REPAIRED, OUT) or not isinstance(reason, str | None):
            raise HTTPException(400)
        place, sort = _place(asked.get("place")), _place(asked.get("sort"))
        columns = {None, *map(int, self._desk.sheet.names)}
        if place not in columns or sort not in columns | {_BY_ROW}:
            raise HTTPException(400)
        return View(
            reason=reason,
            state=state,
            text=str(asked.get("text") or ""),
            place=place,
            sort=sort,
            descending=asked.get("dir") == "desc",
        )


def _told(body: bytes) -> dict[str, Any]:
    """What a POST says; half a character, which JSON can spell, is none."""
    try:
        told = json.loads(body)
        json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise HTTPException(400) from None
    if not isinstance(told, dict):
        raise HTTPException(400)
    return told


def _place(asked: Any) -> int | None:
    return None if asked is None or asked == "" else _number(str(asked))


def _number(text: str) -> int:
    with suppress(ValueError):
        if abs(number := int(text)) < _MAX_NUMBER:
            return number
    raise HTTPException(400)


def _integer(told: dict[str, Any], name: str) -> int:
    value = told.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MAX_NUMBER:
        raise HTTPException(400)
    return value


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str):
        raise HTTPException(400)
    return value


def _maps(told: dict[str, Any]) -> dict[str, str]:
    """Pairs of a header and a field: headers may be what objects of JavaScript take for something else."""
    pairs = told.get("maps")
    if not isinstance(pairs, list):
        raise HTTPException(400)
    for pair in pairs:
        match pair:
            case [str(), str()]:
                continue
            case _:
                raise HTTPException(400)
    return dict(pairs)


def _read(name: str) -> str:
    return (files("prep.review") / "static" / name).read_text(encoding="utf-8")


def _forbidden(message: str) -> Response:
    return Response(f"{message}\n", 403, media_type="text/plain")


async def _tell(_: Request, error: Exception) -> Response:
    """An error of prep, in the words that the command line would use."""
    facts = error.facts if isinstance(error, PrepError) else {}
    return JSONResponse({"error": facts}, 409)


async def _say(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"error": {"message": "prep did not understand the page; reload it."}}, status)


async def _admit(_: Request, __: Exception) -> Response:
    message = "prep met a defect of its own. PREP_DEBUG=1 shows more, which may hold values of your file."
    return JSONResponse({"error": {"message": message}}, 500)
