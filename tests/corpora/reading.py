"""The sets of files that show how text is read."""

import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from prep.errors import SourceError
from prep.model import Reading
from prep.sources import Batch, Source
from prep.sources.delimited import open_delimited
from prep.sources.dialect import CANDIDATES, detect
from prep.sources.records import with_line_feeds
from tests.corpora import papaparse
from tests.corpora.accounts import accounts
from tests.corpora.registry import Promise, Reached

NO_DATA = {"SOURCE.md", "LICENSE", "LICENSE.md", "COPYING"}
# The published JSON of this one holds another phone number than the published CSV.
MISPRINTS = {"location_coordinates": {"Contact Phone Number": "2095257564"}}


def spectrum(folder: Path) -> Reached:
    """Each CSV gives the rows of its JSON."""
    outcomes = {}
    for path in sorted((folder / "csvs").glob("*.csv")):
        truth = json.loads((folder / "json" / f"{path.stem}.json").read_text("utf-8"))
        expected = [
            {**row, **MISPRINTS.get(path.stem, {})} for row in (truth if isinstance(truth, list) else [truth])
        ]
        source, batches = _read(path)
        rows = [
            {name: cell or "" for name, cell in zip(source.columns, row, strict=True)}
            for batch in batches
            for row in batch.cells.select(pl.exclude("^_.*$")).rows()
        ]
        is_same = rows == [
            {name: cell.replace("\r\n", "\n") for name, cell in row.items()} for row in expected
        ]
        outcomes[path.stem] = is_same and not _rejected(batches).height
    return Reached.of(outcomes)


def sniffer(folder: Path) -> Reached:
    """Delimiter and quote of what our candidates can be, and whether there is a header."""
    outcomes = {}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "sample.csv"
        for case in json.loads((folder / "cases.json").read_text("utf-8")):
            text = case["text"].encode()
            dialect = detect(with_line_feeds(text)).sample.dialect
            if case.get("delimiter") in CANDIDATES:
                outcomes[f"{case['name']}: delimiter"] = dialect.delimiter == case["delimiter"]
                if "quotechar" in case:
                    outcomes[f"{case['name']}: quote"] = dialect.quote == case["quotechar"]
            if "has_header" in case and case.get("delimiter", ",") in CANDIDATES:
                path.write_bytes(text)
                outcomes[f"{case['name']}: header"] = _has_header(path) == case["has_header"]
    return Reached.of(outcomes)


def lead_files(folder: Path) -> Reached:
    """Delimiter, quote, header and number of rows, with nothing said about a file."""
    outcomes = {}
    for case in json.loads((folder / "manifest.json").read_text("utf-8")):
        source, batches = _read(folder / case["file"])
        found = (source.reading.delimiter, source.reading.quote, sum(batch.cells.height for batch in batches))
        outcomes[case["file"]] = found == (case["delimiter"], case["quotechar"], case["rows"])
    return Reached.of(outcomes)


def hostile_texts(folder: Path) -> Reached:
    """What the manifest says of each text, as far as reading goes."""
    cases = json.loads((folder / "manifest.json").read_text("utf-8"))
    texts = [case for case in cases if Path(case["file"]).suffix in {".csv", ".tsv"}]
    return Reached.of({case["file"]: _is_as_told(folder / case["file"], case["truth"]) for case in texts})


def every_line(folder: Path) -> Reached:
    """No traceback, no signal, no file over 20 s, and every physical line in one record or skipped entry."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in NO_DATA)
    return Reached.of(
        {
            name: account.outcome in {"read", "refused"} and account.is_balanced
            for name, account in accounts(folder, paths).items()
        }
    )


PROMISES = (
    Promise("csv-spectrum", "rows as its JSON", 1, "", spectrum),
    Promise(
        "cpython-sniffer",
        "delimiter among , ; TAB |, quote, header",
        1,
        "csv.Sniffer: all (its own tests)",
        sniffer,
    ),
    Promise(
        "papaparse",
        "rows, where our options can say the same",
        0.95,
        "Papa Parse: all (its own tests)",
        papaparse.judge,
    ),
    Promise("csvkit-examples", "every line accounted for", 1, "", every_line),
    Promise("csvlint", "every line accounted for", 1, "", every_line),
    Promise(
        "duckdb-csv",
        "every line accounted for",
        1,
        "DuckDB's sniffer: 75 % of published dialect tests",
        every_line,
    ),
    Promise("blns", "every line accounted for", 1, "", every_line),
    Promise("csv-injection", "every line accounted for", 1, "", every_line),
    Promise("leads-encodings", "delimiter, quote and rows", 1, "", lead_files),
    Promise("hostile", "texts as the manifest says", 1, "", hostile_texts),
)


def _read(path: Path) -> tuple[Source, list[Batch]]:
    source = open_delimited(str(path))
    return source, list(source.read(0))


def _rejected(batches: list[Batch]) -> pl.DataFrame:
    return pl.concat([batch.rejected for batch in batches])


def _has_header(path: Path) -> bool:
    try:
        open_delimited(str(path), Reading())
    except SourceError as error:
        return error.code != "no_header"
    return True


def _holds(values: set[str | None], raw: str, truth: dict[str, str]) -> bool:
    """Tell whether each value was read as it is written, or its row was rejected."""
    return all(value in values or address in raw for address, value in truth.items())


def _is_as_told(path: Path, truth: dict[str, Any]) -> bool:
    try:
        source, batches = _read(path)
    except SourceError:
        return truth["outcome"] in {"refuse", "nothing"}
    cells = pl.concat([batch.cells for batch in batches])
    rejected = _rejected(batches)
    values = {cell for row in cells.select(pl.exclude("^_.*$")).rows() for cell in row}
    raw = "\n".join(rejected["raw"])
    bad_rows = truth.get("bad_rows", [])
    expected_rejects = truth.get("long_rows", []) + truth.get("short_rows", [])
    expected_rejects += bad_rows if isinstance(bad_rows, list) else []
    return (
        cells.height + rejected.height
        == truth.get("rows", 0 if truth["outcome"] == "nothing" else cells.height)
        and set(truth.get("emails", [])) <= values
        and (truth["outcome"] == "either" or _holds(values, raw, truth.get("values", {})))
        and source.reading.delimiter == truth.get("delimiter", source.reading.delimiter)
        and (not expected_rejects or rejected["_row"].to_list() == sorted(expected_rejects))
        and ("quote_line" not in truth or rejected["_line"].to_list() == [truth["quote_line"]])
    )
