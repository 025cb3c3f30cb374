import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from prep.errors import PrepError, SettingsError, SourceError
from prep.model import Reading
from prep.sources import Skipped, blocks, delimited, walk
from prep.sources.batch import MOST_SKIPPED
from prep.sources.blocks import Place
from prep.sources.delimited import DelimitedSource, open_delimited
from prep.sources.encoding import TextEncoding
from prep.sources.records import Dialect, Layout

UNREADABLE = "unreadable_row"


@dataclass(frozen=True)
class Read:
    """Everything that reading one file gives, without the header's own skipped line."""

    cells: list[tuple[str | int | None, ...]]
    rejected: list[tuple[int, int, str, str]]
    skipped: list[tuple[str, int]]


COMMAS = Reading(encoding="utf-8", delimiter=",", header_line=1)


def read(
    path: Path,
    content: bytes,
    reading: Reading = COMMAS,
    *,
    lookup_position: int | None = None,
    block_bytes: int = 1 << 20,
) -> Read:
    path.write_bytes(content)
    source = open_delimited(str(path), reading)
    batches = list(source.read(lookup_position, block_bytes=block_bytes))
    return Read(
        [row for batch in batches for row in batch.cells.rows()],
        [row for batch in batches for row in batch.rejected.rows()],
        [(entry.kind, entry.line) for batch in batches for entry in batch.skipped],
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.csv"


# name: body below the header `a,b` → cells with row and line, rejected, blank lines
TWO_COLUMNS: dict[
    str, tuple[bytes, list[tuple[str | int | None, ...]], list[tuple[int, int, str, str]], list[int]]
] = {
    "plain": (b"1,2\n3,4\n", [("1", "2", 1, 2), ("3", "4", 2, 3)], [], []),
    "no line end at the end": (b"1,2\n3,4", [("1", "2", 1, 2), ("3", "4", 2, 3)], [], []),
    "CRLF": (b"1,2\r\n3,4\r\n", [("1", "2", 1, 2), ("3", "4", 2, 3)], [], []),
    "CR": (b"1,2\r3,4\r", [("1", "2", 1, 2), ("3", "4", 2, 3)], [], []),
    "mixed line ends": (
        b"1,2\r3,4\n5,6\r\n7,8",
        [(*"12", 1, 2), (*"34", 2, 3), (*"56", 3, 4), (*"78", 4, 5)],
        [],
        [],
    ),
    "CR CR LF is a line and a blank one": (b"1,2\r\r\n3,4\n", [("1", "2", 1, 2), ("3", "4", 2, 4)], [], [3]),
    "a lone CR in front is a blank line": (b"\r,3\n1,2\r\n", [(None, "3", 1, 3), ("1", "2", 2, 4)], [], [2]),
    "blank cells are null": (b"1,\n,2\n", [("1", None, 1, 2), (None, "2", 2, 3)], [], []),
    "quoted blank cells are null": (b'1,""\n"",2\n', [("1", None, 1, 2), (None, "2", 2, 3)], [], []),
    "a line without any value is blank": (
        b',\n1,2\n,\n"",""\n3,"4"\n"",\n,,,\n5,6\n,\n',
        [("1", "2", 1, 3), ("3", "4", 2, 6), ("5", "6", 3, 9)],
        [],
        [2, 4, 5, 7, 8, 10],
    ),
    "blanks between delimiters are cells": (b" ,\n1,2\n", [(" ", None, 1, 2), ("1", "2", 2, 3)], [], []),
    "text stays as it is": (
        b" 1 ,007\nNA,null\n#1,'x'\n\\,1.2E+10\n",
        [(" 1 ", "007", 1, 2), ("NA", "null", 2, 3), ("#1", "'x'", 3, 4), ("\\", "1.2E+10", 4, 5)],
        [],
        [],
    ),
    "blank lines": (b"\n1,2\n\n  \t\n3,4\n\n", [("1", "2", 1, 3), ("3", "4", 2, 6)], [], [2, 4, 5, 7]),
    "quoted": (b'"1","2"\n"a,b","c""d"\n', [("1", "2", 1, 2), ("a,b", 'c"d', 2, 3)], [], []),
    "only quotes": (b'"""","\n"\n', [('"', "\n", 1, 2)], [], []),
    "line breaks in cells become LF": (
        b'"a\r\nb","c\rd"\n"e\n\nf",g\n1,2\n',
        [("a\nb", "c\nd", 1, 2), ("e\n\nf", "g", 2, 5), ("1", "2", 3, 8)],
        [],
        [],
    ),
    "quotes inside unquoted cells are characters": (
        b'5" pipe,a"b"\n x "y",z\n "1",2\n',
        [('5" pipe', 'a"b"', 1, 2), (' x "y"', "z", 2, 3), (' "1"', "2", 3, 4)],
        [],
        [],
    ),
    "both kinds of quotes in one block": (
        b'5" pipe,1\n"a,b",2\n"x",6" nail\n"y\nz",""\n',
        [('5" pipe', "1", 1, 2), ("a,b", "2", 2, 3), ("x", '6" nail', 3, 4), ("y\nz", None, 4, 5)],
        [],
        [],
    ),
    "short": (b"1\n2,3\n", [("2", "3", 2, 3)], [(1, 2, UNREADABLE, "1")], []),
    "long": (
        b"1,2,3\n4,5\n6,7,\n",
        [("4", "5", 2, 3)],
        [(1, 2, UNREADABLE, "1,2,3"), (3, 4, UNREADABLE, "6,7,")],
        [],
    ),
    "a short and a long one do not make up for each other": (
        b"1\n1,2,3\n4,5\n",
        [("4", "5", 3, 4)],
        [(1, 2, UNREADABLE, "1"), (2, 3, UNREADABLE, "1,2,3")],
        [],
    ),
    "text after a closing quote": (b'"a"b,1\n2,3\n', [("2", "3", 2, 3)], [(1, 2, UNREADABLE, '"a"b,1')], []),
    "blanks after a closing quote": (b'"a" ,1\n2,"3"  \n', [("a", "1", 1, 2), ("2", "3", 2, 3)], [], []),
    "a quote that never closes": (
        b'1,2\n3,"x\n4,5\n6,7\n',
        [(*"12", 1, 2), (*"45", 3, 4), (*"67", 4, 5)],
        [(2, 3, UNREADABLE, '3,"x')],
        [],
    ),
    "a quote that never closes, in the last line": (
        b'1,2\n3,"x',
        [("1", "2", 1, 2)],
        [(2, 3, UNREADABLE, '3,"x')],
        [],
    ),
    "a quote that closes wrongly below": (
        b'1,"x\n2,"y"\n3,4\n',
        [("2", "y", 2, 3), ("3", "4", 3, 4)],
        [(1, 2, UNREADABLE, '1,"x')],
        [],
    ),
    "a ragged record of several lines is rejected at its first": (
        b'1,"x\ny",3\n4,5\n',
        [('y"', "3", 2, 3), ("4", "5", 3, 4)],
        [(1, 2, UNREADABLE, '1,"x')],
        [],
    ),
    "NUL": (b"1,\0\n2,3\n", [("2", "3", 2, 3)], [(1, 2, UNREADABLE, "1,\0")], []),
    "NUL in a record of several lines": (
        b'"1\n\0",2\n3,4\n',
        [("3", "4", 2, 4)],
        [(1, 2, UNREADABLE, '"1\n\0",2')],
        [],
    ),
    "bytes that are not UTF-8": (
        b"\xc3\xa9,1\nJos\xe9,2\n3,4\n",
        [("é", "1", 1, 2), ("3", "4", 3, 4)],
        [(2, 3, "encoding", "Jos\\xe9,2")],
        [],
    ),
    "broken bytes in a record of several lines": (
        b'\xc3\xa9,1\n"\xe9\n\n",2\n3,4\n',
        [("é", "1", 1, 2), ("3", "4", 3, 6)],
        [(2, 3, "encoding", '"\\xe9\n\n",2')],
        [],
    ),
    "half a character in each of two cells": (
        b"\xc3\xa9,1\n\xc3,\xa9\n",
        [("é", "1", 1, 2)],
        [(2, 3, "encoding", "\\xc3,\\xa9")],
        [],
    ),
    "a BOM before a line is none of its characters": (
        b"\xef\xbb\xbf1,2\n\xef\xbb\xbf,3\n",
        [("1", "2", 1, 2), (None, "3", 2, 3)],
        [],
        [],
    ),
    "not a zlib stream": (b"x^,1\n", [("x^", "1", 1, 2)], [], []),
    "not a zlib stream, quoted": (b'x\x01,1\n"2",3\n', [("x\x01", "1", 1, 2), ("2", "3", 2, 3)], [], []),
    "a zlib stream of a text that is as long": (
        b"1,2\nx^s\x02\x82\n",
        [("1", "2", 1, 2)],
        [(2, 3, "encoding", "x^s\x02\\x82")],
        [],
    ),
    "other line separators are characters": (
        "\u20281,\x852\n\x0b3,\x0c4\n".encode(),
        [("\u20281", "\x852", 1, 2), ("\x0b3", "\x0c4", 2, 3)],
        [],
        [],
    ),
}


@pytest.mark.parametrize("block_bytes", [1 << 20, 1, 7])
@pytest.mark.parametrize("case", TWO_COLUMNS.values(), ids=TWO_COLUMNS.keys())
def test_two_columns(
    path: Path,
    case: tuple[bytes, list[tuple[str | int | None, ...]], list[tuple[int, int, str, str]], list[int]],
    block_bytes: int,
) -> None:
    body, cells, rejected, blank_lines = case
    found = read(path, b"a,b\n" + body, block_bytes=block_bytes)
    assert found == Read(cells, rejected, [("header", 1), *(("blank", line) for line in blank_lines)])


@pytest.mark.parametrize(
    ("body", "cells", "rejected", "blank_lines"),
    [
        pytest.param(b"1\n\n2\n", [("1", 1, 2), ("2", 2, 4)], [], [3], id="an empty line is blank"),
        pytest.param(b" \n1\n", [(" ", 1, 2), ("1", 2, 3)], [], [], id="white space is a cell"),
        pytest.param(b'""\n"1"\n', [("1", 1, 3)], [], [2], id="quotes around nothing are blank"),
        pytest.param(b"1,2\n3\n", [("3", 2, 3)], [(1, 2, UNREADABLE, "1,2")], [], id="divided"),
        pytest.param(b'"1\n', [], [(1, 2, UNREADABLE, '"1')], [], id="open"),
    ],
)
def test_one_column(
    path: Path,
    body: bytes,
    cells: list[tuple[str | int | None, ...]],
    rejected: list[tuple[int, int, str, str]],
    blank_lines: list[int],
) -> None:
    found = read(path, b"a\n" + body)
    assert found == Read(cells, rejected, [("header", 1), *(("blank", line) for line in blank_lines)])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "]", "\\", "-"])
def test_every_delimiter_divides_cells_alike(path: Path, delimiter: str) -> None:
    body = b'a~b\n1~2\n"x~y"~5" z\n~3\n"p\nq"~"r"\n1~2~3\n'.replace(b"~", delimiter.encode())
    found = read(path, body, Reading(delimiter=delimiter))
    assert found.cells == [
        ("1", "2", 1, 2),
        (f"x{delimiter}y", '5" z', 2, 3),
        (None, "3", 3, 4),
        ("p\nq", "r", 4, 5),
    ]
    assert found.rejected == [(5, 7, UNREADABLE, "1~2~3".replace("~", delimiter))]


def test_a_line_of_tabs_alone_is_blank(path: Path) -> None:
    found = read(path, b"a\tb\n\t\n1\t2\n\t\t\t\n \t \n", Reading(delimiter="\t"))
    assert found == Read(
        [("1", "2", 1, 3), (" ", " ", 2, 5)], [], [("header", 1), ("blank", 2), ("blank", 4)]
    )


@pytest.mark.parametrize(
    ("content", "columns", "header_line", "skipped"),
    [
        (b"a,b\n1,2\n", ("a", "b"), 1, [("header", 1)]),
        (b"\xef\xbb\xbfa,b\n", ("a", "b"), 1, [("header", 1)]),
        (b'\xef\xbb\xbf"a","b"\n', ("a", "b"), 1, [("header", 1)]),
        (b" a ,,a,\xc3\xa9\r\n", (" a ", "", "a", "é"), 1, [("header", 1)]),
        (b"\r\n  \r\na,b\r\n", ("a", "b"), 3, [("blank", 1), ("blank", 2), ("header", 3)]),
        (b'"a\r\nb",c\r\n1,2\r\n', ("a\nb", "c"), 1, [("header", 1), ("header", 2)]),
        (b"a", ("a",), 1, [("header", 1)]),
    ],
)
def test_header(
    path: Path, content: bytes, columns: tuple[str, ...], header_line: int, skipped: list[tuple[str, int]]
) -> None:
    path.write_bytes(content)
    source = open_delimited(str(path))
    assert (source.columns, source.reading.header_line) == (columns, header_line)
    reader = source.read()
    assert [(entry.kind, entry.line) for batch in reader for entry in batch.skipped] == skipped
    assert reader.lines == len(content.splitlines())


def test_an_opened_source_in_full(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfa;b\r\n1;2\r\n3;4\r\n")
    assert open_delimited(str(path)) == DelimitedSource(
        path=str(path),
        reading=Reading(encoding="utf-8-sig", delimiter=";", quote='"', escape="double", header_line=1),
        columns=("a", "b"),
        encoding=TextEncoding("utf-8-sig", 3),
        dialect=Dialect(";"),
        skipped=(Skipped("header", 1),),
        body_offset=5,
    )


def test_the_tables_have_the_same_types_whatever_is_in_them(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b'a,b\n1,2\n"3",4\n5\n')
    batches = list(open_delimited(str(path), COMMAS).read(block_bytes=1))
    assert len(batches) == 3
    for batch in batches:
        assert batch.cells.schema == pl.Schema(
            {"0": pl.String(), "1": pl.String(), "_row": pl.UInt32(), "_line": pl.UInt32()}
        )
        assert batch.rejected.schema == pl.Schema(
            {"_row": pl.UInt32(), "_line": pl.UInt32(), "reason": pl.String(), "raw": pl.String()}
        )


def test_a_reader_knows_rows_lines_and_digest_at_the_end(path: Path) -> None:
    content = b'a,b\n1,2\n\n"3\n4",5\n6\n'
    path.write_bytes(content)
    reader = open_delimited(str(path)).read()
    assert (reader.rows, reader.sha256) == (0, "")
    assert len(list(reader)) == 1
    assert (reader.rows, reader.lines) == (3, 6)
    assert reader.sha256 == hashlib.sha256(content).hexdigest()


def test_a_file_with_a_header_only_gives_one_empty_batch(path: Path) -> None:
    path.write_bytes(b"a,b\n")
    reader = open_delimited(str(path)).read()
    (batch,) = reader
    assert (batch.cells.height, batch.rejected.height) == (0, 0)
    assert batch.cells.columns == ["0", "1", "_row", "_line"]
    assert batch.skipped == (Skipped("header", 1),)
    assert reader.rows == 0


def test_a_reader_may_be_left_early(path: Path) -> None:
    path.write_bytes(b"a,b\n" + b"1,2\n" * 1000)
    batches = iter(open_delimited(str(path)).read(block_bytes=100))
    assert next(batches).cells.height > 0
    del batches


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "empty_source", "empty"),
        (b"\xef\xbb\xbf", "empty_source", "empty"),
        (b"\r\n \r\n", "empty_source", "empty"),
        (b'"a,b\n1,2\n', "broken_header", "line 1 "),
        (b'\n"a"b,c\n1,2\n', "broken_header", "line 2 "),
        (b"a\0,b\n1,2\n", "broken_header", "line 1 "),
        (b"\xe9,b\n" + "é,é\n".encode() * 9, "broken_header", "line 1 "),
    ],
)
def test_what_is_no_table_is_refused(path: Path, content: bytes, code: str, words: str) -> None:
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        open_delimited(str(path))
    assert caught.value.code == code
    assert caught.value.message.startswith(f"{path}: ")
    assert words in caught.value.message
    assert caught.value.hint
    assert caught.value.source == str(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for name, code in [("none.csv", "no_such_file"), ("", "not_a_file")]:
        with pytest.raises(SourceError) as caught:
            open_delimited(str(tmp_path / name))
        assert caught.value.code == code
        assert str(tmp_path / name) in caught.value.message


def test_a_file_that_may_not_be_read(path: Path) -> None:
    path.write_bytes(b"a,b\n")
    path.chmod(0)
    with as_nobody(), pytest.raises(SourceError) as caught:
        open_delimited(str(path))
    assert caught.value.code in {"unreadable_source", "no_such_file"}
    assert "denied" in caught.value.message


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's right to read everything, if this is root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_that_goes_away_before_it_is_read(path: Path) -> None:
    path.write_bytes(b"a,b\n1,2\n")
    reader = open_delimited(str(path)).read()
    path.unlink()
    with pytest.raises(SourceError) as caught:
        list(reader)
    assert caught.value.code == "no_such_file"


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "\r", "\0", "é"])
def test_a_delimiter_that_divides_nothing(path: Path, delimiter: str) -> None:
    with pytest.raises(SettingsError, match="delimiter"):
        open_delimited(str(path), Reading(delimiter=delimiter))


def test_a_quote_left_open_for_more_than_the_limit_takes_one_line_only(path: Path) -> None:
    rows = walk.MAX_RECORD_BYTES // 20
    path.write_bytes(b'a,b\n1,"open\n' + b"somebody@mail,Paris\n" * (rows + 10) + b'2,"closed"\n')
    batches = list(open_delimited(str(path), COMMAS).read(block_bytes=1 << 22))
    assert sum(batch.cells.height for batch in batches) == rows + 11
    assert [row for batch in batches for row in batch.rejected.rows()] == [(1, 2, UNREADABLE, '1,"open')]


def test_what_is_open_beyond_the_limit_is_not_held_in_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "MAX_RECORD_BYTES", 100)
    monkeypatch.setattr(delimited, "_MAX_LINE_BYTES", 1000)
    found = read(path, b'a,b\n1,"open\n' + b"2,3\n" * 2000, block_bytes=50)
    assert len(found.cells) == 2000
    assert found.rejected == [(1, 2, UNREADABLE, '1,"open')]


@pytest.mark.parametrize("block_bytes", [1 << 20, 7])
def test_a_quote_that_was_never_closed_takes_no_row_along_without_a_word(
    path: Path, block_bytes: int
) -> None:
    body = (
        b'a@example.com,Ana,"Acme\nb@example.com,Bo,monitor 24"\n'
        b'c@example.com,Cy,"see\nd@example.com, Di, Sales"\ne@example.com,Eve,Acme\n'
    )
    found = read(path, b"email,name,note\n" + body, lookup_position=0, block_bytes=block_bytes)
    assert found == Read(
        [
            ("c@example.com", "Cy", "see\nd@example.com, Di, Sales", 2, 4),
            ("e@example.com", "Eve", "Acme", 3, 6),
        ],
        [(1, 2, UNREADABLE, 'a@example.com,Ana,"Acme\nb@example.com,Bo,monitor 24"')],
        [("header", 1)],
    )


@pytest.mark.parametrize("block_bytes", [1 << 20, 7])
@pytest.mark.parametrize(
    "rows",
    [
        b'"Acme,a@example.com,x\nBolt 24",b@example.com,"see\nnotes"\n',
        b'"Acme\nInc",a@example.com,"x\nBolt,b@example.com,monitor 24"\n',
    ],
)
def test_nor_does_it_where_one_of_the_rows_has_several_lines(
    path: Path, rows: bytes, block_bytes: int
) -> None:
    note = b'Acme,c@example.com,"see\nd@example.com, Di,Sales\nand others"\n'
    found = read(path, b"company,email,note\n" + rows + note, lookup_position=1, block_bytes=block_bytes)
    assert found == Read(
        [("Acme", "c@example.com", "see\nd@example.com, Di,Sales\nand others", 2, 5)],
        [(1, 2, UNREADABLE, rows.decode().removesuffix("\n"))],
        [("header", 1)],
    )


@pytest.mark.parametrize("block_bytes", [1 << 20, 7])
def test_nor_does_it_with_two_columns(path: Path, block_bytes: int) -> None:
    body = (
        b'a@example.com,"Acme\nb@example.com,monitor 24"\n'
        b'c@example.com,"see\nd@example.com, Di\ne@example.com, Eve"\n'
        b'f@example.com,"Fox\ng@example.com,Gnu\nh@example.com,monitor 24"\n'
    )
    found = read(path, b"email,company\n" + body, lookup_position=0, block_bytes=block_bytes)
    assert found == Read(
        [
            ("c@example.com", "see\nd@example.com, Di\ne@example.com, Eve", 2, 4),
            ("g@example.com", "Gnu", 4, 8),
            ("h@example.com", 'monitor 24"', 5, 9),
        ],
        [
            (1, 2, UNREADABLE, 'a@example.com,"Acme\nb@example.com,monitor 24"'),
            (3, 7, UNREADABLE, 'f@example.com,"Fox'),
        ],
        [("header", 1)],
    )


@pytest.mark.parametrize("block_bytes", [1 << 20, 7])
@pytest.mark.parametrize(
    ("lookup_position", "record", "cells"),
    [
        (1, b'"Ana\nMaria",ana@example.com,x', ("Ana\nMaria", "ana@example.com", "x")),
        (0, b'"\nana@example.com",Ana,x', ("\nana@example.com", "Ana", "x")),
        (2, b'1,"Str. 5\nUlm,DE",ana@example.com', ("1", "Str. 5\nUlm,DE", "ana@example.com")),
        (0, b'a@example.com,Ana,"see\nb@example.com,Bo"', ("a@example.com", "Ana", "see\nb@example.com,Bo")),
    ],
)
def test_an_ordinary_cell_of_two_lines_is_one(
    path: Path, lookup_position: int, record: bytes, cells: tuple[str, ...], block_bytes: int
) -> None:
    body = b"one,two,three\n" + record + b"\n"
    found = read(path, body, lookup_position=lookup_position, block_bytes=block_bytes)
    assert found == Read([(*cells, 1, 2)], [], [("header", 1)])


def test_a_quoted_cell_just_below_the_limit_is_one_record(path: Path) -> None:
    text = (b"x" * 99 + b"\n") * (walk.MAX_RECORD_BYTES // 100 - 1)
    path.write_bytes(b'a,b\n1,"' + text + b'"\n2,3\n')
    batches = list(open_delimited(str(path), COMMAS).read(block_bytes=1 << 22))
    cells = pl.concat([batch.cells for batch in batches])
    assert cells["_line"].to_list() == [2, 2 + len(text) // 100 + 1]
    assert cells["1"].to_list() == [text.decode(), "3"]


def test_many_columns_with_quotes(path: Path) -> None:
    columns = blocks._MAX_PATTERN_COLUMNS + 5
    quoted = b'"x",' * (columns - 1) + b'"y\nz"\n'
    path.write_bytes(
        b"h," * (columns - 1) + b"h\n" + quoted + b"," * columns + b"1\n" + b"," * (columns - 1) + b"1\n"
    )
    (batch,) = open_delimited(str(path), COMMAS).read()
    assert batch.cells.select("0", str(columns - 1), "_row", "_line").rows() == [
        ("x", "y\nz", 1, 2),
        (None, "1", 3, 5),
    ]
    assert batch.rejected["_row"].to_list() == [2]


def test_a_line_without_end_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "_MAX_LINE_BYTES", 1000)
    path.write_bytes(b"a,b\n1,2\n" + b"x" * 5000)
    with pytest.raises(SourceError) as caught:
        list(open_delimited(str(path), COMMAS).read(block_bytes=100))
    assert caught.value.code == "endless_line"
    assert "line 3 " in caught.value.message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("block_bytes", [1 << 20, 20])
def test_files_put_together_that_begin_with_a_mark_of_their_encoding(
    path: Path, encoding: str, block_bytes: int
) -> None:
    parts = ['"a","b"\r\n1,2\r\n', '"a","b"\r\n3,4\r\n', '"5, or ""6""",7\r\n', "8,\ufeff9\r\n\n", ""]
    content = "".join(f"\ufeff{part}" for part in parts).encode(encoding)
    found = read(path, content, Reading(), block_bytes=block_bytes)
    assert found == Read(
        [("1", "2", 1, 2), ("3", "4", 2, 4), ('5, or "6"', "7", 3, 5), ("8", "\ufeff9", 4, 6)],
        [],
        [("header", 1), ("repeated_header", 3), ("blank", 7), ("blank", 8)],
    )


@pytest.mark.parametrize(
    ("lines", "quote", "cells", "rejected"),
    [
        ('"two\n\ufefflines",2\n', '"', [("two\n\ufefflines", "2", 1, 2)], []),
        ('1,2\n\ufeff5",6\n', '"', [("1", "2", 1, 2), ('5"', "6", 2, 3)], []),
        ('1,2\n\ufeff"3",4\n', "", [("1", "2", 1, 2), ('"3"', "4", 2, 3)], []),
        ("1,2\n\ufeff3\n4,5\n", "", [("1", "2", 1, 2), ("4", "5", 3, 4)], [(2, 3, "unreadable_row", "3")]),
    ],
)
def test_a_mark_is_one_before_a_record_only(
    path: Path, lines: str, quote: str, cells: list[object], rejected: list[object]
) -> None:
    reading = Reading("utf-8", ",", quote, header_line=1)
    found = read(path, f"a,b\n{lines}".encode(), reading)
    assert (found.cells, found.rejected) == (cells, rejected)


@pytest.mark.parametrize(
    ("line", "extra"),
    [
        (b"\n", b""),
        (b"\n", b'"x\ny",z\n'),
        (b"\n", b"\xe9,z\n"),
        (b"#\n", b""),
        (b"a,b\n", b""),
        (b"a,b\n", b'"x\ny",z\n'),
    ],
)
@pytest.mark.parametrize("block_bytes", [1 << 20, 5_000])
def test_more_lines_without_a_row_than_are_listed_are_refused(
    path: Path, line: bytes, extra: bytes, block_bytes: int
) -> None:
    few = b"a,b\n1,2\n" + extra + line * (MOST_SKIPPED - 1) + b"3,4\n"
    assert len(read(path, few, lookup_position=0, block_bytes=block_bytes).skipped) == MOST_SKIPPED
    with pytest.raises(SourceError) as caught:
        read(path, few + line + b"5,6\n", lookup_position=0, block_bytes=block_bytes)
    assert caught.value.code == "too_many_skipped"
    assert caught.value.message == (
        f"{path}: more than 100000 lines hold no row: they are blank, comments, or the header again"
    )


@pytest.mark.parametrize("text", [b"\n" * 150_000, b'"x\ny",z\n' + b"#\n" * 150_000, b"a,b\n" * 150_000])
def test_a_block_is_looked_at_no_further_than_to_the_first_line_too_many(text: bytes) -> None:
    layout = Layout(Dialect(","), 2, ("a", "b"), 0)
    assert len(blocks.read_block(text, layout, Place(0, 1), final=True).batch.skipped) == MOST_SKIPPED + 1


def test_a_header_without_end_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "_HEAD_BYTES", 1000)
    path.write_bytes(b"x" * 5000)
    with pytest.raises(SourceError) as caught:
        open_delimited(str(path))
    assert caught.value.code == "broken_header"


@pytest.mark.parametrize("lie", ["fewer", "raise"])
def test_should_polars_ever_disagree_the_exact_splitter_reads(
    path: Path, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    honest = pl.read_csv

    def lying(*args: object, **options: object) -> pl.DataFrame:
        if lie == "raise":
            raise pl.exceptions.ComputeError("invented")
        frame: pl.DataFrame = honest(*args, **options)  # type: ignore[arg-type]  # passed on as it came
        return frame.head(1)

    monkeypatch.setattr(pl, "read_csv", lying)
    found = read(path, b'a,b\n"x\ny",1\n5" p,""\n7\n')
    assert found.cells == [("x\ny", "1", 1, 2), ('5" p', None, 2, 4)]
    assert found.rejected == [(3, 5, UNREADABLE, "7")]


def test_errors_hold_no_cell_values(path: Path) -> None:
    contents = [b'"secret,b\n1,2\n', b"secret\0,bb\n1,2\n", b"secret@example.com,1\n"]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(PrepError) as caught:
            list(open_delimited(str(path)).read())
        assert "secret" not in caught.value.message + caught.value.hint
