"""The sets that show encodings, workbooks, repairs, and what is refused."""

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl

from prep.errors import SourceError
from prep.sources.encoding import as_utf8, find_encoding
from prep.sources.signatures import HEAD_BYTES, kind_of
from prep.sources.workbook import open_workbook
from prep.values.mojibake import MOJIBAKE
from tests.corpora.registry import Promise, Reached

TEXTS = {"x09_csv_as.xlsx", "x11_tsv_as.xls"}
TOTALS = {"x03_banner_merged_footer.xlsx": ["Total: 46"]}
"""Cells below the leads that stand in the column of addresses: rows, to be rejected there."""

ERROR_ROWS = {"x04_native_types.xlsx": [(*[None] * 8, 40, 41)]}
PLAIN = ("utf", "cp1252", "iso-8859-1")


def text_of(path: Path, given: str | None = None) -> str:
    """What a file says."""
    encoding = find_encoding(str(path), given)
    with path.open("rb") as file:
        return as_utf8(file, encoding).read().decode()


def lead_texts(folder: Path) -> Reached:
    """Each text is read as it was written, without options and with; all but the commonest with a note."""
    outcomes = {}
    for case in json.loads((folder / "manifest.json").read_text("utf-8")):
        path = folder / case["file"]
        expected = path.read_bytes().decode(case["encoding"]).removeprefix("\ufeff")
        has_note = bool(find_encoding(str(path)).notes)
        outcomes[f"{path.name}: without options"] = text_of(path) == expected
        outcomes[f"{path.name}: --encoding"] = text_of(path, case["encoding"]) == expected
        outcomes[f"{path.name}: note"] = has_note != case["encoding"].startswith(PLAIN)
    return Reached.of(outcomes)


def lead_workbooks(folder: Path) -> Reached:
    """Each workbook gives exactly the rows of its truth, or is text under a workbook's name."""
    cases = json.loads((folder / "manifest.json").read_text("utf-8"))
    return Reached.of({case["file"]: _is_as_in_truth(folder, case) for case in cases})


def _is_as_in_truth(folder: Path, case: dict[str, Any]) -> bool:
    path = folder / case["file"]
    if path.name in TEXTS:
        with path.open("rb") as file:
            return kind_of(file.read(HEAD_BYTES), path) == "text"
    source = open_workbook(path)
    with (folder / case["truth"]).open(encoding="utf-8", newline="") as file:
        truth = [tuple(cell or None for cell in row) for row in list(csv.reader(file))[1:]]
    batches = list(source.read(0))
    rows = [row for batch in batches for row in batch.cells.drop("_numbers").rows()]
    found = [row for row in rows if any(row[:-2])]
    width = len(case["header"])
    return (
        source.columns[:width] == tuple(case["header"])
        and source.reading.sheet == case.get("sheet", source.reading.sheet)
        and source.reading.header_line == case.get("header_row", 1)
        and [row[:width] for row in found[: case["rows"]]] == truth
        and [row[0] for row in found[case["rows"] :]] == TOTALS.get(path.name, [])
        and [row for row in rows if not any(row[:-2])] == ERROR_ROWS.get(path.name, [])
        and all(batch.rejected.is_empty() for batch in batches)
    )


def protected(folder: Path) -> Reached:
    """A workbook with a password says so; plain ones are read."""
    paths = sorted((folder / "tests").glob("*/*.xls*"))
    return Reached.of(
        {path.name: _code(path) == ("" if _is_plain(path) else "protected_workbook") for path in paths}
    )


def _is_plain(path: Path) -> bool:
    return path.parent.name == "outputs" or path.name == "plain.xls"


def _code(path: Path) -> str:
    try:
        open_workbook(path)
    except SourceError as error:
        return error.code
    return ""


def mojibake(folder: Path) -> Reached:
    """Sound text stays as it is; what was decoded wrongly is repaired as published."""
    outcomes = {}
    for name in ("negative", "in-the-wild", "synthetic", "language-names"):
        cases = json.loads((folder / "tests" / "test-cases" / f"{name}.json").read_text("utf-8"))
        cells = MOJIBAKE.apply(pl.Series([case["original"] for case in cases], dtype=pl.String))[0]
        for number, (case, cell) in enumerate(zip(cases, cells, strict=True)):
            expected = case["original"] if name == "negative" else case.get("fixed-encoding", case["fixed"])
            outcomes[f"{name} {number}"] = cell == expected
    return Reached.of(outcomes)


def bombs(folder: Path) -> Reached:
    """A document made to grow without end, given by mistake, is no workbook."""
    paths = sorted((folder / "xmltestdata").iterdir())
    return Reached.of({path.name: _code(path) in {"not_a_workbook", "no_table"} for path in paths})


PROMISES = [
    Promise("leads-encodings", "text, also with --encoding, and its note", 1, "", lead_texts),
    Promise("leads-excel", "rows as the truth says", 1, "", lead_workbooks),
    Promise("msoffcrypto", "protected workbooks say so, plain are read", 1, "", protected),
    Promise("ftfy", "sound text unchanged, spoiled text repaired", 1, "", mojibake),
    Promise("xmlbombs", "refused", 1, "", bombs),
]
