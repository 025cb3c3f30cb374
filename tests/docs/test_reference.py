"""The reference is what the code says, and nothing is left out of it."""

import re
import subprocess
import sys
from pathlib import Path

from docs.reference.make import exit_codes
from prep.credentials import VARIABLES

PROJECT = Path(__file__).parents[2]


def test_the_pages_are_what_the_code_says() -> None:
    command = [sys.executable, "-m", "docs.reference.make", "--check"]
    check = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", ""), "python -m docs.reference.make"


def test_every_variable_that_the_code_looks_at_is_told() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "prep").rglob("*.py"))
    looked_at = re.findall(r"environ\w*(?:\[|\.get\()\"([A-Z]\w+)\"(?!\] =)", code)
    looked_at += re.findall(r"\"([A-Z]\w+)\" (?:not )?in os\.environ", code)
    options = re.findall(r"_option\(\s*\"--([a-z-]+)\"", code)
    known = {
        "TERM",
        "PYTHONPATH",
        "POLARS_MAX_THREADS",
        *VARIABLES,
        *(f"PREP_{name.replace('-', '_').upper()}" for name in options),
    }
    assert set(looked_at) - known == set()
    assert {name for name in VARIABLES if name.startswith("PREP_")} <= set(re.findall(r"\w+", code))


def test_the_readme_tells_every_exit_code() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", readme, re.MULTILINE)] == list(exit_codes())
