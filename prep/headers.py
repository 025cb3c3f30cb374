"""Source columns → schema fields."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

import polars as pl

from prep.errors import HeaderError, SettingsError
from prep.model import Reason, Unknown
from prep.schema import Schema, find_failures, fold

if TYPE_CHECKING:
    import pandera.polars as pa

_SUGGESTION_SCORE: Final = 75
"""Likeness, of 100, from which on a field is worth naming to a person. Never applied by itself."""


class How(StrEnum):
    """By what a source column came to its field."""

    EXACT = "exact"
    FOLDED = "folded"
    ALIAS = "alias"
    MAP = "map"
    SET = "set"
    SUGGESTED = "suggested"
    UNKNOWN = "unknown"
    DROPPED = "dropped"


_UNUSED: Final = frozenset({How.SUGGESTED, How.UNKNOWN, How.DROPPED})


@dataclass(frozen=True)
class Column:
    """What one source column stands for.

    Attributes:
        position: 0-based place in the source; -1 for a constant from `--set`.
        header: The name as the source writes it.
        field: REST name, or for `suggested` the name that was probably meant; None for none.
        how: How the field was found. Only columns whose `is_used` is true are sent.
    """

    position: int
    header: str
    field: str | None
    how: How

    @property
    def is_used(self) -> bool:
        """Whether the column's cells go into the upload."""
        return self.how not in _UNUSED

    @property
    def facts(self) -> dict[str, str | None]:
        """The column as the report shows it."""
        return {"source": self.header, "field": self.field, "how": str(self.how)}


@dataclass(frozen=True)
class Problem:
    """A header that cannot be used, or the lack of one.

    Attributes:
        reason: Its code.
        column: The column; None where one is missing.
        text: What was found.
        hint: What settles it.
        flag: The option that does, if one does.
    """

    reason: Reason
    column: Column | None
    text: str
    hint: str
    flag: str = ""


@dataclass(frozen=True)
class HeaderMapping:
    """The columns of one source, constants included, and everything that is wrong with them."""

    columns: tuple[Column, ...]
    problems: tuple[Problem, ...]

    @property
    def fields(self) -> dict[int, str]:
        """Position of each used source column → its field, in source order."""
        return {
            column.position: column.field
            for column in self.columns
            if column.is_used and column.field and column.position >= 0
        }


def map_headers(
    headers: Sequence[str],
    schema: Schema,
    *,
    lookup_field: str,
    maps: Mapping[str, str],
    constants: Mapping[str, str],
    unknown: Unknown,
    ignored: Container[str] = (),
) -> HeaderMapping:
    """Find the field of every column and judge the header with pandera.

    A column's field comes from `maps`, else from an exact REST, SOAP or display name, else from one of
    these without case, spaces and punctuation, else from an alias. Likeness only suggests.

    Args:
        headers: The source's column names in order; duplicates and empty ones allowed.
        schema: The fields there are.
        lookup_field: Must be among the fields found.
        maps: Header → field, as the user decided; an empty field leaves the column out. A header that no
            column has to the letter stands for those that are like it but for case, spaces and punctuation.
        constants: Field → value for every row; they take part like columns, before all others.
        ignored: Columns that prep itself added.
        unknown: Whether columns without a field, or without a name, are a problem or left out.

    Returns:
        One column for each constant and header, in that order, and all problems at once.
    """
    exactly = {header: field for header, field in maps.items() if header in headers}
    alike = {fold(header) or header: field for header, field in maps.items() if header not in headers}
    chosen = {
        **{header: alike[key] for header in headers if (key := fold(header) or header) in alike},
        **exactly,
    }
    columns = [Column(-1, f"--set {field}", field, How.SET) for field in constants]
    columns += [
        Column(position, header, None, How.DROPPED)
        if header in ignored
        else _column(position, header, schema, chosen, unknown)
        for position, header in enumerate(headers)
    ]
    return HeaderMapping(tuple(columns), tuple(_judge(columns, schema, lookup_field)))


def _column(
    position: int, header: str, schema: Schema, chosen: Mapping[str, str], unknown: Unknown
) -> Column:
    name = header.strip()
    folded = fold(name)
    if header in chosen:
        field = chosen[header]
        return Column(position, header, field or None, How.MAP if field else How.DROPPED)
    for how, table, spelling in (
        (How.EXACT, schema.exact_names, name),
        (How.FOLDED, schema.folded_names, folded),
        (How.ALIAS, schema.folded_aliases, folded),
    ):
        if spelling in table:
            return Column(position, header, table[spelling], how)
    if unknown is Unknown.DROP:
        return Column(position, header, None, How.DROPPED)
    suggestion = suggest(name, schema)
    return Column(position, header, suggestion, How.SUGGESTED if suggestion else How.UNKNOWN)


def suggest(name: str, schema: Schema) -> str | None:
    """The field whose names look most like this one, if any is close."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415 (only needed when something is wrong)

    candidates = {**schema.folded_aliases, **schema.folded_names}
    best = process.extractOne(fold(name), list(candidates), scorer=fuzz.ratio, score_cutoff=_SUGGESTION_SCORE)
    return candidates[best[0]] if best else None


@cache
def _header_schema(lookup_field: str) -> "pa.DataFrameSchema":
    """The rules of a header, over a frame with one row for each column (a frame cannot repeat a name)."""
    import pandera.polars as pa  # noqa: PLC0415 (slow to import)

    def rule(reason: Reason, passes: pl.Expr) -> pa.Check:
        return pa.Check(lambda data: data.lazyframe.select(passes), error=reason.value, ignore_na=False)

    has_name = pl.col("header").str.strip_chars() != ""
    has_field = pl.col("field").is_not_null()
    return pa.DataFrameSchema(
        {
            "header": pa.Column(pl.String, rule(Reason.EMPTY_HEADER, has_name | has_field)),
            "field": pa.Column(
                pl.String,
                [
                    rule(Reason.UNKNOWN_HEADER, has_field | ~has_name),
                    rule(
                        Reason.DUPLICATE_HEADER,
                        pl.col("field").is_null() | pl.col("field").is_first_distinct(),
                    ),
                ],
                nullable=True,
            ),
            "read_only": pa.Column(pl.Boolean, rule(Reason.READ_ONLY_HEADER, ~pl.col("read_only"))),
        },
        checks=pa.Check(
            lambda data: data.lazyframe.select((pl.col("field") == lookup_field).any()),
            error=Reason.MISSING_LOOKUP_HEADER.value,
        ),
    )


def _judge(columns: Sequence[Column], schema: Schema, lookup_field: str) -> Iterable[Problem]:
    judged = [column for column in columns if column.how is not How.DROPPED]
    fields = [column.field if column.is_used else None for column in judged]
    frame = pl.DataFrame(
        {
            "header": [column.header for column in judged],
            "field": fields,
            "read_only": [bool(name) and schema.is_read_only(str(name), lookup_field) for name in fields],
        },
        schema={"header": pl.String, "field": pl.String, "read_only": pl.Boolean},
    )
    failures = find_failures(_header_schema(lookup_field), frame)
    for check, index in failures.select("check", "index").sort("index", maintain_order=True).rows():
        if check != Reason.MISSING_LOOKUP_HEADER:
            yield _problem(Reason(check), judged[index], judged)
    if Reason.MISSING_LOOKUP_HEADER in failures["check"]:
        yield _missing_lookup(columns, lookup_field)


def _problem(reason: Reason, column: Column, judged: Sequence[Column]) -> Problem:
    name = f"{column.header!r}"
    flag = f'--map "{_printable(column.header)}="'
    match reason:
        case Reason.EMPTY_HEADER:
            text = f"column {column.position + 1} has no name"
            hint = "Name it, or leave nameless and unknown columns out with --unknown drop."
            flag = ""
        case Reason.DUPLICATE_HEADER:
            first = next(other for other in judged if other.is_used and other.field == column.field)
            text = f"{name} maps to {column.field!r}, and so does {first.header!r}"
            hint = f"Leave one out with {flag}."
            if first.header == column.header:
                hint, flag = "Rename or remove one of the two columns in the file.", ""
        case Reason.READ_ONLY_HEADER:
            text = f"{name} maps to {column.field!r}, which imports cannot write"
            hint = f"Leave it out with {flag}."
        case _:
            text = f"{name} is not a field of the schema"
            guess = f"; {column.field!r} looks like it" if column.field else ""
            text += guess
            flag = f'--map "{_printable(column.header)}={column.field or "FIELD"}"'
            hint = f"Map it with {flag} or leave unknown columns out with --unknown drop."
    return Problem(reason, column, text, hint, flag)


def _missing_lookup(columns: Sequence[Column], lookup_field: str) -> Problem:
    seen = ", ".join(repr(column.header) for column in columns if column.position >= 0)
    return Problem(
        Reason.MISSING_LOOKUP_HEADER,
        None,
        f"no column maps to {lookup_field!r}; saw {seen}",
        f'Say which one it is with --map "COLUMN={lookup_field}", or choose another --lookup-field.',
    )


def _printable(header: str) -> str:
    """A header as it can be shown on a terminal and typed into a shell's double quotes."""
    return repr(header)[1:-1].replace('"', '\\"')


def refuse_problems(problems: Mapping[str, Sequence[Problem]]) -> None:
    """Raise if any source has a header problem.

    Args:
        problems: Path of each source → its problems.

    Raises:
        HeaderError: There are problems; the message names all of them, the hint what settles each kind.
    """
    faulty = {path: listed for path, listed in problems.items() if listed}
    if not faulty:
        return
    path, (first, *_) = next(iter(faulty.items()))
    found = [problem for listed in faulty.values() for problem in listed]
    raise HeaderError(
        "; ".join(f"{path}: {'; '.join(problem.text for problem in faulty[path])}" for path in faulty),
        code=first.reason,
        hint=_settle_all(found),
        source=path,
        column=first.column.header if first.column else None,
    )


def _settle_all(problems: Sequence[Problem]) -> str:
    """One hint for all problems, with the options in one piece, ready to be copied."""
    flags = list(dict.fromkeys(problem.flag for problem in problems if problem.flag))
    if len(flags) <= 1:
        return " ".join(dict.fromkeys(problem.hint for problem in problems))
    has_unknown = any(problem.reason is Reason.UNKNOWN_HEADER for problem in problems)
    drop = ", or leave unknown columns out with --unknown drop" if has_unknown else ""
    others = dict.fromkeys(problem.hint for problem in problems if not problem.flag)
    return " ".join([f"Add {' '.join(flags)}{drop}.", *others])


def refuse_idle_maps(maps: Mapping[str, str], sources: Sequence[Sequence[str]]) -> None:
    """Refuse a mapping of a column that no source has: it is a slip that would go unnoticed.

    Raises:
        SettingsError: A header of `maps` occurs in none of the sources.
    """
    seen = {fold(header) or header for headers in sources for header in headers}
    for header in maps:
        if (fold(header) or header) not in seen:
            names = dict.fromkeys(repr(name) for headers in sources for name in headers)
            raise SettingsError(
                f"--map: no source has a column {header!r}",
                code="unknown_column",
                hint=f"Columns: {', '.join(names)}.",
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
    for option, names in (("--lookup-field", [lookup_field]), ("--map", maps.values()), ("--set", constants)):
        for name in names:
            if name and name not in schema.fields:
                guess = suggest(name, schema)
                raise SettingsError(
                    f"{option}: {name!r} is not a field of schema {schema.name!r}",
                    code="unknown_field",
                    hint=f"Did you mean {guess}?" if guess else "prep schema show lists the fields.",
                    column=name,
                )
    if lookup_field not in schema.lookup_fields:
        raise SettingsError(
            f"--lookup-field: Marketo does not look leads up by {lookup_field!r}",
            code="bad_lookup_field",
            hint=f"It takes {', '.join(schema.lookup_fields)}.",
            column=lookup_field,
        )
