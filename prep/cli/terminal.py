"""What reaches the terminal: clean lines, one JSON object, and silence when nobody reads any more."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from prep.folding import printable


def say(*lines: str, err: bool = False) -> None:
    """Print lines, to stderr if asked; a reader that has gone away is no error.

    Raises:
        OSError: The lines cannot be written, for another reason than a broken pipe.
    """
    write("".join(f"{printable(line)}\n" for line in lines), sys.stderr if err else sys.stdout)


def say_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of stdout, in ASCII: no character breaks line or terminal."""
    write(f"{json.dumps(content)}\n", sys.stdout)


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
