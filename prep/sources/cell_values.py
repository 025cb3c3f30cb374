"""What a cell of a workbook holds → the text that a person means by it."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Kind = Literal["number", "temporal", "clock", "duration", "padded"]

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*")
_NUMBER: Final = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?\s*")
EXACT_DIGITS: Final = 15
"""A spreadsheet keeps so many digits of a number, and no more.
https://support.microsoft.com/en-us/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3"""

_TEMPORAL_IDS: Final = frozenset({*range(14, 18), 22, *range(27, 32), 36, *range(50, 55), 57, 58})
_CLOCK_IDS: Final = frozenset({*range(18, 22), *range(32, 36), 45, 47, 55, 56})
_DURATION_ID: Final = 46
"""Built-in formats that show a date, a time alone, or hours that count on after 24; those from 27 on do so
in East Asian versions.
ECMA-376 part 1, 18.8.30: https://ecma-international.org/publications-and-standards/standards/ecma-376/"""

_NO_FORMAT: Final = re.compile(r'"[^"]*"?|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]|AM/PM|A/P', re.IGNORECASE)
_PIECE: Final = re.compile(r'"([^"]*)"?|\\(.)|[_*].|\[[^\]]*\]|(.)', re.DOTALL)
_SECTION: Final = re.compile(r'(?:"[^"]*"?|\\.|[_*].|\[[^\]]*\]|[^;])+', re.DOTALL)
_CONDITION: Final = re.compile(r"\[(<=?|>=?|=|<>)([0-9]{1,15})\]")
_WRITTEN: Final = re.compile(r"[-+ ():/0-9]+")
_TELLING: Final = re.compile(r"[+0-9]")
_PLAIN_MARKS: Final = frozenset(" -+():")
_REQUIRED, _OPTIONAL = "\x01", "\x02"
_PLACES: Final = frozenset({_REQUIRED, _OPTIONAL})
_FEWEST_DIGITS: Final = 2
"""What a format of digits is made of: places for digits, and marks between them, which some write without
quotes; a point that is written would look like a decimal one. Fewer digits than these are a count, unless a
`+` or digits are written before them.
https://support.microsoft.com/en-us/office/number-format-codes-in-excel-5026bbd6-04bc-48cd-bf33-80f18b4eae68"""

_COMPARISONS: Final[Mapping[str, Callable[[int, int], bool]]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "=": operator.eq,
        "<>": operator.ne,
    }
)
_ESCAPE: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REMEMBERED: Final = 65_536
_DAY_SECONDS: Final = 86_400

_EPOCH_1900: Final = date(1899, 12, 30)
_EPOCH_1904: Final = date(1904, 1, 1)
_FICTIONAL_DAY: Final = 60
"""1900 was no leap year, but serial number 60 is its 29 February.
https://learn.microsoft.com/en-us/office/troubleshoot/excel/wrongly-assumes-1900-is-leap-year"""
_LAST_DAY: Final = date(9999, 12, 31)


class Numbers:
    """Renders the numbers of one workbook as their formats mean them.

    Dates become `YYYY-MM-DD`, with `THH:MM:SS` where a time is there; times alone `HH:MM:SS`. A format of
    digits (`00000`, `00000-0000`, `0# ## ##`) gives a number its leading zeros, and what stands between. All
    else is the number itself, without exponent: money and percentages as they are stored.
    """

    def __init__(self, formats: Sequence[int], codes: Mapping[int, str], *, is_1904: bool) -> None:
        """Take the formats of a workbook.

        Args:
            formats: Number of the format of each style.
            codes: The formats that the workbook defines itself.
            is_1904: Whether days are counted from 1904 on.
        """
        self._styles = [_style(number, codes.get(number)) for number in formats]
        self._is_1904 = is_1904
        self.text = lru_cache(maxsize=_REMEMBERED)(self._text)

    def _text(self, value: str, style: int) -> str:
        """Render a number; what is none stays as it is."""
        shape = self._styles[style] if style < len(self._styles) else PLAIN
        return render(value, shape, is_1904=self._is_1904)


def render(value: str, shape: "Shape", *, is_1904: bool) -> str:
    """Write a number as its format means it; what is none stays as it is."""
    if shape.kind == "number":
        return plain(value)
    if not _NUMBER.fullmatch(value):
        return value
    if shape.kind == "padded":
        return padded(plain(value), shape.sections)
    return moment(float(value), shape.kind, is_1904=is_1904) or plain(value)


def plain(value: str) -> str:
    """Write a number without exponent and without needless digits; what is no number stays as it is.

    A whole number keeps its digits, however many. A fraction has those that a spreadsheet shows: what it
    computes may be 0.30000000000000004.
    """
    if _INTEGER.fullmatch(value) or not _NUMBER.fullmatch(value):
        return value
    number = float(value)
    if number in (float("inf"), float("-inf")):
        return value
    text = format(Decimal(repr(number)), "f")
    if len(text) > EXACT_DIGITS and not number.is_integer():
        text = format(Decimal(f"{number:.{EXACT_DIGITS}g}"), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def is_rounded(text: str) -> bool:
    """Tell whether a whole number has more digits than a spreadsheet keeps."""
    digits = text.lstrip("-")
    return len(digits) > EXACT_DIGITS and digits.isdigit()


def moment(serial: float, kind: Kind, *, is_1904: bool) -> str | None:
    """Write a date, a time or both; None for a number that is none of them."""
    days, seconds = divmod(round(serial * _DAY_SECONDS), _DAY_SECONDS) if _is_finite(serial) else (-1, 0)
    if days < 0:
        return None
    is_time = kind == "clock" or (seconds > 0 and not is_1904)
    if kind == "duration" or (days == 0 and is_time):
        return _clock(seconds + days * _DAY_SECONDS)
    day = _day(days, is_1904=is_1904)
    return day if day is None or not seconds else f"{day}T{_clock(seconds)}"


def unescaped(text: str) -> str:
    """Give text its characters back that XML cannot hold; line ends become LF."""
    if "_x" in text:
        text = _ESCAPE.sub(_character, text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _is_finite(serial: float) -> bool:
    return -1e9 < serial < 1e9  # noqa: PLR2004 (days: far beyond any calendar)


def _day(days: int, *, is_1904: bool) -> str | None:
    epoch = _EPOCH_1904 if is_1904 else _EPOCH_1900
    if not is_1904 and days < _FICTIONAL_DAY:
        days += 1
    elif not is_1904 and days == _FICTIONAL_DAY:
        return None
    if days > (_LAST_DAY - epoch).days or (not is_1904 and days == 1):
        return None
    return (epoch + timedelta(days=days)).isoformat()


def _style(number: int, code: str | None) -> "Shape":
    if code is not None:
        return shape_of(code)
    if number in _TEMPORAL_IDS:
        return Shape("temporal")
    if number == _DURATION_ID:
        return Shape("duration")
    return Shape("clock") if number in _CLOCK_IDS else PLAIN


def shape_of(code: str) -> "Shape":
    """Tell what a format makes of a number; for codes also how it shows them."""
    if sections := padding(code):
        return Shape("padded", sections)
    shown = _NO_FORMAT.sub("", code).split(";")[0].strip().lower()
    if "[" in shown:
        return Shape("duration")
    has_time = "h" in shown or "s" in shown
    if "y" in shown or "d" in shown or ("m" in shown and not has_time):
        return Shape("temporal")
    return Shape("clock") if has_time else PLAIN


class Section(NamedTuple):
    """What a format makes of some whole numbers.

    Attributes:
        holds: Of which ones: a comparison with a number.
        bound: That number.
        mask: How their digits are shown; blank where they are counts.
    """

    holds: Callable[[int, int], bool]
    bound: int
    mask: str


class Shape(NamedTuple):
    """What a format makes of numbers.

    Attributes:
        kind: A number as it is, a date, a time or both, or a code of digits.
        sections: How a code is shown.
    """

    kind: Kind
    sections: tuple[Section, ...] = ()


PLAIN: Final = Shape("number")


def padding(code: str) -> tuple[Section, ...]:
    """Give what `padded` takes of a format that shows whole numbers as codes; of another one nothing."""
    sections = _SECTION.findall(code)
    if not sections or not _CONDITION.search(sections[0]):
        sections = sections[:1]
    found = []
    for section in sections:
        condition = _CONDITION.search(section)
        sign, bound = condition.groups() if condition else (">=", "0")
        found.append(Section(_COMPARISONS[sign], int(bound), _mask(section)))
    return tuple(found) if any(section.mask for section in found) else ()


def _mask(code: str) -> str:
    mask = ""
    is_telling = False
    for quoted, escaped, mark in _PIECE.findall(code):
        if mark == "0" or (mark == "#" and _REQUIRED in mask):
            mask += _REQUIRED
        elif mark == "#":
            mask += _OPTIONAL
        elif mark and mark not in _PLAIN_MARKS:
            return ""
        elif mark or _WRITTEN.fullmatch(quoted or escaped):
            is_telling |= _PLACES.isdisjoint(mask) and bool(_TELLING.search(quoted or escaped))
            mask += mark or quoted or escaped
    is_code = is_telling or mask.count(_REQUIRED) >= _FEWEST_DIGITS
    return "" if not is_code or _PLACES.isdisjoint(mask) else mask


def padded(text: str, sections: Sequence[Section]) -> str:
    """Write the digits of a whole number as sections of `padding` show them; anything else stays as it is."""
    if not text.isdigit() or not text.isascii():
        return text
    mask = next((mask for holds, bound, mask in sections if holds(int(text), bound)), "")
    if not mask:
        return text
    digits = list(text.rjust(mask.count(_REQUIRED), "0"))
    begin = min(place for place, mark in enumerate(mask) if mark in _PLACES)
    shown: list[str] = []
    for mark in reversed(mask[begin:]):
        if not digits:
            break
        shown.append(digits.pop() if mark in _PLACES else mark)
    return f"{mask[:begin]}{''.join(digits)}{''.join(reversed(shown))}".strip()


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return match[0] if code == 0 or 0xD800 <= code < 0xE000 else chr(code)  # noqa: PLR2004
