"""Marketo's words about a row → the field meant, the cause, and what to do."""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

import polars as pl

from prep.errors import SchemaError
from prep.folding import fold
from prep.model import Fate
from prep.objects import LEADS, ImportObject
from prep.schema import Schema
from prep.schema_file import load_schema


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

    @property
    def text(self) -> str:
        """Cause and remedy in one line, with the line for the schema if there is one."""
        rule = (
            f"; prep rejects such rows with {self.rule} for the field in a schema of your own"
            if self.rule
            else ""
        )
        return f"{self.cause}: {self.remedy}{rule}"


_UNKNOWN = Advice(
    "unknown", None, "not in prep's table of messages", "look the words up in Marketo's documentation"
)


_WHOLE_UPLOAD = Advice(
    "whole_upload",
    None,
    "Marketo gave up the whole upload and named no row",
    "read what it said in failed.csv; prep retry sends the rows again",
)


def known_schema(named: Mapping[str, str]) -> Schema:
    """The schema that a manifest names, or the packaged one where its file is gone: names suffice here."""
    try:
        return load_schema(named["origin"])
    except SchemaError:
        return load_schema()


def summarise_messages(rows: pl.DataFrame, schema: Schema, into: ImportObject) -> list[dict[str, Any]]:
    """What Marketo said, without its words, which can hold values.

    Args:
        rows: The table of fates; needs `fate`, `message` and `matched_by`.
        schema: Knows the fields that messages name.
        into: What the rows were to become.

    Returns:
        `fate`, `code`, `field`, `rows`, `cause`, `remedy` and `rule` of each kind, the commonest first.
    """
    is_named = pl.col("matched_by").is_not_null()
    told = rows.filter(is_named | (pl.col("fate") == Fate.FAILED)).group_by("fate", "message", is_named).len()
    kinds: Counter[tuple[str, Advice]] = Counter()
    for fate, message, named, count in told.rows():
        kinds[fate, advise(message or "", schema, into) if named else _WHOLE_UPLOAD] += count
    ordered = sorted(
        kinds.items(), key=lambda item: (-item[1], item[0][0], item[0][1].code, item[0][1].field or "")
    )
    return [{"fate": fate, **asdict(advice), "rows": count} for (fate, advice), count in ordered]


def advise(message: str, schema: Schema, into: ImportObject = LEADS) -> Advice:
    """Explain a message from a failure or warning file about rows of this kind."""
    for pattern, row in _table():
        if into.kind.word not in row.get("objects", [into.kind.word]):
            continue
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
