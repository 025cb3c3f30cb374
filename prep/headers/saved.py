"""Mappings as files, to be decided once and used again."""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prep.errors import SettingsError
from prep.headers.columns import Column, How
from prep.settings_file import SETTINGS_FILE, find_map

_REMEDY = (
    'It holds a table [map] with lines such as "Source column" = "field"; an empty field leaves one out.'
)


def load_mapping(path: str | Path) -> dict[str, str]:
    """Read a mapping: TOML with a table `[map]`, JSON with an object `map`, or an answer of `prep headers`.

    Returns:
        Header → field, an empty field for a column to be left out; as `map_headers` takes it. Of an answer of
        `prep headers --json` the columns count that have a field.

    Raises:
        SettingsError: The file cannot be read or is something else.
    """
    raw = _parse(path, _read(path))
    if isinstance(raw.get("mapping"), list) and "map" not in raw:
        return _from_answer(path, raw["mapping"])
    table = raw.get("map")
    if not isinstance(table, dict):
        raise _mistake(path, "has no table [map]")
    for header, field in table.items():
        if not isinstance(field, str):
            raise _mistake(path, f"the field of {header!r} is not a text", column=header)
    return table


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _mistake(path, "is not UTF-8 text") from None
    except OSError as error:
        raise _mistake(path, f"cannot be read: {error.strerror}") from error


def _parse(path: str | Path, text: str) -> Mapping[str, Any]:
    if not text.lstrip().startswith("{"):
        try:
            return tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise _mistake(path, f"is not TOML: {error}") from None
    try:
        raw: dict[str, Any] = json.loads(text, object_pairs_hook=lambda pairs: _refuse_repeats(path, pairs))
    except (ValueError, RecursionError) as error:
        raise _mistake(path, f"is not JSON: {error}") from None
    return raw


def _refuse_repeats(path: str | Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As TOML does it: of two lines with one header one would be lost."""
    table = dict(pairs)
    if len(table) != len(pairs):
        repeated = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise _mistake(path, f"holds {repeated!r} twice", column=repeated)
    return table


def _from_answer(path: str | Path, mapping: list[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in mapping:
        match entry:
            case {"how": How.SET | How.SUGGESTED | How.UNKNOWN | How.DROPPED | How.PROTECTED}:
                continue
            case {"source": str(header), "field": str(field)}:
                if found.setdefault(header, field) != field:
                    raise _mistake(path, f"maps {header!r} to two fields", column=header)
            case _:
                raise _mistake(path, "has an entry of mapping without source and field")
    return found


def _mistake(path: str | Path, what: str, column: str | None = None) -> SettingsError:
    return SettingsError(f"{path}: {what}", code="bad_mapping", hint=_REMEDY, source=str(path), column=column)


def dump_mapping(columns: Iterable[Column]) -> str:
    """Write a mapping as TOML that `load_mapping` and `prep.toml` take.

    Columns without a field are comments, to be completed by a person.
    """
    lines = {}
    for column in columns:
        if column.position < 0:
            continue
        line = f"{_quote(column.header)} = {_quote(column.field or '')}"
        is_open = column.how in {How.SUGGESTED, How.UNKNOWN, How.PROTECTED}
        lines[column.header] = f"{'# ' if is_open else ''}{line}  # {column.how}"
    return "\n".join(["[map]", *lines.values(), ""])


def add_mapping(content: str, maps: Mapping[str, str]) -> str:
    """Put columns into the table `[map]` of a `prep.toml`; every other line stays as it is.

    Args:
        content: The text of the file, empty where there is none.
        maps: Header → field; those that stand there already are left alone.

    Raises:
        SettingsError: The file says another field of one of them, or its table cannot be added to.
    """
    before = _parse(SETTINGS_FILE, content)
    known = before.get("map", {})
    for header, field in maps.items():
        if known.get(header, field) != field:
            raise SettingsError(
                f"{SETTINGS_FILE}: maps {header!r} to another field",
                code="mapping_exists",
                hint=f"Remove that line of its table [map], or make it {_quote(header)} = {_quote(field)}.",
                source=str(SETTINGS_FILE),
                column=header,
            )
    new = [f"{_quote(header)} = {_quote(field)}" for header, field in maps.items() if header not in known]
    after = _with_lines(content, new)
    if not _is_toml(after) or tomllib.loads(after) != {**before, "map": {**known, **maps}}:
        raise SettingsError(
            f"{SETTINGS_FILE}: its table map cannot be added to",
            code="mapping_exists",
            hint="Write it as a table of its own: a line [map], and below it a line for each column.",
            source=str(SETTINGS_FILE),
        )
    return after if new else content


def _with_lines(content: str, new: Sequence[str]) -> str:
    """The text with further lines at the end of its table `[map]`, or with such a table at its end."""
    ending = "\r\n" if "\r\n" in content else "\n"
    lines = [line.removesuffix("\r") for line in content.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    found = find_map(lines)
    if found is None:
        lines += ["", "[map]"] if lines else ["[map]"]
    place, end = found or (len(lines), len(lines))
    while end > place and lines[end - 1].lstrip()[:1] in {"", "#"}:
        end -= 1
    return ending.join([*lines[:end], *new, *lines[end:], ""])


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except ValueError:
        return False
    return True


def _quote(text: str) -> str:
    """A TOML string in quotes; JSON's escapes are TOML's, but for one character that JSON lets through."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
