"""What earlier retries of a run have is left out of the next one: each row is sent once."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from prep.config import CleanSettings
from prep.corrections import read_corrections
from prep.errors import FolderError, SourceError
from prep.folder import RunFolder
from prep.manifest import Manifest
from prep.model import FIND_OUT, ROW, SOURCE, Fate
from prep.outcome_tables import told_cells
from prep.retry_mapping import find_strangers, map_again, map_alike, name_as_in_sources
from prep.returned_tables import (
    NOBODY,
    Returned,
    beside_written,
    correct,
    differs,
    plain_text,
    read_returned,
    rows_with,
)


def leave_out_retried(
    folder: RunFolder, manifest: Manifest, tables: Mapping[str, Returned]
) -> tuple[dict[str, Returned], list[str]]:
    """Leave rows out that an earlier retry has, with the same cells and settings; each is sent once.

    A run that is a retry itself shares its rows with the other retries of the run that it tries again.

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
    retries = [retry for retry in _relatives(folder) if _means_the_same(retry.manifest(), manifest)]
    untouched = _as_prep_wrote(folder) if retries and folder.failed.name in tables else NOBODY
    having = folder
    for retry in retries:
        same = untouched if map_alike(folder.manifest(), manifest, retry.manifest()) else NOBODY
        for name, table in left.items():
            left[name] = _without(retry, table, manifest, same if name == folder.failed.name else NOBODY)
            having = retry if left[name].rows.height < table.rows.height else having
    found = {name: table for name, table in left.items() if table.rows.height}
    if not found:
        raise SourceError(
            f"{folder.path}: all rows to be tried again are in a retry already, such as {having.path}",
            code="already_retried",
            hint=f"prep status {having.typed} tells how it went. Correct further rows to try these too.",
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
    ancestors = [*_ancestors(folder)]
    last = ancestors[-1] if ancestors else folder
    if last.manifest().parent_run_id and not last.manifest().is_restore:
        told = "is a retry of a run that is not there: what other retries of that have is not known"
        yield f"{last.path} {told}"
    for run in (folder, *ancestors, *_relatives(folder)):
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
    returned = read_returned(folder.failed)
    named = name_as_in_sources(returned, manifest)
    table = correct(named, read_corrections(folder.review), folder.failed)
    strangers = find_strangers(table, manifest)
    compared = [name for name in table.names if name not in strangers]
    is_same = pl.all_horizontal(pl.lit(True), *(~differs(name) for name in compared))
    same = [
        table.rows.join(written, on=[SOURCE, ROW]).filter(is_same)
        for written in failed_as_written(folder, returned)
    ]
    return pl.concat([NOBODY, *(rows.select(SOURCE, ROW) for rows in same)])


def failed_as_written(folder: RunFolder, returned: Returned) -> Iterator[pl.DataFrame]:
    """What prep has for the rows of `failed.csv`: `_source`, `_row`, `0_written` …; nothing without sources.

    Args:
        folder: The run.
        returned: The table as it came back, under its own headers.
    """
    manifest = folder.manifest()
    if manifest.tells_sent or all(folder.holds(record) for record in manifest.sources):
        columns, frames = told_cells(folder, manifest, as_sent=manifest.tells_sent)
        written = beside_written(returned.columns, columns)
        yield from (frame.select(SOURCE, ROW, *written) for frame in frames)


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


def _ancestors(folder: RunFolder) -> Iterator[RunFolder]:
    """The run that a run is a retry of, then the one that this is a retry of, as far as they are there."""
    known = folder.manifest()
    if known.parent_run_id is None or known.is_restore:
        return
    noted = [folder.home / known.parent] if known.parent else []
    for path in (*noted, *sorted(folder.home.iterdir())):
        parent = RunFolder(path)
        with suppress(FolderError, OSError):
            if parent.manifest_file.exists() and parent.manifest().run_id == known.parent_run_id:
                break
    else:
        return
    yield parent
    yield from _ancestors(parent)


def _relatives(folder: RunFolder) -> Iterator[RunFolder]:
    """The retries that may have rows of a run: its own, then those of each run that it is a retry of."""
    seen = {folder.manifest().run_id, *(run.manifest().run_id for run in _ancestors(folder))}
    for run in (folder, *_ancestors(folder)):
        for retry in _descendants(run):
            if (run_id := retry.manifest().run_id) not in seen:
                seen.add(run_id)
                yield retry


def _taken(retry: RunFolder) -> pl.DataFrame:
    """`_source` and `_row` of rows that a retry, or one of its own, sends, and those that lost to these."""
    if retry.manifest().cleaned is None:
        rows = [read_returned(path).rows.select(SOURCE, ROW) for path in sorted(retry.spool.glob("*.csv"))]
    else:
        rows = [rows_with(retry, ~pl.col("fate").is_in(_NOT_TAKEN))]
    return pl.concat([*rows, *map(_taken, _retries(retry))])
