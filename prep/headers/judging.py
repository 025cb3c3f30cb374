"""What is wrong with the columns of a source, judged by pandera."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

import polars as pl

from prep.checks import Check
from prep.errors import HeaderError
from prep.folding import MOST_NAMED, as_typed, name_some
from prep.headers.columns import FULL_NAME, NAME_PARTS, Column, HeaderMapping, How, Problem
from prep.judge import compile_checks, find_failures
from prep.model import Reason
from prep.objects import key_fields
from prep.schema import Schema

if TYPE_CHECKING:
    import pandera.polars as pa


@cache
def _header_schema(lookup_field: str) -> "pa.DataFrameSchema":
    """The rules of a header, over a frame with one row for each column (a frame cannot repeat a name)."""
    keys = key_fields(lookup_field)
    field = pl.col("field")
    has_name = pl.col("header").str.strip_chars() != ""
    has_field = field.is_not_null()
    return compile_checks(
        {
            "header": [_rule(Reason.EMPTY_HEADER, has_name | has_field)],
            "field": [
                _rule(Reason.UNKNOWN_HEADER, has_field | ~has_name),
                _rule(Reason.DUPLICATE_HEADER, field.is_null() | field.is_first_distinct()),
                _rule(Reason.READ_ONLY_HEADER, ~pl.col("read_only")),
            ],
        },
        of_frame=_rule(Reason.MISSING_LOOKUP_HEADER, field.filter(field.is_in(keys)).n_unique() == len(keys)),
    )


def _rule(reason: Reason, verdict: pl.Expr) -> Check:
    return Check(reason, lambda _: verdict, judges_blanks=True)


def judge(
    columns: Sequence[Column],
    schema: Schema,
    lookup_field: str,
    *,
    split_name: bool,
    deciding: Container[str] = (),
) -> Iterator[Problem]:
    """Find everything that is wrong with the columns of one source."""
    judged = [
        part
        for column in columns
        if column.how not in {How.DROPPED, How.PROTECTED}
        for part in (_parts(column) if split_name else (column,))
    ]
    fields = [column.field if column.is_used else None for column in judged]
    frame = pl.DataFrame(
        {
            "header": [column.header for column in judged],
            "field": fields,
            "read_only": [
                name is not None and name not in deciding and schema.is_read_only(name, lookup_field)
                for name in fields
            ],
        },
        schema={"header": pl.String, "field": pl.String, "read_only": pl.Boolean},
    )
    failures = find_failures(_header_schema(lookup_field), frame)
    for check, index in failures.select("check", "index").sort("index", maintain_order=True).rows():
        if check != Reason.MISSING_LOOKUP_HEADER:
            yield _problem(Reason(check), judged[index], judged, may_split=not split_name)
    if Reason.MISSING_LOOKUP_HEADER in failures["check"]:
        mapped = {column.field for column in judged if column.is_used}
        absent = [name for name in key_fields(lookup_field) if name not in mapped]
        yield _missing_lookup(columns, absent, may_choose=schema.object is None)


def _parts(column: Column) -> tuple[Column, ...]:
    """A full name stands for the columns that will be made of it."""
    if column.field != FULL_NAME or not column.is_used:
        return (column,)
    return tuple(replace(column, field=part) for part in NAME_PARTS)


def _problem(reason: Reason, column: Column, judged: Sequence[Column], *, may_split: bool) -> Problem:
    may_split &= not any(other.is_used and other.field in NAME_PARTS for other in judged)
    name = f"{column.header!r}"
    flag = f'--map "{as_typed(column.header)}="'
    match reason:
        case Reason.EMPTY_HEADER:
            text = f"column {column.position + 1} has no name"
            hint = "Name it, or leave nameless and unknown columns out with --unknown drop."
            flag = ""
        case Reason.DUPLICATE_HEADER:
            first = next(other for other in judged if other.is_used and other.field == column.field)
            text = f"{name} maps to {column.field!r}, and so does {first.header!r}"
            if column.how is How.MAP and first.how not in {How.MAP, How.SET}:
                flag = f'--map "{as_typed(first.header)}="'
            hint = f"Leave one out with {flag}."
            if first.header == column.header:
                hint, flag = "Rename or remove one of the two columns in the file.", ""
        case _ if column.field == FULL_NAME:
            text = f"{name} looks like a full name"
            hint = f"Leave it out with {flag}."
            if may_split:
                hint = f"Split it with --split-name, or leave it out with {flag}."
                flag = "--split-name"
        case Reason.READ_ONLY_HEADER:
            text = f"{name} maps to {column.field!r}, which imports cannot write"
            hint = f"Leave it out with {flag}."
            if column.how is How.SET:
                hint, flag = f"Leave out {column.header}=….", ""
        case _:
            text = f"{name} is not a field of the schema"
            guess = f"; {column.field!r} looks like it" if column.field else ""
            text += guess
            flag = f'--map "{as_typed(column.header)}={column.field or "FIELD"}"'
            hint = f"Map it with {flag} or leave unknown columns out with --unknown drop."
    return Problem(reason, column, text, hint, flag)


def _missing_lookup(columns: Sequence[Column], absent: Sequence[str], *, may_choose: bool) -> Problem:
    flags = " ".join(f'--map "COLUMN={name}"' for name in absent)
    seen = name_some([column.header for column in columns if column.position >= 0])
    return Problem(
        Reason.MISSING_LOOKUP_HEADER,
        None,
        f"no column maps to {', '.join(map(repr, absent))}; saw {seen}",
        f"Say which one it is with {flags}{', or choose another --lookup-field' * may_choose}.",
    )


def doubt_header(mapping: HeaderMapping, line: int, sheet: str | None, *, is_single: bool) -> HeaderMapping:
    """A mapping whose missing lookup field may stand in another header, or behind another delimiter.

    Args:
        mapping: How the columns of a source map.
        line: Where its header stands.
        sheet: In which sheet, if it is a workbook.
        is_single: It may have more columns than the one that was found.
    """
    of_sheet, or_sheet = (f" of sheet {sheet!r}", " or --sheet NAME") if sheet else ("", "")
    elsewhere = (
        f"If the column names stand in another line than line {line}{of_sheet}, say which: "
        f"--header-line N{or_sheet}."
    )
    more = (
        "If the file has more columns, say where their names stand with --header-line N, or what "
        "separates the cells with --delimiter CHAR."
    )

    def hint(problem: Problem) -> str:
        if _holds_lines(mapping):
            return f"{_SPLIT_LINES} {elsewhere if sheet else more}"
        return f"{more} {problem.hint}" if is_single else f"{problem.hint} {elsewhere}"

    problems = (
        replace(problem, hint=hint(problem)) if problem.reason is Reason.MISSING_LOOKUP_HEADER else problem
        for problem in mapping.problems
    )
    return replace(mapping, problems=tuple(problems))


_DELIMITERS: Final = ",;\t|"
_SPLIT_LINES: Final = (
    "If each line is one cell, in quotes or pasted into one column, split it with a spreadsheet (Text to "
    "Columns) and save it again."
)


def _holds_lines(mapping: HeaderMapping) -> bool:
    """Whether there is one column whose name seems to be those of several."""
    names = [column.header for column in mapping.columns if column.position >= 0]
    return len(names) == 1 and any(mark in names[0] for mark in _DELIMITERS)


_Found = tuple[str, Problem]
"""The path of a source, and what is wrong with one of its columns."""


def refuse_problems(problems: Mapping[str, Sequence[Problem]]) -> None:
    """Raise if any source has a header problem.

    Args:
        problems: Path of each source → its problems.

    Raises:
        HeaderError: There are problems; the message names all of them, of very many the most telling, the
            hint what settles each kind.
    """
    found = [(path, problem) for path, listed in problems.items() for problem in listed]
    if not found:
        return
    path, first = found[0]
    shown = _most_telling(found)
    more = len(found) - len(shown)
    texts = [f"{path}: {'; '.join(problem.text for _, problem in of)}" for path, of in groupby(shown, _path)]
    raise HeaderError(
        "; ".join([*texts, *([f"and {more:,} more"] if more else [])]),
        code=first.reason,
        hint=_settle_all([problem for _, problem in found], are_all_shown=not more),
        source=path,
        column=first.column.header if first.column else None,
    )


def _path(found: _Found) -> str:
    return found[0]


def _most_telling(found: Sequence[_Found]) -> Sequence[_Found]:
    """As many problems as a message may name, those of the rarest kinds first; in their order."""
    kinds = [(problem.reason, _has_guess(problem)) for _, problem in found]
    sizes = Counter(kinds)
    rarest = sorted(range(len(found)), key=lambda place: (sizes[kinds[place]], place))
    return [found[place] for place in sorted(rarest[:MOST_NAMED])]


def _has_guess(problem: Problem) -> bool:
    """Whether a column that no field has the name of looks like one."""
    is_unknown = problem.reason is Reason.UNKNOWN_HEADER
    return is_unknown and problem.column is not None and problem.column.field is not None


def _settle_all(problems: Sequence[Problem], *, are_all_shown: bool) -> str:
    """One hint for all problems, with the options in one piece, ready to be copied."""
    flags = list(dict.fromkeys(problem.flag for problem in problems if problem.flag))
    every = [] if are_all_shown else ["prep headers lists every column."]
    if len(flags) <= 1:
        return " ".join([*dict.fromkeys(problem.hint for problem in problems), *every])
    has_unknown = any(problem.reason is Reason.UNKNOWN_HEADER for problem in problems)
    drop = ", or leave unknown columns out with --unknown drop" if has_unknown else ""
    others = dict.fromkeys(problem.hint for problem in problems if not problem.flag)
    if not are_all_shown:
        flags = _few_flags(flags, {problem.flag for problem in problems if _has_guess(problem)})
    return " ".join([f"Add {' '.join(flags)}{drop}.", *others, *every])


def _few_flags(flags: Sequence[str], guesses: Container[str]) -> list[str]:
    """Those that a guess completes, and so many of the others that the pattern is clear."""
    others = [flag for flag in flags if flag not in guesses]
    and_so_on = ["and so on"] if len(others) > _FEW_FLAGS else []
    return [*(flag for flag in flags if flag in guesses), *others[:_FEW_FLAGS], *and_so_on]


_FEW_FLAGS: Final = 3
