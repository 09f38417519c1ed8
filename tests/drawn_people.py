"""A person drawn with known measures: head, neck and shoulders."""

from __future__ import annotations

import cv2
import numpy as np

from bshm.types import FloatArray, Picture, PixelArray, Run


def drawn_alpha(height: int, width: int, *, crown: int, head: int, centre: int | None = None) -> FloatArray:
    """(H, W) float32, 0 or 1: a head of ``head`` pixels below ``crown``, a neck, and shoulders to the bottom."""
    centre = width // 2 if centre is None else centre
    canvas = np.zeros((height, width), np.uint8)
    chin = crown + head
    cv2.ellipse(canvas, (centre, crown + head // 2), (round(0.36 * head), head // 2), 0, 0, 360, 1, -1)
    half = round(0.24 * head)
    canvas[crown + head // 2 : min(height, round(crown + 1.2 * head)), max(0, centre - half) : centre + half] = 1
    for row in range(min(height, round(chin + 0.02 * head)), height):
        reach = round(min(1.1, 0.3 + 2.6 * ((row - chin) / head)) * head)
        canvas[row, max(0, centre - reach) : centre + reach] = 1
    return canvas.astype(np.float32)


class Drawn:
    """A matte with a flat colour per part, so that every pixel of a result can be told."""

    ran = Run("drawn", "0" * 64, "cpu")
    people: tuple[FloatArray, ...] | None = None
    depth: tuple[int, ...] = ()
    verdict: None = None
    corrections: None = None
    notes: tuple[str, ...] = ()

    def __init__(self, alpha: FloatArray, *, icc_profile: bytes | None = None, dpi: float | None = None) -> None:
        pixels: PixelArray = np.full((*alpha.shape, 3), (90, 120, 150), np.uint8)
        pixels[alpha > 0.5] = (220, 40, 30)
        # Left and right differ, so that a mirrored picture is found out.
        pixels[: alpha.shape[0] // 2, : alpha.shape[1] // 2][
            alpha[: alpha.shape[0] // 2, : alpha.shape[1] // 2] > 0.5
        ] = (
            200,
            30,
            90,
        )
        stated = None if dpi is None else (dpi, dpi)
        self.picture = Picture(pixels, name="drawn", format="png", icc_profile=icc_profile, dpi=stated)
        self.alpha = alpha
        self.foreground = pixels

    def colour_of(self, some: FloatArray, colour: PixelArray) -> PixelArray:
        return colour
