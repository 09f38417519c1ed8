"""Small pictures for a page, as ``data:`` URLs."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.types import Picture

QUALITY = 80


def address(pixels: npt.NDArray[np.uint8]) -> str:
    """The ``data:`` address of a WebP picture; grey (H, W), RGB or RGBA (H, W, 3|4) uint8 in."""
    order = {2: cv2.COLOR_GRAY2BGR, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    code = order[pixels.ndim if pixels.ndim == 2 else pixels.shape[2]]
    _, data = cv2.imencode(".webp", cv2.cvtColor(pixels, code), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def small(picture: Picture, *, longest_px: int) -> str:
    """The ``data:`` address of a picture whose longer side is at most ``longest_px``."""
    height, width = picture.size_hw
    scale = min(1.0, longest_px / max(height, width))
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    return address(geometry.shrink(picture.pixels, size_hw))
