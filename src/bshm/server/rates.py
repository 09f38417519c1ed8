"""Rate limits per key or address, in pictures of one megapixel per minute, as remove.bg counts."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bshm.server.refusals import RateLimitError

_WINDOW_S = 60.0
# An attacker with many addresses must not fill the memory; callers with the oldest request are forgotten first.
_MOST_CALLERS = 10_000


@dataclass(frozen=True)
class Rate:
    """The rate limit of a caller in the current minute.

    Attributes:
        limit, remaining: megapixel pictures.
        reset_at: when the minute ends, in seconds since 1970.
    """

    limit: int
    remaining: int
    reset_at: float

    def headers(self) -> dict[str, str]:
        """The headers of remove.bg."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.reset_at)),
        }


def units_of(pixels: int) -> int:
    """The units of a picture: its megapixels, rounded up.

    >>> units_of(640 * 480), units_of(12_000_001)
    (1, 13)
    """
    return max(1, -(-pixels // 1_000_000))


class Rates:
    """One-minute windows, one per caller.  For one event loop."""

    def __init__(self, limit: int, *, clock: Callable[[], float] = time.time) -> None:
        self.limit = limit
        self._clock = clock
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def charge(self, caller: str, units: int) -> Rate | None:
        """Take ``units`` from the caller's minute; None without a limit.

        Raises:
            RateLimitError: not enough is left.  A picture that is larger than the whole limit passes in a new minute,
                because it would never pass otherwise.
        """
        if self.limit == 0:
            return None
        rate = self.look(caller)
        if units > rate.remaining and rate.remaining < self.limit:
            raise RateLimitError(
                f"the limit is {self.limit} pictures of one megapixel per minute; {rate.remaining} are left, and "
                f"this request counts as {units}.",
                retry_after_s=max(0.0, rate.reset_at - self._clock()),
            )
        used = self.limit - rate.remaining + units
        self._windows[caller] = (rate.reset_at, used)
        self._windows.move_to_end(caller)
        while len(self._windows) > _MOST_CALLERS:
            self._windows.popitem(last=False)
        return Rate(self.limit, max(0, self.limit - used), rate.reset_at)

    def look(self, caller: str) -> Rate:
        """The remaining units of the caller."""
        now = self._clock()
        reset_at, used = self._windows.get(caller, (0.0, 0))
        if reset_at <= now:
            reset_at, used = now + _WINDOW_S, 0
        return Rate(self.limit, max(0, self.limit - used), reset_at)
