"""Rows as they are now → what is still wrong with them, as the next `prep retry` will find."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from prep.headers import FULL_NAME, NAME_PARTS, suggest_fields
from prep.manifest import Manifest
from prep.model import FIND_OUT, IDENTITY, RECORD, Convention
from prep.preparation import judge_batch
from prep.retry_mapping import plan_again
from prep.returned_tables import Returned
from prep.schema import Field
from prep.sources import Batch
from prep.sources.batch import REJECTED_SCHEMA
from prep.sources.columnar import TableSource, as_text
from prep.uniting import refuse_header, unite, united_columns
from prep.validation import REASONS

_UNREADABLE = pl.DataFrame(
    schema={**REJECTED_SCHEMA, RECORD: pl.UInt32, "_source": pl.String}
)  # a row that came back can be split


class Judge:
    """Schema, settings and conventions of a run, for the tables of its rows."""

    def __init__(self, manifest: Manifest, tables: Mapping[str, Returned]) -> None:
        """Make ready to judge.

        Args:
            manifest: The run's.
            tables: The tables of which rows will be judged, by name.

        Raises:
            InputError: The schema or the settings do not fit the tables; `prep retry` would say the same.
        """
        self._tables = tables
        self._sources = {record.path: frozenset(record.columns) for record in manifest.sources}
        self._united = {name: united_columns(table, manifest) for name, table in tables.items()}
        for name, table in tables.items():
            refuse_header(table, self._united[name], manifest)
        self._positions = {name: position for position, name in enumerate(tables)}
        sources = [self._as_source(name) for name in tables]
        plan = plan_again(manifest, sources)
        known = {(convention.source, convention.field) for convention in plan.conventions}
        origins = {path for table in tables.values() for path in table.rows["_source"].unique()}
        silent = [
            Convention(path, field, field, setting)
            for field, setting in plan.open_fields.items()
            for path in sorted(origins)
            if (path, field) not in known
        ]
        self._plan = replace(plan, conventions=(*plan.conventions, *silent))

    def _as_source(self, name: str) -> TableSource:
        """A table as a source of the next run."""
        columns = (*(header for header, _ in self._united[name]), *IDENTITY)

        def pieces() -> Iterator[pl.DataFrame]:
            table = unite(self._tables[name], self._united[name])
            yield as_text(table.rows.select(*table.names, *IDENTITY))

        return TableSource(name, FIND_OUT, columns, pieces=pieces)

    @property
    def fields(self) -> Mapping[str, Field]:
        """The schema's fields by REST name."""
        return self._plan.known_fields

    def likely_fields(self, header: str) -> list[str]:
        """The fields that a column's name makes likely, the likeliest first."""
        return suggest_fields(header, self._plan.schema)

    @property
    def choices(self) -> list[Field]:
        """The fields that a column can become, by REST name."""
        schema, lookup_field = self._plan.schema, self._plan.settings.lookup_field
        names = [name for name in schema.fields if not schema.is_read_only(name, lookup_field)]
        return [schema.fields[name] for name in sorted(names, key=str.lower)]

    def places(self, table: str, source: str) -> dict[str, int]:
        """Which column of a table holds a field's cells in the rows of a source, by REST name."""
        headers, own = self._tables[table].columns, self._sources.get(source, frozenset())
        found: dict[str, int] = {}
        for index, field in self._plan.mappings[self._positions[table]].fields.items():
            parts = [part for part in self._united[table][index][1] if part.is_of(source)]
            places = [int(part.place) for part in parts or self._united[table][index][1]]
            place = next((place for place in places if headers[place] in own), places[0])
            found |= dict.fromkeys(NAME_PARTS if field == FULL_NAME else (field,), place)
        return found

    def judge(self, table: str, cells: pl.DataFrame) -> pl.DataFrame:
        """Judge rows of a table, each by itself; what only a whole column proves is not known here.

        Args:
            table: Its name.
            cells: `_record`, `_source`, `_row`, `_line` and the table's cells, named by position.

        Returns:
            `_record` and `_reasons` (list of `field:code`) of the rows that would be rejected again.
        """
        united = unite(replace(self._tables[table], rows=cells), self._united[table])
        batch = Batch(united.rows, _UNREADABLE)
        judged = judge_batch(self._plan, self._positions[table], batch)
        return judged.rejected.select(RECORD, REASONS)


def passes(field: Field, values: Sequence[str]) -> list[str]:
    """Those of some values that break no rule of a field's own."""
    cells = pl.Series("cell", values, dtype=pl.String).to_frame()
    rules = [rule.passes(pl.col("cell")).fill_null(True) for rule in field.rules()]
    return cells.filter(pl.all_horizontal(rules))["cell"].to_list() if rules else list(values)
