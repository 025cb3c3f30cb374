"""Defaults from `prep.toml`, in the words of the flags."""

from typing import Any, Final

from prep.config import SETTINGS_FILE, load_settings_file
from prep.errors import SettingsError

_PARAMETERS: Final = {
    "schema": "schema",
    "lookup_field": "lookup_field",
    "format": "file_format",
    "map": "maps",
    "unknown": "unknown",
    "set": "constants",
    "keep": "keep",
    "list_id": "list_id",
    "list": "list_name",
    "partition_name": "partition_name",
    "max_bytes": "max_bytes",
    "dates": "dates",
    "timezone": "timezone",
    "max_rejected": "max_rejected",
    "allow_rejects": "allow_rejects",
    "allow_host": "allow_host",
    "queue_slots": "queue_slots",
    "poll_seconds": "poll_seconds",
    "timeout": "timeout",
}
"""Key of the file → parameter of the commands. The table `[marketo]` is read where credentials are."""


def read_defaults() -> dict[str, Any]:
    """What `prep.toml` in the current folder says, by parameter.

    Raises:
        SettingsError: It cannot be read, or holds a key that is none.
    """
    content = load_settings_file()
    content.pop("marketo", None)
    defaults = {}
    for key, value in content.items():
        if key not in _PARAMETERS:
            raise SettingsError(
                f"{SETTINGS_FILE}: {key!r} is not a setting",
                code="bad_settings_file",
                hint=f"Settings: {', '.join([*_PARAMETERS, '[marketo]'])}.",
                source=str(SETTINGS_FILE),
            )
        pairs = [f"{name}={text}" for name, text in value.items()] if isinstance(value, dict) else value
        defaults[_PARAMETERS[key]] = pairs
    return defaults
