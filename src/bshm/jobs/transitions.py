"""The possible changes of a record, as functions from one record to the next.

    queued ──claimed──> running ──item_done, item_failed──> done | failed     of each picture; the last one ends the job
       ^                   │
       ├─────released──────┤   its worker gives it back; does not count as an attempt
       └─────recovered─────┘   its worker died; counts as an attempt

Workers hold pictures, not jobs, so that several can share a job.  A function returns None if it does not apply: another
worker holds the lease, or the job has ended.  Calls can be repeated with the same token: if the answer of a store was
lost, a second call returns the existing record.  Nothing here reads a clock or a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bshm.jobs.clips import ClipOutput, ClipProgress
from bshm.jobs.codec import Json
from bshm.jobs.records import ENDED, Delivery, ItemRecord, JobError, JobRecord, Lease


def claimed(record: JobRecord, *, token: str, worker: str, lapses_s: float, now: float) -> JobRecord | None:
    """A worker takes the first waiting picture.

    The worker will send the message for the next picture; the record says already that it was sent.
    """
    if held_by(record, token) is not None:
        return record
    index = waiting_item(record)
    if index is None:
        return None
    item = record.items[index]
    lease = Lease(token, worker, now, lapses_s=lapses_s)
    begun = replace(item, state="running", attempts=item.attempts + 1, lease=lease, progress=None)
    taken = _with(record, index, begun)
    return replace(
        taken,
        state="running",
        started_at=record.started_at if record.started_at is not None else now,
        attempts=record.attempts + 1,
        dispatched_at=None if waiting_item(taken) is None else now,
    )


def renewed(record: JobRecord, *, token: str, now: float, progress: ClipProgress | None = None) -> JobRecord | None:
    """A sign of life, and the progress of a clip."""
    index = held_by(record, token)
    if index is None:
        return None
    item = record.items[index]
    if item.lease is None:
        return None
    lease = replace(item.lease, renewed_at=now, renewals=item.lease.renewals + 1)
    return _with(record, index, replace(item, lease=lease, progress=progress or item.progress))


def parts_kept(record: JobRecord, *, token: str, index: int, parts: tuple[str, ...]) -> JobRecord | None:
    """So much of a clip is finished, and in the store: who takes it up after this worker goes on from there."""
    if held_by(record, token) != index:
        return None
    return _with(record, index, replace(record.items[index], parts=parts))


def item_done(
    record: JobRecord,
    *,
    token: str,
    index: int,
    result: str,
    media_type: str,
    size: int,
    details: Mapping[str, Json],
    now: float,
) -> JobRecord | None:
    """A picture has its result; if it was the last one, the job ends."""
    if record.items[index].result == result:
        return record
    return _item_ended(
        record,
        token,
        index,
        replace(
            record.items[index],
            state="done",
            lease=None,
            input=None,
            result=result,
            media_type=media_type,
            size=size,
            details=details,
        ),
        now,
    )


def clip_done(
    record: JobRecord,
    *,
    token: str,
    index: int,
    outputs: tuple[ClipOutput, ...],
    progress: ClipProgress,
    details: Mapping[str, Json],
    now: float,
) -> JobRecord | None:
    """A clip has its results, and the job ends."""
    item = record.items[index]
    if item.outputs == outputs:
        return record
    done = replace(item, state="done", lease=None, input=None, background=None, parts=())
    return _item_ended(record, token, index, replace(done, outputs=outputs, progress=progress, details=details), now)


def item_failed(record: JobRecord, *, token: str, index: int, error: JobError, now: float) -> JobRecord | None:
    """A picture has finally failed; if it was the last one, the job ends."""
    if record.items[index].error == error and record.items[index].state == "failed":
        return record
    return _item_ended(record, token, index, _failed(record.items[index], error), now)


def released(record: JobRecord, *, token: str) -> JobRecord | None:
    """The worker returns its picture; this does not count as an attempt."""
    index = held_by(record, token)
    if index is None:
        return None
    item = record.items[index]
    waits = replace(item, state="queued", lease=None, progress=None, attempts=item.attempts - 1)
    return _waits_again(_with(record, index, waits))


def recovered(record: JobRecord, *, index: int, lease: Lease | None, now: float, max_attempts: int) -> JobRecord | None:
    """The worker that held ``lease`` is dead: its picture waits again, or fails after the last attempt.

    If the lease was renewed in the meantime, it differs, and its holder is alive.
    """
    item = record.items[index]
    if item.state != "running" or item.lease != lease:
        return None
    after = _with(record, index, _after_a_death(item, max_attempts))
    return _ended(after, now) if all(each.state in ENDED for each in after.items) else _waits_again(after)


def cancelled(record: JobRecord, *, now: float) -> JobRecord | None:
    """The owner cancels the job; finished results stay."""
    if record.has_ended:
        return record
    items = tuple(
        item
        if item.state in ENDED
        else replace(item, state="cancelled", input=None, background=None, parts=(), lease=None)
        for item in record.items
    )
    return _closed(replace(record, state="cancelled", items=items), now)


def dispatched(record: JobRecord, *, now: float | None) -> JobRecord | None:
    """The message for its next picture was sent to a broker; ``now`` is None if that failed."""
    return replace(record, dispatched_at=now) if waiting_item(record) is not None else None


def delivery_begun(record: JobRecord, *, now: float, busy_until: float) -> JobRecord | None:
    """A process calls the webhook now; no other process calls it before ``busy_until``."""
    found = record.delivery
    if found is None or found.next_at is None or found.next_at > now:
        return None
    return replace(record, delivery=replace(found, attempts=found.attempts + 1, next_at=busy_until))


def delivered(record: JobRecord, *, delivery: str, now: float) -> JobRecord | None:
    """The webhook was accepted."""
    if record.delivery is None or record.delivery.id != delivery:
        return None
    return replace(record, delivery=replace(record.delivery, next_at=None, delivered_at=now, last_error=None))


def undelivered(record: JobRecord, *, delivery: str, error: str, next_at: float | None) -> JobRecord | None:
    """The webhook was not accepted; if ``next_at`` is None, it is given up."""
    found = record.delivery
    if found is None or found.id != delivery or found.delivered_at is not None:
        return None
    return replace(record, delivery=replace(found, next_at=next_at, last_error=error))


def waiting_item(record: JobRecord) -> int | None:
    """The index of the first waiting picture."""
    return next((index for index, item in enumerate(record.items) if item.state == "queued"), None)


def held_by(record: JobRecord, token: str) -> int | None:
    """The index of the picture whose lease has that token."""
    return next(
        (index for index, item in enumerate(record.items) if item.lease is not None and item.lease.token == token),
        None,
    )


def blobs_of(record: JobRecord) -> set[str]:
    """The names of all bytes that the record still refers to."""
    return {
        name
        for item in record.items
        for name in (item.input, item.background, item.result, *item.parts, *(each.result for each in item.outputs))
        if name is not None
    }


def _with(record: JobRecord, index: int, item: ItemRecord) -> JobRecord:
    return replace(record, items=(*record.items[:index], item, *record.items[index + 1 :]))


def _item_ended(record: JobRecord, token: str, index: int, item: ItemRecord, now: float) -> JobRecord | None:
    if held_by(record, token) != index:
        return None
    after = _with(record, index, item)
    return _ended(after, now) if all(each.state in ENDED for each in after.items) else after


def _waits_again(record: JobRecord) -> JobRecord:
    """The waiting picture needs a message, and a job without running pictures is queued."""
    is_running = any(item.state == "running" for item in record.items)
    return replace(record, state="running" if is_running else "queued", dispatched_at=None)


def _after_a_death(item: ItemRecord, max_attempts: int) -> ItemRecord:
    if item.attempts < max_attempts:
        return replace(item, state="queued", lease=None, progress=None)
    return _failed(
        item,
        JobError(
            "worker_lost",
            f"{item.name} was started {item.attempts} times, and each time the worker died. "
            "It may need more memory than there is: try a smaller one.",
        ),
    )


def _failed(item: ItemRecord, error: JobError) -> ItemRecord:
    return replace(item, state="failed", input=None, background=None, parts=(), lease=None, error=error)


def _ended(record: JobRecord, now: float) -> JobRecord:
    state = "done" if any(item.state == "done" for item in record.items) else "failed"
    error = None
    if state == "failed":
        first = record.items[0].error or JobError("internal", "the job has no result.")
        several = len(record.items) > 1
        error = JobError(first.code, f"none of the pictures has a result: {first.message}") if several else first
    return _closed(replace(record, state="done" if state == "done" else "failed", error=error), now)


def _closed(record: JobRecord, now: float) -> JobRecord:
    # A job ends once and is reported once, so the delivery has the job's id.
    delivery = Delivery(record.id, next_at=now) if record.webhook is not None else None
    return replace(record, dispatched_at=None, ended_at=now, expires_at=now + record.keep_s, delivery=delivery)
