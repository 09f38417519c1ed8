"""Put jobs into the broker, and put them there again when it has lost them."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from bshm.errors import QueueUnavailableError
from bshm.jobs import transitions
from bshm.jobs.celery_app import QUEUE, TASK
from bshm.jobs.ledger import Ledger
from bshm.jobs.records import JobRecord

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger("bshm.jobs")

# A broker that did not answer is left alone for so long: a server must not wait for it with every request.
_LEFT_ALONE_S = 3.0
# Whoever accepted a job is sending its message just now: nobody else needs to.
_ON_ITS_WAY_S = 2.0


class Dispatcher:
    """Sends messages.  A job whose message could not be sent waits in the records and is sent later."""

    def __init__(self, app: Celery, ledger: Ledger, *, patience_s: float) -> None:
        """Over an application that nobody has connected yet.

        Args:
            app: from ``make_app``.
            ledger: the jobs.
            patience_s: how long a message may be on its way before it can be taken for lost.
        """
        self._app = app
        self._ledger = ledger
        self._patience_s = patience_s
        self._not_before = 0.0
        self._lock = threading.Lock()

    def send(self, record: JobRecord) -> bool:
        """Tell the workers of a job.

        Returns:
            whether the broker has the message now.
        """
        if time.monotonic() < self._not_before:
            return False
        try:
            # A connection of the pool may have died unnoticed: one more try takes a new one.
            self._app.send_task(
                TASK,
                args=[record.id],
                queue=QUEUE,
                retry=True,
                retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.2},
            )
        except _broker_errors() as error:
            self._not_before = time.monotonic() + _LEFT_ALONE_S
            log.warning("job %s waits for the broker: %s", record.id, error or type(error).__name__)
            return False
        now = self._ledger.clock()
        self._ledger.change(record.id, lambda found: transitions.dispatched(found, now=now))
        return True

    def send_lost(self) -> int:
        """Send the jobs that wait though the broker holds no message of theirs.

        While the broker has messages the jobs that wait are taken to be among them; once it has none, every job that
        has been waiting for a while is sent again.  A message too many is turned away by the record.

        Returns:
            how many were sent.
        """
        with self._lock:
            now = self._ledger.clock()
            lost = [
                record
                for record in self._ledger.records.in_state("queued")
                if (
                    now - record.created_at > _ON_ITS_WAY_S
                    if record.dispatched_at is None
                    else now - record.dispatched_at > self._patience_s
                )
            ]
            if not lost or time.monotonic() < self._not_before:
                return 0
            if all(record.dispatched_at is not None for record in lost) and self._waiting_in_broker() > 0:
                return 0
            never = [record for record in lost if record.dispatched_at is None]
            # Those that were never sent first; what is taken for lost is looked at again when they are through.
            return sum(self.send(record) for record in never or lost)

    def _waiting_in_broker(self) -> int:
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=4)
                channel: Any = connection.default_channel
                bound = self._app.amqp.queues[QUEUE](channel)
                try:
                    return int(bound.queue_declare(passive=True).message_count)
                except _no_such_queue():  # in Redis a queue that is empty is not there at all
                    return 0
        except _broker_errors() as error:
            self._not_before = time.monotonic() + _LEFT_ALONE_S
            raise QueueUnavailableError(f"the broker cannot be reached: {error or type(error).__name__}.") from error


def _no_such_queue() -> tuple[type[Exception], ...]:
    from amqp.exceptions import NotFound
    from kombu.exceptions import ChannelError

    return (NotFound, ChannelError)


def _broker_errors() -> tuple[type[Exception], ...]:
    from amqp.exceptions import AMQPError
    from kombu.exceptions import KombuError

    errors: tuple[type[Exception], ...] = (KombuError, AMQPError, OSError)
    try:
        from redis.exceptions import RedisError
    except ImportError:
        return errors
    return (*errors, RedisError)
