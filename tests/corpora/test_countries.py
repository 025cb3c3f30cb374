"""Names of countries in the languages of the world."""

import csv
from pathlib import Path

import pytest

from prep.values.countries import english_names, find_country

LANGUAGES = """
    am ar az be bg bn bs ca cs cy da de el en es et eu fa fi fil fr ga gl gu he hi hr hu hy id is it ja ka kk
    km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl nn pa pl ps pt pt_PT ro ru si sk sl sq sr sv sw ta te th
    tk tr uk ur uz vi zh zh_Hant zu
""".split()  # noqa: SIM905 (eighty of them)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_raw_spellings(corpora: Path) -> None:
    rows = read(corpora / "countries" / "countrynames_sample.csv")
    found = [(row["raw_name"], find_country(row["raw_name"]), row["expected_code"]) for row in rows]
    resolved = [case for case in found if case[1]]
    wrong = [case for case in resolved if case[1] != case[2]]
    assert len(resolved) >= 0.9 * len(rows)
    assert len(wrong) <= 0.001 * len(resolved), wrong
    assert [case for case in resolved if not case[2]] == []


def test_codes_and_official_names(corpora: Path) -> None:
    rows = [
        row for row in read(corpora / "countries" / "iso_country_codes_PDDL.csv") if row["ISO3166-1-Alpha-2"]
    ]
    names = [name for name in rows[0] if "official_name" in name or name == "CLDR display name"]
    for row in rows:
        code = row["ISO3166-1-Alpha-2"]
        assert find_country(row["ISO3166-1-Alpha-3"]) == code
        assert find_country(row["ISO3166-1-numeric"].zfill(3)) == code
        assert find_country(code) == (None if code == "NA" else code)
        assert {find_country(row[name]) for name in names} <= {code, None}, code


def test_names_in_many_languages() -> None:
    babel = pytest.importorskip("babel")
    for language in LANGUAGES:
        names = babel.Locale.parse(language).territories
        found = {code: find_country(names[code]) for code in english_names() if code in names}
        wrong = {code: other for code, other in found.items() if other not in {code, None}}
        assert wrong == {}, language
        assert sum(code is not None for code in found.values()) >= 0.97 * len(found), language
