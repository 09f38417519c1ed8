"""kill -9 at random moments: every accepted job ends once, in its result or in a stated error."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

from bshm.jobs import EmbeddedQueue
from bshm.jobs.options import QueueOptions
from bshm.jobs.records import JobRecord

PROCESS = Path(__file__).with_name("embedded_process.py")
JOBS = 150
BOUND_S = 60.0


def test_every_job_that_was_accepted_ends_exactly_once_whenever_its_process_is_killed(tmp_path: Path) -> None:
    chance = random.Random(1)
    accepted: dict[int, set[str]] = {}
    drained = False
    kills = 0
    deadline = time.monotonic() + BOUND_S
    while not drained:
        assert time.monotonic() < deadline, f"not drained after {kills} kills"
        process = subprocess.Popen([sys.executable, str(PROCESS), str(tmp_path), str(JOBS)], stdout=subprocess.PIPE)
        # Seldom before the first submission, mostly in the midst of things; from the fortieth start on it may finish.
        if kills < 40:
            timer = threading.Timer(0.15 + chance.random() * 0.6, process.kill)
            timer.start()
        output, _ = process.communicate(timeout=BOUND_S)
        kills += process.returncode != 0
        for line in output.decode().splitlines():
            if line == "drained":
                drained = True
                break
            with contextlib.suppress(ValueError):  # a line cut short by the kill
                number, job_id = line.split()
                if len(job_id) == 32:
                    accepted.setdefault(int(number), set()).add(job_id)
    assert sorted(accepted) == list(range(JOBS))
    assert all(len(ids) == 1 for ids in accepted.values()), "a key got two jobs"
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.sqlite3")) as database:
        records = {row[0]: JobRecord.from_text(row[1]) for row in database.execute("SELECT id, record FROM jobs")}
    assert records.keys() == {next(iter(ids)) for ids in accepted.values()}

    queue = EmbeddedQueue(tmp_path, lambda picture, name, options: exit(1), options=QueueOptions(workers=1))
    try:
        for count, ids in accepted.items():
            record = queue.get(next(iter(ids)), "anonymous")
            # A job fails when nothing of it was done: the same three kills, where it is of one picture.
            assert record.state == ("done" if any(item.state == "done" for item in record.items) else "failed")
            for index, item in enumerate(record.items):
                if item.name == "poison":
                    assert item.error is not None
                    assert (item.state, item.error.code, item.attempts) == ("failed", "worker_lost", 3)
                    continue
                if item.state == "failed":  # three kills, each just while it was in the works
                    assert item.error is not None and item.error.code == "worker_lost" and item.attempts == 3
                    continue
                assert queue.result(record.id, index, "anonymous").read() == b"result of " + item.name.encode()
            assert record.items[0].name == f"{count}.png"
        done = sum(item.state == "done" for record in records.values() for item in record.items)
        assert done >= JOBS - 3
    finally:
        queue.close()
    assert kills >= 10
