"""Process several items at the same time, up to a given number."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: a result, or the error that took its place.

    Attributes:
        item: what was worked on.
        value: the result; None where ``error`` is set.
        error: what went wrong; None where it went well.
    """

    item: Item
    value: Result | None = None
    error: Exception | None = None

    def unwrap(self) -> Result:
        """The result, or the error raised."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # a Result may itself be None


def overlap(
    items: Iterable[Item], work: Callable[[Item], Result], *, threads: int, ordered: bool = True
) -> Generator[Outcome[Item, Result], None, None]:
    """Give ``work(item)`` for every item, ``threads`` of them in the works at a time.

    Each thread takes one item through all of ``work``; while one waits for the network another decodes and a third
    writes.  Stages that must not run twice at once take a lock inside ``work``.  That is a pipeline with bounded
    queues, without the queues: at most ``threads`` items are in the works and, when ordered, as many again are
    finished and wait for a slow one before them, so memory stays flat and nobody waits for a thread that has failed.

    Items are drawn from ``items`` in the caller's thread and only when there is room for them.  Closing the iterator
    (leaving the loop, an exception, Ctrl-C) starts no further item; those in the works end in the background and
    their results are dropped.  With one thread everything runs in the caller's thread.

    Args:
        items: what to work on; may be endless.
        work: called in worker threads.
        threads: how many items are worked on at once, 1 or more.
        ordered: yield in the order of ``items``; otherwise as they finish.

    Yields:
        One ``Outcome`` an item.  Every ``Exception`` of ``work`` becomes the outcome of its item; what ``items``
        raises is raised.

    Raises:
        ValueError: ``threads`` is below 1.

    Example:
        >>> [outcome.value for outcome in overlap("abc", str.upper, threads=2)]
        ['A', 'B', 'C']
        >>> [type(outcome.error).__name__ for outcome in overlap(["1", "x"], int, threads=2)]
        ['NoneType', 'ValueError']
    """
    if threads < 1:
        raise ValueError(f"overlap() needs at least one thread; got {threads}.")
    if threads == 1:
        return _one_by_one(items, work)
    return _side_by_side(items, work, threads, ordered)


def _one_by_one(items: Iterable[Item], work: Callable[[Item], Result]) -> Generator[Outcome[Item, Result], None, None]:
    for item in items:
        try:
            value = work(item)
        except Exception as error:  # noqa: BLE001 - handed on in the outcome, as a thread pool does
            yield Outcome(item, error=error)
        else:
            yield Outcome(item, value)
            del value  # not kept alive while the next item is worked on


def _side_by_side(
    items: Iterable[Item], work: Callable[[Item], Result], threads: int, ordered: bool
) -> Generator[Outcome[Item, Result], None, None]:
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    source = iter(items)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="bshm")
    running: dict[Future[Result], Item] = {}  # in the order of the items
    try:
        exhausted = False
        while True:
            while not exhausted and _room(running, threads, ordered):
                try:
                    item = next(source)
                except StopIteration:
                    exhausted = True
                else:
                    running[pool.submit(work, item)] = item
            if not running:
                return
            future = _ready(running, ordered)
            if future is None:
                wait([future for future in running if not future.done()], return_when=FIRST_COMPLETED)
                continue
            yield _outcome(running.pop(future), future)
            del future  # it holds the result, which must not live on while the next one is waited for
    finally:
        # No waiting here: a download of half a minute must not hold up Ctrl-C.
        pool.shutdown(wait=False, cancel_futures=True)


def _room(running: dict[Future[Result], Item], threads: int, ordered: bool) -> bool:
    unfinished = sum(not future.done() for future in running)
    return unfinished < threads and len(running) < (2 if ordered else 1) * threads


def _ready(running: dict[Future[Result], Item], ordered: bool) -> Future[Result] | None:
    if ordered:
        first = next(iter(running))
        return first if first.done() else None
    return next((future for future in running if future.done()), None)


def _outcome(item: Item, future: Future[Result]) -> Outcome[Item, Result]:
    error = future.exception()
    if error is None:
        return Outcome(item, future.result())
    if isinstance(error, Exception):
        return Outcome(item, error=error)
    raise error  # KeyboardInterrupt and SystemExit end more than one item


def background(work: Callable[[], Result]) -> Callable[[], Result]:
    """Begin ``work`` in a thread of its own.

    Returns:
        a function that waits for the result and gives it, or raises what ``work`` raised.

    Example:
        >>> answer = background(lambda: 6 * 7)
        >>> answer()
        42
    """
    outcome: list[Outcome[None, Result]] = []

    def run() -> None:
        try:
            outcome.append(Outcome(None, work()))
        except Exception as error:  # noqa: BLE001 - raised again in the thread that asks for the result
            outcome.append(Outcome(None, error=error))

    # A daemon: a command that fails meanwhile must not wait for it to end.
    thread = threading.Thread(target=run, name="bshm", daemon=True)
    thread.start()

    def result() -> Result:
        thread.join()
        return outcome[0].unwrap()

    return result


class ClosableLock:
    """Lets one thread through at a time, and nobody any more once it is closed.

    For the stage of ``overlap`` that changes the world: after ``close()`` has returned, no write is under way and
    none will begin, so a cancelled batch leaves nothing half-written behind its caller's back.

    Example:
        >>> lock = ClosableLock()
        >>> with lock:
        ...     pass
        >>> lock.close()
        >>> with lock:
        ...     pass
        Traceback (most recent call last):
        ...
        bshm.concurrency.overlap.ClosedError: cancelled
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._closed:
            self._lock.release()
            raise ClosedError("cancelled")

    def __exit__(self, *exception: object) -> None:
        self._lock.release()

    def close(self) -> None:
        """Wait for the one inside, then let nobody in."""
        with self._lock:
            self._closed = True


class ClosedError(Exception):
    """The work was cancelled; nobody is left to see this."""
