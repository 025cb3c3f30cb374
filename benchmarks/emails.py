"""`python -m benchmarks.emails`: how many addresses are judged in a second, beside email-validator alone."""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import polars as pl

from prep.checks import accepts_email, judge_emails
from prep.schema import Field, Schema
from prep.validation import compile_judge, validate
from prep.values import Spelling, normalise

_COPIES = 10
_ASKED = 2_000
_LEADS = Schema("emails", {"email": Field("email", "email")}, ("email",))


def main() -> int:
    """Print a line for each kind of column: the gate alone, and the whole way from cell to valid row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.emails", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="cells of a column (default: 1000000)")
    parser.add_argument("--repeat", type=int, default=3, help="turns; the median counts (default: 3)")
    chosen = parser.parse_args()
    print(f"{f'{chosen.rows:,} cells, per second of CPU':34}{'judged':>12}{'normalised and judged':>24}")
    for kind, cells in _columns(chosen.rows).items():
        rates = [cells.len() / _seconds(way, cells, chosen.repeat) for way in (judge_emails, _whole_way)]
        print(f"{kind:34}{rates[0]:>12,.0f}{rates[1]:>24,.0f}")
    asked = _columns(_ASKED)["distinct"]
    print(f"{'distinct, email-validator alone':34}{_ASKED / _seconds(_ask, asked, chosen.repeat):>12,.0f}")
    return 0


def _columns(rows: int) -> dict[str, pl.Series]:
    number = pl.int_range(rows, dtype=pl.UInt32)
    address = pl.format("ana.lee{}@mail{}.example.com", number, number % 5_000)
    broken = pl.when(number % 20 == 0).then(pl.format("ana.lee{}@", number)).otherwise(address)
    angles = pl.when(number % 20 == 0).then(pl.format("Ana Lee <{}>", address)).otherwise(address)
    made = pl.select(distinct=address, broken=broken, angles=angles)
    few = made["distinct"].head(max(1, rows // _COPIES))
    repeated = pl.concat([few] * _COPIES).head(rows)
    return {
        "distinct": made["distinct"],
        f"each {_COPIES} times": repeated,
        "distinct, 5 % broken": made["broken"],
        "distinct, 5 % in angle brackets": made["angles"],
    }


def _seconds(way: Callable[[pl.Series], object], cells: pl.Series, repeat: int) -> float:
    way(cells.head(100))
    return statistics.median(_once(way, cells) for _ in range(repeat))


def _once(way: Callable[[pl.Series], object], cells: pl.Series) -> float:
    started = time.process_time()
    way(cells)
    return time.process_time() - started


def _whole_way(cells: pl.Series) -> None:
    normalised = normalise(cells.alias("email").to_frame(), _LEADS.fields, Spelling())
    validate(normalised.frame, compile_judge(_LEADS, ["email"], "email"))


def _ask(cells: pl.Series) -> None:
    for cell in cells:
        accepts_email(cell)


if __name__ == "__main__":
    sys.exit(main())
