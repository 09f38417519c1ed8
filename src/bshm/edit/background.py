"""Backgrounds as arrays of the picture's size: a colour, a gradient, a picture, or the blurred original."""

from __future__ import annotations

import math
from dataclasses import dataclass
from os import PathLike
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from bshm import geometry
from bshm.edit import composite
from bshm.edit.words import (
    Background,
    BlurBackground,
    ColorBackground,
    LinearBackground,
    PictureBackground,
    RadialBackground,
    parse_background,
)
from bshm.errors import OptionError, ShapeError, SourceNotFoundError, option
from bshm.files.decode import open_picture
from bshm.files.source import Source
from bshm.options import Limits
from bshm.types import FloatArray, Picture, PixelArray

AnyBackground: TypeAlias = "Background | Source | list[int] | tuple[int, ...]"
"""A background for ``parse_background``, or a picture that is open or in memory."""

# The default blur, as a share of the square root of the picture's area: a portrait lens wide open.
_BLUR_SHARE = 0.02
# The blur runs on a picture so small that its radius is two to four pixels: so wide a Gaussian loses nothing by that.
_WORKING_RADIUS_PX = 2.0
# Pixels with at least this alpha add nothing to the blurred background: the person in a soft edge would bleed into it.
_PERSON_FROM = 0.05
# Nor do pixels this near to people, as a share of the square root of the area.  Beside a matte that ended 2 px too
# early, 62 levels of the person's colour showed without this, and 14 with it.
_AROUND_SHARE, _AROUND_LEAST_PX = 0.004, 2
# Where a blur sees only people, one that is this many times wider fills it, up to the size of the picture.
_WIDER = 3.0
_STRIP_ROWS = 64
# Pixels with at least this alpha are kept, and the model paints around them: its painting shows in the soft edge.
_SEEN_FROM = 0.9
# More steps than two colours of 16 bits can have levels between them.
_GRADIENT_STEPS = 1 << 17


@dataclass(frozen=True)
class Painting:
    """What a model has painted.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        model: name of the model.
        steps: number of steps.
        device: where it ran.
    """

    pixels: npt.NDArray[np.uint8]
    model: str
    steps: int
    device: str


@runtime_checkable
class Paints(Protocol):
    """The interface of painters of backgrounds: see ``bshm.generating.painter.Painter``."""

    def paint(
        self, pixels: PixelArray, kept: npt.NDArray[np.bool_], prompt: str, *, seed: int, steps: int | None
    ) -> Painting:
        """A picture that shows ``prompt`` around the kept pixels.

        Args:
            pixels: (H, W, 3) uint8 or uint16, of which only the kept ones count.
            kept: (H, W), the pixels to paint around.
            prompt: description of the picture.
            seed: the same seed paints the same picture.
            steps: None is the model's own number.

        Returns:
            A painting of the size of ``pixels``; its pixels at ``kept`` have no meaning.
        """


def painted(
    painter: Paints, colour: PixelArray, alpha: FloatArray, prompt: str, *, seed: int, steps: int | None
) -> tuple[PixelArray, Painting]:
    """A background that a model has painted around people.

    Args:
        painter: the model.
        colour: (H, W, 3) uint8 or uint16, straight colour of the people.
        alpha: (H, W) float32, 0..1, of the people.
        prompt, seed, steps: as in ``Paints.paint``.

    Returns:
        (H, W, 3), dtype of ``colour``, without the people, who are laid over it; and the painting that it comes from.
    """
    kept = alpha >= np.float32(_SEEN_FROM)
    painting = painter.paint(colour, kept, prompt, seed=seed, steps=steps)
    if painting.pixels.shape != colour.shape or painting.pixels.dtype != np.uint8:
        raise ShapeError(
            f"paint() needs to give {colour.shape} uint8; got {painting.pixels.shape} {painting.pixels.dtype}."
        )
    behind = painting.pixels
    if kept.any() and not kept.all():
        # The painting also shows the people, who would shine through themselves where they are not quite opaque.
        around = blur(behind, kept.astype(np.float32), radius_px=max(1.0, _BLUR_SHARE * math.sqrt(alpha.size)))
        behind = np.where(kept[..., None], around, behind).astype(np.uint8)
    return geometry.in_depth(behind, colour.dtype), painting


def background_of(given: AnyBackground) -> tuple[Background, Picture | None]:
    """The parsed background, and its picture if that was given as an object, not as a path or URL.

    Raises:
        OptionError: a colour or a radius is not valid.
        InputError: a picture cannot be read.

    >>> background_of("blur")
    (BlurBackground(radius_px=None), None)
    """
    if isinstance(given, Background):
        return given, None
    if isinstance(given, (str, PathLike, list, tuple)):
        return parse_background(given), None
    return PictureBackground(), open_picture(given)


def filled(
    background: Background,
    picture: Picture,
    alpha: FloatArray,
    given: Picture | None = None,
    *,
    fit: Literal["cover", "contain"] = "cover",
    position: tuple[float, float] | None = None,
    blur_px: float | None = None,
) -> PixelArray:
    """A background at the size and depth of the picture.

    Args:
        background: the opacity of a colour is ignored here.
        picture: the original.
        alpha: (H, W) float32, 0..1, of its people.
        given: the picture of a ``PictureBackground``; None reads it from its source.  Its transparent parts become
            white.
        fit: of a ``PictureBackground``: scaled to fill the canvas, or to be fully visible, with white around it.
        position: which part of it is kept, or where it is placed, 0..1 from the left and the top; None is the middle.
        blur_px: sigma of the Gaussian that blurs it, above 0; None leaves it sharp.

    Returns:
        (H, W, 3), dtype of ``picture.pixels``.

    Raises:
        OptionError: a ``PictureBackground`` has no source, and ``given`` is None.
        ShapeError: alpha and picture differ in size.
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
    if isinstance(background, (LinearBackground, RadialBackground)):
        return gradient(background, picture.size_hw, picture.pixels.dtype)
    behind = _fitted(opened(background.source) if given is None else given, picture, fit, position or (0.5, 0.5))
    return behind if blur_px is None else blur(behind, np.zeros_like(alpha), radius_px=blur_px)


def gradient(
    background: LinearBackground | RadialBackground, size_hw: tuple[int, int], dtype: npt.DTypeLike
) -> PixelArray:
    """A gradient, interpolated in sRGB levels, as browsers draw it.

    Args:
        background: the gradient.
        size_hw: height and width in pixels.
        dtype: uint8 or uint16.

    Returns:
        (H, W, 3) of ``dtype``.

    Source:
        CSS Images 3: the line of a linear gradient is so long that the corners have the end colours.

    >>> gradient(LinearBackground(((0, 0, 0), (200, 200, 200)), 90), (1, 4), np.uint8)[0, :, 0].tolist()
    [25, 75, 125, 175]
    """
    height, width = size_hw
    # Pixels' centres.
    x, y = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32)[:, None] + 0.5
    top = np.iinfo(np.dtype(dtype)).max
    colors = np.asarray(background.colors, np.float64) * (top / 255)
    stops, steps = np.linspace(0, 1, len(colors)), np.linspace(0, 1, _GRADIENT_STEPS + 1)
    table = np.stack([np.interp(steps, stops, channel) + 0.5 for channel in colors.T], axis=1).astype(dtype)
    result: PixelArray = np.empty((height, width, 3), dtype)
    for first in range(0, height, _STRIP_ROWS):
        rows = slice(first, first + _STRIP_ROWS)
        if isinstance(background, LinearBackground):
            angle = math.radians(background.angle)
            right, down = math.sin(angle), -math.cos(angle)
            length = abs(width * right) + abs(height * down)
            share = 0.5 + ((x - width / 2) * right + (y[rows] - height / 2) * down) / length
        else:
            left, above = background.center[0] * width, background.center[1] * height
            farthest = math.hypot(max(left, width - left), max(above, height - above))
            share = np.hypot(x - left, y[rows] - above) / farthest
        result[rows] = table[(np.clip(share, 0, 1) * _GRADIENT_STEPS + 0.5).astype(np.intp)]
    return result


def blur(pixels: PixelArray, alpha: FloatArray, *, radius_px: float) -> PixelArray:
    """The picture out of focus, as if its people were not there.

    A plain blur would smear the people's colour into a glow around them.  Here each pixel is weighted by its share of
    background (normalised convolution), so people are filled with the colours beside them: by wider and wider blurs
    until one sees some background (push and pull).

    Args:
        pixels: (H, W, 3) uint8 or uint16.
        alpha: (H, W) float32, 0..1.
        radius_px: sigma of the Gaussian, above 0.  Below about 2 px the result is slightly softer than requested.

    Returns:
        (H, W, 3), dtype of ``pixels``, a new array.

    Source:
        Knutsson and Westin, "Normalized and Differential Convolution", CVPR 1993; Gortler et al., "The Lumigraph",
        SIGGRAPH 1996 (push and pull).
    """
    height, width = alpha.shape
    cell = 2 ** max(1, int(math.log2(max(1.0, radius_px / _WORKING_RADIUS_PX))))
    cell = min(cell, _STRIP_ROWS)
    around = max(_AROUND_LEAST_PX, round(_AROUND_SHARE * math.sqrt(alpha.size)))
    square = np.ones((2 * around + 1, 2 * around + 1), np.uint8)
    small = _background_means(pixels, np.asarray(cv2.dilate(alpha, square), np.float32), cell)
    # Averaging over a cell is part of the blur.
    radius = math.sqrt(max(0.25, (radius_px / cell) ** 2 - 1 / 12))
    weight = float(small[..., 3].sum())
    if weight > 0:
        mean = small[..., :3].reshape(-1, 3).sum(axis=0) / weight
    else:  # people everywhere: no background is known, and none will show
        mean = np.asarray(pixels.reshape(-1, 3)[:: max(1, height * width // 65536)].mean(axis=0))
    found = np.broadcast_to(mean, small[..., :3].shape).astype(np.float32)
    widest = max(small.shape[:2])
    steps = max(1, math.ceil(math.log(max(1.0, widest / radius), _WIDER)))
    for sigma in (radius * _WIDER**step for step in range(steps, -1, -1)):
        local = _gaussian(small, sigma)
        found = np.asarray((local[..., :3] + 1e-3 * found) / (local[..., 3:] + 1e-3), np.float32)
    rounded = np.clip(found + 0.5, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
    # The last cells may reach beyond the picture: enlarge whole cells, then crop.
    whole = geometry.enlarge(rounded, (rounded.shape[0] * cell, rounded.shape[1] * cell))
    return np.ascontiguousarray(whole[:height, :width])


def _background_means(pixels: PixelArray, alpha: FloatArray, cell: int) -> FloatArray:
    """(h, w, 4) float32: means over cells of colour times background share, and of that share; in strips."""
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
    """A Gaussian blur; a wide one runs on a smaller array, so its time does not grow with the radius."""
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
        limits: limits on its size and download.

    Raises:
        OptionError: it has no source.
        InputError: it cannot be read.
    """
    if source is None:
        raise OptionError(
            f"{option('background')} is a picture that was not given. Pass it as background= together with the edit."
        )
    try:
        return open_picture(source, limits)
    except SourceNotFoundError as error:
        if "/" in source or "." in source:
            raise
        raise SourceNotFoundError(
            f'the background {source!r} is not a known colour, not "blur" and not a file. '
            'Use a name ("white"), "#rrggbb", "r,g,b", "blur", "blur:RADIUS", a path or a URL.'
        ) from error


def _fitted(
    given: Picture, picture: Picture, fit: Literal["cover", "contain"], position: tuple[float, float]
) -> PixelArray:
    """A picture at the size and depth of another."""
    pixels = composite.on_white(given)
    if fit == "cover" and position == (0.5, 0.5):
        return geometry.in_depth(geometry.cover(pixels, picture.size_hw), picture.pixels.dtype)
    height, width = picture.size_hw
    ratios = height / pixels.shape[0], width / pixels.shape[1]
    if fit == "cover":  # crop to the canvas' shape, then scale
        kept = [
            max(1, min(side, round(wanted / max(ratios))))
            for side, wanted in zip(pixels.shape[:2], (height, width), strict=True)
        ]
        top, left = _offset(pixels.shape[0] - kept[0], position[1]), _offset(pixels.shape[1] - kept[1], position[0])
        part = pixels[top : top + kept[0], left : left + kept[1]]
        part = geometry.enlarge(np.ascontiguousarray(part), (height, width))  # type: ignore[assignment]
        return geometry.in_depth(part, picture.pixels.dtype)
    size = max(1, round(pixels.shape[0] * min(ratios))), max(1, round(pixels.shape[1] * min(ratios)))
    size = min(height, size[0]), min(width, size[1])
    result: PixelArray = np.full_like(picture.pixels, np.iinfo(picture.pixels.dtype).max)
    top, left = _offset(height - size[0], position[1]), _offset(width - size[1], position[0])
    result[top : top + size[0], left : left + size[1]] = geometry.in_depth(geometry.resize(pixels, size), result.dtype)
    return result


def _offset(free: int, share: float) -> int:
    return math.floor(free * share + 0.5)
