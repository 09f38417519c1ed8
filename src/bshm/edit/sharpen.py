"""Sharpen people with an unsharp mask that ignores everything around them."""

from __future__ import annotations

import cv2
import numpy as np

from bshm.errors import ShapeError
from bshm.types import FloatArray, PixelArray

# Sigma of the Gaussian in pixels of the result; and the largest share of the removed detail that is added.
_SIGMA_PX, _MOST = 1.0, 1.5
# Rows of a strip, and the rows around it that its blur reads.
_STRIP_ROWS, _RIM_ROWS = 256, 6


def sharpened(colour: PixelArray, alpha: FloatArray, amount: float) -> PixelArray:
    """Colours with stronger fine detail.

    Pixels around the people are ignored (normalised convolution), so no light or dark rim appears.

    Args:
        colour: (H, W, 3) uint8 or uint16, straight.
        alpha: (H, W) float32, 0..1, of the people.
        amount: 0..1; 1 adds one and a half times the detail that a Gaussian of one pixel removes.

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
