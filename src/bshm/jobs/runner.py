"""Process one picture of a job: take it, make its result, and renew the lease meanwhile."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from bshm.concurrency.deadline_executor import DeadlineExecutor
from bshm.errors import BshmError, DiskFullError, OutputError, OverrunError, QueueUnavailableError
from bshm.jobs import transitions
from bshm.jobs.job_store import Change, JobStore
from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import Product, Work
from bshm.jobs.records import ItemRecord, JobError, JobOptions, JobRecord, Lease, code_of

log = logging.getLogger("bshm.jobs")

T = TypeVar("T")
Verdict = Literal["ended", "done", "taken"]
# A broker or a store that restarts is waited for: the work that is done already need not be done again.
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Claim:
    """A picture that a worker has taken.

    Attributes:
        record: of its job, just after it was taken.
        index: which of its pictures.
        token: of the lease.
    """

    record: JobRecord
    index: int
    token: str

    @property
    def item(self) -> ItemRecord:
        """What is known of the picture."""
        return self.record.items[self.index]


class Runner:
    """Does pictures, for worker threads of either driver."""

    def __init__(
        self,
        store: JobStore,
        work: Work,
        *,
        worker: str,
        options: QueueOptions,
        stopping: threading.Event,
        broken: Callable[[], object] = lambda: None,
    ) -> None:
        """Over an open store.

        Args:
            store: the jobs.
            work: makes the results.
            worker: what the lease calls this worker.
            options: how long a lease lasts, and a picture may take.
            stopping: when set, a store that is away is not waited for.
            broken: called when so many pictures hang that the process should be replaced.
        """
        self._store = store
        self._work = work
        self._worker = worker
        self._options = options
        self._stopping = stopping
        self._executor = DeadlineExecutor(
            options.workers, name="bshm-item", timeout_s=options.item_timeout_s, broken=broken
        )

    def take(self, job_id: str) -> Claim | None:
        """Take the next picture of a job.

        Returns:
            the picture; None where none waits: all are taken, the job has ended, or it is gone.

        Raises:
            QueueUnavailableError: the store cannot be reached.
        """
        token = secrets.token_hex(16)
        record = self._store.change(
            job_id,
            lambda found: transitions.claimed(
                found,
                token=token,
                worker=self._worker,
                lapses_s=self._options.lease_s,
                now=self._store.clock(),
            ),
        )
        index = None if record is None else transitions.held_by(record, token)
        return None if record is None or index is None else Claim(record, index, token)

    def do(self, claim: Claim) -> Verdict:
        """Make the result of a picture that was taken.

        Returns:
            ``ended``: with it the job has ended, here; ``done``: others of its job are left; ``taken``: it was
            cancelled, or somebody else took it over after a pause that looked like death.

        Raises:
            QueueUnavailableError: the store stayed away; the picture waits again, or is found when its lease has
                lapsed.
        """
        job_id, token = claim.record.id, claim.token
        with self._signs_of_life(job_id, token):
            try:
                record = self._item(claim)
            except QueueUnavailableError:
                # Where only the bytes are away, the record is not: given back, what was begun does not count as an
                # attempt, however long they stay away.
                with contextlib.suppress(QueueUnavailableError):
                    self._store.change(job_id, lambda found: transitions.released(found, token=token))
                raise
            except BaseException:
                # A fault here, not in a picture: give it back at once instead of when the lease lapses.  It counts as
                # an attempt, so that it cannot go round for ever.
                self._change(job_id, lambda found: self._recovered(found, claim))
                raise
        if record is None:
            return "taken"
        return "ended" if record.has_ended else "done"

    def close(self) -> None:
        """Let go of the threads; what hangs in them is left to itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _item(self, claim: Claim) -> JobRecord | None:
        job_id, index, token, item = claim.record.id, claim.index, claim.token, claim.item
        try:
            product = self._made(item, JobOptions.from_json(claim.record.options))
            # A name of its own for each attempt: two that overlap cannot write into each other's result.
            result = f"{job_id}/out-{index}-{secrets.token_hex(8)}"
            self._keep(result, product.data, item.name)
        except QueueUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - becomes the error of the item
            failure = _told(error, item.name)
            return self._change(
                job_id,
                lambda found: transitions.item_failed(
                    found, token=token, index=index, error=failure, now=self._store.clock()
                ),
            )
        changed = self._change(
            job_id,
            lambda found: transitions.item_done(
                found,
                token=token,
                index=index,
                result=result,
                media_type=product.media_type,
                size=len(product.data),
                details=product.details,
                now=self._store.clock(),
            ),
        )
        if changed is None:
            self._store.blobs.delete(result)
        return changed

    def _keep(self, result: str, data: bytes, name: str) -> None:
        try:
            self._patiently(lambda: self._store.blobs.put(result, data))
        except QueueUnavailableError:
            raise
        except OutputError as error:
            # It names folders of this machine, which are for the log.
            log.error("the result of %s cannot be stored: %s", name, error)
            why = "there is no room for it" if isinstance(error, DiskFullError) else "the service is at fault"
            raise type(error)(f"the result of {name} cannot be stored: {why}. Send it again later.") from error

    def _recovered(self, record: JobRecord, claim: Claim) -> JobRecord | None:
        lease: Lease | None = record.items[claim.index].lease
        if lease is None or lease.token != claim.token:
            return None
        return transitions.recovered(
            record,
            index=claim.index,
            lease=lease,
            now=self._store.clock(),
            max_attempts=self._options.max_attempts,
        )

    def _made(self, item: ItemRecord, options: JobOptions) -> Product:
        data = self._patiently(lambda: self._store.blobs.get(str(item.input)))
        if data is None:
            raise OutputError(f"the bytes of {item.name} are missing from the job store. Send it again.")
        return self._executor.submit(self._work, data, item.name, options).result()

    def _change(self, job_id: str, change: Change) -> JobRecord | None:
        return self._patiently(lambda: self._store.change(job_id, change))

    def _patiently(self, ask: Callable[[], T]) -> T:
        deadline = time.monotonic() + _PATIENCE_S
        pause = 0.1
        while True:
            try:
                return ask()
            except QueueUnavailableError:
                if self._stopping.is_set() or time.monotonic() > deadline:
                    raise
            self._stopping.wait(pause)
            pause = min(5.0, 2 * pause)

    @contextlib.contextmanager
    def _signs_of_life(self, job_id: str, token: str) -> Iterator[None]:
        over = threading.Event()

        def renew() -> None:
            while not over.wait(self._options.lease_s / 3):
                try:
                    self._store.change(
                        job_id, lambda found: transitions.renewed(found, token=token, now=self._store.clock())
                    )
                except BshmError as error:
                    log.warning("job %s: its lease could not be renewed: %s", job_id, error)

        thread = threading.Thread(target=renew, name="bshm-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _told(error: Exception, name: str) -> JobError:
    if isinstance(error, OverrunError):
        return JobError(code_of(error), f"{name} took too long: {error} Use a smaller picture.")
    if isinstance(error, BshmError):
        return JobError(code_of(error), str(error))
    if isinstance(error, MemoryError):
        return JobError(code_of(error), f"{name} does not fit into memory. Use a smaller picture.")
    # What else went wrong may speak of paths and settings of this machine: that is for the log, not for strangers.
    log.error("a fault in bshm while working on %s", name, exc_info=error)
    return JobError(code_of(error), f"a fault in bshm itself ({type(error).__name__}) while working on {name}.")
