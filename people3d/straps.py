"""Bags, rucksacks, and the straps of what is carried."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from people3d.figure import Figure
from people3d.forms import pillow, ribbon
from people3d.holding import Grasp, Hold
from people3d.materials import Material, cloth, paint, plain
from people3d.maths import Array, Surface, pick, unit

_STAY = np.eye(3), np.zeros(3)


def drape(
    path: Array, solid: Surface, ignore: Callable[[Array], bool], *, margin: float = 0.008, count: int = 44
) -> tuple[Array, Array]:
    """A strap laid over the body: the path in even steps, out of what is solid, smoothed; and the normals beneath it.

    Args:
        path: (n, 3) corners it passes.
        solid: what it lies on.
        ignore: places on that surface which it does not touch, such as the arms.
        margin: how far it keeps off, metres.
        count: points of the result.

    Returns:
        (count, 3) each.
    """
    p = np.asarray(path, float)
    walked = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1))])
    p = np.stack([np.interp(np.linspace(0, walked[-1], count), walked, p[:, i]) for i in range(3)], 1)
    normals = np.zeros_like(p)
    for step in range(6):
        for i in range(count):
            place, normal, *_ = solid.find_nearest(p[i], 0.3)
            if place is not None and not ignore(np.array(place)):
                normals[i] = normal
                off = (p[i] - np.array(place)) @ normals[i]
                if off < margin:
                    p[i] += normals[i] * (margin - off)
        if step < 5:
            p[1:-1] = 0.5 * p[1:-1] + 0.25 * (p[:-2] + p[2:])
    for _ in range(8):
        normals[1:-1] = 0.5 * normals[1:-1] + 0.25 * (normals[:-2] + normals[2:])
    return p, normals


class Bags:
    """Bags and straps of a figure, laid over what is solid of it."""

    def __init__(self, figure: Figure, solid: Surface) -> None:
        self.figure, self.solid = figure, solid
        self.turn, self.chest, self.size = figure.turn("spine01"), figure.joint("spine01"), figure.size

    def at(self, x: float, y: float, z: float) -> Array:
        """A place in the axes of the chest, of a person of medium size."""
        place: Array = self.chest + self.turn @ (np.array([x, y, z]) * self.size)
        return place

    def on_arm(self, place: Array) -> bool:
        """Too far to the side to be the trunk."""
        return bool(abs(((place - self.chest) @ self.turn)[0]) > 0.175 * self.size)

    def strap(self, path: Sequence[Array], half: float, material: Material, *, off_arms: bool = False) -> None:
        """A strap over the body."""
        p, normals = drape(np.array(path), self.solid, self.on_arm if off_arms else lambda place: False)
        across = unit(np.cross(np.gradient(p, axis=0), normals + 1e-6))
        self.figure.place([(*ribbon(p, across, half), material)], *_STAY)

    def put_on(self, hold: Hold, grasp: Grasp | None) -> None:
        """A bag at times, and straps of what is held."""
        rng = self.figure.rng
        side = int(rng.choice([-1, 1]))
        no_bag = hold.what in ("guitar", "tote", "parcel")
        kind = pick(rng, {"none": 7, "shoulder": 1.2 * (not no_bag), "cross": 1.0, "backpack": 1.4})
        self.figure.facts["bag"] = kind
        material = cloth(rng, self.figure.photos, 0.2) if rng.random() < 0.5 else paint(rng, 0.5)
        straps = material if rng.random() < 0.6 else plain((0.02, 0.018, 0.016), 0.6)
        if kind == "backpack":
            self._backpack(material, straps)
        if kind in ("shoulder", "cross"):
            self._shoulder_bag(side, material, straps, across=kind == "cross")
        if grasp and hold.what in ("camera_chest", "camera_eye") and rng.random() < 0.7:
            self._camera_strap(grasp)
        if grasp and hold.what == "guitar" and rng.random() < 0.7:
            self._guitar_strap(grasp, straps)

    def _backpack(self, material: Material, straps: Material) -> None:
        rng, at = self.figure.rng, self.at
        hit = self.solid.ray_cast(at(0, 0.6, -0.05), self.turn @ np.array([0, -1.0, 0]), 0.7)[0]
        back = ((np.array(hit) - self.chest) @ self.turn)[1] / self.size if hit is not None else 0.11
        size = np.array([rng.uniform(0.26, 0.34), rng.uniform(0.12, 0.2), rng.uniform(0.36, 0.5)])
        sack, pocket = pillow(size[0], size[1], size[2]), pillow(size[0] * 0.7, 0.08, size[2] * 0.4)
        self.figure.place([(*sack, material)], self.turn, at(0, back - 0.012 + size[1] / 2, -0.1))
        self.figure.place([(*pocket, material)], self.turn, at(0, back + size[1], -0.18))
        for x in (-1, 1):
            path = [
                at(x * 0.07, back + 0.03, 0.09), at(x * 0.085, 0.06, 0.17), at(x * 0.1, -0.05, 0.16),
                at(x * 0.115, -0.16, 0.03), at(x * 0.15, -0.13, -0.12), at(x * 0.17, 0.03, -0.2),
                at(x * 0.12, back + 0.03, -0.22),
            ]  # fmt: skip
            self.strap(path, rng.uniform(0.02, 0.034), straps, off_arms=True)

    def _shoulder_bag(self, side: int, material: Material, straps: Material, *, across: bool) -> None:
        """A bag at the hip; its strap goes over the shoulder of its own side or of the other."""
        rng, at = self.figure.rng, self.at
        x, y = side * 0.24, rng.uniform(-0.08, 0.06)
        z = -rng.uniform(0.3, 0.5) if across else -rng.uniform(0.12, 0.4)
        size = np.array([rng.uniform(0.07, 0.13), rng.uniform(0.2, 0.34), rng.uniform(0.16, 0.28)])
        bag = pillow(size[0], size[1], size[2], float(rng.choice([4, 9])))
        self.figure.place([(*bag, material)], self.turn, at(x + side * size[0] * 0.4, y, z))
        top = z + size[2] / 2
        over = -side if across else side
        half_way = (x + over * 0.1) / 2
        path = [
            at(x, y - 0.08, top), at(half_way, -0.2, (top + 0.15) / 2), at(over * 0.1, -0.06, 0.17),
            at(over * 0.1, 0, 0.19), at(over * 0.1, 0.08, 0.17), at(half_way, 0.2, (top + 0.15) / 2),
            at(x, y + 0.08, top),
        ]  # fmt: skip
        self.strap(path, rng.uniform(0.006, 0.025), straps)

    def _camera_strap(self, grasp: Grasp) -> None:
        at = self.at
        for x in (-1, 1):
            ring = grasp.origin + grasp.axes @ np.array([x * 0.066, 0.0, 0.03])
            path = [
                ring, at(x * 0.085, -0.15, 0.06), at(x * 0.075, -0.05, 0.17), at(x * 0.055, 0.05, 0.2),
                at(0, 0.085, 0.2),
            ]  # fmt: skip
            self.strap(path, 0.012, plain((0.015, 0.015, 0.015), 0.7))

    def _guitar_strap(self, grasp: Grasp, straps: Material) -> None:
        at, origin, axes = self.at, grasp.origin, grasp.axes
        k = float(np.sign(axes[:, 0] @ self.turn[:, 0]))
        path = [
            origin + axes @ np.array([0.19, 0.0, 0]), at(k * 0.2, 0.02, -0.16), at(0, 0.16, 0.02),
            at(-k * 0.11, 0.03, 0.19), at(-k * 0.12, -0.08, 0.15), origin + axes @ np.array([-0.2, 0.02, 0.05]),
        ]  # fmt: skip
        self.strap(path, 0.022, straps)
