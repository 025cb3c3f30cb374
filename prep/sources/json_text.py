"""Text of JSON → records, one after another, by a decoder that alters nothing.

Values stay as they are written: a number keeps its digits, however many. One record that cannot be read costs
no other.
"""

import codecs
import json
import re
from collections.abc import Iterator
from itertools import count
from typing import Any, BinaryIO, Final, NamedTuple

from prep.errors import SourceError
from prep.model import Reason
from prep.sources.batch import Skipped, refuse_many_skipped
from prep.sources.columnar import plain_number
from prep.sources.containers import refusal
from prep.sources.files import Content
from prep.sources.typed import Number, is_number

MOST_RECORD_BYTES: Final = 16 * 1024 * 1024
PIECE_BYTES: Final = 1024 * 1024
BLANK: Final = " \t\r\n"
_BOM: Final = "\ufeff"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


TAKE_OUT: Final = "Leads in a list inside of one object are taken out with: jq '.NAME' FILE > leads.json"
"""What to do with the answer of a program, which often wraps its records so."""


class _Doubled(dict[str, Any]):
    """An object that has a key twice: nobody knows which value is meant."""


NESTED: Final = frozenset({dict, list, _Doubled})
"""What no cell can hold."""


class Record(NamedTuple):
    """One record as it was found.

    Attributes:
        line: The physical line, 0 where records have none.
        raw: Its text.
        cells: Key → value; None if it cannot be read.
        reason: Why not.
    """

    line: int
    raw: str
    cells: dict[str, Any] | None
    reason: Reason = Reason.UNREADABLE_ROW


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    return record if len(record) == len(pairs) else _Doubled(record)


def _no_constant(name: str) -> str:
    raise ValueError(f"{name} is no JSON")


def _number(text: str) -> str:
    plain = plain_number(text) if "e" in text or "E" in text else text
    return Number(plain) if is_number(plain) else plain


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_number, parse_int=str, parse_constant=_no_constant
)


def records_of_lines(file: BinaryIO, path: str, encoding: str, first: int) -> Iterator[Record | Skipped]:
    """Tell what each line is.

    Args:
        file: The lines.
        path: Of the whole file, for errors.
        encoding: Of the lines; what is not in it is a record that cannot be read.
        first: The number of the first line.

    Raises:
        SourceError: A line does not end (`endless_line`), or the first one shows that a record is spread over
            lines (`not_records`), or too many are blank (`too_many_skipped`).
    """
    blank = 0
    for number in count(first):
        line = file.readline(MOST_RECORD_BYTES + 1)
        if not line:
            return
        if len(line) > MOST_RECORD_BYTES:
            said = f"line {number} does not end within {MOST_RECORD_BYTES} bytes"
            raise refusal(path, said, "endless_line", "This is no list of leads, or it is damaged.")
        try:
            text = line.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError:
            text = line.decode(encoding, "backslashreplace").rstrip("\r\n")
            yield Record(number, text, None, Reason.ENCODING)
            continue
        found = record_of_line(number, text.removeprefix(_BOM) if number == 1 else text, path)
        blank += isinstance(found, Skipped)
        refuse_many_skipped(blank, path)
        yield found


def record_of_line(number: int, text: str, path: str) -> Record | Skipped:
    """Tell what a line is, given without its end."""
    if not text.strip(BLANK):
        return Skipped("blank", number)
    record = Record(number, text, _object(text))
    if record.cells is None and number == 1 and text.strip(BLANK) == "{":
        raise not_records(path, row=1)
    return record


def _object(text: str) -> dict[str, Any] | None:
    """Read one object; nothing if the text is anything else."""
    try:
        return _usable(_DECODER.decode(text), text)
    except (ValueError, RecursionError):
        return None


def _usable(value: Any, text: str) -> dict[str, Any] | None:
    """An object without doubled keys and halves of characters."""
    if not isinstance(value, dict) or isinstance(value, _Doubled):
        return None
    return None if _HALF.search(text) and _has_half(value) else value


def _has_half(value: dict[str, Any]) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def records_of_array(file: Content, path: str, encoding: str) -> Iterator[Record]:
    """Give the records of one array.

    Raises:
        SourceError: It is broken (`broken_json`), in another encoding (`not_utf8`), or not of objects
            (`not_records`).
    """
    text = _Window(file, path, encoding)
    text.expect("[")
    if text.take("]"):
        text.expect_end()
        return
    for row in count(1):
        value, raw = text.value(row)
        if not isinstance(value, dict):
            raise not_records(path, row)
        yield Record(0, raw, _usable(value, raw))
        if text.take("]"):
            text.expect_end()
            return
        text.expect(",", row)


class _Window:
    """The part of a long text that is being read."""

    def __init__(self, file: Content, path: str, encoding: str) -> None:
        self._file = file
        self._path = path
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._text = ""
        self._place = 0
        self._more()
        self._text = self._text.removeprefix(_BOM)

    def _more(self) -> bool:
        """Read on; false at the end of the file."""
        piece = self._file.read(PIECE_BYTES)
        try:
            self._text = self._text[self._place :] + self._decoder.decode(piece, not piece)
        except UnicodeDecodeError as error:
            found = "the text is not in the encoding of JSON, UTF-8"
            raise refusal(self._path, found, "not_utf8", "Save it as UTF-8.") from error
        self._place = 0
        return bool(piece)

    def take(self, mark: str) -> bool:
        """Pass white space, and the mark if it follows."""
        while True:
            self._place = _SPACE.match(self._text, self._place).end()  # type: ignore[union-attr]  # always matches
            if self._place < len(self._text) or not self._more():
                break
        if not self._text.startswith(mark, self._place):
            return False
        self._place += len(mark)
        return True

    def expect(self, mark: str, row: int = 0) -> None:
        if not self.take(mark):
            raise self._broken(row)

    def expect_end(self) -> None:
        self.take("")
        if self._place < len(self._text):
            raise self._broken(None)

    def value(self, row: int) -> tuple[Any, str]:
        """Read one value; return it with its text."""
        self.take("")
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._place)
            except (ValueError, RecursionError):
                if len(self._text) - self._place > MOST_RECORD_BYTES or not self._more():
                    raise self._broken(row) from None
            else:
                raw = self._text[self._place : end]
                self._place = end
                return value, raw

    def _broken(self, row: int | None) -> SourceError:
        where = f"at row {row}" if row else "behind the array" if row is None else "at its beginning"
        return SourceError(
            f"{self._path}: the JSON array is broken {where}",
            code="broken_json",
            hint="Write it again, best with one object on each line: there a broken line costs no other.",
            source=self._path,
            row=row or None,
        )


def not_records(path: str, row: int | None = None) -> SourceError:
    """An error for JSON that holds no records."""
    return SourceError(
        f"{path}: JSON, but neither one object on each line nor an array of objects",
        code="not_records",
        hint=f"Write each lead as an object with the columns as keys, one on each line. {TAKE_OUT}",
        source=path,
        row=row,
    )
