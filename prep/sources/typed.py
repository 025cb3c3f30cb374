"""Cells that are numbers by their type, where text alike would leave open what they are.

`1.234` in a text may have thousands behind the point; a number that is written so has none. `inf` in a text
may be a name; a number that is written so is infinite.
"""

import re
from collections.abc import Mapping
from typing import Final

import polars as pl

from prep.model import POINT_OR_THOUSANDS

NUMBERS: Final = "_numbers"
"""A column of `Batch.cells`: the places of the cells of a row that are such numbers, divided by spaces.
It is null where there are none; sources whose cells have no types lack it."""

INFINITE: Final = r"^-?inf$"
"""How infinite numbers are written."""

_NUMBER: Final = re.compile(POINT_OR_THOUSANDS)


class Number(str):
    """Text of a cell that is such a number."""

    __slots__ = ()


def is_number(text: str) -> bool:
    """Whether a number is written as one that could be taken for thousands."""
    return _NUMBER.search(text) is not None


def mark(masks: Mapping[str, pl.Series], height: int) -> pl.Series:
    """The column `NUMBERS` of so many rows.

    Args:
        masks: Place → which of its cells are such numbers.
        height: How many rows there are.
    """
    found = {place: mask for place, mask in masks.items() if mask.any()}
    if not found:
        return pl.repeat(None, height, dtype=pl.String, eager=True).alias(NUMBERS)
    named = pl.DataFrame(found).select(pl.when(place).then(pl.lit(place)).alias(place) for place in found)
    joined = named.select(pl.concat_str(pl.all(), separator=" ", ignore_nulls=True).alias("at"))
    return joined.select(pl.when(pl.col("at") != "").then("at").alias(NUMBERS)).to_series()


def has_numbers(cells: pl.DataFrame) -> bool:
    """Whether any cells of a batch are such numbers."""
    return NUMBERS in cells.columns and cells[NUMBERS].null_count() < cells.height


def numbers_at(cells: pl.DataFrame, place: str) -> pl.Series:
    """Which cells at a place are such numbers, in a batch that has some."""
    return cells[NUMBERS].str.contains(rf"\b{place}\b").fill_null(value=False)


def infinite_at(cells: pl.DataFrame, place: str) -> pl.Series:
    """Which cells at a place are infinite numbers."""
    return numbers_at(cells, place) & cells[place].str.contains(INFINITE).fill_null(value=False)
