"""Blank cells: left out together with their columns, or turned into the word that clears a field.

What Marketo does with a blank cell of a file is not documented: it may clear what the lead has there. The
word `NULL` is known to clear it.
https://experienceleague.adobe.com/en/docs/marketo/using/getting-started/quick-wins/import-a-list-of-people
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from prep.errors import SettingsError
from prep.folding import as_typed
from prep.model import CLEARING

MOST_GROUPS: Final = 50
"""Groups of rows with the same columns that a run may have; each is at least one file and one job."""

_ORDER: Final = "_clear_"
_GROUP: Final = "_group"
_PORTION_ROWS: Final = 500_000


def set_orders_aside(cells: pl.DataFrame, clear: Sequence[str]) -> pl.DataFrame:
    """Blank the cells of these fields that order a clearing, so that no rule judges them as values.

    Returns:
        The frame with a column more for each field, from which `give_orders` restores them.
    """
    orders = {field: pl.col(field).str.strip_chars() == CLEARING for field in clear}
    return cells.with_columns(
        *(is_order.fill_null(value=False).alias(f"{_ORDER}{field}") for field, is_order in orders.items()),
        *(pl.when(~is_order).then(field).alias(field) for field, is_order in orders.items()),
    )


def give_orders(rows: pl.DataFrame, clear: Sequence[str]) -> pl.DataFrame:
    """Put the orders back that `set_orders_aside` took out."""
    given = (
        pl.when(f"{_ORDER}{field}").then(pl.lit(CLEARING)).otherwise(field).alias(field) for field in clear
    )
    return rows.with_columns(given).drop(f"{_ORDER}{field}" for field in clear)


def without_orders(rows: pl.DataFrame, clear: Sequence[str]) -> pl.DataFrame:
    """The values alone: whatever else reads `NULL` in these fields was made blank before."""
    return rows.with_columns(pl.col(clear).replace(CLEARING, None)) if clear else rows


def clear_blanks(rows: pl.DataFrame, clear: Sequence[str]) -> pl.DataFrame:
    """Order a clearing in every blank cell of these fields."""
    return rows.with_columns(pl.col(clear).fill_null(CLEARING))


def find_filled(rows: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
    """Which cells hold something: one bit for each cell."""
    return rows.select(pl.col(fields).is_not_null())


@dataclass(frozen=True)
class Groups:
    """Rows with the same columns filled.

    Attributes:
        numbers: The group of each row that is sent, counted from 0; null for the others.
        fields: The fields that the rows of each group fill, in the order of all fields.
    """

    numbers: pl.Series
    fields: tuple[tuple[str, ...], ...]


def group_rows(filled: pl.DataFrame, is_sent: pl.Series, columns: Mapping[str, str]) -> Groups:
    """Put rows together that fill the same fields; the groups come in the order of their first rows.

    Args:
        filled: From `find_filled`, a line for each row.
        is_sent: Whether the row is sent.
        columns: Field → the column of the sources that fills it.

    Raises:
        SettingsError: There are more than `MOST_GROUPS`.
    """
    names = filled.columns
    patterns = filled.clear()
    for rows, are_sent in _portions(filled, is_sent):
        patterns = pl.concat([patterns, rows.filter(are_sent)]).unique(maintain_order=True)
    if patterns.height > MOST_GROUPS:
        raise _too_many(patterns, columns)
    known = patterns.with_columns(pl.int_range(pl.len(), dtype=pl.UInt8).alias(_GROUP))
    numbers = [
        rows.join(known, on=names, how="left", maintain_order="left").select(pl.when(are_sent).then(_GROUP))
        for rows, are_sent in _portions(filled, is_sent)
    ]
    fields = tuple(
        tuple(name for name, is_filled in zip(names, pattern, strict=True) if is_filled)
        for pattern in patterns.rows()
    )
    return Groups(pl.concat(numbers).to_series(), fields)


def _portions(filled: pl.DataFrame, is_sent: pl.Series) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
    """The same, some rows at a time; at least one portion."""
    for start in range(0, len(is_sent) or 1, _PORTION_ROWS):
        yield filled.slice(start, _PORTION_ROWS), is_sent.slice(start, _PORTION_ROWS)


def _too_many(patterns: pl.DataFrame, columns: Mapping[str, str]) -> SettingsError:
    """Name the columns that cause most groups, each time the one without which fewest are left."""
    found = patterns.height
    blamed: list[str] = []
    while patterns.height > MOST_GROUPS:
        left = {name: patterns.drop(name).n_unique() for name in patterns.columns}
        blamed.append(min(left, key=lambda name: left[name]))
        patterns = patterns.drop(blamed[-1]).unique()
    named = list(dict.fromkeys(columns.get(field, field) for field in blamed))
    flags = " ".join(f'--map "{as_typed(header)}="' for header in named)
    return SettingsError(
        f"the rows leave {found} different sets of columns blank, and each set needs uploads of its own; "
        f"{MOST_GROUPS} are the most",
        code="too_many_groups",
        hint=f"Most come from {', '.join(map(repr, named))}: without them there are {patterns.height}. Leave "
        f"them out with {flags}, or send blank cells as they are with --blanks send.",
        column=named[0],
    )
