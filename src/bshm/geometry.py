"""Sizes and resizing: which size a network sees, how a picture gets there, and how its output gets back.

Everything here has half-pixel centres, as training has: pixel ``i`` covers ``i`` to ``i + 1``.  A corner-aligned
resize would shift the alpha edge by up to half a pixel of the small picture, several pixels of the large one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar, overload

import cv2
import numpy as np
import numpy.typing as npt

from bshm.errors import OptionError, ShapeError
from bshm.types import Picture, PixelArray

Array = TypeVar("Array", bound=npt.NDArray[Any])

# Sides of a network's input: the encoder halves five times.
MULTIPLE = 32
SMALLEST_SIDE = 64
# A strip of panorama is squeezed beyond 16:1, so that the sum of memory and the number of shapes stay bounded.
LONGEST_FACTOR = 4
# Alpha that survives a resize must be one of these; cv2 resizes no others that bshm has.
_RESIZABLE = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))
_STRIP_ROWS = 64


def whole_picture_size(height: int, width: int, side_px: int) -> tuple[int, int]:
    """Height and width near ``side_px`` squared with the picture's aspect, both multiples of 32.

    The rule of training's validation, so that a network sees the shapes it was judged on.  It depends on the aspect
    alone and has about 60 results for 256 (a dozen for the aspects of cameras): onnxruntime keeps memory for every
    shape it has seen, and random sizes made it grow from 444 to 669 MB within 12 calls.

    Args:
        height: of the picture, at least 1.
        width: of the picture, at least 1.
        side_px: side of a square with the wished number of pixels, at least 64.

    Returns:
        (height, width), each a multiple of 32, at least 64, at most four times ``side_px`` (rounded to 32): beyond an
        aspect of about 16:1 the picture is squeezed.

    Raises:
        OptionError: a side below 1, or ``side_px`` below 64.

    >>> whole_picture_size(1080, 1920, 256)
    (192, 352)
    >>> whole_picture_size(4000, 3000, 256)
    (288, 224)
    """
    if height < 1 or width < 1 or side_px < SMALLEST_SIDE:
        raise OptionError(
            f"a picture's size for a network needs sides of at least 1 and a square of at least "
            f"{SMALLEST_SIDE} a side; got height {height}, width {width}, a square of {side_px} a side."
        )
    scale = side_px / float((height * width) ** 0.5)
    longest = max(SMALLEST_SIDE, round(LONGEST_FACTOR * side_px / MULTIPLE) * MULTIPLE)

    def side(length: int) -> int:
        return min(longest, max(SMALLEST_SIDE, round(length * scale / MULTIPLE) * MULTIPLE))

    return side(height), side(width)


def shrink(pixels: PixelArray, size_hw: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The picture small enough for a network, without aliasing, as bytes.

    Halving with ``INTER_LINEAR`` (which then is the mean of 2x2) as long as that does not pass the goal, then
    ``INTER_AREA``: 0.43 times the time of ``INTER_AREA`` alone.  ``INTER_LINEAR`` alone would alias hair.  A side that
    is smaller than the goal is enlarged bilinearly.

    Args:
        pixels: (H, W, C) or (H, W), uint8 or uint16.
        size_hw: height and width of the result, at least 1 each.

    Returns:
        (height, width[, C]) uint8, a new array; 65535 becomes 255.

    Raises:
        ShapeError: another shape or dtype, or an empty array.

    >>> shrink(np.full((100, 200, 3), 65535, np.uint16), (32, 64))[0, 0].tolist()
    [255, 255, 255]
    """
    if pixels.ndim not in (2, 3) or pixels.size == 0 or pixels.dtype not in (np.uint8, np.uint16):
        raise ShapeError(
            f"shrink() needs (H, W) or (H, W, C) uint8 or uint16 with pixels in it; got {pixels.shape} {pixels.dtype}."
        )
    small: PixelArray = pixels
    while small.shape[0] >= 2 * size_hw[0] and small.shape[1] >= 2 * size_hw[1]:
        half = (small.shape[1] // 2, small.shape[0] // 2)
        small = cv2.resize(small, half, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    small = resize(small, size_hw)
    if small.dtype == np.uint16:
        return in_depth(small, np.uint8)
    return small.copy() if small is pixels else small  # type: ignore[return-value]


def shrunk(picture: Picture, most_pixels: int | None) -> Picture:
    """The picture with at most so many pixels, aspect kept; itself where it has no more.

    Args:
        picture: its pixels, and its alpha where it has one, become smaller; all else stays.
        most_pixels: 1 or more; None takes any.

    >>> shrunk(Picture(np.zeros((30, 40, 3), np.uint8)), 300).size_hw
    (15, 20)
    """
    height, width = picture.size_hw
    if most_pixels is None or height * width <= most_pixels:
        return picture
    scale = (most_pixels / (height * width)) ** 0.5
    size = max(1, int(height * scale)), max(1, int(width * scale))
    alpha = None if picture.alpha is None else resize(picture.alpha, size)
    return replace(picture, pixels=resize(picture.pixels, size), alpha=alpha)


def enlarge(array: Array, size_hw: tuple[int, int]) -> Array:
    """A network's answer at the size of the picture, bilinear.

    Args:
        array: (H, W) or (H, W, C), uint8, uint16 or float32.
        size_hw: height and width of the result.  A side that gets smaller (the picture was smaller than the
            network's input) is averaged by area.

    Returns:
        (height, width[, C]), dtype of ``array``, a new array within the range of the old one.

    Raises:
        ShapeError: another shape or dtype, or an empty array.

    >>> enlarge(np.array([[0.0, 1.0]], np.float32), (1, 4)).tolist()
    [[0.0, 0.25, 0.75, 1.0]]
    """
    result = resize(array, size_hw)
    return result.copy() if result is array else result


def cover(pixels: PixelArray, size_hw: tuple[int, int]) -> PixelArray:
    """The picture scaled until it covers ``size_hw``, aspect kept, what sticks out cropped evenly on both sides.

    Args:
        pixels: (H, W, C) or (H, W), uint8 or uint16.
        size_hw: height and width of the result.

    Returns:
        (height, width[, C]), dtype of ``pixels``, a new array.

    Raises:
        ShapeError: another shape or dtype, or an empty array.

    >>> cover(np.zeros((10, 40, 3), np.uint8), (20, 20)).shape
    (20, 20, 3)
    """
    _check(pixels, size_hw, "cover")
    (height, width), (wanted_h, wanted_w) = pixels.shape[:2], size_hw
    scale = max(wanted_h / height, wanted_w / width)
    # Crop first: the part that sticks out of a long picture could be far larger than what is kept.
    top, bottom = _window(height, wanted_h / scale)
    left, right = _window(width, wanted_w / scale)
    scaled_h = max(wanted_h, round((bottom - top) * scale))
    scaled_w = max(wanted_w, round((right - left) * scale))
    scaled = enlarge(np.ascontiguousarray(pixels[top:bottom, left:right]), (scaled_h, scaled_w))
    y, x = (scaled_h - wanted_h) // 2, (scaled_w - wanted_w) // 2
    return np.ascontiguousarray(scaled[y : y + wanted_h, x : x + wanted_w])


def _window(length: int, wanted: float) -> tuple[int, int]:
    """The fewest whole pixels about the middle of ``length`` that hold ``wanted`` pixels: start and stop."""
    # 1e-6: 1080 / (1080 / 1920) is not quite 1920 in floating point.
    start = min((length - 1) // 2, max(0, int(np.floor((length - wanted) / 2 + 1e-6))))
    return start, length - start


def resize(array: Array, size_hw: tuple[int, int]) -> Array:
    """By area where a side shrinks, bilinear where it grows; the array itself when the size is right already.

    Args:
        array: (H, W) or (H, W, C), uint8, uint16 or float32.
        size_hw: height and width of the result, at least 1 each.

    Raises:
        ShapeError: another shape or dtype, or an empty array.
    """
    _check(array, size_hw, "resize")
    height, width = size_hw
    # One axis at a time where one shrinks and one grows: INTER_AREA that enlarges has no half-pixel centres.
    if array.shape[0] > height or array.shape[1] > width:
        least = (min(width, array.shape[1]), min(height, array.shape[0]))
        array = _like(array, cv2.resize(array, least, interpolation=cv2.INTER_AREA))
    if array.shape[:2] != (height, width):
        array = _like(array, cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR))
    return array


@overload
def in_depth(pixels: PixelArray, dtype: type[np.uint8]) -> npt.NDArray[np.uint8]: ...


@overload
def in_depth(pixels: PixelArray, dtype: npt.DTypeLike) -> PixelArray: ...


def in_depth(pixels: PixelArray, dtype: npt.DTypeLike) -> PixelArray:
    """The same levels in 8 or 16 bits, rounded; the array itself where it has them already.

    Args:
        pixels: (H, W) or (H, W, C) uint8 or uint16.
        dtype: uint8 or uint16.

    Returns:
        an array of ``dtype``.

    >>> in_depth(np.array([[0, 128, 65535]], np.uint16), np.uint8).tolist()
    [[0, 0, 255]]
    >>> in_depth(np.array([[255]], np.uint8), np.uint16).tolist()
    [[65535]]
    """
    if pixels.dtype == dtype:
        return pixels
    result: PixelArray = np.empty(pixels.shape, dtype)
    # In strips: what is worked with takes four bytes a level.
    for top in range(0, pixels.shape[0], _STRIP_ROWS):
        wide = pixels[top : top + _STRIP_ROWS].astype(np.uint32)
        result[top : top + _STRIP_ROWS] = wide * 257 if result.dtype == np.uint16 else (wide + 128) // 257
    return result


def _like(before: Array, after: Any) -> Array:
    """``after`` with the axis that cv2 drops from (H, W, 1)."""
    result: Array = after if after.ndim == before.ndim else after[..., None]
    return result


def _check(array: npt.NDArray[Any], size_hw: tuple[int, int], caller: str) -> None:
    if array.ndim not in (2, 3) or array.size == 0 or array.dtype not in _RESIZABLE:
        raise ShapeError(
            f"{caller}() needs (H, W) or (H, W, C) uint8, uint16 or float32 with pixels in it; "
            f"got {array.shape} {array.dtype}."
        )
    if min(size_hw) < 1:
        raise ShapeError(f"{caller}() needs a height and a width of at least 1; got {size_hw[0]} and {size_hw[1]}.")
