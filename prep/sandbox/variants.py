"""Failure and warning files that are not what Marketo's pages show."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from prep.sandbox.faults import FaultKind
from prep.sandbox.rules import DELIMITERS

ODD_REASON: Final = 'Invalid value: "a,b;c\td"\nsee field'

_ISO_DATE = re.compile(r"\b([0-9]{4})-([0-9]{2})-([0-9]{2})\b")
_DECIMAL = re.compile(r"[+-]?[0-9]+\.[0-9]+")


@dataclass(frozen=True)
class RowFile:
    """A failure or warning file, taken apart; the last cell of each row is the reason."""

    header: list[str]
    rows: list[list[str]]
    lookup_fields: tuple[str, ...]
    bom: str = ""
    line_end: str = "\n"
    quoting: Literal[0, 1] = csv.QUOTE_MINIMAL


def vary(content: bytes, kinds: list[FaultKind], file_format: str, lookup_fields: tuple[str, ...]) -> bytes:
    """Return a failure or warning file with one thing after the other changed.

    Args:
        content: The file as it should be, possibly empty.
        kinds: Kinds of the phase `FILE`, applied in this order.
        file_format: The format of the job.
        lookup_fields: REST names of the fields that records were looked up by.
    """
    if not kinds or not content:
        return content
    if FaultKind.FILE_EMPTY in kinds:
        return b""
    delimiter = DELIMITERS[file_format]
    header, *rows = csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter)
    file = RowFile(header, rows, lookup_fields)
    for kind in kinds:
        file = _VARIANTS[kind](file)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=file.line_end, quoting=file.quoting)
    writer.writerows([file.header, *file.rows])
    return (file.bom + text.getvalue()).encode()


def _without_lookup(file: RowFile) -> RowFile:
    places = [place for place, name in enumerate(file.header) if name not in file.lookup_fields]
    rows = [[row[place] for place in places] for row in file.rows]
    return replace(file, header=[file.header[place] for place in places], rows=rows)


def _reordered(file: RowFile) -> RowFile:
    return replace(file, rows=file.rows[::-1])


def _each_value(change: Callable[[str], str]) -> Callable[[RowFile], RowFile]:
    def _change(file: RowFile) -> RowFile:
        return replace(file, rows=[[*map(change, row[:-1]), row[-1]] for row in file.rows])

    return _change


def _trimmed(value: str) -> str:
    return " ".join(value.split())


def _redated(value: str) -> str:
    return _ISO_DATE.sub(lambda found: f"{int(found[2])}/{int(found[3])}/{found[1]}", value)


def _rounded(value: str) -> str:
    return str(round(float(value))) if _DECIMAL.fullmatch(value) else value


def _short(file: RowFile) -> RowFile:
    return replace(file, rows=file.rows[:-1])


def _twice(file: RowFile) -> RowFile:
    first = file.rows[0]
    return replace(file, rows=[first, [*first[:-1], "Duplicate value"], *file.rows[1:]])


def _odd_reasons(file: RowFile) -> RowFile:
    return replace(file, rows=[[*row[:-1], ODD_REASON] for row in file.rows])


def _quoted(file: RowFile) -> RowFile:
    return replace(file, quoting=csv.QUOTE_ALL)


def _bom_crlf(file: RowFile) -> RowFile:
    return replace(file, bom="\ufeff", line_end="\r\n")


_VARIANTS: Final[dict[FaultKind, Callable[[RowFile], RowFile]]] = {
    FaultKind.FILE_NO_LOOKUP: _without_lookup,
    FaultKind.FILE_REORDERED: _reordered,
    FaultKind.FILE_TRIMMED: _each_value(_trimmed),
    FaultKind.FILE_RECASED: _each_value(str.lower),
    FaultKind.FILE_REDATED: _each_value(_redated),
    FaultKind.FILE_ROUNDED: _each_value(_rounded),
    FaultKind.FILE_SHORT: _short,
    FaultKind.FILE_TWICE: _twice,
    FaultKind.FILE_ODD_REASONS: _odd_reasons,
    FaultKind.FILE_QUOTED: _quoted,
    FaultKind.FILE_BOM_CRLF: _bom_crlf,
}
