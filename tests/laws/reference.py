"""Preparation with the default settings, row by row in plain Python: slow, simple, and without polars.

It shares with `prep` the words that stand for nothing, yes and no, and email-validator; nothing else.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from itertools import groupby
from typing import Final, NamedTuple

from email_validator import EmailNotValidError, validate_email

from prep.values.words import ERRORS, FALSE, NOBODY, NONE, NOTHING, TRUE

Cells = Mapping[str, str | None]

LINE_BREAKS: Final = "\n\v\f\r\x85"
DIVIDERS: Final = "\x1c\x1d\x1e\x1f"
JOINERS: Final = "\u200c\u200d"


class Row(NamedTuple):
    """A row that was judged: where it stands, its cells as prepared, and what is wrong with it."""

    place: tuple[int, int]
    cells: Cells
    reasons: tuple[str, ...]


class Prepared(NamedTuple):
    """Rows by fate; a duplicate with the place of the row that it lost to."""

    ready: list[Row]
    rejected: list[Row]
    duplicates: list[tuple[Row, tuple[int, int]]]


def prepare(files: Sequence[Sequence[Cells]], types: Mapping[str, str], lookup_field: str) -> Prepared:
    """Judge all rows; of those that may be sent with one lookup value the last survives."""
    rows = [
        judge((position, number), cells, types, lookup_field)
        for position, lines in enumerate(files)
        for number, cells in enumerate(lines, start=1)
    ]
    valid = [row for row in rows if not row.reasons]
    last = {str(row.cells[lookup_field]).lower(): row for row in valid}
    lost = [(row, last[str(row.cells[lookup_field]).lower()].place) for row in valid]
    return Prepared(
        ready=[row for row, winner in lost if winner == row.place],
        rejected=[row for row in rows if row.reasons],
        duplicates=[(row, winner) for row, winner in lost if winner != row.place],
    )


def judge(place: tuple[int, int], cells: Cells, types: Mapping[str, str], lookup_field: str) -> Row:
    """Spell all cells of a row and collect what is wrong with them."""
    spelled = {name: spell(cells[name] or "", kind) for name, kind in types.items()}
    found = [
        f"{name}:{reason}"
        for name, kind in types.items()
        for reason in complaints(spelled[name], kind, is_lookup=name == lookup_field)
    ]
    return Row(place, spelled, tuple(dict.fromkeys(found)))


def spell(cell: str, kind: str) -> str | None:
    """The one spelling of a cell; None if it is blank."""
    text = plain_text(cell, kind)
    if text in {"", "NULL", r"\N"}:
        return None
    text = SPELLERS.get(kind, str)(text)
    return None if text.lower() in NO_VALUES.get(kind, frozenset()) | ERRORS else text


def plain_text(cell: str, kind: str) -> str:
    """A cell without what is invisible, in plain spaces and composed letters, trimmed."""
    kept = "".join(
        char
        for char in cell
        if char in f"{LINE_BREAKS}{DIVIDERS}{JOINERS}\t" or unicodedata.category(char) not in {"Cc", "Cf"}
    ).strip(DIVIDERS)
    kept = re.sub(f"\r\n?|[\v\f\x85{DIVIDERS}\u2028\u2029]", "\n", kept)
    kept = "".join(" " if unicodedata.category(char) == "Zs" else char for char in kept)
    if kind in {"string", "country"}:
        kept = kept.strip(" \t\n" + JOINERS)
    else:
        kept = kept.translate(dict.fromkeys(map(ord, JOINERS)))
    blank = " \t" if kind == "email" and kept.strip(" \t\n") else " \t\n"
    parts = [(is_old, "".join(chars)) for is_old, chars in groupby(kept.strip(blank), is_old_form)]
    return "".join(part if is_old else unicodedata.normalize("NFC", part) for is_old, part in parts)


def is_old_form(char: str) -> bool:
    """Whether it is a Chinese character that normalisation replaces by one that looks different."""
    return unicodedata.name(char, "").startswith("CJK COMPATIBILITY IDEOGRAPH")


def spell_email(text: str) -> str:
    """An address without its wrapping if that makes it acceptable, its domain in ASCII likewise."""
    bare = "".join(
        unicodedata.normalize("NFKC", char) if "<wide>" in unicodedata.decomposition(char) else char
        for char in text
    ).rstrip(".,;: \t")
    if (match := re.fullmatch(r"([^<>\n]*)<[ \t]*([^<>\s]+)[ \t]*>", bare)) and "@" not in match[1]:
        bare = match[2]
    bare = re.sub(r"^mailto:[ \t]*([^?\s]+)(?:\?.*)?$", r"\1", bare, flags=re.IGNORECASE)
    for address in (bare, text):
        if is_address(encoded := in_ascii(address)) and encoded.isascii():
            return encoded
    return text


def in_ascii(address: str) -> str:
    """An address with its domain as name servers know it, if there is such a form."""
    local, at, domain = address.rpartition("@")
    if address.isascii() or not at or "@" in local or not local.isascii() or misleads(address):
        return address
    try:
        return (
            f"{local}@{validate_email(f'a@{domain}', strict=True, check_deliverability=False).ascii_domain}"
        )
    except EmailNotValidError:
        return address


def misleads(address: str) -> bool:
    """Whether a word of the domain has letters of two alphabets that look alike, or the capital İ."""
    words = address.rpartition("@")[2].split(".")
    alphabets = [{unicodedata.name(char, "").split(" ")[0] for char in word} for word in words]
    return "İ" in address or any("LATIN" in word and word & {"CYRILLIC", "GREEK"} for word in alphabets)


def is_address(text: str) -> bool:
    """What email-validator says."""
    try:
        validate_email(text, strict=True, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


def spell_integer(text: str) -> str:
    """A whole number without decoration."""
    ungrouped = re.sub("[' \u2019]", "", text) if re.fullmatch(r"[+-]?[1-9]\d{0,2}( \d{3})+", text) else text
    whole = re.fullmatch(r"([+-]?[0-9]+)(?:\.0{0,2})?", ungrouped)
    return str(int(whole[1])) if whole else text


def spell_date(text: str) -> str:
    """A calendar date that begins with the year, at midnight if it has a time, or names its month."""
    for form in ("%d %B %Y", "%d-%b-%Y", "%b %d, %Y"):
        with suppress(ValueError):
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007
    found = re.fullmatch(r"(\d{4})([-/.]?)(\d\d?)\2(\d\d?)(?:(?:[Tt]|,? )(\d\d?):(\d\d)(?::(\d\d))?)?", text)
    if found is None or any(int(part or 0) for part in found.group(5, 6, 7)):
        return text
    if not found[2] and len(found[3] + found[4]) < len("mmdd"):
        return text
    return f"{found[1]}-{int(found[3]):02}-{int(found[4]):02}" if is_date(*found.group(1, 3, 4)) else text


def is_date(year: str, month: str, day: str) -> bool:
    """Whether the calendar has this day."""
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def spell_boolean(text: str) -> str:
    """`true` or `false`, in whatever language it is said."""
    if text.lower() in TRUE:
        return "true"
    return "false" if text.lower() in FALSE else text


SPELLERS: Final[Mapping[str, Callable[[str], str]]] = {
    "email": spell_email,
    "integer": spell_integer,
    "date": spell_date,
    "boolean": spell_boolean,
}

NO_VALUES: Final[Mapping[str, frozenset[str]]] = {
    "email": NOTHING | NONE | NOBODY,
    "phone": NOTHING | NONE,
    "country": (NOTHING | NONE) - {"na"},
    "integer": NOTHING | NONE,
    "date": NOTHING | NONE,
    "boolean": NOTHING,
}


def complaints(cell: str | None, kind: str, *, is_lookup: bool) -> Iterator[str]:
    """What is wrong with a cell, in the order in which it is told."""
    if cell is None:
        if is_lookup:
            yield "missing_lookup"
        return
    for reason, is_broken in RULES.get(kind, ()):
        if is_broken(cell):
            yield reason
    if kind in {"string", "country", "phone", "email"} and len(cell) > LONGEST:
        yield "too_long"


def is_no_integer(cell: str) -> bool:
    """Whether 64 bits cannot hold it."""
    return not re.fullmatch("-?[0-9]+", cell) or not -(2**63) <= int(cell) < 2**63


def is_no_date(cell: str) -> bool:
    """Whether it is no day of the calendar, written as ISO 8601 has it."""
    parts = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", cell)
    return not parts or not is_date(parts[1], parts[2], parts[3])


LONGEST: Final = 255

RULES: Final[Mapping[str, Sequence[tuple[str, Callable[[str], bool]]]]] = {
    "email": (
        ("email_not_ascii", lambda cell: bool(re.search(r"[^\x00-\x7f].*@", cell))),
        (
            "invalid_email",
            lambda cell: not is_address(cell) or misleads(cell) or bool(re.search(r"\.[A-Za-z]\Z", cell)),
        ),
    ),
    "integer": (("not_integer", is_no_integer),),
    "date": (("not_date", is_no_date),),
    "boolean": (("not_boolean", lambda cell: cell not in {"true", "false"}),),
}
