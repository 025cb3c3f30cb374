"""Numbers that close, for machines and for people."""

from prep.report.numbers import build_report, exit_code, read_jobs
from prep.report.text import summarise

__all__ = ["build_report", "exit_code", "read_jobs", "summarise"]
