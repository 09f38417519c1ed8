"""How much memory `bshm.video.convert` takes on a long clip: a clip of many small frames, and what the process holds.

    python benchmarks/video_memory.py [--frames 10000] [--size 96x64] [--model bshm-live|fake]

A reddish disc walks over noise, from H.264 to FFV1 with alpha, steady in time, in segments as always.  Resident memory
is noted every tenth of the clip, and once more after the file was joined and read back.  Results go to
results/video_memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from bshm.pipeline import Matting
from bshm.types import PixelArray
from bshm.video import VideoOptions, convert
from bshm.video.conversion import Progress
from bshm.video.library import av

RESULT = Path(__file__).with_name("results") / "video_memory.json"


def resident_mb() -> float:
    """What the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def pictures(count: int, size_hw: tuple[int, int]) -> Iterator[PixelArray]:
    """A reddish disc that walks over noise."""
    rng = np.random.default_rng(0)
    wall = rng.integers(40, 120, (*size_hw, 3)).astype(np.uint8)
    for number in range(count):
        frame = wall.copy()
        x = round(size_hw[1] * (0.5 + 0.3 * np.sin(number / 40)))
        cv2.circle(frame, (x, size_hw[0] // 2), size_hw[0] // 4, (224, 120, 110), -1)
        yield frame


def write(path: Path, count: int, size_hw: tuple[int, int]) -> None:
    """The clip."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30))
        stream.height, stream.width = size_hw
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for pixels in pictures(count, size_hw):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode(None))


def main() -> None:
    """Run and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--size", default="96x64")
    parser.add_argument("--model", default="bshm-live", help="`fake`: that of the tests, for which red is a person")
    arguments = parser.parse_args()
    if arguments.model == "fake":
        sys.path.append(str(Path(__file__).parents[1] / "tests"))
        import fake_network

        fake_network.install(setattr)
    model = "bshm" if arguments.model == "fake" else arguments.model
    width, height = map(int, arguments.size.split("x"))
    every = max(1, arguments.frames // 10)
    held: dict[int, float] = {}

    def note(done: Progress) -> None:
        if done.frames % every == 0 or done.frames == 100:
            held[done.frames] = round(resident_mb(), 1)
            print(done.frames, held[done.frames], "MB", flush=True)

    with tempfile.TemporaryDirectory() as folder, Matting(model=model, threads=1) as matting:
        clip = Path(folder) / "clip.mp4"
        write(clip, arguments.frames, (height, width))
        begun = time.perf_counter()
        made = convert(
            clip, Path(folder) / "out.mkv", options=VideoOptions(codec="ffv1"), matting=matting, progress=note
        )
        seconds = time.perf_counter() - begun
        after = round(resident_mb(), 1)
    result = {
        "model": arguments.model,
        "size": arguments.size,
        "frames": made.frames,
        "resident_mb_at_frame": held,
        "resident_mb_after": after,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
        "seconds": round(seconds, 1),
        "load_1min": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
