"""The page in a real browser: it fits, it can be read, it asks for nothing, and text stays text."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from prep.report.page import render_page
from tests.payloads import XSS
from tests.report.samples import STATES, dom, report_of, sample_report
from tests.report.test_page import HOSTILE

LONG = "Partner list, trade fair (final version 3)" + "x" * 300

FAINT = """() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number)
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0)
  const behind = element => {
    for (let place = element; place; place = place.parentElement) {
      const colour = numbers(getComputedStyle(place).backgroundColor)
      if (colour[3] !== 0) return colour
    }
    return [255, 255, 255]
  }
  const found = new Set()
  for (const element of document.body.querySelectorAll('*')) {
    const words = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
    if (!words || !element.getClientRects().length || element.closest('.unseen')) continue
    const style = getComputedStyle(element)
    const colour = numbers(element.closest('svg') ? style.fill : style.color)
    const [low, high] = [light(colour), light(behind(element))].sort((a, b) => a - b)
    const contrast = (high + 0.05) / (low + 0.05)
    if (contrast < 4.5) found.add(`${element.nodeName} ${element.className} ${contrast.toFixed(2)}`)
  }
  return [...found]
}"""
"""Elements with text whose contrast to what lies behind is below 4.5 to 1, WCAG 2.2, criterion 1.4.3."""


@contextmanager
def _shown(browser: Browser, html: str, folder: Path, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page with all that the browser says or asks for, itself apart."""
    file = folder / "report.html"
    file.write_text(html, encoding="utf-8")
    page = browser.new_page(**options)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    said.remove(file.as_uri())
    yield page, said
    page.close()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_fits_and_can_be_read(browser: Browser, tmp_path: Path, state: str, scheme: str) -> None:
    html = render_page(STATES[state], folder="leads.prep")
    with _shown(browser, html, tmp_path, color_scheme=scheme) as (page, said):
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, width
            assert page.evaluate(FAINT) == []
        assert said == []


def test_long_names_wrap(browser: Browser, tmp_path: Path) -> None:
    with _shown(browser, render_page(sample_report(LONG), folder=LONG), tmp_path) as (page, _):
        for width in (1280, 720, 390, 320):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, width


def test_words_of_the_picture_stay_inside_of_it(browser: Browser, tmp_path: Path) -> None:
    outside = """[...document.querySelectorAll('.flow svg')].filter(s => s.checkVisibility()).flatMap(s => {
      const box = s.getBoundingClientRect()
      return [...s.querySelectorAll('text')].map(t => t.getBoundingClientRect())
        .filter(t => t.right > box.right + 1 || t.bottom > box.bottom + 1 || t.left < box.left - 1)
    }).length"""
    html = render_page(STATES["every fate"], folder="leads.prep")
    with _shown(browser, html, tmp_path) as (page, _):
        for width in (1280, 720, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(outside) == 0, width


def test_the_page_prints(browser: Browser, tmp_path: Path) -> None:
    html = render_page(STATES["finished"], folder="leads.prep")
    with _shown(browser, html, tmp_path) as (page, _):
        assert page.pdf(format="A4").startswith(b"%PDF")
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("document.querySelector('nav').getClientRects().length") == 0
        assert page.evaluate(FAINT) == []


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_hostile_text_makes_no_element_and_no_attribute(browser: Browser, tmp_path: Path, text: str) -> None:
    with _shown(browser, render_page(sample_report(), folder="plain"), tmp_path) as (page, _):
        benign = dom(page)
    with _shown(browser, render_page(sample_report(text), folder=text), tmp_path) as (page, said):
        assert dom(page) == benign
        assert said == []


def test_payloads_make_no_element_and_no_attribute(browser: Browser, tmp_path: Path) -> None:
    plain = [f"text {number}" for number in range(len(XSS))]
    with _shown(browser, render_page(report_of(plain), folder="plain"), tmp_path) as (page, _):
        benign = dom(page)
    with _shown(browser, render_page(report_of(XSS), folder="plain"), tmp_path) as (page, said):
        assert dom(page) == benign
        assert said == []


def test_what_is_not_the_style_sheet_of_the_page_is_not_obeyed(browser: Browser, tmp_path: Path) -> None:
    html = render_page(sample_report(), folder="leads.prep")
    spoiled = html.replace("<main>", "<style>h1 { color: red }</style><script>alert(1)</script><main>")
    with _shown(browser, spoiled, tmp_path) as (page, said):
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(255, 0, 0)"
        assert len(said) == 2
        assert all("Content Security Policy" in message for message in said)
