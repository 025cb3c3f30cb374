"""What rows become, and a schema → whether they go together, and what identifies a row."""

from dataclasses import replace
from pathlib import Path

from prep.config import CleanSettings
from prep.errors import SchemaError, SettingsError
from prep.objects import LEADS, PROGRAM_MEMBERS, ImportObject, parse_object
from prep.schema import Schema
from prep.schema_file import load_schema


def choose_schema(given: Schema | str | Path | None, into: ImportObject) -> Schema:
    """The schema that was given, or the packaged one of what rows become.

    Raises:
        SchemaError: Nothing is packaged for that, or the schema cannot be loaded.
    """
    if isinstance(given, Schema):
        return given
    if given is None and not into.kind.schema:
        raise SchemaError(
            f"--object {into}: only Marketo knows its fields, and no schema is given",
            code="no_schema",
            hint=_pull(into),
        )
    return load_schema(given or into.kind.schema)


def object_of(schema: Schema) -> ImportObject:
    """What rows become that a schema describes: records of its custom object, members of a program, leads."""
    if schema.object:
        return parse_object(f"customobjects/{schema.object.name}")
    return PROGRAM_MEMBERS if schema.packaged == PROGRAM_MEMBERS.kind.schema else LEADS


def choose_key(settings: CleanSettings, schema: Schema) -> CleanSettings:
    """Settings with the lookup field that what rows become has: of a custom object its dedupe fields.

    Raises:
        SchemaError: The schema is of something else.
        SettingsError: Marketo looks such records up by other fields than the one that was named.
    """
    into = parse_object(settings.object)
    _refuse_other_object(into, schema)
    own = ",".join(schema.object.dedupe_fields) if schema.object else into.kind.lookup_field
    chosen = settings.lookup_field or own
    if chosen != own and not into.kind.may_choose_lookup:
        raise SettingsError(
            f"--lookup-field: Marketo looks {into.rows()} up by {own.replace(',', ' and ')} alone",
            code="bad_lookup_field",
            hint="Leave --lookup-field out.",
            column=settings.lookup_field,
        )
    return replace(settings, lookup_field=chosen)


def _refuse_other_object(into: ImportObject, schema: Schema) -> None:
    described = schema.object.name if schema.object else ""
    if described == into.api_name:
        return
    if not into.is_custom:
        raise SchemaError(
            f"schema {schema.name!r} is of customobjects/{described}, not of {into}",
            code="other_object",
            hint=f"Add --object customobjects/{described}, or leave --schema out.",
        )
    found = f"of customobjects/{described}" if described else "of no custom object"
    raise SchemaError(
        f"schema {schema.name!r} is {found}, and --object is {into}", code="other_object", hint=_pull(into)
    )


def _pull(into: ImportObject) -> str:
    file = f"{into.api_name}.toml"
    return f"prep schema pull --object {into} -o {file} asks Marketo; then add --schema {file}."
