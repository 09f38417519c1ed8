"""Sharper people: an unsharp mask that sees nobody but them."""

from __future__ import annotations

import cv2
import numpy as np

from bshm.errors import ShapeError
from bshm.types import FloatArray, PixelArray

# Of the Gaussian, in pixels of the result; and how much of what it takes away is added at the most.
_SIGMA_PX, _MOST = 1.0, 1.5
# Rows of a strip, and those around it that its blur sees.
_STRIP_ROWS, _RIM_ROWS = 256, 6


def sharpened(colour: PixelArray, alpha: FloatArray, amount: float) -> PixelArray:
    """Colours whose fine detail stands out more.

    What lies around the people has no say (normalised convolution), so that no light or dark rim comes about there.

    Args:
        colour: (H, W, 3) uint8 or uint16, straight.
        alpha: (H, W) float32, 0..1, of the people.
        amount: 0..1; 1 adds one and a half times what a Gaussian of one pixel takes away.

    Returns:
        (H, W, 3), dtype of ``colour``, a new array, the same where alpha is 0.

    Raises:
        ShapeError: shapes that differ.

    >>> flat = np.full((8, 8, 3), 90, np.uint8)
    >>> bool((sharpened(flat, np.ones((8, 8), np.float32), 1.0) == 90).all())
    True
    """
    if colour.shape != (*alpha.shape, 3):
        raise ShapeError(f"sharpened() needs a weight for each pixel; got {colour.shape} and {alpha.shape}.")
    result = colour.copy()
    height, top_level = alpha.shape[0], np.iinfo(colour.dtype).max
    for top in range(0, height, _STRIP_ROWS):
        first, last = max(0, top - _RIM_ROWS), min(height, top + _STRIP_ROWS + _RIM_ROWS)
        weight = alpha[first:last]
        if not weight.any():
            continue
        own = colour[first:last].astype(np.float32)
        weighted = np.dstack([own * weight[..., None], weight])
        around = cv2.GaussianBlur(weighted, (0, 0), _SIGMA_PX, borderType=cv2.BORDER_REFLECT)
        detail = own - around[..., :3] / np.maximum(around[..., 3:], np.float32(1e-4))
        made = own + detail * (np.float32(_MOST * amount) * weight[..., None])
        rows = slice(top - first, top - first + min(_STRIP_ROWS, height - top))
        levels = np.clip(made[rows] + np.float32(0.5), 0, top_level).astype(colour.dtype)
        seen = weight[rows] > 0
        result[top : top + _STRIP_ROWS][seen] = levels[seen]
    return result
