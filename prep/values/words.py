"""The words of `words.toml`."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

_TABLE: Final = tomllib.loads(resources.files("prep.values").joinpath("words.toml").read_text("utf-8"))

TRUE: Final = frozenset[str](_TABLE["true"])
FALSE: Final = frozenset[str](_TABLE["false"])

NOTHING: Final = frozenset[str](_TABLE["nothing"])
"""What people and programs write where there is no value."""

NONE: Final = frozenset[str](_TABLE["none"])
"""The same, where it cannot mean no."""

ERRORS: Final = frozenset[str](_TABLE["errors"])
"""What spreadsheets write where they could not compute a value."""

NOBODY: Final = frozenset[str](_TABLE["nobody"])
"""Addresses that people write who do not want to name one."""

MONTHS: Final[Mapping[str, str]] = MappingProxyType(
    {name: number for number, names in _TABLE["months"].items() for name in names}
)
"""The names of months, and two digits."""
