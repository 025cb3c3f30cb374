"""JSON records, one object per line or an array of objects → batches of text cells.

The columns are all keys in order of their first appearance anywhere in the file, so it is read twice. Values
stay as they are written: a number keeps its digits, however many. One record that cannot be read costs no
other.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import count
from typing import Any, BinaryIO, Final, NamedTuple

import polars as pl

from prep.errors import SourceError
from prep.model import FIND_OUT, Reading, Reason
from prep.sources.batch import REJECTED_SCHEMA, Batch, Skipped, Source
from prep.sources.columnar import batch_rows, plain_number
from prep.sources.files import Content, opened
from prep.sources.json_shapes import MOST_SHAPES, Shape, matches, shape_of, values

_MOST_RECORD_BYTES: Final = 16 * 1024 * 1024
_PIECE_BYTES: Final = 1024 * 1024
_MOST_COLUMNS: Final = 16_384  # as many as a workbook's sheet has
_BLANK: Final = " \t\r\n"
_BOM: Final = "\ufeff"
_BATCH_ROWS: Final = 20_000
_BLOCK_BYTES: Final = 8 * 1024 * 1024
_BATCH_CHARACTERS: Final = 32 * 1024 * 1024
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


class _Doubled(dict[str, Any]):
    """An object that has a key twice: nobody knows which value is meant."""


_NESTED: Final = frozenset({dict, list, _Doubled})


class _Record(NamedTuple):
    """One record as it was found.

    Attributes:
        line: The physical line, 0 where records have none.
        raw: Its text.
        cells: Key → value; None if it cannot be read.
        reason: Why not.
    """

    line: int
    raw: str
    cells: dict[str, Any] | None
    reason: Reason = Reason.UNREADABLE_ROW


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    return record if len(record) == len(pairs) else _Doubled(record)


def _no_constant(name: str) -> str:
    raise ValueError(f"{name} is no JSON")


def _number(text: str) -> str:
    return plain_number(text) if "e" in text or "E" in text else text


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_number, parse_int=str, parse_constant=_no_constant
)


@dataclass(frozen=True)
class JsonSource(Source):
    """A file of JSON records, opened.

    Attributes:
        keys: The keys of the columns.
        is_array: The records stand in one array, not on lines of their own.
    """

    keys: tuple[str, ...]
    is_array: bool

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
                found = _groups(_of_array(file, source), min(batch_rows(len(source.keys)), _BATCH_ROWS))
                for records in found:
                    self.share = file.share
                    yield self._batch(records)
            else:
                for block in _blocks(file, source):
                    self.share = file.share
                    yield self._batch_of_lines(_sorted_out(block, source, shapes))
            self.sha256 = file.sha256

    def _batch_of_lines(self, found: "_Sorted") -> Batch:
        """Join what was read by shape with what was decoded, in the order of the lines."""
        rows = found.is_record.cast(pl.UInt32).cum_sum() + self.rows
        self.rows += int(found.is_record.sum())
        numbered = [(rows[index], one) for index, one in found.decoded.items() if isinstance(one, _Record)]
        skipped = tuple(one for one in found.decoded.values() if isinstance(one, Skipped))
        batch = self._table(numbered, skipped)
        shaped = [self._shaped(found, shape, index, rows) for shape, index in found.shaped if index.len()]
        if not shaped:
            return batch
        return replace(batch, cells=pl.concat([batch.cells, *shaped]).sort("_row"))

    def _shaped(self, found: "_Sorted", shape: Shape, index: pl.Series, rows: pl.Series) -> pl.DataFrame:
        columns = values(found.lines.gather(index), shape)
        nothing = pl.repeat(None, index.len(), dtype=pl.String, eager=True)
        cells = [columns.get(key, nothing).alias(str(place)) for place, key in enumerate(self._source.keys)]
        lines = (index + found.first).cast(pl.UInt32)
        return pl.DataFrame([*cells, rows.gather(index).alias("_row"), lines.alias("_line")])

    def _batch(self, found: Sequence[_Record]) -> Batch:
        numbered = list(enumerate(found, self.rows + 1))
        self.rows += len(found)
        return self._table(numbered, ())

    def _table(self, numbered: Sequence[tuple[int, _Record]], skipped: tuple[Skipped, ...]) -> Batch:
        good = [
            (row, record.line or None, record.cells) for row, record in numbered if record.cells is not None
        ]
        cells = [
            _column(str(place), [record.get(key) for *_, record in good])
            for place, key in enumerate(self._source.keys)
        ]
        identity = [
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
        start = file.peek(_PIECE_BYTES)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _refusal(path, "JSON in UTF-16", "not_utf8", "Save it as UTF-8, the encoding of JSON.")
    is_array = start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")
    source = JsonSource(path, Reading(encoding=reading.encoding or "utf-8"), (), keys=(), is_array=is_array)
    with opened(path) as file:
        keys = _keys(_numbered(file, source), path)
    return replace(source, columns=keys, keys=keys)


def _numbered(file: Content, source: JsonSource) -> Iterator[tuple[int, _Record]]:
    """Give the records that may tell of keys with their row numbers: the first of each shape, and others."""
    if source.is_array:
        yield from enumerate(_of_array(file, source), 1)
        return
    shapes: list[Shape] = []
    rows = 0
    for block in _blocks(file, source):
        found = _sorted_out(block, source, shapes)
        numbers = found.is_record.cast(pl.UInt32).cum_sum() + rows
        for index, one in found.decoded.items():
            if isinstance(one, _Record):
                yield numbers[index], one
        rows += int(found.is_record.sum())


def _keys(found: Iterable[tuple[int, _Record]], path: str) -> tuple[str, ...]:
    """All keys in order of their first appearance."""
    keys: dict[str, None] = {}
    for rows, record in found:
        if record.cells is None:
            continue
        for key, cell in record.cells.items():
            if cell.__class__ in _NESTED:
                raise SourceError(
                    f"{path}: column {key!r} holds lists or records, the first in row {rows}",
                    code="nested_column",
                    hint="Spread it over columns of its own, or leave it out.",
                    source=path,
                    row=rows,
                    column=key,
                )
        keys.update(dict.fromkeys(record.cells))
        if len(keys) > _MOST_COLUMNS:
            found_ = f"the records have more than {_MOST_COLUMNS} different keys"
            raise _refusal(
                path, found_, "not_records", "Keys are the names of columns, alike in all records."
            )
    if not keys:
        raise _not_records(path)
    return tuple(keys)


def _not_records(path: str, row: int | None = None) -> SourceError:
    return SourceError(
        f"{path}: JSON, but neither one object on each line nor an array of objects",
        code="not_records",
        hint="Write each lead as an object with the columns as keys, one on each line.",
        source=path,
        row=row,
    )


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
    decoded: dict[int, "_Record | Skipped"]
    is_record: pl.Series


def _blocks(file: Content, source: JsonSource) -> Iterator[_Block]:
    first = 1
    while text := file.read(_BLOCK_BYTES):
        text += file.readline(_MOST_RECORD_BYTES + 1)
        lines = text.count(b"\n") + (not text.endswith(b"\n"))
        if first == 1 and source.reading.encoding == "utf-8":
            text = text.removeprefix(codecs.BOM_UTF8)
        yield _Block(first, text if text.endswith(b"\n") else text + b"\n")
        first += lines


def _sorted_out(block: _Block, source: JsonSource, shapes: list[Shape]) -> _Sorted:
    """Tell which lines have a shape, and decode the others. New shapes are added to those that are known."""
    lines = _lines(block.text) if source.reading.encoding == "utf-8" else None
    if lines is None:
        found = dict(enumerate(_of_lines(BytesIO(block.text), source, block.first)))
        is_record = pl.Series([isinstance(one, _Record) for one in found.values()], dtype=pl.Boolean)
        return _Sorted(block.first, pl.Series(dtype=pl.String), [], found, is_record)
    shaped: list[tuple[Shape, pl.Series]] = []
    left = pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)
    for shape in shapes:
        left = _take(lines, left, shape, shaped)
    decoded: dict[int, _Record | Skipped] = {}
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
    decoded: dict[int, _Record | Skipped],
) -> pl.Series:
    """Decode line after line until one shows a new shape, which is added; return the lines below it."""
    known = {shape.keys for shape in shapes}
    for place, (index, text) in enumerate(zip(left.to_list(), lines.gather(left).to_list(), strict=True), 1):
        found = decoded[index] = _line(first + index, text.rstrip("\r\n"), source)
        if len(shapes) < MOST_SHAPES and isinstance(found, _Record) and found.cells:
            shape = shape_of(found.cells)
            if shape and shape.keys not in known:
                shapes.append(shape)
                return left[place:]
    return left.clear()


def _lines(text: bytes) -> pl.Series | None:
    """Split a block; return nothing where it is not UTF-8, or a line is too long."""
    try:
        lines = pl.read_lines(text).to_series()
    except (pl.exceptions.PolarsError, OSError):
        return None
    longest = int(lines.str.len_bytes().max() or 0)  # type: ignore[arg-type]  # a whole number
    is_usual = lines.len() == text.count(b"\n") and longest <= _MOST_RECORD_BYTES
    return lines if is_usual and not text.startswith(codecs.BOM_UTF8) else None


def _of_lines(file: BinaryIO, source: JsonSource, first: int) -> Iterator[_Record | Skipped]:
    encoding = source.reading.encoding or "utf-8"
    for number in count(first):
        line = file.readline(_MOST_RECORD_BYTES + 1)
        if not line:
            return
        if len(line) > _MOST_RECORD_BYTES:
            found = f"line {number} does not end within {_MOST_RECORD_BYTES} bytes"
            raise _refusal(source.path, found, "endless_line", "This is no list of leads, or it is damaged.")
        try:
            text = line.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError:
            text = line.decode(encoding, "backslashreplace").rstrip("\r\n")
            yield _Record(number, text, None, Reason.ENCODING)
            continue
        yield _line(number, text.removeprefix(_BOM) if number == 1 else text, source)


def _line(number: int, text: str, source: JsonSource) -> _Record | Skipped:
    """Tell what a line is, given without its end."""
    if not text.strip(_BLANK):
        return Skipped("blank", number)
    record = _Record(number, text, _object(text))
    if record.cells is None and number == 1 and text.strip(_BLANK) == "{":
        raise _not_records(source.path, row=1)
    return record


def _object(text: str) -> dict[str, Any] | None:
    """Read one object; nothing if the text is anything else."""
    try:
        return _usable(_DECODER.decode(text), text)
    except (ValueError, RecursionError):
        return None


def _usable(value: Any, text: str) -> dict[str, Any] | None:
    """An object without doubled keys and halves of characters."""
    if not isinstance(value, dict) or isinstance(value, _Doubled):
        return None
    return None if _HALF.search(text) and _has_half(value) else value


def _has_half(value: dict[str, Any]) -> bool:
    try:
        repr_bytes = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return not repr_bytes


def _of_array(file: Content, source: JsonSource) -> Iterator[_Record]:
    text = _Window(file, source)
    text.expect("[")
    if text.take("]"):
        text.expect_end()
        return
    for row in count(1):
        value, raw = text.value(row)
        if not isinstance(value, dict):
            raise _not_records(source.path, row)
        yield _Record(0, raw, _usable(value, raw))
        if text.take("]"):
            text.expect_end()
            return
        text.expect(",", row)


class _Window:
    """The part of a long text that is being read."""

    def __init__(self, file: Content, source: JsonSource) -> None:
        self._file = file
        self._path = source.path
        self._decoder = codecs.getincrementaldecoder(source.reading.encoding or "utf-8")()
        self._text = ""
        self._place = 0
        self._more()
        self._text = self._text.removeprefix(_BOM)

    def _more(self) -> bool:
        """Read on; false at the end of the file."""
        piece = self._file.read(_PIECE_BYTES)
        try:
            self._text = self._text[self._place :] + self._decoder.decode(piece, not piece)
        except UnicodeDecodeError as error:
            found = "the text is not in the encoding of JSON, UTF-8"
            raise _refusal(self._path, found, "not_utf8", "Save it as UTF-8.") from error
        self._place = 0
        return bool(piece)

    def take(self, mark: str) -> bool:
        """Pass white space, and the mark if it follows."""
        while True:
            self._place = _SPACE.match(self._text, self._place).end()  # type: ignore[union-attr]  # always matches
            if self._place < len(self._text) or not self._more():
                break
        if not self._text.startswith(mark, self._place):
            return False
        self._place += len(mark)
        return True

    def expect(self, mark: str, row: int = 0) -> None:
        if not self.take(mark):
            raise self._broken(row)

    def expect_end(self) -> None:
        self.take("")
        if self._place < len(self._text):
            raise self._broken(None)

    def value(self, row: int) -> tuple[Any, str]:
        """Read one value; return it with its text."""
        self.take("")
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._place)
            except (ValueError, RecursionError):
                if len(self._text) - self._place > _MOST_RECORD_BYTES or not self._more():
                    raise self._broken(row) from None
            else:
                raw = self._text[self._place : end]
                self._place = end
                return value, raw

    def _broken(self, row: int | None) -> SourceError:
        where = f"at row {row}" if row else "behind the array" if row is None else "at its beginning"
        return SourceError(
            f"{self._path}: the JSON array is broken {where}",
            code="broken_json",
            hint="Write it again, best with one object on each line: there a broken line costs no other.",
            source=self._path,
            row=row or None,
        )


def _groups(found: Iterable[_Record], rows: int) -> Iterator[list[_Record]]:
    """Gather what makes one batch."""
    group: list[_Record] = []
    characters = 0
    for record in found:
        group.append(record)
        characters += len(record.raw)
        if len(group) == rows or characters > _BATCH_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _column(name: str, cells: list[Any]) -> pl.Series:
    try:
        column = pl.Series(name, cells, pl.String)
    except TypeError:
        column = pl.Series(name, [_text(cell) for cell in cells], pl.String)
    return column.replace("", None)


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    raise ValueError("the file changed while it was read")


def _refusal(path: str, found: str, code: str, hint: str) -> SourceError:
    return SourceError(f"{path}: {found}", code=code, hint=hint, source=path)
