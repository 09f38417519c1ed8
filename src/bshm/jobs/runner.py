"""Do one job: take it, make its results one after the other, and keep saying that it is alive."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

from bshm.errors import BshmError, DiskFullError, OutputError, QueueUnavailableError
from bshm.jobs import transitions
from bshm.jobs.ledger import Change, Ledger
from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import Product, Work
from bshm.jobs.records import JobError, JobOptions, JobRecord, code_of
from bshm.lanes import Lane, OverrunError

log = logging.getLogger("bshm.jobs")

T = TypeVar("T")
Verdict = Literal["ended", "released", "taken"]
# A broker or a store that restarts is waited for: the work that is done already need not be done again.
_PATIENCE_S = 120.0


class Runner:
    """Does jobs, for worker threads of either driver."""

    def __init__(
        self,
        ledger: Ledger,
        work: Work,
        *,
        worker: str,
        options: QueueOptions,
        stopping: threading.Event,
        broken: Callable[[], object] = lambda: None,
    ) -> None:
        """Over an open ledger.

        Args:
            ledger: the jobs.
            work: makes the results.
            worker: what the lease calls this worker.
            options: how long a lease lasts, and a picture may take.
            stopping: when set, no further item is begun and the job goes back.
            broken: called when so many pictures hang that the process should be replaced.
        """
        self._ledger = ledger
        self._work = work
        self._worker = worker
        self._options = options
        self._stopping = stopping
        self._lane = Lane(options.workers, name="bshm-item", timeout_s=options.item_timeout_s, broken=broken)

    def run(self, job_id: str) -> Verdict:
        """Do a job from where it stands.

        Returns:
            ``ended``: it has, here; ``released``: it went back because this worker stops; ``taken``: it has ended
            before, somebody else works on it, it is gone, or somebody else took it over meanwhile.

        Raises:
            QueueUnavailableError: the store stayed away; the job went back, or is found when its lease has lapsed.
        """
        token = secrets.token_hex(16)
        now = self._ledger.clock()
        if self._stopping.is_set():
            return "released"
        record = self._change(
            job_id, lambda found: transitions.claimed(found, token=token, worker=self._worker, now=now)
        )
        if record is None:
            return "taken"
        with self._signs_of_life(job_id, token):
            try:
                return self._items(record, token)
            except QueueUnavailableError:
                # Where only the bytes are away, the record is not: given back, what was begun does not count as an
                # attempt, however long they stay away.
                with contextlib.suppress(QueueUnavailableError):
                    self._ledger.change(job_id, lambda found: self._given_back(found, token))
                raise
            except BaseException:
                # A fault here, not in a picture: give the job back at once instead of when the lease lapses.  It
                # counts as an attempt, so that it cannot go round for ever.
                self._change(
                    job_id,
                    lambda found: transitions.recovered(
                        found, token=token, now=self._ledger.clock(), max_attempts=self._options.max_attempts
                    ),
                )
                raise

    def close(self) -> None:
        """Let go of the threads; what hangs in them is left to itself."""
        self._lane.shutdown(wait=False, cancel_futures=True)

    def _items(self, record: JobRecord, token: str) -> Verdict:
        options = JobOptions.from_json(record.options)
        while (index := transitions.running_item(record)) is not None:
            if self._stopping.is_set():
                self._change(record.id, lambda found: transitions.released(found, token=token))
                return "released"
            changed = self._item(record, index, token, options)
            if changed is None:  # cancelled, or taken over after a pause that looked like death
                return "taken"
            record = changed
        return "ended"

    def _item(self, record: JobRecord, index: int, token: str, options: JobOptions) -> JobRecord | None:
        item = record.items[index]
        try:
            product = self._made(record, index, options)
            # A name of its own for each attempt: two that overlap cannot write into each other's result.
            result = f"{record.id}/out-{index}-{secrets.token_hex(8)}"
            self._store(result, product.data, item.name)
        except QueueUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - becomes the error of the item
            failure = _told(error, item.name)
            return self._change(
                record.id,
                lambda found: transitions.item_failed(
                    found, token=token, index=index, error=failure, now=self._ledger.clock()
                ),
            )
        changed = self._change(
            record.id,
            lambda found: transitions.item_done(
                found,
                token=token,
                index=index,
                result=result,
                media_type=product.media_type,
                size=len(product.data),
                details=product.details,
                now=self._ledger.clock(),
            ),
        )
        if changed is None:
            self._ledger.blobs.delete(result)
        return changed

    def _store(self, result: str, data: bytes, name: str) -> None:
        try:
            self._patiently(lambda: self._ledger.blobs.put(result, data))
        except QueueUnavailableError:
            raise
        except OutputError as error:
            # It names folders of this machine, which are for the log.
            log.error("the result of %s cannot be stored: %s", name, error)
            why = "there is no room for it" if isinstance(error, DiskFullError) else "the service is at fault"
            raise type(error)(f"the result of {name} cannot be stored: {why}. Send it again later.") from error

    def _given_back(self, record: JobRecord, token: str) -> JobRecord | None:
        """Released, with its message on its way: whoever called puts that back, and a second one is not needed."""
        released = transitions.released(record, token=token)
        return None if released is None else transitions.dispatched(released, now=self._ledger.clock())

    def _made(self, record: JobRecord, index: int, options: JobOptions) -> Product:
        item = record.items[index]
        data = self._patiently(lambda: self._ledger.blobs.get(str(item.input)))
        if data is None:
            raise OutputError(f"the bytes of {item.name} are gone from the store of the jobs. Send it again.")
        return self._lane.submit(self._work, data, item.name, options).result()

    def _change(self, job_id: str, change: Change) -> JobRecord | None:
        return self._patiently(lambda: self._ledger.change(job_id, change))

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
                    self._ledger.change(
                        job_id, lambda found: transitions.renewed(found, token=token, now=self._ledger.clock())
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
