"""The frame stages over batches: what is settled before the first row, and the first pass over the rows.

It judges every row. Valid ones wait in a spill for the second pass (see `decision`); memory holds no more of
each than a hash of its key and which row it is.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from prep import blanks, headers
from prep.ahead import ahead
from prep.chunks import largest_line_bytes, line_bytes
from prep.config import CleanSettings
from prep.duplicates import KEY, ORDINAL, RANK, compound_keys, is_called, lookup_keys, rank
from prep.errors import SettingsError, SourceError
from prep.model import ALL_FIELDS, Blanks, Convention, MergePolicy, Reason
from prep.object_keys import choose_key
from prep.objects import key_fields, parse_object
from prep.returned import identify, own_places
from prep.schema import TRUNCATED_TYPES, Field, Schema
from prep.sources import Batch, Skipped, Source
from prep.sources.files import stored_bytes
from prep.suppression import EMAIL, NOBODY, Suppression, check_consent, hold_back, load_suppression
from prep.validation import REASONS, compile_judge, validate
from prep.values import Normalised, Note, Noted, Spelling, find_notes, find_spoiled, normalise
from prep.values.evidence import has_doubt, open_setting
from prep.values.names import split_names

if TYPE_CHECKING:
    import pandera.polars as pa

POSITION, RECORD, SOURCE, ROW, LINE, RAW = "_position", "_record", "_source", "_row", "_line", "_raw"
IDENTITY = (SOURCE, ROW, LINE)
INDEX = (ORDINAL, POSITION, RECORD, *IDENTITY)
HASH = "_hash"


class Spill(Protocol):
    """Where valid rows wait for the second pass."""

    def append(self, frame: pl.DataFrame, /) -> None:
        """Add the next batch."""

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yield the batches in the order in which they came."""

    def columns(self, names: Sequence[str], /) -> Iterator[pl.DataFrame]:
        """Yield some columns of the batches."""


class MemorySpill:
    """Batches that wait in memory."""

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []

    def append(self, frame: pl.DataFrame, /) -> None:
        """Take a batch."""
        self._frames.append(frame)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return iter(self._frames)

    def columns(self, names: Sequence[str], /) -> Iterator[pl.DataFrame]:
        """Yield some columns of the batches."""
        return (frame.select(names) for frame in self._frames)

    def clear(self) -> None:
        """Forget the batches."""
        self._frames.clear()


@dataclass(frozen=True)
class Plan:
    """Everything that is settled before the first row is judged.

    Attributes:
        sources: The opened sources.
        mappings: The columns of each source.
        schema: The fields there are.
        settings: How rows are prepared.
        conventions: How columns spell dates and numbers, as far as `settle` had to find out.
        suppression: Who must not be sent.
    """

    sources: Sequence[Source]
    mappings: Sequence[headers.HeaderMapping]
    schema: Schema
    settings: CleanSettings
    conventions: tuple[Convention, ...] = ()
    suppression: Suppression = NOBODY

    @property
    def problems(self) -> dict[str, tuple[headers.Problem, ...]]:
        """What is wrong with the header of each source, by path."""
        return {
            source.path: mapping.problems for source, mapping in zip(self.sources, self.mappings, strict=True)
        }

    @property
    def columns(self) -> tuple[headers.Column, ...]:
        """The columns of all sources, each once."""
        return tuple(dict.fromkeys(column for mapping in self.mappings for column in mapping.columns))

    @property
    def stem(self) -> str:
        """What the names of the upload files begin with."""
        return parse_object(self.settings.object).chunk

    @cached_property
    def key_fields(self) -> tuple[str, ...]:
        """The fields that together identify a record."""
        return key_fields(self.settings.lookup_field)

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """REST names of the upload's columns: those of the sources as they come, then the constants."""
        lookup_field = self.settings.lookup_field
        return tuple(name for name in self.judged if not self.schema.is_read_only(name, lookup_field))

    @cached_property
    def judged(self) -> tuple[str, ...]:
        """REST names of all columns that are read: those of the upload, and dates that are only compared."""
        named = (field for mapping in self.mappings for field in mapping.fields.values())
        whole = [headers.NAME_PARTS if field == headers.FULL_NAME else (field,) for field in named]
        return tuple(dict.fromkeys([*chain.from_iterable(whole), *self.settings.constants]))

    def places(self, position: int) -> dict[str, str]:
        """Which column of `Judged.rejected` holds a field's cells of the source at `position`, by field."""
        columns = occurrences(self.sources[position].columns)
        numbers = {column: str(place) for place, column in enumerate(self.source_columns)}
        fields = self.mappings[position].fields.items()
        return {field: numbers[columns[place]] for place, field in fields}

    @property
    def headers_of_fields(self) -> dict[str, str]:
        """Field → a column of the sources that fills it."""
        named = {column.field: column.header for column in self.columns if column.is_used and column.field}
        return {field: named.get(field, named.get(headers.FULL_NAME, field)) for field in self.fields}

    @property
    def consent(self) -> Field | None:
        """The field that says whether a person agreed, if that is required."""
        return self.schema.fields[self.settings.consent] if self.settings.consent else None

    @property
    def leaves_blanks_out(self) -> bool:
        """Whether no blank cell is ever sent."""
        return self.settings.blanks is not Blanks.SEND

    def as_sent(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with the fields, blanks made orders to clear where they mean that."""
        return blanks.clear_blanks(rows, self.settings.clear) if self.settings.blanks is Blanks.NULL else rows

    def keys(self, rows: pl.DataFrame) -> pl.Series:
        """What makes rows the same record: `_key`."""
        types = {name: self.schema.fields[name].type for name in self.key_fields}
        if len(types) > 1:
            return compound_keys(rows.select(self.key_fields), types)
        return lookup_keys(rows[self.key_fields[0]], types[self.key_fields[0]])

    def fit(self, rows: pl.DataFrame) -> pl.Series:
        """Whether each row, as it is sent, fits into an upload at all."""
        return line_bytes(self.as_sent(rows), self.fields, self.settings.format) <= self.largest_line_bytes

    def lookup_position(self, position: int) -> int | None:
        """Which column of the source at `position` holds the lookup field; None where a constant fills it.

        Of a compound key its first field counts.
        """
        places = self.mappings[position].fields.items()
        return next((place for place, field in places if field == self.key_fields[0]), None)

    def spelling(self, source: str | None = None) -> Spelling:
        """How values are to be read and spelled, with what the columns of a source prove.

        Raises:
            SettingsError: There is no such zone or country.
        """
        settings = self.settings
        proven = {
            column.field: column.value
            for column in self.conventions
            if column.source == source and column.value
        }
        return Spelling(
            date_order=settings.dates,
            timezone=settings.timezone,
            decimal=settings.decimal,
            email_case=settings.email_case,
            phones=settings.phones,
            region=settings.region,
            countries=settings.countries,
            states=settings.states,
            repair_mojibake=settings.repair_mojibake,
            proven=proven,
        )

    @cached_property
    def known_fields(self) -> Mapping[str, Field]:
        """The schema's fields by REST name, those marked whose values are cut where they are too long.

        The lookup field is never cut: half a key is another one.
        """
        whole = {name: replace(self.schema.fields[name], truncate=False) for name in self.key_fields}
        cut = {name: replace(self.schema.fields[name], truncate=True) for name in self.settings.truncate}
        return {**self.schema.fields, **cut, **whole}

    @cached_property
    def open_fields(self) -> dict[str, str]:
        """Fields whose cells only their whole column explains → the setting that would."""
        spelling = self.spelling()
        settings = {name: open_setting(self.schema.fields[name], spelling) for name in self.judged}
        return {name: setting for name, setting in settings.items() if setting}

    def by_source(self, position: int, frame: pl.DataFrame) -> list[tuple[Spelling, pl.DataFrame]]:
        """The rows of each original source, and how they spell; a table that came back may hold several."""
        source = self.sources[position]
        if frame.is_empty() or not own_places(source.columns):
            return [(self.spelling(source.path), frame)]
        return [(self.spelling(part[SOURCE][0]), part) for part in frame.partition_by(SOURCE)]

    @cached_property
    def judge(self) -> "pa.DataFrameSchema":
        """What every row is held against."""
        return compile_judge(self.schema, self.judged, self.settings.lookup_field)

    @cached_property
    def largest_line_bytes(self) -> int:
        """The longest line that fits into an upload."""
        settings = self.settings
        return largest_line_bytes(self.fields, settings.format, settings.max_bytes, stem=self.stem)

    @cached_property
    def source_columns(self) -> tuple[tuple[str, int], ...]:
        """The columns of all sources, for tables of source rows: header and which of that name."""
        return columns_of_all(source.columns for source in self.sources)


def occurrences(columns: Iterable[str]) -> list[tuple[str, int]]:
    """Tell columns of one name apart: each with how many of its name came before it."""
    seen: Counter[str] = Counter()
    found = []
    for name in columns:
        found.append((name, seen[name]))
        seen[name] += 1
    return found


def columns_of_all(sources: Iterable[Sequence[str]]) -> tuple[tuple[str, int], ...]:
    """The columns of several sources, each once: header and which of that name; prep's own left out."""
    columns = (
        column for names in sources for column in occurrences(names) if column[0] not in own_places(names)
    )
    return tuple(dict.fromkeys(columns))


def map_sources(sources: Sequence[Source], schema: Schema, settings: CleanSettings) -> Plan:
    """Map the headers of all sources; what is wrong with a header is part of its mapping.

    Of a saved mapping only the columns count that are there; a note of the first source names the others.

    Raises:
        SettingsError: The settings name fields or columns that are not there.
    """
    saved, absent = headers.split_maps(settings.mapping, [source.columns for source in sources])
    settings = replace(settings, maps={**saved, **settings.maps}, mapping={})
    if absent:
        note = f"columns of the saved mapping that are not here: {', '.join(map(repr, absent))}"
        sources = [replace(sources[0], notes=(*sources[0].notes, note)), *sources[1:]]
    settings = choose_key(settings, schema)
    headers.check_settings(
        schema, lookup_field=settings.lookup_field, maps=settings.maps, constants=settings.constants
    )
    headers.refuse_idle_maps(settings.maps, [source.columns for source in sources])
    protected = {field.name for field in schema.fields.values() if field.protected}
    protected.difference_update(settings.allow_protected)
    mappings = [
        headers.map_headers(
            source.columns,
            schema,
            lookup_field=settings.lookup_field,
            maps=settings.maps,
            constants=settings.constants,
            unknown=settings.unknown,
            ignored=own_places(source.columns),
            split_name=settings.split_name,
            compared=settings.compared,
            protected=protected,
        )
        for source in sources
    ]
    return Plan(sources, mappings, schema, settings)


def make_plan(sources: Sequence[Source], schema: Schema, settings: CleanSettings) -> Plan:
    """Map the headers of all sources and judge them together with the settings.

    Raises:
        SettingsError: The settings name fields or columns that are not there.
        HeaderError: Columns do not fit the schema.
    """
    plan = map_sources(sources, schema, settings)
    plan.spelling()
    _check_truncate(plan)
    headers.refuse_problems(plan.problems)
    _check_keep(plan)
    _check_clear(plan)
    for field in settings.allow_protected:
        if field not in schema.fields:
            raise headers.unknown_field("--allow-protected", field, schema)
    _check_consent(plan)
    if not settings.suppress:
        return plan
    _require_column(plan, EMAIL, "--suppress", "bad_suppress")
    return replace(plan, suppression=load_suppression(settings.suppress, settings.suppress_salt_file))


def _check_clear(plan: Plan) -> None:
    for field in plan.settings.clear:
        if field in plan.key_fields or field not in plan.fields:
            others = [name for name in plan.fields if name not in plan.key_fields]
            what = "identifies the record" if field in plan.fields else "is no field that a column maps to"
            raise SettingsError(
                f"--clear: {field!r} {what}",
                code="bad_clear",
                hint=f"Fields that can be cleared here: {', '.join(others) or 'none'}.",
                column=field,
            )


def _check_consent(plan: Plan) -> None:
    if plan.settings.consent is None:
        return
    check_consent(plan.schema, plan.settings.consent, plan.settings.consent_countries)
    if plan.settings.consent not in plan.settings.constants:
        _require_column(plan, plan.settings.consent, "--consent", "bad_consent")


def _require_column(plan: Plan, field: str, option: str, code: str) -> None:
    """Refuse an option that cannot be kept for a source, because it lacks the column that decides."""
    for source, mapping in zip(plan.sources, plan.mappings, strict=True):
        if field not in mapping.fields.values():
            raise SettingsError(
                f"{option}: {source.path} has no column that maps to {field!r}",
                code=code,
                hint=f'Say which one it is with --map "COLUMN={field}".',
                source=source.path,
                column=field,
            )


def _check_truncate(plan: Plan) -> None:
    for name in plan.settings.truncate:
        field = plan.schema.fields.get(name)
        found = "there is no such field" if field is None else f"its type is {field.type}"
        if name in plan.key_fields:
            found = "it is the lookup field"
        elif field and field.type in TRUNCATED_TYPES:
            continue
        raise SettingsError(
            f"--truncate {name}: {found}",
            code="bad_truncate",
            hint=f"It takes fields of type {' and '.join(TRUNCATED_TYPES)}, but not the lookup field.",
            column=name,
        )


def _check_keep(plan: Plan) -> None:
    """Refuse a survivor policy, or a rule of merging, that asks for what no source has."""
    keep = plan.settings.keep
    if keep.field is not None:
        _check_date(plan, keep.field, "--keep newest", "bad_keep")
    for field, rule in plan.settings.merge.items():
        if field != ALL_FIELDS and field not in plan.schema.fields:
            raise headers.unknown_field("--merge", field, plan.schema)
        if rule.policy is MergePolicy.NEWEST:
            _check_date(plan, str(rule.of), f"--merge {field}", "bad_merge")
        if rule.policy is MergePolicy.SOURCE:
            _check_source(plan, str(rule.of), f"--merge {field}")


def _check_date(plan: Plan, field: str, option: str, code: str) -> None:
    dated = [name for name in plan.judged if plan.schema.fields[name].type in {"date", "datetime"}]
    if field not in dated:
        raise SettingsError(
            f"{option}: no source has a date column that maps to {field!r}",
            code=code,
            hint=f"Date columns here: {', '.join(dated) or 'none'}.",
            column=field,
        )


def _check_source(plan: Plan, name: str, option: str) -> None:
    """Rows of a table of prep's own have the sources that they had, which only reading it tells."""
    if any(is_called(source.path, name) or own_places(source.columns) for source in plan.sources):
        return
    raise SettingsError(
        f"{option}: no source is called {name!r}",
        code="bad_merge",
        hint=f"Sources here: {', '.join(source.path for source in plan.sources)}.",
    )


@dataclass(frozen=True)
class Judged:
    """One batch after the first pass; its records are those of `valid`, `rejected` and `suppressed`.

    Attributes:
        valid: `_ordinal` (number among all valid rows), `_position` (of the source in the plan), `_record`,
            `_source`, `_row`, `_line`, `_key`, `_rank` and the judged fields, normalised; in source order.
        filled: Which of the upload's fields each valid row fills, if that decides what is sent; else empty.
        rejected: The source's cells as read, one column for each of the plan's `source_columns` named by
            position, then `_position`, `_source`, `_row`, `_line`, `_reasons`, `_raw`; in source order.
        suppressed: `_record`, `_source`, `_row`, `_line`, `_key` and `_reasons`, likewise.
        changes: How many cells each rule changed, by field and rule.
        notes: Values that are sent as they are but deserve a look, by field and code.
        skipped: Physical lines that hold no row.
    """

    valid: pl.DataFrame
    filled: pl.DataFrame
    rejected: pl.DataFrame
    suppressed: pl.DataFrame
    changes: Mapping[tuple[str, str], int]
    notes: Mapping[tuple[str, Note], Noted]
    skipped: Sequence[Skipped]


@dataclass
class FirstPass:
    """What is left of the first pass beside the spill.

    Attributes:
        index: `_source` (categorical), `_row`, `_hash` (of the key) and `_rank` of every valid row, by
            ordinal.
        rejected: `_record`, `_source`, `_row`, `_line` and `_reasons` of the rejected rows, batch by batch as
            in the spill.
        suppressed: The same of the suppressed rows, and `_key`.
        filled: Which fields each valid row fills, by ordinal, if that decides what is sent; else empty.
        rows: Records of each source, as the reader counted them.
        digests: SHA-256 of each source as it was read, in hexadecimal.
        skipped: Physical lines of each source that hold no row.
        changes: How many cells each rule changed, by field and rule.
        notes: Values that are sent as they are but deserve a look, by field and code.
    """

    index: pl.DataFrame
    rejected: Sequence[pl.DataFrame]
    suppressed: Sequence[pl.DataFrame]
    filled: pl.DataFrame
    rows: Sequence[int]
    digests: Sequence[str]
    skipped: Sequence[Sequence[Skipped]]
    changes: Counter[tuple[str, str]]
    notes: Mapping[tuple[str, Note], Noted]

    @property
    def read(self) -> int:
        """Records of all sources."""
        return sum(self.rows)

    def reasons(self) -> Counter[tuple[str, str]]:
        """How many rows have each reason, by field (empty for the whole row) and code."""
        counted = Counter[tuple[str, str]]()
        for frame in (*self.rejected, *self.suppressed):
            for reason, rows in frame[REASONS].explode().drop_nulls().value_counts().rows():
                field, _, code = reason.rpartition(":")
                counted[field, code] += rows
        return counted


def first_pass(
    plan: Plan, spill: Spill, rejected: Callable[[pl.DataFrame, int, float | None], None]
) -> FirstPass:
    """Read, map, normalise and judge all rows of all sources.

    Args:
        plan: The plan.
        spill: Takes the valid rows in.
        rejected: Called with the rejected rows of each batch (see `Judged.rejected`), how many rows have
            been judged so far, and how much of the sources that is (from 0 to 1; None if nobody knows).

    Raises:
        SourceError: There are no rows, or one stands in a returned table twice.
        UndecidedError: A column must be surveyed first. What `spill` and `rejected` were given is void.
    """
    index: list[pl.DataFrame] = []
    refused: list[pl.DataFrame] = []
    suppressed: list[pl.DataFrame] = []
    filled: list[pl.DataFrame] = []
    rows: list[int] = []
    digests: list[str] = []
    skipped: list[list[Skipped]] = [[] for _ in plan.sources]
    changes = Counter[tuple[str, str]]()
    notes: defaultdict[tuple[str, Note], Noted] = defaultdict(Noted)
    ordinal = read = 0
    with ahead(_read(plan, rows, digests)) as batches:
        for position, batch, share in batches:
            judged = judge_batch(plan, position, batch, ordinal)
            ordinal += judged.valid.height
            read += judged.valid.height + judged.rejected.height + judged.suppressed.height
            spill.append(judged.valid.drop(KEY, RANK))
            index.append(judged.valid.select(*_INDEXED))
            refused.append(judged.rejected.select(RECORD, *IDENTITY, REASONS))
            suppressed.append(judged.suppressed)
            filled.append(judged.filled)
            skipped[position].extend(judged.skipped)
            changes.update(judged.changes)
            for place, noted in judged.notes.items():
                notes[place] += noted
            rejected(judged.rejected, read, share)
    _refuse_repeats(plan, [*index, *refused, *suppressed])
    if not sum(rows):
        raise SourceError(
            f"{plan.sources[0].path}: there are no data rows",
            code="no_rows",
            hint="A lead file has a header and at least one row below it.",
            source=plan.sources[0].path,
        )
    return FirstPass(
        index=pl.concat(index),
        rejected=refused,
        suppressed=suppressed,
        filled=pl.concat(filled),
        rows=rows,
        digests=digests,
        skipped=skipped,
        changes=changes,
        notes=notes,
    )


_BATCH_CELLS: Final = 1_400_000
"""How many cells are judged together: 140,000 rows of ten columns. More take memory, fewer take time."""

_INDEXED: Final = (pl.col(SOURCE).cast(pl.Categorical), ROW, pl.col(KEY).hash().alias(HASH), RANK)


def _read(plan: Plan, rows: list[int], digests: list[str]) -> Generator[tuple[int, Batch, float | None]]:
    """The batches of all sources, each with the position of its source and how much of them all was read.

    `rows` and `digests` are added to.
    """
    sizes = [stored_bytes(source.stored or source.path) for source in plan.sources]
    whole = sum(sizes) or 1
    for position, source in enumerate(plan.sources):
        reader = source.read(plan.lookup_position(position))
        for batch in _joined(reader, _BATCH_CELLS // (len(source.columns) or 1)):
            before, share = sum(sizes[:position]), reader.share
            yield (
                position,
                identify(source, batch),
                None if share is None else (before + share * sizes[position]) / whole,
            )
        rows.append(reader.rows)
        digests.append(reader.sha256)


def _joined(batches: Iterable[Batch], rows: int) -> Iterator[Batch]:
    """The same records in batches of so many rows and more, but for the last: each has its price."""
    waiting: list[Batch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(each.cells.height for each in waiting) >= rows:
            yield _join(waiting)
            waiting = []
    if waiting:
        yield _join(waiting)


def _join(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return Batch(
        pl.concat([batch.cells for batch in batches], rechunk=True),
        pl.concat([batch.rejected for batch in batches]),
        tuple(chain.from_iterable(batch.skipped for batch in batches)),
    )


def _refuse_repeats(plan: Plan, frames: Sequence[pl.DataFrame]) -> None:
    """Refuse a row that tables of prep's own hold twice: it would have two fates.

    Raises:
        SourceError: There is one.
    """
    own = [source.path for source in plan.sources if own_places(source.columns)]
    if not own:
        return
    rows = pl.concat([frame.select(pl.col(SOURCE).cast(pl.String), ROW) for frame in frames])
    if repeated := rows.height - rows.n_unique():
        raise SourceError(
            f"{', '.join(own)}: {repeated} rows stand in it more than once",
            code="repeated_row",
            hint="Delete all lines but one for each row.",
            source=own[0],
        )


def judge_batch(plan: Plan, position: int, batch: Batch, ordinal: int) -> Judged:
    """Judge one batch of the source at `position`; its valid rows are numbered from `ordinal`.

    Raises:
        UndecidedError: As `first_pass`.
    """
    cells = blanks.set_orders_aside(as_fields(plan, position, batch.cells), plan.settings.clear)
    normalised = _normalise(plan, position, cells)
    validated = validate(normalised.frame, plan.judge)
    _refuse_doubts(plan, validated.rejected)
    fitting, oversized = _split_oversized(plan, blanks.give_orders(validated.valid, plan.settings.clear))
    broken = pl.concat([validated.rejected.select(RECORD, REASONS), oversized.select(RECORD, REASONS)])
    keyed = fitting.with_columns(plan.keys(fitting))
    standing, held = hold_back(keyed, plan.suppression, plan.consent, plan.settings.consent_countries)
    valid = standing.with_row_index(ORDINAL, offset=ordinal)
    return Judged(
        valid=valid.with_columns(rank(valid, plan.fields, plan.settings.keep)),
        filled=_filled(plan, valid),
        rejected=_rejected(plan, position, batch, broken),
        suppressed=held.select(RECORD, *IDENTITY, KEY, REASONS),
        changes=normalised.changes,
        notes={
            **({} if plan.settings.repair_mojibake else find_spoiled(cells)),
            **_find_notes(plan, position, blanks.without_orders(standing, plan.settings.clear)),
            **normalised.notes,
        },
        skipped=batch.skipped,
    )


def _filled(plan: Plan, rows: pl.DataFrame) -> pl.DataFrame:
    return blanks.find_filled(plan.as_sent(rows), plan.fields) if plan.leaves_blanks_out else pl.DataFrame()


def _normalise(plan: Plan, position: int, cells: pl.DataFrame) -> Normalised:
    fields = plan.known_fields
    parts = [normalise(part, fields, spelling) for spelling, part in plan.by_source(position, cells)]
    if len(parts) == 1:
        return parts[0]
    changes = sum((Counter(part.changes) for part in parts), Counter[tuple[str, str]]())
    notes: defaultdict[tuple[str, Note], Noted] = defaultdict(Noted)
    for part in parts:
        for place, noted in part.notes.items():
            notes[place] += noted
    return Normalised(pl.concat(part.frame for part in parts).sort(RECORD), changes, notes)


def _find_notes(plan: Plan, position: int, rows: pl.DataFrame) -> Mapping[tuple[str, Note], Noted]:
    notes: defaultdict[tuple[str, Note], Noted] = defaultdict(Noted)
    for spelling, part in plan.by_source(position, rows):
        for place, noted in find_notes(part, plan.schema.fields, spelling).items():
            notes[place] += noted
    return notes


class UndecidedError(Exception):
    """A row was rejected that a survey of its whole column may save: `settle` the plan and begin again."""


def _refuse_doubts(plan: Plan, rejected: pl.DataFrame) -> None:
    if rejected.is_empty():
        return
    settled = {(column.source, column.field) for column in plan.conventions}
    for name, setting in plan.open_fields.items():
        known = [source for source, field in settled if field == name]
        if has_doubt(rejected.filter(~pl.col(SOURCE).is_in(known))[name], setting):
            raise UndecidedError


def _identity(position: int) -> list[pl.Expr]:
    return [pl.lit(position, pl.UInt16).alias(POSITION), pl.col(RECORD), *(pl.col(name) for name in IDENTITY)]


def as_fields(plan: Plan, position: int, cells: pl.DataFrame) -> pl.DataFrame:
    """Cells of one source under REST names, constants filled in, fields of other sources blank.

    Returns:
        `_position`, `_record`, `_source`, `_row`, `_line` and the plan's fields.
    """
    columns = {field: str(index) for index, field in plan.mappings[position].fields.items()}
    constants = plan.settings.constants
    if (full := columns.pop(headers.FULL_NAME, None)) is not None:
        parts = split_names(cells[full])
        columns |= {part: part for part in headers.NAME_PARTS}
        cells = cells.with_columns(parts[part].alias(part) for part in headers.NAME_PARTS)
    return cells.select(
        *_identity(position),
        *(
            pl.col(columns[field]).alias(field)
            if field in columns
            else pl.lit(constants.get(field), pl.String).alias(field)
            for field in plan.judged
        ),
    )


def _split_oversized(plan: Plan, valid: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that fit into an upload, and those that alone are too large for one."""
    lengths = pl.sum_horizontal(pl.col(plan.fields).str.len_bytes())
    longest = plan.as_sent(valid).select(lengths.max()).item() or 0
    no_rows = valid.clear().with_columns(pl.lit(None, pl.List(pl.String)).alias(REASONS))
    if 2 * longest + 4 * len(plan.fields) < plan.largest_line_bytes:  # even with every character quoted
        return valid, no_rows
    fits = plan.fit(valid)
    oversized = valid.filter(~fits).with_columns(pl.lit([Reason.TOO_LARGE.value]).alias(REASONS))
    return valid.filter(fits), pl.concat([no_rows, oversized])


def _rejected(plan: Plan, position: int, batch: Batch, broken: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows of a batch with the source's own cells, those that could not be split with their text."""
    places = {column: str(index) for index, column in enumerate(occurrences(plan.sources[position].columns))}
    cells = [
        (pl.col(places[column]) if column in places else pl.lit(None, pl.String)).alias(str(index))
        for index, column in enumerate(plan.source_columns)
    ]
    identity = _identity(position)
    broken_rows = batch.cells.join(broken, on=RECORD, how="inner", maintain_order="left").select(
        *cells, *identity, REASONS, pl.lit(None, pl.String).alias(RAW)
    )
    unreadable = batch.rejected.select(
        *(pl.lit(None, pl.String).alias(str(index)) for index in range(len(cells))),
        *identity,
        pl.concat_list(pl.col("reason")).alias(REASONS),
        pl.col("raw").alias(RAW),
    )
    return pl.concat([broken_rows, unreadable]).sort(RECORD)
