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
        """How many there are of one key or address."""
        return self._callers[caller]

    def check(self, caller: str, *, most: int, share: int, retry_after_s: Callable[[int], float]) -> None:
        """See whether there is room for one more.

        Args:
            caller: whose it is.
            most: in all.
            share: of one caller.
            retry_after_s: from a number of requests to when so many will have been served.

        Raises:
            TooManyAtOnceError: the caller has its share; told first, since the caller can mend it.
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
        """One more, for as long as the context lasts.

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
                del self._callers[caller]  # who has gone takes no memory
