"""Workbooks: a child process opens them under limits, and hands over the rows of one sheet.

What is decided here: which sheet is read, which row is its header, and which rows at its end are a footer.
"""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

import polars as pl

from prep.errors import SourceError
from prep.model import FIND_OUT, IDENTITY, Reading
from prep.sources.batch import REJECTED_SCHEMA, Batch, Skipped, Source
from prep.sources.encoding import find_encoding
from prep.sources.files import opened
from prep.sources.html import says_encoding
from prep.sources.sheets import Refusal, broken, protected, too_large
from prep.sources.signatures import HEAD_BYTES, WORKBOOKS, kind_of

_MEGABYTE: Final = 1_000_000
_LEAST_SECONDS: Final = 15
_SECONDS_PER_MEGABYTE: Final = 12
"""How long the child may take; its computing time is bounded to a third of this, so these count only where it
has to wait."""

_MAX_ANSWER_BYTES: Final = 256 * _MEGABYTE
_NAME_CHARACTERS: Final = 60
_PRIVATE: Final = ("_kind", "_raw", "_error")
_RECORDS: Final = pl.col("_kind").is_null()
_REJECTED: Final = pl.col("_kind") == "unreadable_row"
_ADDRESS: Final = r"^[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+$"


@dataclass(frozen=True)
class WorkbookSource(Source):
    """A sheet of a workbook, or a table of a web page. Its rows wait in an unnamed temporary file."""

    _rows: "_Spool" = field(kw_only=True, repr=False, compare=False)

    @property
    def may_be_guarded(self) -> bool:
        """It may be."""
        return True

    def read(self, lookup_position: int | None = None) -> "WorkbookReader":
        """Read the records; `_line` is the sheet's row. See `Source.read`.

        A footer's rows have less than half of their cells filled, letters in one at most, and no address.
        """
        return WorkbookReader(self._rows, len(self.columns), lookup_position)


class WorkbookReader:
    """The batches of a sheet; see `Reader`."""

    def __init__(self, spool: "_Spool", columns: int, lookup_position: int | None) -> None:
        self.rows = 0
        self.sha256 = ""
        self.share: float | None = None
        self._spool = spool
        self._batches = self._read(columns, lookup_position)

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def _read(self, columns: int, lookup_position: int | None) -> Iterator[Batch]:
        footer_line = self._spool.footer_line(columns, lookup_position)
        is_footer = _RECORDS & (pl.col("_line") >= footer_line)
        for number, frame in enumerate(self._spool.frames(), 1):
            self.share = number / len(self._spool.batches)
            marked = frame.with_columns(_kind=pl.when(is_footer).then(pl.lit("footer")).otherwise("_kind"))
            yield self._batch(marked)
        self.sha256 = self._spool.sha256

    def _batch(self, frame: pl.DataFrame) -> Batch:
        is_record = _RECORDS | _REJECTED
        numbered = frame.with_columns(
            _row=(is_record.cum_sum() + self.rows).cast(pl.UInt32), reason=pl.lit("unreadable_row")
        )
        records = numbered.filter(_RECORDS).drop(*_PRIVATE, "reason")
        rejected = numbered.filter(_REJECTED).select("_row", "_line", "reason", raw="_raw")
        skipped = frame.filter(~is_record).select("_kind", "_line").iter_rows()
        self.rows += records.height + rejected.height
        return Batch(
            cells=records.select(pl.exclude("_row", "_line"), "_row", "_line"),
            rejected=rejected.match_to_schema(REJECTED_SCHEMA),
            skipped=tuple(Skipped(kind, line) for kind, line in skipped),
        )


class _Spool:
    """What the child wrote: batches as Arrow streams in a file without a name, gone with this object."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            self.descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self.descriptor)
        self.batches: list[tuple[int, int]] = []
        self.sha256 = ""

    def frames(self) -> Iterator[pl.DataFrame]:
        return (self._frame(*batch) for batch in self.batches)

    def footer_line(self, columns: int, lookup_position: int | None) -> int:
        """Find the row from which on every record belongs to a footer."""
        if lookup_position is None:
            return _NO_LINE
        cells = [pl.col(str(place)).str.strip_chars().fill_null("") for place in range(columns)]
        filled = pl.sum_horizontal((cell != "").cast(pl.UInt32) for cell in cells)
        in_words = pl.sum_horizontal(cell.str.contains(r"\p{L}").cast(pl.UInt32) for cell in cells)
        is_empty = cells[lookup_position] == ""
        has_address = pl.any_horizontal(cell.str.contains(_ADDRESS) for cell in cells)
        is_short = (2 * filled < columns) & (in_words <= 1) & is_empty
        is_like_a_footer = is_short & ~has_address & ~pl.col("_error")
        line = _NO_LINE
        for start, size in reversed(self.batches):
            frame = self._frame(start, size).filter(_RECORDS | _REJECTED)
            footer = frame.select("_line", _RECORDS & is_like_a_footer)
            for number, is_footer in reversed(footer.rows()):
                if not is_footer:
                    return line
                line = number
        return line

    def _frame(self, start: int, size: int) -> pl.DataFrame:
        return pl.read_ipc_stream(io.BytesIO(os.pread(self.descriptor, size, start)))


_NO_LINE: Final = 2**32 - 1


@dataclass(frozen=True)
class _Head:
    """A sheet, as far as it is judged.

    Attributes:
        rows: Number and cells of its first filled rows.
        header_line: The row that looks like its header; 0 where rows begin at once, None where it is blank.
        score: How much that row looks like a header of leads.
        has_addresses: Whether a row below it, or the first of all, holds an address.
    """

    place: int
    name: str
    hidden: bool
    rows: list[tuple[int, list[str]]]
    header_line: int | None
    score: int
    has_addresses: bool


def open_workbook(
    path: str | Path,
    reading: Reading = FIND_OUT,
    *,
    name: str | None = None,
) -> WorkbookSource:
    """Choose a sheet and its header, and take over its rows.

    The sheet is the first visible one whose header looks like one of leads, else whose rows hold addresses;
    hidden sheets are read only when named, or when nothing else looks so. Whatever was decided, and what was
    left out, is in the notes.

    Args:
        path: An xlsx, xlsm, xlsb, xls or ods file, or a web page with tables, whatever its name.
        reading: What is known; `sheet`, `header_line` and, of a web page, `encoding` count. A page that does
            not say its encoding is weighed as text is.
        name: What messages call the file, if not by its path.

    Raises:
        SourceError: `no_such_file`, `not_a_file`, `unreadable_source`, `empty_source`, `not_a_workbook`,
            `protected_workbook`, `broken_workbook`, `unsafe_workbook`, `workbook_too_large`, `far_cell`,
            `no_such_sheet`, `broken_header`, `no_table`, `bad_encoding` or `ambiguous_encoding`.
    """
    shown = name or str(path)
    spool = _Spool()
    with _child(str(path), shown, spool) as child:
        encoding, doubts = _encoding(child.kind, path, shown, reading)
        answer = child.ask({"only": reading.sheet, "encoding": encoding})
        heads = _judge(answer["sheets"])
        chosen = _choose(heads, reading.sheet, shown)
        others = _others(heads, chosen) if reading.sheet is None else []
        notes = _about_choice(chosen, reading)
        if reading.header_line is not None:
            chosen = replace(chosen, header_line=reading.header_line)
        result = child.ask(
            {
                "sheet": chosen.place,
                "header_line": chosen.header_line,
                "others": [(head.place, head.header_line) for head in others],
            }
        )
    spool.batches = result["batches"]
    return WorkbookSource(
        path=shown,
        reading=Reading(encoding=answer["encoding"], sheet=chosen.name, header_line=chosen.header_line),
        columns=tuple(result["columns"]),
        notes=(
            *doubts,
            *notes,
            *_left_out(heads, chosen, others, result["others"], reading),
            *_facts(result["facts"]),
        ),
        _rows=spool,
    )


def _encoding(
    kind: str, path: str | Path, shown: str, reading: Reading
) -> tuple[str | None, tuple[str, ...]]:
    """Find the encoding of a web page that does not say it as that of text, and what may be wrong in it."""
    if kind != "html" or reading.encoding is not None:
        return reading.encoding, ()
    with opened(str(path)) as page:
        if says_encoding(page.peek(HEAD_BYTES)[:HEAD_BYTES]):
            return None, ()
    found = find_encoding(shown)
    return found.name, found.notes


def _mentions_mail(cells: Sequence[str]) -> int:
    """Count the different names in a row, if one of them names an e-mail address and none is one."""
    names = {cell.strip().casefold() for cell in cells if cell.strip() and len(cell) <= _NAME_CHARACTERS}
    has_mail = any(word in name.replace("-", "") for name in names for word in _MAIL_WORDS)
    return len(names) if has_mail and not any(map(_is_address, names)) else 0


_MAIL_WORDS: Final = (
    *(
        "mail",
        "correo",
        "courriel",
        "epost",
        "sähköposti",
        "почт",
        "пошт",
        "ηλεκτρονικ",
        "דואל",
        "אימייל",
        "בדוא",
    ),
    *("بريد", "メール", "邮箱", "邮件", "郵箱", "郵件", "메일", "อีเมล", "thư điện tử"),
)
"""Parts of words for an e-mail address in small letters, without hyphens."""


def _is_address(cell: str) -> bool:
    local, _, domain = cell.strip().rpartition("@")
    return bool(local) and "." in domain and " " not in cell.strip()


def _judge(sheets: Sequence[Mapping[str, Any]]) -> list[_Head]:
    heads = []
    for place, sheet in enumerate(sheets):
        rows = sheet["rows"]
        line, points = _header(rows)
        has_addresses = _first_with_address(rows) < len(rows)
        heads.append(_Head(place, sheet["name"], sheet["hidden"], rows, line, points, has_addresses))
    return heads


def _header(rows: Sequence[tuple[int, list[str]]]) -> tuple[int | None, int]:
    """Find the header among the first rows: the first that is not far less of one than the best.

    A table of prep's own says by its names where its header is; the reasons below may speak more of mail.
    """
    if not rows:
        return None, 0
    for line, cells in rows:
        if set(IDENTITY) <= set(cells):
            return line, len(cells)
    end = _first_with_address(rows)
    scores = [_mentions_mail(cells) for _, cells in rows[:end]]
    best = max(scores, default=0)
    if best > 0:
        place = next(place for place, points in enumerate(scores) if 2 * points > best)
        return rows[place][0], best
    if end == 0:
        return 0, 0
    filled = _filled(rows)
    return next(line for (line, _), count in zip(rows, filled, strict=True) if 2 * count >= max(filled)), 0


def _first_with_address(rows: Sequence[tuple[int, list[str]]]) -> int:
    """Find the first row that holds an address and is no remark; as many as there are if none does."""
    filled = _filled(rows)
    found = (place for place, (_, cells) in enumerate(rows) if any(map(_is_address, cells)))
    return next((place for place in found if 2 * filled[place] >= max(filled)), len(rows))


def _filled(rows: Sequence[tuple[int, list[str]]]) -> list[int]:
    return [sum(bool(cell.strip()) for cell in cells) for _, cells in rows]


def _choose(heads: Sequence[_Head], sheet: str | None, path: str) -> _Head:
    filled = [head for head in heads if head.header_line is not None]
    if sheet is not None:
        named = next((head for head in heads if head.name == sheet), None)
        if named is None:
            raise _no_such_sheet(sheet, heads, path)
        filled = [named] if named.header_line is not None else []
    filled = [head for head in filled if head.rows]
    if not filled:
        empty = "no sheet holds anything" if sheet is None else f"the sheet {_quoted(sheet)} holds nothing"
        raise SourceError(
            f"{path}: {empty}",
            code="empty_source",
            hint="It needs a row of column names and at least one row below it.",
            source=path,
        )
    visible = [head for head in filled if not head.hidden]
    pools = (
        [head for head in visible if head.score],
        [head for head in visible if head.has_addresses],
        [head for head in filled if head.score or head.has_addresses],
        visible,
    )
    pool = next(filter(None, pools), filled)
    best = max(head.score for head in pool)
    return next(head for head in pool if 2 * head.score > best or not best)


def _about_choice(chosen: _Head, reading: Reading) -> list[str]:
    notes = []
    if chosen.hidden and reading.sheet is None:
        notes.append(f"No visible sheet holds leads: the hidden sheet {_quoted(chosen.name)} is read.")
    if reading.header_line is not None:
        return notes
    header_line = chosen.header_line or 0
    if above := sum(line < header_line for line, _ in chosen.rows):
        notes.append(f"Rows above the header in sheet row {header_line}, which are left out: {above}.")
    if chosen.score:
        return notes
    if header_line == 0:
        return [*notes, f"Sheet {_quoted(chosen.name)} has no header: its first row holds an address."]
    found = f"No row of sheet {_quoted(chosen.name)} looks like a header of leads"
    return [*notes, f"{found}: sheet row {header_line} is taken for it."]


def _others(heads: Sequence[_Head], chosen: _Head) -> list[_Head]:
    return [
        head
        for head in heads
        if head is not chosen and (head.score or head.has_addresses) and head.header_line is not None
    ]


def _left_out(
    heads: Sequence[_Head], chosen: _Head, others: Sequence[_Head], counts: Sequence[int], reading: Reading
) -> list[str]:
    if reading.sheet is not None:
        return []
    notes = [
        f"{_kind_of_sheet(head)} {_quoted(head.name)} is left out; --sheet reads it instead. "
        f"Rows that look like leads: {count}."
        for head, count in zip(others, counts, strict=True)
    ]
    rest = [head.name for head in heads if head.rows and head.place != chosen.place and head not in others]
    return [*notes, f"Left out, as no lists of leads: {_listed(rest)}."] if rest else notes


def _kind_of_sheet(head: _Head) -> str:
    return "The hidden sheet" if head.hidden else "The sheet"


def _facts(facts: Mapping[str, int]) -> list[str]:
    return [words.format(facts[fact]) for fact, words in _FACTS.items() if facts.get(fact)]


_FACTS: Final = {
    "error": "Cells that hold an error such as #N/A are read as blank: {}.",
    "uncalculated": "Formulas that no spreadsheet program has calculated are read as blank: {}. "
    "Open the workbook in one and save it.",
    "merged": "Cells merged over several rows have their value in the first of these rows alone: {}.",
    "hidden_row": "Rows that are hidden in the sheet are read like others: {}.",
    "hidden_column": "Columns that are hidden in the sheet are read like others: {}.",
    "rounded_number": "Numbers of more than 15 digits, of which spreadsheet programs keep 15: {}.",
    "unended": "The page ends within the table, as one that was cut short; rows may be missing.",
}


def _no_such_sheet(sheet: str, heads: Sequence[_Head], path: str) -> SourceError:
    return SourceError(
        f"{path}: there is no sheet {_quoted(sheet)}; it has {_listed([head.name for head in heads])}",
        code="no_such_sheet",
        hint="Give --sheet one of these names.",
        source=path,
    )


def _listed(names: Sequence[str]) -> str:
    few = [_quoted(name) for name in names[:10]]
    return ", ".join(few) + (f" and {len(names) - len(few)} more" if len(names) > len(few) else "")


def _quoted(name: str) -> str:
    return (
        "'" + "".join(place if place.isprintable() else "\ufffd" for place in name[:_NAME_CHARACTERS]) + "'"
    )


class _Child:
    """The process that opens a workbook.

    Attributes:
        kind: What the workbook is.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", log: IO[bytes], shown: str, kind: str) -> None:
        self.kind = kind
        self._process = process
        self._log = log
        self._shown = shown
        self._is_late = False

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Give the child a request, and take its answer.

        Raises:
            SourceError: It refuses the workbook, or it ended without an answer.
        """
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise TypeError("the child was started without pipes")
        with suppress(BrokenPipeError):
            requests.write(json.dumps(request).encode() + b"\n")
            requests.flush()
        line = answers.readline(_MAX_ANSWER_BYTES)
        if not line.endswith(b"\n"):
            raise _refused(self._end(), self._shown)
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise _refused(Refusal(*answer["refused"]), self._shown)
        return answer

    def stop(self) -> None:
        """End the child, which took too long."""
        self._is_late = True
        self._process.kill()

    def _end(self) -> Refusal:
        """Tell why the child ended."""
        status = self._process.wait()
        self._log.seek(0)
        if self._is_late or status in _OUT_OF_TIME:
            return too_large("it takes longer than a workbook of its size may take")
        if b"memory allocation" in self._log.read(_MEGABYTE):
            return too_large("it needs more memory than a workbook of its size may take")
        return broken("reading it fails")


@contextmanager
def _child(path: str, shown: str, spool: _Spool) -> Iterator[_Child]:
    """Start the child over a file that is a workbook, for as long as the block takes."""
    kind, size = _inspect(path, shown, spool)
    seconds = _LEAST_SECONDS + _SECONDS_PER_MEGABYTE * (size // _MEGABYTE + 1)
    with Path(path).open("rb") as source, tempfile.TemporaryFile() as log:
        descriptors = source.fileno(), spool.descriptor
        with subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-P", "-m", _MODULE, *map(str, descriptors), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=descriptors,
            env=_environment(),
        ) as process:
            child = _Child(process, log, shown, kind)
            timer = threading.Timer(seconds, child.stop)
            timer.start()
            try:
                yield child
            finally:
                timer.cancel()
                process.kill()
                if process.stdin is not None:
                    with suppress(BrokenPipeError):
                        process.stdin.close()


def _inspect(path: str, shown: str, spool: _Spool) -> tuple[str, int]:
    """Tell what a file is and how large; refuse what is no workbook that can be read."""
    with opened(path, digesting=True) as content:
        head = content.peek(HEAD_BYTES)[:HEAD_BYTES]
        kind = kind_of(head, path)
        if kind == "encrypted":
            raise _refused(protected(), shown)
        if kind == "empty":
            hint = "It needs a row of column names and at least one row below it."
            raise _refused(Refusal("empty_source", "the file is empty", hint), shown)
        if kind not in WORKBOOKS:
            raise _refused(Refusal("not_a_workbook", f"this is no workbook, but {kind}"), shown)
        size = 0
        while piece := content.read(_MEGABYTE):
            size += len(piece)
        spool.sha256 = content.sha256
        return kind, size


def _environment() -> dict[str, str]:
    package = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1", "POLARS_MAX_THREADS": "1"}


def _refused(refusal: Refusal, shown: str) -> SourceError:
    return SourceError(f"{shown}: {refusal.found}", code=refusal.code, hint=refusal.hint, source=shown)


_MODULE: Final = "prep.sources.workbook_child"
_OUT_OF_TIME: Final = frozenset({-signal.SIGXCPU, -signal.SIGKILL})
