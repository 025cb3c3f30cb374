"""What the columns of returned tables become: what they did in their run, unless a person says otherwise."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import polars as pl

from prep.config import CleanOptions, CleanSettings, make_settings
from prep.errors import HeaderError
from prep.folding import as_typed, name_some
from prep.headers import FULL_NAME, NAME_PARTS, Column, How, refuse_idle_maps, refuse_problems, split_maps
from prep.manifest import Manifest
from prep.model import FIND_OUT, Unknown
from prep.plan import Plan, columns_of_all, make_plan, map_sources, occurrences
from prep.returned_tables import Returned
from prep.schema_file import load_schema
from prep.sources import Source
from prep.sources.columnar import TableSource


def name_as_in_sources(table: Returned, manifest: Manifest) -> Returned:
    """A table of failed rows with the sources' headers, also if it holds values as sent.

    Args:
        table: The table of failed rows.
        manifest: The run's, its columns mapped as they were when it was made.
    """
    if not manifest.tells_sent:
        return table
    headers = {field: header for header, field in reversed(_meanings(manifest).items())}
    columns = tuple(headers.get(name, name) for name in table.columns)
    return replace(table, columns=columns, is_sent=True)


def _used_columns(manifest: Manifest) -> list[Column]:
    columns = [Column(0, known["source"], known["field"], How(known["how"])) for known in manifest.mapping]
    return [column for column in columns if column.is_used]


def _meanings(manifest: Manifest) -> dict[str, str]:
    """Header → field, of the columns that fill fields, but for headers that differ in that by source."""
    fields: dict[str, set[str]] = {}
    for column in _used_columns(manifest):
        if column.how is not How.SET:
            fields.setdefault(column.header, set()).add(column.field or "")
    return {header: field for header, (field, *others) in fields.items() if not others}


def plan_again(manifest: Manifest, sources: Sequence[Source]) -> Plan:
    """The plan by which rows of a run are tried again: its schema and settings, for tables of its rows.

    Raises:
        InputError: The schema or the settings do not fit the tables.
    """
    settings = _settings_again(manifest, [source.columns for source in sources])
    plan = make_plan(sources, load_schema(manifest.schema["origin"]), settings)
    return replace(plan, conventions=manifest.conventions)


def _settings_again(manifest: Manifest, tables: Sequence[Sequence[str]]) -> CleanSettings:
    """A run's settings for tables of its rows."""
    settings = CleanSettings.from_json(manifest.settings)
    maps, _ = split_maps(settings.maps, tables)
    if manifest.tells_sent:  # without the other columns of a source, which its aliases may need
        headers = set().union(*tables)
        maps |= {header: field for header, field in _meanings(manifest).items() if header in headers}
    return replace(settings, maps=maps, reading=FIND_OUT)


def map_again(manifest: Manifest, path: Path, columns: Sequence[str]) -> Plan:
    """The columns of a table as they map where those that are no field are left out."""
    settings = replace(_settings_again(manifest, [columns]), unknown=Unknown.DROP)
    table = TableSource(str(path), FIND_OUT, tuple(columns), pieces=lambda: iter(()))
    return map_sources([table], load_schema(manifest.schema["origin"]), settings)


def reinterpret(manifest: Manifest, meaning: Mapping[str, str]) -> Manifest:
    """A run's manifest as if its settings had said otherwise what cells mean.

    Args:
        manifest: The run's. What its columns proved goes before the settings.
        meaning: Values of `dates`, `timezone` and `decimal`.

    Raises:
        SettingsError: One of them is not what it may be.
    """
    settings = make_settings(cast("CleanOptions", meaning)).to_json()
    return replace(manifest, settings={**manifest.settings, **{name: settings[name] for name in meaning}})


def remap(manifest: Manifest, maps: Mapping[str, str]) -> Manifest:
    """A run's manifest as if columns of its sources had been mapped otherwise.

    Args:
        manifest: The run's.
        maps: Header → field, an empty field for a column to be left out. Columns that no source has may be
            of a table, to which a person added them: `refuse_idle` tells.

    Raises:
        SettingsError: A field of `maps` is not there.
        HeaderError: The columns of a source do not fit the schema any more, such as two for one field.
    """
    if not maps:
        return manifest
    settings = CleanSettings.from_json(manifest.settings)
    of_sources, added = split_maps(maps, [record.columns for record in manifest.sources])
    settings = replace(settings, maps={**settings.maps, **of_sources})
    headings = {
        record.columns: TableSource(record.path, record.reading, record.columns, pieces=lambda: iter(()))
        for record in reversed(manifest.sources)
    }  # of sources with the same columns the first one speaks for all
    plan = map_sources([*reversed(headings.values())], load_schema(manifest.schema["origin"]), settings)
    refuse_problems(plan.problems)
    mapped = {(column.header, column.field) for column in plan.columns if column.is_used}
    return replace(
        manifest,
        settings=replace(plan.settings, maps={**plan.settings.maps, **added}).to_json(),
        mapping=tuple(column.facts for column in plan.columns),
        conventions=tuple(known for known in manifest.conventions if (known.column, known.field) in mapped),
    )


def refuse_idle(manifest: Manifest, tables: Iterable[Returned]) -> None:
    """Refuse a mapping of a column that neither the sources of a run nor its tables have.

    Raises:
        SettingsError: There is one, or its field is not there.
    """
    maps = CleanSettings.from_json(manifest.settings).maps
    columns = [*(record.columns for record in manifest.sources), *(table.columns for table in tables)]
    refuse_idle_maps(maps, columns)


def find_strangers(table: Returned, manifest: Manifest) -> list[str]:
    """What the columns of `rows` are called that a person added and that are no field of the schema."""
    known = columns_of_all(record.columns for record in manifest.sources)
    return [
        str(column.position)
        for column in map_again(manifest, table.path, table.columns).columns
        if column.how is How.DROPPED and occurrences(table.columns)[column.position] not in known
    ]


def tell_strangers(table: Returned, manifest: Manifest) -> Iterator[str]:
    """A sentence about the columns that `find_strangers` finds, if there are any."""
    if strangers := find_strangers(table, manifest):
        headers = [table.columns[int(place)] for place in strangers]
        yield f"columns of {table.path.name} that are no fields, which are left out: {name_some(headers)}"


def refuse_header(table: Returned, united: "United", manifest: Manifest) -> None:
    """Refuse a table that a person took columns from, or one whose columns do not fit the schema any more.

    Every column of the sources that fills a field must be there, even where another one fills the same; of
    values as sent every field.

    Args:
        table: The table.
        united: The columns that it is tried again with.
        manifest: The run's.

    Raises:
        HeaderError: It is so.
    """
    plan = map_again(manifest, table.path, [header for header, _ in united])
    lost = {
        column.header: column.field if table.is_sent else column.header
        for column in _used_columns(manifest)
        if not set(_parts(column.field)).intersection(manifest.results.fields) <= set(plan.judged)
        or not (table.is_sent or column.how is How.SET or column.header in table.columns)
    }
    if lost:
        header = next(iter(lost))
        raise HeaderError(
            f"{table.path}: lacks columns that it had: {name_some([str(name) for name in lost.values()])}",
            code="lost_columns",
            hint="Put them back under their names, or leave each out for good: "
            f'prep retry {table.path.parent} --map "{as_typed(header)}=".',
            source=str(table.path),
            column=lost[header],
        )
    problems = plan.problems[str(table.path)]
    if problems:
        first = problems[0]
        raise HeaderError(
            f"{table.path}: {'; '.join(problem.text for problem in problems)}",
            code=first.reason,
            hint="Delete the columns that you added, and give the others the names that they had.",
            source=str(table.path),
            column=first.column.header if first.column else None,
        )


def _parts(field: str | None) -> tuple[str | None, ...]:
    return NAME_PARTS if field == FULL_NAME else (field,)


United = tuple[tuple[str, tuple[str, ...]], ...]
"""The columns of a table as it is tried again: the header, and the places whose cells become it."""


def united_columns(table: Returned, manifest: Manifest) -> United:
    """The columns that a table is tried again with.

    Columns that are one field become one: two sources may call it by two names, and a row fills only one.
    Those that `find_strangers` finds are left out.
    """
    fields = _meanings(manifest)
    strangers = find_strangers(table, manifest)
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for place, header in zip(table.names, table.columns, strict=True):
        if place in strangers:
            continue
        field = fields.get(header, place)
        kept, places = found.get(field, (header, ()))
        both = (
            table.rows.filter(pl.coalesce(places).is_not_null() & pl.col(place).is_not_null())
            if places
            else None
        )
        if both is None or both.is_empty():
            found[field] = (kept, (*places, place))
        else:
            found[place] = (header, (place,))
    return tuple(found.values())


def unite(table: Returned, columns: United) -> Returned:
    """A table with the columns that it is tried again with."""
    cells = [pl.coalesce(places).alias(str(index)) for index, (_, places) in enumerate(columns)]
    rows = table.rows.select(*cells, pl.exclude(table.names))
    return replace(table, columns=tuple(header for header, _ in columns), rows=rows)
