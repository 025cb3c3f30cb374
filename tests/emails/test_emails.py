"""A slice of `python -m tests.emails`."""

from tests.emails.agreement import compare


def test_prep_accepts_what_email_validator_accepts() -> None:
    found = compare("slice", 4_000)
    assert found.differing == {}
    assert found.addresses > 3_500
    assert found.addresses > found.accepted > found.at_a_glance > found.addresses / 4
