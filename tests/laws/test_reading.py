"""The reader against a second one, written to be obviously right and slow: one byte after the other."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from prep.errors import SourceError
from prep.sources import Batch, blocks, delimited, open_source, read_batches

ACCENTS = "é" * 500  # valid characters enough that no broken byte below makes the file look like a legacy one
PIECES = [
    *(
        b'"',
        b'"',
        b'""',
        b",",
        b",",
        b";",
        b"\t",
        b"|",
        b"\n",
        b"\n",
        b"\r",
        b"\r\n",
        b" ",
        b"a",
        b"5",
        b"\xc3\xa9",
    ),
    *(
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xa9",
        b"\xef\xbb\xbf",
        b"x^",
        b"x\x01",
        b"\x1f\x8b",
        b"\xe2\x80\xa8",
        b"\x0b",
        b"\x1a",
    ),
    *(
        b',"',
        b'",',
        b'"\n',
        b'\n"',
        b"\n,",
        b"a,b\n",
        b'"a","b"\n',
        b'"a\nb",c\n',
        b"\xef\xbf\xbd",
        b"\\",
        b"'",
        b"#",
    ),
]
CELLS = [
    *(
        b"",
        b"",
        b"a",
        b"bc",
        b"\xc3\xa9",
        b'""',
        b'"a"',
        b'"a,b"',
        b'"a""b"',
        b'"a\nb"',
        b'"a\r\n\r\nb"',
        b'5" pipe',
    ),
    *(
        b'"a',
        b'a"',
        b'"a"b',
        b' "a"',
        b"\0",
        b"\xff",
        b'"\xff\n"',
        b"x^",
        b'"""',
        b'""""',
        b" ",
        b"\xef\xbb\xbfa",
        b'"\n"',
    ),
]


@dataclass
class Reading:
    cells: list[tuple[str | None, ...]] = field(default_factory=list)
    readable: list[tuple[int, int]] = field(default_factory=list)
    rejected: list[tuple[int, int, str, str]] = field(default_factory=list)
    skipped: list[tuple[str, int]] = field(default_factory=list)
    rows: int = 0
    lines: int = 0


def split_slowly(text: bytes, start: int, delimiter: bytes) -> tuple[list[bytes], int] | None:
    cells, cell, state = [], bytearray(), "start"
    for position in range(start, len(text)):
        byte = text[position : position + 1]
        if state == "quoted":
            if byte == b'"':
                state = "closed"
            else:
                cell += byte
        elif state == "closed" and byte == b'"':
            cell += byte
            state = "quoted"
        elif byte in {delimiter, b"\n"}:
            cells.append(bytes(cell))
            cell, state = bytearray(), "start"
            if byte == b"\n":
                return cells, position + 1
        elif state == "closed":
            return None
        elif state == "start" and byte == b'"':
            state = "quoted"
        else:
            cell += byte
            state = "bare"
    return None


def read_slowly(body: bytes, delimiter: str, columns: int, *, first_line: int = 2) -> Reading:
    text = re.sub(rb"\r\n|\r", b"\n", body)
    if text and not text.endswith(b"\n"):
        text += b"\n"
    reading, position, line = Reading(), 0, first_line
    while position < len(text):
        line_end = text.index(b"\n", position) + 1
        first = text[position : line_end - 1]
        undivided = columns > 1 and delimiter.encode() not in first and not first.strip(b" \t\v\f")
        record = split_slowly(text, position, delimiter.encode())
        if first == b"" or undivided:
            reading.skipped.append(("blank", line))
            end = line_end
        else:
            reading.rows += 1
            end = line_end
            if record and len(record[0]) == columns:
                too_long = record[1] > line_end and record[1] - position > blocks.MAX_RECORD_BYTES
                end = line_end if too_long else record[1]
            raw = text[position : end - 1]
            if valid(raw) and record and end == record[1] and len(record[0]) == columns and b"\0" not in raw:
                reading.cells.append(tuple(cell.decode() or None for cell in record[0]))
                reading.readable.append((reading.rows, line))
            else:
                reason = "unreadable_row" if valid(raw) else "encoding"
                reading.rejected.append((reading.rows, line, reason, raw.decode(errors="backslashreplace")))
        line += text.count(b"\n", position, end)
        position = end
    reading.lines = line - 1
    return reading


def valid(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_all(path: Path, delimiter: str, block_bytes: int) -> Reading:
    source = open_source(path, delimiter=delimiter)
    reader = read_batches(source, block_bytes=block_bytes)
    reading = Reading()
    for batch in reader:
        names = [str(position) for position in range(len(source.columns))]
        assert batch.cells.columns == [*names, "_row", "_line"]
        reading.cells += batch.cells.select(names).rows()
        reading.readable += batch.cells.select("_row", "_line").rows()
        reading.rejected += batch.rejected.rows()
        reading.skipped += [(entry.kind, entry.line) for entry in batch.skipped]
        assert rows_of(batch) == sorted(rows_of(batch))
    reading.rows, reading.lines = reader.rows, reader.lines
    assert reader.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    return reading


def rows_of(batch: Batch) -> list[int]:
    rows: list[int] = batch.cells["_row"].to_list()
    return rows


def check(path: Path, body: bytes, delimiter: str, columns: int, block_bytes: int) -> None:
    header = delimiter.join([ACCENTS] * columns).encode() + b"\n"
    path.write_bytes(header + body)
    expected = read_slowly(body, delimiter, columns)
    expected.skipped.insert(0, ("header", 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            delimited, "_USUAL_LINE_BYTES", block_bytes % 3
        )  # else blocks nearly always end with LF
        actual = read_all(path, delimiter, block_bytes)
    assert actual == expected
    numbers = sorted([row for row, _ in actual.readable] + [row for row, *_ in actual.rejected])
    assert numbers == list(range(1, actual.rows + 1))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reading") / "leads.csv"


anything = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)
block_sizes = st.one_of(st.integers(1, 200), st.just(1 << 20))
quietly = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, str, int]:
    """Mostly good rows, so that every way through the reader is taken."""
    columns = draw(st.integers(1, 4))
    delimiter = draw(st.sampled_from(",;\t|"))
    good = st.sampled_from([b"", b"a", b"b c", b"\xc3\xa9", b"007", draw(st.sampled_from(CELLS))])
    odd = st.sampled_from(CELLS)
    end = st.sampled_from([b"\n", b"\n", draw(st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n"]))])
    lines = []
    for _ in range(draw(st.integers(0, 25))):
        width = columns if draw(st.integers(0, 9)) else draw(st.integers(1, 5))
        cell = good if draw(st.integers(0, 4)) else odd
        lines.append(delimiter.encode().join(draw(cell) for _ in range(width)) + draw(end))
    return b"".join(lines), delimiter, columns


@quietly
@given(body=anything, delimiter=st.sampled_from(",;\t|"), columns=st.integers(1, 4), block_bytes=block_sizes)
@example(body=b"x^,b\nc,d\n", delimiter=",", columns=2, block_bytes=1 << 20)
@example(body=b"x\x01,b\nc,d\n", delimiter=",", columns=2, block_bytes=1 << 20)
@example(body=b"\xef\xbb\xbfa,b\nc,d\n", delimiter=",", columns=2, block_bytes=1 << 20)
@example(body=b'\xef\xbb\xbfa,b\n"c",d\n', delimiter=",", columns=2, block_bytes=1 << 20)
@example(body=b'x^,b\n"c",d\n', delimiter=",", columns=2, block_bytes=1 << 20)
@example(body=b"\r,", delimiter=",", columns=2, block_bytes=1 << 20)
@example(body=b"a,b\n\r,\r,c\n", delimiter=",", columns=2, block_bytes=1 << 20)
@example(body=b"\r\na\r\n\r\n", delimiter=",", columns=1, block_bytes=1 << 20)
@example(body=b"a,\xc3\n\xa9,b\n", delimiter=",", columns=2, block_bytes=1 << 20)
def test_any_bytes_are_read_like_the_slow_reader_does(
    path: Path, body: bytes, delimiter: str, columns: int, block_bytes: int
) -> None:
    check(path, body, delimiter, columns, block_bytes)


@quietly
@given(table=tables(), block_bytes=block_sizes)
def test_tables_are_read_like_the_slow_reader_does(
    path: Path, table: tuple[bytes, str, int], block_bytes: int
) -> None:
    check(path, *table, block_bytes)


@quietly
@given(table=tables(), block_bytes=block_sizes, limit=st.integers(1, 40))
def test_the_limit_of_a_record_does_not_depend_on_block_borders(
    path: Path, table: tuple[bytes, str, int], block_bytes: int, limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MAX_RECORD_BYTES", limit)
        check(path, *table, block_bytes)


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=300) | anything, block_bytes=st.integers(1, 400))
def test_any_file_is_read_or_refused_with_its_name(path: Path, content: bytes, block_bytes: int) -> None:
    path.write_bytes(content)
    outcome = read_or_refuse(path, block_bytes)
    if isinstance(outcome, SourceError):
        assert str(path) in outcome.message
        assert outcome.hint
    else:
        rows, lines = outcome
        assert lines == len(re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", content))
        assert rows <= lines


def read_or_refuse(path: Path, block_bytes: int) -> tuple[int, int] | SourceError:
    try:
        reader = read_batches(open_source(path), block_bytes=block_bytes)
        batches = list(reader)
    except SourceError as error:
        return error
    assert sum(batch.cells.height + batch.rejected.height for batch in batches) == reader.rows
    return reader.rows, reader.lines
