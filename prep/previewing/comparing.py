"""Rows of the upload beside the people that Marketo has: what would become of them, field by field."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl
import polars.selectors as cs

from prep.comparison import Change, Outcome, find_change
from prep.model import CLEARING, ROW, SOURCE
from prep.previewing.answers import Answer
from prep.previewing.questions import ID, IS_ASKED, KEY, LOOSE, Part, Questions, loosened
from prep.profile import shape

BEFORE: Final = "before."
MARK: Final = "changes."
"""What stands before the names of fields in columns with what people have, and with whether that changes."""

DIFFERENCE_COLUMNS: Final = (SOURCE, ROW, "_outcome", "_people", ID, "field", "change", "before", "after")
"""Columns of `preview.csv`."""

PERSON: Final = "_person"
_AT: Final = "_at"
_EXACT: Final = "_exact"
_SHAPED_CELLS: Final = 1_000
"""Cells of each field and kind of change that shapes are made of."""
_SHAPES: Final = 3


LOOKED_AT: Final = (Outcome.SEVERAL, Outcome.UNCLEAR, Outcome.NOT_FOUND, Outcome.NOT_ASKED)
"""Outcomes whose rows are worth a line of their own, also if no field would change."""


class Tally:
    """What a preview found, in numbers; no value can be read off it.

    Args:
        questions: What was asked.
    """

    def __init__(self, questions: Questions) -> None:
        self.outcomes = Counter[str]()
        self.differences = 0
        self._questions = questions
        self._cells = Counter[tuple[str, str]]()
        self._shapes = Counter[tuple[str, str, str | None, str | None]]()

    def add(self, lines: pl.DataFrame, differences: pl.DataFrame) -> None:
        """Count a batch.

        Args:
            lines: From `compare`.
            differences: From `list_differences`.
        """
        self.outcomes.update(dict(lines.group_by("_outcome").agg(pl.col(_AT).n_unique()).rows()))
        self.differences += differences.height
        sure = differences.filter(pl.col("_outcome") == Outcome.UPDATED)
        for (name, change), cells in sure.partition_by("field", "change", as_dict=True).items():
            room = _SHAPED_CELLS - self._cells[name, change]
            self._cells[name, change] += cells.height
            if room > 0:
                before, after = (shape(cells[column].head(room)).to_list() for column in ("before", "after"))
                self._shapes.update((name, change, *both) for both in zip(before, after, strict=True))

    def fields(self, protected: Sequence[str]) -> list[dict[str, Any]]:
        """Each field that would change, with how many cells in which way, in the order of the upload."""
        names = [name for name in self._questions.types if any(self._cells[name, kind] for kind in Change)]
        return [
            {
                "field": name,
                **{str(kind): self._cells[name, kind] for kind in Change},
                "is_protected": name in protected,
            }
            for name in names
        ]

    def samples(self) -> list[dict[str, Any]]:
        """The commonest shapes of values that would change, with what would take their place."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        ordered = sorted(self._shapes.items(), key=lambda item: (-item[1], str(item[0])))
        for (name, change, before, after), _ in ordered:
            listed = found.setdefault((name, change), [])
            if len(listed) < _SHAPES:
                listed.append({"field": name, "change": change, "before": before, "after": after})
        return [
            sample
            for name in self._questions.types
            for kind in Change
            for sample in found.get((name, kind), ())
        ]


def compare(part: Part, answer: Answer, questions: Questions) -> pl.DataFrame:
    """Put people beside rows: one line for each person that a row may mean, one line if there is none.

    A person is the one meant if the key is the same: an email address in any case, any other key exactly.
    Somebody whose key differs in case or in blanks around it only leaves it unclear whom Marketo takes.

    Returns:
        `_source`, `_row`, `_outcome`, `_people` (how many), `_person` (the id), the cells of the upload, what
        people have (`before.FIELD`) and the word of a `Change` for each field (`changes.FIELD`).
    """
    people = _people(answer, questions)
    key = pl.col(KEY).str.to_lowercase() if questions.lookup_field == "email" else pl.col(KEY)
    lines = (
        part.rows.with_row_index(_AT)
        .join(people, on=LOOSE, how="left", maintain_order="left_right")
        .with_columns(
            (pl.col(_EXACT) == key).fill_null(value=False).alias(_EXACT),
            pl.col(PERSON).count().over(_AT).alias("_people"),
            (pl.col(IS_ASKED) & ~pl.col(KEY).is_in(answer.refused)).alias(IS_ASKED),
            *(_change(name, part, questions).alias(f"{MARK}{name}") for name in questions.types),
        )
    )
    is_changed = pl.any_horizontal(pl.lit(value=False), _marks().as_expr().is_not_null())
    absent = Outcome.NOT_FOUND if questions.lookup_field == ID else Outcome.CREATED
    outcome = (
        pl.when(~pl.col(IS_ASKED))
        .then(pl.lit(Outcome.NOT_ASKED.value))
        .when(pl.col("_people") == 0)
        .then(pl.lit(absent.value))
        .when(~pl.col(_EXACT).all().over(_AT))
        .then(pl.lit(Outcome.UNCLEAR.value))
        .when(pl.col("_people") > 1)
        .then(pl.lit(Outcome.SEVERAL.value))
        .when(is_changed)
        .then(pl.lit(Outcome.UPDATED.value))
        .otherwise(pl.lit(Outcome.UNCHANGED.value))
    )
    return lines.with_columns(outcome.alias("_outcome"))


def _people(answer: Answer, questions: Questions) -> pl.DataFrame:
    """`_person`, `_exact` and `_loose` (the key in two spellings), and `before.FIELD`."""
    others = questions.fields[1:] if questions.tells_key else questions.fields
    columns = [PERSON, KEY, *(f"{BEFORE}{name}" for name in others)]
    told = pl.DataFrame(answer.people, schema=dict.fromkeys(columns, pl.String), orient="row")
    key = pl.col(KEY)
    is_compared = questions.tells_key and questions.lookup_field in questions.types
    return told.select(
        PERSON,
        (key.str.to_lowercase() if questions.lookup_field == "email" else key).alias(_EXACT),
        loosened(key).alias(LOOSE),
        *([key.alias(f"{BEFORE}{questions.lookup_field}")] if is_compared else []),
        pl.exclude(PERSON, KEY),
    ).unique(PERSON, maintain_order=True)


def _marks() -> cs.Selector:
    return cs.starts_with(MARK)


def _change(name: str, part: Part, questions: Questions) -> pl.Expr:
    if name not in part.fields:
        return pl.lit(None, pl.String)
    is_person = pl.col(PERSON).is_not_null()
    return pl.when(is_person).then(find_change(f"{BEFORE}{name}", name, questions.types[name]))


def list_differences(lines: pl.DataFrame, questions: Questions) -> pl.DataFrame:
    """One line for each field of each person that would change; the columns are `DIFFERENCE_COLUMNS`."""
    return pl.concat([_no_lines(), *_listed(lines, questions)]).sort(_AT, maintain_order=True).drop(_AT)


def list_rows_without(lines: pl.DataFrame) -> pl.DataFrame:
    """Rows that deserve a look although none of their fields would change, in the form of differences."""
    is_silent = pl.all_horizontal(pl.lit(value=True), _marks().as_expr().is_null())
    rows = lines.filter(pl.col("_outcome").is_in(LOOKED_AT) & is_silent.all().over(_AT))
    return rows.select(_cells(pl.lit(None, pl.String), *[pl.lit(None, pl.String)] * 3)).drop(_AT)


def _listed(lines: pl.DataFrame, questions: Questions) -> Iterator[pl.DataFrame]:
    names = list(questions.types)
    found = (
        lines.select(pl.col(f"{MARK}{name}").is_not_null().any() for name in names).row(0) if names else ()
    )
    for name in (name for name, is_found in zip(names, found, strict=True) if is_found):
        after = pl.col(name).replace(CLEARING, None)
        yield lines.filter(pl.col(f"{MARK}{name}").is_not_null()).select(
            _cells(pl.lit(name), pl.col(f"{MARK}{name}"), pl.col(f"{BEFORE}{name}"), after)
        )


def _cells(name: pl.Expr, change: pl.Expr, before: pl.Expr, after: pl.Expr) -> list[pl.Expr]:
    told = {"field": name, "change": change, "before": before, "after": after}
    return [
        pl.col(_AT).cast(pl.UInt32),
        pl.col(SOURCE),
        pl.col(ROW).cast(pl.UInt32),
        pl.col("_outcome"),
        pl.col("_people").cast(pl.UInt32),
        pl.col(PERSON).alias(ID),
        *(text.cast(pl.String).alias(column) for column, text in told.items()),
    ]


def _no_lines() -> pl.DataFrame:
    numbers = {_AT: pl.UInt32, ROW: pl.UInt32, "_people": pl.UInt32}
    return pl.DataFrame(schema={name: numbers.get(name, pl.String) for name in (_AT, *DIFFERENCE_COLUMNS)})


def find_ways_back(lines: pl.DataFrame, questions: Questions) -> pl.DataFrame:
    """What people have who may change: `id`, each field as a cell that puts it back, and `changes.FIELD`.

    A field that is blank is put back by the order to clear it. Text that reads like that order cannot be put
    back: an import would clear the field.
    """
    names = list(questions.types)
    back = lines.filter(pl.col(PERSON).is_not_null()).select(
        pl.col(PERSON).alias(ID),
        *(pl.col(f"{BEFORE}{name}").fill_null(CLEARING).alias(name) for name in names),
        *(
            (
                pl.col(f"{MARK}{name}").is_not_null()
                & (pl.col(f"{BEFORE}{name}") != CLEARING).fill_null(value=True)
            ).alias(f"{MARK}{name}")
            for name in names
        ),
    )
    return back.filter(pl.any_horizontal(pl.lit(value=False), _marks().as_expr()))


def count_lost_words(lines: pl.DataFrame, questions: Questions) -> Mapping[str, int]:
    """How many values of each field would change and cannot be put back."""
    lost = {
        name: pl.col(f"{MARK}{name}").is_not_null() & (pl.col(f"{BEFORE}{name}") == CLEARING)
        for name in questions.types
    }
    counted = lines.select(is_lost.sum().alias(name) for name, is_lost in lost.items()) if lost else None
    return (
        {}
        if counted is None
        else {name: cells for name, cells in counted.row(0, named=True).items() if cells}
    )
