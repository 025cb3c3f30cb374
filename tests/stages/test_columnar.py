"""Tables with typed cells: every cell as a person would have typed it, or a refusal that names the column."""

import datetime as dt
import io
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from prep.errors import SourceError
from prep.model import Reading
from prep.pipeline import clean, prepare, read
from prep.sources import Source, open_source
from prep.sources.columnar import as_text, open_frame, plain_number, spool
from prep.sources.files import digest
from prep.sources.footer import read_footer
from prep.sources.open import open_stored
from prep.sources.typed import NUMBERS

WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "parquet": lambda frame, path: frame.write_parquet(path, row_group_size=100),
    "arrow": lambda frame, path: frame.write_ipc(path, compression="zstd", record_batch_size=100),
    "arrows": lambda frame, path: frame.write_ipc_stream(path, compression="lz4"),
}

MOMENT = dt.datetime(2024, 7, 1, 9, 30)  # noqa: DTZ001, a column without zone
TYPED: dict[str, tuple[pl.Series, list[str | None]]] = {
    "text": (pl.Series(["Ana", "", None, " x ", "NULL"]), ["Ana", None, None, " x ", "NULL"]),
    "whole": (pl.Series([1, -2, 0, None, 2**63 - 1]), ["1", "-2", "0", None, "9223372036854775807"]),
    "unsigned": (pl.Series([2**64 - 1], dtype=pl.UInt64), ["18446744073709551615"]),
    "float": (
        pl.Series([1.0, -0.0, 0.1, 1e20, 1.5e-7, 1e15, 123456789.125, None]),
        ["1", "0", "0.1", "1" + "0" * 20, "0.00000015", "1" + "0" * 15, "123456789.125", None],
    ),
    "float32": (pl.Series([0.1, 1e10, 5], dtype=pl.Float32), ["0.1", "10000000000", "5"]),
    "no number": (pl.Series([float("nan"), float("inf")]), [None, "inf"]),
    "decimal": (pl.Series([Decimal("12.50"), None]), ["12.50", None]),
    "boolean": (pl.Series([True, False, None]), ["true", "false", None]),
    "date": (pl.Series([dt.date(2024, 1, 2), None]), ["2024-01-02", None]),
    "time": (pl.Series([dt.time(9, 30), dt.time(9, 30, 1, 500)]), ["09:30:00", "09:30:01.000500"]),
    "moment": (pl.Series([MOMENT]), ["2024-07-01T09:30:00"]),
    "fraction": (pl.Series([MOMENT.replace(microsecond=1000)]), ["2024-07-01T09:30:00.001"]),
    "zone": (pl.Series([MOMENT]).dt.replace_time_zone("Europe/Madrid"), ["2024-07-01T09:30:00+02:00"]),
    "utc": (pl.Series([MOMENT]).dt.replace_time_zone("UTC"), ["2024-07-01T09:30:00+00:00"]),
    "far dates": (
        pl.Series([2**31 - 1, -(2**31), 100_000_000, 0, None], dtype=pl.Int32).cast(pl.Date),
        ["infinity", "-infinity", "infinity", "1970-01-01", None],
    ),
    "far moments": (
        pl.Series([2**63 - 1, -(2**63), 0, None], dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
        ["infinity", "-infinity", "1970-01-01T00:00:00+00:00", None],
    ),
    "category": (pl.Series(["a", None], dtype=pl.Categorical), ["a", None]),
    "enum": (pl.Series(["a", ""], dtype=pl.Enum(["a", ""])), ["a", None]),
    "nothing": (pl.Series([None, None]), [None, None]),
}


def cells(source: Source) -> pl.DataFrame:
    """What the cells are; which of them are numbers by type, tests/stages/test_conventions.py tells."""
    return pl.concat(batch.cells.drop(NUMBERS) for batch in source.read())


def typed(*, categories: bool) -> pl.DataFrame:
    columns = [
        column.extend_constant(None, 8 - len(column)).alias(name)
        for name, (column, _) in TYPED.items()
        if categories or column.dtype not in {pl.Categorical, pl.Enum}
    ]
    return pl.DataFrame(columns)


@pytest.mark.parametrize("kind", ["frame", "lazy", *WRITERS])
def test_cells_are_as_a_person_would_type_them(tmp_path: Path, kind: str) -> None:
    frame = typed(categories=kind != "arrows")
    if kind in WRITERS:
        WRITERS[kind](frame, tmp_path / "x")
        source: Source = open_source(tmp_path / "x")
    else:
        source = open_frame(frame if kind == "frame" else frame.lazy(), "frame")
    assert source.columns == tuple(frame.columns)
    read = cells(source)
    for place, name in enumerate(frame.columns):
        expected: list[str | None] = [*TYPED[name][1]]
        assert (name, read[str(place)].to_list()) == (name, expected + [None] * (8 - len(expected)))


@pytest.mark.parametrize("kind", WRITERS)
def test_rows_lines_and_digest(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "leads.csv"
    WRITERS[kind](pl.DataFrame({"Email": [f"u{row}@example.com" for row in range(1234)]}), path)
    reader = (source := open_source(path)).read()
    assert reader.sha256 == ""
    frame = pl.concat(batch.cells for batch in reader)
    assert frame["0"].to_list() == [f"u{row}@example.com" for row in range(1234)]
    assert frame["_row"].to_list() == [*range(1, 1235)]
    assert frame["_line"].null_count() == reader.rows == 1234
    assert frame.schema == {"0": pl.String, NUMBERS: pl.String, "_row": pl.UInt32, "_line": pl.UInt32}
    assert (source.path, reader.sha256) == (str(path), digest(str(path)))


def test_batches_are_bounded(tmp_path: Path) -> None:
    wide = pl.DataFrame({f"c{place}": [str(place)] * 3000 for place in range(2000)})
    heights = [batch.cells.height for batch in open_frame(wide, "frame").read()]
    assert (sum(heights), max(heights)) == (3000, 2000)
    wide.write_parquet(tmp_path / "wide")
    assert [batch.cells.height for batch in open_source(tmp_path / "wide").read()] == heights


@pytest.mark.parametrize(
    ("column", "code"),
    [
        (pl.Series([[1, 2]]), "nested_column"),
        (pl.Series([{"a": 1}]), "nested_column"),
        (pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)), "nested_column"),
        (pl.Series([b"a"]), "unsupported_column"),
        (pl.Series([dt.timedelta(days=1)]), "unsupported_column"),
        (pl.Series([object()], dtype=pl.Object), "unsupported_column"),
    ],
)
def test_columns_that_are_no_cells_are_refused(tmp_path: Path, column: pl.Series, code: str) -> None:
    frame = pl.DataFrame({"Email": ["a@example.com"], "odd": column})
    with pytest.raises(SourceError) as caught:
        open_frame(frame, "frame")
    assert (caught.value.code, caught.value.column) == (code, "odd")
    if column.dtype != pl.Object:
        frame.write_parquet(tmp_path / "x")
        with pytest.raises(SourceError) as caught:
            open_source(tmp_path / "x")
        assert (caught.value.code, caught.value.column) == (code, "odd")
        assert caught.value.message.startswith(f"{tmp_path / 'x'}: column 'odd'")


def test_a_table_without_rows_and_one_without_columns(tmp_path: Path) -> None:
    assert cells_of_no_rows(open_frame(pl.DataFrame({"Email": []}), "frame")) == 0
    pl.DataFrame({"Email": []}, schema={"Email": pl.String}).write_parquet(tmp_path / "x")
    assert cells_of_no_rows(open_source(tmp_path / "x")) == 0
    assert read(tmp_path / "x").schema.names() == ["Email", "_source", "_row", "_line"]
    with pytest.raises(SourceError, match="no columns"):
        open_frame(pl.DataFrame(), "frame")


def cells_of_no_rows(source: Source) -> int:
    reader = source.read()
    assert sum(batch.cells.height for batch in reader) == 0
    return reader.rows


@pytest.mark.parametrize("kind", WRITERS)
def test_damaged_tables_are_refused_and_end_nothing_but_themselves(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    frame = pl.DataFrame({"Email": [f"u{row}@example.com" for row in range(500)], "n": [*range(500)]})
    WRITERS[kind](frame, path)
    whole = path.read_bytes()
    half = len(whole) // 2
    for content in (whole[:half], whole[:-4], whole[:8] + bytes(half) + whole[8 + half :]):
        path.write_bytes(content)
        with pytest.raises(SourceError) as caught:
            list(open_source(path).read())
        assert caught.value.code in {"damaged_table", "archive_bomb"}
        assert caught.value.source == str(path)


def test_a_stream_that_ends_elsewhere_than_its_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    pl.DataFrame({"Email": ["a@example.com"]}).write_ipc_stream(path)
    whole = path.read_bytes()
    for content in (whole + whole, whole[:-8], whole + b"\n"):
        path.write_bytes(content)
        with pytest.raises(SourceError, match="does not end where its file does") as caught:
            open_source(path)
        assert caught.value.code == "damaged_table"


@pytest.mark.parametrize("name", ["[a]*?", "~", "-x{a,b}%20é\nx"])
@pytest.mark.parametrize("kind", WRITERS)
def test_names_are_names_not_patterns(
    tmp_path: Path, kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    WRITERS[kind](pl.DataFrame({"Email": ["a@example.com"]}), tmp_path / "x")
    (tmp_path / "x").rename(tmp_path / name)
    assert cells(open_source(name)).height == 1


def test_a_table_that_stands_for_far_more_than_its_size(tmp_path: Path) -> None:
    pl.select(pl.repeat(True, 70_000_000).alias("Opt-in")).write_parquet(tmp_path / "rows")
    pl.DataFrame({"Email": ["a" * 70_000_000]}).write_parquet(tmp_path / "cell", compression="zstd")
    for name in ("rows", "cell"):
        with pytest.raises(SourceError) as caught:
            open_source(tmp_path / name)
        assert (caught.value.code, name) == ("archive_bomb", name)


def test_the_footer_tells_what_columns_unpack_to() -> None:
    frame = pl.DataFrame({"a": [str(row) for row in range(1000)], "b": ["x" * 500] * 1000, "c": [[1]] * 1000})
    file = io.BytesIO()
    frame.write_parquet(file, row_group_size=500, statistics="full")
    footer = read_footer(file, "x")
    assert len(footer) == 6
    assert all(0 < column.packed_bytes <= len(file.getvalue()) for column in footer)
    assert sum(column.packed_bytes for column in footer) <= len(file.getvalue())


def test_no_footer_stops_the_reader() -> None:
    frame = pl.DataFrame({"a": ["x"]})
    file = io.BytesIO()
    frame.write_parquet(file)
    whole = file.getvalue()
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for place in range(start, len(whole)):
        for value in (0x00, 0x0F, 0x7F, 0x9C, 0xFF):
            content = whole[:place] + bytes([value]) + whole[place + 1 :]
            try:
                read_footer(io.BytesIO(content), "x")
            except SourceError as error:
                assert error.code == "damaged_table"  # noqa: PT017, reading it is right too


@pytest.mark.parametrize(
    ("number", "plain"),
    [
        ("1e5", "100000"),
        ("1E+2", "100"),
        ("-2.50e1", "-25"),
        ("1e-3", "0.001"),
        ("1e999999999", "1e999999999"),
        ("nan", "nan"),
    ],
)
def test_exponents_are_written_out(number: str, plain: str) -> None:
    assert plain_number(number) == plain


def test_a_spooled_source_is_read_back_alike(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"Email": ["a@example.com", None, "ü\r\n\0", "  "], "n": [1.0, 2.125, None, 1e20], "": ["x"] * 4}
    )
    source = replace(open_frame(frame, "frame 1"), columns=("Email", "Email", ""))
    spool(source, tmp_path / "0001")
    again = open_stored(tmp_path / "0001", "frame 1")
    assert (again.path, again.columns, again.reading) == ("frame 1", ("Email", "Email", ""), source.reading)
    read, written = (pl.concat(batch.cells for batch in one.read()) for one in (again, source))
    assert read.equals(written)
    assert read[NUMBERS].to_list() == [None, "1", None, None]
    assert (tmp_path / "0001").stat().st_mode & 0o777 == 0o600
    first = (tmp_path / "0001").read_bytes()
    spool(source, tmp_path / "0001")
    assert (tmp_path / "0001").read_bytes() == first


def test_nothing_is_spooled_of_a_source_that_fails(tmp_path: Path) -> None:
    def pieces() -> Any:
        yield as_text(pl.DataFrame({"Email": ["a@example.com"]}))
        raise SourceError("db: broke off", code="database_broke_off")

    source = replace(open_frame(pl.DataFrame({"Email": ["x"]}), "db"), pieces=pieces)
    with pytest.raises(SourceError, match="broke off"):
        spool(source, tmp_path / "0001")
    assert not [*tmp_path.iterdir()]


def json_source(path: Path, text: str | bytes) -> Source:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_source(path)


def test_json_lines(tmp_path: Path) -> None:
    source = json_source(
        tmp_path / "x",
        '{"Email":"a@example.com","n":1.50,"id":12345678901234567890123,"big":1e5,"ok":true}\n'
        '\r\n{"ok":false,"new":"\\u00fc","n":null,"Email":""}\r\n{"n":-0}',
    )
    assert source.columns == ("Email", "n", "id", "big", "ok", "new")
    (batch,) = source.read()
    assert batch.cells.drop(NUMBERS).rows() == [
        ("a@example.com", "1.50", "12345678901234567890123", "100000", "true", None, 1, 1),
        (None, None, None, None, "false", "ü", 2, 3),
        (None, "-0", None, None, None, None, 3, 4),
    ]
    assert [(line.kind, line.line) for line in batch.skipped] == [("blank", 2)]


def test_a_broken_line_costs_no_other(tmp_path: Path) -> None:
    bad = [
        b'{"a":1,"a":2}',
        b"[1]",
        b'{"a":',
        b'{"a":"\\ud800"}',
        b'{"a":NaN}',
        b'{"a":1} {"a":2}',
        b'{"a":' + b"[" * 100_000,
        b"null",
    ]
    source = json_source(tmp_path / "x", b'{"a":"x"}\n' + b"\n".join(bad) + b'\n{"a":"\xff"}\n{"a":"y"}\n')
    reader = source.read()
    (batch,) = reader
    assert batch.cells.drop(NUMBERS).rows() == [("x", 1, 1), ("y", 11, 11)]
    assert batch.rejected["reason"].to_list() == ["unreadable_row"] * 8 + ["encoding"]
    assert batch.rejected["_line"].to_list() == batch.rejected["_row"].to_list() == [*range(2, 11)]
    assert batch.rejected["raw"].to_list() == [*(line.decode() for line in bad), '{"a":"\\xff"}']
    assert (reader.rows, reader.sha256) == (11, digest(str(tmp_path / "x")))


@pytest.mark.parametrize(("encoding", "name"), [("utf-8", "Ana"), ("latin-1", "Zo\xeb")])
def test_more_blank_lines_between_records_than_are_listed_are_refused(
    tmp_path: Path, encoding: str, name: str
) -> None:
    path = tmp_path / "leads.ndjson"
    record = f'{{"firstName": "{name}"}}\n'
    path.write_text(record + "\n" * 100_000, encoding=encoding)
    (batch,) = open_source(str(path), Reading(encoding=encoding)).read()
    assert (batch.cells.height, len(batch.skipped)) == (1, 100_000)
    path.write_text(record + "\n" * 100_001 + record, encoding=encoding)
    with pytest.raises(SourceError) as caught:
        open_source(str(path), Reading(encoding=encoding))
    assert caught.value.code == "too_many_skipped"


def test_json_with_a_mark_and_in_another_encoding(tmp_path: Path) -> None:
    assert json_source(tmp_path / "x", b'\xef\xbb\xbf{"a":"x"}\n').columns == ("a",)
    assert json_source(tmp_path / "x", b'\xef\xbb\xbf[{"a":"x"}]\n').columns == ("a",)
    with pytest.raises(SourceError) as caught:
        json_source(tmp_path / "x", '{"a":"x"}\n'.encode("utf-16"))
    assert caught.value.code == "not_utf8"


def test_a_json_array(tmp_path: Path) -> None:
    records = [{"Email": f"u{row}@example.com", "text": "ü" * (row % 700)} for row in range(5000)]
    text = json.dumps(records, indent=2, ensure_ascii=False)
    source = json_source(tmp_path / "x", text.replace('"u7@', '"x", "Email": "u7@').encode())
    reader = source.read()
    batches = [*reader]
    frame = pl.concat(batch.cells for batch in batches)
    assert source.columns == ("Email", "text")
    assert frame.height == 4999
    assert frame["_line"].null_count() == 4999
    assert frame["1"].to_list() == [row["text"] or None for row in records[:7] + records[8:]]
    rejected = pl.concat(batch.rejected for batch in batches)
    assert rejected.select("_row", "_line", "reason").rows() == [(8, None, "unreadable_row")]
    assert reader.rows == 5000


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[{"a":1}', "broken_json"),
        ('[{"a":1},]', "broken_json"),
        ('[{"a":1}] x', "broken_json"),
        ('[{"a":1} {"a":2}]', "broken_json"),
        ("[{}]", "not_records"),
        (" [ ]\n", "empty_source"),
        (b'{"a":"Ren\xe9"}\n{"a":"Zo\xeb"}\n', "not_utf8"),
        (b'{"a":"Ren\xe9"}\n{"a"}\n', "not_records"),
        ('[{"a":1}, 5]', "not_records"),
        ('{\n "leads": [\n{"a":1}\n]}', "not_records"),
        ('{"a":{"b":1}}\n', "nested_column"),
        ('{"a":1}\n{"a":[]}\n', "nested_column"),
        ('[{"a":[1]}]', "nested_column"),
    ],
)
def test_json_that_is_no_list_of_records(tmp_path: Path, text: str | bytes, code: str) -> None:
    with pytest.raises(SourceError) as caught:
        json_source(tmp_path / "x", text)
    assert caught.value.code == code
    assert ("jq '.NAME'" in caught.value.hint) == (code in {"nested_column", "not_records"})
    if code == "nested_column":
        assert caught.value.column == "a"


def test_a_date_without_end_costs_its_row_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    people = pl.DataFrame({"email": ["a@example.com", "b@example.com"], "dateOfBirth": [2**31 - 1, 0]})
    people = people.with_columns(pl.col("dateOfBirth").cast(pl.Int32).cast(pl.Date))
    people.write_parquet(tmp_path / "people.parquet")
    for source in (people, tmp_path / "people.parquet"):
        prepared = prepare(source)
        assert prepared.ready.select("email", "dateOfBirth").rows() == [("b@example.com", "1970-01-01")]
        assert prepared.rejected.select("dateOfBirth", "_reasons").rows() == [
            ("infinity", ["dateOfBirth:not_date"])
        ]
    assert capfd.readouterr() == ("", "")


def test_messages_hold_no_values(tmp_path: Path) -> None:
    for text in ('[{"a":"secret"', '[{"a":"secret"}, "secret"]', '{"a":{"b":"secret"}}'):
        with pytest.raises(SourceError) as caught:
            json_source(tmp_path / "x", text)
        assert "secret" not in f"{caught.value.facts}"


LEADS = pl.LazyFrame({"email": ["a@example.com"], "company": ["s3cret"]})
FAILING: dict[str, tuple[Callable[[], pl.LazyFrame], str]] = {
    "no such column": (
        lambda: LEADS.select("email", "nope"),
        'ColumnNotFoundError: unable to find column "nope"',
    ),
    "no number": (lambda: LEADS.with_columns(pl.col("company").cast(pl.Int64)), "InvalidOperationError"),
    "no date": (lambda: LEADS.with_columns(pl.col("company").str.to_date()), "ComputeError"),
    "no file": (lambda: pl.scan_parquet("none.parquet"), "FileNotFoundError"),
    "no zero": (
        lambda: LEADS.with_columns(pl.col("company").map_elements(lambda _: 1 // 0, pl.Int64)),
        "ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("failing", FAILING)
def test_a_frame_that_cannot_be_computed_is_not_called_damaged(tmp_path: Path, failing: str) -> None:
    make, kind = FAILING[failing]
    for attempt in (lambda: prepare(make()), lambda: clean(make(), tmp_path / "leads.prep")):
        with pytest.raises(SourceError) as caught:
            attempt()
        assert caught.value.facts == {
            "code": "frame_failed",
            "message": f"frame 1: the frame cannot be computed ({kind})",
            "hint": "Call its collect() to see what polars says of it, which may hold cells.",
            "source": "frame 1",
            "row": None,
            "column": None,
        }
        assert not [*tmp_path.iterdir()]
