"""A CRM export with every way to spoil one person's address."""

import csv
from pathlib import Path

import polars as pl
import pytest

from prep.checks import judge_emails
from prep.duplicates import lookup_keys
from prep.pipeline import Prepared, prepare
from prep.schema import Field
from prep.values import Spelling, normalise

COLUMNS = {
    "Lead ID": "",
    "Forename": "firstName",
    "Surname": "lastName",
    "Email Address": "email",
    "Telephone": "phone",
    "Town": "city",
}
NEVER_MERGED = {"plus_tag_diff_email", "typo_email", "other_email_same_person"}


@pytest.fixture(scope="module")
def truth(corpora: Path) -> list[dict[str, str]]:
    with (corpora / "leads-dups" / "truth.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def prepared(corpora: Path) -> Prepared:
    return prepare(corpora / "leads-dups" / "crm_export_dirty.csv", maps=COLUMNS, unknown="drop")


def test_the_invalid_are_rejected_by_row_number(prepared: Prepared, truth: list[dict[str, str]]) -> None:
    invalid = [row for row, lead in enumerate(truth, 1) if lead["dup_class"] == "invalid_email"]
    assert (len(invalid), prepared.rejected["_row"].to_list()) == (200, invalid)
    assert all(len(reasons) for reasons in prepared.rejected["_reasons"])


def test_one_row_is_left_of_every_address(prepared: Prepared, truth: list[dict[str, str]]) -> None:
    assert prepared.ready.height == 3_400
    canonical = {row: lead["canonical_email"] for row, lead in enumerate(truth, 1) if lead["canonical_email"]}
    sent = {row: email.lower() for row, email in prepared.ready.select("_row", "email").rows()}
    assert sent == {row: canonical[row] for row in sent}
    assert set(sent.values()) == set(canonical.values())
    kept = dict(prepared.duplicates.select("_row", "_kept_row").rows())
    assert {row: canonical[row] for row in kept} == {row: canonical[keeper] for row, keeper in kept.items()}


def test_what_must_not_merge_stands_alone(prepared: Prepared, truth: list[dict[str, str]]) -> None:
    apart = {row for row, lead in enumerate(truth, 1) if lead["dup_class"] in NEVER_MERGED}
    assert len(apart) == 200
    assert apart <= set(prepared.ready["_row"])
    assert not apart & set(prepared.duplicates["_kept_row"])


def test_without_repairs_more_are_rejected_but_none_doubled(corpora: Path) -> None:
    with (corpora / "leads-dups" / "crm_export_dirty.csv").open(encoding="utf-8", newline="") as file:
        cells = [row["Email Address"] for row in csv.DictReader(file)]
    fields = {"email": Field("email", "email")}
    emails = normalise(pl.DataFrame({"email": cells}), fields, Spelling(repair_emails=False)).frame["email"]
    survivors = lookup_keys(emails.filter(judge_emails(emails)), "email").n_unique()
    assert 3_200 < survivors <= 3_620
