"""A worker process: ``python fake_worker.py BROKER RESULTS LEASE_S PAUSE_S network|quick ITEM_TIMEOUT_S``.

``network`` is the real pipeline around the fake network, ``quick`` cuts out red with Pillow alone and starts sooner.
A picture called ``poison`` ends the process as the system does when memory runs out; one called ``hang`` is never done.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bshm.jobs.options import QueueOptions
from bshm.jobs.protocol import Product, Work
from bshm.jobs.records import JobOptions
from bshm.jobs.worker import run_worker


def network() -> Work:
    """The real pipeline around the fake network."""
    import fake_network

    from bshm.jobs.work import MattingWork
    from bshm.pipeline import Matting

    fake_network.install(setattr)
    return MattingWork(Matting())


def quick(data: bytes, name: str, options: JobOptions) -> Product:
    """Red is a person, without any of bshm."""
    from PIL import Image

    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.putalpha(picture.getchannel("R").point(lambda level: 255 if level > 200 else 0))
    file = io.BytesIO()
    picture.save(file, "png")
    return Product(file.getvalue(), "image/png", {"width": picture.width})


def main() -> int:
    """Work until told to stop."""
    broker, results, lease_s, pause_s, kind, item_timeout_s = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    made = network() if kind == "network" else quick

    def work(picture: bytes, name: str, options: JobOptions) -> Product:
        if name == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(float(pause_s) if name != "hang" else 3600)
        return made(picture, name, options)

    logging.info("ready")
    options = QueueOptions(
        workers=1,
        item_timeout_s=float(item_timeout_s),
        lease_s=float(lease_s),
        sweep_s=float(lease_s) / 4,
    )
    run_worker(
        broker,
        work,
        results=results,
        blobs=os.environ.get("BSHM_BLOBS"),
        blobs_endpoint=os.environ.get("BSHM_BLOBS_ENDPOINT"),
        options=options,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
