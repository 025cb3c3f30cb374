"""Doing the next pieces of work in threads while the last one is looked at."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent import futures
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import polars as pl

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class ahead(Generic[_Item]):  # noqa: N801 - reads as a function where it is used
    """Yield what a generator yields, in order; while one item is used the next ones are made in a thread.

    An error comes where it would have come without the thread. To be used in a `with` statement: whoever
    stops early waits there for the item that is being made, and finds the generator closed. A generator that
    is thrown away does not wait: Python may do that anywhere, also while it holds a lock that the thread
    needs.

    Args:
        items: What is made ahead.
        waiting: How many items at most wait, or are being made, while one is used.
    """

    def __init__(self, items: Generator[_Item], waiting: int = 1) -> None:
        self._wanted = threading.Semaphore(waiting)
        self._stopped = threading.Event()
        self._made: SimpleQueue[tuple[_Item] | BaseException | None] = SimpleQueue()
        arguments = (items, self._wanted, self._stopped, self._made)
        self._thread = threading.Thread(target=_make, args=arguments, name="prep-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[_Item]:
        return self

    def __next__(self) -> _Item:
        found = self._made.get()
        if isinstance(found, tuple):
            self._wanted.release()
            return found[0]
        self._made.put(found)
        raise StopIteration if found is None else found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if kind is not GeneratorExit:
            self._thread.join()

    def __del__(self) -> None:
        self._stop()

    def _stop(self) -> None:
        self._stopped.set()
        self._wanted.release()


def _make(
    items: Generator[_Item],
    wanted: threading.Semaphore,
    stopped: threading.Event,
    made: "SimpleQueue[tuple[_Item] | BaseException | None]",
) -> None:
    """Make an item whenever one is wanted, until there are no more or nobody wants them."""
    try:
        while wanted.acquire() and not stopped.is_set():
            made.put((next(items),))
        made.put(None)
    except StopIteration:
        made.put(None)
    except BaseException as error:  # noqa: BLE001 - raised again where the item was to come
        made.put(error)
    finally:
        items.close()


_MOST_CORES: Final = 4
"""Beyond these the memory that each needs is worth more than the time."""


def cores() -> int:
    """How many things are worked on at a time. Asking polars starts its threads, so no module may ask."""
    return min(pl.thread_pool_size(), _MOST_CORES)


def side_by_side(
    work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int
) -> Generator[_Result]:
    """Yield what becomes of each item, in order; several are worked on at the same time.

    No more than `threads` are being made or wait while one is used. An error comes where its result would
    have come. Whoever ends early waits for the work that was begun, but not where the generator is thrown
    away: see `ahead`.

    Args:
        work: What is done with an item.
        items: Taken one after the other, in the caller's thread.
        threads: How many items are worked on at a time.
    """
    workers = futures.ThreadPoolExecutor(threads, thread_name_prefix="prep-side")
    waits = True
    try:
        begun: deque[futures.Future[_Result]] = deque()
        for item in items:
            begun.append(workers.submit(work, item))
            if len(begun) > threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    except GeneratorExit:
        waits = False
        raise
    finally:
        workers.shutdown(wait=waits, cancel_futures=True)
