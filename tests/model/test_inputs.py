"""What a network is shown: planes of RGB, 0..1, whatever depth the picture has."""

from __future__ import annotations

import numpy as np

from bshm.model.mask import network_input
from bshm.weights.card import Preprocessing


def test_eight_and_sixteen_bits_give_the_same_planes_of_rgb() -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[..., 0] = 255
    rule = Preprocessing(64, 32)
    found = network_input(pixels, rule)
    assert found.dtype == np.float32 and found.shape[:2] == (1, 3)
    assert found[0, 0].min() == 1 and found[0, 1:].max() == 0
    assert np.array_equal(found, network_input(pixels.astype(np.uint16) * 257, rule))
