"""Messages in a durable queue of RabbitMQ."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bshm.errors import MissingExtraError, OptionError, QueueUnavailableError
from bshm.jobs.messages import QUEUE

T = TypeVar("T")

_CONNECT_S = 4
# Longer than any answer takes; a broker that accepts no messages because it lacks memory counts as unreachable.
_ANSWER_S = 20
# Time between two checks of an empty queue, and so the longest wait of a message.
_LOOK_S = 0.2


class RabbitMessages:
    """``Messages`` in RabbitMQ."""

    def __init__(self, url: str) -> None:
        """Use a URL, without connecting yet.

        Raises:
            MissingExtraError: kombu is not installed.
            OptionError: the URL is not valid.
        """
        self._url = url
        self._link = _Link(url)
        self._lock = threading.Lock()

    def send(self, text: str) -> None:
        """See ``Messages``: persistent, and confirmed by the broker."""
        import amqp

        message = amqp.Message(text, content_type="text/plain", delivery_mode=2)
        with self._lock:
            self._link.ask(lambda channel: channel.basic_publish(message, exchange="", routing_key=QUEUE))

    def waiting(self) -> int:
        """See ``Messages``."""
        with self._lock:
            return int(self._link.ask(_declared).message_count)

    def receiver(self) -> RabbitReceiver:
        """See ``Messages``."""
        return RabbitReceiver(_Link(self._url))

    def close(self) -> None:
        """See ``Messages``."""
        with self._lock:
            self._link.drop()


class RabbitReceiver:
    """``Receiver`` that asks for one message at a time: the others stay available to every worker."""

    def __init__(self, link: _Link) -> None:
        """Use a separate connection."""
        self._link = link

    def take(self, timeout_s: float) -> RabbitMessage | None:
        """See ``Receiver``."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = self._link.ask(lambda channel: channel.basic_get(QUEUE))
            if found is not None:
                return RabbitMessage(bytes(found.body).decode("utf-8", "replace"), found.delivery_tag, self._link)
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(_LOOK_S, left))

    def close(self) -> None:
        """See ``Receiver``."""
        self._link.drop()


@dataclass(frozen=True)
class RabbitMessage:
    """``Message`` that RabbitMQ gives to another worker if the connection ends before it is accepted."""

    text: str
    tag: int
    link: _Link

    def accept(self) -> None:
        """See ``Message``."""
        self.link.tell(lambda channel: channel.basic_ack(self.tag))

    def give_back(self) -> None:
        """See ``Message``."""
        self.link.tell(lambda channel: channel.basic_reject(self.tag, requeue=True))


class _Link:
    """A connection that is opened when it is needed and again after it broke; for one thread at a time."""

    def __init__(self, url: str) -> None:
        try:
            from kombu import Connection
        except ImportError as error:
            raise MissingExtraError("a broker needs an optional part: pip install 'bshm[queue]'.") from error
        try:
            self._connection: Any = Connection(
                url,
                connect_timeout=_CONNECT_S,
                transport_options={"confirm_publish": True, "read_timeout": _ANSWER_S, "write_timeout": _ANSWER_S},
            )
        except ValueError as error:
            raise OptionError(
                f"the URL of RabbitMQ is not valid: {error}. Use amqp://USER:PASSWORD@HOST:5672/VHOST."
            ) from error
        self._channel: Any = None

    def ask(self, question: Callable[[Any], T]) -> T:
        """The result of ``question`` for a channel.  If the connection broke since the last call, it is tried twice.

        Raises:
            QueueUnavailableError: the broker cannot be reached.
        """
        while True:
            is_new = self._channel is None
            try:
                if is_new:
                    self._open()
                return question(self._channel)
            except _errors() as error:
                self.drop()
                if is_new:
                    raise QueueUnavailableError(
                        f"the broker cannot be reached: {error or type(error).__name__}."
                    ) from error

    def tell(self, word: Callable[[Any], object]) -> None:
        """Report on a message of this connection; if the connection broke, the broker knows."""
        try:
            if self._channel is not None:
                word(self._channel)
        except _errors():
            self.drop()

    def drop(self) -> None:
        """Close the connection."""
        self._channel = None
        with contextlib.suppress(*_errors()):
            self._connection.close()

    def _open(self) -> None:
        self._connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=_CONNECT_S)
        self._channel = self._connection.channel()
        self._channel.auto_decode = False
        _declared(self._channel)


def _declared(channel: Any) -> Any:
    return channel.queue_declare(QUEUE, durable=True, auto_delete=False)


def _errors() -> tuple[type[Exception], ...]:
    from amqp.exceptions import AMQPError
    from kombu.exceptions import KombuError

    return (KombuError, AMQPError, OSError)
