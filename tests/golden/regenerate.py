"""The run folders of sample files, as they are expected.

After a change that is meant to alter them, from the root of the checkout:

    .venv/bin/python -m tests.golden.regenerate

and say in the commit why they differ.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

from prep.pipeline import clean

GOLDEN = Path(__file__).parent
ROOT = GOLDEN.parents[1]
SAMPLES = ("webinar_export.csv", "partner_list_spanish.csv")

_PASSING = ("run_id", "seconds")
"""What differs from run to run."""


def snapshot(sample: str, folder: Path) -> dict[str, bytes]:
    """Clean a sample file into a folder; give the content of each file that must always be the same.

    The current folder must be the root of the checkout: tables name the source as it was given.
    """
    run = clean(Path("sample_data") / sample, folder)
    report = {name: value for name, value in run.report.items() if name not in _PASSING}
    files = [*sorted(run.folder.chunks.iterdir()), run.folder.rejected, run.folder.duplicates]
    found = {path.relative_to(run.path).as_posix(): path.read_bytes() for path in files}
    return {**found, "report.json": f"{json.dumps(report, ensure_ascii=False, indent=1)}\n".encode()}


def expected(sample: str) -> dict[str, bytes]:
    """What is committed."""
    folder = GOLDEN / Path(sample).stem
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def main() -> None:
    """Write all of them anew."""
    os.chdir(ROOT)
    for sample in SAMPLES:
        folder = GOLDEN / Path(sample).stem
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory() as temporary:
            for name, content in snapshot(sample, Path(temporary) / "out.prep").items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
