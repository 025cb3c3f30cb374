"""Members of programs and records of custom objects: what an import makes of its rows."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from prep.sandbox.database import Database
from prep.sandbox.faults import Behaviour
from prep.sandbox.instance import Field
from prep.sandbox.leads import Leads, Outcome, Taken, Values, changed, iso_time, key_of
from prep.sandbox.objects import CustomObject
from prep.sandbox.rules import Examined

LEAD_NOT_FOUND = "Lead not found"


@dataclass(slots=True)
class Record:
    """One record of a custom object."""

    key: str
    guid: str
    values: Values
    created_at: float
    updated_at: float

    def as_dict(self) -> Values:
        """Return every field by REST name."""
        times = {"createdAt": iso_time(self.created_at), "updatedAt": iso_time(self.updated_at)}
        return {"marketoGUID": self.guid} | self.values | times


class Records:
    """The tables `records` and `program_members`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, name: str) -> list[Record]:
        """Return the records of a custom object in the order in which they were made."""
        query = (
            "SELECT key, guid, fields, created_at, updated_at FROM records WHERE object = ? ORDER BY rowid"
        )
        return [
            Record(row["key"], row["guid"], json.loads(row["fields"]), row["created_at"], row["updated_at"])
            for row in self._database.rows(query, name)
        ]

    def write(self, name: str, records: Iterable[Record]) -> None:
        """Insert records, or replace those of the same key."""
        self._database.execute_many(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (object, key) DO UPDATE"
            " SET fields = excluded.fields, updated_at = excluded.updated_at",
            (
                (name, one.key, one.guid, json.dumps(one.values), one.created_at, one.updated_at)
                for one in records
            ),
        )

    def members(self, program_id: int) -> dict[int, Values]:
        """Return the members of a program: `status` and their own fields, by id of the lead."""
        query = "SELECT lead_id, fields FROM program_members WHERE program_id = ? ORDER BY lead_id"
        return {row["lead_id"]: json.loads(row["fields"]) for row in self._database.rows(query, program_id)}

    def join(self, program_id: int, members: Mapping[int, Values]) -> None:
        """Make leads members of a program, or give members new values."""
        known = self.members(program_id)
        self._database.execute_many(
            "INSERT OR REPLACE INTO program_members VALUES (?, ?, ?)",
            (
                (program_id, lead_id, json.dumps(known.get(lead_id, {}) | values))
                for lead_id, values in members.items()
            ),
        )


def split_members(examined: Examined, own: Iterable[str]) -> tuple[Examined, Examined]:
    """Tell the columns of a file that leads have from those that only members have."""
    names = set(own)
    is_own = [field is not None and field.rest_name in names for field in examined.fields]

    def part(*, wants_own: bool) -> Examined:
        fields = [
            field if mine is wants_own else None for field, mine in zip(examined.fields, is_own, strict=True)
        ]
        return replace(examined, fields=fields)

    return part(wants_own=False), part(wants_own=True)


def member_values(taken: Taken, examined: Examined, status: str, behaviour: Behaviour) -> dict[int, Values]:
    """What each row that was taken gives its lead as a member."""
    members: dict[int, Values] = {}
    for (_, lead_id, _), cells in zip(taken.outcomes, examined.values, strict=True):
        if lead_id is not None:
            values = changed(examined.names, cells, behaviour)
            members[lead_id] = members.get(lead_id, {}) | values | {"status": status}
    return members


def take_records(
    records: Records,
    leads: Leads,
    known: CustomObject,
    examined: Examined,
    *,
    behaviour: Behaviour,
    now: float,
) -> Taken:
    """Take the rows of one examined file into a custom object, one after the other, and write them."""
    taken = Taken(failures=dict(examined.failures))
    _refuse_loose_links(taken, leads, known, examined)
    stored = {record.key: record for record in records.all(known.api_name)}
    touched: dict[str, Record] = {}
    for row, cells in enumerate(examined.values):
        if row in taken.failures:
            taken.outcomes.append((Outcome.FAILED, None, taken.failures[row]))
            continue
        key = _key(examined, cells)
        record, outcome = stored.get(key), Outcome.UPDATED
        if record is None:
            record, outcome = Record(key, str(uuid.uuid4()), {}, now, now), Outcome.CREATED
        record.values |= changed(examined.names, cells, behaviour)
        record.updated_at = now
        stored[key] = touched[key] = record
        warning = examined.warnings.get(row)
        if warning is not None:
            taken.warnings[row], outcome = warning, Outcome.WARNED
        taken.outcomes.append((outcome, None, warning or ""))
    records.write(known.api_name, touched.values())
    return taken


def _key(examined: Examined, cells: tuple[str, ...]) -> str:
    places = [place for place in examined.key_columns if place is not None]
    return json.dumps([cells[place] for place in places])


def _refuse_loose_links(taken: Taken, leads: Leads, known: CustomObject, examined: Examined) -> None:
    """Fail the rows whose link leads to no lead; one that is blank links to nothing."""
    for link in known.links:
        place = next((at for at, name in enumerate(examined.names) if name == link.field), None)
        if place is None:
            continue
        by = Field(link.by, link.by, "email")
        wanted = {row: key_of(by, cells[place]) for row, cells in enumerate(examined.values) if cells[place]}
        found = leads.matching(by, set(wanted.values()))
        for row, key in wanted.items():
            if key not in found:
                taken.failures.setdefault(row, LEAD_NOT_FOUND)
