"""From the names of columns to fields."""

import re
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import replace
from typing import Final

from prep.errors import SettingsError
from prep.folding import fold, fold_header, name_some
from prep.headers.columns import FULL_NAME, NAME_PARTS, Column, HeaderMapping, How
from prep.headers.judging import judge
from prep.headers.spellings import load_spellings
from prep.model import Unknown
from prep.objects import key_fields
from prep.schema import Schema

_SUGGESTION_SCORE: Final = 0.79
"""Likeness from which on a field is worth naming to a person: one slip of the pen in five characters."""

_LIKENESS_SHOWN: Final = 70
"""Likeness of 100 from which on a field stands before the others where a person chooses."""

_MOST_SUGGESTED: Final = 3

_SHORTEST_LIKENESS: Final = 4
"""Characters below which likeness says nothing."""

_FORM_MARK: Final = re.compile(
    r"[(\[{\uff08【\uff3b]\s*(?:required|optional|mandatory|pflichtfeld|pflicht|obligatorio|obligatoria|obligatoire"
    r"|obbligatorio|obrigatório|verplicht|обязательно|必須|任意|必填|选填|選填|필수|선택)\s*[)\]}\uff09】\uff3d]",
    re.IGNORECASE,
)
"""What forms write beside a question to say whether it must be answered."""


def map_headers(
    headers: Sequence[str],
    schema: Schema,
    *,
    lookup_field: str,
    maps: Mapping[str, str],
    constants: Mapping[str, str],
    unknown: Unknown,
    ignored: Container[int] = (),
    split_name: bool = False,
    deciding: Container[str] = (),
    protected: Container[str] = (),
) -> HeaderMapping:
    """Find the field of every column and judge the header with pandera.

    A column's field comes from `maps`, else from an exact REST, SOAP or display name, else from one of
    these without case, accents, spaces and punctuation, else from an alias: one of the schema, one that is
    certain in every language, or one that the other columns of the source make certain, for a field that no
    other column has. Everything else is only suggested.

    Args:
        headers: The source's column names in order; duplicates and empty ones allowed.
        schema: The fields there are.
        lookup_field: Must be among the fields found.
        maps: Header → field, as the user decided; an empty field leaves the column out. A header that no
            column has to the letter stands for those that are like it but for case, spaces and punctuation.
        constants: Field → value for every row; they take part like columns, before all others.
        unknown: Whether columns without a field, or without a name, are a problem or left out.
        ignored: Positions of columns that prep itself added.
        split_name: A column that is a full name maps to `FULL_NAME`, and that counts as `NAME_PARTS`, unless
            the source has one of these besides.
        deciding: Fields that are read to decide about rows; they may be read-only.
        protected: Fields that only `maps` and `constants` fill; a column that is one by its name is left out.

    Returns:
        One column for each constant and header, in that order, and all problems at once.
    """
    chosen = _choose(headers, maps)
    columns = [Column(-1, f"--set {field}", field, How.SET) for field in constants]
    columns += [
        Column(position, header, None, How.DROPPED)
        if position in ignored
        else _column(position, header, schema, chosen)
        for position, header in enumerate(headers)
    ]
    words = {_word(header) for position, header in enumerate(headers) if position not in ignored}
    columns = _settle(columns, words, schema)
    if split_name:
        columns = _take_full_name(columns, schema)
    taken = {column.field for column in columns if column.is_used}
    columns = [_give_up(column, schema, unknown, taken) for column in columns]
    columns = [_protect(column, protected) for column in columns]
    problems = judge(columns, schema, lookup_field, split_name=split_name, deciding=deciding)
    return HeaderMapping(tuple(columns), tuple(problems))


def _protect(column: Column, protected: Container[str]) -> Column:
    by_itself = column.how in {How.EXACT, How.FOLDED, How.ALIAS}
    return replace(column, how=How.PROTECTED) if by_itself and column.field in protected else column


def _word(header: str) -> str:
    """A header as the tables hold it."""
    return fold(_FORM_MARK.sub("", header))


def _choose(headers: Sequence[str], maps: Mapping[str, str]) -> dict[str, str]:
    exactly = {header: field for header, field in maps.items() if header in headers}
    alike = {fold_header(header): field for header, field in maps.items() if header not in headers}
    return {
        **{header: alike[key] for header in headers if (key := fold_header(header)) in alike},
        **exactly,
    }


def _column(position: int, header: str, schema: Schema, chosen: Mapping[str, str]) -> Column:
    if header in chosen:
        field = chosen[header]
        return Column(position, header, field or None, How.MAP if field else How.DROPPED)
    name = header.strip()
    folded = _word(name)
    for how, table, spelling in (
        (How.EXACT, schema.exact_names, name),
        (How.FOLDED, schema.folded_names, folded),
        (How.ALIAS, schema.folded_aliases, folded),
    ):
        if spelling in table:
            return Column(position, header, table[spelling], how)
    if folded in schema.ambiguous_names:
        return Column(position, header, None, How.UNKNOWN)
    alias = load_spellings().aliases.get(folded)
    if alias in schema.fields:
        return Column(position, header, alias, How.ALIAS)
    return Column(position, header, None, How.UNKNOWN)


def _settle(columns: Sequence[Column], words: Collection[str], schema: Schema) -> list[Column]:
    """Give a field to the columns whose meaning the others make certain; never one that is taken."""
    if all(column.how is not How.UNKNOWN for column in columns):
        return list(columns)
    taken = {column.field for column in columns if column.is_used}
    settled = {
        word: field
        for word, field in load_spellings().settle(words).items()
        if field in schema.fields and field not in taken
    }
    return [
        replace(column, field=settled[word], how=How.ALIAS)
        if column.how is How.UNKNOWN and (word := _word(column.header)) in settled
        else column
        for column in columns
    ]


def _take_full_name(columns: Sequence[Column], schema: Schema) -> list[Column]:
    taken = {column.field for column in columns if column.is_used}
    if FULL_NAME not in schema.fields or not taken.isdisjoint({FULL_NAME, *NAME_PARTS}):
        return list(columns)
    return [
        replace(column, field=FULL_NAME, how=How.ALIAS)
        if column.how is How.UNKNOWN and load_spellings().suggestions.get(_word(column.header)) == FULL_NAME
        else column
        for column in columns
    ]


def _give_up(column: Column, schema: Schema, unknown: Unknown, taken: Container[str | None]) -> Column:
    if column.how is not How.UNKNOWN:
        return column
    if unknown is Unknown.DROP:
        return replace(column, how=How.DROPPED)
    field = _suggest(column.header, schema)
    if field is None or field in taken:
        return column
    return replace(column, field=field, how=How.SUGGESTED)


def _suggest(header: str, schema: Schema) -> str | None:
    """The field that a header may mean: from the tables, else the one that looks most like it.

    Likeness never leads to a boolean: "Email Opt In" looks like "Email Opt Out".
    """
    proposed = load_spellings().suggestions.get(_word(header))
    return proposed if proposed in schema.fields else _most_alike(header, _likeable(schema))


def suggest_fields(header: str, schema: Schema) -> list[str]:
    """Fields that a person may mean by a header, the likeliest first; more of them than are ever taken.

    Args:
        header: The column's name.
        schema: The fields there are.
    """
    from rapidfuzz import fuzz, process  # noqa: PLC0415 (only needed where somebody chooses)

    spellings, word = load_spellings(), _word(header)
    tables = (schema.folded_names, schema.folded_aliases, spellings.aliases, spellings.suggestions)
    known = [table[word] for table in tables if table.get(word) in schema.fields]
    likeable = _likeable(schema)
    alike = process.extract(word, list(likeable), scorer=fuzz.ratio, score_cutoff=_LIKENESS_SHOWN, limit=10)
    return list(dict.fromkeys([*known, *(likeable[spelling] for spelling, *_ in alike)]))[:_MOST_SUGGESTED]


def _likeable(schema: Schema) -> dict[str, str]:
    """Spelling → field, of the fields that likeness may lead to."""
    names = {**load_spellings().aliases, **schema.folded_aliases, **schema.folded_names}
    return {
        spelling: name
        for spelling, name in names.items()
        if name in schema.fields
        and schema.fields[name].type != "boolean"
        and not schema.fields[name].read_only
        and len(spelling) >= _SHORTEST_LIKENESS
    }


def _most_alike(name: str, fields: Mapping[str, str]) -> str | None:
    from rapidfuzz import process  # noqa: PLC0415 (only needed when something is wrong)
    from rapidfuzz.distance import OSA  # noqa: PLC0415

    best = process.extractOne(
        _word(name), list(fields), scorer=OSA.normalized_similarity, score_cutoff=_SUGGESTION_SCORE
    )
    return fields[best[0]] if best else None


def split_maps(
    maps: Mapping[str, str], sources: Sequence[Sequence[str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Tell the part of a mapping whose columns the sources have from the part whose columns none has."""
    seen = {fold_header(header) for headers in sources for header in headers}
    present = {header: field for header, field in maps.items() if fold_header(header) in seen}
    return present, {header: field for header, field in maps.items() if header not in present}


def add_maps(
    further: Mapping[str, str], nearer: Mapping[str, str], sources: Sequence[Sequence[str]] = ()
) -> dict[str, str]:
    """Two mappings as one, in which the nearer one decides what both speak of.

    A header stands for columns that are like it, so the two may call a column by two spellings. They speak of
    two columns only where a source has both.
    """

    def is_decided(header: str) -> bool:
        return any(
            fold_header(header) == fold_header(other)
            and not any(header in headers and other in headers for headers in sources)
            for other in nearer
        )

    kept = {header: field for header, field in further.items() if not is_decided(header)}
    return {**kept, **nearer}


def refuse_idle_maps(maps: Mapping[str, str], sources: Sequence[Sequence[str]]) -> None:
    """Refuse a mapping of a column that no source has: it is a slip that would go unnoticed.

    Raises:
        SettingsError: A header of `maps` occurs in none of the sources.
    """
    _, idle = split_maps(maps, sources)
    for header in idle:
        names = list(dict.fromkeys(name for headers in sources for name in headers))
        raise SettingsError(
            f"--map: no source has a column {header!r}",
            code="unknown_column",
            hint=f"Columns: {name_some(names)}.",
            column=header,
        )


def check_settings(
    schema: Schema, *, lookup_field: str, maps: Mapping[str, str], constants: Mapping[str, str]
) -> None:
    """Refuse settings that name fields which the schema does not have, or which cannot be used so.

    Raises:
        SettingsError: A field of `maps` or `constants` is unknown, or the lookup field is none that Marketo
            takes.
    """
    keys = key_fields(lookup_field)
    mapped = filter(None, maps.values())
    for option, names in (("--lookup-field", keys), ("--map", mapped), ("--set", constants)):
        for name in names:
            if name not in schema.fields:
                raise unknown_field(option, name, schema)
    is_one = len(keys) == 1 or schema.object is not None
    if not is_one or not set(keys) <= set(schema.lookup_fields):
        raise SettingsError(
            f"--lookup-field: Marketo does not look leads up by {lookup_field!r}",
            code="bad_lookup_field",
            hint=f"It takes {', '.join(schema.lookup_fields)}.",
            column=lookup_field,
        )


def unknown_field(option: str, name: str, schema: Schema) -> SettingsError:
    """The error that an option names a field which the schema does not have."""
    guess = _most_alike(name, {**schema.folded_aliases, **schema.folded_names})
    listed = f"prep schema show {schema.origin or schema.name} lists the fields."
    return SettingsError(
        f"{option}: {name!r} is not a field of schema {schema.name!r}",
        code="unknown_field",
        hint=f"Did you mean {guess}?" if guess else listed,
        column=name,
    )
