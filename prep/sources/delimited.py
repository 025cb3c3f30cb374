"""Delimited text → batches of text cells, in which every record and every line is accounted for."""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, NamedTuple

from prep.ahead import ahead, cores, side_by_side
from prep.errors import SourceError
from prep.model import FIND_OUT, Reading
from prep.sources.batch import Batch, Skipped, Source, refuse_many_skipped
from prep.sources.blocks import Block, Parsed, Place, parse, read_block
from prep.sources.encoding import TextEncoding, as_utf8, find_encoding
from prep.sources.files import opened
from prep.sources.head import read_head, refuse_impossible
from prep.sources.records import Dialect, Layout, with_line_feeds, without_marks

BLOCK_BYTES: Final = 4 * 1024 * 1024
"""Larger blocks are parsed no faster, and fetching fresh memory for each would cost half as much again."""

_WAITING: Final = 2
"""Polars parses in threads of its own, for which those that ask wait half of the time."""

_HEAD_BYTES = 4 * 1024 * 1024
_MAX_LINE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class DelimitedSource(Source):
    """A delimited text file, opened.

    Attributes:
        encoding: How its bytes become characters.
        dialect: How cells are told apart.
        skipped: The lines above the first record.
        body_offset: How many bytes of the text, in UTF-8, come before the first record.
        surplus: How many delimiters more than they have columns records may end with.
    """

    encoding: TextEncoding
    dialect: Dialect
    skipped: tuple[Skipped, ...]
    body_offset: int
    surplus: int = 0

    @property
    def may_be_guarded(self) -> bool:
        """It may be."""
        return True

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
        share: How much of the file was read so far; see `Reader`.
    """

    def __init__(
        self, source: DelimitedSource, lookup_position: int | None = None, *, block_bytes: int = BLOCK_BYTES
    ) -> None:
        self.source = source
        self.rows = 0
        self.lines = len(source.skipped)
        self.sha256 = ""
        self.share: float | None = None
        header = source.columns if source.reading.header_line and any(source.columns) else ()
        self._layout = Layout(source.dialect, len(source.columns), header, lookup_position, source.surplus)
        self._batches = self._read(max(block_bytes, 1))

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def _read(self, block_bytes: int) -> Iterator[Batch]:
        skipped = self.source.skipped
        count = len(skipped)
        for block in self._blocks(block_bytes):
            count += len(block.batch.skipped)
            refuse_many_skipped(count, self.source.path)
            self.rows, self.lines = block.end
            if skipped or not _is_empty(block.batch):
                yield replace(block.batch, skipped=skipped + block.batch.skipped)
                skipped = ()

    def _blocks(self, block_bytes: int) -> Iterator[Block]:
        """Read block by block: pieces come from one thread, several others parse them."""
        place = Place(0, len(self.source.skipped))
        pending = b""
        with opened(self.source.path, digesting=True) as file:
            text_file = as_utf8(file, self.source.encoding)
            text_file.read(self.source.body_offset)
            with ahead(_pieces(text_file, block_bytes)) as pieces:
                for piece, parsed in side_by_side(self._parse, pieces, cores() + _WAITING):
                    text = pending + piece.lines if pending else piece.lines
                    known = None if pending else parsed
                    if text or piece.final:
                        block = read_block(text, self._layout, place, final=piece.final, parsed=known)
                        place, pending = block.end, block.unread
                        self.share = file.share
                        yield block
                    self._refuse_endless(len(pending) + piece.rest_bytes, place.lines)
            while file.read(_HEAD_BYTES):
                pass
            self.sha256 = file.sha256

    def _parse(self, piece: "_Piece") -> "tuple[_Piece, Parsed | None]":
        """Parse a piece before it is known whether a record begins with it, as is usual."""
        piece = piece._replace(lines=_with_line_end(piece.lines))
        return piece, parse(piece.lines, self._layout)

    def _refuse_endless(self, unread_bytes: int, lines: int) -> None:
        if unread_bytes > _MAX_LINE_BYTES:
            raise SourceError(
                f"{self.source.path}: line {lines + 1} does not end within {_MAX_LINE_BYTES} bytes",
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
    head = read_head(without_marks(with_line_feeds(text)), reading, path)
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
    if end := _last_line_end(text, len(text)):
        return text[:end]
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


def _last_line_end(text: bytes | bytearray, end: int) -> int:
    """Find where the last line ends. A CR that comes last is no line end yet: LF may follow it."""
    line_feed = text.rfind(b"\n", 0, end)
    return max(line_feed, text.rfind(b"\r", line_feed + 1, end - 1)) + 1


def _is_empty(batch: Batch) -> bool:
    return batch.cells.is_empty() and batch.rejected.is_empty() and not batch.skipped


class _Piece(NamedTuple):
    """A part of a text.

    Attributes:
        lines: Whole lines.
        rest_bytes: Length of the line that was begun behind them.
        final: Nothing follows; the last line may lack its end.
    """

    lines: bytes
    rest_bytes: int
    final: bool


def _pieces(file: BinaryIO, size: int) -> Generator[_Piece]:
    """Read a text, about `size` bytes at a time, into memory that is used again."""
    buffer = bytearray(size)
    held = 0
    while True:
        end = held + _fill(file, memoryview(buffer)[held:])
        final = end < len(buffer)
        cut = end if final else _last_line_end(buffer, end)
        held = end - cut
        with memoryview(buffer) as view:
            lines = bytes(view[:cut])
            view[:held] = view[cut:end]
        yield _Piece(lines, held, final)
        if final:
            return
        if not cut:
            buffer.extend(bytes(size))


def _fill(file: BinaryIO, view: memoryview) -> int:
    """Read until nothing more fits or comes; tell how many bytes it were."""
    filled = 0
    with view:
        while count := file.readinto(view[filled:]):  # type: ignore[attr-defined]  # every stream here has it
            filled += count
    return filled


_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
