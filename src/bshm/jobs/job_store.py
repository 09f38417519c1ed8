"""The part that both queues share: accept, show, download, cancel and delete jobs, over records and bytes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bshm.edit.render import suffix_of
from bshm.errors import (
    IdempotencyError,
    JobNotFoundError,
    JobUnfinishedError,
    OptionError,
    QueueFullError,
    QueueShareError,
    QueueUnavailableError,
    SourceNotFoundError,
)
from bshm.jobs import transitions
from bshm.jobs.codec import to_json
from bshm.jobs.protocol import Blobs, ClipResult, Records
from bshm.jobs.records import (
    ItemRecord,
    JobItem,
    JobRecord,
    JobRequest,
    JobResult,
    Kind,
    is_id,
    new_id,
)
from bshm.net import post

Change = Callable[[JobRecord], "JobRecord | None"]


class JobStore:
    """Records and bytes, kept in step."""

    def __init__(
        self, records: Records, blobs: Blobs, *, capacity: int, clock: Callable[[], float] = time.time
    ) -> None:
        """Use open stores.

        Args:
            records, blobs: the stores.
            capacity: jobs that may wait or run at once.
            clock: seconds since 1970; for tests.
        """
        self.records = records
        self.blobs = blobs
        self.capacity = capacity
        self.clock = clock

    def submit(self, request: JobRequest, *, share: int | None = None) -> tuple[JobRecord, bool]:
        """Accept a job; see ``JobQueue.submit``.

        Returns:
            The record, and whether it is new.
        """
        if request.webhook is not None:
            post.check(request.webhook.url)
        job_id, fingerprint = new_id(), ""
        if request.idempotency_key is not None:
            fingerprint = _fingerprint(request)
            job_id = self.records.reserve(request.owner, request.idempotency_key, job_id)
            there = self.records.get(job_id)
            if there is not None and not self._is_over(there):
                return _same(there, fingerprint), False
            if there is not None:
                self._remove(there)
                job_id = self.records.reserve(request.owner, request.idempotency_key, new_id())
        # Checked before the pictures are stored; `add` checks again.
        if self.records.depth() >= self.capacity:
            raise full(self.capacity)
        if share is not None and self.records.depth(request.owner) >= share:
            raise QueueShareError(
                f"{share} of your jobs are waiting or running, which is the limit. Send the next one when one of "
                "them has ended."
            )
        record = self._new(request, job_id, fingerprint)
        try:
            for item, made in zip(request.items, record.items, strict=True):
                self._store(item, made)
            added = self.records.add(record, capacity=self.capacity)
        except BaseException:
            self._forget(record)
            raise
        if added.items[0].input != record.items[0].input:  # another request with the same key was faster
            self._forget(record)
            return _same(added, fingerprint), False
        for path in (path for item in request.items for path in (item.path, item.background) if path is not None):
            with contextlib.suppress(OSError):  # its bytes are stored; the caller sees a file that stays
                path.unlink(missing_ok=True)
        return added, True

    def get(self, job_id: str, owner: str) -> JobRecord:
        """See ``JobQueue.get``."""
        record = self.records.get(job_id) if is_id(job_id) else None
        if record is None or record.owner != owner or self._is_over(record):
            raise JobNotFoundError(f"there is no job {job_id!r:.60}, or it has expired. Check its id and your key.")
        return record

    def result(self, job_id: str, index: int, owner: str) -> JobResult:
        """See ``JobQueue.result``."""
        record = self.get(job_id, owner)
        if not 0 <= index < len(record.items):
            raise JobNotFoundError(f"the job {job_id} has results 0 to {len(record.items) - 1}; there is no {index}.")
        item = record.items[index]
        if item.state != "done" or item.result is None or item.media_type is None or item.size is None:
            reason = f": {item.error.message}" if item.error is not None else "."
            raise JobUnfinishedError(f"{item.name} of the job {job_id} has no result; it is {item.state}{reason}")
        path = self.blobs.path(item.result)
        data = self.blobs.get(item.result) if path is None else None
        if path is None and data is None:
            raise JobNotFoundError(f"the result {index} of the job {job_id} has expired.")
        name = Path(item.name).stem + suffix_of(item.media_type)
        return JobResult(name, item.media_type, item.size, path, data)

    def output(self, job_id: str, product: str | None, owner: str) -> ClipResult:
        """See ``JobQueue.output``."""
        record = self.get(job_id, owner)
        if record.kind != "video":
            raise JobNotFoundError(f"the job {job_id} is a job of pictures, not of a clip.")
        item = record.items[0]
        if item.state != "done":
            reason = f": {item.error.message}" if item.error is not None else "."
            raise JobUnfinishedError(f"{item.name} of the job {job_id} has no result; it is {item.state}{reason}")
        output = next((each for each in item.outputs if product in (None, each.product)), None)
        if output is None:
            there = ", ".join(each.product for each in item.outputs)
            raise JobNotFoundError(f"the job {job_id} has {there}; there is no {str(product)[:40]!r}.")
        if self.blobs.pieces(output.result) is None:
            raise JobNotFoundError(f"the result {output.product} of the job {job_id} has expired.")

        def pieces(start: int, stop: int) -> Iterator[bytes]:
            found = self.blobs.pieces(output.result, start, stop)
            if found is None:
                raise JobNotFoundError(f"the result {output.product} of the job {job_id} has expired.")
            return found

        # Each attempt has its own name for the bytes, which is never used again.
        tag = hashlib.sha256(output.result.encode()).hexdigest()[:32]
        return ClipResult(output.name, output.media_type, output.size, tag, record.ended_at or 0.0, pieces)

    def cancel(self, job_id: str, owner: str) -> JobRecord:
        """See ``JobQueue.cancel``."""
        self.get(job_id, owner)
        now = self.clock()
        changed = self.change(job_id, lambda record: transitions.cancelled(record, now=now))
        if changed is None:  # it expired in between
            raise JobNotFoundError(f"there is no job {job_id!r}, or it has expired. Check its id and your key.")
        return changed

    def delete(self, job_id: str, owner: str) -> None:
        """See ``JobQueue.delete``."""
        self._remove(self.cancel(job_id, owner))

    def of(self, owner: str, *, limit: int, before: tuple[float, str] | None = None) -> list[JobRecord]:
        """See ``JobQueue.of``."""
        return [record for record in self.records.of(owner, limit=limit, before=before) if not self._is_over(record)]

    def waiting(self, *, kind: Kind | None = None, limit: int | None = None) -> list[JobRecord]:
        """The jobs with waiting pictures or a waiting clip, oldest first; of one kind, or of all."""
        found = [
            *self.records.in_state("running", kind=kind),
            *self.records.in_state("queued", kind=kind, limit=limit),
        ]
        return sorted(
            (record for record in found if transitions.waiting_item(record) is not None),
            key=lambda record: record.created_at,
        )[:limit]

    def purge(self) -> int:
        """See ``JobQueue.purge``."""
        gone = 0
        for record in self.records.expired(self.clock()):
            if record.delivery is not None and record.delivery.next_at is not None:
                continue  # its webhook is still being called; that ends by itself
            self._remove(record)
            gone += 1
        return gone

    def change(self, job_id: str, change: Change) -> JobRecord | None:
        """Change a record by ``change``, and try again if another process was faster.

        Bytes that the changed record no longer refers to are deleted.

        Returns:
            The record after the change; None if there is no such job or ``change`` returned None.
        """
        while True:
            old = self.records.get(job_id)
            if old is None:
                return None
            wanted = change(old)
            if wanted is None or wanted is old:
                return wanted
            new = self.records.replace(old, wanted)
            if new is not None:
                # If the bytes cannot be reached, the change is still made; `sweep` deletes the leftovers.
                with contextlib.suppress(QueueUnavailableError):
                    for name in transitions.blobs_of(old) - transitions.blobs_of(new):
                        self.blobs.delete(name)
                return new

    def _is_over(self, record: JobRecord) -> bool:
        return record.expires_at is not None and record.expires_at <= self.clock()

    def _remove(self, record: JobRecord) -> None:
        # Bytes first: a crash in between leaves a record that is purged again, not bytes without a record.
        self.blobs.delete_all(record.id)
        self.records.delete(record)

    def _new(self, request: JobRequest, job_id: str, fingerprint: str) -> JobRecord:
        token = secrets.token_hex(8)
        return JobRecord(
            id=job_id,
            owner=request.owner,
            state="queued",
            items=tuple(
                ItemRecord(
                    item.name,
                    input=f"{job_id}/in-{index}-{token}",
                    background=None if item.background is None else f"{job_id}/behind-{index}-{token}",
                )
                for index, item in enumerate(request.items)
            ),
            kind=request.kind,
            options=request.options.to_json(),
            created_at=self.clock(),
            fingerprint=fingerprint,
            keep_s=request.keep_s,
            idempotency_key=request.idempotency_key,
            webhook=request.webhook,
        )

    def _store(self, item: JobItem, made: ItemRecord) -> None:
        if item.data is not None:
            self.blobs.put(str(made.input), item.data)
        elif item.path is not None:
            self.blobs.take(str(made.input), item.path)
        if item.background is not None:
            self.blobs.take(str(made.background), item.background)

    def _forget(self, record: JobRecord) -> None:
        # The error that led here matters more; `sweep` deletes the leftovers.
        for name in transitions.blobs_of(record):
            try:
                self.blobs.delete(name)
            except QueueUnavailableError:
                return  # an unreachable store is asked once, not for each of a thousand pictures
            except Exception:  # noqa: BLE001
                continue


def full(capacity: int) -> QueueFullError:
    """The error of a full queue."""
    return QueueFullError(f"the queue is full: it has {capacity} jobs. Try again later.")


def _same(record: JobRecord, fingerprint: str) -> JobRecord:
    if record.fingerprint != fingerprint:
        raise IdempotencyError(
            f"the idempotency key {record.idempotency_key!r} already belongs to another request. "
            "Use a new key for a new request."
        )
    return record


def _fingerprint(request: JobRequest) -> str:
    """A hash by which two requests are the same: pictures, names, options and webhook."""
    digest = hashlib.sha256()
    for item in request.items:
        digest.update(json.dumps([item.name, _hash_of(item)]).encode())
        if item.background is not None:
            digest.update(_hash_of(JobItem(item.name, path=item.background)).encode())
    digest.update(json.dumps([request.options.to_json(), to_json(request.webhook)], sort_keys=True).encode())
    return digest.hexdigest()


def _hash_of(item: JobItem) -> str:
    if item.path is None:
        return hashlib.sha256(item.data or b"").hexdigest()
    digest = hashlib.sha256()
    try:
        with item.path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"the picture {item.name} of a job is not at {item.path}.") from error
    except OSError as error:
        raise OptionError(f"the picture {item.name} of a job cannot be read: {error.strerror}.") from error
    return digest.hexdigest()
