"""The worst pictures of an evaluation, small enough for a page.

Of each picture two views are kept: the whole, shrunk, and its worst spot at full resolution, where hair can be judged.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.evaluation.pairs import Sample
from bshm.evaluation.report import Examined, Row
from bshm.files.thumbnail import address
from bshm.types import FloatArray, Picture

# About 60 kB a picture and model: a gallery of 40 is a page of 2 to 3 MB, which still opens at once.
KEEP = 40
THUMBNAIL_PX = 420
SPOT_PX = 240

Pixels = npt.NDArray[np.uint8]
AnyArray = TypeVar("AnyArray", npt.NDArray[np.uint8], npt.NDArray[np.float32])

# Orange and blue stay apart for every kind of colour vision.
KEPT_TOO_MUCH = np.array([255, 145, 40], np.float32)
CUT_TOO_MUCH = np.array([70, 160, 255], np.float32)


@dataclass(frozen=True)
class View:
    """One look at a picture, as ``data:`` addresses of WebP pictures.

    Attributes:
        picture: the picture.
        reference: its true alpha.
        models: by model: its alpha, the difference, and the cut-out with transparency.
        height, width: of the view, in its own pixels.
    """

    picture: str
    reference: str
    models: Mapping[str, tuple[str, str, str]]
    height: int
    width: int


@dataclass(frozen=True)
class GalleryCard:
    """A picture with both its views and the rows of the models that could do it."""

    name: str
    kind: str
    size_hw: tuple[int, int]
    rows: Mapping[str, Row]
    whole: View
    spot: View


@dataclass(order=True)
class _Entry:
    badness: float
    turn: int
    card: GalleryCard = field(compare=False)


class Gallery:
    """Keeps the worst of all the pictures it is shown; pass its ``add`` as ``watch`` of ``report.evaluate``."""

    def __init__(self, model: str, *, keep: int = KEEP) -> None:
        """Keep ``keep`` pictures, those with the greatest mean absolute error of ``model``."""
        self.model = model
        self.keep = keep
        self.seen = 0
        self._heap: list[_Entry] = []

    def add(self, examined: Examined) -> None:
        """Look at one more picture."""
        row = examined.rows.get(self.model)
        badness = float("inf") if row is None else row.errors.whole.mad
        self.seen += 1
        full = len(self._heap) >= self.keep
        if self.keep < 1 or (full and badness <= self._heap[0].badness):
            return
        # Of equals, those seen first stay: the turn counts down.
        entry = _Entry(badness, -self.seen, _card(examined, self.model))
        (heapq.heappushpop if full else heapq.heappush)(self._heap, entry)

    def worst_first(self) -> list[GalleryCard]:
        """The cards that were kept."""
        return [entry.card for entry in sorted(self._heap, reverse=True)]


def worst_spot(difference: FloatArray, *, spot_px: int = SPOT_PX) -> tuple[slice, slice]:
    """Rows and columns of the square with the greatest sum of absolute differences, inside the picture.

    Args:
        difference: (H, W) float32, alpha minus reference.
        spot_px: side of the square; a smaller picture is taken whole.

    >>> difference = np.zeros((10, 20), np.float32)
    >>> difference[7, 15] = -1
    >>> rows, columns = worst_spot(difference, spot_px=4)
    >>> (rows.start <= 7 < rows.stop), (columns.start <= 15 < columns.stop)
    (True, True)
    """
    height, width = difference.shape
    tall, wide = min(spot_px, height), min(spot_px, width)
    # The anchor at the top left makes each value the mean of the window that begins there.
    means = cv2.blur(np.abs(difference), (wide, tall), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    inside = means[: height - tall + 1, : width - wide + 1]
    if inside.max() <= 0:
        top, left = (height - tall) // 2, (width - wide) // 2
    else:
        # Rounding of running sums leaves a plateau of near-equal maxima: its middle has the fault in the middle.
        at_best = np.argwhere(inside >= inside.max() * 0.999)
        top, left = (int(value) for value in at_best[len(at_best) // 2])
    return slice(top, top + tall), slice(left, left + wide)


def difference_colours(alpha: FloatArray, reference: FloatArray, *, size_hw: tuple[int, int]) -> Pixels:
    """The difference as a picture: orange where too much was kept, blue where too much was cut, dark where right.

    The brightness is the root of the difference, so that an error of 0.04 is seen at a fifth of full brightness.

    Args:
        alpha: (H, W) float32, 0..1.
        reference: (H, W) float32, 0..1.
        size_hw: of the picture to make; both signs are shrunk apart, so that they do not cancel.

    Returns:
        (h, w, 3) uint8, RGB.
    """
    difference = alpha - reference
    kept = np.sqrt(_shrunk(np.maximum(difference, 0), size_hw))[..., None]
    cut = np.sqrt(_shrunk(np.maximum(-difference, 0), size_hw))[..., None]
    dark = np.float32(22)
    colours = dark + kept * (KEPT_TOO_MUCH - dark) + cut * (CUT_TOO_MUCH - dark)
    return cast(Pixels, np.clip(colours + 0.5, 0, 255).astype(np.uint8))


def _card(examined: Examined, model: str) -> GalleryCard:
    sample = examined.sample
    height, width = sample.picture.size_hw
    scale = min(1.0, THUMBNAIL_PX / max(height, width))
    small = max(1, round(height * scale)), max(1, round(width * scale))
    judged = examined.alphas.get(model, next(iter(examined.alphas.values())))
    spot = worst_spot(_judged(sample, judged) - sample.reference)
    return GalleryCard(
        name=sample.pair.name,
        kind=sample.pair.kind,
        size_hw=(height, width),
        rows=examined.rows,
        whole=_view(examined, (slice(None), slice(None)), small),
        spot=_view(examined, spot, (spot[0].stop - spot[0].start, spot[1].stop - spot[1].start)),
    )


def _judged(sample: Sample, alpha: FloatArray) -> FloatArray:
    """The alpha with the reference where nothing counts: no error is shown there, as none is measured."""
    return alpha if sample.counted is None else np.where(sample.counted, alpha, sample.reference)


def _view(examined: Examined, part: tuple[slice, slice], size_hw: tuple[int, int]) -> View:
    picture = _shrunk(_eight_bit(examined.sample.picture)[part], size_hw)
    reference = examined.sample.reference[part]
    models = {}
    for model, whole in examined.alphas.items():
        alpha = whole[part]
        grey = _grey(_shrunk(alpha, size_hw))
        models[model] = (
            address(grey),
            address(difference_colours(_judged(examined.sample, whole)[part], reference, size_hw=size_hw)),
            address(np.dstack([picture, grey])),
        )
    return View(address(picture), address(_grey(_shrunk(reference, size_hw))), models, *size_hw)


def _eight_bit(picture: Picture) -> Pixels:
    return geometry.in_depth(picture.pixels, np.uint8)


def _grey(alpha: FloatArray) -> Pixels:
    return cast(Pixels, (alpha * 255 + 0.5).astype(np.uint8))


def _shrunk(array: AnyArray, size_hw: tuple[int, int]) -> AnyArray:
    if array.shape[:2] == size_hw:
        return array
    return cast(AnyArray, cv2.resize(array, size_hw[::-1], interpolation=cv2.INTER_AREA))
