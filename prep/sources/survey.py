"""A look at all lines of a text file that is not Unicode: which words can tell its encoding?"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final
from zlib import crc32

from prep.sources.files import opened

_CHUNK_BYTES = 1 << 20
_THOROUGH_CHUNKS = 4
_GLANCE_BYTES = 8 * 1024  # of each chunk beyond those
_MAX_WORDS = 1000
_MAX_PLAIN_WORDS = 200
_MAX_WORD_BYTES = 240
_FIRST_LINES = 3

_HIGH_BYTE: Final = re.compile(rb"[\x80-\xff]")
_WORD: Final = re.compile(rb"(?<![^\x00-\x2f\x3a-\x3f])[0-9\x40-\x7f]*+[\x80-\xff][^\x00-\x2f\x3a-\x3f]*+")
"""A piece with bytes beyond ASCII. It ends at bytes that are the second half of a character in no encoding:
those from 40, and digits, may be one."""

_PLAIN_WORD: Final = re.compile(rb"(?<![0-9\x40-\xff])[A-Za-z]{3,20}+(?![0-9\x40-\xff])")
_ADDRESS: Final = re.compile(rb"[^\s,;\t|\"]{0,64}@[A-Za-z0-9.-]{1,190}")
_COUNTRY_DOMAIN: Final = re.compile(rb"\.([A-Za-z]{2})\Z")
_DIALLING_CODE: Final = re.compile(rb"(?<![0-9])(?:\+|\b00)([1-9][0-9] ?[0-9])")


@dataclass(frozen=True)
class Survey:
    """What the lines of a file hold.

    Attributes:
        valid_lines: How many lines are valid UTF-8 and more than ASCII.
        broken_lines: How many lines are not valid UTF-8.
        words: Distinct pieces with bytes beyond ASCII, spread over the whole file; each such byte occurs.
        valid_words: Those of valid lines.
        plain: Distinct words in ASCII: those of the first lines, then others.
        domains: How many addresses end in a country's domain, by domain.
        dialling_codes: How many numbers begin with a country's code, by its first three digits.
        controls: Share of control characters among all bytes.
    """

    valid_lines: int
    broken_lines: int
    words: tuple[bytes, ...]
    valid_words: tuple[bytes, ...]
    plain: tuple[bytes, ...]
    domains: Counter[str]
    dialling_codes: Counter[str]
    controls: float


class _Sampler:
    """Keeps some of the distinct words it is offered, each with the same chance wherever it stands."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._one_in = 1
        self.kept: dict[bytes, None] = {}

    def offer(self, word: bytes) -> None:
        if word not in self.kept and crc32(word) % self._one_in == 0:
            self.kept[word] = None
            if len(self.kept) > self._limit:
                self._one_in *= 2
                self.kept = {word: None for word in self.kept if crc32(word) % self._one_in == 0}


def survey(path: str, bom_bytes: int) -> Survey:
    """Look at a file: its first MBs, and in each MB after them some lines with more than ASCII.

    Raises:
        SourceError: The file is missing or unreadable.
    """
    notes = _Notes()
    for number, line in enumerate(_lines(path, bom_bytes)):
        notes.take(line, is_first=number < _FIRST_LINES)
    return Survey(
        notes.valid_lines,
        notes.broken_lines,
        words=tuple(notes.rare | notes.words.kept),
        valid_words=tuple(notes.valid_words.kept),
        plain=tuple(notes.first | notes.plain.kept),
        domains=notes.domains,
        dialling_codes=notes.codes,
        controls=notes.controls / max(notes.bytes, 1),
    )


class _Notes:
    """What is written down line by line."""

    def __init__(self) -> None:
        self.valid_lines = self.broken_lines = self.bytes = self.controls = 0
        self.words, self.valid_words = _Sampler(_MAX_WORDS), _Sampler(_MAX_PLAIN_WORDS)
        self.first: dict[bytes, None] = {}
        self.plain = _Sampler(_MAX_PLAIN_WORDS)
        self.rare: dict[bytes, None] = {}
        self.domains: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self._high_bytes: set[int] = set()

    def take(self, line: bytes, *, is_first: bool) -> None:
        self.bytes += len(line)
        self.controls += len(line) - len(line.translate(None, _CONTROLS))
        self.codes.update(code.decode().replace(" ", "") for code in _DIALLING_CODE.findall(line))
        text = self._without_addresses(line)
        for word in _PLAIN_WORD.findall(text):
            if is_first:
                self.first[word] = None
            else:
                self.plain.offer(word)
        if not line.isascii():
            self._take_words(text, is_valid=_is_valid(line))

    def _without_addresses(self, line: bytes) -> bytes:
        if b"@" not in line:
            return line
        for address in _ADDRESS.findall(line):
            if found := _COUNTRY_DOMAIN.search(address):
                self.domains[found[1].decode().lower()] += 1
        return _ADDRESS.sub(b" ", line)

    def _take_words(self, text: bytes, *, is_valid: bool) -> None:
        self.valid_lines += is_valid
        self.broken_lines += not is_valid
        unseen = set(text.translate(None, _ASCII)) - self._high_bytes
        self._high_bytes |= unseen
        for word in _WORD.findall(text):
            short = word[:_MAX_WORD_BYTES]
            self.words.offer(short)
            if is_valid:
                self.valid_words.offer(short)
            if unseen and not unseen.isdisjoint(short):
                self.rare[short] = None


_ASCII: Final = bytes(range(0x80))
_CONTROLS: Final = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\x1a\x1b")) + b"\x7f"


def _is_valid(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lines(path: str, bom_bytes: int) -> Iterator[bytes]:
    with opened(path) as file:
        file.read(bom_bytes)
        for number, text in enumerate(_whole_lines(file)):
            yield from (text if number < _THOROUGH_CHUNKS else _glance(text)).splitlines()


def _glance(text: bytes) -> bytes:
    """Take the lines from the first with bytes beyond ASCII on."""
    telling = _HIGH_BYTE.search(text)
    if telling is None:
        return b""
    start = text.rfind(b"\n", 0, telling.start()) + 1
    end = text.find(b"\n", start + _GLANCE_BYTES)
    return text[start:end] if end >= 0 else text[start:]


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk + file.readline(_CHUNK_BYTES)
