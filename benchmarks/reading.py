"""`python -m benchmarks.reading`: what safe reading costs, beside polars reading the same file unsafely.

Each reads the file in a process of its own, as a command does, and then once more (`again`) in memory that it
has already. Start-up is not counted. The allocator of both is asked what the command line asks of it.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.data import MIX, write_leads
from prep.cli.main import share_memory
from prep.model import Reading
from prep.sources.delimited import open_delimited

_KINDS: Final = {
    "no quoted cells": replace(MIX, cut_short=0, quoted=0),
    "5 % quoted cells": replace(MIX, cut_short=0),
    "20 short rows in a million": MIX,
}
_HEADINGS: Final = ("polars s", "prep s", "ratio", "of CPU", "again", "of CPU")


def main() -> int:
    """Let both readers read in turns; print what the median of their turns says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of each file (default: 1000000)")
    parser.add_argument("--repeat", type=int, default=5, help="turns; the median counts (default: 5)")
    chosen = parser.parse_args()
    share_memory()
    print(f"{f'{chosen.rows:,} rows':28}{''.join(f'{heading:>10}' for heading in _HEADINGS)}")
    with tempfile.TemporaryDirectory() as folder:
        for kind, mix in _KINDS.items():
            path = Path(folder) / "leads.csv"
            write_leads(path, chosen.rows, 1, mix)
            turns = [(*_alone(_polars, path), *_alone(_prep, path)) for _ in range(chosen.repeat)]
            medians = [statistics.median(turn) for turn in zip(*turns, strict=True)]
            floor, ours = medians[:4], medians[4:]
            ratios = [mine / theirs for mine, theirs in zip(ours, floor, strict=True)]
            print(f"{kind:28}{''.join(f'{figure:>10.2f}' for figure in (floor[0], ours[0], *ratios))}")
    return 0


def _alone(read: Callable[[Path], int], path: Path) -> tuple[float, float, float, float]:
    """In a new process: seconds by the clock and of all processors, then those of a second time."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return *process.submit(_seconds, read, path).result(), *process.submit(_seconds, read, path).result()


def _seconds(read: Callable[[Path], int], path: Path) -> tuple[float, float]:
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
