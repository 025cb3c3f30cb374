"""Doing the next piece of work in a thread while the last one is looked at."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")


def ahead(items: Generator[_Item]) -> Generator[_Item]:
    """Yield what a generator yields, in order; while one item is used the next one is made in a thread.

    At most one item waits. An error comes where it would have come without the thread. Whoever stops early
    waits for the item that is being made; then the generator is closed.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prep-ahead") as worker:
        try:
            coming = worker.submit(_next, items)
            while item := coming.result():
                coming = worker.submit(_next, items)
                yield item[0]
        finally:
            worker.submit(items.close).result()


def _next(items: Generator[_Item]) -> tuple[_Item] | None:
    """The next item, alone in a tuple; None after the last one."""
    for item in items:
        return (item,)
    return None
