"""What a person sees: progress, colours, lines that fit; and that none of it reaches a pipe."""

import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from prep.cli.progress import Board
from prep.model import Advance, Job, JobState

from .conftest import Prep
from .terminals import on_terminal

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*[349][0-9](?:;[0-9]+)*m")


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def lines(board: Board, width: int) -> list[str]:
    console = Console(width=width, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(board)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_stages_show_rows_share_and_the_time_that_is_left(clock: Clock) -> None:
    board = Board(clock)
    board.advance(Advance("read"))
    assert lines(board, 80) == ["read      " + 30 * "━"]
    clock.seconds = 3
    board.advance(Advance("validate", 0, 0.0))
    clock.seconds = 33
    board.advance(Advance("validate", 412_000, 0.25))
    assert lines(board, 80) == [
        f"read      {30 * '━'}  100 %",
        f"validate  {30 * '━'}  412,000 rows  25 %  1:30 left",
    ]
    assert lines(board, 50) == [
        f"read      {30 * '━'}  100 %",
        f"validate  {8 * '━'}  412,000 rows  25 %  1:30 left",
    ]
    assert lines(board, 40) == [f"read      {22 * '━'}  100 %", "validate  412,000 rows  25 %  1:30 left"]
    board.advance(Advance("validate", 1, 0.0))  # it begins once more: the pace so far says nothing
    assert lines(board, 80)[1].endswith("1 row  0 %")
    board.advance(Advance("validate", 9_000, None))
    assert lines(board, 80)[1].endswith("9,000 rows")


CHUNKS = {f"chunks/l-{number}.csv": {"rows": 1_000, "bytes": 2_000_000} for number in range(1, 9)}


def job(number: int, state: JobState, processed: int | None = None, failed: int | None = None) -> Job:
    return Job(f"chunks/l-{number}.csv", state, processed=processed, failed=failed, queued_at=float(number))


def test_jobs_show_what_marketo_does_with_each(clock: Clock) -> None:
    board = Board(clock)
    board.sending([job(number, JobState.PLANNED) for number in range(1, 9)], CHUNKS)
    clock.seconds = 60
    board.sending(
        [
            job(1, JobState.RECONCILED, 990, 10),
            job(2, JobState.IMPORTING, 400, 100),
            *(job(number, JobState.QUEUED) for number in range(3, 7)),
            job(7, JobState.UNKNOWN),
            job(8, JobState.PLANNED),
        ],
        CHUNKS,
    )
    assert lines(board, 80) == [
        f"upload    {30 * '━'}  14.0 of 16.0 MB  87 %  0:09 left",
        f"import    {30 * '━'}  2,500 of 8,000 rows  31 %  2:12 left",
        "  l-2.csv: 500 of 1,000 rows",
        "  l-3.csv: queued behind 1 job of this run",
        "  l-4.csv: queued behind 2 jobs of this run",
        "  l-5.csv: queued behind 3 jobs of this run",
        "  and 1 more in the queue",
        "  1 file still to be sent",
    ]
    assert lines(board, 50)[2:] == lines(board, 80)[2:]
    assert max(map(len, lines(board, 50))) <= 50


def test_a_run_that_is_taken_up_is_not_credited_with_what_was_done_before(clock: Clock) -> None:
    board = Board(clock)
    done = [job(number, JobState.RECONCILED) for number in range(1, 7)]
    board.sending([*done, job(7, JobState.IMPORTING, 0), job(8, JobState.QUEUED)], CHUNKS)
    clock.seconds = 10
    board.sending([*done, job(7, JobState.IMPORTING, 500), job(8, JobState.QUEUED)], CHUNKS)
    assert lines(board, 80)[1].endswith("6,500 of 8,000 rows  81 %  0:30 left")


def test_a_name_that_could_move_the_cursor_is_shown_as_text(clock: Clock) -> None:
    board = Board(clock)
    name = "chunks/a\x1b[2Jb.csv"
    board.sending([Job(name, JobState.QUEUED)], {name: {"rows": 1, "bytes": 1}})
    assert "a\\x1b[2Jb.csv" in lines(board, 80)[2]


@pytest.mark.parametrize("columns", [80, 44])
def test_nothing_is_wider_than_the_terminal(leads: Path, columns: int) -> None:
    leads.write_text(
        "E-mail of the visitor,First Name\n" + "no-address,Ana\n" * 7 + "ana@example.com,名前\n",
        encoding="utf-8",
    )
    mapped = ("--map", "E-mail of the visitor=email")
    with on_terminal("run", "leads.csv", "--sandbox", *mapped, columns=columns) as terminal:
        assert terminal.end() == 3
    for stage in ("read", "validate", "write", "upload", "import"):
        assert re.search(rf"{stage} +", ESCAPE.sub("", terminal.shown)), stage
    shown = ESCAPE.sub("", terminal.shown).replace("\r", "\n").splitlines()
    assert [line for line in shown if cell_len(line) > columns] == []
    if columns < 50:  # a command stands in a line of its own, to be copied
        assert {"  prep review leads.prep", "  prep retry leads.prep"} <= {line.rstrip() for line in shown}
    assert COLOUR.search(terminal.shown)


def test_colours_and_progress_can_be_switched_off(leads: Path, program: Prep) -> None:
    with on_terminal("run", "leads.csv", "--sandbox", NO_COLOR="1") as terminal:
        assert terminal.end() == 3
    assert "validate" in terminal.shown
    assert not COLOUR.search(terminal.shown)

    with on_terminal("run", "leads.csv", "--sandbox", "-o", "2.prep", TERM="dumb") as terminal:
        assert terminal.end() == 3
    assert "validate" not in terminal.shown
    assert "\x1b" not in terminal.shown
    assert "4 rows read" in terminal.shown

    with on_terminal("run", "leads.csv", "--sandbox", "-o", "3.prep", "--quiet") as terminal:
        assert terminal.end() == 3
    assert terminal.shown == ""

    piped = program("run", "leads.csv", "--sandbox", "-o", "4.prep")
    assert piped.err == ""
    assert "\x1b" not in piped.out


def test_a_line_that_is_copied_from_an_error_is_whole(here: Path) -> None:
    (here / "leads.csv").write_text("Mail of work\nana@example.com\n", encoding="utf-8")
    with on_terminal("clean", "leads.csv", columns=40) as terminal:
        assert terminal.end() == 1
    said = ESCAPE.sub("", terminal.shown).replace("\r", "").splitlines()[-3:]
    assert [line.partition(":")[0] for line in said] == ["Error", "Hint", "Example"]
    assert said[2] == 'Example: prep clean export.csv --map "Work mail=email" --unknown drop'
