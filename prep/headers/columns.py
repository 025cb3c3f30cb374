"""What is known about the columns of a source."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prep.model import Reason

FULL_NAME: Final = "mktoName"
"""Marketo's own field for a full name. Imports cannot write it; `--split-name` makes `NAME_PARTS` of it."""

NAME_PARTS: Final = ("firstName", "lastName")


class How(StrEnum):
    """By what a source column came to its field."""

    EXACT = "exact"
    FOLDED = "folded"
    ALIAS = "alias"
    MAP = "map"
    SET = "set"
    SUGGESTED = "suggested"
    UNKNOWN = "unknown"
    DROPPED = "dropped"
    PROTECTED = "protected"


_UNUSED: Final = frozenset({How.SUGGESTED, How.UNKNOWN, How.DROPPED, How.PROTECTED})


@dataclass(frozen=True)
class Column:
    """What one source column stands for.

    Attributes:
        position: 0-based place in the source; -1 for a constant from `--set`.
        header: The name as the source writes it.
        field: REST name, or for `suggested` the name that was probably meant; None for none.
        how: How the field was found. Only columns whose `is_used` is true are sent.
    """

    position: int
    header: str
    field: str | None
    how: How

    @property
    def is_used(self) -> bool:
        """Whether the column's cells go into the upload."""
        return self.how not in _UNUSED

    @property
    def facts(self) -> dict[str, str | None]:
        """The column as the report shows it."""
        return {"source": self.header, "field": self.field, "how": str(self.how)}


@dataclass(frozen=True)
class Problem:
    """A header that cannot be used, or the lack of one.

    Attributes:
        reason: Its code.
        column: The column; None where one is missing.
        text: What was found.
        hint: What settles it.
        flag: The option that does, if one does.
    """

    reason: Reason
    column: Column | None
    text: str
    hint: str
    flag: str = ""


@dataclass(frozen=True)
class HeaderMapping:
    """The columns of one source, constants included, and everything that is wrong with them."""

    columns: tuple[Column, ...]
    problems: tuple[Problem, ...]

    @property
    def fields(self) -> dict[int, str]:
        """Position of each used source column → its field, in source order.

        With names to be split the field of one may be `FULL_NAME`.
        """
        return {
            column.position: column.field
            for column in self.columns
            if column.is_used and column.field and column.position >= 0
        }
