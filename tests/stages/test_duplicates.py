import polars as pl
import pytest

from prep.duplicates import KEPT, KEY, ORDINAL, Merged, find_losers, lookup_keys, merge, rank
from prep.model import Keep

Row = tuple[str, str | None, str | None]


def lost(policy: str, rows: list[Row], type_name: str = "email") -> list[tuple[int, int]]:
    """Which rows lose to which; a row is its key, a cell and the date or date-time it is from."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("k", "cell", "when"), pl.String), orient="row")
    frame = frame.with_row_index(ORDINAL)
    keys = frame.select(
        ORDINAL, lookup_keys(frame["k"], type_name), rank(frame, ["k", "cell", "when"], Keep.parse(policy))
    )
    losers = find_losers(keys)
    assert losers.columns == [ORDINAL, KEPT]
    return losers.rows()


FOUR: list[Row] = [("a", "x", None), ("b", None, None), ("A", None, None), ("a", None, "2026-01-01")]


@pytest.mark.parametrize(
    ("policy", "rows", "losers"),
    [
        ("first", FOUR, [(2, 0), (3, 0)]),
        ("last", FOUR, [(0, 3), (2, 3)]),
        ("merge", FOUR, [(0, 3), (2, 3)]),
        ("most-complete", FOUR, [(0, 3), (2, 3)]),
        ("most-complete", [("a", "x", None), ("a", None, None)], [(1, 0)]),
        ("most-complete", [("a", None, "2026-01-01"), ("a", "x", None)], [(0, 1)]),
        ("newest:when", FOUR, [(0, 3), (2, 3)]),
        ("newest:when", [("a", "x", None), ("a", None, None)], [(0, 1)]),
        ("newest:when", [("a", "x", "2025-12-31"), ("a", None, None)], [(1, 0)]),
        ("newest:when", [("a", None, "2026-01-02"), ("a", None, "2026-01-01T23:59:59Z")], [(1, 0)]),
        ("newest:when", [("a", None, "2026-01-01"), ("a", None, "2026-01-01T00:00:00Z")], [(0, 1)]),
        (
            "newest:when",
            [("a", None, "2026-01-01T10:00:00+02:00"), ("a", None, "2026-01-01T09:00:00-05:00")],
            [(0, 1)],
        ),
        (
            "newest:when",
            [("a", None, "2026-01-01T23:00:00-05:00"), ("a", None, "2026-01-02T03:59:59Z")],
            [(1, 0)],
        ),
        (
            "newest:when",
            [("a", None, "2026-01-01T10:00:00.5Z"), ("a", None, "2026-01-01T10:00:00.25Z")],
            [(1, 0)],
        ),
        (
            "newest:when",
            [("a", None, "0999-01-01"), ("a", None, "9999-12-31"), ("a", None, None)],
            [(0, 1), (2, 1)],
        ),
        ("last", [("a", None, None)], []),
        ("last", [], []),
    ],
)
def test_policies(policy: str, rows: list[Row], losers: list[tuple[int, int]]) -> None:
    assert lost(policy, rows) == losers


@pytest.mark.parametrize(
    ("type_name", "first", "second", "same"),
    [
        ("email", "Ana@Example.com", "ana@example.COM", True),
        ("email", "ana@example.com", "ana@example.org", False),
        ("string", "00Q30000001AbcD", "00Q30000001abcD", False),
        ("string", "x", "x", True),
        ("integer", "12", "12", True),
        ("integer", "12", "120", False),
    ],
)
def test_only_addresses_compare_without_case(type_name: str, first: str, second: str, *, same: bool) -> None:
    keys = lookup_keys(pl.Series([first, second]), type_name)
    assert keys.name == KEY
    assert (keys.n_unique() == 1) is same


def merged(*rows: tuple[int, int, str | None, str | None], longest: int = 100) -> Merged:
    """Merge rows of ordinal, kept ordinal and two cells; longer rows than the longest do not fit."""
    schema = {ORDINAL: pl.UInt32, KEPT: pl.UInt32, "a": pl.String, "b": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return merge(
        frame,
        ["a", "b"],
        lambda filled: filled.select(
            pl.sum_horizontal(pl.col("a", "b").str.len_chars()) <= longest
        ).to_series(),
    )


def test_blanks_are_filled_the_latest_first_and_nothing_is_overwritten() -> None:
    result = merged((0, 9, "old", "early"), (4, 9, "newer", "late"), (7, 9, None, None), (9, 9, "won", None))
    assert result.rows.rows() == [(9, "won", "late")]
    assert result.rows.columns == [ORDINAL, "a", "b"]
    assert result.discarded.columns == ["field", "value", ORDINAL, KEPT]
    assert result.discarded.rows() == [
        ("a", "old", 0, 9),
        ("b", "early", 0, 9),
        ("a", "newer", 4, 9),
    ]


def test_groups_stay_apart_and_equal_values_are_not_discarded() -> None:
    result = merged((0, 2, "x", None), (1, 3, None, "y"), (2, 2, "x", None), (3, 3, None, None))
    assert sorted(result.rows.rows()) == [(2, "x", None), (3, None, "y")]
    assert result.discarded.is_empty()


def test_the_winner_need_not_be_the_latest() -> None:
    result = merged((0, 0, "first", None), (1, 0, "second", "b"), (2, 0, "third", None))
    assert result.rows.rows() == [(0, "first", "b")]
    assert result.discarded.rows() == [("a", "second", 1, 0), ("a", "third", 2, 0)]


def test_a_merge_that_would_not_fit_is_not_made_and_says_what_is_discarded() -> None:
    result = merged(
        (0, 1, None, "1234567"), (1, 1, "12345", None), (2, 3, "1", None), (3, 3, None, "2"), longest=10
    )
    assert sorted(result.rows.rows()) == [(1, "12345", None), (3, "1", "2")]
    assert result.discarded.rows() == [("b", "1234567", 0, 1)]
