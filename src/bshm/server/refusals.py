"""Why the service itself turns a request away; they join the tree in ``bshm.errors``.

BshmError
└── Refusal                  the request is not let in
    ├── KeyRefusedError      no API key, or one that is not known
    ├── KeysUnreadableError  who may use the service cannot be read just now
    ├── HostRefusedError     a Host or an Origin that has no business here
    ├── RateLimitError       too much in a short time from one key or address
    ├── TooManyAtOnceError   too many requests of one key or address at the same time
    ├── TooBusyError         more work than the service can finish in time
    ├── TooSlowError         the request did not arrive in time
    ├── TimeRanOutError      the answer took longer than a request may
    ├── NotOfferedError      what this service was not set up for
    └── ClientGoneError      nobody is waiting for the answer any more
"""

from __future__ import annotations

from bshm.errors import BshmError


class Refusal(BshmError):
    """The request is not let in.

    Attributes:
        retry_after_s: when it is worth another try; None where it is not.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class KeyRefusedError(Refusal):
    """There is no API key, or one that is not known."""


class KeysUnreadableError(Refusal):
    """Who may use the service cannot be read just now: better no service than an open one."""


class HostRefusedError(Refusal):
    """The Host or the Origin has no business here."""


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
    """The service was not set up for this."""


class ClientGoneError(Refusal):
    """Nobody is waiting for the answer any more."""
