"""Matting: native-resolution tiles where the unified mask is unsure, blended into one alpha.

The picture is cut into rows of one height; in each row, a tile reaches from the first unsure column to the last one
nearby, so that an upright edge costs a narrow tile and a sure region none.  Two thirds of the pixels of square tiles on
a grid go through the network this way (benchmarks/tiles.py).

A tile's outer rim is dropped, as the network saw it without surroundings; the next part fades into the neighbour.
Where no tile was needed the guided filter's alpha stands, so the alpha is continuous everywhere and does not show the
tiles.  It also stands where all around is sure: a tile holds much of the background and of clothes besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.concurrency.overlap import overlap
from bshm.runtime.session import Session
from bshm.types import FloatArray, PixelArray

# Dropped on each side.  With a wider rim alpha depends less on the tile that it lies in, and more pixels are worked on:
# benchmarks/tiles.py measures both.
RIM_PX = 24
# Over which two neighbours fade into each other.
FADE_PX = 16
# From one row of tiles to the next.
STEP_PX = 128
# 192, as the crops of training.
TILE_PX = STEP_PX + FADE_PX + 2 * RIM_PX
# The network halves what it sees four times, so that only tiles a multiple of 16 px apart see the same cells.
GRID_PX = 16
# Widths come in these steps up to the widest, so that onnxruntime meets few shapes: it keeps memory for each.
WIDTH_STEP_PX, WIDEST_PX = 32, 512
# The unified mask is unsure between these, and in the cells around.
_UNSURE_FROM, _UNSURE_TO = 0.02, 0.98
_MARGIN_CELLS = 2
# How many cells away from what is unsure the network is still believed, and over how many that fades.  Without an end
# twigs and scratches of the background far from anybody come along and patterned clothes get holes; too near an end
# cuts long strands off.
_NEAR_CELLS, _NEAR_FADE_CELLS = 8, 5
# Neighbouring cells that differ more hold an edge, even where each is sure.
_STEP = 0.05
# Nearly nothing is nothing, nearly all is all: half of what the network is off by on flat cloth.
_STRETCH = 0.012


class Tile(NamedTuple):
    """What one run of the network sees, in pixels of the picture; it may reach beyond the picture on every side.

    The rim of ``RIM_PX`` is dropped and then ``FADE_PX`` on each side fade; a tile is ``TILE_PX`` high.
    """

    top: int
    left: int
    width: int


def refine(
    session: Session,
    pixels: PixelArray,
    unified: FloatArray,
    guide: FloatArray,
    *,
    threads: int = 1,
    origin_px: int = 0,
) -> FloatArray:
    """Alpha at native resolution.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.
        unified: (h, w) float32, 0..1, of the whole picture.
        guide: (H, W) float32, 0..1, what ``refine.guided_filter`` makes of both; it is changed in place.
        threads: tiles worked on at once.  A tile is too small for the threads of one run to share: each waits for the
            others at every layer.
        origin_px: moves the tiles up and left by this; what comes out must not show it.

    Returns:
        (H, W) float32, 0..1: ``guide``, corrected where the unified mask is unsure.
    """
    height, width = pixels.shape[:2]
    enlarged = geometry.enlarge(unified, (height, width))
    scale = np.float32(1 / np.iinfo(pixels.dtype).max)
    unsure = unsure_cells(unified)
    near = _near(unsure)

    def change(tile: Tile) -> FloatArray:
        """What the network changes of the guide, weighted: the weights of neighbours sum to one."""
        image = np.empty((3, TILE_PX, tile.width), np.float32)
        for plane, levels in zip(image, cv2.split(_cut(pixels, tile)), strict=True):
            np.multiply(levels, scale, out=plane)
        mask, start = _cut(enlarged, tile), _cut(guide, tile)
        feeds = {"image": image[None], "mask": mask[None, None], "guide": start[None, None]}
        found = session.run(feeds)["alpha"][0, 0, RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]
        result: FloatArray = (found - _STRETCH) * np.float32(1 / (1 - 2 * _STRETCH))
        np.clip(result, 0, 1, out=result)
        result -= start[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]
        result *= _seen_in(near, tile, (height, width))
        result *= _ramp(result.shape[0])[:, None]
        result *= _ramp(result.shape[1])
        return result

    # Tiles look at the guide as it was, so all are done before it is changed; and the changes are added in the order of
    # the tiles and not as they finish: sums of floats must not depend on the threads.
    outcomes = list(overlap(tiles(unsure, (height, width), origin_px), change, threads=threads))
    for outcome in outcomes:
        tile, part = outcome.item, outcome.unwrap()
        y, x = tile.top + RIM_PX, tile.left + RIM_PX
        y0, x0, y1, x1 = max(y, 0), max(x, 0), min(y + part.shape[0], height), min(x + part.shape[1], width)
        guide[y0:y1, x0:x1] += part[y0 - y : y1 - y, x0 - x : x1 - x]
    return np.clip(guide, 0.0, 1.0, out=guide)


def unsure_cells(unified: FloatArray) -> npt.NDArray[np.bool_]:
    """Where the unified mask leaves the edge open: (h, w) bool."""
    around = np.ones((3, 3), np.uint8)
    steps = cv2.dilate(unified, around) - cv2.erode(unified, around) > _STEP
    unsure = ((unified > _UNSURE_FROM) & (unified < _UNSURE_TO)) | steps
    reach = 2 * _MARGIN_CELLS + 1
    return cv2.dilate(unsure.astype(np.uint8), np.ones((reach, reach), np.uint8)).astype(bool)


def _near(unsure: npt.NDArray[np.bool_]) -> FloatArray:
    """How far the network is believed: (h, w) float32, 1 near what is unsure, 0 far from it."""
    reach = 2 * _NEAR_CELLS + 1
    near = cv2.dilate(unsure.astype(np.float32), np.ones((reach, reach), np.uint8))
    return np.asarray(cv2.blur(near, (_NEAR_FADE_CELLS, _NEAR_FADE_CELLS)), np.float32)


def _seen_in(cells: FloatArray, tile: Tile, size_hw: tuple[int, int]) -> FloatArray:
    """A map of the whole picture's cells, enlarged to the pixels of the tile's inner part."""
    across, down = cells.shape[1] / size_hw[1], cells.shape[0] / size_hw[0]
    left, top = tile.left + RIM_PX + 0.5, tile.top + RIM_PX + 0.5
    # From the middles of pixels to the middles of cells.
    matrix = np.array([[across, 0, left * across - 0.5], [0, down, top * down - 0.5]])
    size = (tile.width - 2 * RIM_PX, TILE_PX - 2 * RIM_PX)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(cells, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)


def tiles(unsure: npt.NDArray[np.bool_], size_hw: tuple[int, int], origin_px: int = 0) -> Iterator[Tile]:
    """Tiles whose full-weight parts, together, hold every unsure cell.

    Args:
        unsure: (h, w) bool, cells of the whole picture.
        size_hw: height and width of the picture in pixels.
        origin_px: moves the tiles up and left.
    """
    height, width = size_hw
    cells_h, cells_w = unsure.shape
    inner = STEP_PX + FADE_PX
    for first in range(-FADE_PX - origin_px % STEP_PX, height, STEP_PX):
        begin, end = max(0, first), min(first + inner, height)
        if end <= begin:
            continue
        rows = np.asarray(unsure[begin * cells_h // height : -(-end * cells_h // height)].any(axis=0))
        for start, stop in _spans(rows, width, cells_w, origin_px):
            yield Tile(first - RIM_PX, start - RIM_PX, stop - start + 2 * RIM_PX)


def _spans(columns: npt.NDArray[np.bool_], width: int, cells: int, origin_px: int) -> Iterator[tuple[int, int]]:
    """First column and the one after the last of each tile's inner part; neighbours overlap by a fade."""
    edges = np.flatnonzero(np.diff(columns, prepend=False, append=False))
    found: list[tuple[int, int]] = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        start, stop = int(first) * width // cells - FADE_PX, -(-int(last) * width // cells) + FADE_PX
        # On the grid of the network, and as wide as one of the few shapes.
        start -= (start - RIM_PX + origin_px) % GRID_PX
        stop += -(stop - start + 2 * RIM_PX) % WIDTH_STEP_PX
        # Two tiles side by side cost more than the gap between them, as long as that is narrower than their rims.
        if found and start - found[-1][1] < 2 * RIM_PX:
            start, before = found.pop()
            stop = max(stop, before)
            stop += -(stop - start + 2 * RIM_PX) % WIDTH_STEP_PX
        found.append((start, stop))
    widest = WIDEST_PX - 2 * RIM_PX
    for start, stop in found:
        at = start
        while stop - at > widest:
            yield at, at + widest
            at += widest - FADE_PX
        # A span's last step of width may lie beyond the picture; then the tile before has covered it.
        if at < width:
            yield at, stop


def _cut(array: npt.NDArray[Any], tile: Tile) -> npt.NDArray[Any]:
    """The tile's part of ``array``, mirrored outwards where it leaves the picture."""
    height, width = array.shape[:2]
    bottom, right = tile.top + TILE_PX, tile.left + tile.width
    y0, x0, y1, x1 = max(tile.top, 0), max(tile.left, 0), min(bottom, height), min(right, width)
    inside = array[y0:y1, x0:x1]
    if inside.shape[:2] == (TILE_PX, tile.width):
        return np.ascontiguousarray(inside)
    borders = (y0 - tile.top, bottom - y1, x0 - tile.left, right - x1)
    return cv2.copyMakeBorder(np.ascontiguousarray(inside), *borders, borderType=cv2.BORDER_REFLECT)


def _ramp(length: int) -> FloatArray:
    """Weights of a tile's inner part along one side: ramps that sum to one with the neighbour's."""
    side = np.ones(length, np.float32)
    ramp = (np.arange(FADE_PX, dtype=np.float32) + 0.5) / FADE_PX
    side[:FADE_PX] = ramp
    side[-FADE_PX:] = ramp[::-1]
    return side
