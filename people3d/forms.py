"""Simple forms as meshes: (points (n, 3) in metres, quads (m, 4)).  Axes of a thing: x left, y to the back, z up."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from people3d.maths import Array, unit

Form = tuple[Array, Array]


def sweep(rows: int, columns: int) -> Array:
    """The quads between ``rows`` closed rings of ``columns`` points each."""
    j = np.arange(columns)
    i = np.arange(rows - 1)[:, None]
    a, b = i * columns, (i + 1) * columns
    return np.stack([a + j, a + (j + 1) % columns, b + (j + 1) % columns, b + j], -1).reshape(-1, 4)


def moved(form: Form, by: npt.ArrayLike) -> Form:
    """The form, shifted."""
    return form[0] + np.asarray(by), form[1]


def turned(form: Form, matrix: Array) -> Form:
    """The form, its points multiplied by a (3, 3) matrix."""
    return form[0] @ matrix.T, form[1]


def stretched(form: Form, by: npt.ArrayLike) -> Form:
    """The form, scaled along its axes."""
    return form[0] * np.asarray(by), form[1]


def lathe(profile: npt.ArrayLike, sides: int = 28) -> Form:
    """A surface of revolution about z from (radius, height) points."""
    p = np.array(profile, float)
    a = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    points = np.stack([p[:, :1] * np.cos(a), p[:, :1] * np.sin(a), p[:, 1:] + 0 * a], -1)
    return points.reshape(-1, 3), sweep(len(p), sides)


def tube(path: npt.ArrayLike, radius: npt.ArrayLike, sides: int = 10, flat: float = 1.0) -> Form:
    """A pipe along a path, ``radius`` one number or one a point; ``flat`` stretches it to a band."""
    p = np.asarray(path, float)
    along = unit(np.gradient(p, axis=0))
    a = unit(np.cross(along, [0.12, 0.2, 1.0]))
    b = np.cross(along, a)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    r = np.broadcast_to(np.asarray(radius, float), len(p))[:, None, None]
    ring = a[:, None] * np.cos(angle)[:, None] * flat + b[:, None] * np.sin(angle)[:, None]
    return (p[:, None] + r * ring).reshape(-1, 3), sweep(len(p), sides)


def ribbon(path: npt.ArrayLike, across: Array, half: Any) -> Form:
    """A flat strap along a path; ``across`` is its direction from edge to edge, one or one a point."""
    p = np.asarray(path, float)
    points = np.stack([p - across * half, p + across * half], 1).reshape(-1, 3)
    return points, np.arange(len(p) - 1)[:, None] * 2 + np.array([0, 1, 3, 2])


def slab(x: float, y: float, z: float, pieces: int = 5, bend: float = 0.0) -> Form:
    """A box with sharp edges: corners are doubled so that each side has its own normal.

    Each side has ``pieces`` x ``pieces`` quads, since light is computed at vertices; ``bend`` curves it about z.
    """
    grid = np.linspace(-1, 1, pieces + 1)
    a, b = np.meshgrid(grid, grid, indexing="ij")
    q = np.arange((pieces + 1) ** 2).reshape(pieces + 1, pieces + 1)
    quads = np.stack([q[:-1, :-1], q[1:, :-1], q[1:, 1:], q[:-1, 1:]], -1).reshape(-1, 4)
    points: list[Array] = []
    faces: list[Array] = []
    for axis in range(3):
        for side in (-1, 1):
            v = np.empty(((pieces + 1) ** 2, 3))
            v[:, axis], v[:, (axis + 1) % 3], v[:, (axis + 2) % 3] = side, a.ravel(), b.ravel()
            faces.append((quads if side > 0 else quads[:, ::-1]) + len(points) * (pieces + 1) ** 2)
            points.append(v)
    v = np.concatenate(points) * np.array([x, y, z]) / 2
    v[:, 1] += bend * (v[:, 0] / max(x / 2, 1e-6)) ** 2 * x
    return v, np.concatenate(faces)


def ball(radius: float, rings: int = 12, sides: int = 20, squash: npt.ArrayLike = (1, 1, 1)) -> Form:
    """A sphere or, squashed, an ellipsoid."""
    half = np.linspace(0.001, 3.1405, rings)
    return stretched(lathe([(radius * np.sin(a), -radius * np.cos(a)) for a in half], sides), squash)


def pillow(x: float, y: float, z: float, power: float = 5.0) -> Form:
    """A box with round edges: the larger ``power``, the sharper."""
    v, f = ball(1.0, 25, 40)
    r = (np.abs(v) ** power).sum(1) ** (-1 / power)
    return v * r[:, None] * np.array([x, y, z]) / 2, f


def arc(radius: float, start: float, end: float, count: int = 14) -> Array:
    """Points of a circle in the x-z plane."""
    a = np.linspace(start, end, count)
    p = np.zeros((count, 3))
    p[:, 0], p[:, 2] = radius * np.cos(a), radius * np.sin(a)
    return p
