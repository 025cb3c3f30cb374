from pathlib import Path

import polars as pl
import pytest

from prep.duplicates import KEPT, KEY, ORDINAL, Merged, find_losers, is_called, lookup_keys, merge, rank
from prep.errors import SettingsError
from prep.model import Keep, MergeRule
from prep.pipeline import prepare

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


def test_further_columns_are_those_of_the_row_that_is_kept() -> None:
    keys = pl.DataFrame(
        {
            ORDINAL: [0, 1, 2],
            KEY: ["a", "b", "a"],
            "_rank": [0, 0, 0],
            "_source": ["x", "y", "z"],
            "_row": [7, 8, 9],
        }
    )
    losers = find_losers(keys)
    assert losers.columns == [ORDINAL, KEPT, "_kept_source", "_kept_row"]
    assert losers.rows() == [(0, 2, "z", 9)]


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
        ("most-complete", [("a", "x", None), ("a", "NULL", None)], [(1, 0)]),
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
        {},
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


FIVE = [
    ("long value", "2026-01-02", "lists/crm.csv"),
    ("xx", "2026-01-03", "fair.csv"),
    ("often", None, "leads.zip!b/crm.csv"),
    (None, "2026-01-04", "fair.csv"),
    ("often", "2026-01-01", "fair.csv"),
    ("yy", "2026-01-03T00:00:00Z", "fair.csv"),
]
"""What the rows of one group hold, the survivor last: a value, a date, and the source it is from."""


def kept(rule: str, rows: list[tuple[str | None, str | None, str]]) -> Merged:
    """Merge one group by a rule for the values."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("a", "when", "_source"), pl.String), orient="row")
    frame = frame.with_row_index(ORDINAL).with_columns(pl.lit(len(rows) - 1, pl.UInt32).alias(KEPT))
    return merge(
        frame.sample(fraction=1, shuffle=True, seed=1),
        ["a", "when"],
        {"a": MergeRule.parse(rule)},
        lambda merged: pl.repeat(True, merged.height, eager=True),
    )


@pytest.mark.parametrize(
    ("rule", "rows", "value"),
    [
        ("last", FIVE, "yy"),
        ("last", [*FIVE, (None, "2030-01-01", "fair.csv")], "yy"),
        ("first", FIVE, "long value"),
        ("first", [(None, None, "fair.csv"), *FIVE], "long value"),
        ("longest", FIVE, "long value"),
        ("longest", FIVE[1:], "often"),
        ("longest", [FIVE[1], FIVE[5]], "yy"),
        ("longest", [("ééé", None, "fair.csv"), ("zzzz", None, "fair.csv")], "zzzz"),
        ("most-frequent", FIVE, "often"),
        ("most-frequent", [*FIVE[1:3], *FIVE[5:]], "yy"),
        ("most-frequent", [FIVE[3], FIVE[3], FIVE[1]], "xx"),
        ("newest:when", FIVE[:3], "xx"),
        ("newest:when", FIVE, "yy"),
        ("newest:when", [FIVE[2], FIVE[3]], "often"),
        ("newest:when", [FIVE[4], ("zz", None, "fair.csv")], "often"),
        ("newest:when", [FIVE[2], ("zz", None, "fair.csv")], "zz"),
        ("source:crm.csv", FIVE, "often"),
        ("source:lists/crm.csv", FIVE, "long value"),
        ("source:leads.zip", FIVE, "often"),
        ("source:fair.csv", FIVE[:3], "xx"),
        ("source:fair.csv", FIVE[2:4], "often"),
        ("source:elsewhere.csv", FIVE, "yy"),
        *((rule, [FIVE[3]] * 3, None) for rule in ("last", "first", "longest", "most-frequent")),
        *((rule, [FIVE[3]] * 3, None) for rule in ("newest:when", "source:fair.csv")),
    ],
)
def test_which_value_a_rule_keeps_and_that_all_others_are_told(
    rule: str, rows: list[tuple[str | None, str | None, str]], value: str | None
) -> None:
    result = kept(rule, rows)
    assert result.rows["a"].to_list() == [value]
    others = [(cell, place) for place, (cell, _, _) in enumerate(rows) if cell is not None and cell != value]
    told = result.discarded.filter(field="a").select("value", ORDINAL, KEPT).rows()
    assert told == [(cell, place, len(rows) - 1) for cell, place in others]


def test_a_source_of_the_very_path_goes_before_others_that_end_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old").mkdir()
    Path("crm.csv").write_text("email,city\nana@example.com,Rom\n")
    Path("fair.csv").write_text("email,city\nana@example.com,Oslo\nbo@example.com,Oslo\n")
    Path("old/crm.csv").write_text("email,city\nana@example.com,Lyon\nbo@example.com,Lyon\n")

    def cities(rule: str, *paths: str) -> list[str]:
        return prepare(list(paths), keep="merge", merge={"city": rule}).ready.sort("email")["city"].to_list()

    assert cities("source:crm.csv", "crm.csv", "old/crm.csv", "fair.csv") == ["Rom", "Oslo"]
    assert cities("source:old/crm.csv", "crm.csv", "old/crm.csv", "fair.csv") == ["Lyon", "Lyon"]
    assert cities("source:crm.csv", "old/crm.csv", "fair.csv") == ["Lyon", "Lyon"]
    assert cities("source:crm.csv", "./crm.csv", "old/crm.csv", "fair.csv") == ["Lyon", "Lyon"]


def test_a_rule_for_all_fields_gives_way_to_a_field_s_own() -> None:
    rows = pl.DataFrame({ORDINAL: [0, 1], KEPT: [1, 1], "a": ["x", "yy"], "b": ["x", "yy"]})
    rules = {"*": MergeRule.parse("first"), "b": MergeRule.parse("longest")}
    result = merge(rows, ["a", "b"], rules, lambda merged: pl.repeat(True, merged.height, eager=True))
    assert result.rows.rows() == [(1, "x", "yy")]
    assert result.discarded.rows() == [("b", "x", 0, 1), ("a", "yy", 1, 1)]


@pytest.mark.parametrize(
    "rule", ["", "Last", "longest:a", "newest", "newest:", "source", "source:", "last:x", "first,last"]
)
def test_a_rule_that_is_none(rule: str) -> None:
    with pytest.raises(SettingsError) as caught:
        MergeRule.parse(rule)
    assert (caught.value.code, caught.value.message) == ("bad_merge", f"--merge does not know {rule!r}")


@pytest.mark.parametrize("text", ["last", "most-frequent", "newest:updatedAt", "source:a:b.csv"])
def test_a_rule_is_written_as_it_is_read(text: str) -> None:
    assert str(MergeRule.parse(text)) == text


@pytest.mark.parametrize(
    ("path", "name", "is_it"),
    [
        ("crm.csv", "crm.csv", True),
        ("lists/crm.csv", "crm.csv", True),
        ("lists/crm.csv", "lists/crm.csv", True),
        ("/data/lists/crm.csv", "lists/crm.csv", True),
        ("/data/lists/crm.csv", "/data/lists/crm.csv", True),
        ("old_crm.csv", "crm.csv", False),
        ("crm.csv.gz", "crm.csv", False),
        ("all.zip!2026/crm.csv", "crm.csv", True),
        ("all.zip!2026/crm.csv", "all.zip", True),
        ("in/all.zip!2026/crm.csv", "all.zip!2026/crm.csv", True),
        ("in/all.zip!2026/crm.csv", "2026", False),
    ],
)
def test_what_a_source_is_called(path: str, name: str, *, is_it: bool) -> None:
    assert is_called(path, name) is is_it
