"""`python -m benchmarks.reconcile`: what it costs to join Marketo's words about rows to the source rows.

A file without a mistake is cleaned into about 120 upload files and sent to the sandbox, whose jobs take no
time; it refuses one row in twenty. `submit` and `reconcile` wait most of the time, because Marketo allows
100 calls in 20 seconds and each upload file needs several. `join` is what they do once everything was
received, alone, in a process of its own: it writes rows.parquet, failed.csv and warnings.csv anew.

With `--usual` only the join is measured, over the file of `python -m benchmarks` and its duplicates: nothing
is sent, and failure files that refuse one row in twenty are put where received ones lie.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.files import files_parser, make_leads
from benchmarks.measure import Measurement, measure

_CHUNKS = 120
_REFUSED_EVERY = 20
_SHORT_COMPANIES = '[behaviour]\ntoo_long = "fail"\n[[field]]\nrest_name = "company"\nlength = 20\n'
_WITH_FAILURES = (3,)
_PREP = [sys.executable, "-m", "prep"]


def main() -> int:
    """Clean, send, reconcile, print."""
    parser = files_parser("python -m benchmarks.reconcile", __doc__, whose="rows that are sent")
    parser.add_argument("--usual", action="store_true", help="only the join, over the usual file")
    parser.add_argument("--join", type=Path, metavar="DIR", help="only join what was received for a run")
    options = parser.parse_args()
    if options.join:
        return _join(options.join)
    usual = make_leads(options.rows, options.seed, options.data.resolve()) if options.usual else None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if usual:
            measure([*_PREP, "clean", str(usual), "-o", "leads.prep"], exit_codes=_WITH_FAILURES)
            _refuse_some(Path("leads.prep"))
            _print_costs({"join": _measure_join()})
            return 0
        _write_leads(Path("leads.csv"), options.rows)
        most_bytes = Path("leads.csv").stat().st_size // _CHUNKS
        measure([*_PREP, "clean", "leads.csv", "--max-bytes", str(most_bytes)])
        with _sandbox() as address:
            reach = ["--poll-seconds", "0.1"]
            os.environ |= {
                "MARKETO_ENDPOINT": address,
                "MARKETO_CLIENT_ID": "id",
                "MARKETO_CLIENT_SECRET": "secret",
            }
            submit = measure([*_PREP, "submit", "leads.prep", *reach, "--quiet"], exit_codes=_WITH_FAILURES)
            again = measure([*_PREP, "reconcile", "leads.prep", "--json"], exit_codes=_WITH_FAILURES)
        join = _measure_join()
    report = json.loads(again.stdout.splitlines()[-1])
    counts = ", ".join(f"{rows:,} {fate}" for fate, rows in report["counts"].items() if rows)
    print(f"{len(report['chunks'])} upload files: {counts}")
    _print_costs({"prep submit": submit, "prep reconcile": again, "join": join})
    return 0


def _print_costs(costs: Mapping[str, Measurement]) -> None:
    print(f"{'':<16}{'seconds':>9}{'cpu s':>8}{'peak MB':>9}")
    for what, cost in costs.items():
        print(f"{what:<16}{cost.seconds:>9.1f}{cost.cpu_seconds:>8.1f}{cost.peak_bytes / 1e6:>9,.0f}")


def _measure_join() -> Measurement:
    return measure(
        [sys.executable, "-m", "benchmarks.reconcile", "--join", str(Path("leads.prep").resolve())]
    )


def _join(path: Path) -> int:
    from prep.folder import RunFolder  # noqa: PLC0415 (whoever measures must not import polars)
    from prep.model import Job, JobState, JobStatus  # noqa: PLC0415
    from prep.report import read_jobs  # noqa: PLC0415
    from prep.settlement import settle_rows  # noqa: PLC0415

    folder = RunFolder(path)
    manifest = folder.manifest()
    refused = [
        Job(
            chunk.file,
            JobState.RECONCILED,
            batch_id=number,
            status=JobStatus.COMPLETE,
            failed=-(-chunk.rows // _REFUSED_EVERY),
            warned=0,
        )
        for number, chunk in enumerate(manifest.results.chunks, 1)
    ]
    settle_rows(folder, manifest, read_jobs(folder) or refused)
    return 0


def _refuse_some(path: Path) -> None:
    """Put a failure file for each upload file where those that Marketo sends are kept."""
    received = path / "received"
    received.mkdir()
    for number, chunk in enumerate(sorted((path / "chunks").iterdir()), 1):
        header, *lines = chunk.read_text(encoding="utf-8").splitlines()
        refused = [f"{line},Value too long" for line in lines[::_REFUSED_EVERY]]
        text = "\n".join([f"{header},Import Failure Reason", *refused, ""])
        (received / f"{chunk.stem}.{number}.failures.csv").write_text(text, encoding="utf-8")


def _write_leads(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("email,firstName,lastName,company,country\n")
        for row in range(rows):
            company = "Winter Clocks, Sundials and Sons" if row % _REFUSED_EVERY == 0 else "Winter Clocks"
            file.write(f'lead{row}@example.com,Ana,López,"{company}",Spain\n')


@contextmanager
def _sandbox() -> Iterator[str]:
    Path("scenario.toml").write_text(_SHORT_COMPANIES, encoding="utf-8")
    command = [*_PREP, "sandbox", "--port", "0", "--job-seconds", "0", "--scenario", "scenario.toml"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None  # noqa: S101 (a pipe was asked for)
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main())
