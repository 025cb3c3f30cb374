"""Spark: the same stages over a DataFrame too large for one machine; the result is an ordinary run folder.

run = prep.integrations.spark.clean_spark(people, "/shared/leads.prep", row="row_number")
prep.submit(run, client)
"""

import json
import shutil
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Unpack

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 (as everybody calls them)
from pyspark.sql.types import StringType, StructField, StructType

from prep import durable, errors
from prep.cleaning import clean_into
from prep.config import CleanOptions, Destination, make_settings
from prep.conventions import Column, settle_by, survey
from prep.errors import FolderError, InputError, SourceError
from prep.folder import RunFolder
from prep.intake import reopen
from prep.integrations.joining import join_parts
from prep.listening import silent
from prep.manifest import SourceRecord
from prep.model import FIND_OUT, LINE, RECORD, ROW, SOURCE, Reading
from prep.object_keys import choose_schema
from prep.objects import parse_object
from prep.places import Place
from prep.plan import Plan, make_plan
from prep.preparation import UndecidedError, as_fields
from prep.report import write_report
from prep.returned import identify
from prep.runs import Run
from prep.schema import Schema
from prep.sources import Source
from prep.sources.columnar import TableSource, open_frame, refuse_columns, spool
from prep.values import Noted, normalise
from prep.values.evidence import Evidence

NAME: Final = "spark frame"
_KEY: Final = "_prep_key"
_ANSWER: Final = "answer"
_LAST_ROW: Final = 2**32 - 1
_PARTS: Final = "spill"
"""Folder inside of the work folder where parts are made; what is left of it never becomes part of a run."""


@dataclass(frozen=True)
class _Task:
    """What every worker is told; it holds no rows.

    Attributes:
        plan: What is to be done, without its sources.
        name: What the frame is called.
        folder: Where parts are made; all workers and the driver see it.
    """

    plan: Plan
    name: str
    folder: Path


def clean_spark(
    frame: DataFrame,
    out: str | Path,
    *,
    row: str = ROW,
    source: str = SOURCE,
    name: str = NAME,
    partitions: int | None = None,
    schema: Schema | str | Path | None = None,
    destination: Destination | None = None,
    **options: Unpack[CleanOptions],
) -> Run:
    """Turn a Spark DataFrame into a run folder, as `prep.clean` does with a file.

    Every row has one fate, and the rows that survive are those that survive on one machine. Rows are spread
    by their normalised lookup key, so that rows with one key meet, and each part goes through the stages of
    `prep.clean`. A part is held in memory by the worker that has it.

    Which row is which must be in the data: `row` is a number from 1 that stays the same whenever Spark
    computes the frame again, and is unique, or unique for each `source`. `monotonically_increasing_id` is
    none: it depends on how the frame happens to be cut. Where rows with one key compete, later ones are those
    with the greater source, as text, then with the greater row.

    Args:
        frame: The rows; columns are mapped to fields as those of a file are. It is computed several times:
            persist it if that is expensive.
        out: The run folder, on a file system that the driver and all workers share under this path, as one
            user. It must not hold a run yet.
        row: Column with the number of each row.
        source: Column with the source of each row; without one all rows are of the source `name`.
        name: What the frame is called in messages and in the report.
        partitions: How many parts; by default as many as Spark shuffles into.
        schema: As in `prep.clean`.
        destination: As in `prep.clean`.
        **options: As in `prep.CleanOptions`.

    Raises:
        InputError: A column, the schema or an option is wrong, or rows are not told apart. No folder is left.
        FolderError: The folder holds a run or other things, or another process works on it.
    """
    settings = make_settings(options)
    into = parse_object(settings.object)
    if destination is not None:
        destination.refuse_misfit(into)
    people = _with_identity(frame, row, source, name)
    plan = make_plan([_heading(people, name)], choose_schema(schema, into), settings)
    folder = RunFolder(out)
    folder.create()
    with folder.lock():
        _refuse_run(folder)
        with folder.discarded_unless_begun():
            parts_folder = _begin(folder)
            rows = _count(people, name)
            task = _Task(replace(plan, sources=()), name, parts_folder.absolute())
            parts = _make_parts(people, task, partitions)
            if parts is None:
                parts = _make_parts(people, _settle(people, task, plan), partitions)
            join_parts(folder, parts or (), read=rows, destination=destination)
        write_report(folder)
    return Run(folder)


def _with_identity(frame: DataFrame, row: str, source: str, name: str) -> DataFrame:
    """The frame's own columns, then `_source`, `_row` and `_line`.

    Raises:
        SourceError: There is no column with row numbers, or two columns have one name.
    """
    columns = list(frame.columns)
    if len(set(columns)) < len(columns):
        raise SourceError(
            f"{name}: two columns have one name", code="duplicate_header", hint="Rename one.", source=name
        )
    if row not in columns:
        raise SourceError(
            f"{name}: has no column {row!r} that numbers its rows",
            code="no_identity",
            hint="Name one with row=…: whole numbers from 1 that never change.",
            source=name,
        )
    own = {row, SOURCE, ROW, LINE, *({source} & set(columns))}
    path = F.col(_quoted(source)).cast("string") if source in columns else F.lit(name)
    line = F.col(LINE) if LINE in columns else F.lit(None)
    number = F.col(_quoted(row))
    return frame.select(
        *(F.col(_quoted(column)) for column in columns if column not in own),
        path.alias(SOURCE),
        F.when(number.cast("double") == F.floor(number.cast("double")), number.cast("bigint")).alias(ROW),
        line.cast("bigint").alias(LINE),
    )


def _quoted(column: str) -> str:
    """A column's name as Spark takes it literally."""
    return f"`{column.replace('`', '``')}`"


def _heading(people: DataFrame, name: str) -> Source:
    """The frame as a source of which only the columns are known.

    Raises:
        SourceError: A column holds what no cell can.
    """
    empty: Any = pl.from_arrow(people.limit(0).toArrow())
    refuse_columns(empty.schema, name)
    return TableSource(name, Reading(), tuple(empty.columns), pieces=lambda: iter(()))


def _refuse_run(folder: RunFolder) -> None:
    if folder.manifest_file.exists():
        raise FolderError(
            f"{folder.path}: holds a run already",
            code="folder_exists",
            hint="Take that one up with prep.Run.open, or choose another folder.",
            source=str(folder.path),
        )


def _begin(folder: RunFolder) -> Path:
    """Clear away what an interrupted attempt left; make the folder for the parts."""
    for path in (folder.work, folder.spool):
        shutil.rmtree(path, ignore_errors=True)
    for path in (folder.work, folder.work / folder.chunks.name, folder.work / _PARTS, folder.spool):
        path.mkdir(mode=durable.FOLDER_MODE)
    return folder.work / _PARTS


def _count(people: DataFrame, name: str) -> int:
    """How many rows there are, each of which is told apart from all others.

    Raises:
        SourceError: There are none, or one has no number, or two have the same.
    """
    nameless = F.col(SOURCE).isNull() | (F.col(SOURCE) == "") | F.col(ROW).isNull()
    nameless |= ~F.col(ROW).between(1, _LAST_ROW)
    copies = people.groupBy(SOURCE, ROW).agg(F.count("*").alias("copies"))
    found = copies.agg(
        F.sum("copies").alias("rows"),
        F.count("*").alias("distinct"),
        F.sum(F.when(nameless, F.col("copies")).otherwise(0)).alias("nameless"),
    ).collect()[0]
    if not found["rows"]:
        raise SourceError(
            f"{name}: there are no data rows",
            code="no_rows",
            hint="A lead file has at least one row.",
            source=name,
        )
    if found["nameless"]:
        raise SourceError(
            f"{name}: {found['nameless']} rows do not say which row they are",
            code="no_identity",
            hint="Number them with whole numbers from 1 that never change, and leave no source blank.",
            source=name,
        )
    if found["rows"] > found["distinct"]:
        raise SourceError(
            f"{name}: {found['rows'] - found['distinct']} rows have the number of another row",
            code="repeated_row",
            hint="Number the rows without repeating one, or name the column that tells their sources.",
            source=name,
        )
    return int(found["rows"])


def _make_parts(people: DataFrame, task: _Task, partitions: int | None) -> list[RunFolder] | None:
    """Let rows with one key meet, and each part go through all stages.

    Returns:
        A run folder for each part that has rows, in the order of their first rows; None if columns must be
        surveyed first.

    Raises:
        InputError: A worker found the input unusable.
    """
    keyed_type = StructType([*people.schema.fields, StructField(_KEY, StringType())])
    keyed = people.mapInArrow(partial(_add_keys, task), keyed_type)
    cut: Sequence[Any] = [F.col(_KEY)] if partitions is None else [partitions, F.col(_KEY)]
    answers = _ask(keyed.repartition(*cut), partial(_make_part, task))
    if any(answer["first"] is None for answer in answers):
        return None
    return [RunFolder(task.folder / answer["part"]) for answer in sorted(answers, key=itemgetter("first"))]


def _settle(people: DataFrame, task: _Task, plan: Plan) -> _Task:
    """Settle how columns spell dates and numbers, by all of their cells.

    Raises:
        SourceError: A column proves nothing, or two things.
    """
    found: defaultdict[Column, defaultdict[tuple[str, str], Noted]] = defaultdict(lambda: defaultdict(Noted))
    for answer in _ask(people, partial(_survey_part, task)):
        for source, field, header, spelling, verdict, cells, rows in answer["evidence"]:
            evidence = found[source, field, header]
            if verdict:
                evidence[spelling, verdict] += Noted(cells, tuple(map(Place._make, rows)))
    return replace(task, plan=replace(settle_by(plan, found), sources=()))


def _ask(
    people: DataFrame, work: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
) -> list[Any]:
    """Let workers work on all parts of a frame.

    Returns:
        What each of them answered.

    Raises:
        InputError: One of them found the input unusable.
    """
    answers = [json.loads(found[_ANSWER]) for found in people.mapInArrow(work, f"{_ANSWER} string").collect()]
    for answer in answers:
        if kind := answer.pop("error", None):
            raise getattr(errors, kind)(answer.pop("message"), **answer)
    return answers


def _answer(content: Mapping[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({_ANSWER: [json.dumps(content)]})


def _refusal(error: InputError) -> pa.RecordBatch:
    return _answer({"error": type(error).__name__, **error.facts})


def _add_keys(task: _Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """On a worker: say of each row which key it has; one without any is alone."""
    for batch in batches:
        if batch.num_rows:
            keys = _keys(task, _frame([batch])).to_arrow().cast(pa.string())
            yield pa.RecordBatch.from_arrays([*batch.columns, keys], [*batch.schema.names, _KEY])


def _keys(task: _Task, rows: pl.DataFrame) -> pl.Series:
    source = open_frame(rows, task.name)
    plan = replace(task.plan, sources=[source])
    cells = pl.concat(as_fields(plan, 0, identify(source, batch).cells) for batch in source.read())
    parts = [
        normalise(part, plan.known_fields, spelling).frame for spelling, part in plan.by_source(0, cells)
    ]
    found = pl.concat(parts).sort(RECORD)
    alone = found.select(pl.format("{} {}", SOURCE, ROW)).to_series()
    return plan.keys(found).zip_with(plan.keys(found).is_not_null(), alone)


def _make_part(task: _Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """On a worker: clean all rows of some keys into a run folder of their own, which no other attempt has."""
    received = [batch for batch in batches if batch.num_rows]
    if not received:
        return
    rows = _frame(received).drop(_KEY).sort(SOURCE, ROW)
    part = RunFolder(task.folder / uuid.uuid4().hex)
    part.create()
    try:
        clean_into(part, _plan_of(part, task, rows), None, silent, settle=_leave_open)
    except UndecidedError:
        shutil.rmtree(part.path)
        yield _answer({"part": "", "first": None})
    except InputError as error:
        yield _refusal(error)
    else:
        yield _answer({"part": part.path.name, "first": rows.row(0, named=False)[-3:-1]})


def _plan_of(part: RunFolder, task: _Task, rows: pl.DataFrame) -> Plan:
    """The plan for a part, whose rows are kept in its folder as those of any frame are."""
    part.spool.mkdir(mode=durable.FOLDER_MODE)
    copy = part.spool / "0001.parquet"
    spool(open_frame(rows, task.name), copy)
    record = SourceRecord(task.name, "", FIND_OUT, (), copy=copy.name)
    return replace(task.plan, sources=[reopen(part, record)])


def _leave_open(_: Plan) -> Plan:
    """A part does not show whole columns."""
    raise UndecidedError


def _survey_part(task: _Task, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """On a worker: what the cells of some rows tell about their columns."""
    for batch in batches:
        if batch.num_rows:
            source = open_frame(_frame([batch]), task.name)
            try:
                found = survey(replace(task.plan, sources=[source]))
            except InputError as error:
                yield _refusal(error)
                return
            yield _answer({"evidence": list(_told(found))})


def _told(found: Mapping[Column, Evidence]) -> Iterator[tuple[Any, ...]]:
    for column, evidence in found.items():
        yield (*column, "", "", 0, [])
        for (spelling, verdict), noted in evidence.items():
            yield (*column, spelling, verdict, noted.cells, noted.rows)


def _frame(batches: Sequence[pa.RecordBatch]) -> pl.DataFrame:
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 (of a table it is one)
    return frame
