"""Whatever is given as a source → opened sources; what could not be read a second time is copied first."""

import io
import os
import sys
from collections.abc import Callable, Iterator, MappingView, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Final, cast

import polars as pl

from prep import durable
from prep.errors import SourceError
from prep.folder import RunFolder
from prep.manifest import SourceRecord
from prep.model import FIND_OUT, Reading
from prep.people import AS_WRITTEN
from prep.returned import adopt
from prep.sources import Source, open_source
from prep.sources.columnar import open_frame, spool
from prep.sources.containers import members, name_beside, split_path
from prep.sources.database import open_query
from prep.sources.files import Digesting, digest, opened, stamp
from prep.sources.open import open_stored, spool_stream

STDIN: Final = "-"


@dataclass(frozen=True)
class Query:
    """Rows of a database, as a source.

    Attributes:
        sql: A query; its columns are the source's. Further queries of one database are numbered.
        url: Such as `postgresql://host/database` or `sqlite:///leads.db`, without a password; None is what
            the variable `PREP_DB_URL` holds, which may have one.
    """

    sql: str
    url: str | None = None


Given = str | Path | Query | pl.DataFrame | pl.LazyFrame
Sources = Given | Sequence[Given]

_ONE_THING: Final = (str, bytes, bytearray, memoryview, io.IOBase)
"""What yields parts of itself and is one thing."""


def listed(given: Sources) -> list[Given]:
    """What was given, one by one.

    Raises:
        SourceError: Nothing was given, something that is no source, or a file twice: each of its rows would
            have two fates.
    """
    is_several = isinstance(given, Sequence | Iterator | MappingView) and not isinstance(given, _ONE_THING)
    sources = list(cast("Sequence[Given]", given)) if is_several else [cast("Given", given)]
    for source in sources:
        if not isinstance(source, Given):
            raise no_source(source, "Give a path, a prep.Query, a polars frame, or a list of these.")
    if not sources:
        raise SourceError("no source was given", code="no_source", hint="Name at least one lead file.")
    seen: set[Path | str] = set()
    for source in sources:
        if not isinstance(source, str | Path):
            continue
        if any("\ud800" <= letter <= "\udfff" for letter in str(source)):
            raise SourceError(
                f"{str(source)!a}: the name is not valid text", code="bad_name", hint="Rename the file."
            )
        real = str(source) if _is_stdin(source) else Path(os.path.realpath(source))  # knows no end of links
        if real in seen:
            raise _given_twice(str(source))
        seen.add(real)
    return sources


def no_source(given: object, hint: str) -> SourceError:
    """The error about something that is no source; it holds nothing of what that holds."""
    kind = type(given)
    module = kind.__module__.partition(".")[0]
    name = kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    return SourceError(
        f"what was given as a source is of type {name}",
        code="not_a_source",
        hint=f"{hint} A frame is made with pl.from_pandas(df), pl.from_arrow(table) or pl.DataFrame(rows); "
        "save what a buffer holds as a file.",
    )


def default_folder(given: Given) -> Path:
    """The run folder of a source, in the current folder: its name without extensions and with `.prep`."""
    if isinstance(given, Query):
        return Path("query.prep")
    if not isinstance(given, str | Path):
        return Path("frame.prep")
    if _is_stdin(given):
        return Path("stdin.prep")
    name = Path(given).name
    return Path(f"{name.lstrip('.').partition('.')[0] or name}.prep")


def open_all(given: Sequence[Given], reading: Reading = FIND_OUT) -> list[Source]:
    """Open sources to be read once, in memory.

    Raises:
        SourceError: One cannot be read; standard input, which comes only once, is none of them.
    """
    sources: list[Source] = []
    for source in given:
        match source:
            case Query():
                query = open_query(source.url, source.sql)
                sources.append(replace(query, path=_query_name(query.path, sources)))
            case pl.DataFrame() | pl.LazyFrame():
                sources.append(open_frame(source, _frame_name(len(sources))))
            case _ if _is_stdin(source):
                raise SourceError(
                    "-: standard input comes only once",
                    code="no_stdin",
                    hint="prep.clean copies it into its run folder; here, save it to a file first.",
                    source=STDIN,
                )
            case _:
                sources += _members(str(source), reading)
    _refuse_repeated(sources)
    return [adopt(source) for source in sources]


def _members(path: str, reading: Reading) -> Iterator[Source]:
    """Open a file, or every table of an archive; the first of these tells which of its files hold none."""
    found = members(path)
    for number, member in enumerate(found.paths):
        try:
            source = _open_as_quoted(partial(open_source, member), reading)
        except SourceError as error:
            error.hint = " ".join(filter(None, [error.hint, name_beside(member, found.paths)]))
            raise
        if found.left_out and not number:
            left_out = f"files of the archive that were left out: {', '.join(map(repr, found.left_out))}"
            source = replace(source, notes=(*source.notes, left_out))
        yield source


def take_in(
    given: Sequence[Given],
    reading: Reading,
    folder: RunFolder,
    *,
    keep_source: bool = False,
    digesting: bool = False,
) -> list[Source]:
    """Open sources that can be read again later: from where they lie, else from a copy in the run folder.

    Args:
        given: What to open.
        reading: How, where it was said.
        folder: The run folder; copies are in `source/`.
        keep_source: Copy files too.
        digesting: Begin to compute the digests of files, for a manifest.

    Raises:
        SourceError: One cannot be read.
    """
    sources: list[Source] = []
    for source in given:
        if isinstance(source, str | Path) and not _is_stdin(source) and not keep_source:
            before = stamp(str(source))
            begun = Digesting(str(source)) if digesting else None
            sources += (
                replace(found, stamp=before, digesting=begun if found.path == str(source) else None)
                for found in open_all([source], reading)
            )
            continue
        for name, copy in _copied(source, folder, sources):
            sources.append(_open_copy(copy, name, reading if isinstance(source, str | Path) else FIND_OUT))
    _refuse_repeated(sources)
    return _tell_idle_sheet(sources, reading)


def _tell_idle_sheet(sources: list[Source], reading: Reading) -> list[Source]:
    """Say of a sheet that was asked for that no source has any."""
    if reading.sheet is None or any(source.reading.sheet for source in sources):
        return sources
    idle = f"--sheet {reading.sheet!r} says nothing here: no source is a workbook"
    return [replace(sources[0], notes=(*sources[0].notes, idle)), *sources[1:]]


def _refuse_repeated(sources: Sequence[Source]) -> None:
    """Refuse a source that came twice, such as in its archive and by its own name.

    Raises:
        SourceError: There is one: rows are known by the names of their sources.
    """
    for position, source in enumerate(sources):
        if source.path in (earlier.path for earlier in sources[:position]):
            raise _given_twice(source.path)


def _given_twice(source: str) -> SourceError:
    return SourceError(
        f"{source}: given twice", code="repeated_source", hint="Name each lead file once.", source=source
    )


def _query_name(database: str, sources: Sequence[Source]) -> str:
    """What a query is called: as its database, further ones of it with a number behind."""
    names = chain([database], (f"{database} (query {number})" for number in count(2)))
    taken = {source.path for source in sources}
    return next(name for name in names if name not in taken)


def reopen(folder: RunFolder, record: SourceRecord) -> Source:
    """Open a source of a run as it was read then.

    Raises:
        SourceError: It cannot be read.
    """
    if record.copy:
        return _open_copy(folder.spool / record.copy, record.path, record.reading)
    return adopt(open_source(record.path, record.reading))


def _open_copy(copy: Path, name: str, reading: Reading) -> Source:
    source = _open_as_quoted(partial(open_stored, copy, name), reading)
    return replace(adopt(source), stored=str(copy))


def _open_as_quoted(opening: Callable[[Reading], Source], reading: Reading) -> Source:
    """Open a file; one that prep wrote for people is quoted as prep quotes, unless it is known how."""
    source = opening(reading)
    if reading.quote is not None or source.reading.quote is None or not adopt(source).is_guarded:
        return source
    return opening(replace(reading, quote=AS_WRITTEN.quote, escape=AS_WRITTEN.escape))


def _is_stdin(source: str | Path) -> bool:
    return os.fspath(source) == STDIN


def _frame_name(position: int) -> str:
    return f"frame {position + 1}"


def _copied(source: Given, folder: RunFolder, sources: Sequence[Source]) -> Iterator[tuple[str, Path]]:
    """Copy a source, each member of an archive for itself; give the name of each and its copy.

    Args:
        source: What is copied.
        folder: The run folder.
        sources: Those before it.
    """
    position = len(sources)
    number = f"{position + 1:04d}"
    match source:
        case Query():
            query = open_query(source.url, source.sql)
            name = _query_name(query.path, sources)
            yield name, _store(folder, f"{number}.parquet", lambda path: spool(query, path))
        case pl.DataFrame() | pl.LazyFrame():
            frame = open_frame(source, _frame_name(position))
            yield frame.path, _store(folder, f"{number}.parquet", lambda path: spool(frame, path))
        case _ if _is_stdin(source):
            if sys.stdin is None:
                raise SourceError(
                    f"{STDIN}: standard input is closed",
                    code="unreadable_source",
                    hint="Pipe a file in, or name it.",
                    source=STDIN,
                )
            yield STDIN, _store(folder, number, lambda path: spool_stream(sys.stdin.buffer, path))
        case _:
            for index, path in enumerate(members(str(source)).paths, position + 1):
                yield path, _store(folder, f"{index:04d}{Path(path).suffix}", partial(_copy_file, path))


def _copy_file(source: str, copy: Path) -> None:
    """Copy a file as it lies on the disk, or a member of an archive as it was before it went in."""
    archive, member = split_path(source)
    with opened(source) as content, open(archive, "rb") as packed:  # noqa: PTH123, names of any kind
        spool_stream(packed if member is None else content, copy)


def _store(folder: RunFolder, name: str, write: Callable[[Path], object]) -> Path:
    """Put a copy into the run folder, where one with other content may be already.

    Raises:
        FolderError: The folder's run was made from that one.
    """
    durable.make_folder(folder.spool)
    copy = folder.spool / name
    incoming = folder.spool / f"{name}.new"
    try:
        write(incoming)
        if folder.manifest_file.exists() and copy.exists() and digest(str(copy)) != digest(str(incoming)):
            raise folder.other_run("before a source changed")
        incoming.replace(copy)
        durable.sync_directory(folder.spool)
    finally:
        incoming.unlink(missing_ok=True)
    return copy
