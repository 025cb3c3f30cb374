"""Headers of other people's files in nineteen languages."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from prep.headers import Column, map_headers
from prep.model import Unknown
from prep.schema_file import load_schema

LEAD = load_schema("lead")

MEANT = {"phone": {"phone", "mobilePhone"}, "notes": set[str]()}
"""What a canonical column may map to, if not to the field of that name: the set calls a mobile phone a phone,
and notes are only suggested, because they would overwrite those of the instance."""


@pytest.fixture(scope="module")
def files(corpora: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (corpora / "leads-encodings" / "manifest.json").read_text("utf-8")
    )
    return found


def columns(file: dict[str, Any]) -> list[tuple[Column, str]]:
    mapping = map_headers(
        file["header"], LEAD, lookup_field="email", maps={}, constants={}, unknown=Unknown.ERROR
    )
    return list(zip(mapping.columns, file["columns"], strict=True))


def test_the_fields_that_matter_are_found_in_every_file(files: list[dict[str, Any]]) -> None:
    found = Counter(
        meant
        for file in files
        for column, meant in columns(file)
        if column.is_used and column.field in MEANT.get(meant, {meant})
    )
    assert found == dict.fromkeys(
        ("email", "firstName", "lastName", "company", "phone", "country", "city"), len(files)
    )


def test_no_column_is_mapped_wrongly(files: list[dict[str, Any]]) -> None:
    wrong = [
        (file["file"], column.header, column.field)
        for file in files
        for column, meant in columns(file)
        if column.is_used and column.field not in MEANT.get(meant, {meant})
    ]
    assert wrong == []


def test_a_mobile_phone_is_told_from_a_phone_by_its_name_only(files: list[dict[str, Any]]) -> None:
    mobile = {column.header for file in files for column, _ in columns(file) if column.field == "mobilePhone"}
    assert mobile == {"Mobil", "Portable", "Telefon komórkowy", "Моб. телефон", "נייד", "手机", "手機"}  # noqa: RUF001


def test_notes_are_suggested(files: list[dict[str, Any]]) -> None:
    notes = [column for file in files for column, meant in columns(file) if meant == "notes"]
    assert {(column.field, str(column.how)) for column in notes} == {("mktoPersonNotes", "suggested")}
