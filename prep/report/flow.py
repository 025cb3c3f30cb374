"""The flow of rows from source to fate as shapes to draw: numbers in, coordinates out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prep.model import Fate

OUTCOMES: Final = (Fate.IMPORTED, Fate.WARNED, Fate.FAILED, Fate.UNKNOWN, Fate.SENT, Fate.READY)
LOSSES: Final = (Fate.DUPLICATE, Fate.SUPPRESSED, Fate.REJECTED)
"""The order in which the picture shows them, from above."""

READ: Final = "read"
UPLOAD: Final = "upload"

_NODE: Final = 12.0
_TALLEST: Final = 230.0
_THINNEST: Final = 2.5
_SLOT: Final = 30.0
_GAP: Final = 6.0


@dataclass(frozen=True)
class Node:
    """A bar, with its rows written beside or above it.

    Attributes:
        name: A fixed word, which also names its colour; never text from a file.
        rows: How many rows pass it.
        x: Of its left edge.
        y: Of its upper edge.
        height: Of the bar.
        label_x: Where its words begin.
        label_y: Their base line.
    """

    name: str
    rows: int
    x: float
    y: float
    height: float
    label_x: float
    label_y: float


@dataclass(frozen=True)
class Ribbon:
    """Rows on their way from one bar to another, as the outline of an SVG path."""

    name: str
    path: str


@dataclass(frozen=True)
class Flow:
    """The whole picture.

    Attributes:
        width: Of the drawing, in the unit of all coordinates.
        height: Of the drawing.
        nodes: The bars.
        ribbons: What lies between them.
    """

    width: float
    height: float
    nodes: Sequence[Node]
    ribbons: Sequence[Ribbon]


@dataclass(frozen=True)
class Frame:
    """The measures of a picture.

    Attributes:
        width: Of the drawing.
        middle: Left edge of the bar of rows in upload files.
        right: Left edge of the bars of fates.
        top: Room for words above the bars.
    """

    width: float
    middle: float
    right: float
    top: float


WIDE: Final = Frame(width=860, middle=310, right=660, top=30)
NARROW: Final = Frame(width=340, middle=80, right=156, top=48)


def draw_flow(counts: Mapping[str, int], frame: Frame) -> Flow | None:
    """Draw where rows went; every bar is as high as its share, but never too thin to be seen.

    Returns:
        The picture; None where no row was read.
    """
    read = counts[READ]
    if not read:
        return None
    heights = {
        fate: max(_THINNEST, _TALLEST * counts[fate] / read) for fate in (*OUTCOMES, *LOSSES) if counts[fate]
    }
    ends = _place_ends(counts, heights, frame)
    uploaded = [end for end in ends if end.name in OUTCOMES]
    left_y, ribbons = frame.top, list[Ribbon]()
    nodes = [
        Node(READ, read, 0, frame.top, _rounded(sum(heights.values())), 0, 16),
    ]
    if uploaded:
        height = sum(end.height for end in uploaded)
        rows = sum(end.rows for end in uploaded)
        nodes.append(
            Node(UPLOAD, rows, frame.middle, frame.top, _rounded(height), frame.middle, frame.top - 14)
        )
        ribbons.append(_ribbon(UPLOAD, (_NODE, left_y), (frame.middle, frame.top), height))
        left_y += height
        middle_y = frame.top
        for end in uploaded:
            ribbons.append(_ribbon(end.name, (frame.middle + _NODE, middle_y), (end.x, end.y), end.height))
            middle_y += end.height
    for end in ends:
        if end.name in LOSSES:
            ribbons.append(_ribbon(end.name, (_NODE, left_y), (end.x, end.y), end.height))
            left_y += end.height
    bottom = max(left_y, *(max(end.y + end.height, end.label_y) for end in ends))
    return Flow(frame.width, _rounded(bottom + 8), (*nodes, *ends), ribbons)


def _place_ends(counts: Mapping[str, int], heights: Mapping[Fate, float], frame: Frame) -> list[Node]:
    """The bars of fates, each with room for a line of words."""
    ends, y = list[Node](), frame.top
    for fate, height in heights.items():
        slot = max(height, _SLOT)
        top = y + (slot - height) / 2
        label_y = top + height / 2 + 5
        ends.append(
            Node(
                str(fate),
                counts[fate],
                frame.right,
                _rounded(top),
                _rounded(height),
                frame.right + _NODE + 8,
                _rounded(label_y),
            )
        )
        y += slot + _GAP
    return ends


def _ribbon(name: str, start: tuple[float, float], end: tuple[float, float], height: float) -> Ribbon:
    (x0, y0), (x1, y1) = start, end
    half = (x0 + x1) / 2
    corners = (x0, y0, half, y0, half, y1, x1, y1, y1 + height, half, y1 + height, half, y0 + height, x0)
    a, b, c, d, e, f, g, h, i, j, k, m, n, o = (f"{_rounded(number):g}" for number in corners)
    return Ribbon(name, f"M{a} {b}C{c} {d} {e} {f} {g} {h}V{i}C{j} {k} {m} {n} {o} {n}Z")


def _rounded(number: float) -> float:
    return round(number, 1)
