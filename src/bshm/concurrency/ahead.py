"""Run a part of a chain of generators in its own thread, up to a number of items ahead."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")

# How often a thread that waits for room looks whether anybody still wants what it makes.
_LOOK_S = 0.1


class _End:
    """What a thread puts last: nothing more comes, or why."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterable[Item], *, depth: int) -> Generator[Item, None, None]:
    """The same items in the same order, made in another thread while the caller works on earlier ones.

    A chain of these is a pipeline: ``ahead(matted(ahead(decoded(), depth=2)), depth=2)`` decodes, mattes and, in the
    caller's thread, encodes at once.  Memory stays flat: at most ``depth`` items wait in each place.

    Args:
        items: drawn in the other thread, and there alone; a generator is closed there, too.
        depth: how many finished items may wait, 1 or more.

    Yields:
        The items.  What ``items`` raises is raised in its place.  Closing this ends the thread and waits for it: when
        ``close()`` has returned nothing is being made any more.

    Raises:
        ValueError: ``depth`` is below 1.

    Example:
        >>> list(ahead(iter("abc"), depth=1))
        ['a', 'b', 'c']
    """
    if depth < 1:
        raise ValueError(f"ahead() needs room for at least one item; got {depth}.")
    return _ahead(items, depth)


def _ahead(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    done: queue.Queue[Item | _End] = queue.Queue(depth)
    unwanted = threading.Event()

    def put(item: Item | _End) -> None:
        while not unwanted.is_set():
            with suppress(queue.Full):
                done.put(item, timeout=_LOOK_S)
                return

    def work() -> None:
        iterator: Iterator[Item] = iter(items)
        error: BaseException | None = None
        try:
            try:
                for item in iterator:
                    put(item)
                    if unwanted.is_set():
                        break
                    del item  # it lives in the queue alone
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()
        except BaseException as caught:  # noqa: BLE001 - raised again in the thread that asks for items
            error = caught
        put(_End(error))

    thread = threading.Thread(target=work, name="bshm", daemon=True)
    thread.start()
    try:
        while True:
            item = done.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
            del item
    finally:
        unwanted.set()
        thread.join()
