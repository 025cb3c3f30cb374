"""Naughty strings as cells and headers: on the page of `prep review` they are text."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.payloads import naughty
from tests.review.shapes import PLAIN, made_of, made_of_names

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_COLUMNS = 100
_NAMES = 10
"""So many columns and files at a time, for the sake of time."""


def test_naughty_strings_stay_text(
    corpora: Path, browser: "Browser", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    strings = [text for text in naughty(corpora) if "\x00" not in text]
    assert len(strings) > 500
    markup = sorted(strings, key=lambda text: "<" not in text)  # those become headers as well
    benign, _ = made_of(browser, PLAIN, "plain")
    found, said = made_of(browser, markup, "<img src=x onerror=alert(1)>' \" {{7*7}}")
    assert found - benign == set()
    assert said == []

    benign, _ = made_of_names(browser, PLAIN[:5], PLAIN[:5], "names")
    for start in range(0, len(markup), _COLUMNS):
        part = markup[start : start + _COLUMNS]
        found, said = made_of_names(browser, part, part[:_NAMES], f"naughty names {start}")
        assert found - benign == set()
        assert said == []
