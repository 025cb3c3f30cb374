"""A run as callers hold it: its folder, and what that says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl

from prep.errors import FolderError
from prep.folder import RunFolder
from prep.model import Fate
from prep.report import build_report, count_now, read_jobs


@dataclass(frozen=True, repr=False)
class Run:
    """A run folder and what it says."""

    folder: RunFolder

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Take a run up that was cleaned before, here or in another process.

        Raises:
            FolderError: The folder is no run folder, is damaged, or its cleaning was interrupted.
        """
        run = cls(RunFolder.open(path))
        if run.folder.manifest().cleaned is None:
            raise FolderError(
                f"{path}: cleaning was interrupted",
                code="not_cleaned",
                hint=f"prep resume {run.folder.typed} carries on.",
                source=str(path),
            )
        return run

    @property
    def path(self) -> Path:
        """Where the folder is."""
        return self.folder.path

    @property
    def report(self) -> dict[str, Any]:
        """What `report.json` says, made anew from manifest, rows and ledger."""
        return build_report(self.folder)

    @property
    def counts(self) -> dict[str, int]:
        """Rows by fate, now; `read` is how many the sources have, and the sum of all others.

        Raises:
            BalanceError: The fates do not add up to it.
        """
        return count_now(self.folder, self.folder.manifest(), read_jobs(self.folder))

    @property
    def rows(self) -> pl.DataFrame:
        """The fate of every source row, in source order.

        Its columns are `source`, `row`, `line`, `fate`, `reasons`, `key`, `kept_source`, `kept_row`, `chunk`,
        `batch_id`, `message` and `matched_by`, as in `rows.parquet`.
        """
        return self.folder.read_rows()


def open_folder(run: Run | str | Path) -> RunFolder:
    """The folder of a run that can still be worked on.

    Raises:
        FolderError: There is none, or its data was deleted.
    """
    folder = run.folder if isinstance(run, Run) else RunFolder.open(run)
    refuse_purged(folder)
    return folder


def refuse_purged(folder: RunFolder) -> None:
    """Refuse a run whose data was deleted: nothing can be done with it, and nothing may come back into it.

    Raises:
        FolderError: It is so.
    """
    if folder.manifest().is_purged:
        raise FolderError(
            f"{folder.path}: its data was deleted with prep purge",
            code="purged",
            hint=f"prep report {folder.typed} still shows its numbers.",
            source=str(folder.path),
        )


def refuse_half_settled(folder: RunFolder) -> None:
    """Refuse a run whose tables may lack rows that failed.

    Raises:
        FolderError: Settling was interrupted.
    """
    if folder.settling.exists():
        raise FolderError(
            f"{folder.path}: {folder.failed.name} and {folder.warnings.name} were not written to their end",
            code="tables_not_finished",
            hint=f"prep resume {folder.typed} writes them.",
            source=str(folder.path),
        )


def refuse_open(folder: RunFolder, report: Mapping[str, Any]) -> None:
    """Refuse a run that has rows whose fate is still to come.

    Raises:
        FolderError: There are some.
    """
    open_fates = [fate for fate in (Fate.READY, Fate.SENT, Fate.UNKNOWN) if report["counts"][fate]]
    if open_fates:
        raise FolderError(
            f"{folder.path}: still has rows that are {', '.join(open_fates)}",
            code="not_finished",
            hint=f"prep status {folder.typed} tells more. To give the run up, delete the folder.",
            source=str(folder.path),
        )
