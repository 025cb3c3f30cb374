"""JSON lines read by their shape give what the decoder gives, line by line."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prep.errors import SourceError
from prep.sources import json_records
from prep.sources.json_records import open_json
from tests.depth import examples

VALUES = [
    *(
        '"a"',
        '""',
        '" b "',
        '"null"',
        '"true"',
        '"é日"',
        '"a\\"b"',
        '"\\u0041"',
        '"\\ud800"',
        '"\\\\"',
        '"{,}"',
    ),
    *(
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12345678901234567890123",
        "1.50",
        "1.234",
        "1234e-3",
        "-0.0",
        "1e3",
        "1E-2",
        "01",
        "1.",
    ),
    *('"\x7f"', '"\x01"', '"\u2028"', '"a\rb"', "NaN", "[1]", '{"x":1}', "", '"open'),
]
GOOD = ['"a"', '""', "null", "true", "1.50", "1.234", '"1.234"', "7", '"é"']
KEYS = ["a", "b c", "é", "x.y", "k\\\\", "a", "(", "[^"]
SPACES = ["", "", "", " ", "\t"]


@st.composite
def records(draw: st.DrawFn) -> str:
    shape = draw(
        st.sampled_from(
            [["a", "b c"], ["a", "b c", "é"], ["x.y", "("], draw(st.lists(st.sampled_from(KEYS)))]
        )
    )
    value = st.sampled_from(GOOD) if draw(st.integers(0, 4)) else st.sampled_from(VALUES)
    space = st.sampled_from(SPACES)
    members = [f'"{key}"{draw(space)}:{draw(space)}{draw(value)}' for key in shape]
    return draw(space) + "{" + ("," + draw(space)).join(members) + draw(space) + "}" + draw(space)


lines = st.lists(records() | st.sampled_from(["", " ", "{", "[]", "7", '"x"']), min_size=1, max_size=25)


def read(path: Path) -> tuple[object, ...]:
    try:
        source = open_json(str(path))
        reader = source.read()
        batches = list(reader)
    except (SourceError, ValueError) as error:
        return (str(error),)
    cells = pl.concat([batch.cells for batch in batches])
    rejected = pl.concat([batch.rejected for batch in batches])
    skipped = [(entry.kind, entry.line) for batch in batches for entry in batch.skipped]
    return source.columns, cells.schema, cells.rows(), rejected.rows(), skipped, reader.rows, reader.sha256


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    found=lines,
    end=st.sampled_from(["\n", "\n", "\r\n"]),
    start=st.sampled_from(["", "", "\ufeff"]),
    block_bytes=st.sampled_from([1, 50, 1 << 20]),
    broken=st.sampled_from([b"", b"", b'{"a":"\xff"}\n']),
)
def test_shapes_change_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    found: list[str],
    end: str,
    start: str,
    block_bytes: int,
    broken: bytes,
) -> None:
    path = tmp_path_factory.getbasetemp() / "leads.ndjson"
    path.write_bytes((start + end.join(found)).encode() + end.encode() + broken)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "_BLOCK_BYTES", block_bytes)
        by_shape = read(path)
        patch.setattr(json_records, "MOST_SHAPES", 0)
        decoded = read(path)
    assert by_shape == decoded


def test_a_line_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "leads.ndjson"
    ordinary = {"Email": "ann@example.com", "n": 7, "ok": True, "x": None, "e": ""}
    odd = '{"Email":"bo@example.com","n":1e3,"ok":"nu\\u006cl","x":"1.250","e":1.250}'
    path.write_text("\n".join([json.dumps(ordinary), "", odd, json.dumps(ordinary), '{"n": 1']))
    columns, _, cells, rejected, skipped, rows, _ = read(path)
    assert columns == ("Email", "n", "ok", "x", "e")
    assert cells == [
        ("ann@example.com", "7", "true", None, None, None, 1, 1),
        ("bo@example.com", "1000", "null", "1.250", "1.250", "4", 2, 3),
        ("ann@example.com", "7", "true", None, None, None, 3, 4),
    ]
    assert rejected == [(4, 5, "unreadable_row", '{"n": 1')]
    assert (skipped, rows) == ([("blank", 2)], 4)


@pytest.mark.parametrize("text", ['[{"a": %s}]', '{"a": %s}\n'])
def test_a_file_that_becomes_another_while_it_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "leads.json"
    path.write_text(text % "1")
    source = open_json(str(path))
    path.write_text(text % "[1]")

    with pytest.raises(SourceError) as caught:
        list(source.read())
    assert caught.value.code == "source_changed"
