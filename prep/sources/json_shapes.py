"""Lines of JSON that hold the same keys in the same order, read by one regular expression for all.

Only what needs no decoding is taken: text without escapes, numbers without exponents, true, false and null. A
value is then what stands there. All other lines are left to the decoder.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import polars as pl

from prep.model import POINT_OR_THOUSANDS

MOST_SHAPES: Final = 8
_MOST_KEYS: Final = 200
_UNESCAPED: Final = re.compile(r'[^"\\\x00-\x1f]*')
_SPACE: Final = r"[ \t]*"
_VALUE: Final = r'("[^"\\\x00-\x1f]*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|true|false|null)'


class Shape(NamedTuple):
    """The keys of a record in their order, and the pattern of such a line: a group for each value."""

    keys: tuple[str, ...]
    pattern: str


def shape_of(keys: Iterable[str]) -> Shape | None:
    """Describe the lines with these keys; nothing where a key needs escapes or there are too many."""
    names = tuple(keys)
    if not 0 < len(names) <= _MOST_KEYS or not all(map(_UNESCAPED.fullmatch, names)):
        return None
    members = [f'"{_literal(name)}"{_SPACE}:{_SPACE}{_VALUE}' for name in names]
    inside = f"{_SPACE},{_SPACE}".join(members)
    return Shape(names, rf"^{_SPACE}\{{{_SPACE}{inside}{_SPACE}\}}{_SPACE}$")


def matches(lines: pl.Series, shape: Shape) -> pl.Series:
    """Tell which lines have a shape."""
    try:
        return lines.str.contains(shape.pattern)
    except pl.exceptions.PolarsError:  # the pattern is too large
        return pl.repeat(False, lines.len(), eager=True)


def values(lines: pl.Series, shape: Shape) -> tuple[dict[str, pl.Series], dict[str, pl.Series]]:
    """Read the values of lines that all have a shape: as they are written, null and empty text as null.

    Returns:
        Key → the values, and key → which of them are such numbers as `typed.NUMBERS` tells.
    """
    groups = lines.str.extract_groups(shape.pattern).struct.unnest()
    bare = pl.all().str.strip_chars('"')
    cells = groups.select(pl.when(~pl.all().is_in(["null", '""'])).then(bare))
    numbers = groups.select(pl.all().str.contains(POINT_OR_THOUSANDS))
    return (
        dict(zip(shape.keys, cells.get_columns(), strict=True)),
        dict(zip(shape.keys, numbers.get_columns(), strict=True)),
    )


def _literal(name: str) -> str:
    """Write a name so that Rust's regular expressions take it as it is."""
    return "".join(
        f"\\x{{{ord(character):x}}}" if not character.isalnum() else character for character in name
    )
