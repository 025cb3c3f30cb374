"""Other ways to do the job, each a script that runs in a process of its own; nothing here imports them."""

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from benchmarks.measure import Measurement, measure


@dataclass(frozen=True)
class Peer:
    """A script beside this file.

    Attributes:
        name: As the table shows it.
        script: Its module in this package.
        distributions: What must be installed.
        does: The part of the job that it does.
        but: What it leaves, or does with less care.
        most_rows: It is given no more rows than these, because of the minutes that it would take.
    """

    name: str
    script: str
    distributions: tuple[str, ...]
    does: str
    but: str
    most_rows: int | None = None

    def missing(self) -> list[str]:
        """The distributions that are not installed."""
        return [name for name in self.distributions if version_of(name) is None]

    def measure(self, leads: Path, folder: Path) -> Measurement:
        """Run the script over the file.

        Raises:
            CommandFailedError: It ended with an error.
        """
        return measure([sys.executable, "-m", f"benchmarks.peers.{self.script}", str(leads), str(folder)])


def version_of(distribution: str) -> str | None:
    """None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


_PATTERN: Final = "judges addresses by a pattern alone"
_CUT_SHORT: Final = "takes rows that are cut short for whole ones"

PEERS: Final = (
    Peer(
        "pandas + email-validator",
        "pandas_script",
        ("pandas", "email-validator"),
        "trims, validates, dedupes, splits, tells broken columns of rejected rows",
        f"{_CUT_SHORT}, holds everything in memory",
        most_rows=1_000_000,
    ),
    Peer(
        "polars + email-validator",
        "polars_script",
        ("polars", "email-validator"),
        "trims, validates, dedupes, splits, tells broken columns of rejected rows",
        f"{_CUT_SHORT}, holds everything in memory",
        most_rows=1_000_000,
    ),
    Peer(
        "DuckDB SQL",
        "duckdb_script",
        ("duckdb",),
        "trims, validates, dedupes, splits, tells broken columns of rejected rows and unreadable lines",
        f"{_PATTERN}, ends a file once it is above a size and not before",
    ),
    Peer(
        "frictionless",
        "frictionless_script",
        ("frictionless",),
        "validates, finds rows that are cut short, reports errors by row",
        "does not trim, dedupe, split or write rows",
        most_rows=100_000,
    ),
    Peer(
        "csvkit",
        "csvkit_script",
        ("csvkit",),
        "validates with csvgrep, finds rows that are cut short with csvclean, trims and dedupes with csvsql",
        f"{_PATTERN}, dates too, does not split, and loses the rows that a pattern rejects",
        most_rows=100_000,
    ),
    Peer(
        "dataframely",
        "dataframely_script",
        ("dataframely", "polars"),
        "trims (as polars), validates, writes valid rows, and the others with the rules that they break",
        f"{_PATTERN}, {_CUT_SHORT}, does not dedupe or split",
    ),
    Peer(
        "Great Expectations",
        "great_expectations_script",
        ("great-expectations", "pandas"),
        "validates, reports the positions of rows that break a rule",
        f"{_PATTERN}, {_CUT_SHORT}, does not trim, dedupe, split or write rows",
        most_rows=1_000_000,
    ),
)
