"""Single flight: equal work that is asked for while it is being done is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.waiting = 0


class Flights(Generic[T]):
    """Work under way, by key.  For one event loop."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    async def join(self, key: str, begin: Callable[[], Awaitable[T]]) -> T:
        """The result of the work under ``key``, begun here unless it is under way.

        When the last who waits is cancelled, so is the work.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(_as_coroutine(begin)))
            flight.task.add_done_callback(lambda task: self._ended(key, task))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if flight.waiting == 0 and not flight.task.done():
                # Whoever comes now starts anew rather than board what is being stopped.
                if self._flights.get(key) is flight:
                    del self._flights[key]
                flight.task.cancel()

    async def drain(self) -> None:
        """Wait for all that is under way."""
        while self._flights:
            await asyncio.wait([flight.task for flight in self._flights.values()])

    def _ended(self, key: str, task: asyncio.Task[T]) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if not task.cancelled():
            task.exception()  # looked at, or asyncio would complain where nobody waited any more


async def _as_coroutine(begin: Callable[[], Awaitable[T]]) -> T:
    return await begin()
