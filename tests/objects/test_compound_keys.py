"""One row for each key, also where several fields make it: against a reference that goes row by row."""

from typing import Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prep
from prep.duplicates import compound_keys
from prep.model import Format
from prep.outcomes import join_chunk
from prep.schema_file import parse_schema
from tests.depth import examples

SCHEMA: Final = parse_schema(
    """
[object]
name = "visit_c"
dedupe_fields = ["place", "email", "day"]
[fields.place]
[fields.email]
type = "email"
[fields.day]
type = "date"
[fields.note]
""",
    "visit_c",
)

PLACES: Final = st.lists(st.sampled_from([*'aA",\\{}:;|', "é", "\u0301", '","email":"']), max_size=4).map(
    "".join
)
"""Texts of which two in a row are not told apart by gluing them together."""

EMAILS: Final = st.sampled_from(["a@example.com", "A@example.com", "b@example.com", ""])
DAYS: Final = st.sampled_from(["2026-01-05", "2026-01-06", "nonsense", ""])
VISITS: Final = st.lists(
    st.tuples(PLACES, EMAILS, DAYS, st.sampled_from(["x", "y", ""])), min_size=1, max_size=25
)


@settings(deadline=None, max_examples=examples(60))
@given(VISITS, st.sampled_from(["first", "last"]))
def test_the_rows_that_stand_are_those_of_a_reference(
    rows: list[tuple[str, str, str, str]], keep: str
) -> None:
    frame = pl.DataFrame(rows, schema=["place", "email", "day", "note"], orient="row")
    prepared = prep.prepare(frame, SCHEMA, object="customobjects/visit_c", keep=keep)

    kept: dict[tuple[str, str, str], int] = {}
    rejected = set()
    normal = prep.prepare(frame.select(pl.col("place").alias("note"), pl.lit("p").alias("place"),
                                       pl.lit("a@example.com").alias("email"),
                                       pl.int_range(pl.len()).cast(pl.String).alias("day")),
                          UNKEYED, object="customobjects/visit_c")  # fmt: skip
    places = dict(normal.ready.select("_row", "note").iter_rows())
    for number, (_, email, day, _) in enumerate(rows, 1):
        place = places[number] or ""
        if not place or not email or not day.startswith("2026"):
            rejected.add(number)
            continue
        key = (place, email.lower(), day)
        if keep == "last" or key not in kept:
            kept[key] = number

    assert set(prepared.rejected["_row"]) == rejected
    assert sorted(prepared.ready["_row"]) == sorted(kept.values())
    lost = set(range(1, len(rows) + 1)) - rejected - set(kept.values())
    assert set(prepared.duplicates["_row"]) == lost
    for row, place, email, day, winner in prepared.duplicates.select(
        "_row", "place", "email", "day", "_kept_row"
    ).iter_rows():
        assert kept[place, email.lower(), day] == winner, row


UNKEYED: Final = parse_schema(
    """
[object]
name = "visit_c"
dedupe_fields = ["day"]
[fields.place]
[fields.email]
[fields.day]
[fields.note]
""",
    "visit_c",
)
"""Tells how texts are spelled without any of them being a key."""


def test_no_two_keys_have_one_spelling() -> None:
    pairs = [
        ("a", "bc"),
        ("ab", "c"),
        ('a","b', "c"),
        ("a", 'b","c'),
        ("a,b", "c"),
        ("a", "b,c"),
        ("a\\", '"c'),
        ("a", '\\"c'),
    ]
    frame = pl.DataFrame(pairs, schema=["x", "y"], orient="row")
    assert compound_keys(frame, {"x": "string", "y": "string"}).n_unique() == len(pairs)


SENT = b"vin,day,note\nA,2026-01-05,one\nA,2026-01-06,two\nB,2026-01-05,three\n"


@pytest.mark.parametrize(
    ("failures", "fates"),
    [
        (b"vin,day,note,Import Failure Reason\nA,2026-01-06,two,no\n", ["imported", "failed", "imported"]),
        (b"note,day,vin,Import Failure Reason\nTWO,2026-01-06,A,no\n", ["imported", "failed", "imported"]),
        (b"vin,day,Import Failure Reason\nA,2026-01-06,no\n", ["imported", "failed", "imported"]),
        (b"vin,day,note,Import Failure Reason\nA,2026-01-06,gone,no\n", ["imported", "failed", "imported"]),
        (
            b"vin,day,note,Import Failure Reason\nA,2026-01-06,gone,no\nA,2026-01-05,too,no\n",
            ["failed", "failed", "imported"],
        ),
        (b"vin,note,Import Failure Reason\nA,two,no\n", ["imported", "failed", "imported"]),
        (b"vin,Import Failure Reason\nA,no\n", ["unknown", "unknown", "imported"]),
        (b"vin,day,note,Import Failure Reason\nC,2026-01-06,gone,no\n", ["unknown"] * 3),
    ],
    ids=[
        "exact",
        "reordered",
        "column gone",
        "by key",
        "two by key",
        "half a key",
        "half a key alone",
        "no row",
    ],
)
def test_failures_are_joined_by_all_fields_of_the_key(failures: bytes, fates: list[str]) -> None:
    outcome = join_chunk(
        SENT,
        failures,
        b"",
        format=Format.CSV,
        lookup_field="vin,day",
        failed_count=failures.count(b"\n") - 1,
        warned_count=0,
    )
    assert outcome.rows["fate"].to_list() == fates
