"""`python -m benchmarks.shapes`: its files are what they are said to be, and its numbers close."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from benchmarks import shape_data, shapes
from benchmarks.measure import Measurement
from benchmarks.memory import PICTURE, draw

ROWS = 400


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind, write in shape_data.WRITERS.items():
        write(tmp_path / f"{kind}.csv", ROWS, 1)
    return tmp_path


def test_the_files_have_their_shapes(folder: Path) -> None:
    frames = {
        kind: pl.read_csv(folder / f"{kind}.csv", infer_schema=False, truncate_ragged_lines=True)
        for kind in shape_data.WRITERS
    }
    assert {kind: frame.shape for kind, frame in frames.items()} == {
        "wide": (ROWS, 200),
        "texts": (ROWS, 2),
        "rejected": (ROWS, 10),
    }
    sizes = frames["texts"]["Person Notes"].str.len_bytes()
    assert sizes.is_between(29_900, 30_000).all()
    assert not list(folder.glob("*.part"))
    for kind, write in shape_data.WRITERS.items():
        write(folder / "again.csv", ROWS, 1)
        assert (folder / "again.csv").read_bytes() == (folder / f"{kind}.csv").read_bytes()


def test_every_shape_is_measured_and_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some = [shape for shape in shapes.SHAPES if shape.kind in {"wide", "rejected"} or shape is shapes.ONE_ROW]
    monkeypatch.setattr(shapes, "SHAPES", some)
    monkeypatch.setattr(sys, "argv", ["shapes", "--rows", "50", "--data", str(tmp_path)])
    assert shapes.main() == 0
    lines = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [[cell.strip() for cell in line[1:4]] for line in lines[2:]] == [
        ["one row", "1", "10"],
        ["200 columns", "50", "200"],
        ["all rejected", "50", "10"],
    ]


def test_counts_that_do_not_close_are_not_printed() -> None:
    sound = {"read": 10, "rejected": 1, "duplicate": 2, "ready": 7}
    shape = replace(shapes.ONE_ROW, rows=10)
    shapes.check(shape, Measurement(1, 1, 1, json.dumps({"counts": sound})))
    for broken in ({"ready": 6}, {"read": 9, "ready": 6}):
        answer = Measurement(1, 1, 1, json.dumps({"counts": sound | broken}))
        with pytest.raises(shapes.NotClosedError):
            shapes.check(shape, answer)


def test_the_picture_shows_the_most_that_was_held() -> None:
    curve = [(second / 1000, 100_000_000) for second in range(1, 4000)] + [(4.0, 590_000_000), (8.0, 1)]
    drawing = ET.fromstring(draw({"8 rows": curve}))  # noqa: S314 (our own)
    texts = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [
        *(f"{step} MB" for step in range(0, 601, 100)),
        *("0 %", "25 %", "50 %", "75 %", "100 %"),
        "8 rows, 8 s",
    ]
    path = next(drawing.iter("{http://www.w3.org/2000/svg}path")).attrib["d"]
    points = [tuple(map(float, point.split(","))) for point in path[1:].split()]
    assert min(y for _, y in points) == pytest.approx(24 + 240 * 10 / 600)
    assert (points[0][0], points[-1][0]) == (64, 704)


def test_the_picture_in_the_documentation_is_one() -> None:
    assert ET.parse(PICTURE).getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 (our own)
