"""Which HTTP status an error has, once.  What people may read of it is decided here too."""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from bshm import errors
from bshm.files import sink
from bshm.server import refusals

CLIENT_CLOSED = 499  # nginx's word for it; nobody reads it but the log


class ErrorAnswer(NamedTuple):
    """How an error is answered.

    Attributes:
        status: HTTP status.
        title: the same for every error of the kind.
        detail: shown in place of the error's own message, which may name files or addresses of this machine; None
            shows the message.
    """

    status: int
    title: str
    detail: str | None = None


_OUR_FAULT = "The service is at fault, not the request. Its log says more under the id of this request."

# The most specific class of an error decides.
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
    errors.PictureTooLargeError: ErrorAnswer(413, "The picture is too large"),
    # Its own message would tell which addresses names have in here.
    errors.UrlRefusedError: ErrorAnswer(
        422,
        "The URL may not be fetched",
        "This service does not fetch that URL: fetching is switched off here, or the URL is not http(s) to a public "
        "address without credentials. Send the picture itself.",
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
    errors.QueueFullError: ErrorAnswer(503, "The queue is full"),
    errors.QueueShareError: ErrorAnswer(429, "Too many jobs at once"),
    errors.QueueUnavailableError: ErrorAnswer(503, "The queue cannot be reached", _OUR_FAULT),
    errors.MemoryExhaustedError: ErrorAnswer(503, "Out of memory"),
    errors.OverrunError: ErrorAnswer(
        504,
        "It took too long",
        "The picture took longer than a request is allowed and was given up. Send a smaller one, or make it a job.",
    ),
    MemoryError: ErrorAnswer(
        503, "Out of memory", "There is not enough memory now. Try again later, or send a smaller picture."
    ),
    refusals.KeyRefusedError: ErrorAnswer(401, "An API key is needed"),
    refusals.KeysUnreadableError: ErrorAnswer(503, "The API keys cannot be read", _OUR_FAULT),
    refusals.HostRefusedError: ErrorAnswer(403, "The Host or Origin is not allowed"),
    refusals.RateLimitError: ErrorAnswer(429, "Too many requests"),
    refusals.TooManyAtOnceError: ErrorAnswer(429, "Too many requests at once"),
    refusals.TooBusyError: ErrorAnswer(503, "The service is busy"),
    refusals.TooSlowError: ErrorAnswer(408, "The request did not arrive in time"),
    refusals.TimeRanOutError: ErrorAnswer(504, "It took too long"),
    refusals.ClientGoneError: ErrorAnswer(CLIENT_CLOSED, "The client went away"),
}

BUG = ErrorAnswer(500, "A fault in bshm itself", _OUR_FAULT)


# What libraries that write files themselves get when no more files may be open.
_NO_FILES = {errno.EMFILE, errno.ENFILE}
_TOO_MANY_FILES = ErrorAnswer(503, "The service is busy", "Too many files are open. Try again shortly.")


def answer_to(error: BaseException) -> ErrorAnswer:
    """How ``error`` is answered: as its class is, or the nearest class above it that stands in the table.

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
    """Whole seconds until another try is worth it; None where the same request will fail again."""
    seconds = getattr(error, "retry_after_s", None)
    if seconds is None and answer_to(error).status == 503:
        seconds = 5.0
    return None if seconds is None else max(1, math.ceil(seconds))


def problem_type(error: BaseException) -> str:
    """The stable name of an error for programs, a URI as RFC 9457 wants it.

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
    """What people may read of an error."""
    return answer_to(error).detail or str(error)
