"""Who is in the house: requests being read, waiting or served, all together and by caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class House:
    """Requests in work, counted.  For one event loop."""

    def __init__(self) -> None:
        self._callers: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._callers.total()

    def of(self, caller: str) -> int:
        """How many there are of one key or address."""
        return self._callers[caller]

    @contextmanager
    def guest(self, caller: str) -> Iterator[None]:
        """One more, for as long as the context lasts.

        >>> house = House()
        >>> with house.guest("key:1"), house.guest("key:2"):
        ...     len(house), house.of("key:1")
        (2, 1)
        >>> len(house), house.of("key:1")
        (0, 0)
        """
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]  # who has gone takes no memory
