"""What people have now → a run folder of its own that puts it back: `restore/`."""

import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import polars as pl

from prep import durable
from prep.blanks import MOST_GROUPS, Groups, group_rows
from prep.chunks import Piece, largest_line_bytes, line_bytes, split
from prep.cleaning import DUPLICATES_TAIL, REJECTED_TAIL
from prep.config import CleanSettings, Destination
from prep.folder import RunFolder
from prep.limits import MAX_BODY_BYTES
from prep.manifest import Cleaned, Manifest, SourceRecord
from prep.model import CLEARING, FIND_OUT, Blanks, Chunk, Fate
from prep.people import Table
from prep.previewing.comparing import MARK
from prep.previewing.questions import ID, Questions
from prep.profile import Profile
from prep.report import build_report, render_page
from prep.spill import DiskSpill

_GROUP: Final = "_group"
_SPILLED_ROWS: Final = 20_000


@dataclass(frozen=True)
class Asked:
    """Of whom the values are, and since when."""

    target: str
    begin: str
    end: str

    @property
    def source(self) -> str:
        """What the rows of the way back come from, in place of a file."""
        return f"people of {self.target}"


class WayBack:
    """Gathers what people have, and writes it as uploads; memory keeps an id and a bit for each field.

    Args:
        work: An empty folder.
        manifest: Of the run that would change these people.
        questions: What was asked.
        writer: Writes to the disk beside the caller.
    """

    def __init__(self, work: Path, manifest: Manifest, questions: Questions, writer: Executor) -> None:
        self._work = work
        self._manifest = manifest
        self._settings = CleanSettings.from_json(manifest.settings)
        self._names = tuple(questions.types)
        self._types = questions.types
        self._spill = DiskSpill(work / "spill", writer)
        self._marks: list[pl.DataFrame] = []
        self._waiting: list[pl.DataFrame] = []
        self._widest = 0

    def add(self, people: pl.DataFrame) -> None:
        """Take in what some people have (`find_ways_back`)."""
        self._waiting.append(people)
        if sum(frame.height for frame in self._waiting) >= _SPILLED_ROWS:
            self._flush()

    def _flush(self) -> None:
        people = pl.concat(self._waiting) if self._waiting else pl.DataFrame()
        self._waiting = []
        if people.is_empty():
            return
        names = [f"{MARK}{name}" for name in self._names]
        marks = people.select(ID, *(pl.col(mark).alias(mark.removeprefix(MARK)) for mark in names))
        self._marks.append(marks.with_columns(pl.col(ID).cast(pl.Int64)))
        self._spill.append(people.drop(names))
        sizes = line_bytes(people, (ID, *self._names), self._settings.format)
        self._widest = max(self._widest, *sizes.to_list())

    def write(self, asked: Asked, final: Path) -> dict[str, Any] | None:
        """Make the run folder, complete, beside its place, and put it there in one step.

        Returns:
            `people`, `files` and `fields`; None if nobody would change: then there is no folder.
        """
        self._flush()
        if not self._marks:
            shutil.rmtree(final, ignore_errors=True)
            return None
        groups = _group(pl.concat(self._marks), self._names)
        folder = RunFolder(self._work / final.name)
        folder.path.mkdir(mode=durable.FOLDER_MODE)
        fields = [name for name in self._names if any(name in group for group in groups.fields)]
        manifest = self._plan(asked, fields)
        folder.begin(manifest)
        written = _Written()
        for piece in self._cut(groups, written):
            written.chunks.append(folder.write_chunk(piece.name, piece.content, piece.rows))
        folder.write_rows(written.fates(asked.source), folder.work / folder.rows.name)
        _write_empty_tables(folder, [ID, *fields])
        folder.finish(self._finished(manifest, fields, written))
        folder.write_report(report := build_report(folder), lambda: render_page(report, folder=str(final)))
        shutil.rmtree(final, ignore_errors=True)
        folder.path.rename(final)
        durable.sync_directory(final.parent)
        return {"people": written.rows, "files": len(written.chunks), "fields": fields}

    def _cut(self, groups: Groups, written: "_Written") -> Iterator[Piece]:
        settings = self._settings
        header = (ID, *self._names)
        has_room = self._widest <= largest_line_bytes(header, settings.format, settings.max_bytes)
        max_bytes = settings.max_bytes if has_room else MAX_BODY_BYTES
        number = 1
        for fields, rows in zip(groups.fields, self._sorted(groups), strict=True):
            for piece in split(
                map(written.note, rows),
                (ID, *fields),
                settings.format,
                max_bytes=max_bytes,
                first_number=number,
            ):
                yield piece
                number += 1

    def _sorted(self, groups: Groups) -> Sequence[DiskSpill]:
        """The people of each group, with the fields that are put back."""
        spills = [self._spill.beside(f"{number:02d}") for number in range(len(groups.fields))]
        before = 0
        for frame in self._spill:
            numbers = groups.numbers.slice(before, frame.height).alias(_GROUP)
            before += frame.height
            kept = frame.with_columns(numbers).filter(pl.col(_GROUP).is_not_null())
            for (number,), people in kept.partition_by(_GROUP, as_dict=True, maintain_order=True).items():
                spills[number].append(people.select(ID, *groups.fields[number]))
        return spills

    def _plan(self, asked: Asked, fields: Sequence[str]) -> Manifest:
        parent = self._manifest
        settings = replace(
            CleanSettings(),
            lookup_field=ID,
            format=self._settings.format,
            max_bytes=self._settings.max_bytes,
            blanks=Blanks.OMIT,
            clear=tuple(fields),
        )
        source = SourceRecord(
            path=asked.source,
            sha256="",
            reading=FIND_OUT,
            columns=(ID, *fields),
            notes=(f"their values of {asked.begin} to {asked.end} UTC, before run {parent.run_id}",),
        )
        judged = parent.schema.get("fields", {})
        known = {name: judged[name] for name in fields if name in judged}
        return Manifest(
            run_id=uuid.uuid4().hex,
            parent_run_id=parent.run_id,
            goal="run",
            destination=Destination(asked.target),
            sources=(source,),
            settings=settings.to_json(),
            schema={**parent.schema, "fields": {ID: {"type": "integer", "length": None}, **known}},
            mapping=tuple({"source": name, "field": name, "how": "exact"} for name in (ID, *fields)),
            is_restore=True,
        )

    def _finished(self, manifest: Manifest, fields: Sequence[str], written: "_Written") -> Manifest:
        (source,) = manifest.sources
        digests = "".join(chunk.sha256 for chunk in written.chunks)
        return replace(
            manifest,
            sources=(replace(source, rows=written.rows, sha256=sha256(digests.encode()).hexdigest()),),
            cleaned=Cleaned(
                fields=(ID, *fields),
                chunks=tuple(written.chunks),
                reasons=(),
                changes=(),
                notes=(),
                blank_cells=(),
                cleared_cells=tuple(
                    {"field": name, "cells": cells} for name, cells in written.cleared.most_common()
                ),
                seconds={},
                profile=Profile(()).to_json(),
                duplicates=(),
            ),
        )


class _Written:
    """What went into the uploads, in their order."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.cleared = Counter[str]()
        self._ids: list[pl.Series] = []

    @property
    def rows(self) -> int:
        """How many people."""
        return sum(chunk.rows for chunk in self.chunks)

    def note(self, people: pl.DataFrame) -> pl.DataFrame:
        """Take note of people on their way into uploads."""
        self._ids.append(people[ID])
        orders = people.select((pl.exclude(ID) == CLEARING).sum())
        self.cleared.update({name: cells for name, cells in orders.row(0, named=True).items() if cells})
        return people

    def fates(self, source: str) -> Iterator[pl.DataFrame]:
        """The table of fates, file by file; rows are numbered as they stand in the files."""
        ids = pl.concat(self._ids).rename("key")
        before = 0
        for chunk in self.chunks:
            part = ids.slice(before, chunk.rows).to_frame()
            yield part.with_row_index("row", offset=before + 1).with_columns(
                source=pl.lit(source), fate=pl.lit(Fate.READY.value), chunk=pl.lit(chunk.file)
            )
            before += chunk.rows


def _group(marks: pl.DataFrame, names: Sequence[str]) -> Groups:
    """People whose same fields are put back go together; with too many such groups, all in one.

    In one group every field is put back that changes for anybody: for the others that changes nothing.
    Somebody who was found for several rows is put back once, with the fields of all of them.
    """
    is_first = marks[ID].is_first_distinct()
    if not is_first.all():
        marks = marks.with_columns(pl.col(names).any().over(ID))
    used = [name for name in names if marks[name].any()]
    if marks.filter(is_first).select(used).n_unique() > MOST_GROUPS:
        numbers = pl.select(pl.when(is_first).then(pl.lit(0, pl.UInt32))).to_series()
        return Groups(numbers, (tuple(used),))
    return group_rows(marks.select(used), is_first, {})


def _write_empty_tables(folder: RunFolder, columns: Sequence[str]) -> None:
    """Tables that every run has: nothing was rejected, and nobody stands in it twice."""
    tables: Mapping[Path, Sequence[str]] = {
        folder.rejected: REJECTED_TAIL,
        folder.duplicates: DUPLICATES_TAIL,
    }
    for path, tail in tables.items():
        with durable.replacing(folder.work / path.name) as file:
            Table(file, [*columns, *tail])
