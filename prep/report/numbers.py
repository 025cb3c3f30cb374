"""The content of `report.json`, made from manifest, rows and ledger alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import polars as pl

from prep.advice import known_schema, summarise_messages
from prep.errors import EXIT_DONE, EXIT_RUNNING, EXIT_STOPPED, EXIT_UNKNOWN, EXIT_WITH_REJECTS
from prep.fate_table import add_up
from prep.folder import RunFolder
from prep.ledger import ASSUMED, Ledger
from prep.manifest import Manifest, SourceRecord
from prep.model import Fate, Job, JobState
from prep.report.skipped import describe_skipped
from prep.returned import own_places

REPORT_VERSION: Final = 1


class State(StrEnum):
    """How far a run is."""

    CLEAN = "clean"
    SUBMITTING = "submitting"
    WAITING = "waiting"
    RECONCILED = "reconciled"
    UNKNOWN = "unknown"


def build_report(folder: RunFolder, *, allow_rejects: bool = False) -> dict[str, Any]:
    """Everything that a run folder says about its run.

    Args:
        folder: A run folder whose sources were cleaned.
        allow_rejects: Whether rows that were rejected, warned or failed are fine.

    Raises:
        FolderError: Cleaning was not finished.
        BalanceError: The fates do not add up to the rows read.
    """
    manifest = folder.manifest()
    cleaned = manifest.results
    jobs = read_jobs(folder)
    counts = count_now(folder, manifest, jobs)
    state = find_state(jobs)
    by_chunk = {job.chunk: job for job in jobs}
    return {
        "version": REPORT_VERSION,
        "run_id": manifest.run_id,
        "parent_run_id": manifest.parent_run_id,
        "goal": manifest.goal,
        "max_rejected": manifest.max_rejected,
        "state": str(state),
        "target": manifest.destination.target if manifest.destination else None,
        "sources": [_source(source, manifest) for source in manifest.sources],
        "lookup_field": manifest.settings["lookup_field"],
        "format": manifest.settings["format"],
        "schema": {name: manifest.schema[name] for name in ("name", "fingerprint")},
        "counts": counts,
        "balanced": True,
        "assumed": _assumed(folder, jobs),
        "reasons": [dict(reason) for reason in cleaned.reasons],
        "changes": [dict(change) for change in cleaned.changes],
        "notes": [dict(note) for note in cleaned.notes],
        "mapping": [dict(column) for column in manifest.mapping],
        "chunks": [
            {
                **asdict(chunk),
                "state": str(by_chunk[chunk.file].state if chunk.file in by_chunk else JobState.PLANNED),
                "batch_id": by_chunk[chunk.file].batch_id if chunk.file in by_chunk else None,
            }
            for chunk in cleaned.chunks
        ],
        "jobs": [
            {name: value for name, value in asdict(job).items() if name in _JOB_KEYS}
            for job in jobs
            if job.state is not JobState.PLANNED
        ],
        "seconds": dict(cleaned.seconds),
        "exit_code": exit_code(
            counts, state, allow_rejects=allow_rejects, is_stopped=is_stopped(manifest, jobs)
        ),
        "list_id": manifest.destination.list_id if manifest.destination else None,
        "list_name": manifest.destination.list_name if manifest.destination else None,
        "partition_name": manifest.destination.partition_name if manifest.destination else None,
        "suppression": [dict(record) for record in manifest.suppression],
        "blanks": manifest.settings["blanks"],
        "blank_cells": [dict(cells) for cells in cleaned.blank_cells],
        "cleared_cells": [dict(cells) for cells in cleaned.cleared_cells],
        "messages": _summarise_messages(folder, manifest) if jobs and not manifest.is_purged else [],
        "profile": dict(cleaned.profile),
        "duplicates": [dict(groups) for groups in cleaned.duplicates],
        "transitions": _read_transitions(folder),
        "conventions": [asdict(convention) for convention in manifest.conventions if convention.value],
        "settings": dict(manifest.settings),
        "preflight": [dict(finding) for finding in manifest.preflight],
        "object": manifest.settings["object"],
        "program_id": manifest.destination.program_id if manifest.destination else None,
        "program_status": manifest.destination.program_status if manifest.destination else None,
        "preview": manifest.preview and dict(manifest.preview),
        "is_restore": manifest.is_restore,
        "purged": manifest.is_purged,
        "remarks": [dict(remark) for remark in manifest.remarks],
        "sheets": sorted(manifest.sheets),
    }


def _summarise_messages(folder: RunFolder, manifest: Manifest) -> list[dict[str, Any]]:
    is_told = pl.col("fate").is_in([Fate.FAILED, Fate.WARNED]) | pl.col("matched_by").is_not_null()
    told = folder.query_rows(lambda rows: rows.select("fate", "message", "matched_by").filter(is_told))
    return summarise_messages(told, known_schema(manifest.schema), manifest.into)


def _read_transitions(folder: RunFolder) -> list[dict[str, str]]:
    """When each chunk came into each state, oldest first, in UTC; nothing of a run that was not sent."""
    if not has_begun(folder):
        return []
    with Ledger(folder.ledger) as ledger:
        return [
            {
                "chunk": entry.chunk,
                "state": str(entry.state),
                "at": datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="milliseconds"),
            }
            for entry in ledger.history()
        ]


_OPEN: Final = (Fate.READY, Fate.SENT, Fate.UNKNOWN)
"""Fates that change while sending goes on."""


def count_now(folder: RunFolder, manifest: Manifest, jobs: Sequence[Job]) -> dict[str, int]:
    """Rows by fate, also while they are being sent.

    The table of fates is written anew once sending stops, and after a decision. Until then, and where prep
    was killed, rows that the table has as ready, sent or unknown are what the ledger says of their chunk.

    Raises:
        FolderError: The table is damaged.
        BalanceError: The fates do not add up to the rows read.
    """
    found = Counter(folder.count_rows())
    states = {job.chunk: job.state for job in jobs}
    if states and any(found[fate] for fate in _OPEN):
        for chunk, fate, rows in folder.query_rows(_count_open).rows():
            found[fate] -= rows
            found[_fate_now(Fate(fate), states.get(chunk))] += rows
    return add_up(found, manifest.read)


def _count_open(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.filter(pl.col("fate").is_in(_OPEN)).group_by("chunk", "fate").len()


def _fate_now(fate: Fate, state: JobState | None) -> Fate:
    """What rows are that the table has as open; of some that are reconciled nobody can tell."""
    match state:
        case JobState.PLANNED:
            return Fate.READY
        case JobState.UNKNOWN:
            return Fate.UNKNOWN
        case None:
            return fate
        case JobState.RECONCILED if fate is Fate.UNKNOWN:
            return fate
        case _:
            return Fate.SENT


def _source(record: SourceRecord, manifest: Manifest) -> dict[str, Any]:
    """A source with what was skipped, and what its columns, or a returned table's, were found to spell."""
    found = [convention for convention in manifest.conventions if convention.value]
    if not own_places(record.columns):
        found = [convention for convention in found if convention.source == record.path]
    sentences = (convention.sentence for convention in found)
    return {**record.to_json(), "notes": [*record.notes, *describe_skipped(record), *sentences]}


_JOB_KEYS: Final = frozenset({"chunk", "batch_id", "status", "processed", "failed", "warned", "message"})


def read_jobs(folder: RunFolder) -> tuple[Job, ...]:
    """The jobs of a run, none if nothing was ever to be sent.

    Raises:
        FolderError: The ledger is damaged, or gone although the run had begun to send.
    """
    if not folder.ledger.exists() and not folder.manifest().has_ledger:
        return ()
    with Ledger(folder.ledger) as ledger:
        return ledger.jobs()


def has_begun(folder: RunFolder) -> bool:
    """Whether any chunk of a run was ever about to be sent; until then it may go elsewhere.

    Raises:
        FolderError: As `read_jobs`.
    """
    if not folder.ledger.exists() and not folder.manifest().has_ledger:
        return False
    with Ledger(folder.ledger) as ledger:
        return ledger.has_begun


def find_state(jobs: Sequence[Job]) -> State:
    """How far a run with these jobs is."""
    states = {job.state for job in jobs}
    if not states or states == {JobState.PLANNED}:
        return State.CLEAN
    if JobState.UNKNOWN in states:
        return State.UNKNOWN
    if states & {JobState.PLANNED, JobState.INTENDED}:
        return State.SUBMITTING
    return State.RECONCILED if states == {JobState.RECONCILED} else State.WAITING


def _assumed(folder: RunFolder, jobs: Sequence[Job]) -> int:
    chunks = [job.chunk for job in jobs if job.assumed]
    if not chunks:
        return 0
    is_assumed = pl.col("chunk").is_in(chunks) & (pl.col("fate") == Fate.IMPORTED)
    is_assumed &= pl.col("message") == ASSUMED  # of others Marketo told after all
    return folder.query_rows(lambda rows: rows.select("chunk", "fate", "message").filter(is_assumed)).height


def is_stopped(manifest: Manifest, jobs: Sequence[Job]) -> bool:
    """Whether chunks to be sent are left, and no job is running: most likely Marketo refused them."""
    states = {job.state for job in jobs}
    has_chunks = bool(manifest.cleaned and manifest.cleaned.chunks)
    is_left = JobState.PLANNED in states if states else has_chunks
    return manifest.goal == "run" and is_left and states <= _AT_REST


_AT_REST: Final = frozenset({JobState.PLANNED, JobState.RECONCILED, JobState.UNKNOWN})


def exit_code(counts: Mapping[str, int], state: State, *, allow_rejects: bool, is_stopped: bool) -> int:
    """What a command that ended without an error returns, the gravest case first."""
    if counts[Fate.UNKNOWN] or state is State.UNKNOWN:
        return EXIT_UNKNOWN
    if is_stopped:
        return EXIT_STOPPED
    is_settled = (
        state is not State.RECONCILED or not counts[Fate.READY]
    )  # if not, prep was killed just before
    if counts[Fate.SENT] or state in {State.SUBMITTING, State.WAITING} or not is_settled:
        return EXIT_RUNNING
    blemished = sum(counts[fate] for fate in (Fate.REJECTED, Fate.WARNED, Fate.FAILED))
    accepted = sum(counts[fate] for fate in (Fate.READY, Fate.IMPORTED, Fate.WARNED))
    if blemished and not (allow_rejects and accepted):
        return EXIT_WITH_REJECTS
    return EXIT_DONE
