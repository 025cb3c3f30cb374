"""`prep schema`."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prep.cli import options, schema_instance
from prep.cli.terminal import say, say_json

if TYPE_CHECKING:
    from prep.schema import Field


@click.group("schema", context_settings=options.CONTEXT)
def command() -> None:
    """List, show, check, pull and compare schemas: the fields of an instance, with their rules.

    \b
    Examples:
      prep schema show lead
      prep schema pull -o instance.toml
      prep schema diff lead instance
      prep schema check mine.toml
      prep run leads.csv --schema mine.toml
    """


@command.command("list", context_settings=options.CONTEXT)
@options.json_only
def list_schemas(*, as_json: bool) -> None:
    """Name the packaged schemas.

    \b
    Example:
      prep schema list
    """
    from prep.schema_file import load_schema, schema_names

    schemas = [load_schema(name) for name in schema_names()]
    say(*(f"{schema.name}  {len(schema.fields)} fields" for schema in schemas), err=as_json)
    if as_json:
        say_json({"schemas": [{"name": schema.name, "fields": len(schema.fields)} for schema in schemas]})


@command.command("show", context_settings=options.CONTEXT)
@click.argument("name", metavar="NAME|FILE")
@options.json_only
def show(name: str, *, as_json: bool) -> None:
    """Show the fields of a schema: name, type, length, display name, then their rules and those over several.

    A * marks fields that --lookup-field takes, a - fields that imports cannot write.

    \b
    Examples:
      prep schema show lead
      prep schema show mine.toml --json | jq '.fields[].name'
    """
    from prep.schema_file import load_schema

    schema = load_schema(name)
    lines = []
    for field in schema.fields.values():
        mark = "*" if field.name in schema.lookup_fields else "-" if field.read_only else " "
        lines.append(f"{mark} {schema_instance.outline(field)}")
        lines += [f"    {rule}" for rule in _rules(field)]
    lines += [f"rule {rule}" for rule in schema.rules]
    say(*lines, err=as_json)
    if as_json:
        say_json(
            {
                "name": schema.name,
                "fingerprint": schema.fingerprint,
                "lookup_fields": list(schema.lookup_fields),
                "fields": [asdict(field) for field in schema.fields.values()],
                "rules": [asdict(rule) for rule in schema.rules],
            }
        )


def _rules(field: "Field") -> Iterator[str]:
    """What a field asks for beyond its type and length."""
    if field.required:
        yield "required"
    if field.allowed:
        yield f"one of: {', '.join(field.allowed)}"
    if field.pattern:
        yield f"pattern: {field.pattern}"
    if field.checks:
        yield f"checks: {', '.join(field.checks)}"
    if field.normalisers:
        yield f"normalisers: {', '.join(field.normalisers)}"
    if field.truncate:
        yield "cut where it is too long"


@command.command("check", context_settings=options.CONTEXT)
@click.argument("file", type=options.PATH)
@options.json_only
def check(file: Path, *, as_json: bool) -> None:
    """Check a schema file of your own; a mistake is named with its field and what is allowed.

    \b
    Example:
      prep schema check mine.toml
    """
    from prep.schema_file import load_schema

    schema = load_schema(file)
    rules = f", {len(schema.rules)} rule{'s' * (len(schema.rules) != 1)} over several" if schema.rules else ""
    fields = f"{len(schema.fields)} field{'s' * (len(schema.fields) != 1)}"
    say(f"{file}: {fields}{rules}, no mistakes", err=as_json)
    if as_json:
        say_json({"name": schema.name, "fields": len(schema.fields), "fingerprint": schema.fingerprint})


command.add_command(schema_instance.pull)
command.add_command(schema_instance.diff)
