"""What bulk import takes: leads, members of a program, records of a custom object. One table, read by all.

https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-import
All kinds share one queue and one limit of size (`prep.limits`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prep.errors import SettingsError
from prep.model import Format

_API_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,100}")
"""Names of custom objects.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/custom-objects"""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of import, as Marketo addresses it.

    Attributes:
        word: What `--object` calls it; for custom objects the name follows behind a slash.
        upload: Path of the call that takes a file; `{name}` and `{program_id}` are filled in.
        status: Path of the call that tells of a job; `{name}` and `{batch_id}` likewise.
        file: Path of the call that gives its failures or warnings, which `{kind}` says.
        parameters: Parameter of the upload besides `format` → the attribute of `Target` that fills it.
        destination: Attributes of a destination that it takes.
        needs: Those of them that it cannot do without.
        lookup_field: What its rows are looked up by unless another field is named; empty where the
            instance decides, by the object's dedupe fields.
        may_choose_lookup: Whether another lookup field can be named.
        schema: The packaged schema of its rows; empty where only the instance can tell.
        noun: What one of its rows is called; `{name}` is filled in.
        rows: What its rows are called; `{name}` and `{program}` are filled in.
        chunk: What the names of its upload files begin with; `{name}` likewise.
    """

    word: str
    upload: str
    status: str
    file: str
    parameters: Mapping[str, str]
    destination: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    lookup_field: str
    may_choose_lookup: bool = False
    schema: str
    noun: str
    rows: str
    chunk: str


KINDS: Final = (
    # https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-lead-import
    Kind(
        word="leads",
        upload="/bulk/v1/leads.json",
        status="/bulk/v1/leads/batch/{batch_id}.json",
        file="/bulk/v1/leads/batch/{batch_id}/{kind}.json",
        parameters={
            "lookupField": "lookup_field",
            "listId": "list_id",
            "partitionName": "partition_name",
        },
        destination=("list_id", "list_name", "partition_name"),
        lookup_field="email",
        may_choose_lookup=True,
        schema="lead",
        noun="lead",
        rows="leads",
        chunk="leads",
    ),
    # https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-program-member-import
    Kind(
        word="program-members",
        upload="/bulk/v1/program/{program_id}/members/import.json",
        status="/bulk/v1/program/members/import/{batch_id}/status.json",
        file="/bulk/v1/program/members/import/{batch_id}/{kind}.json",
        parameters={"programMemberStatus": "program_status"},
        destination=("program_id", "program_status"),
        needs=("program_id", "program_status"),
        lookup_field="email",
        schema="program-member",
        noun="program member",
        rows="members of {program}",
        chunk="members",
    ),
    # https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-custom-object-import
    Kind(
        word="customobjects",
        upload="/bulk/v1/customobjects/{name}/import.json",
        status="/bulk/v1/customobjects/{name}/import/{batch_id}/status.json",
        file="/bulk/v1/customobjects/{name}/import/{batch_id}/{kind}.json",
        parameters={},
        lookup_field="",
        schema="",
        noun="{name}",
        rows="{name} records",
        chunk="{name}",
    ),
)
"""Every kind of bulk import that Marketo offers."""

FLAGS: Final = {
    "list_id": "--list-id",
    "list_name": "--list",
    "partition_name": "--partition-name",
    "program_id": "--program",
    "program_status": "--program-status",
}
"""Attribute of a destination → the option that says it."""


@dataclass(frozen=True)
class ImportObject:
    """What the rows of a run become.

    Attributes:
        kind: The kind of import.
        api_name: Name of a custom object; empty for the other kinds.
    """

    kind: Kind
    api_name: str = ""

    @property
    def is_custom(self) -> bool:
        """Whether it is a custom object."""
        return bool(self.api_name)

    @property
    def noun(self) -> str:
        """What one of its rows is called."""
        return self.kind.noun.format(name=self.api_name)

    @property
    def chunk(self) -> str:
        """What the names of its upload files begin with."""
        return self.kind.chunk.format(name=self.api_name)

    def __str__(self) -> str:
        return f"{self.kind.word}/{self.api_name}" if self.api_name else self.kind.word

    def rows(self, program_id: int | None = None, program_status: str | None = None) -> str:
        """What its rows are called."""
        program = "a program" if program_id is None else f"program {program_id} ({program_status})"
        return self.kind.rows.format(name=self.api_name, program=program)

    def status_path(self, batch_id: int) -> str:
        """Path of the call that tells of a job."""
        return self.kind.status.format(name=self.api_name, batch_id=batch_id)

    def file_path(self, batch_id: int, kind: str) -> str:
        """Path of the call that gives the `failures` or the `warnings` of a job."""
        return self.kind.file.format(name=self.api_name, batch_id=batch_id, kind=kind)


LEADS: Final = ImportObject(KINDS[0])
PROGRAM_MEMBERS: Final = ImportObject(KINDS[1])


def parse_object(text: str) -> ImportObject:
    """Read `leads`, `program-members` or `customobjects/NAME`.

    Raises:
        SettingsError: The text is none of these.
    """
    word, slash, name = text.partition("/")
    for kind in KINDS:
        has_name = "{name}" in kind.upload
        if word == kind.word and (bool(_API_NAME.fullmatch(name)) if has_name else not slash):
            return ImportObject(kind, name)
    raise SettingsError(
        f"--object does not know {text!r}",
        code="bad_object",
        hint="It takes leads, program-members, or customobjects/NAME with the object's API name, "
        "such as customobjects/car_c.",
    )


@dataclass(frozen=True)
class Target:
    """Where a run folder's chunks go; one folder has one target.

    Attributes:
        host: Host of the instance, or `sandbox`.
        list_id: Static list that the rows join.
        partition_name: Partition that new leads go to.
        format: Of the files.
        lookup_field: Field that tells which record a row means; those of a compound key joined by commas.
        object: What the rows become, as `--object` says it.
        program_id: Program that the rows become members of.
        program_status: Status that they get there.
    """

    host: str
    list_id: int | None
    partition_name: str | None
    format: Format
    lookup_field: str
    object: str = str(LEADS)
    program_id: int | None = None
    program_status: str | None = None

    @property
    def upload_path(self) -> str:
        """Path of the call that takes the files."""
        known = parse_object(self.object)
        return known.kind.upload.format(name=known.api_name, program_id=self.program_id)

    @property
    def parameters(self) -> dict[str, str]:
        """Parameters of that call."""
        wanted = parse_object(self.object).kind.parameters
        values = {name: getattr(self, attribute) for name, attribute in wanted.items()}
        told = {name: str(value) for name, value in values.items() if value is not None}
        return {"format": str(self.format), **told}


def key_fields(lookup_field: str) -> tuple[str, ...]:
    """The fields that together identify a record: one, or those of a compound key, joined by commas."""
    return tuple(lookup_field.split(","))
