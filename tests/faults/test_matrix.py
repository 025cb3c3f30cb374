"""Every fault, with every variant of the failure file, through the whole pipeline."""

from itertools import product
from pathlib import Path

import pytest

from prep.sandbox import Behaviour, Fault, FaultKind
from prep.sandbox.faults import Phase, Place
from tests.crash.journal import ROWS_OF_A_CHUNK
from tests.faults.runs import FORMATS, sending

VARIANTS = (None, *(kind for kind in FaultKind if kind.phase is Phase.FILE))
FAULTS = tuple(kind for kind in FaultKind if kind.phase is not Phase.FILE)
UNCLEAR = {
    FaultKind.CLOSED,
    FaultKind.HTTP_502,
    FaultKind.HTTP_503,
    FaultKind.HTTP_504,
    FaultKind.LOST_REPLY,
    FaultKind.HTTP_502_AFTER,
    FaultKind.HTTP_503_AFTER,
    FaultKind.HTTP_504_AFTER,
    FaultKind.HTML_REPLY,
    FaultKind.BROKEN_JSON,
    FaultKind.EMPTY_RESULT,
    FaultKind.TRANSIENT_ERROR,
}
"""Faults that leave open whether an upload was taken."""

DO_NOT_ADD_UP = {FaultKind.FILE_SHORT, FaultKind.FILE_EMPTY}
"""Failure files that leave open which rows failed."""

CASES = list(product(FAULTS, VARIANTS))


def _request(kind: FaultKind) -> int:
    """Which request of its place a fault strikes; of any place an upload, after two describe calls."""
    return 1 if kind.place in {Place.IMPORT, Place.OTHER} else 4


@pytest.mark.parametrize(
    ("kind", "variant", "file_format"),
    [(*case, FORMATS[number % len(FORMATS)]) for number, case in enumerate(CASES)],
)
def test_every_fault_with_every_failure_file(
    templates: dict[str, Path], kind: FaultKind, variant: FaultKind | None, file_format: str
) -> None:
    faults = [Fault(kind=kind, at=_request(kind), seconds=0.01)]
    if variant:
        faults.append(Fault(kind=variant))
    template = templates[file_format]
    with sending(template, template.parent / "run", faults=faults) as attempt:
        attempt.submit()

        verdict = attempt.verdict
        if kind not in UNCLEAR and variant not in DO_NOT_ADD_UP:
            assert verdict.unknown == 0
        unclear = [job for job in attempt.jobs if job.state == "unknown" and job.batch_id is None]
        assert len(unclear) == (kind in UNCLEAR)
        if kind not in UNCLEAR:
            return

        attempt.settle()

        verdict = attempt.verdict
        assert (verdict.unknown == 0) == (variant not in DO_NOT_ADD_UP)
        assert verdict.assumed == 0, "a batch id is evidence, not a word to rely upon"
        assert len(attempt.sandbox.jobs()) == len(attempt.jobs), "each chunk was taken once"


BEHAVIOURS = (
    Behaviour(trailing_lookup_quirk=False),
    Behaviour(no_rows_file="not-found"),
    Behaviour(other_content_type="text/plain"),
    Behaviour(mixed_message="failures"),
    Behaviour(import_id=False),
    Behaviour(numeric_codes=True),
    Behaviour(null_text=False, blank_cell="keep"),
    Behaviour(unknown_column="warn"),
)


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_failure_file_in_every_format(
    templates: dict[str, Path], variant: FaultKind | None, file_format: str
) -> None:
    behaviour = BEHAVIOURS[VARIANTS.index(variant) % len(BEHAVIOURS)]
    faults = [Fault(kind=variant)] if variant else []
    template = templates[file_format]
    with sending(template, template.parent / "run", faults=faults, behaviour=behaviour) as attempt:
        attempt.submit()

        verdict = attempt.verdict
        assert bool(verdict.unknown) == (variant in DO_NOT_ADD_UP)
        assert attempt.run.report["exit_code"] == (6 if variant in DO_NOT_ADD_UP else 3)


ANSWERS = (
    FaultKind.CLOSED,
    FaultKind.HTTP_502,
    FaultKind.LOST_REPLY,
    FaultKind.HTTP_503_AFTER,
    FaultKind.HTML_REPLY,
    FaultKind.BROKEN_JSON,
    FaultKind.EMPTY_RESULT,
)
READS = (Place.IDENTITY, Place.STATUS, Place.FAILURES, Place.WARNINGS)


@pytest.mark.parametrize(("place", "kind"), list(product(READS, ANSWERS)))
def test_what_reads_get_instead_of_an_answer(
    templates: dict[str, Path], place: Place, kind: FaultKind
) -> None:
    faults = [Fault(kind=kind, place=place)]
    with sending(templates["csv"], templates["csv"].parent / "run", faults=faults) as attempt:
        attempt.submit()

        verdict = attempt.verdict
        is_no_file = kind in {FaultKind.BROKEN_JSON, FaultKind.EMPTY_RESULT}
        assert bool(verdict.unknown) == (is_no_file and place is Place.FAILURES)
        assert bool(verdict.unnoticed) == (is_no_file and place is Place.WARNINGS)
        assert verdict.rows == 2 * ROWS_OF_A_CHUNK
        assert len(attempt.sandbox.jobs()) == len(attempt.jobs)
