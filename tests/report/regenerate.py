"""The views of sample reports, as they are expected.

After a change that is meant to alter them, from the root of the checkout, behind `tests.golden.regenerate`:

    .venv/bin/python -m tests.report.regenerate
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prep.report.view import make_view
from tests.golden.regenerate import GOLDEN, SAMPLES

VIEWS = Path(__file__).parent / "views"


def view_of(report: Path) -> dict[str, Any]:
    """The view of a report of the golden tests, as JSON has it."""
    content = {
        "run_id": "golden",
        "seconds": {"validate": 0.5},
        **json.loads(report.read_text(encoding="utf-8")),
    }
    found: dict[str, Any] = json.loads(
        json.dumps(asdict(make_view(content, folder="leads.prep")), default=str)
    )
    del found["facts"]  # holds the schema's fingerprint, which belongs to other tests
    return found


def main() -> None:
    """Write all of them anew."""
    VIEWS.mkdir(exist_ok=True)
    for sample in SAMPLES:
        name = Path(sample).stem
        text = json.dumps(view_of(GOLDEN / name / "report.json"), ensure_ascii=False, indent=1)
        (VIEWS / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
