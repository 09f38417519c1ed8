"""Vectors, rotations, smooth steps and random points, as every part of the drawing uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Random = np.random.Generator

X, Y, Z = np.eye(3)


class Surface(Protocol):
    """Triangles that answer where they are; Blender's ``BVHTree`` is one."""

    def find_nearest(self, origin: Any, distance: float, /) -> tuple[Any, ...]:
        """The nearest point, its normal, its triangle and the distance; four times None beyond ``distance``."""
        ...

    def ray_cast(self, origin: Any, direction: Any, distance: float, /) -> tuple[Any, ...]:
        """What a ray meets first, in the same form."""
        ...


def unit(vectors: Array) -> Array:
    """Vectors of length one; what has no length stays 0."""
    unit_vectors: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return unit_vectors


def rotation(axis: npt.ArrayLike, angle: float) -> Array:
    """The (3, 3) matrix that turns about ``axis`` by ``angle`` radians (Rodrigues)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: Array = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turn


def least_turn(a: Array, b: Array) -> Array:
    """The smallest rotation that takes the direction of ``a`` to that of ``b``."""
    a, b = unit(a), unit(b)
    axis = np.cross(a, b)
    sine = float(np.linalg.norm(axis))
    return rotation(axis, float(np.arctan2(sine, a @ b))) if sine > 1e-6 else np.eye(3)


def smooth(x: Array | float, low: float, high: float) -> Any:
    """A step from 0 at ``low`` to 1 at ``high`` without corners."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def pick(rng: Random, weights: Mapping[str, float]) -> str:
    """One of the names, as often as its weight says."""
    names = list(weights)
    shares = np.array([weights[name] for name in names], float)
    return names[rng.choice(len(names), p=shares / shares.sum())]


def triangles(faces: Array) -> Array:
    """Quads as triangles; a quad whose last corner repeats is one triangle."""
    faces = np.asarray(faces)
    if faces.shape[1] == 3:
        return faces
    return np.concatenate([faces[:, [0, 1, 2]], faces[faces[:, 3] != faces[:, 2]][:, [0, 2, 3]]])


def vertex_normals(points: Array, faces: Array) -> Array:
    """Normals of the vertices, weighted by the area of the faces round them."""
    t = triangles(faces)
    normals = np.zeros_like(points)
    cross = np.cross(points[t[:, 1]] - points[t[:, 0]], points[t[:, 2]] - points[t[:, 0]])
    for k in range(3):
        np.add.at(normals, t[:, k], cross)
    return unit(normals)


def scatter(rng: Random, points: Array, faces: Array, count: int, density: Array | None = None) -> tuple[Array, Array]:
    """Random points on a mesh, even by area times a density per vertex: positions and normals, (count, 3) each."""
    t = triangles(faces)
    cross = np.cross(points[t[:, 1]] - points[t[:, 0]], points[t[:, 2]] - points[t[:, 0]])
    area = np.linalg.norm(cross, axis=1)
    if density is not None:
        area = area * density[t].mean(1)
    k = rng.choice(len(t), count, p=area / area.sum())
    inside = rng.dirichlet((1, 1, 1), count)
    normals = vertex_normals(points, faces)
    return (points[t[k]] * inside[..., None]).sum(1), unit((normals[t[k]] * inside[..., None]).sum(1))


def nearest(a: Array, b: Array, count: int = 1) -> Array:
    """Which rows of ``b`` are nearest to each row of ``a``: (n,) or, for ``count`` above 1, (n, count) in no order."""
    found = []
    squares = (b * b).sum(1)
    for start in range(0, len(a), 4096):  # in slices: the table of all distances would not fit
        distances = squares - 2 * a[start : start + 4096] @ b.T
        found.append(np.argmin(distances, 1) if count == 1 else np.argpartition(distances, count, 1)[:, :count])
    return np.concatenate(found)


def relaxed(points: Array, faces: Array, times: int) -> Array:
    """Vertices of quads, drawn half way to the mean of their neighbours some ``times``: cloth that hangs loosely."""
    points = points.copy()
    for _ in range(times):
        total, count = np.zeros_like(points), np.zeros(len(points))
        for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
            for here, there in ((a, b), (b, a)):
                np.add.at(total, faces[:, here], points[faces[:, there]])
                np.add.at(count, faces[:, here], 1)
        moved = count > 0
        points[moved] = 0.5 * points[moved] + 0.5 * total[moved] / count[moved, None]
    return points


def ripple(rng: Random, points: Array, frequency: float, waves: int = 10) -> tuple[Array, Array]:
    """A random smooth field and its gradient: sums of sine waves, for folds, ribs, pores and blotches."""
    k = unit(rng.normal(size=(waves, 3))) * frequency * rng.uniform(0.5, 1.6, (waves, 1))
    phase = rng.random(waves) * 6.28
    a = (points @ k.T + phase).astype(np.float32)
    return np.sin(a).sum(1) / waves**0.5, (np.cos(a) @ k.astype(np.float32)) / waves**0.5 / frequency
