"""`prep headers`."""

from typing import Any

import click

from prep.cli import options, session
from prep.cli.terminal import say, say_json


@click.command("headers", context_settings=options.CONTEXT)
@options.files
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
    from prep.headers import refuse_problems
    from prep.preparation import Plan, map_sources
    from prep.report import describe_mapping
    from prep.schema import load_schema
    from prep.sources import open_source

    session.begin()
    schema = load_schema(chosen["schema"])
    settings = make_settings(options.clean_options(chosen))
    sources = [open_source(path) for path in chosen["files"]]
    plan = Plan(sources, map_sources(sources, schema, settings), schema, settings)
    for source, mapping in zip(sources, plan.mappings, strict=True):
        columns = [column.facts for column in mapping.columns]
        doubt = "" if source.delimiter_confident else "; another delimiter reads it nearly as well"
        said = f"{source.path}: {len(source.columns)} columns, delimiter {source.delimiter!r}{doubt}"
        say(said, *describe_mapping(columns), err=chosen["as_json"])
    answer = {
        "sources": [
            {
                "path": source.path,
                "encoding": source.encoding,
                "delimiter": source.delimiter,
                "columns": list(source.columns),
            }
            for source in sources
        ],
        "mapping": [column.facts for column in plan.columns],
    }
    session.situation().facts.update(answer)
    refuse_problems(plan.problems)
    if chosen["as_json"]:
        say_json({**answer, "exit_code": session.EXIT_DONE})
