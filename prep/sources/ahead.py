"""Working ahead, so that reading and what is done with it go on side by side."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")


def ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Take items in a thread of their own, each while the one before it is being used.

    Order stays, and an exception comes where it would have come. Whoever stops early waits for the item that
    is being made; no thread outlives the iterator.

    Args:
        items: What is taken; none of them is None.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prep-read") as worker:
        taken = worker.submit(next, items, None)
        while (item := taken.result()) is not None:
            taken = worker.submit(next, items, None)
            yield item
