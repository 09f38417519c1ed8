"""Requests and records, and their way through JSON."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType

import pytest

from bshm import errors
from bshm.edit.spec import Edit
from bshm.edit.words import BlurBackground, ColorBackground, PictureBackground
from bshm.jobs import transitions
from bshm.jobs.records import (
    Delivery,
    ItemRecord,
    JobError,
    JobItem,
    JobOptions,
    JobRecord,
    JobRequest,
    Lease,
    Webhook,
    code_of,
    is_id,
    new_id,
)
from bshm.options import Limits, MatteOptions


def before(background: bytes) -> Edit:
    """An edit with the picture in this file behind the people."""
    return Edit(background=PictureBackground.of(background))


def full_record() -> JobRecord:
    """A record with something in every field."""
    return JobRecord(
        id=new_id(),
        owner="anna",
        state="running",
        items=(
            ItemRecord("a.png", "done", 1, None, "image/png", 7, MappingProxyType({"width": 3}), None, "x/out-0"),
            ItemRecord("b.png", "failed", 3, JobError("worker_lost", "lost")),
            ItemRecord("c.png", "running", 1, input="x/in-2", lease=Lease("t", "w", 3.0, 2)),
        ),
        options=JobOptions(before(b"\x00\xff"), background=b"\x00\xff").to_json(),
        created_at=1.5,
        fingerprint="f",
        keep_s=60.0,
        started_at=2.5,
        ended_at=3.0,
        expires_at=4.0,
        attempts=2,
        error=JobError("internal", "x"),
        idempotency_key="k",
        webhook=Webhook("https://example.com/", "key-1"),
        delivery=Delivery("d", 1, 5.0, None, "no"),
        dispatched_at=1.75,
        revision=9,
    )


def test_a_record_goes_through_text_and_back_unchanged() -> None:
    record = full_record()
    assert JobRecord.from_text(record.to_text()) == record


def test_a_record_of_the_first_version_is_read_and_its_picture_belongs_to_nobody() -> None:
    text = json.loads(full_record().to_text())
    for item in text["items"]:
        del item["lease"]
    text["lease"] = {"token": "t", "worker": "w", "renewed_at": 3.0}
    record = JobRecord.from_text(json.dumps(text))
    assert (record.items[2].state, record.items[2].lease) == ("running", None)
    back = transitions.recovered(record, index=2, lease=None, now=4.0, max_attempts=3)
    assert back is not None and back.items[2].state == "queued"


@pytest.mark.parametrize(
    "options",
    [
        JobOptions(),
        JobOptions(
            Edit(format="zip", quality=7),
            "other",
            MatteOptions(decontaminate=False, exact=True, limits=Limits(max_pixels=9)),
        ),
        JobOptions(Edit(background=ColorBackground((1, 2, 3), 4 / 255), format="jpg")),
        JobOptions(Edit(background=BlurBackground(12.5))),
        JobOptions(before(b"\x89PNG\xff"), background=b"\x89PNG\xff"),
        JobOptions(Edit(crop=True, crop_margin="10% 3px", scale=0.5, position=(0.25, 1.0), shadow=True)),
        JobOptions(Edit(region="1px 2% 30px 100%"), matte=MatteOptions(shrink_to=1000)),
    ],
)
def test_options_go_through_json_and_back_unchanged(options: JobOptions) -> None:
    assert JobOptions.from_json(json.loads(json.dumps(options.to_json()))) == options


@pytest.mark.parametrize("background", ["/etc/passwd", "beach.jpg", "http://10.0.0.1/a.png", "file:///etc/passwd"])
def test_a_background_that_a_worker_would_have_to_fetch_is_refused(background: str) -> None:
    with pytest.raises(errors.OptionError, match="background"):
        JobOptions.from_json({"edit": {"background": background}})
    with pytest.raises(errors.OptionError, match="background"):
        JobOptions.from_json({"edit": {"background": {"kind": "picture", "source": background}}})


def test_a_picture_behind_the_people_is_there_or_is_refused() -> None:
    for edit, background in ((before(b"x"), None), (Edit(), b"x"), (before(b"x"), b"y")):
        with pytest.raises(errors.OptionError, match="background"):
            JobOptions(edit, background=background)


@pytest.mark.parametrize("value", [{"nonsense": 1}, {"edit": {"quality": 500}}, {"edit": 3}, {"edit": {"x": 1}}])
def test_options_that_there_are_not_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(errors.OptionError):
        JobOptions.from_json(value)


def test_a_request_says_what_is_wrong_with_it() -> None:
    item = JobItem("a.png", b"x")
    for wrong in (
        lambda: JobRequest(()),
        lambda: JobRequest((item,) * 1001),
        lambda: JobRequest((item,), owner=""),
        lambda: JobRequest((item,), idempotency_key=""),
        lambda: JobRequest((item,), keep_s=0),
        lambda: JobItem("a.png"),
        lambda: JobItem("a.png", b"x", Path("a.png")),
    ):
        with pytest.raises(errors.OptionError):
            wrong()


def test_ids_are_unguessable_and_nothing_else_is_taken_for_one() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(map(is_id, ids))
    assert not any(map(is_id, ("", "a" * 31, "a" * 33, "../" * 8 + "aaaaaaaa", "a" * 31 + "\n", "a" * 32 + "\n")))


def test_every_error_has_a_word_of_its_own() -> None:
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.BshmError)]
    codes = {code_of(each("x")) for each in classes}
    assert len(codes) == len(classes)
    assert {"unreadable_picture", "queue_full", "environment", "memory_exhausted"} <= codes
    assert code_of(MemoryError()) == "memory_exhausted"
    assert code_of(KeyError()) == "internal"
