"""Rules over several fields of a row: what must hold of some of them if something holds of others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import and_

import polars as pl

from prep.checks import Check, fold_value, folded
from prep.model import Reason


@dataclass(frozen=True)
class Terms:
    """What holds of a row if all of it holds.

    Attributes:
        values: Field → the values one of which it has; neither case nor spaces count.
        filled: Fields that are not blank.
        blank: Fields that are.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    filled: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """REST names of the fields that it speaks of."""
        return (*self.values, *self.filled, *self.blank)

    def holds(self) -> pl.Expr:
        """True for rows of which all of it holds; never null."""
        terms = [
            *(_is_one_of(name, values).fill_null(value=False) for name, values in self.values.items()),
            *(pl.col(name).is_not_null() for name in self.filled),
            *(pl.col(name).is_null() for name in self.blank),
        ]
        return reduce(and_, terms)

    def __str__(self) -> str:
        terms = [
            *(f"{name} is {' or '.join(values)}" for name, values in self.values.items()),
            *(f"{name} is filled" for name in self.filled),
            *(f"{name} is blank" for name in self.blank),
        ]
        return " and ".join(terms)


@dataclass(frozen=True)
class CrossRule:
    """A rule over several fields; a field that a file lacks is blank.

    Attributes:
        name: What it is called in reports.
        condition: When it applies.
        demand: What must hold then. A blank cell has no wrong value: `filled` forbids it.
    """

    name: str
    condition: Terms
    demand: Terms

    @property
    def fields(self) -> tuple[str, ...]:
        """REST names of the fields that it speaks of."""
        return tuple(dict.fromkeys((*self.condition.fields, *self.demand.fields)))

    def checks(self) -> Iterator[tuple[str, Check]]:
        """The field that a row is rejected for, and the check of its column."""
        for name in self.demand.filled:
            yield name, self._check(Reason.REQUIRED, pl.col(name).is_not_null())
        for name in self.demand.blank:
            yield name, self._check(Reason.NOT_ALLOWED, pl.col(name).is_null())
        for name, values in self.demand.values.items():
            is_allowed = pl.col(name).is_null() | _is_one_of(name, values)
            yield name, self._check(Reason.NOT_ALLOWED, is_allowed)

    def _check(self, reason: Reason, demanded: pl.Expr) -> Check:
        return Check(reason, partial(_either, ~self.condition.holds() | demanded), judges_blanks=True)

    def __str__(self) -> str:
        return f"{self.name}: if {self.condition}, then {self.demand}"


def _either(verdict: pl.Expr, _: pl.Expr) -> pl.Expr:
    return verdict


def _is_one_of(name: str, values: tuple[str, ...]) -> pl.Expr:
    return folded(pl.col(name)).is_in([fold_value(one) for one in values])
