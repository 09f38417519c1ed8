"""Mask prediction: find the people in the small picture."""

from __future__ import annotations

import numpy as np

from bshm import geometry
from bshm.runtime.session import Session
from bshm.types import FloatArray, PixelArray
from bshm.weights.card import Network, Preprocessing

# A closer look counts wholly where people cover less of the picture than the first, and not at all beyond the second;
# in between it fades, so that a video does not jump.  Faces that fill the frame lose their middle when they are looked
# at closely, small people their limbs when they are not.
_COVERED_FROM, _COVERED_TO = 0.2, 0.3


def network_input(pixels: PixelArray, preprocessing: Preprocessing, side_px: int) -> FloatArray:
    """The whole picture as the network's input.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB.
        preprocessing: of the network's card.
        side_px: side of a square with as many pixels as the network will see.

    Returns:
        (1, 3, h, w) float32; RGB 0..1 less the card's mean, over its std.
    """
    height, width = pixels.shape[0], pixels.shape[1]
    small = geometry.shrink(pixels, geometry.whole_picture_size(height, width, side_px))
    planes = np.ascontiguousarray(small.transpose(2, 0, 1), dtype=np.float32)
    planes *= np.float32(1 / 255)
    if preprocessing.mean != (0.0, 0.0, 0.0) or preprocessing.std != (1.0, 1.0, 1.0):
        planes -= np.asarray(preprocessing.mean, np.float32)[:, None, None]
        planes /= np.asarray(preprocessing.std, np.float32)[:, None, None]
    return planes[None]


def predict(session: Session, network: Network, pixels: PixelArray) -> FloatArray:
    """Where the people are.

    Args:
        session: the network, opened.
        network: its entry on the card.
        pixels: (H, W, 3) uint8 or uint16, RGB.

    Returns:
        (h, w) float32, 0..1: the probability of a person in each cell of the small picture.
    """
    look = network.look
    image = network_input(pixels, network.preprocessing, look.side_px)
    mask = _look(session, image)
    closer = _much_is_empty(mask) if look.closer_px else 0.0
    if look.mirrored and closer < 1:
        mask = (mask + _look(session, image[..., ::-1])[:, ::-1]) * np.float32(0.5)
    if closer > 0:
        near = _look(session, network_input(pixels, network.preprocessing, look.closer_px))
        mask = geometry.enlarge(mask, near.shape) * np.float32(1 - closer) + near * np.float32(closer)
    return mask


def _much_is_empty(mask: FloatArray) -> float:
    """How much a closer look counts: 1 where people cover little of the picture, 0 where they cover much of it."""
    share = (_COVERED_TO - float(mask.mean())) / (_COVERED_TO - _COVERED_FROM)
    return min(1.0, max(0.0, share))


def _look(session: Session, image: FloatArray) -> FloatArray:
    mask: FloatArray = session.run({"image": np.ascontiguousarray(image)})["mask"][0, 0]
    # A sigmoid in single precision may round to a trace above one.
    return np.clip(mask, 0, 1)
