"""`python -m benchmarks`: the floor, `prep clean` and, with `--peers`, other tools over the same file."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.files import files_parser, make_leads, positive
from benchmarks.measure import CommandFailedError, Measurement, best, measure
from benchmarks.peers import PEERS, Peer
from benchmarks.table import FLOOR, PREP, README, LeftOut, Result, fates, machine, table, write_results

_FINISHED_WITH_REJECTS = (0, 3)
_WORDS = {
    FLOOR: "reads the file as text and writes it again, by polars",
    PREP: "does the whole job, also header names, every Marketo type, each row's fate, tables for people",
}


def main() -> int:
    """Measure, print the table, return the exit code."""
    options = _options()
    try:
        outcomes = list(_outcomes(options))
    except CommandFailedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    lines = list(_report(options, outcomes))
    print("\n".join(lines))
    if options.write:
        write_results(README, lines)
    return 0


def _options() -> argparse.Namespace:
    parser = files_parser("python -m benchmarks", __doc__)
    parser.add_argument("--repeat", type=positive, default=3, help="runs of each, the best of which counts")
    parser.add_argument(
        "--peers", action="store_true", help="other tools too (pip install -e '.[bench]'); some on fewer rows"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="put what is printed into benchmarks/README.md, under today's date",
    )
    return parser.parse_args()


def _outcomes(options: argparse.Namespace) -> Iterator[Result | LeftOut]:
    """Peers that are given fewer rows get a file of their own, which floor and prep go through as well."""
    plan: dict[int, list[Peer]] = {options.rows: []}
    for peer in PEERS if options.peers else ():
        if missing := peer.missing():
            yield LeftOut(peer.name, f"needs {', '.join(missing)}: pip install -e '.[bench]'")
        else:
            plan.setdefault(min(options.rows, peer.most_rows or options.rows), []).append(peer)
    for rows, peers in plan.items():
        yield from _outcomes_over(rows, peers, options)


def _outcomes_over(
    rows: int, peers: Sequence[Peer], options: argparse.Namespace
) -> Iterator[Result | LeftOut]:
    leads = make_leads(rows, options.seed, options.data)
    rounds: list[dict[str, Measurement | CommandFailedError]] = []
    for number in range(1, options.repeat + 1):
        sys.stderr.write(f"{rows:,} rows, round {number} of {options.repeat}\n")
        rounds.append({**_ours(leads, options.data), **_theirs(peers, leads, options.data)})
    for name in rounds[0]:
        runs = [measured[name] for measured in rounds]
        whole = [run for run in runs if isinstance(run, Measurement)]
        if whole == runs:
            yield Result(name, rows, best(whole))
        else:
            yield LeftOut(name, next(str(run).splitlines()[-1] for run in runs if run not in whole))


def _ours(leads: Path, folder: Path) -> dict[str, Measurement]:
    """The floor, then prep, writing to the same disk; what they write is removed."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        target = Path(scratch)
        floor = measure([sys.executable, "-m", "benchmarks.floor", str(leads), str(target / "floor.csv")])
        (target / "floor.csv").unlink()
        clean = [sys.executable, "-m", "prep", "clean", str(leads), "-o", str(target / "run"), "--json"]
        return {FLOOR: floor, PREP: measure(clean, exit_codes=_FINISHED_WITH_REJECTS)}


def _theirs(peers: Sequence[Peer], leads: Path, folder: Path) -> dict[str, Measurement | CommandFailedError]:
    """One that fails takes nothing from the others."""
    runs: dict[str, Measurement | CommandFailedError] = {}
    for peer in peers:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            try:
                runs[peer.name] = peer.measure(leads, Path(scratch))
            except CommandFailedError as error:
                runs[peer.name] = error
    return runs


def _report(options: argparse.Namespace, outcomes: Sequence[Result | LeftOut]) -> Iterator[str]:
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    names = list(dict.fromkeys(result.name for result in results))
    size = make_leads(options.rows, options.seed, options.data).stat().st_size
    yield f"{options.rows:,} rows, {size / 1e6:,.0f} MB, seed {options.seed}, best of {options.repeat}"
    yield machine([name for peer in PEERS if peer.name in names for name in peer.distributions])
    yield ""
    yield from table(results)
    yield ""
    yield fates(next(result for result in results if result.name == PREP))
    if options.peers:
        yield ""
        words = _WORDS | {peer.name: f"{peer.does}; but {peer.but}" for peer in PEERS}
        yield from (f"- **{name}** {words[name]}." for name in names)
    left_out = [outcome for outcome in outcomes if isinstance(outcome, LeftOut)]
    if left_out:
        yield ""
        yield from (f"- **{outcome.name}** is left out: {outcome.why}" for outcome in left_out)


if __name__ == "__main__":
    sys.exit(main())
