"""`prep headers`."""

import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from prep.cli import options, session
from prep.cli.terminal import say, say_json

if TYPE_CHECKING:
    from prep.sources import Source


@click.command("headers", context_settings=options.CONTEXT)
@options.inputs
@options.mapping
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

    \b
    Examples:
      prep headers leads.csv
      prep headers leads.csv --map "Work mail=email" --unknown drop
      prep headers leads.csv --json | jq '.mapping[] | select(.field == null)'
    """
    from prep.config import make_settings
    from prep.folder import RunFolder
    from prep.headers import refuse_problems
    from prep.intake import listed, take_in
    from prep.preparation import Plan, map_sources
    from prep.report import describe_mapping, describe_source
    from prep.schema import load_schema

    given = options.given(chosen)
    session.begin()
    schema = load_schema(chosen["schema"])
    settings = make_settings(options.clean_options(chosen))
    with tempfile.TemporaryDirectory(prefix="prep-headers-") as temporary:
        sources = take_in(listed(given), settings.reading, RunFolder(temporary))
    plan = Plan(sources, map_sources(sources, schema, settings), schema, settings)
    for source, mapping in zip(sources, plan.mappings, strict=True):
        columns = [column.facts for column in mapping.columns]
        notes = [f"  note: {note}" for note in source.notes]
        say(describe_source(_facts(source)), *notes, *describe_mapping(columns), err=chosen["as_json"])
    answer = {
        "sources": [_facts(source) for source in sources],
        "mapping": [column.facts for column in plan.columns],
    }
    session.situation().facts.update(answer)
    refuse_problems(plan.problems)
    if chosen["as_json"]:
        say_json({**answer, "exit_code": session.EXIT_DONE})


def _facts(source: "Source") -> dict[str, Any]:
    return {
        "path": source.path,
        **asdict(source.reading),
        "columns": list(source.columns),
        "notes": list(source.notes),
    }
