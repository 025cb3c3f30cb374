"""Cleaning that is killed anywhere, and then carried on, gives the same folder byte by byte."""

import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tests.crash.journal import write_leads
from tests.crash.ordeal import Death
from tests.crash.victims import Ended, Victim, clean_run

_OWN = {"manifest.json", "report.json", "report.html", ".lock"}
"""What holds a run's own id and seconds."""


class Cleaning:
    """A source, and the folder that cleaning makes of it when nobody disturbs it.

    Attributes:
        steps: How many steps undisturbed cleaning has.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._source = write_leads(place / "dirty.csv", 40)
        with self._source.open("a") as file:
            file.writelines(f"ALEAD{number * 3:04}@example.com,,,{number}.25,\n" for number in range(50))
        self.steps = self._clean(place / "whole", rows_at_once=1_000).steps
        self._whole = _contents(place / "whole")

    def endure(self, deaths: Iterable[Death]) -> tuple[int, list[str]]:
        """Clean, be killed, carry on; return how often it was killed and the files that differ."""
        folder = self._place / "killed"
        shutil.rmtree(folder, ignore_errors=True)
        kills = sum(bool(self._clean(folder, death).killed_at) for death in deaths)
        ended = self._clean(folder)
        found = _contents(folder)
        different = {name for name in found.keys() | self._whole if found.get(name) != self._whole.get(name)}
        return kills, sorted(different | ({ended.error} - {""}))

    def _clean(
        self,
        folder: Path,
        death: Death = Death(),  # noqa: B008  # frozen
        rows_at_once: int = 10,
    ) -> Ended:
        victim = Victim(clean_run, self._source, folder, rows_at_once, die_at=death.step)
        return victim.end(kill_after=death.seconds)


def _contents(folder: Path) -> dict[str, object]:
    return {
        path.relative_to(folder).as_posix(): _workbook(path) if path.suffix == ".xlsx" else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in _OWN
    }


def _workbook(path: Path) -> dict[str, bytes]:
    """The parts of a workbook but for its date."""
    with zipfile.ZipFile(path) as parts:
        return {name: parts.read(name) for name in parts.namelist() if name != "docProps/core.xml"}
