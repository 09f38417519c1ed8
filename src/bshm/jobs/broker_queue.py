"""The queue with a broker: RabbitMQ or Redis carries messages to workers on any number of machines."""

from __future__ import annotations

import time
from collections.abc import Callable

from bshm.errors import OptionError, option
from bshm.jobs.base_queue import BaseQueue
from bshm.jobs.dispatcher import Dispatcher
from bshm.jobs.job_store import JobStore
from bshm.jobs.messages import check_broker, open_messages
from bshm.jobs.options import QueueOptions
from bshm.jobs.reaper import Reaper
from bshm.jobs.records import JobRecord
from bshm.jobs.stores import check_place, open_store
from bshm.jobs.webhooks import Post, Secrets, WebhookSender


class BrokerQueue(BaseQueue):
    """``JobQueue`` of a server; `bshm worker` processes the jobs.

    A job is accepted when its record is in the store.  If the broker cannot be reached, the job waits in the store and
    its message is sent when the broker is back.
    """

    def __init__(
        self,
        broker: str,
        results: str | None = None,
        *,
        blobs: str | None = None,
        blobs_endpoint: str | None = None,
        options: QueueOptions | None = None,
        secrets: Secrets | None = None,
        send: Post | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the store and maintain its jobs.

        Args:
            broker: ``amqp://USER:PASSWORD@HOST:PORT/VHOST`` or ``redis://HOST:PORT/N``.
            results: the store, see ``bshm.jobs.stores.open_store``; None uses the broker if it is Redis.
            blobs: ``s3://BUCKET/PREFIX`` or ``file:///FOLDER`` for pictures and results; None keeps them in the store.
            blobs_endpoint: address of an object store other than AWS.
            options: options of the queue; ``workers`` is ignored here.
            secrets: maps ``Webhook.secret_ref`` to secrets.  Servers and workers call the webhooks whose secrets they
                know.
            send: for tests: replaces ``bshm.net.post.post``.
            clock: seconds since 1970; for tests.

        Raises:
            OptionError: a URL of another kind, or no store is given.
            MissingExtraError, OutputError, QueueUnavailableError: see ``open_store`` and ``open_messages``.
        """
        self._options = options or QueueOptions()
        self._messages = open_messages(broker)
        records, kept = open_store(store_of(broker, results), self._options, blobs=blobs, blobs_endpoint=blobs_endpoint)
        store = JobStore(records, kept, capacity=self._options.capacity, clock=clock)
        self._dispatcher = Dispatcher(self._messages, store, patience_s=self._options.lease_s)
        reaper = Reaper(
            store,
            options=self._options,
            sender=WebhookSender(store, secrets, options=self._options, send=send),
            requeued=self._dispatcher.send,
            also=self._dispatcher.send_lost,
        )
        super().__init__(store, reaper)
        reaper.start()

    def _accepted(self, record: JobRecord) -> None:
        self._dispatcher.send(record)

    def close(self, *, timeout_s: float = 30.0) -> None:
        """See ``JobQueue``: no work is done here, so nothing returns to the queue."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._reaper.stop(timeout_s)
        self._messages.close()
        self._store.records.close()


def store_of(broker: str, results: str | None) -> str:
    """The URL of the store for records and bytes.

    Raises:
        OptionError: ``broker`` is not a broker; or RabbitMQ, which keeps only messages, is used without ``results``; or
            ``results`` is not Redis.
    """
    check_broker(broker)
    if results is not None:
        check_place(results)
        return results
    if broker.startswith(("redis://", "rediss://")):
        return broker
    raise OptionError(
        f"RabbitMQ cannot store jobs. Use a Redis that all workers share: {option('results')} redis://HOST:PORT/N."
    )
