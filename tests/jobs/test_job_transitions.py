"""What may become of a record, whatever happens in whatever order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bshm.jobs import transitions
from bshm.jobs.clips import ClipOutput, ClipProgress
from bshm.jobs.records import ENDED, ItemRecord, JobError, JobRecord, Webhook, new_id

MAX_ATTEMPTS = 3


def fresh(items: int = 1, *, webhook: bool = False) -> JobRecord:
    """A job that was just accepted."""
    return JobRecord(
        id=new_id(),
        owner="anna",
        state="queued",
        items=tuple(ItemRecord(f"{index}.png", input=f"in-{index}") for index in range(items)),
        options={},
        created_at=0.0,
        fingerprint="",
        keep_s=100.0,
        webhook=Webhook("https://example.com/", "key") if webhook else None,
    )


def claim(record: JobRecord, token: str = "t") -> JobRecord | None:
    return transitions.claimed(record, token=token, worker="w", lapses_s=9.0, now=1.0)


def done(record: JobRecord, token: str = "t", index: int = 0, result: str = "out") -> JobRecord | None:
    return transitions.item_done(
        record, token=token, index=index, result=result, media_type="image/png", size=1, details={}, now=2.0
    )


def must(record: JobRecord | None) -> JobRecord:
    assert record is not None
    return record


def test_a_job_of_one_picture_ends_with_its_result() -> None:
    ended = must(done(must(claim(fresh()))))
    assert (ended.state, ended.ended_at, ended.expires_at) == ("done", 2.0, 102.0)
    item = ended.items[0]
    assert (item.result, item.input, item.attempts, item.lease) == ("out", None, 1, None)


def test_what_is_finished_of_a_clip_outlives_its_workers_and_goes_with_its_end() -> None:
    taken = must(claim(fresh(), "first"))
    kept = must(transitions.parts_kept(taken, token="first", index=0, parts=("a", "b")))
    assert {"a", "b"} <= transitions.blobs_of(kept)
    given_back = must(transitions.released(kept, token="first"))
    lost = transitions.recovered(kept, index=0, lease=kept.items[0].lease, now=2.0, max_attempts=MAX_ATTEMPTS)
    for waits in (given_back, must(lost)):
        again = must(claim(waits, "second"))
        assert again.items[0].parts == ("a", "b")
        assert transitions.parts_kept(again, token="first", index=0, parts=("c",)) is None
    error, output = JobError("internal", "oh"), ClipOutput("cutout", "a.mov", "video/quicktime", 1, "out")
    ended = (
        transitions.cancelled(kept, now=3.0),
        transitions.cancelled(given_back, now=3.0),
        transitions.item_failed(kept, token="first", index=0, error=error, now=3.0),
        transitions.recovered(kept, index=0, lease=kept.items[0].lease, now=3.0, max_attempts=1),
        transitions.clip_done(
            kept, token="first", index=0, outputs=(output,), progress=ClipProgress(1), details={}, now=3.0
        ),
    )
    for each in ended:
        assert must(each).has_ended and transitions.blobs_of(must(each)) <= {"out"}


def test_only_one_can_take_a_picture() -> None:
    taken = must(claim(fresh(), "first"))
    assert claim(taken, "second") is None
    assert claim(taken, "first") is taken  # its answer was lost: asking again gives what there is


def test_several_share_a_job_and_the_last_one_ends_it() -> None:
    record = fresh(3, webhook=True)
    for token in "abc":
        record = must(claim(record, token))
    assert [item.lease and item.lease.token for item in record.items] == ["a", "b", "c"]
    assert done(record, "b", index=0) is None  # not its picture
    record = must(done(record, "c", index=2, result="2"))
    record = must(done(record, "a", index=0, result="0"))
    assert (record.state, record.ended_at, record.delivery) == ("running", None, None)
    record = must(done(record, "b", index=1, result="1"))
    assert (record.state, record.delivery and record.delivery.next_at) == ("done", 2.0)
    assert done(record, "b", index=1, result="1") is record  # told twice, ended once


def test_a_job_says_whether_the_message_for_its_next_picture_is_on_its_way() -> None:
    record = must(transitions.dispatched(fresh(3), now=0.5))
    record = must(claim(record, "a"))
    assert record.dispatched_at == 1.0  # whoever took the first one sends it
    record = must(transitions.dispatched(record, now=None))  # and could not
    assert record.dispatched_at is None
    record = must(claim(must(claim(record, "b")), "c"))
    assert record.dispatched_at is None  # none waits, so none is needed
    assert transitions.dispatched(record, now=3.0) is None
    assert must(transitions.released(record, token="b")).dispatched_at is None


def test_whoever_lost_the_lease_cannot_give_a_result() -> None:
    taken = must(claim(fresh(), "first"))
    back = must(recover(taken, 0))
    again = must(claim(back, "second"))
    assert done(again, "first", result="late") is None
    assert done(must(done(again, "second")), "first", result="late") is None


def test_a_result_given_twice_by_the_same_attempt_counts_once() -> None:
    ended = must(done(must(claim(fresh()))))
    assert done(ended) is ended


def test_a_picture_that_takes_its_worker_with_it_fails_after_the_last_attempt_and_the_others_go_on() -> None:
    record = fresh(3)
    record = must(done(must(claim(record)), index=0))
    for attempt in range(MAX_ATTEMPTS):
        record = must(claim(record, f"t{attempt}"))
        assert record.items[1].attempts == attempt + 1
        record = must(recover(record, 1))
        assert record.state == "queued"
    assert record.items[1].error is not None
    assert (record.items[1].state, record.items[1].error.code) == ("failed", "worker_lost")
    ended = must(done(must(claim(record, "last")), "last", index=2))
    assert (ended.state, ended.progress) == ("done", (3, 3))


def recover(record: JobRecord, index: int) -> JobRecord | None:
    lease = record.items[index].lease
    return transitions.recovered(record, index=index, lease=lease, now=2.0, max_attempts=MAX_ATTEMPTS)


def test_a_holder_that_has_shown_life_since_is_no_dead_one() -> None:
    record = must(claim(fresh(2)))
    lease = record.items[0].lease
    renewed = must(transitions.renewed(record, token="t", now=1.0))  # by a clock that stands still
    assert transitions.recovered(renewed, index=0, lease=lease, now=2.0, max_attempts=MAX_ATTEMPTS) is None
    assert must(recover(renewed, 0)).items[0].state == "queued"


def test_a_picture_given_back_has_lost_no_attempt() -> None:
    back = must(transitions.released(must(claim(fresh(2))), token="t"))
    item = back.items[0]
    assert (back.state, item.attempts, item.state, item.lease) == ("queued", 0, "queued", None)


def test_a_job_whose_other_pictures_are_in_the_works_is_still_running_when_one_is_given_back() -> None:
    both = must(claim(must(claim(fresh(2), "a")), "b"))
    assert must(transitions.released(both, token="a")).state == "running"
    assert must(recover(both, 1)).state == "running"


def test_a_job_none_of_whose_pictures_has_a_result_has_failed() -> None:
    taken = fresh(2)
    for index in range(2):
        taken = must(claim(taken))
        error = JobError("unreadable_picture", f"{index}.png is none.")
        taken = must(transitions.item_failed(taken, token="t", index=index, error=error, now=2.0))
    assert taken.state == "failed"
    assert taken.error is not None
    assert taken.error.code == "unreadable_picture"


def test_a_cancelled_job_keeps_what_is_finished_and_nobody_can_add_to_it() -> None:
    record = must(claim(must(done(must(claim(fresh(3))), index=0)), "u"))
    cancelled = must(transitions.cancelled(record, now=3.0))
    assert [item.state for item in cancelled.items] == ["done", "cancelled", "cancelled"]
    assert done(cancelled, "u", index=1, result="late") is None
    assert transitions.cancelled(cancelled, now=4.0) is cancelled
    assert claim(cancelled, "other") is None


def test_a_webhook_is_due_when_the_job_ends_and_only_one_calls_it_at_a_time() -> None:
    ended = must(done(must(claim(fresh(webhook=True)))))
    assert ended.delivery is not None
    assert ended.delivery.next_at == 2.0
    begun = must(transitions.delivery_begun(ended, now=2.0, busy_until=20.0))
    assert transitions.delivery_begun(begun, now=3.0, busy_until=20.0) is None
    told = must(transitions.delivered(begun, delivery=ended.id, now=4.0))
    assert told.delivery is not None
    assert (told.delivery.delivered_at, told.delivery.next_at) == (4.0, None)
    assert transitions.undelivered(told, delivery=ended.id, error="late", next_at=9.0) is None


TRIED = ["claim", "done", "fail", "release", "recover", "cancel", "sent"]
STEPS = st.lists(st.tuples(st.sampled_from(TRIED), st.sampled_from("abc")), max_size=40)


def stepped(record: JobRecord, step: str, token: str, result: str) -> JobRecord | None:
    """The record after something that somebody tried."""
    index = transitions.held_by(record, token) or 0
    if step == "claim":
        return claim(record, token)
    if step == "done":
        return done(record, token, index, result)
    if step == "fail":
        error = JobError("internal", "x")
        return transitions.item_failed(record, token=token, index=index, error=error, now=1.0)
    if step == "release":
        return transitions.released(record, token=token)
    if step == "recover":
        return recover(record, index)
    if step == "sent":
        return transitions.dispatched(record, now=1.0)
    return transitions.cancelled(record, now=1.0)


@settings(max_examples=200, deadline=None)
@given(items=st.integers(1, 4), steps=STEPS)
def test_whatever_happens_a_record_stays_whole(items: int, steps: list[tuple[str, str]]) -> None:
    record = fresh(items)
    for count, (step, token) in enumerate(steps):
        changed = stepped(record, step, token, f"out-{count}")
        if changed is None:
            continue
        before = {name: item for name, item in enumerate(record.items) if item.state in ENDED}
        assert all(changed.items[name] == item for name, item in before.items()), "what has ended never changes"
        if record.has_ended:
            assert changed == record
        record = changed
        if record.state == "queued":
            assert all(item.state != "running" for item in record.items)
            assert any(item.state == "queued" for item in record.items)
        tokens = [item.lease.token for item in record.items if item.lease is not None]
        assert len(tokens) == len(set(tokens)) == sum(item.state == "running" for item in record.items)
        assert record.dispatched_at is None or any(item.state == "queued" for item in record.items)
        assert all(item.attempts <= MAX_ATTEMPTS for item in record.items)
        assert record.has_ended == all(item.state in ENDED for item in record.items)
        assert record.has_ended == (record.ended_at is not None)
        for item in record.items:
            assert (item.lease is not None) == (item.state == "running")
            assert (item.result is not None) == (item.state == "done")
            assert (item.error is not None) == (item.state == "failed")
            assert (item.input is not None) == (item.state not in ENDED)
