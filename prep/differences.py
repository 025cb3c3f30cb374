"""What two schemas say differently."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from dataclasses import fields as attributes
from typing import Any, Final

from prep.checks import longest
from prep.schema import Field, Schema

FACTS: Final = ("type", "length", "read_only", "soap", "display", "lookup")
"""What an instance can tell of a field; the rest are rules that people add."""

EVERYTHING: Final = (*(attribute.name for attribute in attributes(Field)), "lookup", "rules")


@dataclass(frozen=True)
class Change:
    """One thing that is said differently of a field; `key` is the schema file's word, or `lookup`."""

    field: str
    key: str
    before: Any
    after: Any


@dataclass(frozen=True)
class RuleChange:
    """A rule over several fields that is said differently, in words; None where a schema lacks it."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Differences:
    """What a second schema has more, less and otherwise than a first one, sorted by name."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]
    rules: tuple[RuleChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.rules)

    @property
    def summary(self) -> str:
        """The numbers in words."""
        if not self:
            return "no differences"
        rules = f", rules: {len(self.rules)}" if self.rules else ""
        changed = len(self.changed_fields)
        return f"{len(self.added)} added, {len(self.removed)} removed, {changed} changed{rules}"

    @property
    def changed_fields(self) -> tuple[str, ...]:
        """The fields of which anything is said differently."""
        return tuple(dict.fromkeys(change.field for change in self.changed))


def compare(before: Schema, after: Schema, keys: Collection[str] = EVERYTHING) -> Differences:
    """Compare two schemas.

    Args:
        before: The first one.
        after: The second one.
        keys: What of the fields that both have is compared; with `rules` those over several fields, too.
    """
    both = sorted(before.fields.keys() & after.fields.keys())
    return Differences(
        added=tuple(sorted(after.fields.keys() - before.fields.keys())),
        removed=tuple(sorted(before.fields.keys() - after.fields.keys())),
        changed=tuple(change for name in both for change in _changes(name, before, after, keys)),
        rules=tuple(_rule_changes(before, after)) if "rules" in keys else (),
    )


def _rule_changes(before: Schema, after: Schema) -> Iterator[RuleChange]:
    was, now = ({rule.name: str(rule) for rule in schema.rules} for schema in (before, after))
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            yield RuleChange(name, was.get(name), now.get(name))


def _changes(name: str, before: Schema, after: Schema, keys: Collection[str]) -> Iterator[Change]:
    was, now = said_of(before, name), said_of(after, name)
    for key in was:
        if key in keys and was[key] != now[key]:
            yield Change(name, key, was[key], now[key])


def said_of(schema: Schema, name: str) -> dict[str, Any]:
    """What a schema says of a field, in the words of its file; the length also where the type decides it."""
    field = schema.fields[name]
    return {
        **{key.name: getattr(field, key.name) for key in attributes(field)},
        "length": longest(field.type, field.length),
        "lookup": name in schema.lookup_fields,
    }
