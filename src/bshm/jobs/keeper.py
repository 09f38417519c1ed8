"""Look after the jobs now and then: find those whose worker died, call webhooks, delete what has expired."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from bshm.errors import BshmError, QueueUnavailableError
from bshm.jobs import transitions
from bshm.jobs.ledger import Ledger
from bshm.jobs.options import QueueOptions
from bshm.jobs.records import JobRecord, Lease
from bshm.jobs.webhooks import Herald

log = logging.getLogger("bshm.jobs")


class Keeper:
    """Two threads beside the workers; any number of keepers may look after the same jobs."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        options: QueueOptions,
        herald: Herald,
        is_dead: Callable[[Lease], bool] = lambda lease: False,
        requeued: Callable[[JobRecord], object] = lambda record: None,
        also: Callable[[], object] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Over an open ledger.

        Args:
            ledger: the jobs.
            options: how often.
            herald: calls the webhooks.
            is_dead: whether a holder of a lease is surely dead, before its lease has lapsed.
            requeued: called with a job that waits again.
            also: called with every sweep.
            monotonic: for tests.
        """
        self._ledger = ledger
        self._options = options
        self._herald = herald
        self._is_dead = is_dead
        self._requeued = requeued
        self._also = also
        self._monotonic = monotonic
        # Which revision of a running job was seen, and since when: by this clock alone, whatever those of others say.
        self._seen: dict[str, tuple[int, float]] = {}
        self._purged_at = float("-inf")
        self._stop = threading.Event()
        self._wake_herald = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Look after the jobs from now on."""
        for work, every_s in ((self.sweep, self._options.sweep_s), (self._tell, min(1.0, self._options.sweep_s))):
            thread = threading.Thread(target=self._again, args=(work, every_s), name="bshm-keeper", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout_s: float) -> None:
        """Stop; a webhook that is being called is waited for."""
        self._stop.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def sweep(self) -> None:
        """Everything once, webhooks aside."""
        self.recover()
        self._also()
        if self._monotonic() - self._purged_at >= self._options.purge_s:
            self._purged_at = self._monotonic()
            self._ledger.purge()
            self._ledger.blobs.sweep(self._spoken_of, older_than_s=self._options.orphan_s)

    def recover(self) -> int:
        """Put jobs whose worker died back into the queue.

        Returns:
            how many there were.
        """
        now = self._monotonic()
        running = self._ledger.records.in_state("running")
        seen = {record.id: self._seen.get(record.id) for record in running}
        self._seen = {}
        found = 0
        for record in running:
            if record.lease is None:
                continue
            known = seen[record.id]
            since = known[1] if known is not None and known[0] == record.revision else now
            self._seen[record.id] = (record.revision, since)
            if now - since > self._options.lease_s or self._is_dead(record.lease):
                found += self._recover(record, record.lease)
        return found

    def _recover(self, record: JobRecord, lease: Lease) -> bool:
        # Exactly the revision that was seen: a holder that has shown life since is no dead one.
        def change(found: JobRecord) -> JobRecord | None:
            if found.revision != record.revision:
                return None
            return transitions.recovered(
                found, token=lease.token, now=self._ledger.clock(), max_attempts=self._options.max_attempts
            )

        changed = self._ledger.change(record.id, change)
        if changed is None:
            return False
        log.warning("job %s: its worker %s is gone; now %s", record.id, lease.worker, changed.state)
        if changed.state == "queued":
            self._requeued(changed)
        return True

    def _spoken_of(self, job_id: str) -> set[str] | None:
        record = self._ledger.records.get(job_id)
        return None if record is None else transitions.blobs_of(record)

    def _tell(self) -> None:
        self._herald.deliver_due()

    def _again(self, work: Callable[[], object], every_s: float) -> None:
        while not self._stop.wait(every_s):
            try:
                work()
            except QueueUnavailableError as error:
                log.warning("%s", error)
            except BshmError as error:
                log.error("%s", error)
            except Exception:
                log.exception("a fault in bshm while looking after the jobs")
