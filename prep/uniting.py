"""The columns that a returned table is tried again with: those that are one field become one column."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from prep.config import CleanSettings
from prep.errors import HeaderError
from prep.folder import RunFolder
from prep.folding import as_typed, name_some
from prep.headers import FULL_NAME, NAME_PARTS, How
from prep.manifest import Manifest
from prep.model import SOURCE
from prep.retry_mapping import Meanings, find_strangers, map_again, read_meanings, used_columns
from prep.returned_tables import Returned
from prep.schema import Field
from prep.schema_file import load_schema
from prep.values.names import clean_names, split_names


@dataclass(frozen=True)
class Part:
    """Cells of a table that become cells of a united column.

    Attributes:
        place: What the column of `Returned.rows` is called.
        sources: Of the rows of which sources; None is all.
        of_name: Which part of a full name; None is the whole cell.
        repairs: Whether the run repairs names that were decoded wrongly.
    """

    place: str
    sources: tuple[str, ...] | None = None
    of_name: str | None = None
    repairs: bool = False

    def is_of(self, source: str) -> bool:
        """Whether the rows of a source have such cells."""
        return self.sources is None or source in self.sources

    def cells(self) -> pl.Expr:
        """The cells, blank for the rows of other sources."""
        cells = pl.col(self.place)
        if self.of_name is not None:
            part = partial(_part_of_names, part=self.of_name, repairs=self.repairs)
            cells = cells.map_batches(part, return_dtype=pl.String)
        return cells if self.sources is None else pl.when(pl.col(SOURCE).is_in(self.sources)).then(cells)


def _part_of_names(names: pl.Series, *, part: str, repairs: bool) -> pl.Series:
    return split_names(clean_names(names, repairs=repairs)[0])[part]


United = tuple[tuple[str, tuple[Part, ...]], ...]
"""The columns of a table as it is tried again: the header, and what becomes it."""


def united_columns(table: Returned, manifest: Manifest) -> United:
    """The columns that a table is tried again with.

    Columns that are one field become one: two sources may call it by two names, and a row fills only one. One
    that is another field in another source becomes several. Where a source has full names and another one
    their parts, full names are split. Columns that `find_strangers` finds are left out.
    """
    strangers = find_strangers(table, manifest)
    kept = [
        (place, header)
        for place, header in zip(table.names, table.columns, strict=True)
        if place not in strangers
    ]
    fields = map_again(manifest, table.path, table.columns).mappings[0].fields
    columns = list(_become(table, kept, read_meanings(manifest), fields))
    found: dict[str, tuple[str, tuple[Part, ...]]] = {}
    repairs = CleanSettings.from_json(manifest.settings).repair_mojibake
    for field, header, part in _split_full_names(table, columns, repairs=repairs):
        first, parts = found.get(field, (header, ()))
        if not parts or table.rows.filter(_filled(parts) & _filled([part])).is_empty():
            found[field] = (first, (*parts, part))
        else:
            found[f"{field} {part.place}"] = (header, (part,))
    taken = Counter(header for header, _ in found.values())
    named = load_schema(manifest.schema["origin"]).fields
    return tuple(
        (
            _other_name(named[field], taken) if header == field in named and taken[header] > 1 else header,
            parts,
        )
        for field, (header, parts) in found.items()
    )


def _other_name(field: Field, taken: Container[str]) -> str:
    """What to call a field where a column of its name is something else."""
    return next((name for name in (field.display, field.soap) if name and name not in taken), field.name)


_Becoming = tuple[str, str, Part]
"""The field that a part of a table becomes, or else its place; the header of that; the part."""


def _become(
    table: Returned, kept: Sequence[tuple[str, str]], meanings: Meanings, fields: Mapping[int, str]
) -> Iterator[_Becoming]:
    """What the columns of a table become, each by itself.

    Args:
        table: The table.
        kept: Its columns without strangers: what they are called in `rows`, and the header.
        meanings: Of the sources' columns.
        fields: Position → field, by the headers of the table. It counts for columns to which a person moved
            cells that were of several meanings.

    Raises:
        HeaderError: A cell is of a column with several meanings, and nobody knows which one it has.
    """
    headers = {field: header for _, header in reversed(kept) if (field := meanings.agreed.get(header))}
    told = _parts_of(field for of in meanings.by_source.values() for field in of.values())
    for place, header in kept:
        by_source = {} if table.is_sent else meanings.by_source.get(header, {})
        if not by_source:
            named = fields.get(int(place), "")
            yield meanings.agreed.get(header) or (named if named in told else place), header, Part(place)
            continue
        unclear = table.rows.filter(pl.col(place).is_not_null() & ~pl.col(SOURCE).is_in(list(by_source)))
        if unclear.height:
            raise _unclear(table, header, sorted(_parts_of(by_source.values())))
        for field in dict.fromkeys(by_source.values()):
            sources = tuple(source for source, known in by_source.items() if known == field)
            if field:
                yield field, headers.get(field, field), Part(place, sources)


def _unclear(table: Returned, header: str, fields: Sequence[str]) -> HeaderError:
    return HeaderError(
        f"{table.path}: {header!r} is not the same field in all sources, and rows do not say which it is",
        code="unclear_column",
        hint=f"Move its cells of these rows to a column of the field that they are: {name_some(fields)}. "
        "--map would give the cells of all other rows to one field as well.",
        source=str(table.path),
        column=header,
    )


def _split_full_names(table: Returned, columns: Sequence[_Becoming], *, repairs: bool) -> Iterator[_Becoming]:
    """The columns with full names split where other rows have their parts.

    Raises:
        HeaderError: A row has both.
    """
    headers = {field: header for field, header, _ in reversed(columns)}
    whole = [part for field, _, part in columns if field == FULL_NAME]
    parts = [part for field, _, part in columns if field in NAME_PARTS]
    if not (whole and parts):
        yield from columns
        return
    if both := table.rows.filter(_filled(whole) & _filled(parts)).height:
        names = [table.columns[int(part.place)] for part in parts]
        raise HeaderError(
            f"{table.path}: rows with a full name in {headers[FULL_NAME]!r} and with parts of one besides "
            f"({name_some(names)}): {both}",
            code="two_names",
            hint="Clear one of the two in each of these rows.",
            source=str(table.path),
            column=headers[FULL_NAME],
        )
    for field, header, part in columns:
        if field == FULL_NAME:
            for name in NAME_PARTS:
                yield name, headers.get(name, name), replace(part, of_name=name, repairs=repairs)
        else:
            yield field, header, part


def _filled(parts: Iterable[Part]) -> pl.Expr:
    return pl.coalesce([part.cells() for part in parts]).is_not_null()


def unite(table: Returned, columns: United) -> Returned:
    """A table with the columns that it is tried again with."""
    cells = [
        pl.coalesce([part.cells() for part in parts]).alias(str(index))
        for index, (_, parts) in enumerate(columns)
    ]
    rows = table.rows.select(*cells, pl.exclude(table.names))
    return replace(table, columns=tuple(header for header, _ in columns), rows=rows)


def refuse_header(table: Returned, united: United, manifest: Manifest) -> None:
    """Refuse a table that a person took columns from, or one whose columns do not fit the schema any more.

    Every column of the sources that fills a field must be there, even where another one fills the same; of
    values as sent every field.

    Args:
        table: The table.
        united: The columns that it is tried again with.
        manifest: The run's.

    Raises:
        HeaderError: It is so.
    """
    plan = map_again(manifest, table.path, [header for header, _ in united])
    lost = {
        column.header: column.field if table.is_sent else column.header
        for column in used_columns(manifest)
        if not _parts_of([column.field]).intersection(manifest.results.fields) <= set(plan.judged)
        or not (table.is_sent or column.how is How.SET or column.header in table.columns)
    }
    if lost:
        header = next(iter(lost))
        raise HeaderError(
            f"{table.path}: lacks columns that it had: {name_some([str(name) for name in lost.values()])}",
            code="lost_columns",
            hint="Put them back under their names, or leave each out for good: "
            f'prep retry {RunFolder(table.path.parent).typed} --map "{as_typed(header)}=".',
            source=str(table.path),
            column=lost[header],
        )
    problems = plan.problems[str(table.path)]
    if problems:
        first = problems[0]
        raise HeaderError(
            f"{table.path}: {'; '.join(problem.text for problem in problems)}",
            code=first.reason,
            hint="Delete the columns that you added, and give the others the names that they had.",
            source=str(table.path),
            column=first.column.header if first.column else None,
        )


def _parts_of(fields: Iterable[str | None]) -> set[str]:
    """Fields with those that a full name becomes, without the empty one."""
    return {part for field in fields if field for part in (NAME_PARTS if field == FULL_NAME else (field,))}
