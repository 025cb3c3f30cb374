"""Values of a lead and cells of an upload, and what an import would do to them."""

import polars as pl
import pytest

from prep.checks import TYPE_CHECKS
from prep.comparison import find_change


def found(type_name: str, before: str | None, sent: str | None) -> str | None:
    frame = pl.DataFrame({"b": [before], "s": [sent]}, schema={"b": pl.String, "s": pl.String})
    change: str | None = frame.select(find_change("b", "s", type_name)).item()
    return change


@pytest.mark.parametrize(
    ("type_name", "before", "sent"),
    [
        ("string", "Ada", "Ada"),
        ("integer", "7", "7.0"),
        ("score", "7.0", "7"),
        ("percent", "99", "99"),
        ("integer", "9223372036854775807", "9223372036854775807"),
        ("float", "1", "1.0"),
        ("float", "1.0", "1"),
        ("float", "0.5", ".5"),
        ("currency", "123456.7890625", "123456.789"),
        ("currency", "1000000", "1000000.00"),
        ("boolean", "true", "True"),
        ("date", "2010-05-07", "2010-05-07"),
        ("date", "2010-05-07T00:00:00Z", "2010-05-07"),
        ("datetime", "2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00"),
        ("datetime", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.750Z"),
        ("datetime", "2024-01-01T06:00:00+0000", "2024-01-01T00:00:00-06:00"),
        ("datetime", "2024-01-01T00:00:00", "2024-01-01T00:00:00"),
    ],
)
def test_spellings_of_one_value_are_no_change(type_name: str, before: str, sent: str) -> None:
    assert found(type_name, before, sent) is None


@pytest.mark.parametrize(
    ("type_name", "before", "sent"),
    [
        ("string", "Ada", "ada"),
        ("email", "Ada@example.com", "ada@example.com"),
        ("string", "1", "1.0"),
        ("phone", "0043 1", "00431"),
        ("integer", "9223372036854775807", "9223372036854775806"),
        ("integer", "7", "7.5"),
        ("float", "1", "1.5"),
        ("currency", "100000.02", "100000.01"),
        ("boolean", "true", "false"),
        ("date", "2010-05-07", "2010-05-08"),
        ("date", "2010-05-07T12:00:00Z", "2010-05-07"),
        ("datetime", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00+01:00"),
        ("datetime", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00"),
        ("datetime", "soon", "2024-01-01T00:00:00Z"),
    ],
)
def test_what_may_be_another_value_is_a_change(type_name: str, before: str, sent: str) -> None:
    assert found(type_name, before, sent) == "changed"


@pytest.mark.parametrize("type_name", sorted(TYPE_CHECKS))
def test_blanks_and_orders_mean_the_same_in_every_type(type_name: str) -> None:
    assert found(type_name, None, None) is None
    assert found(type_name, None, "1") == "filled"
    assert found(type_name, "1", None) == "blank"
    assert found(type_name, "1", "NULL") == "cleared"
    assert found(type_name, None, "NULL") is None
    assert found(type_name, "1", "1") is None
