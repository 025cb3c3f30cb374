"""The pictures of the page: nothing lost, nothing outside of the frame, nothing too thin to be seen."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prep.model import Fate
from prep.report.flow import LOSSES, NARROW, OUTCOMES, WIDE, Frame, draw_flow
from prep.report.timeline import draw_timeline

COUNTS = st.dictionaries(st.sampled_from(Fate), st.integers(0, 10**9), min_size=1).map(
    lambda found: {"read": sum(found.values()), **{fate: found.get(fate, 0) for fate in Fate}}
)


@pytest.mark.parametrize("frame", [WIDE, NARROW])
@given(counts=COUNTS)
def test_every_row_that_was_read_is_in_the_flow(frame: Frame, counts: dict[str, int]) -> None:
    flow = draw_flow(counts, frame)
    if flow is None:
        assert not counts["read"]
        return
    nodes = {node.name: node for node in flow.nodes}
    present = [fate for fate in (*OUTCOMES, *LOSSES) if counts[fate]]
    uploaded = [fate for fate in OUTCOMES if counts[fate]]
    assert list(nodes) == ["read", *(["upload"] if uploaded else []), *present]
    assert sum(nodes[fate].rows for fate in present) == nodes["read"].rows == counts["read"]
    assert nodes["read"].height == pytest.approx(sum(nodes[fate].height for fate in present), abs=1)
    assert min(node.height for node in flow.nodes) >= 2.5
    assert all(node.y + node.height <= flow.height for node in flow.nodes)
    assert all(
        right.label_y - left.label_y >= 15 for left, right in pairwise(nodes[fate] for fate in present)
    )
    assert len(flow.ribbons) == len(present) + bool(uploaded)
    assert all(re.fullmatch(r"M[\d. CVZ-]+", ribbon.path) for ribbon in flow.ribbons)


def test_a_flow_of_one_fate() -> None:
    counts: dict[str, int] = {"read": 10, **dict.fromkeys(map(str, Fate), 0), "imported": 10}
    flow = draw_flow(counts, WIDE)
    assert flow
    assert [(node.name, node.x, node.y, node.height) for node in flow.nodes] == [
        ("read", 0, 30, 230),
        ("upload", 310, 30, 230),
        ("imported", 660, 30, 230),
    ]
    assert [ribbon.path for ribbon in flow.ribbons] == [
        "M12 30C161 30 161 30 310 30V260C161 260 161 260 12 260Z",
        "M322 30C491 30 491 30 660 30V260C491 260 491 260 322 260Z",
    ]


def _moved(chunk: str, **seconds: int) -> list[dict[str, str]]:
    return [
        {"chunk": chunk, "state": state, "at": f"2026-05-07T15:00:{at:02d}.000+00:00"}
        for state, at in seconds.items()
    ]


def test_uploads_stand_on_one_scale() -> None:
    first = _moved("a", planned=0, intended=10, queued=12, importing=20, complete=28, reconciled=30)
    second = _moved("b", planned=0, intended=12, unknown=14)
    timeline = draw_timeline([*first, *second, *_moved("c", planned=0)])
    assert timeline
    assert {
        chunk: [(span.kind, span.start, span.width) for span in course.spans]
        for chunk, course in timeline.courses.items()
    } == {
        "a": [("uploading", 0, 10), ("queued", 10, 40), ("importing", 50, 40), ("joining", 90, 10)],
        "b": [("uploading", 10, 10), ("open", 20, 80)],
    }
    assert [course.seconds for course in timeline.courses.values()] == [20, 2]
    assert timeline.kinds == ["uploading", "queued", "importing", "joining", "open"]


def test_what_took_no_time_can_still_be_seen() -> None:
    timeline = draw_timeline(_moved("a", intended=5, queued=5, importing=5, complete=5, reconciled=5))
    assert timeline
    spans = [(span.start, span.width) for span in timeline.courses["a"].spans]
    assert spans == [(0, 0.6)] * 4


def test_without_an_upload_there_is_no_timeline() -> None:
    assert draw_timeline([]) is None
    assert draw_timeline(_moved("a", planned=1)) is None
