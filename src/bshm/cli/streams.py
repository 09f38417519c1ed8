"""Output of a command: results on stdout, complete or an error; messages on stderr, safe for terminals."""

from __future__ import annotations

import faulthandler
import os
import re
import select
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from bshm.cli import interrupts
from bshm.errors import OutputError

# Control characters of terminals, and characters that change the direction of a line or break it: the name of a file or
# the address of a picture may contain any of them.
_OBEYED = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

# Where results go while libraries see another stdout.
_kept: TextIO | None = None


def put(result: str | bytes) -> None:
    """Write a result to stdout: all of it, whatever the buffering of the process.

    Raises:
        DiskFullError: stdout is a file, and there is no room for it.
        OutputError: stdout is closed, or cannot be written.
        BrokenPipeError: its reader closed it.
    """
    stream = _kept or sys.stdout
    if stream is None or stream.closed:
        raise OutputError("stdout is closed, but the result goes there. Redirect it, e.g. with > FILE.")
    flush()
    if isinstance(result, str):
        result = "\n".join(map(plain, result.split("\n")))
        if not hasattr(stream, "buffer"):  # a notebook's
            stream.write(result)
            return
        result = result.encode(stream.encoding or "utf-8", "backslashreplace")
    # Below Python's buffers: without them (PYTHONUNBUFFERED) an incomplete write goes unnoticed, and with them a failed
    # write is tried again when the process ends.
    raw = getattr(stream.buffer, "raw", stream.buffer)
    left = memoryview(result)
    try:
        while left:
            count = raw.write(left)
            if count is None:  # not blocking, and full at the moment
                select.select([], [raw], [])
            else:
                left = left[count:]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _explained(error) from error


def flush() -> None:
    """Write what is left in Python's buffer for stdout.

    Raises:
        DiskFullError, OutputError, BrokenPipeError: as ``put``.
    """
    if sys.stdout is None or sys.stdout.closed:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        drop()
        if isinstance(error, BrokenPipeError):
            raise
        raise _explained(error) from error


@contextmanager
def for_results_alone() -> Iterator[None]:
    """Keep stdout for ``put``: what libraries print there goes to stderr."""
    global _kept
    _kept, sys.stdout = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout, _kept = _kept, None


def drop() -> None:
    """Discard what could not be written to stdout: Python would try again when the process ends, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str) -> None:
    """Print one line for the user on stderr; stdout is only for results."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(plain(line) + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        raise
    except OSError:  # e.g. a full disk: no reason to lose the result, and the error cannot be printed
        return


@contextmanager
def hushed() -> Iterator[None]:
    """Keep libraries off stderr: errors and ``say`` report what matters of a file or a device.

    libpng, libtiff and onnxruntime write from C to descriptor 2, so it leads nowhere in this context, and Python's
    stderr keeps its destination.  A crash of the process itself is still reported.
    """
    try:
        voice = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    before, talk, enabled = sys.stderr, interrupts.talk_to(voice), faulthandler.is_enabled()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        if _descriptor(before) == 2:
            # The buffer of the old one would be written to the descriptor that leads nowhere.
            before.flush()
            sys.stderr = open(voice, "w", encoding=before.encoding, errors=before.errors, buffering=1, closefd=False)  # noqa: SIM115
        if not enabled:
            faulthandler.enable(voice)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            if not enabled:
                faulthandler.disable()
            interrupts.talk_to(talk)
            os.dup2(voice, 2)
            sys.stderr = before
            os.close(voice)
            os.close(nowhere)


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):  # a notebook's, or closed
        return None


def plain(text: str) -> str:
    """A line of text that is safe for a terminal: control characters are spelled out.

    >>> print(plain("\\x1b[31mred.jpg"))
    \\x1b[31mred.jpg
    """
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _explained(error: OSError) -> OutputError:
    from bshm.files import sink

    return sink.explained(error, "stdout")
