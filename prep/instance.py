"""The lead fields of an instance as it describes them, and the schema file that says so."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from prep.checks import TYPE_CHECKS, longest
from prep.errors import TerminalError
from prep.marketo.codes import NOT_OFFERED
from prep.marketo.records import FieldRecord, LeadRecord
from prep.schema import READ_ONLY_TYPES, Field, Schema, load_schema, parse_schema

if TYPE_CHECKING:
    from prep.marketo import Marketo

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Instance:
    """What an instance tells of its lead fields.

    Attributes:
        host: Which instance.
        fields: Its fields by REST name, sorted, with nothing but what it tells of them: type, length, names,
            and whether imports can write them.
        searchable: Fields that leads can be looked up by; None if it did not tell.
        remarks: Field → what could not be taken as it was told, in one clause.
    """

    host: str
    fields: Mapping[str, Field]
    searchable: frozenset[str] | None
    remarks: Mapping[str, str]

    def has(self, name: str) -> bool:
        """Whether there is such a field; some, like the ids of a CRM, are only told as searchable."""
        return name in self.fields or name in (self.searchable or ())


def ask_instance(client: "Marketo", host: str | None = None) -> Instance:
    """Ask an instance for its lead fields, with two calls.

    The first describe call is Marketo's word on every field; the second adds what it alone tells.

    Args:
        client: Of that instance.
        host: What the instance is called; by default the client's host.

    Raises:
        MarketoError: The first call is refused, or Marketo cannot be reached.
    """
    return read_instance(host or client.host, client.describe(), _describe2(client))


def read_instance(host: str, told: Sequence[FieldRecord], more: LeadRecord | None) -> Instance:
    """Put together what both describe calls told; the first one's word holds, the second may be missing."""
    records = {record.name: record for record in (*(more.fields if more else ()), *told)}
    writable = {record.name for record in told if not record.is_read_only}
    locked = {record.name for record in more.fields if record.is_read_only} if more else set()
    remarks = dict.fromkeys(writable & locked, "writable says describe, not updateable says describe2")
    remarks |= {name: remark for name, record in records.items() if (remark := _remark(record))}
    return Instance(
        host=host,
        fields={name: _field(record) for name, record in sorted(records.items()) if _is_usable(name)},
        searchable=frozenset(more.searchable) if more and more.searchable else None,
        remarks=dict(sorted(remarks.items())),
    )


def _describe2(client: "Marketo") -> LeadRecord | None:
    try:
        return client.describe2()
    except TerminalError as error:
        if error.code not in NOT_OFFERED:
            raise
        return None


def _remark(record: FieldRecord) -> str:
    if not _is_usable(record.name):
        return "left out: no header of an upload can be called that"
    if _known_type(record) is None:
        return f"type {json.dumps(record.data_type)} is not known to prep and taken as {_type(record)}"
    return ""


def _is_usable(name: str) -> bool:
    return name[:1].isalnum() and name.isprintable()


def _known_type(record: FieldRecord) -> str | None:
    name = record.data_type.lower()
    return name if name in TYPE_CHECKS else None


def _type(record: FieldRecord) -> str:
    """The field's type; of unknown ones, values are limited in length alone."""
    return _known_type(record) or ("string" if record.length else "text")


def _field(record: FieldRecord) -> Field:
    type_name = _type(record)
    return Field(
        record.name,
        type=type_name,
        soap=record.soap_name or "",
        display=record.display_name if record.display_name != record.name else "",
        length=record.length or None,
        read_only=record.is_read_only or type_name in READ_ONLY_TYPES,
    )


def schema_of(instance: Instance, base: Schema | None = None) -> Schema:
    """The schema that `render_schema` writes, read."""
    return parse_schema(render_schema(instance, base or load_schema()), instance.host)


def render_schema(instance: Instance, base: Schema, asked_at: datetime | None = None) -> str:
    """Write an instance's fields as a schema file that extends a packaged schema.

    It holds what the instance has besides the packaged schema, what it tells otherwise, and what it lacks.
    The same instance gives the same text but for the comment at the top.

    Args:
        instance: What was told.
        base: The packaged schema to extend.
        asked_at: When; without it there is no comment at the top.
    """
    lines = [*(_comment(instance, asked_at) if asked_at else ())]
    lines += [f"instance = {_text(instance.host)}", f"extends = {_text(base.name)}"]
    if instance.searchable is not None:
        lookups = [name for name in base.lookup_fields if name in instance.searchable]
        lines += _list("lookup_fields", lookups) if lookups != list(base.lookup_fields) else []
    lines += _list("absent", absent_fields(instance, base))
    for name, field in instance.fields.items():
        facts = dict(_facts(field, base.fields.get(name)))
        remark = instance.remarks.get(name)
        if facts or remark:
            lines += ["", *([f"# {remark}"] if remark else [])]
        if facts:
            lines += [f"[fields.{_key(name)}]", *(f"{key} = {value}" for key, value in facts.items())]
    return "\n".join(lines) + "\n"


def absent_fields(instance: Instance, base: Schema) -> list[str]:
    """Fields of a schema that an instance lacks, sorted; not lookup fields that it could not be asked of."""
    unasked = base.lookup_fields if instance.searchable is None else ()
    return sorted(name for name in base.fields if not instance.has(name) and name not in unasked)


def _comment(instance: Instance, asked_at: datetime) -> Iterator[str]:
    moment = f"{asked_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    yield f"# The lead fields of {instance.host}, as it described them on {moment}."
    yield "# Written by prep schema pull, which replaces it: rules of your own go into one that extends it."
    yield ""


def _facts(field: Field, base: Field | None) -> Iterator[tuple[str, str]]:
    """What a file has to say about a field that extends another one; what was not told stays."""
    known = base or Field(field.name)
    if base is None or field.type != base.type:
        yield "type", _text(field.type)
    length = field.length or (longest(field.type, None) if field.type != known.type else None)
    if length and length != known.length:
        yield "length", str(length)
    if field.soap and field.soap != known.soap:
        yield "soap", _text(field.soap)
    if field.display and field.display != known.display:
        yield "display", _text(field.display)
    if field.read_only != (known.read_only or field.type in READ_ONLY_TYPES):
        yield "read_only", str(field.read_only).lower()


def _list(key: str, names: list[str]) -> list[str]:
    return [f"{key} = [", *(f"    {_text(name)}," for name in names), "]"] if names else []


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's, but for a character that TOML wants escaped too."""
    whole = text.encode("utf-8", "replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
