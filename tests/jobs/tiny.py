"""Tiny pictures that say which one they are, and the fake session that cuts out their red square."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def picture(number: int) -> bytes:
    """A grey PNG with a red square whose green and blue hold the number, 0 to 9999."""
    pixels = np.full((24, 32, 3), 60, np.uint8)
    pixels[4:20, 8:24] = (250, number // 100, number % 100)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def number_of(result: bytes) -> int:
    """Which picture a cut-out was made of."""
    pixels = np.asarray(Image.open(io.BytesIO(result)))
    red, green, blue, alpha = pixels[12, 16].tolist()
    if (red, alpha) != (250, 255) or pixels[0, 0, 3] != 0:
        raise ValueError(f"no cut-out of a numbered picture: {(red, green, blue, alpha)}, {pixels[0, 0].tolist()}")
    return int(green) * 100 + int(blue)
