"""Colour decontamination: what colour the people have where the old background shines through.

A pixel of a soft edge shows ``I = a F + (1 - a) B``.  Its ``F`` is what must be laid over another background; ``I``
itself would bring a halo of the old one along.

Two passes, from the sure to the fine.  Coarse: at an eighth of the size, what is surely foreground and what is surely
background spreads into the unknown, each pixel taking the nearest that is known.  Fine: only in tiles that hold an
edge, that guess is corrected so that it explains the pixel, averaged over a small window with weights that trust the
nearly opaque (for F) and the nearly clear (for B), and corrected again.

Source: Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021 (two blurs and a correction), changed by
measurement (benchmarks/foreground.py): weights of alpha to the fourth and to nothing below 0.95 in place of alpha
itself, and the least-squares correction of Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from bshm.errors import ShapeError
from bshm.types import FloatArray, PixelArray

TILE_PX = 64
# Tiles side by side are worked on together, as many as keep the temporaries in the cache.
_RUN_TILES = 6
# A cell of the coarse pass.
_CELL_PX = 8
# Also the margin of a tile: no smaller than the fine window's radius.
_MARGIN_PX = _CELL_PX
_FINE_WINDOW_PX = 7
# Windows of the coarse pass in cells, from the widest: where a narrow one sees nothing known, the wider one counts.
_COARSE_WINDOWS = (41, 9, 3)
_COARSE_REACH_PX = (_COARSE_WINDOWS[0] // 2 + 1) * _CELL_PX
# Alpha from which a pixel's own colour counts as the foreground's (and 1 - alpha as the background's).
_SURE = 0.95
# Below half a level of 8 bits an edge cannot be seen.
_EDGE_FROM, _EDGE_TO = 1 / 510, 1 - 1 / 510
# Least squares: how much a guess counts against the pixel.  0.1 was 8 % worse.
_TRUST = 0.01


def estimate(pixels: PixelArray, alpha: FloatArray) -> PixelArray:
    """The people's own colour, straight, with the old background taken out of soft edges.

    Args:
        pixels: (H, W, 3) uint8 or uint16, the picture.
        alpha: (H, W) float32, 0..1; 1 is fully a person.

    Returns:
        (H, W, 3), dtype of ``pixels``, a new array.  Exactly the picture's own colour where alpha is 1, and where it
        is 0 (there the value has no meaning).

    Raises:
        ShapeError: other shapes or dtypes.

    >>> red_over_blue = np.full((64, 64, 3), (0, 0, 255), np.uint8)
    >>> red_over_blue[:, 32:], red_over_blue[:, 32] = (255, 0, 0), (128, 0, 128)
    >>> alpha = np.zeros((64, 64), np.float32)
    >>> alpha[:, 32:], alpha[:, 32] = 1.0, 0.5
    >>> estimate(red_over_blue, alpha)[10, 32].tolist()
    [255, 0, 0]
    """
    if alpha.ndim != 2 or alpha.dtype != np.float32:
        raise ShapeError(f"estimate() needs alpha as (H, W) float32; got {alpha.shape} {alpha.dtype}.")
    if pixels.shape != (*alpha.shape, 3) or pixels.dtype not in (np.uint8, np.uint16):
        raise ShapeError(
            f"estimate() needs pixels (H, W, 3) uint8 or uint16 with the height and width of alpha; "
            f"got pixels {pixels.shape} {pixels.dtype}, alpha {alpha.shape}."
        )
    result = pixels.copy()
    runs = _edge_runs(alpha)
    if not runs:
        return result
    grid = _Grid(pixels, alpha, runs)
    for run in runs:
        _fine(pixels, alpha, grid, run, result)
    return result


Run = tuple[int, int, int, int]
"""Top, bottom, left, right of some edge tiles side by side, in pixels."""


def _edge_runs(alpha: FloatArray) -> list[Run]:
    """Rectangles of 64-px tiles that together hold every pixel of a soft edge."""
    height, width = alpha.shape
    runs: list[Run] = []
    if width == 0:
        return runs
    starts = np.arange(0, width, TILE_PX)
    for top in range(0, height, TILE_PX):
        strip = alpha[top : top + TILE_PX]
        soft = cv2.inRange(strip, _EDGE_FROM, _EDGE_TO).max(axis=0)
        tiles = np.flatnonzero(np.maximum.reduceat(soft, starts))
        first = 0
        for at in range(1, len(tiles) + 1):
            if at == len(tiles) or tiles[at] != tiles[at - 1] + 1 or at - first == _RUN_TILES:
                left, right = int(tiles[first]) * TILE_PX, min(width, (int(tiles[at - 1]) + 1) * TILE_PX)
                runs.append((top, min(height, top + TILE_PX), left, right))
                first = at
    return runs


class _Grid:
    """The coarse pass: foreground and background colour in cells of 8x8 pixels, wherever an edge is near."""

    def __init__(self, pixels: PixelArray, alpha: FloatArray, runs: list[Run]) -> None:
        height, width = alpha.shape
        cell = _CELL_PX
        # Colours farther away than the widest window have no say.
        self.top = max(0, min(run[0] for run in runs) - _COARSE_REACH_PX) // cell * cell
        self.left = max(0, min(run[2] for run in runs) - _COARSE_REACH_PX) // cell * cell
        bottom = min(height, max(run[1] for run in runs) + _COARSE_REACH_PX)
        right = min(width, max(run[3] for run in runs) + _COARSE_REACH_PX)
        shape = -(-(bottom - self.top) // cell), -(-(right - self.left) // cell)
        sums = [np.empty((*shape, 4), np.float32) for _ in range(2)]
        for start in range(self.top, bottom, TILE_PX):
            rows = np.s_[start : min(bottom, start + TILE_PX), self.left : right]
            cells = np.s_[(start - self.top) // cell : -(-(rows[0].stop - self.top) // cell)]
            sure = cv2.inRange(alpha[rows], _SURE, 2.0), cv2.inRange(alpha[rows], -1.0, 1 - _SURE)
            for total, mask in zip(sums, sure, strict=True):
                total[cells] = _cell_means(pixels[rows], np.asarray(mask, np.uint8))
        self.foreground, self.background = (_spread(total) for total in sums)

    def at(self, run: Run) -> tuple[FloatArray, FloatArray]:
        """Foreground and background, (H, W, 3) each, enlarged for a rectangle of the picture."""
        cell = _CELL_PX
        # One cell more on each side: what the enlargement repeats at its border is then cut off.
        y0, y1 = max(0, (run[0] - self.top) // cell - 1), -(-(run[1] - self.top) // cell) + 1
        x0, x1 = max(0, (run[2] - self.left) // cell - 1), -(-(run[3] - self.left) // cell) + 1
        cut = np.s_[run[0] - self.top - y0 * cell :, run[2] - self.left - x0 * cell :]
        found = []
        for colours in (self.foreground, self.background):
            part = colours[y0:y1, x0:x1]
            size = (part.shape[1] * cell, part.shape[0] * cell)
            whole = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
            found.append(np.ascontiguousarray(whole[cut][: run[1] - run[0], : run[3] - run[2]], np.float32))
        return found[0], found[1]


def _cell_means(pixels: PixelArray, mask: npt.NDArray[np.uint8]) -> FloatArray:
    """(h, w, 4) float32: per cell the mean of masked colour, and in the last channel the share that is masked."""
    marked = cv2.merge([*cv2.split(cv2.copyTo(pixels, mask)), mask.astype(pixels.dtype, copy=False)])
    # Zeros fill the last cells up: they weigh nothing.
    missing = [-length % _CELL_PX for length in mask.shape]
    if any(missing):
        marked = cv2.copyMakeBorder(marked, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=0)
    size = (marked.shape[1] // _CELL_PX, marked.shape[0] // _CELL_PX)
    means = cv2.resize(marked.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    result = np.asarray(means, np.float32)
    result[..., 3] /= 255
    return result


def _spread(means: FloatArray) -> FloatArray:
    """Colours that fill every cell: the known ones where they are, their neighbours' mean where they are not."""
    weight = float(means[..., 3].sum())
    mean = means[..., :3].reshape(-1, 3).sum(0) / max(weight, 1e-6)
    found = np.broadcast_to(mean, means[..., :3].shape).astype(np.float32)
    for window in _COARSE_WINDOWS:
        local = cv2.blur(means, (window, window), borderType=cv2.BORDER_REFLECT)
        share = local[..., 3:]
        # A ten-thousandth of the wider window's colour: it decides only where this one sees next to nothing.
        found = np.asarray((local[..., :3] + 1e-4 * found) / (share + 1e-4), np.float32)
    return found


def _fine(pixels: PixelArray, alpha: FloatArray, grid: _Grid, run: Run, result: PixelArray) -> None:
    """Write the foreground of the soft pixels of ``run`` into ``result``."""
    height, width = alpha.shape
    top, bottom = max(0, run[0] - _MARGIN_PX), min(height, run[1] + _MARGIN_PX)
    left, right = max(0, run[2] - _MARGIN_PX), min(width, run[3] + _MARGIN_PX)
    own = alpha[top:bottom, left:right]
    image = pixels[top:bottom, left:right].astype(np.float32)
    highest = float(np.iinfo(pixels.dtype).max)
    a = np.asarray(cv2.merge([own, own, own]), np.float32)
    foreground, background = grid.at((top, bottom, left, right))
    _correct(image, a, foreground, background, highest)
    foreground = _local_mean(foreground, own)
    background = _local_mean(background, 1 - own)
    _correct(image, a, foreground, background, highest)
    foreground += np.float32(0.5)  # the cast cuts off
    inner = np.s_[run[0] - top : run[1] - top, run[2] - left : run[3] - left]
    soft = cv2.inRange(own, _EDGE_FROM, _EDGE_TO)[inner].view(bool)
    np.copyto(result[run[0] : run[1], run[2] : run[3]], foreground[inner].astype(pixels.dtype), where=soft[..., None])


def _correct(image: FloatArray, a: FloatArray, foreground: FloatArray, background: FloatArray, top: float) -> None:
    """Move both colours, as little as can be, until ``a F + (1 - a) B`` is the picture; in place.

    Least squares of ``|a F + (1 - a) B - I|² + _TRUST (|F - F'|² + |B - B'|²)`` in F and B.
    """
    b = 1 - a
    rest = image - a * foreground
    rest -= b * background
    rest /= a * a + b * b + np.float32(_TRUST)
    foreground += a * rest
    background += b * rest
    np.clip(foreground, 0, top, out=foreground)
    np.clip(background, 0, top, out=background)


def _local_mean(colours: FloatArray, sureness: FloatArray) -> FloatArray:
    """Mean over the fine window, each pixel weighing the fourth power of how sure it is."""
    weight = sureness * sureness
    weight *= weight
    window = (_FINE_WINDOW_PX, _FINE_WINDOW_PX)
    # 1e-6: where the window holds nothing sure at all, the colour stays what it was.
    weight += np.float32(1e-6)
    total = np.asarray(
        cv2.blur(colours * cv2.merge([weight, weight, weight]), window, borderType=cv2.BORDER_REFLECT), np.float32
    )
    weight = np.asarray(cv2.blur(weight, window, borderType=cv2.BORDER_REFLECT), np.float32)
    total /= cv2.merge([weight, weight, weight])
    return total
