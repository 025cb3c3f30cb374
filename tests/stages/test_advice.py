"""What Marketo says of a row is explained."""

import pytest

from prep.advice import advise
from prep.schema_file import load_schema


@pytest.mark.parametrize(
    ("message", "code", "field"),
    [
        ("Value for lookup field 'email' not found", "lookup_blank", "email"),
        ("Value for lookup field 'eventCode' not found", "lookup_blank", None),
        ("Invalid data type in field Lead Score", "wrong_type", "leadScore"),
        ("Invalid data type in field Num Employees", "wrong_type", "numberOfEmployees"),
        ("Invalid data type in field Source ID", "wrong_type", None),
        ("missing.dedupe.fields", "key_missing", None),
        ("Invalid email address", "email_doubtful", None),
        ("Multiple leads match the lookup criteria", "several_leads", None),
        ("Lead not found", "not_found", None),
        ("Invalid value for field 'leadSource' and value 'other'", "value_not_taken", "leadSource"),
        ("Something that nobody has seen", "unknown", None),
        ("", "unknown", None),
    ],
)
def test_a_message_is_explained(message: str, code: str, field: str | None) -> None:
    advice = advise(message, load_schema())
    assert (advice.code, advice.field) == (code, field)
    assert advice.cause
    assert advice.remedy


def test_the_advice_names_the_line_for_the_schema_where_a_local_rule_helps() -> None:
    assert advise("Value for lookup field 'email' not found", load_schema()).rule == "required = true"
    assert advise("Multiple leads match the lookup criteria", load_schema()).rule == ""
