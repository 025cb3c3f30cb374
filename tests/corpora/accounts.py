"""Reading a file in a process that may die, and counting its lines."""

import re
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from prep.errors import PrepError
from prep.sources import Batch, open_source
from prep.sources.delimited import DelimitedSource
from prep.sources.encoding import as_utf8
from prep.sources.files import opened

SECONDS = 20
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


@dataclass(frozen=True)
class Account:
    """What became of one file.

    Attributes:
        outcome: `read`, `refused`, `traceback`, `killed` or `slow`.
        is_balanced: Every physical line belongs to one record or one skipped entry.
        code: Why it was refused.
        seconds: How long it took.
    """

    outcome: str
    is_balanced: bool = True
    code: str = ""
    seconds: float = 0


def accounts(folder: Path, paths: list[Path]) -> dict[str, Account]:
    """Read each file in a child process, at most 20 s long; the keys are paths inside the folder."""
    found = {}
    pool = _pool()
    for path in paths:
        name = str(path.relative_to(folder))
        try:
            found[name] = pool.submit(account, str(path)).result(SECONDS)
        except (BrokenProcessPool, TimeoutError) as error:
            found[name] = Account("slow" if isinstance(error, TimeoutError) else "killed")
            pool.shutdown(wait=False, cancel_futures=True)
            pool = _pool()
    pool.shutdown()
    return found


def account(path: str) -> Account:
    """Read one file with nothing said about it."""
    started = time.monotonic()
    try:
        source = open_source(path)
        batches = list(source.read())
    except PrepError as error:
        is_said = error.message.startswith(f"{path}: ") and bool(error.hint)
        return Account(
            "refused" if is_said else "traceback", code=error.code, seconds=time.monotonic() - started
        )
    except Exception as error:  # noqa: BLE001  # it is what this looks for
        return Account("traceback", code=type(error).__name__)
    is_balanced = not isinstance(source, DelimitedSource) or sum(map(lines_of, batches)) == _lines(source)
    return Account("read", is_balanced, seconds=time.monotonic() - started)


def lines_of(batch: Batch) -> int:
    """Count the physical lines that a batch tells of."""
    cells: list[tuple[str | None, ...]] = batch.cells.drop("_row", "_line").rows()
    inside = sum(cell.count("\n") for row in cells for cell in row if cell)
    rejected: list[str] = batch.rejected["raw"].to_list()
    return len(cells) + inside + len(batch.skipped) + sum(raw.count("\n") + 1 for raw in rejected)


def _lines(source: DelimitedSource) -> int:
    with opened(source.path) as file:
        return len(_LINE.findall(as_utf8(file, source.encoding).read()))


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))
