"""Writing files that are either there as a whole, also after a power cut, or not at all."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
SHARED_MODE: Final = 0o666
"""Of files without personal data; the process's mask takes from it what nobody shall have."""


@contextmanager
def replacing(path: Path, *, mode: int = _FILE_MODE) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends, and is discarded when it fails.

    Only its owner may read it, unless another mode is given. Content and name are durable when the block is
    left. What has the name of the unfinished file is replaced, and a link of that name not followed: it may
    have been left by a crash, or come with a folder from somebody else.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(path)
    sync_directory(path.parent)


def write(path: Path, content: bytes | memoryview, *, mode: int = _FILE_MODE) -> None:
    """Replace a file."""
    with replacing(path, mode=mode) as file:
        file.write(content)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where there is none; only its owner may enter it, and it stays."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    for folder in missing:
        sync_directory(folder.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def errors_of_the_system() -> Iterator[None]:
    """Raise an error of the system as such, which polars calls one of computing.

    Raises:
        OSError: Something could not be written.
    """
    try:
        yield
    except Exception as error:
        if type(error).__module__ == "polars.exceptions" and (number := error_number(error)):
            raise OSError(number, os.strerror(number)) from error
        raise


def error_number(error: Exception) -> int:
    """The system's number of an error, 0 if it has none.

    Polars puts it into the text, as in `File too large (os error 27)`.
    """
    found = re.search(r"\(os error (\d+)\)", str(error))
    return getattr(error, "errno", None) or (int(found[1]) if found else 0)
