"""Which code page is a text in that is not Unicode?

When the best two readings that differ stay close, nobody but the user can tell.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from prep.errors import SourceError
from prep.sources.codepages import CODE_PAGES, UTF_8, CodePage
from prep.sources.files import opened
from prep.sources.languages import script
from prep.sources.likelihood import is_letter, likelihood, rank
from prep.sources.survey import Survey

_FAMILY: Final = frozenset({"cp1252", "iso-8859-15", "iso-8859-1"})
"""What a file from Western Europe or America is in, unless something speaks against it."""

_CLEAR: Final = 8.0
"""By how much the best reading must beat the next one to be believed; natural logarithm. Of some 6,000 small
files with one to three telling words, wrong readings won by 6.5 at most."""

_DOUBTFUL_FIT, _POOR_FIT = -4.7, -5.5
_TELLING_BYTES = 60
"""Words of any language here in their own code page stay above -4, random bytes below -7; a few rare words
say nothing."""

_NAMED_LINES = 5


class AmbiguousEncodingError(SourceError):
    """Several encodings fit a file, and they do not give the same text.

    Attributes:
        detail: The words that differ, in each reading. They are cell values: for the terminal alone.
    """

    detail: str = ""


def decide(path: str, bom_bytes: int, found: Survey) -> tuple[str, tuple[str, ...]]:
    """Choose the code page of a file that is not Unicode.

    Args:
        path: The file.
        bom_bytes: How many bytes to leave out at its start.
        found: What `survey` says of it.

    Returns:
        The name of its codec, and what must be said about the choice.

    Raises:
        SourceError: No code page fits (`ambiguous_encoding`).
        AmbiguousEncodingError: Several fit, and the text depends on the choice (the same code).
    """
    readings = rank(found)
    best = readings[0].page
    rivals = [reading.page for reading in readings[1:] if reading.score > readings[0].score - _CLEAR]
    is_told = sum(map(len, found.words)) >= _TELLING_BYTES
    if is_told and readings[0].fit < (_POOR_FIT if best.name in _FAMILY else _DOUBTFUL_FIT):
        raise SourceError(
            f"{path}: no encoding known here makes likely words of this text; the nearest is {best}",
            code="ambiguous_encoding",
            hint="Give the right one: --encoding NAME takes every text codec of Python.",
            source=path,
        )
    if best.name not in _FAMILY and rivals:
        raise _ambiguous(path, bom_bytes, (best, *rivals[:2]))
    if best.name not in _FAMILY:
        return best.name, (f"read as {best}; --encoding NAME decides otherwise",)
    if rivals:
        return best.name, (f"read as {best}, but {rivals[0]} is possible; --encoding NAME decides otherwise",)
    return best.name, ()


def is_likely_utf8(found: Survey) -> bool:
    """Tell whether the few lines that are valid UTF-8 are so by intention.

    Two or three characters in a legacy code page may be valid by accident; they make no likely word then.
    """
    words = found.valid_words
    if found.broken_lines:
        broken = tuple(word for word in found.words if word not in words)
        return likelihood(UTF_8, words) >= likelihood(rank(replace(found, words=broken))[0].page, words)
    if all(_is_of_one_script(word.decode()) for word in words):
        return True
    return likelihood(UTF_8, words) + _CLEAR >= max(likelihood(page, words) for page in CODE_PAGES)


def _is_of_one_script(text: str) -> bool:
    """Tell whether a text holds beyond ASCII letters of one script only, or no letter at all."""
    others = [char for char in text if not char.isascii()]
    scripts = {script(char) for char in others if char.isalpha()}
    return not scripts or (all(map(is_letter, others)) and len(scripts) == 1)


def _ambiguous(path: str, bom_bytes: int, pages: tuple[CodePage, ...]) -> AmbiguousEncodingError:
    differences = list(islice(_differences(path, bom_bytes, pages), _NAMED_LINES))
    columns = list(dict.fromkeys(difference.column for difference in differences))
    named = ", ".join(column if column.isdecimal() else repr(column) for column in columns)
    lines = list(dict.fromkeys(difference.line for difference in differences))
    options = _either(f"--encoding {page.name}" for page in pages)
    error = AmbiguousEncodingError(
        f"{path}: the encoding may be {_either(map(str, pages))}: they differ in column {named},"
        f" {'line' if len(lines) == 1 else 'lines'} {', '.join(map(str, lines))}",
        code="ambiguous_encoding",
        hint=f"Look at the names there and give the right one: {options}.",
        source=path,
        column=columns[0],
    )
    error.detail = "\n".join(
        f"line {difference.line}: "
        + ", ".join(f"{text} ({page.name})" for text, page in zip(difference.texts, pages, strict=True))
        for difference in differences
    )
    return error


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"


@dataclass(frozen=True)
class _Difference:
    line: int
    column: str
    texts: tuple[str, ...]


def _differences(path: str, bom_bytes: int, pages: Sequence[CodePage]) -> Iterator[_Difference]:
    """Find the cells that the code pages read differently; the cells are split at a likely delimiter."""
    header: tuple[str, ...] = ()
    delimiter = ","
    with opened(path) as file:
        file.read(bom_bytes)
        number = 0
        while text := file.readline(_CHUNK_BYTES):
            for line in text.splitlines() or [b""]:
                number += 1
                if not header and line.strip():
                    delimiter = max(_DELIMITERS, key=line.count).decode()
                    header = tuple(_cells(line, pages[0], delimiter))
                if line.isascii():
                    continue
                for place, texts in enumerate(
                    zip(*(_cells(line, page, delimiter) for page in pages), strict=False)
                ):
                    if len(set(texts)) > 1:
                        yield _Difference(number, _column_name(header, place, number), texts)


_CHUNK_BYTES = 1 << 20
_DELIMITERS: Final = (b",", b";", b"\t", b"|")


def _cells(line: bytes, page: CodePage, delimiter: str) -> list[str]:
    text = line.decode(page.name, "replace")
    return [cell.strip().strip('"') for cell in text.split(delimiter)]


def _column_name(header: Sequence[str], place: int, line: int) -> str:
    """Name a column by its header where that is beyond doubt, by its position otherwise."""
    name = header[place] if place < len(header) and line > 1 else ""
    return name if name and name.isascii() and name.isprintable() else str(place + 1)
