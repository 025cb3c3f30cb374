"""`prep schema pull` and `prep schema diff`: what the instance itself says of its fields."""

import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from prep.cli import options, session
from prep.cli.ending import BadValue, Declined
from prep.cli.terminal import is_terminal, say, say_json
from prep.errors import SchemaError
from prep.folding import printable, quoted
from prep.model import SANDBOX

if TYPE_CHECKING:
    from prep.differences import Differences
    from prep.schema import Field, Schema

INSTANCE: Final = "instance"
"""What `diff` calls the live instance."""

_EXIT_DIFFERENT: Final = 3


def _schema_file(_: click.Context, parameter: click.Parameter, path: Path) -> Path:
    if path.suffix != ".toml":
        raise BadValue(f"{parameter.opts[0]} {path} does not end with .toml", "Schema files do.")
    return path


@click.command("pull", context_settings=options.CONTEXT)
@click.option(
    "-o",
    "file",
    required=True,
    type=options.PATH,
    callback=_schema_file,
    metavar="FILE",
    help="Schema file to write.",
)
@click.option("--force", is_flag=True, help="Replace FILE although it is there.")
@options.into
@options.target
@options.json_only
def pull(
    *, file: Path, force: bool, object_name: str, sandbox: bool, allow_host: str | None, as_json: bool
) -> None:
    """Write what your instance says of its fields as a schema file.

    It extends lead: custom fields with type and length, standard fields that are otherwise in this instance,
    those that it lacks, and the fields that leads can be looked up by. Takes two API calls; needs the
    permission Read-Only Lead. With --object program-members it extends program-member and takes a third call.
    With --object customobjects/NAME it holds all fields and the object's dedupe fields, takes one call and
    needs Read-Only Custom Object.

    Keep your own rules (required, aliases, allowed, pattern) in a second file that begins with
    extends = "./FILE": pulling again then takes nothing from you. A file that says the same already is left
    as it is; another one is replaced after a question, or with --force.

    \b
    Examples:
      prep schema pull -o instance.toml
      prep run leads.csv --schema instance.toml
      prep schema pull --object customobjects/car_c -o car_c.toml
    """
    from prep import durable
    from prep.differences import FACTS, compare
    from prep.instance import ask_instance, base_of, render_schema, schema_of
    from prep.objects import parse_object

    of = parse_object(object_name)
    base = base_of(of)
    with session.visit(sandbox=sandbox, allow_host=allow_host) as client:
        instance = ask_instance(client, SANDBOX if sandbox else None, of)
    schema = schema_of(instance, base)
    differences = compare(base or schema, schema, FACTS)
    is_new = _needs_writing(file, render_schema(instance, base), sandbox=sandbox, force=force)
    if is_new:
        text = render_schema(instance, base, datetime.now(UTC))
        durable.write(Path(os.path.realpath(file)), text.encode(), mode=durable.SHARED_MODE)
    say(
        f"{file}: {'' if is_new else 'says already what there is: '}{len(schema.fields)} fields of "
        f"{instance.host}{f'; compared with {base.name} {differences.summary}' if base else ''}",
        *(f"  {name}: {remark}" for name, remark in instance.remarks.items()),
        err=as_json,
    )
    if as_json:
        say_json(
            {
                "file": str(file),
                "written": is_new,
                "instance": instance.host,
                "object": object_name,
                "fields": len(schema.fields),
                "fingerprint": schema.fingerprint,
                **asdict(differences),
                "remarks": dict(instance.remarks),
            }
        )


def _needs_writing(file: Path, wanted: str, *, sandbox: bool, force: bool) -> bool:
    """Whether a file is to be written that says something else, comments aside, or is not there.

    Raises:
        SchemaError: It may not be replaced.
        Declined: The answer was no.
    """
    try:
        known = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return True
    except (ValueError, RecursionError):
        known = {}
    if known == tomllib.loads(wanted):
        return False
    if force:
        return True
    if not is_terminal(sys.stdin, sys.stdout, sys.stderr):
        where = " --sandbox" if sandbox else ""
        raise SchemaError(
            f"{file}: is there already, and says something else",
            code="file_exists",
            hint=f"prep schema diff {quoted(file)} {INSTANCE}{where} shows what; --force replaces it.",
            source=str(file),
        )
    if not click.confirm(
        printable(f"{file} is there already and says something else. Replace it?"), err=True
    ):
        raise Declined("Nothing was written")
    return True


@click.command("diff", context_settings=options.CONTEXT)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@options.target
@options.json_only
def diff(before: str, after: str, *, sandbox: bool, allow_host: str | None, as_json: bool) -> int:
    """Compare two schemas: names, files, or the word instance for the instance that the settings name.

    Lists fields that B has and A has not (+), that A has and B has not (-), and what B says otherwise (~).
    With instance only its facts are compared: type, length, read_only, lookup, soap and display; else also
    the rules, those over several fields too. A schema of program members or of a custom object is compared
    with what the instance has of these. Ends with 0 if both say the same, with 3 if not.

    \b
    Examples:
      prep schema diff mine.toml instance
      prep schema diff lead mine.toml --json | jq -r '.added[]'
    """
    from prep.differences import EVERYTHING, FACTS, compare
    from prep.object_keys import object_of
    from prep.objects import LEADS
    from prep.schema_file import load_schema

    files = {name: load_schema(name) for name in (before, after) if name != INSTANCE}
    of = next((object_of(known) for known in files.values()), LEADS)
    with ExitStack() as stack:

        def load(name: str) -> "Schema":
            from prep.instance import ask_instance, schema_of

            if name != INSTANCE:
                return files[name]
            client = stack.enter_context(session.visit(sandbox=sandbox, allow_host=allow_host))
            return schema_of(ask_instance(client, SANDBOX if sandbox else None, of))

        schemas = load(before), load(after)
    differences = compare(*schemas, FACTS if INSTANCE in {before, after} else EVERYTHING)
    say(*_lines(differences, *schemas), f"{before} and {after}: {differences.summary}", err=as_json)
    code = _EXIT_DIFFERENT if differences else 0
    if as_json:
        say_json({"before": before, "after": after, **asdict(differences), "exit_code": code})
    return code


def _lines(found: "Differences", before: "Schema", after: "Schema") -> Iterator[str]:
    for name in found.added:
        yield f"+ {outline(after.fields[name])}"
    for name in found.removed:
        yield f"- {outline(before.fields[name])}"
    for change in found.changed:
        yield f"~ {change.field:<32} {change.key} {_word(change.before)} → {_word(change.after)}"
    for rule in found.rules:
        yield from (f"{mark} rule {said}" for mark, said in (("-", rule.before), ("+", rule.after)) if said)


def outline(field: "Field") -> str:
    """One line for a field: name, type, length, display name."""
    length = "" if field.length is None else field.length
    return f"{field.name:<32} {field.type:<10} {length:>6}  {field.display}".rstrip()


def _word(value: Any) -> str:
    """A value as schema files spell it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return "none" if value in (None, "") else str(value)
