"""Whole runs in virtual time against a sandbox in which things go wrong."""

import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prep.errors import MarketoError
from prep.folder import RunFolder
from prep.jobs import are_settled
from prep.limits import POLL_SECONDS
from prep.marketo import Marketo
from prep.model import Job, JobState
from prep.pipeline import Run, settle, submit
from prep.report import read_jobs
from prep.sandbox import Behaviour, Fault, Sandbox
from tests.crash.journal import (
    LEADS,
    Subject,
    Verdict,
    batches_of,
    clean_leads,
    judge,
    prepare_instance,
    write_leads,
)

FORMATS = ("csv", "tsv", "ssv")

_ATTEMPTS = 6


@dataclass
class Attempt:
    """A run folder, and the sandbox that it is sent to."""

    run: Run
    sandbox: Sandbox

    def submit(self, **options: bool) -> None:
        """Send, as often as it takes: a fault that strikes once must not be fatal."""
        for _ in range(_ATTEMPTS):
            try:
                with self.client() as client:
                    submit(
                        self.run,
                        client,
                        poll_seconds=POLL_SECONDS,
                        clock=self.now,
                        sleep=self.sandbox.advance,
                        **options,  # type: ignore[arg-type]  # one flag
                    )
            except MarketoError:
                continue
            return
        raise AssertionError(f"{_ATTEMPTS} attempts were not enough")

    def now(self) -> float:
        return self.sandbox.now

    def client(self) -> Marketo:
        return Marketo(
            self.sandbox.url,
            "id",
            "secret",
            clock=self.now,
            now=self.now,
            sleep=self.sandbox.advance,
            jitter=random.Random(0),  # noqa: S311  # not for secrets
        )

    def settle(self) -> None:
        """Decide about uploads without an answer as somebody who looks into Marketo, and carry on."""
        for job in self.jobs:
            if job.state is JobState.UNKNOWN and job.batch_id is None:
                content = (self.run.path / job.chunk).read_bytes()
                landed = next(iter(batches_of(self.sandbox, content)), None)
                settle(self.run, job.chunk, "landed" if landed else "lost", batch_id=landed)
        self.submit()

    @property
    def jobs(self) -> tuple[Job, ...]:
        return read_jobs(self.run.folder)

    @property
    def verdict(self) -> Verdict:
        """What the journal says to it; every promise but clearness is checked here."""
        verdict = judge(self.run, self.sandbox)
        assert verdict.is_true, verdict
        assert are_settled(self.jobs), self.jobs
        assert verdict.unfinished == 0, verdict
        assert self.run.report["balanced"]
        return verdict


@contextmanager
def sending(
    template: Path,
    folder: Path,
    *,
    faults: Sequence[Fault] = (),
    behaviour: Behaviour | None = None,
    job_seconds: float = 4,
    subject: Subject = LEADS,
) -> Iterator[Attempt]:
    """A copy of a cleaned run, and a sandbox in which time passes only in pauses."""
    shutil.copytree(template, folder)
    try:
        with Sandbox(time_scale=0, job_seconds=job_seconds, faults=faults, behaviour=behaviour) as sandbox:
            prepare_instance(sandbox, subject, chunks=2)
            yield Attempt(Run(RunFolder(folder)), sandbox)
    finally:
        shutil.rmtree(folder)


def make_templates(folder: Path, subject: Subject = LEADS) -> dict[str, Path]:
    """Clean two chunks in each format; only the first has rows that fail or are warned."""
    folder.mkdir(exist_ok=True)
    source = write_leads(folder / "rows.csv", 2, troubled=lambda chunk: chunk == 0, subject=subject)
    return {
        kind: clean_leads(source, folder / kind, file_format=kind, subject=subject).path for kind in FORMATS
    }
