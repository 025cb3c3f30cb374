"""Callers who are told how far a stage is."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from prep.model import Advance, Job, JobState

_T = TypeVar("_T")

Progress = Callable[[Advance], None]
"""Called whenever a stage has come further, always in the thread that made the call."""

_JOINED: Final = frozenset({JobState.COMPLETE, JobState.FAILED, JobState.RECONCILED, JobState.UNKNOWN})


def silent(_: Advance) -> None:
    """Tell nobody."""


def shielded(listener: Callable[[_T], None], name: str = "progress") -> Callable[[_T], None]:
    """A listener that cannot harm the run: its first error becomes a warning, and it is told no more.

    What ends a program, such as KeyboardInterrupt, passes; the same call again then carries on. A warning
    that the program made an error of does not: what is told may be the answer to an upload.
    """
    is_listening = True

    def tell(news: _T) -> None:
        nonlocal is_listening
        if not is_listening:
            return
        try:
            listener(news)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is not the run's
            is_listening = False
            text = f"{name} raised {type(error).__name__} and is told no more; the run goes on"
            with suppress(RuntimeWarning):
                warnings.warn(text, RuntimeWarning, stacklevel=2)

    return tell


def importing(jobs: Sequence[Job], rows: Mapping[str, int]) -> Advance:
    """How far the import of a run is.

    Args:
        jobs: All of them.
        rows: How many rows each chunk has.
    """
    done = sum(rows_done(job, rows[job.chunk]) for job in jobs)
    whole = sum(rows.values())
    return Advance("import", done, done / whole if whole else 1.0, tuple(jobs))


def rows_done(job: Job, rows: int) -> int:
    """How many rows of a job Marketo is done with; it counts refused ones apart."""
    if job.state in _JOINED:
        return rows
    return min((job.processed or 0) + (job.failed or 0), rows) if job.state is JobState.IMPORTING else 0
