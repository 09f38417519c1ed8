"""Colour decontamination: find the colour of people where the old background shines through.

A pixel of a soft edge shows ``I = a F + (1 - a) B``.  Its ``F`` is what must be laid over another background; ``I``
itself would bring a halo of the old one along.

Two passes, from the sure to the fine.  Coarse: at an eighth of the size, what is surely foreground and what is surely
background spreads into the unknown, each pixel taking the nearest that is known.  Fine: only in rectangles around
edges, that guess is corrected so that it explains the pixel, averaged over a small window with weights that trust the
nearly opaque (for F) and the nearly clear (for B), and corrected again.

Source: Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021 (two blurs and a correction), changed by
measurement (benchmarks/foreground.py): weights of alpha to the fourth and to nothing below 0.93 in place of alpha
itself, and the least-squares correction of Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from bshm.errors import ShapeError
from bshm.types import FloatArray, PixelArray

# Edges are gathered from bands of this many rows ...
_BAND_PX = 64
# ... into rectangles of at most this width: their temporaries stay in the cache.
_WIDEST_PX = 384
# A gap narrower than this is worked on as well: 4,000 pixels cost as much as beginning another rectangle.
_GAP_PX = 64
# Around a rectangle: the fine window's radius.
_MARGIN_PX = 4
_FINE_WINDOW_PX = 2 * _MARGIN_PX + 1
# A cell of the coarse pass, and from how many rows one is looked at: the mean of half of the pixels is good enough.
_CELL_PX = 8
_EVERY_ROW = 2
# Windows of the coarse pass in cells, from the widest: where a narrow one sees nothing known, the wider one counts.
_COARSE_WINDOWS = (41, 9, 3)
_COARSE_REACH_PX = (_COARSE_WINDOWS[0] // 2 + 1) * _CELL_PX
# Alpha from which a pixel's own colour counts as the foreground's (and 1 - alpha as the background's).  0.95 was 2 %
# worse with a true alpha and as good with a blurred one.
_SURE = 0.93
# Below half a level of 8 bits an edge cannot be seen.
_EDGE_FROM, _EDGE_TO = 1 / 510, 1 - 1 / 510
# Least squares: how much a guess counts against the pixel.  0.1 was 8 % worse.
_TRUST = 0.01


def estimate_among(colour: PixelArray, some: FloatArray, everybody: FloatArray) -> PixelArray:
    """The colour of some of several people, with that of the others taken out of the edges that they share.

    Args:
        colour: (H, W, 3) uint8 or uint16, that of all of them, straight, as ``estimate`` gives it.
        some: (H, W) float32, 0..1, the alpha of those who are wanted.
        everybody: (H, W) float32, 0..1, the alpha of all, nowhere less than theirs.

    Returns:
        (H, W, 3), dtype of ``colour``, a new array; exactly ``colour`` where no others are.

    Raises:
        ShapeError: other shapes or dtypes.
    """
    # Of what all of them show, so much is theirs; to them the others are what lies behind.
    share = np.divide(some, everybody, out=np.zeros_like(some), where=everybody > 0)
    # Where nobody is, the picture's colour is neither theirs nor the others'.
    return _estimated(colour, np.clip(share, np.float32(0), np.float32(1)), everybody > _SURE)


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
    return _estimated(pixels, alpha, None)


def _estimated(pixels: PixelArray, alpha: FloatArray, known: npt.NDArray[np.bool_] | None) -> PixelArray:
    """See ``estimate``; ``known`` are the pixels whose colour counts, None all of them."""
    if alpha.ndim != 2 or alpha.dtype != np.float32:
        raise ShapeError(f"estimate() needs alpha as (H, W) float32; got {alpha.shape} {alpha.dtype}.")
    if pixels.shape != (*alpha.shape, 3) or pixels.dtype not in (np.uint8, np.uint16):
        raise ShapeError(
            f"estimate() needs pixels (H, W, 3) uint8 or uint16 with the height and width of alpha; "
            f"got pixels {pixels.shape} {pixels.dtype}, alpha {alpha.shape}."
        )
    result: PixelArray = pixels.copy()
    edges = _edges(alpha)
    if not edges:
        return result
    grid = _Grid(pixels, alpha, edges, known)
    for edge in edges:
        _fine(pixels, alpha, grid, edge, known, result)
    return result


class _Rect(NamedTuple):
    """Pixels from ``top`` up to ``bottom`` and from ``left`` up to ``right``, those two not included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def where(self) -> tuple[slice, slice]:
        """As an index of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def _edges(alpha: FloatArray) -> list[_Rect]:
    """Rectangles that together hold every pixel of a soft edge."""
    height, width = alpha.shape
    found: list[_Rect] = []
    if width == 0:
        return found
    for top in range(0, height, _BAND_PX):
        soft = cv2.inRange(alpha[top : top + _BAND_PX], _EDGE_FROM, _EDGE_TO)
        columns = np.flatnonzero(soft.max(axis=0))
        if not columns.size:
            continue
        gaps = np.flatnonzero(np.diff(columns) > _GAP_PX)
        firsts = columns[np.concatenate([[0], gaps + 1])].tolist()
        lasts = columns[np.concatenate([gaps, [-1]])].tolist()
        for first, last in zip(firsts, lasts, strict=True):
            rows = np.flatnonzero(soft[:, first : last + 1].max(axis=1))
            parts = -(-(last + 1 - first) // _WIDEST_PX)
            step = -(-(last + 1 - first) // parts)
            found += [
                _Rect(top + int(rows[0]), top + int(rows[-1]) + 1, left, min(last + 1, left + step))
                for left in range(first, last + 1, step)
            ]
    return found


class _Grid:
    """The coarse pass: foreground and background colour in cells of 8x8 pixels, wherever an edge is near."""

    def __init__(
        self, pixels: PixelArray, alpha: FloatArray, edges: list[_Rect], known: npt.NDArray[np.bool_] | None
    ) -> None:
        height, width = alpha.shape
        cell = _CELL_PX
        # Colours farther away than the widest window have no say.
        self.top = max(0, min(edge.top for edge in edges) - _COARSE_REACH_PX) // cell * cell
        self.left = max(0, min(edge.left for edge in edges) - _COARSE_REACH_PX) // cell * cell
        bottom = min(height, max(edge.bottom for edge in edges) + _COARSE_REACH_PX)
        right = min(width, max(edge.right for edge in edges) + _COARSE_REACH_PX)
        shape = -(-(bottom - self.top) // cell), -(-(right - self.left) // cell)
        sums = [np.zeros((*shape, 4), np.float32) for _ in range(2)]
        band = _EVERY_ROW * _BAND_PX
        for start in range(self.top, bottom, band):
            part = np.s_[start : min(bottom, start + band) : _EVERY_ROW, self.left : right]
            cells = slice((start - self.top) // cell, -(-(min(bottom, start + band) - self.top) // cell))
            sure = cv2.inRange(alpha[part], _SURE, 2.0), cv2.inRange(alpha[part], -1.0, 1 - _SURE)
            if known is not None:
                sure = tuple(np.where(known[part], mask, np.uint8(0)) for mask in sure)  # type: ignore[assignment]
            for total, mask in zip(sums, sure, strict=True):
                _add_cell_means(pixels[part], np.asarray(mask, np.uint8), total[cells])
        self.foreground, self.background = (_spread(total) for total in sums)

    def at(self, rect: _Rect) -> tuple[FloatArray, FloatArray]:
        """Foreground and background, (H, W, 3) each, enlarged for a rectangle of the picture; views of new arrays."""
        cell = _CELL_PX
        # Half a cell more on each side: what the enlargement repeats at its border is then cut off.
        y0, y1 = max(0, (rect.top - self.top - cell // 2) // cell), -(-(rect.bottom - self.top + cell // 2) // cell)
        x0, x1 = max(0, (rect.left - self.left - cell // 2) // cell), -(-(rect.right - self.left + cell // 2) // cell)
        top, left = rect.top - self.top - y0 * cell, rect.left - self.left - x0 * cell
        cut = np.s_[top : top + rect.bottom - rect.top, left : left + rect.right - rect.left]
        found = []
        for colours in (self.foreground, self.background):
            few = colours[y0:y1, x0:x1]
            size = (few.shape[1] * cell, few.shape[0] * cell)
            found.append(np.asarray(cv2.resize(few, size, interpolation=cv2.INTER_LINEAR), np.float32)[cut])
        return found[0], found[1]


def _add_cell_means(pixels: PixelArray, mask: npt.NDArray[np.uint8], total: FloatArray) -> None:
    """Per cell the mean of masked colour, and in the last channel the share that is masked, into ``total``.

    Args:
        pixels: (h, w, 3), every second row of a band of the picture.
        mask: (h, w) uint8, 0 or 255.
        total: (cells, cells, 4) float32, zero.
    """
    columns = np.flatnonzero(mask.max(axis=0))
    if not columns.size:
        return
    # Most bands hold people in a few columns alone.
    first, last = int(columns[0]) // _CELL_PX, int(columns[-1]) // _CELL_PX + 1
    span = np.s_[:, first * _CELL_PX : last * _CELL_PX]
    mask = mask[span]
    marked = cv2.cvtColor(cv2.copyTo(pixels[span], mask), cv2.COLOR_RGB2RGBA)
    cv2.insertChannel(mask.astype(pixels.dtype, copy=False), marked, 3)
    # Zeros fill the last cells up: they weigh nothing.
    missing = total.shape[0] * _CELL_PX // _EVERY_ROW - mask.shape[0], (last - first) * _CELL_PX - mask.shape[1]
    if any(missing):
        marked = cv2.copyMakeBorder(marked, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=0)
    # Two by two in whole levels first: a quarter of the floats, for a rounding that the cell averages out.
    marked = cv2.resize(marked, (marked.shape[1] // 2, marked.shape[0] // 2), interpolation=cv2.INTER_AREA)
    size = (last - first, total.shape[0])
    total[:, first:last] = cv2.resize(marked.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    total[:, first:last, 3] /= 255


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


def _fine(
    pixels: PixelArray,
    alpha: FloatArray,
    grid: _Grid,
    edge: _Rect,
    known: npt.NDArray[np.bool_] | None,
    result: PixelArray,
) -> None:
    """Write the foreground of the soft pixels of ``edge`` into ``result``.

    A correction moves both colours, as little as can be, until ``a F + (1 - a) B`` is the picture: least squares of
    ``|a F + (1 - a) B - I|² + _TRUST (|F - F'|² + |B - B'|²)`` in F and B, where F' and B' are the guess.
    """
    height, width = alpha.shape
    around = _Rect(
        max(0, edge.top - _MARGIN_PX),
        min(height, edge.bottom + _MARGIN_PX),
        max(0, edge.left - _MARGIN_PX),
        min(width, edge.right + _MARGIN_PX),
    )
    image = pixels[around.where].astype(np.float32)
    foreground, background = grid.at(around)
    a = alpha[around.where]
    b = 1 - a
    trust_f, trust_b = a * a, b * b
    gain = np.asarray(1 / (trust_f + trust_b + np.float32(_TRUST)), np.float32)
    # The fourth power of how sure a pixel is.  1e-6: where a window holds nothing sure, the colour stays what it was.
    trust_f, trust_b = trust_f * trust_f, trust_b * trust_b
    if known is not None:
        counts = known[around.where].astype(np.float32)
        trust_f, trust_b = trust_f * counts, trust_b * counts
    trust_f, trust_b = trust_f + np.float32(1e-6), trust_b + np.float32(1e-6)
    a_rgb, b_rgb, step_f, step_b = (_rgb(plane) for plane in (a, b, a * gain, b * gain))

    def unexplained() -> FloatArray:
        rest = a_rgb * foreground
        np.subtract(image, rest, out=rest)
        rest -= b_rgb * background
        return rest

    rest = unexplained()
    foreground += step_f * rest
    background += step_b * rest
    # Colours beyond black or white stay as they are in between: clipping them here won 0.7 % with a blurred alpha.
    foreground, background = _local_mean(foreground, trust_f), _local_mean(background, trust_b)
    rest = unexplained()
    rest *= step_f
    # Rounds, and stops at the last level.
    found = cv2.add(foreground, rest, dtype=cv2.CV_8U if pixels.dtype == np.uint8 else cv2.CV_16U)
    inner = _Rect(*(np.subtract(edge, (around.top, around.top, around.left, around.left)).tolist())).where
    cv2.copyTo(found[inner], cv2.inRange(a[inner], _EDGE_FROM, _EDGE_TO), result[edge.where])


def _rgb(plane: FloatArray) -> FloatArray:
    """Three equal channels: numpy is slow where an innermost axis is repeated."""
    return np.asarray(cv2.merge([plane, plane, plane]), np.float32)


def _local_mean(colours: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted mean over the fine window."""
    window = (_FINE_WINDOW_PX, _FINE_WINDOW_PX)
    total = np.asarray(cv2.blur(colours * _rgb(weight), window, borderType=cv2.BORDER_REFLECT), np.float32)
    total /= _rgb(np.asarray(cv2.blur(weight, window, borderType=cv2.BORDER_REFLECT), np.float32))
    return total
