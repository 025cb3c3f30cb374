"""Workbooks made to do harm: refused or read, never with much memory, never with anything left behind."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from prep.sources.sheets import Refusal
from prep.sources.xlsx import Xlsx, open_package

LIMIT_KB = 512 * 1024

RUN = """
import json, resource, sys, tempfile
from prep.errors import SourceError
from prep.sources.workbook import open_workbook

def peak():
    with open("/proc/self/status") as status:  # ru_maxrss would count what forked this process, too
        own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return [own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]

def outcome_of(path):
    try:
        source = open_workbook(path)
        rows = [row for batch in source.read(0) for row in batch.cells.drop("_numbers").rows()]
        return {"rows": rows, "notes": source.notes}
    except SourceError as error:
        return {"code": error.code, "message": error.message, "hint": error.hint}

before = peak()
print(json.dumps({"outcomes": [*map(outcome_of, sys.argv[1:])], "before": before, "after": peak()}))
"""


def run(paths: list[Path], folder: Path) -> list[dict[str, Any]]:
    """What becomes of each, in one process that none of them takes much memory of."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, paths)],
        capture_output=True,
        check=True,
        env={"TMPDIR": str(folder)},
    )
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.stderr == b""
    assert list(folder.iterdir()) == []
    own, child = told["after"]
    assert own - told["before"][0] < LIMIT_KB
    assert child < LIMIT_KB
    outcomes: list[dict[str, Any]] = told["outcomes"]
    return outcomes


def cases(corpora: Path) -> list[dict[str, Any]]:
    manifest = json.loads((corpora / "hostile" / "manifest.json").read_text("utf-8"))
    return [case for case in manifest if case["file"].endswith(".xlsx")]


def test_hostile_workbooks(corpora: Path, tmp_path: Path) -> None:
    chosen = cases(corpora)
    assert len(chosen) == 10
    for case, outcome in zip(
        chosen, run([corpora / "hostile" / case["file"] for case in chosen], tmp_path), strict=True
    ):
        truth = case["truth"]
        assert ("code" in outcome) == (truth["outcome"] != "leads"), case["file"]
        if "code" in outcome:
            assert outcome["code"] in {"workbook_too_large", "broken_workbook", "unsafe_workbook", "far_cell"}
            assert outcome["hint"]
        else:
            assert [row[0] for row in outcome["rows"]] == truth["emails"]
        local = Path(truth.get("local_file", "/no/such/file"))
        secrets = local.read_text("utf-8").split() if local.exists() else []
        assert not any(secret in json.dumps(outcome) for secret in secrets if len(secret) > 8)
        assert not any(truth["token"] in str(path) for path in tmp_path.rglob("*") if "token" in truth)


def test_xml_bombs_in_every_part(corpora: Path, tmp_path: Path) -> None:
    book = corpora / "leads-excel" / "x04_native_types.xlsx"
    bombs = sorted(path for path in (corpora / "xmlbombs" / "xmltestdata").iterdir() if path.suffix == ".xml")
    parts = ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"]
    for bomb in bombs:
        for part in parts:
            path = tmp_path / "bomb.xlsx"
            with zipfile.ZipFile(book) as source, zipfile.ZipFile(path, "w") as into:
                for name in source.namelist():
                    into.writestr(name, bomb.read_bytes() if name == part else source.read(name))
            refused = ""
            try:
                with path.open("rb") as file:
                    bombed = Xlsx(open_package(file, path.stat().st_size))
                    for place in range(len(bombed.sheets)):
                        list(bombed.rows(place))
            except Refusal as refusal:
                refused = refusal.code
            assert refused == "unsafe_workbook" or bomb.name.startswith("simple"), (bomb.name, part)
