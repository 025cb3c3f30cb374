"""Tables whose cells have types: Parquet, Arrow and polars frames → batches of text cells.

A cell becomes what a person would have typed: whole numbers without a decimal point, dates as ISO 8601, no
exponents. Files are read in slices by a child process (`columnar_child.py`), so that neither a huge row group
nor a damaged file does harm.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, Final

import polars as pl
from polars.io.plugins import register_io_source

from prep import durable
from prep.errors import SourceError
from prep.model import IDENTITY, POINT_OR_THOUSANDS, Reading
from prep.sources.batch import REJECTED_SCHEMA, Batch, Source
from prep.sources.files import digest
from prep.sources.typed import INFINITE, NUMBERS, mark

_BATCH_CELLS: Final = 4_000_000
_BATCH_ROWS: Final = 200_000
_MOST_DIGITS: Final = 400
_ANSWER_BYTES: Final = 64 * 1024 * 1024

SIZE_BYTES: Final = 8
"""How many bytes tell the size of what follows, where `columnar_child` answers."""

COLUMNS_KEY: Final = "prep_columns"
"""Where a file that `spool` wrote holds the columns' names, as JSON."""

_REASONS: Final = "_reasons"
_LIST_OF_TEXTS: Final = pl.List(pl.String)

_NO_NUMBER: Final = ["NaN", "nan"]
"""How what is no number is written: by polars, and in a `numeric` of PostgreSQL."""

_DATETIME: Final = "%Y-%m-%dT%H:%M:%S%.f"
_TIME: Final = "%H:%M:%S%.f"

_PER_DAY: Final = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_FARTHEST_DAYS: Final = 95_000_000
"""Dates farther from 1970 than 260,000 years cannot be written. Those that occur stand for no end:
https://duckdb.org/docs/stable/sql/data_types/date#special-values"""


@dataclass(frozen=True)
class TableSource(Source):
    """A table of typed columns, opened.

    Attributes:
        pieces: Yields its rows in order, as `as_text` writes them.
        digest: Computes the SHA-256 of what was read; None if that is nothing but the cells.
    """

    pieces: Callable[[], Iterator[pl.DataFrame]] = field(repr=False, compare=False)
    digest: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    def read(self, lookup_position: int | None = None) -> "TableReader":  # noqa: ARG002, has no footer
        """Read the records; every one is readable."""
        return TableReader(self)


class TableReader:
    """The batches of a typed table. It can be iterated over once.

    Attributes:
        rows: How many records were read so far.
        sha256: Digest of the file in hexadecimal, or of the cells as text where there is no file; empty
            until the last batch was taken.
        share: Nobody knows before how many pieces there are.
    """

    share: float | None = None

    def __init__(self, source: TableSource) -> None:
        self.rows = 0
        self.sha256 = ""
        self._source = source
        self._batches = self._read()

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def _read(self) -> Iterator[Batch]:
        content = hashlib.sha256(json.dumps(self._source.columns).encode())
        with refusing_damage(self._source.path):
            for cells in self._source.pieces():
                if self._source.digest is None:
                    texts = cells.drop(NUMBERS)
                    content.update(texts.write_csv(include_header=False, quote_style="always").encode())
                numbers = pl.int_range(1, pl.len() + 1, dtype=pl.UInt32) + self.rows
                self.rows += cells.height
                numbered = cells.with_columns(
                    numbers.cast(pl.UInt32).alias("_row"), pl.lit(None, pl.UInt32).alias("_line")
                )
                yield Batch(numbered, REJECTED_SCHEMA.to_frame())
        self.sha256 = self._source.digest() if self._source.digest else content.hexdigest()


def as_text(frame: pl.DataFrame, written: Collection[int] = ()) -> pl.DataFrame:
    """Write every cell as a person would type it.

    Args:
        frame: The cells.
        written: Places of columns whose numbers are written as text already.

    Returns:
        A String column per column, named by position, and `_numbers`; cells that are blank or no number
        (NaN) are null.
    """
    columns = [_column_as_text(frame.to_series(place)).alias(str(place)) for place in range(frame.width)]
    numbers = [
        str(place)
        for place, kind in enumerate(frame.dtypes)
        if kind.is_float() or kind.is_decimal() or place in written
    ]
    cells = pl.DataFrame(columns).with_columns(pl.when(pl.all() != "").then(pl.all()))
    cells = cells.with_columns(pl.when(~pl.col(numbers).is_in(_NO_NUMBER)).then(pl.col(numbers)))
    masks = {place: cells[place].str.contains(f"{POINT_OR_THOUSANDS}|{INFINITE}") for place in numbers}
    return cells.with_columns(mark(masks, frame.height))


def _column_as_text(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if isinstance(kind, pl.Date | pl.Datetime) and _is_far(days := _days(column, kind)).any():
        return _without_end(column, days)
    if isinstance(kind, pl.Datetime):
        return column.dt.to_string(f"{_DATETIME}%:z" if kind.time_zone else _DATETIME)
    if isinstance(kind, pl.Time):
        return column.dt.to_string(_TIME)
    if kind == _LIST_OF_TEXTS:
        return column.list.join("; ")
    text = column.cast(pl.String)
    return _without_exponents(text) if kind.is_float() else text


def _days(column: pl.Series, kind: pl.Date | pl.Datetime) -> pl.Series:
    """How many days after 1970 began; a column of nulls alone has none."""
    units = _PER_DAY[kind.time_unit] if isinstance(kind, pl.Datetime) else 1
    return column.to_physical().cast(pl.Float64).fill_null(0) / units


def _is_far(days: pl.Series) -> pl.Series:
    return days.abs() > _FARTHEST_DAYS


def _without_end(column: pl.Series, days: pl.Series) -> pl.Series:
    """Write dates some of which cannot be written; these are called as databases call them."""
    is_near = ~_is_far(days)
    near = _column_as_text(pl.select(pl.when(is_near).then(column)).to_series())
    far = pl.when(days > 0).then(pl.lit("infinity")).otherwise(pl.lit("-infinity"))
    return pl.select(pl.when(is_near).then(near).otherwise(far)).to_series()


def _without_exponents(numbers: pl.Series) -> pl.Series:
    """Write floats out: `1e+20` with all its zeros, `5.0` without its point, never `-0`."""
    plain = numbers.str.strip_suffix(".0").replace("-0", "0")
    odd = plain.filter(plain.str.contains("e", literal=True)).unique()
    return plain.replace(odd, [plain_number(number) for number in odd]) if odd.len() else plain


def plain_number(number: str) -> str:
    """Write a number out that has an exponent, unless it would be absurdly long."""
    value = Decimal(number)
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
        return number
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def refuse_columns(schema: pl.Schema, path: str) -> None:
    """Refuse columns whose cells are no text, numbers, dates or yes and no.

    The lists of reasons in what `prep.prepare` returned are none: they come to be what files hold of them.

    Raises:
        SourceError: With code `nested_column` or `unsupported_column`, naming the first one.
    """
    if not schema:
        raise SourceError(
            f"{path}: the table has no columns",
            code="empty_source",
            hint="It needs one column for each kind of information.",
            source=path,
        )
    is_own = set(IDENTITY) <= set(schema)
    for name, kind in schema.items():
        if is_own and name == _REASONS and kind == _LIST_OF_TEXTS:
            continue
        if kind.is_nested():
            found, code = "holds lists or records", "nested_column"
            hint = "Spread it over columns of its own, or take it out of the table."
        elif not _is_writable(kind):
            found, code = f"holds values of type {kind}", "unsupported_column"
            hint = "Turn it into text first, or take it out of the table."
        else:
            continue
        raise SourceError(
            f"{path}: column {name!r} {found}, which no cell can",
            code=code,
            hint=hint,
            source=path,
            column=name,
        )


def _is_writable(kind: pl.DataType) -> bool:
    texts = (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Null, pl.Date, pl.Datetime, pl.Time)
    return kind.is_numeric() or isinstance(kind, texts)


def batch_rows(columns: int) -> int:
    """How many rows of so many columns make one batch."""
    return max(min(_BATCH_ROWS, _BATCH_CELLS // max(columns, 1)), 1)


@contextmanager
def refusing_damage(path: str) -> Iterator[None]:
    """Say in our own words that polars cannot read a table. Its words may hold cells.

    Raises:
        SourceError: With code `damaged_table`.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OverflowError) as error:
        raise damaged(path) from error


def damaged(path: str) -> SourceError:
    """The error of a table that cannot be read."""
    return SourceError(
        f"{path}: the table is damaged, encrypted, or takes too much memory",
        code="damaged_table",
        hint="Write it again, as Parquet without encryption or as CSV.",
        source=path,
    )


def open_table(path: str, place: Path, kind: str) -> TableSource:
    """Open a Parquet or Arrow file. A child process reads it: some damaged ones end the process.

    Args:
        path: What the source is called.
        place: The file.
        kind: `parquet`, `arrow` (IPC file, Feather) or `arrow_stream`.

    Raises:
        SourceError: It cannot be read (`damaged_table`), its columns hold no text (`nested_column`,
            `unsupported_column`), or it stands for far more than its size (`archive_bomb`).
    """
    with _child(path, place, kind) as answers:
        columns = _columns(answers, path)

    def pieces() -> Iterator[pl.DataFrame]:
        with _child(path, place, kind) as answers:
            _columns(answers, path)
            while size := int.from_bytes(_exactly(answers, SIZE_BYTES, path)):
                yield pl.read_ipc_stream(io.BytesIO(_exactly(answers, size, path)))

    return TableSource(path, Reading(), columns, pieces=pieces, digest=lambda: digest(str(place)))


@contextmanager
def _child(path: str, place: Path, kind: str) -> Iterator[IO[bytes]]:
    """Start `columnar_child` over a file; yield what it answers."""
    package = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(  # noqa: S603, our own module
        [sys.executable, "-P", "-m", "prep.sources.columnar_child", kind, path, place.absolute()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1", "POLARS_MAX_THREADS": "2"},
    ) as process:
        try:
            yield process.stdout  # type: ignore[misc]  # it is a pipe
        finally:
            process.kill()


def _columns(answers: IO[bytes], path: str) -> tuple[str, ...]:
    """The columns of a file, which are the child's first answer."""
    line = answers.readline(_ANSWER_BYTES)
    if not line.endswith(b"\n"):
        raise damaged(path)
    answer = json.loads(line)
    if refusal := answer.get("refusal"):
        raise SourceError(**refusal)
    return tuple(answer["columns"])


def _exactly(answers: IO[bytes], size: int, path: str) -> bytes:
    data = answers.read(size)
    if len(data) < size:
        raise damaged(path)
    return data


def open_frame(frame: pl.DataFrame | pl.LazyFrame, name: str) -> TableSource:
    """Take a polars frame as a source.

    Args:
        frame: The rows; a LazyFrame is collected in batches, each time the source is read.
        name: What the source is called.

    Raises:
        SourceError: Its columns hold no text, or it cannot be computed.
    """
    if isinstance(frame, pl.DataFrame):
        refuse_columns(frame.schema, name)
        step = batch_rows(frame.width)
        return TableSource(
            name, Reading(), tuple(frame.columns), pieces=lambda: map(as_text, frame.iter_slices(step))
        )
    with _refusing_query(name):
        schema = frame.collect_schema()
    refuse_columns(schema, name)
    step = batch_rows(len(schema))
    return TableSource(
        name,
        Reading(),
        tuple(schema),
        pieces=lambda: map(as_text, _collected(frame, name, step)),
    )


def _collected(frame: pl.LazyFrame, name: str, step: int) -> Iterator[pl.DataFrame]:
    with _refusing_query(name):
        yield from frame.collect_batches(chunk_size=step, maintain_order=True)


@contextmanager
def _refusing_query(name: str) -> Iterator[None]:
    """Say that a query of the user's own fails, and by which kind of error; its words may hold cells.

    Raises:
        SourceError: With code `frame_failed`.
    """
    try:
        yield
    except (Exception, pl.exceptions.PanicException) as error:
        kind = type(error).__name__
        is_about_columns = isinstance(error, pl.exceptions.ColumnNotFoundError)
        said = f"{kind}: {str(error).partition(';')[0]}" if is_about_columns else kind
        raise SourceError(
            f"{name}: the frame cannot be computed ({said})",
            code="frame_failed",
            hint="Call its collect() to see what polars says of it, which may hold cells.",
            source=name,
        ) from error


def spool(source: Source, path: Path) -> None:
    """Write the cells of a source that cannot be read twice into a file that `open_source` reads alike.

    Args:
        source: A source without lines, all of whose records are readable: a query or a frame.
        path: Where to write; the file is durable when it is there.

    Raises:
        SourceError: The source cannot be read.
        OSError: The file cannot be written.
    """
    places = [*(str(place) for place in range(len(source.columns))), NUMBERS]
    failures: list[SourceError] = []

    def batches(*_: object) -> Iterator[pl.DataFrame]:
        try:
            for batch in source.read():
                yield batch.cells.select(places)
        except SourceError as error:
            failures.append(error)
            raise

    cells = register_io_source(batches, schema=dict.fromkeys(places, pl.String), validate_schema=True)
    with durable.replacing(path) as file:
        try:
            cells.sink_parquet(file, metadata={COLUMNS_KEY: json.dumps(source.columns)}, engine="streaming")
        except pl.exceptions.PolarsError:
            if failures:
                raise failures[0] from None
            raise
