"""Whether prep and email-validator say the same of the same addresses."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import polars as pl
from email_validator import EmailNotValidError, validate_email

from prep.checks import is_plain_email, judge_emails
from tests.emails.addresses import generate


@dataclass
class Agreement:
    """What a slice of addresses gave.

    Attributes:
        addresses: Distinct ones.
        accepted: By email-validator.
        at_a_glance: Accepted by prep without asking email-validator.
        differing: Of which prep says something else, with what email-validator says.
    """

    addresses: int = 0
    accepted: int = 0
    at_a_glance: int = 0
    differing: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def __iadd__(self, other: "Agreement") -> Self:
        self.addresses += other.addresses
        self.accepted += other.accepted
        self.at_a_glance += other.at_a_glance
        self.differing += other.differing
        return self


def compare(seed: str, count: int) -> Agreement:
    """Judge generated addresses both ways."""
    cells = list(dict.fromkeys(generate(seed, count)))
    values = pl.Series(cells, dtype=pl.String)
    judged = judge_emails(values).to_list()
    theirs = [_validates(cell) for cell in cells]
    differing = Counter(
        (cell, says) for cell, ours, says in zip(cells, judged, theirs, strict=True) if ours is not says
    )
    return Agreement(len(cells), sum(theirs), int(is_plain_email(values).sum()), differing)


def _validates(address: str) -> bool:
    try:
        validate_email(address, strict=True, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True
