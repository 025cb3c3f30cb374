"""Jobs and received files → the fate of every source row, and the tables that tell of it."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from prep import durable
from prep.advice import advise, known_schema
from prep.cleaning import people_delimiter
from prep.errors import BalanceError, FolderError
from prep.fate_table import count_fates
from prep.folder import RunFolder, check_sources
from prep.intake import reopen
from prep.ledger import Ledger
from prep.manifest import Manifest
from prep.model import Chunk, Fate, Format, Job, JobState, JobStatus
from prep.objects import Target
from prep.outcomes import ChunkOutcome, join_chunk, whole_chunk
from prep.people import Table, defuse
from prep.plan import columns_of_all, occurrences
from prep.preparation import IDENTITY
from prep.returned import identify, own_places

ASSUMED: Final = "assumed landed"

_PLACE: Final = "_place"
_NOT_ANSWERED: Final = "nobody wrote down Marketo's answer to the upload"
_OUTCOME_COLUMNS: Final = {"batch_id": pl.Int64, "message": pl.String, "matched_by": pl.String}
OUTCOME_TAIL: Final = (*IDENTITY, "_chunk", "_batch_id", "_message", "_matched_by", "_field", "_advice")


def open_ledger(folder: RunFolder, manifest: Manifest) -> Ledger:
    """The ledger of a run that has a destination, with all its chunks; made only if there never was one.

    Raises:
        FolderError: The run has no destination, or the ledger is damaged, gone or of something else.
    """
    aim = manifest.destination
    if aim is None:
        hint = f"prep submit {folder.path} sends it."
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
    folder: RunFolder, job: Job, failures: bytes, warnings: bytes, *, is_doubtful: bool = False
) -> None:
    """Store what Marketo sent about a finished job, exactly as received.

    What it sent before gives way to no empty file, and to a doubtful one only if that is longer.
    """
    for kind, count, content in (("failures", job.failed, failures), ("warnings", job.warned, warnings)):
        name = _received_name(job, kind)
        is_better = bool(content) and (not is_doubtful or len(content) > len(folder.received_file(name)))
        if is_better or (count and not folder.has_received(name)):
            folder.receive(name, content)


def _received_name(job: Job, kind: str) -> str:
    """One name for each batch: a chunk that was sent again must not meet the files of its first job."""
    file = Path(job.chunk)
    return f"{file.stem}.{job.batch_id}.{kind}{file.suffix}"


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


def find_doubts(
    folder: RunFolder, manifest: Manifest, chunk: Chunk, job: Job, files: tuple[bytes, bytes]
) -> str:
    """Why a finished job with these failures and warnings leaves doubts about rows; empty if it does not."""
    if job.status is not JobStatus.COMPLETE:
        return ""
    return " ".join(_join(folder, manifest, chunk, job, files).doubts)


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

    Without Marketo's counts that holds for each row that no file names.
    """
    is_open = pl.col("fate").is_in([Fate.UNKNOWN, *(() if is_counted else (Fate.IMPORTED,))])
    rows = outcome.rows.with_columns(
        pl.when(is_open).then(pl.lit(Fate.IMPORTED.value)).otherwise("fate").alias("fate"),
        pl.when(is_open).then(pl.lit(ASSUMED)).otherwise("message").alias("message"),
    )
    return ChunkOutcome(rows, outcome.unmatched, outcome.repeats, outcome.doubts, outcome.remarks)


def settle_rows(folder: RunFolder, manifest: Manifest, jobs: Sequence[Job]) -> None:
    """Write the table of fates and the tables for people anew, from chunks, ledger and received files.

    Doing so again changes nothing, so a run that was interrupted anywhere can be settled at any time. The
    fates come first: they are right even where the tables for people cannot be written. A mark tells
    meanwhile that these may be older than the fates.

    Raises:
        FolderError: A chunk or a source is not what it was when it was cleaned.
        BalanceError: The fates do not add up.
    """
    rows, remarks = _with_outcomes(folder, manifest, {job.chunk: job for job in jobs})
    count_fates(rows, manifest.read)
    delimiter = people_delimiter(manifest.sources[0].reading)
    if jobs:
        durable.write(folder.settling, b"")
    folder.write_rows(rows)
    if (known := folder.manifest()).remarks != remarks:
        folder.write_manifest(replace(known, remarks=remarks))
    check_sources(folder, manifest)
    for fate, path in ((Fate.FAILED, folder.failed), (Fate.WARNED, folder.warnings)):
        _write_outcomes(folder, manifest, rows.filter(pl.col("fate") == fate), path, delimiter)
    _write_kept_fates(folder, rows, delimiter)
    folder.settling.unlink(missing_ok=True)


def _with_outcomes(
    folder: RunFolder, manifest: Manifest, jobs: Mapping[str, Job]
) -> tuple[pl.DataFrame, tuple[Mapping[str, str], ...]]:
    """The table of fates with what became of each chunk, and the remarks about them, as in the manifest.

    A chunk's rows stand in the table in the chunk's order.
    """
    rows = folder.read_rows().with_columns(
        pl.when(pl.col("chunk").is_not_null()).then(pl.lit(Fate.READY.value)).otherwise("fate").alias("fate"),
        *(pl.lit(None, kind).alias(name) for name, kind in _OUTCOME_COLUMNS.items()),
    )
    rows = rows.with_row_index(_PLACE)
    parts = [rows.filter(pl.col("chunk").is_null())]
    remarks: list[Mapping[str, str]] = []
    for chunk in manifest.results.chunks:
        part = rows.filter(pl.col("chunk") == chunk.file)
        job = jobs[chunk.file]
        outcome = find_outcome(folder, manifest, chunk, job)
        if outcome is not None:
            part = part.with_columns(
                *(outcome.rows[name] for name in ("fate", "message", "matched_by")),
                pl.lit(job.batch_id, pl.Int64).alias("batch_id"),
            )
            remarks += ({"chunk": chunk.file, "message": message} for message in outcome.remarks)
        parts.append(part)
    return pl.concat(parts).sort(_PLACE).drop(_PLACE), tuple(remarks)


def _write_outcomes(
    folder: RunFolder, manifest: Manifest, rows: pl.DataFrame, path: Path, delimiter: str
) -> None:
    """Write rows that Marketo told something of, with the sources' own cells if these are still there."""
    told = rows.select(
        *(pl.col(name[1:]).alias(name) for name in IDENTITY),
        pl.col("chunk").alias("_chunk"),
        pl.col("batch_id").alias("_batch_id"),
        pl.col("message").alias("_message"),
        pl.col("matched_by").alias("_matched_by"),
    ).join(_explained(rows["message"], manifest), on="_message", how="left", maintain_order="left")
    at_hand = all(folder.holds(source) for source in manifest.sources)
    columns, frames = (
        _source_cells(folder, manifest, told)
        if at_hand
        else _sent_cells(folder, manifest, told, rows["chunk"])
    )
    with durable.replacing(path) as file:
        table = Table(file, [*columns, *OUTCOME_TAIL], delimiter=delimiter)
        for frame in frames:
            table.append(frame)
        if table.rows != told.height:
            raise BalanceError(
                f"{path}: {told.height} rows belong into it, {table.rows} were found again",
                code="unbalanced",
                hint="This is a defect of prep; rows.parquet has the fate of every row.",
            )


def _explained(messages: pl.Series, manifest: Manifest) -> pl.DataFrame:
    """`_message` with `_field` and `_advice`, a line for each distinct message."""
    known = messages.drop_nulls().unique().to_list()
    found = [advise(message, known_schema(manifest.schema), manifest.into) for message in known]
    return pl.DataFrame(
        {
            "_message": known,
            "_field": [advice.field for advice in found],
            "_advice": [advice.text for advice in found],
        },
        schema=dict.fromkeys(("_message", "_field", "_advice"), pl.String),
    )


def _source_cells(
    folder: RunFolder, manifest: Manifest, told: pl.DataFrame
) -> tuple[list[str], Iterator[pl.DataFrame]]:
    """Rows with their cells as the sources have them, read again."""
    headers = columns_of_all(source.columns for source in manifest.sources)

    def frames() -> Iterator[pl.DataFrame]:
        for record in manifest.sources:
            is_own = bool(own_places(record.columns))
            wanted = told if is_own else told.filter(pl.col("_source") == record.path)
            if wanted.is_empty():
                continue
            places = {column: str(place) for place, column in enumerate(occurrences(record.columns))}
            cells = [
                (pl.col(places[column]) if column in places else pl.lit(None, pl.String)).alias(str(index))
                for index, column in enumerate(headers)
            ]
            source = reopen(folder, record)
            for batch in source.read(record.lookup_position):
                found = identify(source, batch).cells.select(*cells, "_source", "_row")
                yield found.join(wanted, on=["_source", "_row"], maintain_order="left").select(
                    *(str(index) for index in range(len(cells))), *OUTCOME_TAIL
                )

    return [name for name, _ in headers], frames()


def _sent_cells(
    folder: RunFolder, manifest: Manifest, told: pl.DataFrame, files: pl.Series
) -> tuple[list[str], Iterator[pl.DataFrame]]:
    """Rows with their cells as they were sent, for sources that are gone."""
    fields = list(manifest.results.fields)
    everything = folder.read_rows()

    def frames() -> Iterator[pl.DataFrame]:
        for chunk in manifest.results.chunks:
            if chunk.file not in files:
                continue
            sent = pl.read_csv(
                io.BytesIO(folder.read_chunk(chunk)),
                separator=Format(manifest.settings["format"]).delimiter,
                infer_schema=False,
            )
            rows = everything.filter(pl.col("chunk") == chunk.file)
            left_out = [pl.lit(None, pl.String).alias(name) for name in fields if name not in sent.columns]
            yield (
                sent.with_columns(rows["source"].alias("_source"), rows["row"].alias("_row"), *left_out)
                .join(told, on=["_source", "_row"], maintain_order="left")
                .select(*fields, *OUTCOME_TAIL)
            )

    return fields, frames()


def _write_kept_fates(folder: RunFolder, rows: pl.DataFrame, delimiter: str) -> None:
    """Say in the table of duplicates what became of the rows that were kept instead.

    The table is for people, who may have removed it or saved it in a way of their own; then it stays so.
    """
    try:
        known = pl.read_csv(folder.duplicates, separator=delimiter, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError):
        return
    if not {"_kept_source", "_kept_row", "_kept_fate"} <= set(known.columns):
        return
    fates = rows.select(
        defuse(pl.col("source")).alias("_kept_source"),
        pl.col("row").cast(pl.String).alias("_kept_row"),
        pl.col("fate").alias("_kept_fate"),
    )
    told = known.drop("_kept_fate").join(
        fates, on=["_kept_source", "_kept_row"], how="left", maintain_order="left"
    )
    with durable.replacing(folder.duplicates) as file:
        Table(file, known.columns, delimiter=delimiter).append_defused(told.select(known.columns))
