"""A cell with a reason → what may have been meant. A person is shown it; none is ever taken by itself."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import polars as pl
from rapidfuzz import fuzz, process

from prep.checks import fold_value, have_misleading_domains, longest
from prep.model import Reason
from prep.review.judging import passes
from prep.schema import Field
from prep.values.booleans import BOOLEAN_WORDS
from prep.values.notes import probable_domain

_MOST: Final = 3
_CLOSE_VALUE: Final = 70
"""How alike a value of a list must be to be worth showing, of 100."""
_CLOSE_WORD: Final = 75
_BOOLEAN_LETTERS: Final = 3
"""Shorter words are like too many others."""
_LONGEST_SLIP: Final = 320
"""A longer cell is no address, number or date with a slip in it, and can make a pattern take for ever."""

_NUMERIC_DATE: Final = re.compile(r"(\d{1,2})\s*[-/. ]\s*(\d{1,2})\s*[-/. ]\s*(\d{4})")
_LAST_MONTH: Final = 12
_LATIN: Final = str.maketrans("асеорхуіѕјАВСЕНІКМОРТХİ", "aceopxyisjABCEHIKMOPTXI")
"""Cyrillic letters, and the Turkish capital of i, → the Latin ones that they look like."""


def suggest(field: Field, code: str, cells: Iterable[str]) -> dict[str, list[str]]:
    """What rejected cells may mean.

    Args:
        field: The field that they map to.
        code: The reason that they were rejected for.
        cells: What stands there, each once.

    Returns:
        At most three values for each cell, the likeliest first; every one passes the field's own rules. For
        cells of more than 320 characters nothing but a shorter text.
    """
    found = {cell: [value for value in _find(field, code, cell) if value != cell] for cell in cells}
    sound = set(passes(field, sorted({value for values in found.values() for value in values if value})))
    return {cell: [value for value in values if value in sound][:_MOST] for cell, values in found.items()}


def suggest_domain(cell: str | None) -> str | None:
    """A valid address with a domain that is probably misspelled, with the one that is probably meant."""
    local, at, domain = (cell or "").strip().rpartition("@")
    meant = probable_domain(domain.lower()) if at else None
    return f"{local}@{meant}" if meant else None


def _find(field: Field, code: str, cell: str) -> Iterable[str]:
    find = _FINDERS.get(code)
    if find is None or (len(cell) > _LONGEST_SLIP and find is not _shorter):
        return ()
    return dict.fromkeys(find(field, cell.strip()))


def _emails(_: Field, cell: str) -> Iterator[str]:
    """Slips of the keyboard, repaired; several addresses in one cell, each."""
    parts = [part.strip(" <>()[]\"'") for part in re.split(r"[;,/|\s]+", cell) if part.count("@") == 1]
    if len(parts) > 1:
        yield from parts
    cell = " ".join(cell.split())
    plain = re.sub(r"\s*[\[({]?\s*\bat\b\s*[\])}]?\s*", "@", cell, count=1) if "@" not in cell else cell
    plain = re.sub(r"\s*[\[({]\s*dot\s*[\])}]\s*|\s+dot\s+", ".", plain)
    plain = re.sub(r"\s+", "", plain)
    plain = re.sub(r"@{2,}|@\.|\.@", "@", plain)
    local, at, domain = plain.rpartition("@")
    if not at:
        return
    local = re.sub(r"[.]{2,}", ".", local).strip(".,;:")
    domain = re.sub(r"[.,;:]+", ".", domain).strip(".-")
    if have_misleading_domains(pl.Series([f"@{domain}"])).item():
        domain = domain.translate(_LATIN)
    address = f"{local}@{domain}"
    yield suggest_domain(address) or address


def _listed(field: Field, cell: str) -> Iterator[str]:
    """The values of the list that are most alike."""
    known = {value: fold_value(value) for value in field.allowed}
    matches = process.extract(
        fold_value(cell), known, scorer=fuzz.WRatio, limit=_MOST, score_cutoff=_CLOSE_VALUE
    )
    yield from (str(value) for _, _, value in matches)


def _booleans(_: Field, cell: str) -> Iterator[str]:
    """True or false, where one word alone is close."""
    word = re.sub(r"[^\w]+", "", cell.lower())
    if word in BOOLEAN_WORDS:
        yield BOOLEAN_WORDS[word]
    elif len(word) >= _BOOLEAN_LETTERS:
        matches = process.extract(word, [*BOOLEAN_WORDS], scorer=fuzz.ratio, score_cutoff=_CLOSE_WORD)
        meanings = {BOOLEAN_WORDS[word] for word, *_ in matches}
        if len(meanings) == 1:
            yield meanings.pop()


def _dates(field: Field, cell: str) -> Iterator[str]:
    """The numbers of which only one can be the month; else both readings."""
    tail = "T00:00:00Z" if field.type == "datetime" and cell[-1:] == "Z" else ""
    if found := _NUMERIC_DATE.fullmatch(cell):
        first, second, year = int(found[1]), int(found[2]), found[3]
        for day, month in ((first, second), (second, first)):
            if month <= _LAST_MONTH:
                yield f"{year}-{month:02d}-{day:02d}{tail}"


def _numbers(_: Field, cell: str) -> Iterator[str]:
    """The number without the sign of a currency, a unit of percent, or decimals that are all zero."""
    bare = re.sub(r"^(?:[$€£¥~+]|USD|EUR|GBP)\s*|\s*(?:[$€£¥%+]|USD|EUR|GBP)$", "", cell)
    yield bare
    yield re.sub(r"[.,]0+$", "", bare)


def _urls(_: Field, cell: str) -> Iterator[str]:
    yield re.sub(r"[,;]", ".", re.sub(r"\s+", "", cell))


def _shorter(field: Field, cell: str) -> Iterator[str]:
    limit = longest(field.type, field.length)
    if limit and field.type in {"string", "text"}:
        yield (
            cell.encode()[:limit].decode(errors="ignore").rstrip()
            if field.type == "text"
            else cell[:limit].rstrip()
        )


_FINDERS: Final[Mapping[str, Callable[[Field, str], Iterator[str]]]] = {
    Reason.INVALID_EMAIL: _emails,
    Reason.NOT_ALLOWED: _listed,
    Reason.NOT_BOOLEAN: _booleans,
    Reason.NOT_DATE: _dates,
    Reason.NOT_DATETIME: _dates,
    Reason.NOT_INTEGER: _numbers,
    Reason.NOT_NUMBER: _numbers,
    Reason.NOT_URL: _urls,
    Reason.TOO_LONG: _shorter,
}
