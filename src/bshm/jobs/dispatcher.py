"""Send workers a message for waiting pictures, and again if the broker lost it.

A job with waiting pictures has one message in the broker.  The worker that receives it takes one picture and, if more
are waiting, sends the next message before it starts to work.  So several workers share a job, jobs take turns, and a
job of a thousand pictures does not block a job of one picture.
"""

from __future__ import annotations

import logging
import threading
import time

from bshm.errors import QueueUnavailableError
from bshm.jobs import transitions
from bshm.jobs.job_store import JobStore
from bshm.jobs.messages import Messages
from bshm.jobs.records import JobRecord

log = logging.getLogger("bshm.jobs")

# For so long a broker that did not answer is not asked again: a server must not wait for it with every request.
_LEFT_ALONE_S = 3.0
# For so long, the process that accepted a job or took one of its pictures may still be sending the message.
_ON_ITS_WAY_S = 2.0


class Dispatcher:
    """Sends messages.  A job whose message could not be sent waits in the records and its message is sent later."""

    def __init__(self, messages: Messages, store: JobStore, *, patience_s: float) -> None:
        """Use a broker that is not connected yet.

        Args:
            messages: the broker.
            store: the jobs.
            patience_s: how long a message may be on its way before it counts as lost.
        """
        self._messages = messages
        self._store = store
        self._patience_s = patience_s
        self._not_before = 0.0
        self._lock = threading.Lock()

    def send(self, record: JobRecord) -> bool:
        """Tell the workers that a picture of a job waits.

        Returns:
            Whether the broker has the message now.
        """
        if not self._sent(record):
            return False
        now = self._store.clock()
        self._store.change(record.id, lambda found: transitions.dispatched(found, now=now))
        return True

    def send_next(self, record: JobRecord) -> None:
        """Send the message for the next picture of a job, after one was taken."""
        if transitions.waiting_item(record) is not None and not self._sent(record):
            self._store.change(record.id, lambda found: transitions.dispatched(found, now=None))

    def send_lost(self) -> int:
        """Send the messages of jobs that wait without one.

        Jobs whose message was never sent are known.  Among the others, the number of lost messages is the number of
        jobs minus the number of messages in the broker; the oldest count as lost.  A message too many does no harm: it
        finds no picture, or one of another turn.

        Returns:
            How many were sent.
        """
        with self._lock:
            now = self._store.clock()
            waiting = self._store.waiting()
            never = [
                record for record in waiting if record.dispatched_at is None and now - record.created_at > _ON_ITS_WAY_S
            ]
            told = [record for record in waiting if record.dispatched_at is not None]
            overdue = sorted(
                (record for record in told if now - (record.dispatched_at or now) > self._patience_s),
                key=lambda record: record.dispatched_at or now,
            )
            if not (never or overdue) or time.monotonic() < self._not_before:
                return 0
            missing = max(0, len(told) - self._waiting_in_broker()) if overdue else 0
            return sum(self.send(record) for record in [*never, *overdue[:missing]])

    def _sent(self, record: JobRecord) -> bool:
        if time.monotonic() < self._not_before:
            return False
        try:
            self._messages.send(record.id)
        except QueueUnavailableError as error:
            self._not_before = time.monotonic() + _LEFT_ALONE_S
            log.warning("job %s waits for the broker: %s", record.id, error)
            return False
        return True

    def _waiting_in_broker(self) -> int:
        try:
            return self._messages.waiting()
        except QueueUnavailableError:
            self._not_before = time.monotonic() + _LEFT_ALONE_S
            raise
