"""What the reader hands on."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from prep.model import Reason

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


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be read.

    Attributes:
        row: Its 1-based number after the header.
        line: The physical line where it starts.
        reason: `unreadable_row` or `encoding`.
        raw: Its text; line ends as LF, and bytes that are not UTF-8 escaped.
    """

    row: int
    line: int
    reason: Reason
    raw: str


@dataclass(frozen=True)
class Batch:
    """Consecutive records of a source.

    Attributes:
        cells: The readable records in source order: a String column per source column, named `0`, `1`, …
            by position, a blank cell being null; then `_row` and `_line` (UInt32).
        rejected: `_row`, `_line`, `reason`, `raw` of the unreadable records, in source order.
        skipped: The lines that belong to no record, in order.
    """

    cells: pl.DataFrame
    rejected: pl.DataFrame
    skipped: tuple[Skipped, ...] = ()


def rejected_frame(rejected: list[Rejected]) -> pl.DataFrame:
    """Make the table of unreadable records."""
    rows = [(record.row, record.line, record.reason.value, record.raw) for record in rejected]
    return pl.DataFrame(rows, schema=REJECTED_SCHEMA, orient="row")
