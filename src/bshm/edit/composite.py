"""Compositing: the levels of an alpha, the cut-out, and Porter and Duff's *over*.

Colour is straight everywhere: it is never multiplied by alpha and stored together with that alpha, because viewers
would multiply again and show dark fringes.
"""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from bshm.edit import light
from bshm.errors import ShapeError
from bshm.types import FloatArray, Picture, PixelArray

# Pixels in a strip: its temporaries fit into the second-level cache, and a 100-megapixel picture needs no temporary of
# its own size.
_STRIP_PX = 1 << 16


def levels(alpha: FloatArray, dtype: npt.DTypeLike) -> PixelArray:
    """Alpha as whole levels, rounded half up: 1 becomes 255 or 65535.

    Args:
        alpha: (H, W) float32, 0..1.
        dtype: uint8 or uint16.

    Returns:
        (H, W) of ``dtype``, a new array.

    Raises:
        ShapeError: another shape or dtype, or a value outside 0..1 (NaN is outside).

    >>> levels(np.array([[0.0, 0.5, 1.0]], np.float32), np.uint8).tolist()
    [[0, 128, 255]]
    """
    _check_alpha(alpha, "levels")
    result: PixelArray = np.empty(alpha.shape, _pixel_dtype(dtype, "levels"))
    for rows in _strips(alpha.shape):
        result[rows] = _levels(alpha[rows], result.dtype)
    return result


def cutout(foreground: PixelArray, alpha: FloatArray) -> PixelArray:
    """The people with their alpha: RGBA, straight, colour 0 wherever the alpha's level is 0.

    Colour under full transparency is invisible, but it gives away the old background and makes a PNG three times
    larger and two to four times slower to write.

    Args:
        foreground: (H, W, 3) uint8 or uint16, straight colour.
        alpha: (H, W) float32, 0..1.

    Returns:
        (H, W, 4), dtype of ``foreground``, a new array.

    Raises:
        ShapeError: shapes that differ, another dtype, or alpha outside 0..1.

    >>> cutout(np.full((1, 2, 3), 9, np.uint8), np.array([[0.0, 1.0]], np.float32)).tolist()
    [[[0, 0, 0, 0], [9, 9, 9, 255]]]
    """
    _check_pair(foreground, alpha, "cutout")
    height, width = alpha.shape
    # Zeroed pages cost nothing until they are touched, and most of a picture is nobody.
    result: PixelArray = np.zeros((height, width, 4), foreground.dtype)
    for rows in _strips(alpha.shape):
        level = _levels(alpha[rows], foreground.dtype)
        shown = level if level.dtype == np.uint8 else (level != 0).view(np.uint8)
        rgba = cv2.cvtColor(foreground[rows], cv2.COLOR_RGB2RGBA)
        cv2.insertChannel(level, rgba, 3)
        cv2.copyTo(rgba, shown, result[rows])
    return result


def spread(colour: PixelArray, alpha: npt.NDArray[Any]) -> PixelArray:
    """Straight colour, continued where alpha is 0: such a pixel takes the colour of the nearest pixel with some alpha.

    Args:
        colour: (H, W, 3) uint8 or uint16.
        alpha: (H, W), 0 where the colour has no meaning.

    Returns:
        (H, W, 3), dtype of ``colour``, a new array; ``colour`` itself if alpha is 0 everywhere.

    >>> spread(np.array([[[9, 8, 7], [0, 0, 0]]], np.uint8), np.array([[1, 0]], np.uint8)).tolist()
    [[[9, 8, 7], [9, 8, 7]]]
    """
    clear = np.equal(alpha, 0)
    if clear.all() or not clear.any():
        return colour.copy()
    _, labels = cv2.distanceTransformWithLabels(
        clear.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # The label of each pixel that has alpha, and where that pixel is.
    places = np.zeros(int(labels.max()) + 1, np.int64)
    there = np.flatnonzero(~clear)
    places[labels.ravel()[there]] = there
    result: PixelArray = colour.reshape(-1, 3)[places[labels.ravel()]].reshape(colour.shape)
    return result


def on_white(picture: Picture) -> PixelArray:
    """A picture with its transparent parts laid over white.

    Args:
        picture: any.

    Returns:
        (H, W, 3), dtype of its pixels; its pixels themselves if it has no transparency.

    >>> half = np.full((1, 1), 128, np.uint8)
    >>> on_white(Picture(np.zeros((1, 1, 3), np.uint8), half)).tolist()
    [[[127, 127, 127]]]
    """
    if picture.alpha is None:
        return picture.pixels
    share = picture.alpha.astype(np.float32) / np.float32(np.iinfo(picture.alpha.dtype).max)
    return over(picture.pixels, share, np.full_like(picture.pixels, np.iinfo(picture.pixels.dtype).max))


def over(
    foreground: PixelArray, alpha: FloatArray, background: PixelArray, *, blend: Literal["srgb", "linear"] = "srgb"
) -> PixelArray:
    """Lay the foreground over the background: ``alpha * F + (1 - alpha) * B``, exact in whole levels.

    Alpha is rounded to the level that ``cutout`` writes, so a saved cut-out over the same background gives the same
    picture in any program that rounds correctly.  The sum is exact and rounds half up.

    Args:
        foreground: (H, W, 3) uint8 or uint16, straight colour.
        alpha: (H, W) float32, 0..1; 1 shows only the foreground.
        background: (H, W, 3), dtype and colour space of the foreground.
        blend: mix sRGB levels, as programs that show cut-outs do, or ``"linear"`` light by sRGB's curve, which keeps
            bright hair on a dark background from looking thin.

    Returns:
        (H, W, 3), dtype of ``foreground``, a new array.

    Raises:
        ShapeError: shapes or dtypes that differ, another dtype, or alpha outside 0..1.

    Source:
        Porter and Duff, "Compositing Digital Images", SIGGRAPH 1984.

    >>> red, blue = np.full((1, 1, 3), (255, 0, 0), np.uint8), np.full((1, 1, 3), (0, 0, 255), np.uint8)
    >>> over(red, np.full((1, 1), 0.2, np.float32), blue).tolist()
    [[[51, 0, 204]]]
    """
    _check_pair(foreground, alpha, "over", background)
    result: PixelArray = np.empty_like(foreground)
    for rows in _strips(alpha.shape):
        level = _levels(alpha[rows], foreground.dtype)
        _blend(foreground[rows], level, background[rows], result[rows])
        if blend == "linear":
            soft = (level > 0) & (level < np.iinfo(level.dtype).max)
            share = level[soft] / np.float32(np.iinfo(level.dtype).max)
            result[rows][soft] = light.mixed(foreground[rows][soft], background[rows][soft], share)
    return result


def _blend(foreground: PixelArray, level: PixelArray, background: PixelArray, out: PixelArray) -> None:
    """``out = round((level * F + (top - level) * B) / top)`` in integers; ``top`` is 255 or 65535."""
    eight = foreground.dtype == np.uint8
    # 255 * 255 + 128 fits 16 bits; 65535 * 65535 + 32768, and that plus its own upper half, fit 32 bits.
    wide: npt.DTypeLike = np.uint16 if eight else np.uint32
    bits, top = (8, 255) if eight else (16, 65535)
    # Three equal channels: numpy is slow with an innermost axis of three elements.
    weight = cv2.cvtColor(level, cv2.COLOR_GRAY2RGB)
    total = np.multiply(weight, foreground, dtype=wide)
    np.subtract(top, weight, out=weight)
    total += np.multiply(weight, background, dtype=wide)
    total += 1 << (bits - 1)
    # t / (2^n - 1), rounded, is (t + (t >> n)) >> n once half of 2^n is added: Blinn, "Three wrongs make a right".
    total += total >> bits
    total >>= bits
    out[...] = total


def _levels(alpha: FloatArray, dtype: np.dtype[Any]) -> PixelArray:
    """``levels`` of one strip."""
    # Written so that NaN fails as well.
    if alpha.size and not (alpha.min() >= 0.0 and alpha.max() <= 1.0):
        raise ShapeError(
            f"alpha needs values from 0 to 1; got {float(alpha.min())} to {float(alpha.max())}. "
            "Divide levels by 255, or clip a filter's overshoot."
        )
    scaled = alpha * np.float32(255 if dtype == np.uint8 else 65535)
    scaled += np.float32(0.5)
    result: PixelArray = scaled.astype(dtype)
    return result


def _strips(shape: tuple[int, ...]) -> list[slice]:
    """Slices of rows with about ``_STRIP_PX`` pixels each."""
    height, width = shape[:2]
    rows = max(1, _STRIP_PX // max(1, width))
    return [slice(start, min(height, start + rows)) for start in range(0, height if width else 0, rows)]


def _pixel_dtype(dtype: npt.DTypeLike, caller: str) -> np.dtype[Any]:
    found = np.dtype(dtype)
    if found not in (np.uint8, np.uint16):
        raise ShapeError(f"{caller}() gives uint8 or uint16; asked for {found}.")
    return found


def _check_alpha(alpha: FloatArray, caller: str) -> None:
    if alpha.ndim != 2 or alpha.dtype != np.float32:
        raise ShapeError(f"{caller}() needs alpha as (H, W) float32; got {alpha.shape} {alpha.dtype}.")


def _check_pair(foreground: PixelArray, alpha: FloatArray, caller: str, background: PixelArray | None = None) -> None:
    _check_alpha(alpha, caller)
    arrays = [foreground] if background is None else [foreground, background]
    if any(array.shape != (*alpha.shape, 3) for array in arrays):
        got = f"foreground {foreground.shape}, alpha {alpha.shape}"
        count = "all three inputs" if background is not None else "both inputs"
        if background is not None:
            got += f", background {background.shape}"
        hint = " Resize the background first, e.g. with geometry.cover()." if background is not None else ""
        raise ShapeError(f"{caller}() needs one height and width for {count} and three colours; got {got}.{hint}")
    if foreground.dtype not in (np.uint8, np.uint16) or any(array.dtype != foreground.dtype for array in arrays):
        got = " and ".join(str(array.dtype) for array in arrays)
        raise ShapeError(f"{caller}() needs colours in uint8, or all in uint16; got {got}.")
