"""What the columns of returned tables become: what they did in their run, unless a person says otherwise."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from prep.config import CleanOptions, CleanSettings, make_settings
from prep.conventions import settle_by, survey
from prep.errors import HeaderError, SchemaError, SourceError
from prep.folder import RunFolder
from prep.folding import name_some
from prep.headers import (
    FULL_NAME,
    Column,
    How,
    add_maps,
    refuse_idle_maps,
    refuse_problems,
    split_maps,
)
from prep.intake import reopen
from prep.manifest import Manifest
from prep.model import FIND_OUT, SOURCE, KeepPolicy, Reading, Unknown
from prep.plan import Plan, columns_of_all, make_plan, map_sources, occurrences
from prep.returned import own_places
from prep.returned_tables import Returned
from prep.schema_file import load_schema
from prep.sources import Source
from prep.sources.columnar import TableSource
from prep.values.evidence import DECIMAL, is_typed


def refuse_changed_schema(manifest: Manifest) -> None:
    """Refuse a schema by which columns would become something else than in their run.

    Raises:
        SchemaError: It is so.
    """
    origin = manifest.schema["origin"]
    if load_schema(origin).fingerprint == manifest.schema["fingerprint"]:
        return
    headings = [heading(record.path, record.columns) for record in manifest.sources]
    now = {(column.header, column.field) for column in _plan_of(manifest, headings).columns if column.is_used}
    then = {(column.header, column.field) for column in used_columns(manifest)}
    if changed := sorted({header for header, _ in now ^ then}):
        raise SchemaError(
            f"{origin}: changed since the run was made, and so did what columns become: {name_some(changed)}",
            code="schema_changed",
            hint="Restore the schema as it was, or clean the sources again with the one that is there now.",
            column=changed[0],
        )


def name_as_in_sources(table: Returned, manifest: Manifest) -> Returned:
    """A table of failed rows with the sources' headers, also if it holds values as sent.

    Args:
        table: The table of failed rows.
        manifest: The run's, its columns mapped as they were when it was made.
    """
    if not manifest.tells_sent:
        return table
    agreed = read_meanings(manifest).agreed
    headers = {field: header for header, field in reversed([*agreed.items()]) if field}
    columns = tuple(headers.get(name, name) for name in table.columns)
    return replace(table, columns=columns, is_sent=True)


def used_columns(manifest: Manifest) -> list[Column]:
    """The columns of a run that fill fields, known by their headers: every position is 0."""
    columns = [Column(0, known["source"], known["field"], How(known["how"])) for known in manifest.mapping]
    return [column for column in columns if column.is_used]


@dataclass(frozen=True)
class Meanings:
    """What the columns of a run became: fields by header, an empty one where it was left out.

    Attributes:
        agreed: Of headers that mean the same in all sources which have them.
        by_source: Of the others, for each source.
    """

    agreed: Mapping[str, str]
    by_source: Mapping[str, Mapping[str, str]]


def read_meanings(manifest: Manifest) -> Meanings:
    """What each column became in the source that it came from.

    Raises:
        SchemaError: The run's schema is not there any more.
    """
    found = _read_fields(manifest)
    agreed = {header: next(iter(of.values())) for header, of in found.items() if len({*of.values()}) == 1}
    return Meanings(agreed, {header: of for header, of in found.items() if header not in agreed})


def _read_fields(manifest: Manifest) -> Mapping[str, Mapping[str, str]]:
    """Header → source → the field that the column fills there."""
    found = defaultdict[str, dict[str, str]](dict)
    sources = [heading(record.path, record.columns) for record in manifest.sources]
    for source, mapping in zip(sources, _plan_of(manifest, sources).mappings, strict=True):
        own = own_places(source.columns).values()
        for column in mapping.columns:
            if column.how is not How.SET and str(column.position) not in own:
                found[column.header][source.path] = field_of(column)
    return found


def map_alike(known: Manifest, manifest: Manifest, retry: Manifest) -> bool:
    """Whether the columns of a run's sources become the same now as they did in a retry.

    Args:
        known: The run's.
        manifest: The same with the columns mapped as they are now.
        retry: The retry's. Of columns that were united with others there, or left out, it says nothing: they
            count as mapped as in the run.
    """
    _, silent = split_maps(_settings(known).maps, [record.columns for record in retry.sources])
    settings = replace(_settings(manifest), maps={**silent, **_settings(retry).maps})
    return _read_fields(manifest) == _read_fields(replace(manifest, settings=settings.to_json()))


def _settings(manifest: Manifest) -> CleanSettings:
    return CleanSettings.from_json(manifest.settings)


def heading(path: str | Path, columns: Iterable[str], reading: Reading = FIND_OUT) -> TableSource:
    """A table of which nothing but the columns is known."""
    return TableSource(str(path), reading, tuple(columns), pieces=lambda: iter(()))


def _map(manifest: Manifest, sources: Sequence[Source], settings: CleanSettings) -> Plan:
    return map_sources(sources, load_schema(manifest.schema["origin"]), settings)


def plan_again(manifest: Manifest, sources: Sequence[Source]) -> Plan:
    """The plan by which rows of a run are tried again: its schema and settings, for tables of its rows.

    Raises:
        InputError: The schema or the settings do not fit the tables.
    """
    settings = _settings_again(manifest, [source.columns for source in sources])
    plan = make_plan(sources, load_schema(manifest.schema["origin"]), settings)
    return replace(plan, conventions=manifest.conventions, sheets_before=manifest.sheets)


def _settings_again(manifest: Manifest, tables: Sequence[Sequence[str]]) -> CleanSettings:
    """A run's settings for tables of its rows, whose columns become what they did whatever stands beside."""
    settings = _settings(manifest)
    maps, _ = split_maps(settings.maps, tables)
    settings = replace(settings, maps=maps, reading=FIND_OUT)
    agreed = read_meanings(manifest).agreed
    plan = _map(manifest, [heading(str(place), columns) for place, columns in enumerate(tables)], settings)
    otherwise = {
        column.header: agreed[column.header]
        for column in plan.columns
        if column.header in agreed
        and (agreed[column.header] != field_of(column) or column.how in {How.UNKNOWN, How.SUGGESTED})
    }
    return replace(settings, maps={**maps, **otherwise})


def field_of(column: Column) -> str:
    """The field that a column fills; empty where it is left out."""
    return (column.field or "") if column.is_used else ""


def map_again(manifest: Manifest, path: Path, columns: Sequence[str]) -> Plan:
    """The columns of a table as they map where those that are no field are left out."""
    settings = replace(_settings_again(manifest, [columns]), unknown=Unknown.DROP)
    return _map(manifest, [heading(path, columns)], settings)


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
    columns = [record.columns for record in manifest.sources]
    of_sources, added = split_maps(maps, columns)
    settings = _settings(manifest)
    settings = replace(settings, maps=add_maps(settings.maps, of_sources, columns))
    headings = {
        record.columns: heading(record.path, record.columns, record.reading)
        for record in reversed(manifest.sources)
    }  # of sources with the same columns the first one speaks for all
    plan = _map(manifest, [*reversed(headings.values())], settings)
    refuse_problems(plan.problems)
    mapped = {(column.header, column.field) for column in plan.columns if column.is_used}
    return replace(
        manifest,
        settings=replace(plan.settings, maps={**plan.settings.maps, **added}).to_json(),
        mapping=tuple(column.facts for column in plan.columns),
        conventions=tuple(known for known in manifest.conventions if (known.column, known.field) in mapped),
    )


def settle_again(folder: RunFolder, known: Manifest, manifest: Manifest) -> Manifest:
    """A manifest that tells of numbers by their type in columns that were no numbers of the run before.

    Tables for people hold them as text; only their sources, which are read again, tell them from it.

    Args:
        folder: The run.
        known: Its manifest.
        manifest: The same with the columns mapped otherwise.

    Raises:
        SourceError: Such a source is gone, or a column mixes numbers with text that is no plain one.
    """
    before, after = _read_fields(known), _read_fields(manifest)
    moved = {
        (source, field)
        for header, of in after.items()
        for source, field in of.items()
        if field and before[header][source] != field
    }
    typed = [record for record in manifest.sources if record.reading.delimiter is None]
    numbers = _plan_of(manifest, [heading(record.path, record.columns) for record in typed]).surveyed_fields
    wanted = {(source, field) for source, field in moved if numbers.get(field) == DECIMAL}
    sources = []
    for record in typed:
        if any(source == record.path for source, _ in wanted):
            if not folder.holds(record):
                raise SourceError(
                    f"{record.path}: is gone",
                    code="no_such_file",
                    hint="Only the source tells which cells of a column that is to become a number are "
                    "numbers already: put it back where it was.",
                    source=record.path,
                )
            sources.append(reopen(folder, record))
    plan = replace(_plan_of(manifest, sources), conventions=manifest.conventions)
    found = {
        column: evidence
        for column, evidence in survey(plan).items()
        if (column[0], column[1]) in wanted and is_typed(evidence)
    }
    return replace(manifest, conventions=settle_by(plan, found).conventions)


def _plan_of(manifest: Manifest, sources: Sequence[Source]) -> Plan:
    maps, _ = split_maps(_settings(manifest).maps, [source.columns for source in sources])
    return _map(manifest, sources, replace(_settings(manifest), maps=maps))


def refuse_idle(manifest: Manifest, tables: Iterable[Returned]) -> None:
    """Refuse a mapping of a column that neither the sources of a run nor its tables have.

    Raises:
        SettingsError: There is one, or its field is not there.
    """
    maps = _settings(manifest).maps
    columns = [*(record.columns for record in manifest.sources), *(table.columns for table in tables)]
    refuse_idle_maps(maps, columns)


def refuse_unmovable(table: Returned, known: Manifest, manifest: Manifest) -> None:
    """Refuse columns mapped otherwise whose cells in values as sent nobody can tell from others.

    Those of a field stay together, as far as they were sent at all.

    Args:
        table: The table, named as in the sources.
        known: The run's.
        manifest: The same with the columns mapped otherwise.

    Raises:
        HeaderError: There is one.
    """
    if not table.is_sent:
        return
    folder = RunFolder(table.path.parent)
    is_merged = known.settings["keep"] == KeepPolicy.MERGE and all(map(folder.holds, known.sources))
    before, after = _read_fields(known), _read_fields(manifest)
    becomes = defaultdict[str, set[str]](set)
    for header, of in before.items():
        for source, field in of.items():
            becomes[field].add(after[header][source])
    sources = {*table.rows[SOURCE]}
    if not sources <= {record.path for record in known.sources}:
        sources = {record.path for record in known.sources}
    for header, of in before.items():
        fields = {*of.values()}
        is_moved = any(
            after[header][source] != field for source, field in of.items() if field or source in sources
        )
        if is_moved and (len(fields) > 1 or fields & {"", FULL_NAME} or len(becomes[fields.pop()]) > 1):
            raise HeaderError(
                f"{table.path}: holds values as sent, where the cells of {header!r} cannot be told apart",
                code="values_as_sent",
                hint="Rows of it may be merged from several: add a column of the field to it, and leave out "
                "--map."
                if is_merged
                else f"Put the sources back where they were, delete the table and give prep reconcile "
                f"{folder.typed}, which writes it anew with their cells.",
                source=str(table.path),
                column=header,
            )


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
