"""Tables of a run that are given to a new one by themselves: what their columns were is what they must be."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

from prep.config import CleanSettings
from prep.errors import HeaderError
from prep.folder import RunFolder
from prep.folding import fold_header, name_some
from prep.headers import How, add_maps, split_maps
from prep.manifest import Manifest
from prep.model import DateOrder, DecimalMark
from prep.plan import Plan, map_sources
from prep.retry_mapping import field_of, heading, read_meanings
from prep.returned import own_places
from prep.schema import Schema
from prep.sources import Source
from prep.values.evidence import DECIMAL


def refuse_other_meaning(source: Source, schema: Schema, settings: CleanSettings) -> None:
    """Refuse a table in its run folder whose columns would become something else than they did in the run.

    What a person says of a column counts. Of two columns that are one field, and of one that is several
    fields, only `plan_again` knows what to do.

    Args:
        source: A table of prep's own, or any other file.
        schema: By which it is to be cleaned.
        settings: By which it is to be cleaned.

    Raises:
        HeaderError: It is so.
        SchemaError: The run's schema is not there any more.
        FolderError: The run is damaged.
    """
    path = Path(source.path)
    folder = _run_of(source)
    if folder is None:
        return
    manifest = folder.manifest()
    if schema.fingerprint == manifest.schema["fingerprint"]:  # whose path may count from another folder
        manifest = replace(manifest, schema={**manifest.schema, "origin": schema.origin})
    is_prepared = path == folder.duplicates or (
        manifest.tells_sent and path in {folder.failed, folder.warnings}
    )
    said = add_maps(settings.mapping, settings.maps, [source.columns])
    maps, _ = split_maps(said, [source.columns])
    plan = map_sources([heading(path, source.columns)], schema, replace(settings, maps=maps, mapping={}))
    is_said = {fold_header(header) for header in said}
    mapped = _mapped_otherwise(plan, manifest, is_prepared=is_prepared)
    others = [header for header in mapped if fold_header(header) not in is_said]
    others += _spelled_otherwise(plan, manifest, is_prepared=is_prepared)
    if others:
        say = "say what they are with --map, --dates or --decimal."
        is_tried_again = path not in {folder.duplicates, folder.warnings}
        retry = f"prep retry {folder.typed} reads them as the run did. Else {say}"
        raise HeaderError(
            f"{path}: columns that are read otherwise here than in their run: "
            f"{name_some([*dict.fromkeys(others)])}",
            code="other_meaning",
            hint=retry if is_tried_again else say.capitalize(),
            source=str(path),
            column=others[0],
        )


def sheets_before(sources: Iterable[Source]) -> frozenset[str]:
    """The sources of runs, tables of which are given, whose lines are the rows of a sheet.

    Raises:
        FolderError: A run is damaged.
    """
    folders = filter(None, map(_run_of, sources))
    return frozenset(chain.from_iterable(folder.manifest().sheets for folder in folders))


def _run_of(source: Source) -> RunFolder | None:
    """The run folder that a source lies in as a table of its rows; None for any other file."""
    path = Path(source.path)
    folder = RunFolder(path.parent)
    tables = {folder.rejected, folder.rejected_workbook, folder.duplicates, folder.failed, folder.warnings}
    is_run = path in tables and folder.manifest_file.exists() and folder.rows.exists()
    return folder if is_run and own_places(source.columns) else None


def _mapped_otherwise(plan: Plan, manifest: Manifest, *, is_prepared: bool) -> Iterator[str]:
    """The columns that are another field than in the run, or one of several that are the same field.

    Those that were prepared are called as their fields.
    """
    ((source, mapping),) = zip(plan.sources, plan.mappings, strict=True)
    meanings = read_meanings(manifest)
    meant = {name: name for name in source.columns} if is_prepared else meanings.agreed
    several = {} if is_prepared else meanings.by_source
    own = own_places(source.columns).values()
    filled = Counter(meant.get(column.header) for column in mapping.columns)
    for column in mapping.columns:
        if column.how is How.SET or str(column.position) in own:
            continue
        field = field_of(column)
        is_other = meant.get(column.header, field) != field or column.header in several
        if is_other or (field and filled[field] > 1):
            yield column.header


def _spelled_otherwise(plan: Plan, manifest: Manifest, *, is_prepared: bool) -> Iterator[str]:
    """The columns of dates or numbers that settings read otherwise than the run did.

    Where a column proved something they must say that; where the settings of the run said something they must
    say anything. Cells that were prepared have decimal points.
    """
    said, then = plan.settings, CleanSettings.from_json(manifest.settings)
    asking = replace(plan, settings=replace(said, dates=DateOrder.ISO, decimal=None))
    for column in plan.columns:
        setting = asking.surveyed_fields.get(field_of(column))
        if setting is None or column.how is How.SET:
            continue
        now, before = (known.decimal if setting == DECIMAL else known.dates for known in (said, then))
        proven = {
            known.value
            for known in manifest.conventions
            if (known.column, known.setting) == (column.header, setting) and known.value
        }
        if is_prepared:
            is_other = now is DecimalMark.COMMA
        elif proven:
            is_other = proven != {now}
        else:
            is_other = now in _UNSAID and before not in _UNSAID
        if is_other:
            yield column.header


_UNSAID: Final = frozenset({None, DateOrder.ISO})
