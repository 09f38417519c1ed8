"""Metrics of alpha against a reference: SAD, MSE, MAD, Grad, Conn, IoU, and dtSSD for videos.

Every metric compares two alphas of one size, (H, W), floating, 0..1, and sums or averages over a ``region``: the whole
picture when None, else the pixels where a (H, W) bool array is True, such as ``unknown_band(reference)``.

    metric  value                                              in print usually
    sad     sum of |a - b|, pixels                             / 1000
    mad     mean of |a - b|, 0..1                              x 1000
    mse     mean of (a - b)^2, 0..1                            x 1000
    grad    sum of squared differences of slope / 1000         as it is
    conn    sum of differences of connectivity / 1000          as it is
    iou     intersection over union where alpha > 0.5, 0..1    per cent
    dtssd   root mean square of the flicker, 0..2              x 100

There are two faces of one arithmetic: a function for one answer (``mad(a, b)``, ``summarise(errors)``,
``dtssd(frames, references)``), and a tally to feed piece by piece in constant memory (``Tally``, ``FlickerTally``).
``compare()`` gives all metrics of one picture and works out each map of errors once.

Sources:
    SAD, MSE, Grad, Conn: Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009, with
    the constants of the evaluation code that was published with Xu et al., "Deep Image Matting", CVPR 2017.
    dtSSD: Erofeev et al., "Perceptually Motivated Benchmark for Video Matting", BMVC 2015.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from bshm.errors import OptionError, ShapeError
from bshm.types import FloatArray

Alpha = npt.NDArray[np.floating]
Region = npt.NDArray[np.bool_]

# Of the published evaluation code; other values give numbers that compare with nobody's.
GRAD_SIGMA = 1.4
GRAD_EPSILON = 1e-2
CONN_LEVELS = 10
CONN_THETA = 0.15

MASK_THRESHOLD = 0.5

# A picture beyond this MAD has lost a limb, a person, or kept a piece of the background: nobody would use it.
BAD_MAD = 0.1

# How far the unknown band reaches beyond the soft pixels: twice the half-size of the gradient filter and a bit, so that
# an edge that is a few pixels off is still inside.
BAND_PX = 10


@dataclass(frozen=True)
class Errors:
    """All metrics of one alpha over one region, or the means of many.

    Attributes:
        pixels: pixels in the region.
        sad: sum of absolute differences, in pixels; ``sad_thousands`` is what papers print.
        mad: mean absolute difference, 0..1.
        mse: mean squared difference, 0..1.
        grad: gradient error, in thousands.
        conn: connectivity error, in thousands.
        iou: intersection over union at 0.5, 0..1; 1 is best.
    """

    pixels: float
    sad: float
    mad: float
    mse: float
    grad: float
    conn: float
    iou: float

    @property
    def sad_thousands(self) -> float:
        """The sum of absolute differences as papers print it."""
        return self.sad / 1000


@dataclass(frozen=True)
class Comparison:
    """One alpha against its reference.

    Attributes:
        whole: over the whole picture.
        band: over the unknown band; None where the band has no pixel (a reference of nobody).
    """

    whole: Errors
    band: Errors | None


@dataclass(frozen=True)
class Summary:
    """Many pictures as one line: each picture counts the same, whatever its size.

    Attributes:
        pictures: how many.
        mean: the mean of each metric over the pictures.
        bad_share: share of the pictures with ``mad`` over ``BAD_MAD``, 0..1.
    """

    pictures: int
    mean: Errors
    bad_share: float


# -- one picture ---------------------------------------------------------------------------------------------------


def compare(
    alpha: Alpha,
    reference: Alpha,
    *,
    band: Region | None = None,
    band_px: int = BAND_PX,
    counted: Region | None = None,
) -> Comparison:
    """All metrics of one alpha, over the whole picture and over the unknown band.

    Args:
        alpha: (H, W) floating, 0..1: the alpha to judge.
        reference: (H, W) floating, 0..1: the true alpha.
        band: (H, W) bool, the unknown band, e.g. ``unknown_of(trimap)``; None takes ``unknown_band(reference)``.
        band_px: how far that band reaches, in pixels; without meaning when ``band`` is given.
        counted: (H, W) bool, the pixels of the picture and of the band that count; None counts all.

    Raises:
        ShapeError: the arrays differ in size, or hold something other than 0..1, or no pixel counts.

    >>> answer = compare(np.zeros((4, 5), np.float32), np.ones((4, 5), np.float32))
    >>> answer.whole.sad, answer.whole.mad, answer.whole.iou, answer.band
    (20.0, 1.0, 0.0, None)
    """
    alpha, reference = _checked("compare", alpha, reference, band)
    if band is None:
        band = unknown_band(reference, band_px=band_px)
    if counted is not None:
        _checked("compare", alpha, reference, counted)
        if not counted.any():
            raise ShapeError("compare() needs at least one pixel that counts; got none.")
        band = band & counted
    absolute = np.abs(alpha - reference)
    slope = _gradient_difference(alpha, reference)
    connection = _connectivity_difference(alpha, reference)

    def over(region: Region | None) -> Errors:
        return Errors(
            pixels=float(absolute.size if region is None else np.count_nonzero(region)),
            sad=_sum(absolute, region),
            mad=_mean(absolute, region),
            mse=_mean(np.square(absolute), region),
            grad=_sum(slope, region) / 1000,
            conn=_sum(connection, region) / 1000,
            iou=_overlap(alpha, reference, region),
        )

    return Comparison(over(counted), over(band) if band.any() else None)


def sad(alpha: Alpha, reference: Alpha, *, region: Region | None = None) -> float:
    """Sum of absolute differences, in pixels: 0 is best, the size of the region the worst; papers print thousands.

    Args:
        alpha: (H, W) floating, 0..1.
        reference: (H, W) floating, 0..1.
        region: (H, W) bool, the pixels that count; None counts all.

    Raises:
        ShapeError: the arrays differ in size, hold something other than 0..1, or the region has no pixel.

    >>> sad(np.full((10, 10), 0.25), np.zeros((10, 10)))
    25.0
    """
    alpha, reference = _checked("sad", alpha, reference, region)
    return _sum(np.abs(alpha - reference), region)


def mad(alpha: Alpha, reference: Alpha, *, region: Region | None = None) -> float:
    """Mean absolute difference, 0..1: 0 is best.  Arguments and errors as in ``sad``.

    >>> mad(np.full((10, 10), 0.25), np.zeros((10, 10)))
    0.25
    """
    alpha, reference = _checked("mad", alpha, reference, region)
    return _mean(np.abs(alpha - reference), region)


def mse(alpha: Alpha, reference: Alpha, *, region: Region | None = None) -> float:
    """Mean squared difference, 0..1: 0 is best.  Arguments and errors as in ``sad``.

    >>> mse(np.full((10, 10), 0.25), np.zeros((10, 10)))
    0.0625
    """
    alpha, reference = _checked("mse", alpha, reference, region)
    return _mean(np.square(alpha - reference), region)


def grad(alpha: Alpha, reference: Alpha, *, region: Region | None = None) -> float:
    """Gradient error: how much sharper or softer the edges are, summed over the region, in thousands; 0 is best.

    Both alphas are filtered with the first derivatives of a Gaussian (sigma 1.4, 9 x 9 taps, each filter of unit L2
    norm, edge pixels repeated outwards); the squared differences of the gradients' lengths are summed and divided by
    1000.  A region picks what is summed; the filters always see the whole picture.  Arguments and errors as in ``sad``.

    Source:
        Rhemann et al., CVPR 2009, section 3, with the constants of the published evaluation code.  Some ports stretch
        each alpha to 0..1 first; that hides a matte which is faint everywhere, so it is not done here.

    >>> hard = np.repeat(np.float32([[0, 0, 0, 0, 1, 1, 1, 1]]), 8, axis=0)
    >>> grad(hard, hard), round(1000 * grad(hard, hard * 0), 3)
    (0.0, 156.726)
    """
    alpha, reference = _checked("grad", alpha, reference, region)
    return _sum(_gradient_difference(alpha, reference), region) / 1000


def conn(alpha: Alpha, reference: Alpha, *, region: Region | None = None) -> float:
    """Connectivity error: alpha that hangs on to nothing, summed over the region, in thousands; 0 is best.

    For ten thresholds 0.1, 0.2, … 1.0, the largest 4-connected piece of what both alphas reach is the body.  Each pixel
    has a level: the last threshold up to which it belonged to the body without a break.  What an alpha has beyond that
    level counts as disconnected where it is at least 0.15, and the two alphas' disconnected amounts are compared.  A
    region picks what is summed; the pieces are those of the whole picture.  Arguments and errors as in ``sad``.

    Source:
        Rhemann et al., CVPR 2009, section 3, with step 0.1 and theta 0.15 of the published evaluation code.

    >>> body = np.zeros((6, 9), np.float32)
    >>> body[1:5, 1:4] = 1
    >>> island = body.copy()
    >>> island[2:4, 6:8] = 1
    >>> conn(body, body), conn(island, body)
    (0.0, 0.004)
    """
    alpha, reference = _checked("conn", alpha, reference, region)
    return _sum(_connectivity_difference(alpha, reference), region) / 1000


def iou(alpha: Alpha, reference: Alpha, *, region: Region | None = None) -> float:
    """Intersection over union of the pixels with alpha above 0.5, 0..1: 1 is best, and 1 where both have none.

    Arguments and errors as in ``sad``.

    >>> iou(np.float32([[1, 1, 0, 0]]), np.float32([[1, 0, 0.6, 0]]))
    0.3333333333333333
    """
    alpha, reference = _checked("iou", alpha, reference, region)
    return _overlap(alpha, reference, region)


# -- regions -------------------------------------------------------------------------------------------------------


def unknown_band(reference: Alpha, *, band_px: int = BAND_PX) -> Region:
    """The pixels where the reference is soft, and all within ``band_px`` of them.

    A hard step from 0 to 1 between neighbours counts as soft, or a reference cut with scissors would have no band.

    Args:
        reference: (H, W) floating, 0..1.
        band_px: radius of the widening, in pixels; 0 keeps the soft pixels alone.

    Returns:
        (H, W) bool; all False where nobody, or nothing else, is in the picture.

    Raises:
        ShapeError: ``reference`` is not such an array.
        OptionError: ``band_px`` is negative.

    >>> unknown_band(np.float32([[0, 0, 0, 0.5, 1, 1, 1, 1]]), band_px=1).astype(int)
    array([[0, 0, 1, 1, 1, 0, 0, 0]])
    """
    if band_px < 0:
        raise OptionError(f"unknown_band() needs band_px of at least 0; got {band_px}.")
    reference, _ = _checked("unknown_band", reference, reference, None)
    soft = (reference > 0) & (reference < 1)
    neighbours = np.ones((3, 3), np.uint8)
    # Both morphological filters leave out what lies beyond the picture's border, so the border is no step.
    step = (cv2.dilate(reference, neighbours) == 1) & (cv2.erode(reference, neighbours) == 0)
    unknown: Region = soft | step
    if band_px == 0 or not unknown.any():
        return unknown
    distance = cv2.distanceTransform((~unknown).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Distances are square roots of whole numbers, in float32: 1e-3 is above their rounding and below their spacing.
    return np.asarray(distance <= band_px + 1e-3)


def unknown_of(trimap: npt.NDArray[np.uint8]) -> Region:
    """The unknown pixels of a trimap: neither 0 (background) nor 255 (foreground).

    Args:
        trimap: (H, W) uint8; 0 background, 255 foreground, 128 (or any other value) unknown.

    Returns:
        (H, W) bool.

    Raises:
        ShapeError: it is not such an array.

    >>> unknown_of(np.uint8([[0, 128, 255]]))
    array([[False,  True, False]])
    """
    if trimap.ndim != 2 or trimap.dtype != np.uint8:
        raise ShapeError(f"a trimap needs (H, W) uint8; got {trimap.shape} {trimap.dtype}.")
    return np.asarray((trimap > 0) & (trimap < 255))


# -- many pictures -------------------------------------------------------------------------------------------------


class Tally:
    """Collects the errors of picture after picture; ``finish()`` gives their means.

    >>> tally = Tally()
    >>> for value in (0.0, 0.5):
    ...     tally.add(compare(np.full((2, 2), value), np.zeros((2, 2))).whole)
    >>> tally.finish().mean.mad, tally.finish().bad_share
    (0.25, 0.5)
    """

    def __init__(self) -> None:
        self._pictures = 0
        self._bad = 0
        self._sums = np.zeros(7, np.float64)

    def add(self, errors: Errors) -> None:
        """Count one more picture."""
        self._pictures += 1
        self._bad += errors.mad > BAD_MAD
        self._sums += (errors.pixels, errors.sad, errors.mad, errors.mse, errors.grad, errors.conn, errors.iou)

    def finish(self) -> Summary | None:
        """The means so far; None before the first picture."""
        if self._pictures == 0:
            return None
        means = (self._sums / self._pictures).tolist()
        return Summary(self._pictures, Errors(*means), self._bad / self._pictures)


def summarise(errors: Iterable[Errors]) -> Summary | None:
    """The means over many pictures, None without any: ``Tally`` in one call.

    >>> summarise([]) is None
    True
    """
    tally = Tally()
    for one in errors:
        tally.add(one)
    return tally.finish()


# -- videos --------------------------------------------------------------------------------------------------------


class FlickerTally:
    """Collects a video frame by frame, holding one frame back; ``finish()`` gives its dtSSD.

    >>> tally = FlickerTally()
    >>> for value in (0.5, 0.75, 0.5):
    ...     tally.add(np.full((2, 2), value), np.full((2, 2), 0.5))
    >>> tally.finish()
    0.25
    """

    def __init__(self) -> None:
        self._previous: FloatArray | None = None
        self._steps = 0
        self._sum = 0.0

    def add(self, alpha: Alpha, reference: Alpha, *, region: Region | None = None) -> None:
        """Take the next frame.

        Args:
            alpha: (H, W) floating, 0..1.
            reference: (H, W) floating, 0..1.
            region: (H, W) bool, the pixels of this frame that count; None counts all.

        Raises:
            ShapeError: the arrays differ in size, from each other or from the frame before, or hold something other
                than 0..1.
        """
        alpha, reference = _checked("dtssd", alpha, reference, region)
        difference = alpha - reference
        if self._previous is not None:
            if self._previous.shape != difference.shape:
                raise ShapeError(
                    f"dtssd() needs frames of one size; got {difference.shape} after {self._previous.shape}."
                )
            # (a_t - a_(t-1)) - (b_t - b_(t-1)) is the change of the difference: one frame to hold back, not two.
            self._sum += math.sqrt(_mean(np.square(difference - self._previous), region))
            self._steps += 1
        self._previous = difference

    def finish(self) -> float | None:
        """The mean over the steps from frame to frame; None before the second frame."""
        return self._sum / self._steps if self._steps else None


def dtssd(alphas: Iterable[Alpha], references: Iterable[Alpha]) -> float:
    """Flicker of a video: how differently alpha and reference change from frame to frame; 0 is best, 2 the worst.

    For each step, the root of the mean over the pixels of ``((a_t - a_(t-1)) - (b_t - b_(t-1)))^2``, then the mean over
    the steps.  An error that stands still costs nothing: use it beside MAD.  Papers print it times 100.

    Args:
        alphas: frames, each (H, W) floating, 0..1; a (T, H, W) array is one such iterable.
        references: as many frames of the same size.

    Raises:
        ShapeError: fewer than two frames, different numbers of them, or as in ``FlickerTally.add``.

    Source:
        Erofeev et al., BMVC 2015.

    >>> dtssd(np.float32([[[0.5]], [[0.75]]]), np.float32([[[0]], [[0]]]))
    0.25
    """
    tally = FlickerTally()
    remaining = iter(references)
    frames = 0
    for alpha in alphas:
        frames += 1
        reference = next(remaining, None)
        if reference is None:
            raise ShapeError(f"dtssd() needs a reference for each frame; the references ended before frame {frames}.")
        tally.add(alpha, reference)
    if next(remaining, None) is not None:
        raise ShapeError(f"dtssd() needs a frame for each reference; the frames ended after {frames}.")
    flicker = tally.finish()
    if flicker is None:
        raise ShapeError(f"dtssd() needs at least two frames; got {frames}.")
    return flicker


# -- the arithmetic ------------------------------------------------------------------------------------------------


def _checked(caller: str, alpha: Alpha, reference: Alpha, region: Region | None) -> tuple[FloatArray, FloatArray]:
    """Both alphas as float32, or a ShapeError that says what is wrong with them."""
    for what, array in (("alpha", alpha), ("reference", reference)):
        if array.ndim != 2 or array.size == 0 or not np.issubdtype(array.dtype, np.floating):
            hint = " Divide 8-bit values by 255 first." if array.dtype == np.uint8 else ""
            raise ShapeError(f"{caller}() needs {what} as (H, W) floating; got {array.shape} {array.dtype}.{hint}")
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # written so that NaN fails too
            raise ShapeError(f"{caller}() needs {what} within 0..1; got {low:g}..{high:g}. Clip it, or divide by 255.")
    if alpha.shape != reference.shape:
        raise ShapeError(
            f"{caller}() needs one size for both; got alpha {alpha.shape}, reference {reference.shape}. "
            "Resize the alpha to the reference first."
        )
    if region is not None:
        if region.shape != alpha.shape or region.dtype != np.bool_:
            raise ShapeError(f"{caller}() needs a region {alpha.shape} bool; got {region.shape} {region.dtype}.")
        if caller != "compare" and not region.any():
            raise ShapeError(f"{caller}() needs a region with at least one pixel; it has none.")
    return alpha.astype(np.float32, copy=False), reference.astype(np.float32, copy=False)


def _sum(values: FloatArray, region: Region | None) -> float:
    # float32 values, float64 sums: twelve million float32 terms would lose the last three digits.
    return float(np.sum(values if region is None else values[region], dtype=np.float64))


def _mean(values: FloatArray, region: Region | None) -> float:
    return float(np.mean(values if region is None else values[region], dtype=np.float64))


def _overlap(alpha: FloatArray, reference: FloatArray, region: Region | None) -> float:
    ours, theirs = alpha > MASK_THRESHOLD, reference > MASK_THRESHOLD
    if region is not None:
        ours, theirs = ours & region, theirs & region
    union = np.count_nonzero(ours | theirs)
    return float(np.count_nonzero(ours & theirs) / union) if union else 1.0


@lru_cache(maxsize=1)
def _gradient_taps() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The Gaussian and its derivative, each (9,) of unit L2 norm, and so is their outer product, the filter."""
    half = math.ceil(GRAD_SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * GRAD_SIGMA * GRAD_EPSILON)))
    x = np.arange(-half, half + 1, dtype=np.float64)
    gauss = np.exp(-(x**2) / (2 * GRAD_SIGMA**2))
    slope = -x * gauss
    return gauss / np.linalg.norm(gauss), slope / np.linalg.norm(slope)


def _gradient_length(alpha: FloatArray) -> FloatArray:
    gauss, slope = _gradient_taps()
    across = cv2.sepFilter2D(alpha, cv2.CV_32F, slope, gauss, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(alpha, cv2.CV_32F, gauss, slope, borderType=cv2.BORDER_REPLICATE)
    # Not cv2.magnitude: its last bit depends on where in memory the array lies (measured with OpenCV 5.0), and an alpha
    # would then differ from itself.  Products, sum and root of numpy are each rounded once, the same way everywhere.
    return np.asarray(np.sqrt(np.square(across) + np.square(down)), np.float32)


def _gradient_difference(alpha: FloatArray, reference: FloatArray) -> FloatArray:
    difference: FloatArray = np.square(_gradient_length(alpha) - _gradient_length(reference))
    return difference


def _largest_piece(mask: Region) -> Region:
    """The 4-connected component with the most pixels; of equals, the one that a reader meets first."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if areas.size == 0:
        return np.zeros_like(mask)
    return np.asarray(labels == 1 + int(np.argmax(areas)))


def _connectivity_difference(alpha: FloatArray, reference: FloatArray) -> FloatArray:
    both = np.minimum(alpha, reference)  # reaches a threshold where both do
    level = np.zeros_like(alpha)
    body = np.ones(alpha.shape, np.bool_)
    for step in range(1, CONN_LEVELS + 1):
        threshold = np.float32(step / CONN_LEVELS)
        body &= _largest_piece(both >= threshold)
        if not body.any():
            break
        level[body] = threshold
    ours, theirs = alpha - level, reference - level
    # The published phi is 1 minus these; the 1 cancels in the difference.
    ours[ours < CONN_THETA] = 0
    theirs[theirs < CONN_THETA] = 0
    difference: FloatArray = np.abs(ours - theirs)
    return difference
