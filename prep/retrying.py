"""Failed rows, and rejected rows that a person corrected → the sources of a new run."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Final

import polars as pl

from prep import durable
from prep.corrections import LEFT_OUT, read_corrections
from prep.errors import SourceError
from prep.folder import RunFolder
from prep.intake import reopen
from prep.manifest import Manifest, SourceRecord
from prep.model import IDENTITY, LINE, ROW, SOURCE, Fate
from prep.people import Table
from prep.retried import failed_as_written
from prep.retry_mapping import (
    find_strangers,
    name_as_in_sources,
    refuse_idle,
    refuse_unmovable,
    tell_strangers,
)
from prep.returned import RAW, REASONS, identify, own_places
from prep.returned_tables import (
    NOBODY,
    Returned,
    beside_written,
    correct,
    differs,
    read_returned,
    rows_with,
)
from prep.uniting import refuse_header, unite, united_columns


def find_tables(
    folder: RunFolder, manifest: Manifest, *, everything: bool
) -> tuple[dict[str, Returned], list[str]]:
    """What a run has to try again: failed rows, and rejected rows that were changed, or all of them.

    What was corrected in `prep review` counts as if it had been corrected in the tables.

    Returns:
        Name of the source that the rows become → the rows; and sentences about what of them is left out.

    Raises:
        SourceError: A table came back damaged, is gone or is not read, or there is nothing to try again.
        HeaderError: Columns of a table were lost, or do not fit the schema.
    """
    tables = {}
    told: list[str] = []
    changes = read_corrections(folder.review)
    _refuse_unread(folder)
    if folder.failed.exists():
        returned = read_returned(folder.failed)
        named = name_as_in_sources(returned, folder.manifest())
        told = [*named.notes, *_tell_deleted(folder, named), *_tell_spoiled_failed(folder, returned)]
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
    notes = [*told, *notes, *_tell_missing(folder, changes, is_refused=not tables), *_tell_open(folder)]
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


def _tell_deleted(folder: RunFolder, table: Returned) -> Iterator[str]:
    """Tell of failed rows that their table lacks: a person deleted them, or had changed it before."""
    failed = rows_with(folder, pl.col("fate") == Fate.FAILED)
    if count := failed.join(table.rows, on=[SOURCE, ROW], how="anti").height:
        yield f"failed rows that are not in {table.path.name}, which are left out: {count:,}"


def _refuse_unread(folder: RunFolder) -> None:
    """A workbook that a person made of the failed rows: what was corrected there would not be sent."""
    workbook = folder.failed.with_suffix(".xlsx")
    if workbook.exists():
        raise SourceError(
            f"{workbook}: is not read; failed rows are corrected in {folder.failed.name}",
            code="unread_table",
            hint=f"Save it as {folder.failed.name} in its folder, as CSV UTF-8, or correct the rows with "
            f"prep review {folder.typed}; then delete {workbook.name}.",
            source=str(workbook),
        )


def _tell_open(folder: RunFolder) -> Iterator[str]:
    """Tell of rows that may turn out to have failed."""
    counts = folder.count_rows()
    if count := counts.get(Fate.SENT, 0) + counts.get(Fate.UNKNOWN, 0):
        yield f"rows left out, whose outcome was not known yet: {count:,}"


def _bring_back(folder: RunFolder, fate: Fate) -> str:
    if fate is Fate.FAILED:
        return f"prep reconcile {folder.typed} writes it anew. Lines that you delete there are left out."
    if folder.rejected_workbook.exists():
        return (
            f"Save {folder.rejected_workbook.name} under this name as CSV UTF-8, or correct it and give "
            f"prep retry {folder.typed}."
        )
    if folder.may_be_sent:
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
        is_changed = pl.any_horizontal(pl.lit(False), *map(differs, compared))
        notes += _tell_spoiled(table, rows, compared)
        if edited := rows.filter(~is_changed & differs(RAW)).height:
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
    return (replace(found[0], rows=kept.drop(_CHANGED)) if kept.height else None), [*found[0].notes, *notes]


def _still_there(tables: Sequence[Returned], changes: pl.DataFrame, reviewed: Path) -> pl.DataFrame:
    """`_source` and `_row` of rows that no table of rejected rows lacks, and that were not left out."""
    last = changes.filter((pl.col("table") == reviewed.name) & (pl.col("place") == LEFT_OUT)).unique(
        ["source", "row"], keep="last", maintain_order=True
    )
    left_out = last.filter(pl.col("value").is_not_null()).select(
        pl.col("source").alias(SOURCE), pl.col("row").alias(ROW)
    )
    identities = [table.rows.select(SOURCE, ROW) for table in tables] or [NOBODY]
    there = reduce(lambda all_, one: all_.join(one, on=[SOURCE, ROW], how="semi"), identities)
    return there.join(left_out, on=[SOURCE, ROW], how="anti")


_CHANGED: Final = "_changed"


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


def _tell_spoiled_failed(folder: RunFolder, table: Returned) -> Iterator[str]:
    if table.rows.height and (frames := list(failed_as_written(folder, table))):
        rows = table.rows.join(pl.concat(frames), on=[SOURCE, ROW], how="left", maintain_order="left")
        yield from _tell_spoiled(table, rows, table.names)


def _is_spoiled(name: str) -> pl.Expr:
    cells, written = pl.col(name), pl.col(f"{name}_written")
    is_shorter = (cells != written) & (cells == written.str.replace(r"^[+0]+(\d+)$", "$1"))
    is_rounded = cells.str.contains(r"^\d([.,]\d+)?[eE]\+\d+$") & written.str.contains(r"^\+?\d+$")
    return is_shorter | is_rounded


def _refuse_strangers(path: Path, table: Returned, folder: RunFolder, fate: Fate) -> pl.DataFrame:
    """The rows of a table, all of which have this fate in the run, each once."""
    known = rows_with(folder, pl.col("fate") == fate)
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
        shown = beside_written(table.columns, source.columns)
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
