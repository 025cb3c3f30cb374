"""Phone numbers that begin with `+` and hold digits and plain separators only, judged many at a time.

phonenumbers reads some thousand numbers in a second. In the end it holds each against tables of regular
expressions, one for each region and kind of number. polars can hold whole columns against the same tables:
they use only what RE2 knows, by which libphonenumber reads them in C++. A number is judged here where nothing
but the tables has a say in it; all others are left to phonenumbers.

https://github.com/google/libphonenumber/blob/master/resources/phonemetadata.proto
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from phonenumbers import PhoneMetadata, PhoneNumberDesc

_PLAIN: Final = r"^\+[1-9][0-9 .()-]{1,98}[0-9]$"
"""Without letters, slashes and other signs nothing in a cell is a label or an extension, and nothing is taken
away at its ends. phonenumbers refuses to read more than 250 characters."""

_SPECIAL: Final = r"\( *0 *\)|\.0$"
"""A zero that may not belong to the number, and a number that was taken for an amount."""

_BEFORE_ZERO: Final = r"^(.*)[ -]\(?0"
"""What stands before the last place where a second number may begin."""

_KINDS: Final = (
    *("premium_rate", "toll_free", "shared_cost", "voip", "personal_number"),
    *("pager", "uan", "voicemail", "fixed_line"),
)
"""A valid number is of one of these, or mobile."""


@dataclass(frozen=True)
class _Kind:
    """Numbers that a pattern matches as a whole, with so many digits; any number of them if that is empty."""

    pattern: str
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class _Region:
    """The numbers of a region, without calling code.

    Attributes:
        beginning: The pattern of a beginning that makes a number this region's; empty where none does.
        general: What each number must be.
        kinds: It must be one of these besides.
    """

    beginning: str
    general: tuple[_Kind, ...]
    kinds: tuple[_Kind, ...]


@dataclass(frozen=True)
class _Plan:
    """The numbers behind a calling code.

    Attributes:
        regions: Those that share it, in the order in which they are asked.
        prefix: The pattern of what is dialled before a number at home, or stands for a part of it.
        shortest: What has fewer digits, without the code, is no number, however it is read.
    """

    regions: tuple[_Region, ...]
    prefix: str
    shortest: int


def judge_plain(cells: pl.Series, *, at_least: int = 50) -> pl.DataFrame:
    """Judge cells, none of them blank.

    Args:
        cells: Of one column.
        at_least: How many numbers of a calling code are worth it: compiling what they are held against takes
            some 10 ms, in which phonenumbers judges about as many.

    Returns:
        The cells that are judged here, in any order: `row`, their position, and `spelled`, the number in the
        form of E.164, null where it is not valid. It is what `to_e164` says of the cell in every region.
    """
    cell = pl.col("cell")
    rows = cells.to_frame("cell").with_row_index("row")
    plain = rows.filter(cell.str.contains(_PLAIN) & ~cell.str.contains(_SPECIAL))
    before = _digits(cell.str.extract(_BEFORE_ZERO)).str.len_bytes().fill_null(0)
    numbers = plain.with_columns(digits=_digits(cell), before=before)
    numbers = numbers.with_columns(code=pl.col("digits").str.extract(_calling_code())).drop_nulls("code")
    codes = numbers.partition_by("code", as_dict=True)
    judged = [_judge(alike, code) for (code,), alike in codes.items() if alike.height >= at_least]
    return pl.concat([numbers.clear().select("row", spelled="digits"), *judged])


def _digits(text: pl.Expr) -> pl.Expr:
    """The digits of a plain number, or of its beginning."""
    return text.str.replace_many(list("+ .()-"), [""])


@cache
def _calling_code() -> str:
    """The pattern of a known calling code at the beginning; none is the beginning of another one."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE  # noqa: PLC0415 (its tables are large)

    return f"^({'|'.join(map(str, COUNTRY_CODE_TO_REGION_CODE))})"


def _judge(numbers: pl.DataFrame, code: str) -> pl.DataFrame:
    """Judge numbers of one calling code.

    Those are left that begin with 0, or with what is dialled before them at home and may be taken away, and
    those in which a second number may stand: a valid one is at least as long as the shortest of its country.
    """
    plan = _plan(code)
    national = pl.col("digits").str.slice(len(code))
    is_one = pl.col("before") < len(code) + plan.shortest
    certain = numbers.filter(is_one & ~_begins(national, plan.prefix))
    valid = _valid_rows(certain.select(number=national), plan.regions)
    is_valid = pl.repeat(False, certain.height, dtype=pl.Boolean, eager=True).scatter(valid, True)
    return certain.select("row", spelled=pl.when(is_valid).then("+" + pl.col("digits")))


def _valid_rows(numbers: pl.DataFrame, regions: Sequence[_Region]) -> pl.Series:
    """The positions of valid numbers; most begin like those of no region that has beginnings of its own."""
    shared = [region for region in regions if not region.beginning]
    beginnings = "|".join(region.beginning for region in regions if region.beginning)
    rows = numbers.with_row_index("row")
    if not beginnings:
        return _decided(rows, shared)
    is_some = rows.select(_begins(pl.col("number"), beginnings)).to_series()
    return pl.concat([_decided(rows.filter(is_some), regions), _decided(rows.filter(~is_some), shared)])


def _decided(rows: pl.DataFrame, regions: Sequence[_Region]) -> pl.Series:
    """Those of valid numbers. The first region whose beginning or number one has decides about it."""
    rest, valid = rows, [rows.clear()]
    number = pl.col("number")
    for region in regions:
        is_valid = _is_any(number, region.general) & _is_any(number, region.kinds)
        is_own = rest.select(_begins(number, region.beginning) if region.beginning else is_valid).to_series()
        own, rest = rest.filter(is_own), rest.filter(~is_own)
        valid.append(own.filter(is_valid) if region.beginning and own.height else own)
    return pl.concat(valid)["row"]


def _is_any(number: pl.Expr, kinds: Iterable[_Kind]) -> pl.Expr:
    return pl.any_horizontal(
        number.str.contains(f"^(?:{kind.pattern})$")
        & (number.str.len_bytes().is_in(kind.lengths) if kind.lengths else True)
        for kind in kinds
    )


def _begins(number: pl.Expr, pattern: str) -> pl.Expr:
    return number.str.contains(f"^(?:{pattern})")


@cache
def _plan(code: str) -> _Plan:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata  # noqa: PLC0415

    names = COUNTRY_CODE_TO_REGION_CODE[int(code)]
    known = [PhoneMetadata.metadata_for_region_or_calling_code(int(code), name) for name in names]
    regions = [region for region in known if region is not None]
    main = regions[0]  # what is dialled at home is asked of it alone
    prefix = f"0|{main.national_prefix_for_parsing}" if main.national_prefix_for_parsing else "0"
    numbers = tuple(_region(region, is_alone=len(names) == 1) for region in regions)
    lengths = [length for region in numbers for kind in region.general for length in kind.lengths or (0,)]
    return _Plan(numbers, prefix, 0 if main.national_prefix_transform_rule else min(lengths, default=0))


def _region(region: "PhoneMetadata", *, is_alone: bool) -> _Region:
    kinds = [getattr(region, kind) for kind in _KINDS]
    if not region.same_mobile_and_fixed_line_pattern:
        kinds.append(region.mobile)
    beginning = "" if is_alone else region.leading_digits or ""
    return _Region(beginning, _kinds([region.general_desc]), _kinds(kinds))


def _kinds(described: "Iterable[PhoneNumberDesc | None]") -> tuple[_Kind, ...]:
    """Kinds with the same lengths become one; those that a region does not have have no pattern."""
    patterns = defaultdict(list)
    for kind in described:
        if kind is not None and kind.national_number_pattern:
            patterns[tuple(kind.possible_length)].append(kind.national_number_pattern)
    return tuple(_Kind("|".join(listed), lengths) for lengths, listed in patterns.items())
