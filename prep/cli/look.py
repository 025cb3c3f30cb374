"""How answers look on a terminal: colours for what matters, and lines that fit. Elsewhere they are plain."""

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from prep.cli.terminal import is_terminal, say, write
from prep.folding import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_NARROWEST_CELL: Final = 24
"""Columns that the last part of a line needs; with less it gets lines of its own."""
_DEEPER: Final = 4

_LAST_PART: Final = re.compile(r"(\s*\S.*?\s{2,})(?!.*\S\s{2,}\S)\S.*")
_COUNT: Final = r"^ +[\d,]+  "

_STYLES: Final = (
    (r"^(?!Error:|Hint:|Example:)\S.*", "bold"),
    (rf"{_COUNT}", "bold"),
    (rf"{_COUNT}(imported|ready)\b", "green"),
    (rf"{_COUNT}(warned|suppressed|duplicate|sent)\b", "yellow"),
    (rf"{_COUNT}(rejected|failed|unknown)\b", "red"),
    (rf"{_COUNT}((?:\w+:)?[a-z]\w+_\w+)", "yellow"),
    (r"^  (prep .*?)(?=  |$)", "cyan"),
    (r"^  (\S+\.csv)  ", "cyan"),
    (r"^  .*?  (✗|\?) ", "yellow"),
    (r"^  note:", "yellow"),
    (r"^  … .*", "dim"),
    (r"^Error:", "bold red"),
    (r"^Hint:", "bold"),
    (r"^Example:", "bold"),
)
"""What is looked for in a line, and how the group (or all of it) is shown; later ones go before."""


def show(*lines: str, err: bool = False, wraps: bool = True) -> None:
    """Print lines: on a terminal in colour and no wider than it is, elsewhere as they are.

    Colours are off with NO_COLOR and with TERM=dumb.

    Args:
        *lines: The lines.
        err: Print them to stderr.
        wraps: Whether long lines are broken here; the terminal's own breaks vanish where a line is copied.

    Raises:
        OSError: As `say`.
    """
    stream = sys.stderr if err else sys.stdout
    if not is_terminal(stream):
        say(*lines, err=err)
        return
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    with console.capture() as captured:
        for line in lines:
            text = _styled(printable(line))
            for part in _fitted(text, console) if wraps else [text]:
                console.print(part, soft_wrap=True)
    write(captured.get(), stream)


def _styled(line: str) -> "Text":
    from rich.text import Text

    text = Text(line)
    for pattern, style in _STYLES:
        for found in re.finditer(pattern, line):
            text.stylize(style, *found.span(found.re.groups))
    return text


def _fitted(line: "Text", console: "Console") -> Sequence["Text"]:
    """A line whose last part is wrapped below itself, or below the whole where that leaves it no room.

    What stands before it, such as a command, is never broken.
    """
    from rich.text import Text

    width = console.width
    if line.cell_len <= width:
        return [line]
    indent = len(line.plain) - len(line.plain.lstrip())
    found = _LAST_PART.fullmatch(line.plain)
    head, rest = line[: found.end(1) if found else indent], line[found.end(1) if found else indent :]
    is_beside = not found or width - head.cell_len >= _NARROWEST_CELL
    hanging = head.cell_len if found and is_beside else indent + (_DEEPER if indent else 0)
    parts = rest.wrap(console, max(width - hanging, 1))
    for part in parts:
        part.rstrip()
    below = [Text(" " * hanging).append_text(part) for part in parts]
    if is_beside:
        return [head.append_text(parts[0]), *below[1:]]
    head.rstrip()
    return [head, *below]
