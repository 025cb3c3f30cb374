"""The process that opens a workbook, so that a harmful or broken one takes nothing else with it.

Run as `python -m prep.sources.workbook_child SOURCE SPOOL KIND`, the first two being open file descriptors.
It speaks JSON, a line at a time: asked for `{"only": sheet name or null, "encoding": …}` it answers with the
first rows of every sheet; asked for `{"sheet": n, "header_line": n, "others": [[sheet, header_line], …]}` it
writes the rows of that sheet to the spool, as Arrow streams, and answers where they are. What is wrong is
answered as `{"refused": [code, found, hint]}`. Nothing else is written and no connection is made.
"""

import errno
import io
import json
import os
import re
import resource
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import polars as pl

from prep.model import POINT_OR_THOUSANDS
from prep.sources.cell_values import EXACT_DIGITS, is_rounded
from prep.sources.html import HtmlBook
from prep.sources.ods import OdsBook
from prep.sources.sheets import SHEET_COLUMNS, Book, Refusal, Row, Sheet, broken, protected, too_large, unsafe
from prep.sources.spreadsheetml import SpreadsheetmlBook
from prep.sources.typed import NUMBERS, is_number
from prep.sources.xlsx import Xlsx, open_package

HEAD_ROWS: Final = 50
"""Among so many filled rows of a sheet its header is looked for."""

MOST_BLANK_ROWS: Final = 100_000
"""A cell further below the others than this is no part of a table."""

_MEGABYTE: Final = 1_000_000
_HEAD_CELLS: Final = 1024
_HEAD_CHARACTERS: Final = 200
_ALL_HEADS_CHARACTERS: Final = 32 * _MEGABYTE
_BATCH_CELLS: Final = 500_000
_BATCH_CHARACTERS: Final = 16 * _MEGABYTE
_MEMORY: Final = (384 * _MEGABYTE, 16)
_SPOOL: Final = (256 * _MEGABYTE, 100)
"""How many bytes a workbook may take, and how many more for each of its own."""
_SECONDS: Final = (5, 4)
"""How many seconds of computing a workbook may take, and how many more for each megabyte."""

_CALCULATED: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?")
_DOUBTFUL: Final = rf"{POINT_OR_THOUSANDS}|^-?[0-9]{{{EXACT_DIGITS + 1},}}$"
"""Texts of which it matters whether they are numbers by their type."""
_NO_DAY: Final = frozenset({"1899-12-30", "1899-12-31", "1904-01-01"})
_DOCTYPE: Final = re.compile(rb"<\0?!\0?(?:D\0?O\0?C\0?T\0?Y\0?P\0?E|E\0?N\0?T\0?I\0?T\0?Y)", re.IGNORECASE)
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_PROLOG_BYTES: Final = 64 * 1024


def seconds_for(size: int) -> int:
    """How much computing a workbook of so many bytes may take."""
    return _SECONDS[0] + _SECONDS[1] * (size // _MEGABYTE + 1)


class EngineBook:
    """A workbook that the engine reads (xls, xlsb); see `Book`.

    The engine gives text alone: error cells are blank, leading zeros that a format shows are not there.
    """

    encoding: str | None = None

    def __init__(self, content: bytes) -> None:
        import fastexcel  # noqa: PLC0415 (most workbooks do not need it)

        self.facts: Counter[str] = Counter()
        self.merged: list[int] = []
        self.hidden_columns: set[int] = set()
        self.sheets: list[Sheet] = []
        self._frames: list[pl.DataFrame] = []
        reader = fastexcel.read_excel(content)
        for name in reader.sheet_names:
            try:
                sheet = reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
            except fastexcel.FastExcelError:  # a chart, or a module
                continue
            self.sheets.append(Sheet(name, hidden=sheet.visible != "visible"))
            self._frames.append(sheet.to_polars())
        self._reader = reader

    def rows(self, sheet: int) -> Iterator[Row]:
        """Yield the rows in which something stands, in order."""
        numbers = self._numbers(sheet)
        for line, values in enumerate(self._frames[sheet].iter_rows(), start=1):
            cells = {column: _from_engine(value) for column, value in enumerate(values) if value}
            if cells:
                yield Row(line, cells, numbers=tuple(numbers.get(line, ())))

    def _numbers(self, sheet: int) -> dict[int, list[int]]:
        """Line → the columns of cells that are numbers by their type; the engine takes no text for a yes."""
        texts = self._frames[sheet]
        masks = texts.select(pl.all().str.contains(_DOUBTFUL).fill_null(value=False))
        found: dict[int, list[int]] = {}
        if not masks.select(pl.any_horizontal(pl.lit(False), pl.all()).any()).item():
            return found
        name = self.sheets[sheet].name
        loaded = self._reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="boolean").to_polars()
        for column, (mask, typed) in enumerate(zip(masks, loaded, strict=True)):
            for index in (mask & typed.is_not_null()).arg_true():
                text = texts.item(index, column)
                self.facts["rounded_number"] += is_rounded(text)
                if is_number(text):
                    found.setdefault(index + 1, []).append(column)
        return found


def _from_engine(value: str) -> str:
    """Write the engine's dates and times like our own."""
    match = _CALCULATED.fullmatch(value)
    if match is None:
        return value.replace("\r\n", "\n").replace("\r", "\n") if "\r" in value else value
    day, clock = match.groups()
    if day in _NO_DAY:
        return clock
    return day if clock == "00:00:00" else f"{day}T{clock}"


def open_book(source: int, kind: str, encoding: str | None) -> Book:
    """Open a workbook.

    Args:
        source: Descriptor of the file.
        kind: What `prep.sources.signatures.kind_of` says it is.
        encoding: Python codec of a web page, if it is known.

    Raises:
        Refusal: It is not to be read.
    """
    file = os.fdopen(source, "rb")
    size = os.fstat(source).st_size
    if kind == "xlsx":
        return Xlsx(open_package(file, size))
    if kind in {"ods", "xlsb"}:
        package = open_package(file, size)
        _check_parts(package)
        if kind == "ods":
            return OdsBook(package)
        file.seek(0)
    content = file.read()
    if kind == "html":
        return HtmlBook(content, encoding)
    return SpreadsheetmlBook(content) if kind == "spreadsheetml" else EngineBook(content)


def _check_parts(package: zipfile.ZipFile) -> None:
    for entry in package.infolist():
        if entry.filename.lower().endswith((".xml", ".rels", ".rdf")):
            with package.open(entry) as part:
                prolog = part.read(_PROLOG_BYTES)
            if _DOCTYPE.search(prolog):
                raise unsafe("one of its parts declares a document type, which can hide entity bombs")
            if entry.filename == "META-INF/manifest.xml" and b"encryption-data" in prolog:
                raise protected()


def heads(book: Book, only: str | None) -> list[dict[str, Any]]:
    """Give the name and the first filled rows of each sheet, or of one alone."""
    left = _ALL_HEADS_CHARACTERS
    found = []
    for place, sheet in enumerate(book.sheets):
        rows: list[tuple[int, list[str]]] = []
        for row in _filled(book.rows(place) if only in {None, sheet.name} else iter(())):
            cells = [row.cells.get(column, "") for column in range(min(max(row.cells) + 1, _HEAD_CELLS))]
            cells = [cell[:_HEAD_CHARACTERS] for cell in cells]
            left -= sum(map(len, cells)) + len(cells)
            if left < 0:
                raise too_large("the first rows of its sheets are too long")
            rows.append((row.line, cells))
            if len(rows) == HEAD_ROWS:
                break
        found.append({"name": sheet.name, "hidden": sheet.hidden, "rows": rows})
    return found


def _filled(rows: Iterator[Row]) -> Iterator[Row]:
    return (row for row in rows if not _is_blank(row) and row.cells)


def _is_blank(row: Row) -> bool:
    return not row.errors and all(cell.isspace() for cell in row.cells.values())


class Table:
    """The rows of one sheet, written to the spool batch by batch.

    Attributes:
        columns: The cells of the header.
        batches: Offset and size of each batch in the spool.
    """

    def __init__(self, spool: int, rows: Iterator[Row], header_line: int, left: int) -> None:
        """Take the rows of the sheet, so many of whose first columns are left out."""
        self.columns: list[str] = []
        self.batches: list[tuple[int, int]] = []
        self._spool = spool
        self._header_line = header_line
        self._rows = _moved((row for row in rows if not _is_blank(row)), left)
        self._records: list[tuple[int, str | None, Row | None]] = []
        self._characters = 0
        self._line = 0

    def write(self) -> None:
        """Write the batches; there is always one."""
        above, header, first = self._start()
        width = self._width(header, first)
        self.columns = [header.get(column, "") for column in range(width)]
        if not self._header_line:
            self.columns = [str(column + 1) for column in range(width)]
        for row in chain(above, first, self._rows):
            self._blanks_before(row.line)
            self._add(row, self._kind_of(row, header, width))
        self._flush()

    def _start(self) -> tuple[list[Row], dict[int, str], list[Row]]:
        """Give the rows above the header and the header itself, the header's cells, the first rows below."""
        above: list[Row] = []
        header: dict[int, str] = {}
        while self._header_line:
            row = next(self._rows, None)
            if row is None or row.line > self._header_line:
                raise Refusal(
                    "broken_header",
                    f"row {self._header_line} of the sheet is blank, so it cannot be the header",
                    "Give the number of the row that holds the column names.",
                )
            above.append(row)
            if row.line == self._header_line:
                header = row.cells
                break
        first = list(islice(self._rows, HEAD_ROWS))
        return above, header, first

    def _width(self, header: dict[int, str], first: Sequence[Row]) -> int:
        """Count the columns: those of the header, then nameless ones that every other row fills."""
        filled = Counter(column for row in first for column, cell in row.cells.items() if cell.strip())
        if not self._header_line:
            return max(filled, default=-1) + 1
        width = max((column for column, cell in header.items() if cell.strip()), default=-1) + 1
        while 2 * filled[width] > len(first):
            width += 1
        return width

    def _kind_of(self, row: Row, header: dict[int, str], width: int) -> str | None:
        if row.line <= self._header_line:
            return "header" if row.line == self._header_line else "preamble"
        if row.cells == header:
            return "repeated_header"
        if row.is_cut:
            return "unreadable_row"
        if max(row.cells, default=0) < width:
            return None
        is_outside = any(column >= width and cell.strip() for column, cell in row.cells.items())
        return "unreadable_row" if is_outside else None

    def _blanks_before(self, line: int) -> None:
        if line - self._line > MOST_BLANK_ROWS:
            raise Refusal(
                "far_cell",
                f"row {line} holds a cell, but the {line - self._line - 1} rows above it are blank",
                "Delete what stands there, or save the sheet as CSV UTF-8.",
            )
        for blank in range(self._line + 1, line):
            self._records.append((blank, "blank", None))
        self._line = line

    def _add(self, row: Row, kind: str | None) -> None:
        self._records.append((row.line, kind, row))
        self._characters += sum(map(len, row.cells.values()))
        if (
            len(self._records) * (len(self.columns) + 4) > _BATCH_CELLS
            or self._characters > _BATCH_CHARACTERS
        ):
            self._flush()

    def _flush(self) -> None:
        if not self._records and self.batches:
            return
        frame = _frame(self._records, len(self.columns))
        content = io.BytesIO()
        frame.write_ipc_stream(content)
        start = os.lseek(self._spool, 0, os.SEEK_CUR)
        with open(self._spool, "wb", closefd=False) as file:
            file.write(content.getbuffer())
        self.batches.append((start, content.tell()))
        self._records.clear()
        self._characters = 0


def _blank_columns(rows: Iterator[Row], header_line: int) -> int:
    """Count the columns before the table, in which neither its header nor any of its rows has something."""
    blank = SHEET_COLUMNS if header_line else 0
    for row in rows:
        if not blank:
            break
        if row.line >= header_line:
            blank = min(chain((column for column, cell in row.cells.items() if cell.strip()), [blank]))
    return blank


def _moved(rows: Iterator[Row], left: int) -> Iterator[Row]:
    """Count the columns of rows from the table's first on; what stands above and before it is left out."""
    for row in rows:
        if not left:
            yield row
            continue
        cells = {column - left: cell for column, cell in row.cells.items() if column >= left}
        yield row._replace(cells=cells, numbers=tuple(column - left for column in row.numbers))


def _frame(records: Sequence[tuple[int, str | None, Row | None]], width: int) -> pl.DataFrame:
    nothing: dict[int, str] = {}
    cells = [nothing if kind or row is None else row.cells for _, kind, row in records]
    columns = [pl.Series(str(place), [row.get(place) for row in cells], pl.String) for place in range(width)]
    numbers = [
        " ".join(map(str, row.numbers)) or None if row and not kind else None for _, kind, row in records
    ]
    raws = [_raw(row, width) if row and kind == "unreadable_row" else None for _, kind, row in records]
    return pl.DataFrame(
        [
            *columns,
            pl.Series(NUMBERS, numbers, pl.String),
            pl.Series("_line", [line for line, _, _ in records], pl.UInt32),
            pl.Series("_kind", [kind for _, kind, _ in records], pl.String),
            pl.Series("_raw", raws, pl.String),
            pl.Series("_error", [row is not None and row.errors > 0 for _, _, row in records], pl.Boolean),
        ]
    )


def _raw(row: Row, width: int) -> str:
    """The cells of a row: those under the header in their places, then what stands to the right of them."""
    beyond = (row.cells[column] for column in sorted(row.cells) if column >= width)
    return "\t".join([*(row.cells.get(column, "") for column in range(width)), *beyond])


def _limit(size: int) -> None:
    """Bound what this process may take from now on. A limit that the system does not know is left out."""
    limits = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": seconds_for(size),
        "RLIMIT_FSIZE": _SPOOL[0] + _SPOOL[1] * size,
        "RLIMIT_AS": _address_space() + _MEMORY[0] + _MEMORY[1] * size,
    }
    for name, limit in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), (limit, limit))
        except (AttributeError, ValueError, OSError):
            continue


def _address_space() -> int:
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return 1024 * _MEGABYTE


def _serve(source: int, spool: int, kind: str) -> None:
    request = json.loads(sys.stdin.readline())
    book = open_book(source, kind, request["encoding"])
    _answer({"sheets": heads(book, request["only"]), "encoding": book.encoding})
    line = sys.stdin.readline()
    if not line:
        return
    request = json.loads(line)
    left = _blank_columns(book.rows(request["sheet"]), request["header_line"])
    for met in (book.facts, book.merged, book.hidden_columns):
        met.clear()
    table = Table(spool, book.rows(request["sheet"]), request["header_line"], left)
    table.write()
    merged = sum(line > request["header_line"] for line in book.merged)
    hidden = book.hidden_columns.intersection(range(left, left + len(table.columns)))
    facts = {**book.facts, "merged": merged, "hidden_column": len(hidden)}
    others = [
        sum(row.line > header_line for row in _filled(book.rows(sheet)))
        for sheet, header_line in request["others"]
    ]
    _answer({"columns": table.columns, "batches": table.batches, "facts": facts, "others": others})


def _answer(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _no_room(error: OSError) -> Refusal:
    if error.errno == errno.EFBIG:
        return too_large("its rows take more room than a workbook of its size may take")
    found = f"the workbook cannot be read ({error.strerror or error})"
    return Refusal(
        "unreadable_source", found, "Check the disk, and the room in the folder for temporary files."
    )


def main() -> None:
    """Serve one workbook."""
    source, spool, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    pl.DataFrame({"a": ["a"]}).write_ipc_stream(io.BytesIO())
    _limit(os.fstat(source).st_size)
    try:
        _serve(source, spool, kind)
    except Refusal as refusal:
        found = refusal
    except MemoryError:
        found = too_large("it needs more memory than a workbook of its size may take")
    except OSError as error:
        found = _no_room(error)
    except BaseException as error:  # noqa: BLE001 (a panic of the engine is no Exception)
        found = broken(f"reading it fails ({type(error).__name__})")
    else:
        return
    _answer({"refused": [found.code, found.found, found.hint]})


if __name__ == "__main__":
    main()
