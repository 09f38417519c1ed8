"""Errors for requests that the service refuses; they extend the tree in ``bshm.errors``.

BshmError
└── Refusal                  the request is refused
    ├── KeyRefusedError      the API key is missing or unknown
    ├── KeysUnreadableError  the API keys cannot be read at the moment
    ├── HostRefusedError     the Host or the Origin is not allowed
    ├── RateLimitError       too much in a short time from one key or address
    ├── TooManyAtOnceError   too many requests of one key or address at the same time
    ├── TooBusyError         more work than the service can finish in time
    ├── TooSlowError         the request did not arrive in time
    ├── TimeRanOutError      the answer took longer than a request may
    ├── NotOfferedError      this service was installed or started without what the request asks for
    └── ClientGoneError      nobody is waiting for the answer any more
"""

from __future__ import annotations

from bshm.errors import BshmError


class Refusal(BshmError):
    """The request is refused.

    Attributes:
        retry_after_s: seconds after which to try again; None if that makes no sense.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class KeyRefusedError(Refusal):
    """The API key is missing or unknown."""


class KeysUnreadableError(Refusal):
    """The API keys cannot be read at the moment, so nobody is served."""


class HostRefusedError(Refusal):
    """The Host or the Origin is not allowed."""


class RateLimitError(Refusal):
    """Too much in a short time from one key or address."""


class TooManyAtOnceError(Refusal):
    """Too many requests of one key or address at the same time."""


class TooBusyError(Refusal):
    """More work than can be finished in time."""


class TooSlowError(Refusal):
    """The request did not arrive in time."""


class TimeRanOutError(Refusal):
    """The answer took longer than a request may."""


class NotOfferedError(Refusal):
    """This service was installed or started without what the request asks for."""


class ClientGoneError(Refusal):
    """Nobody is waiting for the answer any more."""
