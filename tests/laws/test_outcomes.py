"""Whatever Marketo's files look like, no row that failed is ever called imported or warned."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import hypothesis.strategies as st
import polars as pl
from hypothesis import assume, given, settings

from prep.model import Format
from prep.outcomes import ChunkOutcome, join_chunk
from tests.depth import examples

Row = tuple[str, ...]

_LETTERS: Final = ',;\t"\n\r \\aAbBßéİ0159.-+/:\x00\x1f\u202f\u200b\ufeff'
_WORDS: Final = (
    "",
    "null",
    "NULL",
    "true",
    "No",
    "12.50",
    "12.5",
    "012.500",
    "2010-05-07",
    "2010-05-07T15:41:32-05:00",
    "2010-05-07T20:41:32Z",
    "=1+1",
    '""',
    '"',
    " x ",
    "x",
    "X",
)
_CELLS: Final = st.one_of(st.sampled_from(_WORDS), st.text(_LETTERS, max_size=5))
_KEYS: Final = st.one_of(
    st.integers(0, 9).map("p{}@example.com".format),
    st.sampled_from(("P1@Example.com", " p2@example.com", "")),
)


@dataclass(frozen=True)
class _Case:
    """A chunk and what really became of it.

    Attributes:
        header: The columns.
        rows: The cells.
        failed: Positions of the rows that failed.
        warned: Positions of the rows with a warning.
        reason: What Marketo says.
    """

    header: Row
    rows: list[Row]
    failed: list[int]
    warned: list[int]
    reason: str
    format: Format


@st.composite
def _cases(draw: st.DrawFn) -> _Case:
    others = draw(st.sampled_from((("firstName",), ("firstName", "score"), ("row", "line", "message"))))
    place = draw(st.integers(0, len(others)))
    header = (*others[:place], "email", *others[place:])
    row = st.tuples(*(_KEYS if name == "email" else _CELLS for name in header))
    rows = draw(st.lists(row, min_size=1, max_size=8))
    rows += draw(st.lists(st.sampled_from(rows), max_size=4))
    positions = st.lists(st.integers(0, len(rows) - 1), unique=True)
    return _Case(
        header=header,
        rows=rows,
        failed=draw(positions),
        warned=draw(positions),
        reason=draw(
            st.sampled_from(("Invalid data type in field Score", "a, b; c\td", 'say "no"\nthen go', ""))
        ),
        format=draw(st.sampled_from(Format)),
    )


def _quoted(cell: str, delimiter: str, *, always: bool = False) -> str:
    if always or any(letter in cell for letter in f'{delimiter}"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _render(
    records: Sequence[Sequence[str]], delimiter: str, *, always: bool = False, line_end: str = "\n"
) -> bytes:
    lines = (delimiter.join(_quoted(cell, delimiter, always=always) for cell in record) for record in records)
    return "".join(line + line_end for line in lines).encode()


@dataclass(frozen=True)
class _Layout:
    """How Marketo writes a file; the defaults are the documented way."""

    delimiter: str
    always_quoted: bool = False
    line_end: str = "\n"
    mark: bytes = b""
    name: Callable[[str], str] = str
    order: Callable[[Sequence[str]], list[str]] = list
    reversed_lines: bool = False
    drop_blank_tail: bool = False
    shift: bool = False


def _file(case: _Case, lines: Sequence[Row], kind: str, layout: _Layout) -> bytes:
    """Render the lines of a file."""
    reason = f"Import {kind} Reason"
    header, cells = list(case.header), [list(line) for line in lines]
    if layout.drop_blank_tail and lines and len(header) > 1 and not any(line[-1] for line in cells):
        header, cells = header[:-1], [line[:-1] for line in cells]
    if layout.shift and lines and len(header) > 1 and not any(line[0] for line in cells):
        header = header[1:]
    elif layout.order is not list:
        places = layout.order([str(place) for place in range(len(header))])
        header = [header[int(place)] for place in places]
        cells = [[line[int(place)] for place in places] for line in cells]
    cells = [[*line, case.reason] for line in (reversed(cells) if layout.reversed_lines else cells)]
    names = [layout.name(name) for name in (*header, reason)]
    return layout.mark + _render(
        [names, *cells], layout.delimiter, always=layout.always_quoted, line_end=layout.line_end
    )


@st.composite
def _layouts(draw: st.DrawFn, own: str) -> _Layout:
    return _Layout(
        delimiter=draw(st.sampled_from((own, ","))),
        always_quoted=draw(st.booleans()),
        line_end=draw(st.sampled_from(("\n", "\r\n"))),
        mark=draw(st.sampled_from((b"", b"\xef\xbb\xbf"))),
        name=draw(st.sampled_from(_NAMINGS)),
        order=draw(st.sampled_from((list, lambda cells: list(reversed(cells))))),
        reversed_lines=draw(st.booleans()),
        drop_blank_tail=draw(st.booleans()),
        shift=draw(st.booleans()),
    )


def _rounded(cell: str) -> str:
    return "12" if cell.startswith(("12", "012")) else cell


_NAMINGS: Final[tuple[Callable[[str], str], ...]] = (str, str.upper, str.lower)

_REWRITINGS: Final[tuple[Callable[[str], str], ...]] = (
    str.strip,
    str.upper,
    str.lower,
    _rounded,
    lambda cell: cell.replace("2010-05-07T15:41:32-05:00", "2010-05-07T20:41:32.000Z"),
    lambda cell: cell or "null",
    lambda cell: cell[:10],
    lambda cell: cell.replace("\n", "\r\n"),
    lambda cell: cell.replace('"', ""),
)


def _join(case: _Case, failures: bytes, warnings: bytes, failed_count: int | None = None) -> ChunkOutcome:
    return join_chunk(
        _render([case.header, *case.rows], case.format.delimiter),
        failures,
        warnings,
        format=case.format,
        lookup_field="email",
        failed_count=len(case.failed) if failed_count is None else failed_count,
        warned_count=len(case.warned),
    )


def _documented(case: _Case, positions: Sequence[int], kind: str) -> bytes:
    return _file(case, [case.rows[place] for place in positions], kind, _Layout(case.format.delimiter))


def _assert_no_false_success(
    case: _Case, outcome: ChunkOutcome, written: Sequence[Row], surplus: int = 0
) -> None:
    """Compare with the truth, row by row where rows differ, by number where nothing tells them apart.

    Nothing tells identical rows apart, nor a row that was written exactly as another one was sent.
    """
    fates = outcome.rows["fate"].to_list()
    assert len(fates) == len(case.rows)
    group = {row: row for row in case.rows}
    for place, line in zip(case.failed, written, strict=True):
        if line in group:
            old, new = group[case.rows[place]], group[line]
            group = {row: new if of == old else of for row, of in group.items()}
    failed = Counter(group[case.rows[place]] for place in case.failed)
    called: dict[Row, Counter[str]] = defaultdict(Counter)
    for row, fate in zip(case.rows, fates, strict=True):
        called[group[row]][fate] += 1
    for rows, counts in called.items():
        assert counts["failed"] + counts["unknown"] >= failed[rows]
        assert counts["failed"] <= failed[rows] + (surplus if failed[rows] else 0)


@given(case=_cases())
@settings(max_examples=examples(100), deadline=None)
def test_the_documented_layout_is_joined_exactly(case: _Case) -> None:
    outcome = _join(
        case, _documented(case, case.failed, "Failure"), _documented(case, case.warned, "Warning")
    )
    failed, warned = (
        Counter(case.rows[place] for place in case.failed),
        Counter(case.rows[p] for p in case.warned),
    )
    called: dict[str, Counter[Row]] = defaultdict(Counter)
    for row, fate in zip(case.rows, outcome.rows["fate"], strict=True):
        called[fate][row] += 1
    taken = Counter(case.rows) - failed
    assert called["failed"] == failed
    assert called["warned"] == warned & taken
    assert called["imported"] == taken - warned
    assert not outcome.doubts
    assert outcome.unmatched.is_empty()
    assert outcome.repeats.is_empty()


@given(data=st.data(), case=_cases())
@settings(max_examples=examples(100), deadline=None)
def test_no_layout_turns_a_failure_into_a_success(data: st.DataObject, case: _Case) -> None:
    layout = data.draw(_layouts(case.format.delimiter))
    rows = [case.rows[place] for place in case.failed]
    outcome = _join(case, _file(case, rows, "Failure", layout), b"")
    _assert_no_false_success(case, outcome, rows)
    if not (layout.drop_blank_tail or layout.shift):
        assert not outcome.doubts


@given(data=st.data(), case=_cases())
@settings(max_examples=examples(100), deadline=None)
def test_no_rewriting_of_values_turns_a_failure_into_a_success(data: st.DataObject, case: _Case) -> None:
    layout = replace(data.draw(_layouts(case.format.delimiter)), shift=False, drop_blank_tail=False)
    written = [tuple(map(data.draw(st.sampled_from(_REWRITINGS)), case.rows[place])) for place in case.failed]
    outcome = _join(case, _file(case, written, "Failure", layout), _documented(case, case.warned, "Warning"))
    _assert_no_false_success(case, outcome, written)


def _without_some(lines: list[Row], data: st.DataObject) -> list[Row]:
    return [line for line in lines if data.draw(st.booleans())]


def _with_one_twice(lines: list[Row], data: st.DataObject) -> list[Row]:
    return [*lines, data.draw(st.sampled_from(lines))] if lines else lines


def _with_a_stranger(lines: list[Row], data: st.DataObject) -> list[Row]:  # one signature for all
    return [*lines, ("stranger",) * len(lines[0])] if lines else lines


@given(data=st.data(), case=_cases(), extra=st.integers(0, 1))
@settings(max_examples=examples(100), deadline=None)
def test_no_lost_or_surplus_line_turns_a_failure_into_a_success(
    data: st.DataObject, case: _Case, extra: int
) -> None:
    damage = data.draw(st.sampled_from((_without_some, _with_one_twice, _with_a_stranger)))
    rows = [case.rows[place] for place in case.failed]
    lines = damage(rows, data)
    layout = data.draw(_layouts(case.format.delimiter))
    count = len(rows) + (extra if damage is _with_one_twice else 0)
    outcome = _join(case, _file(case, lines, "Failure", layout), b"", count)
    _assert_no_false_success(case, outcome, rows, surplus=1)


@given(data=st.data(), case=_cases())
@settings(max_examples=examples(100), deadline=None)
def test_no_damage_to_the_bytes_turns_a_failure_into_a_success(data: st.DataObject, case: _Case) -> None:
    # Rows that differ in quotes only cannot be told apart in a file whose quotes are damaged.
    unquoted = {tuple(cell.replace('"', "").replace("\\", "") for cell in row) for row in case.rows}
    assume(len(unquoted) == len(set(case.rows)))
    file = _documented(case, case.failed, "Failure")
    cut = data.draw(st.integers(0, len(file)))
    damaged = data.draw(
        st.sampled_from(
            (
                file[:cut],
                file[:cut] + b'"' + file[cut:],
                file.replace(b'""', b'"'),
                file.replace(b'""', b'\\"'),
            )
        )
    )
    outcome = _join(case, damaged, b"")
    fates = outcome.rows["fate"]
    assert fates.is_in(["failed", "unknown", "imported"]).all()
    taken = Counter(row for row, fate in zip(case.rows, fates, strict=True) if fate == "imported")
    assert taken <= Counter(case.rows) - Counter(case.rows[place] for place in case.failed)


@given(case=_cases(), failures=st.binary(max_size=60), count=st.integers(0, 3))
@settings(max_examples=examples(100), deadline=None)
def test_noise_is_never_a_success(case: _Case, failures: bytes, count: int) -> None:
    outcome = _join(case, failures, failures, count)
    assert outcome.rows.height == len(case.rows)
    if count or failures.strip():
        assert not (outcome.rows["fate"] == "imported").any()


@given(case=_cases())
@settings(max_examples=examples(100), deadline=None)
def test_every_line_is_accounted_for(case: _Case) -> None:
    failures, warnings = _documented(case, case.warned, "Failure"), _documented(case, case.failed, "Warning")
    outcome = _join(case, failures, warnings)
    for kind, lines in (("failed", len(case.warned)), ("warned", len(case.failed))):
        others = pl.concat([outcome.unmatched, outcome.repeats]).filter(kind=kind)["count"].sum()
        assert others <= lines
    assert (outcome.rows["fate"] == "failed").sum() == len(case.warned)
