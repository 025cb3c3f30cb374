"""Opening files: whatever the system has against one is said in one way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from prep.errors import SourceError


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file for reading; within the block, errors of the system become errors of ours.

    Raises:
        SourceError: With code `not_a_file`, `no_such_file` or `unreadable_source`.
    """
    try:
        if Path(path).is_dir():
            raise _refusal(path, "this is a folder", "not_a_file", "Name the files in it.")
        with Path(path).open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise _refusal(
            path, "there is no such file", "no_such_file", "Check the name and the folder."
        ) from error
    except OSError as error:
        found = f"the file cannot be read ({error.strerror or error})"
        raise _refusal(path, found, "unreadable_source", "Check the permissions and the disk.") from error


def _refusal(path: str, found: str, code: str, hint: str) -> SourceError:
    return SourceError(f"{path}: {found}", code=code, hint=hint, source=path)
