"""The beginning of a delimited text: in which dialect it is, what its columns are, where its rows begin."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from prep.errors import SettingsError, SourceError
from prep.model import Reading
from prep.sources.batch import Skipped
from prep.sources.dialect import SAMPLE_BYTES, Finding, Sample, detect, escape_of
from prep.sources.encoding import is_utf8
from prep.sources.heading import lacks_header
from prep.sources.records import BACKSLASH, DOUBLE, WHITESPACE, Dialect, split

SINGLE_COLUMN: Final = "the file is taken to have a single column, though some lines hold a delimiter"
"""The note of a file whose header may stand elsewhere."""

_OFTEN = 0.5
_SEPARATOR_LINE = re.compile(rb'"?sep=([^"\r\n\0\x80-\xFF])"?[ \t]*\n', re.IGNORECASE)
_NAMES = {"\t": "a tab", ",": "a comma", ";": "a semicolon", "|": "a bar"}


@dataclass(frozen=True)
class Head:
    """What comes before the rows of a delimited text.

    Attributes:
        dialect: How cells are told apart.
        header_line: The physical line where the header starts, 0 where there is none.
        columns: The header's cells; `1`, `2`, … where there is none.
        skipped: The lines above the first row.
        notes: What was decided and may be wrong, a sentence each.
        surplus: How many delimiters more than they have columns rows may end with.
    """

    dialect: Dialect
    header_line: int
    columns: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    surplus: int = 0


def refuse_impossible(reading: Reading) -> None:
    """Refuse characters that cannot do what they are given for.

    Raises:
        SettingsError: The delimiter, the quote or the escape cannot be one (`bad_delimiter`, `bad_quote`,
            `bad_escape`).
    """
    quote = '"' if reading.quote is None else reading.quote
    if reading.delimiter is not None and not _is_mark(reading.delimiter, unlike=quote):
        raise SettingsError(
            f"the delimiter {reading.delimiter!r} cannot divide cells",
            code="bad_delimiter",
            hint="It takes one ASCII character other than the quote, such as ; or |.",
        )
    if quote and not _is_mark(quote, unlike=reading.delimiter or ""):
        raise SettingsError(
            f"the quote {quote!r} cannot enclose cells",
            code="bad_quote",
            hint="It takes one ASCII character other than the delimiter, or none at all.",
        )
    is_taken = reading.escape == BACKSLASH and "\\" in {reading.delimiter, quote}
    if is_taken or reading.escape not in {None, DOUBLE, BACKSLASH}:
        raise SettingsError(
            f"quotes cannot be escaped by {reading.escape!r}",
            code="bad_escape",
            hint=f"It takes {DOUBLE} or {BACKSLASH}; a backslash that divides or quotes cannot escape.",
        )


def read_head(lines: bytes, known: Reading, path: str) -> Head:
    """Find out how a text is written, and read it up to its first row.

    Args:
        lines: The beginning of the text in UTF-8, each line ended by LF.
        known: What is known already; it is not doubted.
        path: The file, for messages.

    Raises:
        SourceError: There is no table (`empty_source`), its header cannot be read (`broken_header`), is not
            where it is said to be (`no_header_line`), or there is none (`no_header`).
    """
    separator = None if known.header_line == 1 else _SEPARATOR_LINE.match(lines)
    if separator and known.delimiter is None:
        known = replace(known, delimiter=separator[1].decode(errors="replace"))
    first_line = max(known.header_line or 0, 2 if separator else 1)
    start = _start_of_line(lines, first_line)
    if start is None:
        _refuse_line(first_line, path)
    finding = detect(_sample_of(lines[start:]), known)
    if not finding.sample.records:
        _refuse_empty(path)
    if finding.sample.header is not None:
        above = finding.sample.records[finding.sample.header].line
        if known.header_line and above:
            _refuse_line(first_line, path)
        first_line += above
    sample = _settled(lines, first_line, finding.sample, known)
    head = _head(lines, first_line, sample, path)
    if known.header_line is None and lacks_header(sample.records[0], sample.body):
        _refuse_headerless(head, path)
    notes = _notes(finding, sample, head, known, has_separator=separator is not None)
    return replace(head, notes=tuple(notes))


def _settled(lines: bytes, first_line: int, found: Sample, known: Reading) -> Sample:
    """Read the records again from the header on, now that everything is known.

    So a sample never depends on what stands above the header, and opening again finds the same.
    """
    text = lines[_start_of_line(lines, first_line) :]
    dialect = found.dialect
    if known.escape is None and dialect.delimiter != "\\":
        dialect = replace(dialect, escape=escape_of(text, found))
    header_line = 0 if found.header is None else first_line
    settled = Reading(
        delimiter=dialect.delimiter, quote=dialect.quote, escape=dialect.escape, header_line=header_line
    )
    return detect(_sample_of(text), settled).sample


def _is_mark(character: str, *, unlike: str) -> bool:
    is_single = len(character) == 1 and character.isascii()
    return is_single and character not in "\r\n\0" and character != unlike


def _head(lines: bytes, first_line: int, sample: Sample, path: str) -> Head:
    """Read the header, or name the columns by their numbers where there is none."""
    if sample.header is None:
        columns = tuple(str(number) for number in range(1, sample.columns + 1))
        return Head(sample.dialect, 0, columns, _skipped(lines, first_line, 0), ())
    start = _start_of_line(lines, first_line) or 0
    record = split(lines, start, sample.dialect)
    if record is not None:
        cells, end = record
        header = lines[start:end]
        if is_utf8(header) and b"\0" not in header:
            skipped = _skipped(lines, first_line, header.count(b"\n"))
            columns = tuple(cell.decode() for cell in cells[: sample.columns])
            return Head(sample.dialect, first_line, columns, skipped, (), sample.surplus)
    raise SourceError(
        f"{path}: the header in line {first_line} cannot be split: broken quoting or broken bytes",
        code="broken_header",
        hint="Repair that line; the column names decide where every cell belongs.",
        source=path,
    )


def _skipped(lines: bytes, first_line: int, header_lines: int) -> tuple[Skipped, ...]:
    """Name what the lines above the first row are."""
    above = lines.split(b"\n", first_line - 1)[: first_line - 1]
    kinds = [_kind(line) for line in above] + ["header"] * header_lines
    return tuple(Skipped(kind, number) for number, kind in enumerate(kinds, 1))


def _kind(line: bytes) -> str:
    if not line.strip(WHITESPACE):
        return "blank"
    return "comment" if line.startswith(b"#") else "preamble"


def _start_of_line(lines: bytes, number: int) -> int | None:
    """Find where a line starts, counted from 1; nothing if the text ends before."""
    position = 0
    for _ in range(number - 1):
        position = lines.find(b"\n", position) + 1
        if not position:
            return None
    return position if position < len(lines) else None


def _sample_of(text: bytes) -> bytes:
    end = text.find(b"\n", SAMPLE_BYTES) + 1
    return text[:end] if end else text


def _notes(
    finding: Finding, sample: Sample, head: Head, known: Reading, *, has_separator: bool
) -> Iterator[str]:
    if known.delimiter is None and not finding.confident:
        yield _doubt(finding)
    if known.quote is None and sample.dialect.quote != '"':
        yield f"cells are taken to be quoted with {sample.dialect.quote}"
    if known.escape is None and sample.dialect.escape == BACKSLASH:
        yield "a backslash before a quote in a cell is taken to make it part of the cell"
    if known.quote is None and sample.share_with_loose_quotes >= _OFTEN:
        yield "quotes behind a space are part of their cells; take the space behind each delimiter out"
    nameless = 0 if sample.header is None else sample.records[0].width - sample.columns
    if nameless > 0 and sample.surplus:
        left_out = "at the end without name and value left out"
        yield f"{_columns(nameless)} {left_out}; rows with a value there are rejected"
    elif nameless > 0:
        yield "the header ends with one delimiter more than the rows do; the nameless column is left out"
    elif sample.surplus:
        yield "rows end with one delimiter more than the header does; the empty cell behind it is left out"
    preamble = sum(entry.kind == "preamble" for entry in head.skipped) - has_separator
    if known.header_line is None and preamble > 0:
        yield f"the header is taken to be in line {head.header_line}; {_lines(preamble)} above it left out"


def _doubt(finding: Finding) -> str:
    if finding.sample.columns == 1:
        return SINGLE_COLUMN
    found = f"the cells are taken to be separated by {_NAMES[finding.sample.dialect.delimiter]}"
    if finding.rival:
        return f"{found}; {_NAMES[finding.rival]} reads them nearly as well"
    return f"{found}, but many lines do not have as many cells as the header"


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _refuse_empty(path: str) -> NoReturn:
    raise SourceError(
        f"{path}: the file is empty",
        code="empty_source",
        hint="It needs a header line and at least one row.",
        source=path,
    )


def _refuse_line(number: int, path: str) -> NoReturn:
    raise SourceError(
        f"{path}: line {number} is blank, or the file ends before it",
        code="no_header_line",
        hint="--header-line takes the number of the line with the column names.",
        source=path,
    )


def _refuse_headerless(head: Head, path: str) -> NoReturn:
    raise SourceError(
        f"{path}: line {head.header_line} holds values like those below it, so there seems to be no header",
        code="no_header",
        hint=f"With --no-header the columns are called 1 to {len(head.columns)}: --no-header --map 1=email. "
        f"If line {head.header_line} is the header: --header-line {head.header_line}.",
        source=path,
    )
