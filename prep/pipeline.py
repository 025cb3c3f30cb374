"""Start reading here: the stages in order, from lead files to the fate of every row."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, get_args

import polars as pl

from prep.cleaning import clean_into
from prep.config import CleanOptions, CleanSettings, Destination, make_settings
from prep.errors import FolderError, SettingsError
from prep.folder import RunFolder, check_sources
from prep.in_memory import Prepared, prepare_plan, read_cells
from prep.intake import Given, Sources, default_folder, listed, no_source, open_all, reopen, take_in
from prep.judge import import_judge_ahead
from prep.limits import JOBS_QUEUED, PREVIEW_CALLS
from prep.listening import Progress, importing, shielded, silent
from prep.memory import USUAL, Memory
from prep.model import Advance, Assumption, Exchange, Goal, JobState
from prep.object_keys import choose_schema
from prep.objects import parse_object
from prep.plan import Plan, make_plan
from prep.report import build_report, has_begun, read_jobs, write_report
from prep.returned import own_places
from prep.runs import Run, open_folder, refuse_half_settled, refuse_open, refuse_purged
from prep.schema import Schema
from prep.sources import Source, open_source
from prep.tolerance import Limit

if TYPE_CHECKING:
    from prep.marketo import Marketo
    from prep.preflight import Finding
    from prep.previewing import Estimate

__all__ = [
    "Prepared",
    "Run",
    "check",
    "clean",
    "prepare",
    "preview",
    "purge",
    "read",
    "reconcile",
    "resume_cleaning",
    "retry",
    "settle",
    "submit",
]


def read(source: str | Path) -> pl.DataFrame:
    """Read a lead file as text.

    Returns:
        The file's own columns, cells as written, null where blank (a name that is taken gets a number behind
        it), then `_source`, `_row` (1-based record number after the header) and `_line` (physical line).

    Raises:
        SourceError: It is no path, the file cannot be read, or it holds records that cannot be split;
            `prepare` lists these.
    """
    if not isinstance(source, str | Path):
        raise no_source(
            source, "prep.read takes the path of a file, prep.prepare and prep.clean take frames too."
        )
    return read_cells(open_source(source))


def prepare(
    sources: Sources, schema: Schema | str | Path | None = None, **options: Unpack[CleanOptions]
) -> Prepared:
    """Validate, normalise and deduplicate lead files in memory; no network, nothing written.

    Args:
        sources: A path, a `Query` or a frame, or several; their rows count in this order.
        schema: A schema, or the name or path of one; by default the packaged one of what rows become.
        **options: As in `CleanOptions`.

    Raises:
        InputError: A source, a header, the schema or an option is wrong. Rejected rows are a result.
    """
    settings = make_settings(options)
    return prepare_plan(_plan(open_all(listed(sources), settings.reading), schema, settings))


def clean(
    sources: Sources,
    out: str | Path | None = None,
    *,
    schema: Schema | str | Path | None = None,
    destination: Destination | None = None,
    goal: Goal | None = None,
    max_rejected: str | int | None = None,
    keep_source: bool = False,
    memory: str = USUAL,
    progress: Progress = silent,
    **options: Unpack[CleanOptions],
) -> Run:
    """Turn lead files into a run folder with upload files; what is too much for memory waits on the disk.

    A folder that was made from the same sources with the same settings is taken up where it was left.

    Args:
        sources: A path (`-` is standard input), a `Query` or a frame, or several; their rows count in this
            order.
        out: The run folder; by default the first file's name with `.prep`, in the current folder.
        schema: A schema, or the name or path of one; by default the packaged one of what rows become.
        destination: Where the rows are to be sent afterwards.
        goal: What resuming the folder is for: `run` sends the rows too, and is the default where a
            destination is given; `clean` leaves that to `submit`.
        max_rejected: With more rejected rows than this, `100` or `5%`, resuming sends nothing.
        keep_source: Copy the files into the run folder. What comes only once is always copied.
        memory: What may be held at a time, such as `500MB` or `2GB`; changes nothing else.
        progress: Told how far reading, validating and writing are.
        **options: As in `CleanOptions`.

    Raises:
        InputError: A source, a header, the schema or an option is wrong.
        FolderError: The folder was made for something else, was purged, or another process works on it.
    """
    settings, bound = make_settings(options), Memory.parse(memory)
    limit = None if max_rejected is None else Limit.parse(max_rejected).text
    if goal is not None and goal not in get_args(Goal):
        raise SettingsError(
            f"goal: {goal!r} is neither 'clean' nor 'run'",
            code="bad_goal",
            hint="With run, resuming sends the rows too.",
        )
    if destination is not None:
        destination.refuse_misfit(parse_object(settings.object))
    given = listed(sources)
    folder = RunFolder(out if out is not None else default_folder(given[0]))
    folder.create()
    with folder.lock():
        if folder.manifest_file.exists():
            refuse_purged(folder)
        tell = shielded(progress)
        tell(Advance("read"))
        plan = _take_in(given, folder, schema, settings, keep_source=keep_source)
        clean_into(folder, plan, destination, tell, goal=goal, max_rejected=limit, memory=bound)
        write_report(folder)
    return Run(folder)


def check(
    sources: Sources,
    scratch: Path,
    *,
    schema: Schema | str | Path | None = None,
    memory: str = USUAL,
    progress: Progress = silent,
    **options: Unpack[CleanOptions],
) -> Run:
    """Clean into a folder that is thrown away afterwards: as `clean`, but without report and workbook.

    Args:
        sources: As in `clean`.
        scratch: The folder; it must not exist.
        schema: As in `clean`.
        memory: As in `clean`.
        progress: As in `clean`.
        **options: As in `CleanOptions`.

    Raises:
        InputError: As in `clean`.
    """
    settings, bound = make_settings(options), Memory.parse(memory)
    given = listed(sources)
    folder = RunFolder(scratch)
    folder.create()
    with folder.lock():
        tell = shielded(progress)
        tell(Advance("read"))
        plan = _take_in(given, folder, schema, settings, keep_source=False)
        try:
            clean_into(folder, plan, None, tell, workbook=False, memory=bound)
        except OSError:
            shutil.rmtree(folder.path, ignore_errors=True)  # nobody is going to take it up
            raise
    return Run(folder)


def _take_in(
    given: Sequence[Given],
    folder: RunFolder,
    schema: Schema | str | Path | None,
    settings: CleanSettings,
    *,
    keep_source: bool,
) -> Plan:
    """Look at the sources while pandera, which judges their headers next, is being imported."""
    import_judge_ahead()
    with folder.discarded_unless_begun():
        taken = take_in(given, settings.reading, folder, keep_source=keep_source, digesting=True)
        return _plan(taken, schema, settings)


def _plan(sources: Sequence[Source], schema: Schema | str | Path | None, settings: CleanSettings) -> Plan:
    chosen = choose_schema(schema, parse_object(settings.object))
    own = [source for source in sources if own_places(source.columns)]
    if not own:
        return make_plan(sources, chosen, settings)
    from prep.table_meaning import refuse_other_meaning, sheets_before

    for source in own:
        refuse_other_meaning(source, chosen, settings)
    return replace(make_plan(sources, chosen, settings), sheets_before=sheets_before(own))


def aim(run: Run, destination: Destination) -> None:
    """Note where a run is to be sent, so that whoever is stopped before its first upload can resume it.

    Raises:
        FolderError: Another process works on it, or it cannot be written.
    """
    with run.folder.lock():
        manifest = run.folder.manifest()
        if not (manifest.is_restore or has_begun(run.folder)):
            aimed = replace(manifest, goal="run", destination=destination, max_rejected=None)
            run.folder.write_manifest(aimed)


def withhold(run: Run, max_rejected: str) -> None:
    """Let nobody who resumes a run send its rows; one of which anything was sent stays as it is.

    Args:
        run: The run.
        max_rejected: The bound that it exceeds.

    Raises:
        FolderError: Another process works on it, or it cannot be written.
    """
    with run.folder.lock():
        if not has_begun(run.folder):
            run.folder.write_manifest(replace(run.folder.manifest(), goal="clean", max_rejected=max_rejected))
            write_report(run.folder)


def submit(
    run: Run | str | Path,
    client: "Marketo",
    destination: Destination | None = None,
    *,
    wait: bool = True,
    timeout_seconds: float | None = None,
    queue_slots: int = JOBS_QUEUED,
    poll_seconds: tuple[float, float] | None = None,
    on_ready: Callable[[Sequence["Finding"]], None] = lambda _: None,
    progress: Progress = silent,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Send what a run has ready, wait for Marketo, and settle the fate of every row.

    Before the first byte is sent, every upload file is looked at, and Marketo is asked whether it has the
    list, the partition, the lookup field and every field of the upload, and lets imports write them.

    Safe to call again after any interruption: nothing is sent twice, nothing that was learnt is lost.

    Args:
        run: What `clean` returned, or its folder.
        client: The instance to send to.
        destination: List and partition. By default what the folder was made for, else the client's host
            alone. A folder belongs to the first destination that it was sent to; as long as nothing was
            sent, another one can be named.
        wait: Whether to stay until Marketo has finished all jobs.
        timeout_seconds: Longest stay; None is as long as it takes.
        queue_slots: How many of Marketo's ten queue places to use at the most.
        poll_seconds: Shortest and longest pause between two looks at the queue; by default 5 and 30, as
            Marketo asks for, and less with a sandbox.
        on_ready: Told what deserves a look, right before anything is sent; whatever it raises stops that.
        progress: Told how far the import is whenever a job moved, or Marketo processed more of its rows.
        clock: Monotonic seconds.
        sleep: Waits for a number of seconds.

    Returns:
        The run; its `rows` and `counts` hold what is known now, its `report["state"]` whether that is all.

    Raises:
        FolderError: The run was altered, belongs to another destination, or another process works on it.
        SchemaError: Marketo lacks a field of the upload, or does not let imports write it; nothing was sent.
        MarketoError: Marketo refused or cannot be reached; what it took before is settled.
    """
    from prep.jobs import run_jobs
    from prep.preflight import Finding
    from prep.sending import (
        check_chunks,
        finisher,
        noting,
        prepare_sending,
        recording,
        refuse_no_client,
        writing_down,
    )

    refuse_no_client(client)
    folder = open_folder(run)
    with folder.lock():
        manifest = folder.manifest()
        chunks = {chunk.file: chunk for chunk in manifest.results.chunks}
        rows = {chunk.file: chunk.rows for chunk in manifest.results.chunks}
        tell = shielded(progress)
        check_sources(folder, manifest)
        check_chunks(folder, manifest)
        asked: list[Exchange] = []
        with noting(client, asked.append):
            manifest = prepare_sending(folder, manifest, client, destination)
        on_ready(Finding.all_from_json(manifest.preflight))
        folder.write_manifest(manifest)
        with recording(folder, manifest, client) as ledger:
            for exchange in asked:
                ledger.note(exchange)

            with writing_down(folder, manifest, ledger):
                run_jobs(
                    ledger,
                    client,
                    lambda file: folder.read_chunk(chunks[file]),
                    on_finished=finisher(folder, manifest, ledger),
                    on_progress=lambda jobs: tell(importing(jobs, rows)),
                    queue_slots=queue_slots,
                    wait=wait,
                    timeout_seconds=timeout_seconds,
                    poll_seconds=poll_seconds or client.poll_seconds,
                    clock=clock,
                    sleep=sleep,
                )
    return Run(folder)


def preview(
    run: Run | str | Path,
    client: "Marketo",
    destination: Destination | None = None,
    *,
    sample: int | None = None,
    max_calls: int = PREVIEW_CALLS,
    on_ready: Callable[["Estimate", Sequence["Finding"]], None] = lambda _, __: None,
    progress: Progress = silent,
) -> Run:
    """Look up what an import would change, before it, and make the way back; nothing is changed.

    Every row that is ready is looked up by its key. `preview.csv` lists what would change,
    `report["preview"]` counts it, and `restore/` is a run folder that `submit` sends to put people back.
    Answers are kept as they come: whoever is interrupted carries on. A finished preview is made anew.

    Args:
        run: What `clean` returned, or its folder; nothing of it may have been sent.
        client: The instance to ask.
        destination: Where the rows will be sent, as for `submit`; only the instance counts.
        sample: Ask about so many rows, spread over all of them; then there is no way back.
        max_calls: API calls that may be made.
        on_ready: Told of the price, and of what deserves a look, right before anybody is looked up;
            whatever it raises stops that.
        progress: Told about rows as they are looked up and compared.

    Raises:
        SettingsError: It takes more calls than it may make, or the sample has no row.
        SchemaError: Marketo would refuse the upload: it lacks a field, or does not let imports write it.
        FolderError: Something of the run was sent, it was altered, or another process works on it.
        MarketoError: Marketo refuses or cannot be reached.
    """
    if sample is not None and sample < 1:
        raise SettingsError(
            f"sample is {sample}", code="bad_sample", hint="It takes 1 row or more, or None for all of them."
        )
    from prep.preflight import find_destination
    from prep.previewing import Budget, Work, make_preview, refuse_unless_new
    from prep.sending import noting, refuse_no_client

    refuse_no_client(client)
    folder = open_folder(run)
    with folder.lock():
        manifest = folder.manifest()
        refuse_unless_new(folder, manifest)
        aim = find_destination(manifest.destination, client, destination, is_bound=manifest.is_restore)
        budget = Budget(max_calls)
        with noting(client, budget.note):
            work = Work(folder, manifest, client, aim.target, sample, on_ready, shielded(progress))
            found = make_preview(work, budget)
        folder.write_manifest(found)
        write_report(folder)
        folder.answers.unlink()
    return Run(folder)


def retry(
    run: Run | str | Path,
    out: str | Path | None = None,
    *,
    everything: bool = False,
    maps: Mapping[str, str] | None = None,
    dates: str | None = None,
    timezone: str | None = None,
    decimal: str | None = None,
    memory: str = USUAL,
    progress: Progress = silent,
) -> Run:
    """Make a new run of the rows that failed, and of the rejected rows that were corrected since.

    Corrections are made with `prep review`, in `rejected.csv` or in `rejected.xlsx`. Every row keeps its
    source, row and line; settings, schema and destination are the parent's, but for columns that are mapped
    otherwise now, there or here, and cells that are to be read otherwise: then all rejected rows are tried
    again. Rows that an earlier retry has as they are now, of this run or of one that it is a retry of, are
    left out, unless they failed or were rejected there again. Nothing is sent: `submit` does that.

    Args:
        run: The parent, or its folder.
        out: The new run folder; by default `leads-retry1.prep` beside `leads.prep`, and so on.
        everything: Take all rejected rows, changed or not.
        maps: Header → field for columns of the sources, an empty field to leave one out; goes before what was
            chosen in `prep review`.
        dates: As in `clean`, instead of the parent's; an order that a column proved in the parent is kept.
        timezone: Likewise.
        decimal: Likewise.
        memory: As in `clean`.
        progress: As in `clean`.

    Raises:
        SourceError: A table came back damaged, was corrected twice or is gone, or there is nothing to try
            again.
        HeaderError: Columns do not fit the schema as they are mapped now, such as two for one field, or a
            table lost some.
        SettingsError: A column or field of `maps` is not there, or an option is not what it may be.
        SchemaError: Columns would become something else by the schema as it is now.
        FolderError: The parent was altered, its cleaning was interrupted, its tables were not finished, its
            sources changed, or the new folder is there already.
    """
    from prep.cleaning import people_delimiter
    from prep.corrections import read_maps
    from prep.people import AS_WRITTEN
    from prep.retried import leave_out_retried
    from prep.retry_mapping import plan_again, refuse_changed_schema, reinterpret, remap, settle_again
    from prep.retrying import find_tables, next_folder, spool

    bound = Memory.parse(memory)
    parent = open_folder(run if isinstance(run, Run) else Run.open(run))
    tell = shielded(progress)
    tell(Advance("read"))
    with parent.lock():
        refuse_half_settled(parent)
        known = parent.manifest()
        check_sources(parent, known)
        refuse_changed_schema(known)
        chosen = {**read_maps(parent.review), **(maps or {})}
        said = {"dates": dates, "timezone": timezone, "decimal": decimal}
        meaning = {name: value for name, value in said.items() if value is not None}
        manifest = remap(reinterpret(known, meaning), chosen)
        if chosen:
            manifest = settle_again(parent, known, manifest)
        found, told = find_tables(parent, manifest, everything=everything or bool(chosen or meaning))
        tables, notes = leave_out_retried(parent, manifest, found)
        folder = RunFolder(out if out is not None else next_folder(parent.path))
        if folder.path.exists():
            raise FolderError(
                f"{folder.path}: is there already",
                code="folder_exists",
                hint="A retry needs a folder of its own: choose another one with -o DIR.",
                source=str(folder.path),
            )
        folder.create()
        with folder.lock(), parent.noting_retry(folder):
            with folder.discarded_unless_begun():
                delimiter = people_delimiter(manifest.sources[0].reading)
                paths = [spool(folder, name, table, delimiter) for name, table in tables.items()]
                first, *others = open_all(paths, replace(AS_WRITTEN, delimiter=delimiter))
                plan = plan_again(manifest, [replace(first, notes=(*first.notes, *told, *notes)), *others])
            clean_into(
                folder,
                plan,
                manifest.destination,
                tell,
                goal=manifest.goal,
                parent_run_id=manifest.run_id,
                parent=parent.seen_from(folder),
                memory=bound,
            )
            write_report(folder)
    return Run(folder)


def reconcile(run: Run | str | Path, client: "Marketo") -> Run:
    """Fetch failures and warnings of a run's finished jobs again, and settle the fate of their rows again.

    Jobs that Marketo has not finished, or of which nobody asked since, are left to `submit`.

    A job whose outcome is unknown although its batch id is known is asked about again, within the seven
    days: if Marketo's answer now leaves no doubt about any row, it is reconciled. An answer that leaves
    doubts changes nothing, neither here nor for a job that was reconciled before.

    Raises:
        FolderError: The run was altered, belongs to another destination, or another process works on it.
        MarketoError: Marketo cannot be reached, or knows a job no longer; what is at hand stays as it is.
    """
    from prep.preflight import refuse_other_host
    from prep.sending import recording, refuse_no_client, take_answers, writing_down

    refuse_no_client(client)
    folder = open_folder(run)
    with folder.lock():
        manifest = folder.manifest()
        check_sources(folder, manifest)
        if manifest.destination is not None and read_jobs(folder):
            refuse_other_host(manifest.destination, client)
            with recording(folder, manifest, client) as ledger, writing_down(folder, manifest, ledger):
                take_answers(folder, manifest, ledger, client)
        else:
            write_report(folder)
    return Run(folder)


def settle(run: Run | str | Path, chunk: str, decision: Assumption, *, batch_id: int | None = None) -> Run:
    """Settle a chunk whose outcome is unknown, as a person decided who looked in Marketo.

    Args:
        run: A run, or its folder.
        chunk: The upload file, such as `leads-0001.csv`.
        decision: `landed`: Marketo has the rows. With a batch id, known or given, the next `submit` fetches
            what can be had of it; without one it counts the rows as imported, with message `assumed landed`.
            `lost`: Marketo does not have them; they are ready again and the next `submit` sends them once.
        batch_id: Marketo's id of the import, if it is not known yet.

    Raises:
        SettingsError: The decision is neither of the two words, or the batch id none that goes with it.
        FolderError: The chunk is not one of the run's, its outcome is not unknown, the batch id is that of
            another chunk, a source changed, or a file that Marketo sent is gone; then nothing is decided.
    """
    if decision not in get_args(Assumption):
        raise SettingsError(
            f"decision: {decision!r} is neither 'landed' nor 'lost'",
            code="bad_decision",
            hint="Look in Marketo which of the two holds.",
        )
    from prep.jobs import declare_crashed
    from prep.marketo.records import whole
    from prep.sending import write_down
    from prep.settlement import open_ledger, refuse_missing

    if batch_id is not None and (decision == "lost" or type(batch_id) is not int or not whole(batch_id)):
        raise SettingsError(
            f"batch_id: {batch_id!r} is no id of an import that landed",
            code="bad_batch_id",
            hint="It is a whole number from 1, and goes with 'landed' alone.",
        )
    folder = open_folder(run)
    with folder.lock():
        manifest = folder.manifest()
        files = [known.file for known in manifest.results.chunks]
        file = next((known for known in files if known == chunk or Path(known).name == chunk), None)
        if file is None:
            raise FolderError(
                f"{folder.path}: has no chunk {chunk!r}",
                code="no_such_chunk",
                hint=f"prep status {folder.typed} lists them.",
                source=str(folder.path),
            )
        check_sources(folder, manifest)
        with open_ledger(folder, manifest) as ledger:
            declare_crashed(ledger)
            if (state := ledger.job(file).state) is not JobState.UNKNOWN:
                raise FolderError(
                    f"{folder.path}: {file} is {state}, nothing of it is to be decided",
                    code="not_unknown",
                    hint=f"prep status {folder.typed} shows which chunks are unknown.",
                    source=str(folder.path),
                )
            kept = (job for job in ledger.jobs() if job.chunk != file or decision == "landed")
            refuse_missing(folder, kept)
            ledger.settle(file, decision, batch_id=batch_id)
            write_down(folder, manifest, ledger.jobs())
    return Run(folder)


def purge(run: Run | str | Path) -> Run:
    """Delete the personal data of a finished run; its counts, ids and the report stay.

    Upload files, tables, received files, preview and way back, the local sandbox's leads, and the keys and
    Marketo's messages in `rows.parquet` go. The sources themselves are not touched. Doing it again finishes a
    purge that was interrupted.

    Raises:
        FolderError: Rows of the run, or of its way back once that was begun, are still to be sent, under way
            or unknown, or something cannot be deleted.
    """
    folder = run.folder if isinstance(run, Run) else RunFolder.open(run)
    with folder.lock(), folder.review_lock() if folder.review.exists() else nullcontext():
        if not folder.manifest().is_purged:
            report = build_report(folder)
            refuse_open(folder, report)
            way_back = RunFolder(folder.restore)
            if way_back.manifest_file.exists() and has_begun(way_back):
                refuse_open(way_back, build_report(way_back))
            write_report(folder, {**report, "purged": True})
        folder.forget()
    return Run(folder)


def resume_cleaning(path: str | Path, *, memory: str = USUAL, progress: Progress = silent) -> Run:
    """Finish a run folder whose cleaning was interrupted; one that is clean is only opened.

    Args:
        path: The run folder.
        memory: As in `clean`.
        progress: As in `clean`.

    Raises:
        InputError: The sources, the schema or the folder are not what they were.
    """
    bound = Memory.parse(memory)
    run = Run(open_folder(path))
    manifest = run.folder.manifest()
    if manifest.cleaned is not None:
        if not run.folder.has_report:  # cleaning was done, but prep was killed before it said so
            with run.folder.lock():
                write_report(run.folder)
        return run
    tell = shielded(progress)
    tell(Advance("read"))
    with run.folder.lock():
        sources = [reopen(run.folder, record) for record in manifest.sources]
        plan = _plan(sources, manifest.schema["origin"], CleanSettings.from_json(manifest.settings))
        clean_into(
            run.folder,
            plan,
            manifest.destination,
            tell,
            goal=manifest.goal,
            max_rejected=manifest.max_rejected,
            memory=bound,
        )
        write_report(run.folder)
    return run
