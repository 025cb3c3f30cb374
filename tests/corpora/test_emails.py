"""Addresses on which the test tables of four validators agree."""

import csv
import json
from pathlib import Path

import polars as pl
import pytest

from prep.schema import Field, Schema
from prep.validation import REASONS, Validated, compile_judge, validate
from prep.values import Spelling, normalise

SCHEMA = Schema("s", {"email": Field("email", "email")}, ("email",))
REPAIRED = {
    "test@iana.org.": "test@iana.org",
    "a@bar.com.": "a@bar.com",
    "my@trailingdot.com.": "my@trailingdot.com",
    "<me@example.com>": "me@example.com",
    "DisplayName <me@example.com>": "me@example.com",
    "Display Name <me@example.com>": "me@example.com",
    '"Display Name" <me@example.com>': "me@example.com",
    "Display.Name <me@example.com>": "me@example.com",
    '"Display.Name" <me@example.com>': "me@example.com",
}
"""What must be rejected as it stands, but can be repaired."""


def addresses(corpora: Path, tier: str) -> list[str]:
    with (corpora / "email" / "email_consensus.csv").open(encoding="utf-8", newline="") as file:
        return [json.loads(row["address_json"]) for row in csv.DictReader(file) if row["tier"] == tier]


def judge(cells: list[str], *, repair: bool) -> Validated:
    """Normalise and validate; `_was` holds the cells as they were."""
    frame = pl.DataFrame({"_was": cells, "email": cells})
    normalised = normalise(frame, SCHEMA.fields, Spelling(repair_emails=repair))
    return validate(normalised.frame, compile_judge(SCHEMA, ["email"], "email"))


@pytest.mark.parametrize("repair", [False, True])
def test_all_that_must_be_accepted_is(corpora: Path, repair: bool) -> None:  # noqa: FBT001
    cells = addresses(corpora, "must_accept")
    judged = judge(cells, repair=repair)
    assert (len(cells), judged.valid["email"].to_list()) == (81, cells)


def test_all_that_must_be_rejected_is_with_a_reason(corpora: Path) -> None:
    cells = addresses(corpora, "must_reject")
    judged = judge(cells, repair=False)
    assert (len(cells), judged.valid["_was"].to_list()) == (268, [])
    assert all(len(reasons) for reasons in judged.rejected[REASONS])


def test_repairs_save_what_stands_wrapped_in_something(corpora: Path) -> None:
    valid = judge(addresses(corpora, "must_reject"), repair=True).valid
    assert dict(valid.select("_was", "email").rows()) == REPAIRED
