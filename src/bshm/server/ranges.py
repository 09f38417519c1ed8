"""Answer with a file, or with the requested part of it (RFC 9110, section 14): one range of bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bshm.jobs import ClipResult

_RANGE = re.compile(r"bytes=\s*(?P<first>[0-9]*)-(?P<last>[0-9]*)\s*", re.IGNORECASE)
# More digits than the size of any file.
_MOST_DIGITS = 18


class ByteRange(NamedTuple):
    """From ``start`` to ``stop``, without ``stop``."""

    start: int
    stop: int


class UnsatisfiableError(Exception):
    """No byte of the file lies in the range."""


def wanted(header: str | None, size: int) -> ByteRange | None:
    """The part that a ``Range`` header asks for.

    Args:
        header: its value.
        size: size of the file in bytes.

    Returns:
        None for the whole file: there is no header, or it is damaged, has another unit or has several ranges, which a
        server may ignore.

    Raises:
        UnsatisfiableError: the range begins behind the end of the file.

    >>> wanted("bytes=2-4", 10), wanted("bytes=7-", 10), wanted("bytes=-3", 10), wanted("bytes=0-99", 10)
    (ByteRange(start=2, stop=5), ByteRange(start=7, stop=10), ByteRange(start=7, stop=10), ByteRange(start=0, stop=10))
    >>> wanted("bytes=0-1,3-4", 10), wanted("lines=1-2", 10), wanted("bytes=5-2", 10)
    (None, None, None)
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or found["first"] == found["last"] == "" or max(map(len, found.groups())) > _MOST_DIGITS:
        return None
    if not found["first"]:
        start, stop = max(0, size - int(found["last"])), size
    else:
        start = int(found["first"])
        stop = min(size, int(found["last"]) + 1) if found["last"] else size
        if found["last"] and int(found["last"]) < start:
            return None
    if start >= size:
        raise UnsatisfiableError
    return ByteRange(start, stop)


def answer(request: Request, found: ClipResult, headers: Mapping[str, str]) -> Response:
    """The file, or the requested part of it.

    Args:
        request: a GET or HEAD.
        found: the file.
        headers: additional headers.

    Raises:
        UnsatisfiableError: see ``wanted``.
    """
    tag, changed = f'"{found.tag}"', formatdate(found.made_at, usegmt=True)
    told = {
        **headers,
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Last-Modified": changed,
        "Content-Length": str(found.size),
    }
    if request.method == "HEAD":  # ranges apply only to GET
        return Response(None, headers=told, media_type=found.media_type)
    part = None
    # If the client has a part of an earlier version of the file, it gets the whole file.
    if request.headers.get("if-range", tag) in (tag, changed):
        part = wanted(request.headers.get("range"), found.size)
    if part is None:
        return StreamingResponse(found.pieces(0, found.size), headers=told, media_type=found.media_type)
    told["Content-Length"] = str(part.stop - part.start)
    told["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{found.size}"
    return StreamingResponse(found.pieces(*part), status_code=206, headers=told, media_type=found.media_type)
