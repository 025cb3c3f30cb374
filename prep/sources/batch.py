"""What the reader hands on."""

from dataclasses import dataclass
from typing import Final

import polars as pl

REJECTED_SCHEMA: Final = pl.Schema(
    {"_row": pl.UInt32(), "_line": pl.UInt32(), "reason": pl.String(), "raw": pl.String()}
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A physical line that belongs to no record.

    Attributes:
        kind: Why it was skipped: `header` or `blank`.
        line: Its 1-based number.
    """

    kind: str
    line: int


@dataclass(frozen=True)
class Batch:
    """Consecutive records of a source.

    Attributes:
        cells: The readable records in source order: a String column per source column, named `0`, `1`, …
            by position, a blank cell being null; then `_row` and `_line` (UInt32).
        rejected: The unreadable records in source order: `_row`, `_line`, `reason` (`unreadable_row` or
            `encoding`) and `raw`, their text with LF as line end and bytes that are not UTF-8 escaped.
        skipped: The lines that belong to no record, in order.
    """

    cells: pl.DataFrame
    rejected: pl.DataFrame
    skipped: tuple[Skipped, ...] = ()
