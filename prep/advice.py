"""Marketo's words about a row → the field meant, the cause, and what to do."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from prep.schema import Schema, fold


@dataclass(frozen=True)
class Advice:
    """What a message means.

    Attributes:
        code: Stable name of the case; `unknown` for words that the table does not have.
        field: REST name of the field meant, where the message names one that the schema knows.
        cause: Why Marketo said it.
        remedy: What to do.
        rule: The line for the schema that makes prep reject such a row before it is sent; may be empty.
    """

    code: str
    field: str | None
    cause: str
    remedy: str
    rule: str = ""


_UNKNOWN = Advice(
    "unknown", None, "not in prep's table of messages", "look the words up in Marketo's documentation"
)


def advise(message: str, schema: Schema) -> Advice:
    """Explain a message from a failure or warning file."""
    for pattern, row in _table():
        if found := pattern.search(message):
            named = found.groupdict().get("field", "")
            field = schema.exact_names.get(named) or _by_other_name(named, schema)
            return Advice(row["code"], field, row["cause"], row["remedy"], row.get("schema", ""))
    return _UNKNOWN


def _by_other_name(named: str, schema: Schema) -> str | None:
    """Marketo calls fields by their display name, which an instance can change."""
    return schema.folded_names.get(fold(named)) or schema.folded_aliases.get(fold(named))


@cache
def _table() -> tuple[tuple[re.Pattern[str], Mapping[str, str]], ...]:
    text = (resources.files("prep") / "advice.toml").read_text(encoding="utf-8")
    return tuple((re.compile(row["pattern"]), row) for row in tomllib.loads(text)["advice"])
