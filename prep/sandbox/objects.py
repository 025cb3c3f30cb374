"""The programs and custom objects of the instance: invented, but for the names of standard fields."""

from dataclasses import dataclass
from typing import Final

from prep.sandbox.instance import Field


@dataclass(frozen=True)
class Channel:
    """A channel, and the statuses that members of its programs can have."""

    id: int
    name: str
    statuses: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """A program that leads can be members of."""

    id: int
    name: str
    type: str
    channel: Channel


@dataclass(frozen=True)
class Link:
    """That a field of a custom object holds what a field of another object holds."""

    field: str
    to: str
    by: str


@dataclass(frozen=True)
class CustomObject:
    """A custom object.

    Attributes:
        api_name: Its name in paths.
        display_name: The name that people see.
        description: What it is for.
        own_fields: Its fields, those left out that every custom object has.
        dedupe_fields: The fields that together identify a record.
        links: Which fields link to leads or to other objects; a value that leads nowhere fails its row.
    """

    api_name: str
    display_name: str
    description: str
    own_fields: tuple[Field, ...]
    dedupe_fields: tuple[str, ...]
    links: tuple[Link, ...] = ()

    @property
    def fields(self) -> tuple[Field, ...]:
        """All its fields."""
        return (*_EVERYWHERE, *self.own_fields)


_EVERYWHERE: Final = (
    Field("createdAt", "Created At", "datetime", read_only=True),
    Field("marketoGUID", "Marketo GUID", "string", 36, read_only=True),
    Field("updatedAt", "Updated At", "datetime", read_only=True),
)
"""https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/custom-objects"""

_WEBINAR: Final = Channel(5, "Webinar", ("Not in Program", "On List", "Registered", "No Show", "Attended"))
_EVENT: Final = Channel(6, "Tradeshow", ("Not in Program", "Invited", "Visited Booth"))

PROGRAMS: Final = (
    Program(1014, "Spring Webinar 2026", "Event with Webinar", _WEBINAR),
    Program(1015, "Trade Fair 2026", "Event", _EVENT),
)

MEMBER_FIELDS: Final = (
    Field("acquiredBy", "acquiredBy", "boolean", read_only=True),
    Field("attendanceLikelihood", "attendanceLikelihood", "integer", read_only=True),
    Field("createdAt", "createdAt", "datetime", read_only=True),
    Field("isExhausted", "isExhausted", "boolean", read_only=True),
    Field("leadId", "leadId", "integer", read_only=True),
    Field("membershipDate", "membershipDate", "datetime", read_only=True),
    Field("nurtureCadence", "nurtureCadence", "string", 4, read_only=True),
    Field("program", "program", "string", 255, read_only=True),
    Field("programId", "programId", "integer", read_only=True),
    Field("reachedSuccess", "reachedSuccess", "boolean", read_only=True),
    Field("reachedSuccessDate", "reachedSuccessDate", "datetime", read_only=True),
    Field("registrationLikelihood", "registrationLikelihood", "integer", read_only=True),
    Field("statusName", "statusName", "string", 255, read_only=True),
    Field("statusReason", "statusReason", "string", 255, read_only=True),
    Field("trackName", "trackName", "string", 255, read_only=True),
    Field("updatedAt", "updatedAt", "datetime", read_only=True),
    Field("waitlistPriority", "waitlistPriority", "integer", read_only=True),
    Field("registrationCode", "registrationCode", "string", 100, custom=True),
    Field("seats", "seats", "integer", custom=True),
)
"""The standard ones, all read-only, and two custom ones.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/program-members"""

CUSTOM_OBJECTS: Final = (
    CustomObject(
        "car_c",
        "Car",
        "A car and who drives it",
        (
            Field("vin", "VIN", "string", 17),
            Field("email", "Driver", "email", 255),
            Field("make", "Make", "string", 255),
            Field("model", "Model", "string", 255),
            Field("year", "Year", "integer"),
            Field("price", "Price", "currency"),
            Field("boughtOn", "Bought On", "date"),
        ),
        ("vin",),
        (Link("email", "Lead", "email"),),
    ),
    CustomObject(
        "service_c",
        "Service",
        "A day on which a car was serviced",
        (
            Field("vin", "VIN", "string", 17),
            Field("servicedOn", "Serviced On", "date"),
            Field("garage", "Garage", "string", 255),
            Field("mileage", "Mileage", "integer"),
        ),
        ("vin", "servicedOn"),
    ),
)
