"""What people are laid over: a colour, a picture, or the original out of focus, as an array of the picture's size."""

from __future__ import annotations

import math
from os import PathLike
from typing import Any, TypeAlias

import cv2
import numpy as np

from bshm import geometry
from bshm.edit import composite
from bshm.edit.words import Background, BlurBackground, ColorBackground, PictureBackground, parse_background
from bshm.errors import OptionError, ShapeError, SourceNotFoundError, option
from bshm.files.decode import open_picture
from bshm.files.source import Source
from bshm.options import Limits
from bshm.types import FloatArray, Picture, PixelArray

AnyBackground: TypeAlias = "Background | Source | list[int] | tuple[int, ...]"
"""A background as ``parse_background`` takes it, or a picture that is open or in memory."""

# The default blur, as a share of the square root of the picture's area: a portrait lens wide open.
_BLUR_SHARE = 0.02
# The blur runs where its radius is two to four pixels: a Gaussian that wide has nothing that a smaller picture loses.
_WORKING_RADIUS_PX = 2.0
# Alpha from which a pixel gives nothing to the blurred background: what a soft edge shows of a person bleeds.
_PERSON_FROM = 0.1
# The wider blur that decides where the narrow one sees only people.
_WIDER = 6.0
_STRIP_ROWS = 64


def background_of(given: AnyBackground) -> tuple[Background, Picture | None]:
    """The background that somebody means, and its picture where that is named by no path and no URL.

    Raises:
        OptionError: a colour or a radius that is none.
        InputError: a picture that cannot be read.

    >>> background_of("blur")
    (BlurBackground(radius_px=None), None)
    """
    if isinstance(given, Background):
        return given, None
    if isinstance(given, (str, PathLike, list, tuple)):
        return parse_background(given), None
    return PictureBackground(), open_picture(given)


def filled(background: Background, picture: Picture, alpha: FloatArray, given: Picture | None = None) -> PixelArray:
    """A background at the size and depth of the picture.

    Args:
        background: which; the opacity of a colour does not count here.
        picture: the original.
        alpha: (H, W) float32, 0..1, its people.
        given: the picture of a ``PictureBackground``; None reads it from its source.  Its own transparency shows
            white.

    Returns:
        (H, W, 3), dtype of ``picture.pixels``.

    Raises:
        OptionError: a ``PictureBackground`` without source, and none was given.
        ShapeError: alpha of another size than the picture.
        InputError: the background picture cannot be read (``bshm.files`` says why).

    >>> grey = Picture(np.full((2, 2, 3), 128, np.uint8))
    >>> filled(ColorBackground((255, 255, 255)), grey, np.zeros((2, 2), np.float32))[0, 0].tolist()
    [255, 255, 255]
    """
    if alpha.shape != picture.size_hw or alpha.dtype != np.float32:
        raise ShapeError(f"filled() needs alpha {picture.size_hw} float32; got {alpha.shape} {alpha.dtype}.")
    if isinstance(background, ColorBackground):
        return _colored(background.rgb, picture)
    if isinstance(background, BlurBackground):
        radius = background.radius_px or max(1.0, _BLUR_SHARE * math.sqrt(alpha.size))
        return blur(picture.pixels, alpha, radius_px=radius)
    return _covering(opened(background.source) if given is None else given, picture)


def blur(pixels: PixelArray, alpha: FloatArray, *, radius_px: float) -> PixelArray:
    """The picture out of focus, as if its people were not there.

    A plain blur would smear the people's colour into a glow around them.  Here each pixel counts as far as it is
    background (normalised convolution), so the colour behind people is that of what stands beside them.

    Args:
        pixels: (H, W, 3) uint8 or uint16.
        alpha: (H, W) float32, 0..1.
        radius_px: sigma of the Gaussian, above 0.  Below about 2 px the result is a little softer than asked for.

    Returns:
        (H, W, 3), dtype of ``pixels``, a new array.

    Source:
        Knutsson and Westin, "Normalized and Differential Convolution", CVPR 1993.
    """
    height, width = alpha.shape
    cell = 2 ** max(1, int(math.log2(max(1.0, radius_px / _WORKING_RADIUS_PX))))
    cell = min(cell, _STRIP_ROWS)
    small = _background_means(pixels, alpha, cell)
    # The cell's own blur counts towards the whole.
    radius = math.sqrt(max(0.25, (radius_px / cell) ** 2 - 1 / 12))
    weight = float(small[..., 3].sum())
    if weight > 0:
        mean = small[..., :3].reshape(-1, 3).sum(axis=0) / weight
    else:  # people everywhere: nothing of the background is known, and nothing of it will show
        mean = np.asarray(pixels.reshape(-1, 3)[:: max(1, height * width // 65536)].mean(axis=0))
    found = np.broadcast_to(mean, small[..., :3].shape).astype(np.float32)
    for sigma in (radius * _WIDER, radius):
        local = _gaussian(small, sigma)
        found = np.asarray((local[..., :3] + 1e-3 * found) / (local[..., 3:] + 1e-3), np.float32)
    rounded = np.clip(found + 0.5, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
    # Cells may stick out of the picture by less than one: enlarge them whole, then crop.
    whole = geometry.enlarge(rounded, (rounded.shape[0] * cell, rounded.shape[1] * cell))
    return np.ascontiguousarray(whole[:height, :width])


def _background_means(pixels: PixelArray, alpha: FloatArray, cell: int) -> FloatArray:
    """(h, w, 4) float32: mean over cells of colour times background share, and of that share; in strips."""
    height, width = alpha.shape
    rows = _STRIP_ROWS // cell * cell
    strips = []
    for top in range(0, height, rows):
        share = np.maximum(np.float32(0), 1 - alpha[top : top + rows] * np.float32(1 / _PERSON_FROM))
        own = pixels[top : top + rows].astype(np.float32) * cv2.merge([share, share, share])
        weighted = np.dstack([own, share])
        missing = -weighted.shape[0] % cell, -width % cell
        if any(missing):
            weighted = cv2.copyMakeBorder(weighted, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=0)
        size = (weighted.shape[1] // cell, weighted.shape[0] // cell)
        strips.append(cv2.resize(weighted, size, interpolation=cv2.INTER_AREA))
    return np.concatenate(strips).astype(np.float32, copy=False)


def _gaussian(array: FloatArray, sigma: float) -> FloatArray:
    """A Gaussian blur; a wide one on a smaller array, so that time does not grow with it."""
    height, width = array.shape[:2]
    step = max(1, min(int(sigma / _WORKING_RADIUS_PX), height, width))
    size = (-(-height // step), -(-width // step))
    small = geometry.resize(array, size)
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), sigma / step, borderType=cv2.BORDER_REFLECT), np.float32)
    return geometry.resize(small, (height, width))


def _colored(rgb: tuple[int, int, int], picture: Picture) -> PixelArray:
    result: PixelArray = np.empty(picture.pixels.shape, picture.pixels.dtype)
    result[...] = np.asarray(rgb) * (257 if picture.bit_depth == 16 else 1)
    return result


def opened(source: str | None, limits: Limits = Limits()) -> Picture:  # noqa: B008 - frozen
    """The picture of a ``PictureBackground``.

    Args:
        source: a path or a URL.
        limits: what it may cost.

    Raises:
        OptionError: it has no source.
        InputError: it cannot be read.
    """
    if source is None:
        raise OptionError(
            f"{option('background')} is a picture that was not handed over. Give it beside the edit, as background=."
        )
    try:
        return open_picture(source, limits)
    except SourceNotFoundError as error:
        if "/" in source or "." in source:
            raise
        raise SourceNotFoundError(
            f'the background {source!r} is no colour that bshm knows, not "blur", and no file. '
            'Use a name ("white"), "#rrggbb", "r,g,b", "blur", "blur:RADIUS", a path or a URL.'
        ) from error


def _covering(given: Picture, picture: Picture) -> PixelArray:
    pixels = given.pixels
    if given.alpha is not None:
        share = given.alpha.astype(np.float32) / np.float32(np.iinfo(given.alpha.dtype).max)
        pixels = composite.over(pixels, share, np.full_like(pixels, np.iinfo(pixels.dtype).max))
    return _depth(geometry.cover(pixels, picture.size_hw), picture.pixels.dtype)


def _depth(pixels: PixelArray, dtype: np.dtype[Any]) -> PixelArray:
    """The same levels in 8 or 16 bits."""
    if pixels.dtype == dtype:
        return pixels
    result: PixelArray = np.empty(pixels.shape, dtype)
    for top in range(0, pixels.shape[0], _STRIP_ROWS):
        wide = pixels[top : top + _STRIP_ROWS].astype(np.uint32)
        result[top : top + _STRIP_ROWS] = wide * 257 if dtype == np.uint16 else (wide + 128) // 257
    return result
