"""What the cells of one column prove about the order of its dates or the decimal mark of its numbers.

A column proves something if some of its cells can be read in one way only, all of these in the same way.
Dates with `/`, `-` and `.` between day and month may come from different hands: each must prove it by itself.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from prep.model import IDENTITY, DateOrder, DecimalMark
from prep.schema import Field
from prep.values.dates import date_evidence, is_year_first
from prep.values.notes import Noted, first_places
from prep.values.numbers import is_plain_number, number_evidence
from prep.values.rules import OPEN, PLAIN
from prep.values.spelling import Spelling

DATES, DECIMAL = "dates", "decimal"
"""The settings that a column can stand in for."""

NUMBER: Final = "number"
"""The verdict on a cell that is a number by its type, with a decimal point whatever text has."""

DATE_TYPES: Final = frozenset({"date", "datetime"})
DECIMAL_TYPES: Final = frozenset({"currency", "float"})
INTEGER_TYPES: Final = frozenset({"integer", "percent", "score"})

_EVIDENCE: Final[Mapping[str, Callable[[pl.Series], pl.DataFrame]]] = {
    DATES: date_evidence,
    DECIMAL: number_evidence,
}

_IS_PLAIN: Final[Mapping[str, Callable[[pl.Series], pl.Series]]] = {
    DATES: is_year_first,
    DECIMAL: is_plain_number,
}

Evidence = Mapping[tuple[str, str], Noted]
"""Spelling and verdict → the cells of one column, as `date_evidence` and `number_evidence` say."""


def open_setting(field: Field, spelling: Spelling) -> str | None:
    """The setting that would say how the cells of a field are to be read; None where it does or needs not."""
    if field.type in DATE_TYPES and spelling.date_order is DateOrder.ISO:
        return DATES
    if field.type in DECIMAL_TYPES | INTEGER_TYPES and spelling.decimal is None:
        return DECIMAL
    return None


def has_doubt(cells: pl.Series, setting: str) -> bool:
    """Whether the setting would help to read one of these normalised cells, which was rejected without it."""
    doubtful = cells.filter(~_IS_PLAIN[setting](cells))
    return not doubtful.is_empty() and bool((_EVIDENCE[setting](doubtful)["verdict"] != PLAIN).any())


def find_evidence(
    frame: pl.DataFrame, name: str, setting: str, numbers: pl.Series | None = None
) -> Iterator[tuple[str, tuple[str, str], Noted]]:
    """What the normalised cells of a batch tell about their column.

    Args:
        frame: The column called `name`, `_source`, `_row` and `_line`.
        name: REST name of a field.
        setting: `dates` or `decimal`.
        numbers: Which of the cells are numbers by their type, though text alike would leave it open.

    Yields:
        The rows' source, spelling and verdict, and the cells.
    """
    cells = frame.select(IDENTITY).hstack(_EVIDENCE[setting](frame[name]))
    if numbers is not None:
        cells = cells.with_columns(verdict=pl.when(numbers).then(pl.lit(NUMBER)).otherwise("verdict"))
    for (source, spelling, verdict), rows in cells.drop_nulls("verdict").group_by(
        "_source", "spelling", "verdict", maintain_order=True
    ):
        yield str(source), (str(spelling or ""), str(verdict)), Noted(rows.height, first_places(rows))


@dataclass(frozen=True)
class Proof:
    """What a whole column says.

    Attributes:
        value: The only setting that reads all of its cells, if some of them leave no choice; else empty.
        cells: How many leave none.
        readings: What the cells that are not plain can be read as, with their rows.
        is_ambiguous: Nothing is proven, and such cells are not mere exceptions among plain ones.
    """

    value: str
    cells: int
    readings: Mapping[str, Noted]
    is_ambiguous: bool


def is_typed(evidence: Evidence) -> bool:
    """Whether cells of a column are numbers by their type."""
    return any(verdict == NUMBER for _, verdict in evidence)


def prove(evidence: Evidence) -> Proof:
    """Hold all cells of a column against each other; beside numbers by type text must be unmistakable."""
    readings: defaultdict[str, Noted] = defaultdict(Noted)
    for (_, verdict), noted in evidence.items():
        readings[verdict] += noted
    plain = readings.pop(PLAIN, Noted()).cells
    if NUMBER in readings:
        is_mixed = not readings.keys() <= {NUMBER, DecimalMark.POINT}
        cells = sum(noted.cells for noted in readings.values())
        return Proof("" if is_mixed else DecimalMark.POINT.value, cells, readings, is_ambiguous=is_mixed)
    proven = {verdict for verdict in readings if verdict != OPEN}
    telling = {spelling for spelling, verdict in evidence if verdict in proven}
    open_ones = {spelling for spelling, verdict in evidence if verdict == OPEN}
    if len(proven) == 1 and open_ones <= telling:
        value = proven.pop()
        return Proof(value, readings[value].cells, readings, is_ambiguous=False)
    doubtful = sum(noted.cells for noted in readings.values())
    return Proof("", 0, readings, is_ambiguous=doubtful > 0 and doubtful >= plain)
