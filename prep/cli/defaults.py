"""Defaults from `prep.toml`, in the words of the flags, and variables that are none."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import click

from prep.credentials import VARIABLES
from prep.errors import SettingsError
from prep.settings_file import SETTINGS_FILE, bare_columns, load_settings_file


@dataclass(frozen=True)
class _Setting:
    """A key of the file: the parameter of the commands that it sets, and what it takes."""

    parameter: str
    takes: str
    fits: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_limit(value: Any) -> bool:
    return isinstance(value, str) or _is_whole(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and not any(isinstance(entry, dict | list) for entry in value.values())


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _flag(parameter: str) -> _Setting:
    return _Setting(parameter, "true or false", _is_flag)


def _text(parameter: str) -> _Setting:
    return _Setting(parameter, "a text in quotes", _is_text)


def _whole(parameter: str) -> _Setting:
    return _Setting(parameter, "a whole number", _is_whole)


def _number(parameter: str) -> _Setting:
    return _Setting(parameter, "a number", _is_number)


SETTINGS: Final[Mapping[str, _Setting]] = {
    "object": _text("object_name"),
    "schema": _text("schema"),
    "lookup_field": _text("lookup_field"),
    "format": _text("file_format"),
    "map": _Setting("maps", 'a table, such as {"Work mail" = "email"}', _is_table),
    "unknown": _text("unknown"),
    "set": _Setting("constants", 'a table, such as {leadSource = "Fair"}', _is_table),
    "keep": _text("keep"),
    "merge": _Setting("merge", 'a table, such as {phone = "longest"}', _is_table),
    "list_id": _whole("list_id"),
    "list": _text("list_name"),
    "partition_name": _text("partition_name"),
    "program": _whole("program_id"),
    "program_status": _text("program_status"),
    "max_bytes": _whole("max_bytes"),
    "encoding": _text("encoding"),
    "delimiter": _text("delimiter"),
    "header_line": _whole("header_line"),
    "no_header": _flag("no_header"),
    "sheet": _text("sheet"),
    "keep_source": _flag("keep_source"),
    "dates": _text("dates"),
    "timezone": _text("timezone"),
    "decimal": _text("decimal"),
    "email_case": _text("email_case"),
    "phones": _text("phones"),
    "region": _text("region"),
    "countries": _text("countries"),
    "states": _text("states"),
    "truncate": _Setting("truncate", 'a list of texts, such as ["title"]', _is_texts),
    "repair_mojibake": _flag("repair_mojibake"),
    "split_name": _flag("split_name"),
    "blanks": _text("blanks"),
    "clear": _Setting("clear", 'a list of texts, such as ["title"]', _is_texts),
    "allow_protected": _Setting("allow_protected", 'a list of texts, such as ["unsubscribed"]', _is_texts),
    "suppress": _Setting("suppress", 'a list of files, such as ["never.csv"]', _is_texts),
    "suppress_salt_file": _text("suppress_salt_file"),
    "consent": _text("consent"),
    "consent_countries": _Setting("consent_countries", 'a list of codes, such as ["DE", "AT"]', _is_texts),
    "mapping": _text("mapping_file"),
    "memory": _Setting("memory", 'a size in quotes, such as "2GB"', _is_text),
    "max_calls": _whole("max_calls"),
    "max_rejected": _Setting("max_rejected", 'a whole number, or a share such as "5%"', _is_limit),
    "allow_rejects": _flag("allow_rejects"),
    "mask": _flag("mask"),
    "queue_slots": _whole("queue_slots"),
    "poll_seconds": _number("poll_seconds"),
    "timeout": _number("timeout"),
}
"""The keys of the file. Its table `[marketo]` is read where credentials are."""


def read_defaults() -> dict[str, Any]:
    """What `prep.toml` in the current folder says, by parameter.

    Raises:
        SettingsError: It cannot be read, holds a key that is none, or a value that its key does not take.
    """
    content = load_settings_file()
    _refuse_columns_of_settings()
    content.pop("marketo", None)
    return {_setting(key, value).parameter: _as_on_command_line(value) for key, value in content.items()}


def _refuse_columns_of_settings() -> None:
    """A setting below `[map]` is a column to TOML: it would do nothing, and nobody would ask for consent."""
    for key in bare_columns():
        if key in SETTINGS:
            raise SettingsError(
                f"{SETTINGS_FILE}: {key!r} stands below [map], as a column",
                code="bad_settings_file",
                hint="Put settings above the first table. If a column is meant, put its name into quotes.",
                source=str(SETTINGS_FILE),
            )


def _setting(key: str, value: Any) -> _Setting:
    """The setting of this name, if the value fits."""
    if key not in SETTINGS:
        close = get_close_matches(key.replace("-", "_"), SETTINGS, 1, _LIKE_A_KEY)
        raise SettingsError(
            f"{SETTINGS_FILE}: {key!r} is not a setting",
            code="bad_settings_file",
            hint=f"Did you mean {close[0]}?"
            if close
            else f"Settings: {', '.join([*SETTINGS, '[marketo]'])}.",
            source=str(SETTINGS_FILE),
        )
    if not SETTINGS[key].fits(value):
        raise SettingsError(
            f"{SETTINGS_FILE}: {key} is {value!r}",
            code="bad_settings_file",
            hint=f"It takes {SETTINGS[key].takes}.",
            source=str(SETTINGS_FILE),
        )
    return SETTINGS[key]


def _as_on_command_line(value: Any) -> Any:
    if isinstance(value, dict):
        return [f"{name}={_as_text(entry)}" for name, entry in value.items()]
    return value


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def variable_of(flag: str) -> str:
    """The environment variable of an option: PREP_NAME."""
    return f"PREP_{flag.lstrip('-').replace('-', '_').upper()}"


def refuse_unread_variables(command: click.Command) -> None:
    """Refuse a variable that would do nothing: it has the name of an option but is not read, or nearly one.

    Raises:
        SettingsError: There is one.
    """
    commands = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
    keys = {setting.parameter: key for key, setting in SETTINGS.items()}
    for option in (option for each in commands for option in each.params if isinstance(option, click.Option)):
        for flag in option.opts:
            if flag.startswith("--") and not option.envvar and os.environ.get(variable_of(flag)):
                key = keys.get(option.name or "")
                instead = f"{flag}, or {key} in {SETTINGS_FILE}" if key else flag
                raise SettingsError(
                    f"{variable_of(flag)} is not read",
                    code="bad_setting",
                    hint=f"Use {instead}, and unset the variable.",
                )
    _refuse_misspelt_variables()


def _refuse_misspelt_variables() -> None:
    """Variables that resemble none of ours are somebody else's: `prep` is a usual word."""
    known = [*map(variable_of, SETTINGS), *VARIABLES]
    for name in [name for name, value in os.environ.items() if value and name.startswith("PREP_")]:
        if name not in known and (close := get_close_matches(name, known, 1, _ALIKE)):
            raise SettingsError(
                f"{name} is not read",
                code="bad_setting",
                hint=f"Did you mean {close[0]}? Else unset the variable.",
            )


_ALIKE: Final = 0.9
"""How alike two names are of which one is a misspelling of the other: one letter or line in ten."""

_LIKE_A_KEY: Final = 0.75
"""The same for a key of the file, which is wrong in any case."""
