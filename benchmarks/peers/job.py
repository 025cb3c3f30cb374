"""The job that every script of this folder does as far as its tool can, and what they answer.

    python -m benchmarks.peers.SCRIPT leads.csv folder

Validate: the address is one, employees are a whole number, the date of birth is a day of the calendar, no
text is too long. Normalise: no blanks around cells, addresses in small letters. Dedupe: of the rows with one
address the last stays. Split: files below 10 MB. And what is not kept goes to a file of its own.
"""

import json
import sys
from pathlib import Path
from typing import Final

EMAIL: Final = "Email Address"
EMPLOYEES: Final = "Employees"
BIRTH: Final = "Date of Birth"
TEXTS: Final = (
    EMAIL,
    "First Name",
    "Last Name",
    "Company Name",
    "Job Title",
    "Phone Number",
    "City",
    "Country",
)

MOST_CHARACTERS: Final = 255
MOST_BYTES: Final = 9_999_999

ADDRESS_PATTERN: Final = (
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}$"
)
"""For tools that judge a cell by a pattern; it holds in the dialects of Python, RE2 and Rust."""


def arguments() -> tuple[Path, Path]:
    """The lead file, and an empty folder to write to."""
    source, folder = sys.argv[1:]
    return Path(source), Path(folder)


def answer(*, valid: int, kept: int | None = None) -> None:
    """Say how many rows broke no rule and, from a script that dedupes, how many of them are kept."""
    print(json.dumps({"valid": valid, "kept": kept}))


def write_files(table: bytes, folder: Path) -> None:
    """Cut a CSV file with a header into files below 10 MB. At line ends: no cell of ours holds one."""
    end = table.index(b"\n") + 1
    header, start, number = table[:end], end, 0
    while start < len(table):
        end = min(len(table), start + MOST_BYTES - len(header))
        end = table.rindex(b"\n", start, end) + 1
        number += 1
        (folder / f"leads-{number:04}.csv").write_bytes(header + table[start:end])
        start = end
