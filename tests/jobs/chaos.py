"""Jobs through a broker while workers are killed and the broker is restarted, and a count of what came out."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import tiny

from bshm.errors import EnvironmentFault, JobNotFoundError
from bshm.jobs import BrokerQueue, JobItem, JobRecord, JobRequest
from bshm.jobs.options import QueueOptions

_WORKER = Path(__file__).with_name("fake_worker.py")
_OWNERS = ("anna", "ben", "anonymous")


class Server(Protocol):
    """A broker that can be killed and started again."""

    url: str

    def start(self) -> None: ...
    def kill(self) -> None: ...


@dataclass
class Workers:
    """Worker processes, each with a log."""

    broker: str
    results: str
    folder: Path
    lease_s: float
    pause_s: float
    kind: str = "quick"
    item_timeout_s: float = 600.0
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: int = 0

    def start(self) -> subprocess.Popen[bytes]:
        """One more."""
        self.started += 1
        with (self.folder / f"worker-{self.started}.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    str(_WORKER),
                    self.broker,
                    self.results,
                    str(self.lease_s),
                    str(self.pause_s),
                    self.kind,
                    str(self.item_timeout_s),
                ],
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def replace(self, process: subprocess.Popen[bytes]) -> None:
        """Kill one with -9 and start another, as a supervisor does."""
        process.kill()
        process.wait()
        self.running.remove(process)
        self.start()

    def revive(self) -> int:
        """Start as many as have died."""
        dead = [each for each in self.running if each.poll() is not None]
        for each in dead:
            self.running.remove(each)
            self.start()
        return len(dead)

    def stop(self, timeout_s: float = 20.0) -> list[int]:
        """SIGTERM to all; their exit codes."""
        for each in self.running:
            each.terminate()
        codes = []
        for each in self.running:
            try:
                codes.append(each.wait(timeout_s))
            except subprocess.TimeoutExpired:
                each.kill()
                codes.append(each.wait())
        self.running.clear()
        return codes

    def log(self) -> str:
        """All logs, one after the other."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("worker-*.log")))


@dataclass(frozen=True)
class Outcome:
    """What became of the jobs.

    Attributes:
        jobs: how many were accepted.
        done: how many ended with their result.
        states: how many ended, or did not, in which state.
        crossed: results that belong to another job.
        twice: jobs that two workers say they ended.
        seen_by_others: jobs that another owner could get.
        inputs_left: pictures that are still in the store though their result is there.
        attempts: how many jobs were taken how often.
        killed, restarted: workers killed, and brokers.
        seconds: from the first submission to the last result.
    """

    jobs: int
    done: int
    states: dict[str, int]
    crossed: int
    twice: int
    seen_by_others: int
    inputs_left: int
    attempts: dict[int, int]
    killed: int
    restarted: int
    seconds: float


def run(
    broker: Server,
    results: str,
    folder: Path,
    *,
    jobs: int,
    workers: int,
    kills: int,
    restarts: int,
    pause_s: float,
    timeout_s: float,
    lease_s: float = 2.0,
    seed: int = 0,
) -> Outcome:
    """Send ``jobs`` jobs, kill ``kills`` workers and ``restarts`` times the broker meanwhile, and count.

    A client that gets an error sends its job again with the same idempotency key, as clients should.

    Args:
        broker: is running.
        results: URL of the store; may be the broker's.
        folder: for logs.
        jobs, workers: how many.
        kills, restarts: how often, at random moments spread over the run.
        pause_s: what each picture takes, beside the real work of a fake network.
        timeout_s: for all of it.
        lease_s: of the workers.
        seed: of the moments.
    """
    chance = random.Random(seed)
    options = QueueOptions(capacity=jobs, lease_s=lease_s, sweep_s=lease_s / 4)
    processes = Workers(broker.url, results, folder, lease_s, pause_s, kind="network")
    for _ in range(workers):
        processes.start()
    queue = BrokerQueue(broker.url, results, options=options)
    accepted: dict[int, JobRecord] = {}
    began = time.monotonic()
    deadline = began + timeout_s

    def submit() -> None:
        for number in range(jobs):
            while time.monotonic() < deadline:
                request = JobRequest(
                    (JobItem(f"{number}.png", tiny.picture(number)),),
                    owner=_OWNERS[number % len(_OWNERS)],
                    idempotency_key=f"key-{number}",
                )
                try:
                    accepted[number] = queue.submit(request)
                    break
                except EnvironmentFault:
                    time.sleep(0.2)

    sender = threading.Thread(target=submit)
    sender.start()
    try:
        # The n-th of k events happens when about n/(k+1) of the jobs have ended.
        events = ["kill"] * kills + ["restart"] * restarts
        chance.shuffle(events)
        thresholds = [jobs * (index + 1) / (len(events) + 1) for index in range(len(events))]
        killed = restarted = 0
        ended: set[int] = set()
        while time.monotonic() < deadline and len(ended) < jobs:
            for number, record in list(accepted.items()):
                if number not in ended:
                    try:
                        now = queue.get(record.id, record.owner)
                    except EnvironmentFault:
                        break
                    accepted[number] = now
                    if now.has_ended:
                        ended.add(number)
            while events and len(ended) >= thresholds[0]:
                thresholds.pop(0)
                if events.pop(0) == "kill":
                    time.sleep(chance.random() * 2 * pause_s)
                    processes.replace(chance.choice(processes.running))
                    killed += 1
                else:
                    broker.kill()
                    time.sleep(1)
                    broker.start()
                    restarted += 1
            time.sleep(0.05)
        seconds = time.monotonic() - began
        sender.join()
        return _counted(queue, accepted, processes, killed=killed, restarted=restarted, seconds=seconds)
    finally:
        processes.stop()
        queue.close()


def _counted(
    queue: BrokerQueue,
    accepted: dict[int, JobRecord],
    processes: Workers,
    *,
    killed: int,
    restarted: int,
    seconds: float,
) -> Outcome:
    crossed = done = seen = inputs = 0
    for number, record in accepted.items():
        if record.state != "done":
            continue
        done += 1
        crossed += tiny.number_of(queue.result(record.id, 0, record.owner).read()) != number
        inputs += record.items[0].input is not None
        try:
            queue.get(record.id, "somebody else")
            seen += 1
        except JobNotFoundError:
            pass
    ended = Counter(re.findall(r"job ([A-Za-z0-9_-]{32}) ended", processes.log()))
    return Outcome(
        jobs=len(accepted),
        done=done,
        states=dict(Counter(record.state for record in accepted.values())),
        crossed=crossed,
        twice=sum(count > 1 for count in ended.values()) + len(accepted) - len({each.id for each in accepted.values()}),
        seen_by_others=seen,
        inputs_left=inputs,
        attempts=dict(sorted(Counter(record.attempts for record in accepted.values()).items())),
        killed=killed,
        restarted=restarted,
        seconds=round(seconds, 1),
    )
