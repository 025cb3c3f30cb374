"""Fuzz the reader of delimited text: any bytes are read completely or refused, and always alike.

python -m tests.fuzz                           a minute of random tables and soups
python -m tests.fuzz --layer records           the same for the functions below the reader
python -m tests.fuzz --runs 1000000 --seconds 0 --seed 7 --start 250000
python -m tests.fuzz --engine atheris          guided by coverage; needs `pip install atheris`
python -m tests.fuzz --again FILE              a saved finding once more

An execution of the layer `reader` opens and reads one text of a few hundred bytes without file, thread
or process, and compares what comes out with a second reader that goes byte by byte. It fails on any
exception but prep's own, on a line that is not accounted for exactly once, and on any difference; some
texts are opened again with what was found and read in another number of blocks. The layers `records` and
`encoding` check the functions below it, many times faster. Texts are numbered: a run that was stopped goes
on with --start. What fails is made as short as possible and saved in the folder of --findings.
Exit code 0: nothing found.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # before polars is imported: texts are short

from tests.fuzz.pieces import PIECES
from tests.fuzz.texts import text

_MAX_BYTES = 400
_SAY_EVERY_SECONDS = 30

Check = Callable[[bytes], bool]


def main() -> int:
    """Run what is asked for and say how many executions there were."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=["random", "atheris"], default="random")
    parser.add_argument("--layer", choices=["reader", "records", "encoding"], default="reader")
    parser.add_argument("--runs", type=int, default=0, help="stop after so many executions (0: never)")
    parser.add_argument("--seconds", type=int, default=60, help="stop after so long (0: never)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0, help="number of the first text")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for what fails")
    parser.add_argument("--corpus", type=Path, help="folder where atheris keeps interesting inputs")
    parser.add_argument("--again", type=Path, metavar="FILE", help="run one saved input")
    chosen = parser.parse_args()
    if chosen.engine == "atheris" and not chosen.again:
        return _guided(chosen)
    from tests.fuzz.oracle import LAYERS, without_files  # noqa: PLC0415  # atheris wants to instrument it first

    check = LAYERS[chosen.layer]
    with without_files():
        if chosen.again:
            check(chosen.again.read_bytes())
            return 0
        return _random(chosen, check)


def _random(chosen: argparse.Namespace, check: Check) -> int:
    """Check one numbered text after the other until time or executions are used up."""
    started = said = time.monotonic()
    number, readable, found = chosen.start, 0, 0
    while not (chosen.runs and number >= chosen.start + chosen.runs):
        data = text(chosen.seed, number)
        number += 1
        try:
            readable += check(data)
        except Exception as error:  # noqa: BLE001  # whatever comes is a finding
            found += 1
            _save(data, error, chosen.findings, check)
        now = time.monotonic()
        if chosen.seconds and now - started >= chosen.seconds:
            break
        if now - said >= _SAY_EVERY_SECONDS:
            said = now
            _say(number, number - chosen.start, readable, found, started)
    _say(number, number - chosen.start, readable, found, started)
    return 1 if found else 0


def _save(data: bytes, error: Exception, folder: Path, check: Check) -> None:
    """Shorten a text for as long as it fails in the same way; keep it under a name that its bytes give."""
    short = _shortened(data, type(error), check)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{type(error).__name__}-{hashlib.sha256(short).hexdigest()[:12]}"
    path.write_bytes(short)
    sys.stdout.write(f"found: {type(error).__name__}, {path}\n")
    sys.stdout.flush()


def _shortened(data: bytes, kind: type[Exception], check: Check) -> bytes:
    size = len(data) // 2
    while size:
        start = 2  # the options stay
        while start < len(data):
            shorter = data[:start] + data[start + size :]
            if _fails(shorter, kind, check):
                data = shorter
            else:
                start += size
        size //= 2
    return data


def _fails(data: bytes, kind: type[Exception], check: Check) -> bool:
    try:
        check(data)
    except Exception as error:  # noqa: BLE001
        return isinstance(error, kind)
    return False


def _guided(chosen: argparse.Namespace) -> int:
    """Hand over to atheris, which ends the process itself."""
    try:
        import atheris  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415  # not installed by default
    except ImportError:
        sys.stderr.write("atheris is not installed: pip install --only-binary :all: atheris\n")
        return 2
    with atheris.instrument_imports(include=["prep.sources"]):
        from tests.fuzz.oracle import LAYERS, without_files  # noqa: PLC0415

    with tempfile.NamedTemporaryFile("w", suffix=".dict", delete=False) as dictionary:
        for piece in PIECES:
            dictionary.write('"' + "".join(f"\\x{byte:02x}" for byte in piece) + '"\n')
    chosen.findings.mkdir(parents=True, exist_ok=True)
    arguments = [
        sys.argv[0],
        f"-runs={chosen.runs or -1}",
        f"-max_total_time={chosen.seconds}",
        f"-seed={chosen.seed}",
        f"-max_len={_MAX_BYTES}",
        f"-dict={dictionary.name}",
        f"-artifact_prefix={chosen.findings}/",
        "-print_final_stats=1",
    ]
    if chosen.corpus:
        chosen.corpus.mkdir(parents=True, exist_ok=True)
        arguments.append(str(chosen.corpus))
    with without_files():
        atheris.Setup(arguments, LAYERS[chosen.layer])
        atheris.Fuzz()
    return 0


def _say(number: int, executions: int, readable: int, found: int, started: float) -> None:
    rate = executions / (time.monotonic() - started)
    sys.stdout.write(
        f"{executions:,} executions ({rate:,.0f}/s), {readable:,} of them readable, {found:,} found; "
        f"next --start {number}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
