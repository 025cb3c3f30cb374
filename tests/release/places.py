"""Clean environments, and what an installed prep must do in them."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


@dataclass(frozen=True)
class Place:
    """A virtual environment with pip and nothing else, made anew."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, python: Path) -> "Place":
        """Make one with the Python that is given."""
        call(python, "-m", "venv", folder)
        return cls(folder)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def versions(self) -> dict[str, Version]:
        """What is installed in it."""
        (packages,) = self.folder.glob("lib/python3.*/site-packages")
        return {
            canonicalize_name(each.metadata["Name"]): Version(each.version)
            for each in distributions(path=[str(packages)])
        }


def call(*command: str | Path, folder: Path | None = None) -> str:
    """Run a command; give what it said, stdout and stderr as they came.

    Raises:
        SystemExit: It failed.
    """
    done = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}\n{' '.join(map(str, command))} ended with {done.returncode}")
    return done.stdout


def find_pythons(versions: Iterable[str]) -> dict[str, Path]:
    """A Python of each version that is on this machine, also among those that pyenv and uv keep."""
    return {version: python for version in versions if (python := next(_candidates(version), None))}


def _candidates(version: str) -> Iterator[Path]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    kept = [
        *Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"),
        *Path.home().glob(f".local/share/uv/python/cpython-{version}*/bin/python{version}"),
    ]
    for path in (shutil.which(f"python{version}"), *sorted(kept, reverse=True)):
        if path and _answers(path):
            yield Path(path)


def _answers(path: str | Path) -> bool:
    """Whether it is an interpreter and not a shim that knows of none."""
    asked = subprocess.run([path, "-c", "import ensurepip, sqlite3, ssl"], check=False, capture_output=True)
    return asked.returncode == 0


def lower_bounds(project: Mapping[str, Any]) -> dict[str, Version]:
    """The lowest version of each dependency that this Python needs."""
    bounds: dict[str, Version] = {}
    for requirement in map(Requirement, project["dependencies"]):
        (bound,) = requirement.specifier
        if requirement.marker is None or requirement.marker.evaluate():
            bounds[canonicalize_name(requirement.name)] = Version(bound.version)
    return bounds


def untried_bounds(place: Place, project: Mapping[str, Any]) -> list[str]:
    """Dependencies whose lower bound is not what is installed."""
    installed = place.versions
    return [
        f"{name}>={bound} was tried as {installed.get(name)}"
        for name, bound in lower_bounds(project).items()
        if installed.get(name) != bound
    ]


def use(place: Place, root: Path, folder: Path) -> list[str]:
    """Do what the README shows, in an empty folder.

    Returns:
        What was not as it says there.
    """
    folder.mkdir()
    sample = Path("sample_data/webinar_export.csv")
    (folder / sample.parent).mkdir()
    shutil.copy(root / sample, folder / sample)
    readme = (root / "README.md").read_text(encoding="utf-8")
    command, printed = re.findall(r"^```console\n\$ prep (.*)\n((?s:.*?))^```$", readme, re.MULTILINE)[0]
    (example,) = re.findall(r"^```python\n((?s:.*?))^```$", readme, re.MULTILINE)
    complaints = []
    if (said := call(place.folder / "bin" / "prep", *command.split(), folder=folder)) != printed:
        complaints.append(f"prep {command} does not print what README.md shows, but:\n{said}")
    call(place.python, "-W", "error", "-c", example, folder=folder)
    for schema in sorted((root / "schemas").glob("*.toml")):
        shown = call(place.folder / "bin" / "prep", "schema", "show", schema.stem, folder=folder)
        if shown != call(place.folder / "bin" / "prep", "schema", "show", str(schema), folder=folder):
            complaints.append(f"prep schema show {schema.stem} shows another schema than {schema.name}")
    return complaints
