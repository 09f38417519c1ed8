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
    height, width = pixels.shape[0], pixels.shape[1]
    small = geometry.shrink(pixels, geometry.whole_picture_size(height, width, preprocessing.area_px))
    planes = np.ascontiguousarray(small.transpose(2, 0, 1), dtype=np.float32)
    planes *= np.float32(1 / 255)
    if preprocessing.mean != (0.0, 0.0, 0.0) or preprocessing.std != (1.0, 1.0, 1.0):
        planes -= np.asarray(preprocessing.mean, np.float32)[:, None, None]
        planes /= np.asarray(preprocessing.std, np.float32)[:, None, None]
    return planes[None]


def predict(session: Session, preprocessing: Preprocessing, pixels: PixelArray) -> FloatArray:
    """Where the people are.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.

    Returns:
        (h, w) float32, 0..1: the probability of a person in each cell of the small picture.
    """
    image = network_input(pixels, preprocessing)
    mask: FloatArray = session.run({"image": image})["mask"][0, 0]
    if preprocessing.mirrored:
        other = session.run({"image": np.ascontiguousarray(image[..., ::-1])})["mask"][0, 0]
        mask = (mask + other[:, ::-1]) * np.float32(0.5)
    return mask
