"""Start reading here: the stages in order, from lead files to the fate of every row."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Unpack

import polars as pl

from prep import durable
from prep.chunks import split
from prep.config import CleanOptions, make_settings
from prep.errors import FolderError, InputError, SourceError
from prep.folder import Cleaned, Manifest, RunFolder, SourceRecord, count_fates, digest_file
from prep.model import Chunk, Fate, KeepPolicy
from prep.people import WORKBOOK_ROWS, Table, fits_workbook, write_workbook
from prep.preparation import (
    IDENTITY,
    RAW,
    Decision,
    FirstPass,
    Plan,
    decide,
    discarded,
    fates,
    first_pass,
    losers,
    make_plan,
    occurrences,
    survivors,
    with_chunks,
)
from prep.report import build_report
from prep.schema import DEFAULT_NAME, Schema, load_schema
from prep.sources import open_source, read_batches
from prep.validation import REASONS

Sources = str | Path | Sequence[str | Path]
Progress = Callable[[str, int, int | None], None]
"""Called with the name of a stage, how much of it is done, and of how much if that is known."""

_REJECTED_TAIL: Final = (*IDENTITY, REASONS, RAW)
_DUPLICATES_TAIL: Final = (*IDENTITY, "_kept_source", "_kept_row", "_kept_fate")
_MERGED_COLUMNS: Final = ("field", "value", "_source", "_row", "_kept_source", "_kept_row")


def _silent(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""


def read(source: str | Path) -> pl.DataFrame:
    """Read a lead file as text.

    Returns:
        The file's own columns, cells as written, null where blank (a repeated name gets a number behind it),
        then `_source`, `_row` (1-based record number after the header) and `_line` (physical line).

    Raises:
        SourceError: The file cannot be read, or holds records that cannot be split; `prepare` lists these.
    """
    opened = open_source(source)
    batches = list(read_batches(opened))
    unreadable = pl.concat([batch.rejected for batch in batches])
    if unreadable.height:
        raise SourceError(
            f"{opened.path}: {unreadable.height} records cannot be read, "
            f"the first on line {unreadable['_line'][0]}",
            code="unreadable_rows",
            hint="Correct them, or use prep.prepare, which reads the rest and lists these.",
            source=opened.path,
            row=unreadable["_row"][0],
        )
    cells = pl.concat([batch.cells for batch in batches])
    return cells.select(
        *(pl.col(str(place)).alias(name) for place, name in enumerate(_distinct(opened.columns))),
        pl.lit(opened.path).alias("_source"),
        "_row",
        "_line",
    )


def _distinct(columns: Sequence[str]) -> list[str]:
    return [f"{name}_{before + 1}" if before else name for name, before in occurrences(columns)]


@dataclass(frozen=True)
class Prepared:
    """Rows that were prepared in memory.

    Attributes:
        ready: Survivors in source order: the schema's fields, then `_source`, `_row`, `_line`.
        rejected: The sources' own columns as read (a repeated name gets a number behind it), then `_source`,
            `_row`, `_line`, `_reasons` (list of `field:code`) and `_raw` (text of records that could not be
            split).
        duplicates: Rows that lost, as prepared, then `_source`, `_row`, `_line`, `_kept_source`, `_kept_row`.
        counts: Rows by fate; `read` is the sum of all others.
    """

    ready: pl.DataFrame
    rejected: pl.DataFrame
    duplicates: pl.DataFrame
    counts: Mapping[str, int]


def prepare(
    sources: Sources, schema: Schema | str | Path = DEFAULT_NAME, **options: Unpack[CleanOptions]
) -> Prepared:
    """Validate, normalise and deduplicate lead files in memory; no network, nothing written.

    Args:
        sources: One path or several; their rows count in this order.
        schema: A schema, or the name or path of one.
        **options: As in `CleanSettings`.

    Raises:
        InputError: A source, a header, the schema or an option is wrong. Rejected rows are a result.
    """
    plan = _plan(sources, schema, options)
    spill: list[pl.DataFrame] = []
    rejected: list[pl.DataFrame] = []
    first = first_pass(plan, spill, lambda frame, _: rejected.append(frame))
    decision = decide(plan, first.keys, spill)
    names = _distinct([name for name, _ in plan.source_columns])
    return Prepared(
        ready=pl.concat(survivors(spill, decision)).select(*plan.fields, *IDENTITY),
        rejected=pl.concat(rejected).select(
            *(pl.col(str(place)).alias(name) for place, name in enumerate(names)), *_REJECTED_TAIL
        ),
        duplicates=pl.concat(losers(plan, spill, decision, first)),
        counts=count_fates(fates(first, decision), first.read),
    )


@dataclass(frozen=True)
class Run:
    """A run folder and what it says."""

    folder: RunFolder

    @property
    def path(self) -> Path:
        """Where the folder is."""
        return self.folder.path

    @property
    def report(self) -> dict[str, Any]:
        """What `report.json` says, made anew from manifest, rows and ledger."""
        return build_report(self.folder)

    @property
    def counts(self) -> dict[str, int]:
        """Rows by fate; `read` is the sum of all others."""
        return count_fates(self.rows, self.rows.height)

    @property
    def rows(self) -> pl.DataFrame:
        """The fate of every source row, in source order."""
        return self.folder.read_rows()


def clean(
    sources: Sources,
    out: str | Path | None = None,
    *,
    schema: Schema | str | Path = DEFAULT_NAME,
    goal: str = "clean",
    progress: Progress = _silent,
    **options: Unpack[CleanOptions],
) -> Run:
    """Turn lead files into a run folder with upload files; memory holds keys, not files.

    A folder that was made from the same sources with the same settings is taken up where it was left.

    Args:
        sources: One path or several; their rows count in this order.
        out: The run folder; by default the first file's name with `.prep`, in the current folder.
        schema: A schema, or the name or path of one.
        goal: `clean`, or `run` when the rows are to be sent as well.
        progress: Told about rows as they are read and written.
        **options: As in `CleanSettings`.

    Raises:
        InputError: A source, a header, the schema or an option is wrong.
        FolderError: The folder was made for something else, or another process works on it.
    """
    plan = _plan(sources, schema, options)
    folder = RunFolder(out if out is not None else default_folder(plan.sources[0].path))
    folder.create()
    with folder.lock():
        manifest = _manifest(plan, goal)
        if folder.manifest_file.exists():
            manifest = _take_up(folder, manifest)
        if manifest.cleaned is None:
            _fill_or_discard(folder, plan, manifest, progress)
        folder.write_report(build_report(folder))
    return Run(folder)


def default_folder(source: str) -> Path:
    """The run folder of a source: its name without extensions and with `.prep`, in the current folder."""
    name = Path(source).name
    return Path(f"{name.lstrip('.').partition('.')[0] or name}.prep")


def _plan(sources: Sources, schema: Schema | str | Path, options: CleanOptions) -> Plan:
    settings = make_settings(options)
    resolved = schema if isinstance(schema, Schema) else load_schema(schema)
    paths = [sources] if isinstance(sources, str | Path) else list(sources)
    return make_plan([open_source(path) for path in paths], resolved, settings)


def _manifest(plan: Plan, goal: str) -> Manifest:
    return Manifest(
        run_id=uuid.uuid4().hex,
        goal=goal,
        sources=tuple(
            SourceRecord(
                source.path, digest_file(source.path), source.encoding, source.delimiter, source.columns
            )
            for source in plan.sources
        ),
        settings=plan.settings.to_json(),
        schema={"name": plan.schema.name, "fingerprint": plan.schema.fingerprint},
        mapping=tuple(
            {"source": column.header, "field": column.field, "how": str(column.how)}
            for column in dict.fromkeys(column for mapping in plan.mappings for column in mapping.columns)
        ),
    )


def _take_up(folder: RunFolder, wanted: Manifest) -> Manifest:
    """Go on with what a folder was made for.

    Raises:
        FolderError: It was made for something else.
    """
    known = folder.manifest()
    differences = list(_differences(known, wanted))
    if differences:
        raise FolderError(
            f"{folder.path}: was made {'; '.join(differences)}",
            code="other_run",
            hint="Choose another folder with -o DIR, or remove this one if it is not needed.",
            source=str(folder.path),
        )
    if known.goal != wanted.goal == "run":
        known = replace(known, goal=wanted.goal)
        folder.write_manifest(known)
    return known


def _differences(known: Manifest, wanted: Manifest) -> Iterator[str]:
    if [source.path for source in known.sources] != [source.path for source in wanted.sources]:
        yield f"from {', '.join(source.path for source in known.sources)}"
    elif [source.sha256 for source in known.sources] != [source.sha256 for source in wanted.sources]:
        yield "before a source changed"
    if known.schema["fingerprint"] != wanted.schema["fingerprint"]:
        yield f"with another schema ({known.schema['name']})"
    for name, value in wanted.settings.items():
        if known.settings.get(name) != value:
            yield f"with --{name.replace('_', '-')} {known.settings.get(name)}, now {value}"


class _DiskSpill:
    """Batches that wait in files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=durable.FOLDER_MODE)
        self._folder = folder
        self._files: list[Path] = []

    def append(self, frame: pl.DataFrame, /) -> None:
        self._files.append(self._folder / f"{len(self._files):06d}.arrow")
        frame.write_ipc(self._files[-1])

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return (pl.read_ipc(file) for file in self._files)


class _Stopwatch:
    """Seconds that each stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - begin, 3)


def _fill_or_discard(folder: RunFolder, plan: Plan, manifest: Manifest, progress: Progress) -> None:
    """Clean into a folder; input that turns out to be unusable leaves none behind."""
    folder.begin(manifest)
    try:
        _fill(folder, plan, manifest, progress)
    except InputError:
        folder.discard()
        raise


def _fill(folder: RunFolder, plan: Plan, manifest: Manifest, progress: Progress) -> None:
    """Clean into a folder that was begun, and finish it."""
    watch = _Stopwatch()
    spill = _DiskSpill(folder.work / "spill")
    with watch.time("validate"):
        first = _judge(folder, plan, spill, progress)
    with watch.time("dedupe"):
        decision = decide(plan, first.keys, spill)
    with watch.time("write"):
        chunks = _write_chunks(folder, plan, spill, decision, progress)
        _write_duplicates(folder, plan, spill, decision, first)
        rows = with_chunks(fates(first, decision), chunks)
        count_fates(rows, first.read)
        folder.write_rows(rows, folder.work / folder.rows.name)
    records = [
        replace(record, rows=count, skipped=tuple({"kind": line.kind, "line": line.line} for line in skipped))
        for record, count, skipped in zip(manifest.sources, first.rows, first.skipped, strict=True)
    ]
    cleaned = Cleaned(
        fields=plan.fields,
        chunks=tuple(chunks),
        reasons=tuple(
            {"code": code, "field": field or None, "rows": rows}
            for (field, code), rows in first.reasons().most_common()
        ),
        changes=tuple(
            {"field": field, "rule": rule, "cells": cells}
            for (field, rule), cells in sorted(first.changes.items())
        ),
        seconds=watch.seconds,
    )
    folder.finish(replace(manifest, sources=tuple(records), cleaned=cleaned))


def _judge(folder: RunFolder, plan: Plan, spill: _DiskSpill, progress: Progress) -> FirstPass:
    """The first pass, with the tables of rejected rows."""
    columns = [*(name for name, _ in plan.source_columns), *_REJECTED_TAIL]
    places = [str(place) for place in range(len(plan.source_columns))]
    few: list[pl.DataFrame] = []

    with durable.replacing(folder.work / folder.rejected.name) as file:
        table = Table(file, columns, delimiter=_people_delimiter(plan))

        def note(frame: pl.DataFrame, rows: int) -> None:
            shown = frame.select(*places, *IDENTITY, pl.col(REASONS).list.join("; "), RAW)
            table.append(shown)
            if table.rows <= WORKBOOK_ROWS:
                few.append(shown)
            progress("validate", rows, None)

        first = first_pass(plan, spill, note)
    if table.rows <= WORKBOOK_ROWS:
        rejected = pl.concat(few)
        if fits_workbook(rejected):
            with durable.replacing(folder.work / folder.rejected_workbook.name) as file:
                write_workbook(file, columns, rejected)
    return first


def _people_delimiter(plan: Plan) -> str:
    """What the first source uses, if a spreadsheet of its country does so too; else a comma."""
    delimiter = plan.sources[0].delimiter
    return delimiter if delimiter == ";" else ","


def _write_chunks(
    folder: RunFolder, plan: Plan, spill: _DiskSpill, decision: Decision, progress: Progress
) -> list[Chunk]:
    settings = plan.settings
    total = decision.kept.null_count()
    chunks: list[Chunk] = []
    written = 0
    frames = survivors(spill, decision)
    for piece in split(frames, plan.fields, settings.format, max_bytes=settings.max_bytes):
        chunks.append(folder.write_chunk(piece.name, piece.content, piece.rows))
        written += piece.rows
        progress("write", written, total)
    return chunks


def _write_duplicates(
    folder: RunFolder, plan: Plan, spill: _DiskSpill, decision: Decision, first: FirstPass
) -> None:
    delimiter = _people_delimiter(plan)
    with durable.replacing(folder.work / folder.duplicates.name) as file:
        table = Table(file, [*plan.fields, *_DUPLICATES_TAIL], delimiter=delimiter)
        for frame in losers(plan, spill, decision, first):
            table.append(frame.with_columns(pl.lit(Fate.READY.value).alias("_kept_fate")))
    if plan.settings.keep.policy is KeepPolicy.MERGE:
        with durable.replacing(folder.work / folder.merged.name) as file:
            Table(file, _MERGED_COLUMNS, delimiter=delimiter).append(discarded(decision, first))
