# ruff: noqa: RUF001  (signs that look like others)
"""Published cases of mojibake: the rule repairs what ftfy repairs and leaves sound text alone."""

import json
from pathlib import Path

import ftfy
import polars as pl
import pytest
from ftfy.badness import is_bad
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.values.mojibake import MOJIBAKE

TELLING_LETTERS = (
    "ÂÃÎÐØÙВГРСвЂΒΓΞΟβ€ā√≈‚×²ŒœÄâóàäęšŸžŠ™®°´·\u00a0\u00ad\x81\x9d±†¢£«»“”’–¤¦¨ƒ˜‰ªº¡¿²³¼½ aZ.,!"
)


def originals(corpora: Path, name: str) -> tuple[list[dict[str, str]], list[str]]:
    cases = json.loads((corpora / "ftfy" / "tests" / "test-cases" / f"{name}.json").read_text("utf-8"))
    cells = pl.Series([case["original"] for case in cases], dtype=pl.String)
    return cases, MOJIBAKE.apply(cells)[0].to_list()


def test_sound_text_is_unchanged(corpora: Path) -> None:
    cases, cells = originals(corpora, "negative")
    assert cells == [case["original"] for case in cases]
    assert len(cells) == 31


@pytest.mark.parametrize(
    ("name", "expected"), [("in-the-wild", 70), ("synthetic", 30), ("language-names", 20)]
)
def test_spoiled_text_is_repaired(corpora: Path, name: str, expected: int) -> None:
    cases, cells = originals(corpora, name)
    repaired = [case.get("fixed-encoding", case["fixed"]) for case in cases]
    assert sum(cell == fixed for cell, fixed in zip(cells, repaired, strict=True)) == expected


@settings(max_examples=2000, deadline=None)
@given(st.text(st.sampled_from(TELLING_LETTERS) | st.characters(max_codepoint=0x2700), max_size=8))
def test_the_quick_look_loses_nothing(text: str) -> None:
    needed = pl.DataFrame({"cell": [text]}).select(MOJIBAKE.needed(pl.col("cell"))).item()
    assert needed or not is_bad(text) or ftfy.fix_encoding(text) == text
