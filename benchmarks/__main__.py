"""`python -m benchmarks`: the floor and `prep clean` over the same file, side by side, in one run."""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from benchmarks.files import files_parser, make_leads, positive
from benchmarks.measure import CommandFailedError, Measurement, best, measure

_DISTRIBUTIONS = ("leadprep", "polars", "pandera", "email-validator")
_FINISHED_WITH_REJECTS = (0, 3)


def main() -> int:
    """Measure, print the table, return the exit code."""
    options = _options()
    try:
        leads = make_leads(options)
        rounds = [_round(leads, options.data) for _ in _counted(options.repeat)]
    except CommandFailedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    floor, prep = (best(runs) for runs in zip(*rounds, strict=True))
    print("\n".join(_report(leads, options, floor, prep)))
    return 0


def _options() -> argparse.Namespace:
    parser = files_parser("python -m benchmarks", __doc__)
    parser.add_argument("--repeat", type=positive, default=3, help="runs of each, the best of which counts")
    return parser.parse_args()


def _counted(repeat: int) -> Iterator[int]:
    for number in range(1, repeat + 1):
        sys.stderr.write(f"round {number} of {repeat}\n")
        yield number


def _round(leads: Path, folder: Path) -> tuple[Measurement, Measurement]:
    """The floor, then prep, writing to the same disk; what they write is removed."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        target = Path(scratch)
        floor = measure([sys.executable, "-m", "benchmarks.floor", str(leads), str(target / "floor.csv")])
        (target / "floor.csv").unlink()
        clean = [sys.executable, "-m", "prep", "clean", str(leads), "-o", str(target / "run"), "--json"]
        prep = measure(clean, exit_codes=_FINISHED_WITH_REJECTS)
        return floor, prep


def _report(leads: Path, options: argparse.Namespace, floor: Measurement, prep: Measurement) -> Iterator[str]:
    size = leads.stat().st_size
    yield f"{options.rows:,} rows x 10 columns, {size / 1e6:,.0f} MB, seed {options.seed}"
    yield _machine()
    yield ""
    columns = ("seconds", 9), ("ratio", 8), ("rows/s", 12), ("cpu s", 8), ("peak MB", 9)
    yield f"{f'best of {options.repeat}':<12}" + "".join(f"{name:>{width}}" for name, width in columns)
    for name, run in (("floor", floor), ("prep clean", prep)):
        rate = options.rows / run.seconds
        yield (
            f"{name:<12}{run.seconds:>9.2f}{run.seconds / floor.seconds:>8.2f}{rate:>12,.0f}"
            f"{run.cpu_seconds:>8.2f}{run.peak_bytes / 1e6:>9,.0f}"
        )
    yield ""
    yield _fates(prep)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"{name} {version(name)}" for name in _DISTRIBUTIONS]
    return ", ".join(
        [
            f"{platform.system()} {platform.machine()}",
            f"{os.cpu_count()} processors",
            f"{memory:.0f} GiB",
            f"Python {platform.python_version()}",
            *versions,
        ]
    )


def _fates(prep: Measurement) -> str:
    counts = json.loads(prep.stdout.splitlines()[-1])["counts"]
    fates = [f"{rows:,} {fate}" for fate, rows in counts.items() if rows and fate != "read"]
    return f"{counts['read']:,} read = {' + '.join(fates)}"


if __name__ == "__main__":
    sys.exit(main())
