"""The table of fates → the tables that tell people what Marketo said of rows."""

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from prep import durable
from prep.advice import advise, known_schema
from prep.cleaning import people_delimiter
from prep.config import CleanSettings
from prep.corrections import read_corrections
from prep.errors import BalanceError, FolderError
from prep.fate_table import InTurn, beside_chunks
from prep.folder import RunFolder
from prep.formulas import defuse
from prep.headers import FULL_NAME, Column, How
from prep.intake import reopen
from prep.manifest import Manifest
from prep.model import IDENTITY, ROW, SOURCE, Fate, Format, KeepPolicy
from prep.people import Table
from prep.plan import columns_of_all, occurrences
from prep.returned import identify

OUTCOME_TAIL: Final = (*IDENTITY, "_chunk", "_batch_id", "_message", "_matched_by", "_field", "_advice")

_TOLD: Final = ("source", "row", "line", "chunk", "batch_id", "message", "matched_by", "fate")
_FATES: Final = (Fate.FAILED.value, Fate.WARNED.value)


LEFT_AS_IT_IS: Final = (
    "changed since prep wrote it, and stays as it is; what is new since, such as rows that failed later, "
    "is not in it. prep retry takes what it has; after that delete it, and prep reconcile writes it anew"
)
"""Of `failed.csv`, where a person had corrected rows in it before there was something new to write."""


CELLS_OF_ONE: Final = (
    "a row in it was merged from several and has the cells of one of them, since the table was corrected in "
    "prep review, or a field that is compared, not sent, is needed to try it again: first put in what the "
    "upload file has of the others"
)
"""Of `failed.csv`, where values as sent could not be tried again."""


def write_outcomes(folder: RunFolder, manifest: Manifest) -> list[str]:
    """Write failed and warned rows, with the sources' own cells if these are still there, in source order.

    Where one that failed was merged from several rows, no source has its cells: all have the values as sent,
    unless `prep review` corrected some of those that stand there.
    `failed.csv` is for people to correct. Where one did, it stays as it is.

    Returns:
        What people must know of `failed.csv`.

    Raises:
        FolderError: A chunk or a source is not what it was when it was cleaned.
        BalanceError: A row was not found again.
    """
    known = folder.manifest()
    found = _digest(folder.failed) if folder.failed.exists() else None
    is_theirs = bool(found and known.wrote_failed and found not in known.wrote_failed)
    has_merged = _has_merged(folder, manifest)
    as_sent = _takes_sent(folder, manifest, has_merged=has_merged)
    if known.tells_sent != as_sent and not is_theirs:
        known = replace(known, tells_sent=as_sent)
        folder.write_manifest(known)
    with ExitStack() as stack:
        failed = stack.enter_context(_put_away(folder) if is_theirs else durable.replacing(folder.failed))
        warned = stack.enter_context(durable.replacing(folder.warnings))
        _write_tables(folder, manifest, {Fate.FAILED: failed, Fate.WARNED: warned}, as_sent=as_sent)
        written = _digest(failed)
        if not is_theirs:
            wrote = tuple(dict.fromkeys(digest for digest in (found, written) if digest))
            folder.write_manifest(replace(known, wrote_failed=wrote))
    remarks = [LEFT_AS_IT_IS] if is_theirs and written != known.wrote_failed[-1] else []
    return [*remarks, CELLS_OF_ONE] if has_merged and not as_sent else remarks


def _write_tables(
    folder: RunFolder, manifest: Manifest, files: Mapping[Fate, BinaryIO], *, as_sent: bool
) -> None:
    """Write the rows of each fate into its file.

    Raises:
        FolderError: A chunk or a source is not what it was when it was cleaned.
        BalanceError: A row was not found again.
    """
    counts = folder.count_rows()
    explained = _explained(folder, manifest)
    columns, frames = told_cells(folder, manifest, as_sent=as_sent)
    delimiter = people_delimiter(manifest.sources[0].reading)
    tables = {
        fate: Table(file, [*columns, *OUTCOME_TAIL], delimiter=delimiter) for fate, file in files.items()
    }
    for frame in frames if any(counts.get(fate) for fate in tables) else ():
        told = frame.join(explained, on="_message", how="left", maintain_order="left")
        for fate, table in tables.items():
            cells = told.filter(pl.col("_fate") == fate)
            table.append(cells.select(*map(str, range(len(columns))), *OUTCOME_TAIL))
    for fate, table in tables.items():
        if table.rows != (rows := counts.get(fate, 0)):
            raise BalanceError(
                f"{folder.path}: {rows} rows {fate}, {table.rows} of them were found again",
                code="unbalanced",
                hint="This is a defect of prep; rows.parquet has the fate of every row.",
            )


def _takes_sent(folder: RunFolder, manifest: Manifest, *, has_merged: bool) -> bool:
    """Whether the tables have values as sent: sources are gone, or no source has what was merged."""
    if not all(folder.holds(source) for source in manifest.sources):
        return True
    if not (has_merged and _sends_all(manifest)):
        return False
    return folder.manifest().tells_sent or not _is_corrected(folder)


def _sends_all(manifest: Manifest) -> bool:
    """Whether all that is read of the sources is sent, and nothing of it is only compared."""
    columns = (Column(0, known["source"], known["field"], How(known["how"])) for known in manifest.mapping)
    read = {column.field for column in columns if column.is_used}
    return read <= {*manifest.results.fields, FULL_NAME}


def _is_corrected(folder: RunFolder) -> bool:
    """Whether something of `failed.csv` was corrected in `prep review`, which fits the cells that it has."""
    with suppress(FolderError):  # a damaged journal stands in the way of a retry, not of this
        return folder.failed.name in read_corrections(folder.review)["table"]
    return True


def _has_merged(folder: RunFolder, manifest: Manifest) -> bool:
    """Whether a row that failed was sent with values of rows that lost to it."""
    if manifest.settings["keep"] != KeepPolicy.MERGE:
        return False
    completed = folder.query_rows(
        lambda rows: (
            rows.filter(fate=Fate.FAILED.value)
            .join(rows.select(source="kept_source", row="kept_row"), on=["source", "row"], how="semi")
            .select("row")
        )
    )
    return not completed.is_empty()


@contextmanager
def _put_away(folder: RunFolder) -> Iterator[BinaryIO]:
    """Where a table goes that nobody is going to read."""
    with tempfile.TemporaryFile(dir=folder.path) as file:
        yield file


def _digest(table: Path | BinaryIO) -> str:
    with table.open("rb") if isinstance(table, Path) else nullcontext(table) as file:
        file.seek(0)
        return file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # every stream here has readinto


def _explained(folder: RunFolder, manifest: Manifest) -> pl.DataFrame:
    """`_message` with `_field` and `_advice`, a line for each distinct message of these rows."""
    told = folder.query_rows(lambda rows: rows.filter(_is_told()).select("message").unique())
    known = sorted(told["message"].drop_nulls())
    found = [advise(message, known_schema(manifest.schema), manifest.into) for message in known]
    return pl.DataFrame(
        {
            "_message": known,
            "_field": [advice.field for advice in found],
            "_advice": [advice.text for advice in found],
        },
        schema=dict.fromkeys(("_message", "_field", "_advice"), pl.String),
    )


def _is_told() -> pl.Expr:
    return pl.col("fate").is_in(_FATES)


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    """Those rows that Marketo told something of."""
    return rows.filter(_is_told()).rename({name: f"_{name}" for name in _TOLD})


def told_cells(
    folder: RunFolder, manifest: Manifest, *, as_sent: bool
) -> tuple[list[str], Iterator[pl.DataFrame]]:
    """The rows that failed or were warned, in source order.

    Returns:
        The headers; and the rows, whose cells are named by position, with `_source`, `_row` and what Marketo
        said of them.

    Raises:
        FolderError: A chunk or a source is not what it was when it was cleaned, or is gone.
    """
    return (_sent_cells if as_sent else _source_cells)(folder, manifest)


def _source_cells(folder: RunFolder, manifest: Manifest) -> tuple[list[str], Iterator[pl.DataFrame]]:
    """The headers of all sources; the rows with their cells as the sources have them, read again."""
    headers = columns_of_all(source.columns for source in manifest.sources)

    def frames() -> Iterator[pl.DataFrame]:
        table = InTurn(folder.stream_rows(*_TOLD))
        for record in manifest.sources:
            places = {column: str(place) for place, column in enumerate(occurrences(record.columns))}
            cells = [
                (pl.col(places[column]) if column in places else pl.lit(None, pl.String)).alias(str(index))
                for index, column in enumerate(headers)
            ]
            source = reopen(folder, record)
            for batch in source.read(record.lookup_position):
                told = _told(table.take(batch.cells.height + batch.rejected.height))
                if told.height:
                    found = identify(source, batch).cells.select(*cells, SOURCE, ROW)
                    yield found.join(told, on=[SOURCE, ROW], maintain_order="left")

    return [name for name, _ in headers], frames()


def _sent_cells(folder: RunFolder, manifest: Manifest) -> tuple[list[str], Iterator[pl.DataFrame]]:
    """The fields without constants; the rows with their cells as they were sent, if sources are gone."""
    constants = CleanSettings.from_json(manifest.settings).constants
    fields = [name for name in manifest.results.fields if name not in constants]
    chunks = {chunk.file: chunk for chunk in manifest.results.chunks}
    delimiter = Format(manifest.settings["format"]).delimiter

    wanted = folder.query_rows(lambda rows: rows.filter(_is_told()).select("chunk").unique())["chunk"]

    def cells(file: str) -> pl.DataFrame:
        if file not in wanted:
            return pl.DataFrame(height=chunks[file].rows)
        sent = pl.read_csv(
            io.BytesIO(folder.read_chunk(chunks[file])), separator=delimiter, infer_schema=False
        )
        return sent.select(
            (pl.col(name) if name in sent.columns else pl.lit(None, pl.String)).alias(str(place))
            for place, name in enumerate(fields)
        )

    parts = beside_chunks(folder.stream_rows(*_TOLD), manifest.results.chunks, cells)
    return fields, (told for part in parts if (told := _told(part)).height)


def tell_kept_fates(folder: RunFolder, delimiter: str) -> None:
    """Say in the table of duplicates what became of the rows that were kept instead.

    The table is for people, who may have removed it or saved it in a way of their own; then it stays so.

    Raises:
        OSError: It cannot be written.
    """
    try:
        path = folder.duplicates.absolute()
        known = pl.scan_csv(path, separator=delimiter, infer_schema=False, glob=False)
        columns = known.collect_schema().names()
    except (OSError, pl.exceptions.PolarsError):
        return
    if not {"_kept_source", "_kept_row", "_kept_fate"} <= set(columns):
        return
    fates = folder.query_rows(_fates_of_kept).lazy()
    told = known.drop("_kept_fate").join(
        fates, on=["_kept_source", "_kept_row"], how="left", maintain_order="left"
    )
    with suppress(pl.exceptions.PolarsError), durable.replacing(folder.duplicates) as file:
        Table(file, columns, delimiter=delimiter).append_defused(told.select(columns))


def _fates_of_kept(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`_kept_source`, `_kept_row` and `_kept_fate` of the rows to which others lost."""
    few = pl.col("source", "kept_source", "fate").cast(pl.Categorical)  # a fifth of the memory of text
    table = rows.select(few, "row", "kept_row")
    kept = table.select(source="kept_source", row="kept_row").drop_nulls().unique()
    return table.join(kept, on=["source", "row"], how="semi").select(
        defuse(pl.col("source").cast(pl.String)).alias("_kept_source"),
        pl.col("row").cast(pl.String).alias("_kept_row"),
        pl.col("fate").cast(pl.String).alias("_kept_fate"),
    )
