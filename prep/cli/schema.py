"""`prep schema`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from prep.cli import options


@click.group("schema", context_settings=options.CONTEXT)
def command() -> None:
    """List, show and check schemas.

    \b
    Examples:
      prep schema show lead
      prep schema check mine.toml
    """


@command.command("list", context_settings=options.CONTEXT)
@options.json_only
def list_schemas(*, as_json: bool) -> None:
    """Name the packaged schemas."""
    from prep.schema import load_schema, schema_names

    schemas = [load_schema(name) for name in schema_names()]
    for schema in schemas:
        click.echo(f"{schema.name}  {len(schema.fields)} fields", err=as_json)
    if as_json:
        content = [{"name": schema.name, "fields": len(schema.fields)} for schema in schemas]
        click.echo(json.dumps({"schemas": content}))


@command.command("show", context_settings=options.CONTEXT)
@click.argument("name", metavar="NAME|FILE")
@options.json_only
def show(name: str, *, as_json: bool) -> None:
    """Show the fields of a schema: name, type, length, display name; * lookup field, - read-only."""
    from prep.schema import load_schema

    schema = load_schema(name)
    for field in schema.fields.values():
        mark = "-" if field.read_only else "*" if field.name in schema.lookup_fields else " "
        length = "" if field.length is None else field.length
        click.echo(
            f"{mark} {field.name:<32} {field.type:<10} {length:>6}  {field.display}".rstrip(), err=as_json
        )
    if as_json:
        content = {
            "name": schema.name,
            "fingerprint": schema.fingerprint,
            "lookup_fields": schema.lookup_fields,
            "fields": [asdict(field) for field in schema.fields.values()],
        }
        click.echo(json.dumps(content, ensure_ascii=False))


@command.command("check", context_settings=options.CONTEXT)
@click.argument("file", type=click.Path(path_type=Path))
@options.json_only
def check(file: Path, *, as_json: bool) -> None:
    """Check a schema file of your own; a mistake is named with its field and what is allowed."""
    from prep.schema import load_schema

    schema = load_schema(file)
    click.echo(f"{file}: {len(schema.fields)} fields, no mistakes", err=as_json)
    if as_json:
        click.echo(
            json.dumps({"name": schema.name, "fields": len(schema.fields), "fingerprint": schema.fingerprint})
        )
