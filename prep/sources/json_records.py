"""JSON records, one object per line or an array of objects → batches of text cells.

The columns are all keys in order of their first appearance anywhere in the file, so it is read twice. Lines
that have a shape in common are read together, all others one by one.
"""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final, NamedTuple

import polars as pl

from prep.errors import SourceError
from prep.model import FIND_OUT, Reading, Reason
from prep.sources.batch import MOST_SKIPPED, REJECTED_SCHEMA, Batch, Skipped, Source, refuse_many_skipped
from prep.sources.columnar import batch_rows
from prep.sources.containers import refusal
from prep.sources.files import Content, changed, opened
from prep.sources.json_shapes import MOST_SHAPES, Shape, matches, shape_of, values
from prep.sources.json_text import (
    BLANK,
    MOST_RECORD_BYTES,
    NESTED,
    PIECE_BYTES,
    TAKE_OUT,
    Record,
    not_records,
    record_of_line,
    records_of_array,
    records_of_lines,
)
from prep.sources.typed import NUMBERS, Number, mark
from prep.sources.unpacked import read_lines

_MOST_COLUMNS: Final = 16_384  # as many as a workbook's sheet has
_BATCH_ROWS: Final = 20_000
_BLOCK_BYTES: Final = 8 * 1024 * 1024
_BATCH_CHARACTERS: Final = 32 * 1024 * 1024


@dataclass(frozen=True)
class JsonSource(Source):
    """A file of JSON records, opened.

    Attributes:
        keys: The keys of the columns.
        is_array: The records stand in one array, not on lines of their own.
    """

    keys: tuple[str, ...]
    is_array: bool

    @property
    def encoding(self) -> str:
        """How its text is encoded."""
        return self.reading.encoding or "utf-8"

    def read(self, lookup_position: int | None = None) -> "JsonReader":  # noqa: ARG002, has no footer
        """Read the records."""
        return JsonReader(self)


class JsonReader:
    """The batches of a JSON source. It can be iterated over once.

    Attributes:
        rows: How many records were read so far, rejected ones included.
        sha256: Digest of the whole file in hexadecimal; empty until the last batch was taken.
        share: How much of the file was read so far; see `Reader`.
    """

    def __init__(self, source: JsonSource) -> None:
        self.rows = 0
        self.sha256 = ""
        self.share: float | None = None
        self._source = source
        self._batches = self._read()

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def _read(self) -> Iterator[Batch]:
        source = self._source
        shapes: list[Shape] = []
        with opened(source.path, digesting=True) as file:
            if source.is_array:
                records = records_of_array(file, source.path, source.encoding)
                found = _groups(records, min(batch_rows(len(source.keys)), _BATCH_ROWS))
                for group in found:
                    self.share = file.share
                    yield self._batch(group)
            else:
                for block in _blocks(file, source):
                    self.share = file.share
                    yield self._batch_of_lines(_sorted_out(block, source, shapes))
            self.sha256 = file.sha256

    def _batch_of_lines(self, found: "_Sorted") -> Batch:
        """Join what was read by shape with what was decoded, in the order of the lines."""
        rows = found.is_record.cast(pl.UInt32).cum_sum() + self.rows
        self.rows += int(found.is_record.sum())
        numbered = [(rows[index], one) for index, one in found.decoded.items() if isinstance(one, Record)]
        skipped = tuple(one for one in found.decoded.values() if isinstance(one, Skipped))
        batch = self._table(numbered, skipped)
        shaped = [self._shaped(found, shape, index, rows) for shape, index in found.shaped if index.len()]
        if not shaped:
            return batch
        return replace(batch, cells=pl.concat([batch.cells, *shaped]).sort("_row"))

    def _shaped(self, found: "_Sorted", shape: Shape, index: pl.Series, rows: pl.Series) -> pl.DataFrame:
        columns, numbers = values(found.lines.gather(index), shape)
        masks = {str(place): numbers[key] for place, key in enumerate(self._source.keys) if key in numbers}
        nothing = pl.repeat(None, index.len(), dtype=pl.String, eager=True)
        cells = [columns.get(key, nothing).alias(str(place)) for place, key in enumerate(self._source.keys)]
        lines = (index + found.first).cast(pl.UInt32)
        identity = [rows.gather(index).alias("_row"), lines.alias("_line")]
        return pl.DataFrame([*cells, mark(masks, index.len()), *identity])

    def _batch(self, found: Sequence[Record]) -> Batch:
        numbered = list(enumerate(found, self.rows + 1))
        self.rows += len(found)
        return self._table(numbered, ())

    def _table(self, numbered: Sequence[tuple[int, Record]], skipped: tuple[Skipped, ...]) -> Batch:
        good = [
            (row, record.line or None, record.cells) for row, record in numbered if record.cells is not None
        ]
        cells = [
            self._column(str(place), [record.get(key) for *_, record in good])
            for place, key in enumerate(self._source.keys)
        ]
        numbers = [
            " ".join(
                str(place)
                for place, key in enumerate(self._source.keys)
                if record.get(key).__class__ is Number
            )
            or None
            for *_, record in good
        ]
        identity = [
            pl.Series(NUMBERS, numbers, pl.String),
            pl.Series("_row", [row for row, *_ in good], pl.UInt32),
            pl.Series("_line", [line for _, line, _ in good], pl.UInt32),
        ]
        rejected = [
            (row, record.line or None, record.reason.value, record.raw)
            for row, record in numbered
            if record.cells is None
        ]
        return Batch(
            pl.DataFrame([*cells, *identity]),
            pl.DataFrame(rejected, schema=REJECTED_SCHEMA, orient="row"),
            skipped,
        )

    def _column(self, name: str, cells: list[Any]) -> pl.Series:
        try:
            column = pl.Series(name, cells, pl.String)
        except TypeError:
            column = pl.Series(name, [self._text(cell) for cell in cells], pl.String)
        return column.replace("", None)

    def _text(self, cell: Any) -> str | None:
        if cell is None or isinstance(cell, str):
            return cell
        if isinstance(cell, bool):
            return "true" if cell else "false"
        raise changed(self._source.path)  # there was nothing else in it when it was opened


def open_json(path: str, reading: Reading = FIND_OUT) -> JsonSource:
    """Find out what the records of a JSON file are.

    Args:
        path: The file.
        reading: Names its encoding, if that is not UTF-8.

    Raises:
        SourceError: The file cannot be read, holds no records (`not_records`), or records with lists or
            records in them (`nested_column`).
    """
    with opened(path) as file:
        start = file.peek(PIECE_BYTES)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise refusal(path, "JSON in UTF-16", "not_utf8", "Save it as UTF-8, the encoding of JSON.")
    is_array = start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")
    source = JsonSource(path, Reading(encoding=reading.encoding or "utf-8"), (), keys=(), is_array=is_array)
    with opened(path) as file:
        keys = _keys(_numbered(file, source), path)
    return replace(source, columns=keys, keys=keys)


def _numbered(file: Content, source: JsonSource) -> Iterator[tuple[int, Record]]:
    """Give the records that may tell of keys with their row numbers: the first of each shape, and others."""
    if source.is_array:
        yield from enumerate(records_of_array(file, source.path, source.encoding), 1)
        return
    shapes: list[Shape] = []
    rows = blank = 0
    for block in _blocks(file, source):
        found = _sorted_out(block, source, shapes)
        blank += int((~found.is_record).sum())
        refuse_many_skipped(blank, source.path)
        numbers = found.is_record.cast(pl.UInt32).cum_sum() + rows
        for index, one in found.decoded.items():
            if isinstance(one, Record):
                yield numbers[index], one
        rows += int(found.is_record.sum())


def _keys(found: Iterable[tuple[int, Record]], path: str) -> tuple[str, ...]:
    """All keys in order of their first appearance."""
    keys: dict[str, None] = {}
    rows = undecoded = 0
    for rows, record in found:
        if record.cells is None:
            undecoded += record.reason is Reason.ENCODING
            continue
        for key, cell in record.cells.items():
            if cell.__class__ in NESTED:
                raise SourceError(
                    f"{path}: column {key!r} holds lists or records, the first in row {rows}",
                    code="nested_column",
                    hint=f"Spread it over columns of its own, or take it out of the table. {TAKE_OUT}",
                    source=path,
                    row=rows,
                    column=key,
                )
        keys.update(dict.fromkeys(record.cells))
        if len(keys) > _MOST_COLUMNS:
            found_ = f"the records have more than {_MOST_COLUMNS} different keys"
            raise refusal(path, found_, "not_records", "Keys are the names of columns, alike in all records.")
    if not keys and not rows:
        hint = "It needs one object for each lead, with the columns as keys."
        raise refusal(path, "the JSON array is empty", "empty_source", hint)
    if not keys and rows == undecoded:
        hint = "Save it as UTF-8, or name its encoding with --encoding."
        raise refusal(path, "the text is not in the encoding of JSON, UTF-8", "not_utf8", hint)
    if not keys:
        raise not_records(path)
    return tuple(keys)


class _Block(NamedTuple):
    """Lines of JSON.

    Attributes:
        first: The number of the first.
        text: The lines, each ended by LF.
    """

    first: int
    text: bytes


class _Sorted(NamedTuple):
    """The lines of a block, each in one place.

    Attributes:
        first: The number of the first line.
        lines: All of them.
        shaped: The indexes of those that have a shape, shape by shape.
        decoded: What the others are, by index, in order.
        is_record: Which lines are records.
    """

    first: int
    lines: pl.Series
    shaped: list[tuple[Shape, pl.Series]]
    decoded: dict[int, "Record | Skipped"]
    is_record: pl.Series


def _blocks(file: Content, source: JsonSource) -> Iterator[_Block]:
    first = 1
    while text := file.read(_BLOCK_BYTES):
        text += file.readline(MOST_RECORD_BYTES + 1)
        lines = text.count(b"\n") + (not text.endswith(b"\n"))
        if first == 1 and source.encoding == "utf-8":
            text = text.removeprefix(codecs.BOM_UTF8)
        yield _Block(first, text if text.endswith(b"\n") else text + b"\n")
        first += lines


def _sorted_out(block: _Block, source: JsonSource, shapes: list[Shape]) -> _Sorted:
    """Tell which lines have a shape, and decode the others. New shapes are added to those that are known."""
    lines = _lines(block.text) if source.encoding == "utf-8" else None
    if lines is None:
        read = records_of_lines(BytesIO(block.text), source.path, source.encoding, block.first)
        found = dict(enumerate(read))
        is_record = pl.Series([isinstance(one, Record) for one in found.values()], dtype=pl.Boolean)
        return _Sorted(block.first, pl.Series(dtype=pl.String), [], found, is_record)
    shaped: list[tuple[Shape, pl.Series]] = []
    left = pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)
    for shape in shapes:
        left = _take(lines, left, shape, shaped)
    if left.len() > MOST_SKIPPED:
        refuse_many_skipped(int((lines.gather(left).str.strip_chars(BLANK) == "").sum()), source.path)
    decoded: dict[int, Record | Skipped] = {}
    while left.len():
        left = _decode(lines, left, first=block.first, source=source, shapes=shapes, decoded=decoded)
        if left.len():
            left = _take(lines, left, shapes[-1], shaped)
    is_record = pl.repeat(True, lines.len(), eager=True)
    blank = [index for index, one in decoded.items() if isinstance(one, Skipped)]
    return _Sorted(block.first, lines, shaped, decoded, is_record.scatter(blank, False))


def _take(
    lines: pl.Series, left: pl.Series, shape: Shape, shaped: list[tuple[Shape, pl.Series]]
) -> pl.Series:
    """Take those of the lines that are left that have a shape; return the others."""
    fits = matches(lines.gather(left), shape)
    shaped.append((shape, left.filter(fits)))
    return left.filter(~fits)


def _decode(
    lines: pl.Series,
    left: pl.Series,
    *,
    first: int,
    source: JsonSource,
    shapes: list[Shape],
    decoded: dict[int, Record | Skipped],
) -> pl.Series:
    """Decode line after line until one shows a new shape, which is added; return the lines below it."""
    known = {shape.keys for shape in shapes}
    for place, (index, text) in enumerate(zip(left.to_list(), lines.gather(left).to_list(), strict=True), 1):
        found = decoded[index] = record_of_line(first + index, text.rstrip("\r\n"), source.path)
        if len(shapes) < MOST_SHAPES and isinstance(found, Record) and found.cells:
            shape = shape_of(found.cells)
            if shape and shape.keys not in known:
                shapes.append(shape)
                return left[place:]
    return left.clear()


def _lines(text: bytes) -> pl.Series | None:
    """Split a block; return nothing where it is not UTF-8, or a line is too long."""
    try:
        lines = read_lines(text)
    except (pl.exceptions.PolarsError, OSError):
        return None
    longest = int(lines.str.len_bytes().max() or 0)  # type: ignore[arg-type]  # a whole number
    is_usual = lines.len() == text.count(b"\n") and longest <= MOST_RECORD_BYTES
    return lines if is_usual and not text.startswith(codecs.BOM_UTF8) else None


def _groups(found: Iterable[Record], rows: int) -> Iterator[list[Record]]:
    """Gather what makes one batch."""
    group: list[Record] = []
    characters = 0
    for record in found:
        group.append(record)
        characters += len(record.raw)
        if len(group) == rows or characters > _BATCH_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group
