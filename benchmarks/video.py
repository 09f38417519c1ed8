"""How steady and how true video mattes are: per frame, with a plain filter over time, and with the memory of bshm.

    python benchmarks/video.py DATA [FRAMES]

Held-out keyed people move, sway and stand over scenes that move or stand, as a camera with noise sees it; alpha is
exact in every frame, as it is what the person was laid over the scene with.  Reported per clip and over all: MAD, dtSSD
(Erofeev et al., 2015), and *still*: how much alpha changes from frame to frame where neither the picture (before its
noise) nor the true alpha does.  All in thousandths, lower is better.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bshm.training.data import DataFolder, Labelled

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
    """Every kind, twice, with other people and scenes."""
    folder = DataFolder(data)
    people = list(folder.keyed("london", "validation", 900))
    scenes = [image for name, image in folder.backgrounds("validation", 1000) if name.startswith("backgrounds/")]
    for number, (name, kind) in enumerate(KINDS.items()):
        yield name, clip(kind, people, scenes, np.random.default_rng((SEED, number)), count)
