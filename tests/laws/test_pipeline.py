"""What holds from file to chunk whatever the rows: nothing is lost, doubled, spoiled or out of place."""

import csv
import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from unittest import mock

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prep import multipart, preparation
from prep.chunks import largest_line_bytes, line_bytes, split
from prep.duplicates import KEY, ORDINAL, find_losers, lookup_keys, rank
from prep.memory import Memory
from prep.model import Fate, Format, Keep, KeepPolicy
from prep.pipeline import Run, clean, prepare
from prep.sources.delimited import DelimitedSource
from tests.depth import examples
from tests.strategies import KEYS, LEADS, NASTY_CELLS, WRITABLE_CELLS, frames, write_leads

POLICIES = ["first", "last", "most-complete", "merge"]
RULES = {"firstName": "longest", "mktoPersonNotes": "most-frequent", "*": "source:0.csv"}
SMALL_BLOCKS = 64


@contextmanager
def folder_with(*files: bytes) -> Iterator[tuple[Path, list[Path]]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / f"{number}.csv" for number in range(len(files))]
        for path, content in zip(paths, files, strict=True):
            path.write_bytes(content)
        yield folder, paths


def chunks_of(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(run.folder.chunks.glob("*"))}


def parse(content: bytes, file_format: Format) -> list[list[str | None]]:
    lines = csv.reader(
        io.StringIO(content.decode(), newline=""), delimiter=file_format.delimiter, strict=True
    )
    return [[cell or None for cell in line] for line in lines]


@given(frame=frames(WRITABLE_CELLS), file_format=st.sampled_from(Format), room=st.integers(0, 3000))
@settings(max_examples=examples(200), deadline=None)
def test_a_chunk_parsed_back_gives_the_cells_that_went_in(
    frame: pl.DataFrame, file_format: Format, room: int
) -> None:
    names = frame.columns
    longest = line_bytes(frame, names, file_format).max() or 0
    max_bytes = 1000 + int(str(longest)) + room
    pieces = list(split([frame], names, file_format, max_bytes=max_bytes))
    parsed = []
    for piece in pieces:
        header, *rows = parse(piece.content, file_format)
        assert header == names
        assert len(rows) == piece.rows
        parsed += rows
    assert parsed == [list(row) for row in frame.rows()]


@given(
    batches=st.lists(frames(WRITABLE_CELLS), min_size=1, max_size=4),
    file_format=st.sampled_from(Format),
    room=st.integers(0, 400),
)
@settings(max_examples=examples(200), deadline=None)
def test_no_body_reaches_the_limit_and_none_closes_early(
    batches: list[pl.DataFrame], file_format: Format, room: int
) -> None:
    names = batches[0].columns
    rows = pl.concat(batches)
    longest = int(str(line_bytes(rows, names, file_format).max() or 1))
    max_bytes = longest + room - largest_line_bytes(names, file_format, 0)
    pieces = list(split(batches, names, file_format, max_bytes=max_bytes))
    lines = line_bytes(rows, names, file_format).to_list()
    bodies = [len(multipart.encode(piece.name, piece.content)[0]) for piece in pieces]
    assert all(body < max_bytes for body in bodies)
    assert sum(piece.rows for piece in pieces) == rows.height
    taken = 0
    for piece, body in zip(pieces[:-1], bodies, strict=False):
        taken += piece.rows
        assert body + lines[taken] >= max_bytes
    assert [piece.content for piece in split([rows], names, file_format, max_bytes=max_bytes)] == [
        piece.content for piece in pieces
    ]


def row_by_row(rows: pl.DataFrame, file_format: Format, max_bytes: int) -> list[tuple[str, bytes, int]]:
    """Upload files, written one row after the other: name, content and rows of each."""

    def line(cells: Sequence[str | None]) -> bytes:
        special = {'"', "\n", "\r", file_format.delimiter}
        quoted = [
            '"' + cell.replace('"', '""') + '"' if special & set(cell) else cell
            for cell in (cell or "" for cell in cells)
        ]
        return f"{file_format.delimiter.join(quoted)}\n".encode()

    files: list[tuple[str, bytes, int]] = []
    name, content, count = f"leads-0001.{file_format}", line(rows.columns), 0
    for row in rows.rows():
        if len(multipart.encode(name, content + line(row))[0]) >= max_bytes:
            files.append((name, content, count))
            name, content, count = f"leads-{len(files) + 1:04d}.{file_format}", line(rows.columns), 0
        content, count = content + line(row), count + 1
    return [*files, (name, content, count)] if count else files


@given(
    batches=st.lists(frames(WRITABLE_CELLS), min_size=1, max_size=4),
    file_format=st.sampled_from(Format),
    rows_that_fit=st.integers(1, 8),
    spare=st.integers(-1, 2),
)
@settings(max_examples=examples(200), deadline=None)
def test_upload_files_are_those_that_are_written_row_by_row(
    batches: list[pl.DataFrame], file_format: Format, rows_that_fit: int, spare: int
) -> None:
    """The limit is where a row just fits, or just does not."""
    names, rows = batches[0].columns, pl.concat(batches)
    longest = int(str(line_bytes(rows, names, file_format).max() or 1))
    whole = row_by_row(rows.head(rows_that_fit), file_format, sys.maxsize)
    body = sum(len(multipart.encode(name, content)[0]) for name, content, _ in whole)
    max_bytes = max(body + spare, longest - largest_line_bytes(names, file_format, 0))
    pieces = list(split(batches, names, file_format, max_bytes=max_bytes))
    assert [(piece.name, piece.content, piece.rows) for piece in pieces] == row_by_row(
        rows, file_format, max_bytes
    )


@given(st.lists(KEYS, min_size=1, max_size=20), st.sampled_from(KeepPolicy), st.data())
@settings(max_examples=examples(200), deadline=None)
def test_dedupe_keeps_one_row_of_each_key_and_is_idempotent(
    keys: list[str], policy: KeepPolicy, data: st.DataObject
) -> None:
    cells = data.draw(st.lists(st.sampled_from([None, "2026-01-31"]), min_size=len(keys), max_size=len(keys)))
    rows = pl.DataFrame(
        {ORDINAL: range(len(keys)), "email": keys, "when": cells},
        schema={ORDINAL: pl.UInt32, "email": pl.String, "when": pl.String},
    )
    keep = Keep(policy, "when" if policy is KeepPolicy.NEWEST else None)
    keyed = rows.select(ORDINAL, lookup_keys(rows["email"], "email"), rank(rows, ["email", "when"], keep))
    losers = find_losers(keyed)
    survivors = keyed.join(losers, on=ORDINAL, how="anti", maintain_order="left")
    assert sorted(survivors[KEY]) == sorted({key.lower() for key in keys})
    assert set(losers["_kept"]) <= set(survivors[ORDINAL])
    key_of = dict(keyed.select(ORDINAL, KEY).rows())
    assert all(key_of[lost] == key_of[kept] for lost, kept in losers.rows())
    assert find_losers(survivors).is_empty()


@given(rows=LEADS, broken=st.booleans(), keep=st.sampled_from(POLICIES))
@settings(max_examples=examples(20), deadline=None)
def test_every_row_has_exactly_one_fate(rows: list[tuple[str, ...]], broken: bool, keep: str) -> None:  # noqa: FBT001
    with folder_with(write_leads(rows, broken=broken)) as (folder, paths):
        run = clean(paths, folder / "out.prep", keep=keep)
        fates = run.rows
        counts = run.report["counts"]
        source = run.report["sources"][0]
        assert fates["row"].to_list() == list(range(1, source["rows"] + 1))
        assert source["rows"] == len(rows) + 2 * broken
        assert counts["read"] == fates.height == sum(counts.values()) - counts["read"]
        in_chunks = [row for chunk in chunks_of(run).values() for row in parse(chunk, Format.CSV)[1:]]
        assert len(in_chunks) == counts["ready"] == fates["chunk"].count()
        by_fate = dict(fates.group_by("fate").agg("row").rows())
        is_rejected, is_lost = pl.col("fate") == Fate.REJECTED, pl.col("fate") == Fate.DUPLICATE
        assert fates.filter(is_rejected != pl.col("reasons").is_not_null()).is_empty()
        assert fates.filter(is_lost != pl.col("kept_row").is_not_null()).is_empty()
        assert set(fates["kept_row"].drop_nulls()) <= set(by_fate.get("ready", []))
        tables = {"rejected": run.folder.rejected, "duplicate": run.folder.duplicates}
        for fate, path in tables.items():
            with path.open(encoding="utf-8-sig", newline="") as file:
                assert [int(line["_row"]) for line in csv.DictReader(file)] == sorted(by_fate.get(fate, []))


@given(
    rows=LEADS,
    broken=st.booleans(),
    keep=st.sampled_from([*POLICIES, "rules"]),
    cut=st.integers(0, 14),
    held_bytes=st.sampled_from([0, 500, 2_000, 1_000_000]),
)
@settings(max_examples=examples(10), deadline=None)
def test_prepare_and_clean_agree_whatever_the_batches(
    rows: list[tuple[str, ...]],
    broken: bool,  # noqa: FBT001
    keep: str,
    cut: int,
    held_bytes: int,
) -> None:
    halves = (write_leads(rows[:cut]), write_leads(rows[cut:], broken=broken))
    policy, rules = ("merge", RULES) if keep == "rules" else (keep, {})
    with folder_with(*halves) as (folder, paths):
        prepared = prepare(paths, keep=policy, merge=rules)
        whole = clean(paths, folder / "a.prep", keep=policy, merge=rules)
        in_pieces = partialmethod(DelimitedSource.read, block_bytes=SMALL_BLOCKS)
        with (
            mock.patch.object(DelimitedSource, "read", in_pieces),
            mock.patch.object(preparation, "_BATCH_CELLS", 12),
            mock.patch.object(Memory, "rows", return_value=3),
            mock.patch.object(Memory, "held", held_bytes),
        ):
            pieces = clean(paths, folder / "b.prep", keep=policy, merge=rules)
        assert prepared.counts == whole.counts == pieces.counts
        assert chunks_of(whole) == chunks_of(pieces)
        assert whole.rows.equals(pieces.rows)
        for name in ("rejected", "duplicates", "merged"):
            one, other = getattr(whole.folder, name), getattr(pieces.folder, name)
            assert one.exists() == other.exists()
            assert not one.exists() or one.read_bytes() == other.read_bytes()
        ready = prepared.ready.select(pl.exclude("_source", "_row", "_line"))
        sent = [row for chunk in chunks_of(whole).values() for row in parse(chunk, Format.CSV)[1:]]
        assert sent == [list(row) for row in ready.rows()]
        places = prepared.ready.select("_source", "_row").rows()
        assert places == whole.rows.filter(fate="ready").select("source", "row").rows()
        assert places == sorted(places)


@given(rows=LEADS, file_format=st.sampled_from(Format))
@settings(max_examples=examples(8), deadline=None)
def test_two_runs_give_identical_chunks(rows: list[tuple[str, ...]], file_format: Format) -> None:
    with folder_with(write_leads(rows)) as (folder, paths):
        first, second = (
            clean(paths, folder / name, format=file_format, max_bytes=1000) for name in ("a.prep", "b.prep")
        )
        assert chunks_of(first) == chunks_of(second)
        assert [chunk["sha256"] for chunk in first.report["chunks"]] == [
            chunk["sha256"] for chunk in second.report["chunks"]
        ]


@given(rows=LEADS, keep=st.sampled_from(POLICIES))
@settings(max_examples=examples(10), deadline=None)
def test_what_was_prepared_is_prepared_already(rows: list[tuple[str, ...]], keep: str) -> None:
    with folder_with(write_leads(rows)) as (folder, paths):
        run = clean(paths, folder / "a.prep", keep=keep)
        for content in chunks_of(run).values():
            (folder / "again.csv").write_bytes(content)
            again = clean(folder / "again.csv", folder / "b.prep", keep=keep)
            assert chunks_of(again) == {"leads-0001.csv": content}
            assert again.report["changes"] == []


@pytest.mark.parametrize("separator", [",", ";"])
@given(cells=st.lists(NASTY_CELLS, min_size=1, max_size=6))
@example(cells=["two lines\n\ufeffof one", "x"])
@settings(max_examples=examples(10), deadline=None)
def test_rejected_rows_show_the_cells_of_the_source(separator: str, cells: list[str]) -> None:
    rows = [("no address", cell, "a note", "") for cell in cells]
    text = io.StringIO(newline="")
    header = ("email", "firstName", "mktoPersonNotes", "numberOfEmployees")
    writer = csv.writer(text, lineterminator="\n", delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerows([header, *rows])
    with folder_with(text.getvalue().encode()) as (folder, paths):
        readable = prepare(paths).rejected.filter(pl.col("_raw").is_null())
        run = clean(paths, folder / "a.prep")
        with run.folder.rejected.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file, delimiter=separator))
        shown = [line["firstName"] for line in lines if not line["_raw"]]
        undone = [cell.removeprefix("'") for cell in shown]
        assert undone == [cell or "" for cell in readable["firstName"]]
        expected = [cell for cell in cells if "\0" not in cell]
        assert [cell.replace("\r\n", "\n").replace("\r", "\n") for cell in expected] == undone
