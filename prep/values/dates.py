"""Dates and date-times in the ISO spelling. Day and month are never guessed, nor is a century or a zone.

https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/field-types
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.model import DateOrder
from prep.values.rules import OPEN, PLAIN, Rule, contains, lacks, once_for_each_value, or_as_it_was
from prep.values.words import MONTHS

_YEAR_FIRST: Final = r"(?<year>[0-9]{4})(?<one>[-/.]?)(?<month>[0-9]{1,2})(?<two>[-/.]?)(?<day>[0-9]{1,2})"
_DAY_FIRST: Final = r"(?<day>[0-9]{1,2})(?<one>[-/.])(?<month>[0-9]{1,2})(?<two>[-/.])(?<year>[0-9]{4})"
_MONTH_FIRST: Final = r"(?<month>[0-9]{1,2})(?<one>[-/.])(?<day>[0-9]{1,2})(?<two>[-/.])(?<year>[0-9]{4})"
_TIME: Final = (
    r"(?<hour>[0-9]{1,2}):(?<minute>[0-5][0-9])(?::(?<second>[0-5][0-9])(?<fraction>\.[0-9]{1,9})?)?"
    r"(?<half> ?[AaPp][Mm])?"
)
_ZONE: Final = r"(?<zone>[Zz]|[Uu][Tt][Cc]|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)"
_CLOCK: Final = f"(?:(?:[Tt]|,? ){_TIME}(?: ?{_ZONE})?)?"

_PATTERNS: Final[Mapping[DateOrder, tuple[str, str]]] = MappingProxyType(
    {
        order: (f"^{_YEAR_FIRST}{_CLOCK}$", f"^{year_last}{_CLOCK}$")
        for order, year_last in {
            DateOrder.ISO: _DAY_FIRST,
            DateOrder.DMY: _DAY_FIRST,
            DateOrder.MDY: _MONTH_FIRST,
        }.items()
    }
)
"""How a cell may be written, by the setting; at most one of them matches a cell. `ISO` takes the second only
where day and month are the same."""

_NAME: Final = f"({'|'.join(sorted(MONTHS, key=len, reverse=True))})"
_DAY: Final = "([0-9]{1,2})(?:st|nd|rd|th|er|º)?"
_GAP: Final = r"(?:[ ./,-]{1,2}| (?:of|de|del) )"
_NAMED: Final[Mapping[str, str]] = MappingProxyType(
    {
        rf"^{pattern}([^0-9].*)?$": date + "${4}"
        for pattern, date in {
            f"([0-9]{{4}}){_GAP}?{_NAME}{_GAP}?{_DAY}": "${1}-${2}-${3}",
            f"{_DAY}{_GAP}?{_NAME}{_GAP}?([0-9]{{4}})": "${3}-${2}-${1}",
            f"{_NAME}{_GAP}?{_DAY}{_GAP}([0-9]{{4}})": "${3}-${1}-${2}",
        }.items()
    }
)
"""How a date names its month, in lower case → year, name and day, and what comes behind."""

_YEAR_LAST: Final = (
    rf"^(?<left>[0-9]{{1,2}})(?<one>[-/.])(?<right>[0-9]{{1,2}})(?<two>[-/.])[0-9]{{4}}{_CLOCK}$"
)

_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_LOCAL: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?$"
_DATETIME: Final = rf"{_LOCAL[:-1]}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})?$"

_MONTHS: Final = 12

_CALENDAR: Final = "%Y-%m-%dT%H:%M:%S"


def date_rules(order: DateOrder) -> tuple[Rule, ...]:
    """The rule `date`: any understood spelling → `YYYY-MM-DD`; a time behind it must be midnight."""

    @once_for_each_value
    def respell(cells: pl.Series) -> pl.Series:
        is_midnight = (pl.col("clock") == "T00:00:00") & ~pl.col("fraction").str.contains("[1-9]")
        spelled = _read(cells, order).select(pl.when(is_midnight).then("date")).to_series()
        return or_as_it_was(spelled, cells)

    return (Rule("date", lacks(_DATE), respell),)


def datetime_rules(order: DateOrder, timezone: str | None) -> tuple[Rule, ...]:
    """The rules `datetime` and, with a zone, `timezone`.

    `datetime`: any understood spelling → `YYYY-MM-DDTHH:MM:SS`, then fraction and offset as typed. A date
    alone is midnight. `timezone`: what has no offset gets the one that the zone had at that moment. Of a
    local time that occurs twice, when clocks go back, the earlier is meant; one that does not exist, when
    they go forward, gets no offset, nor does one from before offsets were whole minutes.
    """

    @once_for_each_value
    def respell(cells: pl.Series) -> pl.Series:
        spelled = _read(cells, order).select(pl.concat_str("date", "clock", "fraction", "zone")).to_series()
        return or_as_it_was(spelled, cells)

    spelling = Rule("datetime", lacks(_DATETIME), respell)
    return (spelling, _zone_rule(timezone)) if timezone else (spelling,)


def date_evidence(cells: pl.Series) -> pl.DataFrame:
    """What each cell says about the order of the dates in its column.

    Returns:
        `spelling`, the character between day and month, and `verdict`: `dmy` or `mdy` where one of them is
        above 12, `open` where neither is and they differ, `plain` for the year first. Others have none.
    """
    groups = cells.str.extract_groups(_YEAR_LAST).struct.unnest()
    first, second = pl.col("left").cast(pl.UInt8), pl.col("right").cast(pl.UInt8)
    is_date = (pl.col("one") == pl.col("two")) & first.is_between(1, 31) & second.is_between(1, 31)
    verdict = (
        pl.when(~is_date | ((first > _MONTHS) & (second > _MONTHS)) | (first == second))
        .then(None)
        .when(first > _MONTHS)
        .then(pl.lit(DateOrder.DMY.value))
        .when(second > _MONTHS)
        .then(pl.lit(DateOrder.MDY.value))
        .when(is_date)
        .then(pl.lit(OPEN))
    )
    plain = pl.when(is_year_first(cells)).then(pl.lit(PLAIN))
    return groups.select(pl.col("one").alias("spelling"), pl.coalesce(verdict, plain).alias("verdict"))


def is_year_first(cells: pl.Series) -> pl.Series:
    """True for a date in the spelling of ISO, with or without a time, which nobody reads otherwise."""
    return cells.str.contains(rf"{_DATE[:-1]}(?:T|$)")


def is_timezone(name: str) -> bool:
    """Whether polars knows the zone; it has the IANA database built in."""
    try:
        pl.select(pl.datetime(2000, 1, 1, time_zone=name))
    except pl.exceptions.ComputeError:
        return False
    return bool(name)


def _zone_rule(timezone: str) -> Rule:
    @once_for_each_value
    def respell(cells: pl.Series) -> pl.Series:
        local = cells.str.slice(0, 19).str.to_datetime(_CALENDAR, strict=False, time_unit="us")
        moments = local.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
        offsets = moments.dt.to_string("%::z").str.extract(r"^(.+):00$")
        return or_as_it_was(cells + offsets, cells)

    return Rule("timezone", contains(_LOCAL), respell)


def _read(cells: pl.Series, order: DateOrder) -> pl.DataFrame:
    """Date, clock, fraction and zone of each cell; all null where it does not name a real moment."""
    cells = _with_numbered_months(cells)
    reading, other = (_parts(cells, pattern) for pattern in _PATTERNS[order])
    if order is DateOrder.ISO:
        day, month = pl.col("date").str.slice(8), pl.col("date").str.slice(5, 2)
        other = other.select(pl.when(day == month).then(pl.all()))
    return reading.select(pl.coalesce(part, other[part.name]) for part in reading.iter_columns())


def _with_numbered_months(cells: pl.Series) -> pl.Series:
    """Dates that name their month, with the year first and the month's number; other cells in lower case."""
    cells = cells.str.to_lowercase()
    for pattern, year_first in _NAMED.items():
        cells = cells.str.replace(pattern, year_first)
    return cells.str.replace_many({f"-{name}-": f"-{number}-" for name, number in MONTHS.items()})


def _parts(cells: pl.Series, pattern: str) -> pl.DataFrame:
    groups = cells.str.extract_groups(pattern).struct.unnest()
    month, day = pl.col("month").str.zfill(2), pl.col("day").str.zfill(2)
    hour, minute, second = (
        part.fill_null("00").str.zfill(2) for part in (_hour(), pl.col("minute"), pl.col("second"))
    )
    parts = groups.with_columns(
        pl.format("{}-{}-{}", "year", month, day).alias("date"),
        pl.format("T{}:{}:{}", hour, minute, second).alias("clock"),
        pl.col("fraction").fill_null(""),
        _offset(pl.col("zone").str.to_uppercase()).fill_null("").alias("zone"),
    )
    return parts.select(pl.when(_is_real()).then(pl.col("date", "clock", "fraction", "zone")))


def _hour() -> pl.Expr:
    """The hour of the day; one that no clock with two halves shows becomes one that no day has."""
    shown = pl.col("hour").cast(pl.UInt8)
    afternoon = pl.col("half").str.to_lowercase().str.ends_with("pm").cast(pl.UInt8) * 12
    turned = pl.when(shown.is_between(1, 12)).then(shown % 12 + afternoon).otherwise(99)
    return pl.when(pl.col("half").is_null()).then("hour").otherwise(turned.cast(pl.String))


def _offset(zone: pl.Expr) -> pl.Expr:
    """`+02`, `+0200` and `+02:00` → `+02:00`; `Z` and `UTC` → `Z`."""
    digits = zone.str.replace(":", "", literal=True).str.pad_end(5, "0")
    return (
        pl.when(zone.is_in(["Z", "UTC"]))
        .then(pl.lit("Z"))
        .otherwise(digits.str.slice(0, 3) + ":" + digits.str.slice(3))
    )


def _is_real() -> pl.Expr:
    """True for a moment of the calendar whose separators agree; without any, all digits must be there."""
    is_compact = pl.col("one") == ""
    has_all_digits = (pl.col("month") + pl.col("day")).str.contains("^[0-9]{4}$")
    calendar = (pl.col("date") + pl.col("clock")).str.to_datetime(_CALENDAR, strict=False, time_unit="us")
    return (pl.col("one") == pl.col("two")) & (~is_compact | has_all_digits) & calendar.is_not_null()
