"""A scenario file: how the sandbox acts, what goes wrong, and which fields there are."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

from prep.sandbox.faults import Behaviour, Fault, Place, kind_of
from prep.sandbox.instance import Field, check_field


class Scenario(NamedTuple):
    """The content of a scenario file; its parts are arguments of `Sandbox`."""

    behaviour: Behaviour = Behaviour()
    faults: tuple[Fault, ...] = ()
    fields: tuple[Field, ...] = ()
    absent: tuple[str, ...] = ()


def load_scenario(path: str | Path) -> Scenario:
    """Read switches, faults and fields from a TOML file.

    The file holds a table `[behaviour]` with attributes of `Behaviour`, tables `[[fault]]` with `kind`
    and, if wanted, `at`, `times`, `seconds` and `place`, tables `[[field]]` with attributes of `Field`, and
    `absent`, a list of fields that the instance shall lack.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not TOML, or names something that there is not; the message names what there is.
    """
    try:
        return _scenario(tomllib.loads(Path(path).read_text(encoding="utf-8-sig")))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error


def _scenario(content: Mapping[str, Any]) -> Scenario:
    _require_known(content, ("behaviour", "fault", "field", "absent"), "table")
    behaviour, absent = content.get("behaviour", {}), content.get("absent", [])
    if not isinstance(behaviour, dict):
        raise ValueError("behaviour is a table: [behaviour]")  # noqa: TRY004 - the file is wrong, not a type
    if not (isinstance(absent, list) and all(isinstance(name, str) for name in absent)):
        raise ValueError('absent is a list of fields: ["company"]')
    return Scenario(
        _behaviour(behaviour),
        tuple(map(_fault, _tables(content, "fault"))),
        tuple(map(_field, _tables(content, "field"))),
        tuple(absent),
    )


def _tables(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    tables = content.get(name, [])
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise ValueError(f"{name} is a list of tables: [[{name}]]")
    return tables


def _require_known(table: Mapping[str, object], known: tuple[str, ...], what: str) -> None:
    for name in table:
        if name not in known:
            raise ValueError(f"unknown {what} {name!r}; there are {', '.join(known)}")


def _behaviour(table: Mapping[str, Any]) -> Behaviour:
    types = get_type_hints(Behaviour)
    _require_known(table, tuple(types), "switch")
    for name, value in table.items():
        _require_type(name, value, types[name])
    return Behaviour(**table)


def _require_type(name: str, value: object, wanted: Any) -> None:
    if get_origin(wanted) is Literal:
        choices = get_args(wanted)
        if value not in choices or type(value) is not type(choices[0]):
            raise ValueError(f"{name} is one of {', '.join(map(str, choices))}, not {value!r}")
    elif type(value) is not wanted and not (wanted is float and type(value) is int):
        raise ValueError(f"{name} is of type {wanted.__name__}, not {value!r}")


def _fault(table: Mapping[str, Any]) -> Fault:
    _require_known(table, ("kind", "at", "times", "seconds", "place"), "setting of a fault")
    for name, wanted in (("kind", str), ("at", int), ("times", int), ("seconds", float), ("place", str)):
        if name in table:
            _require_type(name, table[name], wanted)
    if "place" in table:
        _require_type("place", table["place"], Literal[tuple(map(str, Place))])
    place = Place(table["place"]) if "place" in table else None
    return Fault(
        kind=kind_of(table.get("kind", "")),
        at=table.get("at", 1),
        times=table.get("times"),
        seconds=table.get("seconds", 1.0),
        place=place,
    )


_FIELD_SETTINGS: Final = {
    "rest_name": str,
    "display_name": str,
    "data_type": str,
    "length": int,
    "read_only": bool,
    "soap_name": str,
}


def _field(table: Mapping[str, Any]) -> Field:
    _require_known(table, tuple(_FIELD_SETTINGS), "setting of a field")
    for name, value in table.items():
        _require_type(name, value, _FIELD_SETTINGS[name])
    name = table.get("rest_name", "")
    return check_field(
        Field(
            **{"rest_name": name, "display_name": name, "data_type": "string", "custom": True} | dict(table)
        )
    )
