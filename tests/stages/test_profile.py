"""What columns hold, in numbers and shapes."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prep.profile import Profile, Shapes, shape

CELLS = st.lists(st.none() | st.text(max_size=12).filter(bool), max_size=30)


def _frame(**columns: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


@given(st.lists(CELLS, max_size=4))
def test_a_profile_is_what_counting_gives(batches: list[list[str | None]]) -> None:
    profile = Profile(["city"])
    for batch in batches:
        profile.add(_frame(city=batch, other=batch))
    filled = [cell for batch in batches for cell in batch if cell is not None]
    rows = sum(map(len, batches))
    assert profile.to_json() == {
        "rows": rows,
        "sampled": rows,
        "columns": [
            {
                "field": "city",
                "filled": len(filled),
                "distinct": len(set(filled)),
                "longest": max(map(len, filled), default=0),
            }
        ],
    }


def test_distinct_values_are_counted_in_the_first_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prep.profile._SAMPLED_ROWS", 3)
    profile = Profile(["a"])
    profile.add(_frame(a=["x", "y"]))
    profile.add(_frame(a=["x", "longer"]))
    found = profile.to_json()
    assert (found["rows"], found["sampled"]) == (4, 3)
    assert found["columns"] == [{"field": "a", "filled": 4, "distinct": 2, "longest": 6}]


@pytest.mark.parametrize(
    ("cell", "masked"),
    [
        ("Ana.Ruiz42@example.com", "aaa.aaaa99@aaaaaaa.aaa"),
        ("+34 910-000-001", "+99 999-999-999"),
        ("José Ж 日本", "aaaá á áá"),
        ("٣½Ⅷ", "999"),
        ("=cmd|' /C calc'!A0", "=aaa|' /a aaaa'!a9"),
        ("", ""),
        (None, None),
        ("x" * 40, "a" * 40),
        ("1" * 41, "9" * 40 + "… (41 characters)"),
    ],
)
def test_a_shape_shows_the_form_of_a_cell_and_none_of_it(cell: str | None, masked: str | None) -> None:
    assert shape(pl.Series([cell], dtype=pl.String)).to_list() == [masked]


@given(st.text(max_size=40))
def test_no_letter_and_no_digit_of_a_cell_is_in_its_shape(cell: str) -> None:
    (masked,) = shape(pl.Series([cell]))
    assert [found for found in masked if found.isalnum() and found not in "aá9"] == []


def test_the_commonest_shapes_of_each_reason_are_kept() -> None:
    shapes = Shapes([{"email": "0", "score": "1"}, {"score": "0"}], reasons="why", whole_row="raw")
    why = pl.Series("why", [["email:bad", "score:bad"], ["score:bad"], ["unreadable"]])
    first = pl.DataFrame({"0": ["a@", "b", None], "1": ["1,5", "2,7", None], "raw": [None, None, 'x,"y']})
    shapes.add(0, first.with_columns(why))
    second = pl.DataFrame({"0": ["many", "12", "3.4", "two"]})
    shapes.add(1, second.with_columns(pl.Series("why", [["score:bad"], ["email:bad"]] * 2)))
    assert shapes.of("score", "bad") == ["9,9", "9.9", "aaaa"]
    assert shapes.of("email", "bad") == ["a@"]
    assert shapes.of("", "unreadable") == ['a,"a']
    assert shapes.of("email", "other") == []


def test_of_a_common_reason_only_the_first_cells_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prep.profile._EXAMINED", 2)
    shapes = Shapes([{"score": "0"}], reasons="why", whole_row="raw")
    for cells in (["one", "two", "3"], ["4", "5"]):
        frame = pl.DataFrame({"0": cells})
        shapes.add(0, frame.with_columns(pl.Series("why", [["score:bad"]] * len(cells))))
    assert shapes.of("score", "bad") == ["aaa"]
