"""`python -m benchmarks.reading`: what safe reading costs, beside polars reading the same file unsafely."""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl

from benchmarks.data import MIX, write_leads
from prep.model import Reading
from prep.sources.delimited import open_delimited

_KINDS = {
    "no quoted cells": replace(MIX, cut_short=0, quoted=0),
    "5 % quoted cells": replace(MIX, cut_short=0),
    "20 short rows in a million": MIX,
}


def main() -> int:
    """Time both readers in turns; print the ratio of their medians, by the clock and by processor time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of each file (default: 1000000)")
    parser.add_argument("--repeat", type=int, default=3, help="turns; the median counts (default: 3)")
    chosen = parser.parse_args()
    print(f"{chosen.rows:,} rows{'polars':>26}{'prep':>9}{'ratio':>8}{'rows/s':>13}{'ratio of CPU':>16}")
    with tempfile.TemporaryDirectory() as folder:
        for kind, mix in _KINDS.items():
            path = Path(folder) / "leads.csv"
            write_leads(path, chosen.rows, 1, mix)
            turns = [(*_seconds(_polars, path), *_seconds(_prep, path)) for _ in range(chosen.repeat)]
            floor, floor_cpu, ours, cpu = (statistics.median(turn) for turn in zip(*turns, strict=True))
            print(
                f"{kind:28}{floor:>11.2f}{ours:>9.2f}{ours / floor:>8.2f}{chosen.rows / ours:>13,.0f}"
                f"{cpu / floor_cpu:>16.2f}"
            )
    return 0


def _seconds(read: Callable[[Path], int], path: Path) -> tuple[float, float]:
    """Seconds by the clock, and of all processors."""
    started, worked = time.perf_counter(), time.process_time()
    read(path)
    return time.perf_counter() - started, time.process_time() - worked


def _polars(path: Path) -> int:
    return pl.read_csv(path, infer_schema=False, truncate_ragged_lines=True).height


def _prep(path: Path) -> int:
    reader = open_delimited(str(path), Reading()).read(0)
    for _ in reader:
        pass
    return reader.rows


if __name__ == "__main__":
    sys.exit(main())
