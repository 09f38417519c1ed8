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
"""A background as ``parse_background`` takes it, or a picture that is open or in memory."""

# The default blur, as a share of the square root of the picture's area: a portrait lens wide open.
_BLUR_SHARE = 0.02
# The blur runs where its radius is two to four pixels: a Gaussian that wide has nothing that a smaller picture loses.
_WORKING_RADIUS_PX = 2.0
# Alpha from which a pixel gives nothing to the blurred background: what a soft edge shows of a person bleeds.
_PERSON_FROM = 0.05
# So far around people, as a share of the square root of the area, nothing is given either.  Of a matte that ends 2 px
# too early 62 levels of the person's colour showed beside it, and 14 do with this.
_AROUND_SHARE, _AROUND_LEAST_PX = 0.004, 2
# Each blur is filled by one so much wider where it sees only people, up to the size of the picture.
_WIDER = 3.0
_STRIP_ROWS = 64
# Alpha from which on a model sees somebody and paints around: the soft edge shows what it paints there.
_SEEN_FROM = 0.9
# More than there are levels of 16 bits between two colours.
_GRADIENT_STEPS = 1 << 17


@dataclass(frozen=True)
class Painting:
    """What a model has painted.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        model: which one.
        steps: in how many steps.
        device: on what.
    """

    pixels: npt.NDArray[np.uint8]
    model: str
    steps: int
    device: str


@runtime_checkable
class Paints(Protocol):
    """Who paints backgrounds: see ``bshm.generating.painter.Painter``."""

    def paint(
        self, pixels: PixelArray, kept: npt.NDArray[np.bool_], prompt: str, *, seed: int, steps: int | None
    ) -> Painting:
        """A picture that shows what ``prompt`` says around what is kept.

        Args:
            pixels: (H, W, 3) uint8 or uint16, of which only the kept ones count.
            kept: (H, W), what is to be painted around.
            prompt: what to show, in words.
            seed: the same one paints the same.
            steps: None is the model's own number.

        Returns:
            of the size of ``pixels``; what it shows where ``kept`` is has no meaning.
        """


def painted(
    painter: Paints, colour: PixelArray, alpha: FloatArray, prompt: str, *, seed: int, steps: int | None
) -> tuple[PixelArray, Painting]:
    """A background that a model has painted around people.

    Args:
        painter: the model.
        colour: (H, W, 3) uint8 or uint16, straight, of the people.
        alpha: (H, W) float32, 0..1, theirs.
        prompt, seed, steps: as in ``Paints.paint``.

    Returns:
        (H, W, 3), dtype of ``colour``, without the people: they are laid over it.  And the painting it comes from.
    """
    kept = alpha >= np.float32(_SEEN_FROM)
    painting = painter.paint(colour, kept, prompt, seed=seed, steps=steps)
    if painting.pixels.shape != colour.shape or painting.pixels.dtype != np.uint8:
        raise ShapeError(
            f"paint() needs to give {colour.shape} uint8; got {painting.pixels.shape} {painting.pixels.dtype}."
        )
    behind = painting.pixels
    if kept.any() and not kept.all():
        # There it shows the people once more, and what of them is not quite opaque would let it through.
        around = blur(behind, kept.astype(np.float32), radius_px=max(1.0, _BLUR_SHARE * math.sqrt(alpha.size)))
        behind = np.where(kept[..., None], around, behind).astype(np.uint8)
    return geometry.in_depth(behind, colour.dtype), painting


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
        background: which; the opacity of a colour does not count here.
        picture: the original.
        alpha: (H, W) float32, 0..1, its people.
        given: the picture of a ``PictureBackground``; None reads it from its source.  Its own transparency shows
            white.
        fit: of a ``PictureBackground``: scaled until nothing is free, or until all of it shows, white around it.
        position: which part of it is kept, or where it stands, 0..1 from the left and the top; None is the middle.
        blur_px: sigma of the Gaussian that it goes out of focus by, above 0; None leaves it sharp.

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
    if isinstance(background, (LinearBackground, RadialBackground)):
        return gradient(background, picture.size_hw, picture.pixels.dtype)
    behind = _fitted(opened(background.source) if given is None else given, picture, fit, position or (0.5, 0.5))
    return behind if blur_px is None else blur(behind, np.zeros_like(alpha), radius_px=blur_px)


def gradient(
    background: LinearBackground | RadialBackground, size_hw: tuple[int, int], dtype: npt.DTypeLike
) -> PixelArray:
    """Colours that run into each other, level by level as they are written (sRGB), as browsers draw them.

    Args:
        background: which.
        size_hw: height and width in pixels.
        dtype: uint8 or uint16.

    Returns:
        (H, W, 3) of ``dtype``.

    Source:
        CSS Images 3: the line of a linear gradient is as long as it takes that the corners have the end colours.

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

    A plain blur would smear the people's colour into a glow around them.  Here each pixel counts as far as it is
    background (normalised convolution), so the colour behind people is that of what stands beside them: wider and
    wider blurs are asked until one sees some of it (push and pull).

    Args:
        pixels: (H, W, 3) uint8 or uint16.
        alpha: (H, W) float32, 0..1.
        radius_px: sigma of the Gaussian, above 0.  Below about 2 px the result is a little softer than asked for.

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
    # The cell's own blur counts towards the whole.
    radius = math.sqrt(max(0.25, (radius_px / cell) ** 2 - 1 / 12))
    weight = float(small[..., 3].sum())
    if weight > 0:
        mean = small[..., :3].reshape(-1, 3).sum(axis=0) / weight
    else:  # people everywhere: nothing of the background is known, and nothing of it will show
        mean = np.asarray(pixels.reshape(-1, 3)[:: max(1, height * width // 65536)].mean(axis=0))
    found = np.broadcast_to(mean, small[..., :3].shape).astype(np.float32)
    widest = max(small.shape[:2])
    steps = max(1, math.ceil(math.log(max(1.0, widest / radius), _WIDER)))
    for sigma in (radius * _WIDER**step for step in range(steps, -1, -1)):
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
