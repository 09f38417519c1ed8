"""The one place where video calls the networks: a mask that may be changed, and the alpha that is made of it.

``bshm.pipeline`` runs the same stages for a picture in one go; here a mask waits for those of its neighbours between
the two halves.
"""

from __future__ import annotations

from bshm.matting.refine import guided_filter
from bshm.matting.refine.doubt import drop_doubtful, drop_loose, somebody
from bshm.pipeline import Matting
from bshm.types import FloatArray, PixelArray


def mask_of(matting: Matting, pixels: PixelArray) -> FloatArray | None:
    """Where people are, unified where the weights have that stage; None of weights that answer with alpha itself.

    Args:
        matting: the networks.
        pixels: (H, W, 3) uint8 or uint16, RGB.

    Returns:
        (h, w) float32, 0..1, of the whole picture.
    """
    networks = matting.predictor
    if networks.whole:
        return None
    mask = networks.mask(pixels)
    return networks.unify(pixels, mask) if networks.has("quality") else mask


def alpha_of(matting: Matting, pixels: PixelArray, mask: FloatArray | None) -> FloatArray:
    """Alpha at the picture's size.

    Args:
        matting: the networks.
        pixels: (H, W, 3) uint8 or uint16, RGB.
        mask: from ``mask_of``, as it is or steadied.

    Returns:
        (H, W) float32, 0..1.
    """
    networks = matting.predictor
    if mask is None:
        return networks.alpha(pixels)
    mask = drop_doubtful(mask)
    guide = guided_filter.refine(pixels, mask)
    if not networks.has("matting"):
        return guide
    held = somebody(guide)
    return drop_loose(networks.matting(pixels, mask, guide), held)
