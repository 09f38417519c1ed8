"""A colour laid under people without an opaque background: a shadow, or a half-transparent colour."""

from __future__ import annotations

import math

import cv2
import numpy as np

from bshm import geometry
from bshm.errors import ShapeError
from bshm.types import FloatArray, PixelArray

# Shares of the square root of the picture's area: how soft a shadow is, and how far it falls to the right and down.
_SOFTNESS, _RIGHT, _DOWN = 0.012, 0.006, 0.012
_OPACITY = 0.45
# The blur runs on a picture small enough for this radius.
_WORKING_RADIUS_PX = 3.0


def under(
    foreground: PixelArray, alpha: FloatArray, color: tuple[int, int, int], opacity: FloatArray | float
) -> tuple[PixelArray, FloatArray]:
    """Lay a colour under the people and keep what is still transparent.

    Args:
        foreground: (H, W, 3) uint8 or uint16, straight colour.
        alpha: (H, W) float32, 0..1.
        color: red, green and blue, 0..255.
        opacity: 0..1 of the colour: one number, or (H, W) float32.

    Returns:
        Straight colour, dtype of ``foreground``, and alpha float32 0..1; new arrays.

    Raises:
        ShapeError: shapes that do not belong together.

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
    weight = np.divide(alpha, both, out=np.ones_like(both), where=both > 0)[..., None]
    colour = foreground * weight + level * (1 - weight)
    return (colour + np.float32(0.5)).astype(foreground.dtype), both


def drop(alpha: FloatArray) -> FloatArray:
    """The soft shadow that people throw on a wall close behind them, light from the upper left.

    Args:
        alpha: (H, W) float32, 0..1.

    Returns:
        (H, W) float32, 0..0.45: the opacity of the shadow.

    >>> drop(np.zeros((4, 6), np.float32)).max()
    np.float32(0.0)
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
