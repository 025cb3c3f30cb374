"""The run folder: everything about one import, and nothing half-written under its final name."""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import polars as pl

from prep import durable
from prep.errors import FolderError
from prep.fate_table import ROWS, write_table
from prep.folding import quoted
from prep.ledger import ASSUMED
from prep.manifest import MANIFEST_VERSION, Manifest, SourceRecord
from prep.model import Chunk
from prep.sources.containers import split_path
from prep.sources.files import digest

_TRACES: Final = frozenset({".lock", ".work", "manifest.json.tmp", "source"})
"""What a run may leave that ended before its manifest had its name; none of it is a link."""

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_WRITABLE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_PERMISSIONS: Final = "Check the permissions, and who you are."
_STREAMED_ROWS: Final = 200_000

_NOT_SENT: Final = "Restore it from a backup, or make a new run with -o DIR."
_SENT: Final = (
    "Restore it from a backup, but no older ledger.sqlite. Do not send the rows by another run: they may be "
    "in Marketo."
)
"""What helps with a damaged file of a run of which nothing was sent, and of one that Marketo may have."""


class RunFolder:
    """The files of one run. Files are readable by their owner only."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest_file = self.path / "manifest.json"
        self.chunks = self.path / "chunks"
        self.received = self.path / "received"
        self.rejected = self.path / "rejected.csv"
        self.rejected_workbook = self.path / "rejected.xlsx"
        self.duplicates = self.path / "duplicates.csv"
        self.merged = self.path / "merged.csv"
        self.failed = self.path / "failed.csv"
        self.warnings = self.path / "warnings.csv"
        self.rows = self.path / "rows.parquet"
        self.settling = self.path / ".settling"
        self.ledger = self.path / "ledger.sqlite"
        self.report = self.path / "report.json"
        self.page = self.path / "report.html"
        self.masked_page = self.path / "report-masked.html"
        self.review = self.path / "review.sqlite"
        self.preview = self.path / "preview.csv"
        self.answers = self.path / "preview.sqlite"
        self.restore = self.path / "restore"
        self.preview_work = self.path / ".preview"
        self.spool = self.path / "source"
        self.work = self.path / ".work"
        self._is_ours = True

    @property
    def typed(self) -> str:
        """The folder as it can be typed into a shell behind the name of a command."""
        return quoted(self.path)

    @property
    def may_be_sent(self) -> bool:
        """Whether Marketo may have rows, as ledger and answers show where the manifest cannot be asked."""
        return self.ledger.exists() or self.received.exists()

    @property
    def sandbox(self) -> Path:
        """State of the local stand-in; the way back of a run leads to the stand-in of that run."""
        parent = self.path.absolute().parent
        is_way_back = self.path.absolute().name == self.restore.name and (parent / "manifest.json").exists()
        return RunFolder(parent).sandbox if is_way_back else self.path / "sandbox.sqlite"

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a folder that a run made.

        Raises:
            FolderError: There is no such folder, it is not a run folder, or its path is not UTF-8.
        """
        folder = cls(path)
        if not folder.path.is_dir():
            raise FolderError(
                f"{path}: there is no such run folder",
                code="no_folder",
                hint="prep clean FILE or prep run FILE makes one: leads.prep of leads.csv.",
                source=str(path),
            )
        folder._refuse_name()
        folder.manifest()
        return folder

    def create(self) -> None:
        """Make the folder, or take one that is there if it is empty or a run folder already.

        Raises:
            FolderError: It cannot be made, holds other things, or its path is not UTF-8.
        """
        try:
            self._refuse_name()
            self._is_ours = not self.path.exists() or self.manifest_file.exists()
            durable.make_folder(self.path)
            strangers = not self.manifest_file.exists() and any(
                entry.name not in _TRACES or entry.is_symlink() for entry in self.path.iterdir()
            )
        except OSError as error:
            raise FolderError(
                f"{self.path}: cannot be used as a run folder: {error.strerror}",
                code="folder_not_writable",
                hint="Choose another place with -o DIR.",
                source=str(self.path),
            ) from error
        if strangers:
            raise FolderError(
                f"{self.path}: holds files that are not of a run",
                code="not_a_run_folder",
                hint="Choose another folder with -o DIR.",
                source=str(self.path),
            )

    def _refuse_name(self) -> None:
        """Refuse a path that polars, which takes every one for UTF-8, does not find or finds elsewhere."""
        for path in (str(self.path.absolute()), os.path.realpath(self.path)):
            shown = os.fsencode(path).decode("utf-8", "replace")
            if shown != path:
                raise FolderError(
                    f"{shown}: the path of the run folder is not UTF-8",
                    code="bad_folder_name",
                    hint="Every name in the path of a run folder must be UTF-8: choose another one with "
                    "-o DIR, or rename it. If they all are, set PYTHONUTF8=1.",
                    source=shown,
                )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes out; the system frees the lock of a process that died.

        Raises:
            FolderError: Another process works on this folder, or the block could not write to it.
        """
        with self._locked(
            ".lock",
            "another prep is working on this run",
            f"Wait for it; prep status {self.typed} shows how far it is.",
        ):
            yield

    @contextmanager
    def review_lock(self) -> Iterator[None]:
        """Keep other pages for correcting rows out; whoever works on the run otherwise is let in.

        Raises:
            FolderError: A page is open, or the block could not write to the folder.
        """
        with self._locked(
            ".review.lock",
            "prep review is open for this run",
            "Go on there, or end it first, with Done or Ctrl-C.",
        ):
            yield

    @contextmanager
    def _locked(self, name: str, found: str, hint: str) -> Iterator[None]:
        with self._errors_of_the_disk(), (self.path / name).open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderError(
                    f"{self.path}: {found}", code="folder_in_use", hint=hint, source=str(self.path)
                ) from None
            yield

    @contextmanager
    def _errors_of_the_disk(self) -> Iterator[None]:
        """Say in our own words that the folder cannot be written."""
        try:
            yield
        except OSError as error:
            number = durable.error_number(error)
            if number in _NO_ROOM and self.manifest_file.exists() and self.manifest().cleaned is None:
                code, hint = "no_space", f"Make room on the disk; prep resume {self.typed} carries on."
            elif number in _NO_ROOM:
                code, hint = "no_space", "Make room on the disk and run the same command again."
            elif number in _NOT_WRITABLE and self.manifest_file.exists():
                code, hint = "folder_not_writable", _PERMISSIONS
            elif number in _NOT_WRITABLE:
                code, hint = "folder_not_writable", "Choose another place with -o DIR."
            else:
                raise
            raise FolderError(
                f"{self.path}: cannot be written: {os.strerror(number)}",
                code=code,
                hint=hint,
                source=str(self.path),
            ) from error

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            FolderError: There is none, or it is damaged.
        """
        try:
            raw = json.loads(self.manifest_file.read_text(encoding="utf-8"))
            version = raw["version"]
            manifest = Manifest.from_json(raw) if version == MANIFEST_VERSION else None
        except FileNotFoundError:
            raise FolderError(
                f"{self.path}: not a run folder (it has no manifest.json)",
                code="not_a_run_folder",
                hint="Name the folder that prep clean or prep run made.",
                source=str(self.path),
            ) from None
        except PermissionError as error:
            raise self._unreadable(self.manifest_file, errno.EACCES) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FolderError(
                f"{self.manifest_file}: damaged",
                code="damaged_manifest",
                hint=_SENT if self.may_be_sent else _NOT_SENT,
                source=str(self.path),
            ) from error
        if manifest is None:
            raise FolderError(
                f"{self.manifest_file}: written by another version of prep (format {version})",
                code="other_version",
                hint="Use the version of prep that made the folder.",
                source=str(self.path),
            )
        return manifest

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest, durably and all at once."""
        durable.write(self.manifest_file, _json_bytes(manifest.to_json()))

    @property
    def home(self) -> Path:
        """The folder that holds it, also where its path is `.` or a symbolic link."""
        return Path(os.path.realpath(self.path)).parent

    def seen_from(self, other: "RunFolder") -> str:
        """Its path from the folder that holds another one, however both were called."""
        return os.path.relpath(os.path.realpath(self.path), other.home)

    @contextmanager
    def noting_retry(self, retry: "RunFolder") -> Iterator[None]:
        """Note where rows of this run are tried again, unless the block fails before anything is there."""
        known = self.manifest()
        name = retry.seen_from(self)
        with retry.discarded_unless_begun():
            self.write_manifest(replace(known, retries=(*known.retries, name)))
        try:
            yield
        except BaseException:
            if not retry.manifest_file.exists():
                self.write_manifest(known)
            raise

    def write_report(self, report: Mapping[str, Any], page: Callable[[], str]) -> None:
        """Replace `report.html`, then `report.json`, which say the same to people and to machines.

        Where they say so already, nothing is written.
        """
        content = _json_bytes(report)
        if self.has_report and self.report.read_bytes() == content:
            return
        durable.write(self.page, page().encode())
        durable.write(self.report, content)

    @property
    def has_report(self) -> bool:
        """Whether a report was written to its end."""
        return self.page.exists() and self.report.exists()

    def write_page(self, path: Path, page: str) -> None:
        """Replace one of the run's pages.

        Raises:
            FolderError: Another process works on this folder, or it cannot be written.
        """
        with self.lock():
            durable.write(path, page.encode())

    def begin(self, manifest: Manifest) -> None:
        """Note what is going to be done, and clear away what an interrupted attempt left."""
        self.write_manifest(manifest)
        shutil.rmtree(self.work, ignore_errors=True)
        for path in (self.work, self.work / "chunks"):
            path.mkdir(mode=durable.FOLDER_MODE)

    def forget(self) -> None:
        """Delete everything that holds a person's data; counts, row numbers and batch ids stay.

        Doing it again deletes what an interruption left.

        Raises:
            FolderError: Something cannot be deleted.
        """
        self.write_manifest(replace(self.manifest(), is_purged=True))
        if (self.restore / "manifest.json").exists() and (
            way_back := RunFolder(self.restore)
        ).manifest().has_ledger:
            way_back.forget()
        else:
            _delete(self.restore)
        for path in (self.work, self.chunks, self.received, self.spool, self.preview_work):
            _delete(path)
        for path in (
            self.rejected,
            self.rejected_workbook,
            self.duplicates,
            self.merged,
            self.failed,
            self.warnings,
            self.review,
            self.review.with_name(f"{self.review.name}-journal"),
            self.preview,
            self.answers,
            self.answers.with_name(f"{self.answers.name}-journal"),
            *(self.path / f"sandbox.sqlite{tail}" for tail in ("", "-wal", "-shm")),
        ):
            _delete(path)
            _delete(path.with_name(f"{path.name}.tmp"))
        _delete(self.settling)
        own = pl.when(pl.col("message") == ASSUMED).then("message")
        self.write_rows(part.with_columns(key=None, message=own) for part in self.stream_rows())

    def strangers(self) -> list[Path]:
        """What others put beside that which `forget` leaves; run folders tell of themselves."""
        own = {self.manifest_file, self.rows, self.ledger, self.report, self.page, self.masked_page}
        return sorted(
            path
            for path in {*self.path.iterdir()} - own
            if not path.name.startswith((".", f"{self.ledger.name}-"))
            and not RunFolder(path).manifest_file.exists()
        )

    def discard(self) -> None:
        """Remove what a run left that was not finished, and its folder, if `create` made that."""
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        if self._is_ours:
            self.path.rmdir()

    def discard_work(self) -> None:
        """Remove what an attempt at cleaning left, and nothing that the next one needs."""
        shutil.rmtree(self.work, ignore_errors=True)

    def location(self, record: SourceRecord) -> str:
        """Where a source of this run can be read."""
        return str(self.spool / record.copy) if record.copy else record.path

    def holds(self, record: SourceRecord) -> bool:
        """Whether a source of this run is still there."""
        return Path(split_path(self.location(record))[0]).is_file()

    @contextmanager
    def discarded_unless_begun(self) -> Iterator[None]:
        """Leave no folder behind when the block fails or is interrupted before the manifest was written."""
        try:
            yield
        except BaseException:
            if not self.manifest_file.exists():
                self.discard()
            raise

    def write_chunk(self, name: str, content: bytes, rows: int) -> Chunk:
        """Store one upload file of a run that is being cleaned."""
        path = self.work / "chunks" / name
        durable.write(path, content)
        return Chunk(f"chunks/{name}", rows, len(content), sha256(content).hexdigest())

    def finish(self, manifest: Manifest) -> None:
        """Give everything that cleaning made its final name; the manifest comes last."""
        shutil.rmtree(self.chunks, ignore_errors=True)
        for path in sorted(self.work.iterdir()):
            if not path.name.endswith(".tmp") and path.name != "spill":
                path.replace(self.path / path.name)
        durable.sync_directory(self.path)
        shutil.rmtree(self.work, ignore_errors=True)
        self.write_manifest(manifest)

    def read_chunk(self, chunk: Chunk) -> bytes:
        """Read an upload file back.

        Raises:
            FolderError: It is missing or not the file that cleaning wrote.
        """
        path = self.path / chunk.file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FolderError(
                f"{path}: cannot be read: {error.strerror}",
                code="missing_chunk",
                hint=f"{_SENT} prep status {self.typed} shows the jobs." if self.may_be_sent else _NOT_SENT,
                source=str(path),
            ) from error
        if sha256(content).hexdigest() != chunk.sha256:
            raise FolderError(
                f"{path}: changed since it was written",
                code="chunk_changed",
                hint=f"{_SENT} prep status {self.typed} shows the jobs."
                if self.may_be_sent
                else "Restore it from a backup, or correct the source and make a new run with -o DIR.",
                source=str(path),
            )
        return content

    def receive(self, name: str, content: bytes) -> None:
        """Keep a file exactly as Marketo sent it."""
        durable.make_folder(self.received)
        durable.write(self.received / name, content)

    def has_received(self, name: str) -> bool:
        """Whether Marketo sent this file."""
        return (self.received / name).exists()

    def received_file(self, name: str) -> bytes:
        """A file that Marketo sent, empty if it sent none."""
        return (self.received / name).read_bytes() if self.has_received(name) else b""

    def read_rows(self) -> pl.DataFrame:
        """The fate of every source row, in source order; the columns are those of `ROWS`.

        Raises:
            FolderError: The table is missing or damaged.
        """
        return self.query_rows(lambda rows: rows)

    def stream_rows(self, *names: str) -> Generator[pl.DataFrame]:
        """As `read_rows`, part after part, at least one; of these columns alone if any are named.

        Raises:
            FolderError: As `read_rows`.
        """
        columns = names or tuple(ROWS)
        rows = self.query_rows(lambda table: table.select(pl.len())).item()
        for start in range(0, rows or 1, _STREAMED_ROWS):
            yield self.query_rows(partial(_rows_from, start, columns))

    def query_rows(self, query: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
        """What a query makes of the table of fates; only what it needs is read.

        Raises:
            FolderError: As `read_rows`.
        """
        try:
            table = pl.scan_parquet(self.rows.absolute(), glob=False, hive_partitioning=False)
            if table.collect_schema() == pl.Schema(ROWS):
                return query(table).collect(engine="streaming")
        except (OSError, pl.exceptions.PolarsError) as error:
            if (number := durable.error_number(error)) in _NOT_WRITABLE:
                raise self._unreadable(self.rows, number) from error
            raise self._damaged_rows() from error
        raise self._damaged_rows()

    def count_rows(self) -> dict[str, int]:
        """How many source rows have each fate.

        Raises:
            FolderError: As `read_rows`.
        """
        return dict(self.query_rows(lambda rows: rows.group_by("fate").len()).rows())

    def _unreadable(self, path: Path, number: int) -> FolderError:
        return FolderError(
            f"{path}: cannot be read: {os.strerror(number)}",
            code="folder_not_readable",
            hint=_PERMISSIONS,
            source=str(self.path),
        )

    def other_run(self, how: str) -> FolderError:
        """What to raise where the folder was made otherwise than it is wanted now."""
        hint = "Choose another folder with -o DIR, or remove this one if it is not needed."
        if self.may_be_sent:
            hint = (
                f"Keep this one, for its rows may be in Marketo. prep retry {self.typed} sends failed rows "
                "and those that were corrected in its tables; a new run, with -o DIR, sends every row."
            )
        return FolderError(f"{self.path}: was made {how}", code="other_run", hint=hint, source=str(self.path))

    def _damaged_rows(self) -> FolderError:
        return FolderError(
            f"{self.rows}: missing or damaged",
            code="damaged_rows",
            hint=f"{_SENT} prep status {self.typed} shows the jobs." if self.may_be_sent else _NOT_SENT,
            source=str(self.path),
        )

    def write_rows(self, rows: pl.DataFrame | Iterable[pl.DataFrame], path: Path | None = None) -> None:
        """Replace the table of fates; columns of `ROWS` that are missing are blank.

        Args:
            rows: The table, as a whole or in parts that are taken one after the other.
            path: Where to write it instead.
        """
        parts = [rows] if isinstance(rows, pl.DataFrame) else rows
        with durable.replacing(path or self.rows) as file:
            write_table(parts, file)


def _rows_from(start: int, names: Sequence[str], rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select(names).slice(start, _STREAMED_ROWS)


def check_sources(folder: RunFolder, manifest: Manifest) -> None:
    """Refuse to go on when a source is no longer what was cleaned; one that is gone is no obstacle.

    Raises:
        FolderError: A source changed.
        SourceError: One cannot be read.
    """
    for source in manifest.sources:
        if folder.holds(source) and digest(folder.location(source)) != source.sha256:
            where = "A relative path counts from the folder where the run was made."
            raise FolderError(
                f"{source.path}: changed since it was cleaned",
                code="source_changed",
                hint=f"Restore the file, or move it away: the run goes on without it. {where}"
                if folder.may_be_sent
                else f"Restore the file, or make a new run from the changed one with -o DIR. {where}",
                source=source.path,
            )


def _delete(path: Path) -> None:
    """Make sure that a file, or a folder with all that is in it, is not there.

    Raises:
        FolderError: It cannot be deleted.
    """
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise FolderError(
            f"{path}: cannot be deleted: {error.strerror or error}",
            code="not_deleted",
            hint="Delete it yourself or change its permissions, then run the same command again.",
            source=str(path),
        ) from error


def _json_bytes(content: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(content, ensure_ascii=False, indent=2)}\n".encode()
