"""Light: a photograph for the sky round a person, and up to three lamps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from people3d.figure import Layer
from people3d.materials import Photos
from people3d.maths import Array, Random, Surface, unit


@dataclass(frozen=True)
class Lamp:
    """A lamp: where it is, and its colour (3,) and power."""

    place: Array
    colour: Array
    power: float


@dataclass(frozen=True)
class Light:
    """All light of a picture.

    Attributes:
        sky: six directions and the linear RGB (3,) that comes from each.
        lamps: at most three.
    """

    sky: list[tuple[Array, Array]]
    lamps: list[Lamp]


def draw_light(rng: Random, photos: Photos, aim: Array, yaw: float) -> Light:
    """Light as in one of the photographs, and lamps about the head as photographers set them."""
    return Light(_sky(rng, photos), _lamps(rng, aim, yaw))


def _sky(rng: Random, photos: Photos) -> list[tuple[Array, Array]]:
    small = photos.open(rng).resize((16, 8), Image.Resampling.BOX).resize((64, 32), Image.Resampling.BICUBIC)
    picture = (np.asarray(small, np.float32) / 255) ** 2.2
    picture = np.clip(picture, 0, 1) ** rng.uniform(1, 1.6)
    picture = picture * 0.55 + picture.mean(2, keepdims=True) * 0.45
    picture *= rng.uniform(0.25, 0.9) / max(picture.mean(), 0.02)
    around = (np.arange(64) + 0.5) / 64 * 2 * np.pi - np.pi
    above = ((np.arange(32)[::-1] + 0.5) / 32 * np.pi - np.pi / 2)[:, None]
    way = [-np.cos(above) * np.cos(around), np.cos(above) * np.sin(around), np.sin(above) + 0 * around]
    directions = np.stack(way, -1)
    sky = []
    for d in np.concatenate([np.eye(3), -np.eye(3)]):
        share = np.clip(directions @ d, 0, 1) ** 2 * np.cos(above)
        sky.append((d, (picture * share[..., None]).sum((0, 1)) / share.sum()))
    return sky


def _lamps(rng: Random, aim: Array, yaw: float) -> list[Lamp]:
    lamps = []
    for role in ["key", "rim", "fill"][: rng.integers(1, 4)] if rng.random() < 0.9 else []:
        from_camera = {"key": rng.normal(0, 0.9), "rim": np.pi + rng.normal(0, 0.6), "fill": rng.normal(0, 1.5)}
        a, height, distance = yaw + from_camera[role], rng.uniform(0, 1.1), rng.uniform(1.5, 3)
        way = [np.sin(a) * np.cos(height), -np.cos(a) * np.cos(height), np.sin(height)]
        power = rng.uniform(20, 90) * distance**2 / 4 * {"key": 1, "rim": 1.3, "fill": 0.35}[role]
        colour = np.array([1, 0.86 + 0.14 * rng.uniform(-1, 1), 0.75 + 0.25 * rng.uniform(-1, 1)])
        lamps.append(Lamp(aim + distance * np.array(way), np.clip(colour, 0.3, 1), power / np.pi))
    return lamps


class HairShadow:
    """How much light comes through hair: its density on a grid of 12 mm, walked through."""

    CELL = 0.012

    def __init__(self, hair: Array, width: float) -> None:
        points = hair.reshape(-1, 3)
        self.low = points.min(0) - 0.01
        self.shape = ((points.max(0) - self.low) / self.CELL).astype(int) + 2
        self.density = np.zeros(self.shape)
        np.add.at(self.density, tuple(((points - self.low) / self.CELL).astype(int).T), 1.0)
        step = np.linalg.norm(np.diff(hair[::9], axis=1), axis=2).mean()
        self.density *= step * width / self.CELL**2 * 0.6

    def through(self, points: Array, way: Array) -> Array:
        """The share of light that reaches points from a direction: (n,), 0..1."""
        depth = np.zeros(len(points))
        for k in range(1, 16):
            x = ((points + way * self.CELL * k - self.low) / self.CELL).astype(int)
            inside = ((x >= 0) & (x < self.shape)).all(1)
            x = np.where(inside[:, None], x, 0)
            depth += self.density[x[:, 0], x[:, 1], x[:, 2]] * inside
        return np.asarray(np.exp(-depth))


def light_on(
    layer: Layer, seen: Array, lamps: list[Lamp], ways: Array, all_of_it: Surface, hair: HairShadow
) -> tuple[Array, Array]:
    """How much of each lamp, and of the sky, the vertices of a mesh see past body, clothes and hair.

    Args:
        seen: numbers of the vertices to work out; the others stay at 1.
        ways: (n, 3), directions about the normal in which the sky is looked for.

    Returns:
        (points, 3) each: a column a lamp; the openness three times.
    """
    of_lamp, openness = np.ones((len(layer.points), 3)), np.ones((len(layer.points), 3))
    points, normals = layer.points[seen], layer.mesh.normals[seen]
    start = points + normals * 0.006
    for k, lamp in enumerate(lamps):
        way = unit(lamp.place - start)
        facing = (way * normals).sum(1) + 0.3
        free = [
            all_of_it.ray_cast(a, b, 3.0)[0] is None if c > 0 else False
            for a, b, c in zip(start, way, facing, strict=True)
        ]
        of_lamp[seen, k] = np.array(free, float) * hair.through(points, way)
    total = np.zeros(len(seen))
    for d in ways:
        way = unit(d + normals * 1.05)
        free_way = []
        for a, b in zip(start, way, strict=True):
            place, _, _, distance = all_of_it.ray_cast(a, b, 0.25)
            free_way.append(1.0 if place is None else 0.25 + 0.5 * distance / 0.25)
        total += np.array(free_way) * (0.35 + 0.65 * hair.through(points, way) ** 0.5)
    openness[seen] = (total / len(ways))[:, None]
    return of_lamp, openness
