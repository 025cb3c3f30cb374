"""The options that name a lead file, and the file itself, made where it is missing."""

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path


def files_parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """The options `--rows`, `--seed` and `--data`."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument(
        "--rows", type=positive, default=1_000_000, help="rows of the file (default: 1000000)"
    )
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
    """The file of this many rows, made in a process of its own: the one that measures must stay small."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = hashlib.sha256(Path(__file__).with_name("data.py").read_bytes()).hexdigest()[:8]
    path = folder / f"leads-{rows}-{seed}-{generator}.csv"
    if not path.exists():
        sys.stderr.write(f"making {path}\n")
        making = [sys.executable, "-m", "benchmarks.data", str(path)]
        subprocess.run([*making, "--rows", str(rows), "--seed", str(seed)], check=True)
    return path
