"""What a rejected cell may mean: shown where it is likely, nothing where it is not."""

import pytest

from prep.review.suggestions import suggest, suggest_domain
from prep.schema import Field

EMAIL = Field("email", "email")
STATUS = Field("leadStatus", allowed=("New", "Open", "Closed - Won", "Closed - Lost"))


@pytest.mark.parametrize(
    ("field", "code", "cell", "expected"),
    [
        (EMAIL, "invalid_email", "ana@gmial,com", ["ana@gmail.com"]),
        (EMAIL, "invalid_email", "ana at example.com", ["ana@example.com"]),
        (EMAIL, "invalid_email", "ana (at) example [dot] com", ["ana@example.com"]),
        (EMAIL, "invalid_email", "ana \t at \n  example  dot  com", ["ana@example.com"]),
        (EMAIL, "invalid_email", "ana@@example.com", ["ana@example.com"]),
        (EMAIL, "invalid_email", "a@example.com; b@example.org", ["a@example.com", "b@example.org"]),
        (EMAIL, "invalid_email", "ana@gm\u0430il.\u0441om", ["ana@gmail.com"]),
        (EMAIL, "invalid_email", "ANA@GMA\u0130L.COM", ["ANA@GMAIL.COM"]),
        (EMAIL, "invalid_email", "ana@пример,рф", ["ana@пример.рф"]),
        (EMAIL, "invalid_email", "ana@", []),
        (EMAIL, "invalid_email", "n/a", []),
        (EMAIL, "email_not_ascii", "josé@example.com", []),
        (STATUS, "not_allowed", "closed won", ["Closed - Won", "Closed - Lost"]),
        (STATUS, "not_allowed", "zzz", []),
        (Field("optIn", "boolean"), "not_boolean", "ture", ["true"]),
        (Field("optIn", "boolean"), "not_boolean", "maybe", []),
        (Field("born", "date"), "not_date", "25.04.1990", ["1990-04-25"]),
        (Field("born", "date"), "not_date", "03/04/1990", ["1990-04-03", "1990-03-04"]),
        (Field("born", "date"), "not_date", "31 February 1990", []),
        (Field("born", "date"), "not_date", "5/6/90", []),
        (Field("size", "integer"), "not_integer", "€ 30", ["30"]),
        (Field("size", "integer"), "not_integer", "12.00", ["12"]),
        (Field("size", "integer"), "not_integer", "10-20", []),
        (Field("title", "string", length=5), "too_long", "Director", ["Direc"]),
        (Field("title", "string"), "required", "", []),
    ],
)
def test_what_is_suggested(field: Field, code: str, cell: str, expected: list[str]) -> None:
    assert suggest(field, code, [cell]) == {cell: expected}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("field", "code", "cell"),
    [
        (EMAIL, "invalid_email", "a" + " " * 3_000 + "b"),
        (Field("size", "integer"), "not_integer", "€" + " " * 320 + "30"),
        (Field("size", "integer"), "not_integer", "1" + " " * 100_000 + "x"),
        (Field("born", "date"), "not_date", "1" + " " * 100_000 + "x"),
    ],
)
def test_a_cell_that_is_too_long_for_a_slip_gets_no_suggestion(field: Field, code: str, cell: str) -> None:
    assert suggest(field, code, [cell]) == {cell: []}


def test_a_text_of_any_length_is_cut_to_what_fits() -> None:
    cell = "a  b" + "x" * 1_000
    assert suggest(Field("title", "string", length=255), "too_long", [cell]) == {cell: [cell[:255]]}


def test_a_domain_that_is_probably_misspelled() -> None:
    assert suggest_domain("ana@gmial.com") == "ana@gmail.com"
    assert [suggest_domain(cell) for cell in ("ana@example.com", "gmial.com", "", None)] == [None] * 4
