"""Phone numbers to E.164: what is certain, what stays, and whose country counts."""

from collections.abc import Sequence

import polars as pl
import pytest

from prep.errors import SettingsError
from prep.schema import Field
from prep.values import Countries, Normalised, Phones, Spelling, normalise
from prep.values.phones import to_e164

FIELDS = {
    "phone": Field("phone", "phone"),
    "mobilePhone": Field("mobilePhone", "phone"),
    "country": Field("country"),
    "billingCountry": Field("billingCountry"),
}
SPAIN = Spelling(phones=Phones.E164, region="ES")


def respell(spelling: Spelling, **columns: Sequence[str | None]) -> Normalised:
    frame = pl.DataFrame({name: pl.Series(cells, dtype=pl.String) for name, cells in columns.items()})
    return normalise(frame, FIELDS, spelling)


ARABIC = "+\u0661\u0662\u0660\u0661\u0665\u0665\u0665\u0660\u0661\u0662\u0663"
WIDE = "\uff10\uff13\u2212\uff11\uff12\uff13\uff14\u30fc\uff15\uff16\uff17\uff18"
READ = [
    ("910 123 456", "ES", "+34910123456"),
    ("910.123.456", "ES", "+34910123456"),
    ("+34 910 12 34 56", "US", "+34910123456"),
    ("0034 910123456", "US", "+34910123456"),
    ("(+34) 910-123-456", "ZZ", "+34910123456"),
    ("(0034) 910 123 456", "FR", "+34910123456"),
    ("34 910 123 456", "ES", "+34910123456"),
    ("0491 7612345", "DE", "+494917612345"),
    ("20 155 501 23", "DE", "+492015550123"),
    ("+34 (0) 910 123 456", "ZZ", "+34910123456"),
    ("+44 (0)20 7946 0018", "ZZ", "+442079460018"),
    ("0044(0)20 7946 0018", "DE", "+442079460018"),
    ("+39 (0)6 6982 1234", "ZZ", "+390669821234"),
    ("011 34 910 123 456", "US", "+34910123456"),
    ("030/1234567", "DE", "+49301234567"),
    ("+49 33971/123456", "ZZ", "+4933971123456"),
    ("01 53115 - 0", "AT", "+431531150"),
    ("8 (912) 341-11-24", "RU", "+79123411124"),
    ("06 1 234 5678", "HU", "+3612345678"),
    ("612345678", "FR", "+33612345678"),
    ("Tel.: 910 123 456", "ES", "+34910123456"),
    ("tel:+34-910-123-456", "ZZ", "+34910123456"),
    ("34910123456.0", "ES", "+34910123456"),
    ("'+34 910 123 456", "US", "+34910123456"),
    ("'910 123 456", "ES", "+34910123456"),
    ("1-800-FLOWERS", "US", "+18003569377"),
    (ARABIC, "ZZ", "+12015550123"),
    (WIDE, "JP", "+81312345678"),
]
EXTENDED = [
    ("910 123 456 ext 12", "ES"),
    ("910123456x12", "ES"),
    ("+34 910 123 456 (ext. 12)", "ZZ"),
    ("+34910123456 #12", "ZZ"),
    ("tel:+34-910-123-456;ext=12", "ZZ"),
    ("0034910123456 anexo 12", "ZZ"),
]
LEFT = [
    ("555-0123", "US"),
    ("910 123 456", "ZZ"),
    ("910 123 456", "US"),
    ("011 34 910 123 456", "ES"),
    ("910 123 45", "ES"),
    ("910 123 456 / 911 123 456", "ES"),
    ("910123456, 911123456", "ES"),
    ("+34 910 123 456 +34 911 123 456", "ES"),
    ("030 123456 030 654321", "DE"),
    ("0301234567-0307654321", "DE"),
    ("04131 123456/57", "DE"),
    ("Ana 910 123 456", "ES"),
    ("910 123 456 Ana", "ES"),
    ("2015550123 Bob", "US"),
    ("+34 abc 910123456", "ES"),
    ("9.1012E+8", "ES"),
    ("3.4910123456E10", "ES"),
    ("49 176 12345678", "DE"),  # +49 176 12345678 to a reader, +49 49176 12345678 to libphonenumber
    ("4917612345678.0", "DE"),
    ("(49) 176 12345678", "DE"),
    ("46 8 123 456", "SE"),
    ("62 812 345 678", "ID"),
    ("call me", "US"),
    ("030 12345 abc", "DE"),
    ("+", "ES"),
    ("0", "ES"),
    ("00", "ES"),
    ("12345678901234567890", "ES"),
]


@pytest.mark.parametrize(("cell", "region", "expected"), READ)
def test_a_certain_number_becomes_e164(cell: str, region: str, expected: str) -> None:
    assert to_e164(cell, region) == expected


@pytest.mark.parametrize(("cell", "region"), EXTENDED)
def test_an_extension_stays_behind_the_number(cell: str, region: str) -> None:
    assert to_e164(cell, region) == "+34910123456 ext. 12"
    assert to_e164("+34910123456 ext. 12", "ZZ") == "+34910123456 ext. 12"


@pytest.mark.parametrize(("cell", "region"), LEFT)
def test_what_is_not_certain_stays_as_it_was(cell: str, region: str) -> None:
    spelling = Spelling(phones=Phones.E164, region=None if region == "ZZ" else region)
    result = respell(spelling, phone=[cell])
    assert result.frame["phone"].to_list() == [cell]
    assert result.changes == {}


def test_phones_are_left_alone_unless_asked_for() -> None:
    assert respell(Spelling(region="ES"), phone=["910 123 456"]).changes == {}


def test_prefix_then_country_of_the_row_then_region() -> None:
    result = respell(
        SPAIN,
        phone=["+33 6 12 34 56 78", "06 12 34 56 78", "910 123 456", "910 123 456", "910 123 456", None],
        country=["Spanien", "Frankreich", None, "États-Unis", "Atlantis", "Spain"],
    )
    assert result.frame["phone"].to_list() == [
        "+33612345678", "+33612345678", "+34910123456", "910 123 456", "910 123 456", None
    ]  # fmt: skip
    assert result.changes == {("phone", "phone"): 3}
    assert result.frame["country"].to_list() == [
        "Spanien",
        "Frankreich",
        None,
        "États-Unis",
        "Atlantis",
        "Spain",
    ]


def test_a_country_that_is_respelled_or_ambiguous_is_read_all_the_same() -> None:
    spelling = Spelling(phones=Phones.E164, region="KR", countries=Countries.ISO2)
    result = respell(spelling, phone=["010-2000-2519"] * 3, country=["Corea", "Südkorea", " "])
    assert result.frame["phone"].to_list() == ["010-2000-2519", "+821020002519", "+821020002519"]
    assert result.frame["country"].to_list() == ["Corea", "KR", None]


def test_each_number_is_read_with_the_country_of_its_own_row() -> None:
    result = respell(
        SPAIN,
        phone=[None, "+33612345678", "06 12 34 56 78", "910 123 456"],
        country=["United States", "Korea", "France", "Spain"],
    )
    assert result.frame["phone"].to_list() == [None, "+33612345678", "+33612345678", "+34910123456"]


def test_other_countries_of_a_row_say_nothing_of_its_phones() -> None:
    result = respell(SPAIN, mobilePhone=["910 123 456"], billingCountry=["France"])
    assert result.frame["mobilePhone"].to_list() == ["+34910123456"]


def test_changes_are_counted_in_cells_and_twice_is_once() -> None:
    cells = [*["910 123 456"] * 3, "+34910123456", "n/a", "910 123 456 x1", "12"]
    once = respell(SPAIN, phone=cells)
    assert once.changes == {("phone", "phone"): 4, ("phone", "placeholder"): 1}
    twice = normalise(once.frame, FIELDS, SPAIN)
    assert twice.changes == {}
    assert twice.frame.equals(once.frame)


@pytest.mark.parametrize("region", ["", "es", "UK", "Spain", "ESP", "ZZ", "001"])
def test_an_unknown_region_is_refused(region: str) -> None:
    with pytest.raises(SettingsError, match="--region does not know") as caught:
        Spelling(phones=Phones.E164, region=region)
    assert caught.value.code == "bad_region"
