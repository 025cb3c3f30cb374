"""Text rules: what is invisible, doubled or merely another encoding of the same letters."""

import re
import unicodedata
from typing import Final

import polars as pl

from prep.values.rules import Rule, contains, needed_rows, put, replacing

_INVISIBLE: Final = (
    r"\x00-\x08\x0E-\x1B\x7F-\x84\x86-\x9F"  # controls, but for TAB and what breaks or divides
    r"\u{00AD}"  # soft hyphen
    r"\u{061C}\u{200E}\u{200F}\u{202A}-\u{202E}\u{2066}-\u{2069}"  # direction marks, embeddings, isolates
    r"\u{180E}\u{200B}\u{2060}\u{FEFF}"  # spaces and joiners without width
    r"\u{2061}-\u{2064}\u{206A}-\u{206F}"  # invisible operators, deprecated format characters
)
"""Characters without ink or width that mean nothing in a lead's data.
https://www.unicode.org/Public/UCD/latest/ucd/UnicodeData.txt, categories Cc and Cf"""

_DIVIDERS: Final = r"[\x1C-\x1F]"
"""Separators of files, groups, records and units, which databases write between two values of one field."""

_LINE_BREAK: Final = rf"\r\n?|[\x0B\x0C\x85]|{_DIVIDERS}"
"""Whatever else than LF must break a line: https://www.unicode.org/reports/tr14/#BK (CR, VT, FF, NEL); and
what divides values, since without it two would be one."""

_JOINERS: Final = r"\u{200C}\u{200D}"
"""ZERO WIDTH NON-JOINER and JOINER: they shape Persian and Indic letters and hold emoji together."""

_WIDE_SPACE: Final = r"[\u{00A0}\u{1680}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}]"
"""Category Zs without the plain space."""

_SEPARATOR: Final = r"[\u{2028}\u{2029}]"
"""LINE and PARAGRAPH SEPARATOR."""

_BLANK: Final = (
    r" \t\n\r\x0B\x0C\x85\u{00A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}"
)
"""Everything that `trim` removes, before and after the other rules made plain spaces of it."""

NULL: Final = ("NULL", "null", r"\N")
r"""What exports of databases, and Marketo's own, write for a blank. Marketo takes the word in capitals as an
order to clear the field; nobody says that it does not take the one in small letters. A person may be called
Null, and no rule makes one of these words of that. PostgreSQL and MySQL write \N into text files.
https://experienceleague.adobe.com/en/docs/marketo/using/getting-started/quick-wins/import-a-list-of-people
https://www.postgresql.org/docs/current/sql-copy.html"""

_ENDS: Final = r"^[ \t\n]+|[ \t\n]+$"

_AS_TEXT: Final = r"^=\"([^\"]*)\"$"
"""How text is written into CSV, lest a spreadsheet that opens it make a number of it: `="01234"`."""

_COMPOSABLE: Final = (
    r"[\p{M}\u{0340}-\u{0374}\u{037E}\u{0387}\u{0958}-\u{0F69}\u{1161}-\u{11FF}\u{1F71}-\u{1FFD}\u{2126}"
    r"\u{212A}\u{212B}\u{2329}\u{232A}\u{2ADC}\u{FB1D}-\u{FB4E}\u{1D15E}-\u{1D1C0}]"
)
"""A superset of what normalisation form C can change: combining marks, Hangul jamo, letters with a canonical
mapping, and the Indic blocks where such letters are many; without the characters that it is to leave.
https://www.unicode.org/Public/UCD/latest/ucd/DerivedNormalizationProps.txt (NFC_QC)"""

_OLD_FORMS: Final = "\uf900-\ufaff\U0002f800-\U0002fa1f"
"""Chinese characters in the form that some people write their name in, such as that of 福 with an altar.
Normalisation puts the common form in its place, which people see: https://www.unicode.org/faq/normalization.html"""

_BETWEEN_OLD_FORMS: Final = re.compile(f"[^{_OLD_FORMS}]+")

_TRIMMED_JOINERS: Final = (
    (rf"^([{_BLANK}]*)[{_JOINERS}][{_BLANK}{_JOINERS}]*", "$1"),
    (rf"[{_BLANK}{_JOINERS}]*[{_JOINERS}]([{_BLANK}]*)$", "$1"),
)

_OUTER: Final = r"\x1C-\x1F \t\u{00A0}"
_BREAKS: Final = (
    (rf"^[{_OUTER}]*{_DIVIDERS}[{_OUTER}]*|[{_OUTER}]*{_DIVIDERS}[{_OUTER}]*$", ""),
    (_LINE_BREAK, "\n"),
)
"""Before and behind all values dividers divide nothing, also where spaces fill a cell up."""

_KEEP_JOINERS: Final = replacing("control", (f"[{_INVISIBLE}]", ""), *_BREAKS, *_TRIMMED_JOINERS)
_DROP_JOINERS: Final = replacing("control", (f"[{_INVISIBLE}{_JOINERS}]", ""), *_BREAKS)


def _compose(cells: pl.Series) -> pl.Series:
    rows = needed_rows(cells, contains(f"[{_OLD_FORMS}]"))
    kept = [
        _BETWEEN_OLD_FORMS.sub(lambda part: unicodedata.normalize("NFC", part[0]), cell)
        for cell in cells.gather(rows)
    ]
    return put(cells.str.normalize("NFC"), rows, pl.Series(kept, dtype=pl.String))


NFC: Final = Rule("nfc", contains(_COMPOSABLE), _compose)
"""One code point for a letter with its accents, where there is one: https://www.unicode.org/reports/tr15/"""

_SPACES: Final = replacing("spaces", (_WIDE_SPACE, " "), (_SEPARATOR, "\n"))
_TRIM: Final = replacing("trim", (_ENDS, ""))
_TRIM_LINE: Final = replacing("trim", (r"^[ \t\n]+$", ""), (r"^[ \t]+|[ \t]+$", ""))
"""An address with a line break is not one: where it breaks, another line may have got into its cell."""

_SHOWN_TEXT: Final = replacing("as_text", (_AS_TEXT, "$1"))

_RULES: Final = (
    NFC,
    Rule("blank", lambda cell: cell == "", lambda cells: cells.replace("", None)),
    Rule("null", lambda cell: cell.is_in(NULL), lambda cells: cells.clear(cells.len())),
)

SUSPICIOUS: Final = contains(
    f"[{_INVISIBLE}{_JOINERS}]",
    _LINE_BREAK,
    _WIDE_SPACE,
    _SEPARATOR,
    _ENDS,
    _AS_TEXT,
    _COMPOSABLE,
    f"^(?:{'|'.join(map(pl.escape_regex, NULL))})?$",
)
"""True for every cell that a text rule may change, found in one pass."""


def text_rules(type_name: str) -> tuple[Rule, ...]:
    """The rules for a value of any type: `control`, `spaces`, `trim`, `as_text`, `nfc`, `blank`, `null`.

    Joiners inside a string or text are part of it; in an address, a number or a date they are dirt. Line
    breaks before and after an email address stay, so that it is rejected.
    """
    control = _KEEP_JOINERS if type_name in {"string", "text"} else _DROP_JOINERS
    trim = _TRIM_LINE if type_name == "email" else _TRIM
    return (control, _SPACES, trim, _SHOWN_TEXT, trim, *_RULES)
