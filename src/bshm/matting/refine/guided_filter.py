"""A guided filter: edges and hair for a mask that a network made of the small picture.

In a window of the small picture the mask is explained by the colours, ``alpha = a · colour + b`` with least squares;
``a`` and ``b``, enlarged, are then applied to the colours of the full picture, which bring its detail along.

Source: He, Sun and Tang, "Guided Image Filtering", TPAMI 2013; coefficients at reduced resolution: He and Sun, "Fast
Guided Filter", 2015.  Changed by measurement (benchmarks/refine.py): where colours explain little of the mask, the
mask itself stands, as the mean over a window would only blur it; and outside the band where the mask is unsure the
coefficients are set to "nobody" or "somebody" before they are enlarged, which makes interior and exterior exact and
leaves the full picture untouched there.  And the alpha that comes out is shrunk and goes in again, twice, with narrower
windows: it knows by then on which side of the edge a window's colours lie, so that strands that the first pass blurred
into their surroundings come out.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from bshm.errors import ShapeError
from bshm.geometry import shrink
from bshm.types import FloatArray, PixelArray

# Tiles of the full picture, and how many side by side are worked on together: the temporaries stay in the cache.
_TILE_PX = 64
_RUN_TILES = 8
# A picture no larger than this is enlarged to at once: a frame of a video call fits into the cache as it is.
_WHOLE_PX = 256 * 256


class _Pass(NamedTuple):
    """One fit of the mask by the colours.

    Attributes:
        radius_px: of the window, in pixels of the mask.
        smooth_px: radius of the coefficients' own mean, less: a wide one blurs them across edges.
        noise: regularisation, in squared colour 0..1: variances below it count as noise.
        margin_px: how far around what is unsure the colours decide.
    """

    radius_px: int
    smooth_px: int
    noise: float
    margin_px: int


# A mask of 256² area is unsure by a pixel or two at edges, by more in hair: the first window must reach what is sure on
# both sides of the hair.  Of 3 to 16, 8 to 12 gave the least error.
_FIRST = _Pass(radius_px=9, smooth_px=4, noise=3e-5, margin_px=1)
# Portraits of benchmarks/quality.py after one pass, two, three, four: gradient error 6.3, 5.5, 5.4, 5.3; MAD 8.4, 7.95,
# 7.9, 7.8 thousandths; each takes as long as the first.  Radii from 3 to 5 differ by a hundredth.
# What goes in again is stretched by _CLEAR on both ends first: a fit of colours leaves a tenth of a person in a hole as
# small as the window, and fits again what it left.  0 gave a MAD of 7.7, 0.06 of 7.2, 0.1 of 7.05; but gradient errors
# of 5.3, 5.55 and 5.8.
_AGAIN = _Pass(radius_px=4, smooth_px=2, noise=1e-5, margin_px=2)
_TIMES_AGAIN = 2
_CLEAR = 0.05
# A finer mask is halved first: the constants here are in its pixels, and on masks of 512² halving gave a MAD of 8.95
# instead of 9.37 and a gradient error of 6.0 instead of 6.6 (portraits of benchmarks/quality.py, thousandths).
_LARGEST_MASK = 2 * 256**2
# The mask is unsure between these, and a margin around.
_UNSURE_FROM, _UNSURE_TO = 0.02, 0.98
# Neighbours that differ more than this hold an edge, even where each of them is sure.
_STEP = 0.05
# The result is stretched by this on both ends, so that nearly nothing is nothing and nearly all is all.
_STRETCH = 0.02
# Where the mask is nearly sure, colour may not overrule it: alpha is at least what a ramp from 0.8 to 0.98 gives (cloth
# of the background's colour gets no hole), and at most a ramp from 0.01 to 0.05.  Both also lower the error a little.
_SURELY_FROM, _SURELY_TO = 0.8, 0.98
_HARDLY_FROM, _HARDLY_TO = 0.01, 0.05


def refine(pixels: PixelArray, mask: FloatArray) -> FloatArray:
    """An alpha at the picture's size: the mask's regions, the picture's edges.

    No morphology works on what is found: islands and real gaps stay as the mask has them.

    Args:
        pixels: (H, W, 3) uint8 or uint16, the picture.
        mask: (h, w) float32, 0..1, of the whole picture, about 256² pixels: is it a person?

    Returns:
        (H, W) float32, 0..1, a new array; exactly 0 and exactly 1 away from where the mask is unsure.

    Raises:
        ShapeError: other shapes, dtypes or ranges.

    >>> picture = np.zeros((256, 256, 3), np.uint8)
    >>> picture[:, 100:] = 200
    >>> mask = np.clip((np.arange(64, dtype=np.float32) - 23) / 3, 0, 1)  # soft from column 96 to 104
    >>> found = refine(picture, np.tile(mask, (64, 1)))[128]
    >>> bool(found[60] == 0), bool(found[99] < 0.2), bool(found[100] > 0.8), bool(found[160] == 1)
    (True, True, True, True)
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0 or pixels.dtype not in (np.uint8, np.uint16):
        raise ShapeError(f"refine() needs pixels (H, W, 3) uint8 or uint16; got {pixels.shape} {pixels.dtype}.")
    if mask.ndim != 2 or mask.size == 0 or mask.dtype != np.float32:
        raise ShapeError(f"refine() needs a mask (h, w) float32; got {mask.shape} {mask.dtype}.")
    if not (mask.min() >= 0.0 and mask.max() <= 1.0):
        raise ShapeError(
            f"refine() needs a mask from 0 to 1; got {float(mask.min())} to {float(mask.max())}. "
            "Apply the sigmoid first."
        )
    if mask.size > _LARGEST_MASK:
        mask = _halved(mask)
    small = shrink(pixels, (mask.shape[0], mask.shape[1]))
    # The passes before the last only have to be finer than the mask: on the picture at twice its size the result is the
    # same to a hundredth, and a large picture costs little more than with one pass.
    rough = (2 * mask.shape[0], 2 * mask.shape[1])
    seen = shrink(pixels, rough) if rough[0] * rough[1] < pixels[..., 0].size else pixels
    alpha = _fit(seen, _Colours(small, _FIRST), mask, _FIRST)
    colours = _Colours(small, _AGAIN)
    for left in reversed(range(_TIMES_AGAIN)):
        mask = np.asarray(cv2.resize(alpha, mask.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
        mask = np.clip((mask - np.float32(_CLEAR)) * np.float32(1 / (1 - 2 * _CLEAR)), 0, 1)
        alpha = _fit(seen if left else pixels, colours, mask, _AGAIN)
    return alpha


def _fit(pixels: PixelArray, colours: _Colours, mask: FloatArray, how: _Pass) -> FloatArray:
    """One pass: the alpha (H, W) of the picture, from the colours of the same picture at the mask's size."""
    height, width = pixels.shape[:2]
    sure = (mask > 0.5).astype(np.float32)
    band = _band(mask, how.margin_px)
    # Nearest, not linear: away from the band neighbours are equal, and within it this is overwritten.
    alpha = np.asarray(cv2.resize(sure, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)
    if not band.any():
        return alpha
    coefficients = _coefficients(colours, mask, how)
    coefficients[:3] *= band
    coefficients[3] = np.where(band, coefficients[3], sure)
    scale = np.float32(1 / (np.iinfo(pixels.dtype).max * (1 - 2 * _STRETCH)))
    coefficients[:3] *= scale
    coefficients[3] = (coefficients[3] - _STRETCH) / (1 - 2 * _STRETCH)
    coefficients[4] = mask
    _apply(pixels, coefficients, band, alpha)
    return alpha


def _halved(mask: FloatArray) -> FloatArray:
    """The mask at half its height and width, by area."""
    half = (mask.shape[1] // 2, mask.shape[0] // 2)
    return np.asarray(cv2.resize(mask, half, interpolation=cv2.INTER_AREA), np.float32)


def _band(mask: FloatArray, margin_px: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """(h, w): where the mask is unsure, steep, or within the margin of that."""
    around = np.ones((3, 3), np.uint8)
    steep = cv2.dilate(mask, around) - cv2.erode(mask, around) > _STEP
    unsure = ((mask > _UNSURE_FROM) & (mask < _UNSURE_TO)) | steep
    wide = np.ones((2 * margin_px + 1, 2 * margin_px + 1), np.uint8)
    # The band is widened, never the mask: more pixels may be decided by their colour.
    return np.asarray(cv2.dilate(unsure.view(np.uint8), wide) != 0)


def _mean(plane: FloatArray, radius_px: int) -> FloatArray:
    window = (2 * radius_px + 1, 2 * radius_px + 1)
    return np.asarray(cv2.blur(plane, window, borderType=cv2.BORDER_REFLECT), np.float32)


class _Colours:
    """What a pass needs of the small picture, whatever the mask is.

    Attributes:
        planes: (h, w) each, centred on the middle of the scale: variances as differences of small numbers keep
            float32's digits.
        means: of the planes, in each pixel's window.
        pivots: of the planes' covariance with the noise on its diagonal, D of its LDLᵀ on whole planes.  Cofactors
            would cancel to nothing in float32 where the colours are all grey.
        factors: L of it, at (green, red), (blue, red) and (blue, green).
    """

    def __init__(self, small: PixelArray, how: _Pass) -> None:
        radius, noise = how.radius_px, np.float32(how.noise)
        r, g, b = self.planes = tuple(
            np.asarray(plane, np.float32) / np.float32(255) - np.float32(0.5) for plane in cv2.split(small)
        )
        mean_r, mean_g, mean_b = self.means = tuple(_mean(plane, radius) for plane in self.planes)
        # No pivot is truly below the noise added to the diagonal.
        least = np.float32(how.noise / 2)
        rr = np.maximum(_mean(r * r, radius) - mean_r**2 + noise, least)
        gg = _mean(g * g, radius) - mean_g**2 + noise
        bb = _mean(b * b, radius) - mean_b**2 + noise
        rg, rb = _mean(r * g, radius) - mean_r * mean_g, _mean(r * b, radius) - mean_r * mean_b
        l_gr, l_br = rg / rr, rb / rr
        d_g = np.maximum(gg - l_gr * rg, least)
        rest = _mean(g * b, radius) - mean_g * mean_b - l_br * rg
        l_bg = rest / d_g
        self.pivots = rr, d_g, np.maximum(bb - l_br * rb - l_bg * rest, least)
        self.factors = l_gr, l_br, l_bg


def _coefficients(colours: _Colours, mask: FloatArray, how: _Pass) -> FloatArray:
    """(5, h, w) float32: per pixel of the mask the three factors of colour 0..1, the offset, and room for the mask."""
    radius = how.radius_px
    (mean_r, mean_g, mean_b), mean_p = colours.means, _mean(mask, radius)
    rp, gp, bp = (
        _mean(plane * mask, radius) - mean * mean_p for plane, mean in zip(colours.planes, colours.means, strict=True)
    )
    (d_r, d_g, d_b), (l_gr, l_br, l_bg) = colours.pivots, colours.factors
    y_g = gp - l_gr * rp
    a_b = (bp - l_br * rp - l_bg * y_g) / d_b
    a_g = y_g / d_g - l_bg * a_b
    a_r = rp / d_r - l_gr * a_g - l_br * a_b
    # The share of the mask's variance that colour explains, 0..1.
    variance = _mean(mask * mask, radius) - mean_p * mean_p
    explained = np.clip((a_r * rp + a_g * gp + a_b * bp) / np.maximum(variance, np.float32(1e-4)), 0, 1)
    trust = _trust(explained)
    offset = mean_p - a_r * mean_r - a_g * mean_g - a_b * mean_b
    result = np.empty((5, *mask.shape), np.float32)
    for index, plane in enumerate((a_r, a_g, a_b, offset)):
        result[index] = _mean(trust * plane, how.smooth_px)
    result[3] += (1 - _mean(trust, how.smooth_px)) * mask
    # Back from centred colour to 0..1.
    result[3] -= np.float32(0.5) * (result[0] + result[1] + result[2])
    return result


def _trust(explained: FloatArray) -> FloatArray:
    """How much the colours count against the mask itself: nothing below 0.1 explained, all above 0.5."""
    return np.asarray(np.clip((explained - np.float32(0.1)) / np.float32(0.4), 0, 1), np.float32)


def _apply(
    pixels: PixelArray,
    coefficients: FloatArray,
    band: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
    alpha: FloatArray,
) -> None:
    """``alpha = a · colour + b`` within the mask's bounds, in the tiles that the band touches."""
    height, width = alpha.shape
    if alpha.size <= _WHOLE_PX:
        _decide(pixels, np.stack([cv2.resize(plane, (width, height)) for plane in coefficients]), alpha)
        return
    small_h, small_w = band.shape
    lefts = np.arange(0, width, _TILE_PX)
    rights = np.minimum(lefts + _TILE_PX, width)
    first, last = _reach(lefts, width, small_w)[0], _reach(rights - 1, width, small_w)[1]
    columns = _interpolation(0, width, width, small_w)
    for top in range(0, height, _TILE_PX):
        bottom = min(height, top + _TILE_PX)
        rows = _interpolation(top, bottom, height, small_h)
        y0, y1 = int(rows[0][0]), int(rows[1][-1]) + 1
        rows = (rows[0] - y0, rows[1] - y0, rows[2])
        count = np.concatenate([[0], np.cumsum(band[y0:y1].any(axis=0))])
        tiles = np.flatnonzero(count[last + 1] > count[first])
        begin = 0
        for at in range(1, len(tiles) + 1):
            if at < len(tiles) and tiles[at] == tiles[at - 1] + 1 and at - begin < _RUN_TILES:
                continue
            left, right = int(lefts[tiles[begin]]), int(rights[tiles[at - 1]])
            begin = at
            fitted = _between(coefficients[:, y0:y1], rows, columns, slice(left, right))
            _decide(pixels[top:bottom, left:right], fitted, alpha[top:bottom, left:right])


def _decide(pixels: PixelArray, fitted: FloatArray, alpha: FloatArray) -> None:
    """``fitted`` (5, H, W), enlarged coefficients, is used up."""
    total = fitted[3]
    for index, plane in enumerate(cv2.split(pixels)):
        fitted[index] *= plane
        total += fitted[index]
    wide = fitted[4]
    np.minimum(total, (wide - np.float32(_HARDLY_FROM)) * np.float32(1 / (_HARDLY_TO - _HARDLY_FROM)), out=total)
    wide -= np.float32(_SURELY_FROM)
    wide *= np.float32(1 / (_SURELY_TO - _SURELY_FROM))
    np.maximum(total, wide, out=total)
    np.clip(total, 0, 1, out=alpha)


def _reach(
    at: np.ndarray[tuple[int], np.dtype[np.int64]], length: int, small: int
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The small pixels on both sides of the middle of each large pixel."""
    below = np.floor((at + 0.5) * (small / length) - 0.5).astype(np.int64)
    return np.clip(below, 0, small - 1), np.clip(below + 1, 0, small - 1)


_Interpolation = tuple[
    np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]], FloatArray
]
"""Of each large pixel: the small ones before and after it, and the share of the one after."""


def _interpolation(start: int, stop: int, length: int, small: int) -> _Interpolation:
    """Bilinear with half-pixel centres, for pixels ``start`` to ``stop`` of ``length``.

    (cv2.warpAffine would cut positions to 1/32 of a small pixel: steps that a large picture shows.)
    """
    at = np.arange(start, stop)
    below, above = _reach(at, length, small)
    share = np.clip((at + 0.5) * (small / length) - 0.5 - below, 0, 1)
    return below, above, share.astype(np.float32)


def _between(small: FloatArray, rows: _Interpolation, columns: _Interpolation, span: slice) -> FloatArray:
    """The planes of ``small`` (N, h, w), enlarged to the given rows and to ``span`` of the columns.

    Elementwise, not as a product of matrices: on a busy machine the threads of a BLAS wait for each other at every
    such small product, which made this whole file take 40 times as long.
    """
    below, above, share = columns[0][span], columns[1][span], columns[2][span]
    wide = small.take(above, axis=2)
    before = small.take(below, axis=2)
    wide -= before
    wide *= share
    wide += before
    below, above, share = rows
    result = wide.take(above, axis=1)
    before = wide.take(below, axis=1)
    result -= before
    result *= share[:, None]
    result += before
    return result
