"""Batches that wait, in memory if all of them fit, else in files: nobody can tell from what comes back."""

import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from prep.spill import DiskSpill

HELD_BYTES = 1_000


def batch(number: int, size: int = 100) -> pl.DataFrame:
    """One of so many bytes, with nothing but whole numbers in it."""
    rows = size // 20
    frame = pl.DataFrame(
        {"place": range(rows), "of": [number] * rows, "twice": [2 * number] * rows},
        schema={"place": pl.UInt32, "of": pl.Int64, "twice": pl.Int64},
    )
    assert frame.estimated_size() == size
    return frame


@pytest.fixture
def writer() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as writer:
        yield writer


@pytest.mark.parametrize(
    ("sizes", "shares", "files"),
    [
        pytest.param([100], [0.1], [], id="one that fits"),
        pytest.param([120], [0.1], [0], id="more than its share"),
        pytest.param([100, 100], [None, None], [0, 1], id="nobody knows what comes"),
        pytest.param([100, 900], [0.5, 1.0], [], id="all that fits"),
        pytest.param([100, 920], [0.5, 1.0], [0, 1], id="the last is too much"),
        pytest.param([100, 200, 100], [0.2, 0.2, 0.9], [0, 1], id="only the first are many"),
        pytest.param([100, 2_000, 100], [0.2, 0.3, 1.0], [0, 1, 2], id="more than all may be"),
    ],
)
def test_batches_are_held_where_all_are_expected_to_fit(
    sizes: list[int], shares: list[float | None], files: list[int], tmp_path: Path, writer: ThreadPoolExecutor
) -> None:
    spill = DiskSpill(tmp_path / "spill", writer, held_bytes=HELD_BYTES)
    batches = [batch(number, size) for number, size in enumerate(sizes)]
    for frame, share in zip(batches, shares, strict=True):
        spill.append(frame, share)
    names = ["twice", "place"]
    for _ in range(2):
        assert [frame.rows() for frame in spill] == [frame.rows() for frame in batches]
        assert [frame.rows() for frame in spill.columns(names)] == [
            frame.select(names).rows() for frame in batches
        ]
    assert sorted(path.name for path in (tmp_path / "spill").iterdir()) == [
        f"{number:06d}.arrow" for number in files
    ]


def test_a_spill_beside_another_holds_nothing(tmp_path: Path, writer: ThreadPoolExecutor) -> None:
    beside = DiskSpill(tmp_path / "spill", writer, held_bytes=HELD_BYTES).beside("others")
    beside.append(batch(0), 1.0)
    assert [frame.rows() for frame in beside] == [batch(0).rows()]
    assert [path.name for path in (tmp_path / "spill/others").iterdir()] == ["000000.arrow"]


def test_who_takes_batches_for_the_last_time_lets_each_go_that_others_are_past(
    tmp_path: Path, writer: ThreadPoolExecutor
) -> None:
    spill = DiskSpill(tmp_path / "spill", writer, held_bytes=HELD_BYTES)

    def add(frame: pl.DataFrame) -> "weakref.ref[pl.DataFrame]":
        spill.append(frame, 1.0)
        return weakref.ref(frame)

    held = [add(batch(number)) for number in range(3)]

    def alive() -> list[int]:
        return [number for number, reference in enumerate(held) if reference() is not None]

    others = spill.columns(["of"])
    taken = spill.take(["twice"])
    assert [next(taken)["twice"][0], next(taken)["twice"][0]] == [0, 2]
    assert alive() == [0, 1, 2]
    assert next(others)["of"][0] == 0
    assert alive() == [1, 2]
    assert [frame["of"][0] for frame in others] == [1, 2]
    assert alive() == [2]
    assert [frame["twice"][0] for frame in taken] == [4]
    assert alive() == []
    assert list(spill) == []
