"""Ctrl-C: end at once while a command starts; raise an exception when there is something to clean up.

Imports take half a second, in which an exception can come anywhere: in the middle of an extension module, which then
"fails to initialise", or in a callback that prints it and goes on.  This file imports only what Python has loaded
already: until ``starting`` is entered, Ctrl-C shows a traceback.
"""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_voice = 2


class starting:  # noqa: N801 - a context manager, without importing contextlib
    """Around a command: Ctrl-C ends the process at once, until ``in_order`` is called.

    Nothing changes if other code handles or ignores Ctrl-C, or outside the main thread: Python delivers signals only to
    the main thread.
    """

    def __enter__(self) -> None:
        """Begin."""
        _change(signal.default_int_handler, _end)

    def __exit__(self, *_: object) -> None:
        """Leave Ctrl-C as it was."""
        in_order()


def in_order() -> None:
    """Make Ctrl-C raise ``KeyboardInterrupt`` from here on.  A verb calls this before it changes anything."""
    _change(_end, signal.default_int_handler)


def talk_to(descriptor: int) -> int:
    """Set the descriptor that ``end`` writes to; returns the previous one."""
    global _voice
    before, _voice = _voice, descriptor
    return before


def end() -> None:
    """Print a message and end the process without waiting for threads, which may be in a download."""
    try:
        os.write(_voice, b"bshm: interrupted\n")
    finally:  # whether or not stderr is open
        os._exit(INTERRUPTED)


def _end(_number: int, _frame: object) -> None:
    end()


def _change(before: object, after: object) -> None:
    if signal.getsignal(signal.SIGINT) is before:
        try:
            signal.signal(signal.SIGINT, after)  # type: ignore[arg-type]
        except ValueError:  # not in the main thread
            return
