"""Other people's workbooks: exactly their leads, or a refusal that says why."""

import csv
from pathlib import Path

import pytest

from prep.sources.workbook import open_workbook


@pytest.mark.parametrize(
    ("file", "twin"),
    [
        ("test.xls", "testxls_converted.csv"),
        ("test.xlsx", "testxlsx_noinference_converted.csv"),
        ("sheets.xlsx", None),
        ("sheets.xls", None),
        ("test_skip_lines.xls", None),
        ("test_skip_lines.xlsx", None),
        ("dummy.xls", None),
        ("dummy.xlsx", None),
        ("realdata/ne_1033_data.xlsx", None),
    ],
)
def test_workbooks_of_csvkit(corpora: Path, file: str, twin: str | None) -> None:
    folder = corpora / "csvkit-examples" / "examples"
    source = open_workbook(folder / file)
    batches = list(source.read())
    lines = [line for batch in batches for line in batch.cells["_line"]]
    lines += [line for batch in batches for line in batch.rejected["_line"]]
    lines += [skipped.line for batch in batches for skipped in batch.skipped]
    assert sorted(lines) == list(range(1, max(lines) + 1))
    dates = [
        row[1] for batch in batches for row in batch.cells.rows() if source.columns[:2] == ("text", "date")
    ]
    assert set(dates) <= {"1971-01-01", "1948-01-01", "1920-01-01", None}
    if twin is not None:
        with (folder / twin).open(encoding="utf-8", newline="") as other:
            truth = [row[0] for row in csv.reader(other)][1:]
        rejected = [raw.split("\t")[0] for batch in batches for raw in batch.rejected["raw"]]
        found = [row[0] for batch in batches for row in batch.cells.rows()]
        assert sorted([*found, *rejected]) == sorted(truth)
        assert len(rejected) == 1  # "Extra data beyond headers will be trimmed"
