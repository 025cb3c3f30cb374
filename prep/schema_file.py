"""Schema files → schemas: packaged by name, or a path; one may extend another."""

import os
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from prep.checks import NAMED_CHECKS, TYPE_CHECKS, Check, pattern_check
from prep.errors import SchemaError
from prep.folding import fold
from prep.model import CLEARING
from prep.rules import CrossRule, Terms
from prep.schema import (
    LOOKUP_TYPES,
    NORMALISERS,
    READ_ONLY_TYPES,
    TRUNCATED_TYPES,
    CustomObject,
    Field,
    Schema,
)
from prep.schema_table import Table

DEFAULT_NAME: Final = "lead"

TOP_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name": "what the schema is called; the file's name without this line",
        "extends": "a packaged schema, or the path of a file, whose fields and rules count here too",
        "instance": "the instance that told of these fields; `prep schema pull` writes it",
        "object": "the custom object that has these fields",
        "absent": "fields of the extended schema that there are not",
        "lookup_fields": "fields that identify a row; custom ones of a type that can be are added",
        "fields": "the fields, a table for each",
        "rules": "rules over several fields, in order",
    }
)
"""Keys of a schema file → what they say."""

_AS_SENT: Final = "values as they are sent, by the type of the field, such as true, 5, 2026-01-31"
_AS_THE_FIELD_TAKES: Final = f"{_AS_SENT}, that its length, pattern and checks let pass"


def load_schema(name_or_path: str | Path = DEFAULT_NAME) -> Schema:
    """Load a packaged schema by name, or a schema file by path.

    A text that ends with `.toml` or holds a path separator is a path, everything else a name.

    Raises:
        SchemaError: No such schema, or its file holds a mistake; the message names file, field and
            what is allowed.
    """
    return _load(name_or_path, ())


def schema_names() -> list[str]:
    """Names of the packaged schemas, sorted."""
    return sorted(Path(entry.name).stem for entry in packaged().iterdir() if entry.name.endswith(".toml"))


def packaged() -> Traversable:
    """The folder of the packaged schemas, in the wheel or in a checkout.

    Raises:
        SchemaError: It is missing.
    """
    installed = resources.files("prep") / "_schemas"
    if installed.is_dir():
        return installed
    checkout = Path(__file__).parent.parent
    if (checkout / "pyproject.toml").is_file():
        return checkout / "schemas"
    raise SchemaError("the packaged schemas are missing", code="no_schemas", hint="Install leadprep again.")


def parse_schema(text: str, label: str) -> Schema:
    """Read a schema from the text of its file.

    Args:
        text: TOML; it may extend packaged schemas only.
        label: What messages call it; the schema's name and origin.

    Raises:
        SchemaError: As `load_schema`.
    """
    return _compile(label, text, label, ())


def _load(name_or_path: str | Path, loading: tuple[str, ...]) -> Schema:
    label = str(name_or_path)
    if _identity(label) in map(_identity, loading):
        raise SchemaError(
            f"{label}: extends itself through {' → '.join(loading)}",
            code="schema_loop",
            hint="Remove one of the extends lines.",
            source=label,
        )
    return _compile(label, _read(name_or_path), name_or_path, (*loading, label))


def _compile(label: str, text: str, name_or_path: str | Path, loading: tuple[str, ...]) -> Schema:
    top = Table(label, "", _parse(label, text))
    top.refuse_other_keys(TOP_KEYS)
    parent = top.text("extends", "")
    is_name = parent in ("", *schema_names())
    if not is_name and ("\0" in parent or not _is_path(parent)):
        known_names = ", ".join(schema_names())
        raise top.mistake("extends", f"is {parent!r}", f"{known_names}, or the path of a .toml file")
    base = _load(_beside(name_or_path, parent), loading) if parent else None
    absent = top.texts("absent", (), base.fields if base else ())
    if absent and base is None:
        raise top.mistake("absent", "needs something that it is absent from", "a file with extends")
    inherited = _without(base, absent) if base else None
    fields = dict(inherited.fields) if inherited else {}
    written = dict(top.tables("fields"))
    for name, table in written.items():
        if not name[:1].isalnum():
            raise top.mistake(
                f"fields.{name}", "cannot be a REST name", "names that begin with a letter or a digit"
            )
        fields[name] = _field(name, table, fields.get(name, Field(name)))
    described = _object(top, fields, inherited.object if inherited else None)
    if described and "lookup_fields" in top:
        raise top.mistake("lookup_fields", "stands beside object", "object.dedupe_fields alone")
    lookups = top.texts("lookup_fields", inherited.lookup_fields if inherited else ())
    known = inherited.fields if inherited else {name: fields[name] for name in lookups if name in fields}
    custom = [
        name
        for name, field in fields.items()
        if name not in (*known, *lookups) and field.type in LOOKUP_TYPES
    ]
    schema = Schema(
        name=top.text("name", Path(label).stem),
        fields=fields,
        lookup_fields=(*lookups, *custom) if inherited or not lookups else lookups,
        origin=label,
        rules=_rules(top, fields, inherited.rules if inherited else ()),
        object=described,
        packaged=label if _is_packaged(name_or_path) else inherited.packaged if inherited else "",
    )
    if described:
        schema = replace(schema, lookup_fields=described.dedupe_fields)
    # What an instance calls its fields is a fact, what a person writes may be a mistake.
    _refuse_clashes(label, schema, () if top.text("instance", "") else written)
    return schema


def _without(base: Schema, absent: Collection[str]) -> Schema:
    """A schema without some of its fields."""
    return replace(
        base,
        fields={name: field for name, field in base.fields.items() if name not in absent},
        lookup_fields=tuple(name for name in base.lookup_fields if name not in absent),
    )


def _is_path(name_or_path: str | Path) -> bool:
    text = str(name_or_path)
    return isinstance(name_or_path, Path) or text.endswith(".toml") or os.sep in text


def _is_packaged(name_or_path: str | Path) -> bool:
    return not _is_path(name_or_path) and name_or_path in schema_names()


def _identity(name_or_path: str | Path) -> str:
    return os.path.realpath(name_or_path) if _is_path(name_or_path) else str(name_or_path)


def _beside(child: str | Path, parent: str) -> str | Path:
    """What `extends` means: a packaged name, or a path seen from the folder of the file that says it."""
    return Path(child).parent / parent if _is_path(parent) else parent


def _read(name_or_path: str | Path) -> str:
    if not _is_path(name_or_path):
        if not _is_packaged(name_or_path):
            raise SchemaError(
                f"there is no schema called {str(name_or_path)!r}",
                code="unknown_schema",
                hint=f"Known: {', '.join(schema_names())}. A file of your own is given as a path to a .toml.",
                source=str(name_or_path),
            )
        return (packaged() / f"{name_or_path}.toml").read_text(encoding="utf-8")
    try:
        return Path(name_or_path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SchemaError(
            f"{name_or_path}: cannot be read: {reason}",
            code="unreadable_schema",
            hint="Give the path of a .toml file that can be read; a packaged schema has a name and no path.",
            source=str(name_or_path),
        ) from error


def _parse(label: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise SchemaError(
            f"{label}: not valid TOML: {why}", code="bad_schema", hint="Correct that line.", source=label
        ) from error


def _field(name: str, table: Table, base: Field) -> Field:
    table.refuse_other_keys(
        [attribute.name for attribute in dataclass_fields(Field) if attribute.name != "name"]
    )
    type_name = table.text("type", base.type, TYPE_CHECKS)
    pattern = table.text("pattern", base.pattern)
    if pattern and not _compiles(pattern):
        raise table.mistake("pattern", "is not a regular expression", "the syntax of Rust's regex crate")
    truncate = table.flag("truncate", default=base.truncate)
    if truncate and type_name not in TRUNCATED_TYPES:
        raise table.mistake("truncate", "is true", f"true for fields of type {', '.join(TRUNCATED_TYPES)}")
    field = Field(
        name=name,
        type=type_name,
        soap=table.text("soap", base.soap),
        display=table.text("display", base.display),
        length=table.length("length", base.length),
        read_only=table.flag("read_only", default=base.read_only) or type_name in READ_ONLY_TYPES,
        required=table.flag("required", default=base.required),
        protected=table.flag("protected", default=base.protected),
        aliases=table.texts("aliases", base.aliases),
        normalisers=table.texts("normalisers", base.normalisers, NORMALISERS),
        checks=table.texts("checks", base.checks, NAMED_CHECKS),
        allowed=table.texts("allowed", base.allowed),
        pattern=pattern,
        truncate=truncate,
    )
    # What a parent allows, a child may narrow with a pattern.
    checks = tuple(field.rules()) if "allowed" in table else TYPE_CHECKS[type_name]
    values = [value for value in field.allowed if value != CLEARING]
    if idle := [value for value in values if not (value and _passes([value], checks))]:
        raise table.mistake("allowed", f"holds {idle[0]!r}, which no cell becomes", _AS_THE_FIELD_TAKES)
    return field


def _object(top: Table, fields: Mapping[str, Field], inherited: CustomObject | None) -> CustomObject | None:
    """The custom object that a file is about: what it says itself, or its parent's."""
    if "object" not in top:
        return inherited
    table = top.table("object")
    table.refuse_other_keys(("name", "dedupe_fields", "id_field"))
    if inherited:
        raise top.mistake("object", "is said again", "what the extended schema says of it")
    name, dedupe_fields = table.text("name", ""), table.texts("dedupe_fields", (), fields)
    if not name or not dedupe_fields or len(set(dedupe_fields)) < len(dedupe_fields):
        raise top.mistake("object", "is not complete", 'name = "car_c" and dedupe_fields = ["vin"]')
    return CustomObject(name, dedupe_fields, table.text("id_field", ""))


def _rules(top: Table, fields: Mapping[str, Field], inherited: Iterable[CrossRule]) -> tuple[CrossRule, ...]:
    """The rules of a file behind those of its parent; one of the same name takes the place of that."""
    rules = {rule.name: rule for rule in inherited if set(rule.fields) <= fields.keys()}
    names = []
    for table in top.array("rules"):
        table.refuse_other_keys(("name", "if", "then"))
        name = table.text("name", "")
        if not name or name in names:
            raise table.mistake("name", f"is {name!r}", "a text in quotes that no other rule has")
        names.append(name)
        rules[name] = CrossRule(name, _terms(table, "if", fields), _terms(table, "then", fields))
    return tuple(rules.values())


def _terms(rule: Table, key: str, fields: Mapping[str, Field]) -> Terms:
    table = rule.table(key)
    table.refuse_other_keys(("is", "filled", "blank"))
    terms = Terms(
        table.table("is").lists(fields), table.listed("filled", fields), table.listed("blank", fields)
    )
    if not terms.fields:
        raise rule.mistake(key, "says nothing", "is, filled, blank")
    for name, values in terms.values.items():
        if idle := [value for value in values if not _may_be_sent(value, fields[name].type)]:
            raise table.mistake(f"is.{name}", f"holds {idle[0]!r}, which no cell becomes", _AS_SENT)
    return terms


def _may_be_sent(value: str, type_name: str) -> bool:
    """Whether a cell of this type may have a value, in whatever case."""
    return bool(value.strip()) and _passes([value.lower(), value.upper()], TYPE_CHECKS[type_name])


def _passes(spellings: list[str], checks: Iterable[Check]) -> bool:
    """Whether these checks let one of these spellings pass."""
    passed = pl.DataFrame({"spelling": spellings}).select(
        check.verdict("spelling").alias(str(number)) for number, check in enumerate(checks)
    )
    return passed.is_empty() or any(map(all, passed.rows()))


def _compiles(pattern: str) -> bool:
    """Whether a pattern is sound by itself and inside the brackets that it is put into.

    `a)(b` is so only inside them, and a comment at the end of `(?x)a # b` takes the closing one.
    """
    value = pl.lit("")
    try:
        pl.select(value.str.contains(pattern), by_check=pattern_check(pattern).passes(value))
    except pl.exceptions.ComputeError:
        return False
    return True


def _refuse_clashes(label: str, schema: Schema, written: Collection[str]) -> None:
    """No written field may answer to a spelling of another one, and every lookup field must exist."""
    owners: dict[str, str] = {}
    for field in schema.fields.values():
        for text in filter(None, (field.name, field.soap, field.display, *field.aliases)):
            if not (spelling := fold(text)) and field.name in written:
                raise SchemaError(
                    f"{label}: {field.name} answers to the header {text!r}, which has no letter or digit",
                    code="bad_schema",
                    hint="Change its soap, display or aliases.",
                    source=label,
                    column=field.name,
                )
            owner = owners.setdefault(spelling, field.name)
            if owner != field.name and not {owner, field.name}.isdisjoint(written):
                raise SchemaError(
                    f"{label}: {owner} and {field.name} both answer to the header {spelling!r}",
                    code="bad_schema",
                    hint=f"Write [fields.{owner}] if that is meant, else change soap, display or aliases of "
                    "one of them."
                    if text == field.name
                    else "Change soap, display or aliases of one of them.",
                    source=label,
                    column=field.name,
                )
    for name in schema.lookup_fields:
        if name not in schema.fields:
            raise SchemaError(
                f"{label}: lookup_fields names {name!r}, which is not a field",
                code="bad_schema",
                hint=f"Add a table [fields.{name}] or remove the name.",
                source=label,
                column=name,
            )
