"""Other people's files: read completely, or refused with a reason."""

import json
import re
from pathlib import Path

import pytest

from prep.errors import SourceError
from prep.sources import Batch, Source, open_source, read_batches
from prep.sources.dialect import CANDIDATES, detect

# The published JSON of this one holds another phone number than the published CSV.
MISPRINTS = {"location_coordinates": {"Contact Phone Number": "2095257564"}}
FOLDERS = ["blns", "csv-injection", "csv-spectrum", "csvkit-examples", "csvlint", "duckdb-csv", "hostile"]


def read(path: Path) -> tuple[Source, list[Batch], int]:
    source = open_source(path)
    reader = read_batches(source)
    return source, list(reader), reader.lines


def test_csv_spectrum(corpora: Path) -> None:
    paths = sorted((corpora / "csv-spectrum" / "csvs").glob("*.csv"))
    assert len(paths) == 12
    for path in paths:
        truth = json.loads((corpora / "csv-spectrum" / "json" / f"{path.stem}.json").read_text("utf-8"))
        truth = truth if isinstance(truth, list) else [truth]
        expected = [
            {
                name: value.replace("\r\n", "\n")
                for name, value in {**row, **MISPRINTS.get(path.stem, {})}.items()
            }
            for row in truth
        ]
        source, (batch,), _ = read(path)
        rows = [
            {name: cell or "" for name, cell in zip(source.columns, row, strict=True)}
            for row in batch.cells.drop("_row", "_line").rows()
        ]
        assert (path.stem, rows) == (path.stem, expected)
        assert batch.rejected.is_empty()


def test_delimiters_of_the_sniffer_cases(corpora: Path) -> None:
    cases = json.loads((corpora / "cpython-sniffer" / "cases.json").read_text("utf-8"))
    known = [case for case in cases if case.get("delimiter") in CANDIDATES]
    assert len(known) >= 5
    for case in known:
        sample = case["text"].replace("\r\n", "\n").encode()
        assert (case["name"], detect(sample).delimiter) == (case["name"], case["delimiter"])


def test_lead_files(corpora: Path) -> None:
    for case in json.loads((corpora / "leads-encodings" / "manifest.json").read_text("utf-8")):
        path = corpora / "leads-encodings" / case["file"]
        if case["encoding"] in {"utf-8", "utf-8-sig"}:
            source, batches, _ = read(path)
            assert (source.encoding, source.delimiter) == (case["encoding"], case["delimiter"])
            assert source.columns == tuple(case["header"])
            assert sum(batch.cells.height for batch in batches) == case["rows"] == 150
        else:
            with pytest.raises(SourceError) as caught:
                read(path)
            assert caught.value.code == "not_utf8"


def test_hostile_texts(corpora: Path) -> None:
    _, batches, _ = read(corpora / "hostile" / "h22_nul_bytes.csv")
    assert [row for batch in batches for row in batch.rejected["_row"]] == [4]
    _, batches, _ = read(corpora / "hostile" / "h23_unclosed_quote.csv")
    assert [row for batch in batches for row in batch.rejected["_line"]] == [3]
    assert sum(batch.cells.height for batch in batches) == 10_433 - 1
    _, batches, _ = read(corpora / "hostile" / "h39_utf8_with_cp1252_rows.csv")
    assert [
        row[::2] for batch in batches for row in batch.rejected.select("_row", "_line", "reason").rows()
    ] == [(2, "encoding")]
    _, batches, _ = read(corpora / "hostile" / "h31_ragged.csv")
    assert [row for batch in batches for row in batch.rejected["_row"]] == [2, 3, 4, 8, 9]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_line_of_every_file_is_accounted_for(corpora: Path, folder: str) -> None:
    for path in sorted(path for path in (corpora / folder).rglob("*") if path.is_file()):
        outcome = read_or_refuse(path)
        if isinstance(outcome, SourceError):
            assert outcome.message.startswith(f"{path}: "), path
            continue
        batches, lines = outcome
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        assert lines == len(re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", content)), path
        assert sum(_lines(batch) for batch in batches) == lines, path


def read_or_refuse(path: Path) -> tuple[list[Batch], int] | SourceError:
    try:
        _, batches, lines = read(path)
    except SourceError as error:
        return error
    return batches, lines


def _lines(batch: Batch) -> int:
    cells: list[tuple[str | None, ...]] = batch.cells.drop("_row", "_line").rows()
    inside = sum(cell.count("\n") for row in cells for cell in row if cell)
    rejected: list[str] = batch.rejected["raw"].to_list()
    return len(cells) + inside + len(batch.skipped) + sum(raw.count("\n") + 1 for raw in rejected)
