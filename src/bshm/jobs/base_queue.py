"""The parts of a queue that only need its store."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from pathlib import Path

from bshm.errors import QueueUnavailableError
from bshm.jobs.job_store import JobStore
from bshm.jobs.protocol import ClipResult
from bshm.jobs.reaper import Reaper
from bshm.jobs.records import JobRecord, JobRequest, JobResult


class BaseQueue(ABC):
    """All of ``JobQueue`` except ``close``; see there for the methods."""

    def __init__(self, store: JobStore, reaper: Reaper) -> None:
        """Use an open store and its reaper."""
        self._store = store
        self._reaper = reaper
        self._closed = threading.Event()

    @abstractmethod
    def _accepted(self, record: JobRecord) -> None:
        """Tell the workers of a new job."""

    @property
    def capacity(self) -> int:
        """See ``JobQueue``."""
        return self._store.capacity

    @property
    def spool(self) -> Path | None:
        """See ``JobQueue``."""
        return self._store.blobs.folder

    @property
    def scratch(self) -> Path | None:
        """See ``JobQueue``."""
        return self._store.blobs.scratch

    def submit(self, request: JobRequest, *, share: int | None = None) -> JobRecord:
        """See ``JobQueue``."""
        if self._closed.is_set():
            raise QueueUnavailableError("the queue is closing and accepts no more jobs. Try again in a minute.")
        record, is_new = self._store.submit(request, share=share)
        if is_new:
            self._accepted(record)
        return record

    def get(self, job_id: str, owner: str) -> JobRecord:
        """See ``JobQueue``."""
        return self._store.get(job_id, owner)

    def result(self, job_id: str, index: int, owner: str) -> JobResult:
        """See ``JobQueue``."""
        return self._store.result(job_id, index, owner)

    def output(self, job_id: str, product: str | None, owner: str) -> ClipResult:
        """See ``JobQueue``."""
        return self._store.output(job_id, product, owner)

    def of(self, owner: str, *, limit: int, before: tuple[float, str] | None = None) -> list[JobRecord]:
        """See ``JobQueue``."""
        return self._store.of(owner, limit=limit, before=before)

    def cancel(self, job_id: str, owner: str) -> JobRecord:
        """See ``JobQueue``."""
        return self._store.cancel(job_id, owner)

    def delete(self, job_id: str, owner: str) -> None:
        """See ``JobQueue``."""
        self._store.delete(job_id, owner)

    def purge(self) -> int:
        """See ``JobQueue``."""
        return self._store.purge()

    def depth(self) -> int:
        """See ``JobQueue``."""
        return self._store.records.depth()

    def is_reached(self) -> bool:
        """See ``JobQueue``."""
        return self._reaper.is_reached
