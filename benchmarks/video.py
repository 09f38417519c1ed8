"""How steady and how true video mattes are: per frame, with a plain filter over time, and with the memory of bshm.

    python benchmarks/video.py DATA [FRAMES] [MODEL] [SELFIE]

Held-out keyed people move, sway and stand over scenes that move or stand, as a camera with noise sees it; alpha is
exact in every frame, as it is what the person was laid over the scene with.  Reported per clip and over all: MAD, dtSSD
(Erofeev et al., 2015), and *still*: how much alpha changes from frame to frame where neither the picture (before its
noise) nor the true alpha does.  All in thousandths, lower is better.

Five ways with the same alphas of every frame: each frame alone; a plain exponential filter (half of the last frame); a
filter along the motion that feeds back into itself; bshm.video.steady as a live picture has it (earlier frames alone)
and as a file has it (both sides).  With SELFIE, MediaPipe's selfie_segmentation.tflite, beside them what programs for
calls do: that network on each frame and its mirror image, and the exponential filter.

And what a 720p clip costs on its way to H.264 over a colour, with `bshm-live`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rounds import machine, target, write

from bshm import geometry
from bshm.evaluation.metrics import FlickerTally
from bshm.options import MatteOptions
from bshm.pipeline import Matting
from bshm.training.data import DataFolder, Labelled
from bshm.training.teachers import teacher
from bshm.video import VideoOptions, convert, steady
from bshm.video.library import av

SEED = 2026
SIZE_HW = (480, 640)
NOISE_LEVELS = 3.0

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Kind:
    """How a clip moves, in pixels of the frame.

    Attributes:
        walk_px: the person's way from the first frame to the last.
        sway_px: how far a part of the body swings about its place.
        pan_px: the scene's way.
        people: how many.
    """

    walk_px: float
    sway_px: float
    pan_px: float
    people: int = 1


KINDS = {
    "call": Kind(walk_px=0, sway_px=5, pan_px=0),
    "still": Kind(walk_px=0, sway_px=0, pan_px=0),
    "walk": Kind(walk_px=150, sway_px=3, pan_px=0),
    "pan": Kind(walk_px=30, sway_px=4, pan_px=120),
    "chase": Kind(walk_px=120, sway_px=4, pan_px=90),
    "two": Kind(walk_px=40, sway_px=5, pan_px=0, people=2),
}


@dataclass(frozen=True)
class Frame:
    """What the camera saw, what was there without its noise, and the true alpha."""

    pixels: Bytes
    clean: Bytes
    alpha: Floats


def clip(kind: Kind, people: list[Labelled], scenes: list[Bytes], rng: np.random.Generator, count: int) -> list[Frame]:
    """``count`` frames; the generator fixes every one of them."""
    height, width = SIZE_HW
    scene = _cover(scenes[int(rng.integers(len(scenes)))], (height + 40, width + 40 + round(kind.pan_px)))
    shown = []
    for index in range(kind.people):
        item = people[int(rng.integers(len(people)))]
        scale = height * rng.uniform(0.8, 0.95) / item.mask.shape[0]
        size = (round(item.mask.shape[1] * scale), round(item.mask.shape[0] * scale))
        colour = cv2.resize(item.image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        alpha = cv2.resize(item.mask, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        middle = width * (index + 1) / (kind.people + 1)
        side = float(rng.choice([-1, 1]))
        shown.append((colour, alpha, middle - side * kind.walk_px / 2, side, rng.uniform(0, 6.28, 4)))
    frames = []
    for t in range(count):
        at = t / max(1, count - 1)
        clean = _moved(scene, 20 + kind.pan_px * at, 20 + min(1.0, kind.pan_px) * 8 * np.sin(5 * at))
        union = np.zeros(SIZE_HW, np.float32)
        for colour, alpha, left, side, phases in shown:
            x = left + side * kind.walk_px * at - alpha.shape[1] / 2
            map_x, map_y = _sway(x, height - alpha.shape[0] + 4, kind.sway_px, t / 25, phases)
            over = cv2.remap(alpha, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            seen = cv2.remap(colour, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            clean += over[..., None] * (seen - clean)
            union = over + (1 - over) * union
        noisy = clean + rng.standard_normal(clean.shape, dtype=np.float32) * np.float32(NOISE_LEVELS)
        frames.append(Frame(_bytes(noisy), _bytes(clean), union))
    return frames


def _sway(x: float, y: float, amount: float, seconds: float, phases: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Where each pixel of the frame lies in the person's picture: parts swing, the more the higher up they are."""
    rows, columns = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]].astype(np.float32)
    higher = 1 - rows / SIZE_HW[0]
    swing = np.sin(2.2 * seconds + phases[0] + 1.5 * higher) + 0.4 * np.sin(5 * seconds + phases[1] + columns / 90)
    nod = np.sin(3.1 * seconds + phases[2] + columns / 120)
    map_x = columns - x - amount * higher * swing
    map_y = rows - y - 0.4 * amount * higher * nod
    return map_x.astype(np.float32), map_y.astype(np.float32)


def _cover(image: Bytes, size_hw: tuple[int, int]) -> Floats:
    scale = max(size_hw[0] / image.shape[0], size_hw[1] / image.shape[1])
    size = (max(size_hw[1], round(image.shape[1] * scale)), max(size_hw[0], round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _moved(scene: Floats, x: float, y: float) -> Floats:
    matrix = np.array([[1, 0, x], [0, 1, y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(scene, matrix, SIZE_HW[::-1], flags=flags), np.float32)


def _bytes(values: Floats) -> Bytes:
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)


def clips(data: Path, count: int) -> Iterator[tuple[str, list[Frame]]]:
    """Every kind, each with people and scenes of its own."""
    folder = DataFolder(data)
    people = list(folder.keyed("london", "validation", 900))
    scenes = [image for name, image in folder.backgrounds("validation", 1000) if name.startswith("backgrounds/")]
    for number, (name, kind) in enumerate(KINDS.items()):
        yield name, clip(kind, people, scenes, np.random.default_rng((SEED, number)), count)


def ways(frames: list[Frame], alphas: list[Floats]) -> dict[str, list[Floats]]:
    """What each way makes of the same alphas."""
    pairs = [(None, frame.pixels, alpha) for frame, alpha in zip(frames, alphas, strict=True)]
    return {
        "per frame": alphas,
        "exponential": exponential(alphas),
        "fed back along the motion": fed_back(frames, alphas),
        "bshm, live": [alpha for _, alpha in steady.steadied(pairs, after=0)],
        "bshm, files": [alpha for _, alpha in steady.steadied(pairs)],
    }


def exponential(alphas: list[Floats]) -> list[Floats]:
    """Half of what there is, half of what was."""
    made = alphas[:1]
    for alpha in alphas[1:]:
        made.append((alpha + made[-1]) / 2)
    return made


def fed_back(frames: list[Frame], alphas: list[Floats]) -> list[Floats]:
    """Most of what was, carried along the motion where that is trusted, mixed with what there is."""
    flow = steady.new_flow()
    made: list[Floats] = []
    last: Any = None
    for frame, alpha in zip(frames, alphas, strict=True):
        seen = steady.flow_picture(frame.pixels)
        moved = None if last is None else steady.motion(last, seen, flow)
        found = alpha
        if moved is not None:
            trust = geometry.resize(np.minimum(moved.back_trust, moved.likeness), alpha.shape)
            way = geometry.resize(moved.back, alpha.shape)
            way *= np.array([alpha.shape[1] / seen.shape[1], alpha.shape[0] / seen.shape[0]], np.float32)
            found = alpha + np.float32(0.85) * trust * (steady.carried(made[-1], way) - alpha)
        made.append(np.clip(found, 0, 1))
        last = seen
    return made


def measured(frames: list[Frame], alphas: list[Floats]) -> dict[str, float]:
    """MAD, dtSSD and the change of alpha where nothing changes, in thousandths."""
    tally = FlickerTally()
    still: list[float] = []
    for index, (frame, alpha) in enumerate(zip(frames, alphas, strict=True)):
        tally.add(alpha, frame.alpha)
        if not index:
            continue
        before = frames[index - 1]
        seen = np.abs(frame.clean.astype(int) - before.clean).max(axis=2) <= 1
        # Far from any edge every way is calm, and would count the more the smaller a person is.
        edge = ((frame.alpha > 0.02) & (frame.alpha < 0.98)).astype(np.uint8)
        near = cv2.dilate(edge, np.ones((15, 15), np.uint8)) > 0
        where = seen & near & (np.abs(frame.alpha - before.alpha) < 1 / 255)
        if where.sum() > 200:
            still.append(float(np.abs(alpha - alphas[index - 1])[where].mean()))
    mad = float(np.mean([np.abs(alpha - frame.alpha).mean() for frame, alpha in zip(frames, alphas, strict=True)]))
    found = {"mad": 1000 * mad, "dtssd": 1000 * (tally.finish() or 0.0)}
    if still:
        found["still"] = 1000 * float(np.mean(still))
    return {name: round(value, 2) for name, value in found.items()}


def cost(frames: list[Frame]) -> dict[str, float]:
    """Milliseconds of processor a frame of a 720p clip takes to H.264 over a colour with `bshm-live`."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "clip.mp4", Path(folder) / "made.mp4"
        with av.open(str(source), "w") as container:
            stream: Any = container.add_stream("libx264", rate=30, options={"preset": "veryfast"})
            stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
            for frame in frames:
                large = np.asarray(cv2.resize(frame.pixels, (1280, 720), interpolation=cv2.INTER_CUBIC), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(large, "rgb24")))
            container.mux(stream.encode())
        matting = Matting(model="bshm-live", device="cpu")
        found = {}
        for name, calm in (("steady", True), ("each alone", False)):
            options = VideoOptions(background="#00b140", steady=calm, overwrite=True)
            began = time.process_time()
            done = convert(source, made, options=options, matting=matting)
            found[name] = round(1000 * (time.process_time() - began) / done.frames, 0)
            print(f"  720p to H.264 with bshm-live, {name}: {found[name]:g} ms of processor a frame", flush=True)
    return found


def main(data: Path, count: int = 30, model: str = "bshm", selfie: str | None = None) -> None:
    """Write results/video.json."""
    report: dict[str, Any] = {"machine": machine(), "model": model, "frames": count, "size": "640x480", "clips": {}}
    matting = Matting(model=model, device="cpu")
    alone = MatteOptions(decontaminate=False)
    look = None if selfie is None else teacher(f"mediapipe={selfie}")
    frames: list[Frame] = []
    for name, frames in clips(data, count):
        alphas = [matting.matte(frame.pixels, alone).alpha for frame in frames]
        made_by = ways(frames, alphas)
        if look is not None:
            made_by["MediaPipe, exponential"] = exponential([look(frame.pixels) for frame in frames])
        report["clips"][name] = {way: measured(frames, made) for way, made in made_by.items()}
        for way, found in report["clips"][name].items():
            print(f"  {name:<6} {way:<26} {found}", flush=True)
    report["all"] = {
        way: {
            value: round(float(np.mean([c[way][value] for c in report["clips"].values() if value in c[way]])), 2)
            for value in ("mad", "dtssd", "still")
        }
        for way in next(iter(report["clips"].values()))
    }
    base = report["all"]["per frame"]
    report["targets"] = [
        target(f"{value} of {way}, share of per frame", report["all"][way][value] / base[value], at_most)
        for way in ("bshm, live", "bshm, files")
        for value, at_most in (("dtssd", 0.5), ("mad", 1.0))
    ]
    # Not frames a second: on a busy machine those are mostly waiting.
    report["processor_ms_per_frame_720p"] = cost(frames)
    write("video", report)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), *[int(word) for word in sys.argv[2:3]], *sys.argv[3:5])
