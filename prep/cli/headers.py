"""`prep headers`."""

import json
from typing import Any

import click

from prep.cli import options, session


@click.command("headers", context_settings=options.CONTEXT)
@options.files
@options.mapping
@options.json_only
def command(**chosen: Any) -> None:
    """Show to which field each column maps, and why.

    exact: a REST, SOAP or display name; folded: one of these but for case, spaces and punctuation;
    alias: another known name; map, set: as you said; suggested: looks alike, is not applied.

    \b
    Examples:
      prep headers leads.csv
      prep headers leads.csv --map "Work mail=email"
    """
    from prep.config import make_settings
    from prep.headers import refuse_problems
    from prep.preparation import Plan, map_sources
    from prep.report import describe_mapping
    from prep.schema import load_schema
    from prep.sources import open_source

    schema = load_schema(chosen["schema"])
    settings = make_settings(options.clean_options(chosen))
    sources = [open_source(path) for path in chosen["files"]]
    plan = Plan(sources, map_sources(sources, schema, settings), schema, settings)
    for source, mapping in zip(sources, plan.mappings, strict=True):
        click.echo(source.path, err=chosen["as_json"])
        columns = [column.facts for column in mapping.columns]
        click.echo("\n".join(describe_mapping(columns)), err=chosen["as_json"])
    answer = {
        "sources": [
            {
                "path": source.path,
                "encoding": source.encoding,
                "delimiter": source.delimiter,
                "columns": source.columns,
            }
            for source in sources
        ],
        "mapping": [column.facts for column in plan.columns],
    }
    session.remember(answer)
    refuse_problems(plan.problems)
    if chosen["as_json"]:
        click.echo(json.dumps({**answer, "exit_code": 0}, ensure_ascii=False))
