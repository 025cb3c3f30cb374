"""Naughty strings as cells and headers: on the page of `prep review` they are text."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.review.shapes import made_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_naughty_strings_stay_text(
    corpora: Path, browser: "Browser", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    naughty = json.loads((corpora / "blns" / "blns.json").read_text(encoding="utf-8"))
    files = sorted(path for path in (corpora / "csv-injection" / "Intruder").rglob("*") if path.is_file())
    lists = [file.read_text(encoding="utf-8", errors="replace").splitlines() for file in files]
    strings = [text for text in [*naughty, *(line for lines in lists for line in lines)] if text.strip()]
    strings = [text for text in strings if "\x00" not in text]
    assert len(strings) > 500
    markup = sorted(strings, key=lambda text: "<" not in text)  # those become headers as well
    benign, _ = made_of(browser, [f"text {number}" for number in range(60)], "plain")
    found, said = made_of(browser, markup, "<img src=x onerror=alert(1)>' \" {{7*7}}")
    assert found - benign == set()
    assert said == []
