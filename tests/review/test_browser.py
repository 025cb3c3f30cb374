"""The page in a real browser: seen, repaired, undone, kept, made into a new run; text stays text."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import prep
from prep.pipeline import Run
from tests.payloads import XSS
from tests.report.test_browser import FAINT
from tests.report.test_page import HOSTILE

from .shapes import PLAIN, made_of, made_of_names, opened

EMAIL, FIRST, CALL = "c0", "c1", "c2"


def cell(page: Page, row: int, field: str) -> Locator:
    return page.locator(f".tabulator-row >> nth={row} >> .tabulator-cell[tabulator-field={field}]")


def shown(page: Page, field: str) -> list[str]:
    return page.locator(f".tabulator-row .tabulator-cell[tabulator-field={field}] .value").all_inner_texts()


def test_a_marketer_repairs_rows_and_makes_a_new_run(browser: Browser, run: Run) -> None:
    with opened(browser, run.path) as (page, said):
        assert "token" not in page.url
        expect(page.locator("h1").first).to_have_text("5 rows to repair")
        assert shown(page, FIRST) == ["Ana", "Ben", "Cyd", "=Eve", "Fay"]

        page.get_by_role("button", name="not a valid email address").click()
        expect(page.locator("#rows-title")).to_have_text("3 rows shown")
        page.get_by_role("button", name="→ ana@gmail.com").click()
        expect(page.locator("h1").first).to_have_text("4 rows to repair")
        expect(cell(page, 0, EMAIL)).to_have_text("ana@gmail.com")

        cell(page, 2, EMAIL).click()
        page.keyboard.type("eve@example")
        page.keyboard.press("Enter")
        expect(cell(page, 2, EMAIL)).to_contain_text("not a valid email address")
        expect(cell(page, 2, EMAIL)).to_be_focused()
        page.keyboard.press("Enter")
        expect(cell(page, 2, EMAIL).locator("textarea")).to_be_focused()
        page.keyboard.type("eve@example.com")
        page.keyboard.press("Enter")
        expect(page.locator("h1").first).to_have_text("3 rows to repair")

        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("h1").first).to_have_text("3 rows to repair")
        page.keyboard.press("Control+z")
        expect(page.locator("h1").first).to_have_text("4 rows to repair")
        page.keyboard.press("Control+Shift+z")
        expect(page.locator("h1").first).to_have_text("3 rows to repair")

        page.get_by_role("button", name="Make new run").click()
        expect(page.locator("#ended-title")).to_have_text("2 rows ready in leads-retry1.prep")
        expect(page.locator("#ended-command")).to_have_text("prep submit leads-retry1.prep")
        page.locator("#ended-done").click()
        expect(page.locator("#goodbye")).to_be_visible()
        assert said == []
    chunk = Path("leads-retry1.prep/chunks/leads-0001.csv").read_text(encoding="utf-8")
    assert [line.partition(",")[0] for line in chunk.splitlines()] == [
        "email",
        "ana@gmail.com",
        "eve@example.com",
    ]


def test_the_keyboard_alone_suffices(browser: Browser, run: Run) -> None:
    with opened(browser, run.path) as (page, _):
        cell(page, 0, EMAIL).focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        expect(cell(page, 1, EMAIL)).to_be_focused()
        expect(cell(page, 1, EMAIL)).to_contain_text("ben at example.org")
        page.keyboard.press("Enter")
        page.keyboard.type("ben@example.org")
        page.keyboard.press("Tab")
        expect(page.locator("#undo")).to_be_enabled()
        expect(cell(page, 1, EMAIL)).to_have_text("ben@example.org")
        page.keyboard.press("Space")
        expect(cell(page, 1, EMAIL)).to_have_text("ben@example.org")


def test_all_rows_of_a_reason_at_once(browser: Browser, run: Run) -> None:
    with opened(browser, run.path) as (page, _):
        page.get_by_role("button", name="not a valid email address").click()
        page.locator("#accept").click()
        expect(page.locator("#said")).to_have_text("2 suggestions taken. Undo takes it back.")
        page.locator("#undo").click()
        expect(page.locator("#rows-title")).to_have_text("3 rows shown")
        page.locator("#bulk").click()
        page.get_by_label("Find").fill(",")
        page.get_by_label("Replace with").fill(".")
        page.locator("#changing-apply").click()
        expect(page.locator("#said")).to_have_text("1 cell changed. Undo takes it back.")
        page.locator("#bulk").click()
        page.get_by_label("Leave these rows out").check()
        page.locator("#changing-apply").click()
        expect(page.locator("#progress")).to_have_text("5 rows in all: 1 repaired, 2 left out.")
        page.locator("#state").select_option("left out")
        expect(page.locator("#rows-title")).to_have_text("2 rows shown")
        page.locator("#state").select_option("")
        page.locator("#text").fill("EVE")
        expect(page.locator("#rows-title")).to_have_text("1 row shown")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_can_be_read(browser: Browser, run: Run, scheme: str) -> None:
    with opened(browser, run.path, color_scheme=scheme) as (page, said):
        page.locator("#mapping-title").click()
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            found = page.evaluate(FAINT)
            assert [text for text in found if not re.search(r"BUTTON|OPTION", text)] == []
        nameless = """[...document.querySelectorAll('button, input, select, textarea')]
          .filter(e => e.checkVisibility() && !e.innerText && !e.labels?.[0]?.innerText
            && !e.getAttribute('aria-label')
            && !document.getElementById(e.getAttribute('aria-labelledby'))).map(e => e.outerHTML)"""
        assert page.evaluate(nameless) == []
        assert said == []


def test_hostile_text_makes_no_element_and_no_attribute(browser: Browser, run: Run) -> None:
    texts = [text for text in [*HOSTILE, *XSS] if text.isprintable()]
    benign, _ = made_of(browser, PLAIN, "plain")
    found, said = made_of(browser, texts, "hostile<b onload='alert(1)'>&amp;")
    assert found - benign == set()
    assert said == []


def test_hostile_headers_and_file_names_make_no_element_and_no_attribute(browser: Browser, run: Run) -> None:
    texts = [text for text in [*HOSTILE, *XSS] if text.isprintable()]
    benign, _ = made_of_names(browser, PLAIN[:5], PLAIN[:5], "plain")
    found, said = made_of_names(browser, texts, texts, "hostile")
    assert found - benign == set()
    assert said == []


MISMAPPED = """Email,First Name,Employees,Q7
ana@example.com,Ana,medium,12
ben@example.org,Ben,30,31
dan,Dan,small,7
"""


def test_a_column_is_given_to_another_field(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("leads.csv").write_text(MISMAPPED, encoding="utf-8")
    run = prep.clean("leads.csv", unknown="drop")
    with opened(browser, run.path) as (page, said):
        page.get_by_role("heading", name="How columns map").click()
        expect(page.get_by_label("Q7", exact=True)).to_have_value("none")
        expect(page.locator("#map-apply")).to_be_disabled()
        expect(page.locator("#elsewhere")).to_contain_text("1 row of this run is not on this page and keeps")

        page.get_by_label("Q7", exact=True).focus()
        page.get_by_label("Q7", exact=True).select_option("numberOfEmployees · Num Employees")
        page.locator("#map-apply").click()
        expect(page.locator("#map-error")).to_have_text(
            "leads.csv: 'Q7' maps to 'numberOfEmployees', and so does 'Employees' — "
            'Leave one out with --map "Employees=".'
        )
        expect(page.locator("h1").first).to_have_text("2 rows to repair")

        page.get_by_label("Employees", exact=True).select_option("leave the column out")
        expect(page.locator("#remap")).to_have_text(
            "prep clean leads.csv --map Employees= --map Q7=numberOfEmployees -o NEW.prep"
        )
        page.locator("#map-apply").click()
        expect(page.locator("h1").first).to_have_text("1 row to repair")
        expect(page.locator("#said")).to_contain_text("Judged anew: 1 to repair, 1 without a reason.")
        page.keyboard.press("Control+z")
        expect(page.locator("h1").first).to_have_text("2 rows to repair")
        expect(page.get_by_label("Q7", exact=True)).to_have_value("none")
        page.keyboard.press("Control+y")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("h1").first).to_have_text("1 row to repair")

        page.get_by_role("heading", name="How columns map").click()
        page.locator("#map-reset").click()
        expect(page.locator("h1").first).to_have_text("2 rows to repair")
        expect(page.locator("#map-reset")).to_be_disabled()
        page.locator("#undo").click()
        expect(page.locator("h1").first).to_have_text("1 row to repair")
        page.get_by_role("button", name="Make new run").click()
        expect(page.locator("#ended-title")).to_have_text("1 row ready in leads-retry1.prep")
        assert [text for text in said if "409" not in text] == []
    chunk = Path("leads-retry1.prep/chunks/leads-0001.csv").read_text(encoding="utf-8")
    assert chunk == "email,firstName,numberOfEmployees\nana@example.com,Ana,12\n"
