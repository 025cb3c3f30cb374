"""Opening files: whatever the system has against one is said in one way."""

import hashlib
import io
import mmap
import os
import shutil
import stat
import tempfile
import weakref
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO, Final

from prep.errors import SourceError
from prep.sources.containers import is_compressed, open_member, refusal, split_path, unpack
from prep.sources.signatures import HEAD_BYTES, kind_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER_BYTES: Final = HEAD_BYTES
"""Whoever asks for more at a time gets it without a detour through a buffer."""
_COPIED_BYTES: Final = 1024 * 1024

_DIGESTED_BYTES: Final = 8 * 1024 * 1024
"""Between two parts Python's lock is waited for, which whatever is imported meanwhile holds for a while."""


class Content(io.BufferedReader):
    """The bytes of a source, from first to last; what is compressed comes unpacked.

    Attributes:
        is_unpacked: The bytes do not lie in a file of their own: they come out of an archive, or of a
            compressed file.
    """

    def __init__(self, stored: "_Stored", path: str, *, member_bytes: int | None = None) -> None:
        """Read a source.

        Args:
            stored: The file, or the member of an archive, as it is stored.
            path: The source, for messages.
            member_bytes: How many bytes of an archive it takes, if it is a member.
        """
        self._stored = stored
        packed = io.BufferedReader(stored, _BUFFER_BYTES)
        kind = kind_of(packed.peek(HEAD_BYTES)[:HEAD_BYTES])
        self.is_unpacked = member_bytes is not None or is_compressed(kind)
        if is_compressed(kind):
            super().__init__(unpack(packed, kind, path, member_bytes=member_bytes), _BUFFER_BYTES)
        else:
            super().__init__(packed, _BUFFER_BYTES)

    def drain(self) -> str:
        """Take what is left of the stored bytes, unpacking nothing; return their digest."""
        buffer = page_aligned(_DIGESTED_BYTES)
        while self._stored.readinto(buffer):
            pass
        return self.sha256

    @property
    def share(self) -> float | None:
        """How much of the stored bytes was taken so far, from 0 to 1; None in an archive."""
        return min(self._stored.taken / self._stored.size, 1.0) if self._stored.size else None

    @property
    def sha256(self) -> str:
        """Digest, in hexadecimal, of the stored bytes that were taken so far.

        At the end it is that of the whole file as it lies on the disk, or would if it were taken out of its
        archive: of `a.csv.gz` the compressed bytes, of `a.zip!b.csv` those of `b.csv`.
        """
        if self._stored.digest is None:
            raise TypeError("the source was opened without a digest")
        return self._stored.digest.hexdigest()


class _Stored(io.RawIOBase):
    def __init__(self, file: io.RawIOBase | BinaryIO, *, digesting: bool, size: int | None) -> None:
        self._file = file
        self.size = size
        self.taken = 0
        self.digest = hashlib.sha256() if digesting else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        count = self._file.readinto(view) or 0  # type: ignore[union-attr]  # every raw stream has it
        self.taken += count
        if self.digest is not None:
            self.digest.update(view[:count])
        return count


@contextmanager
def opened(path: str, *, digesting: bool = False) -> Iterator[Content]:
    """Open a source for reading; within the block, errors of the system become errors of ours.

    Args:
        path: A file, or a member of a zip archive as `a.zip!b.csv`. If it is compressed with gzip, bzip2, xz
            or zstd, its content is read.
        digesting: Compute the digest on the way, which takes as long as everything else.

    Raises:
        SourceError: With code `not_a_file`, `no_such_file` or `unreadable_source`, or as `Unpacking` says.
    """
    archive, member = split_path(path)
    try:
        _refuse_others(archive, path)
        with open(archive, "rb", buffering=0) as file:  # noqa: PTH123, a Path would raise on odd names
            size = os.fstat(file.fileno()).st_size if member is None else None
            inside = None if member is None else open_member(file, path, member)
            stored = _Stored(inside or file, digesting=digesting, size=size)
            member_bytes = inside.packed_bytes if inside else None
            with Content(stored, path, member_bytes=member_bytes) as content:
                yield content
    except FileNotFoundError as error:
        raise refusal(
            path, "there is no such file", "no_such_file", "Check the name and the folder."
        ) from error
    except OSError as error:
        found = f"the file cannot be read ({error.strerror or error})"
        raise refusal(path, found, "unreadable_source", "Check the permissions and the disk.") from error


def page_aligned(size: int) -> mmap.mmap:
    """Memory to read a file into.

    The system copies from whole pages, and AMD's processors copy five times as slowly to a place that is 1 to
    31 bytes further within its page: 16 where malloc gives out large buffers.
    https://lunnova.dev/articles/ryzen-slow-short-rep-mov
    """
    return mmap.mmap(-1, size)


def _refuse_others(name: str, path: str) -> None:
    """Refuse what is no file. A pipe gives its bytes once, but a source is read several times."""
    if "\0" in name:
        raise FileNotFoundError(name)
    mode = os.stat(name).st_mode  # noqa: PTH116
    if stat.S_ISDIR(mode):
        raise refusal(path, "this is a folder", "not_a_file", "Name the files in it.")
    if not stat.S_ISREG(mode):
        hint = "Give - as the file and pipe it in."
        raise refusal(path, "this is a pipe or a device, no file", "not_a_file", hint)


class Copy:
    """The content of a source in a file of its own, for those who read here and there in it.

    Attributes:
        path: The file. It is deleted with this object.
    """

    def __init__(self, source: str) -> None:
        """Unpack a source.

        Args:
            source: As in `opened`.

        Raises:
            SourceError: As `opened`.
        """
        folder = tempfile.mkdtemp(prefix="prep-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.path = Path(folder) / "unpacked"
        with opened(source) as content, self.path.open("xb") as file:
            shutil.copyfileobj(content, file, _COPIED_BYTES)


def stored_bytes(path: str) -> int:
    """How large a source lies on the disk, of a member its archive; 0 where there is no such file."""
    with suppress(OSError, ValueError):
        return os.stat(split_path(path)[0]).st_size  # noqa: PTH116, a Path would raise on odd names
    return 0


def stamp(path: str) -> tuple[int, ...]:
    """What tells a file from one that took its place, of a member its archive; empty where there is none."""
    with suppress(OSError, ValueError):
        found = os.stat(split_path(path)[0])  # noqa: PTH116, as above
        return found.st_ino, found.st_size, found.st_mtime_ns
    return ()


def digest(path: str) -> str:
    """SHA-256 of a source, in hexadecimal: what `Content.sha256` is in the end.

    Raises:
        SourceError: It cannot be read.
    """
    with opened(path, digesting=True) as content:
        return content.drain()


class Digesting:
    """The digest of a source, computed in a thread while something else is found out about it."""

    def __init__(self, path: str) -> None:
        """Begin.

        Args:
            path: As in `digest`.
        """
        self._found = Future[str]()
        Thread(target=self._compute, args=(path,), name="prep-digest", daemon=True).start()

    def _compute(self, path: str) -> None:
        try:
            self._found.set_result(digest(path))
        except BaseException as error:  # noqa: BLE001 - raised again where the digest is asked for
            self._found.set_exception(error)

    def result(self) -> str:
        """What `digest` returns, or raises."""
        return self._found.result()


def changed(path: str) -> SourceError:
    """An error for a file that was written to while it was read."""
    return SourceError(
        f"{path}: changed while it was read",
        code="source_changed",
        hint="Wait until the program that writes it is done, and run the same command again.",
        source=path,
    )
