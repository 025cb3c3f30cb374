"""What Marketo is asked before an import: keys of the upload, so many to a call, and the price of that."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from math import gcd
from typing import Final

import polars as pl

from prep.folder import RunFolder
from prep.folding import counted
from prep.instance import Instance
from prep.limits import CALL_WINDOW_SECONDS, DAILY_CALLS, LOOKUP_KEYS, OWN_CALLS_PER_WINDOW
from prep.manifest import Manifest
from prep.model import ROW, SOURCE, Chunk, Format
from prep.previewing.answers import Facts

KEY: Final = "_key"
LOOSE: Final = "_loose"
IS_ASKED: Final = "_is_asked"
ID: Final = "id"

_GOLDEN_SECTION: Final = 0.618034
_TOLD_OTHERWISE: Final = "string"


@dataclass(frozen=True)
class Questions:
    """What is asked about the rows of a run.

    Attributes:
        lookup_field: REST name of the field that holds the keys.
        types: Field → Marketo's type, of all fields whose values are compared.
        unreadable: Fields of the upload that Marketo does not describe: nobody can ask for their values.
        keys_a_call: How many keys go into one look-up: one only, where an answer does not tell its key.
        sample: How many rows are asked about; None for all.
        rows: How many rows the upload has.
    """

    lookup_field: str
    types: Mapping[str, str]
    unreadable: tuple[str, ...]
    keys_a_call: int
    sample: int | None
    rows: int

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields whose values are asked for, the key first if it can be read back."""
        return tuple(dict.fromkeys(([self.lookup_field] if self.tells_key else []) + list(self.types)))

    @property
    def tells_key(self) -> bool:
        """Whether an answer says which key it is about."""
        return self.lookup_field not in self.unreadable

    @property
    def rows_asked(self) -> int:
        """How many rows are asked about."""
        return self.rows if self.sample is None else self.sample

    @property
    def lookups(self) -> int:
        """How many look-ups it takes, if none finds more people than keys."""
        return -(-self.rows_asked // self.keys_a_call)

    def facts(self, manifest: Manifest, target: str) -> Facts:
        """What answers must have been given to, to be of use."""
        files = ",".join(chunk.sha256 for chunk in manifest.results.chunks)
        return {
            "instance": target,
            "upload files": sha256(files.encode()).hexdigest(),
            "--sample": self.sample,
            "fields": [self.lookup_field, *self.fields],
        }


def make_questions(manifest: Manifest, instance: Instance | None, sample: int | None) -> Questions:
    """Find out what to ask.

    Args:
        manifest: Of the run.
        instance: What Marketo tells of its fields; None if it does not.
        sample: How many rows to ask about; None, or as many as there are, is all.
    """
    lookup_field = manifest.settings["lookup_field"]
    names = [name for name in manifest.results.fields if name != ID]
    judged = manifest.schema.get("fields", {})
    unreadable = [name for name in names if instance and name not in instance.fields]
    types = {
        name: instance.fields[name].type if instance else judged.get(name, {}).get("type", _TOLD_OTHERWISE)
        for name in names
        if name not in unreadable
    }
    rows = sum(chunk.rows for chunk in manifest.results.chunks)
    return Questions(
        lookup_field=lookup_field,
        types=types,
        unreadable=tuple(unreadable),
        keys_a_call=1 if lookup_field in unreadable else LOOKUP_KEYS,
        sample=None if sample is None or sample >= rows else sample,
        rows=rows,
    )


@dataclass(frozen=True)
class Estimate:
    """What a preview takes, before anybody is looked up.

    Attributes:
        rows: Rows that are asked about.
        lookups: Look-ups that are still to be made; each key that matches several people may add one.
        used_today: Calls that all integrations made today; None if Marketo does not tell.
    """

    rows: int
    lookups: int
    used_today: int | None

    @property
    def seconds(self) -> float:
        """The least time, at the rate that prep allows itself."""
        return self.lookups / OWN_CALLS_PER_WINDOW * CALL_WINDOW_SECONDS

    @property
    def sentence(self) -> str:
        """Calls, time and share of the day's quota."""
        calls = f"about {counted(self.lookups, 'API call')}, at least {self.seconds:,.0f} s"
        if self.used_today is None:
            return calls
        left = max(DAILY_CALLS - self.used_today, 0)
        share = f"{100 * self.lookups / left:.1f} % of the" if left else "more than the"
        return f"{calls}; {share} {left:,} that are left today if the quota is the usual {DAILY_CALLS:,}"


@dataclass(frozen=True)
class Part:
    """Rows of one upload file that are looked up together.

    Attributes:
        rows: `_source`, `_row`, `_key`, `_loose` (the key without case and blanks around it), `_is_asked`,
            then the cells of the upload file.
        fields: The columns of the upload file.
    """

    rows: pl.DataFrame = field(repr=False)
    fields: tuple[str, ...]


def read_batches(folder: RunFolder, manifest: Manifest, questions: Questions) -> Iterator[tuple[Part, ...]]:
    """Yield the rows that go into one look-up each, in the order of the upload files; always the same."""
    waiting: list[Part] = []
    room = questions.keys_a_call
    for part in _read_parts(folder, manifest, questions):
        start = 0
        while start < part.rows.height:
            taken = part.rows.slice(start, room)
            waiting.append(Part(taken, part.fields))
            start += taken.height
            room -= taken.height
            if not room:
                yield tuple(waiting)
                waiting, room = [], questions.keys_a_call
    if waiting:
        yield tuple(waiting)


def keys_of(batch: tuple[Part, ...]) -> list[str]:
    """The keys of a batch that can be asked for."""
    return [key for part in batch for key in part.rows.filter(IS_ASKED)[KEY].to_list()]


def _read_parts(folder: RunFolder, manifest: Manifest, questions: Questions) -> Iterator[Part]:
    before, places = 0, _choose(questions)
    for chunk in manifest.results.chunks:
        cells = _read_cells(folder, manifest, chunk)
        key = pl.col(questions.lookup_field)
        rows = folder.query_rows(partial(_rows_of, chunk))
        numbered = pl.concat(
            [
                rows,
                cells.select(
                    key.alias(KEY),
                    loosened(key).alias(LOOSE),
                    # A comma ends a value, and nothing is documented that would make it a part of one.
                    (~key.str.contains(",", literal=True)).alias(IS_ASKED),
                ),
                cells,
            ],
            how="horizontal",
        )
        yield Part(_sampled(numbered, places, before), tuple(cells.columns))
        before += chunk.rows


def _rows_of(chunk: Chunk, rows: pl.LazyFrame) -> pl.LazyFrame:
    named = (pl.col("source").alias(SOURCE), pl.col("row").alias(ROW))
    return rows.filter(pl.col("chunk") == chunk.file).select(named)


def loosened(key: pl.Expr) -> pl.Expr:
    """A key as Marketo may compare it: without case, and without blanks around it."""
    return key.str.strip_chars().str.to_lowercase()


def _sampled(rows: pl.DataFrame, places: pl.Series | None, before: int) -> pl.DataFrame:
    """The rows of a file that are asked about; `before` stand in the files before it."""
    if places is None:
        return rows
    here = places.filter((places >= before) & (places < before + rows.height)) - before
    return rows[here]


def _choose(questions: Questions) -> pl.Series | None:
    """Which rows are asked about, counted from 0, ascending; None for all.

    They lie as far apart as steps of the golden section do, so that no rhythm of the file favours some.
    """
    if questions.sample is None:
        return None
    step = max(1, int(questions.rows * _GOLDEN_SECTION))
    while gcd(step, questions.rows) != 1:
        step += 1
    return (pl.int_range(questions.sample, eager=True) * step % questions.rows).sort()


def _read_cells(folder: RunFolder, manifest: Manifest, chunk: Chunk) -> pl.DataFrame:
    delimiter = Format(manifest.settings["format"]).delimiter
    return pl.read_csv(io.BytesIO(folder.read_chunk(chunk)), separator=delimiter, infer_schema=False)
