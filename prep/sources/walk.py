"""The odd lines of a block: which of them are records, where these end, and what the others are."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from prep.model import Reason
from prep.sources.batch import MOST_SKIPPED, REJECTED_SCHEMA, Skipped
from prep.sources.encoding import is_utf8
from prep.sources.records import MARKS, Layout, split

MAX_RECORD_BYTES: Final = 10_000_000
"""A cell that is still open when its record is as long as this was never meant to be open."""
MAX_FOOTER_LINES: Final = 100
"""How many lines at the end of a source may be its footer, blank ones among them included."""

_NUL = b"\0"

OddLine = tuple[int, int, int]
"""A line's index in its block, the position of its first byte and that of the next line's."""


class Walk:
    """The way through a block from one odd line to the next.

    Lines are indexes within the block.

    Attributes:
        lines: How many lines of the block were read.
        holds_nul: There are NUL characters, or bytes that are not UTF-8, which count as such.
    """

    def __init__(self, text: bytes, layout: Layout, *, final: bool, masked: bytes | None = None) -> None:
        """Stand before the first odd line.

        Args:
            text: The block with LF as line ends, or its odd lines alone where no record goes over several.
            layout: How records are laid out.
            final: Nothing follows the block.
            masked: The text with NUL for each byte that is not UTF-8, where there are such bytes.
        """
        self._text = text
        self._masked = text if masked is None else masked
        self._layout = layout
        self._final = final
        self._end = len(text)
        self.lines = 0
        self._rejected: list[tuple[int, Reason, str]] = []
        self._skipped: list[tuple[int, str]] = []
        self._loose: list[tuple[int, int, bool]] = []
        self._inner_lines: list[int] = []
        self._edits: list[tuple[int, int, bytes]] = []
        self._is_broken = self._masked != text
        self.holds_nul = _NUL in self._masked

    def visit(self, odd_lines: Iterator[OddLine], lines: int) -> None:
        """Decide what each odd line is; those inside a record that began above are passed over.

        It stops where more lines hold no row than may: whoever reads refuses the source then.
        """
        self.lines = lines
        next_start = 0
        for line, start, end in odd_lines:
            if start < next_start:
                continue
            next_start = end
            begin = self._after_marks(start)
            if kind := self._kind(begin, end):
                self._skip(line, begin, end, kind)
                if len(self._skipped) > MOST_SKIPPED:
                    self._end, self.lines = end, line + 1
                    return
            elif begin == start and not self._holds_quote(start, end):
                self._reject(line, start, end)
            elif record_end := self._record(line, begin, end):
                next_start = record_end
            elif self._holds_quote(begin, end) and self._continues_below(begin):
                self._end, self.lines = begin, line
                return
            else:
                self._reject(line, begin, end)
        self._end_with_footer()

    def masks(self) -> tuple[pl.Series, pl.Series]:
        """Tell for each line whether a record starts there, and whether a readable one does."""
        records = pl.repeat(True, self.lines, dtype=pl.Boolean, eager=True)
        records = records.scatter(self._inner_lines + [line for line, _ in self._skipped], False)
        readable = records.clone().scatter([line for line, _, _ in self._rejected], False)
        return records, readable

    def rejected_records(self, rows: pl.Series, lines_above: int) -> pl.DataFrame:
        """Give the table of unreadable records; `rows` holds the row number for each line of the block."""
        lines = pl.Series([line for line, _, _ in self._rejected], dtype=pl.UInt32())
        return pl.DataFrame(
            {
                "_row": rows.gather(lines),
                "_line": lines + lines_above + 1,
                "reason": [reason.value for _, reason, _ in self._rejected],
                "raw": [raw for _, _, raw in self._rejected],
            },
            schema=REJECTED_SCHEMA,
        )

    def skipped_lines(self, lines_above: int) -> tuple[Skipped, ...]:
        """Give the lines that belong to no record, in order."""
        return tuple(Skipped(kind, line + lines_above + 1) for line, kind in sorted(self._skipped))

    def skip_records(self, lines: list[int], kind: str) -> None:
        """Take these readable records for the header, with all lines of each, or for blank lines."""
        inner = sum(name.count("\n") for name in self._layout.header) if kind == "repeated_header" else 0
        self._skipped += [(first + more, kind) for first in lines for more in range(inner + 1)]

    @property
    def unread(self) -> bytes:
        """The rest of the text, which begins with a record or a line that the next block may change."""
        return self._text[self._end :]

    def kept(self) -> bytes:
        """Give the text of the readable records, such that polars splits them as `records.split` would."""
        if not self._edits:
            return self._text[: self._end]
        view = memoryview(self._text)
        pieces: list[bytes | memoryview] = []
        position = 0
        for start, end, replacement in self._edits:
            pieces += (view[position:start], replacement)
            position = end
        return b"".join((*pieces, view[position : self._end]))

    def _kind(self, start: int, end: int) -> str | None:
        """Name what a line is that is no record."""
        if self._layout.is_blank(self._text[start : end - 1]):
            return "blank"
        if self._text.startswith(b"#", start) and self._layout.is_comment(self._masked[start:end]):
            return "comment"
        return None

    def _after_marks(self, start: int) -> int:
        """Leave out the byte order marks before a record; give the place behind them."""
        marks = MARKS.match(self._text, start)
        if marks is None:
            return start
        self._edits.append((start, marks.end(), b""))
        return marks.end()

    def _holds_quote(self, start: int, end: int) -> bool:
        quote = self._layout.dialect.quote_byte
        return bool(quote) and self._text.find(quote, start, end) >= 0

    def _record(self, line: int, start: int, line_end: int) -> int:
        """Take the record that begins here with all its lines; give its end, or 0 if there is none."""
        limit = max(start + MAX_RECORD_BYTES, line_end)
        regular = self._layout.regular_record.match(self._text, start, limit)
        match = regular or self._layout.record.match(self._text, start, limit)
        if match is None:
            return 0
        end = match.end()
        if end > line_end and self._layout.swallows_records(self._text[line_end:end]):
            self._reject(line, start, line_end)
            return line_end
        self._inner_lines.extend(range(line + 1, line + self._text.count(b"\n", start, end)))
        may_be_two = end > line_end and self._layout.may_be_two(self._text[start:end])
        if may_be_two or (self.holds_nul and self._masked.find(_NUL, start, end) >= 0):
            self._reject(line, start, end)
        elif regular is None:
            self._requote(start, end)
        return end

    def _requote(self, start: int, end: int) -> None:
        dialect = self._layout.dialect
        record = split(self._text, start, dialect)
        if record is not None:
            self._edits.append((start, end, dialect.requote(record[0])))

    def _continues_below(self, start: int) -> bool:
        """Tell whether the next block may close what is open here."""
        if self._final or self._end - start >= MAX_RECORD_BYTES:
            return False
        return self._layout.open_record.match(self._text, start) is not None

    def _skip(self, line: int, start: int, end: int, kind: str) -> None:
        self._skipped.append((line, kind))
        self._loose.append((line, start, False))
        self._edits.append((start, end, b""))

    def _reject(self, line: int, start: int, end: int) -> None:
        raw = self._text[start : end - 1]
        reason = Reason.ENCODING if self._is_broken and not is_utf8(raw) else Reason.UNREADABLE_ROW
        self._rejected.append((line, reason, raw.decode(errors="backslashreplace")))
        self._edits.append((start, end, b""))
        if self._layout.is_loose(self._masked[start:end]) and _NUL not in self._masked[start:end]:
            self._loose.append((line, start, True))

    def _end_with_footer(self) -> None:
        """Take the loose lines at the end for a footer, or leave them unread where something may follow."""
        first, position = self._loose_end()
        if first is None:
            return
        self._rejected = [entry for entry in self._rejected if entry[0] < first]
        if self._final:
            taken = {line for line, _ in self._skipped}
            footer = (line for line, _, _ in self._loose if line >= first and line not in taken)
            self._skipped += [(line, "footer") for line in footer]
        else:
            self._skipped = [entry for entry in self._skipped if entry[0] < first]
            self._edits = [edit for edit in self._edits if edit[0] < position]
            self._end, self.lines = position, first

    def _loose_end(self) -> tuple[int | None, int]:
        """Find the first line that may be of the footer, and where it starts."""
        first, position = None, self._end
        expected = self.lines - 1
        for line, start, may_be_footer in reversed(self._loose):
            if line != expected or self.lines - line > MAX_FOOTER_LINES:
                break
            if may_be_footer:
                first, position = line, start
            expected = line - 1
        return first, position
