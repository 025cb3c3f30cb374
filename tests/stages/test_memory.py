"""What a run plans to hold: how it is said, and that only where the rows wait depends on it."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from prep import cleaning, decision, preparation
from prep.errors import FolderError, SettingsError
from prep.folder import RunFolder
from prep.memory import USUAL, Memory
from prep.model import Chunk
from prep.pipeline import Run, clean, resume_cleaning
from prep.spill import DiskSpill

SAMPLE = Path(__file__).parents[2] / "sample_data" / "crm_export_duplicates.csv"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("400MB", 400_000_000),
        (" 500 mb", 500_000_000),
        ("1.5GB", 1_500_000_000),
        ("512MiB", 512 * 2**20),
        ("2GiB", 2**31),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert Memory.parse(text).bytes == size


@pytest.mark.parametrize("text", ["", "lots", "500", "500 M", "-1GB", "1e3MB", "1,5GB", "399MB", "0GB"])
def test_sizes_that_cannot_be_are_refused(text: str, tmp_path: Path) -> None:
    for use in (clean, resume_cleaning):
        with pytest.raises(SettingsError) as caught:
            use(SAMPLE if use is clean else tmp_path, memory=text)
        assert caught.value.code == "bad_memory"
    assert list(tmp_path.iterdir()) == []


def test_less_memory_means_fewer_rows_at_a_time() -> None:
    rows = [Memory.parse(text).rows(100) for text in ("400MB", USUAL, "2GB")]
    assert rows == sorted(set(rows))
    portions = [preparation.portion(Memory.parse(text), 2) for text in ("400MB", "500MB", USUAL, "2GB")]
    assert 0.05 < portions[0] < portions[1] < portions[2] < portions[3] == 1
    assert preparation.portion(Memory.parse(USUAL), 4) < portions[2]
    held = [Memory.parse(text).held for text in ("400MB", USUAL, "2GB")]
    assert held == sorted({*held, 0})[1:]


def contents(run: Run) -> Mapping[str, bytes]:
    """The files of a run, but for those with ids, seconds and dates."""
    own = {"manifest.json", "report.json", "report.html", ".lock", "rejected.xlsx"}
    files = (path for path in run.path.rglob("*") if path.is_file() and path.name not in own)
    return {path.relative_to(run.path).as_posix(): path.read_bytes() for path in files}


def waiting(run: Path) -> set[str]:
    """What waits on the disk: `rows`, and beside them such as `keys` and `lost`."""
    return {
        path.name.partition("-")[0] if path.is_dir() else "rows" for path in (run / ".work/spill").iterdir()
    }


@pytest.mark.parametrize("keep", ["last", "merge"])
def test_rows_wait_on_the_disk_only_where_they_are_many_and_nothing_is_left(
    keep: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    fates = decision.fates

    def look(*arguments: Any) -> Any:
        seen.append(waiting(runs[-1]))
        if len(runs) == 3:
            raise KeyboardInterrupt
        return fates(*arguments)

    monkeypatch.setattr(cleaning, "fates", look)
    runs = [tmp_path / "whole.prep"]
    whole = clean(SAMPLE, runs[-1], keep=keep)
    monkeypatch.setattr(Memory, "rows", lambda *_: 2)
    monkeypatch.setattr(Memory, "held", 0)
    runs.append(tmp_path / "parts.prep")
    parts = clean(SAMPLE, runs[-1], keep=keep)
    runs.append(tmp_path / "broken.prep")
    with pytest.raises(KeyboardInterrupt):
        clean(SAMPLE, runs[-1], keep=keep)

    beside = {"left", "rejected"}
    on_disk = beside | {"rows", "hashes", "keys", "lost", "merged", "discarded"}
    assert seen == [beside, on_disk, on_disk]
    assert contents(whole) == contents(parts)
    assert (runs[-1] / ".work").exists()
    monkeypatch.undo()
    assert contents(resume_cleaning(runs[-1], memory="1GB")) == contents(whole)
    assert [run.name for run in runs if (run / ".work").exists()] == []


def test_rows_that_merge_wait_on_the_disk_where_only_their_hashes_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    fates = decision.fates

    def look(*arguments: Any) -> Any:
        seen.append(waiting(tmp_path / "out.prep"))
        return fates(*arguments)

    monkeypatch.setattr(cleaning, "fates", look)
    monkeypatch.setattr(Memory, "rows", lambda _, size: 2 if size > 1000 else 1_000_000)
    clean(SAMPLE, tmp_path / "out.prep", keep="merge")
    assert seen == [{"left", "rejected", "keys", "lost", "merged", "discarded"}]


def test_what_waited_is_gone_where_cleaning_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Memory, "rows", lambda *_: 2)
    monkeypatch.setattr(cleaning, "fates", fail)
    with pytest.raises(FolderError, match="No space left"):
        clean(SAMPLE, tmp_path / "out.prep")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_taken_up_with_another_bound(tmp_path: Path) -> None:
    run = clean(SAMPLE, tmp_path / "out.prep", memory="400MB")
    before = run.folder.manifest_file.read_bytes()
    assert clean(SAMPLE, tmp_path / "out.prep", memory="2GB").folder.manifest_file.read_bytes() == before
    assert b"memory" not in before


def test_a_first_pass_that_was_given_up_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the last of the dates shows that the day comes first."""
    leads = tmp_path / "leads.csv"
    dates = ["03/04/2026"] * 50 + ["13/04/2026"]
    lines = [f"p{number}@example.com,{date}" for number, date in enumerate(dates)]
    leads.write_text("\n".join(["email,dateOfBirth", *lines]))
    spills: list[weakref.ref[DiskSpill]] = []
    alive: list[bool] = []

    class Seen(DiskSpill):
        def __init__(self, folder: Path, *arguments: Any, **named: Any) -> None:
            if folder.name == "spill":
                gc.collect()
                alive.extend(spill() is not None for spill in spills)
                spills.append(weakref.ref(self))
            super().__init__(folder, *arguments, **named)

    monkeypatch.setattr(cleaning, "DiskSpill", Seen)
    assert clean(leads, tmp_path / "out.prep").counts["ready"] == 51
    assert alive == [False]


def test_nothing_is_cleared_away_while_an_upload_file_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by an error either that comes while upload files are made ahead, twenty of them here."""
    leads = tmp_path / "leads.csv"
    leads.write_text("\n".join(["email,title", *(f"{n}@example.com,{'x' * 200}" for n in range(900))]))
    begun = threading.Event()
    under_way: list[str] = []
    found: list[list[str]] = []
    write_chunk, discard = RunFolder.write_chunk, RunFolder.discard

    def write(folder: RunFolder, name: str, content: bytes, rows: int) -> Chunk:
        under_way.append(name)
        begun.set()
        time.sleep(0.2)
        try:
            return write_chunk(folder, name, content, rows)
        finally:
            under_way.remove(name)

    def look(folder: RunFolder) -> None:
        found.append([*under_way])
        discard(folder)

    def fail(*_: object) -> Iterator[pl.DataFrame]:
        assert begun.wait(60)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunFolder, "write_chunk", write)
    monkeypatch.setattr(RunFolder, "discard", look)
    monkeypatch.setattr(cleaning, "fates", fail)
    with pytest.raises(FolderError, match="No space left"):
        clean(leads, tmp_path / "out.prep", max_bytes=10_000)
    assert found == [[]]
    assert list(tmp_path.iterdir()) == [leads]
