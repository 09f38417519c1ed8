"""The log: one line of JSON an event, on stderr.  No picture, no key and no query of a URL ever stands in it."""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from datetime import datetime, timezone

LOGGER = logging.getLogger("bshm.server")


class JsonLines(logging.Formatter):
    """A record as one line of JSON; what ``extra={"fields": {…}}`` has becomes fields of it.

    ``logger`` names the library where it is not bshm.
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


def set_up(level: str) -> None:
    """Send what is logged, warned of and not caught anywhere to stderr as JSON, whatever library says it.

    Args:
        level: of what bshm says; of others warnings and worse are told.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("bshm").setLevel(level.upper())
    # Beside warnings it tells of every start and connection.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
    logging.captureWarnings(True)
    threading.excepthook = _of_thread
    sys.unraisablehook = lambda fault: say(logging.ERROR, "uncaught", error=fault.exc_value, where=fault.err_msg)


def _of_thread(fault: threading.ExceptHookArgs) -> None:
    if fault.exc_type is not SystemExit:  # a thread that ends as it means to
        name = None if fault.thread is None else fault.thread.name
        say(logging.ERROR, "uncaught", error=fault.exc_value, thread=name)


def say(level: int, event: str, *, error: BaseException | None = None, **fields: object) -> None:
    """Log one event with its fields."""
    LOGGER.log(level, event, extra={"fields": fields}, exc_info=error)
