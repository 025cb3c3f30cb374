"""OpenDocument spreadsheets: the XML of their tables → rows.

It is read here and not by an engine, because an engine gives no times of day, no line breaks, no zeros that a
format shows, and does not tell an error from a blank cell.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import IO, Final, NamedTuple
from xml.parsers import expat

from prep.sources.cell_values import is_rounded, plain
from prep.sources.sheets import SHEET_COLUMNS, SHEET_ROWS, Row, Sheet, broken
from prep.sources.typed import is_number
from prep.sources.xlsx_xml import Handlers, is_plain_prolog, whole_number, xml_parser

_CONTENT: Final = "content.xml"
_TABLE_END: Final = b"</table:table>"
_PROLOG_BYTES: Final = 256
_CHUNK_BYTES: Final = 128 * 1024
_NUMERIC: Final = frozenset({"float", "currency", "percentage"})
_WHITESPACE: Final = re.compile(r"[ \t\r\n]+")
_CELLS: Final = frozenset({"table:table-cell", "table:covered-table-cell"})
_SPACE, _TAB, _LINE_END = "\ue000", "\ue001", "\ue002"
_MARKS: Final = {"text:tab": _TAB, "text:line-break": _LINE_END}
_KEPT: Final = str.maketrans({_SPACE: " ", _TAB: "\t", _LINE_END: "\n"})
_REPLACED: Final = str.maketrans(dict.fromkeys((_SPACE, _TAB, _LINE_END), "\ufffd"))
"""Spaces, tabs and line ends are elements; those of the text itself are one space.
https://docs.oasis-open.org/office/OpenDocument/v1.3/os/part3-schema/OpenDocument-v1.3-os-part3-schema.html#a_6_1White_Space_Characters"""

_TIME: Final = re.compile(r"PT([0-9]{1,9})H([0-9]{1,2})M([0-9]{1,2})(?:[.,]([0-9])[0-9]*)?S")
_FRACTION: Final = re.compile(r"[.,]([0-9])[0-9]*$")
"""Times have fractions of a second where they were computed: 08:59:59.999999999 is nine o'clock."""

_HALF: Final = "5"
_CODE: Final = re.compile(r"[- ()/:0-9]+")
_HYPHENED: Final = re.compile(r"[0-9]-[0-9]")
_NO_DIGIT: Final = re.compile(r"[^0-9]")
_ERROR: Final = re.compile(r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!)|Err:[0-9]+")
_MOST_SPACES: Final = 1024


class _Found(NamedTuple):
    """A row as often as it stands there, and what was met in it."""

    row: Row
    times: int
    facts: Counter[str]


class OdsBook:
    """An opened workbook (ods); see `Book`."""

    encoding: str | None = None

    def __init__(self, package: zipfile.ZipFile) -> None:
        """Find the sheets.

        Raises:
            Refusal: It is damaged.
        """
        self.facts: Counter[str] = Counter()
        self.merged: list[int] = []
        self.hidden_columns: set[int] = set()
        self._package = package
        self._content = self._open()
        finder = _SheetFinder()
        parser = xml_parser(
            Handlers(lambda *found: finder.start(parser, *found), lambda tag: finder.end(parser, tag))
        )
        for _ in self._parse(parser, self._pieces(0, None)):
            pass
        self.sheets = [Sheet(name, hidden=style in finder.hidden) for name, style in finder.tables]
        is_plain = is_plain_prolog(next(self._pieces(0, _PROLOG_BYTES), b""))
        self._spans = finder.spans if is_plain else []

    def rows(self, sheet: int) -> Iterator[Row]:
        """Yield the rows in which something stands, in order."""
        if self._spans and self._spans[sheet][0] == self._spans[sheet][1]:
            return
        begin, end = self._spans[sheet] if self._spans else (0, None)
        parser = _TableParser(0 if self._spans else sheet, self.merged, self.hidden_columns)
        pieces = self._pieces(begin, end)
        handlers = Handlers(parser.start, parser.end, parser.text)
        for _ in self._parse(xml_parser(handlers), chain(pieces, [_TABLE_END]) if self._spans else pieces):
            for row, times, facts in parser.found:
                for fact, count in facts.items():
                    self.facts[fact] += count * times
                for line in range(row.line, row.line + times):
                    yield row._replace(line=line)
            parser.found.clear()
            if parser.is_over:
                return

    def _open(self) -> IO[bytes]:
        try:
            return self._package.open(_CONTENT)
        except KeyError as error:
            raise broken(f"the part {_CONTENT!r} is missing") from error

    def _pieces(self, begin: int, end: int | None) -> Iterator[bytes]:
        """Yield the content from one place to another: all tables in turn are unpacked but once."""
        place = begin
        while end is None or place < end:
            if self._content.tell() != place:
                self._content.seek(place)
            piece = self._content.read(_CHUNK_BYTES if end is None else min(_CHUNK_BYTES, end - place))
            if not piece:
                return
            place += len(piece)
            yield piece

    def _parse(self, parser: expat.XMLParserType, pieces: Iterator[bytes]) -> Iterator[None]:
        """Parse the content, pausing after each piece of it."""
        try:
            for piece in pieces:
                parser.Parse(piece, False)
                yield
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise broken(f"the part {_CONTENT!r} is not well-formed") from error
        yield


class _SheetFinder:
    """Takes the events of the content for the names of its tables, and the styles that hide some.

    Attributes:
        spans: At which byte each table begins, and at which its end tag does.
    """

    def __init__(self) -> None:
        self.tables: list[tuple[str, str]] = []
        self.spans: list[tuple[int, int]] = []
        self.hidden: set[str] = set()
        self._style = ""
        self._depth = 0
        self._begin = 0

    def start(self, parser: expat.XMLParserType, tag: str, attributes: dict[str, str]) -> None:
        if tag == "table:table":
            self._depth += 1
            if self._depth == 1:
                self.tables.append((attributes.get("table:name", ""), attributes.get("table:style-name", "")))
                self._begin = parser.CurrentByteIndex
        elif tag == "style:style":
            self._style = attributes.get("style:name", "")
        elif tag == "style:table-properties" and attributes.get("table:display") == "false":
            self.hidden.add(self._style)

    def end(self, parser: expat.XMLParserType, tag: str) -> None:
        if tag == "table:table":
            self._depth -= 1
            if not self._depth:
                self.spans.append((self._begin, parser.CurrentByteIndex))


class _TableParser:
    """Takes the events of the content for the rows of one table.

    Attributes:
        found: The rows that were met and not taken yet.
        is_over: The table has ended.
    """

    def __init__(self, sheet: int, merged: list[int], hidden_columns: set[int]) -> None:
        self.found: list[_Found] = []
        self.is_over = False
        self._merged = merged
        self._hidden_columns = hidden_columns
        self._columns = 0
        self._tables_above = sheet + 1
        self._depth = 0
        self._is_inside = False
        self._foreign = 0
        self._line = 0
        self._times = 1
        self._column = 0
        self._cell: dict[str, str] | None = None
        self._paragraphs: list[str] = []
        self._pieces: list[str] | None = None
        self._cells: dict[int, str] = {}
        self._errors = 0
        self._numbers: list[int] = []
        self._facts: Counter[str] = Counter()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "table:table":
            self._depth += 1
            self._tables_above -= self._depth == 1
            self._is_inside = not self._tables_above and self._depth == 1
        elif not self._is_inside:
            return
        elif self._foreign or tag == "office:annotation" or tag.startswith("draw:"):
            self._foreign += 1
        elif tag == "text:p":
            self._pieces = []
        elif tag in _CELLS:
            self._cell = attributes
            self._paragraphs.clear()
        elif tag == "table:table-row":
            self._start_row(attributes)
        elif tag == "table:table-column":
            self._add_columns(attributes)
        elif self._pieces is not None and tag == "text:s":
            self._pieces.append(_SPACE * min(_times(attributes, "text:c"), _MOST_SPACES))
        elif self._pieces is not None and tag in _MARKS:
            self._pieces.append(_MARKS[tag])

    def _add_columns(self, attributes: dict[str, str]) -> None:
        first = self._columns
        self._columns += _times(attributes, "table:number-columns-repeated")
        if attributes.get("table:visibility", "visible") != "visible":
            self._hidden_columns.update(range(first, min(self._columns, SHEET_COLUMNS)))

    def _start_row(self, attributes: dict[str, str]) -> None:
        self._times = _times(attributes, "table:number-rows-repeated")
        self._column = self._errors = 0
        self._cells, self._numbers, self._facts = {}, [], Counter()
        self._facts["hidden_row"] = attributes.get("table:visibility", "visible") != "visible"

    def end(self, tag: str) -> None:
        if tag == "table:table":
            self.is_over |= self._is_inside
            self._depth -= 1
            self._is_inside = not self._tables_above and self._depth == 1
        elif not self._is_inside:
            return
        elif self._foreign:
            self._foreign -= 1
        elif tag == "text:p" and self._pieces is not None:
            self._paragraphs.append(_WHITESPACE.sub(" ", "".join(self._pieces)).translate(_KEPT))
            self._pieces = None
        elif tag in _CELLS and self._cell is not None:
            self._end_cell(self._cell, is_covered=tag != "table:table-cell")
            self._cell = None
        elif tag == "table:table-row":
            self._end_row()

    def text(self, piece: str) -> None:
        if self._pieces is not None and not self._foreign:
            self._pieces.append(piece.translate(_REPLACED))

    def _end_cell(self, cell: dict[str, str], *, is_covered: bool) -> None:
        times = _times(cell, "table:number-columns-repeated")
        places = range(self._column, self._column + times)
        self._column += times
        if is_covered:
            return
        shown = "\n".join(self._paragraphs)
        if fact := _unknown(cell, shown):
            self._facts[fact] += times
            self._errors += times
        elif value := _value(cell, shown):
            if places.stop > SHEET_COLUMNS:
                raise broken(f"row {self._line + 1} holds a cell outside the sheet")
            self._cells.update(dict.fromkeys(places, value))
            if _times(cell, "table:number-rows-spanned") > 1:
                self._merged.append(self._line + 1)
            if cell.get("office:value-type") in _NUMERIC:
                self._facts["rounded_number"] += times * is_rounded(value)
                self._numbers += places if is_number(value) else ()

    def _end_row(self) -> None:
        line = self._line + 1
        self._line += self._times
        if not self._cells and not self._errors:
            return
        if self._line > SHEET_ROWS:
            raise broken(f"a table has more than {SHEET_ROWS} rows")
        row = Row(line, self._cells, self._errors, tuple(self._numbers))
        self.found.append(_Found(row, self._times, self._facts))


def _times(attributes: dict[str, str], name: str) -> int:
    """How often something is repeated."""
    return max(whole_number(attributes[name]), 1) if name in attributes else 1


def _unknown(cell: dict[str, str], shown: str) -> str:
    """The fact that a cell holds an error, or a formula that was never calculated; else nothing."""
    if cell.get("calcext:value-type") == "error":
        return "error"
    if "table:formula" not in cell:
        return ""
    if _ERROR.fullmatch(shown):
        return "error"
    return "" if shown or "office:value-type" in cell else "uncalculated"


def _value(cell: dict[str, str], shown: str) -> str:
    """The text that a person means by a cell."""
    kind = cell.get("office:value-type", "")
    if kind in _NUMERIC:
        number = plain(cell.get("office:value", shown))
        return shown if _is_code(shown, number) else number
    match kind:
        case "date":
            return _date(cell.get("office:date-value", shown)).removesuffix("T00:00:00")
        case "time":
            time = _TIME.fullmatch(cell.get("office:time-value", ""))
            return _clock(*time.groups()) if time else shown
        case "boolean":
            return cell.get("office:boolean-value", shown)
        case _:
            return shown or cell.get("office:string-value", "")


def _date(value: str) -> str:
    """A date, its time in the nearest second."""
    fraction = _FRACTION.search(value)
    if not fraction:
        return value
    whole = value[: fraction.start()]
    try:
        later = datetime.fromisoformat(whole) + timedelta(seconds=fraction[1] >= _HALF)
    except (ValueError, OverflowError):
        return whole
    return later.isoformat()


def _clock(hours: str, minutes: str, seconds: str, fraction: str | None) -> str:
    """A time of day, or hours that count on after 24, in the nearest second."""
    is_later = (fraction or "0") >= _HALF
    whole, second = divmod(int(minutes) * 60 + int(seconds) + is_later, 60)
    return f"{int(hours) + whole // 60:02}:{whole % 60:02}:{second:02}"


def _is_code(shown: str, number: str) -> bool:
    """Whether a whole number is shown with zeros before it, or with hyphens in it."""
    if not number.isdigit() or not _CODE.fullmatch(shown):
        return False
    digits = _NO_DIGIT.sub("", shown)
    is_padded = len(digits) > len(number) and digits.lstrip("0") == number.lstrip("0")
    return is_padded or (digits == number and _HYPHENED.search(shown) is not None)
