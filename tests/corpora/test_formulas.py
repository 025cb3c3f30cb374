"""Naughty strings in the tables for people: no spreadsheet program runs one of them, and each comes back."""

import csv
import io
import re
from pathlib import Path

import openpyxl
import pytest

import prep
from tests.payloads import XSS, naughty

RUNS = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What a cell begins with that a spreadsheet program may run: https://owasp.org/www-community/attacks/CSV_Injection"""

NUMBER = re.compile(r"[+-][\d .,()/-]*\d[\d .,()/-]*")
"""A signed number or a phone number, which is what it looks like."""


def _is_run(cell: str) -> bool:
    return bool(RUNS.match(cell)) and not NUMBER.fullmatch(cell)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_tables_for_people_hold_no_formula(
    corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delimiter: str
) -> None:
    monkeypatch.chdir(tmp_path)
    strings = [text for text in [*naughty(corpora), *XSS] if "\x00" not in text]
    assert sum(map(_is_run, strings)) > 20
    quoted = ['"' + text.replace('"', '""') + '"' for text in strings]
    header = delimiter.join(["email", "firstName", *quoted[:200]])
    rest = delimiter * 200
    rejected = [f"{cell}{delimiter}{cell}{rest}" for cell in quoted]
    lost = [f"ana@example.com{delimiter}{cell}{rest}" for cell in quoted]
    name = "=cmd|' C'!A0.csv"
    lines = "\n".join([header, *rejected, *lost, ""])
    Path(name).write_text(lines, encoding="utf-8")
    run = prep.clean(name, "run.prep", unknown="drop", header_line=1, encoding="utf-8", delimiter=delimiter)
    assert run.counts["read"] == 2 * len(strings)
    for table in (run.folder.rejected, run.folder.duplicates):
        text = io.StringIO(table.read_bytes().decode("utf-8-sig"), newline="")
        cells = [cell for line in csv.reader(text, delimiter=delimiter, strict=True) for cell in line]
        assert len(cells) > 2 * len(strings)
        assert [cell for cell in cells if _is_run(cell)] == []
    (sheet,) = openpyxl.load_workbook(run.folder.rejected_workbook).worksheets
    shown = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in shown} == {"s"}
    assert [cell.value for cell in shown if _is_run(str(cell.value))] == []
