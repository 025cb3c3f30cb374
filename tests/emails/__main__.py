"""See that prep accepts exactly the addresses that email-validator accepts (strict, no network).

python -m tests.emails                           a million generated addresses, on all processors
python -m tests.emails --count 100000 --jobs 1 --seed 7

Exit code 0: no difference. Addresses are generated, so those that differ are shown.
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.emails.agreement import Agreement, compare

_SLICE = 10_000


def main() -> int:
    """Compare slice by slice, print what was found, return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.emails",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=1_000_000, help="addresses (default: 1000000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all)")
    chosen = parser.parse_args()
    counts = [min(_SLICE, chosen.count - start) for start in range(0, chosen.count, _SLICE)]
    seeds = [f"{chosen.seed}:{place}" for place in range(len(counts))]
    found = Agreement()
    with ProcessPoolExecutor(chosen.jobs, get_context("spawn")) as pool:
        for part in pool.map(compare, seeds, counts):
            found += part
    sys.stdout.write(
        f"{chosen.count:,} addresses, {found.addresses:,} after repeats within {_SLICE:,}: "
        f"{found.accepted:,} accepted by email-validator, {found.at_a_glance:,} of them by prep at a glance\n"
    )
    sys.stdout.writelines(f"email-validator says {says}: {cell!r}\n" for cell, says in found.differing)
    sys.stdout.write(f"{len(found.differing):,} differences\n")
    return min(len(found.differing), 1)


if __name__ == "__main__":
    sys.exit(main())
