"""papaparse's cases: which of them our options can express, and what must come out."""

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from prep.errors import SettingsError, SourceError
from prep.model import Reading
from prep.sources.delimited import open_delimited
from tests.corpora.registry import Reached

LEFT_OUT = {
    "function": "a function in the configuration",
    "dynamicTyping": "types: reading gives text, stage 3 gives types",
    "preview": "reading the first rows only",
    "comments": "comment signs other than #",
    "delimiter": "delimiters of several characters, or a line end",
    "skipFirstNLines": "leaving out lines where there is no header",
    "renaming": "new names for repeated headers: ours stay as written, told apart by their place",
    "broken quoting": "a guess at what broken quoting meant: the record is rejected with its raw text",
}
"""Classes of configurations that are not expressed, with the reason."""

Rows = list[tuple[str | None, ...]]


def judge(folder: Path) -> Reached:
    """Read every case that can be expressed and compare the rows."""
    cases = json.loads((folder / "cases.json").read_text("utf-8"))
    outcomes, left_out = {}, Counter[str]()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "case.csv"
        for group in ("core", "parse"):
            for number, case in enumerate(cases[group], 1):
                if reason := why_not(case, group):
                    left_out[LEFT_OUT[reason]] += 1
                    continue
                outcomes[f"{group} {number}: {case['description']}"] = comes_out_right(path, case)
    return Reached.of(outcomes, dict(left_out))


def why_not(case: dict[str, Any], group: str) -> str | None:
    """Name the class for which a case is left out."""
    config = case.get("config") or {}
    delimiter = config.get("delimiter", ",")
    classes = {
        "function": "__function" in json.dumps(config),
        "dynamicTyping": "dynamicTyping" in config,
        "preview": bool(config.get("preview")),
        "comments": config.get("comments", True) not in (True, "#"),
        "delimiter": not isinstance(delimiter, str) or len(delimiter) > 1 or delimiter == "\n",
        "skipFirstNLines": bool(config.get("skipFirstNLines")) and not config.get("header"),
        "renaming": group == "core" and bool(config.get("header")),
        "broken quoting": any(error["type"] == "Quotes" for error in case["expected"].get("errors", [])),
    }
    return next((name for name, applies in classes.items() if applies), None)


def comes_out_right(path: Path, case: dict[str, Any]) -> bool:
    """Compare the readable rows, and how many records were rejected for their width."""
    config = case.get("config") or {}
    path.write_text(case["input"], encoding="utf-8", newline="")
    header_line = 1 + config.get("skipFirstNLines", 0) if config.get("header") else 0
    found_out = bool(config.get("header") and config.get("comments"))
    reading = Reading(
        delimiter=config.get("delimiter"),
        quote=config.get("quoteChar"),
        escape="backslash" if config.get("escapeChar") == "\\" else None,
        header_line=None if found_out else header_line,
    )
    try:
        source = open_delimited(str(path), reading)
    except SourceError as error:
        return error.code in {"empty_source", "no_header_line"} and not case["expected"]["data"]
    except SettingsError:
        return False
    batches = list(source.read())
    rows = [row for batch in batches for row in batch.cells.drop("_row", "_line").rows()]
    rejected = sum(batch.rejected.height for batch in batches)
    return (rows, rejected) == _expected(case["expected"]["data"], source.columns)


def _expected(data: list[Any], columns: tuple[str, ...]) -> tuple[Rows, int]:
    """Give the rows in our terms: LF in cells, blank cells null, ragged rows counted, others with a value."""
    rows, ragged = [], 0
    for entry in data:
        cells = entry if isinstance(entry, list) else list(entry.values())
        if len(cells) == 1 and not cells[0].strip(" ") and (len(columns) > 1 or not cells[0]):
            continue
        if not any(cells):
            continue
        if len(cells) != len(columns) or isinstance(cells[-1], list):
            ragged += 1
            continue
        rows.append(tuple(cell.replace("\r\n", "\n").replace("\r", "\n") or None for cell in cells))
    return rows, ragged
