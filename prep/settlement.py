"""Jobs and received files → the fate of every source row, and the tables that tell of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from prep import durable
from prep.cleaning import people_delimiter
from prep.errors import FolderError
from prep.fate_table import balanced, beside_chunks
from prep.folder import RunFolder, check_sources
from prep.ledger import ASSUMED, Ledger
from prep.manifest import Manifest
from prep.model import Chunk, Fate, Format, Job, JobState, JobStatus
from prep.objects import Target
from prep.outcome_tables import tell_kept_fates, write_outcomes
from prep.outcomes import ChunkOutcome, join_chunk, whole_chunk

_NOT_ANSWERED: Final = "nobody wrote down Marketo's answer to the upload"
_OUTCOME_COLUMNS: Final = {"batch_id": pl.Int64, "message": pl.String, "matched_by": pl.String}


def open_ledger(folder: RunFolder, manifest: Manifest) -> Ledger:
    """The ledger of a run that has a destination, with all its chunks; made only if there never was one.

    Raises:
        FolderError: The run has no destination, or the ledger is damaged, gone or of something else.
    """
    aim = manifest.destination
    if aim is None:
        hint = f"prep submit {folder.typed} sends it."
        raise FolderError(f"{folder.path}: has no destination yet", code="no_destination", hint=hint)
    started = folder.ledger.exists() or manifest.has_ledger
    ledger = Ledger(folder.ledger) if started else Ledger.create(folder.ledger)
    try:
        ledger.aim(
            Target(
                host=aim.target,
                list_id=aim.list_id,
                partition_name=aim.partition_name,
                format=Format(manifest.settings["format"]),
                lookup_field=manifest.settings["lookup_field"],
                object=manifest.settings["object"],
                program_id=aim.program_id,
                program_status=aim.program_status,
            )
        )
        ledger.plan(manifest.results.chunks)
        folder.write_manifest(replace(manifest, has_ledger=True))
    except BaseException:
        ledger.close()
        raise
    return ledger


def keep_files(
    folder: RunFolder,
    manifest: Manifest,
    chunk: Chunk,
    job: Job,
    files: tuple[bytes, bytes],
    *,
    doubts: "Doubts",
) -> None:
    """Store what Marketo sent about a finished job, exactly as received.

    What it sent before gives way to no empty file, and to a doubtful one only if that names more rows.
    """

    def rows_named(kind: str, content: bytes) -> int:
        alone = (content, b"") if kind == "failures" else (b"", content)
        return _join(folder, manifest, chunk, job, alone).rows["matched_by"].count()

    failures, warnings = files
    for kind, count, content, doubt in (
        ("failures", job.failed, failures, doubts.failures),
        ("warnings", job.warned, warnings, doubts.warnings),
    ):
        name = _received_name(job, kind)
        known = folder.received_file(name)
        is_worse = doubt and known and rows_named(kind, content) <= rows_named(kind, known)
        if (content and not is_worse) or (count and not folder.has_received(name)):
            folder.receive(name, content)


def _received_name(job: Job, kind: str) -> str:
    """One name for each batch: a chunk that was sent again must not meet the files of its first job."""
    file = Path(job.chunk)
    return f"{file.stem}.{job.batch_id}.{kind}{file.suffix}"


def find_missing(folder: RunFolder, jobs: Iterable[Job]) -> dict[str, Path]:
    """Chunk → a file that Marketo sent about its job and that is gone, if rows would lose their fates by it.

    Such a file is known from the counts of a job that is reconciled, or from rows that it settled before.
    """
    quoted = set(folder.query_rows(_quoted).rows())
    missing: dict[str, Path] = {}
    for job in jobs:
        is_counted = job.state is JobState.RECONCILED and job.status is JobStatus.COMPLETE
        for kind, count in (("failures", job.failed), ("warnings", job.warned)):
            name = _received_name(job, kind)
            is_known = (is_counted and count) or (job.chunk, job.batch_id, kind) in quoted
            if is_known and not folder.has_received(name):
                missing.setdefault(job.chunk, folder.received / name)
    return missing


def refuse_missing(folder: RunFolder, jobs: Iterable[Job]) -> None:
    """Refuse to settle rows anew while a file is gone by which they were settled.

    Raises:
        FolderError: It is so.
    """
    if missing := find_missing(folder, jobs):
        path = next(iter(missing.values()))
        raise FolderError(
            f"{path}: missing, and Marketo's word on rows was in it",
            code="missing_received",
            hint=f"prep reconcile {folder.typed} asks Marketo for it again, which keeps it for seven days; "
            "later only a backup has it. The fates and tables of the run are left as they were.",
            source=str(path),
        )


def _quoted(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`chunk`, `batch_id` and kind of each file that settled a row."""
    kind = pl.when(fate=Fate.FAILED.value).then(pl.lit("failures")).otherwise(pl.lit("warnings"))
    is_settled = pl.col("fate").is_in([Fate.FAILED, Fate.WARNED])
    told = rows.filter(is_settled & pl.col("matched_by").is_not_null())
    return told.select("chunk", "batch_id", kind.alias("kind")).unique()


def find_outcome(folder: RunFolder, manifest: Manifest, chunk: Chunk, job: Job) -> ChunkOutcome | None:
    """What became of the rows of a chunk, as far as it is known; None as long as it was not sent."""
    match job.state:
        case JobState.PLANNED:
            return None
        case JobState.INTENDED:
            return whole_chunk(chunk.rows, Fate.UNKNOWN, _NOT_ANSWERED)
        case JobState.QUEUED | JobState.IMPORTING | JobState.COMPLETE | JobState.FAILED:
            return whole_chunk(chunk.rows, Fate.SENT, "")
        case JobState.UNKNOWN:
            if folder.has_received(_received_name(job, "failures")):
                return join_job(folder, manifest, chunk, job)
            return whole_chunk(chunk.rows, Fate.UNKNOWN, job.message)
        case JobState.RECONCILED:
            return _finished(folder, manifest, chunk, job)


def _finished(folder: RunFolder, manifest: Manifest, chunk: Chunk, job: Job) -> ChunkOutcome:
    if job.status is JobStatus.FAILED:
        return whole_chunk(chunk.rows, Fate.FAILED, job.message)
    is_counted = job.status is JobStatus.COMPLETE
    if not is_counted and not folder.has_received(_received_name(job, "failures")):
        return whole_chunk(chunk.rows, Fate.IMPORTED, ASSUMED)
    outcome = join_job(folder, manifest, chunk, job)
    return _assume(outcome, is_counted=is_counted) if job.assumed else outcome


@dataclass(frozen=True)
class Doubts:
    """What the files of a finished job leave open; empty where they leave nothing open.

    Attributes:
        failures: Why nobody can tell of rows whether they failed.
        warnings: What does not add up among the warnings; no row is unknown for it.
    """

    failures: str = ""
    warnings: str = ""


def find_doubts(
    folder: RunFolder, manifest: Manifest, chunk: Chunk, job: Job, files: tuple[bytes, bytes]
) -> Doubts:
    """What a finished job with these failures and warnings leaves open."""
    if job.status is not JobStatus.COMPLETE:
        return Doubts()
    outcome = _join(folder, manifest, chunk, job, files)
    return Doubts("; ".join(outcome.doubts), "; ".join(outcome.remarks))


def join_job(folder: RunFolder, manifest: Manifest, chunk: Chunk, job: Job) -> ChunkOutcome:
    """Join the files that were received for a complete job to the rows of its chunk."""
    failures, warnings = (
        folder.received_file(_received_name(job, kind)) for kind in ("failures", "warnings")
    )
    return _join(folder, manifest, chunk, job, (failures, warnings))


def _join(
    folder: RunFolder, manifest: Manifest, chunk: Chunk, job: Job, files: tuple[bytes, bytes]
) -> ChunkOutcome:
    return join_chunk(
        folder.read_chunk(chunk),
        *files,
        format=Format(manifest.settings["format"]),
        lookup_field=manifest.settings["lookup_field"],
        failed_count=job.failed or 0,
        warned_count=job.warned or 0,
        processed_count=job.processed,
    )


def _assume(outcome: ChunkOutcome, *, is_counted: bool) -> ChunkOutcome:
    """A person said that the chunk landed: rows of which nothing else is known count as imported.

    Without Marketo's counts that holds for each row that no file names. What landed with a warning is warned.
    """
    is_open = pl.col("fate").is_in([Fate.UNKNOWN, *(() if is_counted else (Fate.IMPORTED,))])
    is_told = (pl.col("fate") == Fate.UNKNOWN) & pl.col("matched_by").is_not_null()
    rows = outcome.rows.with_columns(
        pl.when(is_told).then(pl.lit(Fate.WARNED.value)).otherwise("fate").alias("fate")
    ).with_columns(
        pl.when(is_open).then(pl.lit(Fate.IMPORTED.value)).otherwise("fate").alias("fate"),
        pl.when(is_open).then(pl.lit(ASSUMED)).otherwise("message").alias("message"),
    )
    return ChunkOutcome(rows, outcome.unmatched, outcome.repeats, outcome.doubts, outcome.remarks)


def settle_rows(folder: RunFolder, manifest: Manifest, jobs: Sequence[Job]) -> None:
    """Write the table of fates and the tables for people anew, from chunks, ledger and received files.

    Doing so again changes nothing, so a run that was interrupted anywhere can be settled at any time. The
    fates come first: they are right even where the tables for people cannot be written. A mark tells
    meanwhile that these may be older than the fates. Memory holds a part of the table at a time.

    Raises:
        FolderError: A chunk or a source is not what it was when it was cleaned, or a file that Marketo sent
            is gone; then every table stays as it was.
        BalanceError: The fates do not add up.
    """
    refuse_missing(folder, jobs)
    outcomes = _Outcomes(folder, manifest, {job.chunk: job for job in jobs})
    parts = beside_chunks(map(_unsettled, folder.stream_rows()), manifest.results.chunks, outcomes.of)
    settled = balanced(parts, manifest.read)
    folder.write_rows(_marking(folder, settled) if jobs else settled)
    if (known := folder.manifest()).remarks != outcomes.remarks:
        folder.write_manifest(replace(known, remarks=outcomes.remarks))
    check_sources(folder, manifest)
    if told := write_outcomes(folder, manifest):
        of_table = tuple({"chunk": folder.failed.name, "message": message} for message in told)
        folder.write_manifest(replace(folder.manifest(), remarks=(*outcomes.remarks, *of_table)))
    tell_kept_fates(folder, people_delimiter(manifest.sources[0].reading))
    folder.settling.unlink(missing_ok=True)


def _marking(folder: RunFolder, parts: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Hand parts of the table of fates on; mark the folder right before the table is replaced."""
    yield from parts
    durable.write(folder.settling, b"")


def _unsettled(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the table of fates as cleaning left them."""
    is_sent = pl.col("chunk").is_not_null()
    return rows.with_columns(
        pl.when(is_sent).then(pl.lit(Fate.READY.value)).otherwise("fate").alias("fate"),
        *(pl.lit(None, kind).alias(name) for name, kind in _OUTCOME_COLUMNS.items()),
    )


class _Outcomes:
    """What became of the rows of each chunk, and the remarks about it."""

    def __init__(self, folder: RunFolder, manifest: Manifest, jobs: Mapping[str, Job]) -> None:
        self._folder = folder
        self._manifest = manifest
        self._jobs = jobs
        self._chunks = {chunk.file: chunk for chunk in manifest.results.chunks}
        self._remarks: dict[str, tuple[str, ...]] = {}

    def of(self, file: str) -> pl.DataFrame:
        """`fate`, `message`, `matched_by` and `batch_id` of its rows."""
        chunk, job = self._chunks[file], self._jobs[file]
        outcome = find_outcome(self._folder, self._manifest, chunk, job)
        if outcome is None:
            return whole_chunk(chunk.rows, Fate.READY, "").rows
        self._remarks[file] = outcome.remarks
        return outcome.rows.with_columns(pl.lit(job.batch_id, pl.Int64).alias("batch_id"))

    @property
    def remarks(self) -> tuple[Mapping[str, str], ...]:
        """What there is to be said of chunks that were asked for, as in the manifest."""
        return tuple(
            {"chunk": file, "message": message}
            for file in self._chunks
            for message in self._remarks.get(file, ())
        )
