"""Fuzz the reader of delimited text: any bytes are read completely or refused, and always alike.

python -m tests.fuzz                           a minute of hypothesis
python -m tests.fuzz --engine atheris          guided by coverage; needs `pip install atheris`
python -m tests.fuzz --runs 1000000 --seconds 0
python -m tests.fuzz --again FILE              what atheris left as crash-… once more

An execution opens and reads one text twice: in one block, then opened again with what was found and in small
blocks. It fails on any exception but prep's own, on a line that is not accounted for exactly once, and on any
difference. Exit code 0: nothing found.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.pieces import PIECES

_MAX_BYTES = 400


def main() -> int:
    """Run what is asked for and say how many executions there were."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=["hypothesis", "atheris"], default="hypothesis")
    parser.add_argument("--runs", type=int, default=0, help="stop after so many executions (0: never)")
    parser.add_argument("--seconds", type=int, default=60, help="stop after so long (0: never)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="folder where atheris keeps interesting inputs")
    parser.add_argument("--again", type=Path, metavar="FILE", help="run one saved input")
    chosen = parser.parse_args()
    if chosen.again:
        from tests.fuzz.oracle import check  # noqa: PLC0415  # atheris wants to instrument it first

        return 0 if check(chosen.again.read_bytes()) is not None else 1
    return _guided(chosen) if chosen.engine == "atheris" else _random(chosen)


def _random(chosen: argparse.Namespace) -> int:
    """Let hypothesis draw texts in rounds until time or executions are used up."""
    from tests.fuzz.oracle import check  # noqa: PLC0415

    started, executions, readable, round_number = time.monotonic(), 0, 0, 0
    texts = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4)), max_size=40).map(b"".join)

    def is_over() -> bool:
        spent = time.monotonic() - started
        return bool(
            (chosen.runs and executions >= chosen.runs) or (chosen.seconds and spent >= chosen.seconds)
        )

    while not is_over():

        @seed(chosen.seed + round_number)
        @settings(
            max_examples=2_000,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.binary(min_size=2, max_size=2), texts)
        def one_round(options: bytes, text: bytes) -> None:
            nonlocal executions, readable
            if is_over():
                return
            executions += 1
            readable += check(options + text)

        one_round()
        round_number += 1
        _say(executions, readable, started)
    return 0


def _guided(chosen: argparse.Namespace) -> int:
    """Hand over to atheris, which ends the process itself."""
    try:
        import atheris  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415  # not installed by default
    except ImportError:
        sys.stderr.write("atheris is not installed: pip install --only-binary :all: atheris\n")
        return 2
    with atheris.instrument_imports(include=["prep.sources"]):
        from tests.fuzz.oracle import check  # noqa: PLC0415

    with tempfile.NamedTemporaryFile("w", suffix=".dict", delete=False) as dictionary:
        for piece in PIECES:
            dictionary.write('"' + "".join(f"\\x{byte:02x}" for byte in piece) + '"\n')
    arguments = [
        sys.argv[0],
        f"-runs={chosen.runs or -1}",
        f"-max_total_time={chosen.seconds}",
        f"-seed={chosen.seed}",
        f"-max_len={_MAX_BYTES}",
        f"-dict={dictionary.name}",
        "-print_final_stats=1",
    ]
    if chosen.corpus:
        chosen.corpus.mkdir(parents=True, exist_ok=True)
        arguments.append(str(chosen.corpus))
    atheris.Setup(arguments, check)
    atheris.Fuzz()
    return 0


def _say(executions: int, readable: int, started: float) -> None:
    rate = executions / (time.monotonic() - started)
    sys.stdout.write(
        f"{executions:,} executions ({rate:,.0f}/s), {readable:,} of them readable, nothing found\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
