"""When each upload was sent, waited and was taken, on one scale: times in, shares of a width out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

_SPANS: Final = {
    "intended": "uploading",
    "queued": "queued",
    "importing": "importing",
    "complete": "joining",
    "failed": "joining",
    "unknown": "open",
}
"""What a chunk does in each state; in the others it rests."""

_SHORTEST: Final = 0.6


@dataclass(frozen=True)
class Span:
    """What a chunk did for a while.

    Attributes:
        kind: A fixed word, which also names its colour.
        start: Percent of the whole width.
        width: Percent of the whole width; never too little to be seen.
    """

    kind: str
    start: float
    width: float


@dataclass(frozen=True)
class Course:
    """How one chunk went.

    Attributes:
        begin: When it was first sent.
        seconds: From then to the last that is known of it.
        spans: What it did meanwhile.
    """

    begin: datetime
    seconds: float
    spans: Sequence[Span]


@dataclass(frozen=True)
class Timeline:
    """How all chunks went, from the first upload to the last news."""

    begin: datetime
    end: datetime
    courses: Mapping[str, Course]

    @property
    def kinds(self) -> list[str]:
        """The kinds of spans that occur, in the order in which a chunk goes through them."""
        found = {span.kind for course in self.courses.values() for span in course.spans}
        return [kind for kind in dict.fromkeys(_SPANS.values()) if kind in found]


def draw_timeline(transitions: Sequence[Mapping[str, Any]]) -> Timeline | None:
    """Lay the transitions of all chunks on one scale; None as long as nothing was sent."""
    moments: dict[str, list[tuple[datetime, str]]] = {}
    for entry in transitions:
        moments.setdefault(entry["chunk"], []).append((datetime.fromisoformat(entry["at"]), entry["state"]))
    begun = {chunk: known[_first(known) :] for chunk, known in moments.items() if _first(known) < len(known)}
    if not begun:
        return None
    begin = min(known[0][0] for known in begun.values())
    end = max(known[-1][0] for known in begun.values())
    whole = (end - begin).total_seconds() or 1.0
    courses = {
        chunk: Course(
            known[0][0],
            (known[-1][0] - known[0][0]).total_seconds(),
            [
                _span(
                    _SPANS[state],
                    (at - begin).total_seconds() / whole,
                    (until - begin).total_seconds() / whole,
                )
                for (at, state), (until, _) in pairwise([*known, (end, "")])
                if state in _SPANS
            ],
        )
        for chunk, known in begun.items()
    }
    return Timeline(begin, end, courses)


def _first(known: Sequence[tuple[datetime, str]]) -> int:
    """Where a chunk was about to be sent for the first time."""
    return next((place for place, (_, state) in enumerate(known) if state != "planned"), len(known))


def _span(kind: str, start: float, end: float) -> Span:
    width = min(100.0, max(_SHORTEST, 100 * (end - start)))
    return Span(kind, round(min(100 * start, 100 - width), 2), round(width, 2))
