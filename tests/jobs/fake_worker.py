"""A worker process around the fake network: ``python fake_worker.py BROKER RESULTS LEASE_S VISIBILITY_S PAUSE_S``.

A picture called ``poison`` ends the process as the system does when memory runs out.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import fake_network

from bshm.jobs.celery_worker import run_worker
from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import Product
from bshm.jobs.records import JobOptions
from bshm.jobs.work import MattingWork
from bshm.pipeline import Matting


def main() -> int:
    """Work until told to stop."""
    broker, results, lease_s, visibility_s, pause_s = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    fake_network.install(setattr)
    matting_work = MattingWork(Matting())

    def work(data: bytes, name: str, options: JobOptions) -> Product:
        if name == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(float(pause_s))
        return matting_work(data, name, options)

    options = QueueOptions(
        workers=1, lease_s=float(lease_s), sweep_s=float(lease_s) / 4, visibility_timeout_s=float(visibility_s)
    )
    return run_worker(broker, work, results=results, options=options)


if __name__ == "__main__":
    sys.exit(main())
