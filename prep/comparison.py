"""Values as Marketo keeps them: which cells of an import would change what a lead has."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

import polars as pl

from prep.model import CLEARING


class Outcome(StrEnum):
    """What an import does with a row, as far as looking its key up can tell."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SEVERAL = "several"
    UNCLEAR = "unclear"
    NOT_FOUND = "not_found"
    NOT_ASKED = "not_asked"


class Change(StrEnum):
    """What an import does to one field of one lead."""

    CHANGED = "changed"
    FILLED = "filled"
    CLEARED = "cleared"
    BLANK = "blank"


_DAY: Final = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T00:00:00(?:\.0+)?(?:Z|[+-]00:?00)?)?$"
_SHORT_OFFSET: Final = r"([+-][0-9]{2})([0-9]{2})$"


def find_change(before: str, sent: str, type_name: str) -> pl.Expr:
    """What an import does to a field: the word of a `Change`, null where it does nothing.

    Spellings of one value are no change: `1` and `1.0`, `True` and `true`, one moment in two zones. Letters
    of text count, in either case. Where it cannot be told whether two spellings mean one value, they differ.

    Args:
        before: Column with the lead's values as text, null where blank.
        sent: Column with the cells of the upload, null where blank.
        type_name: Marketo's type of the field.
    """
    had, cell = pl.col(before), pl.col(sent)
    is_order = cell == CLEARING
    return (
        pl.when(cell.is_null() & had.is_null())
        .then(None)
        .when(cell.is_null())
        .then(pl.lit(Change.BLANK.value))
        .when(is_order & had.is_null())
        .then(None)
        .when(is_order)
        .then(pl.lit(Change.CLEARED.value))
        .when(had.is_null())
        .then(pl.lit(Change.FILLED.value))
        .when(~_is_same(had, cell, type_name))
        .then(pl.lit(Change.CHANGED.value))
    )


def _is_same(before: pl.Expr, sent: pl.Expr, type_name: str) -> pl.Expr:
    is_equal = before == sent
    if type_name in _DECIMAL_TYPES:
        return is_equal | _is_same_number(before, sent)
    if (read := _READERS.get(type_name)) is not None:
        return is_equal | (read(before) == read(sent)).fill_null(value=False)
    return is_equal


def _is_same_number(before: pl.Expr, sent: pl.Expr) -> pl.Expr:
    """Whether two numbers are one, or the first is what a 32-bit field keeps of the second.

    https://blog.teknkl.com tells of currencies that are kept in 32 bits.
    """
    kept, number = (text.cast(pl.Float64, strict=False) for text in (before, sent))
    return ((kept == number) | (kept == number.cast(pl.Float32).cast(pl.Float64))).fill_null(value=False)


def _whole(text: pl.Expr) -> pl.Expr:
    return text.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)


def _day(text: pl.Expr) -> pl.Expr:
    return text.str.extract(_DAY)


def _moment(text: pl.Expr) -> pl.Expr:
    """Seconds are the smallest unit that Marketo gives back."""
    spelled = text.str.replace("Z$", "+00:00").str.replace(_SHORT_OFFSET, "$1:$2")
    read = spelled.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="us", time_zone="UTC")
    return read.dt.truncate("1s")


_DECIMAL_TYPES: Final = frozenset({"currency", "float"})

_READERS: Final[Mapping[str, Callable[[pl.Expr], pl.Expr]]] = {
    "boolean": lambda text: text.str.to_lowercase(),
    "date": _day,
    "datetime": _moment,
    "integer": _whole,
    "percent": _whole,
    "score": _whole,
}
"""What values of a type are, whatever their spelling; null for what is none."""
