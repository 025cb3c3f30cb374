import os
import subprocess
import sys

import pandera.polars as pa
import polars as pl
import pytest

from prep.judge import find_failures
from prep.schema import Field, Schema
from prep.validation import REASONS, compile_judge, validate

SCHEMA = Schema(
    "test",
    {
        field.name: field
        for field in (
            Field("email", "email"),
            Field("id", "integer"),
            Field("n", "integer", allowed=("1", "2"), pattern="[12]"),
            Field("site", "url", length=12),
            Field("note", "text", length=4),
            Field("name", "string", length=3),
            Field("born", "date"),
            Field("seen", "datetime"),
            Field("flag", "boolean"),
            Field("must", "string", required=True),
        )
    },
    ("email", "id"),
)

Cells = dict[str, str | None]


def judge(row: Cells, *, lookup_field: str = "email") -> list[str]:
    """Reasons of a row whose other cells are in order; it stands between two good rows."""
    good: Cells = {"email": "a@example.com", "must": "x"}
    good = {**dict.fromkeys([*good, *row]), **good, **({"id": "1"} if "id" in row else {})}
    rows = [good, {**good, **row}, good]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(good, pl.String)).with_columns(_row=pl.Series([7, 8, 9]))
    result = validate(frame, compile_judge(SCHEMA, list(good), lookup_field))
    assert result.valid.height + result.rejected.height == 3
    assert result.valid.columns == frame.columns
    assert result.rejected.columns == [*frame.columns, REASONS]
    broken = dict(result.rejected.select("_row", REASONS).rows())
    assert result.valid["_row"].to_list() == [row for row in (7, 8, 9) if row not in broken]
    assert broken.keys() <= {8}
    return list(broken.get(8, []))


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        ({}, []),
        ({"email": None}, ["email:missing_lookup"]),
        ({"email": "nobody"}, ["email:invalid_email"]),
        ({"email": "é@example.com"}, ["email:email_not_ascii"]),
        ({"n": "3"}, ["n:not_allowed"]),
        ({"n": "x"}, ["n:not_integer", "n:not_allowed"]),
        ({"site": "www.example.com/long"}, ["site:too_long"]),
        ({"site": "this is no address"}, ["site:not_url", "site:too_long"]),
        ({"note": "éé"}, []),
        ({"note": "ééé"}, ["note:too_long"]),
        ({"name": "ééé"}, []),
        ({"name": "éééé"}, ["name:too_long"]),
        ({"born": "2026-02-30"}, ["born:not_date"]),
        ({"seen": "2026-02-01T10:00:00"}, ["seen:no_timezone"]),
        ({"flag": "maybe"}, ["flag:not_boolean"]),
        ({"must": None}, ["must:required"]),
        ({"n": None, "site": None, "note": None, "born": None, "seen": None, "flag": None}, []),
        (
            {"email": None, "must": None, "flag": "?", "n": "x"},
            ["email:missing_lookup", "must:required", "flag:not_boolean", "n:not_integer", "n:not_allowed"],
        ),
    ],
)
def test_reasons_in_the_order_of_columns_and_rules(row: Cells, reasons: list[str]) -> None:
    assert judge(row) == reasons


@pytest.mark.parametrize(
    ("cell", "reasons"),
    [
        ("1", []),
        ("0", ["id:not_positive"]),
        ("-4", ["id:not_positive"]),
        ("x", ["id:not_integer", "id:not_positive"]),
        (None, ["id:missing_lookup"]),
    ],
)
def test_an_id_as_lookup_field_is_above_zero(cell: str | None, reasons: list[str]) -> None:
    assert judge({"id": cell}, lookup_field="id") == reasons


def test_a_required_field_without_a_column_rejects_every_row() -> None:
    frame = pl.DataFrame({"email": ["a@example.com", None]}, schema={"email": pl.String})
    result = validate(frame, compile_judge(SCHEMA, ["email"], "email"))
    assert result.valid.is_empty()
    assert result.rejected.rows() == [
        ("a@example.com", ["must:required"]),
        (None, ["email:missing_lookup", "must:required"]),
    ]


def test_no_rows_is_no_problem() -> None:
    frame = pl.DataFrame(schema={"email": pl.String, "_row": pl.UInt32})
    result = validate(frame, compile_judge(SCHEMA, ["email", "must"], "email"))
    assert result.valid.schema == frame.schema
    assert result.rejected.schema == {**frame.schema, REASONS: pl.List(pl.String)}


def test_a_lazy_frame_is_judged_too() -> None:
    """Pandera alone would look at its column names only."""
    rules = SCHEMA.to_pandera(lookup_field="email", fields=["email"])
    frame = pl.DataFrame({"email": ["nobody"], "must": ["x"]})
    assert rules.validate(frame.lazy(), lazy=True) is not None
    assert find_failures(rules, frame.lazy()).rows() == [("email", "invalid_email", 0)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "switch", ["PANDERA_VALIDATION_ENABLED=False", "PANDERA_VALIDATION_DEPTH=SCHEMA_ONLY", "NOTHING=1"]
)
def test_no_switch_of_the_environment_disables_anything(switch: str) -> None:
    program = (
        "import polars as pl\n"
        "from prep.schema_file import load_schema\n"
        "from prep.validation import compile_judge, validate\n"
        "rules = compile_judge(load_schema('lead'), ['email'], 'email')\n"
        "frame = pl.DataFrame({'email': ['a@example.com', 'nobody', None]})\n"
        "print(validate(frame, rules).rejected['_reasons'].to_list())\n"
    )
    name, _, value = switch.partition("=")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[['email:invalid_email'], ['email:missing_lookup']]\n"


def _crash(data: pa.PolarsData) -> pl.LazyFrame:
    raise ValueError(f"ana@example.com in {data.key}")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            pa.Column(pl.String, pa.Check(_crash, error="not_url")),
            "rules that could not be judged: a:not_url",
        ),
        (pa.Column(pl.String, pa.Check.str_length(1, 2)), "pandera reports str_length(1, 2)"),
        (pa.Column(pl.Int64), "pandera reports dtype('Int64')"),
    ],
)
def test_what_cannot_be_judged_is_never_taken_for_valid(column: pa.Column, message: str) -> None:
    """A rule that raises is reported without a row; to ignore that would let every row pass."""
    rules = pa.DataFrameSchema({"a": column})
    with pytest.raises(TypeError) as caught:
        find_failures(rules, pl.DataFrame({"a": ["ana@example.com"]}))
    assert str(caught.value) == message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_missing_column_is_not_overlooked() -> None:
    rules = pa.DataFrameSchema({"a": pa.Column(pl.String)})
    with pytest.raises(TypeError, match="column_in_dataframe"):
        find_failures(rules, pl.DataFrame({"b": ["x"]}))
