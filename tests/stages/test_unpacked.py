"""Text that begins like something packed is text."""

import polars as pl
import pytest

from prep.sources.unpacked import read_lines


@pytest.mark.parametrize("line", ["x^s", "x\x01", "\ufeffa", "plain", "", "\x1f"])
def test_lines_are_read_as_they_are(line: str) -> None:
    assert read_lines(f"{line}\nb,c\r\n".encode()).to_list() == [line, "b,c"]


@pytest.mark.parametrize(
    "text", [b"x^s\x02\x82\n", b"x\x9c\n", b"x\xda\n", b"\x1f\x8b\n", b"(\xb5/\xfd\n", b"\xff\n"]
)
def test_what_is_not_utf_8_is_not_unpacked_either(text: bytes) -> None:
    with pytest.raises((pl.exceptions.PolarsError, OSError)):
        read_lines(text)
