"""Files inside files: what one compressed file holds, and the members of a zip archive, as streams of bytes.

Members are read where they lie. Nothing is ever written under a member's name, so it does not matter what
the name is. How much may come out of how little is settled here for all kinds.
"""

import bz2
import io
import lzma
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, Protocol

from prep.errors import SourceError
from prep.sources.signatures import HEAD_BYTES, kind_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MEMBER_MARK: Final = "!"
"""Stands between an archive and the name of a member: `a.zip!b.csv`."""

MOST_RATIO: Final = 200
"""How many bytes may come out of one. Lead files yield 4 to 50, tables with long constant cells up to 100."""

FREE_BYTES: Final = 64 * 1024 * 1024
"""So much may come out at any ratio, of all tables of an archive together."""

MOST_BYTES: Final = 64 * 1024**3
"""More never comes out of one file: twice the largest table that row numbers of 32 bits allow for."""

MOST_MEMBERS: Final = 256
"""An archive with more tables is no list of leads; single ones can still be named."""

_FREE_MEMBER_BYTES: Final = FREE_BYTES // MOST_MEMBERS
"""So much may come out at any ratio of a compressed file in an archive, where no directory tells how much."""

_DIRECTORY_BYTES: Final = 4 * 1024 * 1024
_PIECE_BYTES: Final = 64 * 1024
_MEMORY_BYTES: Final = 192 * 1024 * 1024  # `xz -9` needs 65 MB, `zstd --ultra -22` 128 MB
_ZSTD_WINDOW_LOG: Final = 27
_CLUTTER: Final = re.compile(
    r"(?:^|[/\\])(?:__MACOSX[/\\]|(?:\.|~\$)[^/\\]*$|(?:Thumbs\.db|desktop\.ini)$)|[/\\]$", re.IGNORECASE
)
_LOCAL_HEADER_BYTES: Final = 30
_IS_ENCRYPTED: Final = 0x1
_IS_UTF8: Final = 0x800

_DAMAGED: Final = "Fetch or make it again; nothing of it was used."


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Inflate:
    """zlib's decompressor with the manners of the others."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


_Make = Callable[[], _Decompressor]

_COMPRESSIONS: Final[Mapping[str, _Make]] = MappingProxyType(
    {
        "gzip": lambda: _Inflate(31),
        "bzip2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY_BYTES),
        "zstd": lambda: zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        ),
    }
)
_METHODS: Final[Mapping[int, _Make | None]] = MappingProxyType(
    {
        zipfile.ZIP_STORED: None,
        zipfile.ZIP_DEFLATED: lambda: _Inflate(-15),
        zipfile.ZIP_BZIP2: _COMPRESSIONS["bzip2"],
        93: _COMPRESSIONS["zstd"],
        95: _COMPRESSIONS["xz"],
    }
)
"""Compression methods of zip: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.4.5."""


def is_compressed(kind: str) -> bool:
    """Whether a kind of `kind_of` is one compressed file."""
    return kind in _COMPRESSIONS


def split_path(path: str) -> tuple[str, str | None]:
    """Divide `a.zip!b.csv` into archive and member; a file that is called so itself has no member."""
    if MEMBER_MARK in path and not os.path.lexists(path):
        for mark in re.finditer(re.escape(MEMBER_MARK), path):
            if os.path.isfile(path[: mark.start()]):  # noqa: PTH113, a Path would raise on odd names
                return path[: mark.start()], path[mark.end() :]
    return path, None


def name_beside(path: str, others: Iterable[str]) -> str:
    """What to do about a member that is no list of leads, such as a read-me; empty where it stands alone."""
    archive, member = split_path(path)
    beside = [other for other in others if member is not None and split_path(other)[0] == archive]
    found = next((other for other in beside if other != path), "")
    return f"To read other files of the archive alone, name them, as in '{found}'." if found else ""


class Members(NamedTuple):
    """What a path stands for.

    Attributes:
        paths: The sources: the path itself, or the tables of the archive as `a.zip!b.csv`, in its order.
        left_out: Names of members that no person put there: folders, hidden files, what systems add.
    """

    paths: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def members(path: str) -> Members:
    """Find the tables of a zip archive. Any other file, a workbook too, stands for itself.

    A member that is no table is none of `left_out`: reading it says what is wrong with it.

    Raises:
        SourceError: The archive is damaged, empty, holds too many members or two of one name, or its tables
            unpack to far more than its size.
    """
    if split_path(path)[1] is not None or not _is_archive(path):
        return Members((path,))
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123, names of any kind
        entries = _entries(file, path)
    tables = [name for name in entries if not _CLUTTER.search(name)]
    left_out = tuple(name for name in entries if _CLUTTER.search(name))
    if not tables:
        raise refusal(path, "the archive holds no file", "empty_archive", "Put the lead file into it.")
    if len(tables) > MOST_MEMBERS:
        raise refusal(
            path,
            f"the archive holds {len(tables)} files",
            "too_many_members",
            f"Name those to read, as in {path}{MEMBER_MARK}{tables[0]}",
        )
    if sum(entries[name].file_size for name in tables) > max(FREE_BYTES, MOST_RATIO * os.stat(path).st_size):  # noqa: PTH116
        raise _bomb(path)
    return Members(tuple(f"{path}{MEMBER_MARK}{name}" for name in tables), left_out)


def _is_archive(path: str) -> bool:
    if not os.path.isfile(path):  # noqa: PTH113, opening it says what it is
        return False
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            head = file.read(HEAD_BYTES)
        return kind_of(head, path) == "zip"
    except OSError:
        return False


class Unpacking(io.RawIOBase):
    """The content of a compressed stream, checked while it is read.

    Reading raises SourceError when the stream is damaged, ends too early (`broken_archive`) or holds far more
    than a table would (`archive_bomb`). It never just ends.
    """

    def __init__(
        self, packed: BinaryIO, make: _Make, path: str, *, may_repeat: bool, member_bytes: int | None = None
    ) -> None:
        """Read on from where a stream stands.

        Args:
            packed: The compressed bytes.
            make: Makes a decompressor.
            path: What is read, for messages.
            may_repeat: Several compressed pieces may follow each other, with padding between.
            member_bytes: How many bytes of an archive the compressed file takes, if it is a member.
        """
        self._packed = packed
        self._make = make
        self._path = path
        self._may_repeat = may_repeat
        self._member_bytes = member_bytes
        self._decompressor = make()
        self._ahead = b""
        self._taken = 0
        self._given = 0
        self._is_over = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the buffer, unless the end comes first."""
        view = memoryview(buffer)
        filled = 0
        while filled < len(view) and not self._is_over:
            piece = self._step(len(view) - filled)
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._given += len(piece)
            self._refuse_bomb()
        return filled

    def _step(self, size: int) -> bytes:
        data = b""
        if self._decompressor.needs_input:
            data, self._ahead = self._ahead or self._packed.read(_PIECE_BYTES), b""
            self._taken += len(data)
        try:
            piece = self._decompressor.decompress(data, size)
        except (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, ValueError, MemoryError) as error:
            raise broken(self._path, "the compressed data are damaged") from error
        if self._decompressor.eof:
            self._go_on()
        elif not piece and not data and self._decompressor.needs_input:
            raise broken(self._path, "the compressed data end too early")
        return piece

    def _go_on(self) -> None:
        """Find what follows a compressed piece: the end, padding, or another piece."""
        rest = self._decompressor.unused_data
        while not (rest := rest.lstrip(b"\0") if self._may_repeat else rest):
            rest = self._packed.read(_PIECE_BYTES)
            if not rest:
                self._is_over = True
                return
            self._taken += len(rest)
        if not self._may_repeat:
            raise broken(self._path, "something follows the compressed data")
        self._taken -= len(rest)
        self._ahead = rest
        self._decompressor = self._make()

    def _refuse_bomb(self) -> None:
        free, taken = FREE_BYTES, self._taken
        if self._member_bytes is not None:
            free, taken = _FREE_MEMBER_BYTES, min(taken, self._member_bytes)
        if self._given > free and self._given > MOST_RATIO * taken:
            raise _bomb(self._path)
        if self._given > MOST_BYTES:
            raise _bomb(self._path, f"{MOST_BYTES // 1024**3} GB")


def _bomb(path: str, bound: str = f"{MOST_RATIO} times its size, as no list of leads does") -> SourceError:
    found = f"it unpacks to more than {bound}"
    return refusal(path, found, "archive_bomb", "If you trust it, unpack it and give what is inside.")


def unpack(packed: BinaryIO, kind: str, path: str, *, member_bytes: int | None = None) -> Unpacking:
    """Read the content of one compressed file.

    Args:
        packed: Its bytes.
        kind: `gzip`, `bzip2`, `xz` or `zstd`.
        path: What is read, for messages.
        member_bytes: How many bytes of an archive it takes, if it is a member.
    """
    return Unpacking(packed, _COMPRESSIONS[kind], path, may_repeat=True, member_bytes=member_bytes)


def open_member(file: BinaryIO, path: str, name: str) -> "Member":
    """Read one member of a zip archive.

    Args:
        file: The archive; its position is the member's from now on.
        path: Archive and member, for messages.
        name: The member.

    Returns:
        The member's bytes. Reading raises SourceError where they are damaged.

    Raises:
        SourceError: There is no such member, it is encrypted, or packed in a way that is not supported.
    """
    archive = path.removesuffix(f"{MEMBER_MARK}{name}")
    entries = _entries(file, archive)
    entry = entries.get(name)
    if entry is None:
        known = [name for name in entries if not _CLUTTER.search(name)]
        hint = f"It holds {', '.join(known[:5])}{' …' if len(known) > 5 else ''}."  # noqa: PLR2004
        raise refusal(path, "the archive has no such member", "no_such_file", hint if known else "")
    if entry.flag_bits & _IS_ENCRYPTED:
        raise refusal(
            path,
            "it is protected with a password",
            "encrypted_member",
            "Unpack it with the password and give the file inside.",
        )
    if entry.compress_type not in _METHODS:
        raise refusal(
            path,
            f"it is packed with method {entry.compress_type}, which few programs know",
            "unknown_compression",
            "Unpack it and give the file inside.",
        )
    span = io.BufferedReader(_Span(file, _data_offset(file, entry, path), entry.compress_size), _PIECE_BYTES)
    make = _METHODS[entry.compress_type]
    content = span if make is None else Unpacking(span, make, path, may_repeat=False)
    return Member(content, entry, path)


def _data_offset(file: BinaryIO, entry: zipfile.ZipInfo, path: str) -> int:
    file.seek(entry.header_offset)
    header = file.read(_LOCAL_HEADER_BYTES)
    if len(header) < _LOCAL_HEADER_BYTES or not header.startswith(b"PK\x03\x04"):
        raise broken(path, "the archive's directory leads nowhere")
    name_bytes, extra_bytes = (int.from_bytes(header[place : place + 2], "little") for place in (26, 28))
    return entry.header_offset + _LOCAL_HEADER_BYTES + name_bytes + extra_bytes


class _Span(io.RawIOBase):
    """Some bytes in the middle of a file; fewer if the file ends before."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._left = size
        file.seek(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        data = self._file.read(min(len(memoryview(buffer)), self._left))
        memoryview(buffer)[: len(data)] = data
        self._left -= len(data)
        return len(data)


class Member(io.RawIOBase):
    """A member's bytes, which are compared with what the archive's directory says of them.

    Attributes:
        packed_bytes: How many bytes of the archive it takes.
    """

    def __init__(
        self, content: "Unpacking | io.BufferedReader[_Span]", entry: zipfile.ZipInfo, path: str
    ) -> None:
        self.packed_bytes = entry.compress_size
        self._content = content
        self._entry = entry
        self._path = path
        self._bytes = 0
        self._crc = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the buffer as far as one piece reaches."""
        view = memoryview(buffer)
        count = self._content.readinto(view) or 0
        self._bytes += count
        self._crc = zlib.crc32(view[:count], self._crc)
        is_over = bool(view.nbytes) and not count
        if self._bytes > self._entry.file_size or (
            is_over and (self._bytes, self._crc) != (self._entry.file_size, self._entry.CRC)
        ):
            raise broken(self._path, "the content is not what was packed")
        return count


class _Cautious(io.RawIOBase):
    """A file that does not hand out as much at once as only an endless directory needs."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY_BYTES:
            raise refusal(
                self._path,
                f"the archive's directory has {size} bytes",
                "too_many_members",
                "Unpack it and give the lead files inside.",
            )
        return self._file.read(-1 if size is None else size)


def _entries(file: BinaryIO, path: str) -> dict[str, zipfile.ZipInfo]:
    """The members of an archive by name, in its order.

    Raises:
        SourceError: It is damaged (`broken_archive`), has too large a directory (`too_many_members`) or two
            members of one name (`repeated_member`).
    """
    try:
        with zipfile.ZipFile(_Cautious(file, path)) as archive:
            listed = [(_name(entry), entry) for entry in archive.infolist()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise broken(path, "this is no zip archive, or it was cut short") from error
    entries = dict(listed)
    if len(entries) < len(listed):
        raise refusal(
            path,
            "two members have the same name",
            "repeated_member",
            "Unpack it and give the files inside.",
        )
    if sum(entry.compress_size for entry in entries.values()) > file.seek(0, os.SEEK_END):
        raise broken(path, "its members overlap")
    return entries


def _name(entry: zipfile.ZipInfo) -> str:
    """A member's name; macOS writes UTF-8 without saying so."""
    if entry.flag_bits & _IS_UTF8 or entry.filename.isascii():
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode()
    except UnicodeError:
        return entry.filename


def broken(path: str, found: str) -> SourceError:
    """The error of a container that cannot be trusted."""
    return refusal(path, found, "broken_archive", _DAMAGED)


def refusal(path: str, found: str, code: str, hint: str) -> SourceError:
    """An error that says what was found in a file."""
    return SourceError(f"{path}: {found}", code=code, hint=hint, source=path)
