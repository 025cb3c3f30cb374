"""Naughty strings as header, cell and name of a file: on the page they are text."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import prep
from prep.report.page import render_page
from tests.payloads import naughty
from tests.report.samples import dom, report_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def _made_of(browser: "Browser", html: str, file: Path) -> tuple[list[Any], list[str]]:
    file.write_text(html, encoding="utf-8")
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    found = dom(page)
    page.close()
    said.remove(file.as_uri())
    return found, said


def test_naughty_strings_stay_text(corpora: Path, browser: "Browser", tmp_path: Path) -> None:
    strings = naughty(corpora)
    assert len(strings) > 500
    plain = render_page(report_of([f"text {place}" for place in range(len(strings))]), folder="plain")
    hostile = render_page(report_of(strings), folder="plain")
    expected, _ = _made_of(browser, plain, tmp_path / "plain.html")
    found, said = _made_of(browser, hostile, tmp_path / "naughty.html")
    assert found == expected
    assert said == []


def test_a_run_over_naughty_cells_headers_and_file_names(
    corpora: Path, browser: "Browser", tmp_path: Path
) -> None:
    strings = [text for text in naughty(corpora) if "\x00" not in text]
    cells = [text.replace('"', '""') for text in strings]
    headers = ",".join(f'"{text}"' for text in dict.fromkeys(cells[:60]))
    name = "<img src=x onerror=alert(1)>' \" {{7*7}}.csv"
    lines = [f"email,{headers}", *(f'"{cell}","{cell}"{"," * (len(set(cells[:60])) - 1)}' for cell in cells)]
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    run = prep.clean(tmp_path / name, tmp_path / "<b>run<b>.prep", unknown="drop", header_line=1)
    assert run.counts["read"] == len(cells)
    html = (run.path / "report.html").read_text(encoding="utf-8")
    found, said = _made_of(browser, html, tmp_path / "page.html")
    assert {element[0] for element in found} <= {
        *(
            "HTML",
            "HEAD",
            "META",
            "TITLE",
            "STYLE",
            "BODY",
            "DIV",
            "HEADER",
            "MAIN",
            "NAV",
            "SECTION",
            "FOOTER",
        ),
        *("SPAN", "P", "B", "H1", "H2", "H3", "UL", "LI", "A", "CODE", "BDI", "SMALL", "DL", "DT", "DD"),
        *("TABLE", "CAPTION", "THEAD", "TBODY", "TR", "TH", "TD", "svg", "rect", "path", "text", "tspan"),
    }
    assert said == []
