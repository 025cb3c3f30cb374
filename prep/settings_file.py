"""`prep.toml`: what holds for every command in its folder, unless somebody says otherwise."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from prep.errors import SettingsError

SETTINGS_FILE: Final = Path("prep.toml")

_MAP: Final = re.compile(r"""\s*\[\s*(["']?)map\1\s*\]\s*(#.*)?$""")
_BARE_KEY: Final = re.compile(r"\s*([\w-]+)\s*=")

MARKETO_KEYS: Final = (
    "endpoint",
    "endpoint_file",
    "client_id",
    "client_id_file",
    "client_secret_file",
)


def load_settings_file(path: Path = SETTINGS_FILE) -> dict[str, Any]:
    """Read `prep.toml`; without one there are no settings.

    Raises:
        SettingsError: It cannot be read, is not TOML, holds a secret or a further host, or a `[marketo]`
            table with other things than endpoint, client id and the paths of files with credentials.
    """
    raw = _parsed(path)
    marketo = raw.get("marketo", {})
    if not isinstance(marketo, dict):
        raise _bad_file(path, "marketo is not a table", f"Write [marketo] with {', '.join(MARKETO_KEYS)}.")
    if "client_secret" in raw or "client_secret" in marketo:
        raise SettingsError(
            f"{path}: holds a client_secret",
            code="secret_in_file",
            hint="Put it into a file of its own and give its path as marketo.client_secret_file.",
            source=str(path),
        )
    if "allow_host" in raw or "allow_host" in marketo:
        raise _bad_file(
            path,
            "names a further host that may be talked to",
            "Use --allow-host or PREP_ALLOW_HOST: no file in a folder decides who gets secrets.",
        )
    for key, value in marketo.items():
        if key not in MARKETO_KEYS:
            raise _bad_file(
                path, f"{key!r} is not a setting of [marketo]", f"It takes {', '.join(MARKETO_KEYS)}."
            )
        if not isinstance(value, str):
            raise _bad_file(path, f"marketo.{key} is not a text", "Put it into quotes.")
    return raw


def find_map(lines: Sequence[str]) -> tuple[int, int] | None:
    """Where the columns of the table `[map]` stand among the lines of a file: from a line up to another."""
    start = next((number for number, line in enumerate(lines, 1) if _MAP.match(line)), None)
    if start is None:
        return None
    end = next((at for at in range(start, len(lines)) if lines[at].lstrip().startswith("[")), len(lines))
    return start, end


def bare_columns() -> list[str]:
    """The keys without quotes in the table `[map]` of `prep.toml`, once it was loaded."""
    lines = SETTINGS_FILE.read_text(encoding="utf-8-sig").split("\n") if SETTINGS_FILE.is_file() else []
    start, end = find_map(lines) or (0, 0)
    return [key[1] for line in lines[start:end] if (key := _BARE_KEY.match(line))]


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if not path.exists():
            return {}
        if not path.is_file():  # a pipe would be waited for
            raise _bad_file(path, "is no file", "Rename or remove it.")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise _bad_file(path, "is nested too deeply", "Correct or remove it.") from None
    except UnicodeDecodeError:
        raise _bad_file(path, "is not UTF-8 text", "Save it as UTF-8.") from None
    except ValueError as error:
        raise _bad_file(path, f"is not TOML: {error}", "Correct that line.") from None
    except OSError as error:
        raise _bad_file(path, f"cannot be read: {error.strerror}", "Correct or remove it.") from error


def _bad_file(path: Path, what: str, hint: str) -> SettingsError:
    return SettingsError(f"{path}: {what}", code="bad_settings_file", hint=hint, source=str(path))
