"""Where credentials are found, and the settings file."""

from pathlib import Path

import pytest

from prep.credentials import Credentials, load_credentials
from prep.errors import SettingsError
from prep.settings_file import load_settings_file

ENVIRONMENT = {
    "MARKETO_ENDPOINT": "https://a.mktorest.com",
    "MARKETO_CLIENT_ID": "id",
    "MARKETO_CLIENT_SECRET": "canary",
}


def test_the_environment_comes_before_the_file() -> None:
    file = {"marketo": {"endpoint": "https://b.mktorest.com", "client_id": "other"}}

    assert load_credentials(ENVIRONMENT, file) == Credentials(
        "https://a.mktorest.com", "id", "canary", allow_host=None
    )
    assert load_credentials({**ENVIRONMENT, "PREP_ALLOW_HOST": "env"}, file).allow_host == "env"
    environment = {**ENVIRONMENT, "PREP_ALLOW_HOST": "env"}
    assert load_credentials(environment, file, allow_host="flag").allow_host == "flag"


@pytest.mark.parametrize("table", ["", "[marketo]\n"])
def test_a_file_that_lies_in_a_folder_names_no_further_host(tmp_path: Path, table: str) -> None:
    (tmp_path / "prep.toml").write_text(f'{table}allow_host = "evil.example"\n')

    with pytest.raises(SettingsError) as caught:
        load_settings_file(tmp_path / "prep.toml")
    assert caught.value.facts == {
        "code": "bad_settings_file",
        "message": f"{tmp_path}/prep.toml: names a further host that may be talked to",
        "hint": "Use --allow-host or PREP_ALLOW_HOST: no file in a folder decides who gets secrets.",
        "source": f"{tmp_path}/prep.toml",
        "row": None,
        "column": None,
    }
    given = {"marketo": {"allow_host": "evil.example"}}
    assert load_credentials(ENVIRONMENT, given).allow_host is None


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


def test_a_blank_entry_is_none(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("mine")
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "MARKETO_CLIENT_ID"}
    blank = {"marketo": {"client_id": " "}}

    with pytest.raises(SettingsError, match="MARKETO_CLIENT_ID is not set"):
        load_credentials(environment, blank)
    blank["marketo"]["client_id_file"] = str(tmp_path / "id")
    assert load_credentials(environment, blank).client_id == "mine"
