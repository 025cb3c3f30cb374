"""What columns hold, in numbers and shapes, gathered from batches on their way in little time and memory."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

_SAMPLED_ROWS: Final = 50_000
_SAMPLED_CELLS: Final = 2_000_000
"""Bounds of what distinct values are counted in: whichever is reached first."""

_EXAMINED: Final = 1_000
"""Cells of each reason that shapes are made of, per batch and in all."""

_SHAPES: Final = 3
_LONGEST_SHAPE: Final = 40


class Profile:
    """The columns of all batches that were shown to it."""

    def __init__(self, fields: Sequence[str]) -> None:
        """Begin with nothing seen.

        Args:
            fields: The columns to look at.
        """
        self.rows = 0
        self.sampled = 0
        self._fields = tuple(fields)
        self._filled = dict.fromkeys(self._fields, 0)
        self._longest = dict.fromkeys(self._fields, 0)
        self._sample: list[pl.DataFrame] = []
        self._limit = min(_SAMPLED_ROWS, _SAMPLED_CELLS // (len(self._fields) or 1))

    def add(self, frame: pl.DataFrame) -> None:
        """Look at a batch."""
        self.rows += frame.height
        cells = pl.col(self._fields)
        filled = frame.select(cells.count()).row(0, named=True)
        for field in self._fields:
            self._filled[field] += filled[field]
        self._longest |= _longer(frame, self._longest)
        if (room := self._limit - self.sampled) > 0:
            sample = frame.head(room)
            self._sample.append(sample.select(pl.when(cells.is_not_null()).then(cells.hash())))
            self.sampled += sample.height

    def to_json(self) -> dict[str, Any]:
        """What was found, as files for machines hold it.

        Returns:
            `rows`; `sampled`, how many of the first rows distinct values are counted in; and `columns`, in
            the order of the fields: `field`, `filled` (cells not blank), `distinct`, `longest` (characters).
        """
        sample = pl.concat(self._sample) if self._sample else None
        columns = [
            {
                "field": field,
                "filled": self._filled[field],
                "distinct": 0 if sample is None else sample[field].drop_nulls().n_unique(),
                "longest": self._longest[field],
            }
            for field in self._fields
        ]
        return {"rows": self.rows, "sampled": self.sampled, "columns": columns}


def _longer(frame: pl.DataFrame, known: Mapping[str, int]) -> dict[str, int]:
    """The fields with cells of more characters than is known, and how many; bytes tell where to count."""
    sizes = frame.select(pl.col(list(known)).str.len_bytes().max()).row(0, named=True)
    counted = frame.select(
        pl.col(field).filter(pl.col(field).str.len_bytes() > known[field]).str.len_chars().max()
        for field, size in sizes.items()
        if size is not None and size > known[field]
    )
    longest = counted.row(0, named=True) if counted.width else {}
    return {field: length for field, length in longest.items() if length > known[field]}


class Shapes:
    """The shapes of cells that were rejected, by reason; no cell can be read off them."""

    def __init__(self, places: Sequence[Mapping[str, str]], *, reasons: str, whole_row: str) -> None:
        """Begin with nothing seen.

        Args:
            places: For each source the column of the batches that holds a field's cells, by field.
            reasons: Column with a row's reasons, each `field:code`, or `code` where a whole row is meant.
            whole_row: Column with the text of a row that could not be split.
        """
        self._places = places
        self._reasons = reasons
        self._whole_row = whole_row
        self._examined = Counter[str]()
        self._found: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, position: int, rejected: pl.DataFrame) -> None:
        """Look at the rejected rows of a batch.

        Args:
            position: Which of the sources they come from.
            rejected: The rows.
        """
        full = [reason for reason, cells in self._examined.items() if cells >= _EXAMINED]
        cited = (
            rejected.select(pl.col(self._reasons).alias("reason"), pl.int_range(pl.len()).alias("at"))
            .explode("reason")
            .filter(~pl.col("reason").is_in(full))
            .group_by("reason", maintain_order=True)
            .head(_EXAMINED)
        )
        for (reason,), rows in cited.partition_by("reason", as_dict=True).items():
            self._examined[reason] += rows.height
            field = reason.rpartition(":")[0]
            place = self._places[position].get(field) if field else self._whole_row
            if place is not None:
                shapes = shape(rejected[place].gather(rows["at"])).drop_nulls()
                self._found[reason].update(dict(shapes.value_counts().rows()))

    def of(self, field: str, code: str) -> list[str]:
        """The commonest shapes of a reason, at most three, among the first cells that have it."""
        found = self._found[f"{field}:{code}" if field else code]
        return [text for text, _ in sorted(found.items(), key=lambda item: (-item[1], item[0]))[:_SHAPES]]


def shape(cells: pl.Series) -> pl.Series:
    """Replace every letter by `a`, one outside of ASCII by `á`, every digit by `9`; all else stays.

    Only the beginning of a long cell is shown, with its length.
    """
    length = cells.str.len_chars()
    masked = (
        cells.str.slice(0, _LONGEST_SHAPE)
        .str.replace_all(r"[A-Za-z]", "a")
        .str.replace_all(r"[[\p{L}\p{M}]--a]", "á")
        .str.replace_all(r"\p{N}", "9")
        .alias("shape")
    )
    return pl.select(
        pl.when(length > _LONGEST_SHAPE)
        .then(pl.format("{}… ({} characters)", masked, length))
        .otherwise(masked)
        .alias("shape")
    ).to_series()
