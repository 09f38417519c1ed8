"""What a frame of a video call costs: 256x160, one core.

    python benchmarks/live.py [rounds]

Frames of one scene as arrays, `bshm-live` opened with one thread: the mask network alone, and the whole matte (mask
prediction and edge-aware filter) that a frame is blended by.  Both in turn; the median counts, and the fastest run
stands beside it, which is what the machine does when nothing else wants it.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

import cv2
from hair import scene
from rounds import in_turn, machine, target, write

from bshm.matting.engines import Staged
from bshm.options import MatteOptions
from bshm.pipeline import Matting

FRAME_HW = (160, 256)


def main(rounds: int = 100) -> None:
    before = machine()
    frame = cv2.resize(scene((1080, 1728)).pixels, FRAME_HW[::-1], interpolation=cv2.INTER_AREA)
    live = Matting(model="bshm-live", device="cpu", threads=1)
    engine = live.engine
    assert isinstance(engine, Staged)
    # The filter's part: OpenCV would take every core there is.
    cv2.setNumThreads(1)
    options = MatteOptions(decontaminate=False)
    times = in_turn({"mask network": lambda: engine.mask(frame), "matte": lambda: live.matte(frame, options)}, rounds)
    report: dict[str, Any] = {
        "machine": before,
        "rounds": rounds,
        "frame": "256x160",
        "ms": {
            name: {
                "median": round(1000 * statistics.median(each), 2),
                "fastest": round(1000 * min(each), 2),
                "quartiles": [round(1000 * part, 2) for part in statistics.quantiles(each, n=4)],
            }
            for name, each in times.items()
        },
        "targets": [
            target(f"a frame on one core, {name}, ms", 1000 * statistics.median(each), 10)
            for name, each in times.items()
        ],
    }
    write("live", report)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
