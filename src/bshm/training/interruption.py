"""Ctrl-C and SIGTERM during training: finish and save the current step first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Remembers the first signal; a second one, or one in an ``at_once`` block, raises ``KeyboardInterrupt``.

    Signals reach Python in the main thread alone: elsewhere this remembers nothing.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = False
        self._at_once = False

    def __enter__(self) -> Interruption:
        self._mine = threading.current_thread() is threading.main_thread()
        if self._mine:
            self._before = [signal.signal(number, self._remember) for number in self._SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        if self._mine:
            for number, handler in zip(self._SIGNALS, self._before, strict=True):
                signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Around work that takes long and may be dropped."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _remember(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked or self._at_once:
            raise KeyboardInterrupt
        self.asked = True


def ignore_signals() -> None:
    """In a process that makes samples: Ctrl-C reaches it too, and the run still needs it for the step at hand."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
