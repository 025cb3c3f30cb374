"""The child process that reads Parquet and Arrow files under limits.

Called as `columnar_child KIND PATH PLACE`. It answers with one line of JSON: `columns`, or `refusal` with the
parts of an error. Then come the rows: for each batch its size in `SIZE_BYTES` bytes and an Arrow stream of
text cells, at last a size of zero. Without that the file is damaged where the answer ends.
"""

import io
import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import polars as pl

from prep.errors import SourceError
from prep.sources.columnar import (
    COLUMNS_KEY,
    SIZE_BYTES,
    as_text,
    batch_rows,
    refuse_columns,
    refusing_damage,
)
from prep.sources.footer import read_footer
from prep.sources.typed import NUMBERS

_MEMORY: Final = (1024**3, 6)
"""How many bytes may be taken at all, and how many for each byte of the file."""

_FREE_CELLS: Final = 64_000_000
_FREE_COLUMN_BYTES: Final = 64 * 1024 * 1024
_MOST_RATIO: Final = 200

_STREAM_END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format"""


def main(kind: str, path: str, place: Path) -> None:
    """Read a file, and answer."""
    answers = sys.stdout.buffer
    try:
        limit(place.stat().st_size)
        with refusing_damage(path):
            scan = open_scan(kind, path, place)
            schema = scan.collect_schema()
            refuse_columns(schema, path)
            rows = scan.select(pl.len()).collect(engine="streaming").item()
            _refuse_bomb(path, rows * len(schema), place)
            spooled = _spooled_columns(place, schema) if kind == "parquet" else None
    except SourceError as error:
        _say(answers, {"refusal": error.facts})
        return
    _say(answers, {"columns": spooled or tuple(schema)})
    _send(answers, _pieces(scan, rows, batch_rows(len(schema))), _as_spooled if spooled else as_text)


def limit(size: int) -> None:
    """Bound what this process may take from now on, as far as the system can."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        most = pages * resource.getpagesize() + _MEMORY[0] + _MEMORY[1] * size
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError):
        return


def open_scan(kind: str, path: str, place: Path) -> pl.LazyFrame:
    """Open a file of a kind, without reading its rows.

    Raises:
        SourceError: It is damaged, or stands for far more than its size.
    """
    match kind:
        case "parquet":
            _refuse_packed(path, place)
            return pl.scan_parquet(place, glob=False, hive_partitioning=False, low_memory=True)
        case "arrow":
            return pl.scan_ipc(place, glob=False, hive_partitioning=False)
        case _:
            return _read_stream(path, place).lazy()


def _read_stream(path: str, place: Path) -> pl.DataFrame:
    """Read a stream, which polars reads as far as it goes: no later table, and no end that is missing."""
    with place.open("rb") as file:
        frame = pl.read_ipc_stream(file)
        is_all = file.tell() == file.seek(0, os.SEEK_END)
        file.seek(-len(_STREAM_END), os.SEEK_END)
        if is_all and file.read() == _STREAM_END:
            return frame
    raise SourceError(
        f"{path}: the table does not end where its file does: it was cut short, or something follows it",
        code="damaged_table",
        hint="Write it again, each table into a file of its own.",
        source=path,
    )


def _refuse_packed(path: str, place: Path) -> None:
    with place.open("rb") as file:
        footer = read_footer(file, path)
    for column in footer:
        if column.unpacked_bytes > max(_FREE_COLUMN_BYTES, _MOST_RATIO * column.packed_bytes):
            raise _bomb(path)


def _refuse_bomb(path: str, cells: int, place: Path) -> None:
    if cells > max(_FREE_CELLS, _MOST_RATIO * place.stat().st_size):
        raise _bomb(path)


def _bomb(path: str) -> SourceError:
    return SourceError(
        f"{path}: it stands for more than {_MOST_RATIO} times its size, as no list of leads does",
        code="archive_bomb",
        hint="If you trust it, write it as CSV and give that.",
        source=path,
    )


def _send(
    answers: IO[bytes], pieces: Iterator[pl.DataFrame], write: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    for piece in pieces:
        stream = io.BytesIO()
        write(piece).write_ipc_stream(stream)
        answers.write(len(stream.getbuffer()).to_bytes(SIZE_BYTES))
        answers.write(stream.getbuffer())
    answers.write(bytes(SIZE_BYTES))
    answers.flush()


def _pieces(scan: pl.LazyFrame, rows: int, step: int) -> Iterator[pl.DataFrame]:
    """Cut the rows into pieces; there is always one."""
    for start in range(0, max(rows, 1), step):
        piece = scan.slice(start, step).collect(engine="streaming")
        if piece.height != min(step, rows - start):
            raise pl.exceptions.ComputeError("rows are missing")
        yield piece


def _as_spooled(piece: pl.DataFrame) -> pl.DataFrame:
    """What `as_text` wrote once; earlier versions did not write which cells are numbers."""
    return piece if NUMBERS in piece.columns else as_text(piece)


def _spooled_columns(place: Path, schema: pl.Schema) -> tuple[str, ...] | None:
    """The columns of what `spool` wrote; None for any other file."""
    with place.open("rb") as file:
        note = pl.read_parquet_metadata(file).get(COLUMNS_KEY, "null")
    try:
        columns = json.loads(note)
    except ValueError:
        columns = None
    if not isinstance(columns, list):
        return None
    places = list(map(str, range(len(columns))))
    is_ours = schema.names() in (places, [*places, NUMBERS]) and set(schema.dtypes()) == {pl.String()}
    return tuple(map(str, columns)) if is_ours else None


def _say(answers: IO[bytes], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
