"""How a run ends for an orchestrator: its report, with the exit code that the command line would give."""

import json
from collections.abc import Mapping
from typing import Any, Final

from prep.errors import EXIT_RUNNING, EXIT_UNKNOWN
from prep.folding import counted
from prep.report import build_report, write_report
from prep.runs import Run
from prep.tolerance import Limit

NO_ROWS: Final = "no_rows"
"""Code of the error about sources without one data row."""


def close(run: Run, *, allow_rejects: bool = False, exit_code: int | None = None) -> dict[str, Any]:
    """Write a run's report, and return it: the content of `report.json`.

    Args:
        run: A cleaned run.
        allow_rejects: As `--allow-rejects`.
        exit_code: The exit code, if it is not the one that the numbers mean; what is unknown or under way
            decides all the same.
    """
    report = build_report(run.folder, allow_rejects=allow_rejects)
    if exit_code is not None and report["exit_code"] not in {EXIT_RUNNING, EXIT_UNKNOWN}:
        report["exit_code"] = exit_code
    write_report(run.folder, report)
    written: dict[str, Any] = json.loads(run.folder.report.read_text(encoding="utf-8"))
    return written


def refusal(run: Run, max_rejected: str | int | None) -> str:
    """Why a run is not sent that has more rejected rows than `--max-rejected` allows.

    It is empty if the run is sent, or was sent and finished before.

    Raises:
        SettingsError: The limit is neither a number of rows nor a share.
    """
    if max_rejected is None:
        return ""
    limit, counts = Limit.parse(max_rejected), run.counts
    is_refused = limit.is_exceeded(counts) and run.report["state"] != "reconciled"
    return limit.refusal(counts) if is_refused else ""


def describe(counts: Mapping[str, int]) -> str:
    """One sentence of counts, such as `4 rows read: 2 imported, 1 rejected, 1 duplicate`."""
    found = ", ".join(f"{rows:,} {fate}" for fate, rows in counts.items() if rows and fate != "read")
    return f"{counted(counts['read'], 'row')} read: {found}"
