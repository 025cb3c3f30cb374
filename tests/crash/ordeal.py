"""One run of twelve chunks that is killed again and again, resumed, settled, and held against the journal."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prep.folder import RunFolder
from prep.model import Fate, JobState
from prep.pipeline import Run, settle
from prep.report import read_jobs
from prep.sandbox import Sandbox
from tests.crash.journal import (
    LEADS,
    ROWS_OF_A_CHUNK,
    Subject,
    Verdict,
    batches_of,
    clean_leads,
    judge,
    prepare_instance,
    unknown_chunks,
    write_leads,
)
from tests.crash.victims import Victim, send_run

CHUNKS = 12
JOB_SECONDS = 5

_DONE = (0, 3)
_MEMORY = Path("/dev/shm")  # noqa: S108  # SIGKILL spares what was written, so nothing has to reach a disk


@dataclass(frozen=True)
class Death:
    """When a process is to die: at a step, by number or name, or so many real seconds after it began."""

    step: int | str = 0
    seconds: float = float("inf")


@dataclass
class Story:
    """What happened to one run.

    Attributes:
        kills: The moments at which its processes were killed.
        declared: Chunks that prep declared unknown.
        landed: Those of them that the sandbox has.
        before: The verdict when prep had nothing more to do but ask.
        after: The verdict when the unknown chunks were settled.
        steps: Steps of the first process that was not killed.
        complaints: Whatever is not as promised.
    """

    kills: list[str] = field(default_factory=list)
    declared: int = 0
    landed: int = 0
    before: Verdict | None = None
    after: Verdict | None = None
    steps: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def verdicts(self) -> list[Verdict]:
        """Both verdicts, as far as there are any."""
        return [verdict for verdict in (self.before, self.after) if verdict]


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder in memory, if the machine has one, that is removed afterwards."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as name:
        yield Path(name)


def make_template(folder: Path, subject: Subject = LEADS) -> Path:
    """Clean twelve chunks, every fourth with rows that fail and, if that can be, with warnings."""
    source = write_leads(folder / "rows.csv", CHUNKS, troubled=lambda chunk: chunk % 4 == 0, subject=subject)
    run = clean_leads(source, folder / "template", subject=subject)
    assert len(run.report["chunks"]) == CHUNKS
    return run.path


def endure(template: Path, folder: Path, deaths: Sequence[Death], *, with_batch_ids: bool) -> Story:
    """Submit a run, kill it again and again, let it finish, settle what is unknown, look at the journal.

    Args:
        template: A cleaned run.
        folder: Where to do it; what is there is removed.
        deaths: One for each process; a last one is left alone. None is started after one that finished.
        with_batch_ids: Whether the person who settles chunks that landed knows their batch ids.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    with Sandbox(time_scale=0, job_seconds=JOB_SECONDS) as sandbox:
        prepare_instance(sandbox)
        return _Ordeal(Run(RunFolder(folder)), sandbox).go(deaths, with_batch_ids=with_batch_ids)


class _Ordeal:
    def __init__(self, run: Run, sandbox: Sandbox) -> None:
        self._run = run
        self._sandbox = sandbox
        self._story = Story()
        self._left_intended: set[str] = set()

    def go(self, deaths: Sequence[Death], *, with_batch_ids: bool) -> Story:
        story = self._story
        for death in deaths:
            if not self._send(death):
                break
        else:
            self._send(Death())
        story.before = judge(self._run, self._sandbox)
        declared = unknown_chunks(read_jobs(self._run.folder))
        story.declared = len(declared)
        self._require(set(declared) == self._left_intended, f"unknown are {declared}, not all others")
        self._require(
            story.before.unknown == ROWS_OF_A_CHUNK * len(declared),
            "unknown rows are not those of the chunks",
        )
        self._require(self._run.report["exit_code"] == (6 if declared else 3), "exit code before settling")
        assumed = self._settle(declared, with_batch_ids=with_batch_ids)
        if declared:
            self._send(Death())
        story.after = judge(self._run, self._sandbox)
        self._require(story.after.assumed == ROWS_OF_A_CHUNK * assumed, "rows are assumed that need not be")
        self._finish()
        return story

    def _send(self, death: Death) -> bool:
        """Let a process work; True if it was killed."""
        victim = Victim(send_run, self._run.path, self._sandbox.url, self._sandbox.now, die_at=death.step)
        ended = victim.end(self._sandbox, kill_after=death.seconds)
        self._require(not ended.error, f"it ended with {ended.error}")
        if not ended.killed_at:
            self._story.steps = self._story.steps or ended.steps
            return False
        self._story.kills.append(ended.killed_at)
        self._look_at_the_remains()
        return True

    def _look_at_the_remains(self) -> None:
        """Whatever a killed process left must be readable, add up, and not claim to be done."""
        jobs = read_jobs(self._run.folder)
        self._left_intended |= {job.chunk for job in jobs if job.state is JobState.INTENDED}
        report = self._run.report
        is_open = any(report["counts"][fate] for fate in (Fate.READY, Fate.SENT))
        if self._sandbox.jobs() and is_open:
            self._require(report["exit_code"] not in _DONE, f"killed, but exit code {report['exit_code']}")

    def _settle(self, declared: Sequence[str], *, with_batch_ids: bool) -> int:
        """Decide as somebody who looks into Marketo; return how many chunks are taken on trust."""
        assumed = 0
        for chunk in declared:
            batches = batches_of(self._sandbox, (self._run.path / chunk).read_bytes())
            self._story.landed += bool(batches)
            if not batches:
                settle(self._run, chunk, "lost")
            elif with_batch_ids:
                settle(self._run, chunk, "landed", batch_id=batches[0])
            else:
                settle(self._run, chunk, "landed")
                assumed += 1
        return assumed

    def _finish(self) -> None:
        jobs = read_jobs(self._run.folder)
        self._require(all(job.state is JobState.RECONCILED for job in jobs), "not all is reconciled")
        for job in jobs:
            batches = batches_of(self._sandbox, (self._run.path / job.chunk).read_bytes())
            self._require(len(batches) == 1, f"{job.chunk} was taken {len(batches)} times")
        for verdict in self._story.verdicts:
            self._require(verdict.is_true, f"{verdict}")
        if after := self._story.after:
            self._require(
                after.unknown == after.unfinished == after.unnoticed == 0, "rows are left without an outcome"
            )
        left = [*self._run.path.rglob("*.tmp"), *self._run.path.rglob("*.new")]
        self._require(not left, f"left behind: {left}")

    def _require(self, holds: bool, complaint: str) -> None:  # noqa: FBT001
        if not holds:
            self._story.complaints.append(complaint)
