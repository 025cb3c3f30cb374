"""Letters written in one encoding and read in another, such as Ã© for é: found, and repaired on request.

ftfy judges and repairs; it is loaded only when a cell may be spoiled. Line breaks, quotation marks and widths
are not its business here.
"""

from collections.abc import Iterable
from typing import Final

import polars as pl

from prep.values.rules import NON_ASCII, Rule, contains, once_for_each_value, put, true_somewhere

_LETTERS: Final = r"\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{24F}--ŒœŠšŸŽžƒ"
"""Letters of Latin alphabets that are no sign beside each other, such as those of Ordóñez, but for capitals
that follow another letter."""

_CAPITAL: Final = rf"[\p{{Lu}}&&[{_LETTERS}]]"

_TELLING: Final = (
    rf"[\x{{80}}-\x{{36F}}\x{{37E}}\x{{384}}-\x{{387}}\x{{400}}-\x{{40F}}\x{{450}}-\x{{4FF}}\x{{2000}}-\x{{2BFF}}"
    rf"\x{{F8FF}}\x{{FB00}}-\x{{FB06}}\x{{FFFD}}--[{_LETTERS}]]"
)
"""Every sign of mojibake that ftfy knows holds one of these beside another character beyond ASCII, but for
the last two kinds below; the plain letters of Cyrillic, Greek and the scripts of Asia alone are none."""

_SIGN: Final = "|".join(
    [
        _TELLING + NON_ASCII,
        NON_ASCII + _TELLING,
        f"[{NON_ASCII}--{_CAPITAL}]{_CAPITAL}",
        r"[\x{80}-\x{9F}ŒœÂÃ]",
    ]
)

_NEL: Final = "\x85"
"""In ISO-8859-1 a line break, which is what the text rules take it for; in Windows-1252 an ellipsis, which is
what ftfy makes of one that is the only sign."""


_ASCII: Final = r"[\x00-\x7F]"
_SURROUNDINGS: Final = rf"{_ASCII}{{0,3}}{NON_ASCII}+(?:{_ASCII}{{1,6}}{NON_ASCII}+)*{_ASCII}{{0,3}}"
"""What is not ASCII, with what stands around it. Of that ftfy looks at two characters at most."""


def repair(values: Iterable[str]) -> list[str]:
    """Give each value as it was meant; one that is not spoiled, or beyond repair, stays as it is."""
    from ftfy import fix_encoding  # noqa: PLC0415  (loaded for spoiled cells only)

    repaired = ((value, fix_encoding(value)) for value in values)
    return [value if fixed == value.replace(_NEL, "\u2026") else fixed for value, fixed in repaired]


@once_for_each_value
def _repaired(cells: pl.Series) -> pl.Series:
    rows = _look_spoiled(cells).arg_true()
    return put(cells, rows, pl.Series(repair(cells.gather(rows)), dtype=pl.String))


def _look_spoiled(cells: pl.Series) -> pl.Series:
    """Whether ftfy sees mojibake; it takes 0.3 µs for each character, so it is shown no whole texts."""
    from ftfy.badness import is_bad  # noqa: PLC0415

    parts = cells.str.extract_all(_SURROUNDINGS)
    bad = [part for part in parts.explode().unique().drop_nulls() if is_bad(part)]
    return parts.list.eval(pl.element().is_in(bad)).list.any()


MOJIBAKE: Final = Rule("mojibake", contains(_SIGN), _repaired)
"""The rule that repairs; it must see cells before the text rules, which remove what they take for dirt."""


def suspicious_columns(frame: pl.DataFrame) -> list[str]:
    """The columns of a frame of texts that hold a sign of it; most hold nothing beyond ASCII."""
    beyond_ascii = frame.select(pl.all().str.len_bytes() != pl.all().str.len_chars())
    names = true_somewhere(beyond_ascii)
    signs = (pl.col(name).filter(beyond_ascii[name]).str.contains(_SIGN).any() for name in names)
    return true_somewhere(frame.select(signs))


def spoiled_rows(cells: pl.Series) -> pl.Series:
    """The positions of the cells that the rule would repair."""
    beyond_ascii = (cells.str.len_bytes() != cells.str.len_chars()).arg_true()
    signs = cells.gather(beyond_ascii).str.contains(_SIGN)
    suspects = beyond_ascii.filter(signs)
    found = cells.gather(suspects)
    return suspects.filter(found.ne_missing(_repaired(found))) if suspects.len() else suspects
