"""Maintain the jobs from time to time: find pictures of dead workers, call webhooks, delete what has expired."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from bshm.errors import BshmError, QueueUnavailableError
from bshm.jobs import transitions
from bshm.jobs.job_store import JobStore
from bshm.jobs.options import QueueOptions
from bshm.jobs.records import JobRecord, Lease, is_id
from bshm.jobs.scratch import Scratch
from bshm.jobs.webhooks import WebhookSender

log = logging.getLogger("bshm.jobs")

# A store that does not answer for this long counts as unreachable.
_OVERDUE_S = 5.0
# The name of bytes that do not exist: that they are missing is an answer, too.
_NO_BLOB = f"{'0' * 32}/none"


class Reaper:
    """Threads that maintain the jobs; any number of reapers may maintain the same jobs."""

    def __init__(
        self,
        store: JobStore,
        *,
        options: QueueOptions,
        sender: WebhookSender,
        is_dead: Callable[[Lease], bool] = lambda lease: False,
        requeued: Callable[[JobRecord], object] = lambda record: None,
        also: Callable[[], object] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use an open store.

        Args:
            store: the jobs.
            options: the times between checks.
            sender: calls the webhooks.
            is_dead: whether the holder of a lease is surely dead, before its lease has lapsed.
            requeued: called with a job that waits again.
            also: called in every sweep.
            monotonic: for tests.
        """
        self._store = store
        self._options = options
        self._sender = sender
        self._is_dead = is_dead
        self._requeued = requeued
        self._also = also
        self._monotonic = monotonic
        self._scratch = Scratch(store.blobs.scratch, orphan_s=options.orphan_s)
        # Which lease was seen, and since when: by this clock alone, whatever those of others say.
        self._seen: dict[tuple[str, int], tuple[Lease, float]] = {}
        self._purged_at = float("-inf")
        self._is_reached = True
        self._look_began: float | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def is_reached(self) -> bool:
        """Whether the store answered the last check, and no check has waited too long since."""
        began = self._look_began
        return self._is_reached and (began is None or self._monotonic() - began < _OVERDUE_S)

    def start(self) -> None:
        """Start to maintain the jobs."""
        sweep_s = self._options.sweep_s
        for work, every_s in ((self.look, sweep_s), (self.sweep, sweep_s), (self._tell, min(1.0, sweep_s))):
            thread = threading.Thread(target=self._again, args=(work, every_s), name="bshm-reaper", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout_s: float) -> None:
        """Stop, after waiting for a webhook call in progress."""
        self._stop.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def look(self) -> None:
        """Check whether the store answers."""
        self._look_began = self._monotonic()
        is_reached = False
        try:
            self._store.records.depth()
            self._store.blobs.get(_NO_BLOB)
            is_reached = True
            if not self._is_reached:
                log.warning("the store of the jobs answers again")
        except QueueUnavailableError as error:
            if self._is_reached:
                log.error("the store of the jobs is away: %s", error)
        finally:
            self._is_reached = is_reached
            self._look_began = None

    def sweep(self) -> None:
        """Do everything once, except webhooks."""
        self.recover()
        self._also()
        if self._monotonic() - self._purged_at >= self._options.purge_s:
            self._purged_at = self._monotonic()
            self._store.purge()
            self._store.blobs.sweep(self._spoken_of, older_than_s=self._options.orphan_s)
            self._scratch.sweep(self._is_over, idle_s=self._options.lease_s)

    def recover(self) -> int:
        """Return the pictures of dead workers to the queue.

        Returns:
            How many there were.
        """
        now = self._monotonic()
        held = [
            (record, index, item.lease)
            for record in self._store.records.in_state("running")
            for index, item in enumerate(record.items)
            if item.state == "running"
        ]
        seen, self._seen = self._seen, {}
        found = 0
        for record, index, lease in held:
            if lease is None:  # from an older version, whose worker is gone
                found += self._recover(record, index, None)
                continue
            known = seen.get((record.id, index))
            since = known[1] if known is not None and known[0] == lease else now
            self._seen[record.id, index] = (lease, since)
            if now - since > lease.lapses_s or self._is_dead(lease):
                found += self._recover(record, index, lease)
        return found

    def _recover(self, record: JobRecord, index: int, lease: Lease | None) -> bool:
        changed = self._store.change(
            record.id,
            lambda found: transitions.recovered(
                found, index=index, lease=lease, now=self._store.clock(), max_attempts=self._options.max_attempts
            ),
        )
        if changed is None:
            return False
        worker = "its worker" if lease is None else f"the worker {lease.worker}"
        log.warning(
            "job %s: %s is gone; its picture %d is now %s", record.id, worker, index, changed.items[index].state
        )
        if transitions.waiting_item(changed) is not None:
            self._requeued(changed)
        return True

    def _spoken_of(self, job_id: str) -> set[str] | None:
        record = self._store.records.get(job_id)
        return None if record is None else transitions.blobs_of(record)

    def _is_over(self, of: str) -> bool:
        """Whether a worker that made a folder for a clip has it no more; see ``Runner``."""
        job_id, _, token = of.partition(" ")
        record = self._store.records.get(job_id) if is_id(job_id) else None
        if record is None:  # gone; or the job of another queue, whose folders are in the same place
            return self._scratch.is_ours
        return transitions.held_by(record, token) is None

    def _tell(self) -> None:
        self._sender.deliver_due()

    def _again(self, work: Callable[[], object], every_s: float) -> None:
        while not self._stop.wait(every_s):
            try:
                work()
            except QueueUnavailableError as error:
                log.warning("%s", error)
            except BshmError as error:
                log.error("%s", error)
            except Exception:
                log.exception("a fault in bshm while maintaining the jobs")
