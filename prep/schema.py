"""What each field of the instance is called, holds and allows."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

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
from prep.folding import fold
from prep.judge import compile_checks
from prep.model import Reason
from prep.objects import key_fields
from prep.rules import CrossRule

if TYPE_CHECKING:
    import pandera.polars as pa

ID: Final = "id"

READ_ONLY_TYPES: Final = frozenset({"formula", "reference"})
LOOKUP_TYPES: Final = frozenset({"string", "email", "integer"})
"""Types that a custom field must have to be a lookup field.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-lead-import"""

TRUNCATED_TYPES: Final = ("string", "text")
"""Types whose values keep their meaning when they are cut; half an address or number is another one."""

NORMALISERS: Final = ("collapse_spaces", "lower", "title", "upper")
"""Further spellings that a field may ask for by name; `prep.values` applies them."""


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
        packaged: Name of the packaged schema that it is, or extends in the end; empty if there is none.
    """

    name: str
    fields: Mapping[str, Field]
    lookup_fields: tuple[str, ...]
    origin: str = ""
    rules: tuple[CrossRule, ...] = ()
    object: CustomObject | None = None
    packaged: str = ""

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
        return compile_checks(self.checks(lookup_field or "", self.fields if fields is None else fields))

    def checks(self, lookup_field: str, fields: Iterable[str]) -> Mapping[str, tuple[Check, ...]]:
        """What `to_pandera` compiles: the checks of each column, in order."""
        names = list(fields)
        keys = key_fields(lookup_field)
        found = {
            name: [*([LOOKUP_PRESENT] if name in keys else []), *self.fields[name].rules()] for name in names
        }
        for rule in self.rules:
            if set(rule.fields) <= set(names):
                for name, check in rule.checks():
                    found[name].append(check)
        for name in filter(self._is_lead_id, keys):
            if name in found:
                found[name].append(NAMED_CHECKS["positive"])
        return {name: tuple(checks) for name, checks in found.items()}

    def rules_for(self, field: str, reason: Reason) -> tuple[str, ...]:
        """Names of the rules over several fields that can be a reason at a field."""
        return tuple(
            rule.name
            for rule in self.rules
            if any(name == field and check.reason is reason for name, check in rule.checks())
        )
