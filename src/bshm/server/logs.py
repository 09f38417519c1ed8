"""The log: one line of JSON per event on stderr, never with a picture, a key or the query of a URL."""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

LOGGER = logging.getLogger("bshm.server")


class JsonLines(logging.Formatter):
    """A record as one line of JSON, with the fields of ``extra={"fields": {…}}``.

    ``logger`` names the library if it is not bshm.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.name.partition(".")[0] != "bshm":
            line["logger"] = record.name
        if record.exc_info and record.exc_info[1] is not None:
            line["trace"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, default=str)


@contextmanager
def as_json(level: str) -> Iterator[None]:
    """Write logs, warnings and uncaught exceptions of all libraries to stderr as JSON in this context.

    Args:
        level: lowest level of bshm's own lines; libraries log warnings and errors.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    least = max(logging.WARNING, logging.getLevelName(level.upper()))
    ours, root, uvicorn = logging.getLogger("bshm"), logging.getLogger(), logging.getLogger("uvicorn.error")
    before = [(each, each.handlers, each.level, each.propagate) for each in (ours, root, uvicorn)]
    hooks = threading.excepthook, sys.unraisablehook
    ours.handlers, ours.propagate = [handler], False
    ours.setLevel(level.upper())
    root.handlers = [handler]
    root.setLevel(least)
    # Besides warnings it logs every start and connection.
    uvicorn.setLevel(least)
    logging.captureWarnings(True)
    threading.excepthook = _of_thread
    sys.unraisablehook = lambda fault: say(logging.ERROR, "uncaught", error=fault.exc_value, where=fault.err_msg)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        threading.excepthook, sys.unraisablehook = hooks
        for each, handlers, old_level, propagate in before:
            each.handlers, each.propagate = handlers, propagate
            each.setLevel(old_level)


def _of_thread(fault: threading.ExceptHookArgs) -> None:
    if fault.exc_type is not SystemExit:  # a thread that ends itself
        name = None if fault.thread is None else fault.thread.name
        say(logging.ERROR, "uncaught", error=fault.exc_value, thread=name)


def say(level: int, event: str, *, error: BaseException | None = None, **fields: object) -> None:
    """Log one event with its fields."""
    LOGGER.log(level, event, extra={"fields": fields}, exc_info=error)
