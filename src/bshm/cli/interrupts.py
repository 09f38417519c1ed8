"""Ctrl-C: end at once while a command starts; raise an exception when there is something to clean up.

While half a second of imports runs an exception can come up anywhere: in the middle of an extension module, which then
"fails to initialise", or in a callback that prints it and goes on.  Nothing is imported here that a bare Python has
not: until ``starting`` is entered Ctrl-C shows a trace.
"""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_voice = 2


class starting:  # noqa: N801 - a context manager, without what contextlib imports
    """Around a command: Ctrl-C ends the process at once, until ``in_order`` is called.

    Nothing changes where somebody else handles Ctrl-C or has it ignored, nor outside the main thread, to which alone
    Python gives signals.
    """

    def __enter__(self) -> None:
        """Begin."""
        _change(signal.default_int_handler, _end)

    def __exit__(self, *_: object) -> None:
        """Leave Ctrl-C as it was."""
        in_order()


def in_order() -> None:
    """From here on Ctrl-C is a ``KeyboardInterrupt``: called by a verb before it changes anything."""
    _change(_end, signal.default_int_handler)


def talk_to(descriptor: int) -> int:
    """Where ``end`` says so from here on; returns where it did."""
    global _voice
    before, _voice = _voice, descriptor
    return before


def end() -> None:
    """Say so and end the process, without waiting for threads: one may sit in a download."""
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
