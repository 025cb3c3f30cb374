"""What a rule is, and how one is applied to the few cells that need it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

OPEN: Final = "open"
"""The verdict on a cell that can be read in more than one way."""

PLAIN: Final = "plain"
"""The verdict on a cell that can be read in one way only, whatever the settings."""

NON_ASCII: Final = r"[^\x00-\x7F]"


Test = Callable[[pl.Expr], pl.Expr]
"""True for the cells that pass. Equal tests are looked for once."""


@dataclass(frozen=True)
class Rule:
    """One way of respelling cells.

    Attributes:
        name: What reports call it.
        needed: True for every cell that the rule may change. It sees whole columns, so it must be cheap.
        respell: The needed cells, none of them blank, in their better spelling: unchanged where there is
            none, null where nothing is left. Applied to its own result it changes nothing.
    """

    name: str
    needed: Test
    respell: Callable[[pl.Series], pl.Series]

    def apply(self, cells: pl.Series) -> tuple[pl.Series, int]:
        """Return the cells respelled, and how many of them changed. Blanks stay blank."""
        rows = needed_rows(cells, self.needed)
        return _put_if_changed(cells, rows, self.respell(cells.gather(rows))) if rows.len() else (cells, 0)


@dataclass(frozen=True)
class BesideCountry:
    """A way of respelling cells that depends on the country of their row.

    Attributes:
        name: What reports call it.
        needed: As in `Rule`.
        spell: A cell and the ISO code of its row's country → its better spelling, None if there is none. The
            code is `ZZ` where the country is not understood, None where it is blank.
        spell_together: Cells → `row` (their position) and `spelled` of those which `spell` spells the same in
            every country, at less cost. Cells that it leaves out are given to `spell`.
    """

    name: str
    needed: Test
    spell: Callable[[str, str | None], str | None]
    spell_together: Callable[[pl.Series], pl.DataFrame] | None = None

    def apply(self, cells: pl.Series, countries: pl.Series) -> tuple[pl.Series, int]:
        """Return the cells respelled, and how many of them changed. Blanks stay blank."""
        rows = needed_rows(cells, self.needed)
        if rows.is_empty():
            return cells, 0
        pairs = pl.DataFrame({"cell": cells.gather(rows), "country": countries.gather(rows)})
        return _put_if_changed(cells, rows, or_as_it_was(self._spelled(pairs), pairs["cell"]))

    def _spelled(self, pairs: pl.DataFrame) -> pl.Series:
        """The spelling of each pair of cell and country."""
        if self.spell_together is None:
            return self._spelled_singly(pairs)
        together = self.spell_together(pairs["cell"])
        is_left = pl.repeat(True, pairs.height, dtype=pl.Boolean, eager=True).scatter(together["row"], False)
        spelled = pl.repeat(None, pairs.height, dtype=pl.String, eager=True)
        spelled = put(spelled, together["row"], together["spelled"])
        others = pairs.filter(is_left)
        return put(spelled, is_left.arg_true(), self._spelled_singly(others)) if others.height else spelled

    def _spelled_singly(self, pairs: pl.DataFrame) -> pl.Series:
        """The same, where each distinct pair is looked at once."""
        distinct = pairs.unique()
        spelled = [self.spell(*pair) for pair in distinct.iter_rows()]
        known = distinct.with_columns(pl.Series("spelled", spelled, pl.String))
        return pairs.join(known, on=["cell", "country"], nulls_equal=True, maintain_order="left")["spelled"]


def needed_rows(cells: pl.Series, needed: Test) -> pl.Series:
    """The positions of the cells that pass the test."""
    return cells.to_frame("cell").select(needed(pl.col("cell"))).to_series().arg_true()


def _put_if_changed(cells: pl.Series, rows: pl.Series, after: pl.Series) -> tuple[pl.Series, int]:
    changed = cells.gather(rows).ne_missing(after).arg_true().len()
    return (put(cells, rows, after), changed) if changed else (cells, 0)


def true_somewhere(verdicts: pl.DataFrame) -> list[str]:
    """The columns of a frame of verdicts that hold a true one, found in one look at all of them."""
    found = verdicts.select(pl.all().any()).row(0) if verdicts.width else ()
    return [name for name, is_found in zip(verdicts.columns, found, strict=True) if is_found]


def put(cells: pl.Series, rows: pl.Series, values: pl.Series) -> pl.Series:
    """A copy of `cells` with `values` at the positions `rows`."""
    return cells.clone().scatter(rows, values)


@dataclass(frozen=True)
class Contains:
    """A test for cells in which at least one of these regular expressions matches."""

    patterns: tuple[str, ...]

    def __call__(self, cell: pl.Expr) -> pl.Expr:
        """True where one matches."""
        return cell.str.contains("|".join(f"(?:{pattern})" for pattern in self.patterns))


def contains(*patterns: str) -> Contains:
    """A test for cells in which at least one of these regular expressions matches."""
    return Contains(patterns)


def any_of(tests: Iterable[Test]) -> Test:
    """A test for cells that pass at least one of these; regular expressions are merged into one."""
    distinct = dict.fromkeys(tests)
    patterns = [pattern for test in distinct if isinstance(test, Contains) for pattern in test.patterns]
    others = [test for test in distinct if not isinstance(test, Contains)]
    if patterns:
        others.append(contains(*dict.fromkeys(patterns)))
    return lambda cell: pl.any_horizontal(test(cell) for test in others)


@dataclass(frozen=True)
class Lacks:
    """A test for cells in which a regular expression does not match."""

    pattern: str

    def __call__(self, cell: pl.Expr) -> pl.Expr:
        """True where it does not match."""
        return ~cell.str.contains(self.pattern)


def lacks(pattern: str) -> Lacks:
    """A test for cells in which this regular expression does not match."""
    return Lacks(pattern)


def replacing(name: str, *replacements: tuple[str, str]) -> Rule:
    """A rule that makes these regular replacements, one after the other, wherever they match."""

    def respell(cells: pl.Series) -> pl.Series:
        for pattern, replacement in replacements:
            cells = cells.str.replace_all(pattern, replacement)
        return cells

    return Rule(name, contains(*(pattern for pattern, _ in replacements)), respell)


def or_as_it_was(spelled: pl.Series, cells: pl.Series) -> pl.Series:
    """The new spelling where there is one, the cell as it was where there is none (null)."""
    return spelled.zip_with(spelled.is_not_null(), cells)


def once_for_each_value(respell: Callable[[pl.Series], pl.Series]) -> Callable[[pl.Series], pl.Series]:
    """Let a slow `respell` see each value once; left alone where most values occur only once anyway."""

    def respell_distinct(cells: pl.Series) -> pl.Series:
        values = cells.unique()
        if 2 * values.len() > cells.len():
            return respell(cells)
        return cells.replace_strict(values, respell(values), return_dtype=pl.String)

    return respell_distinct
