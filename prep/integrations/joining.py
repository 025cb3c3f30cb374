"""Run folders of parts of one run → the folder of the run, as if it had been cleaned at once."""

import csv
import shutil
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from prep import durable
from prep.config import Destination
from prep.errors import FolderError
from prep.fate_table import add_up
from prep.folder import RunFolder
from prep.formulas import unguard
from prep.manifest import Cleaned, Manifest, SourceRecord
from prep.model import Chunk
from prep.multipart import framing_bytes
from prep.values.notes import ROWS_NAMED
from prep.workbook import WORKBOOK_ROWS, fits_workbook, write_workbook

_MOST_CHUNKS: Final = 9_999
"""More have a longer name, and so a longer body, than the part had that made them."""

_SHAPES: Final = 3


def join_parts(
    folder: RunFolder, parts: Sequence[RunFolder], *, read: int, destination: Destination | None
) -> None:
    """Make a folder hold what the folders of all parts hold, and finish it; the parts are used up.

    Upload files that are more than half full stay as they are; the rows of smaller ones are put together.
    Tables have the rows of one part after the other, each in source order.

    Args:
        folder: The folder, begun, its work folder and its folder for sources being there; the caller holds
            its lock.
        parts: At least one; cleaned with one plan, no two of them having rows of one key.
        read: How many rows there are.
        destination: Where the rows are to be sent.

    Raises:
        BalanceError: The parts have more or fewer rows.
        FolderError: There are too many upload files.
    """
    manifests = [part.manifest() for part in parts]
    chunks = _Chunks(folder, manifests[0].settings["max_bytes"])
    names = [chunks.take(part, manifest.results) for part, manifest in zip(parts, manifests, strict=True)]
    placed = chunks.finish()
    found = Counter[str]()

    def fates() -> Iterator[pl.DataFrame]:
        for part, renamed in zip(parts, names, strict=True):
            rows = part.read_rows()
            found.update(dict(rows.group_by("fate").len().rows()))
            numbers = {old: placed[place].file for old, place in renamed.items()}
            yield rows.with_columns(pl.col("chunk").replace(numbers))

    folder.write_rows(fates(), folder.work / folder.rows.name)
    add_up(found, read)
    for name in (folder.rejected.name, folder.duplicates.name, folder.merged.name):
        tables = [part.path / name for part in parts if (part.path / name).exists()]
        if tables:
            _join_tables(folder.work / name, tables)
    _write_workbook(folder, found["rejected"])
    sources = [
        _move_source(folder, part, manifest.sources[0], number)
        for number, (part, manifest) in enumerate(zip(parts, manifests, strict=True), 1)
    ]
    durable.sync_directory(folder.spool)
    folder.finish(_manifest(manifests, sources, tuple(placed), destination))


@dataclass
class _Open:
    """An upload file that waits for more rows."""

    place: int
    content: bytearray
    rows: int


class _Chunks:
    """The upload files of all parts under one numbering."""

    def __init__(self, folder: RunFolder, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._placed: dict[int, Chunk] = {}
        self._begun = 0
        self._open: dict[bytes, _Open] = {}
        self._stem = self._suffix = ""

    def take(self, part: RunFolder, cleaned: Cleaned) -> dict[str, int]:
        """Take the upload files of a part in.

        Returns:
            For each of them the place in what `finish` returns.
        """
        return {chunk.file: self._take(part, chunk) for chunk in cleaned.chunks}

    def _take(self, part: RunFolder, chunk: Chunk) -> int:
        file = part.path / chunk.file
        self._stem, self._suffix = file.name.rpartition("-")[0], file.suffix
        if 2 * chunk.bytes <= self._max_bytes:
            return self._put_together(part.read_chunk(chunk), chunk.rows)
        place = self._begin()
        name = self._name(place)
        file.replace(self._folder.work / self._folder.chunks.name / name)
        self._placed[place] = replace(chunk, file=f"{self._folder.chunks.name}/{name}")
        return place

    def _put_together(self, content: bytes, rows: int) -> int:
        end = content.index(b"\n") + 1
        header, body = content[:end], content[end:]
        known = self._open.get(header)
        if known and len(known.content) + len(body) < self._max_bytes - framing_bytes(
            self._name(known.place)
        ):
            known.content += body
            known.rows += rows
            return known.place
        if known:
            self._write(known)
        self._open[header] = _Open(self._begin(), bytearray(content), rows)
        return self._open[header].place

    def finish(self) -> list[Chunk]:
        """Write what waits; return all upload files in the order of their numbers."""
        for waiting in self._open.values():
            self._write(waiting)
        return [self._placed[place] for place in sorted(self._placed)]

    def _write(self, full: _Open) -> None:
        name = self._name(full.place)
        self._placed[full.place] = self._folder.write_chunk(name, bytes(full.content), full.rows)

    def _name(self, place: int) -> str:
        return f"{self._stem}-{place + 1:04d}{self._suffix}"

    def _begin(self) -> int:
        place = self._begun
        self._begun += 1
        if self._begun > _MOST_CHUNKS:
            raise FolderError(
                f"{self._folder.path}: more than {_MOST_CHUNKS:,} upload files",
                code="too_many_chunks",
                hint="Allow larger ones with max_bytes, or make several runs.",
                source=str(self._folder.path),
            )
        return place


def _join_tables(target: Path, tables: Sequence[Path]) -> None:
    """Write the rows of tables with one header one after the other."""
    with durable.replacing(target) as file:
        for number, path in enumerate(tables):
            with path.open("rb") as table:
                if number:
                    table.seek(_header_bytes(path))
                shutil.copyfileobj(table, file)


def _header_bytes(path: Path) -> int:
    """How many bytes a table's header takes, which may go over several lines."""
    taken: list[str] = []

    def lines(table: Iterable[str]) -> Iterator[str]:
        for line in table:
            taken.append(line)
            yield line

    with path.open(encoding="utf-8", newline="") as table:
        next(csv.reader(lines(table), delimiter=","))
    return len("".join(taken).encode())


def _write_workbook(folder: RunFolder, rows: int) -> None:
    """Write the rejected rows as a workbook too, if one can hold them."""
    if rows > WORKBOOK_ROWS:
        return
    content = (folder.work / folder.rejected.name).read_bytes()
    table = pl.read_csv(content, has_header=False, infer_schema=False)
    cells = table.select(unguard(pl.all()))
    if fits_workbook(cells):
        with durable.replacing(folder.work / folder.rejected_workbook.name) as file:
            write_workbook(file, cells.row(0), cells.slice(1))


def _move_source(folder: RunFolder, part: RunFolder, record: SourceRecord, number: int) -> SourceRecord:
    """Keep the rows of a part as a source of the run."""
    name = f"{number:04d}.parquet"
    (part.spool / str(record.copy)).replace(folder.spool / name)
    return replace(record, path=f"{record.path}, part {number}", copy=name)


def _manifest(
    manifests: Sequence[Manifest],
    sources: Sequence[SourceRecord],
    chunks: tuple[Chunk, ...],
    destination: Destination | None,
) -> Manifest:
    found = [manifest.results for manifest in manifests]
    cleaned = Cleaned(
        fields=found[0].fields,
        chunks=chunks,
        reasons=_reasons([line for part in found for line in part.reasons]),
        changes=_summed([part.changes for part in found], ("field", "rule"), "cells"),
        notes=_notes([line for part in found for line in part.notes]),
        blank_cells=_most_first(_summed([part.blank_cells for part in found], ("field",), "cells"), "cells"),
        cleared_cells=_most_first(
            _summed([part.cleared_cells for part in found], ("field",), "cells"), "cells"
        ),
        seconds={stage: round(sum(part.seconds[stage] for part in found), 3) for stage in found[0].seconds},
        profile=_profile([part.profile for part in found]),
        duplicates=_summed([part.duplicates for part in found], ("size",), "groups"),
    )
    return replace(
        manifests[0],
        run_id=uuid.uuid4().hex,
        goal="run" if destination else "clean",
        destination=destination,
        sources=tuple(sources),
        cleaned=cleaned,
    )


Lines = Iterable[Mapping[str, Any]]


def _summed(parts: Iterable[Lines], names: Sequence[str], number: str) -> tuple[Mapping[str, Any], ...]:
    """Lines with these names once, their numbers added up, in the order of the names."""
    found = Counter[tuple[Any, ...]]()
    for lines in parts:
        for line in lines:
            found[tuple(line[name] for name in names)] += line[number]
    return tuple({**dict(zip(names, key, strict=True)), number: found[key]} for key in sorted(found))


def _most_first(lines: Lines, number: str) -> tuple[Mapping[str, Any], ...]:
    return tuple(sorted(lines, key=lambda line: -line[number]))


def _reasons(lines: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Reasons with their rows added up; of the shapes those that most parts name first."""
    grouped: defaultdict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        grouped[line["field"] or "", line["code"]].append(line)
    found = []
    for known in grouped.values():
        shapes = Counter(shape for line in known for shape in line["shapes"])
        best = sorted(shapes, key=lambda shape: (-shapes[shape], shape))[:_SHAPES]
        found.append({**known[0], "rows": sum(line["rows"] for line in known), "shapes": best})
    return tuple(sorted(found, key=lambda line: (-line["rows"], line["field"] or "", line["code"])))


def _notes(lines: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    grouped: defaultdict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        grouped[line["field"], line["code"]].append(line)
    found = []
    for known in grouped.values():
        rows = sorted(
            (row for line in known for row in line["rows"]), key=lambda row: (row["source"], row["row"])
        )
        cells = sum(line["cells"] for line in known)
        found.append({**known[0], "cells": cells, "rows": rows[:ROWS_NAMED]})
    return tuple(sorted(found, key=lambda line: (-line["cells"], line["field"], line["code"])))


def _profile(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Numbers of all rows; distinct values are counted in a sample as ever, that of the largest part."""
    sampled = max(parts, key=lambda part: part["sampled"])
    columns = [
        {
            **column,
            "filled": sum(part["columns"][place]["filled"] for part in parts),
            "longest": max(part["columns"][place]["longest"] for part in parts),
        }
        for place, column in enumerate(sampled["columns"])
    ]
    return {"rows": sum(part["rows"] for part in parts), "sampled": sampled["sampled"], "columns": columns}
