"""Workbooks of Excel 2007 and later, read as a stream: no part is held as a whole but the shared strings.

The parts are read here and not by an engine, because an engine gives the values alone: a date and a time
look alike, `#N/A` looks like a blank cell, a postal code loses the zeros that its format shows, days counted
from 1904 may come out four years early, and one cell in the last row and column makes a table of 17 billion.
"""

import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import BinaryIO, Final, NamedTuple
from xml.parsers import expat

from prep.sources.cell_values import EXACT_DIGITS, Numbers, is_rounded, unescaped
from prep.sources.sheets import SHEET_COLUMNS, SHEET_ROWS, Row, Sheet, broken, protected, too_large, unsafe

_MOST_PARTS: Final = 10_000
_FREE_BYTES: Final = 64 * 1024 * 1024
_MOST_RATIO: Final = 100
"""An honest workbook unpacks to about eight times its size, one of styled blank rows to fifty times."""
_CHUNK_BYTES: Final = 128 * 1024
_ENCRYPTED: Final = 1

_CONTROLS: Final = bytes({*range(0x20)} - {0x09, 0x0A})
_UNUSUAL: Final = (b"<!", b"<?", b"]]>")
_UNUSUAL_REFERENCE: Final = re.compile(
    rb"&(?!(?:amp|lt|gt|quot|apos|#(?:[1-9][0-9]|1[0-9]{2}|x[2-7][0-9A-Fa-f]));)"
)
"""What is not plain text and tags: controls, CR, comments, sections, and all but the usual references."""
_ENTITIES: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_REFERENCE: Final = re.compile(r"&([^;]+);")
_XML_ENCODING: Final = re.compile(rb"""encoding\s*=\s*["']([-\w]+)""")
_MOST_PENDING: Final = 8 * 1024 * 1024

_NUMERIC: Final = frozenset({"", "n"})
_WHOLE: Final = itemgetter(0)
_ROWS_BEGIN: Final = re.compile(rb"<sheetData>")
_STRINGS_BEGIN: Final = re.compile(rb"<sst[^<>]*(?<!/)>")
_PLAIN_ROW: Final = re.compile(r'\s*(?:<row [^<>]*/>\s*)*+<row r="([0-9]{1,7})"([^<>]*)(?<!/)>\s*')
_PLAIN_CELL: Final = re.compile(
    r'(<c r="([A-Z]{1,3})[0-9]{1,7}"(?: s="([0-9]{1,9})")?(?: t="(s|n|b|e|str|inlineStr)")?'
    r"(?: ?/>|>(?:<f(?: [^<>]*)?(?:(?<=/)>|>[^<]*</f>))?"
    r'(?:<v>([^<]*)</v>|<v ?/>|<is><t(?: xml:space="preserve")?>([^<]*)</t></is>)?</c>)\s*)'
)
_PLAIN_STRING: Final = re.compile(r'(\s*<si><t(?: xml:space="preserve")?>([^<]*)</t></si>)')

Attributes = Mapping[str, str]
_DIGITS: Final = "0123456789"


def open_package(file: BinaryIO, size: int) -> zipfile.ZipFile:
    """Open the archive that a workbook is, unless its directory says that it is none or does harm.

    Args:
        file: The workbook.
        size: Its size in bytes.

    Raises:
        Refusal: It is damaged, protected, unsafe or too large.
    """
    try:
        package = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise broken("it is cut short, or no archive of parts") from error
    entries = package.infolist()
    if len(entries) > _MOST_PARTS:
        raise too_large(f"it has {len(entries)} parts")
    if any(_is_outside(entry.filename) for entry in entries):
        raise unsafe("names of its parts lead out of it")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > _FREE_BYTES + _MOST_RATIO * size:
        raise too_large(f"its {size} bytes unpack to {unpacked}")
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise protected()
    return package


class Handlers(NamedTuple):
    """What is told of each element of a part."""

    start: Callable[[str, dict[str, str]], None]
    end: Callable[[str], None] | None = None
    text: Callable[[str], None] | None = None


class Shortcut:
    """Takes the plain stretches of a part, five times as fast as a parser does.

    A stretch is taken only if it consists of nothing but elements as every program writes them; the parser
    gets all that comes before and after. From the first stretch on that is different it gets everything.
    """

    def __init__(self, begin: re.Pattern[bytes], end: bytes, take: Callable[[str], bool]) -> None:
        """Describe the stretches.

        Args:
            begin: After the first match, elements may be taken.
            end: Every element ends with this.
            take: Takes whole elements; tells whether it did.
        """
        self._begin = begin
        self._end = end
        self._take = take

    def rest(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield what the parser is to get; of what is taken, an empty piece."""
        prolog = next(chunks, b"")
        match = self._begin.search(prolog)
        begin = match.end() if match else 0
        is_plain = match is not None and _is_plain_prolog(prolog[:begin])
        yield prolog[:begin]
        pending = prolog[begin:]
        while is_plain:
            cut = pending.rfind(self._end) + len(self._end)
            if cut >= len(self._end):
                is_plain = self._takes(pending[:cut])
                yield b"" if is_plain else pending[:cut]
                pending = pending[cut:]
            chunk = next(chunks, b"")
            is_plain &= bool(chunk) and len(pending) < _MOST_PENDING
            pending += chunk
        yield pending
        yield from chunks

    def _takes(self, elements: bytes) -> bool:
        if any(mark in elements for mark in _UNUSUAL) or len(elements.translate(None, _CONTROLS)) < len(
            elements
        ):
            return False
        if b"&" in elements and _UNUSUAL_REFERENCE.search(elements):
            return False
        try:
            return self._take(elements.decode())
        except UnicodeDecodeError:
            return False


def _is_plain_prolog(prolog: bytes) -> bool:
    """Tell whether a part is UTF-8 without comments, declarations or prefixes."""
    declared = _XML_ENCODING.search(prolog)
    is_utf8 = b"\0" not in prolog and (declared is None or declared[1].lower() in {b"utf-8", b"us-ascii"})
    return is_utf8 and b"<!" not in prolog and prolog.count(b"<?") <= 1


def _parser(handlers: Handlers) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = handlers.start
    parser.EndElementHandler = handlers.end
    parser.CharacterDataHandler = handlers.text
    return parser


class Xlsx:
    """An opened workbook (xlsx, xlsm); see `Book`."""

    encoding: str | None = None

    def __init__(self, package: zipfile.ZipFile) -> None:
        self.facts: Counter[str] = Counter()
        self._package = package
        self._parts = {name.lower(): name for name in package.namelist()}
        book = self._book_part()
        targets = self._targets(book)
        self.sheets, parts, is_1904 = self._contents(book, targets)
        self._sheet_parts = parts
        folder = posixpath.dirname(book)
        self._numbers = self._read_styles(targets.get("styles", f"{folder}/styles.xml"), is_1904=is_1904)
        self._strings_part = targets.get("sharedStrings", f"{folder}/sharedStrings.xml")
        self._strings: list[str] | None = None

    def rows(self, sheet: int) -> Iterator[Row]:
        """Yield the rows in which something stands, in order."""
        if self._strings is None:
            self._strings = self._read_strings()
        found: list[Row] = []
        parser = _SheetParser(self._strings, self._numbers, self.facts, found.append)
        shortcut = Shortcut(_ROWS_BEGIN, b"</row>", parser.take_plain)
        for _ in self._parse(self._sheet_parts[sheet], parser.handlers, shortcut):
            yield from found
            found.clear()

    def _parse(self, part: str, handlers: Handlers, shortcut: Shortcut | None = None) -> Iterator[None]:
        """Run a part through handlers, pausing after each piece of it."""
        parser = _parser(handlers)
        try:
            with self._package.open(self._parts[part.lower()]) as file:
                chunks = iter(lambda: file.read(_CHUNK_BYTES), b"")
                for piece in chunks if shortcut is None else shortcut.rest(chunks):
                    parser.Parse(piece, False)
                    yield
            parser.Parse(b"", True)
        except KeyError as error:
            raise broken(f"the part {part!r} is missing") from error
        except expat.ExpatError as error:
            raise broken(f"the part {part!r} is not well-formed") from error
        yield

    def _run(self, part: str, handlers: Handlers, shortcut: Shortcut | None = None) -> None:
        for _ in self._parse(part, handlers, shortcut):
            pass

    def _book_part(self) -> str:
        targets = self._targets("") if "_rels/.rels" in self._parts else {}
        part = targets.get("officeDocument", "xl/workbook.xml")
        if part.lower() not in self._parts:
            raise broken("it has no list of sheets")
        return part

    def _targets(self, part: str) -> dict[str, str]:
        """Where the relations of a part lead: by their id, and by the last word of their type."""
        folder, name = posixpath.split(part)
        targets: dict[str, str] = {}

        def start(tag: str, attributes: Attributes) -> None:
            if _local(tag) == "Relationship" and attributes.get("TargetMode") != "External":
                target = attributes.get("Target", "")
                path = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                path = posixpath.normpath(path)
                targets[f"#{attributes.get('Id', '')}"] = path
                targets.setdefault(attributes.get("Type", "").rpartition("/")[2], path)

        relations = posixpath.join(folder, "_rels", f"{name}.rels")
        if relations.lower() in self._parts:
            self._run(relations, Handlers(start))
        return targets

    def _contents(self, book: str, targets: Mapping[str, str]) -> tuple[list[Sheet], list[str], bool]:
        sheets: list[Sheet] = []
        parts: list[str] = []
        dates: list[str] = []

        def start(tag: str, attributes: Attributes) -> None:
            name = _local(tag)
            if name == "workbookPr":  # the first: an extension may bring one that says nothing of dates
                dates.append(attributes.get("date1904", "0"))
            elif name == "sheet":
                link = next((attributes[name] for name in attributes if _local(name) == "id"), "")
                part = targets.get(f"#{link}", "")
                if "chartsheet" not in part and "dialogsheet" not in part:
                    hidden = attributes.get("state", "visible") != "visible"
                    sheets.append(Sheet(attributes.get("name", ""), hidden=hidden))
                    parts.append(part)

        self._run(book, Handlers(start))
        return sheets, parts, dates[:1] in (["1"], ["true"])

    def _read_styles(self, part: str, *, is_1904: bool) -> Numbers:
        codes: dict[int, str] = {}
        formats: list[int] = []
        inside: list[str] = []

        def start(tag: str, attributes: Attributes) -> None:
            name = _local(tag)
            if name == "numFmt":
                codes[_number(attributes.get("numFmtId", ""))] = attributes.get("formatCode", "")
            elif name == "cellXfs":
                inside.append(name)
            elif name == "xf" and inside:
                formats.append(_number(attributes.get("numFmtId", "0")))

        def end(tag: str) -> None:
            if _local(tag) == "cellXfs":
                inside.clear()

        if part.lower() in self._parts:
            self._run(part, Handlers(start, end))
        return Numbers(formats, codes, is_1904=is_1904)

    def _read_strings(self) -> list[str]:
        strings: list[str] = []
        pieces: list[str] = []
        takes = False
        phonetic = 0

        def start(tag: str, _: Attributes) -> None:
            nonlocal takes, phonetic
            name = _local(tag)
            takes = name == "t" and not phonetic
            phonetic += name == "rPh"

        def end(tag: str) -> None:
            nonlocal takes, phonetic
            takes = False
            name = _local(tag)
            if name == "si":
                strings.append(unescaped("".join(pieces)))
                pieces.clear()
            phonetic -= name == "rPh"

        def text(piece: str) -> None:
            if takes:
                pieces.append(piece)

        def take_plain(texts: str) -> bool:
            found = _PLAIN_STRING.findall(texts)
            if sum(map(len, map(_WHOLE, found))) != len(texts):
                return False
            strings.extend(unescaped(_character_data(text) if "&" in text else text) for _, text in found)
            return True

        if self._strings_part.lower() in self._parts:
            shortcut = Shortcut(_STRINGS_BEGIN, b"</si>", take_plain)
            self._run(self._strings_part, Handlers(start, end, text), shortcut)
        return strings


class _SheetParser:
    """Takes the events of a sheet's XML and hands on its rows."""

    def __init__(
        self, strings: list[str], numbers: Numbers, facts: Counter[str], take: Callable[[Row], None]
    ) -> None:
        self._strings = strings
        self._numbers = numbers
        self._facts = facts
        self._take = take
        self._columns: dict[str, int] = {}
        self._line = 0
        self._is_hidden = False
        self._column = -1
        self._attributes: Attributes = {}
        self._cells: dict[int, str] = {}
        self._errors = 0
        self._pieces: list[str] = []
        self._takes = False
        self._phonetic = 0
        self._is_inside = False

    @property
    def handlers(self) -> Handlers:
        return Handlers(self.start, self.end, self.text)

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
            if sum(map(len, map(_WHOLE, cells))) != len(text) - row.end():
                return False
            taken = self._plain_row(line, cells, facts)
            if taken.cells or taken.errors:
                facts["hidden_row"] += 'hidden="1"' in row[2] or 'hidden="true"' in row[2]
                facts["error"] += taken.errors
                found.append(taken)
        self._line = line
        self._facts.update(facts)
        for taken in found:
            self._take(taken)
        return True

    def _plain_row(self, line: int, cells: Sequence[Sequence[str]], facts: Counter[str]) -> Row:
        taken: dict[int, str] = {}
        errors = 0
        columns = self._columns
        for _, letters, style, kind, value, text in cells:
            content = value or text
            if not content:
                continue
            column = columns[letters] if letters in columns else self._place(letters, line)
            if kind == "s":
                if shown := self._string(content, line):
                    taken[column] = shown
                continue
            if kind == "e":
                errors += 1
                continue
            content = _character_data(content) if "&" in content else content
            shown = self._value(kind or "n", content, style, line)
            if shown:
                taken[column] = shown
            if kind in _NUMERIC and len(shown) > EXACT_DIGITS:
                facts["rounded_number"] += is_rounded(shown)
        return Row(line, taken, errors)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2] if ":" in tag else tag
        if name == "v" or name == "t":  # noqa: PLR1714 (a million times)
            self._takes = self._is_inside and not self._phonetic
        elif name == "c":
            self._pieces = []
            self._attributes = attributes
            reference = attributes.get("r")
            if reference is None:
                self._column += 1
            else:
                letters = reference.rstrip(_DIGITS)
                column = self._columns.get(letters)
                self._column = self._place(letters, self._line) if column is None else column
        elif name == "row":
            self._start_row(attributes)
        elif name == "sheetData":
            self._is_inside = True
        elif name == "rPh":
            self._phonetic += 1

    def end(self, tag: str) -> None:
        name = tag.rpartition(":")[2] if ":" in tag else tag
        if name == "v" or name == "t":  # noqa: PLR1714
            self._takes = False
        elif name == "c":
            if self._pieces and self._is_inside:
                self._end_cell()
        elif name == "row":
            if self._cells or self._errors:
                self._facts["hidden_row"] += self._is_hidden
                self._facts["error"] += self._errors
                self._take(Row(self._line, self._cells, self._errors))
        elif name == "sheetData":
            self._is_inside = False
        elif name == "rPh":
            self._phonetic -= 1

    def text(self, piece: str) -> None:
        if self._takes:
            self._pieces.append(piece)

    def _start_row(self, attributes: Attributes) -> None:
        line = _number(attributes["r"]) if "r" in attributes else self._line + 1
        if not self._line < line <= SHEET_ROWS:
            raise broken(f"row {line} comes after row {self._line}")
        self._line = line
        self._is_hidden = attributes.get("hidden") in {"1", "true"}
        self._column = -1
        self._cells = {}
        self._errors = 0

    def _end_cell(self) -> None:
        kind = self._attributes.get("t", "n")
        if kind == "e":
            self._errors += 1
            return
        value = self._value(kind, "".join(self._pieces), self._attributes.get("s", ""), self._line)
        if kind in _NUMERIC and len(value) > EXACT_DIGITS:
            self._facts["rounded_number"] += is_rounded(value)
        if value:
            self._cells[self._column] = value

    def _value(self, kind: str, value: str, style: str, line: int) -> str:
        if kind == "s":
            return self._string(value, line)
        if kind == "n":
            return self._numbers.text(value, _number(style) if style else 0)
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


def _character_data(text: str) -> str:
    return _REFERENCE.sub(_referred, text)


def _referred(match: re.Match[str]) -> str:
    name = match[1]
    if name.startswith("#"):
        return chr(int("0" + name[1:], 16) if name[1] == "x" else int(name[1:]))
    return _ENTITIES[name]


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 9:  # noqa: PLR2004 (more than any part counts)
        return int(text)
    raise broken("a number that places or styles cells is none")


def _refuse_doctype(*_: object) -> None:
    raise unsafe("one of its parts declares a document type, which can hide entity bombs")


def _is_outside(name: str) -> bool:
    path = name.replace("\\", "/")
    return path.startswith("/") or ".." in path.split("/") or ":" in path.split("/")[0]
