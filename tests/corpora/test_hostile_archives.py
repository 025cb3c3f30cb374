"""Archives, tables and names made to do harm: refused or read within bounds, nothing left behind."""

import gzip
import json
import lzma
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT_KB = 512 * 1024

RUN = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
from prep.errors import SourceError
from prep.sources import open_source
from prep.sources.containers import members

def peak():
    own = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return [int(own.split()[1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]

def outcome_of(name):
    rows = 0
    try:
        for path in members(name).paths:
            reader = open_source(path).read(0)
            for batch in reader:
                pass
            rows += reader.rows
        return {"rows": rows}
    except SourceError as error:
        return {"code": error.code, "message": error.message, "hint": error.hint}

before = peak()
print(json.dumps({"outcomes": [*map(outcome_of, sys.argv[1:])], "before": before, "after": peak()}))
"""


def run(paths: Sequence[str], folder: Path, cwd: Path) -> list[dict[str, Any]]:
    """What becomes of each, in one process that none of them takes much memory or time of."""
    folder.mkdir()
    env = {"TMPDIR": str(folder), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *paths], capture_output=True, check=False, env=env, cwd=cwd
    )
    assert (done.returncode, done.stderr) == (0, b""), paths
    told: dict[str, Any] = json.loads(done.stdout)
    assert list(folder.iterdir()) == []
    own, child = told["after"]
    assert own - told["before"][0] < LIMIT_KB, paths
    assert child < LIMIT_KB, paths
    outcomes: list[dict[str, Any]] = told["outcomes"]
    return outcomes


PIECE = b"a@example.com\n" * 500_000  # 7 MB
PIECES = 60


def fill(opened: Callable[[], Any], piece: bytes = PIECE) -> None:
    with opened() as file:
        file.write(b"Email\n")
        for _ in range(PIECES):
            file.write(piece)


def zipped(path: Path, piece: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        fill(partial(archive.open, "leads.csv", "w"), piece)


def overlapping(path: Path) -> None:
    """Ten thousand members that share one kernel."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("leads.csv", PIECE)
        kernel = archive.getinfo("leads.csv")
        for number in range(10_000):
            twin = zipfile.ZipInfo(f"{number}.csv")
            for part in ("compress_type", "header_offset", "CRC", "compress_size", "file_size"):
                setattr(twin, part, getattr(kernel, part))
            archive.filelist.append(twin)


def many_members(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(40_000):
            archive.writestr(f"{number:0100d}.csv", b"")


BOMBS: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "rows.csv.gz": (lambda path: fill(partial(gzip.open, path, "wb")), {"archive_bomb"}),
    "rows.csv.zst": (lambda path: fill(partial(zstd.open, path, "wb")), {"archive_bomb"}),
    "rows.csv.xz": (lambda path: fill(partial(lzma.open, path, "wb", preset=0)), {"archive_bomb"}),
    "rows.zip": (lambda path: zipped(path, PIECE), {"archive_bomb"}),
    "zeros.csv.gz": (
        lambda path: fill(partial(gzip.open, path, "wb"), bytes(len(PIECE))),
        {"archive_bomb", "not_text"},
    ),
    "zeros.zip": (lambda path: zipped(path, bytes(len(PIECE))), {"archive_bomb", "not_text"}),
    "overlapping.zip": (overlapping, {"broken_archive"}),
    "many.zip": (many_members, {"too_many_members"}),
    "window.csv.zst": (  # a window of 2 TB
        lambda path: path.write_bytes(bytes.fromhex("28b52ffd00f8") + bytes(100)),
        {"broken_archive"},
    ),
    "cell.parquet": (
        lambda path: pl.DataFrame({"Email": ["a" * 80_000_000]}).write_parquet(path),
        {"archive_bomb"},
    ),
    "values.arrow": (
        lambda path: pl.select(pl.repeat("a" * 20, 5_000_000).alias("Email")).write_ipc(
            path, compression="zstd", record_batch_size=5_000_000
        ),
        {"damaged_table", "rows"},
    ),
    "deep.ndjson": (lambda path: path.write_bytes(b'{"a":' + b"[" * 8_000_000), {"not_records"}),
    "line.ndjson": (lambda path: path.write_bytes(b'{"a":"' + b"x" * 40_000_000), {"endless_line"}),
    "keys.ndjson": (
        lambda path: path.write_bytes(b"".join(b'{"k%d":1}\n' % number for number in range(200_000))),
        {"not_records"},
    ),
    "digits.ndjson": (lambda path: path.write_bytes(b'{"a":1' + b"0" * 5_000_000 + b"}\n"), {"rows"}),
    "exponent.ndjson": (lambda path: path.write_bytes(b'{"a":1e999999999}\n'), {"rows"}),
    "array.json": (lambda path: path.write_bytes(b"[" * 5_000_000), {"broken_json", "not_records"}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(tmp_path: Path, name: str) -> None:
    make, codes = BOMBS[name]
    make(tmp_path / name)
    (outcome,) = run([str(tmp_path / name)], tmp_path / "tmp", tmp_path)
    assert outcome.get("code", "rows") in codes
    if "code" in outcome:
        assert outcome["message"].startswith(str(tmp_path / name))


def test_hostile_workbooks_in_archives(corpora: Path, tmp_path: Path) -> None:
    books = sorted((corpora / "hostile").glob("*.xlsx"))
    assert len(books) == 10
    truth = {
        case["file"]: case["truth"]
        for case in json.loads((corpora / "hostile" / "manifest.json").read_text())
    }
    paths = [tmp_path / f"{number}.zip" for number in range(len(books))]
    for path, book in zip(paths, books, strict=True):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(book, "leads.xlsx")
    outcomes = run([f"{path}!leads.xlsx" for path in paths], tmp_path / "tmp", tmp_path)
    for path, book, outcome in zip(paths, books, outcomes, strict=True):
        expected = truth[book.name]["outcome"]
        assert expected == "either" or ("code" in outcome) == (expected == "refuse"), book.name
        if "code" in outcome:
            assert outcome["message"].startswith(f"{path}!leads.xlsx: "), book.name


def test_odd_file_names(corpora: Path, tmp_path: Path) -> None:
    with tarfile.open(corpora / "hostile" / "filenames.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "filenames"
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(json.loads((corpora / "hostile" / "filenames.json").read_text("utf-8")))
    outcomes = run(names, tmp_path / "tmp", folder)
    assert [name for name, outcome in zip(names, outcomes, strict=True) if "code" in outcome] == []
    (rows,) = {outcome["rows"] for outcome in outcomes}
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for name in names:
            packed.write(folder / name, name)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    (outcome,) = run(["all.zip"], tmp_path / "again", tmp_path)
    assert outcome["rows"] == (len(names) - 1) * rows  # one is hidden
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "again"}
    assert after == before
