"""What surfaces are made of: their colour (linear light, 0..1), how rough and how shiny, patterns and prints."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from people3d.maths import Array, Random, pick, rotation


@dataclass(frozen=True)
class Material:
    """How a surface looks; ``shading.py`` reads it.

    Attributes:
        kind: ``plain``, ``skin``, ``cloth``, ``eye`` or ``print``.
        colour: (3,) linear RGB; of a pattern or picture its ground or mean.
        rough: 0 is a mirror, 1 is chalk.
        shine: strength of the reflection.
        bump: how deep the ribs of cloth are, 0..1.
        pattern: of cloth: ``plain``, ``stripe``, ``check``, ``dots``, ``noise`` or ``photo``.
        second: the pattern's other colour.
        scale, duty, ribs: patterns a metre, the share of the second colour, ribs a metre (radians).
        turn: (3, 3), how the pattern lies on the cloth.
        picture: (h, w, 3) linear RGB, for ``photo`` and ``print``.
        axes, low, span: which two axes of the thing a print covers, from where and how far.
    """

    kind: str
    colour: Array
    rough: float = 0.4
    shine: float = 0.5
    bump: float = 0.0
    pattern: str = "plain"
    second: Array = field(default_factory=lambda: np.zeros(3))
    scale: float = 1.0
    duty: float = 0.5
    ribs: float = 1000.0
    turn: Array = field(default_factory=lambda: np.eye(3))
    picture: Array = field(default_factory=lambda: np.zeros((1, 1, 3)))
    axes: tuple[int, int] = (0, 2)
    low: Array = field(default_factory=lambda: np.zeros(2))
    span: Array = field(default_factory=lambda: np.ones(2))


class Photos:
    """Photographs that light the scenes and give patterns to cloth and covers.

    Args:
        folder: pictures (``*.jpg``) in folders below it are used.

    Raises:
        FileNotFoundError: there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(str(path) for path in Path(folder).glob("*/*.jpg"))
        if not self.paths:
            raise FileNotFoundError(
                f"light and cloth need photographs: a folder of folders with *.jpg; {folder} has none.  "
                "Name another with --photos, such as the backgrounds of the training data."
            )

    def open(self, rng: Random) -> Image.Image:
        """One of them."""
        return Image.open(self.paths[rng.integers(len(self.paths))]).convert("RGB")

    def square(self, rng: Random) -> Array:
        """One of them as (256, 256, 3) linear light."""
        picture: Array = (np.asarray(self.open(rng).resize((256, 256)), float) / 255) ** 2.2
        return picture


def plain(colour: npt.ArrayLike, rough: float = 0.4, shine: float = 0.5) -> Material:
    """One colour."""
    return Material("plain", np.asarray(colour, float), rough, shine)


def paint(rng: Random, rough: float = 0.4, shine: float = 0.5, dark: float = 1.5) -> Material:
    """A random colour; the larger ``dark``, the darker it tends to be."""
    return plain(rng.random(3) ** dark * 0.8 + 0.01, rough, shine)


def printed(
    picture: Array, points: Array, axes: tuple[int, int] = (0, 2), rough: float = 0.4, shine: float = 0.4
) -> Material:
    """A picture over the whole extent of a thing, along two of its axes."""
    low, high = points.min(0)[list(axes)], points.max(0)[list(axes)]
    span = np.maximum(high - low, 1e-6)
    return Material("print", picture.mean((0, 1)), rough, shine, picture=picture, axes=axes, low=low, span=span)


def page(rng: Random) -> Array:
    """A written page as (256, 256, 3): grey words on white, headings, at times a block of colour."""
    p: Array = np.full((256, 256, 3), rng.uniform(0.6, 0.85)) * np.array([1, 0.99, rng.uniform(0.88, 1)])
    y = 20
    while y < 236:
        height = int(rng.choice([3, 3, 3, 7]))
        x = 20
        while x < 230:
            width = int(rng.integers(6, 26))
            p[y : y + height, x : min(x + width, 236)] *= rng.uniform(0.15, 0.5)
            x += width + 4
        y += height + int(rng.integers(5, 9))
    if rng.random() < 0.5:
        a, b = rng.integers(20, 120, 2)
        p[a : a + 80, b : b + 100] = rng.random(3) * 0.6
    return p


def cloth(rng: Random, photos: Photos, bump: float) -> Material:
    """A random cloth.  Patterns live in the rest pose, so that they follow the body."""

    def dye() -> Array:
        hue, saturation, value = rng.random(), rng.choice([0.05, 0.3, 0.6, 0.9]), rng.choice([0.05, 0.2, 0.45, 0.8])
        dyed: Array = np.array(colorsys.hsv_to_rgb(hue, saturation, value)) ** 1.3 + 0.004
        return dyed

    colour, second = dye(), dye()
    rough, shine = rng.uniform(0.6, 1), rng.uniform(0.1, 0.6)
    pattern = pick(rng, {"plain": 4, "stripe": 2, "check": 2, "dots": 1, "noise": 1.5, "photo": 2})
    scale, duty, ribs = rng.uniform(8, 45), rng.uniform(0.25, 0.6), rng.uniform(600, 1500)
    turn = rotation(rng.normal(size=3), rng.choice([0, rng.uniform(0, 1.5)], p=[0.6, 0.4]))
    picture = photos.square(rng) if pattern == "photo" else np.zeros((1, 1, 3))
    if pattern == "photo":
        colour = picture.mean((0, 1))
    return Material("cloth", colour, rough, shine, bump, pattern, second, scale, duty, ribs, turn, picture)


def iris(rng: Random) -> Material:
    """An eye: brown, dark, blue or green."""
    colours = [(0.12, 0.05, 0.02), (0.05, 0.02, 0.01), (0.1, 0.2, 0.35), (0.12, 0.2, 0.1)]
    return Material("eye", np.array(colours[rng.integers(4)]), 0.12, 1.0)
