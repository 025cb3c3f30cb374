"""See that what would be released is what it should be: wheel, sdist, and prep as users install it.

python -m tests.release --quick     contents and metadata; the wheel in a clean environment
python -m tests.release             also: every supported Python that is here, how callers see types, the
                                    lowest versions of all dependencies with the tests that reach them, and
                                    those of Airflow and Dagster with theirs (needs uv from the package index)

Exit code 0: nothing is wrong. Nothing is left behind.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

from tests.release.archives import (
    judge_sdist,
    judge_wheel,
    project_table,
    read_checkout,
    read_sdist,
    read_wheel,
)
from tests.release.places import Place, call, find_pythons, lower_bounds, untried_bounds, use

ROOT = Path(__file__).parents[2]

_LOWEST_TESTS = ("tests/stages", "tests/golden", "tests/library", "tests/laws", "tests/cli", "tests/marketo")
"""What reaches every dependency: readers, judges, tables, pages, HTTP."""

_CALLER = """
from collections.abc import Mapping

import prep

schema: prep.Schema = prep.load_schema("lead")
prepared: prep.Prepared = prep.prepare("leads.csv", schema, lookup_field="email")
counts: Mapping[str, int] = prepared.counts
"""


def main() -> int:
    """Check step by step, print what is wrong, return how much it is."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="only what .ci/run needs")
    quick = parser.parse_args().quick
    os.environ.setdefault("PIP_ONLY_BINARY", ":all:")
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    os.chdir(ROOT)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="prep-release-") as scratch:
        for complaint in _check(Path(scratch), quick=quick):
            wrong += 1
            _say(f"   WRONG: {complaint}")
    _say(f"\n{wrong} wrong" if wrong else "\nnothing is wrong")
    return min(wrong, 1)


def _check(scratch: Path, *, quick: bool) -> Iterator[str]:
    project = project_table(ROOT)
    wheel = yield from _archives(scratch / "dist")
    pythons = find_pythons(_supported())
    for version, python in pythons.items():
        if quick and python != Path(sys.executable):
            continue
        _say(f"the wheel in a clean Python {version}")
        place = Place.make(scratch / version, python)
        call(place.python, "-m", "pip", "install", "--quiet", wheel)
        call(place.python, "-m", "pip", "check")
        yield from use(place, ROOT, scratch / f"use-{version}")
    if quick:
        return
    if absent := set(_supported()) - pythons.keys():
        _say(f"   not found here, so not tried: {', '.join(sorted(absent))}")
    _say("the types that a caller sees")
    (scratch / "caller.py").write_text(_CALLER)
    here = scratch / f"{sys.version_info.major}.{sys.version_info.minor}"
    strictly = (sys.executable, "-m", "mypy", "--strict", "--python-executable", here / "bin" / "python")
    call(*strictly, "caller.py", folder=scratch)
    uv = Place.make(scratch / "uv", Path(sys.executable))
    call(uv.python, "-m", "pip", "install", "--quiet", "uv")
    _say("the lowest versions of all dependencies")
    place = _lowest(scratch / "lowest", uv, "dev")
    bounds = (f"{name}=={version}" for name, version in lower_bounds(project).items())
    call(*_install(uv, place), *bounds)  # tools of `dev` ask for more than users need
    yield from untried_bounds(place, project)
    yield from use(place, ROOT, scratch / "use-lowest")
    call(place.python, "-m", "pytest", "-q", "-n", "auto", *_LOWEST_TESTS)
    _say("the lowest versions of Airflow and Dagster")
    place = _lowest(scratch / "orchestrators", uv, "dev,airflow,dagster")
    call(
        place.python,
        "-m",
        "pytest",
        "-q",
        "tests/integrations/test_airflow.py",
        "tests/integrations/test_dagster.py",
    )


def _archives(folder: Path) -> Generator[str, None, Path]:
    project, checkout = project_table(ROOT), read_checkout(ROOT)
    _say("wheel and sdist")
    call(sys.executable, "-m", "build", "--outdir", folder, ROOT)  # the wheel from the sdist, not from here
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    _say(f"   {wheel.name}: {wheel.stat().st_size:,} bytes; {sdist.name}: {sdist.stat().st_size:,} bytes")
    yield from judge_wheel(read_wheel(wheel), checkout, project)
    yield from judge_sdist(read_sdist(sdist), checkout)
    call(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    return wheel


def _supported() -> list[str]:
    prefix = "Programming Language :: Python :: "
    classifiers: list[str] = project_table(ROOT)["classifiers"]
    return [each.removeprefix(prefix) for each in classifiers if each.startswith(prefix)]


def _lowest(folder: Path, uv: Place, extras: str) -> Place:
    place = Place.make(folder, Path(sys.executable))
    call(*_install(uv, place), "--resolution", "lowest-direct", "-e", f"{ROOT}[{extras}]")
    return place


def _install(uv: Place, place: Place) -> tuple[str | Path, ...]:
    wheels = ("--only-binary", ":all:", "--no-binary", "leadprep")
    return uv.folder / "bin" / "uv", "pip", "install", "--quiet", "--python", place.python, *wheels


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
