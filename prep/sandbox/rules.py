"""The rules of an import: how an uploaded file is read, which cells are refused, how refusals are written."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Final

from prep.sandbox.faults import Behaviour
from prep.sandbox.instance import Field

DELIMITERS: Final = {"csv": ",", "tsv": "\t", "ssv": ";"}
"""https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-import"""

FAILURE_COLUMN: Final = "Import Failure Reason"
WARNING_COLUMN: Final = "Import Warning Reason"

INVALID_EMAIL: Final = "Invalid email address"
LEAD_NOT_FOUND: Final = "Lead not found"
SEVERAL_LEADS: Final = "Multiple leads match the lookup criteria"

NULL_TEXT: Final = "NULL"
TEXT_BYTES: Final = 30_000
"""https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/field-types"""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_EMAIL = re.compile(
    r"[A-Za-z0-9][!-?A-~]*@[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*\.[A-Za-z0-9-]*[A-Za-z]{2}"
)
_BOOLEANS: Final = {"true": "true", "false": "false"}
_BOOLEAN_WORDS: Final = {"yes": "true", "y": "true", "1": "true", "no": "false", "n": "false", "0": "false"}


class UnreadableFileError(Exception):
    """The upload cannot be imported as a whole; its job ends as `Failed`."""


@dataclass(frozen=True)
class Examined:
    """An uploaded file whose cells have been judged; the lead database has not been asked yet.

    Attributes:
        header: The column names as uploaded.
        rows: The cells as uploaded, blank lines left out.
        fields: For each column the field it writes, or None.
        values: The cells as they would be stored, each row as long as the header.
        key_columns: Positions of the fields that identify a record, None where the file has no such column.
        failures: Reason by row position, at most one for a row.
        warnings: Reason by row position; never of a row in `failures`.
    """

    header: list[str]
    rows: list[list[str]]
    fields: list[Field | None]
    values: list[tuple[str, ...]]
    key_columns: tuple[int | None, ...]
    failures: dict[int, str]
    warnings: dict[int, str]

    @property
    def names(self) -> list[str | None]:
        """For each column the REST name of the field it writes, or None."""
        return [field.rest_name if field else None for field in self.fields]


def examine(
    content: bytes,
    file_format: str,
    keys: Sequence[Field],
    fields: Mapping[str, Field],
    behaviour: Behaviour,
    *,
    blank_key: str = "",
) -> Examined:
    """Read an upload and judge its cells.

    Args:
        content: The file as uploaded.
        file_format: `csv`, `tsv` or `ssv`.
        keys: The fields by which records are looked up.
        fields: The instance's fields by REST name.
        behaviour: The switches.
        blank_key: Reason of rows that lack one of them, if it is not the one of leads.

    Raises:
        UnreadableFileError: The file cannot be split into cells, or lacks its lookup column and
            `missing_lookup_column` is `job`.
    """
    header, rows = _read(content, DELIMITERS[file_format], behaviour)
    known = [_field_of(name, fields, behaviour) for name in header]
    key_columns = tuple(known.index(key) if key in known else None for key in keys)
    if None in key_columns and behaviour.missing_lookup_column == "job":
        raise UnreadableFileError(f"Lookup field '{keys[key_columns.index(None)].rest_name}' not found")
    judgement = _Judgement(behaviour)
    columns = _columns(rows, len(header))
    for key, place in zip(keys, key_columns, strict=True):
        cells = [""] * len(rows) if place is None else columns[place]
        judgement.require_key(cells, blank_key or f"Value for lookup field '{key.rest_name}' not found")
    judgement.require_shape(rows, len(header))
    for position, (name, field) in enumerate(zip(header, known, strict=True)):
        columns[position] = judgement.column(name, field, columns[position])
    return Examined(
        header=header,
        rows=rows,
        fields=[field if field and _is_written(field) else None for field in known],
        values=list(zip(*columns, strict=True)),
        key_columns=key_columns,
        failures=judgement.failures,
        warnings={row: reason for row, reason in judgement.warnings.items() if row not in judgement.failures},
    )


def render(
    examined: Examined, reasons: Mapping[int, str], reason_column: str, file_format: str, behaviour: Behaviour
) -> bytes:
    """Write the failure or warning file of a job.

    Args:
        examined: The file that was imported.
        reasons: Reason by row position; only these rows are written, in source order.
        reason_column: Name of the column that is appended.
        file_format: The format of the job.
        behaviour: The switches.

    Returns:
        UTF-8 text without a byte order mark, lines ended by LF, quotes only where needed; empty when there
        are no reasons.
    """
    if not reasons:
        return b""
    width = len(examined.header)
    affected = [(_padded(examined.rows[row], width), reason) for row, reason in sorted(reasons.items())]
    if behaviour.trailing_lookup_quirk and examined.key_columns == (width - 1,):
        width -= not any(cells[width - 1] for cells, _ in affected)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=DELIMITERS[file_format], lineterminator="\n")
    writer.writerow([*examined.header[:width], reason_column])
    writer.writerows([*_without(cells, width, len(examined.header)), reason] for cells, reason in affected)
    return text.getvalue().encode()


def is_email(value: str) -> bool:
    """Return whether Marketo would take an address without a warning: the rule its pages show."""
    return _EMAIL.fullmatch(value) is not None


def kept(field: Field, value: str) -> str:
    """Return a value of a field as it is kept, whatever its spelling; what is none of its type stays."""
    keep = _KEPT.get(field.data_type)
    return keep(value) if keep and _type_rule(field, Behaviour())(value) else value


def is_integer(value: str, bits: int) -> bool:
    """Return whether a text is a signed whole number of at most so many bits."""
    limit = 2 ** (bits - 1)
    return _INTEGER.fullmatch(value) is not None and len(value) <= bits and -limit <= int(value) < limit


def _read(content: bytes, delimiter: str, behaviour: Behaviour) -> tuple[list[str], list[list[str]]]:
    text = content.decode("utf-8", errors="replace")
    if behaviour.bom == "strip":
        text = text.removeprefix("\ufeff")
    lines = io.StringIO(text, newline="")
    strict = behaviour.quotes == "strict"
    try:
        records = [record for record in csv.reader(lines, delimiter=delimiter, strict=strict) if record]
    except csv.Error as error:
        raise UnreadableFileError("The file could not be read") from error
    return (records[0], records[1:]) if records else ([], [])


def _field_of(name: str, fields: Mapping[str, Field], behaviour: Behaviour) -> Field | None:
    if behaviour.header_case == "strict" or name in fields:
        return fields.get(name)
    folded = name.casefold()
    for field in fields.values():
        if folded in (field.rest_name.casefold(), (field.soap_name or "").casefold()):
            return field
    return None


def _is_written(field: Field) -> bool:
    return not field.read_only and field.rest_name != "id"


def _padded(cells: Sequence[str], width: int) -> list[str]:
    return [*cells, *[""] * (width - len(cells))]


def _without(cells: list[str], width: int, full_width: int) -> list[str]:
    return cells if width == full_width else cells[:width] + cells[full_width:]


def _columns(rows: list[list[str]], width: int) -> list[Sequence[str]]:
    if not rows:
        return [()] * width
    if any(len(row) != width for row in rows):
        rows = [_padded(row, width)[:width] for row in rows]
    return list(zip(*rows, strict=True))


class _Judgement:
    """Collects what is wrong with the rows of a file, the first reason of each."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.failures: dict[int, str] = {}
        self.warnings: dict[int, str] = {}

    def require_key(self, cells: Sequence[str], message: str) -> None:
        self.failures |= {row: message for row, cell in enumerate(cells) if self._is_empty(cell)}

    def require_shape(self, rows: list[list[str]], width: int) -> None:
        if self._behaviour.ragged_row == "fill":
            return
        for row, cells in enumerate(rows):
            if len(cells) != width:
                self.failures.setdefault(row, "Number of values differs from the header")

    def column(self, name: str, field: Field | None, cells: Sequence[str]) -> Sequence[str]:
        """Judge one column and return its cells as they would be stored."""
        if field is None:
            self._whole_column(self._behaviour.unknown_column, f"Field '{name}' not found", len(cells))
            return cells
        if field.read_only:
            self._whole_column(self._behaviour.read_only_column, f"Field '{name}' not supported", len(cells))
            return cells
        return self._typed(field, cells)

    def _typed(self, field: Field, cells: Sequence[str]) -> Sequence[str]:
        distinct = {cell for cell in set(cells) if not self._is_empty(cell)}
        accepts = _type_rule(field, self._behaviour)
        mistyped = {cell for cell in distinct if not accepts(cell)}
        self._mark(self.failures, cells, mistyped, f"Invalid data type in field {field.display_name}")
        cells = self._fitted(field, cells, {cell for cell in distinct if _is_too_long(field, cell)})
        if field.rest_name == "email":
            self._mark(self.warnings, cells, {cell for cell in distinct if not is_email(cell)}, INVALID_EMAIL)
        if field.data_type == "boolean":
            words = _boolean_words(self._behaviour)
            return [words.get(cell.lower(), cell) for cell in cells]
        if field.data_type in _KEPT:
            spellings = {cell: kept(field, cell) for cell in distinct - mistyped}
            return [spellings.get(cell, cell) for cell in cells]
        return cells

    def _fitted(self, field: Field, cells: Sequence[str], long: set[str]) -> Sequence[str]:
        if not long or self._behaviour.too_long == "fail":
            self._mark(self.failures, cells, long, f"Value too long for field {field.display_name}")
            return cells
        return [_cut(field, cell) if cell in long else cell for cell in cells]

    def _mark(self, reasons: dict[int, str], cells: Sequence[str], bad: set[str], message: str) -> None:
        if bad:
            for row, cell in enumerate(cells):
                if cell in bad:
                    reasons.setdefault(row, message)

    def _whole_column(self, treatment: str, message: str, rows: int) -> None:
        if treatment != "ignore":
            reasons = self.failures if treatment == "fail" else self.warnings
            for row in range(rows):
                reasons.setdefault(row, message)

    def _is_empty(self, cell: str) -> bool:
        return cell == "" or (cell == NULL_TEXT and self._behaviour.null_text)


def _boolean_words(behaviour: Behaviour) -> dict[str, str]:
    return _BOOLEANS | _BOOLEAN_WORDS if behaviour.boolean_words else _BOOLEANS


def _type_rule(field: Field, behaviour: Behaviour) -> Callable[[str], bool]:
    """Return what tells whether a cell has the field's type."""
    if field.rest_name == "email":
        return _anything  # judged by a warning
    match field.data_type:
        case "integer" | "score" | "percent":
            return partial(is_integer, bits=behaviour.integer_bits)
        case "boolean":
            return partial(_is_word, words=_boolean_words(behaviour))
        case data_type:
            return _TYPE_RULES.get(data_type, _anything)


def _anything(_: str) -> bool:
    return True


def _is_word(cell: str, words: Mapping[str, str]) -> bool:
    return cell.lower() in words


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _is_date(cell: str) -> bool:
    return _DATE.fullmatch(cell) is not None and _is_iso(date.fromisoformat, cell)


def _is_datetime(cell: str) -> bool:
    return _DATETIME.fullmatch(cell) is not None and _is_iso(datetime.fromisoformat, cell)


def _is_iso(parse: Callable[[str], date], cell: str) -> bool:
    try:
        parse(cell)
    except ValueError:
        return False
    return True


def _is_too_long(field: Field, cell: str) -> bool:
    if field.data_type == "text":
        return len(cell.encode()) > TEXT_BYTES
    return field.length is not None and len(cell) > field.length


def _cut(field: Field, cell: str) -> str:
    if field.data_type == "text":
        return cell.encode()[:TEXT_BYTES].decode(errors="ignore")
    return cell[: field.length]


_TYPE_RULES: Final[dict[str, Callable[[str], bool]]] = {
    "currency": _is_number,
    "date": _is_date,
    "datetime": _is_datetime,
    "email": is_email,
    "float": _is_number,
}


def _whole(cell: str) -> str:
    return str(int(cell))


def _decimal(cell: str) -> str:
    return f"{Decimal(repr(float(cell))).normalize():f}"


def _moment(cell: str) -> str:
    """A date-time as it is read back: in UTC, without fractions of a second; without a zone it is UTC."""
    moment = datetime.fromisoformat(cell)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).strftime("%Y-%m-%dT%H:%M:%SZ")


_KEPT: Final[dict[str, Callable[[str], str]]] = {
    "currency": _decimal,
    "datetime": _moment,
    "float": _decimal,
    "integer": _whole,
    "percent": _whole,
    "score": _whole,
}
"""How values of a type are kept, whatever their spelling."""
