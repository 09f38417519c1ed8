"""What a queue answers from its ledger alone, however its jobs get to whoever does them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from pathlib import Path

from bshm.errors import QueueUnavailableError
from bshm.jobs.keeper import Keeper
from bshm.jobs.ledger import Ledger
from bshm.jobs.records import JobRecord, JobRequest, JobResult


class LedgerQueue(ABC):
    """All of ``JobQueue`` but ``close``; the methods are described there."""

    def __init__(self, ledger: Ledger, keeper: Keeper) -> None:
        """Over a ledger that is open, and its keeper."""
        self._ledger = ledger
        self._keeper = keeper
        self._closed = threading.Event()

    @abstractmethod
    def _accepted(self, record: JobRecord) -> None:
        """Tell the workers of a new job."""

    @property
    def capacity(self) -> int:
        """See ``JobQueue``."""
        return self._ledger.capacity

    @property
    def spool(self) -> Path | None:
        """See ``JobQueue``."""
        return self._ledger.blobs.folder

    def submit(self, request: JobRequest, *, share: int | None = None) -> JobRecord:
        """See ``JobQueue``."""
        if self._closed.is_set():
            raise QueueUnavailableError("the queue is closing and takes no more jobs. Try again in a minute.")
        record, is_new = self._ledger.submit(request, share=share)
        if is_new:
            self._accepted(record)
        return record

    def get(self, job_id: str, owner: str) -> JobRecord:
        """See ``JobQueue``."""
        return self._ledger.get(job_id, owner)

    def result(self, job_id: str, index: int, owner: str) -> JobResult:
        """See ``JobQueue``."""
        return self._ledger.result(job_id, index, owner)

    def of(self, owner: str, *, limit: int, before: tuple[float, str] | None = None) -> list[JobRecord]:
        """See ``JobQueue``."""
        return self._ledger.of(owner, limit=limit, before=before)

    def cancel(self, job_id: str, owner: str) -> JobRecord:
        """See ``JobQueue``."""
        return self._ledger.cancel(job_id, owner)

    def delete(self, job_id: str, owner: str) -> None:
        """See ``JobQueue``."""
        self._ledger.delete(job_id, owner)

    def purge(self) -> int:
        """See ``JobQueue``."""
        return self._ledger.purge()

    def depth(self) -> int:
        """See ``JobQueue``."""
        return self._ledger.records.depth()

    def is_reached(self) -> bool:
        """See ``JobQueue``."""
        return self._keeper.is_reached
