"""How much memory a run may plan with, and what fits into it."""

import re
from dataclasses import dataclass
from typing import Final, Self

from prep.errors import SettingsError

_UNITS: Final = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Z]+)")

_PROGRAM: Final = 290_000_000
"""What the program itself takes, with all that it imports and what its allocator keeps."""

_HELD_SHARE: Final = 0.4

_LEAST: Final = 400_000_000
_FEWEST_ROWS: Final = 10_000


@dataclass(frozen=True)
class Memory:
    """A bound of what a run plans to hold at a time.

    Attributes:
        bytes: The bound, the program itself included.
    """

    bytes: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a size such as `700MB` or `1.5 GB`.

        Raises:
            SettingsError: It is none, or too little to work with.
        """
        found = _SIZE.fullmatch(str(text).strip().upper())
        if found is None or found[2] not in _UNITS:
            raise _refusal(f"--memory does not know {text!r}")
        size = int(float(found[1]) * _UNITS[found[2]])
        if size < _LEAST:
            raise _refusal(f"--memory is {text}, which is too little to work with")
        return cls(size)

    @property
    def free(self) -> int:
        """What is left for rows."""
        return self.bytes - _PROGRAM

    @property
    def held(self) -> int:
        """What valid rows may take while they wait, beside all that is worked on; more wait on the disk."""
        return int(self.free * _HELD_SHARE)

    def rows(self, row_bytes: int) -> int:
        """How many rows fit that take so many bytes each while they are worked on."""
        return max(_FEWEST_ROWS, self.free // row_bytes)


def _refusal(message: str) -> SettingsError:
    return SettingsError(
        message, code="bad_memory", hint="It takes a size such as 700MB or 2GB, and no less than 400MB."
    )


USUAL: Final = "700MB"
"""What is planned with where nothing else is said."""
