import csv
import io
import re
from pathlib import Path

import polars as pl
import pytest

from prep import multipart
from prep.chunks import Piece, largest_line_bytes, line_bytes, split
from prep.limits import MAX_BODY_BYTES
from prep.model import Format

Row = tuple[str | None, ...]


def frame(rows: list[Row], *names: str) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def cut(
    rows: list[Row], *names: str, file_format: Format = Format.CSV, max_bytes: int = 10_000
) -> list[Piece]:
    return list(split([frame(rows, *names)], names, file_format, max_bytes=max_bytes))


ODD: list[Row] = [
    ("a@example.com", "plain", None),
    ("b@example.com", "comma, semicolon; tab\t", None),
    ("c@example.com", 'quote " and "', '"'),
    ("d@example.com", "line\nbreak", "carriage\rreturn"),
    ("e@example.com", "'=1+1", "ünï 日本 😀"),
]


@pytest.mark.parametrize(
    ("file_format", "name", "content"),
    [
        (
            Format.CSV,
            "leads-0001.csv",
            "email,firstName,title\n"
            "a@example.com,plain,\n"
            'b@example.com,"comma, semicolon; tab\t",\n'
            'c@example.com,"quote "" and """,""""\n'
            'd@example.com,"line\nbreak","carriage\rreturn"\n'
            "e@example.com,'=1+1,ünï 日本 😀\n",
        ),
        (
            Format.TSV,
            "leads-0001.tsv",
            "email\tfirstName\ttitle\n"
            "a@example.com\tplain\t\n"
            'b@example.com\t"comma, semicolon; tab\t"\t\n'
            'c@example.com\t"quote "" and """\t""""\n'
            'd@example.com\t"line\nbreak"\t"carriage\rreturn"\n'
            "e@example.com\t'=1+1\tünï 日本 😀\n",
        ),
        (
            Format.SSV,
            "leads-0001.ssv",
            "email;firstName;title\n"
            "a@example.com;plain;\n"
            'b@example.com;"comma, semicolon; tab\t";\n'
            'c@example.com;"quote "" and """;""""\n'
            'd@example.com;"line\nbreak";"carriage\rreturn"\n'
            "e@example.com;'=1+1;ünï 日本 😀\n",
        ),
    ],
)
def test_exact_bytes(file_format: Format, name: str, content: str) -> None:
    (piece,) = cut(ODD, "email", "firstName", "title", file_format=file_format)
    assert piece == Piece(name, content.encode(), 5)
    lines = list(csv.reader(io.StringIO(content, newline=""), delimiter=file_format.delimiter, strict=True))
    assert [tuple(cell or None for cell in line) for line in lines[1:]] == ODD


@pytest.mark.parametrize(("delimiter", "other"), [(",", ";"), (";", ","), ("\t", ",")])
def test_quotes_only_where_needed(delimiter: str, other: str) -> None:
    file_format = next(kind for kind in Format if kind.delimiter == delimiter)
    (piece,) = cut([(f"x{other}y",), (f"x{delimiter}y",)], "a", file_format=file_format)
    assert piece.content.decode() == f'a\nx{other}y\n"x{delimiter}y"\n'


def test_no_rows_make_no_file() -> None:
    assert cut([], "email") == []
    assert list(split([], ["email"], Format.CSV, max_bytes=10_000)) == []
    assert line_bytes(frame([], "email"), ["email"], Format.CSV).to_list() == []


def test_an_odd_field_name_is_quoted_in_the_header() -> None:
    (piece,) = cut([("1",)], 'a,"b')
    assert piece.content == b'"a,""b"\n1\n'


def body_bytes(piece: Piece) -> int:
    return len(multipart.encode(piece.name, piece.content)[0])


@pytest.mark.parametrize("file_format", Format)
@pytest.mark.parametrize(("spare", "rows"), [(-1, [2, 1]), (0, [2, 1]), (1, [3]), (2, [3])])
def test_cut_to_the_byte(file_format: Format, spare: int, rows: list[int]) -> None:
    """The body of all three rows is one byte below the limit exactly when one byte is to spare."""
    three: list[Row] = [("é" * 200, "x" * 99), ("a", None), ("b,;\t", "c")]
    whole = cut(three, "email", "title", file_format=file_format)
    limit = body_bytes(whole[0]) + spare
    pieces = cut(three, "email", "title", file_format=file_format, max_bytes=limit)
    assert [piece.rows for piece in pieces] == rows
    assert all(body_bytes(piece) < limit for piece in pieces)


@pytest.mark.parametrize("batches", [[7], [1, 6], [3, 4], [1] * 7, [0, 7, 0]])
def test_batches_do_not_matter(batches: list[int]) -> None:
    rows = frame([(str(number) * 30,) for number in range(7)], "email")
    limit = 3 * 31 + 20 - largest_line_bytes(["email"], Format.CSV, 0)
    parts = []
    for height in batches:
        parts.append(rows.head(height))
        rows = rows.slice(height)
    pieces = list(split(parts, ["email"], Format.CSV, max_bytes=limit))
    assert [(piece.name, piece.rows) for piece in pieces] == [
        ("leads-0001.csv", 3),
        ("leads-0002.csv", 3),
        ("leads-0003.csv", 1),
    ]
    assert pieces[2].content == b"email\n" + b"6" * 30 + b"\n"


@pytest.mark.parametrize("file_format", Format)
def test_the_largest_row_fits_and_one_byte_more_is_an_error(file_format: Format) -> None:
    longest = largest_line_bytes(["email"], file_format, 1000)
    (piece,) = cut([("x" * (longest - 1),)], "email", file_format=file_format, max_bytes=1000)
    assert body_bytes(piece) == 999 - len("99")  # the name of the 999,999th file is so much longer
    with pytest.raises(ValueError, match="larger than an upload may be"):
        cut([("x" * (longest + 2),)], "email", file_format=file_format, max_bytes=1000)


def test_more_than_9999_files_still_have_room_for_the_largest_row() -> None:
    """A longer file name makes a longer body; files sort by number all the same."""
    longest = largest_line_bytes(["email"], Format.CSV, 1000)
    rows = frame([("x" * (longest - 1),)], "email")
    batch = pl.concat([rows] * 10_001, rechunk=True)
    names = []
    for piece in split([batch], ["email"], Format.CSV, max_bytes=1000):
        names.append(piece.name)
        if len(names) > 9_998:
            assert body_bytes(piece) < 1000
    assert names[0] == "leads-0001.csv"
    assert names[9_998:] == ["leads-9999.csv", "leads-10000.csv", "leads-10001.csv"]


def test_one_full_chunk_at_the_default_limit() -> None:
    rows = frame(
        [(f"person{number:07d}@example.com", "é" * 40) for number in range(120_000)], "email", "title"
    )
    first, second = split(
        [rows.head(70_000), rows.slice(70_000)], rows.columns, Format.CSV, max_bytes=MAX_BODY_BYTES
    )
    next_line = line_bytes(rows.slice(first.rows, 1), rows.columns, Format.CSV).item()
    assert MAX_BODY_BYTES - next_line <= body_bytes(first) < MAX_BODY_BYTES
    assert first.rows + second.rows == rows.height
    again = pl.read_csv(io.BytesIO(first.content + second.content.partition(b"\n")[2]), infer_schema=False)
    assert again.equals(rows)


def test_lines_that_are_not_those_of_the_rows_are_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prep.chunks.render", lambda *_: b"a\n" * 3_000)
    with pytest.raises(TypeError, match="4 rows were written as 3000"):
        cut([("a",)] * 4, "email")


def test_a_boundary_never_occurs_in_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    boundaries = iter(["a" * 32, "b" * 32, "c" * 32])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(boundaries))
    content = f"email\n{'a' * 32}\n{'b' * 40}\n".encode()
    body, content_type = multipart.encode("leads-0001.csv", content)
    assert content_type == f"multipart/form-data; boundary={'c' * 32}"
    assert body.count(b"c" * 32) == 2
    assert content in body


def test_framing_is_known_beforehand(tmp_path: Path) -> None:
    for name in ("leads-0001.csv", "leads-12345.tsv"):
        content = tmp_path.as_posix().encode()
        bodies = [multipart.encode(name, content)[0] for _ in range(3)]
        assert {len(body) for body in bodies} == {multipart.framing_bytes(name) + len(content)}
        assert re.search(rb'name="file"; filename="%b"' % name.encode(), bodies[0])
