"""`prep doctor`."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

import click

from prep.cli import options, session
from prep.cli.look import show
from prep.cli.schema_instance import INSTANCE
from prep.cli.terminal import say_json
from prep.config import CleanSettings, Destination
from prep.errors import MarketoError, PrepError, SchemaError, SettingsError, TerminalError

if TYPE_CHECKING:
    from prep.instance import Instance
    from prep.marketo import Marketo
    from prep.schema import Schema

_PACKAGES = ("leadprep", "polars", "pandera", "email-validator", "requests", "click")


@dataclass(frozen=True)
class _Finding:
    name: str
    text: str
    error: PrepError | None = None

    @classmethod
    def of(cls, name: str, error: PrepError) -> Self:
        return cls(name, f"{error.message}. {error.hint}".rstrip(), error)

    @property
    def ok(self) -> bool:
        return self.error is None


@click.command("doctor", context_settings=options.CONTEXT)
@options.schema
@options.lookup_field
@options.destination
@options.target
@options.json_only
def command(*, as_json: bool, **chosen: Any) -> int:
    """Check versions, settings, credentials, clock, quota, fields, list, partition, program; sends nothing.

    Asks Marketo for a token, for today's number of API calls and for the fields of what the schema describes:
    leads, program members or a custom object; for the static list, the partition and the program with its
    status if they are named, here or in prep.toml: three to nine API calls. Ends with 1 if settings are
    wrong, with 4 if Marketo refuses or cannot be reached.

    \b
    Examples:
      prep doctor
      prep doctor --sandbox --list Newsletter
      prep doctor --schema mine.toml --lookup-field eventCode
    """
    findings: list[_Finding] = []
    error: PrepError | None = None
    try:
        for finding in _examine(chosen):
            findings.append(finding)  # noqa: PERF402 (what was found before an error counts)
    except PrepError as found:
        name = "credentials" if isinstance(found, MarketoError) else "settings"
        findings.append(_Finding.of(name, found))
        error = found
    for finding in findings:
        show(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.text}", err=as_json)
    failed = next((finding.error for finding in findings if finding.error), None)
    code = error.exit_code if error else 1 if failed else 0
    error = error or failed
    if as_json:
        told = [{"name": finding.name, "ok": finding.ok, "text": finding.text} for finding in findings]
        answer = {"findings": told, "exit_code": code}
        say_json({**answer, "error": error.facts} if error else answer)
    return code


def _examine(chosen: Mapping[str, Any]) -> Iterator[_Finding]:
    from prep.schema_file import DEFAULT_NAME, load_schema

    python = ".".join(map(str, sys.version_info[:3]))
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield _Finding("versions", f"Python {python}, {packages}")
    schema = load_schema(chosen["schema"] or DEFAULT_NAME)
    yield _Finding("schemas", f"{schema.name} with {len(schema.fields)} fields")
    with session.visit(sandbox=chosen["sandbox"], allow_host=chosen["allow_host"]) as client:
        yield _Finding("settings", f"endpoint {client.host}")
        usage = client.usage()
        yield _Finding("credentials", "accepted")
        yield _Finding("quota", f"{usage.calls:,} API calls used today by all integrations")
        yield _examine_clock(usage.date)
        yield from _examine_fields(client, schema, chosen)
        if chosen["list_id"] or chosen["list_name"]:
            named = Destination(client.host, chosen["list_id"], chosen["list_name"])
            yield _examine_destination("list", client, named)
        if chosen["partition_name"]:
            named = Destination(client.host, partition_name=chosen["partition_name"])
            yield _examine_destination("partition", client, named)
        if chosen["program_id"] or chosen["program_status"]:
            named = Destination(
                client.host, program_id=chosen["program_id"], program_status=chosen["program_status"]
            )
            yield _examine_program(client, named)


def _examine_fields(client: "Marketo", schema: "Schema", chosen: Mapping[str, Any]) -> Iterator[_Finding]:
    from prep.differences import FACTS, compare
    from prep.instance import ask_instance, schema_of
    from prep.object_keys import object_of
    from prep.preflight import fields_not_checked, is_denied, is_missing

    instance, of = None, object_of(schema)
    try:
        instance = ask_instance(client, None, of)
    except TerminalError as error:
        if is_missing(error):
            yield _Finding.of("fields", error)
            return
        if not is_denied(error):
            raise
        text = fields_not_checked(of)
    else:
        found = compare(schema, schema_of(instance), FACTS)
        text = "as the schema says"
        if found:
            where = " --sandbox" if chosen["sandbox"] else ""
            shows = f"prep schema diff {schema.origin} {INSTANCE}{where} tells which"
            text = f"{found.summary} in Marketo; {shows}"
    yield _Finding("fields", text)
    asked = CleanSettings(chosen["lookup_field"] or of.kind.lookup_field, object=str(of))
    yield from _examine_lookup_field(instance, schema, asked)


def _examine_lookup_field(
    instance: "Instance | None", schema: "Schema", settings: CleanSettings
) -> Iterator[_Finding]:
    from prep.headers import check_settings
    from prep.object_keys import choose_key
    from prep.objects import key_fields
    from prep.preflight import check_searchable, find_faults

    try:
        lookup_field = choose_key(settings, schema).lookup_field
        check_settings(schema, lookup_field=lookup_field, maps={}, constants={})
    except SettingsError as error:
        yield _Finding.of("lookup field", error)
        return
    if instance is None:
        return
    if faults := "; ".join(find_faults(instance, key_fields(lookup_field), lookup_field)):
        yield _Finding("lookup field", faults, SchemaError(faults, code="not_in_instance"))
        return
    notes = "; ".join(finding.message for finding in check_searchable(instance, lookup_field))
    yield _Finding("lookup field", notes or lookup_field)


def _examine_program(client: "Marketo", named: Destination) -> _Finding:
    from prep.objects import PROGRAM_MEMBERS

    try:
        named.refuse_misfit(PROGRAM_MEMBERS)
    except SettingsError as error:
        return _Finding.of("program", error)
    return _examine_destination("program", client, named)


def _examine_destination(name: str, client: "Marketo", named: Destination) -> _Finding:
    from prep.preflight import check_destination, is_missing

    try:
        destination, notes = check_destination(client, named)
    except TerminalError as error:
        if not is_missing(error):
            raise
        return _Finding.of(name, error)
    if destination.program_id is not None:
        return _Finding(name, f"{destination.program_id}, {destination.program_status}")
    found = destination.partition_name or f"{destination.list_name or ''} {destination.list_id}".strip()
    return _Finding(name, "; ".join(note.message for note in notes) or found)


def _examine_clock(marketo_date: str) -> _Finding:
    """Marketo counts calls by the day in US Central time: the only clock that it shows."""
    here = datetime.now(ZoneInfo("America/Chicago")).date()
    text = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC here, {marketo_date} in Marketo's day"
    if abs((here - date.fromisoformat(marketo_date)).days) <= 1:
        return _Finding("clock", text)
    return _Finding("clock", text, SettingsError(text, code="wrong_clock", hint="Set this machine's clock."))
