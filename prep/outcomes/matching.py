"""Lines of a failure or warning file → the rows of the chunk that they speak of.

Three rungs, each tried for all lines before the next: the same cells, the same cells in another spelling,
the same lookup value. Lines and rows are counted, not looked up: of two identical rows with one line, one
is named. A looser rung may name a row only if no other row of the chunk looks like it there; and once a
file needed a looser rung, it rewrites cells, so that rows which look alike on that rung are not told
apart by an exact match either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import polars as pl

from prep.outcomes.received import Received, cell
from prep.outcomes.spelling import lookup_key, normalised


class MatchedBy(StrEnum):
    """How a line was found to speak of a row, the surest first."""

    EXACT = "exact"
    NORMALISED = "normalised"
    KEY = "key"


class Why(StrEnum):
    """Why a line gives no row its fate."""

    NO_ROW = "no_row"
    SEVERAL_ROWS = "several_rows"
    UNREADABLE = "unreadable"
    REPEATED = "repeated"


_ROW: Final = {"row": pl.UInt32}
_LINE: Final = {"line": pl.UInt32}
_LINE_ON_RUNG: Final = _LINE | {"reading": pl.UInt32, "matched_by": pl.String}
_PAIR: Final = _ROW | _LINE_ON_RUNG


@dataclass(frozen=True)
class Matches:
    """Which rows a file names.

    Attributes:
        pairs: `row`, `line`, `reading`, `matched_by`: each row and each line at most once.
        alike: `row`: the lines speak of some of these, but nothing tells of which.
        others: `line`, `reading`, `why`, `matched_by`: every readable line that is in no pair.
        named: Rows that the lines speak of: the pairs, and of the rows alike as many as have a line.
    """

    pairs: pl.DataFrame
    alike: pl.DataFrame
    others: pl.DataFrame
    named: int


def match(
    rows: pl.DataFrame, received: Received, key_fields: Sequence[str], name_last: pl.DataFrame
) -> Matches:
    """Find the rows that the lines of a file speak of.

    Args:
        rows: `row` and the columns of the chunk.
        received: The lines.
        key_fields: The fields that together identify a record.
        name_last: `row`: of identical rows these are named only when no other is left.

    Returns:
        Pairs that hold for every file that rewrites cells no worse than this one was seen to do. One
        assumption is made: a column that is missing from the file is missing because it is blank in every
        line, if all lines can be explained so.
    """
    readings = received.readings
    if readings.is_empty():
        return _judge(_Found(), readings)
    common = [cell(name) for name in received.columns]
    keys = [cell(name) for name in key_fields]
    absent = [column for column in rows.columns if column not in {"row", *common}]
    near = _near(rows, readings, common, keys)
    if name_last.height:
        near = pl.concat([near.join(name_last, on="row", how=how) for how in ("anti", "semi")])
    found = _climb(near, readings, common, keys)
    if absent and found.alike.height:
        blank = near.filter(pl.all_horizontal(pl.col(absent) == ""))
        quirk = _climb(blank, readings, common, keys)
        if quirk.explains(readings) and quirk.loosest <= found.loosest:
            found = quirk
    return _judge(found, readings)


def _near(
    rows: pl.DataFrame, readings: pl.DataFrame, common: Sequence[str], keys: Sequence[str]
) -> pl.DataFrame:
    """Keep the rows that any rung could reach, and give identical ones the same `twin`."""
    cells = [column for column in rows.columns if column != "row"]
    if set(keys) <= set(common):
        spelled = [_key(name).alias(f"key {name}") for name in keys]
        names = [f"key {name}" for name in keys]
        rows = rows.with_columns(spelled).join(readings.select(spelled).unique(), on=names, how="semi")
        rows = rows.drop(names)
    return rows.with_columns(twin=pl.col("row").min().over(cells))


def _key(lookup: str) -> pl.Expr:
    return lookup_key(pl.col(lookup), fold_case=lookup == cell("email"))


@dataclass(frozen=True)
class _Looks:
    """What the rows and lines look like on one rung.

    Attributes:
        rung: The rung.
        rows: `row`, `twin`, `look`; rows with equal cells have the same look.
        lines: `line`, `reading`, `look`, in the numbers of `rows`.
    """

    rung: MatchedBy
    rows: pl.DataFrame
    lines: pl.DataFrame


def _compare(
    rung: MatchedBy,
    rows: pl.DataFrame,
    readings: pl.DataFrame,
    common: Sequence[str],
    keys: Sequence[str],
) -> _Looks:
    """Spell the cells of rows and lines as a rung demands, and number what is equal then."""
    both = pl.concat([rows.select(common), readings.select(common)])
    if rung is not MatchedBy.EXACT:
        both = both.with_columns(_key(name).alias(name) for name in keys if name in common)
    if rung is MatchedBy.NORMALISED:
        both = both.with_columns(normalised(both[column]) for column in common if column not in keys)
    if rung is MatchedBy.KEY:
        both = both.select(keys)
    compared = pl.all_horizontal(pl.col(keys) != "") if rung is MatchedBy.KEY else pl.lit(True)
    first = pl.col("look").min().over(both.columns)
    look = both.with_row_index("look").select(pl.when(compared).then(first)).to_series()
    return _Looks(
        rung,
        rows.select("row", "twin").with_columns(look.head(rows.height)).drop_nulls("look"),
        readings.select("line", "reading").with_columns(look.tail(readings.height)).drop_nulls("look"),
    )


@dataclass(frozen=True)
class _Found:
    """What the rungs so far have found.

    Attributes:
        pairs: `row`, `line`, `reading`, `matched_by`.
        alike: `row`: some of these, too few to be all, are named.
        blurred: `line`: those that name them.
        met: `line`, `reading`, `matched_by`: every line, once for each rung on which any row looks like it.
        looks: What was compared, rung by rung.
        loosest: The place of the last rung that named a row.
    """

    pairs: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_PAIR))
    alike: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_ROW))
    blurred: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_LINE))
    met: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_LINE_ON_RUNG))
    looks: tuple[_Looks, ...] = ()
    loosest: int = 0

    def unsettled(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Keep the lines that name no row yet."""
        return lines.join(self.pairs, on="line", how="anti").join(self.blurred, on="line", how="anti")

    def free(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Keep the rows that no line names yet."""
        return rows.join(self.pairs, on="row", how="anti").join(self.alike, on="row", how="anti")

    def explains(self, readings: pl.DataFrame) -> bool:
        """Tell whether every line names a certain row."""
        return self.blurred.is_empty() and self.unsettled(readings).is_empty()


def _climb(rows: pl.DataFrame, readings: pl.DataFrame, common: Sequence[str], keys: Sequence[str]) -> _Found:
    """Try each rung for all lines that the rungs before have left."""
    found = _Found()
    for rung in MatchedBy:
        if found.unsettled(readings).is_empty() or (rung is MatchedBy.KEY and not set(keys) <= set(common)):
            break
        found = _step(found, _compare(rung, rows, readings, common, keys))
    return found


def _step(found: _Found, looks: _Looks) -> _Found:
    """Name rows on one rung: of what looks the same, the n-th line names the n-th free row.

    That is certain if these rows are identical, or if all of them are named exactly. Other rows are alike.
    """
    nth, many = pl.int_range(pl.len()).over("look"), pl.len().over("look")
    rows = looks.rows.with_columns(faces=pl.col("twin").n_unique().over("look"))
    met = (
        found.unsettled(looks.lines)
        .join(rows, on="look", how="semi")
        .unique(["line", "look"], keep="first", maintain_order=True)
        .filter(pl.len().over("line") == 1)
        .with_columns(nth=nth, lines=many, matched_by=pl.lit(looks.rung.value))
    )
    free = found.free(rows.join(met, on="look", how="semi")).with_columns(nth=nth, rows=many)
    named = met.join(free, on=["look", "nth"], maintain_order="left")
    all_named = (pl.col("lines") >= pl.col("rows")) & (looks.rung is MatchedBy.EXACT)
    certain = (pl.col("faces") == 1) | all_named
    blurred = named.filter(~certain)
    return _Found(
        pairs=found.pairs.vstack(named.filter(certain).select(*_PAIR)),
        alike=found.alike.vstack(free.join(blurred, on="look", how="semi").select(*_ROW)),
        blurred=found.blurred.vstack(blurred.select(*_LINE)),
        met=found.met.vstack(met.select(*_LINE_ON_RUNG)),
        looks=(*found.looks, looks),
        loosest=len(found.looks) if named.height else found.loosest,
    )


def _judge(found: _Found, readings: pl.DataFrame) -> Matches:
    """Withdraw what the rewriting seen in this file leaves open, and say what became of every line."""
    confusable = [_confusable(found, looks) for looks in found.looks[1 : found.loosest + 1]]
    alike = pl.concat([found.alike, *confusable]).unique()
    withdrawn = found.pairs.join(alike, on="row", how="semi").select(*_LINE)
    pairs = found.pairs.join(alike, on="row", how="anti")
    others = (
        readings.select(*_LINE)
        .unique(maintain_order=True)
        .join(pairs, on="line", how="anti")
        .join(found.blurred.vstack(withdrawn).with_columns(several=True), on="line", how="left")
        .join(found.met.unique("line", keep="first", maintain_order=True), on="line", how="left")
    )
    why = (
        pl.when("several")
        .then(pl.lit(Why.SEVERAL_ROWS.value))
        .when(pl.col("matched_by").is_not_null())
        .then(pl.lit(Why.REPEATED.value))
        .otherwise(pl.lit(Why.NO_ROW.value))
    )
    return Matches(
        pairs=pairs,
        alike=alike,
        others=others.select("line", pl.col("reading").fill_null(0), "matched_by", why=why).sort("line"),
        named=found.pairs.height + found.blurred.height,
    )


def _confusable(found: _Found, looks: _Looks) -> pl.DataFrame:
    """Find the rows that look like another, different row of which a line speaks.

    The file rewrites cells as this rung forgives, so a line may speak of either; unless all are exact.
    """
    exact = pl.col("matched_by") == MatchedBy.EXACT.value
    named = [found.pairs.select("row", exact=exact), found.alike.select("row", exact=False)]
    flagged = looks.rows.join(pl.concat(named), on="row", how="left").with_columns(
        faces=pl.col("twin").n_unique().over("look"),
        spoken_of=pl.col("exact").is_not_null().any().over("look"),
        all_exact=pl.col("exact").fill_null(value=False).all().over("look"),
    )
    return flagged.filter(pl.col("spoken_of") & ~pl.col("all_exact") & (pl.col("faces") > 1)).select(*_ROW)
