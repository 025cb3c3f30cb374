"""What must hold before the first byte is sent: Marketo has the destination, and the upload's fields."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import polars as pl

from prep.checks import TYPE_CHECKS, longest
from prep.config import Destination
from prep.errors import FolderError, SchemaError, TerminalError
from prep.folder import RunFolder
from prep.folding import counted
from prep.instance import Instance, ask_instance
from prep.manifest import Manifest
from prep.marketo.codes import NOT_OFFERED
from prep.model import CLEARING, SANDBOX, Format
from prep.objects import LEADS, ImportObject, key_fields
from prep.schema import LOOKUP_TYPES, Field
from prep.schema_file import load_schema

if TYPE_CHECKING:
    from prep.marketo import Marketo

NOT_CHECKED: Final = "not checked: the API user's role may not ask (permission Read-Only Lead)"
"""What is said where Marketo does not let prep look."""

_NOT_CHECKED: Final = {
    "program": NOT_CHECKED.replace("Lead", "Assets"),
    "custom object": NOT_CHECKED.replace("Lead", "Custom Object"),
}
"""The same of what another permission is for."""

_NO_SUCH_LIST: Final = "no_such_list"
_NO_SUCH_PARTITION: Final = "no_such_partition"
_NO_SUCH_PROGRAM: Final = "no_such_program"
_NO_SUCH_STATUS: Final = "no_such_status"
_NO_SUCH_OBJECT: Final = "no_such_object"


@dataclass(frozen=True)
class Finding:
    """Something that deserves a look before rows are sent.

    Attributes:
        code: `shorter`, `other_type`, `not_searchable` or `not_checked`.
        field: REST name of the field concerned.
        rows: How many rows do not fit the field as Marketo has it.
        message: One sentence.
    """

    code: str
    field: str | None
    rows: int | None
    message: str

    @classmethod
    def all_from_json(cls, raw: Iterable[Mapping[str, Any]]) -> list[Self]:
        """Read what a manifest keeps."""
        return [cls(**facts) for facts in raw]


def find_destination(
    known: Destination | None, client: "Marketo", wanted: Destination | None, *, is_bound: bool
) -> Destination:
    """Where the rows of a run go.

    Args:
        known: What the folder was made for.
        client: The instance to send to.
        wanted: Another destination, if one was named.
        is_bound: Whether anything was ever sent.

    Raises:
        FolderError: The folder is bound to another destination, or the client talks to another one.
    """
    aim = wanted or known or Destination(client.host)
    if wanted and _is_elsewhere(wanted, client):
        raise FolderError(
            f"the destination is {wanted.target}, and the client talks to {client.host}",
            code="other_target",
            hint="Give Destination(client.host, …), or a client of that instance.",
        )
    refuse_other_host(aim, client)
    if known and known.list_name and known.is_same(aim):
        aim = replace(aim, list_id=known.list_id)
    if known and is_bound and not known.is_same(aim):
        raise _other_target(known)
    return aim


def refuse_other_host(aim: Destination, client: "Marketo") -> None:
    """Refuse a client of another instance than a run belongs to.

    Raises:
        FolderError: The client would take the rows elsewhere.
    """
    if _is_elsewhere(aim, client):
        raise _other_target(aim)


def _is_elsewhere(aim: Destination, client: "Marketo") -> bool:
    """Whether a client talks to another instance; a sandbox is always local, at another port each time."""
    name = urlsplit(f"//{client.host}").hostname or ""
    is_local = name in {"localhost", "::1"} or name.startswith("127.")
    return aim.target != client.host and not (aim.target == SANDBOX and is_local)


def _other_target(known: Destination) -> FolderError:
    return FolderError(
        f"the run belongs to {known}",
        code="other_target",
        hint="Send it there, or clean the sources into another folder with -o DIR.",
    )


def check_destination(client: "Marketo", aim: Destination) -> tuple[Destination, list[Finding]]:
    """Ask Marketo for the list, the partition and the program, if named: one call each, two for the last.

    Returns:
        The destination, with the id of a list that was given by name, and what could not be asked.

    Raises:
        TerminalError: Marketo has no such list, partition, program or status, or several lists of that name.
    """
    findings = []
    if aim.list_id:
        findings += _unless_denied("the list:", partial(_check_list, client, aim.list_id))
    elif aim.list_name:
        aim = replace(aim, list_id=_find_list(client, aim.list_name))
    if aim.partition_name:
        findings += _unless_denied("the partition:", partial(_check_partition, client, aim.partition_name))
    if aim.program_id is not None and aim.program_status is not None:
        check = partial(_check_program, client, aim.program_id, aim.program_status)
        findings += _unless_denied("the program:", check, _NOT_CHECKED["program"])
    return aim, findings


def _find_list(client: "Marketo", name: str) -> int:
    found = [record.list_id for record in client.lists(name=name)]
    if len(found) != 1:
        raise TerminalError(
            f"Marketo has {len(found)} static lists called {name!r}"
            if found
            else f"Marketo has no static list called {name!r}",
            code=_NO_SUCH_LIST,
            hint="Check the name, or give the number in the list's address in Marketo as --list-id.",
        )
    return found[0]


def _check_list(client: "Marketo", list_id: int) -> None:
    if not any(record.list_id == list_id for record in client.lists(list_id=list_id)):
        raise TerminalError(
            f"Marketo has no static list {list_id}",
            code=_NO_SUCH_LIST,
            hint="The number stands in the list's address in Marketo; it must be a static list.",
        )


def _check_partition(client: "Marketo", name: str) -> None:
    known = [record.name for record in client.partitions()]
    if name not in known:
        raise TerminalError(
            f"Marketo has no partition called {name!r}, or the API user may not use it",
            code=_NO_SUCH_PARTITION,
            hint=f"It may use: {', '.join(known) or 'none'}.",
        )


def _check_program(client: "Marketo", program_id: int, status: str) -> None:
    """Refuse a program that is not there, or a status that its channel does not have."""
    program = client.program(program_id)
    if program is None:
        raise TerminalError(
            f"Marketo has no program {program_id}, or the API user may not see it",
            code=_NO_SUCH_PROGRAM,
            hint="The number stands in the address of the program in Marketo: 1014 in #PG1014A1.",
        )
    channel = client.channel(program.channel)
    if channel is not None and status not in channel.statuses:
        raise TerminalError(
            f"program {program_id} has no status {status!r}",
            code=_NO_SUCH_STATUS,
            hint=f"Its channel {channel.name!r} has: {', '.join(channel.statuses)}.",
        )


def is_missing(error: TerminalError) -> bool:
    """Whether Marketo has no such list, partition, program, status or custom object."""
    return error.code in {
        _NO_SUCH_LIST,
        _NO_SUCH_PARTITION,
        _NO_SUCH_PROGRAM,
        _NO_SUCH_STATUS,
        _NO_SUCH_OBJECT,
    }


def is_denied(error: TerminalError) -> bool:
    """Whether a call was refused that only looks; an import may be allowed all the same."""
    return error.code in NOT_OFFERED


def _unless_denied(what: str, check: Callable[[], None], why: str = NOT_CHECKED) -> list[Finding]:
    try:
        check()
    except TerminalError as error:
        if not is_denied(error):
            raise
        return [not_checked(what, why)]
    return []


def not_checked(what: str, why: str = NOT_CHECKED) -> Finding:
    """What is to be said of something that Marketo lets nobody look at."""
    return Finding("not_checked", None, None, f"{what} {why}")


def fields_not_checked(of: ImportObject) -> str:
    """What is said where Marketo tells nobody of the fields of what rows become."""
    return _NOT_CHECKED["custom object"] if of.is_custom else NOT_CHECKED


def check_fields(folder: RunFolder, manifest: Manifest, client: "Marketo", target: str) -> list[Finding]:
    """Ask Marketo for its fields, with one to three calls, and hold those of the upload against them.

    Args:
        folder: The run's.
        manifest: Its manifest; one of an older version does not tell by which rules values were judged.
        client: The instance to send to.
        target: What it is called.

    Raises:
        SchemaError: Marketo lacks a field, does not let imports write it, or cannot look up by it.
        TerminalError: Marketo has no such custom object.
    """
    try:
        instance = ask_instance(client, target, manifest.into)
    except TerminalError as error:
        if not is_denied(error):
            raise
        return [not_checked("the fields of the upload:", fields_not_checked(manifest.into))]
    return compare_fields(folder, manifest, instance)


def compare_fields(folder: RunFolder, manifest: Manifest, instance: Instance) -> list[Finding]:
    """Hold the fields of an upload against those that Marketo told of.

    Raises:
        SchemaError: As `check_fields`.
    """
    lookup_field = manifest.settings["lookup_field"]
    if faults := list(find_faults(instance, manifest.results.fields, lookup_field)):
        sandbox = " --sandbox" if instance.host == SANDBOX else ""
        raise SchemaError(
            f"{instance.host}: {'; '.join(faults)}",
            code="not_in_instance",
            hint="Clean again, into another folder and without these columns, or with the schema that "
            f"`prep schema pull{_said(manifest)} -o instance.toml{sandbox}` writes.",
        )
    judged = {name: Field(name, **facts) for name, facts in manifest.schema.get("fields", {}).items()}
    drifted = [field for field in judged.values() if _has_drifted(field, instance.fields.get(field.name))]
    unfit = _count_unfit(folder, manifest, [instance.fields[field.name] for field in drifted])
    return [
        *check_searchable(instance, lookup_field),
        *(_drift(field, instance.fields[field.name], unfit[field.name]) for field in drifted),
    ]


def _said(manifest: Manifest) -> str:
    return "" if manifest.into == LEADS else f" --object {manifest.into}"


def find_faults(instance: Instance, names: Iterable[str], lookup_field: str) -> Iterator[str]:
    """Why Marketo would refuse an upload of these fields, or leave columns of it out."""
    keys = key_fields(lookup_field)
    documented = load_schema().lookup_fields
    unasked = documented if instance.searchable is None else ()
    absent = [name for name in names if not instance.has(name) and name not in unasked]
    locked = [
        name
        for name in names
        if name not in keys and name in instance.fields and instance.fields[name].read_only
    ]
    if absent:
        yield f"there is no field {', '.join(absent)}"
    if locked:
        yield f"imports cannot write {', '.join(locked)}"
    if instance.object:
        if set(keys) != set(instance.object.dedupe_fields):
            known = ", ".join(instance.object.dedupe_fields)
            yield f"{instance.object.name} records are identified by {known}, not by {lookup_field}"
        return
    key = instance.fields.get(lookup_field)
    if (
        key
        and key.type not in LOOKUP_TYPES
        and lookup_field not in (*documented, *(instance.searchable or ()))
    ):
        yield f"leads cannot be looked up by {lookup_field}, which is of type {key.type}"


def check_searchable(instance: Instance, lookup_field: str) -> list[Finding]:
    """Tell of a lookup field that Marketo does not name as one; its documentation may know better."""
    if instance.searchable is None or lookup_field in instance.searchable:
        return []
    text = f"{lookup_field}: Marketo does not name it among the fields that leads can be looked up by"
    return [Finding("not_searchable", lookup_field, None, text)]


def _has_drifted(judged: Field, now: Field | None) -> bool:
    """Whether values that were judged by one field may not fit the other one."""
    if now is None:
        return False
    was, limit = longest(judged.type, judged.length), longest(now.type, now.length)
    return _is_other_type(judged, now) or (limit is not None and (was is None or limit < was))


def _is_other_type(judged: Field, now: Field) -> bool:
    """Whether values are judged otherwise; an integer and a score, or a string and a phone, are not."""
    return TYPE_CHECKS[judged.type] != TYPE_CHECKS[now.type]


def _drift(judged: Field, now: Field, rows: int) -> Finding:
    fit = f"{counted(rows, 'row')} of the upload {'does' if rows == 1 else 'do'} not fit"
    if _is_other_type(judged, now):
        text = f"{now.name}: {now.type} in Marketo, {judged.type} in the schema; {fit}"
        return Finding("other_type", now.name, rows, text)
    limit, was = longest(now.type, now.length), longest(judged.type, judged.length)
    unit = "bytes" if now.type == "text" else "characters"
    text = f"{now.name}: at most {limit:,} {unit} in Marketo, {was:,} in the schema; {fit}"
    return Finding("shorter", now.name, rows, text)


def _count_unfit(folder: RunFolder, manifest: Manifest, fields: list[Field]) -> dict[str, int]:
    """How many values of the upload break the rules of these fields; reads it only if there are any."""
    counts = dict.fromkeys((field.name for field in fields), 0)
    for chunk in manifest.results.chunks if fields else ():
        frame = pl.read_csv(
            io.BytesIO(folder.read_chunk(chunk)),
            separator=Format(manifest.settings["format"]).delimiter,
            infer_schema=False,
        )
        for field in fields:
            if field.name in frame.columns:  # blank cells may have been left out with their columns
                counts[field.name] += frame.filter(_breaks(field)).height
    return counts


def _breaks(field: Field) -> pl.Expr:
    value = pl.col(field.name)
    broken = pl.any_horizontal([pl.lit(value=False), *(~rule.passes(value) for rule in field.rules())])
    return value.is_not_null() & (value != CLEARING) & broken
