"""Which kind of source a file is."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

from prep import durable
from prep.errors import SourceError
from prep.model import FIND_OUT, Reading
from prep.sources.batch import Batch, Source
from prep.sources.columnar import open_table
from prep.sources.containers import is_compressed, members, refusal
from prep.sources.delimited import open_delimited
from prep.sources.files import Copy, digest, opened
from prep.sources.signatures import HEAD_BYTES, WORKBOOKS, kind_of

_URL: Final = re.compile(r"([a-z][a-z0-9+.-]+):/", re.IGNORECASE)
"""With one slash: a path is what is left of two."""
_FETCH: Final = "Fetch it first, for example with: curl -o leads.csv '…'"
_QUERY: Final = "Read a database with --db URL --query 'SELECT …'"
_FETCHING: Final = {
    **dict.fromkeys(("http", "https", "ftp", "ftps"), _FETCH),
    **dict.fromkeys(("postgresql", "postgres", "sqlite"), _QUERY),
    "file": "Give the path alone, without file://",
}

_COPY_BYTES: Final = 1024 * 1024

_FROM_A_FILE: Final = "Save it as a file and give that: its name stands for all of them."
_UNPACK: Final = "Unpack it and give the file inside."
_EXPORT: Final = "Export the table as CSV UTF-8 or as a workbook."
_REFUSED: Final = {
    "7z": ("a 7z archive", _UNPACK),
    "rar": ("a RAR archive", _UNPACK),
    "tar": ("a tar archive", _UNPACK),
    "sqlite": ("an SQLite database", "Read it with: --db sqlite:///FILE --query 'SELECT … FROM …'"),
    "document": ("a text document or a presentation", _EXPORT),
    "iwork": ("a document of Apple's Numbers, Pages or Keynote", _EXPORT),
    "ole": ("a document of an older Office program, not a workbook", _EXPORT),
    "pdf": ("a PDF", _EXPORT),
    "image": ("a picture", _EXPORT),
    "program": ("a program", "Check the name of the file."),
    "xml": ("XML, which has no rows", _EXPORT),
    "mhtml": ("a saved web page or mail", "Open it in a spreadsheet program and save it as .xlsx."),
}

_TABLES: Final = frozenset({"parquet", "arrow", "arrow_stream"})


def open_source(path: str | Path, reading: Reading = FIND_OUT) -> Source:
    """Find out how a file is written, and what its columns are.

    Args:
        path: The file, or a member of a zip archive as `a.zip!b.csv`; of an archive with one member, the
            archive.
        reading: What is known of it already; the rest is found out.

    Raises:
        SourceError: The file is missing, unreadable or empty, or holds no table that can be read.
        SettingsError: `reading` asks for what is not possible.
    """
    path = str(path)
    refuse_url(path)
    with opened(path) as content:
        is_unpacked = content.is_unpacked
        kind = kind_of(content.read(HEAD_BYTES), None if is_unpacked else path)
    if kind == "zip" and not is_unpacked:
        return open_source(_only_member(path), reading)
    if kind in _REFUSED:
        raise refusal(path, f"this is {_REFUSED[kind][0]}", "not_text", _REFUSED[kind][1])
    if is_compressed(kind):
        raise _nested(path)
    if kind == "json":
        from prep.sources.json_records import open_json  # noqa: PLC0415 (few sources are JSON)

        return open_json(path, reading)
    if kind not in {*WORKBOOKS, *_TABLES, "zip"}:
        return open_delimited(path, reading)
    if not is_unpacked:
        return _open_lying(path, Path(path), reading, kind)
    return _open_unpacked(path, reading)


def refuse_url(path: str) -> None:
    """Refuse what is to be fetched from elsewhere: prep talks to Marketo only.

    Raises:
        SourceError: With code `remote_source`.
    """
    if (url := _URL.match(path)) and not Path(path).exists():
        scheme = url.group(1).lower()
        raise SourceError(
            f"{scheme}://…: prep fetches no files from elsewhere",
            code="remote_source",
            hint=_FETCHING.get(scheme, "Copy it to this machine first."),
            source=f"{scheme}://…",
        )


def _only_member(path: str) -> str:
    found = members(path)
    if len(found.paths) > 1:
        raise refusal(
            path,
            f"the archive holds {len(found.paths)} files",
            "several_members",
            f"Name one of them, as in {found.paths[0]}",
        )
    return found.paths[0]


def _open_lying(path: str, place: Path, reading: Reading, kind: str) -> Source:
    """Open a file that can be read here and there; `path` is what it is called."""
    if kind == "zip":
        raise _nested(path)
    if kind in _TABLES:
        return open_table(path, place, kind)
    from prep.sources.workbook import open_workbook  # noqa: PLC0415 (nor are many workbooks)

    return open_workbook(place, reading, name=path)


def _nested(path: str) -> SourceError:
    return refusal(path, "an archive inside an archive", "nested_archive", _UNPACK)


def _open_unpacked(path: str, reading: Reading) -> Source:
    """Open what has to be unpacked into a file of its own before it can be read."""
    copy = Copy(path)
    with copy.path.open("rb") as file:
        kind = kind_of(file.read(HEAD_BYTES), copy.path)
    if kind in _REFUSED:
        raise refusal(path, f"this is {_REFUSED[kind][0]}", "not_text", _REFUSED[kind][1])
    source = _open_lying(path, copy.path, reading, kind)
    return replace(_moved(source, path), digest=lambda: digest(path), copy=copy)


def open_stored(place: Path, name: str, reading: Reading = FIND_OUT) -> Source:
    """Open a file that holds what came from elsewhere: standard input, or what `spool` wrote.

    Args:
        place: The file.
        name: What the source is called: `-`, or where the rows are from.
        reading: As in `open_source`.

    Returns:
        The source; its digest is that of the file.

    Raises:
        SourceError: As `open_source`; it speaks of `name`.
    """
    with _renaming(str(place), name):
        source = open_source(place, reading)
    moved = _moved(source, name)
    is_whole = source.path == str(place)  # and not the one file of an archive
    return moved if is_whole else replace(moved, digest=lambda: digest(str(place)))


@dataclass(frozen=True)
class MovedSource(Source):
    """A source that lies elsewhere than its path says.

    Attributes:
        inner: The source as it lies.
        digest: Computes the SHA-256 of the source; None if it is that of `inner`.
        copy: What `inner` reads, where that is temporary.
    """

    inner: Source
    digest: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    copy: Copy | None = field(default=None, repr=False, compare=False)

    @property
    def may_be_guarded(self) -> bool:
        """As the source that it is."""
        return self.inner.may_be_guarded

    def read(self, lookup_position: int | None = None) -> "MovedReader":
        """Read the records."""
        return MovedReader(self, lookup_position)


class MovedReader:
    """The batches of a moved source. It can be iterated over once.

    Attributes:
        rows: How many records were read so far, rejected ones included.
        sha256: Digest of the source in hexadecimal; empty until the last batch was taken.
        share: How much of the source was read so far; see `Reader`.
    """

    def __init__(self, source: MovedSource, lookup_position: int | None) -> None:
        self.rows = 0
        self.sha256 = ""
        self.share: float | None = None
        self._batches = self._read(source, lookup_position)

    def __iter__(self) -> Iterator[Batch]:
        return self._batches

    def _read(self, source: MovedSource, lookup_position: int | None) -> Iterator[Batch]:
        with _renaming(source.inner.path, source.path):
            reader = source.inner.read(lookup_position)
            for batch in reader:
                self.rows, self.share = reader.rows, reader.share
                yield batch
            self.rows = reader.rows
            self.sha256 = source.digest() if source.digest else reader.sha256


def _moved(inner: Source, path: str) -> MovedSource:
    return MovedSource(path, inner.reading, inner.columns, notes=inner.notes, inner=inner)


@contextmanager
def _renaming(place: str, path: str) -> Iterator[None]:
    """Let errors speak of the source instead of the place where it lies."""
    try:
        yield
    except SourceError as error:
        if place == path or not (error.source or "").startswith(place):
            raise
        hint = _FROM_A_FILE if error.code == "several_members" else error.hint.replace(place, path)
        raise SourceError(
            error.message.replace(place, path),
            code=error.code,
            hint=hint,
            source=path,
            row=error.row,
            column=error.column,
        ) from error


def spool_stream(stream: BinaryIO, path: Path) -> None:
    """Copy standard input into a file, which is durable when it is there.

    Args:
        stream: The bytes.
        path: Where to write.

    Raises:
        OSError: The stream cannot be read, or the file not be written.
    """
    with durable.replacing(path) as file:
        shutil.copyfileobj(stream, file, _COPY_BYTES)
