"""What Marketo tells, as frozen records read by hand from its JSON.

Each reader takes one decoded JSON value and returns None when it is not what was asked for.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from prep.model import JobStatus


@dataclass(frozen=True)
class JobRecord:
    """What Marketo says of an import job.

    Attributes:
        batch_id: Marketo's id of the job.
        status: Where it stands.
        processed: Rows taken so far, warned ones included, failed ones not; None when not told.
        failed: Rows refused so far.
        warned: Rows taken with a warning so far.
        message: Marketo's own sentence.
    """

    batch_id: int
    status: JobStatus
    processed: int | None
    failed: int | None
    warned: int | None
    message: str


@dataclass(frozen=True)
class FieldRecord:
    """A lead field of the instance.

    Attributes:
        name: REST name, the one that imports use.
        display_name: What people see.
        data_type: Marketo's type, such as `string` or `datetime`.
        length: Longest value in characters, where Marketo tells.
        is_read_only: Imports cannot write it.
        soap_name: The old API's name, where there is one.
    """

    name: str
    display_name: str
    data_type: str
    length: int | None
    is_read_only: bool
    soap_name: str | None


@dataclass(frozen=True)
class LeadRecord:
    """What the second describe call tells of leads.

    Attributes:
        fields: The lead fields; none of them has a SOAP name.
        searchable: REST names of the fields that leads can be looked up by.
    """

    fields: tuple[FieldRecord, ...]
    searchable: tuple[str, ...]


@dataclass(frozen=True)
class CustomObjectRecord:
    """What the describe call of a custom object tells.

    Attributes:
        name: Its API name.
        fields: Its fields; none of them has a SOAP name.
        dedupe_fields: REST names of the fields that together identify a record.
        id_field: REST name of the field that Marketo fills to identify a record.
        links: REST name of each field that links to another object → that object and its field.
    """

    name: str
    fields: tuple[FieldRecord, ...]
    dedupe_fields: tuple[str, ...]
    id_field: str
    links: Mapping[str, str]


@dataclass(frozen=True)
class ProgramRecord:
    """A program, and the channel that says which statuses its members can have."""

    program_id: int
    name: str
    channel: str


@dataclass(frozen=True)
class ChannelRecord:
    """A channel, and the names of its statuses in their order."""

    name: str
    statuses: tuple[str, ...]


@dataclass(frozen=True)
class ListRecord:
    """A static list.

    Attributes:
        list_id: Marketo's id.
        name: Its name, which need not be unique.
        program: The program that holds it, if any.
        workspace: The workspace that holds it, if told.
    """

    list_id: int
    name: str
    program: str | None
    workspace: str | None


@dataclass(frozen=True)
class PartitionRecord:
    """A lead partition."""

    partition_id: int
    name: str
    description: str


@dataclass(frozen=True)
class UsageRecord:
    """Calls that all integrations of the instance made on one day; the quota itself is not told."""

    date: str
    calls: int


@dataclass(frozen=True)
class PersonRecord:
    """One lead of the instance.

    Attributes:
        person_id: Marketo's id.
        values: Field → value as the text that an import would write; blank fields are left out. Never shown.
    """

    person_id: int
    values: Mapping[str, str] = field(repr=False)


def job_record(value: object) -> JobRecord | None:
    """Read one row of a status answer."""
    row = mapping(value)
    batch_id = whole(row.get("batchId"))
    status = _status(row.get("status"))
    if batch_id is None or status is None:
        return None
    return JobRecord(
        batch_id,
        status,
        whole(row.get("numOfLeadsProcessed", row.get("numOfObjectsProcessed"))),
        whole(row.get("numOfRowsFailed")),
        whole(row.get("numOfRowsWithWarning")),
        _words(row.get("message")) or "",
    )


def field_record(value: object) -> FieldRecord | None:
    """Read one row of a describe answer; fields without a REST name give None."""
    row = mapping(value)
    rest, soap = mapping(row.get("rest")), mapping(row.get("soap"))
    name = _words(rest.get("name"))
    if name is None:
        return None
    return FieldRecord(
        name,
        _words(row.get("displayName")) or name,
        _words(row.get("dataType")) or "string",
        whole(row.get("length")),
        rest.get("readOnly") is True,
        _words(soap.get("name")),
    )


def lead_record(value: object) -> LeadRecord | None:
    """Read the row of a second describe answer."""
    row = mapping(value)
    fields, searchable = fields_record(value), row.get("searchableFields")
    if fields is None or not isinstance(searchable, list):
        return None
    return LeadRecord(
        fields,
        # A combination of several fields identifies a lead together only.
        tuple(name for names in searchable if (name := _only_word(names)) is not None),
    )


def fields_record(value: object) -> tuple[FieldRecord, ...] | None:
    """Read the fields of a described object."""
    fields = mapping(value).get("fields")
    if not isinstance(fields, list):
        return None
    return tuple(field for entry in fields if (field := _described(entry)) is not None)


def custom_object_record(value: object) -> CustomObjectRecord | None:
    """Read the row of a describe answer about a custom object; its name has two spellings."""
    row = mapping(value)
    name, fields = _words(row.get("name", row.get("apiName"))), fields_record(value)
    dedupe_fields = _all_words(row.get("dedupeFields"))
    if name is None or fields is None or not dedupe_fields:
        return None
    return CustomObjectRecord(
        name, fields, dedupe_fields, _words(row.get("idField")) or "", _links(row.get("relationships"))
    )


def _links(values: object) -> dict[str, str]:
    """Read relationships; what they lead to stands under one of two names."""
    found = {}
    for row in map(mapping, values if isinstance(values, list) else ()):
        field, end = _words(row.get("field")), mapping(row.get("relatedTo", row.get("object")))
        parts = _all_words([end.get("name"), end.get("field")])
        if field and parts:
            found[field] = ".".join(parts)
    return found


def program_record(value: object) -> ProgramRecord | None:
    """Read the row of an answer about a program."""
    row = mapping(value)
    program_id, channel = whole(row.get("id")), _words(row.get("channel"))
    if program_id is None or channel is None:
        return None
    return ProgramRecord(program_id, _words(row.get("name")) or "", channel)


def channel_record(value: object) -> ChannelRecord | None:
    """Read the row of an answer about a channel."""
    row = mapping(value)
    name, statuses = _words(row.get("name")), row.get("progressionStatuses")
    if name is None or not isinstance(statuses, list):
        return None
    return ChannelRecord(name, _all_words([mapping(status).get("name") for status in statuses]))


def _all_words(values: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_words, values))) if isinstance(values, list) else ()


def _described(value: object) -> FieldRecord | None:
    row = mapping(value)
    name = _words(row.get("name"))
    if name is None:
        return None
    return FieldRecord(
        name,
        _words(row.get("displayName")) or name,
        _words(row.get("dataType")) or "string",
        whole(row.get("length")),
        row.get("updateable") is False,
        None,
    )


def _only_word(value: object) -> str | None:
    return _words(value[0]) if isinstance(value, list) and len(value) == 1 else None


def list_record(value: object) -> ListRecord | None:
    """Read one row of a list answer."""
    row = mapping(value)
    list_id, name = whole(row.get("id")), _words(row.get("name"))
    if list_id is None or name is None:
        return None
    return ListRecord(list_id, name, _words(row.get("programName")), _words(row.get("workspaceName")))


def partition_record(value: object) -> PartitionRecord | None:
    """Read one row of a partition answer."""
    row = mapping(value)
    partition_id, name = whole(row.get("id")), _words(row.get("name"))
    if partition_id is None or name is None:
        return None
    return PartitionRecord(partition_id, name, _words(row.get("description")) or "")


def usage_record(value: object) -> UsageRecord | None:
    """Read one row of a usage answer."""
    row = mapping(value)
    date, calls = _words(row.get("date")), whole(row.get("total"))
    return None if date is None or calls is None else UsageRecord(date, calls)


def person_record(value: object, fields: Iterable[str]) -> PersonRecord | None:
    """Read one row of a look-up, as far as these fields go; a field that is not told is blank."""
    row = mapping(value)
    person_id = whole(row.get("id"))
    if person_id is None:
        return None
    values = {name: _cell(row.get(name)) for name in fields}
    return PersonRecord(person_id, {name: text for name, text in values.items() if text})


def _cell(value: object) -> str:
    """A value as the text of a cell: numbers in full, never as 1e+16."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{Decimal(repr(value)):f}"
        case str():
            return value
        case int():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def batch_id(value: object) -> int | None:
    """Read the batch id from the answer to an import; there is no batch 0."""
    return whole(mapping(value).get("batchId")) or None


def mapping(value: object) -> dict[str, object]:
    """Return a JSON object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def whole(value: object) -> int | None:
    """Return a whole number of 63 bits at most that is not negative; Marketo writes some as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return value
    return None


_MOST: Final = 2**63 - 1
"""The largest number that the ledger holds."""
_MOST_DIGITS: Final = len(str(_MOST))


def _words(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _status(value: object) -> JobStatus | None:
    word = value.capitalize() if isinstance(value, str) else ""
    return JobStatus(word) if word in set(JobStatus) else None
