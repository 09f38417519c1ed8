"""Quality unification: from the picture and its coarse mask, at twice the mask's scale, to a mask of even quality."""

from __future__ import annotations

import numpy as np

from bshm import geometry
from bshm.matting.networks.mask import network_input
from bshm.runtime.session import Session
from bshm.types import FloatArray, PixelArray
from bshm.weights.card import Network


def unify(session: Session, network: Network, pixels: PixelArray, mask: FloatArray) -> FloatArray:
    """A mask that is sure where the picture is.

    Args:
        session: the network, opened.
        network: its entry on the card.
        pixels: (H, W, 3) uint8 or uint16, RGB.
        mask: (h, w) float32, 0..1, of the whole picture.

    Returns:
        (h2, w2) float32, 0..1, of the whole picture.
    """
    image = network_input(pixels, network.preprocessing, network.look.side_px)
    enlarged = geometry.enlarge(mask, (image.shape[2], image.shape[3]))
    feeds = {"image": image, "mask": np.ascontiguousarray(enlarged)[None, None]}
    unified: FloatArray = session.run(feeds)["mask_unified"][0, 0]
    # A sigmoid in single precision may round to a trace above one.
    return np.clip(unified, 0, 1)
