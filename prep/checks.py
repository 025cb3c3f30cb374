"""Named checks of values: what each Marketo type demands, and what a schema may ask for besides.

Every check is a polars expression over a text column in its normalised spelling, true where the
value passes. Blank cells (null) are not judged, except by `present`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl

from prep.limits import STRING_CHARACTERS, TEXT_BYTES
from prep.model import Reason


@dataclass(frozen=True)
class Check:
    """A rule and the reason that a row gets which breaks it."""

    reason: Reason
    passes: Callable[[pl.Expr], pl.Expr]
    judges_blanks: bool = False

    def verdict(self, name: str) -> pl.Expr:
        """Whether the cells of a column pass; null is no."""
        value = pl.col(name)
        return self.passes(value) if self.judges_blanks else value.is_null() | self.passes(value)


_LEAP_YEAR: Final = (
    r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"  # 1904 to 1996 | 1600
)
_CALENDAR: Final = (
    r"(?:[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    rf"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)|{_LEAP_YEAR}-02-29)"
)
"""The dates that there are, in half the time that reading them as dates takes."""

_TIME: Final = r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_ZONE: Final = r"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
_LOCAL: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](?:\.[0-9]{1,9})?$"
"""Also of days and hours that there are not."""

_SPECIAL_USE: Final = "arpa|invalid|local|localhost|onion|test"
"""Top-level names that email-validator refuses without asking the network."""

_ATEXT: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
"""https://www.rfc-editor.org/rfc/rfc5322#section-3.2.3"""

_PLAIN_LOCAL: Final = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_PLAIN_DOMAIN: Final = r"(?:[A-Za-z0-9](?:-?[A-Za-z0-9])*\.)+[A-Za-z]{2,}"
_PLAIN_EMAIL: Final = f"^{_PLAIN_LOCAL}@{_PLAIN_DOMAIN}$"
_PLAIN_EMAIL_BYTES: Final = 64
"""Below this length no part of an address can exceed the limits of RFC 5321, so they need no look."""

_ALIKE: Final = r"[\p{Cyrillic}\p{Greek}]"
_MIXED_WORD: Final = rf"\p{{Latin}}[^.@]*{_ALIKE}|{_ALIKE}[^.@]*\p{{Latin}}"
_TURKISH_CAPITAL: Final = r"\x{130}|i\x{307}"
_MISLEADING: Final = rf"@[^@]*(?:{_MIXED_WORD}|{_TURKISH_CAPITAL})"
"""A word of the domain in letters of two alphabets that look alike, such as gmail with a Cyrillic a, which no
registry takes; or the Turkish capital of a plain i, in small letters another one.
https://www.unicode.org/reports/tr39/#Restriction_Level_Detection"""


def _is_date(value: pl.Expr) -> pl.Expr:
    return value.str.contains(f"^{_CALENDAR}$")


def _is_datetime(value: pl.Expr) -> pl.Expr:
    return value.str.contains(f"^{_CALENDAR}{_TIME}{_ZONE}?$")


def _has_zone(value: pl.Expr) -> pl.Expr:
    """True for everything but a date-time that lacks its zone, which another check judges."""
    return ~value.str.contains(_LOCAL)


def _is_integer(value: pl.Expr) -> pl.Expr:
    return value.str.contains(r"^-?[0-9]+$") & value.cast(pl.Int64, strict=False).is_not_null()


def _is_number(value: pl.Expr) -> pl.Expr:
    return value.str.contains(r"^-?[0-9]+(?:\.[0-9]+)?$")


def _is_url(value: pl.Expr) -> pl.Expr:
    """A host with a dot, with or without its protocol; Marketo's own pages show both."""
    return value.str.contains(r"^(?:[A-Za-z][A-Za-z0-9+.-]*://)?[^\s/?#]+\.[^\s]+$")


_HOPELESS: Final = r"^[^@]*$|\.\."
"""What email-validator never accepts: no @, or two dots in a row."""


def _has_ascii_local_part(value: pl.Expr) -> pl.Expr:
    return value.map_batches(_have_ascii_local_parts, return_dtype=pl.Boolean)


def _have_ascii_local_parts(values: pl.Series) -> pl.Series:
    if values.str.len_bytes().sum() == values.str.len_chars().sum():
        return values.is_not_null()
    return ~values.str.contains(r"[^\x00-\x7F].*@")


def _is_email(value: pl.Expr) -> pl.Expr:
    return value.map_batches(_are_emails, return_dtype=pl.Boolean)


def _are_emails(values: pl.Series) -> pl.Series:
    """Tell which addresses email-validator accepts and the internet may know.

    No top-level domain has one letter, though email-validator lets such addresses pass without a network.
    https://data.iana.org/TLD/tlds-alpha-by-domain.txt
    """
    plain = is_plain_email(values)
    rows = (~plain).arg_true()
    others = values.gather(rows)
    is_known = ~others.str.contains(r"\.[A-Za-z]$") & ~have_misleading_domains(others)
    return plain.scatter(rows, judge_emails(others) & is_known)


def have_misleading_domains(values: pl.Series) -> pl.Series:
    """Tell in which addresses a letter of the domain is not what it looks like; null for blank cells."""
    return values.str.contains(_MISLEADING)


def judge_emails(values: pl.Series) -> pl.Series:
    """Tell which addresses email-validator accepts (`strict`, no network).

    Plain ASCII addresses that it provably accepts, and some that it provably refuses, are recognised by
    regular expressions; it is asked once for each distinct other one. Blank cells give null.
    """
    plain = is_plain_email(values)
    doubtful = values.filter(~plain)
    doubtful = doubtful.filter(~doubtful.str.contains(_HOPELESS)).unique()
    accepted = [value for value in doubtful if accepts_email(value)]
    return plain | values.is_in(accepted) if accepted else plain


def is_plain_email(values: pl.Series) -> pl.Series:
    """True for short ASCII addresses that email-validator is certain to accept; null for blank cells."""
    return (
        values.str.contains(_PLAIN_EMAIL)
        & (values.str.len_bytes() < _PLAIN_EMAIL_BYTES)
        & ~values.str.contains(rf"(?i)\.(?:{_SPECIAL_USE})$")
    )


def accepts_email(address: str) -> bool:
    """Ask email-validator about one address; it may hold non-ASCII letters."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 (slow to import)

    try:
        validate_email(address, strict=True, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


PRESENT: Final = Check(Reason.REQUIRED, pl.Expr.is_not_null, judges_blanks=True)
LOOKUP_PRESENT: Final = Check(Reason.MISSING_LOOKUP, pl.Expr.is_not_null, judges_blanks=True)

_INTEGER: Final = (Check(Reason.NOT_INTEGER, _is_integer),)
_NUMBER: Final = (Check(Reason.NOT_NUMBER, _is_number),)

TYPE_CHECKS: Final[Mapping[str, tuple[Check, ...]]] = MappingProxyType(
    {
        "boolean": (Check(Reason.NOT_BOOLEAN, lambda value: value.is_in(["true", "false"])),),
        "currency": _NUMBER,
        "date": (Check(Reason.NOT_DATE, _is_date),),
        "datetime": (Check(Reason.NOT_DATETIME, _is_datetime), Check(Reason.NO_TIMEZONE, _has_zone)),
        "email": (
            Check(Reason.EMAIL_NOT_ASCII, _has_ascii_local_part),
            Check(Reason.INVALID_EMAIL, _is_email),
        ),
        "float": _NUMBER,
        "formula": (),
        "integer": _INTEGER,
        "percent": _INTEGER,
        "phone": (),
        "reference": (),
        "score": _INTEGER,
        "string": (),
        "text": (),
        "url": (Check(Reason.NOT_URL, _is_url),),
    }
)
"""What the value of each Marketo type must look like.
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/field-types"""

_TYPES_WITH_LENGTH: Final = frozenset({"email", "phone", "string", "url"})

NAMED_CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "ascii": Check(Reason.NOT_ALLOWED, lambda value: ~value.str.contains(r"[^\x00-\x7F]")),
        "has_letter": Check(Reason.NOT_ALLOWED, lambda value: value.str.contains(r"\p{L}")),
        "positive": Check(Reason.NOT_POSITIVE, lambda value: value.str.contains(r"^[0-9.]*[1-9][0-9.]*$")),
        "single_line": Check(Reason.NOT_ALLOWED, lambda value: ~value.str.contains(r"[\r\n]")),
    }
)
"""Checks that a schema field may ask for by name."""


def longest(type_name: str, length: int | None) -> int | None:
    """The longest value of a field: in characters, for type text in bytes; None where it is not limited."""
    if type_name == "text":
        return length or TEXT_BYTES
    return (length or STRING_CHARACTERS) if type_name in _TYPES_WITH_LENGTH else None


def folded(value: pl.Expr) -> pl.Expr:
    """A value in lower case, with single spaces: for values that are the same to people."""
    return value.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars(" ")


def fold_value(value: str) -> str:
    """The same for one text."""
    return str(pl.select(folded(pl.lit(value))).item())


def length_check(type_name: str, length: int | None) -> Check | None:
    """The length rule of a field: characters for most types, bytes of UTF-8 for text, none for numbers."""
    limit = longest(type_name, length)
    if limit is None:
        return None
    if type_name == "text":
        return Check(Reason.TOO_LONG, lambda value: value.str.len_bytes() <= limit)

    def has_at_most(values: pl.Series) -> pl.Series:
        has_few_bytes = values.str.len_bytes() <= limit
        return has_few_bytes if has_few_bytes.all() else values.str.len_chars() <= limit

    return Check(Reason.TOO_LONG, lambda value: value.map_batches(has_at_most, return_dtype=pl.Boolean))


def allowed_check(allowed: tuple[str, ...]) -> Check:
    """The value must be one of these, to the letter."""
    return Check(Reason.NOT_ALLOWED, lambda value: value.is_in(allowed))


def pattern_check(pattern: str) -> Check:
    """The whole value must match this regular expression (Rust syntax)."""
    return Check(Reason.NOT_ALLOWED, lambda value: value.str.contains(f"^(?:{pattern})$"))
