"""Wait for a job."""

from __future__ import annotations

import time

from bshm.jobs.protocol import JobQueue
from bshm.jobs.records import JobRecord

_FIRST_S = 0.01
_LONGEST_S = 0.5


def wait(queue: JobQueue, job_id: str, owner: str, *, timeout_s: float) -> JobRecord:
    """The job when it has ended, or its state after ``timeout_s``.

    Raises:
        JobNotFoundError: see ``JobQueue.get``.
    """
    deadline = time.monotonic() + timeout_s
    pause = _FIRST_S
    while True:
        record = queue.get(job_id, owner)
        left = deadline - time.monotonic()
        if record.has_ended or left <= 0:
            return record
        time.sleep(min(pause, left))
        pause = min(_LONGEST_S, pause * 1.5)
