"""Numbers that close, for machines and for people."""

from collections.abc import Mapping
from typing import Any

from prep.folder import RunFolder
from prep.report.changes import describe_preview, note_preview
from prep.report.masking import MASKED_FOLDER, mask_report
from prep.report.numbers import build_report, count_now, find_state, has_begun, read_jobs
from prep.report.page import render_page
from prep.report.text import describe_check, describe_mapping, describe_source, summarise

__all__ = [
    "MASKED_FOLDER",
    "build_report",
    "count_now",
    "describe_check",
    "describe_mapping",
    "describe_preview",
    "describe_source",
    "find_state",
    "has_begun",
    "mask_report",
    "note_preview",
    "read_jobs",
    "render_page",
    "summarise",
    "write_report",
]


def write_report(folder: RunFolder, report: Mapping[str, Any] | None = None) -> None:
    """Write a run's report, by default made anew, into its folder: for machines and for people."""
    told = build_report(folder) if report is None else report
    folder.write_report(told, lambda: render_page(told, folder=str(folder.path)))
