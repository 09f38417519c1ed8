"""Find the box around the people, and crop, scale and place the picture by it."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from bshm import geometry
from bshm.edit.words import NO_MARGINS, Margins
from bshm.errors import ShapeError
from bshm.types import Box as Box  # noqa: PLC0414 - boxes of people are taken from here
from bshm.types import FloatArray, PixelArray

# Alpha from which a pixel counts as people: faint haze that networks leave in far corners must not widen a crop.
_PERSON_FROM = 0.3
# Below this share of the picture nobody is there: a face of 16x16 px in a 12-megapixel photograph is 0.002 %.
EMPTY_SHARE = 2e-5


def is_nobody(alpha: FloatArray) -> bool:
    """Whether nobody is in a picture.

    Args:
        alpha: (H, W) float32, 0..1.

    >>> is_nobody(np.zeros((4, 6), np.float32))
    True
    """
    return float(np.count_nonzero(alpha > 0.5)) < max(1.0, EMPTY_SHARE * alpha.size)


def foreground_box(alpha: FloatArray) -> Box | None:
    """The smallest box with all people in it; None if there is nobody.

    Args:
        alpha: (H, W) float32, 0..1.

    >>> alpha = np.zeros((5, 7), np.float32)
    >>> alpha[1:3, 4] = 1
    >>> foreground_box(alpha)
    Box(top=1, left=4, height=2, width=1)
    """
    people = alpha >= _PERSON_FROM
    rows, columns = np.flatnonzero(people.any(axis=1)), np.flatnonzero(people.any(axis=0))
    if rows.size == 0:
        return None
    top, left = int(rows[0]), int(columns[0])
    return Box(top, left, int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left)


def arrange(
    layers: list[PixelArray | FloatArray],
    box: Box,
    *,
    crop: bool = False,
    margins: Margins = NO_MARGINS,
    scale: float | None = None,
    position: tuple[float, float] | None = None,
    mirrored: bool = False,
) -> list[PixelArray | FloatArray]:
    """Crop to a box, or scale its content, and place it.

    The whole picture moves with the box, so soft hair outside of it is kept if the canvas has room.

    Args:
        layers: arrays of one height and width, (H, W) or (H, W, C): colour, alpha, …
        box: where the people are.
        crop: the canvas is the box and its margins instead of the whole picture.
        margins: around the box; only with ``crop``.
        scale: 0.1..1: the box is scaled to fit into this share of the canvas, in height and width.
        position: (horizontal, vertical), 0..1: 0 lays the box against the left or the top, 1 against the right or the
            bottom; None leaves it where it is, or in the middle with ``scale``.
        mirrored: fill the canvas beyond the picture with its mirror image, which suits blurred content; else with
            0.

    Returns:
        Arrays with the dtypes of ``layers``, all of the canvas' size.

    Raises:
        ShapeError: no layers, or layers that differ in height or width.

    >>> layer = np.arange(12, dtype=np.uint8).reshape(3, 4)
    >>> arrange([layer], Box(1, 1, 2, 2), crop=True)[0].tolist()
    [[5, 6], [9, 10]]
    """
    if not layers or any(layer.shape[:2] != layers[0].shape[:2] for layer in layers):
        raise ShapeError(f"arrange() needs layers of one size; got {[layer.shape for layer in layers]}.")
    height, width = layers[0].shape[:2]
    top = left = 0.0
    if crop:
        above, beside = margins.top.of(box.height), margins.left.of(box.width)
        height = above + box.height + margins.bottom.of(box.height)
        width = beside + box.width + margins.right.of(box.width)
        top, left = above - box.top, beside - box.left
    factor = 1.0
    if scale is not None:
        factor = scale * min(height / box.height, width / box.width)
        position = position or (0.5, 0.5)
    if position is not None:
        left = (width - box.width * factor) * position[0] - box.left * factor
        top = (height - box.height * factor) * position[1] - box.top * factor
    return [laid(layer, (height, width), factor, top, left, mirrored) for layer in layers]


def laid(
    layer: PixelArray | FloatArray,
    canvas_hw: tuple[int, int],
    factor: float,
    top: float,
    left: float,
    mirrored: bool,
) -> PixelArray | FloatArray:
    """A scaled layer on an empty canvas.

    Args:
        layer: (H, W) or (H, W, C).
        canvas_hw: of the result.
        factor: by which the layer is scaled.
        top, left: of its corner on the canvas; below 0 where it sticks out.
        mirrored: as in ``arrange``.
    """
    canvas: PixelArray | FloatArray = np.zeros((*canvas_hw, *layer.shape[2:]), layer.dtype)
    # Only the visible part is scaled: a small box on a large canvas would make the whole picture enormous.
    rows = _visible(layer.shape[0], canvas_hw[0], factor, top)
    columns = _visible(layer.shape[1], canvas_hw[1], factor, left)
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return canvas
    part: Any = layer[rows, columns]
    if factor != 1.0:
        size = (max(1, round(part.shape[0] * factor)), max(1, round(part.shape[1] * factor)))
        part = geometry.resize(np.ascontiguousarray(part), size)
    y, x = round(top + rows.start * factor), round(left + columns.start * factor)
    target = slice(max(0, y), max(0, y + part.shape[0])), slice(max(0, x), max(0, x + part.shape[1]))
    shown = canvas[target]
    from_y, from_x = max(0, -y), max(0, -x)
    shown[...] = part[from_y : from_y + shown.shape[0], from_x : from_x + shown.shape[1]]
    if mirrored and shown.size:
        y, x = target[0].start, target[1].start
        below, right = canvas_hw[0] - y - shown.shape[0], canvas_hw[1] - x - shown.shape[1]
        canvas = cv2.copyMakeBorder(shown, y, below, x, right, cv2.BORDER_REFLECT)  # type: ignore[assignment]
    return canvas


def _visible(length: int, canvas: int, factor: float, offset: float) -> slice:
    return slice(max(0, math.floor(-offset / factor)), min(length, math.ceil((canvas - offset) / factor)))
