"""Break the code once for each promise of docs/promises.md, and see that its tests notice.

python -m tests.mutations                 all of them, half an hour on two processors
python -m tests.mutations R1 F5 --jobs 1  those of some promises

Each break is made in a copy of the checkout; the checkout itself stays as it is. Exit code 0: every break was
noticed and none is stale.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from compileall import compile_dir
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.mutations.catalogue import ROOT, Mutation, Promise, read_mutations, read_promises

_LEFT_OUT = shutil.ignore_patterns(".*", "*.prep", "build", "dist", "pictures")

_FAILED_TESTS = 1
"""Exit code of pytest when tests ran and some failed; others, as where none is collected, prove nothing."""


def main() -> int:
    """Make the breaks that are asked for, print what came of each, return whether any was not noticed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    promises = {promise.name: promise for promise in read_promises()}
    parser.add_argument("promises", nargs="*", metavar="PROMISE", help="only these, such as R1")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="at a time (default: processors)"
    )
    chosen = parser.parse_args()
    if strangers := set(chosen.promises) - promises.keys():
        parser.error(f"no such promises: {', '.join(sorted(strangers))}")
    wanted = [each for each in read_mutations() if not chosen.promises or each.promise in chosen.promises]
    unnoticed = 0
    with (
        tempfile.TemporaryDirectory(prefix="prep-mutations-") as scratch,
        ThreadPoolExecutor(chosen.jobs) as pool,
    ):
        template = Path(scratch) / "template"
        shutil.copytree(ROOT, template, ignore=_LEFT_OUT)
        compile_dir(template, quiet=1)
        running = {pool.submit(_try, promises[each.promise], each, template): each for each in wanted}
        for future in as_completed(running):
            verdict, mutation = future.result(), running[future]
            unnoticed += verdict != "noticed"
            place = f"{mutation.file}: {mutation.old.splitlines()[0].strip()}"
            sys.stdout.write(f"{mutation.promise:5}{verdict:10}{place}\n")
            sys.stdout.flush()
    sys.stdout.write(f"\n{len(wanted)} breaks, {unnoticed} not noticed\n")
    return min(unnoticed, 1)


def _try(promise: Promise, mutation: Mutation, template: Path) -> str:
    """`noticed`, `survived`, `stale`, or `no tests` where pytest could not run them."""
    if mutation.is_stale(template):
        return "stale"
    with tempfile.TemporaryDirectory(prefix="prep-mutation-") as scratch:
        copy = Path(scratch) / "checkout"
        shutil.copytree(template, copy)
        mutation.apply(copy)
        ended = _run(promise.tests, copy)
    return {0: "survived", _FAILED_TESTS: "noticed"}.get(ended, "no tests")


def _run(tests: tuple[str, ...], root: Path) -> int:
    """Run tests on a copy; processes that they start import the copy as well."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(root), "PREP_ALL_EXAMPLES": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
