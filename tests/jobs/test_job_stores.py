"""The three stores keep the one promise."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import brokers
import pytest
from test_job_transitions import fresh

from bshm.errors import OptionError, OutputError, QueueFullError, QueueUnavailableError
from bshm.jobs.folder_blobs import FolderBlobs
from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import Blobs, Records
from bshm.jobs.records import Delivery, new_id
from bshm.jobs.s3_blobs import connect
from bshm.jobs.sqlite_records import SqliteRecords
from bshm.jobs.stores import open_store

Open = Callable[[], Records]


@pytest.fixture(params=["sqlite", "redis"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same store again and again, as several processes do."""
    stores: list[Records] = []
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
        flush(url)

    def open_again() -> Records:
        store: Records
        if request.param == "sqlite":
            store = SqliteRecords(tmp_path / "jobs.sqlite3")
        else:
            store = open_store(url, QueueOptions())[0]
        stores.append(store)
        return store

    yield open_again
    for store in stores:
        store.close()


def flush(url: str) -> None:
    """Empty a Redis."""
    from bshm.jobs.redis_store import connect

    client = connect(url)
    client.flushall()
    client.close()


def test_a_record_that_was_added_is_there_for_everybody(opened: Open) -> None:
    record = replace(fresh(), items=())
    assert opened().add(record, capacity=5) == record
    assert opened().get(record.id) == record
    assert opened().get(new_id()) is None


def test_of_many_who_change_a_record_at_once_one_wins(opened: Open) -> None:
    record = opened().add(replace(fresh(), items=()), capacity=5)
    stores = [opened() for _ in range(8)]
    won: list[int] = []
    barrier = threading.Barrier(len(stores))

    def change(number: int) -> None:
        barrier.wait()
        if stores[number].replace(record, replace(record, attempts=number)) is not None:
            won.append(number)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    now = opened().get(record.id)
    assert now is not None
    assert (now.attempts, now.revision) == (won[0], 1)


def test_somebody_who_slept_cannot_change_what_others_have_changed_meanwhile(opened: Open) -> None:
    store = opened()
    old = store.add(replace(fresh(), items=()), capacity=5)
    now = old
    for attempts in range(1, 5):
        changed = store.replace(now, replace(now, attempts=attempts))
        assert changed is not None
        now = changed
        assert opened().replace(old, replace(old, attempts=99)) is None
    assert store.get(old.id) == now


def test_a_hundred_changes_by_four_at_once_are_all_counted(opened: Open) -> None:
    record = opened().add(replace(fresh(), items=()), capacity=5)

    def count(store: Records) -> None:
        for _ in range(25):
            while True:
                old = store.get(record.id)
                assert old is not None
                if store.replace(old, replace(old, attempts=old.attempts + 1)) is not None:
                    break

    threads = [threading.Thread(target=count, args=(opened(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = opened().get(record.id)
    assert now is not None
    assert (now.attempts, now.revision) == (100, 100)


def test_an_idempotency_key_stands_for_one_job_of_its_owner(opened: Open) -> None:
    store = opened()
    first, second = (replace(fresh(), items=(), idempotency_key="k") for _ in range(2))
    first = replace(first, id=store.reserve("anna", "k", first.id))
    assert store.add(first, capacity=5) == first
    assert opened().reserve("anna", "k", second.id) == first.id
    assert opened().reserve("ben", "k", second.id) == second.id
    assert opened().add(replace(second, id=first.id), capacity=5) == first
    store.delete(first)
    assert store.get(first.id) is None
    assert opened().reserve("anna", "k", second.id) == second.id


def test_of_many_with_one_key_at_once_one_job_is_made(opened: Open) -> None:
    stores = [opened() for _ in range(6)]
    got: list[str] = []
    barrier = threading.Barrier(len(stores))

    def add(store: Records) -> None:
        barrier.wait()
        record = replace(fresh(), items=(), idempotency_key="k")
        record = replace(record, id=store.reserve("anna", "k", record.id))
        got.append(store.add(record, capacity=50).id)

    threads = [threading.Thread(target=add, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(stores)
    assert len(set(got)) == 1
    assert opened().depth() == 1


def test_a_full_store_refuses_until_a_job_has_ended(opened: Open) -> None:
    store = opened()
    record = store.add(replace(fresh(), items=()), capacity=2)
    store.add(replace(fresh(), items=()), capacity=2)
    with pytest.raises(QueueFullError) as refused:
        store.add(replace(fresh(), items=()), capacity=2)
    assert refused.value.retry_after_s > 0
    assert store.replace(record, replace(record, state="done", expires_at=1.0)) is not None
    assert store.depth() == 1
    store.add(replace(fresh(), items=()), capacity=2)


def test_the_jobs_of_one_owner_are_counted_until_they_have_ended(opened: Open) -> None:
    store = opened()
    mine, other = (
        store.add(replace(fresh(), items=(), owner=owner, idempotency_key=owner), capacity=9)
        for owner in ("anna", "ben")
    )
    store.add(replace(fresh(), items=(), owner="anna"), capacity=9)
    assert [opened().depth(owner) for owner in ("anna", "ben", "nobody", None)] == [2, 1, 0, 3]
    running = store.replace(mine, replace(mine, state="running"))
    assert running is not None and opened().depth("anna") == 2
    assert store.replace(running, replace(running, state="done", expires_at=1.0)) is not None
    assert [opened().depth(owner) for owner in ("anna", "ben", None)] == [1, 1, 2]
    store.delete(other)
    assert [opened().depth(owner) for owner in ("anna", "ben", None)] == [1, 0, 1]


def test_the_jobs_of_one_owner_are_listed_newest_first_from_where_the_last_part_ended(opened: Open) -> None:
    store = opened()
    # Two of them in one moment.
    mine = [store.add(replace(fresh(), items=(), created_at=created), capacity=9) for created in (1.0, 2.5, 2.5, 3.0)]
    other = store.add(replace(fresh(), items=(), owner="ben"), capacity=9)
    order = sorted(mine, key=lambda each: (each.created_at, each.id), reverse=True)
    assert opened().of("anna", limit=9, before=None) == order
    assert (opened().of("ben", limit=9, before=None), opened().of("nobody", limit=9, before=None)) == ([other], [])
    parts = []
    before: tuple[float, str] | None = None
    while part := opened().of("anna", limit=1, before=before):
        parts += part
        before = (part[0].created_at, part[0].id)
    assert parts == order
    ended = store.replace(order[0], replace(order[0], state="done", expires_at=50.0))
    assert ended is not None and opened().of("anna", limit=1, before=None) == [ended]
    store.delete(ended)
    assert opened().of("anna", limit=9, before=None) == order[1:]


def test_a_record_that_was_deleted_does_not_come_back_with_a_change_that_was_on_its_way(opened: Open) -> None:
    store = opened()
    record = store.add(replace(fresh(), items=()), capacity=5)
    store.delete(record)
    assert opened().replace(record, replace(record, attempts=1)) is None
    assert opened().get(record.id) is None


def test_jobs_are_found_by_state_oldest_first_by_expiry_and_by_due_webhook(opened: Open) -> None:
    store = opened()
    records = [store.add(replace(fresh(), items=(), created_at=9.0 - age), capacity=9) for age in range(4)]
    assert [each.id for each in store.in_state("queued")] == [each.id for each in reversed(records)]
    assert [each.id for each in store.in_state("queued", limit=1)] == [records[3].id]
    running = store.replace(records[3], replace(records[3], state="running"))
    assert [each.id for each in store.in_state("running")] == [records[3].id]
    assert len(store.in_state("queued")) == 3
    assert running is not None
    ended = store.replace(running, replace(running, state="done", expires_at=50.0, delivery=Delivery("d", next_at=5.0)))
    assert store.in_state("running") == []
    assert (store.due(4.0), store.expired(49.0)) == ([], [])
    assert store.due(5.0) == store.expired(50.0) == [ended]
    assert ended is not None
    told = store.replace(ended, replace(ended, delivery=Delivery("d", delivered_at=6.0)))
    assert store.due(100.0) == []
    assert told is not None
    store.delete(told)
    assert store.expired(100.0) == []


@pytest.fixture(params=["folder", "redis", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    """A store of bytes."""
    if request.param == "folder":
        yield FolderBlobs(tmp_path)
        return
    if request.param == "s3":
        server = request.getfixturevalue("s3")
        yield connect(server.url, server.endpoint)
        return
    url = request.getfixturevalue("redis_server").url
    flush(url)
    records, store = open_store(url, QueueOptions())
    yield store
    records.close()


def test_bytes_come_back_as_they_were_and_go_when_they_are_deleted(blobs: Blobs, tmp_path: Path) -> None:
    name = f"{new_id()}/in-0"
    blobs.put(name, b"\x00\xff" * 1000)
    assert blobs.get(name) == b"\x00\xff" * 1000
    path = blobs.path(name)
    assert path is None or path.read_bytes() == b"\x00\xff" * 1000
    blobs.delete(name)
    blobs.delete(name)
    assert blobs.get(name) is None
    assert blobs.path(name) is None


def test_a_file_is_taken_over_and_stays_with_the_caller_until_the_job_is_accepted(blobs: Blobs, tmp_path: Path) -> None:
    upload = (blobs.folder or tmp_path) / "upload"
    upload.write_bytes(b"picture")
    blobs.take(f"{new_id()}/in-0", upload)
    name = f"{new_id()}/in-0"
    blobs.take(name, upload)
    assert upload.exists()
    upload.unlink()
    assert blobs.get(name) == b"picture"


def test_what_belongs_to_no_job_is_swept_away_once_it_is_old(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    known, old, young = (new_id() for _ in range(3))
    for job_id in (known, old, young):
        blobs.put(f"{job_id}/in-0", b"x")
    assert blobs.folder is not None
    upload = blobs.folder / "forgotten"
    upload.write_bytes(b"x")
    blobs.put(f"{known}/out-0-of-a-dead-worker", b"x")
    for path in (tmp_path / known, tmp_path / old, upload):
        os.utime(path, (0, 0))
    names = {known: {f"{known}/in-0"}}
    assert blobs.sweep(names.get, older_than_s=3600) == 2
    assert [blobs.get(f"{each}/in-0") for each in (known, old, young)] == [b"x", None, b"x"]
    assert blobs.get(f"{known}/out-0-of-a-dead-worker") is None
    assert not upload.exists()


def test_bytes_in_redis_that_no_record_speaks_of_go_by_themselves(redis_server: brokers.RedisServer) -> None:
    flush(redis_server.url)
    records, blobs = open_store(redis_server.url, QueueOptions(orphan_s=1.0))
    kept = fresh()
    kept = replace(kept, items=(replace(kept.items[0], input=f"{kept.id}/in-0"),))
    blobs.put(f"{kept.id}/in-0", b"kept")
    records.add(kept, capacity=5)
    blobs.put(f"{kept.id}/out-0", b"kept")
    done = replace(kept, items=(replace(kept.items[0], state="done", input=None, result=f"{kept.id}/out-0"),))
    assert records.replace(kept, done) is not None
    orphan = f"{new_id()}/in-0"
    blobs.put(orphan, b"orphan")
    deadline = time.monotonic() + 20
    while blobs.get(orphan) is not None:  # the last that was put: what else would go has gone before it
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert blobs.get(f"{kept.id}/in-0") == blobs.get(f"{kept.id}/out-0") == b"kept"
    blobs.delete_all(kept.id)
    assert blobs.get(f"{kept.id}/out-0") is None
    records.close()


def test_a_store_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        SqliteRecords(tmp_path / "file" / "jobs.sqlite3")
    with pytest.raises(OutputError):
        open_store("redis://x", QueueOptions(), blobs=f"file://{tmp_path}/file")
    for wrong in ("http://x/", f"file://{tmp_path}/jobs", "jobs", "s3://bucket/jobs"):
        with pytest.raises(OptionError, match="redis://HOST"):
            open_store(wrong, QueueOptions())
    for wrong in ("file://elsewhere/x", "file:///"):
        with pytest.raises(OptionError, match="file:///FOLDER"):
            open_store("redis://x", QueueOptions(), blobs=wrong)
    records, _ = open_store(f"redis://127.0.0.1:{brokers.free_port()}/0", QueueOptions())
    with pytest.raises(QueueUnavailableError):
        records.depth()
    records.close()


def test_a_shared_folder_that_is_not_mounted_is_away_and_loses_nothing(tmp_path: Path) -> None:
    _, blobs = open_store("redis://x", QueueOptions(), blobs=f"file://{tmp_path}/shared")
    name = f"{new_id()}/in-0"
    blobs.put(name, b"picture")
    (tmp_path / "shared").rename(tmp_path / "elsewhere")
    (tmp_path / "shared").mkdir()
    asks: list[Callable[[], object]] = [
        lambda: blobs.get(name),
        lambda: blobs.put(name, b"x"),
        lambda: blobs.take(name, tmp_path / "upload"),
    ]
    for ask in asks:
        with pytest.raises(QueueUnavailableError, match="mounted"):
            ask()
    assert list((tmp_path / "shared").iterdir()) == []
