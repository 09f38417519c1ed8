"""Messages between servers and workers, which only say that a picture of a job is waiting.

A message contains the id of a job; the record says which pictures are waiting.  So a message may be lost, repeated or
late, see ``bshm.jobs.protocol``.  It is acknowledged as soon as its picture is taken, so no broker waits while the
network works.
"""

from __future__ import annotations

from typing import Protocol

from bshm.errors import OptionError

QUEUE = "bshm.jobs"
SCHEMES = ("amqp", "amqps", "redis", "rediss")
# A message is a job's id; anything else comes from another program.  This is far longer than an id, for the log.
MOST_BYTES = 1000


class Message(Protocol):
    """A message that a worker received."""

    @property
    def text(self) -> str:
        """The text of the message."""

    def accept(self) -> None:
        """Acknowledge the message.  If the broker cannot be reached, the message may come again."""

    def give_back(self) -> None:
        """Return the message for another worker.  If the broker cannot be reached, it may be lost or stay there."""


class Receiver(Protocol):
    """Receives messages, for one thread."""

    def take(self, timeout_s: float) -> Message | None:
        """The next message; None if none has come in time.

        Raises:
            QueueUnavailableError: the broker cannot be reached.
        """

    def close(self) -> None:
        """Close the connection."""


class Messages(Protocol):
    """A broker; safe to share between threads.  Connections are opened when they are needed."""

    def send(self, text: str) -> None:
        """Send a message to the broker, which has it when this returns.

        Raises:
            QueueUnavailableError: the broker cannot be reached.
        """

    def waiting(self) -> int:
        """How many messages wait in the broker.

        Raises:
            QueueUnavailableError: the broker cannot be reached.
        """

    def receiver(self) -> Receiver:
        """A receiver of messages for one thread."""

    def close(self) -> None:
        """Close the connections."""


def check_broker(broker: str) -> None:
    """Check that a URL names a broker.

    Raises:
        OptionError: it is of another kind.
    """
    if broker.partition("://")[0] not in SCHEMES:
        raise OptionError(
            "a broker needs the form amqp://USER:PASSWORD@HOST:PORT/VHOST (RabbitMQ) or redis://HOST:PORT/N (Redis)."
        )


def open_messages(broker: str) -> Messages:
    """The broker that a URL names.

    Args:
        broker: ``amqp://USER:PASSWORD@HOST:PORT/VHOST`` or ``redis://HOST:PORT/N``.

    Raises:
        OptionError: another kind of URL.
        MissingExtraError: the package for it is not installed.
        QueueUnavailableError: the URL is not valid.
    """
    check_broker(broker)
    if broker.startswith("redis"):
        from bshm.jobs.redis_messages import RedisMessages

        return RedisMessages(broker)
    from bshm.jobs.rabbit_messages import RabbitMessages

    return RabbitMessages(broker)
