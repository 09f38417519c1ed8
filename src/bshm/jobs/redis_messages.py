"""Messages in a list of Redis."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bshm.errors import QueueUnavailableError
from bshm.jobs.redis_store import connect, explained

if TYPE_CHECKING:
    from redis import Redis

# In the same cluster slot as the records, see ``bshm.jobs.redis_store``.
LIST = "{bshm}:messages"


class RedisMessages:
    """``Messages`` in Redis.

    A message that was popped is gone from Redis: if its worker dies before the picture is taken, servers and workers
    notice that the job waits without a message and send another one.
    """

    def __init__(self, url: str) -> None:
        """Use a URL of Redis; see ``connect``."""
        self._url = url
        self._client = connect(url)

    def send(self, text: str) -> None:
        """See ``Messages``."""
        with explained():
            self._client.lpush(LIST, text)

    def waiting(self) -> int:
        """See ``Messages``."""
        with explained():
            return int(self._client.llen(LIST))

    def receiver(self) -> RedisReceiver:
        """See ``Messages``."""
        return RedisReceiver(connect(self._url))

    def close(self) -> None:
        """See ``Messages``."""
        self._client.close()


class RedisReceiver:
    """``Receiver`` with a separate connection: while it waits for a message it can do nothing else."""

    def __init__(self, client: Redis) -> None:
        """Use a client of ``connect``."""
        self._client = client

    def take(self, timeout_s: float) -> RedisMessage | None:
        """See ``Receiver``."""
        with explained():
            found: Any = self._client.brpop([LIST], timeout=timeout_s)
        return None if found is None else RedisMessage(found[1].decode("utf-8", "replace"), self._client)

    def close(self) -> None:
        """See ``Receiver``."""
        self._client.close()


@dataclass(frozen=True)
class RedisMessage:
    """``Message`` that Redis has already deleted."""

    text: str
    client: Redis

    def accept(self) -> None:
        """See ``Message``."""

    def give_back(self) -> None:
        """See ``Message``: it becomes the next message."""
        with contextlib.suppress(QueueUnavailableError), explained():
            self.client.rpush(LIST, self.text)
