"""What it takes to talk to an instance, and where it is found: in the environment, else in `prep.toml`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from prep.errors import SettingsError
from prep.settings_file import load_settings_file


@dataclass(frozen=True)
class Credentials:
    """What it takes to talk to an instance. The secret is never shown, written or logged."""

    endpoint: str
    client_id: str
    client_secret: str = field(repr=False)
    allow_host: str | None = None


VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MARKETO_ENDPOINT": "address of the instance, such as `https://123-ABC-456.mktorest.com`",
        "MARKETO_CLIENT_ID": "client id of the service in LaunchPoint",
        "MARKETO_CLIENT_SECRET": "its secret",
        "MARKETO_ENDPOINT_FILE": "path of a file that holds the endpoint and nothing else",
        "MARKETO_CLIENT_ID_FILE": "the same for the client id",
        "MARKETO_CLIENT_SECRET_FILE": "the same for the secret",
        "PREP_DB_URL": "database for `--query`, with a password if it needs one",
        "PREP_DEBUG": "set to anything: a defect shows its traceback, which may hold values of the file",
        "NO_COLOR": "set to anything: no colours on a terminal (https://no-color.org)",
    }
)
"""Environment variables that are no option; every option that can be one is `PREP_` and its name."""


def load_credentials(
    environment: Mapping[str, str] = os.environ,
    settings: Mapping[str, Any] | None = None,
    *,
    allow_host: str | None = None,
) -> Credentials:
    """Find endpoint, client id and secret in the environment, else in the `[marketo]` table of `prep.toml`.

    Each of `MARKETO_ENDPOINT`, `MARKETO_CLIENT_ID` and `MARKETO_CLIENT_SECRET` may also be given as
    `…_FILE`, the path of a file that holds the value. A further host that may be talked to is named by the
    caller or in `PREP_ALLOW_HOST` alone: a file that lies in a folder does not decide who gets secrets.

    Raises:
        SettingsError: One of the three is missing, or its file is blank or cannot be read.
    """
    table = settings if settings is not None else load_settings_file()
    marketo = table.get("marketo", {})
    return Credentials(
        endpoint=_find("endpoint", environment, marketo),
        client_id=_find("client_id", environment, marketo),
        client_secret=_find("client_secret", environment, marketo),
        allow_host=allow_host or environment.get("PREP_ALLOW_HOST"),
    )


def _find(name: str, environment: Mapping[str, str], marketo: Mapping[str, str]) -> str:
    variable = f"MARKETO_{name.upper()}"
    if value := environment.get(variable, "").strip():
        return value
    if path := environment.get(f"{variable}_FILE"):
        return _read_value(path, f"{variable}_FILE")
    if value := marketo.get(name, "").strip():
        return value
    if path := marketo.get(f"{name}_file"):
        return _read_value(path, f"marketo.{name}_file")
    raise SettingsError(
        f"{variable} is not set",
        code="no_credentials",
        hint=f"Set {variable} (or {variable}_FILE), or try everything without an account: --sandbox.",
    )


def _read_value(path: str, origin: str) -> str:
    try:
        value = Path(path).expanduser().read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(
            f"{origin}: {path} cannot be read: {why}",
            code="unreadable_secret",
            hint="Check path and permissions.",
        ) from error
    if not value:
        raise SettingsError(
            f"{origin}: {path} is blank",
            code="unreadable_secret",
            hint="The file holds the value and nothing else.",
        )
    return value
