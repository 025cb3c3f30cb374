import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.judge import find_failures
from prep.rules import CrossRule, Terms
from prep.schema import Field, Schema
from prep.validation import REASONS, compile_judge, validate
from tests.depth import examples

FIELDS = (
    Field("email", "email", length=20),
    Field("n", "integer", allowed=("1", "2"), pattern="[12]"),
    Field("site", "url", length=12),
    Field("note", "text", length=4, checks=("ascii", "single_line")),
    Field("born", "date", required=True),
    Field("seen", "datetime"),
    Field("flag", "boolean"),
)
CELLS = {
    "email": [
        "a@example.com",
        "a@example.c",
        "é@example.com",
        "a..b@example.com",
        "nobody",
        "A@EXAMPLE.TEST",
    ],
    "n": ["1", "3", "x", "99999999999999999999"],
    "site": ["example.com", "www.example.com", "no site", "a b c d e f g h"],
    "note": ["abcd", "abcde", "é", "a\nb", "ééé\n"],
    "born": ["2026-02-28", "2026-02-30", "soon"],
    "seen": ["2026-02-28T10:00:00Z", "2026-02-28T10:00:00", "2026-02-30T10:00:00"],
    "flag": ["true", "maybe"],
}
NAMES = [field.name for field in FIELDS]
RULE = CrossRule("flagged", Terms(filled=("flag",)), Terms(filled=("site", "email")))
SCHEMA = Schema("reasons", {field.name: field for field in FIELDS}, ("email",), rules=(RULE,))
ROWS = st.lists(st.tuples(*(st.sampled_from([None, *CELLS[name]]) for name in NAMES)), max_size=12)


@given(rows=ROWS)
@settings(max_examples=examples(120), deadline=None)
def test_a_row_has_the_reasons_that_pandera_has_rule_by_rule(rows: list[tuple[str | None, ...]]) -> None:
    frame = pl.DataFrame(rows, schema=dict.fromkeys(NAMES, pl.String), orient="row")
    failures = find_failures(SCHEMA.to_pandera(lookup_field="email", fields=NAMES), frame)
    expected: dict[int, list[str]] = {}
    for column, check, row in failures.rows():
        reasons = expected.setdefault(row, [])
        reasons += [reason for reason in [f"{column}:{check}"] if reason not in reasons]
    numbered = frame.with_row_index("_row")
    result = validate(numbered, compile_judge(SCHEMA, NAMES, "email"))
    assert dict(result.rejected.select("_row", REASONS).rows()) == expected
    assert result.valid["_row"].to_list() == [row for row in range(len(rows)) if row not in expected]
