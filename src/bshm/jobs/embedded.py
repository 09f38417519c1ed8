"""The queue without servers: SQLite, a folder, and worker threads in this process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bshm.errors import OptionError, QueueUnavailableError
from bshm.files import private
from bshm.jobs import transitions
from bshm.jobs.base_queue import BaseQueue
from bshm.jobs.folder_blobs import FolderBlobs
from bshm.jobs.job_store import JobStore
from bshm.jobs.options import QueueOptions
from bshm.jobs.process_lock import ProcessLock
from bshm.jobs.protocol import ClipWork, Work
from bshm.jobs.reaper import Reaper
from bshm.jobs.records import JobRecord, JobRequest, Kind
from bshm.jobs.runner import Runner
from bshm.jobs.sqlite_records import SqliteRecords
from bshm.jobs.webhooks import Post, Secrets, WebhookSender

log = logging.getLogger("bshm.jobs")

# How soon a job accepted by another process of this machine is seen; this process wakes its own threads at once.
_POLL_S = 0.5
_OURS = ("jobs.sqlite3", "jobs.sqlite3-wal", "jobs.sqlite3-shm", "jobs.sqlite3-journal", "pictures", "workers")


class EmbeddedQueue(BaseQueue):
    """``JobQueue`` in a folder of a local disk; several processes of one machine may open the same folder.

    >>> import tempfile
    >>> from bshm.jobs import JobItem, JobRequest, Product, wait
    >>> def shout(picture, name, options):
    ...     return Product(picture.upper(), "image/png")
    >>> folder = tempfile.TemporaryDirectory()
    >>> queue = EmbeddedQueue(Path(folder.name), shout)
    >>> job = queue.submit(JobRequest((JobItem("anna.jpg", b"picture"),)))
    >>> wait(queue, job.id, "anonymous", timeout_s=10).state
    'done'
    >>> queue.result(job.id, 0, "anonymous").read()
    b'PICTURE'
    >>> queue.close()
    >>> folder.cleanup()
    """

    def __init__(
        self,
        folder: Path,
        work: Work,
        *,
        clips: ClipWork | None = None,
        options: QueueOptions | None = None,
        secrets: Secrets | None = None,
        send: Post | None = None,
        clock: Callable[[], float] = time.time,
        broken: Callable[[], object] = lambda: None,
    ) -> None:
        """Open the folder, continue what an earlier process left, and start to work.

        Args:
            folder: on a local disk; created if needed.
            work: makes the results; called by ``options.workers`` threads.
            clips: makes the results of clips; called by ``options.clip_workers`` threads; None accepts no clips.
            options: options of the queue.
            secrets: maps ``Webhook.secret_ref`` to secrets: a mapping or a function.
            send: for tests: replaces ``bshm.net.post.post``.
            clock: seconds since 1970; for tests.
            broken: called when so many pictures hang that the process should be replaced.

        Raises:
            OutputError: the folder cannot be used.
        """
        self._options = options or QueueOptions()
        private.folder(folder, ours=_OURS)
        self._lock = ProcessLock(folder / "workers")
        store = JobStore(
            SqliteRecords(folder / "jobs.sqlite3"),
            FolderBlobs(folder / "pictures"),
            capacity=self._options.capacity,
            clock=clock,
        )
        self._waiting = threading.Condition()
        reaper = Reaper(
            store,
            options=self._options,
            sender=WebhookSender(store, secrets, options=self._options, send=send),
            is_dead=lambda lease: self._lock.is_dead(lease.worker),
            requeued=lambda record: self._wake(),
        )
        super().__init__(store, reaper)
        self._runner = Runner(
            self._store,
            work,
            worker=self._lock.name,
            options=self._options,
            stopping=self._closed,
            clips=clips,
            broken=broken,
        )
        self._reaper.recover()
        # A clip takes long, so pictures do not wait behind it.
        self._takes_clips = clips is not None
        kinds: list[Kind] = ["picture"] * self._options.workers
        kinds += ["video"] * (self._options.clip_workers if self._takes_clips else 0)
        self._threads = [
            threading.Thread(target=self._work_on, args=(kind,), name=f"bshm-job-{number}", daemon=True)
            for number, kind in enumerate(kinds)
        ]
        for thread in self._threads:
            thread.start()
        self._reaper.start()

    def submit(self, request: JobRequest, *, share: int | None = None) -> JobRecord:
        """See ``JobQueue``.

        Raises:
            OptionError: the job is a clip, and the queue was opened without ``clips``.
        """
        if request.kind == "video" and not self._takes_clips:
            raise OptionError("this queue makes no clips: it was opened without clips=.")
        return super().submit(request, share=share)

    def _accepted(self, record: JobRecord) -> None:
        self._wake()

    def close(self, *, timeout_s: float = 30.0) -> None:
        """See ``JobQueue``."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._wake()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._reaper.stop(max(0.0, deadline - time.monotonic()))
        self._runner.close()
        # The jobs of threads that did not end in time go back; results that these threads still make are dropped.
        for record in self._store.records.in_state("running"):
            for lease in (item.lease for item in record.items):
                if lease is not None and lease.worker == self._lock.name:
                    self._give_back(record.id, lease.token)
        self._store.records.close()
        self._lock.release()

    def _give_back(self, job_id: str, token: str) -> None:
        try:
            self._store.change(job_id, lambda found: transitions.released(found, token=token))
        except QueueUnavailableError as error:  # e.g. on a full disk; the next process sees that this one is gone
            log.warning("job %s could not be given back: %s", job_id, error)

    def _wake(self) -> None:
        with self._waiting:
            self._waiting.notify_all()

    def _work_on(self, kind: Kind) -> None:
        while not self._closed.is_set():
            try:
                oldest = next(iter(self._store.waiting(kind=kind, limit=1)), None)
                claim = None if oldest is None else self._runner.take(oldest.id)
                if claim is not None:
                    self._runner.do(claim)
                if oldest is not None:
                    continue
            except QueueUnavailableError as error:
                if not self._closed.is_set():
                    log.warning("%s", error)
            except Exception:
                log.exception("a fault in bshm while working on a job")
            with self._waiting:
                if not self._closed.is_set():
                    self._waiting.wait(_POLL_S)
