"""What must hold of any bytes given as delimited text; without a file, a thread or a process, for speed."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Final, TypeVar
from unittest.mock import patch

from prep.errors import PrepError
from prep.model import Reading
from prep.sources import Batch
from prep.sources.delimited import DelimitedSource, _pieces, open_delimited
from prep.sources.encoding import TextEncoding, _high_bytes_if_utf8, as_utf8, is_utf8, mask_invalid
from prep.sources.records import Dialect, Layout, split, with_line_feeds
from tests.slow_reader import Outcome, Table, read_slowly, split_slowly

PATH: Final = "fuzzed.csv"
_OPENERS = ("delimited", "encoding", "survey", "legacy")
_SMALL: Final = 4096  # for buffers that are large by default
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_HEADER_LINES = (None, None, None, 0, 1, 2)
_LOOKUPS = (None, 0, 1, 2)
_QUOTES = (None, None, None, '"', "'", "")
_MOST_BLOCKS = 4
_AGAIN_EVERY = 5
_UNKNOWN_EVERY = 16
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class BrokenPromiseError(AssertionError):
    """Something did not hold; the message says what."""


class _Bytes(io.BytesIO):
    """Stands for an opened file."""

    sha256 = "digest"
    share = 1.0


class _Content:
    """The bytes that stand for the file at present."""

    def __init__(self) -> None:
        self.bytes = b""

    @contextmanager
    def opened(self, _: str, *, digesting: bool = False) -> Iterator[_Bytes]:  # noqa: ARG002
        yield _Bytes(self.bytes)


_content = _Content()


@contextmanager
def without_files() -> Iterator[None]:
    """Let the reader take the bytes given to `check` for its file, and work in one thread."""

    @contextmanager
    def unhurried(items: Iterator[_Item]) -> Iterator[Iterator[_Item]]:
        yield items

    def in_turn(work: Callable[[_Item], _Result], items: Iterable[_Item], _: int) -> Iterator[_Result]:
        return map(work, items)

    with ExitStack() as stack:
        for module in _OPENERS:
            stack.enter_context(patch(f"prep.sources.{module}.opened", _content.opened))
        stack.enter_context(patch("prep.sources.delimited.ahead", unhurried))
        stack.enter_context(patch("prep.sources.delimited.side_by_side", in_turn))
        stack.enter_context(patch("prep.sources.encoding._CHUNK_BYTES", _SMALL))
        yield


def check(data: bytes) -> bool:
    """Read bytes in several ways and compare, within `without_files`; the first two bytes choose options.

    Returns:
        Whether they could be read at all.

    Raises:
        BrokenPromiseError: A line is accounted for twice or never, rows are not numbered one after the other,
            a reader that goes byte by byte finds something else, or the outcome depends on block borders or
            on what was said about the source beforehand.
    """
    first, second, content = data[:1].ljust(1)[0], data[1:2].ljust(1)[0], data[2:]
    reading = Reading(
        encoding=None if second % _UNKNOWN_EVERY == 0 else "utf-8",
        quote=_QUOTES[second // _UNKNOWN_EVERY % len(_QUOTES)],
        header_line=_HEADER_LINES[first % len(_HEADER_LINES)],
    )
    lookup = _LOOKUPS[first // 6 % len(_LOOKUPS)]
    blocks = 1 + first // 24 % _MOST_BLOCKS
    _content.bytes = content
    try:
        source = open_delimited(PATH, reading)
    except PrepError as error:
        _require(bool(error.message and error.hint), "a refusal says what to do")
        return False
    lookup = None if lookup is None or lookup >= len(source.columns) else lookup
    text = as_utf8(_Bytes(content), source.encoding).read()
    outcome = _outcome(source, lookup, len(content) // blocks + 1)
    _require(_lines(outcome) == len(_LINE.findall(text)), "every line is accounted for once")
    rows = sorted([row for row, _ in outcome.readable] + [row for row, *_ in outcome.rejected])
    _require(rows == list(range(1, outcome.rows + 1)), "rows are numbered one after the other")
    _compare(outcome, source, lookup, text)
    if second % _AGAIN_EVERY == 0:
        again = open_delimited(PATH, source.reading)
        found = (again.columns, again.skipped, again.surplus)
        _require(found == (source.columns, source.skipped, source.surplus), "opened again, it is the same")
        if blocks > 1 or source.surplus:
            _require(_outcome(again, lookup, len(content) + 1) == outcome, "block borders change nothing")
    return True


def _compare(outcome: Outcome, source: DelimitedSource, lookup: int | None, text: bytes) -> None:
    table = Table(
        columns=len(source.columns),
        delimiter=source.dialect.delimiter,
        quote=source.dialect.quote,
        escape=source.dialect.escape,
        lookup=lookup,
        surplus=source.surplus,
        names=source.columns if source.reading.header_line and any(source.columns) else (),
    )
    above = len(source.skipped)
    expected = read_slowly(text[source.body_offset :], table, first_line=above + 1)
    _require(
        replace(outcome, skipped=outcome.skipped[above:]) == expected, "a reader byte by byte finds the same"
    )


def _outcome(source: DelimitedSource, lookup: int | None, block_bytes: int) -> Outcome:
    """Everything that reading gives, whatever the borders of batches."""
    reader = source.read(lookup, block_bytes=block_bytes)
    outcome = Outcome()
    for batch in reader:
        rows = batch.cells.rows()
        outcome.cells += [row[:-2] for row in rows]
        outcome.readable += [row[-2:] for row in rows]
        outcome.rejected += batch.rejected.rows()
        outcome.skipped += _entries(batch)
    outcome.rows, outcome.lines = reader.rows, reader.lines
    return outcome


def _entries(batch: Batch) -> list[tuple[str, int]]:
    return [(entry.kind, entry.line) for entry in batch.skipped]


def _lines(outcome: Outcome) -> int:
    inside = sum(cell.count("\n") for row in outcome.cells for cell in row if cell)
    raws = sum(raw.count("\n") + 1 for *_, raw in outcome.rejected)
    return len(outcome.cells) + inside + len(outcome.skipped) + raws


def check_records(data: bytes) -> bool:
    """Split the records of a text with every pattern there is, and byte by byte; as `check`."""
    first, second, content = data[:1].ljust(1)[0], data[1:2].ljust(1)[0], data[2:]
    table = Table(
        columns=1 + first % 4,
        delimiter=",;\t|"[first // 4 % 4],
        quote=('"', '"', "'", "")[second % 4],
        escape=("double", "backslash")[second // 4 % 2],
    )
    dialect = Dialect(table.delimiter, table.quote, table.escape)
    layout = Layout(dialect, table.columns, surplus=False)
    text = with_line_feeds(content)
    text = text if text.endswith(b"\n") else text + b"\n"
    position = 0
    while position < len(text):
        expected = split_slowly(text, position, table)
        _require(split(text, position, dialect) == expected, "a record is split as byte by byte")
        fits = expected is not None and len(expected[0]) == table.columns
        match = layout.record.match(text, position)
        end = match.end() if match else None
        _require(end == (expected[1] if expected and fits else None), "the pattern of records finds its end")
        regular = layout.regular_record.match(text, position)
        if regular:
            _require(regular.end() == end, "a regular record is a record")
        if expected and fits and b"\0" not in text[position : expected[1]]:
            again = split(dialect.requote(expected[0]), 0, dialect.doubling) if table.quote else expected
            _require(again is not None and again[0] == expected[0], "requoted cells are the same cells")
        _require(match is not None or regular is None, "what is regular is a record")
        position = text.index(b"\n", position) + 1
    _check_pieces(content, 1 + second)
    return True


def _check_pieces(content: bytes, size: int) -> None:
    pieces = list(_pieces(io.BytesIO(content), size))
    _require(b"".join(piece.lines for piece in pieces) == content, "pieces are the whole text")
    _require([piece.final for piece in pieces] == [False] * (len(pieces) - 1) + [True], "the last is final")
    for piece, following in pairwise([piece.lines for piece in pieces if piece.lines]):
        whole = piece.endswith(b"\n") or (piece.endswith(b"\r") and not following.startswith(b"\n"))
        _require(whole, "pieces are cut at line ends")


def check_encoding(data: bytes) -> bool:
    """Judge UTF-8 in buffers of several sizes, transcode, and mask; as `check`."""
    first, second, content = data[:1].ljust(1)[0], data[1:2].ljust(1)[0], data[2:]
    characters = _decoded(content)
    with patch.multiple("prep.sources.encoding", _CHUNK_BYTES=8 + first % 64, _PART_BYTES=4 + second % 32):
        file = io.BytesIO(content)
        head = file.read(8 + first % 64)
        found = _high_bytes_if_utf8(head, file)
    expected = None if characters is None else len(content) - len(characters)
    _require(found == expected, "valid UTF-8 is valid UTF-8 whatever the buffers")
    _require(is_utf8(content) == (characters is not None), "valid UTF-8 is known")
    masked = mask_invalid(content)
    _require(is_utf8(masked) and len(masked) == len(content), "a masked text is as long, and UTF-8")
    _require((masked == content) == (characters is not None), "only what is invalid is masked")
    codec = _CODECS[second % len(_CODECS)]
    text = as_utf8(io.BytesIO(content), TextEncoding(codec)).read()
    whole = content.decode(codec, "replace")
    is_sound = _decoded(content, codec) is not None
    _require(is_utf8(text) == is_sound, "what cannot be decoded is not valid UTF-8, all else is")
    _require(not is_sound or text.decode() == whole, "what can be decoded is itself")
    return True


_CODECS = ("cp1252", "cp1250", "latin-1", "cp932", "gb18030", "utf-16-le", "utf-16-be", "shift_jis", "cp1251")


def _decoded(content: bytes, codec: str = "utf-8") -> str | None:
    try:
        text = content.decode(codec)
        text.encode()
    except UnicodeError:
        return None
    return text


LAYERS: Final = {"reader": check, "records": check_records, "encoding": check_encoding}


def _require(holds: bool, promise: str) -> None:  # noqa: FBT001
    if not holds:
        raise BrokenPromiseError(promise)
