"""`python -m benchmarks.bill`: what each stage and each output of `prep clean` costs, in processor seconds.

One process on one thread: polars is told to use one, and what the program would do beside is done at once. So
the seconds add up to the whole, and a busy machine hardly changes them. How long a real run takes, in which
much happens at the same time, is what `python -m benchmarks` tells.
"""

import builtins
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from types import CodeType, FrameType
from typing import Any, Final

from benchmarks.files import files_parser, make_leads
from benchmarks.measure import MAXRSS_UNIT

STAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "opening": ("prep.intake:take_in", "prep.schema_file:load_schema", "prep.plan:make_plan"),
    "compiling the judge": ("prep.validation:compile_judge",),
    "digest of the source": ("prep.sources.files:digest",),
    "reading": ("prep.sources.delimited:DelimitedReader._read",),
    "fields": ("prep.returned:identify", "prep.preparation:as_fields"),
    "normalising": ("prep.values:normalise",),
    "validating": ("prep.validation:validate",),
    "too large alone": ("prep.preparation:_split_oversized",),
    "keys": ("prep.duplicates:lookup_keys", "prep.duplicates:rank"),
    "notes": ("prep.values.notes:find_notes", "prep.values.notes:find_spoiled"),
    "spill": ("prep.spill:DiskSpill.append", "prep.spill:_read"),
    "rejected.csv": ("prep.preparation:_rejected", "prep.cleaning:_judge.<locals>.note"),
    "rejected.xlsx": ("prep.cleaning:_write_workbook",),
    "decision": ("prep.decision:decide",),
    "second pass": ("prep.decision:second_pass.<locals>.divide",),
    "duplicates.csv": ("prep.cleaning:_write_rows.<locals>.ready",),
    "chunks": ("prep.cleaning:_write_rows",),
    "rows.parquet": ("prep.folder:RunFolder.write_rows",),
    "report": ("prep.report.numbers:build_report", "prep.report:write_report"),
}
"""Stage → the functions whose time it is, without what other stages take within them."""

_IMPORTS: Final = "imports"
_REST: Final = "everything else"


def main() -> int:
    """Clean the file under the eyes of a clerk and print the bill."""
    options = files_parser("python -m benchmarks.bill", __doc__).parse_args()
    leads = make_leads(options.rows, options.seed, options.data)
    os.environ["POLARS_MAX_THREADS"] = "1"
    futures.ThreadPoolExecutor = _AtOnce  # type: ignore[misc, assignment]
    clerk = _Clerk()
    with tempfile.TemporaryDirectory(dir=options.data) as scratch, clerk.charging():
        from prep import ahead  # noqa: PLC0415 (to be charged; whoever works ahead has not imported it yet)
        from prep.cli.main import run  # noqa: PLC0415
        from prep.sources import files  # noqa: PLC0415

        ahead.ahead = _in_turn  # type: ignore[misc, assignment]
        files.Thread = _DoneAtOnce  # type: ignore[assignment, attr-defined]
        run(["clean", str(leads), "-o", f"{scratch}/run", "--quiet"])
    print("\n".join(_lines(clerk)))
    if idle := STAGES.keys() - clerk.seconds.keys():
        sys.stderr.write(f"never called: {', '.join(sorted(idle))}\n")
    return 1 if idle else 0


def _in_turn(items: Generator[Any], **_: Any) -> AbstractContextManager[Iterator[Any]]:
    """Items made when they are taken; but polars takes upload files in a thread that nobody can watch."""
    return nullcontext(iter(list(items)) if getattr(items, "__name__", "") == "_write_rows" else items)


class _DoneAtOnce:
    """A thread whose work is done where it is started."""

    def __init__(self, *, target: Callable[..., object], args: tuple[Any, ...], **_: Any) -> None:
        self.start = partial(target, *args)


class _AtOnce(futures.Executor):
    """Does what it is given at once, in the caller's own thread."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        done: futures.Future[Any] = futures.Future()
        try:
            done.set_result(work(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 (the caller gets it from the future)
            done.set_exception(error)
        return done


class _Clerk:
    """Charges all time, and all growth of the largest memory, to the innermost stage that is going on."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.peak_bytes: Counter[str] = Counter()
        self._stages = {function: stage for stage, functions in STAGES.items() for function in functions}
        self._known: dict[CodeType, str | None] = {}
        self._going_on = [_REST]
        self._clock = 0.0
        self._peak = 0
        self._importing = builtins.__import__

    @contextmanager
    def charging(self) -> Iterator[None]:
        """Watch every call in the block."""
        self._clock, self._peak = time.process_time(), _peak_bytes()
        importing, builtins.__import__ = builtins.__import__, self._import
        self._importing = importing
        sys.setprofile(self._watch)
        try:
            yield
        finally:
            sys.setprofile(None)
            builtins.__import__ = importing
            self._charge()

    def _import(self, *args: Any, **kwargs: Any) -> Any:
        """Import without looking at every call, which would double the time."""
        is_elsewhere = (
            threading.current_thread() is not threading.main_thread()
        )  # polars takes frames in there
        if is_elsewhere or self._going_on[-1] == _IMPORTS:
            return self._importing(*args, **kwargs)
        sys.setprofile(None)
        self._charge()
        self._going_on.append(_IMPORTS)
        try:
            return self._importing(*args, **kwargs)
        finally:
            self._charge()
            self._going_on.pop()
            sys.setprofile(self._watch)

    def _watch(self, frame: FrameType, event: str, _: object) -> None:
        if event in {"call", "return"} and (stage := self._stage(frame)):
            self._charge()
            if event == "call":
                self._going_on.append(stage)
            else:
                self._going_on.pop()

    def _stage(self, frame: FrameType) -> str | None:
        code = frame.f_code
        if code not in self._known:
            module = frame.f_globals.get("__name__")
            self._known[code] = self._stages.get(f"{module}:{code.co_qualname}")
        return self._known[code]

    def _charge(self) -> None:
        clock, peak = time.process_time(), _peak_bytes()
        self.seconds[self._going_on[-1]] += clock - self._clock  # type: ignore[assignment]
        self.peak_bytes[self._going_on[-1]] += peak - self._peak
        self._clock, self._peak = clock, peak


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT


def _lines(clerk: _Clerk) -> Iterator[str]:
    yield f"{'stage':<24}{'cpu_s':>8}{'share':>8}{'peak_MB':>10}"
    total = sum(clerk.seconds.values())
    for stage in (_IMPORTS, *STAGES, _REST):
        seconds, peak = clerk.seconds[stage], clerk.peak_bytes[stage] / 1e6
        yield f"{stage:<24}{seconds:>8.2f}{seconds / total:>8.0%}{f'+{peak:,.0f}':>10}"
    yield f"{'all':<24}{total:>8.2f}{1:>8.0%}{_peak_bytes() / 1e6:>10,.0f}"


if __name__ == "__main__":
    sys.exit(main())
