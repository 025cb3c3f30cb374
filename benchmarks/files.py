"""The options that name a lead file, and the file itself, made where it is missing."""

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path


def files_parser(
    program: str, description: str | None, *, rows: int = 1_000_000, whose: str = "rows of the file"
) -> argparse.ArgumentParser:
    """The options `--rows`, with its default and what it is about, `--seed` and `--data`."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--rows", type=positive, default=rows, help=f"{whose} (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other people (default: 1)")
    parser.add_argument(
        "--data", type=Path, default=_cache_folder(), help="where files are kept (default: %(default)s)"
    )
    return parser


def positive(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leadprep-benchmarks"


def make_leads(rows: int, seed: int, folder: Path) -> Path:
    """The usual lead file of this many rows, made where it is missing."""
    return made_by("data", folder, "leads", rows, seed)


def made_by(script: str, folder: Path, name: str, rows: int, seed: int, *options: str) -> Path:
    """A file that a script writes, in a process of its own: the one that measures must stay small.

    Args:
        script: The module of `benchmarks` whose program writes it; another text of it makes another file.
        folder: Where files are kept.
        name: What the file's name begins with.
        rows: How many rows it has.
        seed: Where its values come from.
        options: What else the program is told.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = hashlib.sha256(Path(__file__).with_name(f"{script}.py").read_bytes()).hexdigest()[:8]
    path = folder / f"{name}-{rows}-{seed}-{generator}.csv"
    if not path.exists():
        sys.stderr.write(f"making {path}\n")
        making = [sys.executable, "-m", f"benchmarks.{script}", str(path), *options]
        subprocess.run([*making, "--rows", str(rows), "--seed", str(seed)], check=True)
    return path
