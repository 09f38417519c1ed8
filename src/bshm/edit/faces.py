"""Faces with their eyes, by the three small networks of MTCNN.

The weights are those in the wheel of the package ``mtcnn`` (extra ``bshm[faces]``; MIT).  Its own code needs
TensorFlow, which is a hundred times larger than the weights, so the networks are computed here: a few convolutions over
small arrays.

Source:
    Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", IEEE Signal
    Processing Letters, 2016.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from bshm.errors import MissingExtraError
from bshm.types import FloatArray, PixelArray

# Longest side of the picture that is searched, and the smallest face in it: a twentieth of the picture.
_SEARCHED_PX, _SMALLEST_PX = 640, 32
_PYRAMID_STEP = 0.709
# A window goes on from this score of a network, and two windows are one from this overlap; values of the paper's code.
_SURE = (0.6, 0.7, 0.8)
_CELL_PX, _STRIDE_PX = 12, 2

Weights = list[FloatArray]


class Face(NamedTuple):
    """One face, in pixels of the picture.

    Attributes:
        top, left, bottom, right: forehead to chin, cheek to cheek.
        left_eye, right_eye, nose, mouth_left, mouth_right: (x, y); left is the left side of the picture.
        sure: 0..1.
    """

    top: float
    left: float
    bottom: float
    right: float
    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    nose: tuple[float, float]
    mouth_left: tuple[float, float]
    mouth_right: tuple[float, float]
    sure: float


def available() -> bool:
    """Whether the weights are installed; loads nothing."""
    return _folder() is not None and importlib.util.find_spec("joblib") is not None


def find(pixels: PixelArray) -> list[Face]:
    """The faces of a picture, the largest first.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.

    Returns:
        Faces from about a twentieth of the picture's longer side; empty if there are none.

    Raises:
        MissingExtraError: the weights are not installed.
    """
    networks = _networks()
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    height, width = pixels.shape[:2]
    shrink = min(1.0, _SEARCHED_PX / max(height, width))
    small: Any = pixels
    if shrink < 1:
        small = cv2.resize(
            pixels, (max(1, round(width * shrink)), max(1, round(height * shrink))), interpolation=cv2.INTER_AREA
        )
    image = (small.astype(np.float32) - 127.5) / 128
    boxes = _proposed(image, networks[0])
    boxes, _ = _refined(image, boxes, networks[1], side=24, sure=_SURE[1])
    boxes = boxes[_apart(boxes, 0.7)]
    boxes, marks = _refined(image, boxes, networks[2], side=48, sure=_SURE[2])
    kept = _apart(boxes, 0.7, of_smaller=True)
    faces = [_face(boxes[each] / [*[shrink] * 4, 1], marks[each] / shrink) for each in kept]
    return sorted(faces, key=lambda face: (face.bottom - face.top) * (face.right - face.left), reverse=True)


def _face(box: npt.NDArray[np.float64], marks: npt.NDArray[np.float64]) -> Face:
    left, top, right, bottom, sure = map(float, box)
    points = [(float(x), float(y)) for x, y in marks]
    return Face(top, left, bottom, right, points[0], points[1], points[2], points[3], points[4], sure)


def _folder() -> Path | None:
    spec = importlib.util.find_spec("mtcnn")  # found, not imported: that would import TensorFlow
    places = spec.submodule_search_locations if spec is not None else None
    return Path(places[0]) / "assets" / "weights" if places else None


@lru_cache(maxsize=1)
def _networks() -> tuple[Weights, Weights, Weights]:
    folder = _folder()
    if folder is None:
        raise MissingExtraError(
            'finding faces needs weights that are not installed. Install them: pip install "bshm[faces]"'
        )
    import joblib

    first, second, third = ([np.asarray(each) for each in joblib.load(folder / f"{name}net.lz4")] for name in "pro")
    return first, second, third


def _proposed(image: FloatArray, weights: Weights) -> npt.NDArray[np.float64]:
    """(N, 5) squares that may be a face: left, top, right, bottom, sure."""
    height, width = image.shape[:2]
    found = []
    scale = _CELL_PX / _SMALLEST_PX
    while min(height, width) * scale >= _CELL_PX:
        size = (max(_CELL_PX, round(width * scale)), max(_CELL_PX, round(height * scale)))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)[None]
        hidden = _pooled(_prelu(_convolved(small, *weights[:2]), weights[2]), 2)
        hidden = _prelu(_convolved(hidden, *weights[3:5]), weights[5])
        hidden = _prelu(_convolved(hidden, *weights[6:8]), weights[8])
        moves = _convolved(hidden, *weights[9:11])[0]
        sure = _second_of_two(_convolved(hidden, *weights[11:13]))[0]
        rows, columns = np.nonzero(sure > _SURE[0])
        if rows.size:
            corner = np.stack([columns, rows], axis=1) * _STRIDE_PX
            cells = np.concatenate([corner, corner + _CELL_PX], axis=1) + moves[rows, columns] * _CELL_PX
            scaled = cells / np.array([size[0] / width, size[1] / height] * 2)
            boxes = np.concatenate([scaled, sure[rows, columns][:, None]], axis=1)
            found.append(boxes[_apart(boxes, 0.5)])
        scale *= _PYRAMID_STEP
    boxes = np.concatenate(found) if found else np.zeros((0, 5))
    return _squares(boxes[_apart(boxes, 0.7)])


def _refined(
    image: FloatArray, boxes: npt.NDArray[np.float64], weights: Weights, *, side: int, sure: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The boxes that a network accepts, moved by it; and five points in each if the network gives them."""
    if not len(boxes):
        return boxes, np.zeros((0, 5, 2))
    patches = np.stack([_patch(image, box, side) for box in boxes])
    hidden = _pooled(_prelu(_convolved(patches, *weights[:2]), weights[2]), 3)
    hidden = _pooled(_prelu(_convolved(hidden, *weights[3:5]), weights[5]), 3, inside=True)
    hidden = _prelu(_convolved(hidden, *weights[6:8]), weights[8])
    rest = weights[9:]
    if side == 48:
        hidden = _pooled(hidden, 2)
        hidden = _prelu(_convolved(hidden, *rest[:2]), rest[2])
        rest = rest[3:]
    # The weights are for arrays with columns before rows.
    flat = hidden.transpose(0, 2, 1, 3).reshape(len(boxes), -1)
    flat = _prelu(flat @ rest[0] + rest[1], rest[2])
    moves = flat @ rest[3] + rest[4]
    points = flat @ rest[5] + rest[6] if side == 48 else np.zeros((len(boxes), 10), np.float32)
    sureness = _second_of_two(flat @ rest[-2] + rest[-1])
    sizes = boxes[:, 2:4] - boxes[:, :2] + 1
    # Five x, then five y, as shares of the box.
    marks = boxes[:, None, :2] + np.stack([points[:, :5], points[:, 5:]], axis=2) * sizes[:, None]
    moved = boxes.copy()
    moved[:, :4] += moves * np.tile(sizes, 2)
    moved[:, 4] = sureness
    kept = sureness > sure
    return (_squares(moved[kept]) if side == 24 else moved[kept]), marks[kept]


def _patch(image: FloatArray, box: npt.NDArray[np.float64], side: int) -> FloatArray:
    """The content of a box, as (side, side, 3); black beyond the picture."""
    left, top, right, bottom = (round(float(each)) for each in box[:4])
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    height, width = image.shape[:2]
    inside = image[max(0, top) : max(0, min(height, bottom)), max(0, left) : max(0, min(width, right))]
    if inside.size == 0:
        return np.zeros((side, side, 3), np.float32)
    if inside.shape[:2] != (bottom - top, right - left):
        below, beside = max(0, bottom - height), max(0, right - width)
        inside = cv2.copyMakeBorder(  # type: ignore[assignment]
            inside, max(0, -top), below, max(0, -left), beside, cv2.BORDER_CONSTANT, value=(0.0, 0.0, 0.0)
        )
    way = cv2.INTER_AREA if inside.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inside, (side, side), interpolation=way), np.float32)


def _convolved(array: FloatArray, kernel: FloatArray, bias: FloatArray) -> FloatArray:
    """Convolve (N, H, W, C) with a (h, w, C, D) kernel, without padding."""
    windows = np.lib.stride_tricks.sliding_window_view(array, kernel.shape[:2], axis=(1, 2))
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, int(np.prod(kernel.shape[:3])))
    result = columns @ kernel.reshape(-1, kernel.shape[3]) + bias
    return np.asarray(result.reshape(*windows.shape[:3], kernel.shape[3]), np.float32)


def _pooled(array: FloatArray, side: int, *, inside: bool = False) -> FloatArray:
    """Maximum pooling with stride 2; windows that reach beyond the lower and right edge count unless ``inside``."""
    if not inside:
        missing = [max(0, (-(-length // 2) - 1) * 2 + side - length) for length in array.shape[1:3]]
        array = np.pad(array, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(array, (side, side), axis=(1, 2))[:, ::2, ::2]
    return np.asarray(windows.max(axis=(-2, -1)), np.float32)


def _prelu(array: FloatArray, slope: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(array, 0) + slope.reshape(-1) * np.minimum(array, 0), np.float32)


def _second_of_two(scores: FloatArray) -> npt.NDArray[np.float64]:
    """The second value of a softmax over two."""
    return np.asarray(1 / (1 + np.exp(scores[..., 0].astype(np.float64) - scores[..., 1])))


def _squares(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Boxes widened to squares around their middle."""
    result = boxes.copy()
    sizes = boxes[:, 2:4] - boxes[:, :2]
    side = sizes.max(axis=1, keepdims=True) if len(boxes) else sizes[:, :1]
    result[:, :2] = boxes[:, :2] + sizes / 2 - side / 2
    result[:, 2:4] = result[:, :2] + side
    return result


def _apart(boxes: npt.NDArray[np.float64], most: float, *, of_smaller: bool = False) -> list[int]:
    """Indices of boxes that no better box overlaps by more than ``most`` of their union, or of the smaller box."""
    left = [int(each) for each in np.argsort(-boxes[:, 4])] if len(boxes) else []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while left:
        best, *others = left
        kept.append(best)
        rest = np.array(others, int)
        sides = np.minimum(boxes[best, 2:4], boxes[rest, 2:4]) - np.maximum(boxes[best, :2], boxes[rest, :2])
        shared = np.maximum(sides, 0).prod(axis=1)
        whole = np.minimum(areas[best], areas[rest]) if of_smaller else areas[best] + areas[rest] - shared
        left = [int(each) for each in rest[shared <= most * whole]]
    return kept
