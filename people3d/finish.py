"""From light to a picture: blur by motion and focus, exposure, tone, straight colour.  numpy alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from people3d.maths import Array, Random, smooth
from people3d.raster import FAR, shifted_sum

Bytes = npt.NDArray[np.uint8]


def blur(
    rng: Random,
    picture: Array,
    depth: Array,
    *,
    size: int,
    focus: float,
    hand: Callable[[str], tuple[Array, float]],
) -> tuple[Array, str]:
    """A share of pictures with motion (of all, or round a hand) or with shallow focus.

    Args:
        picture: (H, W, 4), premultiplied.
        depth: (H, W) metres.
        size: the longer side of the frame; blurs grow with it.
        focus: the depth of the head.
        hand: of a side, where the hand is (2,) and how many pixels a hand's reach is.

    Returns:
        The picture, and what was done: ``none``, ``motion``, ``motion hand`` or ``focus``.
    """
    height, width = depth.shape
    if rng.random() < 0.18:
        long, angle = rng.uniform(4, 22) * size / 900, rng.uniform(0, 3.14)
        path = [(np.cos(angle) * long * k, np.sin(angle) * long * k) for k in np.linspace(-0.5, 0.5, int(long) + 3)]
        share: Array = np.ones((height, width, 1))
        what = "motion"
        if rng.random() < 0.65:
            at, reach = hand(str(rng.choice(["L", "R"])))
            y, x = np.mgrid[:height, :width]
            share = (1 - smooth(np.hypot(x - at[0], y - at[1]), reach * 0.6, reach * 1.5))[..., None]
            what = "motion hand"
        return picture * (1 - share) + _spread(picture, path) * share, what
    if rng.random() < 0.25:
        return _shallow(picture, depth, focus + rng.normal(0, 0.08), rng.uniform(2, 7) * size / 900), "focus"
    return picture, "none"


def _shallow(picture: Array, depth: Array, focus: float, most: float) -> Array:
    """Discs that grow away from the focused depth, up to a radius of ``most`` pixels."""
    away = np.abs(np.where(depth < FAR / 10, depth, focus) - focus)
    radius = np.clip(away / 0.35, 0, 1) * most
    for axis in (0, 1):
        radius = shifted_sum(radius, axis, dict.fromkeys(range(-4, 5), 1 / 9))
    k = np.clip(np.clip(radius, 0.0, most) / most * 2, 0, 2)[..., None]
    half, whole = _spread(picture, _disc(most * 0.5)), _spread(picture, _disc(most))
    mixed: Array = picture * np.clip(1 - k, 0, 1) + half * (1 - np.abs(k - 1)) + whole * np.clip(k - 1, 0, 1)
    return mixed


def _disc(radius: float) -> list[tuple[float, float]]:
    n = int(np.ceil(radius))
    around = range(-n, n + 1)
    return [(x, y) for x in around for y in around if x * x + y * y <= radius * radius + 0.5]


def _spread(picture: Array, offsets: list[tuple[float, float]]) -> Array:
    """The mean of the picture at some offsets; a subject that the lower edge cuts goes on below it."""
    pad = 14
    wide = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), "constant")
    wide[-pad:, :] = wide[-pad - 1 : -pad, :]
    total = np.zeros_like(picture)
    for dx, dy in offsets:
        x, y = int(np.clip(round(dx), -pad, pad)), int(np.clip(round(dy), -pad, pad))
        total += wide[pad + y : pad + y + picture.shape[0], pad + x : pad + x + picture.shape[1]]
    return total / len(offsets)


def develop(rng: Random, picture: Array) -> tuple[Bytes, Bytes]:
    """Premultiplied light (H, W, 4) as straight sRGB (H, W, 3) and alpha (H, W), uint8.

    Colour goes on outside the subject, so that enlarging or compressing it brings no dark rim.
    """
    alpha = picture[..., 3]
    brightness = (picture[..., :3] @ [0.2, 0.7, 0.1])[alpha > 0.9]
    # By the median and by the lights: black clothes must not burn out a face.
    level = max(np.percentile(brightness, 60), 0.42 * np.percentile(brightness, 93)) if brightness.size else 0.2
    exposure = min(rng.uniform(0.13, 0.26) / max(level, 0.02), 12)
    c = _straight(picture[..., :3] * exposure, alpha * 1.0)
    y = np.where(c < 0.5, c, 0.5 + 0.5 * (1 - np.exp(-(c - 0.5) / 0.5)))  # a shoulder instead of clipped lights
    y = np.where(y < 0.0031308, 12.92 * y, 1.055 * np.maximum(y, 1e-6) ** (1 / 2.4) - 0.055)
    return (np.clip(y, 0, 1) * 255 + 0.5).astype(np.uint8), (np.clip(alpha, 0, 1) * 255 + 0.5).astype(np.uint8)


def _straight(light: Array, alpha: Array) -> Array:
    """Colour divided by alpha; where there is little alpha, from ever coarser means (pull and push)."""
    levels = [(light, alpha)]
    while min(levels[-1][1].shape) > 2:
        p, q = levels[-1]
        odd = (0, p.shape[0] % 2), (0, p.shape[1] % 2)
        p, q = np.pad(p, (*odd, (0, 0))), np.pad(q, odd)
        rows, columns = q.shape[0] // 2, q.shape[1] // 2
        levels.append((p.reshape(rows, 2, columns, 2, 3).mean((1, 3)), q.reshape(rows, 2, columns, 2).mean((1, 3))))
    c: Array = levels[-1][0] / np.maximum(levels[-1][1], 1e-4)[..., None]
    for p, q in levels[-2::-1]:
        c = np.repeat(np.repeat(c, 2, 0), 2, 1)[: p.shape[0], : p.shape[1]]
        c = np.pad(c, ((1, 1), (1, 1), (0, 0)), "edge")
        c = (c[:-2] + 2 * c[1:-1] + c[2:]) / 4
        c = (c[:, :-2] + 2 * c[:, 1:-1] + c[:, 2:]) / 4
        sure = np.clip(q * 6, 0, 1)[..., None]
        c = c * (1 - sure) + p / np.maximum(q, 1e-3)[..., None] * sure
    return c
