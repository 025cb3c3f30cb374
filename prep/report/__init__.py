"""Numbers that close, for machines and for people."""

from prep.report.numbers import build_report, exit_code, find_state, read_jobs
from prep.report.text import describe_check, describe_mapping, summarise

__all__ = [
    "build_report",
    "describe_check",
    "describe_mapping",
    "exit_code",
    "find_state",
    "read_jobs",
    "summarise",
]
