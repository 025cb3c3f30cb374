"""What stands in wheel and sdist, against the checkout that they were built from."""

import os
import re
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from email.parser import BytesParser
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

Files = Mapping[str, bytes]
"""Path inside an archive or a checkout → content."""


def project_table(root: Path) -> dict[str, Any]:
    """The `[project]` table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def read_checkout(root: Path) -> Files:
    """Every file of the checkout but those that .gitignore names."""
    ignored = [".git", *(line.rstrip("/") for line in (root / ".gitignore").read_text().splitlines())]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in _walk(root, ignored)}


def _walk(root: Path, ignored: list[str]) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not _matches(name, ignored)]
        yield from (Path(folder, name) for name in names if not _matches(name, ignored))


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def read_wheel(path: Path) -> Files:
    """The files of a wheel."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read_sdist(path: Path) -> Files:
    """The files of a source archive, without the folder that holds them all."""
    with tarfile.open(path) as archive:
        return {
            str(PurePosixPath(*PurePosixPath(member.name).parts[1:])): file.read()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }


def judge_wheel(wheel: Files, checkout: Files, project: Mapping[str, Any]) -> list[str]:
    """What is wrong with a wheel that should hold the package, the schemas, and what installers need."""
    info = f"{project['name']}-{project['version']}.dist-info"
    package = {path: content for path, content in checkout.items() if path.startswith("prep/")}
    schemas = {
        path.replace("schemas/", "prep/_schemas/", 1): content
        for path, content in checkout.items()
        if path.startswith("schemas/")
    }
    licences = {f"{info}/licenses/{name}": checkout[name] for name in project["license-files"]}
    contents = {
        path: content
        for path, content in wheel.items()
        if not path.startswith(f"{info}/") or path.startswith(f"{info}/licenses/")
    }
    told = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    return [
        *_differences(contents, {"prep/py.typed": b"", **package, **schemas, **licences}),
        *(f"{path} is missing" for path in sorted(told - wheel.keys())),
        *_judge_entry_points(wheel.get(f"{info}/entry_points.txt", b"").decode(), project),
        *_judge_metadata(wheel.get(f"{info}/METADATA", b""), checkout, project),
        *_leaks(wheel),
    ]


def judge_sdist(sdist: Files, checkout: Files) -> list[str]:
    """What is wrong with a source archive; nothing if it is the checkout and its metadata."""
    return [*_differences(sdist, {**checkout, "PKG-INFO": sdist.get("PKG-INFO", b"")}), *_leaks(sdist)]


def _differences(files: Files, wanted: Files) -> list[str]:
    shared = sorted(files.keys() & wanted.keys())
    return [
        *(f"{path} is missing" for path in sorted(wanted.keys() - files.keys())),
        *(f"{path} does not belong there" for path in sorted(files.keys() - wanted.keys())),
        *(f"{path} is altered" for path in shared if files[path] != wanted[path]),
    ]


def _judge_entry_points(text: str, project: Mapping[str, Any]) -> Iterator[str]:
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    wanted = {f"[{group}]" for group in groups}
    wanted |= {f"{name} = {target}" for group in groups.values() for name, target in group.items()}
    if wanted != set(filter(None, text.splitlines())):
        yield "entry_points.txt is not what pyproject.toml says"


def _judge_metadata(metadata: bytes, checkout: Files, project: Mapping[str, Any]) -> Iterator[str]:
    told = BytesParser().parsebytes(metadata)
    extras = {
        _requirement(f'{text}{" and" if ";" in text else ";"} extra == "{extra}"')
        for extra, texts in project["optional-dependencies"].items()
        for text in texts
    }
    wanted = {
        "Name": {project["name"]},
        "Version": {project["version"]},
        "Summary": {project["description"]},
        "Requires-Python": {project["requires-python"]},
        "License-Expression": {project["license"]},
        "License-File": set(project["license-files"]),
        "Classifier": set(project["classifiers"]),
        "Provides-Extra": set(project["optional-dependencies"]),
        "Requires-Dist": set(map(_requirement, project["dependencies"])) | extras,
        "Description-Content-Type": {"text/markdown"},
    }
    for key, values in wanted.items():
        found = set(told.get_all(key, []))
        if key == "Requires-Dist":
            found = set(map(_requirement, found))
        if found != values:
            yield f"METADATA: {key} lacks {sorted(values - found)}, has beyond that {sorted(found - values)}"
    if metadata.partition(b"\n\n")[2] != checkout["README.md"]:
        yield "METADATA: the description is not README.md"


def _requirement(text: str) -> str:
    read = Requirement(text)
    read.name = canonicalize_name(read.name)
    return str(read)


def _leaks(files: Files) -> Iterator[str]:
    """Paths of the machine that built it."""
    places = "|".join(re.escape(f"{place}/") for place in (Path.cwd(), Path.home()))
    pattern = re.compile(rf"""(?<![^\s"'=(`:])({places}|/home/\w+/|/Users/\w+/)""".encode())
    for path, content in sorted(files.items()):
        if found := pattern.search(content):
            yield f"{path} names a place on a machine: {found[1].decode()}"
