"""Held-out pictures with their alpha, by kind: people and scenes that training never saw.

``python benchmarks/quality.py DATA pictures FOLDER`` writes them.

*portrait* and *group* are studio busts with single hairs, one and three (with passers-by of the street set), over
scenes; *close* the same with the face filling the frame; *small* people far away; *walker* one person from head to
foot; *turned* portraits and walkers in a frame that was turned or tilted; *grey-dark* black-and-white pictures and dark
rooms, in turn.  In all of these alpha is exact: it is what the person was laid over the scene with.  *street* are real
photographs with masks drawn over superpixels (off by a pixel or two along every edge); *nobody* scenes without people.
All of these share their studio, streets and scenes with the training data; ``wide.py`` has the kinds that do not.

The seed fixes every picture.  Each kind has a generator of its own, but for portrait and group, which share one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import wide

from bshm.training.data import DataFolder, Labelled
from bshm.training.scenes import (
    Cutout,
    Scene,
    background_view,
    composite_scene,
    cutout_of,
    photograph,
    placement,
    warp,
)

SEED = 2026
# Of the street set: masks drawn around a shadow and a car's door as well.  As cut-outs they would ask for both.
MISDRAWN = ("ccp/0142", "ccp/0161")
LONGEST_PX = 1024
UPRIGHT_HW, ACROSS_HW = (LONGEST_PX, 832), (768, LONGEST_PX)

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Random = np.random.Generator


@dataclass(frozen=True)
class Pools:
    """Held-out people and scenes.

    Attributes:
        busts: studio portraits with true alpha, cut by the frame's bottom.
        walkers: whole people of the street set, their drawn masks shrunk and softened.
        well_drawn: those of them whose masks hold the person alone.
        street: the pictures of that set themselves.
        backgrounds: scenes without people.
    """

    busts: list[Cutout]
    walkers: list[Cutout]
    well_drawn: list[Cutout]
    street: list[Labelled]
    backgrounds: list[Bytes]

    @classmethod
    def load(cls, root: Path) -> Pools:
        """Decode the validation splits."""
        data = DataFolder(root)
        street = list(data.ccp("validation", None))
        walkers = [cutout_of(item, flush=bool(item.mask[-2:].max() > 127)) for item in street]
        return cls(
            [cutout_of(item, flush=True, white_shirt=True) for item in data.keyed("london", "validation", None)],
            walkers,
            [walker for item, walker in zip(street, walkers, strict=True) if item.name not in MISDRAWN],
            street,
            # Scenes of other sets would make other pictures of the same seeds.
            [image for name, image in data.backgrounds("validation", None) if name.startswith("backgrounds/")],
        )


def picked(pool: Sequence[Cutout], rng: Random) -> Cutout:
    """Any one of them."""
    return pool[int(rng.integers(len(pool)))]


def background(pools: Pools, rng: Random) -> Bytes:
    """Any scene, not yet cut to the frame."""
    return pools.backgrounds[int(rng.integers(len(pools.backgrounds)))]


def portrait(pools: Pools, rng: Random, _: int) -> Scene:
    """One bust."""
    people = [picked(pools.busts, rng)]
    return composite_scene(people, background(pools, rng), pools.backgrounds, UPRIGHT_HW, rng, occlude=False)


def group(pools: Pools, rng: Random, _: int) -> Scene:
    """Three people, partly hidden by each other, at any scale."""
    people = [picked(pools.busts + pools.walkers, rng) for _ in range(3)]
    scene = composite_scene(people, background(pools, rng), pools.backgrounds, ACROSS_HW, rng, occlude=False)
    return photograph(scene, rng)


def close(pools: Pools, rng: Random, _: int) -> Scene:
    """A face that fills the frame: the head of a bust, which is the upper six tenths of its height."""
    person = picked(pools.busts, rng)
    height, width = person.alpha.shape
    scale = UPRIGHT_HW[0] * rng.uniform(1.0, 1.3) / (0.6 * height)
    anchor = (width / 2 + rng.normal(0, 0.02) * width, height * rng.uniform(0.3, 0.36))
    target = (UPRIGHT_HW[1] / 2, UPRIGHT_HW[0] / 2)
    # A lean of more would bring the cut-out's sides into the frame.
    matrix = placement(anchor, target, scale=scale, degrees=rng.normal(0, 2), mirrored=bool(rng.random() < 0.5))
    return photograph(_laid(pools, [(person, matrix)], UPRIGHT_HW, rng), rng)


def small(pools: Pools, rng: Random, _: int) -> Scene:
    """One to three people far away, an eighth to a third of the frame's height, their feet on one level or nearly."""
    height, width = ACROSS_HW
    tall, ground = rng.uniform(0.13, 0.33) * height, rng.uniform(0.6, 0.95) * height
    count = int(rng.integers(1, 4))
    # Side by side in parts of the frame of their own, so that nobody hides anybody.
    parts = rng.permutation(4)[:count]
    people = [picked(pools.well_drawn, rng) for _ in range(count)]
    placed = [
        (person, _standing(person, tall * rng.uniform(0.92, 1.08), (part + 0.5) / 4 * width, ground, rng))
        for person, part in zip(people, parts, strict=True)
    ]
    return photograph(_laid(pools, placed, ACROSS_HW, rng), rng)


def walker(pools: Pools, rng: Random, _: int) -> Scene:
    """One person from head to foot."""
    height, width = UPRIGHT_HW
    person = picked(pools.well_drawn, rng)
    foot = height * rng.uniform(0.88, 0.99)
    matrix = _standing(person, foot * rng.uniform(0.72, 0.98), width * rng.uniform(0.35, 0.65), foot, rng)
    return photograph(_laid(pools, [(person, matrix)], UPRIGHT_HW, rng), rng)


def turned(pools: Pools, rng: Random, index: int) -> Scene:
    """A frame on its side or head, or tilted by any angle and seen askew, in turn; busts and walkers."""
    scene = (portrait if index % 4 < 2 else walker)(pools, rng, index)
    if index % 2 == 0:
        turns = int(rng.integers(1, 4))
        return Scene(*(np.ascontiguousarray(np.rot90(plane, turns)) for plane in (scene.image, scene.alpha)), True)
    # The largest frame of the same shape inside the tilted one, so that no corner has to be made up.
    height, width = scene.alpha.shape
    angle = np.deg2rad(rng.uniform(15, 60)) * rng.choice([-1, 1])
    cos, sin = abs(np.cos(angle)), abs(np.sin(angle))
    scale = max((width * cos + height * sin) / width, (width * sin + height * cos) / height)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([width / 2, height / 2])
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = turn, centre - turn @ centre
    askew = np.eye(3)
    askew[2, :2] = rng.uniform(-0.12, 0.12, 2) / (width, height)
    # Seen askew the frame's corners move inwards; a tenth more keeps them outside.
    more = np.array([[1.12, 0, -0.12 * width / 2], [0, 1.12, -0.12 * height / 2], [0, 0, 1]])
    matrix = more @ askew @ matrix
    return Scene(
        cv2.warpPerspective(scene.image, matrix, (width, height), flags=cv2.INTER_CUBIC).astype(np.uint8, copy=False),
        cv2.warpPerspective(scene.alpha, matrix, (width, height), flags=cv2.INTER_CUBIC).astype(np.uint8, copy=False),
        True,
    )


def grey_dark(pools: Pools, rng: Random, index: int) -> Scene:
    """A black-and-white picture, or a dark room with a sensor's noise."""
    scene = (portrait if index % 4 < 2 else group)(pools, rng, index)
    if index % 2 == 0:
        grey = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY)
        return Scene(np.repeat(grey[..., None], 3, axis=2), scene.alpha, True)
    light = (scene.image / 255.0) ** rng.uniform(1.6, 2.4) * rng.uniform(0.35, 0.6)
    noisy = light * 255 + rng.normal(0, rng.uniform(2, 5), light.shape)
    return Scene(np.clip(noisy + 0.5, 0, 255).astype(np.uint8), scene.alpha, True)


MADE: dict[str, tuple[Callable[[Pools, Random, int], Scene], int]] = {
    "close": (close, 12),
    "small": (small, 14),
    "walker": (walker, 14),
    "turned": (turned, 14),
    "grey-dark": (grey_dark, 14),
}


def write_pictures(data_root: Path, folder: Path) -> None:
    """The held-out pictures, as ``bshm eval`` reads them."""
    pools = Pools.load(data_root)
    shared = np.random.default_rng(SEED)
    for kind, make, count in (("portrait", portrait, 30), ("group", group, 20)):
        for index in range(count):
            _write(folder, kind, f"{index:03d}", make(pools, shared, index))
    # Portraits and groups are older than the finding about some masks and stay the pictures that they were.
    pools = replace(pools, walkers=pools.well_drawn)
    for number, (kind, (make, count)) in enumerate(MADE.items()):
        rng = np.random.default_rng((SEED, number))
        for index in range(count):
            _write(folder, kind, f"{index:03d}", make(pools, rng, index))
    for item in pools.street:
        _write(folder, "street", item.name.split("/")[-1], Scene(item.image, item.mask, False))
    for index, image in enumerate(pools.backgrounds[:20]):
        _write(folder, "nobody", f"{index:03d}", Scene(image, np.zeros(image.shape[:2], np.uint8), True))
    for judged in wide.pictures(data_root):
        _write(folder, judged.kind, judged.name, Scene(judged.image, judged.alpha, False), judged.counted)


def _standing(person: Cutout, tall: float, x: float, ground: float, rng: Random) -> Floats:
    """The matrix that makes a person so many pixels tall and puts the feet on a row."""
    height, width = person.alpha.shape
    turned = {"degrees": float(rng.normal(0, 2)), "mirrored": bool(rng.random() < 0.5)}
    return placement((width / 2, height), (x, ground), scale=tall / height, **turned)


def _laid(pools: Pools, placed: Sequence[tuple[Cutout, Floats]], size_hw: tuple[int, int], rng: Random) -> Scene:
    """People over a scene, each where its matrix says, the last in front."""
    image = background_view(background(pools, rng), size_hw, rng).astype(np.float32)
    union = np.zeros(size_hw, np.float32)
    for person, matrix in placed:
        alpha = warp(person.alpha, matrix, size_hw, cv2.BORDER_CONSTANT).astype(np.float32) / 255
        image += alpha[..., None] * (warp(person.foreground, matrix, size_hw, cv2.BORDER_REPLICATE) - image)
        union = alpha + (1 - alpha) * union
    return Scene((image + 0.5).astype(np.uint8), (union * 255 + 0.5).astype(np.uint8), True)


def _write(folder: Path, kind: str, name: str, scene: Scene, counted: Bytes | None = None) -> None:
    parts = {"images": cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR), "alphas": scene.alpha}
    if counted is not None:
        parts["counted"] = counted
    for part, array in parts.items():
        path = folder / kind / part / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), array):
            raise SystemExit(f"{path} cannot be written; is the disk full?")
