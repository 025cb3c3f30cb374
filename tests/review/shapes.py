"""Pages of runs in a browser, and what they are made of."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

import prep
from tests.report.samples import dom

from .conftest import served

_GENERATED = (
    *("style=", "content=", "height=", "width=", "tabindex="),
    *("aria-label=Show Page", "title=Show Page", "data-page="),
)
"""Attributes that differ from page to page and moment to moment; how others are numbered is not looked at."""

PLAIN = [f"text {number}" for number in range(60)]
"""Texts that make no element of their own, for more than a page."""

_LONGEST_NAME = 255
_PATIENCE_MS = 30_000
_ROWS_OF_A_PAGE = 50
_IS_AT_REST = "() => document.getElementById('grid').ariaBusy === 'false'"
_IS_FIRST = f"""number => document.querySelector('.standing b')?.textContent === number
  && ({_IS_AT_REST})()"""
_LIKE_A_FIELD = "Job Titlee"
_FREE = 2
"""A column that a text names and no field has."""


@contextmanager
def opened(browser: Browser, folder: Path, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """The page of a run, with all that the browser says or asks others for."""
    with served(folder, is_entered=False) as client:
        page = browser.new_page(**options)
        said: list[str] = []

        def note(request: Any) -> None:
            if client.host not in request.url and request.url != "data:,":
                said.append(request.url)

        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", note)
        page.goto(client.address)
        (cookie,) = page.context.cookies()
        client.key = cookie.get("value", "")
        page.wait_for_selector("body[data-ready]")
        yield page, said
        page.close()


def made_of(browser: Browser, texts: Sequence[str], name: str) -> tuple[set[tuple[str, ...]], list[str]]:
    """Every kind of element of the pages of a run whose cells, headers and file name are texts.

    Returns:
        Elements with their attributes, and what the browser said or asked others for.
    """
    quoted = [f'"{text.replace(chr(34), chr(34) * 2)}"' for text in texts]
    headers = [*(f"H{number} {text[1:-1]}" for number, text in enumerate(quoted[:2])), _LIKE_A_FIELD]
    lines = [",".join(["email", "Do Not Call", *(f'"{header}"' for header in headers)])]
    lines += [
        '"ana@gmial,com",ture',
        "ana@gmial.com,maybe",
        ",ture",
        ",maybe",
        "nobody,yes",
    ]  # all that a cell can show
    lines = [lines[0], *(line + "," * len(headers) for line in lines[1:])]
    lines += [f'"a b{text[1:]},{text},{text},{text},' for text in quoted]
    Path(f"{name}.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    run = prep.clean(
        f"{name}.csv",
        f"{name}.prep",
        unknown="drop",
        maps={"Do Not Call": "doNotCall"},
        header_line=1,
        encoding="utf-8",
        delimiter=",",
    )
    found = set()
    with opened(browser, run.path) as (page, said):
        page.locator("#state").select_option("")
        for first in range(1, run.counts["rejected"] + 1, _ROWS_OF_A_PAGE):
            if first > 1:
                page.locator(".tabulator-page[data-page=next]").click()
            page.wait_for_function(_IS_FIRST, arg=f"{first:,}")
            found |= _shapes(page)
        expect(page.locator(".tabulator-page[data-page=next]")).to_be_disabled()
        page.locator(".tabulator-row .tabulator-cell[tabulator-field=c1]").first.click()
        page.keyboard.press("Escape")
        found |= _shapes_of_dialogues(page)
        return found, [text for text in said if "409" not in text]


def made_of_names(
    browser: Browser, headers: Sequence[str], names: Sequence[str], folder: str
) -> tuple[set[tuple[str, ...]], list[str]]:
    """Every kind of element of the page of a run whose headers, and whose sources' names, are texts.

    Names that no file can have, or that are like another one, are left out.

    Returns:
        As `made_of`.
    """
    Path(folder).mkdir()
    quoted = [f'"{text.replace(chr(34), chr(34) * 2)}"' for text in dict.fromkeys([*headers, _LIKE_A_FIELD])]
    widest = Path(folder) / "widest.csv"
    widest.write_text(f"email,{','.join(quoted)}\nnobody{',x' * len(quoted)}\n", encoding="utf-8")
    paths = [widest]
    for text in names:
        path = Path(folder) / f"{text.replace('/', chr(0x2215))}.csv"
        if len(os.fsencode(path.name)) <= _LONGEST_NAME and not path.exists():
            path.write_text(f"email\nperson{len(paths)}@example.com\n", encoding="utf-8")
            paths.append(path)
    run = prep.clean(paths, f"{folder}.prep", unknown="drop", header_line=1, encoding="utf-8", delimiter=",")
    with opened(browser, run.path) as (page, said):
        page.locator("#state").select_option("")
        expect(page.locator("#rows-title")).to_have_text("1 row shown")
        shown = page.locator("#remap").text_content() or ""
        assert all(path.name[:12] in shown for path in paths if "'" not in path.name)
        return _shapes(page) | _shapes_of_dialogues(page), [text for text in said if "409" not in text]


def _shapes_of_dialogues(page: Page) -> set[tuple[str, ...]]:
    """What is shown where cells are changed, and where a column that is called by a text becomes a field.

    The field is first one that is taken, then one that is not.
    """
    page.locator("#bulk").click()
    found = _shapes(page)
    page.locator("#changing-cancel").click()
    page.locator("#mapping-title").click()
    choice = page.locator("#mapping select").nth(_FREE)
    choice.focus()
    choice.select_option(label="email · Email Address")
    page.locator("#map-apply").click()
    expect(page.locator("#map-error")).to_contain_text("maps to 'email'", timeout=_PATIENCE_MS)
    found |= _shapes(page)
    choice.select_option(label="title · Job Title")
    page.locator("#map-apply").click()
    expect(page.locator("#said")).to_contain_text("Judged anew", timeout=_PATIENCE_MS)
    return found | _shapes(page)


def _shapes(page: Page) -> set[tuple[str, ...]]:
    page.wait_for_function(_IS_AT_REST)
    return {
        tuple(re.sub(r"[0-9]+", "0", part) for part in element if not part.startswith(_GENERATED))
        for element in dom(page)
    }
