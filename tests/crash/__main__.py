"""The crash test in full: every step of a run of twelve chunks, each with a second kill, then random kills.

python -m tests.crash                a sample, about a minute
python -m tests.crash --all          every step and 300 random kills
"""

import argparse
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.crash.cleaning import Cleaning
from tests.crash.ordeal import Death, Story, endure, make_template, workshop


def main() -> int:
    """Run what is asked for, print a table, and return how many promises were broken."""
    arguments = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__.splitlines()[0])
    arguments.add_argument("--all", action="store_true", help="every step, and 300 random kills")
    arguments.add_argument("--from-step", type=int, default=1, help="start there")
    arguments.add_argument("--every", type=int, default=40, help="step width, without --all")
    arguments.add_argument("--kills", type=int, default=20, help="random kills, without --all")
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    started = time.monotonic()
    with workshop() as folder:
        template = make_template(folder)
        every = 1 if chosen.all else chosen.every
        stepped = list(_tell(_by_step(template, folder, chosen.from_step, every)))
        wanted = 300 if chosen.all else chosen.kills
        cleaned, different = _clean(folder, every, wanted // 5, random.Random(chosen.seed))  # noqa: S311
        seldom = list(_tell(_by_chance(template, folder, wanted, random.Random(chosen.seed))))  # noqa: S311
    _say(f"\n{'':40}{'each step':>12}{'by chance':>12}")
    for name, value in _table(stepped).items():
        _say(f"{name:40}{value:12,}{_table(seldom)[name]:12,}")
    first = Counter(
        re.sub(r"file: (\w+) \S+", r"file: \1 it", story.kills[0]) for story in stepped if story.kills
    )
    _say(f"\nmoments of the first kill: {first.total()}")
    for moment, number in sorted(first.items()):
        _say(f"  {number:5,}  {moment}")
    _say(f"\ncleaning: {cleaned} processes killed, {len(different)} files differ {different or ''}")
    _say(f"\n{time.monotonic() - started:,.0f} s")
    return len(different) + sum(len(story.complaints) for story in (*stepped, *seldom))


def _by_step(template: Path, folder: Path, first: int, every: int) -> Iterator[Story]:
    """Kill at a step, kill again somewhere in the recovery, until a step comes that no run reaches."""
    total = _endure(template, folder, [], with_batch_ids=True).steps
    for step in range(first, sys.maxsize, every):
        second = 1 + step * 37 % max(total - step, 12)
        yield (story := _endure(template, folder, [Death(step), Death(second)], with_batch_ids=step % 2 == 0))
        if not story.kills:
            return


def _by_chance(template: Path, folder: Path, kills: int, chance: random.Random) -> Iterator[Story]:
    """Kill from outside, whatever the process is doing, up to four times for each run."""
    started = time.monotonic()
    _endure(template, folder, [], with_batch_ids=True)
    longest = time.monotonic() - started
    while kills > 0:
        deaths = [Death(seconds=chance.uniform(0, 0.7 * longest)) for _ in range(min(4, kills))]
        yield (story := _endure(template, folder, deaths, with_batch_ids=chance.random() < 0.5))
        kills -= len(story.kills)


def _clean(folder: Path, every: int, kills: int, chance: random.Random) -> tuple[int, list[str]]:
    """Kill cleaning at its steps, then again while recovering, and by chance."""
    cleaning = Cleaning(folder)
    deaths = [
        [Death(step), Death(1 + step * 5 % cleaning.steps)] for step in range(1, cleaning.steps + 1, every)
    ]
    deaths += [[Death(seconds=chance.uniform(0, 0.6))] for _ in range(kills)]
    endured = [cleaning.endure(each) for each in deaths]
    return sum(killed for killed, _ in endured), sorted({name for _, names in endured for name in names})


def _endure(template: Path, folder: Path, deaths: list[Death], *, with_batch_ids: bool) -> Story:
    return endure(template, folder / "run", deaths, with_batch_ids=with_batch_ids)


def _tell(stories: Iterator[Story]) -> Iterator[Story]:
    for number, story in enumerate(stories, 1):
        for complaint in story.complaints:
            _say(f"run {number}, killed at {'; '.join(story.kills)}: {complaint}")
        yield story


def _table(stories: list[Story]) -> dict[str, int]:
    counts: defaultdict[str, int] = defaultdict(int)
    for story in stories:
        last = story.after
        counts["runs"] += 1
        counts["processes killed"] += len(story.kills)
        counts["rows to import"] += last.rows if last else 0
        counts["chunks declared unknown"] += story.declared
        counts["  of which had landed"] += story.landed
        counts["rows lost"] += sum(verdict.lost for verdict in story.verdicts)
        counts["rows committed twice"] += sum(verdict.twice for verdict in story.verdicts)
        counts["failed rows called imported or warned"] += sum(
            verdict.false_successes for verdict in story.verdicts
        )
        counts["rows with another wrong fate"] += sum(
            verdict.misjudged - verdict.false_successes for verdict in story.verdicts
        )
        counts["promises broken"] += len(story.complaints)
    return dict(counts)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(min(main(), 1))
