"""What the summary says of lines that hold no row, where somebody may miss one."""

from collections.abc import Iterator, Sequence
from typing import Final

from prep.manifest import SourceRecord

_TAKEN_FOR: Final = {
    "comment": ("a comment", "comments"),
    "repeated_header": ("the header again", "the header again"),
    "footer": ("a footer", "a footer"),
}
_RANGES_NAMED: Final = 5


def describe_skipped(record: SourceRecord) -> Iterator[str]:
    """A sentence for each kind of lines that look like no row; none of blank ones."""
    unit = "line" if record.reading.sheet is None else "sheet row"
    for kind, (one, many) in _TAKEN_FOR.items():
        lines = [entry["line"] for entry in record.skipped if entry["kind"] == kind]
        if lines:
            few = len(lines) == 1
            said = (
                f"{unit}{'s' * (not few)} {_name_lines(lines)} taken for {one if few else many} and not read"
            )
            yield said + _remedy(record, few=few) if kind == "footer" else said


def _remedy(record: SourceRecord, *, few: bool) -> str:
    people = "it is a person, give it" if few else "people are among them, give each"
    return f"; if {people} a value in {record.columns[record.lookup_position or 0]!r}"


def _name_lines(lines: Sequence[int]) -> str:
    """Line numbers in order, neighbours as a range; of many ranges the first ones."""
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and line == ranges[-1][-1] + 1:
            ranges[-1] = [ranges[-1][0], line]
        else:
            ranges.append([line])
    named = ", ".join(" to ".join(map(str, ends)) for ends in ranges[:_RANGES_NAMED])
    rest = sum(ends[-1] - ends[0] + 1 for ends in ranges[_RANGES_NAMED:])
    return f"{named} and {rest:,} more" if rest else named
