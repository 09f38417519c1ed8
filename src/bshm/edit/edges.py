"""Move, close, clean and soften the edge of people: alpha in, alpha out; soft hair does not change.

All of this needs an edge between pixels that are surely people and pixels that are surely not.  Where the two are far
apart, there is hair, a veil or something out of focus, and nothing changes.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from bshm.errors import ShapeError
from bshm.types import FloatArray, PixelArray

# Alpha above which a pixel is surely people, and below which it is surely not.
SOLID, EMPTY = 0.9, 0.1
# Anything narrower than twice this counts as neither: strands, and the gaps between them.
_STRAND_PX = 2
# A hard edge in a photograph is at most this many pixels wide; a wider edge is soft by itself.
_HARD_PX = 8.0
# An island that is thin or soft and this near to people, as a share of the square root of the area, is their hair.
_HAIR_NEAR_SHARE = 0.02
_STEP_PX = 8
# The faint rim of an island.
_RIM_PX = 4


def changed(
    alpha: FloatArray,
    *,
    grow: float | None = None,
    fill_holes: float | None = None,
    drop_islands: float | None = None,
    feather: float | None = None,
) -> FloatArray:
    """Alpha after the requested changes: holes, islands, growing, feathering, in this order.

    Args:
        alpha: (H, W) float32, 0..1.
        grow, fill_holes, drop_islands, feather: as in ``Edit``; None changes nothing.

    Returns:
        (H, W) float32, 0..1; ``alpha`` itself if nothing is requested.

    Raises:
        ShapeError: another shape or dtype.
    """
    if alpha.ndim != 2 or alpha.dtype != np.float32:
        raise ShapeError(f"changed() needs alpha as (H, W) float32; got {alpha.shape} {alpha.dtype}.")
    if fill_holes:
        alpha = holes_filled(alpha, fill_holes)
    if drop_islands:
        alpha = islands_dropped(alpha, drop_islands)
    if grow:
        alpha = grown(alpha, grow)
    if feather:
        alpha = feathered(alpha, feather)
    return alpha


def grown(alpha: FloatArray, by_px: float) -> FloatArray:
    """Hard edges moved out, or in if ``by_px`` is below 0; fractions of a pixel are interpolated.

    >>> alpha = np.zeros((40, 40), np.float32)
    >>> alpha[10:30, 10:30] = 1
    >>> float(grown(alpha, 2)[20].sum()), float(grown(alpha, -2)[20].sum())
    (24.0, 16.0)
    """
    whole, part = divmod(abs(by_px), 1)
    moved = _moved(alpha, int(whole), out=by_px > 0)
    if part:
        moved = moved + (_moved(alpha, int(whole) + 1, out=by_px > 0) - moved) * np.float32(part)
    return _where_hard(alpha, moved, abs(by_px))


def feathered(alpha: FloatArray, width_px: float) -> FloatArray:
    """Hard edges made to rise from 0 over ``width_px``, inwards, so that no old background is added.

    >>> alpha = np.zeros((60, 60), np.float32)
    >>> alpha[10:50, 10:50] = 1
    >>> soft = feathered(alpha, 8)
    >>> [round(float(soft[30, x]), 3) for x in (9, 13, 18)]
    [0.0, 0.407, 1.0]
    """
    depth = _distance(alpha < EMPTY) - np.float32(0.5)
    share = np.clip(depth / np.float32(width_px), 0, 1)
    ramp = share * share * (3 - 2 * share)
    return _where_hard(alpha, np.minimum(alpha, ramp), width_px)


def holes_filled(alpha: FloatArray, largest_share: float) -> FloatArray:
    """Holes within solid people made solid; a gap that is open to the outside through hair is not a hole.

    Args:
        alpha: (H, W) float32, 0..1.
        largest_share: of the solid people's area; a larger hole stays.
    """
    solid = alpha > SOLID
    around = _opened(solid, _STRAND_PX)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~around).astype(np.uint8), connectivity=4)
    height, width = alpha.shape
    largest = largest_share * float(np.count_nonzero(solid))
    fills = np.zeros(count, bool)
    for label in range(1, count):
        left, top, across, down, area = stats[label]
        at_border = left == 0 or top == 0 or left + across == width or top + down == height
        fills[label] = not at_border and area <= largest
    result: FloatArray = np.where(fills[labels], np.float32(1), alpha)
    return result


def islands_dropped(alpha: FloatArray, smallest_share: float) -> FloatArray:
    """Separate scraps removed; thin or soft ones close to people are hair and stay.

    Args:
        alpha: (H, W) float32, 0..1.
        smallest_share: of the largest island's area; a larger one stays.
    """
    shown = alpha > EMPTY
    count, labels, stats, _ = cv2.connectedComponentsWithStats(shown.astype(np.uint8), connectivity=8)
    if count <= 2:
        return alpha
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    keeps = areas >= smallest_share * float(areas.max())
    kept = keeps[labels] & shown
    has_core = np.zeros(count, bool)
    has_core[np.unique(labels[_opened(alpha > SOLID, _STRAND_PX)])] = True
    near = _distance(kept) <= max(3.0, _HAIR_NEAR_SHARE * math.sqrt(alpha.size))
    is_near = np.zeros(count, bool)
    is_near[np.unique(labels[near])] = True
    drops = ~keeps & ~(is_near & ~has_core)
    drops[0] = False
    dropped = drops[labels]
    # Its faint rim goes with it.
    rim = (_distance(dropped) <= _RIM_PX) & ~shown
    result: FloatArray = np.where(dropped | rim, np.float32(0), alpha)
    return result


def recoloured(foreground: PixelArray, before: FloatArray, after: FloatArray, pixels: PixelArray) -> PixelArray:
    """The people's colour; where alpha rose, the colour of the picture.

    Args:
        foreground: (H, W, 3) uint8 or uint16, straight, of ``before``.
        before, after: (H, W) float32, 0..1.
        pixels: (H, W, 3), dtype of ``foreground``, the picture.

    Returns:
        (H, W, 3), dtype of ``foreground``; ``foreground`` itself if alpha rose nowhere.
    """
    rose = after > before
    if not rose.any():
        return foreground
    result = foreground.copy()
    share = ((after[rose] - before[rose]) / after[rose])[:, None]
    result[rose] = (foreground[rose] * (1 - share) + pixels[rose] * share + np.float32(0.5)).astype(foreground.dtype)
    return result


def _where_hard(alpha: FloatArray, wanted: FloatArray, reach_px: float) -> FloatArray:
    """``wanted`` at hard edges, ``alpha`` at and near edges that are soft by themselves."""
    solid, empty = _opened(alpha > SOLID, _STRAND_PX), _opened(alpha < EMPTY, _STRAND_PX)
    width = _distance(solid) + _distance(empty)
    soft = ~solid & ~empty & (width > _HARD_PX + 2 * _STRAND_PX)
    if not soft.any():
        return np.clip(wanted, np.float32(0), np.float32(1))
    # A smooth transition between the two.
    far = _distance(soft) - np.float32(reach_px + 1)
    share = np.clip(far / np.float32(max(2.0, reach_px)), np.float32(0), np.float32(1))
    result: FloatArray = np.clip(alpha + (wanted - alpha) * share, np.float32(0), np.float32(1))
    return result


def _moved(alpha: FloatArray, radius: int, *, out: bool) -> FloatArray:
    if radius == 0:
        return alpha
    operation = cv2.dilate if out else cv2.erode
    # In steps, because the time grows with the disc's area.
    for start in range(0, radius, _STEP_PX):
        disc = _disc(min(_STEP_PX, radius - start))
        alpha = np.asarray(operation(alpha, disc, borderType=cv2.BORDER_REPLICATE), np.float32)
    return alpha


def _opened(mask: Any, radius: int) -> Any:
    """(H, W) bool: the mask without parts narrower than a disc; the mask is continued beyond its border."""
    padded = np.pad(mask.astype(np.uint8), 2 * radius, mode="edge")
    inner = slice(2 * radius, -2 * radius)
    return cv2.morphologyEx(padded, cv2.MORPH_OPEN, _disc(radius))[inner, inner] != 0


def _disc(radius: int) -> Any:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    # A quarter is added so that small discs are round.
    return (x * x + y * y <= (radius + 0.25) ** 2).astype(np.uint8)


def _distance(mask: Any) -> FloatArray:
    """(H, W) float32: distance from each pixel's centre to the nearest in the mask; huge if the mask is empty."""
    if not mask.any():
        return np.full(mask.shape, np.float32(1e6))
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
