"""Cleaning that is killed anywhere, and then carried on, gives the same folder byte by byte."""

import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.journal import write_leads
from tests.crash.ordeal import workshop
from tests.crash.victims import Victim, clean_run

_OWN = {"manifest.json", "report.json", ".lock"}
"""What holds a run's own id and seconds."""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with workshop() as folder:
        source = write_leads(folder / "leads.csv", 40)
        with source.open("a") as file:
            file.writelines(f"ALEAD{number * 3:04}@example.com,,,{number}.25,\n" for number in range(50))
        assert Victim(clean_run, source, folder / "whole").end().error == ""
        yield folder


def _contents(folder: Path) -> dict[str, object]:
    return {
        path.relative_to(folder).as_posix(): _workbook(path) if path.suffix == ".xlsx" else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _OWN
    }


def _workbook(path: Path) -> dict[str, bytes]:
    """The parts of a workbook but for its date."""
    with zipfile.ZipFile(path) as parts:
        return {name: parts.read(name) for name in parts.namelist() if name != "docProps/core.xml"}


def _carry_on(place: Path, folder: Path) -> None:
    assert Victim(clean_run, place / "leads.csv", folder).end().error == ""
    assert _contents(folder) == _contents(place / "whole")


@pytest.mark.parametrize("step", [*range(1, 40, 9), *range(40, 104, 3)])
def test_killed_at_a_step_and_again_while_recovering(place: Path, tmp_path: Path, step: int) -> None:
    folder = tmp_path / "run"
    first = Victim(clean_run, place / "leads.csv", folder, die_at=step).end()
    Victim(clean_run, place / "leads.csv", folder, die_at=step + 1).end()

    assert first.killed_at
    _carry_on(place, folder)


@pytest.mark.parametrize("seed", range(6))
def test_killed_by_chance(place: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "run"
    Victim(clean_run, place / "leads.csv", folder).end(kill_after=random.Random(seed).uniform(0, 1))  # noqa: S311

    _carry_on(place, folder)
