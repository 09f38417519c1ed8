"""Jobs through a real Redis and a real RabbitMQ."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brokers
import chaos
import numpy as np
import pytest
import skimage
import tiny
from brokers import amqp_channel, empty
from live_service import surroundings
from PIL import Image

from bshm import errors
from bshm.cli import exit_codes, main
from bshm.jobs import BrokerQueue, JobItem, JobOptions, JobRequest, MattingWork, Webhook, wait
from bshm.jobs.messages import QUEUE, open_messages
from bshm.jobs.options import QueueOptions
from bshm.jobs.records import JobRecord
from bshm.options import DEFAULT_MODEL
from bshm.pipeline import Matting

LEASE_S = 1.5
OPTIONS = QueueOptions(capacity=50, lease_s=LEASE_S, sweep_s=0.3)

Server = Any


@pytest.fixture
def workers(broker: Server, results: str, tmp_path: Path) -> Iterator[Callable[..., chaos.Workers]]:
    """Starts workers, and stops them."""
    all_of_them: list[chaos.Workers] = []

    def start(count: int, *, pause_s: float = 0.0) -> chaos.Workers:
        made = chaos.Workers(broker.url, results, tmp_path, LEASE_S, pause_s)
        all_of_them.append(made)
        for _ in range(count):
            made.start()
        return made

    yield start
    for each in all_of_them:
        each.stop()


@pytest.fixture
def queue(broker: Server, results: str) -> Iterator[BrokerQueue]:
    opened = BrokerQueue(broker.url, results, options=OPTIONS)
    yield opened
    opened.close()


def request(*numbers: int, **more: Any) -> JobRequest:
    return JobRequest(tuple(JobItem(f"{number}.png", tiny.picture(number)) for number in numbers), **more)


def ended(
    queue: BrokerQueue, job: JobRecord, timeout_s: float = 120, worker: subprocess.Popen[bytes] | None = None
) -> JobRecord:
    """The job once it has ended; a worker that leaves meanwhile ends the wait."""
    deadline = time.monotonic() + timeout_s
    record = queue.get(job.id, job.owner)
    while not record.has_ended and time.monotonic() < deadline and (worker is None or worker.poll() is None):
        record = wait(queue, job.id, job.owner, timeout_s=0.5)
    assert record.has_ended, f"{record.state} after {timeout_s} s"
    return record


def test_every_job_ends_once_though_a_worker_is_killed_and_the_broker_restarted(
    broker: Server, results: str, tmp_path: Path
) -> None:
    outcome = chaos.run(
        broker, results, tmp_path,
        jobs=40, workers=2, kills=1, restarts=1, pause_s=0.05, timeout_s=180, lease_s=LEASE_S,
    )  # fmt: skip
    assert (outcome.jobs, outcome.done, outcome.states) == (40, 40, {"done": 40})
    assert (outcome.crossed, outcome.twice, outcome.seen_by_others, outcome.inputs_left) == (0, 0, 0, 0)
    assert (outcome.killed, outcome.restarted) == (1, 1)


def test_a_job_of_several_pictures_gives_each_its_own_result(
    queue: BrokerQueue, workers: Callable[..., chaos.Workers]
) -> None:
    workers(1)
    job = queue.submit(request(7, 8, 9, owner="anna", idempotency_key="k"))
    assert queue.submit(request(7, 8, 9, owner="anna", idempotency_key="k")).id == job.id
    record = ended(queue, job)
    assert [tiny.number_of(queue.result(job.id, index, "anna").read()) for index in range(3)] == [7, 8, 9]
    assert (record.items[0].details["width"], record.items[0].media_type) == (32, "image/png")
    with pytest.raises(errors.JobNotFoundError):
        queue.get(job.id, "ben")
    queue.delete(job.id, "anna")
    with pytest.raises(errors.JobNotFoundError):
        queue.get(job.id, "anna")


def test_a_picture_that_kills_its_workers_fails_after_three_attempts_and_the_rest_of_its_job_is_done(
    queue: BrokerQueue, workers: Callable[..., chaos.Workers]
) -> None:
    processes = workers(1)
    items = (JobItem("1.png", tiny.picture(1)), JobItem("poison", b"x"), JobItem("2.png", tiny.picture(2)))
    job = queue.submit(JobRequest(items))
    deadline = time.monotonic() + 120
    died = 0
    while not queue.get(job.id, "anonymous").has_ended:
        assert time.monotonic() < deadline
        died += processes.revive()
        time.sleep(0.05)
    record = ended(queue, job)
    assert [item.state for item in record.items] == ["done", "failed", "done"]
    assert record.items[1].error is not None
    assert (record.items[1].error.code, record.items[1].attempts, died) == ("worker_lost", 3, 3)


def test_messages_that_are_none_of_ours_are_thrown_away_and_the_worker_goes_on(
    broker: Server, queue: BrokerQueue, workers: Callable[..., chaos.Workers]
) -> None:
    messages = open_messages(broker.url)
    for strange in ("x" * 32, "../../etc", "", "nonsense", "\0" * 32, "a" * 100_000, "\N{SNOWMAN}", '{"id": "x"}'):
        messages.send(strange)
    messages.close()
    if isinstance(broker, brokers.RabbitServer):
        import amqp

        with amqp_channel(broker.url) as channel:
            for content_type in ("application/json", "application/x-python-serialize", "text/plain"):
                message = amqp.Message(b"\x80nonsense", content_type=content_type, content_encoding="utf-8")
                channel.basic_publish(message, exchange="", routing_key=QUEUE)
    processes = workers(1)
    record = ended(queue, queue.submit(request(5)))
    assert record.state == "done"
    assert processes.revive() == 0


def test_a_message_that_the_broker_lost_is_sent_again(
    broker: Server, queue: BrokerQueue, workers: Callable[..., chaos.Workers]
) -> None:
    jobs = [queue.submit(request(number)) for number in range(3)]
    assert taken(broker.url) == [job.id for job in jobs]
    workers(1)
    assert [ended(queue, job).state for job in jobs] == ["done"] * 3


def taken(url: str) -> list[str]:
    """What the broker holds, which it does not any more."""
    messages = open_messages(url)
    receiver = messages.receiver()
    found = []
    while (message := receiver.take(0.1)) is not None:
        found.append(message.text)
        message.accept()
    receiver.close()
    messages.close()
    return found


def test_a_lost_message_is_sent_again_though_the_broker_has_those_of_other_jobs(
    broker: Server, results: str, workers: Callable[..., chaos.Workers]
) -> None:
    queue = BrokerQueue(broker.url, results, options=QueueOptions(lease_s=0.5, sweep_s=0.1))
    lost = queue.submit(request(1))
    assert taken(broker.url) == [lost.id]
    others = [queue.submit(request(number)) for number in range(2, 5)]
    deadline = time.monotonic() + 120
    messages = open_messages(broker.url)
    while messages.waiting() < 4:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)  # no more than there are jobs, however long nobody takes them
    assert messages.waiting() == 4
    messages.close()
    workers(1)
    assert [ended(queue, job).state for job in (lost, *others)] == ["done"] * 4
    queue.close()


def test_two_workers_share_the_pictures_of_one_job(
    queue: BrokerQueue, workers: Callable[..., chaos.Workers], tmp_path: Path
) -> None:
    processes = workers(2, pause_s=0.3)
    for log in (tmp_path / "worker-1.log", tmp_path / "worker-2.log"):
        until(lambda log=log: "ready" in log.read_text())  # type: ignore[misc]
    job = queue.submit(request(*range(8)))
    at_once = 0
    names = set()
    while not (record := queue.get(job.id, "anonymous")).has_ended:
        leases = [item.lease for item in record.items if item.lease is not None]
        at_once = max(at_once, len(leases))
        names |= {lease.worker for lease in leases}
        time.sleep(0.02)
    assert (record.state, at_once, len(names)) == ("done", 2, 2)
    assert [item.attempts for item in record.items] == [1] * 8
    assert [tiny.number_of(queue.result(job.id, index, "anonymous").read()) for index in range(8)] == list(range(8))
    assert processes.log().count(f"job {job.id} ended") == 1


def test_a_small_job_does_not_wait_for_a_large_one_before_it(
    queue: BrokerQueue, workers: Callable[..., chaos.Workers]
) -> None:
    large = queue.submit(request(*range(30)))
    small = queue.submit(request(40))
    workers(1, pause_s=0.1)
    ended(queue, small)
    assert queue.get(large.id, "anonymous").progress[0] < 15
    queue.cancel(large.id, "anonymous")


def until(true: Callable[[], bool], timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_message_that_comes_twice_gives_one_result(
    broker: Server, queue: BrokerQueue, workers: Callable[..., chaos.Workers]
) -> None:
    processes = workers(2, pause_s=0.2)
    job = queue.submit(request(3))
    messages = open_messages(broker.url)
    for _ in range(6):
        messages.send(job.id)
    messages.close()
    record = ended(queue, job)
    ended(queue, queue.submit(request(4)))  # the messages before it have been handled by then
    assert (record.attempts, record.items[0].attempts) == (1, 1)
    assert processes.log().count(f"job {job.id} ended") == 1


def test_a_stopped_worker_gives_the_rest_of_its_job_to_another_without_losing_an_attempt(
    queue: BrokerQueue, workers: Callable[..., chaos.Workers]
) -> None:
    first = workers(1, pause_s=0.3)
    job = queue.submit(request(*range(10)))
    while queue.get(job.id, "anonymous").progress[0] < 2:
        time.sleep(0.02)
    assert first.stop() == [0]
    halfway = queue.get(job.id, "anonymous")
    assert all(item.lease is None for item in halfway.items)
    assert 2 <= halfway.progress[0] < 10
    workers(1)
    record = ended(queue, job)
    assert [item.attempts for item in record.items] == [1] * 10
    assert [tiny.number_of(queue.result(job.id, index, "anonymous").read()) for index in range(10)] == list(range(10))


def test_a_frozen_worker_loses_its_job_and_its_late_result_counts_for_nothing(
    queue: BrokerQueue, workers: Callable[..., chaos.Workers]
) -> None:
    first = workers(1, pause_s=1.0)
    job = queue.submit(request(6))
    while queue.get(job.id, "anonymous").state != "running":
        time.sleep(0.02)
    frozen = first.running[0]
    os.kill(frozen.pid, signal.SIGSTOP)
    try:
        workers(1)
        record = ended(queue, job)
        result = queue.result(job.id, 0, "anonymous").read()
        assert (record.attempts, tiny.number_of(result)) == (2, 6)
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    time.sleep(2.0)
    after = queue.get(job.id, "anonymous")
    assert (after.items, after.state, after.ended_at) == (record.items, "done", record.ended_at)
    assert queue.result(job.id, 0, "anonymous").read() == result


def test_a_picture_that_hangs_fails_in_time_and_a_worker_with_too_many_of_them_ends_to_be_replaced(
    broker: Server, results: str, queue: BrokerQueue, tmp_path: Path
) -> None:
    processes = chaos.Workers(broker.url, results, tmp_path, LEASE_S, 0.0, item_timeout_s=0.5)
    worker = processes.start()
    try:
        items = [
            JobItem("1.png", tiny.picture(1)),
            *(JobItem("hang", b"x") for _ in range(5)),
            JobItem("2.png", tiny.picture(2)),
        ]
        job = queue.submit(JobRequest(tuple(items)))
        # Four hang: it gives the rest of its job back and goes, as a supervisor would notice by its exit code.
        assert worker.wait(120) == 1
        assert processes.revive() == 1
        record = ended(queue, job)
        assert [item.state for item in record.items] == ["done", *["failed"] * 5, "done"]
        assert {item.error.code for item in record.items if item.error is not None} == {"overrun"}
        assert tiny.number_of(queue.result(job.id, 6, "anonymous").read()) == 2
        assert "pictures are stuck in this worker" in processes.log()
    finally:
        processes.stop()


def test_a_full_queue_refuses_and_takes_jobs_again_when_some_have_ended(
    broker: Server, results: str, workers: Callable[..., chaos.Workers]
) -> None:
    queue = BrokerQueue(broker.url, results, options=QueueOptions(capacity=3, sweep_s=0.3, lease_s=LEASE_S))
    jobs = [queue.submit(request(number)) for number in range(3)]
    with pytest.raises(errors.QueueFullError):
        queue.submit(request(4))
    workers(1)
    for job in jobs:
        ended(queue, job)
    assert ended(queue, queue.submit(request(4))).state == "done"
    queue.close()


def test_no_consumer_time_limit_of_rabbitmq_meets_a_long_job(
    rabbit_server: brokers.RabbitServer, redis_server: brokers.RedisServer, tmp_path: Path
) -> None:
    empty(rabbit_server.url)
    empty(redis_server.url)
    results = redis_server.url
    queue = BrokerQueue(rabbit_server.url, results, options=OPTIONS)
    # Each picture takes longer than a consumer may keep a message there, and the job far longer.
    processes = chaos.Workers(rabbit_server.url, results, tmp_path, LEASE_S, brokers.CONSUMER_TIMEOUT_S + 1)
    worker = processes.start()
    try:
        job = queue.submit(request(*range(2)))
        record = ended(queue, job, worker=worker)
        assert (record.state, [item.attempts for item in record.items]) == ("done", [1] * 2)
        assert processes.stop() == [0]
        assert "PRECONDITION_FAILED" not in processes.log()
    finally:
        processes.stop()
        queue.close()


def test_a_job_accepted_while_the_broker_is_away_is_done_when_it_is_back(
    rabbit_server: brokers.RabbitServer, redis_server: brokers.RedisServer, tmp_path: Path
) -> None:
    empty(redis_server.url)
    away = f"amqp://guest:guest@127.0.0.1:{brokers.free_port()}//"
    queue = BrokerQueue(away, redis_server.url, options=OPTIONS)
    began = time.monotonic()
    job = queue.submit(request(1))
    queue.submit(request(2))
    assert time.monotonic() - began < 5
    assert (job.state, queue.depth()) == ("queued", 2)
    queue.close()
    empty(rabbit_server.url)
    back = BrokerQueue(rabbit_server.url, redis_server.url, options=OPTIONS)
    processes = chaos.Workers(rabbit_server.url, redis_server.url, tmp_path, LEASE_S, 0.0)
    processes.start()
    try:
        assert ended(back, job).state == "done"
    finally:
        processes.stop()
        back.close()


def test_the_end_of_a_job_is_told_by_whoever_knows_the_secret(
    redis_server: brokers.RedisServer, tmp_path: Path
) -> None:
    empty(redis_server.url)
    told: list[str] = []

    def send(url: str, body: bytes, *, headers: Any, timeout_s: float) -> int:
        told.append(headers["X-Bshm-Delivery"])
        return 200

    queue = BrokerQueue(redis_server.url, options=OPTIONS, secrets={"key-1": "x"}, send=send)
    processes = chaos.Workers(redis_server.url, redis_server.url, tmp_path, LEASE_S, 0.0)
    processes.start()
    try:
        job = queue.submit(request(1, webhook=Webhook("https://example.com/told", "key-1")))
        ended(queue, job)
        deadline = time.monotonic() + 10
        while not told and time.monotonic() < deadline:
            time.sleep(0.05)
        assert told == [job.id]
    finally:
        processes.stop()
        queue.close()


def test_a_broker_or_a_store_that_is_none_is_refused(tmp_path: Path) -> None:
    for broker, results in (
        ("http://x", None),
        ("amqp://x", None),
        ("redis://x", "http://x"),
        ("amqp://x", f"file://{tmp_path}/store"),
        ("redis://x:port", None),
    ):
        with pytest.raises((errors.OptionError, errors.QueueUnavailableError)):
            BrokerQueue(broker, results)


@pytest.mark.real
def test_bshm_worker_takes_its_settings_from_file_and_environment_and_opens_the_model_that_a_job_asks_for(
    redis_server: brokers.RedisServer, tmp_path: Path
) -> None:
    empty(redis_server.url)
    portrait = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).save(portrait, "png")
    queue = BrokerQueue(redis_server.url, options=OPTIONS)
    (tmp_path / "bshm.toml").write_text(f'[server]\nbroker = "{redis_server.url}"\ndevice = "none"\nmodel = "none"\n')
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "bshm.cli", "worker", "--device", "cpu", "--visibility-timeout", "600"],
            stdout=log, stderr=log, cwd=tmp_path, env={**surroundings(tmp_path), "BSHM_MODEL": "bshm-lite"},
        )  # fmt: skip
    try:
        eileen = JobItem("eileen.png", portrait.getvalue())
        job = queue.submit(JobRequest((eileen, JobItem("none.png", b"no picture"))))
        lite = queue.submit(JobRequest((eileen,), JobOptions(model="bshm-lite")))
        other = queue.submit(JobRequest((eileen,), JobOptions(model="nonsense")))
        record = ended(queue, job, worker=worker)
        assert [item.state for item in record.items] == ["done", "failed"]
        assert record.items[0].details["model"] == "bshm"
        assert ended(queue, lite, worker=worker).items[0].details["model"] == "bshm-lite"
        assert [item.error and item.error.code for item in ended(queue, other, worker=worker).items] == [
            "unknown_model"
        ]
        assert record.items[1].error is not None
        assert record.items[1].error.code == "unreadable_picture"
        alpha = np.asarray(Image.open(io.BytesIO(queue.result(job.id, 0, "anonymous").read())))[..., 3]
        assert alpha.shape == (512, 512)
        assert 0.3 < alpha.mean() / 255 < 0.6  # as `bshm doctor` expects of this picture
    finally:
        worker.terminate()
        assert worker.wait(30) == 0, (tmp_path / "log").read_text()
        queue.close()
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert events[0].startswith("--visibility-timeout is ignored") and events[1] == "worker ready: bshm-lite on cpu"


def test_a_worker_without_a_broker_says_where_one_may_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["worker"]) == exit_codes.USAGE
    told = capsys.readouterr().err
    assert "--broker" in told and "BSHM_BROKER" in told and "bshm.toml" in told
    (tmp_path / "bshm.toml").write_text('[server]\nbroker = "http://x"\nresults = "jobs"\n')
    assert main(["worker"]) == exit_codes.USAGE
    assert "a broker needs the form amqp://" in capsys.readouterr().err


def test_a_worker_holds_few_models_and_lets_the_one_asked_for_longest_ago_go(fake: None) -> None:
    opened: list[str] = []

    def open_model(name: str) -> Matting:
        opened.append(name)
        return Matting()

    work = MattingWork(Matting(), others=2, open_model=open_model)

    def ask(model: str) -> None:
        work(tiny.picture(1), "1.png", JobOptions(model=model))

    for model in (DEFAULT_MODEL, "a", "b", "a", "c", "a", DEFAULT_MODEL):
        ask(model)
    assert opened == ["a", "b", "c"]
    ask("b")
    assert opened == ["a", "b", "c", "b"]
