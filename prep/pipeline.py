"""Start reading here: the stages in order, from lead files to the fate of every row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import polars as pl

from prep.cleaning import REJECTED_TAIL, Progress, clean_into
from prep.config import CleanOptions, make_settings
from prep.errors import SourceError
from prep.folder import RunFolder, check_sources, count_fates
from prep.jobs import run_jobs
from prep.ledger import Ledger, Target
from prep.limits import JOBS_QUEUED, POLL_SECONDS
from prep.marketo import Marketo
from prep.model import Format, Job
from prep.preparation import (
    IDENTITY,
    Plan,
    decide,
    fates,
    first_pass,
    losers,
    make_plan,
    occurrences,
    survivors,
)
from prep.report import build_report, read_jobs
from prep.schema import DEFAULT_NAME, Schema, load_schema
from prep.settlement import find_doubts, keep_files, settle_rows
from prep.sources import open_source, read_batches

Sources = str | Path | Sequence[str | Path]


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
            *(pl.col(str(place)).alias(name) for place, name in enumerate(names)), *REJECTED_TAIL
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
        clean_into(folder, plan, goal, progress)
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


def submit(
    run: Run | str | Path,
    client: Marketo,
    *,
    list_id: int | None = None,
    partition_name: str | None = None,
    wait: bool = True,
    timeout_seconds: float | None = None,
    queue_slots: int = JOBS_QUEUED,
    poll_seconds: tuple[float, float] = POLL_SECONDS,
    progress: Callable[[tuple[Job, ...]], None] = lambda _: None,
) -> Run:
    """Send what a run has ready, wait for Marketo, and settle the fate of every row.

    Safe to call again after any interruption: nothing is sent twice, nothing that was learnt is lost.

    Args:
        run: What `clean` returned, or its folder.
        client: The instance to send to. A folder belongs to the first one it was sent to.
        list_id: Static list that the leads become members of.
        partition_name: Lead partition of new leads.
        wait: Whether to stay until Marketo has finished all jobs.
        timeout_seconds: Longest stay; None is as long as it takes.
        queue_slots: How many of Marketo's ten queue places to use at the most.
        poll_seconds: Shortest and longest pause between two looks at the queue.
        progress: Told of all jobs whenever one of them moved.

    Returns:
        The run; its `rows` and `counts` hold what is known now, its `report["state"]` whether that is all.

    Raises:
        FolderError: The run was altered, belongs to another target, or another process works on it.
        MarketoError: Marketo refused or cannot be reached; what it took before is settled.
    """
    folder = run.folder if isinstance(run, Run) else RunFolder.open(run)
    with folder.lock():
        manifest = folder.manifest()
        chunks = {chunk.file: chunk for chunk in manifest.results.chunks}
        check_sources(manifest)
        with _open_ledger(folder) as ledger:
            target = Target(
                host=target_name(client.host),
                list_id=list_id,
                partition_name=partition_name,
                format=Format(manifest.settings["format"]),
                lookup_field=manifest.settings["lookup_field"],
            )
            ledger.aim(target)
            ledger.plan(chunks.values())
            manifest = replace(manifest, target=target.host)
            folder.write_manifest(manifest)
            client.on_exchange = ledger.note

            def finish(job: Job, failures: bytes, warnings: bytes) -> None:
                keep_files(folder, job, failures, warnings)
                if doubts := find_doubts(folder, manifest, chunks[job.chunk], job):
                    ledger.unknown(job.chunk, doubts)

            try:
                run_jobs(
                    ledger,
                    client,
                    lambda file: folder.read_chunk(chunks[file]),
                    on_finished=finish,
                    on_progress=progress,
                    queue_slots=queue_slots,
                    wait=wait,
                    timeout_seconds=timeout_seconds,
                    poll_seconds=poll_seconds,
                )
            finally:
                settle_rows(folder, manifest, ledger.jobs())
                folder.write_report(build_report(folder))
    return Run(folder)


def target_name(host: str) -> str:
    """What a run folder calls the host that it sends to: a host of this machine can only be a stand-in."""
    return "sandbox" if host.rpartition(":")[0] in {"127.0.0.1", "localhost", "[::1]"} else host


def _open_ledger(folder: RunFolder) -> Ledger:
    """The run's ledger; made only for a run that never had one."""
    if folder.ledger.exists() or folder.manifest().target is not None:
        return Ledger(folder.ledger)
    return Ledger.create(folder.ledger)


def reconcile(run: Run | str | Path) -> Run:
    """Settle the fate of every row again, from the ledger and the files that Marketo sent.

    Raises:
        FolderError: The run was altered, or another process works on it.
    """
    folder = run.folder if isinstance(run, Run) else RunFolder.open(run)
    with folder.lock():
        manifest = folder.manifest()
        jobs = read_jobs(folder)
        if jobs:
            settle_rows(folder, manifest, jobs)
        folder.write_report(build_report(folder))
    return Run(folder)
