"""Failed rows, and rejected rows that a person corrected → the sources of a new run."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Final

import polars as pl

from prep import durable
from prep.config import CleanSettings
from prep.corrections import LEFT_OUT, read_corrections
from prep.errors import SourceError
from prep.folder import RunFolder
from prep.intake import reopen
from prep.manifest import Manifest, SourceRecord
from prep.model import FIND_OUT, IDENTITY, LINE, ROW, SOURCE, Fate
from prep.outcome_tables import told_cells
from prep.people import Table
from prep.plan import occurrences
from prep.retry_mapping import (
    find_strangers,
    map_again,
    map_alike,
    name_as_in_sources,
    refuse_header,
    refuse_idle,
    refuse_unmovable,
    tell_strangers,
    unite,
    united_columns,
)
from prep.returned import RAW, REASONS, identify, own_places
from prep.returned_tables import Returned, correct, plain_text, read_returned


def find_tables(
    folder: RunFolder, manifest: Manifest, *, everything: bool
) -> tuple[dict[str, Returned], list[str]]:
    """What a run has to try again: failed rows, and rejected rows that were changed, or all of them.

    What was corrected in `prep review` counts as if it had been corrected in the tables.

    Returns:
        Name of the source that the rows become → the rows; and sentences about what of them is left out.

    Raises:
        SourceError: A table came back damaged or is gone, or there is nothing to try again.
        HeaderError: Columns of a table were lost, or do not fit the schema.
    """
    tables = {}
    changes = read_corrections(folder.review)
    if folder.failed.exists():
        named = name_as_in_sources(read_returned(folder.failed), folder.manifest())
        if (failed := correct(named, changes, folder.failed)).rows.height:
            _refuse_strangers(folder.failed, failed, folder, Fate.FAILED)
            refuse_unmovable(failed, folder.manifest(), manifest)
            tables["failed.csv"] = failed
    try:
        changed, notes = find_changed(folder, manifest, changes, everything=everything)
    except SourceError as error:
        if error.code != _GONE or everything or not tables:
            raise
        changed, notes = None, [f"rejected rows were not looked at: {error.message}"]
    if changed is not None:
        tables["rejected.csv"] = changed
    notes += _tell_missing(folder, changes, is_refused=not tables)
    if not tables:
        raise SourceError(
            "; ".join([f"{folder.path}: no row failed, and no rejected row was changed", *notes]),
            code="nothing_to_retry",
            hint=f"Correct rows with prep review {folder.typed}, or in {folder.rejected} or "
            f"{folder.rejected_workbook.name} and save it.",
            source=str(folder.path),
        )
    refuse_idle(manifest, tables.values())
    notes += [note for table in tables.values() for note in tell_strangers(table, manifest)]
    united = {}
    for name, table in tables.items():
        columns = united_columns(table, manifest)
        refuse_header(table, columns, manifest)
        united[name] = unite(table, columns)
    return united, notes


def find_missing(folder: RunFolder) -> dict[str, SourceError]:
    """The tables that are gone although rows of the run belong into them: name → what is to be said of it."""
    gone = {
        fate: path
        for fate, path in ((Fate.REJECTED, folder.rejected), (Fate.FAILED, folder.failed))
        if not path.exists()
    }
    counts = folder.count_rows() if gone else {}
    return {
        path.name: SourceError(
            f"{path}: is gone, although the run has {fate} rows: {counts[fate]:,}",
            code="missing_table",
            hint=_bring_back(folder, fate),
            source=str(path),
        )
        for fate, path in gone.items()
        if counts.get(fate)
    }


def _bring_back(folder: RunFolder, fate: Fate) -> str:
    if fate is Fate.FAILED:
        return f"prep reconcile {folder.typed} writes it anew. Lines that you delete there are left out."
    if folder.rejected_workbook.exists():
        return (
            f"Save {folder.rejected_workbook.name} under this name as CSV UTF-8, or correct it and give "
            f"prep retry {folder.typed}."
        )
    if folder.manifest().has_ledger:
        return "Restore it from a backup. Other rows were sent: a new run must have the rejected ones only."
    return "Restore it from a backup, or make a new run with -o DIR."


def _tell_missing(folder: RunFolder, changes: pl.DataFrame, *, is_refused: bool) -> Iterator[str]:
    """Tell of tables that are gone; `rejected.csv` is not needed where `rejected.xlsx` is.

    Raises:
        SourceError: There is one, and it is refused.
    """
    for name, error in find_missing(folder).items():
        if name == folder.rejected.name and folder.rejected_workbook.exists():
            if name in changes["table"]:
                yield f"{name} is gone: what was corrected in it in prep review is left out"
        elif is_refused:
            raise error
        else:
            yield f"{error.message}. {error.hint}"


def leave_out_retried(
    folder: RunFolder, manifest: Manifest, tables: Mapping[str, Returned]
) -> tuple[dict[str, Returned], list[str]]:
    """Leave rows out that an earlier retry has, with the same cells and settings; each is sent once.

    Failed rows that stand in the table as prep wrote them are left out too, whatever cells the retry has, if
    it mapped columns alike: the table may have been written anew since, with other values. Rows that it
    rejected or suppressed, or that Marketo refused there too, are tried again.

    Returns:
        The tables that hold a row still, and a sentence about the rows that were left out, if any were.

    Raises:
        SourceError: No row is left, or nobody can tell, since a retry is gone and may have sent them.
    """
    notes = [*_tell_missing_retries(folder)]
    left = dict(tables)
    retries = [retry for retry in _descendants(folder) if _means_the_same(retry.manifest(), manifest)]
    untouched = _as_prep_wrote(folder) if retries and folder.failed.name in tables else _NOBODY
    for retry in retries:
        same = untouched if map_alike(folder.manifest(), manifest, retry.manifest()) else _NOBODY
        for name, table in left.items():
            left[name] = _without(retry, table, manifest, same if name == folder.failed.name else _NOBODY)
    found = {name: table for name, table in left.items() if table.rows.height}
    if not found:
        (*_, last) = _retries(folder)
        raise SourceError(
            f"{folder.path}: all rows to be tried again are in a retry already, such as {last.path}",
            code="already_retried",
            hint=f"prep status {last.typed} tells how it went. Correct further rows to try these too.",
            source=str(folder.path),
        )
    left_out = sum(table.rows.height - left[name].rows.height for name, table in tables.items())
    if left_out:
        notes.append(f"rows that an earlier retry has, which are left out: {left_out:,}")
    return found, notes


def _tell_missing_retries(folder: RunFolder) -> Iterator[str]:
    """Tell of retries that are not where they were, also those of retries.

    Those of a run that was sent were to be sent too.
    """
    for run in (folder, *_descendants(folder)):
        manifest = run.manifest()
        places = [run.home / name for name in manifest.retries]
        gone = [path for path in places if not path.exists() or _is_of_another(path, manifest)]
        names = ", ".join(map(str, gone))
        if gone and manifest.has_ledger:
            raise SourceError(
                f"{run.path}: retries of this run are not there any more: {names}",
                code="missing_retry",
                hint="Put them back: they tell which rows were sent already. If all rows may be sent again, "
                f"give the tables themselves, as in prep run {folder.typed}/failed.csv.",
                source=str(run.path),
            )
        if gone:
            yield f"retries of this run that are not there any more, whose rows are tried again: {names}"


def _is_of_another(path: Path, parent: Manifest) -> bool:
    folder = RunFolder(path)
    return folder.manifest_file.exists() and folder.manifest().parent_run_id != parent.run_id


def _means_the_same(retry: Manifest, manifest: Manifest) -> bool:
    """Whether values mean in a retry what they would mean now, whatever columns they stand in."""
    then, now = (
        replace(CleanSettings.from_json(known.settings), maps={}, reading=FIND_OUT)
        for known in (retry, manifest)
    )
    return then == now


def _as_prep_wrote(folder: RunFolder) -> pl.DataFrame:
    """`_source` and `_row` of the failed rows that nobody corrected, as far as that can be told."""
    manifest = folder.manifest()
    if not (manifest.tells_sent or all(folder.holds(record) for record in manifest.sources)):
        return _NOBODY
    returned = read_returned(folder.failed)
    named = name_as_in_sources(returned, manifest)
    table = correct(named, read_corrections(folder.review), folder.failed)
    strangers = find_strangers(table, manifest)
    compared = [name for name in table.names if name not in strangers]
    columns, frames = told_cells(folder, manifest, as_sent=manifest.tells_sent)
    written = _named_as_written(returned.columns, columns)
    is_same = pl.all_horizontal(pl.lit(True), *(~_differs(name) for name in compared))
    same = [
        table.rows.join(frame.select(SOURCE, ROW, *written), on=[SOURCE, ROW]).filter(is_same)
        for frame in frames
    ]
    return pl.concat([_NOBODY, *(rows.select(SOURCE, ROW) for rows in same)])


def _without(retry: RunFolder, table: Returned, manifest: Manifest, untouched: pl.DataFrame) -> Returned:
    """A table without the rows that a retry has as they are in it, or that it had before it was purged.

    Those that are `untouched` count as such. Rows are as they are by the values of their fields, whatever the
    columns are called; a field that one of the tables lacks is blank.
    """
    identity = [SOURCE, ROW]
    taken = _taken(retry)
    now, same, alike = _values(table, manifest), taken, identity
    if not retry.manifest().is_purged:
        earlier = [
            _values(read_returned(path), retry.manifest()) for path in sorted(retry.spool.glob("*.csv"))
        ]
        if not earlier:
            return table
        then = pl.concat(earlier, how="diagonal")
        alike = sorted({*now.columns, *then.columns})
        now, then = (_widened(values, alike) for values in (now, then))
        same = then.join(same, on=identity, how="semi")
    left = now.with_row_index(_PLACE).join(same, on=alike, how="anti", nulls_equal=True)
    left = left.join(taken.join(untouched, on=identity, how="semi"), on=identity, how="anti")
    return replace(table, rows=table.rows[left[_PLACE].sort()])


_PLACE: Final = "_place"


def _values(table: Returned, manifest: Manifest) -> pl.DataFrame:
    """`_source`, `_row` and the cells of a united table that fill fields, named by these."""
    (mapping,) = map_again(manifest, table.path, table.columns).mappings
    cells = [plain_text(str(place)).alias(field) for place, field in mapping.fields.items()]
    return table.rows.select(SOURCE, ROW, *cells)


def _widened(values: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    return values.select(
        name if name in values.columns else pl.lit(None, pl.String).alias(name) for name in columns
    )


_NOT_TAKEN: Final = [Fate.REJECTED.value, Fate.SUPPRESSED.value, Fate.FAILED.value]


def _retries(folder: RunFolder) -> Iterator[RunFolder]:
    """The retries of a run that are still there, also those that older code did not note, by their names."""
    manifest = folder.manifest()
    begin = f"{Path(os.path.realpath(folder.path)).name.removesuffix('.prep')}-retry"
    beside = sorted(path.name for path in folder.home.iterdir() if path.name.startswith(begin))
    for name in dict.fromkeys([*manifest.retries, *beside]):
        retry = RunFolder(folder.home / name)
        if retry.manifest_file.exists() and retry.manifest().parent_run_id == manifest.run_id:
            yield retry


def _descendants(folder: RunFolder) -> Iterator[RunFolder]:
    """The retries of a run, each followed by its own."""
    for retry in _retries(folder):
        yield retry
        yield from _descendants(retry)


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
        (path, correct(read_returned(path), changes, path))
        for path in (folder.rejected, folder.rejected_workbook)
        if path.exists()
    ]
    to_try = _still_there([table for _, table in tables], changes, folder.rejected)
    tables = [(path, table) for path, table in tables if table.rows.height]
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
    wanted = found[0].rows if everything else found[0].rows.filter(_CHANGED)
    kept = wanted.join(to_try, on=[SOURCE, ROW], how="semi", maintain_order="left")
    if deleted := wanted.height - kept.height:
        notes.append(
            f"rows of {found[0].path.name} that are deleted in the other table or left out in prep review, "
            f"which stay rejected: {deleted:,}"
        )
    return (replace(found[0], rows=kept.drop(_CHANGED)) if kept.height else None), notes


def _still_there(tables: Sequence[Returned], changes: pl.DataFrame, reviewed: Path) -> pl.DataFrame:
    """`_source` and `_row` of rows that no table of rejected rows lacks, and that were not left out."""
    last = changes.filter((pl.col("table") == reviewed.name) & (pl.col("place") == LEFT_OUT)).unique(
        ["source", "row"], keep="last", maintain_order=True
    )
    left_out = last.filter(pl.col("value").is_not_null()).select(
        pl.col("source").alias(SOURCE), pl.col("row").alias(ROW)
    )
    identities = [table.rows.select(SOURCE, ROW) for table in tables] or [_NOBODY]
    there = reduce(lambda all_, one: all_.join(one, on=[SOURCE, ROW], how="semi"), identities)
    return there.join(left_out, on=[SOURCE, ROW], how="anti")


_NOBODY: Final = pl.DataFrame(schema={SOURCE: pl.String(), ROW: pl.UInt32()})
_CHANGED: Final = "_changed"


def _differs(name: str) -> pl.Expr:
    return plain_text(name).ne_missing(plain_text(f"{name}_written"))


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


_GONE: Final = "no_such_file"


def _absent(path: str) -> SourceError:
    here = "" if Path(path).is_absolute() else str(Path.cwd())
    elsewhere = "give the command in the folder where the run was made, or " if here else ""
    return SourceError(
        f"{path}: is not in {here}" if here else f"{path}: is gone",
        code=_GONE,
        hint=f"prep compares corrected rows with their source: {elsewhere}put it back where it was.",
        source=path,
    )


def sources_of(table: Returned, manifest: Manifest) -> list[SourceRecord]:
    """The sources that the rows of a table are of; those that are tables of prep's own hold rows of any."""
    paths = {*table.rows[SOURCE]}
    return [record for record in manifest.sources if record.path in paths or own_places(record.columns)]


def _as_written(folder: RunFolder, manifest: Manifest, table: Returned) -> pl.DataFrame:
    """What the sources have for the rows of a table: `0_written` …, `_reasons_written`, `_raw_written`.

    The last two are of rows that could not be split, and null for others. Sources without a row of the table
    need not be there.
    """
    frames = []
    for record in sources_of(table, manifest):
        if not folder.holds(record):
            raise _absent(record.path)
        source = reopen(folder, record)
        shown = _named_as_written(table.columns, source.columns)
        blank = [pl.lit(None, pl.String).alias(f"{name}_written") for name in table.names]
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


def _named_as_written(columns: Sequence[str], written: Sequence[str]) -> list[pl.Expr]:
    """The cells of other columns of the same names, called `0_written` …; blank where there are none."""
    places = {column: str(place) for place, column in enumerate(occurrences(written))}
    return [
        (pl.col(places[column]) if column in places else pl.lit(None, pl.String)).alias(f"{index}_written")
        for index, column in enumerate(occurrences(columns))
    ]


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
    if parent.name in {"", ".."}:
        parent = Path(os.path.realpath(parent))
    number = 1
    while (path := parent.with_name(f"{parent.name.removesuffix('.prep')}-retry{number}.prep")).exists():
        number += 1
    return path
