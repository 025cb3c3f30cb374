"""Other people's workbooks: exactly their leads, or a refusal that says why."""

import csv
import json
from pathlib import Path

import pytest

from prep.errors import SourceError
from prep.sources.signatures import HEAD_BYTES, kind_of
from prep.sources.workbook import open_workbook

TEXTS = {"x09_csv_as.xlsx", "x11_tsv_as.xls"}
TOTALS = {"x03_banner_merged_footer.xlsx": ["Total: 46"]}  # in the column of addresses: to be rejected there
ERROR_ROWS = {"x04_native_types.xlsx": [(*[None] * 8, 40, 41)]}


def kind(path: Path) -> str:
    with path.open("rb") as file:
        return kind_of(file.read(HEAD_BYTES), path)


def test_lead_workbooks(corpora: Path) -> None:
    cases = json.loads((corpora / "leads-excel" / "manifest.json").read_text("utf-8"))
    assert len(cases) == 12
    for case in cases:
        path = corpora / "leads-excel" / case["file"]
        if path.name in TEXTS:
            assert kind(path) == "text", path
            continue
        source = open_workbook(path)
        assert source.columns[: len(case["header"])] == tuple(case["header"]), path
        assert source.reading.sheet == case.get("sheet", source.reading.sheet), path
        assert source.reading.header_line == case.get("header_row", 1), path
        with (corpora / "leads-excel" / case["truth"]).open(encoding="utf-8", newline="") as file:
            truth = [tuple(cell or None for cell in row) for row in list(csv.reader(file))[1:]]
        batches = list(source.read(0))
        found = [row for batch in batches for row in batch.cells.rows() if any(row[:-2])]
        assert [row[: len(case["header"])] for row in found[: case["rows"]]] == truth, path
        assert [row[0] for row in found[case["rows"] :]] == TOTALS.get(path.name, []), path
        blank = [row for batch in batches for row in batch.cells.rows() if not any(row[:-2])]
        assert blank == ERROR_ROWS.get(path.name, []), path
        assert all(batch.rejected.is_empty() for batch in batches)


def test_protected_workbooks(corpora: Path) -> None:
    folder = corpora / "msoffcrypto" / "tests"
    for path in sorted((folder / "inputs").iterdir()):
        if path.name == "plain.xls":
            assert open_workbook(path).columns == ("lorem ipsum", "3")
            continue
        with pytest.raises(SourceError) as caught:
            open_workbook(path)
        assert caught.value.code == "protected_workbook"
        assert "protected by a password" in caught.value.message
    columns = {path.name: len(open_workbook(path).columns) for path in (folder / "outputs").iterdir()}
    assert columns == {
        "example.xlsx": 2,
        "rc4cryptoapi_password_plain.xls": 2,
        "xor_password_123456789012345_plain.xls": 26,
    }


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
