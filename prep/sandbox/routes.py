"""The calls of the API: which path is which, what each must be given, what it replies."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from prep.sandbox import bulk
from prep.sandbox.errors import MarketoError
from prep.sandbox.faults import Place
from prep.sandbox.instance import Field, StaticList
from prep.sandbox.leads import Lead, key_of
from prep.sandbox.objects import MEMBER_FIELDS, Program
from prep.sandbox.replies import Answer, Call, envelope, success
from prep.sandbox.rules import is_integer
from prep.sandbox.state import State

MAX_FILTER_VALUES: Final = 300
MAX_PAGE: Final = 300
MAX_MATCHES: Final = 1000
"""All three: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/leads"""

DEFAULT_LEAD_FIELDS: Final = ("email", "updatedAt", "createdAt", "lastName", "firstName")

API_USER: Final = "sandbox@example.com"
"""The invented user whom the token belongs to."""

Handler = Callable[[State, Call], Answer]


class Route(NamedTuple):
    """One call of the API."""

    pattern: re.Pattern[str]
    place: Place
    methods: tuple[str, ...]
    handler: Handler


# Identity


def give_token(state: State, call: Call) -> Answer:
    """Answer `GET|POST /identity/oauth/token`."""
    client_id, client_secret = state.credentials
    wanted = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    if any(call.parameters.get(name) != value for name, value in wanted.items()):
        error = {"error": "invalid_client", "error_description": "Bad client credentials"}
        return Answer(json.dumps(error, separators=(",", ":")).encode(), 401)
    token, seconds = state.token()
    body = {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": int(seconds),
        "scope": API_USER,
    }
    return Answer(json.dumps(body, separators=(",", ":")).encode())


# Look-up calls


def describe(state: State, _: Call) -> Answer:
    """Answer `GET /rest/v1/leads/describe.json`."""
    return success(
        state, [_described(number, known) for number, known in enumerate(state.fields.values(), 2)]
    )


def _described(number: int, known: Field) -> dict[str, object]:
    described: dict[str, object] = {
        "id": number,
        "displayName": known.display_name,
        "dataType": known.data_type,
        "length": known.length,
        "rest": {"name": known.rest_name, "readOnly": known.read_only},
        "soap": {"name": known.soap_name, "readOnly": known.read_only} if known.soap_name else None,
    }
    return {name: value for name, value in described.items() if value is not None}


def describe2(state: State, _: Call) -> Answer:
    """Answer `GET /rest/v1/leads/describe2.json`."""
    lead = {
        "name": "API Lead",
        "searchableFields": [[known.rest_name] for known in state.fields.values() if known.is_lookup],
        "fields": [_described2(known) for known in state.fields.values()],
    }
    return success(state, [lead])


def _described2(known: Field) -> dict[str, object]:
    described = {
        "name": known.rest_name,
        "displayName": known.display_name,
        "dataType": known.data_type,
        "length": known.length,
        "updateable": not known.read_only,
        "crmManaged": False,
    }
    return {name: value for name, value in described.items() if value is not None}


def show_lists(state: State, call: Call) -> Answer:
    """Answer `GET /rest/v1/lists.json`."""
    wanted = {name: set(value.split(",")) for name, value in call.parameters.items()}
    shown = [_shown_list(static_list) for static_list in state.lists()]
    for name in ("id", "name", "programName", "workspaceName"):
        if name in wanted:
            shown = [static_list for static_list in shown if str(static_list.get(name, "")) in wanted[name]]
    return _paged(state, call, shown)


def show_list(state: State, call: Call) -> Answer:
    """Answer `GET /rest/v1/lists/{id}.json`."""
    for static_list in state.lists():
        if static_list.id == call.argument:
            return success(state, [_shown_list(static_list)])
    raise MarketoError("1013", "Static list not found")


def _shown_list(static_list: StaticList) -> dict[str, object]:
    shown = {
        "id": static_list.id,
        "name": static_list.name,
        "description": static_list.description,
        "programName": static_list.program_name,
        "workspaceId": 1,
        "workspaceName": static_list.workspace_name,
        "createdAt": "2026-01-05T09:00:00Z",
        "updatedAt": "2026-01-05T09:00:00Z",
    }
    return {name: value for name, value in shown.items() if value != ""}


def show_partitions(state: State, _: Call) -> Answer:
    """Answer `GET /rest/v1/leads/partitions.json`."""
    return success(
        state,
        [{"id": one.id, "name": one.name, "description": one.description} for one in state.partitions()],
    )


def show_usage(state: State, _: Call) -> Answer:
    """Answer `GET /rest/v1/stats/usage.json`."""
    total = state.calls_today()
    users = [{"userId": API_USER, "count": total}]
    return success(state, [{"date": f"{state.midnight():%Y-%m-%d}", "total": total, "users": users}])


def find_leads(state: State, call: Call) -> Answer:
    """Answer `GET /rest/v1/leads.json`."""
    lookup = _filter_field(state, call)
    values = [value for value in call.parameters.get("filterValues", "").split(",") if value]
    if not values:
        raise MarketoError("1003", "filterValues not specified")
    if len(values) > MAX_FILTER_VALUES:
        raise MarketoError(
            "1003", f"Too many values in filterValues, at most {MAX_FILTER_VALUES} are allowed"
        )
    names = [name for name in call.parameters.get("fields", ",".join(DEFAULT_LEAD_FIELDS)).split(",") if name]
    for name in names:
        if name not in state.fields:
            raise MarketoError("1006", f"Field '{name}' not found")
    found = state.matching(lookup, [key_of(lookup, value) for value in values])
    if len(found) > MAX_MATCHES:
        raise MarketoError("1003", "Too many results match the filter")
    return _paged(state, call, [_shown_lead(lead, names, state.fields) for lead in found])


def _filter_field(state: State, call: Call) -> Field:
    name = call.parameters.get("filterType", "")
    if not name:
        raise MarketoError("1003", "filterType not specified")
    if name not in state.fields:
        raise MarketoError("1003", f"Invalid filterType '{name}'")
    if not state.fields[name].is_lookup:
        raise MarketoError("1011", f"Field '{name}' not supported")
    return state.fields[name]


def _shown_lead(lead: Lead, names: Iterable[str], fields: Mapping[str, Field]) -> dict[str, object]:
    values = lead.as_dict()
    shown = {name: _json_value(fields[name], values.get(name)) for name in names}
    return {"id": lead.id, **shown}


def _json_value(known: Field, text: str | None) -> object:
    if text is None:
        return None
    match known.data_type:
        case "integer" | "score" | "percent" | "reference" if is_integer(text, 64):
            return int(text)
        case "float" | "currency":
            return float(text)
        case "boolean":
            return text == "true"
        case _:
            return text


def _paged(state: State, call: Call, rows: list[dict[str, object]]) -> Answer:
    """Return one page; the token of the next is the position where it starts."""
    size, start = _number(call, "batchSize", MAX_PAGE), _number(call, "nextPageToken", 0)
    size = min(max(size, 1), MAX_PAGE)
    if start + size >= len(rows):
        return success(state, rows[start:])
    return success(state, rows[start : start + size], nextPageToken=str(start + size), moreResult=True)


def _number(call: Call, name: str, default: int) -> int:
    text = call.parameters.get(name, str(default))
    if not re.fullmatch("[0-9]{1,9}", text):
        raise MarketoError("1001", f"Invalid value '{text}'. Required of type 'Integer'")
    return int(text)


def describe_members(state: State, _: Call) -> Answer:
    """Answer `GET /rest/v1/programs/members/describe.json`."""
    member = {
        "name": "API Program Membership",
        "description": "Map for API program membership fields",
        "createdAt": "2026-01-05T09:00:00Z",
        "updatedAt": "2026-01-05T09:00:00Z",
        "dedupeFields": ["leadId", "programId"],
        "searchableFields": [["leadId"], ["reachedSuccess"], ["statusName"]],
        "fields": [_described2(known) for known in MEMBER_FIELDS],
    }
    return success(state, [member])


def describe_record(state: State, call: Call) -> Answer:
    """Answer `GET /rest/v1/customobjects/{name}/describe.json`."""
    known = state.custom_object(call.name)
    described = {
        "name": known.api_name,
        "displayName": known.display_name,
        "description": known.description,
        "createdAt": "2026-01-05T09:00:00Z",
        "updatedAt": "2026-01-05T09:00:00Z",
        "idField": "marketoGUID",
        "dedupeFields": list(known.dedupe_fields),
        "searchableFields": [list(known.dedupe_fields), ["marketoGUID"]],
        "relationships": [
            {"field": link.field, "type": "parent", "relatedTo": {"name": link.to, "field": link.by}}
            for link in known.links
        ],
        "fields": [_described2(field) for field in known.fields],
    }
    return success(state, [described])


def show_program(state: State, call: Call) -> Answer:
    """Answer `GET /rest/asset/v1/program/{id}.json`."""
    found = state.programs.get(call.argument)
    return _asset(state, _shown_program(found) if found else None)


def find_program(state: State, call: Call) -> Answer:
    """Answer `GET /rest/asset/v1/program/byName.json`."""
    named = [known for known in state.programs.values() if known.name == call.parameters.get("name")]
    return _asset(state, _shown_program(named[0]) if named else None)


def _shown_program(program: Program) -> dict[str, object]:
    return {
        "id": program.id,
        "name": program.name,
        "type": program.type,
        "channel": program.channel.name,
        "workspace": "Default",
        "createdAt": "2026-01-05T09:00:00Z+0000",
        "updatedAt": "2026-01-05T09:00:00Z+0000",
    }


def find_channel(state: State, call: Call) -> Answer:
    """Answer `GET /rest/asset/v1/channel/byName.json`."""
    channels = {known.channel.name: known.channel for known in state.programs.values()}
    found = channels.get(call.parameters.get("name", ""))
    if found is None:
        return _asset(state, None)
    statuses = [
        {"name": name, "step": 10 * step, "hidden": False, "success": name == found.statuses[-1]}
        for step, name in enumerate(found.statuses)
    ]
    return _asset(state, {"id": found.id, "name": found.name, "progressionStatuses": statuses})


def _asset(state: State, shown: dict[str, object] | None) -> Answer:
    """Reply with one asset; one that is not there gives no result at all."""
    if shown is None:
        warnings = ["No assets found for the given search criteria."]
        return Answer(envelope(state, success=True, errors=[], warnings=warnings))
    return success(state, [shown], errors=[], warnings=[])


_ID: Final = "(?P<argument>[0-9]{1,18})"
_NAME: Final = "(?P<name>[A-Za-z0-9_]+)"
_MEMBERS: Final = "/bulk/v1/program/(?P<name>members)/import"
_RECORDS: Final = f"/bulk/v1/customobjects/{_NAME}/import"

ROUTES: Final = tuple(
    Route(re.compile(pattern), place, methods, handler)
    for pattern, place, methods, handler in (
        (r"/identity/oauth/token", Place.IDENTITY, ("GET", "POST"), give_token),
        (r"/bulk/v1/leads\.json", Place.IMPORT, ("POST",), bulk.import_leads),
        (rf"/bulk/v1/leads/batch/{_ID}\.json", Place.STATUS, ("GET",), bulk.show_status),
        (rf"/bulk/v1/leads/batch/{_ID}/failures\.json", Place.FAILURES, ("GET",), bulk.give_failures),
        (rf"/bulk/v1/leads/batch/{_ID}/warnings\.json", Place.WARNINGS, ("GET",), bulk.give_warnings),
        (rf"/bulk/v1/program/{_ID}/members/import\.json", Place.IMPORT, ("POST",), bulk.import_members),
        (rf"{_MEMBERS}/{_ID}/status\.json", Place.STATUS, ("GET",), bulk.show_status),
        (rf"{_MEMBERS}/{_ID}/failures\.json", Place.FAILURES, ("GET",), bulk.give_failures),
        (rf"{_MEMBERS}/{_ID}/warnings\.json", Place.WARNINGS, ("GET",), bulk.give_warnings),
        (rf"/bulk/v1/customobjects/{_NAME}/import\.json", Place.IMPORT, ("POST",), bulk.import_records),
        (rf"{_RECORDS}/{_ID}/status\.json", Place.STATUS, ("GET",), bulk.show_status),
        (rf"{_RECORDS}/{_ID}/failures\.json", Place.FAILURES, ("GET",), bulk.give_failures),
        (rf"{_RECORDS}/{_ID}/warnings\.json", Place.WARNINGS, ("GET",), bulk.give_warnings),
        (r"/rest/v1/leads/describe\.json", Place.OTHER, ("GET",), describe),
        (r"/rest/v1/leads/describe2\.json", Place.OTHER, ("GET",), describe2),
        (r"/rest/v1/leads/partitions\.json", Place.OTHER, ("GET",), show_partitions),
        (r"/rest/v1/leads\.json", Place.OTHER, ("GET",), find_leads),
        (r"/rest/v1/lists\.json", Place.OTHER, ("GET",), show_lists),
        (rf"/rest/v1/lists/{_ID}\.json", Place.OTHER, ("GET",), show_list),
        (r"/rest/v1/programs/members/describe\.json", Place.OTHER, ("GET",), describe_members),
        (rf"/rest/v1/customobjects/{_NAME}/describe\.json", Place.OTHER, ("GET",), describe_record),
        (rf"/rest/asset/v1/program/{_ID}\.json", Place.OTHER, ("GET",), show_program),
        (r"/rest/asset/v1/program/byName\.json", Place.OTHER, ("GET",), find_program),
        (r"/rest/asset/v1/channel/byName\.json", Place.OTHER, ("GET",), find_channel),
        (r"/rest/v1/stats/usage\.json", Place.OTHER, ("GET",), show_usage),
    )
)
