"""`prep headers`."""

import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from prep.cli import arguments, options, session
from prep.cli.look import show
from prep.cli.terminal import say, say_json
from prep.errors import EXIT_DONE, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prep.headers import Column
    from prep.sources import Source


@click.command("headers", context_settings=options.CONTEXT)
@options.inputs
@options.mapping
@click.option(
    "--save",
    is_flag=True,
    help="Add the mapping to prep.toml, where later runs find it.",
)
@options.json_only
def command(**chosen: Any) -> None:
    """Show to which field each column maps, and why. Ends with 1 if the columns cannot be used as they are.

    \b
    exact      a REST, SOAP or display name
    folded     one of these but for case, spaces and punctuation
    alias      another known name
    map, set   as you said
    suggested  looks like this field; is not applied
    unknown    no field has this name
    dropped    is left out
    protected  decides who may be written to; is left out unless you name it

    \b
    Examples:
      prep headers leads.csv
      prep headers leads.csv --map "Work mail=email" --unknown drop
      prep headers leads.csv --map "Work mail=email" --save     later runs know it
      prep headers leads.csv --json | jq '.mapping[] | select(.field == null)'
    """
    from prep.config import make_settings
    from prep.folder import RunFolder
    from prep.intake import listed, take_in
    from prep.object_keys import choose_schema
    from prep.objects import parse_object
    from prep.plan import map_sources, refuse_headers
    from prep.report import describe_mapping, describe_source

    given = arguments.given(chosen)
    session.begin()
    settings = make_settings(arguments.clean_options(chosen))
    schema = choose_schema(chosen["schema"], parse_object(settings.object))
    with tempfile.TemporaryDirectory(prefix="prep-headers-") as temporary:
        sources = take_in(listed(given), settings.reading, RunFolder(temporary))
    plan = map_sources(sources, schema, settings)
    for source, mapping in zip(plan.sources, plan.mappings, strict=True):
        columns = [column.facts for column in mapping.columns]
        notes = [f"  note: {note}" for note in source.notes]
        show(describe_source(_facts(source)), *notes, *describe_mapping(columns), err=chosen["as_json"])
    answer: dict[str, Any] = {
        "sources": [_facts(source) for source in plan.sources],
        "mapping": [column.facts for column in plan.columns],
    }
    session.situation().facts.update(answer)
    refuse_headers(plan)
    if chosen["save"]:
        answer["saved"] = _save(plan.columns)
        added = [f"  {header!r} = {field!r}" for header, field in answer["saved"].items()]
        say(f"prep.toml: {len(added)} columns added to [map]", *added, err=chosen["as_json"])
    if chosen["as_json"]:
        say_json({**answer, "exit_code": EXIT_DONE})


def _save(columns: "Sequence[Column]") -> dict[str, str]:
    """Add the mapping of these columns to `prep.toml`; tell what it did not hold before.

    Raises:
        SettingsError: It says something else of a column, or so do two sources.
    """
    from prep import durable
    from prep.headers import add_mapping
    from prep.settings_file import SETTINGS_FILE, load_settings_file

    maps: dict[str, str] = {}
    for column in columns:
        if column.position < 0 or not column.header.strip():
            continue
        field = column.field if column.is_used and column.field else ""
        if maps.setdefault(column.header, field) != field:
            raise SettingsError(
                f"{column.header!r} is not the same field everywhere",
                code="mapping_exists",
                hint="Save the mapping of one file, and say --map for the other.",
                column=column.header,
            )
    known = load_settings_file().get("map", {})
    path = SETTINGS_FILE.resolve()
    content = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    if (after := add_mapping(content, maps)) != content:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        durable.write(path, after.encode(), mode=mode)
    return {header: field for header, field in maps.items() if header not in known}


def _facts(source: "Source") -> dict[str, Any]:
    return {
        "path": source.path,
        **asdict(source.reading),
        "columns": list(source.columns),
        "notes": list(source.notes),
    }
