"""Workbooks of Excel 2007 and later, read as a stream: no part is held as a whole but the shared strings.

The parts are read here and not by an engine, because an engine gives the values alone: a date and a time
look alike, `#N/A` looks like a blank cell, a postal code loses the zeros that its format shows, days counted
from 1904 may come out four years early, and one cell in the last row and column makes a table of 17 billion.
"""

import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final
from xml.parsers import expat

from prep.sources.cell_values import Numbers, unescaped
from prep.sources.sheets import Row, Sheet, broken, protected, too_large, unsafe
from prep.sources.xlsx_sheet import SheetParser
from prep.sources.xlsx_xml import (
    Attributes,
    Handlers,
    Shortcut,
    character_data,
    covers,
    local_name,
    whole_number,
    xml_parser,
)

_MOST_PARTS: Final = 10_000
_FREE_BYTES: Final = 64 * 1024 * 1024
_MOST_RATIO: Final = 100
"""An honest workbook unpacks to about eight times its size, one of styled blank rows to fifty times."""
_CHUNK_BYTES: Final = 128 * 1024
_ENCRYPTED: Final = 1

_ROWS_BEGIN: Final = re.compile(rb"<sheetData>")
_STRINGS_BEGIN: Final = re.compile(rb"<sst[^<>]*(?<!/)>")
_PLAIN_STRING: Final = re.compile(r'(\s*<si><t(?: xml:space="preserve")?>([^<]*)</t></si>)')


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


class Xlsx:
    """An opened workbook (xlsx, xlsm); see `Book`."""

    encoding: str | None = None

    def __init__(self, package: zipfile.ZipFile) -> None:
        self.facts: Counter[str] = Counter()
        self.merged: list[int] = []
        self.hidden_columns: set[int] = set()
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
        parser = SheetParser(
            self._strings,
            self._numbers,
            self.facts,
            found.append,
            merged=self.merged,
            hidden_columns=self.hidden_columns,
        )
        shortcut = Shortcut(_ROWS_BEGIN, b"</row>", parser.take_plain)
        for _ in self._parse(self._sheet_parts[sheet], parser.handlers, shortcut):
            yield from found
            found.clear()

    def _parse(self, part: str, handlers: Handlers, shortcut: Shortcut | None = None) -> Iterator[None]:
        """Run a part through handlers, pausing after each piece of it."""
        parser = xml_parser(handlers)
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
            if local_name(tag) == "Relationship" and attributes.get("TargetMode") != "External":
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
            name = local_name(tag)
            if name == "workbookPr":  # the first: an extension may bring one that says nothing of dates
                dates.append(attributes.get("date1904", "0"))
            elif name == "sheet":
                link = next((attributes[name] for name in attributes if local_name(name) == "id"), "")
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
            name = local_name(tag)
            if name == "numFmt":
                codes[whole_number(attributes.get("numFmtId", ""))] = attributes.get("formatCode", "")
            elif name == "cellXfs":
                inside.append(name)
            elif name == "xf" and inside:
                formats.append(whole_number(attributes.get("numFmtId", "0")))

        def end(tag: str) -> None:
            if local_name(tag) == "cellXfs":
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
            name = local_name(tag)
            takes = name == "t" and not phonetic
            phonetic += name == "rPh"

        def end(tag: str) -> None:
            nonlocal takes, phonetic
            takes = False
            name = local_name(tag)
            if name == "si":
                strings.append(unescaped("".join(pieces)))
                pieces.clear()
            phonetic -= name == "rPh"

        def text(piece: str) -> None:
            if takes:
                pieces.append(piece)

        def take_plain(texts: str) -> bool:
            found = _PLAIN_STRING.findall(texts)
            if not covers(found, len(texts)):
                return False
            strings.extend(unescaped(character_data(text) if "&" in text else text) for _, text in found)
            return True

        if self._strings_part.lower() in self._parts:
            shortcut = Shortcut(_STRINGS_BEGIN, b"</si>", take_plain)
            self._run(self._strings_part, Handlers(start, end, text), shortcut)
        return strings


def _is_outside(name: str) -> bool:
    path = name.replace("\\", "/")
    return path.startswith("/") or ".." in path.split("/") or ":" in path.split("/")[0]
