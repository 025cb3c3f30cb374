"""Where rows stand, as a person finds them: by the numbers of a sheet, else counted behind the header."""

from collections.abc import Collection, Sequence
from typing import NamedTuple


class Place(NamedTuple):
    """Which row of which source.

    Attributes:
        source: Its path as it was given.
        row: The record's number behind the header, from 1.
        line: The physical line where it starts, in a workbook the sheet's row; None where there are no lines.
    """

    source: str
    row: int
    line: int | None = None


def number_row(place: Place, sheets: Collection[str]) -> tuple[str, int]:
    """What to call a row, and its number.

    Args:
        place: The row.
        sheets: Sources whose lines are the rows of a sheet: a person looks for rows by the numbers there.
    """
    return ("sheet row", place.line) if place.line and place.source in sheets else ("row", place.row)


def name_line(row: int, line: int | None, *, in_sheet: bool) -> str:
    """Where a record begins that cannot be read, so that a person finds it in the file itself."""
    if line is None:
        return f"row {row}"
    return f"{'sheet row' if in_sheet else 'line'} {line}"


def name_rows(
    places: Sequence[Place], found: int, sheets: Collection[str], *, with_sources: bool = False
) -> str:
    """The first rows of what was found, such as `sheet rows 6, 8, …`.

    Args:
        places: The rows.
        found: How many there are in all.
        sheets: As in `number_row`.
        with_sources: Name the source of each, where rows of several may be among them.
    """
    numbered = [number_row(place, sheets) for place in places]
    more = ", …" if found > len(places) else ""
    if with_sources or len({word for word, _ in numbered}) > 1:
        named = (
            f"{place.source} {word} {number}" for place, (word, number) in zip(places, numbered, strict=True)
        )
        return ", ".join(named) + more
    word = numbered[0][0] if numbered else "row"
    return f"{word}{'s' * (found > 1)} {', '.join(str(number) for _, number in numbered)}{more}"
