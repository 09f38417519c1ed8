"""Single flight: equal work that is requested at the same time is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Call(Generic[T]):
    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.waiting = 0


class SingleFlight(Generic[T]):
    """Running work, by key.  For one event loop."""

    def __init__(self) -> None:
        self._calls: dict[str, _Call[T]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, key: str) -> bool:
        return key in self._calls

    async def join(self, key: str, begin: Callable[[], Awaitable[T]]) -> T:
        """The result of the work under ``key``, which is started unless it runs already.

        When the last waiting caller is cancelled, so is the work.
        """
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call(asyncio.ensure_future(_as_coroutine(begin)))
            call.task.add_done_callback(lambda task: self._ended(key, task))
        call.waiting += 1
        try:
            return await asyncio.shield(call.task)
        finally:
            call.waiting -= 1
            if call.waiting == 0 and not call.task.done():
                # New callers start new work instead of joining work that is being cancelled.
                if self._calls.get(key) is call:
                    del self._calls[key]
                call.task.cancel()

    async def drain(self) -> None:
        """Wait for all running work."""
        while self._calls:
            await asyncio.wait([call.task for call in self._calls.values()])

    def _ended(self, key: str, task: asyncio.Task[T]) -> None:
        call = self._calls.get(key)
        if call is not None and call.task is task:
            del self._calls[key]
        if not task.cancelled():
            task.exception()  # read, because asyncio complains about exceptions that nobody reads


async def _as_coroutine(begin: Callable[[], Awaitable[T]]) -> T:
    return await begin()
