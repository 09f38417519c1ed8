"""Pictures and results in an object store: a real S3 server on loopback that is stopped in the middle."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import brokers
import chaos
import pytest
import tiny
from brokers import empty
from object_store import S3Server
from PIL import Image
from starlette.testclient import TestClient

from bshm import errors
from bshm.jobs import BrokerQueue, JobItem, JobOptions, JobRequest, Product, runner, wait
from bshm.jobs.job_store import JobStore
from bshm.jobs.options import QueueOptions
from bshm.jobs.records import new_id
from bshm.jobs.s3_blobs import connect
from bshm.jobs.sqlite_records import SqliteRecords
from bshm.jobs.transitions import blobs_of
from bshm.server.app import create_app
from bshm.server.settings import Settings

LEASE_S = 1.5
OPTIONS = QueueOptions(capacity=50, lease_s=LEASE_S, sweep_s=0.3)

Opened = Callable[..., BrokerQueue]


@pytest.fixture
def opened(s3: S3Server, redis_server: brokers.RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Opens queues whose messages and records are in Redis and whose bytes are in the object store."""
    empty(redis_server.url)
    # Where `chaos.Workers` look for them.
    monkeypatch.setenv("BSHM_BLOBS", s3.url)
    monkeypatch.setenv("BSHM_BLOBS_ENDPOINT", s3.endpoint)
    queues: list[BrokerQueue] = []

    def open_one() -> BrokerQueue:
        queues.append(BrokerQueue(redis_server.url, blobs=s3.url, blobs_endpoint=s3.endpoint, options=OPTIONS))
        return queues[-1]

    yield open_one
    for queue in queues:
        queue.close()


@pytest.fixture
def workers(redis_server: brokers.RedisServer, tmp_path: Path) -> Iterator[Callable[[float], chaos.Workers]]:
    """Starts a worker, and stops it."""
    started: list[chaos.Workers] = []

    def start(pause_s: float) -> chaos.Workers:
        started.append(chaos.Workers(redis_server.url, redis_server.url, tmp_path, LEASE_S, pause_s))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()


def request(*numbers: int, **more: Any) -> JobRequest:
    return JobRequest(tuple(JobItem(f"{number}.png", tiny.picture(number)) for number in numbers), **more)


def until(true: Callable[[], bool], timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_bytes_of_a_job_are_in_the_object_store_and_nowhere_else(
    s3: S3Server, redis_server: brokers.RedisServer, opened: Opened, workers: Callable[[float], chaos.Workers]
) -> None:
    from bshm.jobs.redis_store import connect as connect_redis

    queue = opened()
    job = queue.submit(request(7, 8))
    assert len(s3.names()) == 2 and all(name.startswith(f"some/jobs/{job.id}/in-") for name in s3.names())
    client = connect_redis(redis_server.url)
    assert client.keys("*blob*") == []
    client.close()
    workers(0.0)
    assert wait(queue, job.id, "anonymous", timeout_s=120).state == "done"
    assert [tiny.number_of(queue.result(job.id, index, "anonymous").read()) for index in range(2)] == [7, 8]
    until(lambda: [name.split("/")[-1].split("-")[0] for name in s3.names()] == ["out", "out"])
    queue.delete(job.id, "anonymous")
    assert s3.names() == []


def test_a_job_goes_on_where_it_stood_when_the_object_store_is_back(
    s3: S3Server, opened: Opened, workers: Callable[[float], chaos.Workers]
) -> None:
    queue = opened()
    workers(0.2)
    job = queue.submit(request(*range(8)))
    until(lambda: queue.get(job.id, "anonymous").progress[0] >= 2)
    s3.stop()
    time.sleep(2 * LEASE_S)
    away = queue.get(job.id, "anonymous")
    assert away.state == "running" and 2 <= away.progress[0] < 8
    s3.start()
    record = wait(queue, job.id, "anonymous", timeout_s=120)
    assert record.state == "done" and [item.attempts for item in record.items] == [1] * 8
    assert [tiny.number_of(queue.result(job.id, index, "anonymous").read()) for index in range(8)] == list(range(8))


def test_records_in_redis_and_messages_in_rabbitmq_go_with_an_object_store_too(
    s3: S3Server,
    rabbit_server: brokers.RabbitServer,
    redis_server: brokers.RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty(rabbit_server.url)
    monkeypatch.setenv("BSHM_BLOBS", s3.url)
    monkeypatch.setenv("BSHM_BLOBS_ENDPOINT", s3.endpoint)
    empty(redis_server.url)
    results = redis_server.url
    # What could not be deleted while the store was away belongs to no job any more, and is found soon here.
    options = replace(OPTIONS, orphan_s=2.0)
    queue = BrokerQueue(rabbit_server.url, results, blobs=s3.url, blobs_endpoint=s3.endpoint, options=options)
    processes = chaos.Workers(rabbit_server.url, results, tmp_path, LEASE_S, 0.2)
    processes.start()
    try:
        job = queue.submit(request(*range(4)))
        until(lambda: queue.get(job.id, "anonymous").progress[0] >= 1)
        s3.stop()
        time.sleep(1)
        s3.start()
        assert wait(queue, job.id, "anonymous", timeout_s=120).state == "done"
        assert [tiny.number_of(queue.result(job.id, index, "anonymous").read()) for index in range(4)] == list(range(4))
        until(lambda: len(s3.names()) == 4)
        assert all("/out-" in name for name in s3.names())
    finally:
        processes.stop()
        queue.close()


def test_a_worker_killed_while_the_object_store_is_away_loses_nothing(
    s3: S3Server, opened: Opened, workers: Callable[[float], chaos.Workers]
) -> None:
    queue = opened()
    processes = workers(0.2)
    job = queue.submit(request(*range(5)))
    until(lambda: queue.get(job.id, "anonymous").progress[0] >= 1)
    s3.stop()
    time.sleep(0.5)
    processes.replace(processes.running[0])
    time.sleep(LEASE_S)
    s3.start()
    record = wait(queue, job.id, "anonymous", timeout_s=120)
    # The picture that was in the works, if it was not just between two.
    assert record.state == "done" and sum(item.attempts for item in record.items) in (5, 6)
    assert [tiny.number_of(queue.result(job.id, index, "anonymous").read()) for index in range(5)] == list(range(5))
    # The deletion that the killed worker was at may have died with it; whoever sweeps finds what it left.
    assert connect(s3.url, s3.endpoint).sweep({job.id: blobs_of(record)}.get, older_than_s=-5) <= 1
    assert sorted(s3.names()) == sorted(f"some/jobs/{item.result}" for item in record.items)


def test_a_store_that_stays_away_longer_than_a_worker_waits_costs_a_job_no_attempt(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shout(picture: bytes, name: str, options: JobOptions) -> Product:
        return Product(picture.upper(), "image/png")

    monkeypatch.setattr(runner, "_PATIENCE_S", 0.2)
    records = SqliteRecords(tmp_path / "jobs.sqlite3")
    store = JobStore(records, connect(s3.url, s3.endpoint), capacity=5)
    works = runner.Runner(store, shout, worker="w", options=OPTIONS, stopping=threading.Event())
    job, _ = store.submit(JobRequest((JobItem("a.png", b"a"), JobItem("b.png", b"b"))))
    s3.stop()
    for _ in range(OPTIONS.max_attempts + 1):
        with pytest.raises(errors.QueueUnavailableError):
            works.do(must(works.take(job.id)))
        waiting = store.get(job.id, "anonymous")
        assert (waiting.state, waiting.items[0].lease, waiting.items[0].attempts) == ("queued", None, 0)
        assert waiting.dispatched_at is None  # whoever looks for lost messages sends it anew
    s3.start()
    assert [works.do(must(works.take(job.id))) for _ in range(2)] == ["done", "ended"]
    assert works.take(job.id) is None
    assert [store.result(job.id, index, "anonymous").read() for index in range(2)] == [b"A", b"B"]
    works.close()
    records.close()


def must(claim: runner.Claim | None) -> runner.Claim:
    assert claim is not None
    return claim


def test_while_the_store_is_away_jobs_are_refused_soon_and_cancelled_all_the_same(s3: S3Server, opened: Opened) -> None:
    queue = opened()
    job = queue.submit(request(1))
    s3.stop()
    began = time.monotonic()
    with pytest.raises(errors.QueueUnavailableError):
        queue.submit(request(*range(100), idempotency_key="k"))
    assert time.monotonic() - began < 5
    assert queue.cancel(job.id, "anonymous").state == "cancelled"
    assert queue.depth() == 0
    s3.start()
    again = queue.submit(request(*range(3), idempotency_key="k"))
    assert len([name for name in s3.names() if again.id in name]) == 3
    # What could not be deleted is told apart from what is in use, and goes.
    blobs = connect(s3.url, s3.endpoint)
    spoken_of = {again.id: {str(item.input) for item in again.items}, job.id: set()}
    assert blobs.sweep(lambda job_id: spoken_of[job_id], older_than_s=-5) == 1
    assert len(s3.names()) == 3


def test_what_belongs_to_no_job_is_swept_away_once_it_is_old_and_looked_for_now_and_then(s3: S3Server) -> None:
    blobs = connect(s3.url, s3.endpoint)
    known, unknown = new_id(), new_id()
    for name in (f"{known}/in-0", f"{known}/out-0-of-a-dead-worker", f"{unknown}/in-0", f"{unknown}/in-1", "strange"):
        blobs.put(name, b"x")
    names = {known: {f"{known}/in-0"}}
    assert blobs.sweep(names.get, older_than_s=3600) == 0
    assert blobs.sweep(names.get, older_than_s=-5) == 0  # it was looked for just now
    assert connect(s3.url, s3.endpoint).sweep(names.get, older_than_s=-5) == 2
    assert s3.names() == sorted([f"some/jobs/{known}/in-0", "some/jobs/strange"])


def test_the_bytes_of_one_job_go_and_those_of_others_stay(s3: S3Server) -> None:
    blobs = connect(s3.url, s3.endpoint)
    mine, other = new_id(), new_id()
    for number in range(3):
        blobs.put(f"{mine}/in-{number}", b"x")
    blobs.put(f"{other}/in-0", b"x")
    blobs.delete_all(mine)
    blobs.delete_all(mine)
    assert s3.names() == [f"some/jobs/{other}/in-0"]


def test_an_object_store_that_cannot_be_used_says_so(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for url, endpoint in (
        ("s3://", None),
        ("s3://UPPER", None),
        ("s3:///jobs", None),
        ("s3://bucket/a b", None),
        (s3.url, "127.0.0.1:9000"),
        (s3.url, "http://"),
        (s3.url, "http://a b"),
        (s3.url, "ftp://host"),
    ):
        with pytest.raises(errors.OptionError, match="object store"):
            connect(url, endpoint)
    with pytest.raises(errors.OutputError, match="NoSuchBucket"):
        connect("s3://no-such-bucket/jobs", s3.endpoint)
    with pytest.raises(errors.OptionError, match="--blobs"):
        BrokerQueue("amqp://x", "s3://bucket/jobs")
    with pytest.raises(errors.OptionError, match="s3://"):
        BrokerQueue("amqp://x", "redis://x", blobs_endpoint=s3.endpoint)
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    with pytest.raises(errors.MissingExtraError, match=r"bshm\[s3\]"):
        connect(s3.url, s3.endpoint)


def test_a_store_that_refuses_later_than_at_the_start_is_waited_for_as_one_that_is_away(s3: S3Server) -> None:
    class Store(BaseHTTPRequestHandler):
        status = 200

        def do_GET(self) -> None:
            listing = "<ListBucketResult><Name>pictures</Name><IsTruncated>false</IsTruncated></ListBucketResult>"
            body = listing if self.status == 200 else "<Error><Code>ExpiredToken</Code></Error>"
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with listening(Store) as endpoint:
        blobs = connect(s3.url, endpoint)
        Store.status = 403
        with pytest.raises(errors.QueueUnavailableError, match="ExpiredToken"):
            blobs.get(f"{new_id()}/in-0")
        with pytest.raises(errors.OutputError, match="ExpiredToken"):
            connect(s3.url, endpoint)


def test_bytes_that_break_off_in_the_middle_are_no_bytes(s3: S3Server) -> None:
    class Store(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.send_header("ETag", '"x"')
            self.send_header("Last-Modified", "Wed, 25 Nov 2026 18:00:00 GMT")
            self.end_headers()
            self.wfile.write(b"half a picture")

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with listening(Store) as endpoint, pytest.raises(errors.QueueUnavailableError):
        connect(s3.url, endpoint).get(f"{new_id()}/in-0")


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A store of the test's own; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_store_that_is_away_at_the_start_is_waited_for(
    s3: S3Server, opened: Opened, workers: Callable[[float], chaos.Workers]
) -> None:
    s3.stop()
    queue = opened()
    workers(0.0)
    with pytest.raises(errors.QueueUnavailableError):
        queue.submit(request(1))
    s3.start()
    job = queue.submit(request(1))
    assert wait(queue, job.id, "anonymous", timeout_s=120).state == "done"


def test_a_job_over_http_has_its_pictures_in_the_object_store(
    fake: None, s3: S3Server, opened: Opened, redis_server: brokers.RedisServer, workers: Any, tmp_path: Path
) -> None:
    settings = Settings(
        broker=redis_server.url,
        blobs=s3.url,
        blobs_endpoint=s3.endpoint,
        keys_file=tmp_path / "keys.json",
        cache="off",
    )
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        accepted = client.post("/jobs", files={"image": ("1.png", tiny.picture(1))})
        assert accepted.status_code == 202
        place = accepted.headers["location"]
        assert client.get(f"{place}/results/0").status_code == 409
        workers(0.0)
        until(lambda: client.get(place).json()["state"] == "done")
        result = client.get(f"{place}/results/0")
        assert tiny.number_of(result.content) == 1 and Image.open(io.BytesIO(result.content)).size == (32, 24)
        s3.stop()
        refused = client.get(f"{place}/results/0")
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
        assert refused.headers["content-type"] == "application/problem+json"
        assert "127.0.0.1" not in refused.text and client.get(place).json()["state"] == "done"
        refused = client.post("/jobs", files={"image": tiny.picture(2)})
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
        s3.start()
        assert client.get(f"{place}/results/0").content == result.content
        assert client.delete(place).status_code == 204 and s3.names() == []


def test_the_embedded_queue_takes_no_object_store(fake: None, tmp_path: Path) -> None:
    settings = Settings(results=str(tmp_path), blobs="s3://bucket/jobs", keys_file=tmp_path / "keys.json", cache="off")
    with pytest.raises(errors.OptionError, match="--broker"), TestClient(create_app(settings)):
        pass
