"""A second reader of delimited text, written to be obviously right and slow: one byte after the other."""

import re
import unicodedata
from dataclasses import dataclass, field

from prep.model import Reading
from prep.sources import walk

ACCENTS = "é" * 500  # valid characters enough that no broken byte below makes the file look like a legacy one
ADDRESS = re.compile(rb"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")

MARKS = re.compile(rb"(?:\xef\xbb\xbf)*")


@dataclass
class Outcome:
    cells: list[tuple[str | None, ...]] = field(default_factory=list)
    readable: list[tuple[int, int]] = field(default_factory=list)
    rejected: list[tuple[int, int, str, str]] = field(default_factory=list)
    skipped: list[tuple[str, int]] = field(default_factory=list)
    rows: int = 0
    lines: int = 0


@dataclass(frozen=True)
class Table:
    """How the table below the header is read."""

    columns: int = 2
    delimiter: str = ","
    quote: str = '"'
    escape: str = "double"
    lookup: int | None = None
    names: tuple[str, ...] | None = None
    surplus: int = 0

    @property
    def header(self) -> list[str]:
        return [ACCENTS] * self.columns if self.names is None else list(self.names)

    @property
    def header_line(self) -> bytes:
        return self.delimiter.join(self.header).encode() + b"\n"

    @property
    def reading(self) -> Reading:
        return Reading("utf-8", self.delimiter, self.quote, self.escape, header_line=1)


def split_slowly(text: bytes, start: int, table: Table) -> tuple[list[bytes], int] | None:  # noqa: C901, PLR0912  # one state after the other
    delimiter, quote = table.delimiter.encode(), table.quote.encode()
    cells, cell, state = [], bytearray(), "start"
    for position in range(start, len(text)):
        byte = text[position : position + 1]
        if state == "escaped":
            cell += byte if byte in {quote, b"\\"} else b"\\" + byte
            state = "quoted"
        elif state == "quoted":
            if byte == quote:
                state = "closed"
            elif byte == b"\\" and table.escape == "backslash":
                state = "escaped"
            else:
                cell += byte
        elif state == "closed" and byte == quote:
            cell += byte
            state = "quoted"
        elif byte in {delimiter, b"\n"}:
            cells.append(bytes(cell))
            cell, state = bytearray(), "start"
            if byte == b"\n":
                return cells, position + 1
        elif state in {"closed", "over"}:
            if byte != b" ":
                return None
            state = "over"
        elif state == "start" and byte == quote:
            state = "quoted"
        else:
            cell += byte
            state = "bare"
    return None


def split_record(text: bytes, start: int, table: Table) -> tuple[list[bytes], int] | None:
    """The same without the empty cells at the end, quoted or not, where records may have such."""
    record = split_slowly(text, start, table)
    more = len(record[0]) - table.columns if record else 0
    if record and 0 < more <= table.surplus:
        cells, end = record
        nothing = re.escape(table.quote.encode() * 2)
        empty = rb"(?:%b(?:%b)?){%d}\n\Z" % (re.escape(table.delimiter.encode()), nothing, more)
        if not any(cells[table.columns :]) and re.search(empty, text[start:end]):
            return cells[: table.columns], end
    return record


def read_slowly(body: bytes, table: Table, *, first_line: int = 2) -> Outcome:
    text = re.sub(rb"\r\n|\r", b"\n", body)
    if text and not text.endswith(b"\n"):
        text += b"\n"
    header = [name.encode() for name in table.header]
    outcome, position, line = Outcome(), 0, first_line
    loose: list[tuple[str, int]] = []
    while position < len(text):
        start, position = position, next(MARKS.finditer(text, position)).end()
        line_end = text.index(b"\n", position) + 1
        first = text[position : line_end - 1]
        record = split_record(text, position, table)
        fits = record is not None and len(record[0]) == table.columns
        end = line_end
        if is_blank(first, table, is_odd=position > start or not fits):
            outcome.skipped.append(("blank", line))
            loose.append(("blank", line))
        elif is_comment(first, table):
            outcome.skipped.append(("comment", line))
            loose.append(("comment", line))
        else:
            if record and fits:
                too_long = record[1] > line_end and record[1] - position > walk.MAX_RECORD_BYTES
                fits = not too_long and not swallows(text[line_end : record[1]], table)
                end = record[1] if fits else line_end
            raw = text[position : end - 1]
            is_good = (
                record is not None and fits and valid(raw) and b"\0" not in raw and not may_be_two(raw, table)
            )
            if is_good and record and (record[0] == header or not any(record[0])):
                kind = "repeated_header" if record[0] == header else "blank"
                outcome.skipped += [(kind, line + more) for more in range(1 + raw.count(b"\n"))]
                loose.clear()
            else:
                outcome.rows += 1
                if is_good and record:
                    outcome.cells.append(tuple(cell.decode() or None for cell in record[0]))
                    outcome.readable.append((outcome.rows, line))
                else:
                    reason = "unreadable_row" if valid(raw) else "encoding"
                    shown = raw.decode(errors="backslashreplace")
                    outcome.rejected.append((outcome.rows, line, reason, shown))
                if is_loose(raw, table):
                    loose.append(("footer", line))
                else:
                    loose.clear()
        line += text.count(b"\n", position, end)
        position = end
    outcome.lines = line - 1
    footer = {at for kind, at in loose if kind == "footer" and outcome.lines - at < walk.MAX_FOOTER_LINES}
    outcome.rejected = [entry for entry in outcome.rejected if entry[1] not in footer]
    outcome.rows -= len(footer)
    outcome.skipped = sorted(
        [*outcome.skipped, *(("footer", at) for at in footer)], key=lambda entry: entry[1]
    )
    return outcome


def is_blank(line: bytes, table: Table, *, is_odd: bool) -> bool:
    if table.columns == 1 or not line:
        return not line
    delimiter = table.delimiter.encode()
    is_undivided = delimiter not in line and not line.strip(b" \t\v\f")
    return is_undivided or (is_odd and not line.strip(delimiter))


def short_cells(line: bytes, table: Table) -> list[bytes] | None:
    record = split_slowly(line + b"\n", 0, table)
    return record[0] if record and len(record[0]) < table.columns else None


def lacks_lookup(cells: list[bytes], table: Table) -> bool:
    return table.lookup is None or table.lookup >= len(cells) or not cells[table.lookup].strip()


def is_comment(line: bytes, table: Table) -> bool:
    cells = short_cells(line, table) if line.startswith(b"#") and b"@" not in line else None
    if cells is None:
        return False
    words = cells[0].split()
    remark = table.lookup == 0 and (len(words) > 1 or not re.search(rb"[0-9]", cells[0]))
    return lacks_lookup(cells, table) or remark


def is_loose(line: bytes, table: Table) -> bool:
    cells = short_cells(line, table) if b"\n" not in line else None
    return (
        cells is not None
        and table.lookup is not None
        and valid(line)
        and b"\0" not in line
        and lacks_lookup(cells, table)
        and sum(any(unicodedata.category(sign)[0] == "L" for sign in cell.decode()) for cell in cells) <= 1
        and not any(holds_address(cell, table) for cell in cells)
    )


def holds_address(cell: bytes, table: Table) -> bool:
    around = f" \t\v\f{table.quote}".encode()
    return any(ADDRESS.fullmatch(part.strip(around)) for part in cell.split(table.delimiter.encode()))


def swallows(below: bytes, table: Table) -> bool:
    spaced = table.delimiter.encode() + b" "
    lines = below.split(b"\n")[:-2]
    return any(looks_like_record(line, table) and (table.columns > 2 or spaced not in line) for line in lines)


def may_be_two(raw: bytes, table: Table) -> bool:
    delimiter = table.delimiter.encode()
    lines = raw.split(b"\n")
    return any(
        delimiter in lines[number]
        and delimiter + b" " not in lines[number]
        and looks_like_record(b"\n".join(lines[number:]), table)
        and looks_open(b"\n".join(lines[:number]), table)
        for number in range(1, len(lines))
    )


def looks_open(raw: bytes, table: Table) -> bool:
    record = split_slowly(raw + table.quote.encode() + b"\n", 0, table)
    if record is None:
        return False
    *cells, opened = record[0]
    return is_row([*cells, *opened.split(table.delimiter.encode())], table)


def looks_like_record(line: bytes, table: Table) -> bool:
    record = split_slowly(line + b"\n", 0, table)
    return record is not None and record[1] == len(line) + 1 and is_row(record[0], table)


def is_row(cells: list[bytes], table: Table) -> bool:
    if table.lookup is None or table.columns < 2 or any(cells[table.columns :]):
        return False
    fits = table.columns <= len(cells) <= table.columns + table.surplus
    return fits and ADDRESS.fullmatch(cells[table.lookup]) is not None


def valid(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
