"""Find the head of a person, from the face or from the outline of the matte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from bshm.edit import faces
from bshm.types import FloatArray, PixelArray

Way = Literal["face detector", "shape of the matte"]

# Alpha from which a pixel is a person: the middle of a soft edge of hair.
_PERSON_FROM = 0.5
# The distance from chin to mouth by that from eyes to mouth, and the part below the chin that the box of a face leaves
# out, by its height: measured on frontal portraits.
_CHIN_BY_MOUTH, _CHIN_BELOW_BOX = 0.95, 0.03
# A crown is at most this share of a face's height above its box: anything higher is a raised hand.
_TALLEST_HAIR = 0.9
# The width of people from the crown down, and how much it varies, by the height of the head; at every twentieth of it,
# with the chin at 1.  Medians over 35 frontal portraits whose chin was found by the face.  On the half that a median
# had not seen, the chin was off by 5 % of the head's height in the median, and by 12 % in the worst tenth.
_STEP = 0.05
_OUTLINE = (
    0.34, 0.49, 0.57, 0.62, 0.67, 0.69, 0.70, 0.69, 0.70, 0.69, 0.68, 0.68, 0.65,
    0.62, 0.59, 0.55, 0.56, 0.60, 0.67, 0.84, 1.05, 1.16, 1.24, 1.35, 1.38,
)  # fmt: skip
_VARIES = (
    0.08, 0.07, 0.07, 0.07, 0.06, 0.06, 0.06, 0.07, 0.08, 0.09, 0.08, 0.09, 0.08,
    0.09, 0.07, 0.08, 0.11, 0.14, 0.22, 0.24, 0.25, 0.26, 0.21, 0.16, 0.11,
)  # fmt: skip
# The error of a row counts at most this much: a hat, a raised arm.
_WORST = 4.0
# Fewer rows than this are not a head.
_SMALLEST_PX = 12


@dataclass(frozen=True)
class Head:
    """A head, in pixels of the picture.

    Attributes:
        crown: row of the top of the hair.
        chin: row of the chin.
        centre: column of the middle of the face, or of the head.
        eyes: row of the eyes; None if no face was looked for.
        found: how it was found.
    """

    crown: float
    chin: float
    centre: float
    eyes: float | None
    found: Way

    @property
    def height(self) -> float:
        """From the crown to the chin."""
        return self.chin - self.crown


def find(pixels: PixelArray, alpha: FloatArray, *, detector: bool | None = None) -> Head | None:
    """The head of the person in a picture, or of the nearest of several.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.
        alpha: (H, W) float32, 0..1.
        detector: look for a face; None does so if the detector is installed.

    Returns:
        The head, which says how it was found; None if there is nobody.

    Raises:
        MissingExtraError: ``detector`` is on, and it is not installed.
    """
    if detector is None:
        detector = faces.available()
    found = [face for face in faces.find(pixels) if _is_person(face, alpha)] if detector else []
    return by_face(found[0], alpha) if found else by_shape(alpha)


def by_face(face: faces.Face, alpha: FloatArray) -> Head:
    """The head around a face: its chin from eyes and mouth, its crown from the matte.

    Args:
        face: where the face is.
        alpha: (H, W) float32, 0..1.
    """
    eyes = (face.left_eye[1] + face.right_eye[1]) / 2
    mouth = (face.mouth_left[1] + face.mouth_right[1]) / 2
    height, width = face.bottom - face.top, face.right - face.left
    chin = (mouth + _CHIN_BY_MOUTH * (mouth - eyes) + face.bottom + _CHIN_BELOW_BOX * height) / 2
    left = max(0, round(face.left - 0.2 * width))
    right = max(left + 1, round(face.right + 0.2 * width))
    start = min(max(0, round(face.top)), alpha.shape[0] - 1)
    end = max(0, round(face.top - _TALLEST_HAIR * height))
    rows = np.any(alpha[end : start + 1, left:right] >= _PERSON_FROM, axis=1)[::-1]
    above = int(np.argmin(rows)) if not rows.all() else len(rows)
    crown = float(start + 1 - above) if rows[0] else float(start)
    centre = (face.left_eye[0] + face.right_eye[0] + face.mouth_left[0] + face.mouth_right[0]) / 4
    return Head(crown, min(chin, float(alpha.shape[0])), centre, eyes, "face detector")


def by_shape(alpha: FloatArray) -> Head | None:
    """The head at the top of an outline: with the height that fits the usual widths of head, neck and shoulders best.

    Args:
        alpha: (H, W) float32, 0..1.

    Returns:
        The head without eyes; None if there is nobody.
    """
    person = _largest(alpha)
    if person is None:
        return None
    rows = np.flatnonzero(person.any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    widths, middles = _profile(person, top, bottom)
    height = _height(widths)
    centre = float(np.median(middles[: max(1, round(height))]))
    return Head(float(top), top + height, centre, None, "shape of the matte")


def _height(widths: FloatArray) -> float:
    """The height of the head, in rows, that a profile from the crown down fits best."""
    rows = len(widths)
    if rows <= _SMALLEST_PX:
        return float(rows)
    heights = np.geomspace(_SMALLEST_PX, rows, 160)
    shares = np.arange(1, len(_OUTLINE) + 1) * _STEP
    at = np.round(heights[:, None] * shares).astype(int)
    there = at < rows
    off = np.abs(widths[np.minimum(at, rows - 1)] / heights[:, None] - _OUTLINE) / _VARIES
    error = (np.minimum(off, _WORST) * there).sum(axis=1) / there.sum(axis=1)
    # Without a chin the height of a head is unknown.
    error[~there[:, round(1 / _STEP) - 1]] = np.inf
    return float(heights[int(np.argmin(error))]) if np.isfinite(error).any() else float(rows)


def _profile(person: npt.NDArray[np.bool_], top: int, bottom: int) -> tuple[FloatArray, FloatArray]:
    """For each row from the crown down: the width and the middle of the run that continues the row above."""
    widths, middles = np.zeros(bottom - top, np.float32), np.zeros(bottom - top, np.float32)
    middle = float(np.flatnonzero(person[top]).mean())
    for row in range(top, bottom):
        edges = np.flatnonzero(np.diff(person[row].astype(np.int8), prepend=0, append=0))
        starts, ends = edges[::2], edges[1::2]
        nearest = int(np.argmin(np.maximum(0, np.maximum(starts - middle, middle - ends)))) if starts.size else -1
        if nearest >= 0:
            middle = (float(starts[nearest]) + float(ends[nearest])) / 2
            widths[row - top] = ends[nearest] - starts[nearest]
        middles[row - top] = middle
    return widths, middles


def _largest(alpha: FloatArray) -> npt.NDArray[np.bool_] | None:
    """The largest connected piece of people, because scraps above a head must not be taken for the head."""
    solid = (alpha >= _PERSON_FROM).astype(np.uint8)
    count, labels, facts, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    if count < 2:
        return None
    person: npt.NDArray[np.bool_] = np.equal(labels, 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA])))
    return person


def _is_person(face: faces.Face, alpha: FloatArray) -> bool:
    x, y = face.nose
    row, column = min(max(0, int(y)), alpha.shape[0] - 1), min(max(0, int(x)), alpha.shape[1] - 1)
    return bool(alpha[row, column] >= _PERSON_FROM)
