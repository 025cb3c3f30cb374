"""What the readers of workbooks have in common: sheets, their rows, and why a workbook is refused."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

SHEET_ROWS: Final = 1_048_576
SHEET_COLUMNS: Final = 16_384
"""Rows and columns of the largest sheet.
https://support.microsoft.com/en-us/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3"""

SAVE_AS_CSV: Final = "Open it in a spreadsheet program and save the sheet as CSV UTF-8."


@dataclass(frozen=True)
class Sheet:
    """A sheet's name, and whether people see it."""

    name: str
    hidden: bool = False


class Row(NamedTuple):
    """A row of a sheet in which something stands.

    Attributes:
        line: Its 1-based number in the sheet.
        cells: The text of each filled cell by its column, counted from 0.
        errors: How many of its cells hold an error such as `#N/A`, or a formula that was never calculated;
            they are not among the cells.
        numbers: The columns of cells that are numbers by their type, as far as `typed.is_number` says so.
        is_cut: The file ends within it, so that its last cell may be a part and others be missing.
    """

    line: int
    cells: dict[int, str]
    errors: int = 0
    numbers: tuple[int, ...] = ()
    is_cut: bool = False


class Book(Protocol):
    """An opened workbook."""

    @property
    def sheets(self) -> Sequence[Sheet]:
        """Its sheets in order."""

    @property
    def encoding(self) -> str | None:
        """Python codec of a workbook that is text; None for others."""

    @property
    def facts(self) -> Counter[str]:
        """What was met, counted: `hidden_row`, `rounded_number`, `error`, `uncalculated`, `unended`."""

    @property
    def merged(self) -> list[int]:
        """The first row of each cell that is merged over several, as far as rows were read."""

    @property
    def hidden_columns(self) -> set[int]:
        """The columns that people do not see, counted from 0, of the sheets whose rows were read."""

    def rows(self, sheet: int) -> Iterator[Row]:
        """Yield the rows of a sheet in which something stands, in order."""


class Refusal(Exception):  # noqa: N818 (an answer, not a mistake)
    """A workbook that is not read: what was found, as a clause that follows the file's name."""

    def __init__(self, code: str, found: str, hint: str = SAVE_AS_CSV) -> None:
        super().__init__(found)
        self.code = code
        self.found = found
        self.hint = hint


def broken(found: str) -> Refusal:
    """A workbook that is damaged."""
    return Refusal("broken_workbook", f"the workbook is damaged: {found}")


def unsafe(found: str) -> Refusal:
    """A workbook that holds what only harmful ones hold."""
    return Refusal(
        "unsafe_workbook",
        f"the workbook is not read, because {found}",
        "No spreadsheet program writes such files. Ask where it comes from before you open it.",
    )


def too_large(found: str) -> Refusal:
    """A workbook that needs more than it may take."""
    return Refusal("workbook_too_large", f"the workbook is too large: {found}")


def protected() -> Refusal:
    """A workbook that only its password opens."""
    return Refusal(
        "protected_workbook",
        "the workbook is protected by a password",
        "Open it with its password, save it without one or as CSV UTF-8, and try that file.",
    )
