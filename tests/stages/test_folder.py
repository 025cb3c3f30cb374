import errno
import json
import os
import resource
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from prep import cleaning, durable
from prep.config import Destination
from prep.errors import BalanceError, FolderError, SourceError
from prep.fate_table import ROWS, add_up
from prep.folder import RunFolder, check_sources
from prep.manifest import Manifest
from prep.model import Chunk
from prep.pipeline import Run, check, clean, purge, resume_cleaning
from prep.runs import open_folder, refuse_half_settled
from prep.spill import DiskSpill

LEADS = "email,firstName,numberOfEmployees\na@example.com,=Ana,5\nnobody,Bo,6\na@example.com,Ana,7\n"


@pytest.fixture
def leads(tmp_path: Path) -> Path:
    path = tmp_path / "leads.csv"
    path.write_text(LEADS)
    return path


@pytest.fixture
def run(leads: Path, tmp_path: Path) -> Run:
    return clean(leads, tmp_path / "leads.prep", destination=Destination("sandbox", list_name="Newsletter"))


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def edit(run: Run, change: Callable[[dict[str, Any]], object]) -> None:
    raw = json.loads(run.folder.manifest_file.read_text())
    change(raw)
    run.folder.manifest_file.write_text(json.dumps(raw))


def test_a_run_folder_and_who_may_read_it(run: Run) -> None:
    modes = {name: stat.S_IMODE((run.path / name).stat().st_mode) for name in names(run.path)}
    assert modes.pop(".lock") in {0o600, 0o644}  # empty
    assert modes.pop("chunks") == stat.S_IMODE(run.path.stat().st_mode) == 0o700
    assert modes == dict.fromkeys(
        [
            *("chunks/leads-0001.csv", "duplicates.csv", "manifest.json", "rejected.csv", "rejected.xlsx"),
            *("report.html", "report.json", "rows.parquet"),
        ],
        0o600,
    )


def test_no_name_is_lost_in_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each was there when its folder was last written through: the copy of the source too, and its folder."""
    there: dict[Path, set[Path]] = {}
    sync = durable.sync_directory

    def synced(path: Path) -> None:
        there[path] = set(path.iterdir())
        sync(path)

    monkeypatch.setattr(durable, "sync_directory", synced)
    run = clean(pl.DataFrame({"email": ["a@example.com"]}), tmp_path / "runs" / "out.prep")
    run.folder.receive("leads-0001.1001.failures.csv", b"email\n")
    found = {path for path in tmp_path.rglob("*") if path.name != ".lock"}
    assert {"out.prep", "0001.parquet", "received", "leads-0001.csv"} <= {path.name for path in found}
    assert found - set().union(*there.values()) == {run.folder.chunks / "leads-0001.csv"}, "as named in .work"


def test_the_manifest_reads_back_what_was_written(run: Run) -> None:
    manifest = run.folder.manifest()
    assert Manifest.from_json(json.loads(json.dumps(manifest.to_json()))) == manifest
    assert manifest.destination == Destination("sandbox", list_name="Newsletter")
    assert manifest.results.chunks[0].rows == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda raw: raw.update(version=2), "other_version"),
        (lambda raw: (raw.clear(), raw.update(version=2, all_new=True)), "other_version"),
        (lambda raw: raw.pop("version"), "damaged_manifest"),
        (lambda raw: raw.pop("sources"), "damaged_manifest"),
        (lambda raw: raw["sources"][0].pop("sha256"), "damaged_manifest"),
        (lambda raw: raw["sources"][0].update(columns=None), "damaged_manifest"),
        (lambda raw: raw["cleaned"]["chunks"][0].update(size=1), "damaged_manifest"),
        (lambda raw: raw.update(cleaned=[1]), "damaged_manifest"),
        (lambda raw: raw.update(destination={"host": "x"}), "damaged_manifest"),
    ],
)
def test_a_damaged_manifest_is_refused(
    run: Run, change: Callable[[dict[str, Any]], object], code: str
) -> None:
    edit(run, change)
    with pytest.raises(FolderError) as caught:
        RunFolder.open(run.path)
    assert caught.value.code == code


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 10])
def test_a_manifest_that_is_no_json_object_is_refused(run: Run, content: bytes) -> None:
    run.folder.manifest_file.write_bytes(content)
    with pytest.raises(FolderError) as caught:
        run.folder.manifest()
    assert caught.value.code == "damaged_manifest"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path.exists(), "no_folder"),
        (lambda path: path.write_text("x"), "no_folder"),
        (lambda path: path.mkdir(), "not_a_run_folder"),
    ],
)
def test_only_a_run_folder_can_be_opened(tmp_path: Path, make: Callable[[Path], object], code: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(FolderError) as caught:
        RunFolder.open(tmp_path / "x")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "code"), [("notes.txt", "not_a_run_folder"), ("report.json", "not_a_run_folder")]
)
def test_other_peoples_folders_are_left_alone(leads: Path, tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / name).write_text("mine")
    with pytest.raises(FolderError) as caught:
        clean(leads, tmp_path / "x")
    assert caught.value.code == code
    assert names(tmp_path / "x") == [name]


def test_a_file_in_the_way_is_refused(leads: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(FolderError, match="cannot be used as a run folder"):
        clean(leads, tmp_path / "x")
    with pytest.raises(FolderError, match="cannot be used as a run folder"):
        clean(leads, tmp_path / "x" / "y")
    assert (tmp_path / "x").read_text() == "mine"


@pytest.mark.parametrize("trace", [".lock", "manifest.json.tmp"])
def test_what_a_crash_left_before_the_manifest_is_no_obstacle(
    leads: Path, tmp_path: Path, trace: str
) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / trace).write_text("{")
    assert clean(leads, tmp_path / "x").counts["read"] == 3
    assert "manifest.json.tmp" not in names(tmp_path / "x")


@pytest.mark.parametrize("trace", [".lock", ".work", "manifest.json.tmp", "source"])
def test_a_link_is_no_trace_of_a_crash(leads: Path, tmp_path: Path, trace: str) -> None:
    elsewhere = tmp_path / "home"
    elsewhere.mkdir()
    (elsewhere / ".profile").write_text("umask 077")
    (tmp_path / "x").mkdir()
    is_folder = trace in {".work", "source"}
    (tmp_path / "x" / trace).symlink_to(elsewhere if is_folder else elsewhere / ".profile")
    with pytest.raises(FolderError) as caught:
        clean(leads, tmp_path / "x")
    assert caught.value.code == "not_a_run_folder"
    assert names(tmp_path / "x") == [trace]
    assert (names(elsewhere), (elsewhere / ".profile").read_text()) == ([".profile"], "umask 077")


PROGRAM = textwrap.dedent("""
    import sys
    from prep.errors import PrepError
    from prep.pipeline import clean, submit
    from prep.folder import RunFolder
    try:
        with RunFolder(sys.argv[1]).lock():
            print("got it")
    except PrepError as error:
        print(error.code)
""")


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("leads.prep", "leads.prep"),
        ("my leads.prep", "'my leads.prep'"),
        ("-x.prep", "./-x.prep"),
        ("a$(touch PWN2);b.prep", "'a$(touch PWN2);b.prep'"),
    ],
)
def test_commands_in_hints_name_the_folder_as_a_shell_reads_it(
    leads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, typed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run = clean(leads, name)
    with pytest.raises(FolderError) as unfinished:
        purge(run)
    with run.folder.lock(), pytest.raises(FolderError) as in_use:
        clean(leads, name)
    run.folder.settling.touch()
    with pytest.raises(FolderError) as half_settled:
        refuse_half_settled(run.folder)
    run.folder.write_manifest(replace(run.folder.manifest(), is_purged=True))
    with pytest.raises(FolderError) as purged:
        open_folder(run)
    hints = [caught.value.hint for caught in (unfinished, in_use, half_settled, purged)]
    assert hints == [
        f"prep status {typed} tells more. To give the run up, delete the folder.",
        f"Wait for it; prep status {typed} shows how far it is.",
        f"prep resume {typed} writes them.",
        f"prep report {typed} still shows its numbers.",
    ]


def ask_for_lock(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_two_processes_never_work_on_one_folder(run: Run, leads: Path) -> None:
    with run.folder.lock():
        assert ask_for_lock(run.path) == "folder_in_use"
        with pytest.raises(FolderError, match="another prep is working on this run"):
            clean(leads, run.path)
    assert ask_for_lock(run.path) == "got it"


def test_a_changed_chunk_is_refused(run: Run) -> None:
    (chunk,) = run.folder.manifest().results.chunks
    assert run.folder.read_chunk(chunk) == b"email,firstName,numberOfEmployees\na@example.com,Ana,7\n"
    (run.path / chunk.file).write_bytes(b"email\nb@example.com\n")
    with pytest.raises(FolderError) as changed:
        run.folder.read_chunk(chunk)
    (run.path / chunk.file).unlink()
    with pytest.raises(FolderError) as missing:
        run.folder.read_chunk(chunk)
    assert [changed.value.code, missing.value.code] == ["chunk_changed", "missing_chunk"]


@pytest.mark.parametrize("left", ["", "ledger.sqlite", "received"])
def test_a_damaged_run_is_made_anew_only_if_nothing_was_sent(run: Run, leads: Path, left: str) -> None:
    manifest = run.folder.manifest()
    (chunk,) = manifest.results.chunks
    if was_sent := bool(left):
        (run.path / left).touch()
    leads.write_text(LEADS + "\n")
    (run.path / chunk.file).write_bytes(b"email\n")
    hints = []

    def note(act: Callable[[], object]) -> None:
        with pytest.raises(FolderError) as caught:
            act()
        hints.append(caught.value.hint)

    note(lambda: check_sources(run.folder, manifest))
    note(lambda: run.folder.read_chunk(chunk))
    (run.path / chunk.file).unlink()
    note(lambda: run.folder.read_chunk(chunk))
    for path, look in (
        (run.folder.rows, run.folder.read_rows),
        (run.folder.manifest_file, run.folder.manifest),
    ):
        path.write_bytes(b"{")
        note(look)
    assert len(hints) == 5
    for hint in hints:
        assert ("make a new run" in hint) is not was_sent
        assert hint.startswith("Restore ")


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"x" * 100])
def test_damaged_fates_are_refused(run: Run, content: bytes | None) -> None:
    if content is None:
        run.folder.rows.unlink()
    else:
        run.folder.rows.write_bytes(content)
    with pytest.raises(FolderError) as caught:
        run.rows  # noqa: B018
    assert caught.value.code == "damaged_rows"


def test_fates_of_another_shape_are_refused(run: Run) -> None:
    run.rows.drop("fate").write_parquet(run.folder.rows)
    with pytest.raises(FolderError, match="missing or damaged"):
        run.rows  # noqa: B018


def test_a_source_may_be_gone_but_not_changed(run: Run, leads: Path) -> None:
    manifest = run.folder.manifest()
    check_sources(run.folder, manifest)
    leads.write_text(LEADS + "\n")
    with pytest.raises(FolderError) as caught:
        check_sources(run.folder, manifest)
    assert caught.value.code == "source_changed"
    leads.unlink()
    check_sources(run.folder, manifest)


def test_every_row_needs_one_known_fate() -> None:
    counts = add_up({"ready": 2, "failed": 1}, 3)
    assert {fate: number for fate, number in counts.items() if number} == {"read": 3, "ready": 2, "failed": 1}
    assert list(counts) == [
        *("read", "rejected", "suppressed", "duplicate", "ready", "sent", "imported", "warned", "failed"),
        "unknown",
    ]
    for wrong, read in (({"ready": 3}, 4), ({"ready": 3}, 2), ({"ready": 1, "lost": 1}, 2)):
        with pytest.raises(BalanceError):
            add_up(wrong, read)


def test_rows_are_written_with_all_their_columns(run: Run) -> None:
    assert run.rows.schema == pl.Schema(ROWS)
    assert list(ROWS)[:11] == [
        *("source", "row", "line", "fate", "reasons", "key", "kept_source", "kept_row"),
        *("chunk", "batch_id", "message"),
    ]


def test_a_write_that_fails_leaves_the_file_as_it_was(run: Run) -> None:
    before = run.folder.report.read_bytes()
    with pytest.raises(TypeError):
        run.folder.write_report({"x": object()}, str)
    with pytest.raises(pl.exceptions.PolarsError):
        run.folder.write_rows(pl.DataFrame({"row": ["no number"]}))
    assert run.folder.report.read_bytes() == before
    assert [name for name in names(run.path) if name.endswith(".tmp")] == []


def test_a_report_is_written_once_and_again_where_its_page_is_gone(run: Run) -> None:
    told = json.loads(run.folder.report.read_bytes())
    run.folder.write_report(told, lambda: "other")
    assert run.folder.page.read_text() != "other"
    run.folder.page.unlink()
    run.folder.write_report(told, lambda: "made anew")
    assert run.folder.page.read_text() == "made anew"
    run.folder.write_report({**told, "exit_code": 9}, lambda: "changed")
    assert run.folder.page.read_text() == "changed"
    assert json.loads(run.folder.report.read_bytes())["exit_code"] == 9


FULL_DISK = textwrap.dedent("""
    import resource, sys
    from prep.errors import PrepError
    from prep.pipeline import clean
    limit = int(sys.argv[3])
    import pandera.polars, xlsxwriter, email_validator
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        clean(sys.argv[1], sys.argv[2], keep="merge")
    except PrepError as error:
        print(error.code, error.exit_code, error.hint)
""")


@pytest.mark.parametrize("limit", [200, 300_000])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, limit: int) -> None:
    """The limit stops the manifest, or what comes later."""
    leads = tmp_path / "leads.csv"
    lines = [f"person{number}@example.com,{'x' * 200}" for number in range(2_000)]
    leads.write_text("\n".join(["email,mktoPersonNotes", "nobody,x", *lines]))
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(leads), str(tmp_path / "out.prep"), str(limit)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout == "no_space 1 Make room on the disk and run the same command again.\n"
    assert not (tmp_path / "out.prep").exists()
    assert clean(leads, tmp_path / "out.prep").counts["ready"] == 2_000


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_came_only_once_outlives_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, out = pl.DataFrame({"email": ["a@example.com"]}), tmp_path / "out.prep"
    for attempt in (partial(clean, frame, out), partial(resume_cleaning, out)):
        with monkeypatch.context() as during:
            during.setattr(cleaning, "decide", full_disk)
            with pytest.raises(FolderError) as caught:
                attempt()
        hint = f"Make room on the disk; prep resume {out} carries on."
        assert (caught.value.code, caught.value.hint) == ("no_space", hint)
        assert names(out) == [".lock", "manifest.json", "source", "source/0001.parquet"]
    assert resume_cleaning(out).counts["ready"] == 1


def test_a_check_on_a_full_disk_leaves_nothing_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "decide", full_disk)
    with pytest.raises(FolderError) as caught:
        check(pl.DataFrame({"email": ["a@example.com"]}), tmp_path / "scratch")
    assert caught.value.hint == "Make room on the disk and run the same command again."
    assert names(tmp_path) == []


def test_a_run_that_is_there_and_cannot_be_written_is_not_to_be_made_anew_elsewhere(
    leads: Path, tmp_path: Path
) -> None:
    folder = clean(leads, tmp_path / "out.prep").folder
    with pytest.raises(FolderError) as caught, folder.lock():
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    assert caught.value.code == "folder_not_writable"
    assert caught.value.hint == "Check the permissions, and who you are.", "its rows may be in Marketo"


@pytest.mark.parametrize("change", [None, "email\nb@example.com\n"])
def test_a_folder_that_is_taken_up_is_never_removed(
    leads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str | None
) -> None:
    """Neither by a full disk nor by a file that is written to meanwhile."""
    out, before = tmp_path / "out.prep", leads.read_text()
    with monkeypatch.context() as during:
        during.setattr(cleaning, "decide", killed)
        with pytest.raises(KeyboardInterrupt):
            clean(leads, out)

    def fill(*arguments: Any, **named: Any) -> None:
        if change is None:
            full_disk()
        leads.write_text(change or "")
        really_fill(*arguments, **named)

    really_fill = cleaning._fill  # between the digest and the rows
    with monkeypatch.context() as during:
        during.setattr(cleaning, "_fill", fill)
        with pytest.raises(FolderError if change is None else SourceError):
            resume_cleaning(out)
    assert names(out) == [".lock", "manifest.json"]
    leads.write_text(before)
    assert resume_cleaning(out).counts["read"] == 3


@contextmanager
def files_up_to(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_table_of_fates_as_it_was(run: Run) -> None:
    before = run.folder.rows.read_bytes()
    with files_up_to(len(before) // 2), pytest.raises(OSError, match="File too large"):
        run.folder.write_rows(run.folder.read_rows())
    assert run.folder.rows.read_bytes() == before
    assert [name for name in names(run.path) if name.endswith(".tmp")] == []


def test_every_reader_of_a_spill_is_told_that_it_could_not_be_written(tmp_path: Path) -> None:
    with ThreadPoolExecutor(max_workers=1) as beside:
        spill = DiskSpill(tmp_path / "spill", beside)
        with files_up_to(100):
            spill.append(pl.DataFrame({"email": ["a@example.com"] * 50}))
            for _ in range(2):
                with pytest.raises(OSError, match="File too large"):
                    iter(spill)


def test_an_interrupted_clean_is_redone(run: Run, leads: Path, tmp_path: Path) -> None:
    """As after a kill between two renames: some files have their names, the manifest says nothing of them."""
    expected = {name: (run.path / name).read_bytes() for name in names(run.path) if name.endswith(".csv")}
    run_id = run.report["run_id"]
    edit(run, lambda raw: raw.update(cleaned=None))
    run.folder.rejected.write_text("half a table")
    (run.folder.work / "spill").mkdir(parents=True)
    (run.folder.work / "chunks").mkdir()
    (run.folder.work / "chunks" / "leads-0007.csv").write_text("left over")
    (run.folder.work / "rejected.csv.tmp").write_text("half")
    (run.folder.chunks / "leads-0009.csv").write_text("left over")
    again = resume_cleaning(run.path)
    found = {name: (run.path / name).read_bytes() for name in names(run.path) if name.endswith(".csv")}
    assert found == expected
    assert (again.report["run_id"], again.report["goal"]) == (run_id, "run")
    assert not run.folder.work.exists()
    assert clean(leads, tmp_path / "leads.prep").report["run_id"] == run_id


def test_nothing_can_be_done_with_a_run_that_was_not_finished(run: Run) -> None:
    edit(run, lambda raw: raw.update(cleaned=None))
    with pytest.raises(FolderError) as caught:
        run.report  # noqa: B018
    assert (caught.value.code, caught.value.hint) == ("not_cleaned", "prep resume DIR carries on.")


def test_chunk_facts_are_those_of_the_file(run: Run) -> None:
    content = (run.path / "chunks/leads-0001.csv").read_bytes()
    (chunk,) = run.folder.manifest().results.chunks
    assert chunk == Chunk("chunks/leads-0001.csv", 1, len(content), sha256(content).hexdigest())
