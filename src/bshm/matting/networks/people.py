"""Further outputs of the mask network, which tell people apart."""

from __future__ import annotations

import numpy as np

from bshm import geometry
from bshm.matting.people import Clues
from bshm.runtime.session import OnnxSession, Session
from bshm.types import PixelArray

# The side of a square with as many pixels as the network sees.  MoveNet learned at 256; at 480 it sees several people
# in one who is near, at 224 none in one who is far.
SIDE_PX = 320
# Outputs of the network; `bshm.training.people_outputs` says what each is.
OUTPUTS = ("middle", "keypoints", "offsets", "sizes")


def look(session: Session, pixels: PixelArray) -> Clues | None:
    """The clues in a picture.

    Args:
        session: a mask network, RGB 0..1 in.
        pixels: (H, W, 3) uint8 or uint16, RGB.

    Returns:
        None where the network has no such outputs.
    """
    if isinstance(session, OnnxSession) and not set(OUTPUTS) <= set(session.outputs):
        return None  # without a run for nothing
    size = geometry.whole_picture_size(pixels.shape[0], pixels.shape[1], SIDE_PX)
    small = geometry.shrink(pixels, size)
    image = np.ascontiguousarray(small.transpose(2, 0, 1), dtype=np.float32)[None] / np.float32(255)
    answer = session.run({"image": image})
    if not set(OUTPUTS) <= set(answer):
        return None
    middle, keypoints, offsets, sizes = (answer[name][0] for name in OUTPUTS)
    return Clues(middle[0], keypoints, offsets.reshape(17, 2, *middle.shape[1:]), sizes)
