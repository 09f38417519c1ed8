"""The people with their shadow, cropped, placed, and written as a file."""

from __future__ import annotations

from typing import Any

import numpy as np

from bshm.edit.crop import Box, arrange, foreground_box
from bshm.edit.shadow import drop, under
from bshm.edit.spec import OutputOptions
from bshm.edit.words import Margins
from bshm.files import encode
from bshm.types import FloatArray, Picture, PixelArray


def arranged(
    colour: PixelArray,
    alpha: FloatArray,
    behind: PixelArray | None,
    *,
    shadow: float,
    crop: bool,
    margins: Margins,
    scale: float | None,
    position: tuple[float, float] | None,
) -> tuple[PixelArray, FloatArray, PixelArray | None]:
    """The people with their shadow, cropped and placed.

    Where there is nobody the whole picture is what is cropped to, scaled and placed.

    Args:
        colour: (H, W, 3), straight.
        alpha: (H, W) float32, 0..1.
        behind: (H, W, 3): cropped with the people, but neither scaled nor moved; or None.
        shadow: how dark a shadow the people throw, 0 (none) to 1; it does not widen a crop.
        crop, margins, scale, position: as in ``bshm.edit.crop.arrange``.

    Returns:
        The three, of one size; those given where nothing is asked for.
    """
    moves = crop or scale is not None or position is not None
    box = (foreground_box(alpha) if moves else None) or Box(0, 0, *alpha.shape)
    if shadow:
        colour, alpha = under(colour, alpha, (0, 0, 0), drop(alpha) * np.float32(shadow))
    if not moves:
        return colour, alpha, behind
    layers = [colour, alpha]
    moved: list[Any] = arrange(layers, box, crop=crop, margins=margins, scale=scale, position=position)
    if behind is not None and crop:
        (cropped,) = arrange([behind], box, crop=True, margins=margins, mirrored=True)
        behind = cropped  # type: ignore[assignment]
    # The weights of a resize may add up to a hair more than 1.
    return moved[0], np.minimum(moved[1], np.float32(1)), behind


def encoded(pixels: PixelArray, picture: Picture, options: OutputOptions) -> bytes:
    """The bytes of a file with pixels made of ``picture``, whose profile, resolution and EXIF are kept."""
    return encode.encode(
        pixels,
        options.format or "png",
        quality=options.quality,
        icc_profile=picture.icc_profile if pixels.ndim == 3 else None,  # one of colours, not of a grey alpha
        dpi=picture.dpi,
        exif=None if options.strip_metadata else picture.exif,
    )
