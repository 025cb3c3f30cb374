"""The XML of a sheet → its rows."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from prep.sources.cell_values import EXACT_DIGITS, Numbers, is_rounded, unescaped
from prep.sources.sheets import SHEET_COLUMNS, SHEET_ROWS, Row, broken
from prep.sources.typed import is_number
from prep.sources.xlsx_xml import Attributes, Handlers, character_data, covers, whole_number

_NUMERIC: Final = frozenset({"", "n"})
_CALCULATED: Final = "str"
"""The type of a cell whose formula gives a text, which may be empty."""

_TRUE: Final = frozenset({"1", "true"})
_DIGITS: Final = "0123456789"
_MERGED: Final = re.compile(r"[A-Z]{1,3}([0-9]{1,7}):[A-Z]{1,3}(?!\1$)[0-9]{1,7}")
"""Cells that are merged over several rows."""

_PLAIN_ROW: Final = re.compile(r'\s*(?:<row [^<>]*/>\s*)*+<row r="([0-9]{1,7})"([^<>]*)(?<!/)>\s*')
_PLAIN_CELL: Final = re.compile(
    r'(<c r="([A-Z]{1,3})[0-9]{1,7}"(?: s="([0-9]{1,9})")?(?: t="(s|n|b|e|str|inlineStr)")?'
    r"(?: ?/>|>(?:<f(?: [^<>]*)?(?:(?<=/)>|>[^<]*</f>))?"
    r'(?:<v>([^<]*)</v>|<v ?/>|<is><t(?: xml:space="preserve")?>([^<]*)</t></is>)?</c>)\s*)'
)


class SheetParser:
    """Takes the events of a sheet's XML and hands on its rows."""

    def __init__(
        self,
        strings: list[str],
        numbers: Numbers,
        facts: Counter[str],
        take: Callable[[Row], None],
        *,
        merged: list[int],
        hidden_columns: set[int],
    ) -> None:
        self._strings = strings
        self._numbers = numbers
        self._facts = facts
        self._take = take
        self._merged = merged
        self._hidden_columns = hidden_columns
        self._columns: dict[str, int] = {}
        self._line = 0
        self._is_hidden = False
        self._column = -1
        self._attributes: Attributes = {}
        self._cells: dict[int, str] = {}
        self._errors = 0
        self._typed: list[int] = []
        self._pieces: list[str] = []
        self._takes = False
        self._has_formula = False
        self._phonetic = 0
        self._is_inside = False

    @property
    def handlers(self) -> Handlers:
        """What takes the events."""
        return Handlers(self._start, self._end, self._text)

    def take_plain(self, rows: str) -> bool:
        """Take whole rows, if they are plain; the line numbers go on from the last row taken."""
        found: list[Row] = []
        facts: Counter[str] = Counter()
        line = self._line
        for text in rows.split("</row>")[:-1]:
            row = _PLAIN_ROW.match(text)
            if row is None or not line < int(row[1]) <= SHEET_ROWS:
                return False
            line = int(row[1])
            cells = _PLAIN_CELL.findall(text, row.end())
            if not covers(cells, len(text) - row.end()):
                return False
            taken = self._plain_row(line, cells, facts)
            if taken.cells or taken.errors:
                facts["hidden_row"] += 'hidden="1"' in row[2] or 'hidden="true"' in row[2]
                found.append(taken)
        self._line = line
        self._facts.update(facts)
        for taken in found:
            self._take(taken)
        return True

    def _plain_row(self, line: int, cells: Sequence[Sequence[str]], facts: Counter[str]) -> Row:
        taken: dict[int, str] = {}
        errors = 0
        numbers: list[int] = []
        columns = self._columns
        for cell, letters, style, kind, value, text in cells:
            content = value or text
            if not content:
                if kind != _CALCULATED and "<f" in cell:
                    facts["uncalculated"] += 1
                    errors += 1
                continue
            column = columns[letters] if letters in columns else self._place(letters, line)
            if kind == "s":
                if shown := self._string(content, line):
                    taken[column] = shown
                continue
            if kind == "e":
                facts["error"] += 1
                errors += 1
                continue
            content = character_data(content) if "&" in content else content
            shown = self._value(kind or "n", content, style, line)
            if shown:
                taken[column] = shown
            if kind in _NUMERIC:
                self._note_number(shown, column, numbers, facts)
        return Row(line, taken, errors, tuple(numbers))

    @staticmethod
    def _note_number(shown: str, column: int, numbers: list[int], facts: Counter[str]) -> None:
        if len(shown) > EXACT_DIGITS:
            facts["rounded_number"] += is_rounded(shown)
        if shown[-4:-3] == "." and is_number(shown):
            numbers.append(column)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2] if ":" in tag else tag
        if name == "v" or name == "t":  # noqa: PLR1714 (a million times)
            self._takes = self._is_inside and not self._phonetic
        elif name == "c":
            self._pieces = []
            self._has_formula = False
            self._attributes = attributes
            reference = attributes.get("r")
            if reference is None:
                self._column += 1
            else:
                letters = reference.rstrip(_DIGITS)
                column = self._columns.get(letters)
                self._column = self._place(letters, self._line) if column is None else column
        elif name == "f":
            self._has_formula = True
        elif name == "row":
            self._start_row(attributes)
        elif name == "sheetData":
            self._is_inside = True
        elif name == "rPh":
            self._phonetic += 1
        elif name == "col" and attributes.get("hidden") in _TRUE:
            first, last = (whole_number(attributes.get(end, "0")) for end in ("min", "max"))
            self._hidden_columns.update(range(first - 1, min(last, SHEET_COLUMNS)))
        elif name == "mergeCell" and (line := _MERGED.fullmatch(attributes.get("ref", ""))):
            self._merged.append(int(line[1]))

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2] if ":" in tag else tag
        if name == "v" or name == "t":  # noqa: PLR1714
            self._takes = False
        elif name == "c":
            if self._is_inside and (self._pieces or self._has_formula):
                self._end_cell()
        elif name == "row":
            if self._cells or self._errors:
                self._facts["hidden_row"] += self._is_hidden
                self._take(Row(self._line, self._cells, self._errors, tuple(self._typed)))
        elif name == "sheetData":
            self._is_inside = False
        elif name == "rPh":
            self._phonetic -= 1

    def _text(self, piece: str) -> None:
        if self._takes:
            self._pieces.append(piece)

    def _start_row(self, attributes: Attributes) -> None:
        line = whole_number(attributes["r"]) if "r" in attributes else self._line + 1
        if not self._line < line <= SHEET_ROWS:
            raise broken(f"row {line} comes after row {self._line}")
        self._line = line
        self._is_hidden = attributes.get("hidden") in _TRUE
        self._column = -1
        self._cells = {}
        self._errors = 0
        self._typed = []

    def _end_cell(self) -> None:
        kind = self._attributes.get("t", "n")
        if kind == _CALCULATED and not self._pieces:
            return
        if kind == "e" or not self._pieces:
            self._facts["error" if self._pieces else "uncalculated"] += 1
            self._errors += 1
            return
        value = self._value(kind, "".join(self._pieces), self._attributes.get("s", ""), self._line)
        if kind in _NUMERIC:
            self._note_number(value, self._column, self._typed, self._facts)
        if value:
            self._cells[self._column] = value

    def _value(self, kind: str, value: str, style: str, line: int) -> str:
        if kind == "s":
            return self._string(value, line)
        if kind == "n":
            return self._numbers.text(value, whole_number(style) if style else 0)
        if kind == "b":
            return {"1": "true", "0": "false"}.get(value, value)
        if kind == "d":
            return value.removesuffix("Z").removesuffix("T00:00:00")
        return unescaped(value)

    def _string(self, index: str, line: int) -> str:
        try:
            return self._strings[int(index) if index.isdigit() else -len(self._strings) - 1]
        except (IndexError, ValueError) as error:
            raise broken(f"row {line} refers to a text that is not there") from error

    def _place(self, letters: str, line: int) -> int:
        column = 0
        for letter in letters:
            column = column * 26 + ord(letter) - 64
        if not letters.isalpha() or not letters.isupper() or not 0 < column <= SHEET_COLUMNS:
            raise broken(f"row {line} holds a cell outside the sheet")
        self._columns[letters] = column - 1
        return column - 1
