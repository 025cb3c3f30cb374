"""Which kind of source a path is: told by content, never by name; and by which name errors speak of it."""

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from prep.errors import SourceError
from prep.returned import adopt, own_rows
from prep.sources import open_source
from prep.sources.delimited import DelimitedSource
from prep.sources.files import digest
from prep.sources.json_records import JsonSource
from prep.sources.open import MovedSource, open_stored, spool_stream

TABLE = b"Email,Name\na@example.com,Ana\nb@example.com,Bo\n"


def refusal(path: str | Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        open_source(path)
    return caught.value


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("https://user:hush@example.com/leads.csv?token=hush", "curl"),
        ("HTTP://example.com/leads.csv", "curl"),
        ("ftp://example.com/leads.csv", "curl"),
        ("s3://bucket/leads.csv", "Copy"),
        ("gs://bucket/leads.csv", "Copy"),
        ("postgresql://me:hush@example.com/db", "--db"),
        ("file:///leads.csv", "file://"),
    ],
)
def test_nothing_is_fetched(url: str, word: str) -> None:
    error = refusal(url)
    assert (error.code, word in error.hint) == ("remote_source", True)
    assert "hush" not in f"{error.facts}"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"%PDF-1.7 x", "not_text"),
        (b"7z\xbc\xaf\x27\x1c x", "not_text"),
        (b"Rar!\x1a\x07 x", "not_text"),
        (b"SQLite format 3\x00" + bytes(84), "not_text"),
        (b"x" * 257 + b"ustar" + bytes(300), "not_text"),
        (b"\x89PNG\r\n\x1a\n", "not_text"),
        (b"<?xml version='1.0'?><leads/>", "not_text"),
        (b"", "empty_source"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    for name, stored in (("leads.csv", content), ("leads.csv.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(stored)
        error = refusal(tmp_path / name)
        assert (error.code, error.source) == (code, str(tmp_path / name))
        assert error.message.startswith(f"{tmp_path / name}: ")
        assert error.hint


def test_the_content_counts_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "leads.parquet").write_bytes(TABLE)
    assert isinstance(open_source(tmp_path / "leads.parquet"), DelimitedSource)
    (tmp_path / "leads.csv").write_bytes(b'{"Email":"a@example.com"}\n')
    assert isinstance(open_source(tmp_path / "leads.csv"), JsonSource)
    pl.read_csv(TABLE).write_parquet(tmp_path / "leads.txt")
    assert open_source(tmp_path / "leads.txt").columns == ("Email", "Name")


def test_an_archive_of_one_table_is_that_table(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.csv", TABLE)
    assert open_source(path).path == f"{path}!b.csv"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("c.csv", TABLE)
    error = refusal(path)
    assert (error.code, f"{path}!b.csv" in error.hint) == ("several_members", True)


def test_parquet_in_an_archive(tmp_path: Path) -> None:
    table = io.BytesIO()
    pl.read_csv(TABLE).write_parquet(table)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.parquet", table.getvalue())
        archive.writestr("cut.parquet", table.getvalue()[:-20])
    source = open_source(f"{path}!b.parquet")
    for _ in range(2):
        reader = source.read()
        assert [row[0] for batch in reader for row in batch.cells.rows()] == [
            "a@example.com",
            "b@example.com",
        ]
        assert (reader.rows, reader.sha256) == (2, digest(f"{path}!b.parquet"))
    error = refusal(f"{path}!cut.parquet")
    assert (error.source, error.message.startswith(f"{path}!cut.parquet: ")) == (f"{path}!cut.parquet", True)
    assert "unpacked" not in f"{error.facts}"


def test_a_stored_source_keeps_the_name_that_it_came_with(tmp_path: Path) -> None:
    for name, content in (("plain", TABLE), ("packed", gzip.compress(TABLE))):
        spool_stream(io.BytesIO(content), tmp_path / name)
        assert (tmp_path / name).read_bytes() == content
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        source = open_stored(tmp_path / name, "-")
        reader = source.read(0)
        assert [row[0] for batch in reader for row in batch.cells.rows()] == [
            "a@example.com",
            "b@example.com",
        ]
        assert (source.path, source.columns, reader.rows) == ("-", ("Email", "Name"), 2)
        assert reader.sha256 == digest(str(tmp_path / name))
        assert open_stored(tmp_path / name, "-", source.reading) == source


def test_errors_speak_of_the_stored_source_by_its_name(tmp_path: Path) -> None:
    spool_stream(io.BytesIO(b""), tmp_path / "0001")
    with pytest.raises(SourceError) as caught:
        open_stored(tmp_path / "0001", "-")
    assert (caught.value.source, caught.value.message.startswith("-: ")) == ("-", True)
    assert str(tmp_path) not in f"{caught.value.facts}"


def test_a_table_of_our_own_that_comes_through_a_pipe(tmp_path: Path) -> None:
    table = b"'=x,_source,_row,_line,_reasons\n'=1,a.csv,1,2,email:required\n"
    spool_stream(io.BytesIO(table), tmp_path / "0001")
    source = adopt(open_stored(tmp_path / "0001", "-"))
    assert isinstance(source, MovedSource)
    assert source.columns == ("=x", "_source", "_row", "_line", "_reasons")
    (batch,) = source.read()
    assert own_rows(source, batch)["0"].to_list() == ["=1"]
