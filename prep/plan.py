"""What is settled before the first row: sources, columns, schema and settings, judged together."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import polars as pl

from prep import blanks, headers
from prep.chunks import largest_line_bytes, line_bytes
from prep.config import CleanSettings
from prep.duplicates import ORDINAL, compound_keys, is_called, lookup_keys
from prep.errors import HeaderError, SettingsError
from prep.judge import compile_sieve
from prep.model import ALL_FIELDS, LINE, ROW, SOURCE, Blanks, Convention, DecimalMark, MergePolicy, Reason
from prep.object_keys import choose_key
from prep.objects import key_fields, parse_object
from prep.returned import own_places
from prep.schema import TRUNCATED_TYPES, Field, Schema
from prep.sources import Source
from prep.sources.containers import name_beside
from prep.sources.head import SINGLE_COLUMN
from prep.sources.typed import has_numbers, infinite_at, numbers_at
from prep.suppression import EMAIL, NOBODY, Suppression, check_consent, load_suppression
from prep.validation import REASONS, Judge, compile_judge, validate
from prep.values import Spelling, needs_country, normalise
from prep.values.countries import is_country, is_state
from prep.values.evidence import DECIMAL, has_doubt, open_setting


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
        sheets_before: In a retry, sources of the runs before whose lines are the rows of a sheet.
    """

    sources: Sequence[Source]
    mappings: Sequence[headers.HeaderMapping]
    schema: Schema
    settings: CleanSettings
    conventions: tuple[Convention, ...] = ()
    suppression: Suppression = NOBODY
    sheets_before: frozenset[str] = frozenset()

    @property
    def sheets(self) -> frozenset[str]:
        """Sources whose lines are the rows of a sheet."""
        return self.sheets_before.union(source.path for source in self.sources if source.reading.sheet)

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
        """REST names of all columns that are read: those of the upload, and what only decides about rows."""
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

    def keep_rules(self, rows: pl.DataFrame) -> pl.Series:
        """Whether each row, all of whose values were judged before, keeps the rules over several fields."""
        if not self.schema.rules:
            return pl.repeat(True, rows.height, dtype=pl.Boolean, eager=True)
        numbered = blanks.without_orders(rows, self.settings.clear).with_row_index(ORDINAL)
        broken = validate(numbered, self.judge).rejected[ORDINAL]
        return pl.repeat(True, rows.height, dtype=pl.Boolean, eager=True).scatter(broken, False)

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
            lookup_field=settings.lookup_field,
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

    @cached_property
    def surveyed_fields(self) -> dict[str, str]:
        """`open_fields`, and those of numbers that a setting would read with decimal commas.

        It does not speak of cells that are numbers by their type: their columns must be surveyed.
        """
        spelling = self.spelling()
        if spelling.decimal is DecimalMark.COMMA:
            spelling = replace(spelling, decimal=None)
        settings = {name: open_setting(self.schema.fields[name], spelling) for name in self.judged}
        return {name: setting for name, setting in settings.items() if setting}

    def typed_numbers(self, position: int, cells: pl.DataFrame) -> dict[str, pl.Series]:
        """Surveyed fields → which of the source's cells are numbers by their type that text leaves open."""
        if not has_numbers(cells):
            return {}
        fields = self.mappings[position].fields.items()
        masks = {
            field: numbers_at(cells, str(place)) & ~infinite_at(cells, str(place))
            for place, field in fields
            if self.surveyed_fields.get(field) == DECIMAL
        }
        return {field: mask for field, mask in masks.items() if mask.any()}

    def infinite_numbers(self, position: int, cells: pl.DataFrame) -> dict[str, pl.Series]:
        """Fields → which of the source's cells are infinite numbers, which no field holds."""
        if not has_numbers(cells):
            return {}
        fields = self.mappings[position].fields.items()
        masks = {field: infinite_at(cells, str(place)) for place, field in fields}
        return {field: mask for field, mask in masks.items() if mask.any()}

    def by_source(self, position: int, frame: pl.DataFrame) -> list[tuple[Spelling, pl.DataFrame]]:
        """The rows of each original source, and how they spell; a table that came back may hold several."""
        source = self.sources[position]
        if frame.is_empty() or not own_places(source.columns):
            return [(self.spelling(source.path), frame)]
        return [(self.spelling(part[SOURCE][0]), part) for part in frame.partition_by(SOURCE)]

    @cached_property
    def judge(self) -> Judge:
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
    return tuple(dict.fromkeys(chain.from_iterable(map(_without_own, sources))))


def _without_own(columns: Sequence[str]) -> Iterator[tuple[str, int]]:
    own = own_places(columns).values()
    return (column for place, column in enumerate(occurrences(columns)) if str(place) not in own)


def map_sources(sources: Sequence[Source], schema: Schema, settings: CleanSettings) -> Plan:
    """Map the headers of all sources; what is wrong with a header is part of its mapping.

    Of a saved mapping only the columns count that are there; a note of the first source names the others.

    Raises:
        SettingsError: The settings name fields or columns that are not there.
    """
    columns = [source.columns for source in sources]
    saved, absent = headers.split_maps(settings.mapping, columns)
    settings = replace(settings, maps=headers.add_maps(saved, settings.maps, columns), mapping={})
    if absent:
        note = f"columns of the saved mapping that are not here: {', '.join(map(repr, absent))}"
        sources = [replace(sources[0], notes=(*sources[0].notes, note)), *sources[1:]]
    settings = choose_key(settings, schema)
    headers.check_settings(
        schema, lookup_field=settings.lookup_field, maps=settings.maps, constants=settings.constants
    )
    headers.refuse_idle_maps(settings.maps, columns)
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
            ignored={int(place) for place in own_places(source.columns).values()},
            split_name=settings.split_name,
            deciding=settings.deciding,
            protected=protected,
        )
        for source in sources
    ]
    mappings = [
        headers.doubt_header(mapping, line, source.reading.sheet, is_single=SINGLE_COLUMN in source.notes)
        if (line := source.reading.header_line)
        else mapping
        for source, mapping in zip(sources, mappings, strict=True)
    ]
    return Plan(sources, mappings, schema, settings)


def make_plan(sources: Sequence[Source], schema: Schema, settings: CleanSettings) -> Plan:
    """Map the headers of all sources and judge them together with the settings.

    Raises:
        SettingsError: The settings name fields or columns that are not there, or a constant that no row may
            have.
        HeaderError: Columns do not fit the schema.
    """
    plan = map_sources(sources, schema, settings)
    plan.spelling()
    _check_truncate(plan)
    refuse_headers(plan)
    _check_constants(plan)
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


def refuse_headers(plan: Plan) -> None:
    """Raise if any source has a header problem.

    Raises:
        HeaderError: There are problems; all of them are named, with what settles each kind.
    """
    try:
        headers.refuse_problems(plan.problems)
    except HeaderError as error:
        fine = (path for path, problems in plan.problems.items() if not problems)
        error.hint = " ".join(filter(None, [error.hint, name_beside(error.source or "", fine)]))
        raise


def _check_constants(plan: Plan) -> None:
    """Refuse a constant for which every row would be rejected, unless only a column or a row explains it."""
    spelling = plan.spelling()
    given = {
        name: value
        for name, value in plan.settings.constants.items()
        if not needs_country(plan.schema.fields[name], spelling)
    }
    if not given:
        return
    row = pl.DataFrame(
        {SOURCE: [""], ROW: [1], LINE: [None], **{name: [value] for name, value in given.items()}}
    )
    orders = [name for name in plan.settings.clear if name in given]
    cells = normalise(blanks.set_orders_aside(row, orders), plan.known_fields, spelling).frame
    settled = [
        name
        for name in given
        if name not in plan.open_fields or not has_doubt(cells[name].drop_nulls(), plan.open_fields[name])
    ]
    if not settled:
        return
    checks = plan.schema.checks(plan.settings.lookup_field, settled)
    rejected = validate(cells, Judge(checks, compile_sieve(checks))).rejected
    for name, _, code in (text.rpartition(":") for text in rejected[REASONS].explode()):
        reason = Reason(code)
        raise SettingsError(
            f"--set {name}: {reason.meaning}",
            code="bad_set",
            hint=f"{reason.remedy[0].upper()}{reason.remedy[1:]}.",
            column=name,
        )


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
        elif field and is_state(field) and needs_country(field, plan.spelling()):
            found = "half the name of a state that --states spells is another state"
        elif field and is_country(field):
            found = "half the name of a country may be another country"
        elif field and field.type in TRUNCATED_TYPES:
            continue
        raise SettingsError(
            f"--truncate {name}: {found}",
            code="bad_truncate",
            hint=f"It takes fields of type {' and '.join(TRUNCATED_TYPES)}, but not the lookup field, nor "
            "countries, nor states beside --states.",
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
