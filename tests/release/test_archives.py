"""What must not be released is found; the archives themselves are looked at by `python -m tests.release`."""

import re
from pathlib import Path

import pytest

from tests.release.archives import Files, judge_sdist, judge_wheel, project_table, read_checkout

ROOT = Path(__file__).parents[2]
INFO = "leadprep-0.1.0.dist-info"
PROJECT = {
    "name": "leadprep",
    "version": "0.1.0",
    "description": "Leads.",
    "requires-python": ">=3.11",
    "license": "MIT",
    "license-files": ["LICENSE"],
    "classifiers": ["Typing :: Typed"],
    "dependencies": ["backports.zstd>=1.8; python_version < '3.14'", "pandera[polars]>=0.35"],
    "optional-dependencies": {"dagster": ["dagster>=1.10"]},
    "scripts": {"prep": "prep.cli:main"},
    "entry-points": {"group": {"name": "module:object"}},
}
CHECKOUT: Files = {
    "LICENSE": b"MIT",
    "README.md": "# prep — leads\n".encode(),
    "prep/__init__.py": b"",
    "prep/py.typed": b"",
    "schemas/lead.toml": b"[fields]",
    "tests/test_it.py": b"",
}
METADATA = """Metadata-Version: 2.4
Name: leadprep
Version: 0.1.0
Summary: Leads.
License-Expression: MIT
License-File: LICENSE
Classifier: Typing :: Typed
Requires-Python: >=3.11
Requires-Dist: backports-zstd>=1.8; python_version < '3.14'
Requires-Dist: pandera[polars]>=0.35
Provides-Extra: dagster
Requires-Dist: dagster>=1.10; extra == 'dagster'
Description-Content-Type: text/markdown

# prep — leads
"""
WHEEL: Files = {
    "prep/__init__.py": b"",
    "prep/py.typed": b"",
    "prep/_schemas/lead.toml": b"[fields]",
    f"{INFO}/METADATA": METADATA.encode(),
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0",
    f"{INFO}/RECORD": b"",
    f"{INFO}/entry_points.txt": b"[console_scripts]\nprep = prep.cli:main\n\n[group]\nname = module:object\n",
    f"{INFO}/licenses/LICENSE": b"MIT",
}


def test_a_sound_wheel() -> None:
    assert judge_wheel(WHEEL, CHECKOUT, PROJECT) == []


@pytest.mark.parametrize(
    ("path", "content", "complaints"),
    [
        ("prep/py.typed", None, ["prep/py.typed is missing"]),
        ("prep/_schemas/lead.toml", None, ["prep/_schemas/lead.toml is missing"]),
        ("prep/_schemas/lead.toml", b"", ["prep/_schemas/lead.toml is altered"]),
        ("tests/test_it.py", b"", ["tests/test_it.py does not belong there"]),
        (f"{INFO}/licenses/LICENSE", None, [f"{INFO}/licenses/LICENSE is missing"]),
        (
            f"{INFO}/entry_points.txt",
            b"[console_scripts]",
            ["entry_points.txt is not what pyproject.toml says"],
        ),
        (
            f"{INFO}/METADATA",
            METADATA.replace(">=3.11", ">=3.9").encode(),
            ["METADATA: Requires-Python lacks ['>=3.11'], has beyond that ['>=3.9']"],
        ),
        (
            f"{INFO}/METADATA",
            METADATA.replace("Requires-Dist: pandera[polars]>=0.35\n", "").encode(),
            ["METADATA: Requires-Dist lacks ['pandera[polars]>=0.35'], has beyond that []"],
        ),
        (
            f"{INFO}/METADATA",
            METADATA.replace("leads\n", "").encode(),
            ["METADATA: the description is not README.md"],
        ),
    ],
)
def test_what_is_wrong_with_a_wheel(path: str, content: bytes | None, complaints: list[str]) -> None:
    wheel = {name: held for name, held in {**WHEEL, path: content}.items() if held is not None}
    assert judge_wheel(wheel, CHECKOUT, PROJECT) == complaints


@pytest.mark.parametrize("place", [Path.cwd(), Path.home(), Path("/home/ana")])
def test_a_place_on_the_machine_is_found(place: Path) -> None:
    text = f'ROOT = "{place}/leads.csv"'.encode()
    checkout = {**CHECKOUT, "docs/page.md": text}
    assert judge_sdist({**checkout, "PKG-INFO": b""}, checkout) == [
        f"docs/page.md names a place on a machine: {place}/"
    ]


def test_a_source_archive_holds_the_checkout_and_no_more() -> None:
    sdist = {**CHECKOUT, "PKG-INFO": b"", "leads.csv": b"ana@example.com"}
    assert judge_sdist(sdist, CHECKOUT) == ["leads.csv does not belong there"]


def test_what_git_ignores_is_no_part_of_the_checkout(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text(".venv/\n*.prep/\n")
    for name in (".git/HEAD", ".venv/bin/python", "leads.prep/report.json", "prep/main.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert sorted(read_checkout(tmp_path)) == [".gitignore", "prep/main.py"]


def test_every_python_that_is_promised_is_tried_and_the_version_has_its_changes() -> None:
    project = project_table(ROOT)
    lowest = project["requires-python"].removeprefix(">=")
    prefix = "Programming Language :: Python :: "
    assert min(each.removeprefix(prefix) for each in project["classifiers"] if prefix in each) == lowest
    newest = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[
        0
    ]
    assert newest in {"Unreleased", project["version"]}
