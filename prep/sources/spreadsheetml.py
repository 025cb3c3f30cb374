"""Workbooks in the XML of Excel 2003, which many exports call `.xls`."""

from collections import Counter
from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

from prep.sources.cell_values import PLAIN, Shape, is_rounded, render, shape_of
from prep.sources.sheets import SHEET_COLUMNS, SHEET_ROWS, Row, Sheet, broken, unsafe
from prep.sources.typed import is_number
from prep.sources.xlsx_xml import local_name

_MIDNIGHT: Final = "T00:00:00"
_NO_DAY: Final = "1899-12-31T"
_MOST_DIGITS: Final = 7
_NAMED: Final = {
    **dict.fromkeys(("General Date", "Long Date", "Medium Date", "Short Date"), Shape("temporal")),
    **dict.fromkeys(("Long Time", "Medium Time", "Short Time"), Shape("clock")),
    **dict.fromkeys(
        ("General Number", "Currency", "Euro Currency", "Fixed", "Standard", "Scientific"), PLAIN
    ),
    **dict.fromkeys(("Percent", "Yes/No", "True/False", "On/Off"), PLAIN),
}
"""Formats that have names of their own, in which letters do not stand for days or hours."""


class SpreadsheetmlBook:
    """An opened workbook; see `Book`.

    A cell beside merged ones comes after all of them, and a row that spans some stands for as many.
    https://learn.microsoft.com/en-us/previous-versions/office/developer/office-xp/aa140066(v=office.10)
    """

    encoding: str | None = None

    def __init__(self, content: bytes) -> None:
        """Parse a workbook.

        Raises:
            Refusal: It is damaged or unsafe.
        """
        self.facts: Counter[str] = Counter()
        self.merged: list[int] = []
        self.hidden_columns: set[int] = set()
        self.sheets: list[Sheet] = []
        self._rows: list[list[tuple[Row, Counter[str]]]] = []
        self._spanning: list[list[int]] = []
        self._hidden: list[set[int]] = []
        self._shapes: dict[str, Shape] = {}
        self._is_1904 = False
        self._style = ""
        self._line = 0
        self._span = 0
        self._column = 0
        self._merged = 0
        self._shape = PLAIN
        self._cells: dict[int, str] = {}
        self._errors = 0
        self._numbers: list[int] = []
        self._found: Counter[str] = Counter()
        self._is_uncalculated = False
        self._type = ""
        self._pieces: list[str] | None = None
        self._is_comment = False
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(content, True)
        except expat.ExpatError as error:
            raise broken(f"its XML is not well-formed in line {error.lineno}") from error

    def rows(self, sheet: int) -> Iterator[Row]:
        """Yield the rows in which something stands, in order."""
        self.merged += self._spanning[sheet]
        self.hidden_columns |= self._hidden[sheet]
        for row, found in self._rows[sheet]:
            self.facts.update(found)
            yield row

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        local = {local_name(name): value for name, value in attributes.items()}
        match local_name(tag):
            case "Worksheet":
                self.sheets.append(Sheet(local.get("Name", "")))
                self._rows.append([])
                self._spanning.append([])
                self._hidden.append(set())
                self._line = self._span = self._column = self._merged = 0
            case "Style":
                self._style = local.get("ID", "")
                self._shapes[self._style] = self._shapes.get(local.get("Parent", ""), PLAIN)
            case "NumberFormat":
                code = local.get("Format", "")
                self._shapes[self._style] = _NAMED.get(code) or shape_of(code)
            case "Date1904":
                self._is_1904 = True
            case "Comment":
                self._is_comment = True
            case "Visible" | "Column" | "Row" | "Cell" | "Data" as name if (
                self.sheets and not self._is_comment
            ):
                self._start_inside(name, local)
            case _:
                pass

    def _start_inside(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Row":
            self._line = _index(attributes, self._line, self._span, SHEET_ROWS)
            self._span = _count(attributes, "Span")
            self._found = Counter(hidden_row=int(attributes.get("Hidden") == "1"))
            self._column, self._merged, self._cells, self._errors, self._numbers = 0, 0, {}, 0, []
        elif name == "Column":
            self._column = _index(attributes, self._column, self._merged, SHEET_COLUMNS)
            self._merged = _count(attributes, "Span")
            if attributes.get("Hidden") == "1":
                last = min(self._column + self._merged, SHEET_COLUMNS)
                self._hidden[-1].update(range(self._column - 1, last))
        elif name == "Cell":
            self._column = _index(attributes, self._column, self._merged, SHEET_COLUMNS)
            self._merged = _count(attributes, "MergeAcross")
            if _count(attributes, "MergeDown"):
                self._spanning[-1].append(self._line)
            self._shape = self._shapes.get(attributes.get("StyleID", ""), PLAIN)
            self._is_uncalculated = "Formula" in attributes
        else:
            self._is_uncalculated = False
            self._type = attributes.get("Type", name)
            self._pieces = []

    def _text(self, piece: str) -> None:
        if self._pieces is not None:
            self._pieces.append(piece)

    def _end(self, tag: str) -> None:
        match local_name(tag):
            case "Data" if self._pieces is not None:
                self._end_data("".join(self._pieces))
                self._pieces = None
            case "Visible" if self._pieces is not None:
                self.sheets[-1] = Sheet(self.sheets[-1].name, hidden="".join(self._pieces) != "SheetVisible")
                self._pieces = None
            case "Comment":
                self._is_comment = False
            case "Cell" if self._is_uncalculated:
                self._note_unknown("uncalculated")
                self._is_uncalculated = False
            case "Row" if self.sheets:
                if self._cells or self._errors:
                    row = Row(self._line, self._cells, self._errors, tuple(self._numbers))
                    self._rows[-1].append((row, self._found))
                self._cells, self._errors, self._numbers = {}, 0, []
            case _:
                pass

    def _end_data(self, value: str) -> None:
        match self._type:
            case "Error":
                self._note_unknown("error")
                return
            case "Number":
                value = render(value, self._shape, is_1904=self._is_1904)
                self._found["rounded_number"] += is_rounded(value)
                if is_number(value):
                    self._numbers.append(self._column - 1)
            case "Boolean":
                value = {"1": "true", "0": "false"}.get(value, value)
            case "DateTime":
                value = value.removesuffix(".000").removeprefix(_NO_DAY).removesuffix(_MIDNIGHT)
            case _:
                value = value.replace("\r", "\n")
        if value:
            self._cells[self._column - 1] = value

    def _note_unknown(self, fact: str) -> None:
        """Note a cell whose value nobody knows."""
        self._found[fact] += 1
        self._errors += 1


def _index(attributes: dict[str, str], before: int, passed: int, most: int) -> int:
    """Where a row or a cell is: as it says, else behind the one before and what that passes over."""
    index = _count(attributes, "Index") if "Index" in attributes else before + passed + 1
    if not before < index <= most:
        raise broken(f"row or column {index} comes after {before}")
    return index


def _count(attributes: dict[str, str], name: str) -> int:
    given = attributes.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS else 0


def _refuse_doctype(*_: object) -> None:
    raise unsafe("it declares a document type, which can hide entity bombs")
