"""In which encoding is a text file, and how is it read as UTF-8?"""

import codecs
import mmap
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, BinaryIO, Final

from prep.errors import SettingsError, SourceError
from prep.sources.codepages import CODE_PAGES
from prep.sources.files import opened, page_aligned
from prep.sources.legacy import decide, is_likely_utf8
from prep.sources.survey import Survey, survey

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_SAVE_AS_UTF8 = 'Open it in the program that wrote it and save it as "CSV UTF-8".'
_EXPORT = "Export the table as CSV UTF-8 instead."
_UNPACK = "Unpack it and give the file inside."
_KINDS: Final[tuple[tuple[tuple[bytes, ...], str, str], ...]] = (
    ((b"\xd0\xcf\x11\xe0",), "an old or protected Excel workbook", _SAVE_AS_UTF8),
    ((b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00"), "a compressed file", _UNPACK),
    ((b"7z\xbc\xaf", b"Rar!"), "an archive", _UNPACK),
    ((b"PAR1",), "a Parquet file", _SAVE_AS_UTF8),
    ((b"ARROW1",), "an Arrow file", _SAVE_AS_UTF8),
    ((b"%PDF-",), "a PDF", _EXPORT),
    ((b"{\\rtf",), "a rich text document", _SAVE_AS_UTF8),
    ((b"SQLite format 3\x00",), "an SQLite database", _EXPORT),
    ((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), "a picture", _EXPORT),
)
_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_WORKBOOK_PART = re.compile(rb"\[Content_Types\]\.xml|xl/|application/vnd\.oasis")

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Longest first where one begins like another: https://www.unicode.org/faq/utf_bom.html#bom4"""

_NO_TEXT_ENCODINGS: Final = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "mbcs", "oem"}
)
_BINARY_NULS = 0.05
_FEW_NULS = 16  # these may be an accident of single records
_CHUNK_BYTES = 1 << 20
_PART_BYTES = 1 << 16
_BROKEN_LINES_PER_VALID_LINE = 10
_LONE_SURROGATE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class TextEncoding:
    """How the bytes of a text file become characters.

    Attributes:
        name: A Python codec: `utf-8`, `utf-8-sig`, `utf-16-le`, `cp1252`, …
        bom_bytes: Length of the byte order mark that comes first, 0 without one.
        notes: What was decided and may be wrong, a sentence each.
    """

    name: str
    bom_bytes: int = 0
    notes: tuple[str, ...] = ()


def find_encoding(path: str, given: str | None = None) -> TextEncoding:
    """Find out the encoding of a text file from all of its bytes, or take the given one.

    Args:
        path: The file.
        given: Name of a Python codec, where the user knows. It is not doubted: what it cannot decode shows
            up as broken lines. But it may be meant for other files: one that has the mark of UTF-8, and is
            that to its end, is read so.

    Raises:
        SourceError: The file is missing, unreadable, empty (`empty_source`), no text (`not_text`), or may
            well be in either of several encodings that differ (`ambiguous_encoding`).
        SettingsError: `given` names no text encoding (`bad_encoding`).
    """
    codec = None if given is None else _codec_name(given)
    with opened(path) as file:
        head = file.read(_CHUNK_BYTES)
        _refuse_foreign(head, path)
        announced, bom_bytes = _announced(head)
        if codec is not None:
            return _unless_marked(_given(codec, announced, bom_bytes, head), announced, head, file)
        if announced.startswith(("utf-16", "utf-32")):
            return TextEncoding(announced, bom_bytes)
        if not bom_bytes and (wide := _wide(head)):
            return TextEncoding(wide)
        _refuse_binary(head, path)
        if _JAPANESE_MAIL.search(head) and _decodes("iso2022_jp", head):
            return TextEncoding("iso2022_jp", bom_bytes, (_READ_AS_JAPANESE_MAIL,))
        high_bytes = _high_bytes_if_utf8(head, file)
    if high_bytes is not None and (high_bytes > _TELLING_BYTES or bom_bytes or not high_bytes):
        return TextEncoding(announced, bom_bytes)
    return _judged(path, announced, bom_bytes)


def as_utf8(file: BinaryIO, encoding: TextEncoding) -> BinaryIO:
    """Read a file as UTF-8 without a byte order mark.

    Line ends stay what they are, and every character becomes itself. Bytes that cannot be decoded become
    bytes that are not valid UTF-8 whatever stands beside them.

    Args:
        file: Opened, at its start.
        encoding: What `find_encoding` returned.

    Returns:
        A stream to read from; where the file is UTF-8, the file itself past its byte order mark.
    """
    file.read(encoding.bom_bytes)
    if encoding.name in {"utf-8", "utf-8-sig"}:
        return file
    return BufferedReader(_Transcoder(file, encoding.name), _CHUNK_BYTES)


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


class _Transcoder(RawIOBase):
    """Decodes a file and encodes it as UTF-8, a chunk at a time."""

    def __init__(self, file: BinaryIO, codec: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(codec)("prep.marked")
        self._ready = memoryview(b"")
        self._is_at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        while not self._ready and not self._is_at_end:
            chunk = self._file.read(_CHUNK_BYTES)
            self._is_at_end = not chunk
            text = self._decoder.decode(chunk, final=self._is_at_end)
            self._ready = memoryview(text.encode("utf-8", "surrogateescape"))
        target = memoryview(buffer).cast("B")
        taken = min(len(target), len(self._ready))
        target[:taken] = self._ready[:taken]
        self._ready = self._ready[taken:]
        return taken


def _marked(error: UnicodeError) -> tuple[str, int]:
    """Stand-ins of bytes that cannot be decoded, which `surrogateescape` turns into bytes again.

    Each byte stands for itself where that can never be part of valid UTF-8. One that could begin a
    character is followed by FF, which cannot continue one; an ASCII byte would be valid and becomes FF.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return "".join(_STAND_INS[byte] for byte in broken), error.end


_ASCII_BYTES, _FIRST_LEAD_BYTE = 0x80, 0xC0
_NEVER_VALID = "\udcff"
_STAND_INS: Final = (
    *[_NEVER_VALID] * _ASCII_BYTES,
    *(chr(0xDC00 + byte) for byte in range(_ASCII_BYTES, _FIRST_LEAD_BYTE)),
    *(chr(0xDC00 + byte) + _NEVER_VALID for byte in range(_FIRST_LEAD_BYTE, 0xFF)),
    _NEVER_VALID,
)
codecs.register_error("prep.marked", _marked)


def _codec_name(given: str) -> str:
    try:
        info = codecs.lookup(given)
    except (LookupError, ValueError, UnicodeError):
        info = None
    # The attribute is how Python itself keeps rot13 and base64 out of bytes.decode.
    if info is None or not getattr(info, "_is_text_encoding", True) or info.name in _NO_TEXT_ENCODINGS:
        raise SettingsError(
            f"{given!r} is no text encoding that can be read",
            code="bad_encoding",
            hint="It takes names such as utf-8, cp1252, iso-8859-2, utf-16-le, mac_roman, cp932 or gb18030.",
        )
    return info.name


def _given(codec: str, announced: str, bom_bytes: int, head: bytes) -> TextEncoding:
    family = codec.removesuffix("-sig")
    if family in {"utf-16", "utf-32"}:
        found = announced if bom_bytes else _wide(head) or ""
        codec = found if found.startswith(family) else f"{family}-le"
    if family == "utf-8":
        codec = "utf-8-sig" if announced == "utf-8-sig" else "utf-8"
    if codec == "utf-16-le" and announced == "utf-32-le":
        bom_bytes = len(codecs.BOM_UTF16_LE)
    return TextEncoding(_usual_names().get(codec, codec), bom_bytes)


def _unless_marked(given: TextEncoding, announced: str, head: bytes, file: BinaryIO) -> TextEncoding:
    """The given encoding, but for a file that is in the one which its mark announces."""
    is_other = announced == "utf-8-sig" and not given.name.startswith("utf")
    if is_other and _high_bytes_if_utf8(head[given.bom_bytes :], file):
        return TextEncoding(announced, given.bom_bytes, (_MARK_DECIDES.format(given.name),))
    return given


@cache
def _usual_names() -> Mapping[str, str]:
    """The names that code pages are usually called by; to look them all up takes a while."""
    return {codecs.lookup(page.name).name: page.name for page in CODE_PAGES}


def _announced(head: bytes) -> tuple[str, int]:
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name, len(bom)
    return "utf-8", 0


def _high_bytes_if_utf8(head: bytes, file: BinaryIO) -> int | None:
    """Count the bytes beyond ASCII in text that is valid UTF-8 to its end; None if it is not.

    The text is read into one buffer and decoded in small parts: fetching memory costs more than decoding.
    """
    high_bytes, begin = 0, mmap.PAGESIZE
    with memoryview(page_aligned(begin + _CHUNK_BYTES)) as view:
        start, end = begin, begin + len(head)
        view[start:end] = head
        while True:
            while start < end:
                try:
                    part = view[start : min(start + _PART_BYTES, end)]
                    characters, used = codecs.utf_8_decode(part, "strict", False)
                except UnicodeDecodeError:
                    return None
                if not used:
                    break
                start += used
                high_bytes += used - len(characters)
            rest = end - start
            view[begin - rest : begin] = view[start:end]
            count = file.readinto(view[begin:])  # type: ignore[attr-defined]  # every stream here has it
            if not count:
                return None if rest else high_bytes
            start, end = begin - rest, begin + count


def _judged(path: str, announced: str, bom_bytes: int) -> TextEncoding:
    """Decide about text that may not be UTF-8 by the lines that hold more than ASCII.

    In UTF-8 most of them are valid, but for those that another program spoiled; in a legacy code page hardly
    one is valid, and only by accident.
    """
    found = survey(path, bom_bytes)
    if found.controls > _BINARY_NULS:
        raise _no_text(path, "a binary file (it is full of control characters)", _EXPORT)
    if found.broken_lines >= found.valid_lines * _BROKEN_LINES_PER_VALID_LINE:
        broken_words = tuple(word for word in found.words if word not in found.valid_words)
        return _legacy(path, bom_bytes, replace(found, words=broken_words or found.words))
    if found.valid_lines > _TELLING_LINES or is_likely_utf8(found):
        has_doubt = found.broken_lines > found.valid_lines
        return TextEncoding(announced, bom_bytes, (_MANY_BROKEN,) if has_doubt else ())
    try:
        return _legacy(path, bom_bytes, found)
    except SourceError:
        if found.broken_lines:
            raise
        return TextEncoding(announced, bom_bytes, (_UNLIKELY_WORDS,))


def _legacy(path: str, bom_bytes: int, found: Survey) -> TextEncoding:
    name, notes = decide(path, bom_bytes, found)
    return TextEncoding(name, bom_bytes, notes)


_MARK_DECIDES: Final = "read as UTF-8, as its byte order mark says and all of its bytes do, not as {}"
_TELLING_BYTES = 40
_TELLING_LINES = 20
_JAPANESE_MAIL: Final = re.compile(rb"\x1b\$[B@]")
_READ_AS_JAPANESE_MAIL = "read as iso2022_jp (Japanese, as in mail); --encoding NAME decides otherwise"
_UNLIKELY_WORDS = "read as UTF-8, though that makes unlikely words; --encoding NAME decides otherwise"
_MANY_BROKEN = "read as UTF-8, though most lines beyond ASCII are not; --encoding NAME decides otherwise"


def _decodes(codec: str, head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_foreign(head: bytes, path: str) -> None:
    if len(head) < _CHUNK_BYTES and not _without_bom(head).strip(b"\r\n \t"):
        raise SourceError(
            f"{path}: the file is empty",
            code="empty_source",
            hint="It needs a header line and at least one row.",
            source=path,
        )
    for signatures, kind, hint in _KINDS:
        if head.startswith(signatures):
            raise _no_text(path, kind, hint)
    if head.startswith(_ZIP_SIGNATURES):
        if _WORKBOOK_PART.search(head):
            raise _no_text(path, "an Excel or OpenDocument workbook", _SAVE_AS_UTF8)
        raise _no_text(path, "a zip archive", _UNPACK)


def _without_bom(head: bytes) -> bytes:
    name, bom_bytes = _announced(head)
    text = head[bom_bytes:]
    return text if name.startswith("utf-8") else text.replace(b"\0", b"")


def _refuse_binary(head: bytes, path: str) -> None:
    if head.count(0) > max(_FEW_NULS, len(head) * _BINARY_NULS):
        raise _no_text(path, "a binary file (it is full of NUL bytes)", _EXPORT)


def _no_text(path: str, kind: str, hint: str) -> SourceError:
    return SourceError(f"{path}: this is {kind}, not delimited text", code="not_text", hint=hint, source=path)


_ONE_SIDED = 0.9  # of the NULs, in UTF-16: rarely does a character beyond Latin have one on the other side
_MARKS: Final = b"\n\r,;\t|"
_WIDE_MARKS = 0.5  # of all bytes that look like one: bytes of other characters may look so by accident
_TABLE_NULS = 0.02  # of all bytes: the delimiters, line ends, digits and addresses of a table of any script


def _wide(head: bytes) -> str | None:
    """Name the UTF-16 or UTF-32 that a text without byte order mark is in, judged by where its NULs are."""
    if head.count(0) <= len(head) * _TABLE_NULS:
        return None
    nuls = [head[place::4].count(0) for place in range(4)]
    quarter = max(len(head) // 4, 1)
    if min(nuls[2], nuls[3]) >= _ONE_SIDED * quarter:
        return _if_text("utf-32-le", head)
    if min(nuls[0], nuls[1]) >= _ONE_SIDED * quarter:
        return _if_text("utf-32-be", head)
    if nuls[1] + nuls[3] >= _ONE_SIDED * sum(nuls) and _marks_are_wide(head, head[1::2], head[::2]):
        return _if_text("utf-16-le", head)
    if nuls[0] + nuls[2] >= _ONE_SIDED * sum(nuls) and _marks_are_wide(head, head[::2], head[1::2]):
        return _if_text("utf-16-be", head)
    return None


def _marks_are_wide(head: bytes, high: bytes, low: bytes) -> bool:
    """Whether line ends and delimiters are characters of two bytes; else the NULs are dirt in other text."""
    wide = sum(mark in _MARKS and not above for above, mark in zip(high, low, strict=False))
    return wide >= _WIDE_MARKS * sum(head.count(mark) for mark in _MARKS)


def _if_text(codec: str, head: bytes) -> str | None:
    text = head.decode(codec, "replace")[:_JUDGED_CHARACTERS]
    odd = sum(
        not (char.isprintable() or char.isspace() or unicodedata.category(char) == "Cf") for char in text
    )
    has_lines = "\n" in text or "\r" in text or len(text) < _LONG_LINE
    return codec if has_lines and odd <= len(text) * _ODD_CHARACTERS else None


_JUDGED_CHARACTERS = 20_000
_LONG_LINE = 4096
_ODD: Final = frozenset({"Cc", "Cn", "Co", "Cs"})
_ODD_CHARACTERS = 0.02
