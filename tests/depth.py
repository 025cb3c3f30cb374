"""How thoroughly laws are tried."""

import os
from typing import Final

_SHARE: Final = 3
_FEWEST: Final = 10


def examples(number: int) -> int:
    """How many examples a law gets: a third, but not below ten, unless PREP_ALL_EXAMPLES asks for all."""
    if os.environ.get("PREP_ALL_EXAMPLES"):
        return number
    return min(number, max(_FEWEST, -(-number // _SHARE)))
