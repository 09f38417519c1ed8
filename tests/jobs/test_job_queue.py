"""What the embedded queue does for those who use it; that with a broker shares the store, see test_job_brokers.py."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bshm import errors
from bshm.jobs import EmbeddedQueue, JobItem, JobOptions, JobQueue, JobRequest, Product, wait
from bshm.jobs.options import QueueOptions
from bshm.jobs.records import Webhook


class Work:
    """Turns pictures round; may be held up, and fails on names that ask for it."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.released.set()
        self.begun: list[str] = []

    def __call__(self, picture: bytes, name: str, options: JobOptions) -> Product:
        self.begun.append(name)
        assert self.released.wait(10)
        if name.startswith("bad"):
            raise errors.UnreadablePictureError(f"{name} is no picture.")
        if name.startswith("bug"):
            raise ZeroDivisionError("/secret/path")
        if name.startswith("huge"):
            raise MemoryError
        return Product(picture[::-1], "image/png", {"width": len(picture)})


FAST = QueueOptions(capacity=5, workers=1, lease_s=1.0, sweep_s=0.1, purge_s=0.1)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def clock() -> list[float]:
    """What the queue takes for the time: the sum."""
    return [1_000_000.0]


@pytest.fixture
def queue(work: Work, tmp_path: Path, clock: list[float]) -> Iterator[EmbeddedQueue]:
    opened = EmbeddedQueue(tmp_path / "jobs", work, options=FAST, clock=lambda: sum(clock))
    yield opened
    work.released.set()
    opened.close()


def request(*names: str, **more: object) -> JobRequest:
    return JobRequest(tuple(JobItem(name, name.encode()) for name in names), **more)  # type: ignore[arg-type]


def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def pictures_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "jobs" / "pictures").rglob("*-*") if path.is_file())


def test_the_queue_is_one(queue: EmbeddedQueue) -> None:
    assert isinstance(queue, JobQueue)
    assert queue.capacity == 5


def test_a_job_gives_the_results_of_its_pictures_in_their_order(queue: EmbeddedQueue) -> None:
    job = queue.submit(request("anna.jpg", "ben.tiff", "c"))
    record = wait(queue, job.id, "anonymous", timeout_s=10)
    assert (record.state, record.progress, record.attempts) == ("done", (3, 3), 3)
    results = [queue.result(job.id, index, "anonymous") for index in range(3)]
    assert [each.read() for each in results] == [b"gpj.anna", b"ffit.neb", b"c"]
    assert [each.name for each in results] == ["anna.png", "ben.png", "c.png"]
    assert [(each.size, each.media_type) for each in results] == [(8, "image/png"), (8, "image/png"), (1, "image/png")]
    assert record.items[0].details == {"width": 8}


def test_uploads_are_gone_as_soon_as_the_result_is_there(queue: EmbeddedQueue, tmp_path: Path) -> None:
    assert queue.spool is not None
    upload = queue.spool / "upload"
    upload.write_bytes(b"from a file")
    job = queue.submit(JobRequest((JobItem("a.png", path=upload), JobItem("b.png", b"inline"))))
    assert not upload.exists()
    assert wait(queue, job.id, "anonymous", timeout_s=10).state == "done"
    assert queue.result(job.id, 0, "anonymous").read() == b"elif a morf"
    until(lambda: [name[:3] for name in pictures_in(tmp_path)] == ["out", "out"])


def test_each_picture_that_fails_says_why_and_the_others_have_their_result(queue: EmbeddedQueue) -> None:
    job = queue.submit(request("bad.png", "good.png", "bug.png", "huge.png"))
    record = wait(queue, job.id, "anonymous", timeout_s=10)
    assert record.state == "done"
    assert [item.error and item.error.code for item in record.items] == [
        "unreadable_picture", None, "internal", "memory_exhausted",
    ]  # fmt: skip
    assert "secret" not in str(record.items[2].error)
    with pytest.raises(errors.JobUnfinishedError, match=r"bad\.png is no picture"):
        queue.result(job.id, 0, "anonymous")
    assert wait(queue, queue.submit(request("bad.png")).id, "anonymous", timeout_s=10).state == "failed"


def test_nobody_reaches_the_job_of_another_and_cannot_tell_that_there_is_one(queue: EmbeddedQueue) -> None:
    job = queue.submit(request("a.png", owner="anna"))
    wait(queue, job.id, "anna", timeout_s=10)
    unknown = "x" * 32
    calls: list[Callable[[str, str], object]] = [
        queue.get,
        lambda job_id, owner: queue.result(job_id, 0, owner),
        queue.cancel,
        queue.delete,
    ]
    for call in calls:
        messages = []
        for job_id in (job.id, unknown):
            with pytest.raises(errors.JobNotFoundError) as refused:
                call(job_id, "ben")
            messages.append(str(refused.value).replace(job_id, "ID"))
        assert messages[0] == messages[1]
    for strange in ("", "../" * 10, job.id + "\n", "%" * 32):
        with pytest.raises(errors.JobNotFoundError):
            queue.get(strange, "anna")
    with pytest.raises(errors.JobNotFoundError):
        queue.result(job.id, 1, "anna")
    with pytest.raises(errors.JobNotFoundError):
        queue.result(job.id, -1, "anna")
    assert queue.get(job.id, "anna").state == "done"


def test_the_same_key_gives_the_same_job_and_another_request_with_it_is_refused(
    queue: EmbeddedQueue, tmp_path: Path
) -> None:
    first = queue.submit(request("a.png", idempotency_key="k"))
    assert queue.submit(request("a.png", idempotency_key="k")).id == first.id
    assert queue.submit(request("a.png", idempotency_key="k", owner="ben")).id != first.id
    for other in (request("b.png", idempotency_key="k"), request("a.png", "a.png", idempotency_key="k")):
        with pytest.raises(errors.IdempotencyError):
            queue.submit(other)
    wait(queue, first.id, "anonymous", timeout_s=10)
    again = queue.submit(request("a.png", idempotency_key="k"))
    assert (again.id, again.state) == (first.id, "done")
    assert len(queue.submit(request("a.png")).id) == 32
    until(lambda: queue.depth() == 0 and len(pictures_in(tmp_path)) == 3)


def test_a_full_queue_refuses_keeps_the_upload_with_the_caller_and_takes_jobs_again(
    queue: EmbeddedQueue, work: Work, tmp_path: Path
) -> None:
    work.released.clear()
    jobs = [queue.submit(request("a.png", idempotency_key=str(number))) for number in range(5)]
    upload = tmp_path / "upload"
    upload.write_bytes(b"x")
    with pytest.raises(errors.QueueFullError) as refused:
        queue.submit(JobRequest((JobItem("a.png", path=upload),)))
    assert refused.value.retry_after_s > 0
    assert upload.exists()
    assert queue.submit(request("a.png", idempotency_key="3")).id == jobs[3].id  # accepted before, so no new job
    assert queue.depth() == 5
    work.released.set()
    until(lambda: queue.depth() == 0)
    assert queue.submit(JobRequest((JobItem("a.png", path=upload),))).state == "queued"
    assert not upload.exists()


def test_a_cancelled_job_begins_nothing_more_and_what_was_in_the_works_is_dropped(
    queue: EmbeddedQueue, work: Work, tmp_path: Path
) -> None:
    work.released.clear()
    job = queue.submit(request("a.png", "b.png"))
    until(lambda: work.begun == ["a.png"])
    with pytest.raises(errors.JobUnfinishedError):
        queue.result(job.id, 0, "anonymous")
    assert queue.cancel(job.id, "anonymous").state == "cancelled"
    assert pictures_in(tmp_path) == []
    work.released.set()
    other = queue.submit(request("c.png"))
    wait(queue, other.id, "anonymous", timeout_s=10)
    until(lambda: len(pictures_in(tmp_path)) == 1)
    assert work.begun == ["a.png", "c.png"]
    assert queue.cancel(other.id, "anonymous").state == "done"


def test_a_deleted_job_is_gone_with_its_results(queue: EmbeddedQueue, tmp_path: Path) -> None:
    job = queue.submit(request("a.png"))
    wait(queue, job.id, "anonymous", timeout_s=10)
    queue.delete(job.id, "anonymous")
    with pytest.raises(errors.JobNotFoundError):
        queue.get(job.id, "anonymous")
    assert pictures_in(tmp_path) == []


def test_a_job_deleted_while_it_runs_leaves_nothing_once_its_picture_is_made(
    queue: EmbeddedQueue, work: Work, tmp_path: Path
) -> None:
    work.released.clear()
    job = queue.submit(request("a.png", "b.png"))
    until(lambda: work.begun == ["a.png"])
    queue.delete(job.id, "anonymous")
    work.released.set()
    wait(queue, queue.submit(request("c.png")).id, "anonymous", timeout_s=10)  # the one thread has finished the other
    assert [path.name for path in (tmp_path / "jobs" / "pictures").iterdir() if path.name == job.id] == []
    assert work.begun == ["a.png", "c.png"]


def test_a_refused_job_leaves_no_folder(queue: EmbeddedQueue, tmp_path: Path) -> None:
    with pytest.raises((errors.SourceNotFoundError, errors.OutputError)):
        queue.submit(JobRequest((JobItem("a", b"x"), JobItem("b", path=tmp_path / "none"))))
    assert [path.name for path in (tmp_path / "jobs" / "pictures").iterdir()] == ["uploads"]


def test_the_jobs_of_an_owner_are_listed_newest_first_and_in_parts(
    queue: EmbeddedQueue, work: Work, clock: list[float]
) -> None:
    made = []
    for number in range(4):
        clock.append(1)
        made.append(queue.submit(request("a.png", owner="anna", keep_s=100 if number else 10)).id)
        wait(queue, made[-1], "anna", timeout_s=10)
    queue.submit(request("a.png", owner="ben"))
    assert [record.id for record in queue.of("anna", limit=9)] == made[::-1]
    first = queue.of("anna", limit=3)
    assert [record.id for record in first] == made[:0:-1]
    last = first[-1]
    assert [record.id for record in queue.of("anna", limit=3, before=(last.created_at, last.id))] == made[:1]
    clock.append(20)
    assert [record.id for record in queue.of("anna", limit=9)] == made[:0:-1]  # one has expired
    assert queue.of("nobody", limit=9) == []


def test_an_expired_job_is_gone_with_its_results_and_its_key_is_free(
    queue: EmbeddedQueue, tmp_path: Path, clock: list[float]
) -> None:
    job = queue.submit(request("a.png", idempotency_key="k", keep_s=60))
    wait(queue, job.id, "anonymous", timeout_s=10)
    kept = queue.submit(request("a.png", keep_s=600))
    wait(queue, kept.id, "anonymous", timeout_s=10)
    clock.append(61)
    with pytest.raises(errors.JobNotFoundError):
        queue.get(job.id, "anonymous")
    assert queue.submit(request("other.png", idempotency_key="k")).id != job.id
    until(lambda: not (tmp_path / "jobs" / "pictures" / job.id).exists())
    assert queue.result(kept.id, 0, "anonymous").read() == b"gnp.a"


def test_closing_finishes_the_picture_in_the_works_and_the_rest_continues_when_it_is_opened_again(
    work: Work, tmp_path: Path
) -> None:
    queue = EmbeddedQueue(tmp_path / "jobs", work, options=FAST)
    work.released.clear()
    job = queue.submit(request("a.png", "b.png", "c.png"))
    until(lambda: work.begun == ["a.png"])
    closer = threading.Thread(target=queue.close)
    closer.start()
    until(queue._closed.is_set)
    with pytest.raises(errors.QueueUnavailableError):
        queue.submit(request("d.png"))
    work.released.set()
    closer.join(10)
    queue.close()
    assert work.begun == ["a.png"]
    again = EmbeddedQueue(tmp_path / "jobs", work, options=FAST)
    record = wait(again, job.id, "anonymous", timeout_s=10)
    again.close()
    assert (record.state, work.begun) == ("done", ["a.png", "b.png", "c.png"])
    assert [item.attempts for item in record.items] == [1, 1, 1]


def test_two_threads_share_the_pictures_of_a_job_and_the_last_one_ends_it(work: Work, tmp_path: Path) -> None:
    queue = EmbeddedQueue(tmp_path / "jobs", work, options=QueueOptions(workers=2))
    work.released.clear()
    job = queue.submit(request("a.png", "b.png", "c.png"))
    until(lambda: len(work.begun) == 2)
    assert [item.state for item in queue.get(job.id, "anonymous").items] == ["running", "running", "queued"]
    work.released.set()
    record = wait(queue, job.id, "anonymous", timeout_s=10)
    queue.close()
    assert (record.state, sorted(work.begun)) == ("done", ["a.png", "b.png", "c.png"])
    assert [item.attempts for item in record.items] == [1, 1, 1]


def test_a_picture_that_outlasts_the_closing_is_given_back_and_its_late_result_dropped(
    work: Work, tmp_path: Path
) -> None:
    before = set(threading.enumerate())
    queue = EmbeddedQueue(tmp_path / "jobs", work, options=FAST)
    theirs = set(threading.enumerate()) - before
    work.released.clear()
    job = queue.submit(request("a.png"))
    until(lambda: work.begun == ["a.png"])
    queue.close(timeout_s=0.1)
    quick = Work()
    again = EmbeddedQueue(tmp_path / "jobs", quick, options=FAST)
    record = wait(again, job.id, "anonymous", timeout_s=10)
    work.released.set()
    assert (record.state, record.items[0].attempts, quick.begun) == ("done", 1, ["a.png"])
    for thread in theirs:
        thread.join(10)
    assert again.get(job.id, "anonymous") == record
    again.close()


def test_two_processes_share_a_folder_and_every_job_is_done_once(tmp_path: Path) -> None:
    works = [Work(), Work()]
    queues = [EmbeddedQueue(tmp_path / "jobs", each, options=QueueOptions(workers=2)) for each in works]
    jobs = [queues[number % 2].submit(request(f"{number}.png")) for number in range(30)]
    for number, job in enumerate(jobs):
        assert wait(queues[1], job.id, "anonymous", timeout_s=20).state == "done"
        assert queues[0].result(job.id, 0, "anonymous").read() == f"{number}.png".encode()[::-1]
    for queue in queues:
        queue.close()
    assert sorted(works[0].begun + works[1].begun) == sorted(f"{number}.png" for number in range(30))


def test_a_lease_is_renewed_while_a_picture_takes_long(queue: EmbeddedQueue, work: Work) -> None:
    work.released.clear()
    job = queue.submit(request("a.png"))
    time.sleep(2.5 * FAST.lease_s)
    work.released.set()
    record = wait(queue, job.id, "anonymous", timeout_s=10)
    assert (record.state, record.attempts, work.begun) == ("done", 1, ["a.png"])


def test_a_webhook_that_could_never_be_called_is_refused_at_once(queue: EmbeddedQueue) -> None:
    for url in ("http://127.0.0.1/x", "ftp://example.com/", "http://[::1]/", "http://me:word@example.com/", "nonsense"):
        with pytest.raises(errors.UrlRefusedError):
            queue.submit(request("a.png", webhook=Webhook(url, "k")))
    assert queue.depth() == 0


def test_an_upload_that_is_not_there_is_refused_and_leaves_nothing(queue: EmbeddedQueue, tmp_path: Path) -> None:
    for key in (None, "k"):
        with pytest.raises((errors.SourceNotFoundError, errors.OutputError)):
            queue.submit(JobRequest((JobItem("a", b"x"), JobItem("b", path=tmp_path / "none")), idempotency_key=key))
    assert pictures_in(tmp_path) == []
    assert queue.depth() == 0
