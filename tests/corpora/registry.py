"""What every set of other people's files has to show."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Judge = Callable[[Path], "Reached"]


@dataclass(frozen=True)
class Reached:
    """How many cases of a set came out right.

    Attributes:
        right: Their number.
        cases: How many were tried.
        wrong: What came out otherwise, by name.
        left_out: How many cases were not tried, by reason.
    """

    right: int
    cases: int
    wrong: tuple[str, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, outcomes: dict[str, bool], left_out: dict[str, int] | None = None) -> "Reached":
        """Count named cases."""
        wrong = tuple(name for name, is_right in outcomes.items() if not is_right)
        return cls(len(outcomes) - len(wrong), len(outcomes), wrong, tuple((left_out or {}).items()))

    @property
    def share(self) -> float:
        """The right ones among those tried, from 0 to 1."""
        return self.right / self.cases if self.cases else 0


@dataclass(frozen=True)
class Promise:
    """What is promised of one set.

    Attributes:
        folder: Its name among the corpora.
        what: What is compared.
        share: The part of the cases that must come out right, from 0 to 1.
        anchor: What others reach, and where that is said; empty where nobody says.
        judge: Tries the cases, given the folder of the set.
    """

    folder: str
    what: str
    share: float
    anchor: str
    judge: Judge
