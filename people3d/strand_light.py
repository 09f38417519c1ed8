"""The light of hairs: each a thin cylinder that shines, and hair as a cloud that swallows light.

Source:
    Kajiya and Kay, "Rendering fur with three dimensional textures", SIGGRAPH 1989, with the three lobes (reflected,
    passed through, passed through and reflected within) of Marschner et al., "Light scattering from human hair fibers",
    SIGGRAPH 2003, as Gaussians.
"""

from __future__ import annotations

import numpy as np

from people3d.light import Light
from people3d.maths import Array, Surface, nearest, unit
from people3d.short_hair import Strands


class _Cloud:
    """Hairs as optical depth on a grid."""

    def __init__(self, points: Array, width: float) -> None:
        q = points.reshape(-1, 3)
        low = q.min(0) - 0.02
        cell = max((q.max(0) - low).max() / 42, 0.004)
        self.shape = ((q.max(0) - low) / cell).astype(int) + 3
        self.at = ((q - low) / cell).astype(int)
        self.hairs = points.shape[:2]
        self.density = np.zeros(self.shape)
        np.add.at(self.density, tuple(self.at.T), 1.0)
        step = np.linalg.norm(np.diff(points[::7], axis=1), axis=2).mean()
        self.density *= width * step / cell**2
        self.cells = np.stack(np.meshgrid(*[np.arange(n) for n in self.shape], indexing="ij"), -1).reshape(-1, 3)

    def depth(self, way: Array, reach: int = 10) -> Array:
        """How deep each point of each hair lies in the cloud, seen along a direction: (n, k)."""
        total = np.zeros(len(self.cells))
        for k in range(1, reach):
            j = (self.cells + np.asarray(way) * k).round().astype(int)
            inside = ((j >= 0) & (j < self.shape)).all(1)
            j = np.where(inside[:, None], j, 0)
            total += self.density[j[:, 0], j[:, 1], j[:, 2]] * inside
        depth: Array = total.reshape(self.shape)[tuple(self.at.T)].reshape(self.hairs)
        return depth


def light_strands(strands: Strands, light: Light, all_of_it: Surface, eye: Array) -> Array:
    """Linear RGB (n, k, 3) of every point of the hairs, seen from ``eye``."""
    points, albedo = strands.points, strands.colour
    n, k = points.shape[:2]
    cloud = _Cloud(points, float(strands.width.mean()) * 0.5)
    along, view = unit(np.gradient(points, axis=1)), unit(eye - points)
    total = np.zeros((n, k, 3))
    for d, rgb in light.sky:
        total += albedo * np.exp(-0.5 * cloud.depth(d, 8))[..., None] * rgb / len(light.sky) * 1.1
    some = points[:: max(1, n // 260), :: max(1, k // 8)]
    like = nearest(points[:, k // 2], points[:: max(1, n // 260), k // 2])
    for lamp in light.lamps:
        way = lamp.place - points
        square = (way * way).sum(-1)
        way = unit(way)
        seen = _seen(some, lamp.place, all_of_it)
        seen = np.repeat(seen, max(1, k // 8), axis=1)[:, :k]
        seen = np.pad(seen, ((0, 0), (0, k - seen.shape[1])), "edge")[like]
        to_lamp, to_eye = (along * way).sum(-1), (along * view).sum(-1)
        sine_lamp, sine_eye = np.sqrt(np.clip(1 - to_lamp**2, 0, 1)), np.sqrt(np.clip(1 - to_eye**2, 0, 1))
        behind = np.clip(-(way * view).sum(-1), 0, 1)
        angle = np.arcsin(np.clip(to_lamp, -1, 1)) + np.arcsin(np.clip(to_eye, -1, 1))
        reflected = 0.045 * np.exp(-(((angle - 0.1) / 0.16) ** 2))
        within = 0.12 * np.exp(-(((angle + 0.16) / 0.25) ** 2))
        through = 0.9 * behind**5 * np.exp(-((angle / 0.3) ** 2))
        arriving = np.exp(-cloud.depth(unit(lamp.place - points[:, 0].mean(0)))) * seen * lamp.power / square
        diffuse = albedo * (0.32 * sine_lamp * (0.5 + 0.5 * sine_eye))[..., None]
        tinted = np.sqrt(albedo) * albedo**0.5 * (within + through)[..., None]
        total += (arriving[..., None] * lamp.colour) * (diffuse + reflected[..., None] + tinted)
    return total


def _seen(points: Array, lamp: Array, all_of_it: Surface) -> Array:
    """Which points of some hairs the lamp reaches past body and clothes: (n, k), 0 or 1."""
    seen = np.ones(points.shape[:2])
    for i in range(points.shape[0]):
        for j in range(points.shape[1]):
            way = lamp - points[i, j]
            way = way / np.linalg.norm(way)
            if all_of_it.ray_cast(points[i, j] + way * 0.012, way, 3.0)[0] is not None:
                seen[i, j] = 0
    return seen
