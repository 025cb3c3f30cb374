"""Settings: what they accept, and how the manifest keeps them."""

import json
from pathlib import Path
from typing import Any

import pytest

from prep.config import CleanSettings, Destination
from prep.config import make_settings as make
from prep.errors import FolderError, SettingsError
from prep.model import DateOrder, Format, Keep, KeepPolicy, MergePolicy, MergeRule, Unknown

EVERYTHING = CleanSettings(
    lookup_field="id",
    format=Format.SSV,
    maps={"Work mail": "email", "Zzz": ""},
    unknown=Unknown.DROP,
    constants={"leadSource": "a=b"},
    keep=Keep(KeepPolicy.MERGE),
    merge={"phone": MergeRule(MergePolicy.LONGEST), "*": MergeRule(MergePolicy.NEWEST, "createdAt")},
    max_bytes=1000,
    dates=DateOrder.DMY,
    timezone="Europe/Madrid",
)


@pytest.mark.parametrize("settings", [CleanSettings(), EVERYTHING])
def test_the_manifest_keeps_settings(settings: CleanSettings) -> None:
    assert CleanSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize("key", EVERYTHING.to_json())
@pytest.mark.parametrize("value", [..., 5, "nonsense", ["x"]])
def test_settings_of_a_damaged_manifest(key: str, value: Any) -> None:
    raw = EVERYTHING.to_json()
    if value is ...:
        del raw[key]
    else:
        raw[key] = value
    try:
        CleanSettings.from_json(raw)
    except FolderError as error:
        assert error.code == "damaged_manifest"  # noqa: PT017 (whatever is no damage is no error)


def test_options_are_settings() -> None:
    assert make({}) == CleanSettings()
    assert make({"keep": "newest:createdAt"}).keep == Keep(KeepPolicy.NEWEST, "createdAt")
    rules = {"phone": "longest", "*": "newest:createdAt"}
    assert make({"keep": "merge", "merge": rules}).merge == EVERYTHING.merge


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"format": "xml"}, "bad_format"),
        ({"unknown": "guess"}, "bad_unknown"),
        ({"dates": "ymd"}, "bad_dates"),
        ({"keep": "frist"}, "bad_keep"),
        ({"keep": "newest"}, "bad_keep"),
        ({"keep": "first:createdAt"}, "bad_keep"),
        ({"keep": "merge", "merge": {"phone": "shortest"}}, "bad_merge"),
        ({"keep": "first", "merge": {"phone": "longest"}}, "bad_merge"),
        ({"merge": {"phone": "longest"}}, "bad_merge"),
        ({"max_bytes": 999}, "bad_max_bytes"),
        ({"max_bytes": 10 * 1024 * 1024 + 1}, "bad_max_bytes"),
        ({"suppress_salt_file": "salt.txt"}, "bad_suppress"),
        ({"max_bytes": "1000"}, "bad_option"),
        ({"max_bytes": True}, "bad_option"),
        ({"header_line": "3"}, "bad_option"),
        ({"maps": "Work mail=email"}, "bad_option"),
        ({"maps": {"Work mail": None}}, "bad_option"),
        ({"split_name": "no"}, "bad_option"),
        ({"truncate": 5}, "bad_option"),
        ({"suppress": ["gone.csv", None]}, "bad_option"),
        ({"email_case": None}, "bad_option"),
        ({"kep": "first"}, "unknown_option"),
    ],
)
def test_options_that_are_none(options: Any, code: str) -> None:
    with pytest.raises(SettingsError) as raised:
        make(options)

    assert raised.value.code == code
    assert raised.value.hint


@pytest.mark.parametrize(
    ("option", "meant"),
    [("map", "maps"), ("set", "constants"), ("no_header", "header_line"), ("regoin", "region")],
)
def test_an_option_called_as_on_the_command_line_or_misspelt_is_named(option: str, meant: str) -> None:
    options: Any = {option: "x"}
    with pytest.raises(SettingsError) as raised:
        make(options)

    assert raised.value.hint.startswith(f"Did you mean {meant}? Options: lookup_field, ")


def test_a_single_value_stands_for_itself() -> None:
    single: Any = {"truncate": "company", "suppress": Path("left.csv")}
    assert make(single) == make({"truncate": ["company"], "suppress": ["left.csv"]})


def test_a_value_of_another_type_is_told_from_what_the_option_takes() -> None:
    with pytest.raises(SettingsError) as raised:
        make({"maps": ["email"]})  # type: ignore[typeddict-item]
    assert str(raised.value) == "maps is given as list"
    assert raised.value.hint == "It takes a mapping of texts to texts."


def test_destinations_are_the_same_by_the_name_of_their_list() -> None:
    named = Destination("host", list_name="Fair")

    assert named.is_same(Destination("host", list_id=5, list_name="Fair"))
    assert not named.is_same(Destination("other", list_id=5, list_name="Fair"))
    assert not named.is_same(Destination("host", list_id=5))


@pytest.mark.parametrize(
    ("attributes", "message", "hint"),
    [
        ({"target": "sandbox", "list_id": "1001"}, "list_id is '1001'", "It takes a whole number."),
        ({"target": "a.mktorest.com", "program_id": 1.5}, "program_id is 1.5", "It takes a whole number."),
        ({"target": "a.mktorest.com", "list_id": True}, "list_id is True", "It takes a whole number."),
        ({"target": "a.mktorest.com", "list_name": 5}, "list_name is 5", "It takes a text."),
    ],
)
def test_a_destination_is_made_of_numbers_and_texts(
    attributes: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Destination(**attributes)
    assert (caught.value.message, caught.value.hint) == (message, hint)
