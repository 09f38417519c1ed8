"""A pinhole camera whose frame is cut to the subject by lens shift."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from people3d.maths import Array, unit


class Camera:
    """Looks from a place at another, rolled by some radians."""

    def __init__(self, place: Array, aim: Array, roll: float = 0.0) -> None:
        self.place = np.asarray(place, float)
        forward = unit(np.asarray(aim) - self.place)
        right = unit(np.cross(forward, [0, 0, 1]))
        up = np.cross(right, forward)
        cos, sin = np.cos(roll), np.sin(roll)
        self._axes = np.stack([right * cos + up * sin, up * cos - right * sin, -forward])
        self.left, self.top, self.scale, self.width, self.height = 0.0, 0.0, 1.0, 1, 1

    def tangents(self, points: Array) -> tuple[Array, Array]:
        """Right and up per unit of depth (…, 2), and the depth (…)."""
        q = (points - self.place) @ self._axes.T
        return q[..., :2] / -q[..., 2:3], -q[..., 2]

    def frame(self, low: npt.ArrayLike, high: npt.ArrayLike, size: int) -> None:
        """Cut the frame to these tangents; its longer side becomes ``size`` pixels."""
        (x0, y0), (x1, y1) = np.asarray(low, float), np.asarray(high, float)
        self.scale = size / max(x1 - x0, y1 - y0)
        self.width, self.height = int(np.ceil((x1 - x0) * self.scale)), int(np.ceil((y1 - y0) * self.scale))
        self.left, self.top = x0, y1

    def pixels(self, points: Array) -> tuple[Array, Array]:
        """Where points are in the picture (…, 2), x right and y down in pixels, and their depth (…) in metres."""
        t, depth = self.tangents(points)
        return np.stack([(t[..., 0] - self.left) * self.scale, (self.top - t[..., 1]) * self.scale], -1), depth

    def sees(self, points: Array) -> Array:
        """Which points lie in the frame or not far from it: (n,) bool."""
        t, _ = self.tangents(points)
        size = np.array([self.width, self.height])
        middle = [self.left + size[0] / self.scale / 2, self.top - size[1] / self.scale / 2]
        return np.asarray((np.abs(t - middle) < size / self.scale * 0.6).all(1))
