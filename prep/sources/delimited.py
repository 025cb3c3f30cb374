"""Delimited text in UTF-8 → batches of text cells, in which every record and every line is accounted for."""

import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import SEEK_CUR
from pathlib import Path
from typing import BinaryIO, Final

from prep.errors import SettingsError, SourceError
from prep.sources.batch import Batch, Skipped
from prep.sources.blocks import Block, Place, read_block
from prep.sources.dialect import Dialect, detect
from prep.sources.encoding import BOM, is_utf8, recognise, refuse_legacy
from prep.sources.files import opened
from prep.sources.records import Layout, split, with_line_feeds

BLOCK_BYTES: Final = 32 * 1024 * 1024

_HEAD_BYTES = 4 * 1024 * 1024
_SAMPLE_BYTES = 256 * 1024
_MAX_LINE_BYTES = 64 * 1024 * 1024
_USUAL_LINE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Source:
    """A delimited text file, opened: what was found out before its rows are read.

    Attributes:
        path: The file as the user gave it.
        encoding: `utf-8`, or `utf-8-sig` where a byte order mark comes first.
        delimiter: The character between two cells.
        delimiter_confident: False where the delimiter was detected and another one reads nearly as well.
        columns: The header's cells exactly as written; empty and repeated names are kept.
        header_line: The physical line where the header starts.
        skipped: The lines above the first record: the header's own and blank ones.
        body_offset: How many bytes of the file come before the first record.
    """

    path: str
    encoding: str
    delimiter: str
    delimiter_confident: bool
    columns: tuple[str, ...]
    header_line: int
    skipped: tuple[Skipped, ...]
    body_offset: int


class Reader:
    """The batches of a source, and what is known once they were taken. It can be iterated over once.

    Attributes:
        source: What is read.
        rows: How many records were read so far, rejected ones included.
        lines: How many physical lines were read so far, the header's included.
        sha256: Digest of the whole file in hexadecimal; empty until the last batch was taken.
    """

    def __init__(self, source: Source, *, block_bytes: int = BLOCK_BYTES) -> None:
        self.source = source
        self.rows = 0
        self.lines = len(source.skipped)
        self.sha256 = ""
        self._layout = Layout(source.delimiter, len(source.columns))
        self._is_judged = False
        self._batches = self._read(max(block_bytes, 1))

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def _read(self, block_bytes: int) -> Iterator[Batch]:
        skipped = self.source.skipped
        digest = hashlib.sha256()
        pending = b""
        with opened(self.source.path) as file:
            digest.update(file.read(self.source.body_offset))
            for chunk, final in _chunks(file, block_bytes, digest):
                text, pending = (_with_line_end(pending + chunk), b"") if final else _cut(pending, chunk)
                if text or final:
                    block = self._block(text, final=final)
                    pending = block.unread + pending
                    if skipped or not _is_empty(block.batch):
                        yield replace(block.batch, skipped=skipped + block.batch.skipped)
                        skipped = ()
                self._refuse_endless(pending)
        self.sha256 = digest.hexdigest()

    def _block(self, text: bytes, *, final: bool) -> Block:
        block = read_block(text, self._layout, Place(self.rows, self.lines), final=final)
        if block.is_broken and not self._is_judged:
            refuse_legacy(self.source.path)
            self._is_judged = True
        self.rows, self.lines = block.end
        return block

    def _refuse_endless(self, pending: bytes) -> None:
        if len(pending) > _MAX_LINE_BYTES:
            raise SourceError(
                f"{self.source.path}: line {self.lines + 1} does not end within {_MAX_LINE_BYTES} bytes",
                code="endless_line",
                hint="This is no table of leads, or the file is damaged from there on.",
                source=self.source.path,
            )


def read_batches(source: Source, *, block_bytes: int = BLOCK_BYTES) -> Reader:
    """Read the records of a source, batch by batch.

    Every physical line belongs to one readable record, one rejected record or one skipped entry. A record
    that spans several lines and cannot be read is rejected at its first line alone, and reading resumes on
    the next one, so that an unclosed quote never takes the rows below with it.

    Args:
        source: What `open_source` returned.
        block_bytes: How much of the file is read at a time; a few such blocks are held in memory.

    Returns:
        A reader to iterate over; its `rows` and `sha256` are complete after the last batch. The first
        batch may be without records; it always tells of the header.

    Raises:
        SourceError: While iterating: the file cannot be read any further or turns out not to be UTF-8.
    """
    return Reader(source, block_bytes=block_bytes)


def open_source(path: str | Path, *, delimiter: str | None = None) -> Source:
    """Find out how a file is written: its encoding, its delimiter and its header.

    Args:
        path: A file of delimited text.
        delimiter: The character between two cells where it is known; otherwise it is detected.

    Raises:
        SourceError: The file is missing, unreadable, empty, no text, not UTF-8, or its header cannot be read.
        SettingsError: The delimiter is not a single character that can divide cells.
    """
    name = str(path)
    dialect = None if delimiter is None else Dialect(_valid_delimiter(delimiter), confident=True)
    head = _head(name)
    encoding = recognise(head, name)
    text = _whole_lines(head, name).removeprefix(BOM)
    if not is_utf8(text):
        refuse_legacy(name)
    lines = with_line_feeds(text)
    dialect = dialect or detect(_sample(lines))
    columns, blank_lines, header_lines = _header(lines, dialect.delimiter, name)
    skipped = [Skipped("blank", line + 1) for line in range(blank_lines)]
    skipped += [Skipped("header", blank_lines + line + 1) for line in range(header_lines)]
    return Source(
        path=name,
        encoding=encoding,
        delimiter=dialect.delimiter,
        delimiter_confident=dialect.confident,
        columns=columns,
        header_line=blank_lines + 1,
        skipped=tuple(skipped),
        body_offset=_offset_of_line(head, len(skipped)),
    )


def _valid_delimiter(delimiter: str) -> str:
    if len(delimiter) == 1 and delimiter.isascii() and delimiter not in '"\r\n\0':
        return delimiter
    raise SettingsError(
        f"the delimiter {delimiter!r} cannot divide cells",
        code="bad_delimiter",
        hint="It takes one ASCII character other than the double quote, such as ; or |.",
    )


def _head(path: str) -> bytes:
    with opened(path) as file:
        return file.read(_HEAD_BYTES)


def _whole_lines(head: bytes, path: str) -> bytes:
    if len(head) < _HEAD_BYTES:
        return _with_line_end(head)
    text, _ = _cut(b"", head)
    if text:
        return text
    raise SourceError(
        f"{path}: the first line does not end within {_HEAD_BYTES} bytes",
        code="broken_header",
        hint="It needs a header line and one line for each row.",
        source=path,
    )


def _sample(lines: bytes) -> bytes:
    end = lines.find(b"\n", _SAMPLE_BYTES) + 1
    return lines[:end] if end else lines


def _header(lines: bytes, delimiter: str, path: str) -> tuple[tuple[str, ...], int, int]:
    """Read the header; return its cells, the number of blank lines above it and of its own lines."""
    start = _end(_BLANK_LINES, lines, 0)
    blank_lines = lines.count(b"\n", 0, start)
    record = split(lines, start, delimiter.encode())
    if record is not None:
        cells, end = record
        if is_utf8(lines[start:end]) and b"\0" not in lines[start:end]:
            return tuple(cell.decode() for cell in cells), blank_lines, lines.count(b"\n", start, end)
    raise SourceError(
        f"{path}: the header in line {blank_lines + 1} cannot be split: broken quoting or broken bytes",
        code="broken_header",
        hint="Repair that line; the column names decide where every cell belongs.",
        source=path,
    )


def _offset_of_line(head: bytes, line: int) -> int:
    """Find where a line begins, counted from 0."""
    position = 0
    for _ in range(line):
        position = _end(_LINE, head, position)
    return position


def _end(pattern: re.Pattern[bytes], text: bytes, start: int) -> int:
    match = pattern.match(text, start)
    return start if match is None else match.end()


def _with_line_end(text: bytes) -> bytes:
    return text if not text or text.endswith((b"\n", b"\r")) else text + b"\n"


def _cut(pending: bytes, chunk: bytes) -> tuple[bytes, bytes]:
    """Cut after the last line end. A CR that comes last is none yet: LF may follow it."""
    if not pending and chunk.endswith(b"\n"):
        return chunk, b""
    cut = _last_line_end(chunk)
    if cut:
        return b"".join((pending, memoryview(chunk)[:cut])), chunk[cut:]
    joined = pending + chunk
    cut = _last_line_end(joined)
    return joined[:cut], joined[cut:]


def _last_line_end(text: bytes) -> int:
    line_feed = text.rfind(b"\n")
    return max(line_feed, text.rfind(b"\r", line_feed + 1, len(text) - 1)) + 1


def _is_empty(batch: Batch) -> bool:
    return batch.cells.is_empty() and batch.rejected.is_empty() and not batch.skipped


def _chunks(file: BinaryIO, size: int, digest: "hashlib._Hash") -> Iterator[tuple[bytes, bool]]:
    """Read a file, always one chunk ahead, and tell which chunk is the last; the digest takes them in.

    Chunks are lengthened to the next LF if there is one nearby, which spares copies later.
    """

    def take() -> bytes:
        file.seek(size, SEEK_CUR)
        to_line_end = len(file.readline(_USUAL_LINE_BYTES))
        file.seek(-size - to_line_end, SEEK_CUR)
        chunk = file.read(size + to_line_end)
        digest.update(chunk)
        return chunk

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prep-read") as worker:
        chunk = take()
        while len(chunk) >= size:
            ahead = worker.submit(take)
            yield chunk, False
            chunk = ahead.result()
        yield chunk, True


_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_BLANK_LINES = re.compile(rb"(?:[ \t\v\f]*+\n)*+")
