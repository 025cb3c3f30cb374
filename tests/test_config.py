"""Settings: what they accept, how the manifest keeps them, and where credentials are found."""

import json
from pathlib import Path
from typing import Any

import pytest

from prep.config import CleanSettings, Credentials, Destination, load_credentials, load_settings_file
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
        ({"kep": "first"}, "unknown_option"),
    ],
)
def test_options_that_are_none(options: Any, code: str) -> None:
    with pytest.raises(SettingsError) as raised:
        make(options)

    assert raised.value.code == code
    assert raised.value.hint


def test_destinations_are_the_same_by_the_name_of_their_list() -> None:
    named = Destination("host", list_name="Fair")

    assert named.is_same(Destination("host", list_id=5, list_name="Fair"))
    assert not named.is_same(Destination("other", list_id=5, list_name="Fair"))
    assert not named.is_same(Destination("host", list_id=5))


ENVIRONMENT = {
    "MARKETO_ENDPOINT": "https://a.mktorest.com",
    "MARKETO_CLIENT_ID": "id",
    "MARKETO_CLIENT_SECRET": "canary",
}


def test_the_environment_comes_before_the_file() -> None:
    file = {"marketo": {"endpoint": "https://b.mktorest.com", "client_id": "other", "allow_host": "h"}}

    assert load_credentials(ENVIRONMENT, file) == Credentials(
        "https://a.mktorest.com", "id", "canary", allow_host="h"
    )
    assert load_credentials(ENVIRONMENT, file, allow_host="flag").allow_host == "flag"
    assert load_credentials({**ENVIRONMENT, "PREP_ALLOW_HOST": "env"}, file).allow_host == "env"


def test_a_secret_does_not_show() -> None:
    assert "canary" not in repr(load_credentials(ENVIRONMENT, {}))


def test_a_value_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" canary\n")
    environment = {**ENVIRONMENT, "MARKETO_CLIENT_SECRET": ""}
    environment["MARKETO_CLIENT_SECRET_FILE"] = str(tmp_path / "secret")

    assert load_credentials(environment, {}).client_secret == "canary"
    (tmp_path / "secret").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="it is not text"):
        load_credentials(environment, {})


def test_a_settings_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "prep.toml").write_bytes(b'\xef\xbb\xbfkeep = "first"')

    assert load_settings_file(tmp_path / "prep.toml") == {"keep": "first"}
    assert load_settings_file(tmp_path / "none.toml") == {}
