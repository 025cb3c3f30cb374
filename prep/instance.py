"""The fields of an instance as it describes them, and the schema file that says so."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from prep.checks import TYPE_CHECKS, longest
from prep.errors import TerminalError
from prep.marketo.codes import NO_SUCH_OBJECT, NOT_OFFERED
from prep.marketo.records import CustomObjectRecord, FieldRecord, LeadRecord
from prep.objects import LEADS, PROGRAM_MEMBERS, ImportObject
from prep.schema import READ_ONLY_TYPES, CustomObject, Field, Schema
from prep.schema_file import load_schema, parse_schema

if TYPE_CHECKING:
    from prep.marketo import Marketo

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Instance:
    """What an instance tells of the fields that an import can have.

    Attributes:
        host: Which instance.
        fields: Its fields by REST name, sorted, with nothing but what it tells of them: type, length, names,
            and whether imports can write them.
        searchable: Fields that leads can be looked up by; None if it did not tell.
        remarks: Field → what is to be known of it besides, in one clause; above all what could not be taken
            as it was told.
        of: What the rows of such an import become.
        object: The custom object that has these fields.
    """

    host: str
    fields: Mapping[str, Field]
    searchable: frozenset[str] | None
    remarks: Mapping[str, str]
    of: ImportObject = LEADS
    object: CustomObject | None = None

    def has(self, name: str) -> bool:
        """Whether there is such a field; some, like the ids of a CRM, are only told as searchable."""
        return name in self.fields or name in (self.searchable or ())


def ask_instance(client: "Marketo", host: str | None = None, of: ImportObject = LEADS) -> Instance:
    """Ask an instance for the fields that an import can have.

    Of leads the first describe call is Marketo's word on every field; the second adds what it alone tells.
    Program members have the fields of leads and, with a third call, their own. A custom object takes one.

    Args:
        client: Of that instance.
        host: What the instance is called; by default the client's host.
        of: What the rows of the import become.

    Raises:
        TerminalError: With code `no_such_object` when there is no such custom object.
        MarketoError: A call but the second is refused, or Marketo cannot be reached.
    """
    name = host or client.host
    if of.is_custom:
        return _read_custom_object(name, of, _describe_custom_object(client, name, of))
    leads = read_instance(name, client.describe(), _describe2(client))
    return _with_members(leads, client.describe_members()) if of == PROGRAM_MEMBERS else leads


def _with_members(leads: Instance, told: Sequence[FieldRecord]) -> Instance:
    """The fields of leads and those of members; a name that both have is the lead's."""
    own = _read_fields([record for record in told if not leads.has(record.name)])
    return replace(
        leads,
        fields=dict(sorted({**leads.fields, **own}.items())),
        remarks={**leads.remarks, **_remarks(told)},
        of=PROGRAM_MEMBERS,
    )


def _describe_custom_object(client: "Marketo", host: str, of: ImportObject) -> CustomObjectRecord:
    try:
        return client.describe_custom_object(of.api_name)
    except TerminalError as error:
        if error.code not in NO_SUCH_OBJECT:
            raise
        raise TerminalError(
            f"{host}: there is no custom object {of.api_name}, or the API user may not see it",
            code="no_such_object",
            hint="Take its API name from Admin > Marketo Custom Objects; only approved objects can be used.",
        ) from error


def _read_custom_object(host: str, of: ImportObject, record: CustomObjectRecord) -> Instance:
    links = {field: f"links to {target}" for field, target in record.links.items()}
    return Instance(
        host=host,
        fields=dict(sorted(_read_fields(record.fields).items())),
        searchable=None,
        remarks=dict(sorted((links | _remarks(record.fields)).items())),
        of=of,
        object=CustomObject(of.api_name, record.dedupe_fields, record.id_field),
    )


def _read_fields(records: Iterable[FieldRecord]) -> dict[str, Field]:
    return {record.name: _field(record) for record in records if _is_usable(record.name)}


def _remarks(records: Iterable[FieldRecord]) -> dict[str, str]:
    return {record.name: remark for record in records if (remark := _remark(record))}


def read_instance(host: str, told: Sequence[FieldRecord], more: LeadRecord | None) -> Instance:
    """Put together what both describe calls told; the first one's word holds, the second may be missing."""
    records = {record.name: record for record in (*(more.fields if more else ()), *told)}
    writable = {record.name for record in told if not record.is_read_only}
    locked = {record.name for record in more.fields if record.is_read_only} if more else set()
    remarks = dict.fromkeys(writable & locked, "writable says describe, not updateable says describe2")
    remarks |= _remarks(records.values())
    return Instance(
        host=host,
        fields=dict(sorted(_read_fields(records.values()).items())),
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
    return parse_schema(render_schema(instance, base or base_of(instance.of)), instance.host)


def base_of(of: ImportObject) -> Schema | None:
    """The packaged schema that a file about such an import extends; None for custom objects."""
    return load_schema(of.kind.schema) if of.kind.schema else None


def render_schema(instance: Instance, base: Schema | None, asked_at: datetime | None = None) -> str:
    """Write an instance's fields as a schema file that extends a packaged schema, if there is one.

    It holds what the instance has besides the packaged schema, what it tells otherwise, and what it lacks.
    The same instance gives the same text but for the comment at the top.

    Args:
        instance: What was told.
        base: The packaged schema to extend.
        asked_at: When; without it there is no comment at the top.
    """
    lines = [*(_comment(instance, asked_at) if asked_at else ())]
    lines += [f"instance = {_text(instance.host)}", *(_head(instance, base) if base else ())]
    if instance.object:
        lines += ["", "[object]", f"name = {_text(instance.object.name)}"]
        lines += _list("dedupe_fields", instance.object.dedupe_fields)
        lines += [f"id_field = {_text(instance.object.id_field)}"] if instance.object.id_field else []
    for name, field in instance.fields.items():
        facts = dict(_facts(field, base.fields.get(name) if base else None))
        remark = instance.remarks.get(name)
        if facts or remark:
            lines += ["", *([f"# {remark}"] if remark else [])]
        if facts:
            lines += [f"[fields.{_key(name)}]", *(f"{key} = {value}" for key, value in facts.items())]
    return "\n".join(lines) + "\n"


def _head(instance: Instance, base: Schema) -> Iterator[str]:
    """What a file says that extends another one, before it comes to fields."""
    yield f"extends = {_text(base.name)}"
    if instance.searchable is not None:
        lookups = [name for name in base.lookup_fields if name in instance.searchable]
        yield from _list("lookup_fields", lookups) if lookups != list(base.lookup_fields) else ()
    yield from _list("absent", absent_fields(instance, base))


def absent_fields(instance: Instance, base: Schema) -> list[str]:
    """Fields of a schema that an instance lacks, sorted; not lookup fields that it could not be asked of."""
    unasked = base.lookup_fields if instance.searchable is None else ()
    return sorted(name for name in base.fields if not instance.has(name) and name not in unasked)


def _comment(instance: Instance, asked_at: datetime) -> Iterator[str]:
    moment = f"{asked_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    yield f"# The {instance.of.noun} fields of {instance.host}, as it described them on {moment}."
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


def _list(key: str, names: Sequence[str]) -> list[str]:
    return [f"{key} = [", *(f"    {_text(name)}," for name in names), "]"] if names else []


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's, but for a character that TOML wants escaped too."""
    whole = text.encode("utf-8", "replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
