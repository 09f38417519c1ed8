"""Turn a picture by a few degrees, and find the degrees that level the eyes."""

from __future__ import annotations

import math
from typing import Any

import cv2

from bshm.edit import faces
from bshm.errors import MissingExtraError, OptionError, option
from bshm.types import FloatArray, PixelArray

# The largest side that OpenCV can turn.
_LONGEST_PX = 32766
# Alpha from which a pixel is a person: the middle of a soft edge.
_PERSON_FROM = 0.5


def tilt(pixels: PixelArray, alpha: FloatArray) -> float | None:
    """The degrees to turn a picture clockwise so that the eyes of its largest face are level.

    Args:
        pixels: (H, W, 3) uint8 or uint16.
        alpha: (H, W) float32, 0..1: only faces of people count.

    Returns:
        None if there is no face.

    Raises:
        MissingExtraError: the face detector is not installed.
    """
    if not faces.available():
        raise MissingExtraError(
            f"{option('straighten')}: auto levels the eyes, but the face detector is not installed. "
            'Install it: pip install "bshm[faces]"; or give degrees.'
        )
    height, width = alpha.shape
    for face in faces.find(pixels):
        x, y = face.nose
        if alpha[min(max(0, int(y)), height - 1), min(max(0, int(x)), width - 1)] >= _PERSON_FROM:
            (left_x, left_y), (right_x, right_y) = face.left_eye, face.right_eye
            return -math.degrees(math.atan2(right_y - left_y, right_x - left_x))
    return None


def turned(layer: Any, degrees: float, *, mirrored: bool) -> Any:
    """A layer turned clockwise around its middle; parts that leave the frame are lost.

    Args:
        layer: (H, W) or (H, W, 3), uint8, uint16 or float32.
        degrees: the angle.
        mirrored: fill the empty corners with the layer's mirror image; otherwise they are 0.

    Returns:
        The same shape and dtype.

    Raises:
        OptionError: it is too large.
    """
    height, width = layer.shape[:2]
    if max(height, width) > _LONGEST_PX:
        raise OptionError(f"{option('straighten')} takes at most {_LONGEST_PX} pixels a side; got {width}x{height}.")
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    # Cubic keeps colours sharp, but would take an alpha outside 0..1.
    way = cv2.INTER_CUBIC if layer.ndim == 3 else cv2.INTER_LINEAR
    border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_CONSTANT
    return cv2.warpAffine(layer, matrix, (width, height), flags=way, borderMode=border)
