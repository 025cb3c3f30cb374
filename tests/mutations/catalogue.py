"""The promises of docs/promises.md with their tests, and where the code is broken to see these fail."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "promises.md"


@dataclass(frozen=True)
class Promise:
    """A line of the page.

    Attributes:
        name: Its letter and number, such as `R1`.
        text: What is promised.
        tests: The tests that prove it, as pytest names them.
    """

    name: str
    text: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Mutation:
    """A break of one promise: `old`, which occurs once in `file`, becomes `new`."""

    promise: str
    file: str
    old: str
    new: str

    def is_stale(self, root: Path = ROOT) -> bool:
        """Whether the code is no longer such that the break can be made in one place."""
        path = root / self.file
        return not path.is_file() or path.read_text(encoding="utf-8").count(self.old) != 1

    def apply(self, root: Path) -> None:
        """Break the code of a checkout."""
        path = root / self.file
        path.write_text(path.read_text(encoding="utf-8").replace(self.old, self.new), encoding="utf-8")


def read_promises() -> list[Promise]:
    """All promises, in the order of the page."""
    rows = re.findall(r"^\| ([A-Z]\d+) \| (.*) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [Promise(name, text, tuple(re.findall(r"`(tests/[^`]+)`", tests))) for name, text, tests in rows]


def read_mutations() -> list[Mutation]:
    """All breaks, in the order of their file."""
    raw = tomllib.loads(Path(__file__).with_name("mutations.toml").read_text(encoding="utf-8"))
    return [Mutation(**each) for each in raw["mutation"]]
