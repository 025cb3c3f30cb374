import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from prep.sandbox.database import Database
from prep.sandbox.faults import Behaviour
from prep.sandbox.instance import FIRST_LEAD_ID, Field
from prep.sandbox.rules import LEAD_NOT_FOUND, NULL_TEXT, SEVERAL_LEADS, Examined, is_integer

Values = dict[str, str | None]

_encode = json.JSONEncoder(ensure_ascii=False).encode
_decode = json.JSONDecoder().raw_decode


class Outcome(StrEnum):
    """What became of one row of an import; a warned row was created or updated all the same."""

    CREATED = "created"
    UPDATED = "updated"
    FAILED = "failed"
    WARNED = "warned"


@dataclass(slots=True)
class Lead:
    """One lead with every field that was ever written."""

    id: int
    values: Values
    created_at: float
    updated_at: float

    def as_dict(self) -> Values:
        """Return every field by REST name, `id`, `createdAt` and `updatedAt` included."""
        times = {"createdAt": iso_time(self.created_at), "updatedAt": iso_time(self.updated_at)}
        return {"id": str(self.id)} | self.values | times


@dataclass
class Taken:
    """What an import did: one outcome for each row, in file order, and the leads it touched."""

    outcomes: list[tuple[Outcome, int | None, str]] = field(default_factory=list)
    leads: dict[int, Lead] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    warnings: dict[int, str] = field(default_factory=dict)


def iso_time(seconds: float) -> str:
    """Write a time as Marketo does, for example `2026-01-26T10:23:45Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def key_of(lookup: Field, cell: str) -> str | int:
    """Return what a cell is looked up by: email without regard to case, `id` as a number, others exactly."""
    match lookup.rest_name:
        case "email":
            return cell.casefold()
        case "id":
            return int(cell) if is_integer(cell, 64) else cell
        case _:
            return cell


class Leads:
    """The lead database: the tables `leads` and `members`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Lead]:
        """Return every lead by id."""
        query = "SELECT id, fields, created_at, updated_at FROM leads ORDER BY id"
        return [_lead(row) for row in self._database.rows(query)]

    def matching(self, lookup: Field, keys: Iterable[str | int]) -> dict[str | int, list[Lead]]:
        """Return the leads that each key matches, by id; keys without a lead are left out."""
        column = self._key_column(lookup)
        query = (
            "SELECT id, fields, created_at, updated_at, key FROM wanted"  # noqa: S608 - a known field's name
            f" CROSS JOIN leads ON {column} = key ORDER BY id"
        )
        found: dict[str | int, list[Lead]] = {}
        with self._database.transaction():
            self._database.execute("DELETE FROM wanted")
            self._database.execute_many("INSERT OR IGNORE INTO wanted VALUES (?)", ((key,) for key in keys))
            for row in self._database.rows(query):
                found.setdefault(row["key"], []).append(_lead(row))
        return found

    def write(self, leads: Iterable[Lead]) -> None:
        """Insert leads, or replace those of the same id."""
        self._database.execute_many("INSERT OR REPLACE INTO leads VALUES (?, ?, ?, ?, ?)", map(_row, leads))

    def next_id(self) -> int:
        """Return the id of the next new lead."""
        highest = self._database.value("SELECT max(id) FROM leads")
        return FIRST_LEAD_ID if highest is None else int(highest) + 1

    def join(self, list_id: int, lead_ids: Iterable[int]) -> None:
        """Make leads members of a static list."""
        self._database.execute_many(
            "INSERT OR IGNORE INTO members VALUES (?, ?)", ((list_id, lead_id) for lead_id in lead_ids)
        )

    def members(self, list_id: int) -> list[int]:
        """Return the ids of the leads on a static list, ascending."""
        rows = self._database.rows("SELECT lead_id FROM members WHERE list_id = ? ORDER BY lead_id", list_id)
        return [row["lead_id"] for row in rows]

    def _key_column(self, lookup: Field) -> str:
        name = lookup.rest_name
        if name in ("id", "email"):
            return {"id": "id", "email": "email_key"}[name]
        column = f"json_extract(fields, '$.{name}')"
        self._database.execute(f'CREATE INDEX IF NOT EXISTS "leads_by_{name}" ON leads ({column})')
        return column


def _lead(row: sqlite3.Row) -> Lead:
    return Lead(row["id"], _decode(row["fields"])[0], row["created_at"], row["updated_at"])


def _row(lead: Lead) -> tuple[object, ...]:
    email = lead.values.get("email") or ""
    return lead.id, email.casefold(), _encode(lead.values), lead.created_at, lead.updated_at


class Upsert:
    """Takes the rows of one examined file into the lead database, one after the other.

    Args:
        leads: The lead database; it is read only, `Taken.leads` is what to write.
        examined: The file.
        lookup: The field by which leads are looked up.
        behaviour: The switches.
        now: The time written to new and changed leads.
        constants: Values that a new lead gets besides those of its row.
    """

    def __init__(
        self,
        leads: Leads,
        examined: Examined,
        lookup: Field,
        behaviour: Behaviour,
        *,
        now: float,
        constants: Mapping[str, str],
    ) -> None:
        self._leads = leads
        self._examined = examined
        self._lookup = lookup
        self._behaviour = behaviour
        self._now = now
        self._constants = constants
        self._names = examined.names
        self._next_id = leads.next_id()
        self._created: set[int] = set()
        self._taken = Taken(failures=dict(examined.failures))

    def run(self) -> Taken:
        """Return what happens to each row; a later row finds what an earlier one wrote."""
        keys = self._keys()
        matching = self._leads.matching(self._lookup, set(keys.values()))
        taken = self._taken
        for row, cells in enumerate(self._examined.values):
            if row in keys:
                taken.outcomes.append(self._take(row, cells, matching.setdefault(keys[row], [])))
            else:
                taken.outcomes.append((Outcome.FAILED, None, taken.failures[row]))
        return taken

    def _keys(self) -> dict[int, str | int]:
        (position,) = self._examined.key_columns
        if position is None:
            return {}
        failures = self._examined.failures
        return {
            row: key_of(self._lookup, cells[position])
            for row, cells in enumerate(self._examined.values)
            if row not in failures
        }

    def _take(self, row: int, cells: tuple[str, ...], matches: list[Lead]) -> tuple[Outcome, int | None, str]:
        if refusal := self._refusal(matches):
            self._taken.failures[row] = refusal
            return Outcome.FAILED, None, refusal
        lead, outcome = self._lead_for(matches)
        lead.values |= changed(self._names, cells, self._behaviour)
        lead.updated_at = self._now
        self._taken.leads[lead.id] = lead
        warning = self._examined.warnings.get(row)
        if warning is None:
            return outcome, lead.id, ""
        self._taken.warnings[row] = warning
        return Outcome.WARNED, lead.id, warning

    def _refusal(self, matches: list[Lead]) -> str | None:
        if not matches and self._lookup.rest_name == "id":
            return LEAD_NOT_FOUND
        if (
            len(matches) > 1
            and self._behaviour.several_matches == "fail"
            and matches[0].id not in self._created
        ):
            return SEVERAL_LEADS
        return None

    def _lead_for(self, matches: list[Lead]) -> tuple[Lead, Outcome]:
        repeated = bool(matches) and matches[-1].id in self._created
        if matches and not (repeated and self._behaviour.repeated_key == "create"):
            return max(matches, key=lambda lead: (lead.updated_at, lead.id)), Outcome.UPDATED
        lead = Lead(self._next_id, dict(self._constants), self._now, self._now)
        self._next_id += 1
        self._created.add(lead.id)
        matches.append(lead)
        return lead, Outcome.CREATED


def changed(names: Iterable[str | None], cells: Iterable[str], behaviour: Behaviour) -> Values:
    """What the cells of a row change: None clears a field, what stays as it was is not there."""
    keep_blank, null = behaviour.blank_cell == "keep", NULL_TEXT if behaviour.null_text else ""
    return {
        name: cell if cell not in ("", null) else None
        for name, cell in zip(names, cells, strict=True)
        if name is not None and not (keep_blank and cell == "")
    }
