"""The reader against a second one, written to be obviously right and slow: one byte after the other."""

import hashlib
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from prep.errors import SourceError
from prep.model import Reading
from prep.sources import Batch, walk
from prep.sources.delimited import open_delimited
from prep.sources.encoding import as_utf8, find_encoding
from prep.sources.files import opened

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
    *(
        b'"a\\"b"',
        b'"a\\\\"',
        b'"a\\"',
        b"'a'",
        b'"a" ',
        b"#",
        b"#a b",
        b"a@b.co",
        b'"x\na@b.co,a@b.co,a@b.co\ny"',
    ),
]


@dataclass
class Outcome:
    cells: list[tuple[str | None, ...]] = field(default_factory=list)
    readable: list[tuple[int, int]] = field(default_factory=list)
    rejected: list[tuple[int, int, str, str]] = field(default_factory=list)
    skipped: list[tuple[str, int]] = field(default_factory=list)
    rows: int = 0
    lines: int = 0


@dataclass(frozen=True)
class Table:
    """How the table below the header is read."""

    columns: int = 2
    delimiter: str = ","
    quote: str = '"'
    escape: str = "double"
    lookup: int | None = None

    @property
    def header(self) -> list[str]:
        return [ACCENTS] * self.columns

    @property
    def header_line(self) -> bytes:
        return self.delimiter.join(self.header).encode() + b"\n"

    @property
    def reading(self) -> Reading:
        return Reading("utf-8", self.delimiter, self.quote, self.escape, header_line=1)


def split_slowly(text: bytes, start: int, table: Table) -> tuple[list[bytes], int] | None:  # noqa: C901, PLR0912  # one state after the other
    delimiter, quote = table.delimiter.encode(), table.quote.encode()
    cells, cell, state = [], bytearray(), "start"
    for position in range(start, len(text)):
        byte = text[position : position + 1]
        if state == "escaped":
            cell += byte if byte in {quote, b"\\"} else b"\\" + byte
            state = "quoted"
        elif state == "quoted":
            if byte == quote:
                state = "closed"
            elif byte == b"\\" and table.escape == "backslash":
                state = "escaped"
            else:
                cell += byte
        elif state == "closed" and byte == quote:
            cell += byte
            state = "quoted"
        elif byte in {delimiter, b"\n"}:
            cells.append(bytes(cell))
            cell, state = bytearray(), "start"
            if byte == b"\n":
                return cells, position + 1
        elif state in {"closed", "over"}:
            if byte != b" ":
                return None
            state = "over"
        elif state == "start" and byte == quote:
            state = "quoted"
        else:
            cell += byte
            state = "bare"
    return None


def read_slowly(body: bytes, table: Table, *, first_line: int = 2) -> Outcome:
    text = re.sub(rb"\r\n|\r", b"\n", body)
    if text and not text.endswith(b"\n"):
        text += b"\n"
    header = [name.encode() for name in table.header]
    outcome, position, line = Outcome(), 0, first_line
    loose: list[tuple[str, int]] = []
    while position < len(text):
        line_end = text.index(b"\n", position) + 1
        first = text[position : line_end - 1]
        undivided = (
            table.columns > 1 and table.delimiter.encode() not in first and not first.strip(b" \t\v\f")
        )
        record = split_slowly(text, position, table)
        fits = record is not None and len(record[0]) == table.columns
        end = line_end
        if first == b"" or undivided:
            outcome.skipped.append(("blank", line))
            loose.append(("blank", line))
        elif is_comment(first, table):
            outcome.skipped.append(("comment", line))
            loose.append(("comment", line))
        else:
            if record and fits:
                too_long = record[1] > line_end and record[1] - position > walk.MAX_RECORD_BYTES
                fits = not too_long and not swallows(text[line_end : record[1]], table)
                end = record[1] if fits else line_end
            raw = text[position : end - 1]
            is_good = record is not None and fits and valid(raw) and b"\0" not in raw
            if is_good and record and record[0] == header:
                outcome.skipped += [("repeated_header", line)]
                loose.clear()
            else:
                outcome.rows += 1
                if is_good and record:
                    outcome.cells.append(tuple(cell.decode() or None for cell in record[0]))
                    outcome.readable.append((outcome.rows, line))
                else:
                    reason = "unreadable_row" if valid(raw) else "encoding"
                    shown = raw.decode(errors="backslashreplace")
                    outcome.rejected.append((outcome.rows, line, reason, shown))
                if is_loose(raw, table):
                    loose.append(("footer", line))
                else:
                    loose.clear()
        line += text.count(b"\n", position, end)
        position = end
    outcome.lines = line - 1
    footer = {at for kind, at in loose if kind == "footer" and outcome.lines - at < walk.MAX_FOOTER_LINES}
    outcome.rejected = [entry for entry in outcome.rejected if entry[1] not in footer]
    outcome.rows -= len(footer)
    outcome.skipped = sorted(
        [*outcome.skipped, *(("footer", at) for at in footer)], key=lambda entry: entry[1]
    )
    return outcome


def short_cells(line: bytes, table: Table) -> list[bytes] | None:
    record = split_slowly(line + b"\n", 0, table)
    return record[0] if record and len(record[0]) < table.columns else None


def lacks_lookup(cells: list[bytes], table: Table) -> bool:
    return table.lookup is None or table.lookup >= len(cells) or not cells[table.lookup].strip()


def is_comment(line: bytes, table: Table) -> bool:
    cells = short_cells(line, table) if line.startswith(b"#") and b"@" not in line else None
    if cells is None:
        return False
    words = cells[0].split()
    remark = table.lookup == 0 and (len(words) > 1 or not re.search(rb"[0-9]", cells[0]))
    return lacks_lookup(cells, table) or remark


def is_loose(line: bytes, table: Table) -> bool:
    cells = short_cells(line, table) if b"\n" not in line else None
    return (
        cells is not None
        and table.lookup is not None
        and valid(line)
        and b"\0" not in line
        and lacks_lookup(cells, table)
    )


def swallows(below: bytes, table: Table) -> bool:
    if table.lookup is None or table.columns < 3:
        return False
    for line in below.split(b"\n")[:-2]:
        record = split_slowly(line + b"\n", 0, table)
        if record and len(record[0]) == table.columns and record[0][table.lookup] == b"a@b.co":
            return True
    return False


def valid(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_all(path: Path, table: Table, block_bytes: int) -> Outcome:
    source = open_delimited(str(path), table.reading)
    reader = source.read(table.lookup, block_bytes=block_bytes)
    outcome = Outcome()
    for batch in reader:
        names = [str(position) for position in range(len(source.columns))]
        assert batch.cells.columns == [*names, "_row", "_line"]
        outcome.cells += batch.cells.select(names).rows()
        outcome.readable += batch.cells.select("_row", "_line").rows()
        outcome.rejected += batch.rejected.rows()
        outcome.skipped += [(entry.kind, entry.line) for entry in batch.skipped]
        assert rows_of(batch) == sorted(rows_of(batch))
    outcome.rows, outcome.lines = reader.rows, reader.lines
    assert reader.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    return outcome


def rows_of(batch: Batch) -> list[int]:
    rows: list[int] = batch.cells["_row"].to_list()
    return rows


def check(path: Path, body: bytes, table: Table, block_bytes: int) -> None:
    path.write_bytes(table.header_line + body)
    expected = read_slowly(body, table)
    expected.skipped.insert(0, ("header", 1))
    actual = read_all(path, table, block_bytes)
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
def tables(draw: st.DrawFn) -> Table:
    columns = draw(st.integers(1, 4))
    return Table(
        columns=columns,
        delimiter=draw(st.sampled_from(",;\t|")),
        quote=draw(st.sampled_from(['"', '"', '"', "'"])),
        escape=draw(st.sampled_from(["double", "double", "backslash"])),
        lookup=draw(st.sampled_from([None, *range(columns)])),
    )


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, Table]:
    """Mostly good rows, so that every way through the reader is taken."""
    table = draw(tables())
    delimiter, quote = table.delimiter.encode(), table.quote.encode()
    good = st.sampled_from([b"", b"a", b"b c", b"\xc3\xa9", b"007", b"a@b.co", draw(st.sampled_from(CELLS))])
    odd = st.sampled_from(CELLS)
    end = st.sampled_from([b"\n", b"\n", draw(st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n"]))])
    lines = []
    for _ in range(draw(st.integers(0, 25))):
        width = table.columns if draw(st.integers(0, 9)) else draw(st.integers(1, 5))
        cell = good if draw(st.integers(0, 4)) else odd
        lines.append(delimiter.join(draw(cell) for _ in range(width)) + draw(end))
    remark = draw(
        st.sampled_from(
            [b"", b"# one two\n", b"#1\n", table.header_line, b"Total" + delimiter + b"\n", b"\n"]
        )
    )
    lines.insert(draw(st.integers(0, len(lines))), remark)
    lines += draw(
        st.lists(st.sampled_from([delimiter + b"3\n", b"\n", b"end\n", b" \n", b"# x\n"]), max_size=6)
    )
    return b"".join(lines).replace(b'"', quote), table


@quietly
@given(body=anything, table=tables(), block_bytes=block_sizes)
@example(body=b"x^,b\nc,d\n", table=Table(), block_bytes=1 << 20)
@example(body=b"x\x01,b\nc,d\n", table=Table(), block_bytes=1 << 20)
@example(body=b"\xef\xbb\xbfa,b\nc,d\n", table=Table(), block_bytes=1 << 20)
@example(body=b'\xef\xbb\xbfa,b\n"c",d\n', table=Table(), block_bytes=1 << 20)
@example(body=b'x^,b\n"c",d\n', table=Table(), block_bytes=1 << 20)
@example(body=b"\r,", table=Table(), block_bytes=1 << 20)
@example(body=b"a,b\n\r,\r,c\n", table=Table(), block_bytes=1 << 20)
@example(body=b"\r\na\r\n\r\n", table=Table(columns=1), block_bytes=1 << 20)
@example(body=b"a,\xc3\n\xa9,b\n", table=Table(), block_bytes=1 << 20)
def test_any_bytes_are_read_like_the_slow_reader_does(
    path: Path, body: bytes, table: Table, block_bytes: int
) -> None:
    check(path, body, table, block_bytes)


@quietly
@given(body=bodies(), block_bytes=block_sizes)
def test_tables_are_read_like_the_slow_reader_does(
    path: Path, body: tuple[bytes, Table], block_bytes: int
) -> None:
    check(path, *body, block_bytes)


@quietly
@given(body=bodies(), block_bytes=block_sizes, limit=st.integers(1, 40), footer=st.integers(1, 5))
def test_the_limits_of_records_and_footers_do_not_depend_on_block_borders(
    path: Path, body: tuple[bytes, Table], block_bytes: int, limit: int, footer: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "MAX_RECORD_BYTES", limit)
        patch.setattr(walk, "MAX_FOOTER_LINES", footer)
        check(path, *body, block_bytes)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Whole files: something above, perhaps a header, a body."""
    body, table = draw(bodies())
    delimiter = table.delimiter.encode()
    above = st.sampled_from(
        [b"Leads of May\n", b"\n", b"# a remark\n", b"sep=;\n", b"sep=,\n", b"From;Ann\n"]
    )
    names = [b"Email", b"Name", b"City", b'"Phone"', b"", b"x y"]
    header = delimiter.join(draw(st.sampled_from(names)) for _ in range(table.columns)) + b"\n"
    return b"".join(draw(st.lists(above, max_size=3))) + draw(st.sampled_from([header, header, b""])) + body


@quietly
@given(
    content=files() | anything,
    header_line=st.sampled_from([None, None, 0]),
    lookup=st.sampled_from([None, 0, 1]),
)
def test_opening_again_with_what_was_found_reads_the_same(
    path: Path, content: bytes, header_line: int | None, lookup: int | None
) -> None:
    path.write_bytes(content)
    try:
        found = open_delimited(str(path), Reading(header_line=header_line))
    except SourceError:
        return
    again = open_delimited(str(path), found.reading)
    assert (again.columns, again.skipped, again.surplus) == (found.columns, found.skipped, found.surplus)
    assert replace(again.reading, encoding=None) == replace(found.reading, encoding=None)
    for one, other in zip(found.read(lookup), again.read(lookup), strict=True):
        assert one.cells.equals(other.cells)
        assert one.rejected.equals(other.rejected)
        assert one.skipped == other.skipped


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
        assert lines == lines_of(path)
        assert rows <= lines


def lines_of(path: Path) -> int:
    encoding = find_encoding(str(path))
    with opened(str(path)) as file:
        text = as_utf8(file, encoding).read()
    return len(re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text))


def read_or_refuse(path: Path, block_bytes: int) -> tuple[int, int] | SourceError:
    try:
        reader = open_delimited(str(path)).read(block_bytes=block_bytes)
        batches = list(reader)
    except SourceError as error:
        return error
    assert sum(batch.cells.height + batch.rejected.height for batch in batches) == reader.rows
    return reader.rows, reader.lines
