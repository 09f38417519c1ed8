"""Final effects on the canvas: an outline as on stickers, and a round mask."""

from __future__ import annotations

import cv2
import numpy as np

from bshm.color import RGB
from bshm.edit.shadow import under
from bshm.types import FloatArray, PixelArray

# The corners of an outline are rounded by this share of its width.
_ROUNDED = 0.35


def outlined(foreground: PixelArray, alpha: FloatArray, width_px: float, color: RGB) -> tuple[PixelArray, FloatArray]:
    """People with an outline of one colour.

    Args:
        foreground: (H, W, 3) uint8 or uint16, straight colour.
        alpha: (H, W) float32, 0..1.
        width_px: width of the outline, above 0.
        color: red, green and blue, 0..255.

    Returns:
        Straight colour, dtype of ``foreground``, and alpha float32 0..1; new arrays.  The outline ends at the edge
        of the array.
    """
    solid = (alpha >= 0.5).astype(np.uint8)
    if not solid.any():
        return foreground, alpha
    pad = int(width_px) + 2
    solid = np.asarray(cv2.copyMakeBorder(solid, pad, pad, pad, pad, cv2.BORDER_REPLICATE), np.uint8)
    away = np.asarray(cv2.distanceTransform(1 - solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
    sigma = max(0.5, width_px * _ROUNDED)
    away = np.asarray(cv2.GaussianBlur(away, (0, 0), sigma), np.float32)[pad:-pad, pad:-pad]
    band = np.clip(width_px + 0.5 - away, 0, 1).astype(np.float32)
    return under(foreground, alpha, color, band)


def disc(height: int, width: int) -> FloatArray:
    """The share of each pixel that lies in the largest circle in the middle of a canvas.

    Returns:
        (H, W) float32, 0..1.

    >>> disc(3, 3).round(1).tolist()[1]
    [1.0, 1.0, 1.0]
    """
    y = np.arange(height, dtype=np.float32)[:, None] + 0.5 - height / 2
    x = np.arange(width, dtype=np.float32)[None, :] + 0.5 - width / 2
    inside: FloatArray = np.clip(min(height, width) / 2 + 0.5 - np.sqrt(y * y + x * x), 0, 1).astype(np.float32)
    return inside
