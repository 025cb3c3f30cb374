"""The calls of bulk import, for leads, members of programs and records of custom objects."""

from typing import Final

from prep.sandbox.errors import MarketoError
from prep.sandbox.faults import Place
from prep.sandbox.instance import Field
from prep.sandbox.jobs import CUSTOM, LEADS, MEMBERS, Job, Upload
from prep.sandbox.replies import Answer, Call, page, success
from prep.sandbox.rules import DELIMITERS
from prep.sandbox.state import State
from prep.sandbox.variants import vary

FILE_TYPE: Final = "text/csv;charset=UTF-8"


def import_leads(state: State, call: Call) -> Answer:
    """Answer `POST /bulk/v1/leads.json`."""
    upload = Upload(
        content=_content(state, call),
        file_format=_file_format(call),
        lookup_fields=(_lookup_field(state, call).rest_name,),
        list_id=_list_id(state, call),
        partition_name=_partition_name(state, call),
    )
    return _queued(state, upload)


def import_members(state: State, call: Call) -> Answer:
    """Answer `POST /bulk/v1/program/{id}/members/import.json`."""
    upload = Upload(
        content=_content(state, call),
        file_format=_file_format(call),
        lookup_fields=("email",),
        kind=MEMBERS,
        program_id=_program_id(state, call),
        program_status=_program_status(state, call),
    )
    return _queued(state, upload)


def import_records(state: State, call: Call) -> Answer:
    """Answer `POST /bulk/v1/customobjects/{name}/import.json`."""
    known = state.custom_object(call.name)
    upload = Upload(
        content=_content(state, call),
        file_format=_file_format(call),
        lookup_fields=known.dedupe_fields,
        kind=known.api_name,
    )
    return _queued(state, upload)


def _queued(state: State, upload: Upload) -> Answer:
    batch_id = state.jobs.submit(upload)
    job = {**_ids(state, batch_id, upload.kind), "status": "Queued"}
    return success(state, [job])._replace(batch_id=batch_id)


def _ids(state: State, batch_id: int, kind: str) -> dict[str, object]:
    """What a reply calls a job: those of custom objects name the object instead of repeating the id."""
    if kind in CUSTOM:
        return {"batchId": batch_id, "objectApiName": kind}
    return {"batchId": batch_id} | ({"importId": str(batch_id)} if state.behaviour.import_id else {})


def _content(state: State, call: Call) -> bytes:
    if call.upload is None:
        raise MarketoError("1002", "Missing value for the required parameter 'file'")
    if not call.upload.strip():
        raise MarketoError("1003", state.behaviour.empty_file_message)
    return call.upload


def show_status(state: State, call: Call) -> Answer:
    """Answer `GET /bulk/v1/leads/batch/{id}.json`, and the same of members and custom objects."""
    job = _job(state, call)
    is_custom = job.kind in CUSTOM
    result = {
        **_ids(state, job.batch_id, job.kind),
        "status": job.status,
        "numOfObjectsProcessed" if is_custom else "numOfLeadsProcessed": job.processed,
        "numOfRowsFailed": job.failed,
        "numOfRowsWithWarning": job.warned,
        "message": job.message,
        **({"operation": "import", "importTime": "1 second(s)"} if is_custom else {}),
    }
    return success(state, [result])


def _job(state: State, call: Call) -> Job:
    """The job that a path names; one of something else is not found there."""
    job = state.jobs.job(call.argument)
    if job.kind != (call.name or LEADS):
        raise MarketoError(state.behaviour.unknown_batch_code, "Object not found")
    return job


def give_failures(state: State, call: Call) -> Answer:
    """Answer `GET …/failures.json` of a job of leads or members."""
    return _row_file(state, call, Place.FAILURES)


def give_warnings(state: State, call: Call) -> Answer:
    """Answer `GET …/warnings.json` of a job of leads or members."""
    return _row_file(state, call, Place.WARNINGS)


def _row_file(state: State, call: Call, place: Place) -> Answer:
    job = _job(state, call)
    if not job.is_finished:
        raise MarketoError(state.behaviour.unfinished_file_code, "Import is not finished")
    content = state.jobs.file(job.batch_id, place)
    if not content:
        return (
            page(404)
            if state.behaviour.no_rows_file == "not-found" or job.kind in CUSTOM
            else Answer(b"", content_type=_file_type(state, job))
        )
    content = vary(content, state.take_file_faults(place), job.file_format, job.lookup_fields)
    return Answer(content, content_type=_file_type(state, job))


def _file_type(state: State, job: Job) -> str:
    return FILE_TYPE if job.file_format == "csv" else state.behaviour.other_content_type


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


def _program_id(state: State, call: Call) -> int:
    if call.argument not in state.programs:
        raise MarketoError("1013", "Program not found")
    return call.argument


def _program_status(state: State, call: Call) -> str:
    status = call.parameters.get("programMemberStatus")
    if not status:
        raise MarketoError("1002", "Missing value for the required parameter 'programMemberStatus'")
    if status not in state.programs[call.argument].channel.statuses:
        raise MarketoError("1025", f"Program status '{status}' not found")
    return status
