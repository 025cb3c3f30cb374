"""How many rows may be rejected before nothing is sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self

from prep.errors import SettingsError

_NUMBER: Final = re.compile(r"[0-9]+")
_SHARE: Final = re.compile(r"[0-9]+(\.[0-9]+)?%")
_WHOLE: Final = 100
"""Percent."""

_GIVEN_AWAY: Final = ("sent", "imported", "warned", "failed", "unknown")
"""Fates of rows that Marketo was given."""


@dataclass(frozen=True)
class Limit:
    """A bound of rejected rows: so many, or so many of a hundred."""

    text: str

    @classmethod
    def parse(cls, bound: str | int) -> Self:
        """Read `100` or `5%`.

        Raises:
            SettingsError: It is neither.
        """
        text = str(bound)
        is_share = _SHARE.fullmatch(text) is not None and Fraction(text.removesuffix("%")) <= _WHOLE
        if not is_share and _NUMBER.fullmatch(text) is None:
            raise SettingsError(
                f"--max-rejected does not know {text!r}",
                code="bad_max_rejected",
                hint="It takes a number of rows such as 100, or a share such as 5%.",
            )
        return cls(text)

    def is_exceeded(self, counts: Mapping[str, int]) -> bool:
        """Whether a run with these counts has too many rejected rows."""
        number = Fraction(self.text.removesuffix("%"))
        bound = number * counts["read"] / _WHOLE if self.text.endswith("%") else number
        return counts["rejected"] > bound

    def refusal(self, counts: Mapping[str, int]) -> str:
        """Why nothing is sent, or nothing more of a run of which something was sent before."""
        nothing = "Nothing more" if any(counts[fate] for fate in _GIVEN_AWAY) else "Nothing"
        return (
            f"{nothing} is sent: {counts['rejected']:,} of {counts['read']:,} rows were rejected, "
            f"more than --max-rejected {self.text} allows."
        )
