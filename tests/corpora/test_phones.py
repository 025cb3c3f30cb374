"""Phone numbers of the whole world to E.164."""

import csv
from pathlib import Path

import polars as pl

from prep.schema import Field
from prep.values import Phones, Spelling, normalise
from prep.values.phones import to_e164

SPELLINGS = ["national_example", "as_international", "as_national_format", "as_00_prefix", "as_rfc3966"]
NUMBERING_CHANGED = 8
"""Examples of the corpus that today's numbering plans no longer have."""


def spell(cells: list[str], countries: list[str]) -> list[str]:
    """Normalise phones beside their country."""
    fields = {"phone": Field("phone", "phone"), "country": Field("country")}
    frame = pl.DataFrame({"phone": cells, "country": countries})
    return normalise(frame, fields, Spelling(phones=Phones.E164)).frame["phone"].to_list()


def test_every_spelling_of_the_regional_examples(corpora: Path) -> None:
    path = corpora / "phones" / "libphonenumber_examples.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["region"] != "001"]
    assert len(rows) == 1_126
    for column in SPELLINGS:
        found = [
            (to_e164(row[column], "DE" if column == "as_00_prefix" else row["region"]), row["expected_e164"])
            for row in rows
        ]
        assert [number for number, right in found if number not in {right, None}] == []
        assert sum(number is not None for number, _ in found) >= len(rows) - NUMBERING_CHANGED


def test_phones_and_countries_of_the_lead_files(corpora: Path) -> None:
    right = 0
    for path in sorted((corpora / "leads-encodings").glob("*.truth.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        spelled = spell([row["phone_raw"] for row in rows], [row["country_raw"] for row in rows])
        assert spelled == [row["phone_e164"] for row in rows], path
        right += len(spelled)
    assert right == 4_500
