"""The reader against a second one, written to be obviously right and slow: one byte after the other."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from prep.errors import SourceError
from prep.model import Reading
from prep.sources import Batch, dialect, walk
from prep.sources.delimited import open_delimited
from prep.sources.encoding import as_utf8, find_encoding
from prep.sources.files import opened
from tests.depth import examples
from tests.slow_reader import Outcome, Table, read_slowly

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
    source = open_delimited(str(path), table.reading)
    columns = len(source.columns)
    lookup = None if table.lookup is None or table.lookup >= columns else table.lookup
    table = replace(table, columns=columns, names=source.columns, surplus=source.surplus, lookup=lookup)
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
quietly = settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])


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
def bodies_with_nameless_columns(draw: st.DrawFn) -> tuple[bytes, Table]:
    """Rows whose last cells have no name in the header and mostly no value, some of them in quotes."""
    table = draw(tables())
    nameless = draw(st.integers(1, 3))
    names = [f"n{number}" for number in range(table.columns)] + [""] * nameless
    lines = []
    for _ in range(draw(st.integers(0, 12))):
        cells = [draw(st.sampled_from(["a", "", "a@b.co", '"b""c"'])) for _ in range(table.columns)]
        behind = draw(st.sampled_from([nameless] * 6 + [0, 1, nameless + 1]))
        cells += [draw(st.sampled_from([*[""] * 8, '""', " ", "x", '"x"', '"" '])) for _ in range(behind)]
        lines.append(table.delimiter.join(cells) + draw(st.sampled_from(["\n", "\n", "\r\n"])))
    body = "".join(lines).replace('"', table.quote).encode()
    return body, replace(table, columns=len(names), names=tuple(names))


@quietly
@given(body=bodies_with_nameless_columns(), block_bytes=block_sizes, sampled=st.integers(2, 5))
def test_columns_without_name_and_value_are_read_like_the_slow_reader_does(
    path: Path, body: tuple[bytes, Table], block_bytes: int, sampled: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "_SAMPLE_RECORDS", sampled)
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


@settings(max_examples=examples(300), deadline=None)
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
