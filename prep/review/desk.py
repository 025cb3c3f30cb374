"""Rows under repair: what they are now, what is wrong with them still, and what a person does to them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from threading import RLock
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

import polars as pl

from prep.corrections import CHANGES, LEFT_OUT, Journal, Steps
from prep.errors import FolderError, PrepError, SourceError
from prep.folder import RunFolder, check_sources
from prep.manifest import Manifest
from prep.model import Fate
from prep.places import number_row
from prep.retry_mapping import refuse_changed_schema, refuse_idle, refuse_unmovable, remap
from prep.returned_tables import plain_text
from prep.review.judging import Judge
from prep.review.sheet import ID, RAW, TABLE, Sheet, open_sheet, place_of
from prep.review.suggestions import suggest
from prep.runs import Run, open_folder, refuse_half_settled

REASONS: Final = "_reasons"
CHANGED, IS_LEFT_OUT = "_changed", "_left_out"

OPEN, REPAIRED, OUT = "open", "repaired", "left out"
"""What a row can be: something is wrong with it, nothing any more, or it shall not be tried again."""

_STATES: Final = {
    OPEN: ~pl.col(IS_LEFT_OUT) & (pl.col(REASONS) != ""),
    REPAIRED: ~pl.col(IS_LEFT_OUT) & (pl.col(REASONS) == ""),
    OUT: pl.col(IS_LEFT_OUT),
}


@dataclass(frozen=True)
class View:
    """Which rows are looked at, and in which order.

    Attributes:
        reason: `field:code` that the rows have, or had before they were changed; all if None.
        state: `open`, `repaired`, `left out`; all if None.
        text: What a cell holds, in any case; empty for anything.
        place: The column that holds it; any if None.
        sort: The column to sort by; in the order of the tables if None.
        descending: Whether the largest comes first.
    """

    reason: str | None = None
    state: str | None = None
    text: str = ""
    place: int | None = None
    sort: int | None = None
    descending: bool = False


_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def _alone(
    verb: "Callable[Concatenate[Desk, _Arguments], _Answer]",
) -> "Callable[Concatenate[Desk, _Arguments], _Answer]":
    """A verb that nobody else changes the rows during."""

    @wraps(verb)
    def locked(self: "Desk", /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        with self.lock:
            return verb(self, *args, **kwargs)

    return locked


class Desk:
    """The rows of a run that a person repairs. Whatever is done is in the journal before it counts.

    Safe to use from several threads; who asks for several things that belong together holds the `lock`.
    """

    def __init__(self, folder: RunFolder, manifest: Manifest, sheet: Sheet, journal: Journal) -> None:
        """Lay the rows out, as far as they were repaired before; `open` does that for a folder."""
        self.folder = folder
        self.sheet = sheet
        self._as_run = manifest
        corrections = sheet.locate(journal.current())
        self._map(journal.maps())
        self.lock = RLock()
        self.version = 0
        self._journal = journal
        self._signature = _signature(folder)
        self.rows = sheet.rows.with_columns(pl.lit(False).alias(CHANGED), pl.lit(False).alias(IS_LEFT_OUT))
        repaired = self._apply(corrections)
        self._check(repaired if _is_as_written(folder) and not self.maps else self._judged_anew())

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the rows of a run that were rejected or failed.

        The caller holds the folder's `review_lock`.

        Raises:
            FolderError: There is no such run, it was not finished or purged, its tables were not finished, or
                nothing is to be repaired (`nothing_to_repair`).
            SourceError: A source changed, or a table came back damaged or is gone.
            SchemaError: The schema changed, and what columns become by it.
        """
        folder = open_folder(Run.open(path))
        refuse_half_settled(folder)
        manifest = folder.manifest()
        check_sources(folder, manifest)
        refuse_changed_schema(manifest)
        sheet = open_sheet(folder, manifest)
        journal = Journal(folder.review)
        try:
            return cls(folder, manifest, sheet, journal)
        except BaseException:
            journal.close()
            raise

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    @property
    def is_stale(self) -> bool:
        """Whether somebody changed the tables since they were read."""
        return _signature(self.folder) != self._signature

    def steps(self) -> Steps:
        """What can be taken back and done again."""
        return self._journal.steps()

    def select(self, view: View) -> pl.DataFrame:
        """The rows that a view shows, in its order."""
        rows = self.rows
        if view.reason is not None:
            now, before = (_has(column, view.reason) for column in (rows[REASONS], self.sheet.rows[REASONS]))
            rows = rows.filter(now | before)
        if view.state is not None:
            rows = rows.filter(_STATES[view.state])
        if view.text:
            names = self.sheet.names if view.place is None else [str(view.place)]
            sought = view.text.lower()
            holds = [pl.col(name).str.to_lowercase().str.contains(sought, literal=True) for name in names]
            rows = rows.filter(pl.any_horizontal(holds))
        if view.sort is not None:
            by = str(view.sort) if view.sort >= 0 else "_row"
            rows = rows.sort(by, descending=view.descending, nulls_last=True, maintain_order=True)
        return rows

    def counts(self) -> dict[str, int]:
        """How many rows are in each state, and how many there are."""
        found = self.rows.select(test.sum().alias(name) for name, test in _STATES.items()).row(0, named=True)
        return {**found, "rows": self.rows.height}

    def reasons(self) -> list[tuple[str, int]]:
        """Each reason that rows have now, or had at first, and how many have it now; the commonest first."""
        standing = self.rows.filter(_STATES[OPEN])[REASONS].str.split("; ").explode().value_counts()
        first = self.sheet.rows[REASONS].str.split("; ").explode().unique()
        counts = {**dict.fromkeys(first.sort().to_list(), 0), **dict(standing.rows())}
        return sorted(
            ((reason, rows) for reason, rows in counts.items() if reason),
            key=lambda item: (-item[1], item[0]),
        )

    @_alone
    def edit(self, record: int, place: int, value: str | None) -> None:
        """Put a value into one cell.

        Raises:
            SourceError: There is no such cell, or it cannot be repaired.
            FolderError: The tables changed meanwhile, or the journal cannot be written.
        """
        word, number = number_row(place_of(self._row(record)), self.manifest.sheets)
        self._put(f"one cell of {word} {number:,}", [record], place, pl.Series([value], dtype=pl.String))

    @_alone
    def fill(self, view: View, place: int, value: str | None) -> int:
        """Put one value into a column of all rows that a view shows; returns how many cells it changed.

        Raises:
            SourceError, FolderError: As `edit`.
        """
        records = self.select(view)[ID]
        return self._put(
            f"{self._title(place)} filled in",
            records,
            place,
            pl.repeat(value, len(records), dtype=pl.String, eager=True),
        )

    @_alone
    def replace(self, view: View, place: int, find: str, value: str) -> int:
        """Replace a text wherever a column of the shown rows holds it; returns how many cells that changed.

        Raises:
            SourceError, FolderError: As `edit`.
        """
        if not find:
            raise _refused("nothing was given to look for", "Say which text is to be replaced.")
        rows = self.select(view)
        values = rows[str(place)].str.replace_all(find, value, literal=True)
        return self._put(f"text in {self._title(place)} replaced", rows[ID], place, values)

    @_alone
    def accept(self, view: View, reason: str) -> int:
        """Take the suggestion for a reason in all shown rows that have exactly one; returns how many.

        Raises:
            SourceError, FolderError: As `edit`.
        """
        rows = self.select(view)
        rows = rows.filter(_has(rows[REASONS], reason) & ~pl.Series(rows[IS_LEFT_OUT]))
        field, _, code = reason.rpartition(":")
        known = self.judge.fields.get(field)
        parts = []
        for part in rows.partition_by(TABLE, "_source") if known else ():
            place = self.place_of(part[TABLE][0], part["_source"][0], field)
            if known is None or place is None:
                continue
            options = suggest(known, code, part[str(place)].drop_nulls().unique())
            sure = {cell: found[0] for cell, found in options.items() if len(found) == 1}
            taken = part.filter(pl.col(str(place)).is_in(list(sure)))
            values = [sure[cell] for cell in taken[str(place)]]
            parts.append(self._changes(taken[ID], place, pl.Series(values, dtype=pl.String)))
        return self._do("suggestions taken", pl.concat([CHANGES.to_frame(), *parts]))

    @_alone
    def leave_out(self, records: Sequence[int] | pl.Series, *, is_left_out: bool) -> int:
        """Leave rows out, as if their lines were deleted, or take them in again; returns how many.

        Raises:
            FolderError: As `edit`.
        """
        wanted = self.rows.filter(pl.col(ID).is_in(list(records)) & (pl.col(IS_LEFT_OUT) != is_left_out))
        wanted = self._repairable(wanted)
        changes = wanted.select(
            pl.col(TABLE).alias("table"),
            pl.col("_source").alias("source"),
            pl.col("_row").alias("row"),
            pl.lit(LEFT_OUT, pl.Int32).alias("place"),
            pl.lit(None, pl.String).alias("base"),
            pl.lit("yes" if is_left_out else None, pl.String).alias("value"),
            pl.lit(None, pl.String).alias("header"),
            pl.lit(None, pl.Int32).alias("occurrence"),
        )
        what = "left out" if is_left_out else "taken in again"
        return self._do(f"{changes.height:,} rows {what}", changes)

    @_alone
    def remap(self, maps: Mapping[str, str]) -> None:
        """Give columns to other fields than in the run, and judge all rows anew.

        Args:
            maps: Header → field, an empty field to leave the column out; columns that are not named have the
                field that they have in the run.

        Raises:
            SettingsError: There is no such column or field.
            HeaderError: The columns do not fit the schema any more, such as two for one field.
            FolderError: As `edit`.
        """
        self._refuse_stale()
        before = self.maps
        headers = [*before, *(header for header in maps if header not in before)]
        steps = {header: maps.get(header) for header in headers if maps.get(header) != before.get(header)}
        if not steps:
            return
        self._map(maps)
        try:
            self._journal.add("columns mapped otherwise", maps=steps)
        except PrepError:
            self._map(before)
            raise
        self._judge_all()

    @_alone
    def undo(self) -> None:
        """Take the last step back; nothing happens if there is none.

        Raises:
            FolderError: As `edit`.
        """
        self._turn(self._journal.undo)

    @_alone
    def redo(self) -> None:
        """Do the step again that was taken back last; nothing happens if there is none.

        Raises:
            FolderError: As `edit`.
        """
        self._turn(self._journal.redo)

    def place_of(self, table: str, source: str, field: str) -> int | None:
        """Where a source's cells of a field are in the sheet's columns; None where the table has none."""
        return self._places(table, source).get(field)

    def _places(self, table: str, source: str) -> Mapping[str, int]:
        if (table, source) not in self._known_places:
            numbers = {own: place for place, own in self.sheet.places[table].items()}
            found = {field: numbers[own] for field, own in self.judge.places(table, source).items()}
            self._known_places[table, source] = found
        return self._known_places[table, source]

    @cached_property
    def origins(self) -> list[tuple[str, str]]:
        """Table and source of the rows, each pair once."""
        pairs: list[tuple[str, str]] = (
            self.sheet.rows.select(TABLE, "_source").unique(maintain_order=True).rows()
        )
        return pairs

    def changed_places(self, rows: pl.DataFrame) -> dict[int, list[int]]:
        """Columns in which rows differ from the tables, by record."""
        base = self.sheet.rows[rows[ID]]
        differs = {name: rows[name].ne_missing(base[name]) for name in self.sheet.names}
        return {
            record: [place for place, name in enumerate(self.sheet.names) if differs[name][index]]
            for index, record in enumerate(rows[ID])
        }

    @cached_property
    def elsewhere(self) -> int:
        """How many rows of the run are not here, because they are neither rejected nor failed."""
        counts = self.folder.count_rows()
        return sum(counts.values()) - counts.get(Fate.REJECTED, 0) - counts.get(Fate.FAILED, 0)

    def _map(self, maps: Mapping[str, str]) -> None:
        """Judge by this mapping from now on, if it is possible."""
        manifest = remap(self._as_run, maps)
        refuse_idle(manifest, ())
        for table in self.sheet.tables.values():
            refuse_unmovable(table, self._as_run, manifest)
        self.judge = Judge(manifest, self.sheet.tables)
        self.manifest, self.maps = manifest, dict(maps)
        self._known_places: dict[tuple[str, str], Mapping[str, int]] = {}

    def _judge_all(self) -> None:
        self.version += 1
        self._check(self._judged_anew())

    def _row(self, record: int) -> dict[str, Any]:
        if not 0 <= record < self.rows.height:
            raise _refused("there is no such row", "Reload the page.")
        return self.rows.row(record, named=True)

    def _title(self, place: int) -> str:
        if not 0 <= place < len(self.sheet.columns):
            raise _refused("there is no such column", "Reload the page.")
        return repr(self.sheet.columns[place][0])

    def _repairable(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.filter(~pl.col(TABLE).is_in(list(self.sheet.closed)))

    def _put(self, label: str, records: Sequence[int] | pl.Series, place: int, values: pl.Series) -> int:
        self._title(place)
        changes = self._changes(records, place, values)
        if changes.is_empty() and len(records) == 1 and self._row(records[0])[TABLE] in self.sheet.closed:
            raise _refused(self.sheet.closed[self._row(records[0])[TABLE]], "")
        return self._do(label, changes)

    def _changes(self, records: Sequence[int] | pl.Series, place: int, values: pl.Series) -> pl.DataFrame:
        """What changes where values are put into a column; line breaks of any kind are alike."""
        name = str(place)
        wanted = pl.DataFrame({ID: pl.Series(records, dtype=pl.UInt32), "value": values}).with_columns(
            pl.col("value").replace("", None)
        )
        rows = self._repairable(self.rows[wanted[ID]].with_columns(wanted["value"]))
        rows = rows.filter(plain_text(name).ne_missing(plain_text("value")))
        base = self.sheet.rows[rows[ID]][name].alias("base")
        header, occurrence = self.sheet.columns[place]
        own = {table: places[place] for table, places in self.sheet.places.items() if place in places}
        return (
            rows.with_columns(base)
            .filter(pl.col(TABLE).is_in(list(own)))
            .select(
                pl.col(TABLE).alias("table"),
                pl.col("_source").alias("source"),
                pl.col("_row").alias("row"),
                pl.col(TABLE).replace_strict(own, return_dtype=pl.Int32).alias("place"),
                "base",
                "value",
                pl.lit(header).alias("header"),
                pl.lit(occurrence, pl.Int32).alias("occurrence"),
            )
        )

    def _do(self, label: str, changes: pl.DataFrame) -> int:
        self._refuse_stale()
        if changes.height:
            self._journal.add(label, changes)
            self._check(self._apply(changes))
        return changes.height

    def _turn(self, turn: Callable[[], AbstractContextManager[pl.DataFrame]]) -> None:
        self._refuse_stale()
        cells = ["table", "source", "row", "place"]
        with turn() as changes:
            now = self.sheet.locate(self._journal.current()).select(*cells, "value", stands=True)
            touched = self.sheet.locate(changes)
        values = touched.join(now, on=cells, how="left", suffix="_now", maintain_order="left")
        back = pl.when("stands").then("value_now").otherwise("base")
        turned = self._apply(values.with_columns(back.alias("value")).select(CHANGES.names()))
        if (maps := self._journal.maps()) == self.maps:
            self._check(turned)
        else:
            self._map(maps)
            self._judge_all()

    def _refuse_stale(self) -> None:
        if self.is_stale:
            raise FolderError(
                f"{self.folder.path}: its tables were changed meanwhile",
                code="changed_meanwhile",
                hint="Reload them; what was corrected here is kept.",
                source=str(self.folder.path),
            )

    def _apply(self, changes: pl.DataFrame) -> pl.Series:
        """Put cells into the rows; returns the records concerned."""
        index = self.sheet.rows.select(ID, TABLE, "_source", "_row")
        placed = changes.join(
            index, left_on=["table", "source", "row"], right_on=[TABLE, "_source", "_row"], how="inner"
        )
        for (table, own), cells in placed.group_by("table", "place"):
            if own == LEFT_OUT:
                left_out = self.rows[IS_LEFT_OUT].clone()
                self.rows = self.rows.with_columns(left_out.scatter(cells[ID], cells["value"].is_not_null()))
                continue
            (place,) = [place for place, number in self.sheet.places[str(table)].items() if number == own]
            column = self.rows[str(place)].clone()
            self.rows = self.rows.with_columns(column.scatter(cells[ID], cells["value"]))
        self.version += 1
        return placed[ID].unique().sort()

    def _judged_anew(self) -> pl.Series:
        """The rows that can be judged: in a table that was edited, reasons may be others than before."""
        has_cells = pl.any_horizontal(pl.col(self.sheet.names).is_not_null())
        return self.rows.filter(pl.col(RAW).is_null() | has_cells)[ID]

    def _check(self, records: pl.Series) -> None:
        """Judge rows as they are now; those that stand as they were keep the reasons that they had.

        Failed rows keep Marketo's words until they are changed, and may have reasons of ours besides where a
        column has another field now.
        """
        if records.is_empty():
            return
        now, base = self.rows[records], self.sheet.rows[records]
        differs = pl.DataFrame({name: now[name].ne_missing(base[name]) for name in self.sheet.names})
        is_changed = differs.select(pl.any_horizontal(pl.all())).to_series()
        is_rejected = now[TABLE] == self.folder.rejected.name
        is_open = is_changed | (is_rejected & now[RAW].is_null())
        is_judged = is_open | ~is_rejected if self.maps else is_open
        reasons = pl.select(pl.when(is_open).then(pl.lit("")).otherwise(base[REASONS])).to_series()
        for name in self.sheet.tables:
            part = now.filter(is_judged & (now[TABLE] == name))
            if part.height:
                found = self.judge.judge(name, self.sheet.as_table(name, part))
                told = pl.DataFrame({ID: records}).join(
                    found.select(pl.col(ID).cast(pl.UInt32), pl.col(REASONS).list.join("; ")),
                    on=ID,
                    how="left",
                    maintain_order="left",
                )[REASONS]
                reasons = pl.select(pl.coalesce(told, reasons)).to_series()
        self.rows = self.rows.with_columns(
            self.rows[REASONS].clone().scatter(records, reasons),
            self.rows[CHANGED].clone().scatter(records, is_changed),
        )


def _has(reasons: pl.Series, reason: str) -> pl.Series:
    return ("; " + reasons + "; ").str.contains(f"; {reason}; ", literal=True)


def _refused(message: str, hint: str) -> SourceError:
    return SourceError(message, code="cannot_repair", hint=hint)


def _is_as_written(folder: RunFolder) -> bool:
    """Whether nobody wrote to the table of rejected rows since the upload files, which come after it."""
    return folder.rejected.exists() and folder.rejected.stat().st_mtime_ns <= folder.chunks.stat().st_mtime_ns


def _signature(folder: RunFolder) -> tuple[object, ...]:
    """What tells whether a table was written to."""
    paths = (folder.rejected, folder.failed)
    stats = [path.stat() if path.exists() else None for path in paths]
    return tuple(stat and (stat.st_mtime_ns, stat.st_size) for stat in stats)
