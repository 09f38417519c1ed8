"""A process with an embedded queue, to be killed: ``python embedded_process.py FOLDER JOBS``.

It submits jobs 0 to JOBS - 1 with their numbers as idempotency keys, says which id each got once it is accepted, and
says ``drained`` when all have ended.  A picture called ``poison`` ends the process as the system does when memory runs
out.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from bshm.jobs import EmbeddedQueue, JobItem, JobOptions, JobRequest, Product
from bshm.jobs.options import QueueOptions


def work(picture: bytes, name: str, options: JobOptions) -> Product:
    if name == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(random.random() * 0.03)
    return Product(b"result of " + picture, "image/png")


def main() -> None:
    """Submit, then wait until nothing is left."""
    folder, jobs = Path(sys.argv[1]), int(sys.argv[2])
    queue = EmbeddedQueue(folder, work, options=QueueOptions(workers=2, sweep_s=0.2))
    for number in range(jobs):
        names = [f"{number}.png", "poison", f"{number}-more.png"] if number == 0 else [f"{number}.png"]
        items = tuple(JobItem(name, name.encode()) for name in names)
        record = queue.submit(JobRequest(items, idempotency_key=str(number)))
        sys.stdout.write(f"{number} {record.id}\n")
        sys.stdout.flush()
    while queue.depth():
        time.sleep(0.02)
    sys.stdout.write("drained\n")
    sys.stdout.flush()
    queue.close()


if __name__ == "__main__":
    main()
