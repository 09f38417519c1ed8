"""Lay a colour below people without an opaque background: a shadow, or a half-transparent colour."""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.edit import light
from bshm.errors import ShapeError
from bshm.types import FloatArray, PixelArray

# Shares of the square root of the picture's area: softness of a shadow, and its shift to the right and down.
_SOFTNESS, _RIGHT, _DOWN = 0.012, 0.006, 0.012
_OPACITY = 0.45
# A shadow on the floor: its darkness; alpha from which somebody stands there; the share of a person's height that
# counts as feet; the smallest person, as a share of the largest; and reach, flatness and softness by its half-width.
_CONTACT_OPACITY = 0.6
_SOLID = 0.9
_FEET_SHARE, _SMALLEST_SHARE = 0.05, 0.05
_REACH, _FLAT, _SOFT = 1.2, 0.22, 0.35
# All feet of a person together also throw a wider and fainter shadow.
_AROUND_REACH, _AROUND_PART = 1.5, 0.5
# The blur runs on a picture small enough for this radius.
_WORKING_RADIUS_PX = 3.0


def under(
    foreground: PixelArray,
    alpha: FloatArray,
    color: tuple[int, int, int],
    opacity: FloatArray | float,
    *,
    blend: Literal["srgb", "linear"] = "srgb",
) -> tuple[PixelArray, FloatArray]:
    """Lay a colour under the people; the rest stays transparent.

    Args:
        foreground: (H, W, 3) uint8 or uint16, straight colour.
        alpha: (H, W) float32, 0..1.
        color: red, green and blue, 0..255.
        opacity: opacity of the colour, 0..1: one number, or (H, W) float32.
        blend: as in ``composite.over``.

    Returns:
        Straight colour, dtype of ``foreground``, and alpha float32 0..1; new arrays.

    Raises:
        ShapeError: the shapes do not match.

    Source:
        Porter and Duff, "Compositing Digital Images", SIGGRAPH 1984: *over* with two transparent pictures.

    >>> red = np.full((1, 1, 3), (200, 0, 0), np.uint8)
    >>> colour, alpha = under(red, np.array([[0.5]], np.float32), (0, 0, 0), 1.0)
    >>> colour[0, 0].tolist(), alpha.tolist()
    ([100, 0, 0], [[1.0]])
    """
    if foreground.shape != (*alpha.shape, 3) or (np.ndim(opacity) and np.shape(opacity) != alpha.shape):
        raise ShapeError(
            f"under() needs foreground (H, W, 3), alpha (H, W) and opacity (H, W) or one number; "
            f"got {foreground.shape}, {alpha.shape}, {np.shape(opacity)}."
        )
    beneath = (1 - alpha) * np.asarray(opacity, np.float32)
    both = np.clip(alpha + beneath, 0, 1).astype(np.float32, copy=False)
    level = np.asarray(color, np.float32) * (257 if foreground.dtype == np.uint16 else 1)
    weight = np.divide(alpha, both, out=np.ones_like(both), where=both > 0)
    colour = foreground * weight[..., None] + level * (1 - weight[..., None])
    result: PixelArray = (colour + np.float32(0.5)).astype(foreground.dtype)
    if blend == "linear":
        soft = (weight > 0) & (weight < 1)
        beneath_them = np.broadcast_to(level, foreground.shape)[soft].astype(foreground.dtype)
        result[soft] = light.mixed(foreground[soft], beneath_them, weight[soft])
    return result, both


def drop(alpha: FloatArray) -> FloatArray:
    """The soft shadow of people on a wall close behind them, with light from the upper left.

    Args:
        alpha: (H, W) float32, 0..1.

    Returns:
        (H, W) float32, 0..0.45: the opacity of the shadow.

    >>> float(drop(np.zeros((4, 6), np.float32)).max())
    0.0
    """
    height, width = alpha.shape
    side = math.sqrt(height * width)
    sigma = max(0.5, _SOFTNESS * side)
    step = max(1, min(int(sigma / _WORKING_RADIUS_PX), height, width))
    small = geometry.resize(alpha, (-(-height // step), -(-width // step)))
    moved = np.array([[1, 0, _RIGHT * side / step], [0, 1, _DOWN * side / step]], np.float32)
    small = np.asarray(cv2.warpAffine(small, moved, (small.shape[1], small.shape[0])), np.float32)
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), sigma / step), np.float32)
    shadow: FloatArray = geometry.resize(small, (height, width)) * np.float32(_OPACITY)
    return np.clip(shadow, np.float32(0), np.float32(_OPACITY))


def contact(alpha: FloatArray) -> FloatArray:
    """The shadow on the floor where people stand: dark beneath their lowest solid parts, soft around.

    Each separate person has a shadow.  A person cut off by the picture's lower edge has none, because the floor under
    the feet is not visible.

    Args:
        alpha: (H, W) float32, 0..1.

    Returns:
        (H, W) float32, 0..0.6: the opacity of the shadow.

    >>> standing = np.zeros((60, 40), np.float32)
    >>> standing[10:40, 15:25] = 1
    >>> shadow = contact(standing)
    >>> bool(shadow[39, 20] > 0.4), bool(shadow[:30].max() < 0.01), float(contact(standing[:40]).max())
    (True, True, 0.0)
    """
    height, width = alpha.shape
    # Ellipses are drawn on a picture of about a quarter of a megapixel.
    step = max(1, int(math.sqrt(height * width / (1 << 18))))
    size = -(-height // step), -(-width // step)
    solid = (geometry.resize(alpha, size) > _SOLID).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    largest = max((int(stats[each, cv2.CC_STAT_AREA]) for each in range(1, count)), default=0)
    shadow: FloatArray = np.zeros(size, np.float32)
    for label in range(1, count):
        left, top, across, down, area = (int(each) for each in stats[label])
        if area < _SMALLEST_SHARE * largest or top + down >= size[0]:
            continue
        feet_top = top + down - max(1, round(_FEET_SHARE * down))
        feet = labels[feet_top : top + down, left : left + across] == label
        runs = _runs(feet.any(axis=0), gap=max(1, round(0.05 * across)))
        for start, stop in runs:
            lowest = feet_top + int(np.flatnonzero(feet[:, start:stop].any(axis=1))[-1]) + 1
            shadow = np.maximum(shadow, _ellipse(size, left + (start + stop) / 2, lowest, (stop - start) / 2))
        start, stop = runs[0][0], runs[-1][1]
        wide = _ellipse(size, left + (start + stop) / 2, top + down, _AROUND_REACH * (stop - start) / 2)
        shadow = np.maximum(shadow, wide * np.float32(_AROUND_PART))
    return np.clip(geometry.resize(shadow, (height, width)), np.float32(0), np.float32(_CONTACT_OPACITY))


def _runs(columns: npt.NDArray[np.bool_], gap: int) -> list[tuple[int, int]]:
    """Runs of set columns, as start and end; runs with less than ``gap`` between them are joined."""
    ends = np.flatnonzero(np.diff(np.concatenate([[0], columns.astype(np.int8), [0]])))
    runs: list[tuple[int, int]] = []
    for start, stop in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] < gap:
            start = runs.pop()[0]  # noqa: PLW2901
        runs.append((start, stop))
    return runs


def _ellipse(size_hw: tuple[int, int], middle: float, floor: float, half_width: float) -> FloatArray:
    """One shadow: darkest in its middle, transparent at its rim."""
    reach = max(2.0, _REACH * half_width)
    flat = max(1.5, _FLAT * reach)
    y, x = np.ogrid[: size_hw[0], : size_hw[1]]
    inside = np.clip(1 - ((x + 0.5 - middle) / reach) ** 2 - ((y + 0.5 - floor) / flat) ** 2, 0, 1)
    opacity = np.asarray(np.sqrt(inside) * _CONTACT_OPACITY, np.float32)
    return np.asarray(cv2.GaussianBlur(opacity, (0, 0), max(0.7, _SOFT * flat)), np.float32)
