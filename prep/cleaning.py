"""Sources → a run folder with upload files and tables of what was left out."""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl

from prep import durable
from prep.ahead import ahead
from prep.blanks import Groups
from prep.chunks import Piece, split
from prep.config import Destination
from prep.conventions import settle
from prep.decision import Decision, Divided, decide, fates, second_pass
from prep.duplicates import ORDINAL
from prep.errors import InputError
from prep.fate_table import balanced
from prep.folder import RunFolder
from prep.listening import Progress
from prep.manifest import Cleaned, Manifest, SourceRecord
from prep.memory import USUAL, Memory
from prep.model import CLEARING, IDENTITY, Advance, Chunk, Fate, Goal, KeepPolicy, Reading, Reason
from prep.people import Table
from prep.plan import Plan
from prep.preparation import POSITION, RAW, FirstPass, Judged, UndecidedError, first_pass
from prep.profile import Profile, Shapes
from prep.report import has_begun
from prep.sources.files import changed
from prep.spill import DiskSpill, Spill
from prep.validation import REASONS
from prep.workbook import WORKBOOK_ROWS, fits_workbook, write_workbook

REJECTED_TAIL: Final = (*IDENTITY, REASONS, RAW)
DUPLICATES_TAIL: Final = (*IDENTITY, "_kept_source", "_kept_row", "_kept_fate")
_GROUP: Final = "_group"
MERGED_COLUMNS: Final = ("field", "value", "_source", "_row", "_kept_source", "_kept_row")


def clean_into(
    folder: RunFolder,
    plan: Plan,
    destination: Destination | None,
    progress: Progress,
    *,
    goal: Goal | None = None,
    max_rejected: str | None = None,
    parent_run_id: str | None = None,
    parent: str | None = None,
    settle: Callable[[Plan], Plan] = settle,
    workbook: bool = True,
    memory: Memory | None = None,
) -> None:
    """Make a folder hold what a plan yields; one that does already is left as it is.

    Args:
        folder: The folder; the caller holds its lock.
        plan: What is to be done.
        destination: Where the rows are to be sent afterwards; None if they are not.
        progress: Told about rows as they are judged and written.
        goal: `run` if whoever resumes the folder is to send its rows, as by default where a destination is
            given.
        max_rejected: As in the manifest.
        parent_run_id: The run whose rows these are.
        parent: Its folder, as in the manifest.
        settle: Finds out how columns spell dates and numbers, where rows show that it must.
        workbook: Write the rejected rows as a workbook too.
        memory: What may be held at a time, by default as usual; the outcome is the same.

    Raises:
        SourceError: A source turns out to be unusable, or changes meanwhile; then no folder is left behind
            but one that was there before.
        FolderError: The folder was made for something else.
    """
    with folder.discarded_unless_begun():
        manifest = _manifest(plan, destination, goal or ("run" if destination else "clean"))
        manifest = replace(manifest, max_rejected=max_rejected, parent_run_id=parent_run_id, parent=parent)
    if is_known := folder.manifest_file.exists():
        manifest = _take_up(folder, manifest)
    if manifest.cleaned is None:
        plan = replace(plan, conventions=manifest.conventions)
        memory = memory or Memory.parse(USUAL)
        fill = partial(_fill, folder, progress=progress, workbook=workbook, memory=memory)
        with _discarded_on_failure(folder, manifest, is_known=is_known):
            _fill_settled(folder, plan, manifest, settle, fill)


def people_delimiter(reading: Reading) -> str:
    """What tables for people are separated by: as the source, if a spreadsheet takes it, else by commas."""
    return ";" if reading.delimiter == ";" else ","


def _manifest(plan: Plan, destination: Destination | None, goal: Goal) -> Manifest:
    return Manifest(
        run_id=uuid.uuid4().hex,
        goal=goal,
        destination=destination,
        sources=tuple(
            SourceRecord(
                path=source.path,
                sha256=source.sha256(),
                reading=source.reading,
                columns=source.columns,
                notes=source.notes,
                copy=Path(source.stored).name if source.stored else None,
                lookup_position=plan.lookup_position(position),
            )
            for position, source in enumerate(plan.sources)
        ),
        settings=plan.settings.to_json(),
        suppression=tuple(record.to_json() for record in plan.suppression.lists),
        schema={
            "name": plan.schema.name,
            "origin": plan.schema.origin,
            "fingerprint": plan.schema.fingerprint,
            "fields": {
                field.name: {"type": field.type, "length": field.length}
                for field in map(plan.schema.fields.__getitem__, plan.fields)
            },
        },
        mapping=tuple(column.facts for column in plan.columns),
        conventions=plan.conventions,
        sheets_before=tuple(sorted(plan.sheets_before)),
    )


def _take_up(folder: RunFolder, wanted: Manifest) -> Manifest:
    """Go on with what a folder was made for; as long as nothing was sent, with another goal or destination.

    Raises:
        FolderError: It was made for something else.
    """
    known = folder.manifest()
    is_bound = wanted.destination is not None and has_begun(folder)
    differences = list(_differences(known, wanted, is_bound=is_bound))
    if differences:
        raise folder.other_run("; ".join(differences))
    aim, said = known.destination, wanted.destination
    if said and not is_bound:
        meant = aim if aim and aim.is_same(said) else said
        renewed = replace(known, goal=wanted.goal, destination=meant, max_rejected=wanted.max_rejected)
        if renewed != known:
            folder.write_manifest(renewed)
        return renewed
    return known


def _differences(known: Manifest, wanted: Manifest, *, is_bound: bool) -> Iterator[str]:
    if [source.path for source in known.sources] != [source.path for source in wanted.sources]:
        yield f"from {', '.join(source.path for source in known.sources)}"
    elif [source.sha256 for source in known.sources] != [source.sha256 for source in wanted.sources]:
        yield "before a source changed"
    same_lists = known.settings.get("suppress") == wanted.settings["suppress"]
    if same_lists and known.suppression != wanted.suppression:
        yield "before a suppression list changed"
    if known.schema["fingerprint"] != wanted.schema["fingerprint"]:
        yield f"with another schema ({known.schema['name']})"
    aim, said = known.destination, wanted.destination
    if aim and said and not aim.is_same(said) and (is_bound or not said.may_replace(aim)):
        yield f"for another destination ({aim})"
    for name, value in wanted.settings.items():
        if known.settings.get(name) != value:
            flag = f"--{name.replace('_', '-')}"
            before, now = _as_said(known.settings.get(name)), _as_said(value)
            made = f"with {flag} {before}" if before else f"without {flag}"
            yield f"{made}, now {now or 'without it'}"


def _as_said(value: object) -> str:
    """The value of an option as one writes it; empty where it is not given."""
    match value:
        case None | False:
            return ""
        case True:
            return "on"
        case dict():
            return ", ".join(f'"{name}={entry}"' for name, entry in value.items())
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


class _Stopwatch:
    """Seconds that each stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - begin, 3)


@contextmanager
def _discarded_on_failure(folder: RunFolder, manifest: Manifest, *, is_known: bool) -> Iterator[None]:
    """Let input that turns out to be unusable, or a full disk, leave no folder behind.

    One that was there before stays, to be taken up; where the disk is full, so does what came only once.
    """
    try:
        yield
    except (InputError, OSError) as error:
        has_copies = any(source.copy for source in manifest.sources)
        if is_known or (has_copies and isinstance(error, OSError) and folder.manifest_file.exists()):
            folder.discard_work()
        else:
            folder.discard()
        raise


def _fill_settled(
    folder: RunFolder,
    plan: Plan,
    manifest: Manifest,
    settle: Callable[[Plan], Plan],
    fill: Callable[[Plan, Manifest], None],
) -> None:
    """Clean into a folder; where rows show that columns must be surveyed, settle these and begin again."""
    folder.begin(manifest)
    try:
        fill(plan, manifest)
    except UndecidedError:
        pass  # what was held is let go of here, with the error's frames, before it is read again
    else:
        return
    plan = settle(plan)
    manifest = replace(manifest, conventions=plan.conventions)
    folder.begin(manifest)
    fill(plan, manifest)


def _fill(
    folder: RunFolder,
    plan: Plan,
    manifest: Manifest,
    *,
    progress: Progress,
    workbook: bool,
    memory: Memory,
) -> None:
    """Clean into a folder that was begun, and finish it."""
    watch = _Stopwatch()
    profile = Profile(plan.fields)
    places = [plan.places(position) for position in range(len(plan.sources))]
    shapes = Shapes(places, reasons=REASONS, whole_row=RAW)
    with ThreadPoolExecutor(max_workers=1) as beside:
        spill = DiskSpill(folder.work / "spill", beside, held_bytes=memory.held)
        with watch.time("validate"):
            first, rejected = _judge(folder, plan, spill, profile, shapes, progress=progress, memory=memory)
            _refuse_changes(manifest, first)
        tabled = beside.submit(_write_workbook, folder, plan, rejected if workbook else ())
        with watch.time("dedupe"):
            decision = decide(plan, first, spill, memory)
        with watch.time("write"):
            cells = _CellCounts(plan)
            if plan.settings.keep.policy is KeepPolicy.MERGE:
                _write_merged(folder, plan, decision.discarded)
            batches = map(cells.add, second_pass(plan, spill, decision))
            written = _write_rows(folder, plan, batches, partial(_cut, plan, decision, spill))
            with ahead(written, waiting=8) as done:
                chunks = _Written(done, int(decision.stands.sum()), progress)
                found = _cleared(spill, fates(spill, decision, first, chunks))
                folder.write_rows(balanced(found, first.read), folder.work / folder.rows.name)
            tabled.result()
    records = [
        replace(record, rows=count, skipped=tuple({"kind": line.kind, "line": line.line} for line in skipped))
        for record, count, skipped in zip(manifest.sources, first.rows, first.skipped, strict=True)
    ]
    cleaned = Cleaned(
        fields=plan.fields,
        chunks=tuple(chunks.all),
        reasons=_list_reasons(plan, first, shapes),
        changes=_list_changes(first),
        notes=_list_notes(first),
        blank_cells=_by_field(cells.blank),
        cleared_cells=_by_field(cells.cleared),
        seconds=watch.seconds,
        profile=profile.to_json(),
        duplicates=tuple(decision.sizes.to_dicts()),
    )
    folder.finish(replace(manifest, sources=tuple(records), cleaned=cleaned))


_Listed = tuple[Mapping[str, Any], ...]


def _list_reasons(plan: Plan, first: FirstPass, shapes: Shapes) -> _Listed:
    """Why rows were rejected, the commonest reason first."""
    return tuple(
        {
            "code": code,
            "field": field or None,
            "rows": rows,
            "shapes": shapes.of(field, code),
            **({"rules": list(rules)} if (rules := plan.schema.rules_for(field, Reason(code))) else {}),
        }
        for (field, code), rows in sorted(first.reasons.items(), key=lambda item: (-item[1], item[0]))
    )


def _list_changes(first: FirstPass) -> _Listed:
    """How many cells each rule changed, by field and rule."""
    return tuple(
        {"field": field, "rule": rule, "cells": cells}
        for (field, rule), cells in sorted(first.changes.items())
    )


def _list_notes(first: FirstPass) -> _Listed:
    """What was noted of values, the commonest first."""
    return tuple(
        {
            "code": str(code),
            "field": field,
            "cells": noted.cells,
            "rows": [place._asdict() for place in noted.rows],
        }
        for (field, code), noted in sorted(first.notes.items(), key=lambda item: (-item[1].cells, item[0]))
    )


def _by_field(cells: Mapping[str, int]) -> _Listed:
    """Fields that have such cells, those with most first."""
    listed = sorted(cells.items(), key=lambda item: (-item[1], item[0]))
    return tuple({"field": name, "cells": count} for name, count in listed if count)


def _refuse_changes(manifest: Manifest, first: FirstPass) -> None:
    """Refuse rows that were read from another file than the one that the manifest names.

    Raises:
        SourceError: A source was written to while it was read.
    """
    for record, read in zip(manifest.sources, first.digests, strict=True):
        if record.sha256 != read:
            raise changed(record.path)


def _rejected_columns(plan: Plan) -> list[str]:
    return [*(name for name, _ in plan.source_columns), *REJECTED_TAIL]


def _judge(
    folder: RunFolder,
    plan: Plan,
    spill: Spill,
    profile: Profile,
    shapes: Shapes,
    *,
    progress: Progress,
    memory: Memory,
) -> tuple[FirstPass, Iterable[pl.DataFrame]]:
    """The first pass, with the table of rejected rows; returns these too unless they are very many."""
    places = [str(place) for place in range(len(plan.source_columns))]
    few = spill.beside("rejected")

    with durable.replacing(folder.work / folder.rejected.name) as file:
        table = Table(file, _rejected_columns(plan), delimiter=people_delimiter(plan.sources[0].reading))

        def note(judged: Judged, rows: int, share: float | None) -> None:
            frame = judged.rejected
            shown = frame.select(*places, *IDENTITY, pl.col(REASONS).list.join("; "), RAW)
            table.append(shown)
            profile.add(judged.valid)
            if frame.height:
                shapes.add(frame[POSITION][0], frame)
            if table.rows <= WORKBOOK_ROWS:
                few.append(shown)
            progress(Advance("validate", rows, share))

        return first_pass(plan, spill, note, memory), few if table.rows <= WORKBOOK_ROWS else ()


def _write_workbook(folder: RunFolder, plan: Plan, frames: Iterable[pl.DataFrame]) -> None:
    """Write the rejected rows as a workbook, if there are any frames and a workbook can hold them."""
    if (parts := list(frames)) and fits_workbook(rejected := pl.concat(parts)):
        with durable.replacing(folder.work / folder.rejected_workbook.name) as file:
            write_workbook(file, _rejected_columns(plan), rejected)


@dataclass
class _CellCounts:
    """Cells of the upload files without a value, by field."""

    plan: Plan
    blank: Counter[str] = field(default_factory=Counter)
    cleared: Counter[str] = field(default_factory=Counter)

    def add(self, batch: Divided) -> Divided:
        rows = batch.ready
        self.blank.update(rows.select(pl.col(self.plan.fields).null_count()).row(0, named=True))
        if self.plan.settings.clear:
            orders = rows.select((pl.col(self.plan.settings.clear) == CLEARING).sum())
            self.cleared.update(orders.row(0, named=True))
        return batch


def _cut(plan: Plan, decision: Decision, spill: DiskSpill, frames: Iterator[pl.DataFrame]) -> Iterator[Piece]:
    """Cut rows into files; where blank cells are left out, one group after the other."""
    settings = plan.settings
    split_up = partial(split, file_format=settings.format, max_bytes=settings.max_bytes, stem=plan.stem)
    if decision.groups is None:
        yield from split_up(frames, plan.fields)
        return
    spills = [spill.beside(f"group-{number}") for number in range(len(decision.groups.fields))]
    _sort_into(spills, frames, decision.groups)
    number = 1
    for fields, rows in zip(decision.groups.fields, spills, strict=True):
        for piece in split_up(rows, fields, first_number=number):
            yield piece
            number += 1


def _sort_into(spills: Sequence[Spill], frames: Iterable[pl.DataFrame], groups: Groups) -> None:
    """Let the rows of each group wait on the disk, with the fields that they fill."""
    for frame in frames:
        numbered = frame.with_columns(groups.numbers.gather(frame[ORDINAL]).alias(_GROUP))
        for (number,), rows in numbered.partition_by(_GROUP, as_dict=True, maintain_order=True).items():
            spills[number].append(rows.select(groups.fields[number]))


def _write_rows(
    folder: RunFolder,
    plan: Plan,
    batches: Iterator[Divided],
    cut: Callable[[Iterator[pl.DataFrame]], Iterator[Piece]],
) -> Generator[Chunk]:
    """Write the upload files, with the table of rows that lost beside them.

    One is made durable, which is mostly waiting, while the next one is rendered.

    Yields:
        Each upload file once it is durable.
    """
    with durable.replacing(folder.work / folder.duplicates.name) as file:
        columns = [*plan.fields, *DUPLICATES_TAIL]
        table = Table(file, columns, delimiter=people_delimiter(plan.sources[0].reading))

        def ready() -> Generator[pl.DataFrame]:
            for batch in batches:
                table.append(batch.duplicates.with_columns(pl.lit(Fate.READY.value).alias("_kept_fate")))
                yield batch.ready

        with ThreadPoolExecutor(max_workers=1) as storing, ahead(ready(), waiting=2) as frames:
            stored: Future[Chunk] | None = None
            for piece in cut(frames):
                before = stored
                stored = storing.submit(folder.write_chunk, piece.name, piece.content, piece.rows)
                if before:
                    yield before.result()
            if stored:
                yield stored.result()


class _Written:
    """Upload files as they are written; progress is told in the thread that takes them."""

    def __init__(self, chunks: Iterator[Chunk], rows: int, progress: Progress) -> None:
        self.all: list[Chunk] = []
        self._chunks = chunks
        self._rows = rows
        self._progress = progress

    def __iter__(self) -> Iterator[Chunk]:
        written = 0
        for chunk in self._chunks:
            self.all.append(chunk)
            written += chunk.rows
            self._progress(Advance("write", written, written / self._rows))
            yield chunk


def _write_merged(folder: RunFolder, plan: Plan, values: Iterable[pl.DataFrame]) -> None:
    delimiter = people_delimiter(plan.sources[0].reading)
    with durable.replacing(folder.work / folder.merged.name) as file:
        table = Table(file, MERGED_COLUMNS, delimiter=delimiter)
        for part in values:
            table.append(part.select(MERGED_COLUMNS))


def _cleared(spill: DiskSpill, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Frames that are the last ones to be made of a spill; it is cleared while tables become durable."""
    yield from frames
    spill.clear()
