import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import benchmarks.__main__ as program
from benchmarks import table
from benchmarks.measure import Measurement
from benchmarks.peers import PEERS, Peer


def test_the_bill_knows_every_stage_and_adds_up(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.bill", "--rows", "2000", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    header, *stages, whole = (line.rsplit(maxsplit=3) for line in done.stdout.splitlines())
    assert header[0] == "stage"
    assert whole[0] == "all"
    assert abs(sum(float(seconds) for _, seconds, _, _ in stages) - float(whole[1])) < 0.01 * len(stages)


def test_the_join_alone_needs_nothing_to_be_sent(tmp_path: Path) -> None:
    options = ["--usual", "--rows", "2000", "--data", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.reconcile", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    header, join = done.stdout.splitlines()
    assert header.split() == ["seconds", "cpu", "s", "peak", "MB"]
    assert join.split()[0] == "join"


def test_all_that_is_asked_of_the_page_of_review_is_answered() -> None:
    command = [sys.executable, "-m", "benchmarks.review", "--rows", "40", "--chromium", ""]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    asked = [
        line.partition(":")[2].strip() for line in done.stdout.splitlines() if line.startswith("server:")
    ]
    assert len(asked) == 9
    assert asked[-1].startswith("make a new run")


def test_everyone_goes_through_the_same_file_and_who_cannot_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (by_polars,) = (peer for peer in PEERS if peer.script == "polars_script")
    peers = (
        by_polars,
        replace(by_polars, name="on fewer rows", most_rows=500),
        Peer("breaks", "job_that_is_not_there", ("polars",), "", ""),
        Peer("missing", "missing_script", ("no-such-distribution", "polars"), "", ""),
    )
    page = tmp_path / "README.md"
    page.write_text(f"By hand.\n\n{table.BEGIN}\nold\n{table.END}\n\nBy hand too.\n")
    monkeypatch.setattr(program, "PEERS", peers)
    monkeypatch.setattr(program, "README", page)
    command = ["benchmarks", "--peers", "--write", "--rows", "3000", "--repeat", "1", "--data", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)

    assert program.main() == 0

    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")] for line in printed.splitlines() if line[:1] == "|"]
    assert [(row[1], row[2], row[-3], row[-2]) for row in rows[2:]] == [
        ("floor", "3,000", "", ""),
        ("prep clean", "3,000", "2,861", "2,013"),
        ("polars + email-validator", "3,000", "2,861", "2,013"),
        ("floor", "500", "", ""),
        ("prep clean", "500", "474", "329"),
        ("on fewer rows", "500", "474", "329"),
    ]
    assert "prep clean: 3,000 read = 139 rejected + 848 duplicate + 2,013 ready\n" in printed
    assert "- **missing** is left out: needs no-such-distribution: pip install -e '.[bench]'\n" in printed
    assert "- **breaks** is left out: " in printed
    written = page.read_text()
    assert written.startswith(f"By hand.\n\n{table.BEGIN}\n\n20")
    assert written.endswith(f"\n\n{printed.rstrip()}\n\n{table.END}\n\nBy hand too.\n")


def test_the_table() -> None:
    ours = Measurement(4.0, 6.25, 700_000_000, '{"counts": {"read": 1000, "rejected": 50, "ready": 700}}')
    results = [
        table.Result(table.FLOOR, 1000, Measurement(0.5, 0.75, 60_000_000, "")),
        table.Result(table.PREP, 1000, ours),
        table.Result("A tool", 1000, Measurement(10.0, 10.0, 2_500_000_000, '{"valid": 951, "kept": null}')),
    ]
    assert (
        "\n".join(table.table(results))
        == """\
|            |  rows | seconds | rows/s | to prep | to floor | cpu s | peak MB | valid | kept |
|------------|------:|--------:|-------:|--------:|---------:|------:|--------:|------:|-----:|
| floor      | 1,000 |    0.50 |  2,000 |    0.12 |      1.0 |  0.75 |      60 |       |      |
| prep clean | 1,000 |    4.00 |    250 |    1.00 |      8.0 |  6.25 |     700 |   950 |  700 |
| A tool     | 1,000 |   10.00 |    100 |    2.50 |     20.0 | 10.00 |   2,500 |   951 |      |"""
    )


def test_results_fit_the_page_and_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_bytes(table.README.read_bytes())
    for lines in (["first"], ["second"]):
        table.write_results(page, lines)
    written = page.read_text()
    assert "\n\nsecond\n\n" in written
    assert "first\n\n<!--" not in written
    before, after = (text.split(table.BEGIN)[0] for text in (table.README.read_text(), written))
    assert before == after
    page.write_text("nothing here")
    with pytest.raises(ValueError, match="are missing"):
        table.write_results(page, ["third"])
    assert page.read_text() == "nothing here"
