"""Limit the requests in flight (being read, waiting or served), in total and per caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bshm.server.refusals import TooBusyError, TooManyAtOnceError


class InFlightLimiter:
    """Counts requests.  For one event loop."""

    def __init__(self) -> None:
        self._callers: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._callers.total()

    def of(self, caller: str) -> int:
        """The requests of one key or address."""
        return self._callers[caller]

    def check(self, caller: str, *, most: int, share: int, retry_after_s: Callable[[int], float]) -> None:
        """Check whether there is room for one more request.

        Args:
            caller: the caller of the request.
            most: limit of all callers together.
            share: limit of one caller.
            retry_after_s: returns the time in which a number of requests will be served.

        Raises:
            TooManyAtOnceError: the caller has used its share; checked first, because the caller can change that.
            TooBusyError: there is no room.
        """
        mine = self.of(caller)
        if mine >= share and share < most:
            raise TooManyAtOnceError(
                f"you have {mine} requests in progress; one caller may have {share} at the same time. Send the next "
                "request after an answer has arrived.",
                retry_after_s=retry_after_s(mine),
            )
        if len(self) >= most:
            raise TooBusyError(
                f"{len(self)} requests are in progress, which is the limit. Try again shortly.",
                retry_after_s=retry_after_s(len(self)),
            )

    @contextmanager
    def hold(self, caller: str) -> Iterator[None]:
        """Count one more request while the context lasts.

        >>> limiter = InFlightLimiter()
        >>> with limiter.hold("key:1"), limiter.hold("key:2"):
        ...     len(limiter), limiter.of("key:1")
        (2, 1)
        >>> len(limiter), limiter.of("key:1")
        (0, 0)
        """
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]  # callers without requests use no memory
