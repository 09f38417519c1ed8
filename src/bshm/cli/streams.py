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

# What a terminal obeys instead of showing it, and what turns the direction of a line or breaks it: a name of a file or
# an address of a picture may hold any of it.
_OBEYED = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

# Where results go while stdout is not what libraries see as such.
_kept: TextIO | None = None


def put(result: str | bytes) -> None:
    """Write a result to stdout: all of it, whatever the buffering of the process.

    Raises:
        DiskFullError: stdout is a file, and there is no room for it.
        OutputError: stdout is closed, or cannot be written.
        BrokenPipeError: whoever read it went away.
    """
    stream = _kept or sys.stdout
    if stream is None or stream.closed:
        raise OutputError("stdout is closed, and the result goes there. Send it somewhere, e.g. with > FILE.")
    flush()
    if isinstance(result, str):
        result = "\n".join(map(plain, result.split("\n")))
        if not hasattr(stream, "buffer"):  # a notebook's
            stream.write(result)
            return
        result = result.encode(stream.encoding or "utf-8", "backslashreplace")
    # Below Python's buffers: without them (PYTHONUNBUFFERED) a write that was cut short goes unnoticed, and with them
    # one that failed is tried again when the process ends.
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
    """See that what Python holds back for stdout is written.

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
    """Keep stdout for ``put``: what libraries print there goes to stderr meanwhile."""
    global _kept
    _kept, sys.stdout = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout, _kept = _kept, None


def drop() -> None:
    """Forget what could not be written to stdout: Python tries once more when the process ends, and would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str) -> None:
    """Tell the person at the terminal one line; stdout is for results alone."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(plain(line) + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        raise
    except OSError:  # a full disk: no reason to lose the result, and nowhere to say so
        return


@contextmanager
def hushed() -> Iterator[None]:
    """Keep libraries off stderr: what matters of a file or a device is told by an error, or by ``say``.

    libpng, libtiff and onnxruntime write from C to the descriptor that every process has, so that leads nowhere
    meanwhile, and Python's stderr leads where it led.  A crash of the process itself is still told.
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
            # Its own buffer would be written to the descriptor that leads nowhere.
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
    """A line of text for a terminal: what it would obey is spelled out.

    >>> print(plain("\\x1b[31mred.jpg"))
    \\x1b[31mred.jpg
    """
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _explained(error: OSError) -> OutputError:
    from bshm.files import sink

    return sink.explained(error, "stdout")
