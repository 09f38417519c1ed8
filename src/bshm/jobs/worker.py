"""The process of `bshm worker`: threads that take messages and make results with the networks of this process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bshm.concurrency.deadline_executor import MOST_STUCK
from bshm.errors import OverrunError, QueueUnavailableError
from bshm.jobs.broker_queue import store_of
from bshm.jobs.dispatcher import Dispatcher
from bshm.jobs.job_store import JobStore
from bshm.jobs.messages import Message, Messages, Receiver, open_messages
from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import ClipWork, Work
from bshm.jobs.reaper import Reaper
from bshm.jobs.records import is_id
from bshm.jobs.runner import Claim, Runner
from bshm.jobs.stores import open_store
from bshm.jobs.webhooks import Secrets, WebhookSender

log = logging.getLogger("bshm.jobs")

# How soon an idle worker notices that it should stop.
_LOOK_S = 0.5
# Time before an unreachable broker or store is tried again.
_PAUSE_S = 1.0


def run_worker(
    broker: str,
    work: Work,
    *,
    clips: ClipWork | None = None,
    results: str | None = None,
    blobs: str | None = None,
    blobs_endpoint: str | None = None,
    options: QueueOptions | None = None,
    secrets: Secrets | None = None,
) -> None:
    """Process pictures and clips until SIGTERM or Ctrl-C: then pictures in progress are finished, a clip is returned
    after its next frame, and nothing else is started.

    ``options.workers`` pictures are processed at the same time, in threads of this process, with one ``work``.  There
    are no child processes: a worker that dies (e.g. out of memory) is restarted by its service manager, and other
    workers take over its pictures in the meantime.  Call this in the main thread.

    Args:
        broker: see ``BrokerQueue``.
        work: makes the results.
        clips: makes the results of clips; without it, clips fail.
        results, blobs, blobs_endpoint: see ``BrokerQueue``.
        options: options of the queue.
        secrets: see ``BrokerQueue``.

    Raises:
        OptionError, MissingExtraError, OutputError, QueueUnavailableError: see ``BrokerQueue``.
        OverrunError: so many pictures hang that the process must be replaced.
    """
    options = options or QueueOptions()
    messages = open_messages(broker)
    records, kept = open_store(store_of(broker, results), options, blobs=blobs, blobs_endpoint=blobs_endpoint)
    store = JobStore(records, kept, capacity=options.capacity)
    dispatcher = Dispatcher(messages, store, patience_s=options.lease_s)
    stopping, broken = threading.Event(), threading.Event()

    def give_up() -> None:
        """Stop as on SIGTERM, because hanging threads end only with the process."""
        broken.set()
        stopping.set()

    runner = Runner(
        store,
        work,
        worker=f"{socket.gethostname()}:{os.getpid()}",
        options=options,
        stopping=stopping,
        clips=clips,
        broken=give_up,
    )
    reaper = Reaper(
        store,
        options=options,
        sender=WebhookSender(store, secrets, options=options),
        requeued=dispatcher.send,
        also=dispatcher.send_lost,
    )
    threads = [
        _WorkerThread(messages, runner, dispatcher, stopping, name=f"bshm-job-{each}")
        for each in range(options.workers)
    ]
    with _told_to_stop() as told:
        reaper.start()
        for thread in threads:
            thread.start()
        try:
            while not told and not stopping.wait(_LOOK_S):
                pass
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
            reaper.stop(10.0)
            runner.close()
            messages.close()
            records.close()
    if broken.is_set():
        raise OverrunError(f"more than {MOST_STUCK} pictures are stuck in this worker. Restart it; its jobs are kept.")


class _WorkerThread(threading.Thread):
    """Processes one picture after another."""

    def __init__(
        self, messages: Messages, runner: Runner, dispatcher: Dispatcher, stopping: threading.Event, *, name: str
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._messages = messages
        self._runner = runner
        self._dispatcher = dispatcher
        self._stopping = stopping

    def run(self) -> None:
        receiver = self._messages.receiver()
        while not self._stopping.is_set():
            try:
                self._next(receiver)
            except QueueUnavailableError as error:
                log.warning("%s", error)
                self._stopping.wait(_PAUSE_S)
            except Exception:
                log.exception("a fault in bshm while working on a job")
                self._stopping.wait(_PAUSE_S)
        receiver.close()

    def _next(self, receiver: Receiver) -> None:
        message = receiver.take(_LOOK_S)
        if message is None:
            return
        if not is_id(message.text):
            log.error("a message of another kind was thrown away: %.200r", message.text)
            message.accept()
            return
        claim = self._taken(message)
        if claim is not None and self._runner.do(claim) == "ended":
            log.info("job %s ended", claim.record.id)

    def _taken(self, message: Message) -> Claim | None:
        if self._stopping.is_set():
            message.give_back()
            return None
        try:
            claim = self._runner.take(message.text)
        except QueueUnavailableError:
            message.give_back()
            raise
        except Exception:
            message.accept()  # otherwise it would come again at once, and block the messages behind it
            raise
        if claim is not None:
            self._tell_others(claim)
        # From now on the lease in the record holds the picture, so the broker need not wait for it.
        message.accept()
        return claim

    def _tell_others(self, claim: Claim) -> None:
        try:
            self._dispatcher.send_next(claim.record)
        except QueueUnavailableError as error:
            # The broker and the store cannot be reached; the search for lost messages will find this one.
            log.warning("job %s: the message for its next picture was not sent: %s", claim.record.id, error)


@contextmanager
def _told_to_stop() -> Iterator[list[int]]:
    """The received signals, SIGTERM and Ctrl-C; a second one has its usual effect and ends the process.

    A list, not an event: a handler may interrupt anything, even the code that takes an event's lock.
    """
    told: list[int] = []
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, frame: FrameType | None) -> None:
        told.append(number)
        signal.signal(number, signal.SIG_DFL)

    for each in before:
        signal.signal(each, stop)
    try:
        yield told
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
