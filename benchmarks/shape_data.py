"""Files of other shapes than the usual lead file: wide, with long texts, with nothing but bad rows.

As in `data`, every cell is a function of the seed and the row's number.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.data import (
    CITIES,
    COUNTRIES,
    FIRST_NAMES,
    LAST_NAMES,
    MIX,
    TITLES,
    TRADES,
    Dice,
    write_leads,
)

WIDE_COLUMNS: Final = 200
TEXT_BYTES: Final = 30_000
"""What a text field of Marketo holds at most."""

_TEXTS: Final = 50
"""Long texts are made of so many, each with the row's number before it."""

_ADDRESS: Final = "Email Address"
_BATCH_CELLS: Final = 4_000_000

_KINDS: Final[Mapping[str, str]] = {
    "choice": "string",
    "words": "string",
    "rare": "string",
    "whole": "integer",
    "day": "date",
    "amount": "float",
    "yes": "boolean",
    "moment": "datetime",
    "page": "url",
    "remark": "text",
}
"""The kinds of custom columns, which take turns, and the types of their fields."""


def wide_schema(columns: int = WIDE_COLUMNS) -> str:
    """The schema of the wide file: an address, and custom fields of all kinds."""
    tables = [f'[fields.{name}]\ntype = "{_KINDS[kind]}"\n' for name, kind in _custom(columns)]
    return "\n".join(['name = "wide"\nextends = "lead"\n', *tables])


def write_wide(path: Path, rows: int, seed: int) -> None:
    """Write an address and 199 custom columns, and their schema beside the file.

    Cells of `rare` columns are filled once in ten rows, the others mostly.
    """
    path.with_suffix(".toml").write_text(wide_schema(), encoding="utf-8")
    _write(path, WIDE_COLUMNS, rows, seed, _wide)


def write_texts(path: Path, rows: int, seed: int) -> None:
    """Write an address and a text of 30,000 bytes, with commas, line breaks, quotes and some accents."""
    _write(path, TEXT_BYTES // 100, rows, seed, _texts)


def write_rejected(path: Path, rows: int, seed: int) -> None:
    """Write the usual lead file, but with one bad cell in every row."""
    write_leads(path, rows, seed, replace(MIX, bad=1.0))


WRITERS: Final[Mapping[str, Callable[[Path, int, int], None]]] = {
    "wide": write_wide,
    "texts": write_texts,
    "rejected": write_rejected,
}


def _write(path: Path, cost: int, rows: int, seed: int, made: Callable[[Dice], pl.DataFrame]) -> None:
    """Write batches of rows, each of which costs as much as so many cells; named only when complete."""
    partial = path.with_suffix(f".{os.getpid()}.part")
    step = _BATCH_CELLS // cost
    try:
        with partial.open("wb") as file:
            for start in range(0, rows, step):
                numbers = pl.int_range(start, min(start + step, rows), dtype=pl.UInt64, eager=True)
                made(Dice(numbers, seed)).write_csv(file, include_header=start == 0)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def _address(dice: Dice) -> pl.Series:
    """One address in twenty comes again."""
    person = dice.below(round(1e9), "person").zip_with(dice.chance(0.95, "once"), dice.below(1000, "again"))
    return pl.select(pl.format("p{}@t{}.example.com", person, person % 1000).alias(_ADDRESS)).to_series()


def _custom(columns: int) -> Iterator[tuple[str, str]]:
    kinds = list(_KINDS)
    for number in range(1, columns):
        kind = kinds[number % len(kinds)]
        yield f"{kind}{number}", kind


def _wide(dice: Dice) -> pl.DataFrame:
    return pl.DataFrame([_address(dice), *(_cells(dice, *column) for column in _custom(WIDE_COLUMNS))])


def _cells(dice: Dice, name: str, kind: str) -> pl.Series:
    number = dice.below(1_000_000, name)
    day = (number % 18_000).cast(pl.Int32).cast(pl.Date)
    filled = (number % 10) == 0 if kind == "rare" else (number % 10) > 0
    cells: Mapping[str, Callable[[], pl.Series]] = {
        "choice": lambda: _chosen(TITLES, number % len(TITLES)),
        "words": lambda: (
            _chosen(FIRST_NAMES, number % len(FIRST_NAMES))
            + " "
            + _chosen(LAST_NAMES, (number // 32) % len(LAST_NAMES))
        ),
        "rare": lambda: _chosen(CITIES, number % len(CITIES)),
        "whole": lambda: number.cast(pl.String),
        "day": lambda: day.cast(pl.String),
        "amount": lambda: (number.cast(pl.Float64) / 100).cast(pl.String),
        "yes": lambda: _chosen(("true", "false"), number % 2),
        "moment": lambda: day.cast(pl.String) + "T12:30:00Z",
        "page": lambda: "https://t" + (number % 1000).cast(pl.String) + ".example.com/",
        "remark": lambda: (
            _chosen(COUNTRIES, number % len(COUNTRIES)) + ", " + _chosen(TRADES, number % len(TRADES))
        ),
    }
    blank = pl.Series([None], dtype=pl.String)
    return cells[kind]().zip_with(filled, blank).alias(name)


def _texts(dice: Dice) -> pl.DataFrame:
    words = [*FIRST_NAMES, *LAST_NAMES, *TRADES, *CITIES]
    texts = [_text(words[number:] + words[:number]) for number in range(_TEXTS)]
    beginnings = pl.Series("number", dice.rows).cast(pl.String).str.zfill(10)
    return pl.DataFrame(
        [
            _address(dice),
            (beginnings + " " + _chosen(texts, dice.below(_TEXTS, "text"))).alias("Person Notes"),
        ]
    )


def _chosen(values: Sequence[str], positions: pl.Series) -> pl.Series:
    return pl.Series(values)[positions]


def _text(words: list[str]) -> str:
    line = f'{" ".join(words)}, said "maybe";\n'
    return (line * TEXT_BYTES).encode()[: TEXT_BYTES - 20].decode(errors="ignore").strip()


def main() -> None:
    """Write one file, from a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shape_data", description="Write a file.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--shape", choices=WRITERS, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    WRITERS[options.shape](options.path, options.rows, options.seed)


if __name__ == "__main__":
    main()
