"""Convert levels to linear light and back, and match the light on people to that of the background."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bshm.errors import ShapeError
from bshm.types import FloatArray, PixelArray

# The largest change at full strength: about a stop, a quarter more or less contrast, and the warmth of a cloud before
# the sun.  Beyond that people look painted, and a white wall would bleach them.
_MOST_SHIFT, _MOST_WARMTH = 0.8, 0.2
_MOST_CONTRAST = 1.25
# Something that varies less than this, in levels of 0..1, does not show how contrasty its light is: a wall.
_PLAIN_SPREAD = 0.03
# Light is measured on about this many pixels.
_SAMPLES = 1 << 18
_LEAST = 1e-3


class Light(NamedTuple):
    """How a part of a picture is lit.

    Attributes:
        mean: luminance, linear, 0..1.
        spread: standard deviation of the luminance by its levels (sRGB), 0..1.
        warmth: natural logarithm of red over blue, linear.
    """

    mean: float
    spread: float
    warmth: float


def to_linear(level: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert levels 0..1 to linear light 0..1 by sRGB's curve.

    Source: IEC 61966-2-1.

    >>> round(float(to_linear(0.5)), 4)
    0.214
    """
    value = np.asarray(level, np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def to_levels(light: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert linear light 0..1 to levels 0..1, the inverse of ``to_linear``.

    >>> round(float(to_levels(to_linear(0.3))), 6)
    0.3
    """
    value = np.asarray(light, np.float64)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 0) ** (1 / 2.4) - 0.055)


@lru_cache(maxsize=2)
def linear_table(dtype: np.dtype[Any]) -> npt.NDArray[np.float32]:
    """Linear light of each level of uint8 or uint16; (256,) or (65536,) float32."""
    top = np.iinfo(dtype).max
    table = to_linear(np.arange(top + 1) / top).astype(np.float32)
    table.setflags(write=False)
    return table


def mixed(first: Any, second: Any, share: Any) -> npt.NDArray[Any]:
    """Two lists of colours mixed in linear light: ``share`` of the first.

    Args:
        first, second: (N, 3) uint8 or uint16, of one dtype.
        share: (N,) 0..1.

    Returns:
        (N, 3), dtype of ``first``.

    >>> mixed(np.full((1, 3), 255, np.uint8), np.zeros((1, 3), np.uint8), np.array([0.5])).tolist()
    [[188, 188, 188]]
    """
    table = linear_table(first.dtype)
    part = np.asarray(share, np.float32)[:, None]
    light = table[first] * part + table[second] * (1 - part)
    return (to_levels(light) * np.iinfo(first.dtype).max + 0.5).astype(first.dtype)


def light_of(colour: PixelArray, weight: FloatArray | None = None) -> Light | None:
    """Measure the light of colours, weighted.

    Args:
        colour: (H, W, 3) uint8 or uint16.
        weight: (H, W) float32, 0..1, weight of each pixel, e.g. the alpha of people; None weighs all the same.

    Returns:
        None if all weights are 0.

    Raises:
        ShapeError: shapes that differ.
    """
    if weight is not None and weight.shape != colour.shape[:2]:
        raise ShapeError(f"light_of() needs a weight for each pixel; got {colour.shape} and {weight.shape}.")
    every = max(1, int((colour.shape[0] * colour.shape[1] / _SAMPLES) ** 0.5))
    sample = colour[::every, ::every].reshape(-1, 3)
    share = np.ones(len(sample)) if weight is None else weight[::every, ::every].reshape(-1).astype(np.float64)
    total = float(share.sum())
    if total < 1e-6:
        return None
    linear = linear_table(colour.dtype)[sample]
    red, green, blue = (float((linear[:, each] * share).sum()) / total for each in range(3))
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    levels = to_levels(luminance)
    middle = float((levels * share).sum()) / total
    spread = float((((levels - middle) ** 2) * share).sum() / total) ** 0.5
    warmth = float(np.log(max(red, _LEAST) / max(blue, _LEAST)))
    return Light(0.2126 * red + 0.7152 * green + 0.0722 * blue, spread, warmth)


def harmonized(colour: PixelArray, own: Light, wanted: Light, strength: float) -> PixelArray:
    """Colours with their light moved towards another: brightness, contrast and warmth, each within bounds.

    The odds of each level's light, ``x / (1 - x)``, are raised to a power and multiplied: black stays black, white
    stays white, and nothing between them is clipped.

    Args:
        colour: (H, W, 3) uint8 or uint16.
        own: its light.
        wanted: the light to match.
        strength: 0..1, how much of the difference is removed.

    Returns:
        (H, W, 3), dtype of ``colour``, a new array.

    >>> grey = np.full((1, 1, 3), 100, np.uint8)
    >>> brighter = np.full((1, 1, 3), 120, np.uint8)
    >>> harmonized(grey, light_of(grey), light_of(brighter), 1.0)[0, 0].tolist()
    [120, 120, 120]
    """
    middle = _log_odds(own.mean)
    shift = float(np.clip(_log_odds(wanted.mean) - middle, -_MOST_SHIFT, _MOST_SHIFT))
    warmer = float(np.clip((wanted.warmth - own.warmth) / 2, -_MOST_WARMTH, _MOST_WARMTH))
    contrast = 1.0
    if min(own.spread, wanted.spread) > _PLAIN_SPREAD:
        contrast = float(np.clip(wanted.spread / own.spread, 1 / _MOST_CONTRAST, _MOST_CONTRAST))
    top = np.iinfo(colour.dtype).max
    # Black and white have no odds.
    odds = _log_odds(to_linear(np.arange(1, top) / top))
    result: PixelArray = np.empty_like(colour)
    for channel, warm in enumerate((warmer, 0.0, -warmer)):
        moved = middle + (odds - middle) * contrast**strength + (shift + warm) * strength
        table: Any = np.arange(top + 1).astype(colour.dtype)
        table[1:top] = to_levels(1 / (1 + np.exp(-moved))) * top + 0.5
        result[..., channel] = table[colour[..., channel]]
    return result


def _log_odds(light: npt.ArrayLike) -> Any:
    value = np.clip(np.asarray(light, np.float64), 1e-9, 1 - 1e-9)
    return np.log(value / (1 - value))
