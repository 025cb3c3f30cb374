"""Is it text, and is it UTF-8? Anything else is refused with what it looks like and what to do."""

import codecs
import re
from io import TextIOWrapper

from prep.errors import SourceError
from prep.sources.files import opened

BOM = codecs.BOM_UTF8

_SAVE_AS_UTF8 = 'Open it in the program that wrote it and save it as "CSV UTF-8".'
_UNPACK = "Unpack it and give the file inside."
_KINDS: tuple[tuple[tuple[bytes, ...], str, str], ...] = (
    ((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"), "UTF-32 text", _SAVE_AS_UTF8),
    ((b"\xff\xfe", b"\xfe\xff"), "UTF-16 text, which Excel calls Unicode Text", _SAVE_AS_UTF8),
    ((b"\xd0\xcf\x11\xe0",), "an old or protected Excel workbook", _SAVE_AS_UTF8),
    ((b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00"), "a compressed file", _UNPACK),
    ((b"7z\xbc\xaf", b"Rar!"), "an archive", _UNPACK),
    ((b"PAR1",), "a Parquet file", _SAVE_AS_UTF8),
    ((b"ARROW1",), "an Arrow file", _SAVE_AS_UTF8),
    ((b"%PDF-",), "a PDF", "Export the table as CSV UTF-8 instead."),
    ((b"{\\rtf",), "a rich text document", _SAVE_AS_UTF8),
    ((b"SQLite format 3\x00",), "an SQLite database", "Export the table as CSV UTF-8 instead."),
)
_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_WORKBOOK_PART = re.compile(rb"\[Content_Types\]\.xml|xl/|application/vnd\.oasis")
_UTF_16_NULS = 0.3  # of all bytes: in Western text nearly every second one
_BINARY_NULS = 0.05
_FEW_NULS = 16  # these may be an accident of single records
_CHUNK_BYTES = 1 << 20
_BROKEN_LINES_PER_VALID_LINE = 10
_LONE_SURROGATE = re.compile("[\udc80-\udcff]")


def recognise(head: bytes, path: str) -> str:
    """Name the encoding that the first bytes of a file announce.

    Args:
        head: The first bytes, up to a few MB.
        path: The file, for messages.

    Returns:
        `utf-8`, or `utf-8-sig` where a byte order mark comes first.

    Raises:
        SourceError: The file is empty (`empty_source`) or no text in UTF-8 (`not_text`, `not_utf8`).
    """
    if not head.removeprefix(BOM).strip(b"\r\n \t"):
        raise SourceError(
            f"{path}: the file is empty",
            code="empty_source",
            hint="It needs a header line and at least one row.",
            source=path,
        )
    if found := _foreign_kind(head):
        kind, hint = found
        code = "not_utf8" if kind.startswith("UTF-") else "not_text"
        raise SourceError(
            f"{path}: this is {kind}, not delimited UTF-8 text", code=code, hint=hint, source=path
        )
    return "utf-8-sig" if head.startswith(BOM) else "utf-8"


def is_utf8(text: bytes) -> bool:
    """Tell whether every byte is part of valid UTF-8."""
    if text.isascii():
        return True
    try:
        codecs.utf_8_decode(text, "strict", True)
    except UnicodeDecodeError:
        return False
    return True


def mask_invalid(text: bytes) -> bytes:
    """Put a NUL for each byte that is not valid UTF-8, so that nothing else moves."""
    return _LONE_SURROGATE.sub("\0", text.decode("utf-8", "surrogateescape")).encode()


def refuse_legacy(path: str) -> None:
    """Refuse a file in another encoding; to be called once bytes that are not UTF-8 were seen.

    The lines decide that hold more than ASCII. In UTF-8 most of them are valid, but for those that another
    program spoiled; in a legacy code page hardly one is valid, and only by accident.

    Raises:
        SourceError: With code `not_utf8`, naming the first line that is not UTF-8.
    """
    valid_lines = 0
    broken_lines = []
    with opened(path) as file, TextIOWrapper(file, encoding="utf-8", errors="surrogateescape") as text:
        number = 1
        while line := text.readline(_CHUNK_BYTES):
            if not line.isascii():
                if _LONE_SURROGATE.search(line):
                    broken_lines.append(number)
                else:
                    valid_lines += 1
            number += line.endswith("\n")
    if not broken_lines or len(broken_lines) < valid_lines * _BROKEN_LINES_PER_VALID_LINE:
        return
    raise SourceError(
        f"{path}: not UTF-8, probably an older code page such as Windows-1252; "
        f"line {broken_lines[0]} is the first with other bytes",
        code="not_utf8",
        hint=_SAVE_AS_UTF8,
        source=path,
    )


def _foreign_kind(head: bytes) -> tuple[str, str] | None:
    for signatures, kind, hint in _KINDS:
        if head.startswith(signatures):
            return kind, hint
    if head.startswith(_ZIP_SIGNATURES):
        if _WORKBOOK_PART.search(head):
            return "an Excel or OpenDocument workbook", _SAVE_AS_UTF8
        return "a zip archive", _UNPACK
    return _kind_with_nuls(head[:_CHUNK_BYTES])


def _kind_with_nuls(head: bytes) -> tuple[str, str] | None:
    nuls = head.count(0)
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) * _UTF_16_NULS and min(even, odd) == 0:
        return "UTF-16 text without a byte order mark", _SAVE_AS_UTF8
    if nuls > max(_FEW_NULS, len(head) * _BINARY_NULS):
        return "a binary file (it is full of NUL bytes)", "Export the table as CSV UTF-8 instead."
    return None
