"""Schema files: what each field of the instance is called, holds and allows, compiled to pandera."""

import hashlib
import json
import os
import re
import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from functools import cached_property
from importlib import import_module, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prep.checks import (
    LOOKUP_PRESENT,
    NAMED_CHECKS,
    PRESENT,
    TYPE_CHECKS,
    Check,
    allowed_check,
    length_check,
    pattern_check,
)
from prep.errors import SchemaError
from prep.model import Reason
from prep.objects import key_fields
from prep.rules import CrossRule, Terms
from prep.schema_table import Table

if TYPE_CHECKING:
    import pandera.polars as pa

DEFAULT_NAME: Final = "lead"
ID: Final = "id"

READ_ONLY_TYPES: Final = frozenset({"formula", "reference"})
LOOKUP_TYPES: Final = frozenset({"string", "email", "integer"})
"""Types that a custom field must have to be a lookup field.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-lead-import"""

TRUNCATED_TYPES: Final = ("string", "text")
"""Types whose values keep their meaning when they are cut; half an address or number is another one."""

NORMALISERS: Final = ("collapse_spaces", "lower", "title", "upper")
"""Further spellings that a field may ask for by name; `prep.values` applies them."""

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


@dataclass(frozen=True)
class Field:
    """One field of a lead.

    Attributes:
        name: REST name, the one that upload files carry.
        type: Marketo's type, such as `email`.
        soap: SOAP name, as old exports use it.
        display: Name in Marketo's user interface.
        length: Longest value, in characters; in bytes for type `text`. None is the type's own limit.
        read_only: Imports cannot write it.
        required: A row without a value is rejected.
        protected: It decides whether a person may be written to; only sent on somebody's word.
        aliases: Further spellings of the column's name.
        normalisers: Further spellings by name, applied in this order after the type's own.
        checks: Further checks by name.
        allowed: The only values that the field takes; empty for any.
        pattern: Regular expression that the whole value must match; empty for any.
        truncate: A longer value is cut, not rejected.
    """

    name: str
    type: str = "string"
    soap: str = ""
    display: str = ""
    length: int | None = None
    read_only: bool = False
    required: bool = False
    protected: bool = False
    aliases: tuple[str, ...] = ()
    normalisers: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    pattern: str = ""
    truncate: bool = False

    def rules(self) -> Iterator[Check]:
        """Every check that a value of this field must pass, the type's own first."""
        yield from TYPE_CHECKS[self.type]
        if length := length_check(self.type, self.length):
            yield length
        if self.allowed:
            yield allowed_check(self.allowed)
        if self.pattern:
            yield pattern_check(self.pattern)
        for name in self.checks:
            yield NAMED_CHECKS[name]
        if self.required:
            yield PRESENT


@dataclass(frozen=True)
class CustomObject:
    """Which custom object the fields of a schema are those of.

    Attributes:
        name: Its API name.
        dedupe_fields: Fields that together identify a record.
        id_field: Field that Marketo fills to identify a record; imports do not look up by it.
    """

    name: str
    dedupe_fields: tuple[str, ...]
    id_field: str = ""


@dataclass(frozen=True)
class Schema:
    """The fields that an instance knows.

    Attributes:
        name: What the schema file calls itself.
        fields: Fields by REST name.
        lookup_fields: Fields that identify a lead in an import.
        origin: What `load_schema` was given, to load it again.
        rules: Rules over several fields.
        object: The custom object that has these fields; None for leads and program members.
    """

    name: str
    fields: Mapping[str, Field]
    lookup_fields: tuple[str, ...]
    origin: str = ""
    rules: tuple[CrossRule, ...] = ()
    object: CustomObject | None = None

    @cached_property
    def fingerprint(self) -> str:
        """A digest of everything that the schema says, equal only for equal schemas."""
        content: dict[str, Any] = {
            "fields": [asdict(field) for _, field in sorted(self.fields.items())],
            "lookup_fields": sorted(self.lookup_fields),
            "rules": [asdict(rule) for rule in self.rules],
        }
        if self.object:
            content["object"] = asdict(self.object)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def exact_names(self) -> Mapping[str, str]:
        """REST, SOAP and display names, each with its field, but for those that two fields have."""
        owners = defaultdict(set)
        for field in self.fields.values():
            for spelling in filter(None, (field.display, field.soap)):
                owners[spelling].add(field.name)
            owners[field.name].add(field.name)
        unique = {spelling: min(names) for spelling, names in owners.items() if len(names) == 1}
        return unique | {name: name for name in self.fields}

    @cached_property
    def folded_names(self) -> Mapping[str, str]:
        """The same names without case, spaces and punctuation; what then means two fields is left out."""
        return {
            spelling: min(names)
            for spelling, names in self._folded_owners.items()
            if spelling not in self.ambiguous_names
        }

    @cached_property
    def ambiguous_names(self) -> frozenset[str]:
        """Folded names that several fields have, so that they mean none; some instances have such fields."""
        return frozenset(spelling for spelling, names in self._folded_owners.items() if len(names) > 1)

    @cached_property
    def _folded_owners(self) -> Mapping[str, set[str]]:
        owners = defaultdict(set)
        for field in self.fields.values():
            for spelling in filter(None, map(fold, (field.display, field.soap, field.name))):
                owners[spelling].add(field.name)
        return owners

    @cached_property
    def folded_aliases(self) -> Mapping[str, str]:
        """Aliases, folded likewise."""
        return {fold(alias): field.name for field in self.fields.values() for alias in field.aliases}

    def is_read_only(self, name: str, lookup_field: str) -> bool:
        """Whether an import on this lookup field must leave a field out; a key is looked up, not written."""
        is_key = name == lookup_field or name in key_fields(lookup_field)
        return not is_key and (self.fields[name].read_only or self._is_lead_id(name))

    def _is_lead_id(self, name: str) -> bool:
        return name == ID and self.object is None

    def to_pandera(
        self, *, lookup_field: str | None = None, fields: Iterable[str] | None = None
    ) -> "pa.DataFrameSchema":
        """Compile to pandera.

        Args:
            lookup_field: The field that every row must fill, or several joined by commas; the `id` of leads
                must be positive besides.
            fields: REST names of the columns to judge; all fields by default. A rule over several fields is
                judged if all of them are among these.

        Returns:
            A schema over text columns in their normalised spelling, none of them mandatory. Each check's
            `error` is a reason code. Validate collected frames with `lazy=True`: pandera does not look at
            the values of a LazyFrame.
        """
        import pandera.polars as pa  # noqa: PLC0415 (half a second that `--help` need not pay)

        names = list(self.fields if fields is None else fields)
        keys = key_fields(lookup_field or "")
        checks = defaultdict(list)
        for rule in self.rules:
            if set(rule.fields) <= set(names):
                for name, check in rule.checks():
                    checks[name].append(check)
        for name in filter(self._is_lead_id, keys):
            checks[name].append(NAMED_CHECKS["positive"])
        return pa.DataFrameSchema(
            {name: _pandera_column(self.fields[name], checks[name], is_lookup=name in keys) for name in names}
        )

    def rules_for(self, field: str, reason: Reason) -> tuple[str, ...]:
        """Names of the rules over several fields that can be a reason at a field."""
        return tuple(
            rule.name
            for rule in self.rules
            if any(name == field and check.reason is reason for name, check in rule.checks())
        )


_ACCENTS: Final = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\ufe00-\ufe0f]")
"""Marks of Latin, Greek, Cyrillic, Hebrew and Arabic that people leave out, and variation selectors.
Those of Thai, Devanagari and others are letters to their readers and stay."""

_LIKE_LETTERS: Final = str.maketrans(
    {
        **dict(zip("ıłøđħðþ", "ilodhdt", strict=True)),
        **dict(zip("ىیکة", "ييكه", strict=True)),
        **dict.fromkeys("\u0640\u02bc\u02be\u02bf", ""),
        "æ": "ae",
        "œ": "oe",
        "°": "o",
    }
)
"""Letters that stand for each other without being composed; N° is Nº is No. Tatweel and letters that are
apostrophes go."""


_ASCII_SIGNS: Final = {code: None for code in range(128) if not chr(code).isalnum()}


def fold(spelling: str) -> str:
    """A header without case, accents, width, spaces and punctuation, for comparison."""
    if spelling.isascii():
        return spelling.lower().translate(_ASCII_SIGNS)
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", spelling).casefold())
    letters = unicodedata.normalize("NFC", _ACCENTS.sub("", plain)).translate(_LIKE_LETTERS)
    if letters.isalnum():
        return letters
    return "".join(
        letter for letter in letters if letter.isalnum() or unicodedata.category(letter) in {"Mn", "Mc"}
    )


def _pandera_column(field: Field, more: Iterable[Check], *, is_lookup: bool) -> "pa.Column":
    import pandera.polars as pa  # noqa: PLC0415

    rules = [*field.rules(), *more]
    if is_lookup:
        rules.insert(0, LOOKUP_PRESENT)
    return pa.Column(
        pl.String, checks=[_pandera_check(rule) for rule in rules], nullable=True, required=False
    )


def _pandera_check(rule: Check) -> "pa.Check":
    import pandera.polars as pa  # noqa: PLC0415

    def passes(data: pa.PolarsData) -> pl.LazyFrame:
        value = pl.col(data.key)
        verdict = rule.passes(value)
        return data.lazyframe.select(verdict if rule.judges_blanks else value.is_null() | verdict)

    return pa.Check(passes, error=rule.reason.value, ignore_na=False)


def import_judge_ahead() -> None:
    """Begin to import pandera in a thread: it takes half a second, in which sources can be looked at."""
    Thread(target=_import_judge, name="prep-import", daemon=True).start()


def _import_judge() -> None:
    with suppress(ImportError):  # whoever needs it meets the error
        import_module("pandera.polars")


def find_failures(judge: "pa.DataFrameSchema", frame: pl.DataFrame) -> pl.DataFrame:
    """Let pandera judge a frame, whatever its own settings in the environment say.

    Returns:
        One line for each broken rule: `column`, `check` (the rule's `error`) and `index` (0-based position of
        the row; meaningless for rules over the whole frame), in the order of columns, rules and rows. It
        holds no cell values; pandera's own exception does, and goes no further than here.

    Raises:
        TypeError: The frame's shape does not fit the schema, or a rule raised: defects of prep only.
    """
    import pandera.polars as pa  # noqa: PLC0415
    from pandera.config import ValidationDepth, config_context  # noqa: PLC0415

    depth = ValidationDepth.SCHEMA_AND_DATA
    with config_context(validation_enabled=True, validation_depth=depth):
        try:
            judge.validate(frame.lazy().collect(), lazy=True)  # the values of a LazyFrame would go unseen
        except pa.errors.SchemaErrors as errors:
            found: pl.DataFrame = errors.failure_cases.select("column", "check", "index", "schema_context")
        else:
            return pl.DataFrame(schema={"column": pl.String, "check": pl.String, "index": pl.Int32})
    if foreign := set(found["check"].unique()) - set(Reason):
        raise TypeError(f"pandera reports {', '.join(sorted(map(str, foreign)))}")
    # Pandera reports a rule that raises like one that is broken, but without a row.
    crashed = found.filter(pl.col("index").is_null() & (pl.col("schema_context") == "Column"))
    if crashed.height:
        rules = (f"{column}:{check}" for column, check in crashed.select("column", "check").rows())
        raise TypeError(f"rules that could not be judged: {', '.join(rules)}")
    return found.drop("schema_context")


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
    if parent and not _is_path(parent) and parent not in schema_names():
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


def _identity(name_or_path: str | Path) -> str:
    return os.path.realpath(name_or_path) if _is_path(name_or_path) else str(name_or_path)


def _beside(child: str | Path, parent: str) -> str | Path:
    """What `extends` means: a packaged name, or a path seen from the folder of the file that says it."""
    return Path(child).parent / parent if _is_path(parent) else parent


def _read(name_or_path: str | Path) -> str:
    if not _is_path(name_or_path):
        if name_or_path not in schema_names():
            raise SchemaError(
                f"there is no schema called {str(name_or_path)!r}",
                code="unknown_schema",
                hint=f"Known: {', '.join(schema_names())}. A file of your own is given as a path to a .toml.",
                source=str(name_or_path),
            )
        return (packaged() / f"{name_or_path}.toml").read_text(encoding="utf-8")
    try:
        return Path(name_or_path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SchemaError(
            f"{name_or_path}: cannot be read: {reason}",
            code="unreadable_schema",
            hint="--schema takes the name of a packaged schema or the path of a .toml file.",
            source=str(name_or_path),
        ) from error


def _parse(label: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SchemaError(
            f"{label}: not valid TOML: {error}", code="bad_schema", hint="Correct that line.", source=label
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
    return Field(
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
    return terms


def _compiles(pattern: str) -> bool:
    """Whether a pattern is sound by itself; `a)(b` is so only inside the brackets that it is put into."""
    try:
        pl.select(pl.lit("").str.contains(pattern))
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
                    hint="Change soap, display or aliases of one of them.",
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
