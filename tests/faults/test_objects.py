"""What leads are promised when something goes wrong is promised to members and custom objects too."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from prep.sandbox import Fault, FaultKind
from prep.sandbox.faults import Place
from tests.crash.journal import OTHERS, ROWS_OF_A_CHUNK, Subject
from tests.crash.ordeal import workshop
from tests.faults.runs import FORMATS, make_templates, sending
from tests.faults.test_matrix import DO_NOT_ADD_UP, FAULTS, UNCLEAR, VARIANTS

CASES = list(product(OTHERS, FAULTS))


@pytest.fixture(scope="module")
def prepared() -> Iterator[dict[str, dict[str, Path]]]:
    with workshop() as folder:
        yield {subject.name: make_templates(folder / subject.name, subject) for subject in OTHERS}


@pytest.mark.parametrize(
    ("subject", "kind", "variant", "file_format"),
    [
        (*case, VARIANTS[number % len(VARIANTS)], FORMATS[number % len(FORMATS)])
        for number, case in enumerate(CASES)
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_every_fault_with_some_failure_file(
    prepared: dict[str, dict[str, Path]],
    subject: Subject,
    kind: FaultKind,
    variant: FaultKind | None,
    file_format: str,
) -> None:
    at = 1 if kind.place in {Place.IMPORT, Place.OTHER} else subject.looks + 2
    faults = [Fault(kind=kind, at=at, seconds=0.01), *([Fault(kind=variant)] if variant else [])]
    template = prepared[subject.name][file_format]
    with sending(template, template.parent / "run", faults=faults, subject=subject) as attempt:
        attempt.submit()

        verdict = attempt.verdict
        assert verdict.rows == 2 * ROWS_OF_A_CHUNK
        if kind in UNCLEAR:
            unclear = [job for job in attempt.jobs if job.state == "unknown" and job.batch_id is None]
            assert len(unclear) == 1
            attempt.settle()
            verdict = attempt.verdict
            assert (verdict.assumed, len(attempt.sandbox.jobs())) == (0, len(attempt.jobs))
        if kind is not FaultKind.JOB_FAILED and variant not in (*DO_NOT_ADD_UP, *_BLURRING):
            assert verdict.unknown == 0
            counts = attempt.run.counts
            assert counts["failed"] == ROWS_OF_A_CHUNK // 4
            assert bool(counts["warned"]) is subject.has_warnings
            assert (counts["rejected"], counts["duplicate"]) == (1, 1)


_BLURRING = {FaultKind.FILE_NO_LOOKUP, FaultKind.FILE_REDATED, FaultKind.FILE_RECASED}
"""Failure files that can leave open which of several records is meant: those of compound keys above all."""
