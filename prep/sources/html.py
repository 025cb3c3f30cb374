"""Web pages that call themselves workbooks: each table of the page is a sheet."""

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

from prep.sources.sheets import SHEET_COLUMNS, SHEET_ROWS, Refusal, Row, Sheet, broken

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET: Final = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([-\w.:]{1,40})""", re.IGNORECASE)
_HEAD_BYTES: Final = 64 * 1024
_SUPERSETS: Final = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "tis-620": "cp874",
}
"""What browsers read for the name of an encoding: https://encoding.spec.whatwg.org/#names-and-labels"""

_WHITESPACE: Final = re.compile(r"[ \t\r\n\f]+")
_HIDDEN: Final = re.compile(r"\bdisplay\s*:\s*none\b", re.IGNORECASE)
_MUTE: Final = frozenset({"script", "style", "template"})
_CELLS: Final = frozenset({"td", "th"})
_SECTIONS: Final = frozenset({"thead", "tbody", "tfoot"})
_PAGE: Final = frozenset({"body", "html"})
_LINE_BREAK: Final = "\ue000"
_CHUNK: Final = 64 * 1024


class HtmlBook:
    """The tables of a page, those inside others too; see `Book`.

    Spaces and line ends in a cell are one space, as on the screen; `<br>` is a line end. What spans several
    columns or rows stands in the first of them. A cell outside a row begins one, as in browsers.

    Attributes:
        encoding: That of the page: as given, else by its byte order mark, by what it says, or UTF-8.
    """

    def __init__(self, content: bytes, encoding: str | None = None) -> None:
        """Parse a page.

        Args:
            content: The page.
            encoding: Python codec of the page where it is known.

        Raises:
            Refusal: It has no table, or its bytes do not fit its encoding.
        """
        self.facts: Counter[str] = Counter()
        self.merged: list[int] = []
        self.hidden_columns: set[int] = set()
        self.encoding: str | None
        text, self.encoding = _decoded(content, encoding)
        parser = _TableParser()
        for start in range(0, len(text), _CHUNK):
            parser.feed(text[start : start + _CHUNK])
        parser.close()
        parser.end_tables()
        self._tables = parser.tables
        self.sheets = [Sheet(f"table {number}") for number in range(1, len(self._tables) + 1)]
        if not self.sheets:
            raise Refusal(
                "no_table",
                "this is a web page (HTML) without a table",
                "Export the list again, as CSV or as a workbook. Such a page may be a login or an error.",
            )

    def rows(self, sheet: int) -> Iterator[Row]:
        """Yield the rows in which something stands, in order."""
        self.merged += self._tables[sheet].merged
        self.facts["unended"] += self._tables[sheet].is_unended
        for row in self._tables[sheet].rows:
            self.facts["hidden_row"] += row.line in self._tables[sheet].hidden
            yield row


class _Table:
    """A table while it is parsed."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.merged: list[int] = []
        self.hidden: set[int] = set()
        self.is_unended = False
        self._line = 0
        self._is_in_row = False
        self._column = 0
        self._cells: dict[int, str] = {}
        self._spans: dict[int, int] = {}
        self._pieces: list[str] | None = None

    def start_row(self, *, is_hidden: bool = False) -> None:
        self.end_row()
        self._is_in_row = True
        self._line += 1
        if is_hidden:
            self.hidden.add(self._line)
        if self._line > SHEET_ROWS:
            raise broken(f"a table has more than {SHEET_ROWS} rows")

    def start_cell(self, columns: int, rows: int) -> None:
        if not self._is_in_row:
            self.start_row()
        self.end_cell()
        while self._spans.get(self._column, 0) >= self._line:
            self._column += 1
        if self._column + columns > SHEET_COLUMNS:
            raise broken(f"row {self._line} of a table has more than {SHEET_COLUMNS} cells")
        if rows > 1:
            self._spans |= dict.fromkeys(range(self._column, self._column + columns), self._line + rows - 1)
        self._place = self._column
        self._is_merged = rows > 1
        self._column += columns
        self._pieces = []

    def add(self, text: str) -> None:
        if self._pieces is not None:
            self._pieces.append(text)

    def end_cell(self) -> None:
        if self._pieces is None:
            return
        shown = _WHITESPACE.sub(" ", "".join(self._pieces))
        lines = [line.strip(" ") for line in shown.split(_LINE_BREAK)]
        text = "\n".join(lines).strip("\n")
        if text.strip():
            self._cells[self._place] = text
            if self._is_merged:
                self.merged.append(self._line)
        self._pieces = None

    def end_row(self) -> None:
        self.end_cell()
        if self._cells:
            self.rows.append(Row(self._line, self._cells, is_cut=self.is_unended))
        self._cells = {}
        self._column = 0
        self._is_in_row = False


class _TableParser(HTMLParser):
    """Takes the events of a page; tables hold those that are open, the innermost last."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Table] = []
        self._open: list[_Table] = []
        self._mute = 0
        self._is_at_end = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_at_end = False
        if tag == "table":
            self._open.append(_Table())
            self.tables.append(self._open[-1])
        elif tag in _MUTE:
            self._mute += 1
        elif self._open and tag == "tr":
            looks = dict(attrs)
            is_hidden = "hidden" in looks or _HIDDEN.search(looks.get("style") or "") is not None
            self._open[-1].start_row(is_hidden=is_hidden)
        elif self._open and tag in _SECTIONS:
            self._open[-1].end_row()
        elif self._open and tag in _CELLS:
            spans = dict(attrs)
            self._open[-1].start_cell(_span(spans.get("colspan")), _span(spans.get("rowspan")))
        elif self._open and tag in {"br", "p", "div", "li"}:
            self._open[-1].add(_LINE_BREAK if tag == "br" else " ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _MUTE and tag != "table":
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._is_at_end = tag in _PAGE
        if tag in _MUTE:
            self._mute = max(self._mute - 1, 0)
        elif self._open and tag == "table":
            self._open.pop().end_row()
        elif self._open and (tag == "tr" or tag in _SECTIONS):
            self._open[-1].end_row()
        elif self._open and tag in _CELLS:
            self._open[-1].end_cell()

    def handle_data(self, data: str) -> None:
        if self._open and not self._mute:
            self._open[-1].add(data.replace(_LINE_BREAK, "\ufffd"))

    def end_tables(self) -> None:
        while self._open:
            self._open[-1].is_unended = not self._is_at_end
            self._open.pop().end_row()


def _decoded(content: bytes, encoding: str | None) -> tuple[str, str]:
    name = encoding or _encoding(content)
    try:
        return content.decode(name), name
    except (UnicodeDecodeError, LookupError):
        raise Refusal(
            "bad_encoding",
            f"the web page (HTML) is not written in {name}",
            "Give its encoding with --encoding, or export the list again as CSV UTF-8.",
        ) from None


def says_encoding(head: bytes) -> bool:
    """Tell whether a page says how it is encoded."""
    return head.startswith(tuple(mark for mark, _ in _BOMS)) or _CHARSET.search(head) is not None


def _encoding(content: bytes) -> str:
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return encoding
    declared = _CHARSET.search(content, 0, _HEAD_BYTES)
    if declared:
        try:
            name = codecs.lookup(declared[1].decode()).name
        except LookupError:
            name = "utf-8"
        name = "utf-8" if name.startswith("utf-16") else name
        return _SUPERSETS.get(name, name)
    return "utf-8"


def _span(value: str | None) -> int:
    text = (value or "").strip()
    return max(min(int(text), SHEET_COLUMNS), 1) if text.isascii() and text.isdigit() and len(text) < 9 else 1  # noqa: PLR2004
