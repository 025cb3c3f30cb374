# ruff: noqa: RUF001  (signs that look like others)
"""Published cases of mojibake: the rule repairs what ftfy repairs and leaves sound text alone."""

import ftfy
import polars as pl
from ftfy.badness import is_bad
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.values.mojibake import MOJIBAKE
from tests.depth import examples

TELLING_LETTERS = (
    "ÂÃÎÐØÙВГРСвЂΒΓΞΟβ€ā√≈‚×²ŒœÄâóàäęšŸžŠ™®°´·\u00a0\u00ad\x81\x9d±†¢£«»“”’–¤¦¨ƒ˜‰ªº¡¿²³¼½ aZ.,!"
)


@settings(max_examples=examples(2000), deadline=None)
@given(st.text(st.sampled_from(TELLING_LETTERS) | st.characters(max_codepoint=0x2700), max_size=8))
def test_the_quick_look_loses_nothing(text: str) -> None:
    needed = pl.DataFrame({"cell": [text]}).select(MOJIBAKE.needed(pl.col("cell"))).item()
    assert needed or not is_bad(text) or ftfy.fix_encoding(text) == text


def test_the_quick_look_sees_every_pair_of_latin_letters_that_is_a_sign() -> None:
    letters = [chr(code) for code in range(0xC0, 0x250)]
    cells = pl.DataFrame({"cell": [first + second for first in letters for second in letters]})
    passed_over = cells.filter(~MOJIBAKE.needed(pl.col("cell")))["cell"]
    assert passed_over.len() > 50_000
    assert not [pair for pair in passed_over if is_bad(pair)]
