"""Text that a spreadsheet could run, made harmless with an apostrophe, and given back as it was."""

from typing import Final

import polars as pl

_FORMULA: Final = "^[=+\\-@\t\r\n＝＋－＠]"  # noqa: RUF001 (the full-width twins are meant)  # fmt: skip
_GUARDED: Final = _FORMULA.replace("^[", "^'['")
_SIGNED_NUMBER: Final = r"^[+-][\d][\d .,()/-]*$"
"""Plain signed numbers and phone numbers: a spreadsheet reads them as numbers, never as formulas."""


def defuse(cells: pl.Expr) -> pl.Expr:
    """Put an apostrophe before text that a spreadsheet could run, and before an apostrophe that is there.

    `unguard` gives the cell back. Blank cells stay blank.
    https://owasp.org/www-community/attacks/CSV_Injection
    """
    runs = cells.str.contains(_FORMULA) & ~cells.str.contains(_SIGNED_NUMBER)
    return pl.when(~(runs | cells.str.starts_with("'"))).then(cells).otherwise("'" + cells)


def unguard(cells: pl.Expr) -> pl.Expr:
    """Take off one apostrophe before what `defuse` puts it before; one that a person put before a word stays.

    It goes before a signed number too: that is what a guarded cell may have become when it was corrected.
    """
    return pl.when(cells.str.contains(_GUARDED)).then(cells.str.slice(1)).otherwise(cells)


def defuse_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """All columns as text, defused; only columns that hold a cell which may need it are worked on."""
    cells = frame.select(pl.all().cast(pl.String))
    found = cells.select(_may_run(pl.all()).any()).row(0)
    names = [name for name, is_found in zip(cells.columns, found, strict=True) if is_found]
    return cells.with_columns(defuse(pl.col(name)) for name in names)


def _may_run(cells: pl.Expr) -> pl.Expr:
    """Whether a cell sorts where those do that `defuse` alters: before digits, from = to @, or behind ＋.

    Comparing text costs a tenth of searching it.
    """  # noqa: RUF002 (the full-width sign is meant)
    return (cells < "0") | ((cells >= "=") & (cells < "A")) | (cells >= "＋")  # noqa: RUF001
