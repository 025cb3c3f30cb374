"""Which character stands between the cells: found by reading a sample with each candidate."""

from collections import Counter
from dataclasses import dataclass

from prep.sources.records import WHITESPACE, split

CANDIDATES = (",", ";", "\t", "|")

_SAMPLE_RECORDS = 100
_SURE = 0.9
_CLEAR_LEAD = 0.2


@dataclass(frozen=True)
class Dialect:
    """How a text is delimited.

    Attributes:
        delimiter: The character between two cells; a comma where there is one column only.
        confident: False where another delimiter reads the sample about as well, or none reads it well.
    """

    delimiter: str
    confident: bool


def detect(sample: bytes) -> Dialect:
    """Find the delimiter of a text.

    Each candidate is judged by what it makes of the first records: a header of several filled, different
    cells, and records with as many cells as the header. Where no candidate divides the header there is one
    column.

    Args:
        sample: UTF-8 text from the header on, each line ended by LF, cut at a line end.
    """
    scores = {delimiter: _score(sample, delimiter.encode()) for delimiter in CANDIDATES}
    best, *others = sorted(CANDIDATES, key=lambda delimiter: scores[delimiter], reverse=True)
    score, _ = scores[best]
    if score == 0:
        return Dialect(",", confident=not any(candidate.encode() in sample for candidate in CANDIDATES))
    runner_up = max(scores[delimiter][0] for delimiter in others)
    return Dialect(best, confident=score >= _SURE and score - runner_up >= _CLEAR_LEAD)


def _score(sample: bytes, delimiter: bytes) -> tuple[float, int]:
    """Judge one candidate: a mark from 0 to 1, then the number of columns."""
    records = _records(sample, delimiter)
    header = records[0] if records else None
    if header is None or len(header) == 1:
        return 0, 1
    names = Counter(cell.strip(WHITESPACE) for cell in header)
    named = (len(names) - (b"" in names)) / len(header)
    fitting = sum(record is not None and len(record) == len(header) for record in records[1:])
    consistent = (fitting + 1) / len(records)
    return consistent * (1 + named) / 2, len(header)


def _records(sample: bytes, delimiter: bytes) -> list[list[bytes] | None]:
    """Split the first records that are not blank; nothing stands for a line that cannot be split."""
    records: list[list[bytes] | None] = []
    position = 0
    while position < len(sample) and len(records) < _SAMPLE_RECORDS:
        line_end = sample.index(b"\n", position) + 1
        if not sample[position:line_end].strip(WHITESPACE + b"\n"):
            position = line_end
            continue
        cells, position = split(sample, position, delimiter) or (None, line_end)
        records.append(cells)
    return records
