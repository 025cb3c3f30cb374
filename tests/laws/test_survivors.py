"""What survives of several rows with one key, whatever the order in which they stand."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.duplicates import KEPT, ORDINAL, Merged, find_losers, lookup_keys, merge, rank
from prep.model import Keep, MergeRule
from tests.depth import examples

FIELDS = ("email", "firstName", "lastName", "company", "city", "mktoAcquisitionDate")
DATE = "mktoAcquisitionDate"
MERGE = {
    "firstName": "longest",
    "lastName": "most-frequent",
    "company": f"newest:{DATE}",
    "city": "source:crm.csv",
}
Row = dict[str, str]

CELLS = st.sampled_from(["", "", "x", "y", "yy", "zz", "xyz"])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["ana@example.com", "Ana@Example.com", "bo@example.com"]),
        *[CELLS] * 4,
        st.sampled_from(["", "2026-01-01", "2026-01-02", "2026-01-03"]),
        st.sampled_from(["crm.csv", "fair.csv"]),
    ).map(lambda cells: dict(zip((*FIELDS, "_source"), cells, strict=True))),
    min_size=1,
    max_size=9,
)


def decided(rows: list[Row], keep: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All rows with `_ordinal` and `_source`, and which of them lose to which."""
    blanks = [{field: row[field] or None for field in (*FIELDS, "_source")} for row in rows]
    schema = dict.fromkeys((*FIELDS, "_source"), pl.String)
    frame = pl.DataFrame(blanks, schema).with_row_index(ORDINAL)
    keys = lookup_keys(frame["email"], "email")
    return frame, find_losers(frame.select(ORDINAL, keys, rank(frame, FIELDS, Keep.parse(keep))))


def survivors(rows: list[Row], keep: str) -> dict[str, Row]:
    frame, losers = decided(rows, keep)
    left = frame.join(losers, on=ORDINAL, how="anti").select(pl.col(FIELDS).fill_null(""))
    return {row["email"].lower(): row for row in left.rows(named=True)}


def merged(rows: list[Row]) -> Merged:
    frame, losers = decided(rows, "merge")
    own = frame.join(losers, on=ORDINAL, how="anti").select(ORDINAL, pl.col(ORDINAL).alias(KEPT))
    return merge(
        frame.join(pl.concat([losers, own]), on=ORDINAL),
        FIELDS,
        {field: MergeRule.parse(rule) for field, rule in MERGE.items()},
        lambda merged: pl.repeat(True, merged.height, eager=True),
    )


def merged_rows(rows: list[Row]) -> dict[str, Row]:
    cells = merged(rows).rows.select(pl.col(FIELDS).fill_null("")).rows(named=True)
    return {row["email"].lower(): row for row in cells}


def groups(rows: list[Row]) -> dict[str, list[Row]]:
    found = defaultdict(list)
    for row in rows:
        found[row["email"].lower()].append(row)
    return found


def best(values: Iterable[str], score: Callable[[str], int]) -> set[str]:
    """The values among which only the order of rows can decide; the blank one if there is no other."""
    scores = {value: score(value) for value in values if value}
    return {value for value, reached in scores.items() if reached == max(scores.values())} or {""}


def candidates(group: list[Row]) -> dict[str, set[str]]:
    """What each field may be after merging, by the words of its rule."""
    last_names = Counter(row["lastName"] for row in group)
    newest: dict[str, str] = {}
    for row in group:
        newest[row["company"]] = max(newest.get(row["company"], ""), row[DATE])
    days = ["", "2026-01-01", "2026-01-02", "2026-01-03"]
    preferred = {row["city"] for row in group if row["_source"] == "crm.csv"}
    return {
        "firstName": best((row["firstName"] for row in group), len),
        "lastName": best(last_names, last_names.__getitem__),
        "company": best(newest, lambda company: days.index(newest[company])),
        "city": best((row["city"] for row in group), lambda city: int(city in preferred)),
    }


@given(rows=ROWS, data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_merging_asks_for_the_order_only_where_nothing_else_decides(
    rows: list[Row], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(rows))
    one, other = merged_rows(rows), merged_rows(shuffled)
    for key, group in groups(rows).items():
        for field, allowed in candidates(group).items():
            assert {one[key][field], other[key][field]} <= allowed, field


def completeness(row: Row) -> int:
    return sum(bool(row[field]) for field in FIELDS)


@given(rows=ROWS, data=st.data())
@settings(max_examples=examples(30), deadline=None)
@pytest.mark.parametrize(
    ("keep", "score"), [("most-complete", completeness), (f"newest:{DATE}", lambda row: row[DATE])]
)
def test_keeping_asks_for_the_order_only_among_equals(
    keep: str, score: Callable[[Row], int], rows: list[Row], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(rows))
    one, other = survivors(rows, keep), survivors(shuffled, keep)
    for key, group in groups(rows).items():
        top = max(map(score, group))
        allowed = [{field: row[field] for field in FIELDS} for row in group if score(row) == top]
        assert one[key] in allowed
        assert other[key] in allowed


@given(rows=ROWS)
@settings(max_examples=examples(100), deadline=None)
def test_no_value_is_lost_and_no_blank_wins(rows: list[Row]) -> None:
    left, told = merged_rows(rows), Counter(merged(rows).discarded.select("field", "value", ORDINAL).rows())
    expected: Counter[tuple[str, str, int]] = Counter()
    for number, row in enumerate(rows):
        key = row["email"].lower()
        for field in FIELDS:
            assert bool(left[key][field]) == any(other[field] for other in groups(rows)[key])
            if row[field] not in {"", left[key][field]}:
                expected[field, row[field], number] += 1
    assert told == expected
