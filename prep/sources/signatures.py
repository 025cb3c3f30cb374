"""What a file is, told by its content: names lie (`leads.csv` may be a workbook, `leads.xls` a web page)."""

import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

HEAD_BYTES: Final = 64 * 1024
"""How much of a file's beginning is enough to tell what it is."""

WORKBOOKS: Final = frozenset({"xlsx", "xlsb", "xls", "ods", "html", "spreadsheetml", "encrypted"})
"""The kinds that `prep.sources.workbook` opens, or refuses with a reason."""

_MAGIC: Final[Mapping[bytes, str]] = MappingProxyType(
    {
        b"\x1f\x8b": "gzip",
        b"\x28\xb5\x2f\xfd": "zstd",
        b"BZh": "bzip2",
        b"\xfd7zXZ\x00": "xz",
        b"PAR1": "parquet",
        b"ARROW1\x00\x00": "arrow",
        b"\xff\xff\xff\xff": "arrow_stream",
        b"SQLite format 3\x00": "sqlite",
        b"%PDF-": "pdf",
        b"7z\xbc\xaf\x27\x1c": "7z",
        b"Rar!\x1a\x07": "rar",
        b"\x89PNG\r\n": "image",
        b"\xff\xd8\xff": "image",
        b"GIF8": "image",
        b"\x7fELF": "program",
    }
)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_UTF16: Final[Mapping[bytes, str]] = MappingProxyType({b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"})
_BOM: Final = b"\xef\xbb\xbf"

_HTML: Final = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*+<(?:!doctype\s+html|html|head|body|meta|style|table|div|font)[\s>/]",
    re.IGNORECASE | re.DOTALL,
)
_SPREADSHEETML: Final = b"urn:schemas-microsoft-com:office:spreadsheet"
_JSON: Final = re.compile(rb'\s*(?:\{\s*["}]|\[\s*[\[{\]])')

_DIRECTORY_BYTES: Final = 4 * 1024 * 1024
_OLE_SECTORS: Final = 256
_OLE_SHIFTS: Final = range(7, 17)

Read = Callable[[int, int], bytes]
"""Takes an offset and a size; gives what the file holds there, less at its end."""


def kind_of(head: bytes, path: str | Path | None = None) -> str:
    """Tell what a file is.

    Args:
        head: Its first bytes, `HEAD_BYTES` or the whole file.
        path: The file, where it can be read anywhere. Without it what matters must be in the head, and a zip
            archive whose first members do not tell is a `zip`.

    Returns:
        A workbook: `xlsx` (also xlsm), `xlsb`, `ods`, `xls`, `encrypted` (protected by a password), `html` or
        `spreadsheetml` (Excel 2003's XML). Packed: `zip`, `gzip`, `zstd`, `bzip2`, `xz`, `7z`, `rar`, `tar`.
        Tables: `parquet`, `arrow` (IPC file, Feather), `arrow_stream`, `sqlite`, `json` (an object or an
        array comes first; one or many lines). Not for us: `document` (Word, PowerPoint and the like), `iwork`
        (Apple's Numbers), `ole`, `pdf`, `image`, `program`, `xml`, `mhtml`. `empty` has no bytes. All else
        is `text`, also when it is none: reading it as text says what is wrong.

    Raises:
        OSError: The path cannot be read.
    """
    if not head:
        return "empty"
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head.startswith((_OLE, *_ZIP)):
        judge = _ole_kind if head.startswith(_OLE) else _zip_kind
        if path is None:
            return judge(lambda offset, size: head[offset : offset + size], len(head))
        with Path(path).open("rb") as file:
            return judge(
                lambda offset, size: os.pread(file.fileno(), size, offset), file.seek(0, os.SEEK_END)
            )
    if head[257:262] == b"ustar":
        return "tar"
    return _text_kind(head)


def _text_kind(head: bytes) -> str:
    text = head.removeprefix(_BOM)
    for mark, encoding in _UTF16.items():
        if head.startswith(mark):
            text = head.decode(encoding, errors="replace").encode(errors="replace")
    start = text.lstrip(b" \t\r\n\xef\xbb\xbf")
    if start.startswith(b"<"):
        if _SPREADSHEETML in text:
            return "spreadsheetml"
        if _HTML.match(start):
            return "html"
        if start.startswith((b"<?xml", b"<!DOCTYPE", b"<!ENTITY")):
            return "xml"
    if start[:13].lower() == b"mime-version:":
        return "mhtml"
    return "json" if _JSON.match(start) else "text"


def _zip_kind(read: Read, size: int) -> str:
    names = set()
    for name, offset in _central_names(read, size) or _local_names(read):
        names.add(name)
        kind = _of_member(name, offset, read)
        if kind:
            return kind
    has_parts = b"[Content_Types].xml" in names or any(name.startswith(b"xl/") for name in names)
    return "xlsx" if has_parts else "zip"


def _of_member(name: bytes, offset: int, read: Read) -> str | None:
    if name == b"mimetype":
        start = read(offset, 256)
        if b"application/vnd.oasis.opendocument.spreadsheet" in start:
            return "ods"
        return "document" if b"application/vnd.oasis.opendocument" in start else None
    lower = name.lower()
    if lower.startswith(b"xl/") and lower.endswith(b"workbook.bin"):
        return "xlsb"
    if lower.startswith(b"xl/") and lower.endswith(b"workbook.xml"):
        return "xlsx"
    if lower.startswith(b"index/") and lower.endswith(b".iwa"):
        return "iwork"
    return "document" if lower in {b"word/document.xml", b"ppt/presentation.xml"} else None


def _central_names(read: Read, size: int) -> list[tuple[bytes, int]]:
    """The members that an archive's directory lists, with the offset of each; none if it has no directory."""
    tail_start = max(size - 66_000, 0)
    tail = read(tail_start, size - tail_start)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        return []
    length, start = struct.unpack_from("<II", tail, end + 12)
    directory = read(max(min(start, tail_start + end - length), 0), min(length, _DIRECTORY_BYTES))
    found = []
    position = 0
    while directory.startswith(b"PK\x01\x02", position) and position + 46 <= len(directory):
        name, extra, comment = struct.unpack_from("<HHH", directory, position + 28)
        (offset,) = struct.unpack_from("<I", directory, position + 42)
        found.append((directory[position + 46 : position + 46 + name], offset))
        position += 46 + name + extra + comment
    return found


def _local_names(read: Read) -> Iterator[tuple[bytes, int]]:
    """The members that stand at the beginning, as far as one leads to the next: for archives cut short."""
    offset = 0
    while (header := read(offset, 30)).startswith(b"PK\x03\x04") and len(header) == 30:  # noqa: PLR2004
        flags, packed, name, extra = struct.unpack("<6xH10xI4xHH", header)
        yield read(offset + 30, name), offset
        if flags & 8:
            return
        offset += 30 + name + extra + packed


def _ole_kind(read: Read, _size: int) -> str:
    """Tell a workbook from other compound files by the streams in its directory.

    https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-cfb/
    """
    header = read(0, 512)
    shift = struct.unpack_from("<H", header, 30)[0] if len(header) == 512 else 0  # noqa: PLR2004
    if shift not in _OLE_SHIFTS:
        return "xls"
    sector = 1 << shift
    entries = b"".join(_ole_chain(read, header, struct.unpack_from("<I", header, 48)[0], sector))
    streams = {
        entry[: max(struct.unpack_from("<H", entry, 64)[0] - 2, 0)].decode("utf-16-le", "replace"): entry
        for entry in (entries[start : start + 128] for start in range(0, len(entries) - 127, 128))
    }
    if "EncryptedPackage" in streams or "EncryptionInfo" in streams:
        return "encrypted"
    book = streams.get("Workbook") or streams.get("Book")
    if book is None:
        return "document" if {"WordDocument", "PowerPoint Document"} & streams.keys() else "ole"
    first = struct.unpack_from("<I", book, 116)[0]
    return "encrypted" if _has_filepass(read((first + 1) * sector, sector)) else "xls"


def _ole_chain(read: Read, header: bytes, sector: int, size: int) -> Iterator[bytes]:
    """The sectors of a stream in order, as far as the first 109 sectors of the allocation table tell."""
    tables = struct.unpack_from("<109I", header, 76)
    numbers = size // 4
    for _ in range(_OLE_SECTORS):
        if sector >= numbers * len(tables):
            return
        yield read((sector + 1) * size, size)
        entry = read((tables[sector // numbers] + 1) * size + sector % numbers * 4, 4)
        sector = int.from_bytes(entry, "little") if entry else len(tables) * numbers


def _has_filepass(records: bytes) -> bool:
    """Tell whether a workbook's first records hold FilePass, which says that the rest is encrypted.

    https://learn.microsoft.com/en-us/openspecs/office_file_formats/ms-xls/cf9ae8d5-4e8c-40a2-95f1-3b31f16b5529
    """
    position = 0
    while position + 4 <= len(records):
        kind, length = struct.unpack_from("<HH", records, position)
        if kind == 0x2F:  # noqa: PLR2004
            return True
        position += 4 + length
    return False
