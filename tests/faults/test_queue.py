"""Forty chunks through the whole pipeline: Marketo's own time is nearly all the time there is."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.crash.journal import clean_leads, write_leads
from tests.faults.runs import sending


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forty")
    source = write_leads(folder / "leads.csv", 40, troubled=lambda chunk: chunk % 10 == 0)
    return clean_leads(source, folder / "template").path


@pytest.mark.parametrize("job_seconds", [20])
def test_forty_chunks(forty: Path, job_seconds: int, capsys: pytest.CaptureFixture[str]) -> None:
    with sending(forty, forty.parent / "run", job_seconds=job_seconds) as attempt:
        started = attempt.now()

        attempt.submit()

        taken = attempt.now() - started
        jobs, requests = attempt.sandbox.jobs(), attempt.sandbox.requests()
        ideal = sum(job.ends_at - job.starts_at for job in jobs) / 2
        posts = [request for request in requests if request.place == "import"]
        calls = sum(request.place != "identity" for request in requests)
        with capsys.disabled():
            refused = sum(request.code == "1016" for request in posts)
            print(  # noqa: T201  # the issue asks for these figures
                f"\n40 chunks, jobs of {job_seconds} s: {taken:,.0f} s, {taken / ideal:.3f} of the ideal, "
                f"{refused} of {len(posts)} uploads refused, {calls / len(jobs):.1f} calls for each chunk"
            )
        assert attempt.verdict.unknown == 0
        assert taken <= 1.05 * ideal
        assert refused <= 0.01 * len(posts)
        assert len(jobs) == 40
        waiting = [sum(job.submitted_at <= post.time < job.ends_at for job in jobs) for post in posts]
        assert max(waiting) <= 10
        assert all(later.time >= earlier.time for earlier, later in pairwise(posts))
