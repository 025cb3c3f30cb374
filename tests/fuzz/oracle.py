"""What must hold of any bytes given as delimited text; without a file, for speed."""

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from prep.errors import PrepError
from prep.model import Reading
from prep.sources import Batch
from prep.sources.delimited import DelimitedSource, open_delimited
from prep.sources.encoding import as_utf8

PATH = "fuzzed.csv"
_OPENERS = ("delimited", "encoding", "codepages")
_MOST_BLOCKS = 8
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_HEADER_LINES = (None, None, None, 0, 1, 2)
_LOOKUPS = (None, 0, 1, 2)
_QUOTES = (None, None, None, '"', "'", "")
_ENCODINGS = ("utf-8", "utf-8", "utf-8", None)


class _Bytes(io.BytesIO):
    """Stands for an opened file."""

    sha256 = ""


class BrokenPromiseError(AssertionError):
    """Something did not hold; the message says what."""


def check(data: bytes) -> bool:
    """Read bytes in every way and compare; the first two bytes choose options.

    Returns:
        Whether they could be read at all.

    Raises:
        BrokenPromiseError: A line is accounted for twice or never, rows are not numbered one after the other,
            or the outcome depends on block borders or on what was said about the source beforehand.
    """
    first, second, content = data[:1].ljust(1)[0], data[1:2].ljust(1)[0], data[2:]
    reading = Reading(
        encoding=_ENCODINGS[second % len(_ENCODINGS)],
        quote=_QUOTES[second // 4 % len(_QUOTES)],
        header_line=_HEADER_LINES[first % len(_HEADER_LINES)],
    )
    lookup = _LOOKUPS[first // 8 % len(_LOOKUPS)]
    with _content(content):
        try:
            source = open_delimited(PATH, reading)
            found = list(source.read(lookup))
        except PrepError as error:
            _require(bool(error.message and error.hint), "a refusal says what to do")
            return False
        _require(_lines(found) == _physical_lines(content, source), "every line is accounted for once")
        rows = sorted(
            row for batch in found for frame in (batch.cells, batch.rejected) for row in frame["_row"]
        )
        _require(rows == list(range(1, len(rows) + 1)), "rows are numbered one after the other")
        again = open_delimited(PATH, source.reading)
        _require(again.columns == source.columns, "the columns are the same when opened again")
        block_bytes = 1 + len(content) // (1 + second % _MOST_BLOCKS)
        retold = _told(list(again.read(lookup, block_bytes=block_bytes)))
        _require(_told(found) == retold, "opened again and read in small blocks, it is the same")
    return True


@contextmanager
def _content(content: bytes) -> Iterator[None]:
    """Let the reader take these bytes for the file."""

    @contextmanager
    def opened(_: str) -> Iterator[_Bytes]:
        yield _Bytes(content)

    with ExitStack() as stack:
        for module in _OPENERS:
            stack.enter_context(patch(f"prep.sources.{module}.opened", opened))
        yield


def _told(batches: list[Batch]) -> tuple[list[tuple[object, ...]], ...]:
    """Everything that batches tell, whatever their borders."""
    return (
        [row for batch in batches for row in batch.cells.rows()],
        [row for batch in batches for row in batch.rejected.rows()],
        [(entry.kind, entry.line) for batch in batches for entry in batch.skipped],
    )


def _lines(batches: list[Batch]) -> int:
    cells: list[tuple[str | None, ...]] = [row[:-2] for batch in batches for row in batch.cells.rows()]
    raws: list[str] = [raw for batch in batches for raw in batch.rejected["raw"]]
    inside = sum(cell.count("\n") for row in cells for cell in row if cell)
    skipped = sum(len(batch.skipped) for batch in batches)
    return len(cells) + inside + skipped + sum(raw.count("\n") + 1 for raw in raws)


def _physical_lines(content: bytes, source: DelimitedSource) -> int:
    return len(_LINE.findall(as_utf8(_Bytes(content), source.encoding).read()))


def _require(holds: bool, promise: str) -> None:  # noqa: FBT001
    if not holds:
        raise BrokenPromiseError(promise)
