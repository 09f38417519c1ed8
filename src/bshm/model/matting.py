"""Matting: native-resolution tiles where the unified mask is unsure, blended into one alpha.

A tile's outer rim is dropped, as the network saw it without surroundings; the next part fades into the neighbour.
Where no tile was needed the unified mask stands, so the alpha is continuous everywhere and does not show the grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.runtime.session import Session
from bshm.types import FloatArray, PixelArray

TILE_PX = 256
# Dropped on each side: beyond it, moving the grid changes alpha by less than a level (tests/model/test_matting.py).
RIM_PX = 16
# Over which two neighbours fade into each other.
FADE_PX = 32
STEP_PX = TILE_PX - 2 * RIM_PX - FADE_PX
# The unified mask is unsure between these, and in the cells around.
_UNSURE_FROM, _UNSURE_TO = 0.02, 0.98
_MARGIN_CELLS = 2
# Neighbouring cells that differ more hold an edge, even where each is sure.
_STEP = 0.05
# Nearly nothing is nothing, nearly all is all: half of what the network is off by on flat cloth.
_STRETCH = 0.012


def refine(session: Session, pixels: PixelArray, unified: FloatArray, *, origin_px: int = 0) -> FloatArray:
    """Alpha at native resolution.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.
        unified: (h, w) float32, 0..1, of the whole picture.
        origin_px: moves the tile grid up and left by this; what comes out must not show it.

    Returns:
        (H, W) float32, 0..1.
    """
    height, width = pixels.shape[:2]
    enlarged = geometry.enlarge(unified, (height, width))
    alpha = enlarged.copy()
    fade = _fade()
    for top, left in tiles(unsure_cells(unified), (height, width), origin_px):
        image = _cut(pixels, top, left).transpose(2, 0, 1).astype(np.float32)
        image *= np.float32(1 / np.iinfo(pixels.dtype).max)
        mask = _cut(enlarged, top, left)
        found = session.run({"image": image[None], "mask": mask[None, None]})["alpha"][0, 0]
        # Each tile adds its change, weighted; the weights of neighbours sum to one.
        change = (found - mask)[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] * fade
        y, x = top + RIM_PX, left + RIM_PX
        y0, x0, y1, x1 = max(y, 0), max(x, 0), min(y + len(change), height), min(x + len(change), width)
        alpha[y0:y1, x0:x1] += change[y0 - y : y1 - y, x0 - x : x1 - x]
    alpha -= _STRETCH
    alpha *= 1 / (1 - 2 * _STRETCH)
    return np.clip(alpha, 0.0, 1.0, out=alpha)


def unsure_cells(unified: FloatArray) -> npt.NDArray[np.bool_]:
    """Where the unified mask leaves the edge open: (h, w) bool."""
    around = np.ones((3, 3), np.uint8)
    steps = cv2.dilate(unified, around) - cv2.erode(unified, around) > _STEP
    unsure = ((unified > _UNSURE_FROM) & (unified < _UNSURE_TO)) | steps
    reach = 2 * _MARGIN_CELLS + 1
    return cv2.dilate(unsure.astype(np.uint8), np.ones((reach, reach), np.uint8)).astype(bool)


def tiles(unsure: npt.NDArray[np.bool_], size_hw: tuple[int, int], origin_px: int = 0) -> Iterator[tuple[int, int]]:
    """Top and left of each tile whose inner part holds an unsure cell; both may be negative.

    Args:
        unsure: (h, w) bool, cells of the whole picture.
        size_hw: height and width of the picture in pixels.
        origin_px: moves the grid up and left.
    """
    height, width = size_hw
    cells_h, cells_w = unsure.shape
    first = -RIM_PX - FADE_PX - origin_px % STEP_PX
    inner = TILE_PX - 2 * RIM_PX
    for top in range(first, height - RIM_PX, STEP_PX):
        rows = _cells(top + RIM_PX, inner, height, cells_h)
        for left in range(first, width - RIM_PX, STEP_PX):
            if unsure[rows, _cells(left + RIM_PX, inner, width, cells_w)].any():
                yield top, left


def _cells(start: int, length: int, pixels: int, cells: int) -> slice:
    begin = max(0, start) * cells // pixels
    return slice(begin, -(-min(start + length, pixels) * cells // pixels))


def _cut(array: npt.NDArray[Any], top: int, left: int) -> npt.NDArray[Any]:
    """The tile at (top, left), mirrored outwards where it leaves the picture."""
    height, width = array.shape[:2]
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + TILE_PX, height), min(left + TILE_PX, width)
    inside = array[y0:y1, x0:x1]
    if inside.shape[:2] == (TILE_PX, TILE_PX):
        return np.ascontiguousarray(inside)
    borders = (y0 - top, top + TILE_PX - y1, x0 - left, left + TILE_PX - x1)
    return cv2.copyMakeBorder(np.ascontiguousarray(inside), *borders, borderType=cv2.BORDER_REFLECT)


def _fade() -> FloatArray:
    """Weights of a tile's inner part: ramps on each side that sum to one with the neighbour's."""
    side = np.ones(TILE_PX - 2 * RIM_PX, np.float32)
    ramp = (np.arange(FADE_PX, dtype=np.float32) + 0.5) / FADE_PX
    side[:FADE_PX] = ramp
    side[-FADE_PX:] = ramp[::-1]
    return np.outer(side, side)
