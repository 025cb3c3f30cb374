"""The same rows in every format give the same upload files, byte for byte."""

import bz2
import csv
import gzip
import io
import json
import lzma
import sqlite3
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

import prep
from prep.intake import Query
from prep.model import Fate

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FIRST = ["Ana", "José", "Zoë", "Łukasz", "Øystein", "Ñuria", "Søren", "名子", "O'Neil", "Anne-Marie"]
COMPANIES = ["Acme; Sons", "Foo, Bar & Co", 'The "Best" Ltd', "Tab Inc", "007 Ltd", "1.50", "2024", "TRUE"]
HEADER = ["Email", "First Name", "Company", "Postal Code", "Phone"]
ROWS = [
    [
        f"person{row % 140}@example.com" if row % 37 else "no address",
        FIRST[row % len(FIRST)],
        COMPANIES[row % len(COMPANIES)] if row % 5 else "",
        f"{row * 73:05d}",
        f"+49 30 {100000 + row}",
    ]
    for row in range(150)
]
FRAME = pl.DataFrame(ROWS, schema=HEADER, orient="row")
RECORDS = [dict(zip(HEADER, row, strict=True)) for row in ROWS]


def delimited(delimiter: str, encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([HEADER, *ROWS])
    return text.getvalue().encode(encoding)


def frame(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def workbook() -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([HEADER, *ROWS]):
            for place, cell in enumerate(row):
                sheet.write_string(number, place, cell)
    return file.getvalue()


def archive(content: bytes, name: str = "inside") -> bytes:
    def write(file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("__MACOSX/x", b"")
            packed.writestr(name, content)

    return frame(write)


FORMATS: dict[str, Callable[[], bytes]] = {
    "csv": lambda: delimited(","),
    "tsv": lambda: delimited("\t"),
    "ssv": lambda: delimited(";"),
    "bom.csv": lambda: delimited(",", "utf-8-sig"),
    "utf16.csv": lambda: delimited(",", "utf-16"),
    "csv.gz": lambda: gzip.compress(delimited(",")),
    "csv.zst": lambda: zstd.compress(delimited(",")),
    "csv.bz2": lambda: bz2.compress(delimited(",")),
    "csv.xz": lambda: lzma.compress(delimited(",")),
    "zip": lambda: archive(delimited(",")),
    "gz.zip": lambda: archive(gzip.compress(delimited(","))),
    "xlsx": workbook,
    "xlsx.zip": lambda: archive(workbook()),
    "parquet": lambda: frame(FRAME.write_parquet),
    "parquet.zip": lambda: archive(frame(FRAME.write_parquet)),
    "arrow": lambda: frame(FRAME.write_ipc),
    "arrows": lambda: frame(FRAME.write_ipc_stream),
    "ndjson": lambda: "\n".join(map(json.dumps, RECORDS)).encode(),
    "ndjson.gz": lambda: gzip.compress("\n".join(map(json.dumps, RECORDS)).encode()),
    "json": lambda: json.dumps(RECORDS, ensure_ascii=False, indent=1).encode(),
}


def chunks(run: prep.Run) -> dict[str, bytes]:
    assert run.counts == {**run.counts, "read": 150, Fate.REJECTED: 5}
    assert run.counts[Fate.READY] + run.counts[Fate.DUPLICATE] == 145
    return {path.name: path.read_bytes() for path in (run.path / "chunks").iterdir()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("expected")
    (folder / "leads.csv").write_bytes(delimited(","))
    made = chunks(prep.clean(folder / "leads.csv", folder / "out"))
    assert len(made) == 1
    return made


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_files(tmp_path: Path, name: str, expected: dict[str, bytes]) -> None:
    path = tmp_path / f"leads.{name}"
    path.write_bytes(FORMATS[name]())
    assert chunks(prep.clean(path, tmp_path / "out")) == expected


def test_frames_and_queries_give_the_same_files(tmp_path: Path, expected: dict[str, bytes]) -> None:
    assert chunks(prep.clean(FRAME, tmp_path / "frame")) == expected
    assert chunks(prep.clean(FRAME.lazy(), tmp_path / "lazy")) == expected
    database = sqlite3.connect(tmp_path / "leads.db")
    columns = ", ".join(f'"{name}" TEXT' for name in HEADER)
    with database:
        database.execute(f"CREATE TABLE leads ({columns})")
        database.executemany("INSERT INTO leads VALUES (?, ?, ?, ?, ?)", ROWS)
    database.close()
    query = Query("SELECT * FROM leads ORDER BY rowid", f"sqlite:///{tmp_path}/leads.db")
    assert chunks(prep.clean(query, tmp_path / "query")) == expected
