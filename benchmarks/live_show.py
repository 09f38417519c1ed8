"""How fast `bshm live` is: a clip as the camera, to a sink that throws frames away.

    python benchmarks/live_show.py CLIP [--size 640x480] [--seconds 20]

Prints mattes a second, the age of a frame when it reaches the sink, and the size at which pictures were matted when
the run ended (it shrinks when there is no time).  The clip is enlarged to the camera's size and loops.  Results go to
results/live_show.json.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np

from bshm import geometry
from bshm.live.camera import Camera
from bshm.live.show import Show
from bshm.pipeline import Matting
from bshm.types import PixelArray
from bshm.video import reading
from bshm.video.backgrounds import ClipBackground
from bshm.video.library import av

FPS = 30
BACKGROUNDS = ("#00aa44", "blur")
RESULT = Path(__file__).with_name("results") / "live_show.json"


class Nowhere:
    """Throws frames away."""

    def write(self, pixels: PixelArray) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def as_camera(clip: Path, out: Path, size_hw: tuple[int, int], seconds: float) -> None:
    """``clip`` at the size and rate of a camera, forwards and backwards until it is long enough."""
    pictures = [geometry.cover(each.pixels, size_hw) for each in reading.frames(reading.probe(clip))]
    pictures += pictures[-2:0:-1]
    with av.open(str(out), "w") as container:
        stream = container.add_stream("mjpeg", rate=Fraction(FPS))
        stream.height, stream.width = size_hw
        stream.pix_fmt = "yuvj420p"
        for number in range(int(seconds * FPS)):
            pixels = np.ascontiguousarray(pictures[number % len(pictures)], np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode(None))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder, "camera.mkv")
        as_camera(arguments.clip, film, (height, width), arguments.seconds)
        matting = Matting(model="bshm-live")
        for spec in BACKGROUNDS:
            load = os.getloadavg()[0]
            with Camera(str(film), size_hw=(height, width), fps=FPS) as camera:
                show = Show(camera, matting, ClipBackground(spec), size_hw=(height, width), fps=FPS)
                show.run(Nowhere())
            rows[spec] = {**asdict(show.figures), "load_before": round(load, 1)}
            print(spec, rows[spec])
    RESULT.write_text(json.dumps({"size": arguments.size, "cores": os.cpu_count(), "runs": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
