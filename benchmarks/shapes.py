"""`python -m benchmarks.shapes`: `prep clean` on files of other shapes, and what memory it holds meanwhile.

Each file goes through the floor, then through prep, in processes of their own; the quickest of the rounds
counts. What a run answers must close, or nothing is printed.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.files import files_parser, made_by, make_leads, positive
from benchmarks.measure import CommandFailedError, Measurement, best, measure
from benchmarks.memory import PICTURE, draw, watch
from benchmarks.table import aligned_table, machine

_FINISHED: Final = (0, 3)
_ONE_CORE: Final = ("taskset", "-c", "0")
_COLUMNS: Final = ("", "rows", "columns", "MB", "floor s", "prep s", "ratio", "cpu s", "peak MB", "µs a row")
_MILLION: Final = 1_000_000


@dataclass(frozen=True)
class Shape:
    """A file, and how prep is called for it.

    Attributes:
        name: What the table calls it.
        rows: How many it has.
        kind: What `shape_data` calls the file; empty for the usual lead file.
        options: Of `prep clean`.
        before: What goes before both commands.
    """

    name: str
    rows: int
    kind: str = ""
    options: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    def file(self, folder: Path, seed: int) -> Path:
        """The file, made where it is missing."""
        if not self.kind:
            return make_leads(self.rows, seed, folder)
        return made_by("shape_data", folder, self.kind, self.rows, seed, "--shape", self.kind)


ONE_ROW: Final = Shape("one row", 1)
SHAPES: Final = (
    ONE_ROW,
    Shape("usual", 100_000),
    Shape("usual", _MILLION),
    Shape("usual", 10 * _MILLION),
    Shape("usual, one core", _MILLION, before=_ONE_CORE),
    Shape("phones, countries", _MILLION, options=("--phones", "e164", "--countries", "iso2")),
    Shape("200 columns", 200_000, "wide"),
    Shape("long texts", 10_000, "texts"),
    Shape("all rejected", _MILLION, "rejected"),
)


@dataclass(frozen=True)
class Result:
    """The best runs of the floor and of prep over one file."""

    shape: Shape
    file: Path
    floor: Measurement
    prep: Measurement


class NotClosedError(Exception):
    """A run's counts do not add up to the rows of its file."""


def main() -> int:
    """Measure, print the table, draw the picture, return the exit code."""
    options = _options()
    shapes = [replace(shape, rows=min(shape.rows, options.rows)) for shape in SHAPES]
    try:
        results = [_measured(shape, options) for shape in dict.fromkeys(shapes)]
        print("\n".join(_report(results)))
        if options.picture:
            _picture(options)
    except (CommandFailedError, NotClosedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = files_parser(
        "python -m benchmarks.shapes", __doc__, rows=10 * _MILLION, whose="no file has more rows than this"
    )
    parser.add_argument("--repeat", type=positive, default=1, help="runs of each, the best of which counts")
    parser.add_argument(
        "--picture",
        type=Path,
        nargs="?",
        const=PICTURE,
        help=f"draw the memory of a run over time, to {PICTURE.name} in docs/pictures or to this file",
    )
    return parser.parse_args()


def _measured(shape: Shape, options: argparse.Namespace) -> Result:
    file = shape.file(options.data, options.seed)
    rounds = []
    for number in range(1, options.repeat + 1):
        sys.stderr.write(f"{shape.name}, {shape.rows:,} rows, round {number} of {options.repeat}\n")
        rounds.append(_round(shape, file, options.data))
    floors, runs = zip(*rounds, strict=True)
    return Result(shape, file, best(floors), best(runs))


def _round(shape: Shape, file: Path, folder: Path) -> tuple[Measurement, Measurement]:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        target = Path(scratch)
        floor_command = [sys.executable, "-m", "benchmarks.floor", str(file), str(target / "floor.csv")]
        floor = measure([*shape.before, *floor_command])
        (target / "floor.csv").unlink()
        prep = measure([*shape.before, *_clean(shape, file, target)], exit_codes=_FINISHED)
    check(shape, prep)
    return floor, prep


def _clean(shape: Shape, file: Path, target: Path) -> list[str]:
    schema = ["--schema", str(file.with_suffix(".toml"))] if shape.kind == "wide" else []
    command = [sys.executable, "-m", "prep", "clean", str(file), "-o", str(target / "run"), "--json"]
    return [*command, *shape.options, *schema]


def check(shape: Shape, prep: Measurement) -> None:
    """Hold the counts of a run against the rows of the file.

    Raises:
        NotClosedError: They do not add up.
    """
    counts: Mapping[str, int] = json.loads(prep.stdout.splitlines()[-1])["counts"]
    read = counts["read"]
    if read != shape.rows or read != sum(counts.values()) - read:
        raise NotClosedError(f"{shape.name}: {shape.rows:,} rows, but {dict(counts)}")


def _report(results: Sequence[Result]) -> Iterator[str]:
    start = next(result.prep for result in results if result.shape.name == ONE_ROW.name)
    yield machine()
    yield ""
    yield from aligned_table([_COLUMNS, *(_cells(result, start) for result in results)])


def _cells(result: Result, start: Measurement) -> tuple[str, ...]:
    shape, floor, prep = result.shape, result.floor, result.prep
    with result.file.open("rb") as file:
        columns = file.readline().count(b",") + 1
    return (
        " ".join([shape.name, *shape.options]) if shape.options else shape.name,
        f"{shape.rows:,}",
        f"{columns}",
        f"{result.file.stat().st_size / 1e6:,.1f}",
        f"{floor.seconds:.2f}",
        f"{prep.seconds:.2f}",
        f"{prep.seconds / floor.seconds:.1f}",
        f"{prep.cpu_seconds:.2f}",
        f"{prep.peak_bytes / 1e6:,.0f}",
        f"{(prep.seconds - start.seconds) / shape.rows * 1e6:.2f}" if shape.rows > 1 else "",
    )


def _picture(options: argparse.Namespace) -> None:
    curves = {}
    for rows in dict.fromkeys(min(rows, options.rows) for rows in (_MILLION, 10 * _MILLION)):
        shape = Shape("usual", rows)
        with tempfile.TemporaryDirectory(dir=options.data) as scratch:
            command = _clean(shape, shape.file(options.data, options.seed), Path(scratch))
            curves[f"{rows:,} rows"] = watch(command)
    options.picture.write_text(draw(curves), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
