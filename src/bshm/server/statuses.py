"""The HTTP status of each error, and the part of its message that clients may read."""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from bshm import errors
from bshm.files import sink
from bshm.server import refusals

CLIENT_CLOSED = 499  # as in nginx; it appears only in the log


class ErrorAnswer(NamedTuple):
    """The answer to an error.

    Attributes:
        status: HTTP status.
        title: the same for every error of this kind.
        detail: replaces the error's own message if that may name files or addresses of this machine; None shows the
            message.
    """

    status: int
    title: str
    detail: str | None = None


_OUR_FAULT = "The service is at fault, not the request. Its log says more under the id of this request."

# The most specific class of an error counts.
OF_ERROR: Mapping[type[BaseException], ErrorAnswer] = {
    errors.CallerError: ErrorAnswer(422, "The request asks for something that is not possible"),
    errors.OptionError: ErrorAnswer(422, "An option is wrong"),
    errors.ShapeError: ErrorAnswer(422, "A picture of this shape cannot be used"),
    errors.UnknownModelError: ErrorAnswer(422, "No such model"),
    errors.OutputExistsError: ErrorAnswer(409, "The output already exists"),
    errors.JobNotFoundError: ErrorAnswer(404, "No such job"),
    errors.JobUnfinishedError: ErrorAnswer(409, "The job does not have this result"),
    errors.IdempotencyError: ErrorAnswer(409, "The idempotency key belongs to another request"),
    errors.InputError: ErrorAnswer(422, "The input cannot be used"),
    errors.CorrectionsError: ErrorAnswer(422, "The corrections cannot be used"),
    errors.SourceNotFoundError: ErrorAnswer(422, "The picture was not found", "The picture was not found."),
    errors.UnreadablePictureError: ErrorAnswer(422, "The picture cannot be read"),
    errors.UnreadableVideoError: ErrorAnswer(422, "The video cannot be read"),
    errors.PictureTooLargeError: ErrorAnswer(413, "The picture is too large"),
    errors.VideoTooLargeError: ErrorAnswer(413, "The video is too large"),
    # The error's own message would reveal addresses of the internal network.
    errors.UrlRefusedError: ErrorAnswer(
        422,
        "The URL may not be fetched",
        "This service does not fetch that URL: fetching is switched off, or the URL is not http(s) to a public address "
        "without credentials. Send the picture itself.",
    ),
    errors.FetchError: ErrorAnswer(424, "The URL did not give a picture"),
    errors.EnvironmentFault: ErrorAnswer(500, "The service is at fault", _OUR_FAULT),
    errors.DeviceUnavailableError: ErrorAnswer(503, "The device is not available", _OUR_FAULT),
    errors.ModelFileError: ErrorAnswer(503, "The model cannot be opened", _OUR_FAULT),
    errors.OutputError: ErrorAnswer(503, "The service cannot store the result", _OUR_FAULT),
    errors.DiskFullError: ErrorAnswer(507, "The service has no room left", _OUR_FAULT),
    errors.MissingExtraError: ErrorAnswer(
        415, "This kind of picture is not supported here", "The reader for such pictures is not installed."
    ),
    errors.PainterModelError: ErrorAnswer(503, "The model that paints backgrounds cannot be used", _OUR_FAULT),
    errors.HubUnreachableError: ErrorAnswer(503, "The model that paints backgrounds cannot be fetched", _OUR_FAULT),
    errors.PaintingWithheldError: ErrorAnswer(422, "The background was withheld"),
    errors.QueueFullError: ErrorAnswer(503, "The queue is full"),
    errors.QueueShareError: ErrorAnswer(429, "Too many jobs at once"),
    errors.QueueUnavailableError: ErrorAnswer(503, "The queue cannot be reached", _OUR_FAULT),
    errors.MemoryExhaustedError: ErrorAnswer(503, "Out of memory"),
    errors.OverrunError: ErrorAnswer(
        504,
        "It took too long",
        "The picture took longer than a request may take. Send a smaller one, or create a job.",
    ),
    MemoryError: ErrorAnswer(
        503, "Out of memory", "There is not enough memory at the moment. Try again later, or send a smaller picture."
    ),
    refusals.KeyRefusedError: ErrorAnswer(401, "An API key is needed"),
    refusals.KeysUnreadableError: ErrorAnswer(503, "The API keys cannot be read", _OUR_FAULT),
    refusals.HostRefusedError: ErrorAnswer(403, "The Host or Origin is not allowed"),
    refusals.RateLimitError: ErrorAnswer(429, "Too many requests"),
    refusals.TooManyAtOnceError: ErrorAnswer(429, "Too many requests at once"),
    refusals.TooBusyError: ErrorAnswer(503, "The service is busy"),
    refusals.TooSlowError: ErrorAnswer(408, "The request did not arrive in time"),
    refusals.TimeRanOutError: ErrorAnswer(504, "It took too long"),
    refusals.NotOfferedError: ErrorAnswer(501, "This is not offered here"),
    refusals.ClientGoneError: ErrorAnswer(CLIENT_CLOSED, "The client disconnected"),
}

BUG = ErrorAnswer(500, "A fault in bshm itself", _OUR_FAULT)


# Errors that libraries get if the process may open no more files.
_NO_FILES = {errno.EMFILE, errno.ENFILE}
_TOO_MANY_FILES = ErrorAnswer(503, "The service is busy", "Too many files are open. Try again shortly.")


def answer_to(error: BaseException) -> ErrorAnswer:
    """The answer to ``error``: that of its class, or of its nearest base class in the table.

    A full disk is reported as such, no matter what was written to it, such as an upload in a temporary file.

    >>> answer_to(errors.DiskFullError()).status, answer_to(ZeroDivisionError()).status
    (507, 500)
    """
    if sink.is_full(error):
        return OF_ERROR[errors.DiskFullError]
    if isinstance(error, OSError) and error.errno in _NO_FILES:
        return _TOO_MANY_FILES
    return next((OF_ERROR[each] for each in type(error).__mro__ if each in OF_ERROR), BUG)


def retry_after_s(error: BaseException) -> int | None:
    """Seconds after which to try again; None if the same request will fail again."""
    seconds = getattr(error, "retry_after_s", None)
    if seconds is None and answer_to(error).status == 503:
        seconds = 5.0
    return None if seconds is None else max(1, math.ceil(seconds))


def problem_type(error: BaseException) -> str:
    """The stable name of an error for programs, a URI as in RFC 9457.

    >>> problem_type(errors.UnreadablePictureError())
    'urn:bshm:problem:unreadable-picture'
    """
    answer = answer_to(error)
    if answer is BUG:
        return "urn:bshm:problem:internal"
    if answer is OF_ERROR[errors.DiskFullError]:
        return "urn:bshm:problem:disk-full"
    if answer is _TOO_MANY_FILES:
        return "urn:bshm:problem:too-busy"
    if isinstance(error, MemoryError):
        return "urn:bshm:problem:memory-exhausted"
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    return f"urn:bshm:problem:{name.removesuffix('-error').removesuffix('-fault')}"


def detail_of(error: BaseException) -> str:
    """The part of an error that clients may read."""
    return answer_to(error).detail or str(error)
