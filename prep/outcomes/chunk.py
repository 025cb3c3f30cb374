"""The fate of every row of one chunk."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from prep.errors import FolderError
from prep.model import Fate, Format
from prep.objects import key_fields
from prep.outcomes.matching import Why, match
from prep.outcomes.received import cell, read
from prep.outcomes.spelling import printable

_ROWS: Final = pl.Schema({"fate": pl.String, "message": pl.String, "matched_by": pl.String})
_LINES: Final = pl.Schema(
    {"kind": pl.String, "message": pl.String, "why": pl.String, "matched_by": pl.String, "count": pl.UInt32}
)
_FILES: Final = {Fate.FAILED: "failure file", Fate.WARNED: "warning file"}
_NO_PAIRS: Final = pl.DataFrame(schema={"row": pl.UInt32, "message": pl.String, "matched_by": pl.String})


@dataclass(frozen=True)
class ChunkOutcome:
    """What became of a chunk.

    Attributes:
        rows: One line for each data row of the chunk, in file order: `fate` (imported, warned, failed or
            unknown), `message`, `matched_by` (exact, normalised, key; null where no line speaks of the row).
            Where `matched_by` is set the message is Marketo's; else it says why the row is unknown.
        unmatched: The lines that gave no row its fate: `kind` (failed, warned), `message`, `why` (no_row,
            several_rows, unreadable), `matched_by` (the rung on which the several rows look alike), `count`.
        repeats: Lines that say once more that a row failed or was warned, in the same columns; `matched_by`
            is the surest rung on which the line is like its row, whose fate rests on another line.
        doubts: Why rows are unknown, one sentence for each reason; counts only. Empty if none is.
        remarks: What does not add up among the warnings, likewise; it makes no row unknown.
    """

    rows: pl.DataFrame
    unmatched: pl.DataFrame
    repeats: pl.DataFrame
    doubts: tuple[str, ...]
    remarks: tuple[str, ...]


def join_chunk(
    sent: bytes,
    failures: bytes,
    warnings: bytes,
    *,
    format: Format,  # noqa: A002  # Marketo's own word
    lookup_field: str,
    failed_count: int,
    warned_count: int,
    processed_count: int | None = None,
) -> ChunkOutcome:
    """Join Marketo's failure and warning files back to the rows that were sent.

    No row that failed is ever called imported or warned, as long as the failure file is the truth about rows
    that nothing else tells apart:

    - A row is `failed` if a line of the failure file names it, whatever the counts say: that is Marketo's
      own word on this row.
    - If the rows that the file names are not as many as `failed_count`, or a line names no row or cannot be
      read, then any other row may be one that failed: all of them are `unknown`. A row with a warning too,
      because one row can have both; it keeps the warning as its message. A repeated line names no further
      row, so a count that includes repetitions does not add up.
    - If Marketo counts fewer or more rows than were sent, which rows these are is open in the same way.
    - Rows of which lines name some but not all, and which only Marketo can tell apart, are all `unknown`.
    - Else a row with a warning is `warned`, and the rest is `imported`. Warnings that match no row, or are
      too few or too many, make no row unknown.

    Args:
        sent: The chunk exactly as uploaded.
        failures: The failure file exactly as received; empty when Marketo has none.
        warnings: The warning file, likewise.
        format: The chunk's format; the files may have another.
        lookup_field: The job's lookup field, a column of the chunk, or several joined by commas.
        failed_count: Marketo's number of failed rows.
        warned_count: Marketo's number of rows with a warning. It decides no fate.
        processed_count: Marketo's number of processed rows, failed ones among them or not; None if not told.

    Returns:
        As many rows as the chunk has, and every line of both files: in `rows`, `unmatched` or `repeats`.

    Raises:
        FolderError: The chunk is not what prep wrote.
    """
    keys = key_fields(lookup_field)
    chunk = _read_sent(sent, format, keys)
    failed = _join(Fate.FAILED, chunk, failures, format, keys, name_last=chunk.clear())
    # A row that is known to have failed takes a warning only when no identical row is left for it.
    warned = _join(Fate.WARNED, chunk, warnings, format, keys, name_last=failed.pairs)
    doubts = (*_miscount(chunk.height, processed_count, failed_count), *_discrepancies(failed, failed_count))
    others = pl.concat([failed.others, warned.others])
    repeated = pl.col("why") == Why.REPEATED.value
    return ChunkOutcome(
        rows=_fates(chunk, failed, warned, doubts),
        unmatched=others.filter(~repeated),
        repeats=others.filter(repeated),
        doubts=(*doubts, *_look_alikes(failed)),
        remarks=(*_discrepancies(warned, warned_count), *_look_alikes(warned)),
    )


def whole_chunk(rows: int, fate: Fate, message: str) -> ChunkOutcome:
    """Give every row of a chunk the same fate, without any file: it failed, is unknown or assumed landed.

    Returns:
        As many rows as asked for, all with `message` (null if it holds no words) and without `matched_by`.
    """
    every = pl.select(
        fate=pl.repeat(fate.value, rows, dtype=pl.String),
        message=printable(pl.repeat(message, rows, dtype=pl.String)),
        matched_by=pl.repeat(None, rows, dtype=pl.String),
    )
    nothing = pl.DataFrame(schema=_LINES)
    doubts = (message,) if fate is Fate.UNKNOWN else ()
    return ChunkOutcome(every, nothing, nothing, doubts=doubts, remarks=())


def _read_sent(sent: bytes, file_format: Format, keys: Sequence[str]) -> pl.DataFrame:
    """Read our own file: `row` (0-based) and every column as text, under the names of `cell`."""
    try:
        frame = pl.read_csv(
            io.BytesIO(sent), separator=file_format.delimiter, infer_schema=False, empty_string_is_null=False
        )
    except pl.exceptions.PolarsError:
        frame = pl.DataFrame()
    if absent := [name for name in keys if name not in frame.columns]:
        raise FolderError(
            f"the chunk that was sent cannot be read, or has no column {absent[0]!r}",
            code="bad_chunk",
            hint="Its file was altered after it was sent; restore it from a backup of the run folder.",
            column=absent[0],
        )
    return frame.rename(cell).fill_null("").with_row_index("row")


@dataclass(frozen=True)
class _Joined:
    """One file, joined to the chunk.

    Attributes:
        kind: What its lines say of a row: failed or warned.
        pairs: `row`, `message`, `matched_by`.
        alike: `row`, as in `Matches`.
        others: The lines outside `pairs`, in the columns of `ChunkOutcome.unmatched`.
        named: How many rows the file speaks of.
    """

    kind: Fate
    pairs: pl.DataFrame
    alike: pl.DataFrame
    others: pl.DataFrame
    named: int

    def count(self, why: Why) -> int:
        """Count the lines that gave no row its fate, for one reason."""
        return int(self.others.filter(why=why.value)["count"].sum())


def _join(
    kind: Fate,
    chunk: pl.DataFrame,
    file: bytes,
    file_format: Format,
    keys: Sequence[str],
    *,
    name_last: pl.DataFrame,
) -> _Joined:
    """Read a file and find the rows that it speaks of; of identical rows those of `name_last` come last."""
    if not file.strip():
        return _Joined(kind, _NO_PAIRS, _NO_PAIRS.select("row"), pl.DataFrame(schema=_LINES), named=0)
    sent_columns = [name.removeprefix(cell("")) for name in chunk.columns if name != "row"]
    received = read(file, sent_columns, keys, file_format.delimiter)
    matches = match(chunk, received, keys, name_last)
    messages = received.readings.select("line", "reading", "message")
    return _Joined(
        kind=kind,
        pairs=matches.pairs.join(messages, on=["line", "reading"]).select("row", "message", "matched_by"),
        alike=matches.alike,
        others=_others(kind, matches.others.join(messages, on=["line", "reading"]), received.unreadable),
        named=matches.named,
    )


def _others(kind: Fate, lines: pl.DataFrame, unreadable: int) -> pl.DataFrame:
    """Count the lines that gave no row its fate, equal ones together, the unreadable ones last."""
    counted = lines.group_by("message", "why", "matched_by", maintain_order=True).len("count")
    broken = pl.DataFrame({"why": [Why.UNREADABLE.value], "count": [unreadable]}).filter(pl.col("count") > 0)
    both = pl.concat([counted, broken], how="diagonal_relaxed")
    return both.select(pl.lit(kind.value).alias("kind"), *_LINES.names()[1:]).cast(_LINES)


def _fates(chunk: pl.DataFrame, failed: _Joined, warned: _Joined, doubts: Sequence[str]) -> pl.DataFrame:
    """Decide the fate of every row: failed, else unknown, else warned, else imported."""
    joined = (
        chunk.select("row")
        .join(failed.pairs, on="row", how="left", maintain_order="left")
        .join(failed.alike.with_columns(alike=True), on="row", how="left", maintain_order="left")
        .join(warned.pairs, on="row", how="left", maintain_order="left", suffix="_warned")
    )
    is_failed, is_warned = pl.col("matched_by").is_not_null(), pl.col("matched_by_warned").is_not_null()
    is_alike = pl.col("alike").is_not_null()
    fate = (
        pl.when(is_failed)
        .then(pl.lit(Fate.FAILED.value))
        .when(is_alike | bool(doubts))
        .then(pl.lit(Fate.UNKNOWN.value))
        .when(is_warned)
        .then(pl.lit(Fate.WARNED.value))
        .otherwise(pl.lit(Fate.IMPORTED.value))
    )
    message = (
        pl.when(is_failed)
        .then("message")
        .when(is_warned)
        .then("message_warned")
        .when(is_alike)
        .then(pl.lit("; ".join(_look_alikes(failed))))
        .otherwise(pl.lit("; ".join(doubts) or None))
    )
    return joined.select(
        fate=fate, message=message, matched_by=pl.coalesce("matched_by", "matched_by_warned")
    ).cast(_ROWS)


def _miscount(sent: int, processed: int | None, failed: int) -> tuple[str, ...]:
    """Say that Marketo counts other rows than were sent; failed ones count as processed or not."""
    if processed is None or processed <= sent <= processed + failed:
        return ()
    return (f"rows: {sent} were sent, Marketo counts {processed} processed and {failed} failed",)


def _discrepancies(joined: _Joined, counted: int) -> tuple[str, ...]:
    """Say what does not add up between a file and Marketo's count."""
    file = _FILES[joined.kind]
    no_row, unreadable = joined.count(Why.NO_ROW), joined.count(Why.UNREADABLE)
    sentences = []
    if joined.named != counted:
        sentences.append(f"{joined.kind} rows: Marketo counts {counted}, its {file} names {joined.named}")
    if no_row:
        sentences.append(f"lines of the {file} that match no row: {no_row}")
    if unreadable:
        sentences.append(f"lines of the {file} that cannot be read: {unreadable}")
    return tuple(sentences)


def _look_alikes(joined: _Joined) -> tuple[str, ...]:
    """Say how many rows a file leaves open because it does not tell them apart."""
    rows = joined.alike.height
    return (f"rows that the {_FILES[joined.kind]} does not tell apart: {rows}",) if rows else ()
