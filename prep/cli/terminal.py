"""What reaches the terminal: clean lines, one JSON object, and silence when nobody reads any more."""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from typing import Any, TextIO


def say(*lines: str, err: bool = False) -> None:
    """Print lines, to stderr if asked; a reader that has gone away is no error.

    Raises:
        OSError: The lines cannot be written, for another reason than a broken pipe.
    """
    write("".join(f"{printable(line)}\n" for line in lines), sys.stderr if err else sys.stdout)


def say_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of stdout, in ASCII: no character breaks line or terminal."""
    write(f"{json.dumps(content)}\n", sys.stdout)


def printable(text: str) -> str:
    """A text on one line, in which control and other invisible characters are shown as escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def quoted(path: str | os.PathLike[str]) -> str:
    """A path as it can be typed into a shell behind the name of a command."""
    text = os.fspath(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def is_terminal(*streams: TextIO | None) -> bool:
    """Whether somebody sits at all of these streams."""
    return all(stream is not None and stream.isatty() for stream in streams)


def write(text: str, stream: TextIO | None) -> None:
    """Write to a stream; as `say`."""
    if stream is None:  # closed before prep began
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        silence(stream)
    except OSError:
        silence(stream)  # or Python would stumble over the same lines once more on its way out
        if stream is sys.stdout:  # talk is not worth an error
            raise


def silence(stream: TextIO) -> None:
    """Let a stream go nowhere from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
