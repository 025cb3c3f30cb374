"""Values of a list that a schema allows, in the spelling of the list."""

from collections import Counter

import polars as pl

from prep.checks import fold_value, folded
from prep.values.rules import Rule, or_as_it_was
from prep.values.text import NULL


def allowed_rule(allowed: tuple[str, ...]) -> Rule:
    """The rule `allowed`: a value of the list in other case or with other spaces → as the list has it.

    Of values that differ in nothing else, each is understood as it is written only. Somebody called Null does
    not become a word that clears the field.
    """
    count = Counter(map(fold_value, allowed))
    spellings = {
        fold_value(value): value for value in allowed if count[fold_value(value)] == 1 and value not in NULL
    }

    def respell(cells: pl.Series) -> pl.Series:
        spelled = cells.to_frame("cell").select(
            folded(pl.col("cell")).replace_strict(spellings, default=None, return_dtype=pl.String)
        )
        return or_as_it_was(spelled.to_series(), cells)

    return Rule("allowed", lambda cell: ~cell.is_in(allowed), respell)
