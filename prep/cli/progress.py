"""How far a command is, for whoever sits at the terminal: a line for each stage, and one for each job."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prep.cli.terminal import is_terminal
from prep.folding import counted, printable
from prep.listening import rows_done
from prep.model import Advance, Job, JobState

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

_DUMB: Final = frozenset({"dumb", "unknown"})
_LOOKS_PER_SECOND: Final = 8
_LONGEST_BAR: Final = 30
_SHORTEST_BAR: Final = 5
_NAME_WIDTH: Final = 10
_JOBS_SHOWN: Final = 4
_FIRST_SECOND: Final = 1.0
"""Before that nobody can tell how long a stage will take."""

_BEING_SENT: Final = frozenset({JobState.PLANNED, JobState.INTENDED})
_WITH_MARKETO: Final = frozenset({JobState.QUEUED, JobState.IMPORTING})


@dataclass
class _Stage:
    """A line of the board: the share that was done when it began counts for nothing in the estimate."""

    begun: float
    share_at_first: float
    share: float | None = None
    figures: str = ""

    def seconds_left(self, now: float) -> float | None:
        """By the pace so far; None where that says nothing yet."""
        elapsed, gained = now - self.begun, (self.share or 0) - self.share_at_first
        if self.share is None or gained <= 0 or elapsed < _FIRST_SECOND or self.share >= 1:
            return None
        return elapsed * (1 - self.share) / gained


class Board:
    """What is shown; rich asks it several times a second.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stages: dict[str, _Stage] = {}
        self._jobs: tuple[str, ...] = ()

    def advance(self, advance: Advance) -> None:
        """Take in how far a stage of cleaning is; the ones before it are done."""
        for name, stage in self._stages.items():
            if name != advance.stage:
                stage.share = 1.0
        figures = counted(advance.rows, "row") if advance.rows else ""
        self._show(advance.stage, advance.share, figures)

    def sending(self, jobs: Sequence[Job], chunks: Mapping[str, Mapping[str, Any]]) -> None:
        """Take in how far the jobs of a run are.

        Args:
            jobs: All of them, in the order in which they are sent.
            chunks: `rows` and `bytes` of each upload file, by the name that jobs call it.
        """
        sent = sum(chunks[job.chunk]["bytes"] for job in jobs if job.state not in _BEING_SENT)
        whole = sum(chunk["bytes"] for chunk in chunks.values())
        rows = sum(chunk["rows"] for chunk in chunks.values())
        done = sum(rows_done(job, chunks[job.chunk]["rows"]) for job in jobs)
        self._show("upload", sent / whole, _bytes(sent, whole))
        self._show("import", done / rows, f"{done:,} of {counted(rows, 'row')}")
        self._jobs = tuple(_describe_jobs(jobs, chunks))

    def _show(self, name: str, share: float | None, figures: str) -> None:
        known = self._stages.get(name)
        if known is None or (share or 0) < (known.share or 0):  # it began, or it begins once more
            known = self._stages[name] = _Stage(self._clock(), share or 0)
        known.share, known.figures = share, figures

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        """Render the lines; none is longer than the terminal is wide."""
        from rich.text import Text

        now = self._clock()
        for name, stage in self._stages.items():
            line = self._line(name, stage, options.max_width, now)
            line.truncate(options.max_width, overflow="ellipsis")
            yield line
        for job in self._jobs:
            line = Text(f"  {printable(job)}", style="dim", no_wrap=True)
            line.truncate(options.max_width, overflow="ellipsis")
            yield line

    def _line(self, name: str, stage: _Stage, width: int, now: float) -> "Text":
        """Name, bar, figures, time left: the bar takes what the others leave, or is left out."""
        from rich.text import Text

        seconds = stage.seconds_left(now)
        words = "  ".join(filter(None, [stage.figures, _percent(stage.share), _left(seconds)]))
        room = min(width - _NAME_WIDTH - len(words) - 3, _LONGEST_BAR)
        line = Text(f"{name:<{_NAME_WIDTH}}", style="bold", no_wrap=True)
        if room >= _SHORTEST_BAR:
            line.append_text(_bar(stage.share, room, now))
            line.append("  ")
        return line.append(words, style="not bold")


def _bar(share: float | None, width: int, now: float) -> "Text":
    """A bar as long as the share; a light that runs along it where the share is not known."""
    from rich.text import Text

    if share is None:
        place = int(now * _LOOKS_PER_SECOND) % width
        return Text.assemble(
            ("━" * place, "bright_black"), ("━", "cyan"), ("━" * (width - place - 1), "bright_black")
        )
    full = int(share * width)
    return Text.assemble(
        ("━" * full, "green" if share >= 1 else "cyan"), ("━" * (width - full), "bright_black")
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{int(100 * share)} %"


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} left" if hours else f"{minutes}:{rest:02d} left"


def _bytes(done: int, whole: int) -> str:
    unit, size = ("MB", 1_000_000) if whole >= 1_000_000 else ("kB", 1_000)  # noqa: PLR2004
    return f"{done / size:,.1f} of {whole / size:,.1f} {unit}"


def _describe_jobs(jobs: Sequence[Job], chunks: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The jobs that Marketo has, the next in its queue first: what it does with each.

    Who else imports into the instance stands in the same queue, and Marketo has no call that tells of it.
    """
    at_work = sorted(
        (job for job in jobs if job.state in _WITH_MARKETO),
        key=lambda job: (job.state is JobState.QUEUED, job.queued_at or 0),
    )
    for before, job in enumerate(at_work[:_JOBS_SHOWN]):
        name, rows = job.chunk.rpartition("/")[2], chunks[job.chunk]["rows"]
        if job.state is JobState.IMPORTING:
            yield f"{name}: {rows_done(job, rows):,} of {counted(rows, 'row')}"
        elif before:
            yield f"{name}: queued behind {counted(before, 'job')} of this run"
        else:
            yield f"{name}: queued"
    if len(at_work) > _JOBS_SHOWN:
        yield f"and {len(at_work) - _JOBS_SHOWN} more in the queue"
    waiting = sum(job.state in _BEING_SENT for job in jobs)
    if waiting:
        yield f"{counted(waiting, 'file')} still to be sent"


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Board]:
    """A board that is shown on a terminal that can show one, until the block ends."""
    board = Board()
    if quiet or not is_terminal(sys.stderr) or os.environ.get("TERM", "dumb") in _DUMB:
        yield board
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(
        board, console=console, refresh_per_second=_LOOKS_PER_SECOND, transient=True, redirect_stdout=False
    ):
        yield board
