"""Delimited text → batches of text cells, in which every record and every line is accounted for."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

from prep.errors import SourceError
from prep.model import FIND_OUT, Reading
from prep.sources.batch import Batch, Skipped, Source
from prep.sources.blocks import Block, Place, read_block
from prep.sources.encoding import TextEncoding, as_utf8, find_encoding
from prep.sources.files import opened
from prep.sources.head import read_head, refuse_impossible
from prep.sources.records import Dialect, Layout, with_line_feeds

BLOCK_BYTES: Final = 32 * 1024 * 1024

_HEAD_BYTES = 4 * 1024 * 1024
_MAX_LINE_BYTES = 64 * 1024 * 1024
_USUAL_LINE_BYTES = 64 * 1024


@dataclass(frozen=True)
class DelimitedSource(Source):
    """A delimited text file, opened.

    Attributes:
        encoding: How its bytes become characters.
        dialect: How cells are told apart.
        skipped: The lines above the first record.
        body_offset: How many bytes of the text, in UTF-8, come before the first record.
        surplus: Records may end with one delimiter more than the header does.
    """

    encoding: TextEncoding
    dialect: Dialect
    skipped: tuple[Skipped, ...]
    body_offset: int
    surplus: bool = False

    def read(
        self, lookup_position: int | None = None, *, block_bytes: int = BLOCK_BYTES
    ) -> "DelimitedReader":
        """Read the records, batch by batch.

        Every physical line belongs to one readable record, one rejected record or one skipped entry. A record
        that spans several lines and cannot be read is rejected at its first line alone, and reading resumes
        on the next one, so that an unclosed quote never takes the rows below with it. The header, where it
        comes again, comments and a footer are skipped.

        Args:
            lookup_position: See `Source.read`.
            block_bytes: How much of the file is read at a time; a few such blocks are held in memory.
        """
        return DelimitedReader(self, lookup_position, block_bytes=block_bytes)


class DelimitedReader:
    """The batches of a source, and what is known once they were taken. It can be iterated over once.

    Attributes:
        source: What is read.
        rows: How many records were read so far, rejected ones included.
        lines: How many physical lines were read so far, the header's included.
        sha256: Digest of the whole file in hexadecimal; empty until the last batch was taken.
    """

    def __init__(
        self, source: DelimitedSource, lookup_position: int | None = None, *, block_bytes: int = BLOCK_BYTES
    ) -> None:
        self.source = source
        self.rows = 0
        self.lines = len(source.skipped)
        self.sha256 = ""
        header = source.columns if source.reading.header_line and any(source.columns) else ()
        self._layout = Layout(source.dialect, len(source.columns), header, lookup_position, source.surplus)
        self._batches = self._read(max(block_bytes, 1))

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def _read(self, block_bytes: int) -> Iterator[Batch]:
        skipped = self.source.skipped
        pending = b""
        with opened(self.source.path, digesting=True) as file:
            text_file = as_utf8(file, self.source.encoding)
            text_file.read(self.source.body_offset)
            for chunk, final in _chunks(text_file, block_bytes):
                text, pending = (_with_line_end(pending + chunk), b"") if final else _cut(pending, chunk)
                if text or final:
                    block = self._block(text, final=final)
                    pending = block.unread + pending
                    if skipped or not _is_empty(block.batch):
                        yield replace(block.batch, skipped=skipped + block.batch.skipped)
                        skipped = ()
                self._refuse_endless(pending)
            while file.read(_HEAD_BYTES):
                pass
            self.sha256 = file.sha256

    def _block(self, text: bytes, *, final: bool) -> Block:
        block = read_block(text, self._layout, Place(self.rows, self.lines), final=final)
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


def open_delimited(path: str, reading: Reading = FIND_OUT) -> DelimitedSource:
    """Find out how a file is written: its encoding, its dialect and its header.

    Args:
        path: A file of delimited text.
        reading: What is known already; the rest is detected.

    Raises:
        SourceError: The file is missing, unreadable, empty, no text, in an encoding or without a header
            that anybody can tell, or its header cannot be read.
        SettingsError: `reading` asks for what is not possible.
    """
    refuse_impossible(reading)
    encoding = find_encoding(path, reading.encoding)
    text = _beginning(path, encoding)
    head = read_head(with_line_feeds(text), reading, path)
    return DelimitedSource(
        path=path,
        reading=Reading(
            encoding=encoding.name,
            delimiter=head.dialect.delimiter,
            quote=head.dialect.quote,
            escape=head.dialect.escape,
            header_line=head.header_line,
        ),
        columns=head.columns,
        encoding=encoding,
        dialect=head.dialect,
        skipped=head.skipped,
        body_offset=_offset_of_line(text, len(head.skipped)),
        surplus=head.surplus,
        notes=(*encoding.notes, *head.notes),
    )


def _beginning(path: str, encoding: TextEncoding) -> bytes:
    """Read the first lines, in UTF-8."""
    with opened(path) as file:
        text = as_utf8(file, encoding).read(_HEAD_BYTES)
    if len(text) < _HEAD_BYTES:
        return _with_line_end(text)
    lines, _ = _cut(b"", text)
    if lines:
        return lines
    raise SourceError(
        f"{path}: the first line does not end within {_HEAD_BYTES} bytes",
        code="broken_header",
        hint="It needs a header line and one line for each row.",
        source=path,
    )


def _offset_of_line(text: bytes, line: int) -> int:
    """Find where a line begins, counted from 0."""
    position = 0
    for _ in range(line):
        position = _end(_LINE, text, position)
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


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """Read a file, always one chunk ahead, and tell which chunk is the last.

    Chunks are lengthened to the next LF if there is one nearby, which spares copies later.
    """

    def take() -> bytes:
        return file.read(size) + file.readline(_USUAL_LINE_BYTES)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prep-read") as worker:
        chunk = take()
        while len(chunk) >= size:
            ahead = worker.submit(take)
            yield chunk, False
            chunk = ahead.result()
        yield chunk, True


_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
