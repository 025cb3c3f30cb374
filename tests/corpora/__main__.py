"""What prep makes of other people's files: one line for each set.

python -m tests.corpora              all sets
python -m tests.corpora papaparse    one of them, with what came out wrong or was left out
"""

import argparse
import os
import sys
from pathlib import Path

from tests.corpora import others, reading, values
from tests.corpora.registry import Promise, Reached

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "corpora"


def main() -> int:
    """Print the table and return how many sets fall short."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpora", description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", help="only these, in detail")
    chosen = parser.parse_args().sets
    corpora = Path(os.environ.get("PREP_CORPORA") or FOLDER)
    if not corpora.is_dir():
        parser.error(f"no corpora at {corpora}; set PREP_CORPORA")
    promises = [
        promise
        for promise in (*reading.PROMISES, *others.PROMISES, *values.PROMISES)
        if not chosen or promise.folder in chosen
    ]
    _say(f"{'set':18}{'what':44}{'promised':>9}{'reached':>15}  anchor")
    missed = 0
    for promise in promises:
        reached = promise.judge(corpora / promise.folder)
        missed += reached.share < promise.share
        _say(_line(promise, reached))
        if chosen:
            _say("\n".join(_details(reached)))
    return min(missed, 1)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _line(promise: Promise, reached: Reached) -> str:
    found = f"{reached.right} of {reached.cases}"
    short = "  SHORT" if reached.share < promise.share else ""
    return f"{promise.folder:18}{promise.what:44}{promise.share:>9.0%}{found:>15}  {promise.anchor}{short}"


def _details(reached: Reached) -> list[str]:
    return [
        *(f"    wrong: {name}" for name in reached.wrong),
        *(f"    left out, {count}: {reason}" for reason, count in reached.left_out),
    ]


if __name__ == "__main__":
    sys.exit(main())
