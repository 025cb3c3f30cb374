"""Failed rows, and rejected rows that a person corrected → the sources of a new run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

import polars as pl

from prep import durable
from prep.config import CleanOptions, CleanSettings, make_settings
from prep.corrections import LEFT_OUT, read_corrections
from prep.errors import HeaderError, SourceError
from prep.folder import RunFolder
from prep.folding import as_typed, name_some
from prep.formulas import unguard
from prep.headers import FULL_NAME, NAME_PARTS, Column, How, refuse_idle_maps, refuse_problems, split_maps
from prep.intake import reopen
from prep.manifest import Manifest
from prep.model import FIND_OUT, IDENTITY, LINE, ROW, SOURCE, Fate, Unknown
from prep.people import AS_WRITTEN, Table
from prep.plan import Plan, columns_of_all, make_plan, map_sources, occurrences
from prep.returned import RAW, REASONS, identify, own_places, own_rows, without_guards
from prep.schema_file import load_schema
from prep.sources import Batch, Source, open_source
from prep.sources.columnar import TableSource


@dataclass(frozen=True)
class Returned:
    """A table of prep's own as it came back.

    Attributes:
        path: Where it is.
        columns: The sources' columns, as headers.
        rows: Cells named by position, then `_source`, `_row`, `_line` and, if the table has them, `_reasons`
            and `_raw`.
        is_sent: Whether the cells are values as sent.
    """

    path: Path
    columns: tuple[str, ...]
    rows: pl.DataFrame
    is_sent: bool = False

    @property
    def names(self) -> list[str]:
        """What the columns of `rows` are called."""
        return [str(place) for place in range(len(self.columns))]


def read_returned(path: Path) -> Returned:
    """Read `rejected.csv`, `rejected.xlsx` or `failed.csv`, whatever a spreadsheet made of it.

    Raises:
        SourceError: It cannot be read, or a row does not say which one it is.
    """
    if path.suffix == ".xlsx":
        return _read_workbook(path)
    source = without_guards(_open_table(path))
    own = own_places(source.columns)
    if not own:
        raise _not_ours(path)
    places = [str(place) for place, name in enumerate(source.columns) if str(place) not in own.values()]
    frames = [_kept(own_rows(source, _without_blank_lines(batch)), places, own) for batch in source.read()]
    return Returned(path, tuple(source.columns[int(place)] for place in places), pl.concat(frames))


def _without_blank_lines(batch: Batch) -> Batch:
    """The records of a batch but for those that hold delimiters only, as spreadsheets write below a table."""
    is_filled = pl.any_horizontal(pl.exclude(ROW, LINE).is_not_null())
    return replace(batch, cells=batch.cells.filter(is_filled))


def _open_table(path: Path) -> Source:
    try:
        return open_source(path, AS_WRITTEN)
    except SourceError as error:
        if "--" not in error.hint:
            raise
        raise SourceError(
            error.message,
            code=error.code,
            hint="Save it as CSV in UTF-8 under the same name, its header in line 1.",
            source=error.source,
            row=error.row,
        ) from error


def _kept(cells: pl.DataFrame, places: Sequence[str], own: Mapping[str, str]) -> pl.DataFrame:
    renamed = [pl.col(place).alias(str(index)) for index, place in enumerate(places)]
    told = [
        (pl.col(own[name]) if name in own else pl.lit(None, pl.String)).alias(name) for name in (REASONS, RAW)
    ]
    return cells.select(*renamed, *IDENTITY, *told)


def _read_workbook(path: Path) -> Returned:
    """Read the first sheet as text.

    Raises:
        SourceError: As `read_returned`.
    """
    try:
        sheet = pl.read_excel(path.absolute(), engine="calamine", has_header=False, infer_schema_length=0)
    except Exception as error:
        raise SourceError(
            f"{path}: cannot be read as a workbook",
            code="unreadable_source",
            hint="Save it as .xlsx, or correct rejected.csv instead.",
            source=str(path),
        ) from error
    names = [name or "" for name in sheet.select(unguard(pl.all())).row(0)]
    own = own_places(names)
    if not own:
        raise _not_ours(path)
    cells = sheet.slice(1).select(
        unguard(pl.col(column)).replace("", None).alias(str(place))
        for place, column in enumerate(sheet.columns)
    )
    cells = cells.filter(~pl.all_horizontal(pl.all().is_null()))
    places = [str(place) for place, name in enumerate(names) if str(place) not in own.values()]
    numbered = cells.with_columns(
        pl.col(own[SOURCE]).alias(SOURCE),
        pl.col(own[ROW]).cast(pl.UInt32, strict=False).alias(ROW),
        pl.col(own[LINE]).cast(pl.UInt32, strict=False).alias(LINE),
    )
    if numbered.select(pl.any_horizontal(pl.col(SOURCE, ROW).is_null().any())).item():
        raise SourceError(
            f"{path}: a row does not say which one it is",
            code="no_identity",
            hint=f"Leave the columns {SOURCE}, {ROW} and {LINE} as prep wrote them, or delete the row.",
            source=str(path),
        )
    columns = tuple(names[int(place)] for place in places)
    return Returned(path, columns, _kept(numbered, places, own))


def _not_ours(path: Path) -> SourceError:
    return SourceError(
        f"{path}: lacks the columns {SOURCE}, {ROW} and {LINE}",
        code="no_identity",
        hint="prep wrote them to know each row again; restore them.",
        source=str(path),
    )


def correct(table: Returned, changes: pl.DataFrame, path: Path) -> Returned:
    """A table with what was corrected on the page of `prep review`, as if it had been edited.

    Args:
        table: The table as it is now.
        changes: Corrections (`corrections.CHANGES`); those of other tables and of lines that are gone do
            not count.
        path: Where the table is.

    Raises:
        SourceError: A cell was corrected on the page, and since then in the table as well.
    """
    changes = changes.filter(pl.col("table") == path.name).drop("table")
    left_out = changes.filter((pl.col("place") == LEFT_OUT) & pl.col("value").is_not_null())
    rows = table.rows.join(left_out, left_on=[SOURCE, ROW], right_on=["source", "row"], how="anti")
    contradicted = 0
    for (place,), cells in changes.filter(pl.col("place") != LEFT_OUT).group_by("place"):
        name = str(place)
        known = rows.select(SOURCE, ROW, name).join(
            cells.select(
                pl.col("source").alias(SOURCE), pl.col("row").alias(ROW), "base", "value", found=True
            ),
            on=[SOURCE, ROW],
            how="left",
            maintain_order="left",
        )
        agrees = _plain(name).eq_missing(_plain("base")) | _plain(name).eq_missing(_plain("value"))
        contradicted += known.filter(pl.col("found") & ~agrees).height
        rows = rows.with_columns(
            known.select(pl.when("found").then("value").otherwise(name)).to_series().alias(name)
        )
    if contradicted:
        raise SourceError(
            f"{path}: {contradicted} cells were changed in it that were corrected in prep review before",
            code="two_corrections",
            hint="Restore the table, or delete review.sqlite, which holds what was corrected in prep review.",
            source=str(path),
        )
    return replace(table, rows=rows)


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


def _map_again(manifest: Manifest, path: Path, columns: Sequence[str]) -> Plan:
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


def find_tables(
    folder: RunFolder, manifest: Manifest, *, everything: bool
) -> tuple[dict[str, Returned], list[str]]:
    """What a run has to try again: failed rows, and rejected rows that were changed, or all of them.

    What was corrected in `prep review` counts as if it had been corrected in the tables.

    Returns:
        Name of the source that the rows become → the rows; and sentences about what of them is left out.

    Raises:
        SourceError: A table came back damaged, or there is nothing to try again.
        HeaderError: Columns of a table were lost, or do not fit the schema.
    """
    tables = {}
    changes = read_corrections(folder.review)
    if (
        folder.failed.exists()
        and (failed := correct(read_returned(folder.failed), changes, folder.failed)).rows.height
    ):
        _refuse_strangers(folder.failed, failed, folder, Fate.FAILED)
        tables["failed.csv"] = name_as_in_sources(failed, folder.manifest())
    changed, notes = find_changed(folder, manifest, changes, everything=everything)
    if changed is not None:
        tables["rejected.csv"] = changed
    if not tables:
        raise SourceError(
            "; ".join([f"{folder.path}: no row failed, and no rejected row was changed", *notes]),
            code="nothing_to_retry",
            hint=f"Correct rows with prep review {folder.path}, or in {folder.rejected} or "
            f"{folder.rejected_workbook.name} and save it.",
            source=str(folder.path),
        )
    refuse_idle(manifest, tables.values())
    notes += [note for table in tables.values() for note in _tell_strangers(table, manifest)]
    united = {}
    for name, table in tables.items():
        columns = united_columns(table, manifest)
        refuse_header(table, columns, manifest)
        united[name] = unite(table, columns)
    return united, notes


def leave_out_retried(
    folder: RunFolder, manifest: Manifest, tables: Mapping[str, Returned]
) -> tuple[dict[str, Returned], list[str]]:
    """Leave rows out that an earlier retry has, with the same cells and settings; each is sent once.

    Rows that it rejected or suppressed, or that Marketo refused there too, are tried again.

    Returns:
        The tables that hold a row still, and a sentence about the rows that were left out, if any were.

    Raises:
        SourceError: No row is left.
    """
    left = dict(tables)
    for retry in _retries(folder):
        if _means_the_same(retry.manifest(), manifest):
            left = {name: _without(retry, name, table, manifest) for name, table in left.items()}
    found = {name: table for name, table in left.items() if table.rows.height}
    if not found:
        (*_, last) = _retries(folder)
        raise SourceError(
            f"{folder.path}: all rows to be tried again are in a retry already, such as {last.path}",
            code="already_retried",
            hint=f"prep status {last.path} tells how it went. Correct further rows to try these too.",
            source=str(folder.path),
        )
    left_out = sum(table.rows.height - left[name].rows.height for name, table in tables.items())
    return found, [f"rows that an earlier retry has, which are left out: {left_out:,}"] if left_out else []


def _means_the_same(retry: Manifest, manifest: Manifest) -> bool:
    """Whether values mean in a retry what they would mean now, whatever columns they stand in."""
    then, now = (
        replace(CleanSettings.from_json(known.settings), maps={}, reading=FIND_OUT)
        for known in (retry, manifest)
    )
    return then == now


def _without(retry: RunFolder, name: str, table: Returned, manifest: Manifest) -> Returned:
    """A table without the rows that a retry has as they are in it, or that it had before it was purged.

    Rows are as they are by the values of their fields, whatever the columns are called; a field that one of
    the tables lacks is blank.
    """
    identity = [SOURCE, ROW]
    now, same, path = _values(table, manifest), _taken(retry), retry.spool / name
    alike = identity
    if not retry.manifest().is_purged:
        if not path.exists():
            return table
        then = _values(read_returned(path), retry.manifest())
        alike = sorted({*now.columns, *then.columns})
        now, then = (_widened(values, alike) for values in (now, then))
        same = then.join(same, on=identity, how="semi")
    places = now.with_row_index(_PLACE).join(same, on=alike, how="anti", nulls_equal=True)[_PLACE]
    return replace(table, rows=table.rows[places.sort()])


_PLACE: Final = "_place"


def _values(table: Returned, manifest: Manifest) -> pl.DataFrame:
    """`_source`, `_row` and the cells of a united table that fill fields, named by these."""
    (mapping,) = _map_again(manifest, table.path, table.columns).mappings
    cells = [_plain(str(place)).alias(field) for place, field in mapping.fields.items()]
    return table.rows.select(SOURCE, ROW, *cells)


def _widened(values: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    return values.select(
        name if name in values.columns else pl.lit(None, pl.String).alias(name) for name in columns
    )


_NOT_TAKEN: Final = [Fate.REJECTED.value, Fate.SUPPRESSED.value, Fate.FAILED.value]


def _retries(folder: RunFolder) -> Iterator[RunFolder]:
    """The retries of a run that are still there, the first one first."""
    manifest = folder.manifest()
    for name in manifest.retries:
        retry = RunFolder(folder.path.parent / name)
        if retry.manifest_file.exists() and retry.manifest().parent_run_id == manifest.run_id:
            yield retry


def _taken(retry: RunFolder) -> pl.DataFrame:
    """`_source` and `_row` of rows that a retry, or one of its own, sends, and those that lost to these."""
    if retry.manifest().cleaned is None:
        rows = [read_returned(path).rows.select(SOURCE, ROW) for path in sorted(retry.spool.glob("*.csv"))]
    else:
        rows = [_rows_with(retry, ~pl.col("fate").is_in(_NOT_TAKEN))]
    return pl.concat([*rows, *map(_taken, _retries(retry))])


def _rows_with(folder: RunFolder, fates: pl.Expr) -> pl.DataFrame:
    """`_source` and `_row` of the rows of a run with such fates."""
    identity = [pl.col("source").alias(SOURCE), pl.col("row").alias(ROW)]
    return folder.query_rows(lambda rows: rows.filter(fates).select(identity))


def find_strangers(table: Returned, manifest: Manifest) -> list[str]:
    """What the columns of `rows` are called that a person added and that are no field of the schema."""
    known = columns_of_all(record.columns for record in manifest.sources)
    return [
        str(column.position)
        for column in _map_again(manifest, table.path, table.columns).columns
        if column.how is How.DROPPED and occurrences(table.columns)[column.position] not in known
    ]


def _tell_strangers(table: Returned, manifest: Manifest) -> Iterator[str]:
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
    plan = _map_again(manifest, table.path, [header for header, _ in united])
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


def find_changed(
    folder: RunFolder, manifest: Manifest, changes: pl.DataFrame, *, everything: bool
) -> tuple[Returned | None, list[str]]:
    """The rejected rows that a person changed: in `prep review` or `rejected.csv`, or in `rejected.xlsx`.

    Cells compare with those of the source, line breaks of any kind alike. Reasons and texts of rows that
    could not be split are the source's, whatever the table says.

    Args:
        folder: The parent run.
        manifest: Its manifest.
        changes: What was corrected in `prep review` (`corrections.CHANGES`).
        everything: Take the unchanged ones too.

    Returns:
        The rows, or None if there are none; and a sentence for each table about rows of which only the text
        was changed.

    Raises:
        SourceError: A table cannot be read, names a row that was not rejected, or both were changed.
    """
    changed: list[Returned] = []
    unchanged: list[Returned] = []
    notes: list[str] = []
    tables = [
        (path, correct(table, changes, path))
        for path in (folder.rejected, folder.rejected_workbook)
        if path.exists() and (table := read_returned(path)).rows.height
    ]
    for path, table in tables:
        rows = _refuse_strangers(path, table, folder, Fate.REJECTED).join(
            _as_written(folder, manifest, table), on=[SOURCE, ROW], how="left", maintain_order="left"
        )
        strangers = find_strangers(table, manifest)
        compared = [name for name in table.names if name not in strangers]
        is_changed = pl.any_horizontal(pl.lit(False), *map(_differs, compared))
        notes += _tell_spoiled(table, rows, compared)
        if edited := rows.filter(~is_changed & _differs(RAW)).height:
            notes.append(
                f"rows of {path.name} changed in {RAW} alone, which is not read (fill their other cells "
                f"instead): {edited:,}"
            )
        told = [pl.col(f"{name}_written").alias(name) for name in (REASONS, RAW)]
        known = replace(table, rows=rows.select(*table.names, *IDENTITY, *told, is_changed.alias(_CHANGED)))
        (changed if known.rows[_CHANGED].any() else unchanged).append(known)
    if len(changed) > 1:
        reviewed = " (or its rows in prep review)" if changes.height else ""
        raise SourceError(
            f"{folder.path}: both rejected.csv{reviewed} and rejected.xlsx were changed",
            code="two_corrections",
            hint="Delete the one that is not to be used.",
            source=str(folder.path),
        )
    found = [*changed, *unchanged] if everything else changed
    if not found:
        return None, notes
    kept = found[0].rows if everything else found[0].rows.filter(_CHANGED)
    return replace(found[0], rows=kept.drop(_CHANGED)), notes


_CHANGED: Final = "_changed"


def _differs(name: str) -> pl.Expr:
    return _plain(name).ne_missing(_plain(f"{name}_written"))


def _tell_spoiled(table: Returned, rows: pl.DataFrame, names: Sequence[str]) -> Iterator[str]:
    """Tell of cells that differ from the source's as if a spreadsheet had taken them for numbers."""
    spoiled = [
        f"{table.columns[int(name)]!r} ({count:,})"
        for name in names
        if (count := rows.filter(_is_spoiled(name)).height)
    ]
    if spoiled:
        yield (
            f"cells of {table.path.name} from which a spreadsheet may have taken leading zeros, + or digits: "
            f"{', '.join(spoiled)}"
        )


def _is_spoiled(name: str) -> pl.Expr:
    cells, written = pl.col(name), pl.col(f"{name}_written")
    is_shorter = (cells != written) & (cells == written.str.replace(r"^[+0]+(\d+)$", "$1"))
    is_rounded = cells.str.contains(r"^\d([.,]\d+)?[eE]\+\d+$") & written.str.contains(r"^\+?\d+$")
    return is_shorter | is_rounded


def _plain(name: str) -> pl.Expr:
    return pl.col(name).str.replace_all(r"\r\n?", "\n")


def _refuse_strangers(path: Path, table: Returned, folder: RunFolder, fate: Fate) -> pl.DataFrame:
    """The rows of a table, all of which have this fate in the run, each once."""
    known = _rows_with(folder, pl.col("fate") == fate)
    strangers = table.rows.join(known, on=[SOURCE, ROW], how="anti").height
    repeated = table.rows.height - table.rows.select(SOURCE, ROW).n_unique()
    if strangers or repeated:
        raise SourceError(
            f"{path}: rows that were not {fate} in this run: {strangers}; repeated rows: {repeated}",
            code="no_identity",
            hint=f"Leave {SOURCE}, {ROW} and {LINE} as prep wrote them, and delete lines added since.",
            source=str(path),
        )
    return table.rows


def _absent(path: str) -> SourceError:
    here = "" if Path(path).is_absolute() else str(Path.cwd())
    elsewhere = "give the command in the folder where the run was made, or " if here else ""
    return SourceError(
        f"{path}: is not in {here}" if here else f"{path}: is gone",
        code="no_such_file",
        hint=f"prep compares corrected rows with their source: {elsewhere}put it back where it was.",
        source=path,
    )


def _as_written(folder: RunFolder, manifest: Manifest, table: Returned) -> pl.DataFrame:
    """What the sources have for the rows of a table: `0_written` …, `_reasons_written`, `_raw_written`.

    The last two are of rows that could not be split, and null for others.
    """
    headers = occurrences(table.columns)
    frames = []
    for record in manifest.sources:
        if not folder.holds(record):
            raise _absent(record.path)
        source = reopen(folder, record)
        places = {column: str(place) for place, column in enumerate(occurrences(source.columns))}
        shown = [
            (pl.col(places[column]) if column in places else pl.lit(None, pl.String)).alias(
                f"{index}_written"
            )
            for index, column in enumerate(headers)
        ]
        blank = [pl.lit(None, pl.String).alias(f"{index}_written") for index in range(len(headers))]
        for batch in source.read(record.lookup_position):
            known = identify(source, batch)
            no_text = [pl.lit(None, pl.String).alias(f"{name}_written") for name in (REASONS, RAW)]
            text = [pl.col("reason").alias(f"{REASONS}_written"), pl.col("raw").alias(f"{RAW}_written")]
            frames += [
                known.cells.select(SOURCE, ROW, *shown, *no_text).join(
                    table.rows.select(SOURCE, ROW), on=[SOURCE, ROW], how="semi"
                ),
                known.rejected.select(SOURCE, ROW, *blank, *text),
            ]
    return pl.concat(frames)


def spool(folder: RunFolder, name: str, table: Returned, delimiter: str) -> Path:
    """Write rows into a run folder, as a source of that run; `delimiter` is what divides their cells."""
    durable.make_folder(folder.spool)
    path = folder.spool / name
    with durable.replacing(path) as file:
        own = [*IDENTITY, REASONS, RAW]
        Table(file, [*table.columns, *own], delimiter=delimiter).append(table.rows.select(*table.names, *own))
    return path


def next_folder(parent: Path) -> Path:
    """Where the next retry of `leads.prep` goes: `leads-retry1.prep` beside it, then `leads-retry2.prep`."""
    number = 1
    while (path := parent.with_name(f"{parent.name.removesuffix('.prep')}-retry{number}.prep")).exists():
        number += 1
    return path
