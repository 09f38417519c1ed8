"""The log: one line of JSON an event, on stderr.  No picture, no key and no query of a URL ever stands in it."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import datetime, timezone

LOGGER = logging.getLogger("bshm.server")


class JsonLines(logging.Formatter):
    """A record as one line of JSON; what ``extra={"fields": {…}}`` has becomes fields of it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["trace"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, default=str)


def set_up(level: str) -> None:
    """Send what bshm and uvicorn log to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("bshm", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper() if name == "bshm" else max(logging.WARNING, logging.getLevelName(level.upper())))
        logger.propagate = False


def say(level: int, event: str, *, error: BaseException | None = None, **fields: object) -> None:
    """Log one event with its fields."""
    LOGGER.log(level, event, extra={"fields": fields}, exc_info=error)
