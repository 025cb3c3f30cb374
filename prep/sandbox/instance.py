"""What the sandbox's Marketo instance holds before anything is imported. The people are invented."""

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

FIRST_LEAD_ID: Final = 1000

STANDARD_LOOKUP_FIELDS: Final = frozenset({
    "cookies", "email", "facebookId", "id", "linkedInId", "sfdcAccountId", "sfdcContactId", "sfdcLeadId",
    "sfdcLeadOwnerId", "sfdcOpptyId", "twitterId",
})  # fmt: skip
"""https://developer.adobe.com/marketo-apis/api/mapi/#tag/Bulk-Import-Leads/operation/importLeadUsingPOST"""

CUSTOM_LOOKUP_TYPES: Final = frozenset({"email", "integer", "string"})
"""Types of custom fields that may be looked up by; same page."""

DATA_TYPES: Final = frozenset({
    "boolean", "currency", "date", "datetime", "email", "float", "integer", "percent", "phone", "reference",
    "score", "string", "text", "url",
})  # fmt: skip
"""https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/field-types"""


@dataclass(frozen=True)
class Field:
    """One lead field.

    Attributes:
        rest_name: The name in uploads and replies.
        display_name: The name people see; row messages use it.
        data_type: Marketo's type, one of `DATA_TYPES`.
        length: Most characters a value may have; None where Marketo states none.
        read_only: Whether imports cannot write it.
        soap_name: The older name, where there is one.
        custom: Whether the instance's owner added it.
    """

    rest_name: str
    display_name: str
    data_type: str
    length: int | None = None
    read_only: bool = False
    soap_name: str | None = None
    custom: bool = False

    @property
    def is_lookup(self) -> bool:
        """Whether leads can be looked up by this field."""
        if self.custom:
            return self.data_type in CUSTOM_LOOKUP_TYPES
        return self.rest_name in STANDARD_LOOKUP_FIELDS


def check_field(field: Field) -> Field:
    """Return a field as it is.

    Raises:
        ValueError: Marketo could not have it.
    """
    if not (field.rest_name.isascii() and field.rest_name.isidentifier()):
        raise ValueError(f"not a REST name: {field.rest_name!r}")
    if field.data_type not in DATA_TYPES:
        raise ValueError(f"unknown type {field.data_type!r}; there are {', '.join(sorted(DATA_TYPES))}")
    return field


@dataclass(frozen=True)
class Partition:
    """A lead partition."""

    id: int
    name: str
    description: str


@dataclass(frozen=True)
class StaticList:
    """A static list; rows of an import can become its members."""

    id: int
    name: str
    description: str = ""
    program_name: str = ""
    workspace_name: str = "Default"


PARTITIONS: Final = (
    Partition(1, "Default", "Initial system lead partition"),
    Partition(2, "Europe", "People who live in Europe"),
)

STATIC_LISTS: Final = (
    StaticList(1001, "Trade Fair 2026", "Everybody who came to the stand", "Trade Fair 2026"),
    StaticList(1002, "Newsletter"),
    StaticList(1003, "Partner Leads", "Handed over by partners"),
)

CUSTOM_FIELDS: Final = (
    Field("eventCode", "Event Code", "string", 255, custom=True),
    Field("loyaltyPoints", "Loyalty Points", "integer", custom=True),
)

LEADS: Final[tuple[dict[str, str], ...]] = (
    {"email": "ada.winter@example.com", "firstName": "Ada", "lastName": "Winter", "company": "Winter Clocks",
     "country": "Austria", "leadScore": "12", "eventCode": "FAIR-01"},
    {"email": "bruno.salas@example.org", "firstName": "Bruno", "lastName": "Salas",
     "company": "Salas y Hijos", "country": "Spain", "numberOfEmployees": "40"},
    {"email": "chidi.obi@example.net", "firstName": "Chidi", "lastName": "Obi", "unsubscribed": "true",
     "unsubscribedReason": "Asked by telephone"},
    {"email": "shared.mailbox@example.com", "firstName": "Dora", "lastName": "Lind", "company": "Lind"},
    {"email": "shared.mailbox@example.com", "firstName": "Emil", "lastName": "Lind", "company": "Lind"},
    {"email": "Fay.Moss@example.com", "firstName": "Fay", "lastName": "Moss", "loyaltyPoints": "250"},
)  # fmt: skip
"""The two at `shared.mailbox@example.com` make "several leads match" happen."""


def standard_fields() -> list[Field]:
    """Return the fields of the standard instance: Marketo's own, then two custom ones."""
    text = resources.files(__package__).joinpath("fields.json").read_text(encoding="utf-8")
    return [*(_field(raw) for raw in json.loads(text)), *CUSTOM_FIELDS]


def _field(raw: dict[str, Any]) -> Field:
    return Field(
        rest_name=raw["restName"],
        display_name=raw["displayName"],
        data_type=raw["dataType"],
        length=raw["length"],
        read_only=raw["readOnly"],
        soap_name=raw["soapName"],
    )
