"""What may become of a record, as functions from one record to the next.

    queued ──claimed──> running ──item_ended──> … ──> done | failed
       ^                   │
       ├─────released──────┤   its worker stops and gives it back: the item begun does not count as an attempt
       └─────recovered─────┘   its worker died: it does count

Each returns None where it does not apply: somebody else holds the lease, or the job has ended.  Each may be repeated
with the same token: where the answer of a store was lost, doing it again gives the record that is there already.
Nothing here reads a clock or a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bshm.jobs.records import ENDED, Delivery, ItemRecord, JobError, JobRecord, Json, Lease


def claimed(record: JobRecord, *, token: str, worker: str, now: float) -> JobRecord | None:
    """A worker takes the job and begins its first item that is left."""
    if _holds(record, token):
        return record
    if record.state != "queued":
        return None
    taken = replace(
        record,
        state="running",
        started_at=record.started_at if record.started_at is not None else now,
        attempts=record.attempts + 1,
        lease=Lease(token, worker, now),
    )
    return _next_begun(taken, now)


def renewed(record: JobRecord, *, token: str, now: float) -> JobRecord | None:
    """A sign of life."""
    if record.lease is None or not _holds(record, token):
        return None
    return replace(record, lease=replace(record.lease, renewed_at=now))


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
    """An item has its result; the next one begins, or the job ends."""
    if record.items[index].result == result:
        return record
    return _item_ended(
        record,
        token,
        index,
        replace(
            record.items[index],
            state="done",
            input=None,
            result=result,
            media_type=media_type,
            size=size,
            details=details,
        ),
        now,
    )


def item_failed(record: JobRecord, *, token: str, index: int, error: JobError, now: float) -> JobRecord | None:
    """An item has failed for good; the next one begins, or the job ends."""
    if record.items[index].error == error and record.items[index].state == "failed":
        return record
    return _item_ended(record, token, index, _failed(record.items[index], error), now)


def released(record: JobRecord, *, token: str) -> JobRecord | None:
    """The worker gives the job back untouched: what it had begun does not count as an attempt."""
    if not _holds(record, token):
        return None
    items = tuple(
        replace(item, state="queued", attempts=item.attempts - 1) if item.state == "running" else item
        for item in record.items
    )
    return replace(record, state="queued", lease=None, items=items, dispatched_at=None)


def recovered(record: JobRecord, *, token: str, now: float, max_attempts: int) -> JobRecord | None:
    """The worker that held ``token`` is dead: the item it had begun waits again, or fails if that was the last try."""
    if not _holds(record, token):
        return None
    items = tuple(_after_a_death(item, max_attempts) if item.state == "running" else item for item in record.items)
    waiting = replace(record, state="queued", lease=None, items=items, dispatched_at=None)
    return _ended(waiting, now) if all(item.state in ENDED for item in items) else waiting


def cancelled(record: JobRecord, *, now: float) -> JobRecord | None:
    """The owner wants no more of it; finished results stay."""
    if record.has_ended:
        return record
    items = tuple(
        item if item.state in ENDED else replace(item, state="cancelled", input=None) for item in record.items
    )
    return _closed(replace(record, state="cancelled", items=items), now)


def dispatched(record: JobRecord, *, now: float) -> JobRecord | None:
    """Its message was given to a broker."""
    return replace(record, dispatched_at=now) if record.state == "queued" else None


def delivery_begun(record: JobRecord, *, now: float, busy_until: float) -> JobRecord | None:
    """Somebody calls the webhook now; nobody else needs to before ``busy_until``."""
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
    """The webhook was not accepted; None for ``next_at`` gives it up."""
    found = record.delivery
    if found is None or found.id != delivery or found.delivered_at is not None:
        return None
    return replace(record, delivery=replace(found, next_at=next_at, last_error=error))


def running_item(record: JobRecord) -> int | None:
    """The index of the item that is being worked on."""
    return next((index for index, item in enumerate(record.items) if item.state == "running"), None)


def blobs_of(record: JobRecord) -> set[str]:
    """The names of all bytes that the record still speaks of."""
    return {name for item in record.items for name in (item.input, item.result) if name is not None}


def _holds(record: JobRecord, token: str) -> bool:
    return record.state == "running" and record.lease is not None and record.lease.token == token


def _item_ended(record: JobRecord, token: str, index: int, item: ItemRecord, now: float) -> JobRecord | None:
    if not _holds(record, token) or record.lease is None or record.items[index].state != "running":
        return None
    items = (*record.items[:index], item, *record.items[index + 1 :])
    return _next_begun(replace(record, items=items, lease=replace(record.lease, renewed_at=now)), now)


def _next_begun(record: JobRecord, now: float) -> JobRecord:
    for index, item in enumerate(record.items):
        if item.state == "queued":
            begun = replace(item, state="running", attempts=item.attempts + 1)
            return replace(record, items=(*record.items[:index], begun, *record.items[index + 1 :]))
    return _ended(record, now)


def _after_a_death(item: ItemRecord, max_attempts: int) -> ItemRecord:
    if item.attempts < max_attempts:
        return replace(item, state="queued")
    return _failed(
        item,
        JobError(
            "worker_lost",
            f"{item.name} was begun {item.attempts} times, and each time the worker did not live to finish it. "
            "It may need more memory than there is: try a smaller picture.",
        ),
    )


def _failed(item: ItemRecord, error: JobError) -> ItemRecord:
    return replace(item, state="failed", input=None, error=error)


def _ended(record: JobRecord, now: float) -> JobRecord:
    state = "done" if any(item.state == "done" for item in record.items) else "failed"
    error = None
    if state == "failed":
        first = record.items[0].error or JobError("internal", "the job has no result.")
        several = len(record.items) > 1
        error = JobError(first.code, f"none of the pictures has a result: {first.message}") if several else first
    return _closed(replace(record, state="done" if state == "done" else "failed", error=error), now)


def _closed(record: JobRecord, now: float) -> JobRecord:
    # The id of the delivery is that of the job: a job ends once, so it is told once.
    delivery = Delivery(record.id, next_at=now) if record.webhook is not None else None
    return replace(record, lease=None, ended_at=now, expires_at=now + record.keep_s, delivery=delivery)
