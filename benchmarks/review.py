"""`python -m benchmarks.review`: how quick the page of `prep review` is with 100,000 rejected rows."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.files import positive

_NEW_RUN = "prep clean, for comparison"


def main() -> int:
    """Make a run, open its page, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.review", description=__doc__)
    parser.add_argument("--rows", type=positive, default=100_000, help="rejected rows")
    parser.add_argument(
        "--chromium", default=shutil.which("chromium"), help="the browser; without one HTTP only"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _write_leads(Path("leads.csv"), options.rows)
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "prep", "clean", "leads.csv", "--quiet"], check=False)
        _print(_NEW_RUN, time.perf_counter() - begin)
        begin = time.perf_counter()
        command = [sys.executable, "-m", "prep", "review", "leads.prep", "--no-browser"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server:
            assert server.stdout is not None  # noqa: S101 (a pipe was asked for)
            address = server.stdout.readline().strip()
            _print("prep review until its address is printed", time.perf_counter() - begin)
            try:
                key = _key(address)
                if options.chromium:
                    _browse(address, key, options.chromium)
                _ask(address, key)
            finally:
                server.terminate()
    return 0


def _write_leads(path: Path, rows: int) -> None:
    wrong = ("lead{0}@example,com", "lead{0} at example.com", "lead{0}", "lead{0}@@example.com")
    with path.open("w", encoding="utf-8") as file:
        file.write("email,First Name,Last Name,Company,Country,Number of Employees,Date of Birth\n")
        file.write("lead@example.com,Ana,López,Winter Clocks,Spain,12,1990-05-04\n")
        for row in range(rows):
            file.write(f'"{wrong[row % 4].format(row)}",Ana,López,Winter Clocks,Spain,12,1990-05-04\n')


def _key(address: str) -> str:
    """The cookie that the address gives, once."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc)
    connection.request("GET", f"/?{parts.query}")
    cookie = connection.getresponse().headers["set-cookie"]
    connection.close()
    return str(cookie).partition(";")[0]


def _browse(address: str, key: str, chromium: str) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (HTTP alone does without)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        name, _, value = key.partition("=")
        page = browser.new_page()
        page.context.add_cookies([{"name": name, "value": value, "url": address.partition("?")[0]}])

        def seen(name: str, act: Callable[[], object], until: str) -> None:
            begin = time.perf_counter()
            act()
            page.wait_for_selector(until)
            _print(f"browser: {name}", time.perf_counter() - begin)

        ready = "body[data-ready] .tabulator-row"
        seen("page interactive (aim 2 s)", lambda: page.goto(address.partition("?")[0]), ready)
        seen("page interactive, loaded again", page.reload, ready)
        page.locator(".tabulator-row .tabulator-cell[tabulator-field=c0]").first.click()
        page.keyboard.type("lead@example.com")
        first = ".tabulator-row:first-child .standing"
        seen("edit, judged and shown (aim 0.3 s)", lambda: page.keyboard.press("Enter"), f"{first}.repaired")
        seen("undo", lambda: page.locator("#undo").click(), f"{first}.open")
        browser.close()


def _ask(address: str, key: str) -> None:
    parts = urlsplit(address)
    headers = {"cookie": key, "x-prep-token": key.partition("=")[2]}

    def ask(name: str, path: str, body: dict[str, object] | None = None) -> None:
        connection = HTTPConnection(parts.netloc)
        begin = time.perf_counter()
        content = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, content, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != HTTPStatus.OK:
            raise SystemExit(f"{name}: the server answered {answer.status}: {told.decode()}")
        _print(f"server: {name}", time.perf_counter() - begin)
        connection.close()

    ask("first page of 50 (aim 0.1 s)", "/api/rows?state=open&page=1")
    ask("last page, sorted by a column", "/api/rows?state=open&page=1900&sort=0&dir=desc")
    ask("a page of rows that hold a text", "/api/rows?text=4711&page=1")
    ask("counts and reasons", "/api/state")
    ask("one edit", "/api/edit", {"id": 7, "place": 0, "value": "seven@example.com"})
    view: dict[str, object] = {"reason": "email:invalid_email"}
    ask("replace a text in all rows", "/api/replace", {"view": view, "place": 0, "find": ",", "value": "."})
    ask("take all sure suggestions", "/api/accept", {"view": view, "reason": "email:invalid_email"})
    ask("undo that", "/api/undo", {})
    ask("make a new run", "/api/run", {})


def _print(name: str, seconds: float) -> None:
    print(f"{name:<48}{seconds:>9.3f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
