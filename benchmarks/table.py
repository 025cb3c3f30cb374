"""The results as a table, for the terminal and for `benchmarks/README.md`."""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from benchmarks.measure import Measurement
from benchmarks.peers import version_of

README: Final = Path(__file__).with_name("README.md")
BEGIN: Final = "<!-- results: written by `python -m benchmarks --peers --write` -->"
END: Final = "<!-- end of results -->"
FLOOR: Final = "floor"
PREP: Final = "prep clean"

_OURS: Final = ("leadprep", "polars", "pandera", "email-validator")
_COLUMNS: Final = (
    "",
    "rows",
    "seconds",
    "rows/s",
    "to prep",
    "to floor",
    "cpu s",
    "peak MB",
    "valid",
    "kept",
)


@dataclass(frozen=True)
class Result:
    """What went through a file of this many rows, and its quickest run."""

    name: str
    rows: int
    run: Measurement

    @property
    def counts(self) -> dict[str, int | None]:
        """What it answered on its last line; prep's are in its report."""
        answer = json.loads(self.run.stdout.splitlines()[-1]) if self.run.stdout else {}
        counts: dict[str, int | None] = answer.get("counts", answer)
        return counts


@dataclass(frozen=True)
class LeftOut:
    """Who is not in the table, and why."""

    name: str
    why: str


def machine(distributions: Sequence[str] = ()) -> str:
    """What it ran on: machine and versions, of ours and of these."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = dict.fromkeys([*_OURS, *distributions])
    versions = [f"{name} {installed}" for name in names if (installed := version_of(name))]
    return ", ".join(
        [
            f"{platform.system()} {platform.machine()}",
            f"{os.cpu_count()} processors",
            f"{memory:.0f} GiB",
            f"Python {platform.python_version()}",
            *versions,
        ]
    )


def table(results: Sequence[Result]) -> Iterator[str]:
    """Markdown, aligned; ratios of seconds are to prep and floor over the same file."""
    seconds = {(result.name, result.rows): result.run.seconds for result in results}
    yield from aligned_table([_COLUMNS, *(_cells(result, seconds) for result in results)])


def aligned_table(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Markdown of lines of cells, the first of which is the header; all but the first column to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    header, *body = (_aligned(line, widths) for line in lines)
    rule = "|".join("-" * (width + 1) + (":" if place else "-") for place, width in enumerate(widths))
    yield from (header, f"|{rule}|", *body)


def _cells(result: Result, seconds: dict[tuple[str, int], float]) -> tuple[str, ...]:
    run = result.run
    return (
        result.name,
        f"{result.rows:,}",
        f"{run.seconds:.2f}",
        f"{result.rows / run.seconds:,.0f}",
        f"{run.seconds / seconds[PREP, result.rows]:.2f}",
        f"{run.seconds / seconds[FLOOR, result.rows]:.1f}",
        f"{run.cpu_seconds:.2f}",
        f"{run.peak_bytes / 1e6:,.0f}",
        *(f"{rows:,}" if rows is not None else "" for rows in _accepted(result)),
    )


def _accepted(result: Result) -> tuple[int | None, int | None]:
    """The rows that break no rule, and those that stay when one row for each address stays."""
    match result.counts:
        case {"read": int(read), "rejected": int(rejected), "ready": ready}:
            return read - rejected, ready
        case {"valid": valid, "kept": kept}:
            return valid, kept
        case _:
            return None, None


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers = cells
    padded = [first.ljust(widths[0])]
    padded += [cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True)]
    return f"| {' | '.join(padded)} |"


def fates(prep: Result) -> str:
    """The counts of a run of prep, which close."""
    counts = {fate: rows for fate, rows in prep.counts.items() if rows}
    read = counts.pop("read")
    return f"{prep.name}: {read:,} read = {' + '.join(f'{rows:,} {fate}' for fate, rows in counts.items())}"


def write_results(readme: Path, lines: Sequence[str]) -> None:
    """Put the lines between the marks of the page, under today's date; the rest of it stays.

    Raises:
        ValueError: The page has no such marks.
    """
    page = readme.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme}: the lines {BEGIN} and {END} are missing")
    body = "\n".join(lines)
    today = date.today().isoformat()  # noqa: DTZ011 (the day where the machine stands)
    readme.write_text(f"{before}{begin}\n\n{today}\n\n{body}\n\n{end}{after}", encoding="utf-8")
