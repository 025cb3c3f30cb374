"""Which cells are the same although they are written differently: expressions over text columns.

A spelling that is shared by too many cells costs certainty, never truth: rows that become equal are
then told to be alike, and nobody guesses between them. So the rules may be generous.
"""

from typing import Final

import polars as pl

_NULL: Final = "null"
_WORDS: Final = {_NULL: "", "true": "1", "yes": "1", "false": "0", "no": "0"}
_NUMBER: Final = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?$"
_MOMENT: Final = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[t ]([0-9]{2}:[0-9]{2})(?::([0-9]{2}))?(?:[.,]([0-9]{1,9}))?)?"
    r" ?(z|utc|[+-][0-9]{2}:?[0-9]{2})?$"
)
_DATE, _TIME, _SECONDS, _FRACTION, _ZONE = 1, 2, 3, 4, 5
_UNSAFE: Final = r"[\p{Cc}\p{Zl}\p{Zp}\x{202A}-\x{202E}\x{2066}-\x{2069}]+"


def lookup_key(cell: pl.Expr, *, fold_case: bool) -> pl.Expr:
    """Spell a lookup value as prep compares it: trimmed, an email address without case; blank is ""."""
    trimmed = cell.str.strip_chars()
    folded = _fold(trimmed)
    key = folded if fold_case else trimmed
    return pl.when(folded == _NULL).then(pl.lit("")).otherwise(key)


def normalised(cells: pl.Series) -> pl.Series:
    """Spell cells so that everything that a server may rewrite without changing the value is equal.

    Case, white space, quotes and backslashes do not count; numbers are compared by value, dates and times
    as moments (without an offset they are taken as UTC, without a time as midnight); `true` is `yes` and 1,
    `false` is `no` and 0; blank is the word null. The order of day and month is never guessed.
    """
    plain = cells.str.replace_all(r'["\\]', "").str.replace_all(r"\s+", " ").str.strip_chars()
    plain = plain.str.to_uppercase().str.to_lowercase().replace(_WORDS)
    for pattern, spelled in ((_NUMBER, _number), (_MOMENT, _moment)):
        candidates = plain.str.contains(pattern)
        if candidates.any():
            values = plain.to_frame("text").select(spelled(pl.col("text"))).to_series()
            plain = values.zip_with(candidates & values.is_not_null(), plain)
    return plain.alias(cells.name)


def printable(message: pl.Expr) -> pl.Expr:
    """Replace control characters and line breaks by a blank; a message without words becomes null."""
    words = message.str.replace_all(_UNSAFE, " ").str.strip_chars()
    return pl.when(words != "").then(words)


def _fold(text: pl.Expr) -> pl.Expr:
    """Fold the case as Unicode does: ß and SS are the same letters."""
    return text.str.to_uppercase().str.to_lowercase()


def _number(text: pl.Expr) -> pl.Expr:
    """Spell numbers by their value."""
    value = text.cast(pl.Float64, strict=False)
    return pl.when(value == 0).then(pl.lit("0.0")).otherwise(value.cast(pl.String))


def _moment(text: pl.Expr) -> pl.Expr:
    """Spell dates and date-times as moments; null for everything else."""
    part = text.str.extract_groups(_MOMENT).struct
    zone = part.field(str(_ZONE)).str.replace(":", "", literal=True)
    local = pl.concat_str(
        part.field(str(_DATE)),
        pl.lit(" "),
        part.field(str(_TIME)).fill_null("00:00"),
        pl.lit(":"),
        part.field(str(_SECONDS)).fill_null("00"),
    ).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    minutes = zone.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + zone.str.slice(3, 2).cast(
        pl.Int64, strict=False
    )
    offset = pl.when(zone.str.starts_with("-")).then(-minutes).otherwise(minutes).fill_null(0)
    fraction = part.field(str(_FRACTION)).fill_null("").str.strip_chars_end("0")
    return pl.concat_str(
        (local - pl.duration(minutes=offset)).dt.to_string("moment %Y-%m-%d %H:%M:%S."), fraction
    )
