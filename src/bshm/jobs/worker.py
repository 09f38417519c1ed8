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

# How soon a worker that has nothing to do notices that it shall stop.
_LOOK_S = 0.5
# Before a broker or a store that is away is asked again.
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
    """Do pictures and clips until SIGTERM or Ctrl-C: pictures in the works are finished then, a clip is given back
    after its next frame, and no other is begun.

    ``options.workers`` pictures are done at once, in threads of this process, through the one ``work``.  There are no
    child processes: one that dies (out of memory, say) is restarted by whatever started it, and its pictures are taken
    over by the others meanwhile.  To be called in the main thread.

    Args:
        broker: see ``BrokerQueue``.
        work: makes the results.
        clips: makes those of clips; None fails them.
        results, blobs, blobs_endpoint: see ``BrokerQueue``.
        options: how the queue behaves.
        secrets: see ``BrokerQueue``.

    Raises:
        OptionError, MissingExtraError, OutputError, QueueUnavailableError: see ``BrokerQueue``.
        OverrunError: so many pictures hang that the process has to be replaced.
    """
    options = options or QueueOptions()
    messages = open_messages(broker)
    records, kept = open_store(store_of(broker, results), options, blobs=blobs, blobs_endpoint=blobs_endpoint)
    store = JobStore(records, kept, capacity=options.capacity)
    dispatcher = Dispatcher(messages, store, patience_s=options.lease_s)
    stopping, broken = threading.Event(), threading.Event()

    def give_up() -> None:
        """Stop as on SIGTERM: what hangs in this process goes only with it."""
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
    """Does one picture after the other."""

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
            message.accept()  # it would come at once again, and nothing behind it
            raise
        if claim is not None:
            self._tell_others(claim)
        # The lease in the record is what holds the picture from now on: the broker need not wait for it.
        message.accept()
        return claim

    def _tell_others(self, claim: Claim) -> None:
        try:
            self._dispatcher.send_next(claim.record)
        except QueueUnavailableError as error:
            # The broker and the store are both away; who looks for lost messages will find this one.
            log.warning("job %s: the others were not told of it: %s", claim.record.id, error)


@contextmanager
def _told_to_stop() -> Iterator[list[int]]:
    """The signals that have come, of SIGTERM and Ctrl-C; a second one ends the process as it would without us.

    A list and no event: a handler runs in the midst of anything, the taking of an event's lock included.
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
