"""The calls of the API: which path is which, what each must be given, what it replies."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple

from prep.sandbox.errors import MarketoError
from prep.sandbox.faults import Place
from prep.sandbox.instance import Field, StaticList
from prep.sandbox.jobs import Job, Upload
from prep.sandbox.leads import Lead, iso_time, key_of
from prep.sandbox.rules import DELIMITERS, is_integer
from prep.sandbox.state import State
from prep.sandbox.variants import vary

MAX_FILTER_VALUES: Final = 300
MAX_PAGE: Final = 300
MAX_MATCHES: Final = 1000
"""All three: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/leads"""

DEFAULT_LEAD_FIELDS: Final = ("email", "updatedAt", "createdAt", "lastName", "firstName")

JSON_TYPE: Final = "application/json;charset=UTF-8"
FILE_TYPE: Final = "text/csv;charset=UTF-8"
API_USER: Final = "sandbox@example.com"
"""The invented user whom the token belongs to."""


@dataclass(frozen=True)
class Call:
    """One request, read in full.

    Attributes:
        method: The HTTP method, after `_method` has been obeyed.
        parameters: Parameters of the query and the body; the query wins.
        upload: Content of the multipart part `file`, None when there is none.
        argument: The id inside the path, if any.
    """

    method: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    upload: bytes | None = None
    argument: int = 0


class Answer(NamedTuple):
    """A reply, before anything happens to it on the way.

    Attributes:
        content: The body.
        status: The HTTP status; None closes the connection instead.
        content_type: The header.
        code: Marketo's error code inside, for the journal.
        batch_id: The job concerned, for the journal.
        location: The header of a redirect.
        delay_seconds: Real seconds to wait before it is sent.
    """

    content: bytes
    status: int | None = 200
    content_type: str = JSON_TYPE
    code: str | None = None
    batch_id: int | None = None
    location: str | None = None
    delay_seconds: float = 0


Handler = Callable[[State, Call], Answer]


class Route(NamedTuple):
    """One call of the API."""

    pattern: re.Pattern[str]
    place: Place
    methods: tuple[str, ...]
    handler: Handler


# Replies


def envelope(state: State, **content: object) -> bytes:
    """Return a JSON body of Marketo's usual form."""
    body = {"requestId": state.next_request_id(), **content}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def success(state: State, result: Iterable[object], **more: object) -> Answer:
    """Return a reply that carries results."""
    return Answer(envelope(state, result=list(result), success=True, **more))


def refusal(state: State, error: MarketoError) -> Answer:
    """Return a reply that carries an error; HTTP says 200 all the same."""
    code: str | int = int(error.code) if state.behaviour.numeric_codes else error.code
    warnings: dict[str, object] = {"warnings": []} if error.code == "610" else {}
    errors = [{"code": code, "message": error.message}]
    return Answer(envelope(state, success=False, **warnings, errors=errors), code=error.code)


def page(status: int) -> Answer:
    """Return the HTML page that a web server in front of Marketo would send."""
    title = HTTPStatus(status).phrase
    html = f"<html><head><title>{status} {title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Answer(html.encode(), status, "text/html")


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


# Bulk import


def import_leads(state: State, call: Call) -> Answer:
    """Answer `POST /bulk/v1/leads.json`."""
    if call.upload is None:
        raise MarketoError("1002", "Missing value for the required parameter 'file'")
    if not call.upload.strip():
        raise MarketoError("1003", state.behaviour.empty_file_message)
    batch_id = state.jobs.submit(
        Upload(
            content=call.upload,
            file_format=_file_format(call),
            lookup_field=_lookup_field(state, call).rest_name,
            list_id=_list_id(state, call),
            partition_name=_partition_name(state, call),
        )
    )
    job = {**_job_ids(state, batch_id), "status": "Queued"}
    return success(state, [job])._replace(batch_id=batch_id)


def show_status(state: State, call: Call) -> Answer:
    """Answer `GET /bulk/v1/leads/batch/{id}.json`."""
    job = state.jobs.job(call.argument)
    result = {
        **_job_ids(state, job.batch_id),
        "status": job.status,
        "numOfLeadsProcessed": job.processed,
        "numOfRowsFailed": job.failed,
        "numOfRowsWithWarning": job.warned,
        "message": job.message,
    }
    return success(state, [result])


def give_failures(state: State, call: Call) -> Answer:
    """Answer `GET /bulk/v1/leads/batch/{id}/failures.json`."""
    return _row_file(state, call, Place.FAILURES)


def give_warnings(state: State, call: Call) -> Answer:
    """Answer `GET /bulk/v1/leads/batch/{id}/warnings.json`."""
    return _row_file(state, call, Place.WARNINGS)


def _row_file(state: State, call: Call, place: Place) -> Answer:
    job = state.jobs.job(call.argument)
    if not job.is_finished:
        raise MarketoError(state.behaviour.unfinished_file_code, "Import is not finished")
    content = state.jobs.file(job.batch_id, place)
    if not content:
        return (
            page(404)
            if state.behaviour.no_rows_file == "not-found"
            else Answer(b"", content_type=_file_type(state, job))
        )
    content = vary(content, state.take_file_faults(place), job.file_format, job.lookup_field)
    return Answer(content, content_type=_file_type(state, job))


def _file_type(state: State, job: Job) -> str:
    return FILE_TYPE if job.file_format == "csv" else state.behaviour.other_content_type


def _job_ids(state: State, batch_id: int) -> dict[str, object]:
    return {"batchId": batch_id} | ({"importId": str(batch_id)} if state.behaviour.import_id else {})


def _file_format(call: Call) -> str:
    file_format = call.parameters.get("format", "csv").lower()
    if file_format not in DELIMITERS:
        raise MarketoError("1003", f"Invalid format '{file_format}'")
    return file_format


def _lookup_field(state: State, call: Call) -> Field:
    name = call.parameters.get("lookupField", "email")
    lookup = state.fields.get(name)
    if lookup is None:
        raise MarketoError("1006", f"Lookup field '{name}' not found")
    if not lookup.is_lookup:
        raise MarketoError("1011", f"Field '{name}' not supported")
    return lookup


def _list_id(state: State, call: Call) -> int | None:
    text = call.parameters.get("listId")
    if not text:
        return None
    if text not in {str(known.id) for known in state.lists()}:
        raise MarketoError("1013", "Static list not found")
    return int(text)


def _partition_name(state: State, call: Call) -> str | None:
    name = call.parameters.get("partitionName")
    if not name:
        return None
    if name not in {partition.name for partition in state.partitions()}:
        raise MarketoError(state.behaviour.unknown_partition_code, f"Access denied to partition '{name}'")
    return name


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
    return success(state, [{"date": iso_time(state.clock.now())[:10], "total": total, "users": users}])


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


ROUTES: Final = tuple(
    Route(re.compile(pattern), place, methods, handler)
    for pattern, place, methods, handler in (
        (r"/identity/oauth/token", Place.IDENTITY, ("GET", "POST"), give_token),
        (r"/bulk/v1/leads\.json", Place.IMPORT, ("POST",), import_leads),
        (r"/bulk/v1/leads/batch/([0-9]{1,18})\.json", Place.STATUS, ("GET",), show_status),
        (r"/bulk/v1/leads/batch/([0-9]{1,18})/failures\.json", Place.FAILURES, ("GET",), give_failures),
        (r"/bulk/v1/leads/batch/([0-9]{1,18})/warnings\.json", Place.WARNINGS, ("GET",), give_warnings),
        (r"/rest/v1/leads/describe\.json", Place.OTHER, ("GET",), describe),
        (r"/rest/v1/leads/describe2\.json", Place.OTHER, ("GET",), describe2),
        (r"/rest/v1/leads/partitions\.json", Place.OTHER, ("GET",), show_partitions),
        (r"/rest/v1/leads\.json", Place.OTHER, ("GET",), find_leads),
        (r"/rest/v1/lists\.json", Place.OTHER, ("GET",), show_lists),
        (r"/rest/v1/lists/([0-9]{1,18})\.json", Place.OTHER, ("GET",), show_list),
        (r"/rest/v1/stats/usage\.json", Place.OTHER, ("GET",), show_usage),
    )
)
