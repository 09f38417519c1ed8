"""Mask prediction: the whole picture, small, to where the people are."""

from __future__ import annotations

import numpy as np

from bshm import geometry
from bshm.runtime.session import Session
from bshm.types import FloatArray, PixelArray
from bshm.weights.card import Preprocessing


def network_input(pixels: PixelArray, preprocessing: Preprocessing) -> FloatArray:
    """The whole picture as the network's input.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.

    Returns:
        (1, 3, h, w) float32; RGB 0..1 less the card's mean, over its std.
    """
    small = geometry.shrink(pixels, geometry.whole_picture_size(*pixels.shape[:2], preprocessing.area_px))
    scale = np.float32(1 / np.iinfo(pixels.dtype).max)
    planes = np.ascontiguousarray(small.transpose(2, 0, 1), dtype=np.float32)
    planes *= scale
    for plane, mean, std in zip(planes, preprocessing.mean, preprocessing.std, strict=True):
        if (mean, std) != (0.0, 1.0):
            plane -= mean
            plane /= std
    return planes[None]


def predict(session: Session, preprocessing: Preprocessing, pixels: PixelArray) -> FloatArray:
    """Where the people are.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.

    Returns:
        (h, w) float32, 0..1: the probability of a person in each cell of the small picture.
    """
    return session.run({"image": network_input(pixels, preprocessing)})["mask"][0, 0]
